"""What the segmentation study says of key accounts: who qualifies, what raters say, and what should change."""

from __future__ import annotations

import numpy as np

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.findings.segmentation import bought, gates, nothing
from kamlib.reports.sentences import say
from kamlib.studies.segmentation import Segmentation

LEAST_KAPPA = 0.4
STAYS = 0.9
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
    return Finding(
        "segmentation.officials",
        say("segmentation.officials" if n else "segmentation.officials_none", n=n, large=large, total=len(accounts)),
        n,
        "accounts",
        n=len(accounts),
        decision=say("segmentation.officials_decision") if n else "",
        practices=practices,
    )


def vip_accounts(result: Segmentation) -> Finding:
    """Who may apply to be a VIP by what it bought since the last closing day."""
    rows = result.vip
    single, month = (int(rows["rule"].str.contains(name).sum()) if len(rows) else 0 for name in ("single", "month"))
    values = {"single": single, "month": month, "n": len(rows), "since": result.then, "total": len(result.accounts)}
    limits = {"single_limit": result.vip_limits[0], "month_limit": result.vip_limits[1]}
    verdict, reason = judge(*gates(result))
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
    told, invested = rows["has_paid_back"].notna().all(), float(rows["invested"].sum())
    still_open = float(rows.loc[~rows["has_paid_back"].fillna(False).astype(bool), "invested"].sum())
    paid = int(rows["has_paid_back"].sum())
    values = {"n": len(rows), "paid": paid, "invested": invested, "open": still_open}
    verdict, reason = judge(
        *gates(result), Gate(told, Verdict.NO_CONCLUSION, say("segmentation.payback_unknown", **values))
    )
    return Finding(
        "segmentation.payback",
        say("segmentation.payback" if told else "segmentation.payback_unknown", **values),
        still_open if told else None,
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
    verdict, reason = judge(*gates(result), Gate(is_rated, Verdict.CAUTION, say("segmentation.matrix_potential")))
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
    return Finding(
        "segmentation.stages",
        say("segmentation.conflicts" if n else "segmentation.conflicts_none", n=n, total=recorded),
        n,
        "accounts",
        n=recorded,
        practices=practices,
    )


def stage_notes(result: Segmentation) -> list[str]:
    """How many relationships are at which stage, and how opportunities ended: whole sentences."""
    counts = result.stages.set_index("stage")["accounts"]
    values = {name: int(counts[name]) for name in ("build", "stable", "strengthen", "lapsed")}
    notes = [say("segmentation.stages", months=result.months, **values)]
    if len(result.funnel):
        deals = result.funnel.set_index("stage")["opportunities"]
        notes.append(say("segmentation.funnel", **{name: int(deals[name]) for name in ("won", "lost", "open")}))
    return notes


def key_account_changes(result: Segmentation) -> Finding:
    """Who should become a key account, who should stop being one, and who needs a decision."""
    counts = result.decisions.set_index("decision")["accounts"]
    values = {name: int(counts[name]) for name in counts.index}
    changes, keys = values["promote"] + values["demote"] + values["review"], values["keep"]
    branch = "changes" if changes else "changes_none" if keys else "changes_nobody"
    verdict, reason = judge(*gates(result))
    return Finding(
        "segmentation.changes",
        say(f"segmentation.{branch}", total=len(result.accounts), **values),
        values["promote"] + values["demote"],
        "accounts",
        n=len(result.accounts),
        verdict=verdict,
        reason=reason,
        decision=say("segmentation.changes_decision") if changes else "",
        practices=("K001", "K010", "K013"),
    )


def cap_note(result: Segmentation) -> str:
    """Whether there are too many key accounts, or too few: one whole sentence."""
    keys = int(result.accounts["is_key"].sum())
    waiting = int((result.accounts["reason"] == "over_cap").sum())
    branch = "reached" if waiting else "low" if keys < FEW_KEYS else "fine"
    return say(f"segmentation.cap_{branch}", keys=keys, waiting=waiting, cap=result.cap)


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
        decision=say(f"segmentation.mixed_decision{'' if mixed['hours'].sum() > 0 else '_most'}") if len(mixed) else "",
        practices=practices,
    )


def mixed_notes(result: Segmentation) -> list[str]:
    """Where the hours of those managers go: a whole sentence, where hours are recorded."""
    rows = result.coverage
    mixed = rows[rows["is_mixed"]] if len(rows) else rows
    if mixed.empty or not mixed["hours"].sum() > 0:
        return []
    hours = mixed["hours"] / mixed["hours"].sum()
    shares = (mixed[["key_hours_share", "small_hours_share"]].mul(hours, axis=0)).sum()
    on_key, on_small = shares["key_hours_share"], shares["small_hours_share"]
    return [say("segmentation.mixed_hours", on_key=on_key, on_small=on_small)]


def market_segments(result: Segmentation) -> Finding:
    """Which market segment brings most, and where the key accounts are."""
    rows, practices = result.markets, ("K012", "K024")
    if rows.empty:
        return nothing("markets", say("segmentation.markets_unknown"), practices)
    by, buyers = rows.columns[0], result.accounts[result.accounts["has_bought"]]
    rows = rows[rows[by].isin(buyers[by].dropna())]
    first, dense = rows.iloc[0], rows.sort_values("key_accounts", ascending=False, kind="stable").iloc[0]
    branch = "markets" if dense["key_accounts"] else "markets_no_key"
    values = {"n": len(rows), "name": first[by], "share": first["share"], "known": float(buyers[by].notna().mean())}
    verdict, reason = judge(*gates(result))
    return Finding(
        "segmentation.markets",
        say(f"segmentation.{branch}", dense=dense[by], keys=int(dense["key_accounts"]), **values),
        float(first["share"]),
        "share of revenue",
        n=len(buyers),
        verdict=verdict,
        reason=reason,
        practices=practices,
    )


def key_account_likeness(result: Segmentation) -> Finding:
    """Whether what is known of a prospect tells key accounts from others."""
    found, practices = result.likeness, ("K010",)
    if found is None:
        return nothing("likeness", say("segmentation.likeness_none"), practices)
    branch = "clear" if found.auc_lower > 0.5 else "unclear"
    verdict, reason = judge(
        *gates(result), Gate(branch == "clear", Verdict.NO_CONCLUSION, say("segmentation.likeness_reason"))
    )
    return Finding(
        "segmentation.likeness",
        say(f"segmentation.likeness_{branch}", auc=found.auc, low=found.auc_lower, high=found.auc_upper, n=found.keys),
        found.auc,
        "share of pairs",
        (found.auc_lower, found.auc_upper),
        0.9,
        len(found.scores),
        verdict,
        reason,
        practices=practices,
    )
