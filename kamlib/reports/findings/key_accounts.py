"""What the segmentation study says of key accounts: who qualifies, what raters say, and what should change."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.findings.segmentation import bought, comparable, enough, gates, nothing
from kamlib.reports.sentences import say
from kamlib.studies.segmentation import Segmentation
from kamlib.studies.segmentation.payback import EARLY, OPEN, PAID, UNKNOWN
from kamlib.studies.segmentation.ratings import LEAST_KAPPA
from kamlib.studies.segmentation.selection import INHERITED, REPLAY, REVIEW

STAYS = 0.9
PLACED = 0.5
HALF_FIRM = 0.5
FEW_KEYS = 15


def qualified_accounts(result: Segmentation) -> Finding:
    """How many large accounts qualify, and what the others lack."""
    accounts = result.accounts
    large = accounts[~accounts["lacks"].str.contains("class")]
    met = int((large["lacks"] == "").sum())
    is_untold = bool(accounts[[c for c in accounts if c.startswith("by_")]].isna().all(axis=None))
    if not bought(result):
        return nothing("qualified", say("segmentation.no_revenue", months=result.months), ("K001", "K002"))
    lacking = {name: int(large["lacks"].str.contains(name).sum()) for name in ("tests", "criteria", "gates")}
    lacking["potential"] = int(large["is_potential_alone"].sum())
    branch = "qualified_none" if not met else "qualified_untold" if is_untold else "qualified"
    told = Gate(not is_untold, Verdict.CAUTION, say("segmentation.qualified_untold_reason"))
    verdict, reason = judge(*gates(result), told)
    return Finding(
        "segmentation.qualified",
        say(f"segmentation.{branch}", n=met, large=len(large), **lacking),
        met,
        "accounts",
        n=len(large),
        verdict=verdict,
        reason=reason,
        practices=tuple(f"K{number:03d}" for number in range(1, 9)),
    )


def officials(result: Segmentation) -> Finding:
    """Which accounts are public offices: flagged for review, never admitted by rule."""
    accounts, practices = result.accounts, ("K036",)
    if not result.has_officials:
        return nothing("officials", say("segmentation.officials_unknown"), practices)
    n, large = int(accounts["is_official"].sum()), int(accounts["qualifies_but_official"].sum())
    values = {"large": large, "class_a": int((accounts["is_official"] & (accounts["abc"] == "A")).sum())}
    verdict, reason = judge(Gate(not result.is_part, Verdict.CAUTION, say("segmentation.part")))
    return Finding(
        "segmentation.officials",
        say("segmentation.officials" if n else "segmentation.officials_none", n=n, total=len(accounts), **values),
        n,
        "accounts",
        n=len(accounts),
        verdict=verdict,
        reason=reason,
        decision=say("segmentation.officials_decision") if n else "",
        practices=practices,
    )


def vip_accounts(result: Segmentation) -> Finding:
    """Who may apply to be a VIP by what it bought since the last closing day."""
    rows = result.vip
    single, month = (int(rows["rule"].str.contains(name).sum()) if len(rows) else 0 for name in ("single", "month"))
    values = {"single": single, "month": month, "n": len(rows), "since": result.then, "total": len(result.accounts)}
    limits = {"single_limit": result.vip_limits[0], "month_limit": result.vip_limits[1]}
    is_ours = Gate(result.vip_declared, Verdict.CAUTION, say("segmentation.vips_undeclared"))
    verdict, reason = judge(*gates(result), is_ours)
    return Finding(
        "segmentation.vips",
        say("segmentation.vips" if len(rows) else "segmentation.vips_none", **values, **limits),
        len(rows),
        "accounts",
        n=len(result.accounts),
        verdict=verdict,
        reason=reason,
        practices=("K034", "K025"),
    )


def vip_notes(result: Segmentation) -> list[str]:
    """Officials among the VIPs, and how much rests on goods of unknown grade: whole sentences."""
    rows = result.vip
    flagged = int(rows["is_official"].sum()) if len(rows) else 0
    counted = rows["order_amount"].where(rows["rule"] == "single", rows["month_amount"]).sum()
    share = rows["ungraded"].sum() / counted if counted > 0 else 0.0
    notes = [say("segmentation.vips_officials", n=flagged)] if flagged else []
    return [*notes, say("segmentation.vips_ungraded", share=share)] if len(rows) else notes


def payback(result: Segmentation) -> Finding:
    """Whether what was spent on accounts came back."""
    rows = result.payback
    if "investments" in result.absent:
        consequence = say("segmentation.absent_investments")
        sentence = say("findings.table_absent", table="investments", consequence=consequence)
        return nothing("payback", sentence, ("K009",))
    if rows.empty:
        return nothing("payback", say("segmentation.payback_none"), ("K009",))
    counts, uncovered = rows["payback"].value_counts(), float(rows["uncovered"].sum())
    named = {"paid": PAID, "open": OPEN, "early": EARLY}
    values = {"n": len(rows), "invested": float(rows["invested"].sum())}
    values |= {key: int(counts.get(name, 0)) for key, name in named.items()}
    told = UNKNOWN not in counts
    branch = "payback_unknown" if not told else "payback" if uncovered > 0 else "payback_all"
    if branch == "payback":
        worst = rows["uncovered"].idxmax()
        named, share = result.accounts["name"].get(worst), rows.loc[worst, "uncovered"] / uncovered
        values |= {"uncovered": uncovered, "share": share, "name": worst if pd.isna(named) else named}
    verdict, reason = judge(
        *gates(result),
        Gate(told, Verdict.NO_CONCLUSION, say("segmentation.payback_unknown", **values)),
        Gate(not told, Verdict.CAUTION, say("segmentation.payback_reason")),
    )
    return Finding(
        "segmentation.payback",
        say(f"segmentation.{branch}", **values),
        uncovered if told else None,
        "money",
        n=len(rows),
        verdict=verdict,
        reason=reason,
        practices=("K009",),
    )


def rater_agreement(result: Segmentation) -> Finding:
    """Whether people rate the same account alike."""
    if result.card is None:
        sentence = say("findings.table_absent", table="ratings", consequence=say("segmentation.absent_ratings"))
        return nothing("raters", sentence, ("K010", "K013"))
    row = result.card.agreement.iloc[-1]
    kappa, values = row["kappa"], {"pairs": int(row["pairs"]), "accounts": int(row["accounts"])}
    branch = "untold" if np.isnan(kappa) else "good" if kappa >= LEAST_KAPPA else "poor"
    sentence = say(f"segmentation.raters_{branch}", kappa=kappa, **values)
    verdict, reason = judge(
        Gate(branch != "untold", Verdict.NO_CONCLUSION, sentence),
        Gate(branch != "poor", Verdict.CAUTION, say("segmentation.raters_reason", floor=LEAST_KAPPA)),
        _is_undisputed(result),
        enough(values["accounts"]),
    )
    return Finding(
        "segmentation.raters",
        sentence,
        None if np.isnan(kappa) else float(kappa),
        "weighted kappa",
        n=values["accounts"],
        verdict=verdict,
        reason=reason,
        practices=("K010", "K011", "K013"),
    )


def _is_undisputed(result: Segmentation) -> Gate:
    """Whether raters agree on each criterion by itself."""
    names = ", ".join(result.card.disputed)
    return Gate(not names, Verdict.CAUTION, say("segmentation.raters_disputed", names=names, floor=LEAST_KAPPA))


def scorecard_notes(result: Segmentation) -> list[str]:
    """Whether the weights decide the choice, and which criteria were left out: whole sentences."""
    card = result.card
    if card is None or not card.places:
        return []
    best = card.overall.nlargest(card.places).index
    firm = int((card.selected_share[best] >= STAYS).sum())
    branch = "firm" if firm >= HALF_FIRM * card.places else "loose"
    notes = [say(f"segmentation.weights_{branch}", firm=firm, places=card.places)]
    if card.left_out:
        notes.append(say("segmentation.criteria_left_out", names=", ".join(card.left_out)))
    return notes


def portfolio(result: Segmentation) -> Finding:
    """Where accounts stand in the matrix of attractiveness and our strength."""
    rows, practices = result.matrix, ("K011", "K012", "K013")
    if rows.empty:
        return nothing("portfolio", say("segmentation.matrix_none"), practices)
    counts = rows["quadrant"].value_counts()
    values = {name: int(counts.get(name, 0)) for name in ("defend", "invest", "maintain", "economise")}
    is_rated = bool((rows["attractiveness_basis"] == "ratings").all())
    part = {"n": int(result.accounts["has_bought"].reindex(rows.index).sum()), "total": bought(result)}
    verdict, reason = judge(
        *gates(result),
        Gate(is_rated, Verdict.CAUTION, say("segmentation.matrix_potential")),
        Gate(part["n"] >= PLACED * part["total"], Verdict.CAUTION, say("segmentation.matrix_part", **part)),
    )
    return Finding(
        "segmentation.portfolio",
        say("segmentation.matrix", n=len(rows), **values),
        values["invest"],
        "accounts",
        n=len(rows),
        verdict=verdict,
        reason=reason,
        practices=practices,
    )


def stage_conflicts(result: Segmentation) -> Finding:
    """Whether the lifecycle stages on record agree with what accounts did."""
    accounts, practices = result.accounts, ("K022",)
    recorded = int(accounts["lifecycle"].notna().sum())
    if not recorded:
        return nothing("stages", say("segmentation.conflicts_unknown"), practices)
    n = int(accounts["has_conflict"].sum())
    is_idle = accounts["has_bought"].eq(False) & accounts["lifecycle"].eq("customer")
    idle = {"idle": int(is_idle.sum()), "months": result.months}
    return Finding(
        "segmentation.stages",
        say("segmentation.conflicts" if n else "segmentation.conflicts_none", n=n, total=recorded, **idle),
        n,
        "accounts",
        n=recorded,
        practices=practices,
    )


def stage_notes(result: Segmentation) -> list[str]:
    """How many relationships are at which stage, and how opportunities ended: whole sentences."""
    counts = result.stages.set_index("stage")["accounts"]
    values = {name: int(counts[name]) for name in ("build", "stable", "strengthen", "silent", "lapsed")}
    notes = [say("segmentation.stages", months=result.months, **values)]
    if len(result.funnel):
        deals = result.funnel.set_index("stage")["opportunities"]
        notes.append(say("segmentation.funnel", **{name: int(deals[name]) for name in ("won", "lost", "open")}))
    return notes


def key_account_changes(result: Segmentation) -> Finding:
    """Who should become a key account, who should stop being one, and who needs a decision."""
    counts = result.decisions.set_index("decision")["accounts"]
    values = {name: int(counts[name]) for name in counts.index}
    changes, is_replayed = values["promote"] + values["demote"] + values["review"], result.roster == REPLAY
    values |= _kept(result)
    branch = "changes" if changes else "changes_none" if values["keys"] else "changes_nobody"
    branch += "_replayed" if changes and is_replayed else ""
    days = {"earliest": result.earliest, "then": result.then}
    recorded = Gate(not is_replayed, Verdict.CAUTION, say("segmentation.changes_replayed_reason"))
    inherited = say("segmentation.changes_inherited_reason", then=result.then)
    accepted = Gate(result.roster != INHERITED, Verdict.CAUTION, inherited)
    verdict, reason = judge(*gates(result), recorded, accepted, *([comparable(result)] if is_replayed else []))
    return Finding(
        "segmentation.changes",
        say(f"segmentation.{branch}", total=len(result.accounts), **values, **days),
        values["promote"] + values["demote"],
        "accounts",
        n=len(result.accounts),
        verdict=verdict,
        reason=reason,
        decision=say("segmentation.changes_decision") if changes else "",
        practices=("K001", "K010", "K013"),
    )


def cap_note(result: Segmentation) -> str:
    """Whether there are too many key accounts or too few, and how many of them are silent: whole sentences."""
    accounts, kept = result.accounts, _kept(result)
    waiting = int((accounts["reason"] == "over_cap").sum())
    pending = int((accounts["meets_now"] & (accounts["decision"] == REVIEW)).sum())
    if kept["keys"] > result.cap:
        branch = "over"
    elif waiting:
        branch = "pending" if pending else "reached"
    else:
        branch = "low" if kept["keys"] < FEW_KEYS else "fine"
    note = say(f"segmentation.cap_{branch}", **kept, pending=pending, waiting=waiting, cap=result.cap)
    silent = int((accounts["is_key"] & accounts["is_silent"]).sum())
    return f"{note} {say('segmentation.keys_silent', n=silent)}" if silent else note


def _kept(result: Segmentation) -> dict[str, int]:
    """How many were key accounts, how many are once the decisions are carried out, how many of these under review."""
    accounts = result.accounts
    stay = accounts["is_key"] & (accounts["decision"] == REVIEW)
    flags = {"was": accounts["was_key"], "keys": accounts["is_key"], "stay": stay}
    return {name: int(flag.sum()) for name, flag in flags.items()}


def mixed_books(result: Segmentation) -> Finding:
    """Whether managers look after key accounts and small ones at once."""
    rows, practices = result.coverage, ("K021", "K064")
    if rows.empty:
        return nothing("mixed_books", say("segmentation.mixed_unknown"), practices)
    mixed = rows[rows["is_mixed"]]
    touched, keys = int(mixed["key_accounts"].sum()), int(result.accounts["is_key"].sum())
    values = {"mixed": len(mixed), "managers": len(rows), "touched": touched, "keys": keys}
    verdict, reason = judge(*gates(result))
    return Finding(
        "segmentation.mixed_books",
        say("segmentation.mixed" if len(mixed) else "segmentation.mixed_none", **values),
        len(mixed),
        "managers",
        n=len(rows),
        verdict=verdict,
        reason=reason,
        decision=say("segmentation.mixed_decision") if len(mixed) else "",
        practices=practices,
    )


def mixed_notes(result: Segmentation) -> list[str]:
    """Where the hours of those managers go: a whole sentence, where hours are recorded."""
    rows = result.coverage
    mixed = rows[rows["is_mixed"]] if len(rows) else rows
    if mixed.empty or not mixed["hours"].sum() > 0:
        return []
    hours = mixed["hours"] / mixed["hours"].sum()
    kinds = ("key", "small", "idle", "other")
    on = {f"on_{kind}": float((mixed[f"{kind}_hours_share"] * hours).sum()) for kind in kinds}
    return [say("segmentation.mixed_hours", **on)]
