"""What the segmentation study says: concentration, classes, moves, the long tail, and what should change."""

from __future__ import annotations

import numpy as np

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.sentences import say
from kamlib.studies.segmentation import Segmentation

ENOUGH_ACCOUNTS = 20
PARETO = 0.80
STALE_DAYS = 45


def concentration(result: Segmentation) -> Finding:
    """Whether the top fifth brings four fifths of the revenue."""
    top, gini = result.concentration["top20_share"], result.concentration["gini"]
    n = _buyers(result)
    if not np.isfinite(top.value):
        return _nothing("concentration", say("segmentation.no_revenue", months=result.months), practices=("K015",))
    values = {"share": top.value, "low": top.lower, "high": top.upper, "gini": gini.value, "n": n}
    if not np.isfinite(top.lower):
        branch = "one"
    else:
        branch = "above" if top.lower > PARETO else "below" if top.upper < PARETO else "about"
    verdict, reason = judge(*_gates(result))
    interval = (top.lower, top.upper) if np.isfinite(top.lower) else None
    return Finding(
        "segmentation.concentration",
        say(f"segmentation.concentration_{branch}", **values),
        top.value,
        "share of revenue",
        interval,
        top.level if interval else None,
        n,
        verdict,
        reason,
        practices=("K015", "K033"),
    )


def class_moves(result: Segmentation) -> Finding:
    """How many accounts changed class since the last period, and why."""
    moved = result.accounts[result.accounts["cause"] != ""]
    counts = moved["cause"].str.get_dummies(" + ").sum() if len(moved) else {}
    up = int((moved["abc"] < moved["previous"]).sum())
    values = {"n": len(moved), "up": up, "down": len(moved) - up, "then": result.then, "total": len(result.accounts)}
    causes = {name.replace(" ", "_"): int(counts.get(name, 0)) for name in ("spend", "threshold", "data revised")}
    verdict, reason = judge(*_gates(result))
    return Finding(
        "segmentation.moves",
        say("segmentation.moves" if len(moved) else "segmentation.moves_none", **values, **causes),
        len(moved),
        "accounts",
        n=len(result.accounts),
        verdict=verdict,
        reason=reason,
        practices=("K014",),
    )


def key_account_changes(result: Segmentation) -> Finding:
    """Who should become a key account, who should stop being one, and who needs a decision."""
    counts = result.decisions.set_index("decision")["accounts"]
    values = {name: int(counts[name]) for name in counts.index}
    branch = "changes" if values["promote"] + values["demote"] + values["review"] else "changes_none"
    verdict, reason = judge(*_gates(result))
    return Finding(
        "segmentation.changes",
        say(f"segmentation.{branch}", **values),
        values["promote"] + values["demote"],
        "accounts",
        n=len(result.accounts),
        verdict=verdict,
        reason=reason,
        decision=say("segmentation.changes_decision") if branch == "changes" else "",
        practices=("K001", "K013"),
    )


def _gates(result: Segmentation) -> tuple[Gate, ...]:
    n = _buyers(result)
    stale = (result.as_of - result.last_order).days if result.last_order else 0
    return (
        Gate(n > 0, Verdict.NO_CONCLUSION, say("segmentation.no_revenue", months=result.months)),
        Gate(n >= ENOUGH_ACCOUNTS, Verdict.CAUTION, say("findings.few_accounts", n=n, needed=ENOUGH_ACCOUNTS)),
        Gate(stale <= STALE_DAYS, Verdict.CAUTION, say("findings.stale", days=stale)),
    )


def _buyers(result: Segmentation) -> int:
    return int(result.accounts["has_bought"].sum())


def _nothing(topic: str, sentence: str, practices: tuple[str, ...]) -> Finding:
    return Finding(
        f"segmentation.{topic}", sentence, n=0, verdict=Verdict.NO_CONCLUSION, reason=sentence, practices=practices
    )
