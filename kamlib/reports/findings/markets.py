"""What the segmentation study says of market segments, and of prospects that look like a key account."""

from __future__ import annotations

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.findings.segmentation import gates, nothing
from kamlib.reports.sentences import say
from kamlib.studies.segmentation import Segmentation


def market_segments(result: Segmentation) -> Finding:
    """Which market segment brings most, and where the key accounts are."""
    rows, practices = result.markets, ("K012", "K024")
    if rows.empty:
        return nothing("markets", say("segmentation.markets_unknown"), practices)
    by, buyers = rows.columns[0], result.accounts[result.accounts["has_bought"]]
    rows = rows[rows[by].isin(buyers[by].dropna())]
    first = rows.iloc[0]
    dense = rows.sort_values(["stands_out", "key_rate"], ascending=False, kind="stable").iloc[0]
    branch = "markets" if dense["stands_out"] else "markets_alike" if rows["key_accounts"].any() else "markets_no_key"
    values = {"n": len(rows), "name": first[by], "share": first["share"], "known": float(buyers[by].notna().mean())}
    values |= {"rate": dense["key_rate"], "low": dense["key_rate_lower"], "high": dense["key_rate_upper"]}
    verdict, reason = judge(*gates(result))
    return Finding(
        "segmentation.markets",
        say(f"segmentation.{branch}", dense=dense[by], **values),
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
    branch = "unclear" if found.auc_lower <= 0.5 else "clear" if found.is_better else "potential"
    verdict, reason = judge(
        *gates(result),
        Gate(branch != "unclear", Verdict.NO_CONCLUSION, say("segmentation.likeness_reason")),
        Gate(branch != "potential", Verdict.NO_CONCLUSION, say("segmentation.likeness_potential_reason")),
    )
    values = {"auc": found.auc, "low": found.auc_lower, "high": found.auc_upper, "baseline": found.baseline}
    return Finding(
        "segmentation.likeness",
        say(f"segmentation.likeness_{branch}", n=found.keys, **values),
        found.auc,
        "share of pairs",
        (found.auc_lower, found.auc_upper),
        0.9,
        len(found.scores),
        verdict,
        reason,
        practices=practices,
    )
