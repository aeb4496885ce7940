"""What the segmentation study says of concentration, classes, loyalty, and moves since the last period."""

from __future__ import annotations

import numpy as np

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.sentences import say
from kamlib.studies import shares
from kamlib.studies.segmentation import Segmentation
from kamlib.studies.segmentation.loyalty import LOYAL, PROXY, SHARES, SURVEY, SWITCHER, UNATTACHED
from kamlib.studies.segmentation.rulebook import UNCLASSIFIED

ENOUGH_ACCOUNTS = 20
ENOUGH_FOR_PARETO = 1_000
ENOUGH_QUARTERS = 4
ENOUGH_PAIRS = 20
PARETO = 0.80
STALE_DAYS = 45
COMPARED = 3  # closing days: this one and the two before
COIN = 0.60


def concentration(result: Segmentation) -> Finding:
    """Whether the top fifth brings four fifths of the revenue."""
    top, gini, n = result.concentration["top20_share"], result.concentration["gini"], bought(result)
    if not np.isfinite(top.value):
        return nothing("concentration", say("segmentation.no_revenue", months=result.months), ("K015", "K033"))
    has_interval = bool(np.isfinite(top.lower))
    branch = "above" if top.lower > PARETO else "below" if top.upper < PARETO else "about"
    few = Gate(
        n >= ENOUGH_FOR_PARETO or branch == "about" or not has_interval,
        Verdict.CAUTION,
        say("segmentation.concentration_few", needed=ENOUGH_FOR_PARETO),
    )
    verdict, reason = judge(*gates(result), few)
    values = {"share": top.value, "low": top.lower, "high": top.upper, "gini": gini.value, "n": n}
    return Finding(
        "segmentation.concentration",
        say(f"segmentation.concentration_{branch if has_interval else 'one'}", **values),
        top.value,
        "share of revenue",
        (top.lower, top.upper) if has_interval else None,
        top.level if has_interval else None,
        n,
        verdict,
        reason,
        practices=("K015", "K033"),
    )


def concentration_trend(result: Segmentation) -> Finding:
    """Whether the business leans on fewer accounts than before."""
    change, quarters = result.share_change, len(result.quarters)
    if quarters < ENOUGH_QUARTERS or not np.isfinite(change.lower):
        sentence = say("segmentation.trend_short", quarters=quarters)
        return nothing("trend", sentence, ("K015",), say("segmentation.trend_short_reason"))
    branch = "rises" if change.lower > 0 else "falls" if change.upper < 0 else "unclear"
    ends = {"low": 100 * change.lower, "high": 100 * change.upper}
    values = {"points": 100 * abs(change.value), "change": 100 * change.value, "half": quarters // 2}
    is_clear = Gate(branch != "unclear", Verdict.NO_CONCLUSION, say("segmentation.trend_unclear_reason"))
    verdict, reason = judge(*gates(result), is_clear, _without_one_order(result))
    return Finding(
        "segmentation.trend",
        say(f"segmentation.trend_{branch}", **values, **ends),
        change.value,
        "share of revenue",
        (change.lower, change.upper),
        change.level,
        int(result.quarters["accounts"].iloc[-1]),
        verdict,
        reason,
        practices=("K015",),
    )


def _without_one_order(result: Segmentation) -> Gate:
    """Whether the change is there, and half as large at least, without the accounts whose size is one order."""
    change, regular = result.share_change.value, result.share_change_regular
    if not np.isfinite(regular):
        return Gate(False, Verdict.CAUTION, say("segmentation.trend_only_one_order"))
    stands = change * regular > 0 and abs(regular) >= abs(change) / 2
    return Gate(bool(stands), Verdict.CAUTION, say("segmentation.trend_one_order", regular=100 * regular))


def long_tail(result: Segmentation) -> Finding:
    """What the accounts outside the top fifth bring, and what losing a quarter of them would cost."""
    tail = result.tail
    if not tail.accounts or not np.isfinite(tail.revenue_share):
        return nothing("long_tail", say("segmentation.tail_none"), ("K016",))
    quarter = tail.thinning.set_index("lost_share").loc[0.25]
    ends = (quarter["revenue_lost_lower"], quarter["revenue_lost_upper"])
    verdict, reason = judge(*gates(result), _whole_window(result))
    return Finding(
        "segmentation.long_tail",
        say(
            "segmentation.tail",
            n=tail.accounts,
            share=tail.revenue_share,
            lost=quarter["revenue_lost"],
            covered=result.covered_months,
            low=ends[0],
            high=ends[1],
            lost_share=quarter["share_of_revenue"],
        ),
        float(quarter["revenue_lost"]),
        "money",
        (float(ends[0]), float(ends[1])),
        result.level,
        tail.accounts,
        verdict,
        reason,
        practices=("K016", "K033"),
    )


def largest_accounts(result: Segmentation) -> Finding:
    """What hangs on the largest account, and on the few largest."""
    rows, n = result.tail.largest, bought(result)
    if not n or rows["share_of_revenue"].isna().any():
        return nothing("largest", say("segmentation.no_revenue", months=result.months), ("K033",))
    first, last = rows.iloc[0], rows.iloc[-1]
    values = {"one": first["share_of_revenue"], "lost": first["revenue_lost"], "covered": result.covered_months}
    values |= {"count": int(last["accounts"]), "many": last["share_of_revenue"]}
    branch = "largest_one" if n == 1 else "largest" if values["count"] > 1 else "largest_few"
    verdict, reason = judge(*gates(result), _whole_window(result))
    return Finding(
        "segmentation.largest",
        say(f"segmentation.{branch}", **values),
        float(first["share_of_revenue"]),
        "share of revenue",
        n=n,
        verdict=verdict,
        reason=reason,
        practices=("K033",),
    )


def abc_classes(result: Segmentation) -> Finding:
    """How many accounts each class holds, and how many of them firmly."""
    counts, accounts = result.classes.set_index("abc")["accounts"], result.accounts[result.accounts["has_bought"]]
    if accounts.empty:
        return nothing("classes", say("segmentation.no_revenue", months=result.months), ("K014",))
    borderline, near = (int(accounts[name].sum()) for name in ("is_borderline", "near_cut"))
    values = {"a": int(counts["A"]), "b": int(counts["B"]), "c": int(counts["C"]), "n": len(accounts)}
    verdict, reason = judge(*gates(result), _whole_window(result))
    return Finding(
        "segmentation.classes",
        say(
            f"segmentation.classes_{result.basis}",
            **values,
            borderline=borderline,
            near=near,
        ),
        borderline,
        "accounts",
        n=len(accounts),
        verdict=verdict,
        reason=reason,
        practices=("K014", "K008"),
    )


def class_notes(result: Segmentation) -> list[str]:
    """What value means here, who loses money, which groups rise, and whose size is one order: whole sentences."""
    accounts, groups, buyers = result.accounts, result.groups, result.accounts[result.accounts["has_bought"]]
    losing, one_off = int((buyers["margin"] < 0).sum()), int(accounts["is_one_off"].sum())
    notes = [_basis(result)]
    if losing and result.basis == "margin":
        notes.append(say("segmentation.classes_losing", n=losing, total=len(buyers)))
    notes += _spent_more(result)
    raised = int(groups["is_raised"].sum()) if len(groups) else 0
    branch = "none" if groups.empty else "raised" if raised else "same"
    notes.append(say(f"segmentation.groups_{branch}", n=len(groups), raised=raised))
    notes.append(say("segmentation.one_off" if one_off else "segmentation.one_off_none", n=one_off))
    return notes


def _spent_more(result: Segmentation) -> list[str]:
    """Class A accounts on which more was spent than they have earned since: a whole sentence where there are any."""
    rows = result.payback.join(result.accounts[["abc", "name"]])
    rows = rows[(rows["abc"] == "A") & (rows["margin_after_spend"] < rows["invested"])]
    if rows.empty:
        return []
    first = rows.sort_values("uncovered", ascending=False, kind="stable").iloc[0]
    values = {"invested": first["invested"], "margin": first["margin_after_spend"]}
    return [say("segmentation.classes_spent", n=len(rows), name=first["name"] or rows.index[0], **values)]


def _basis(result: Segmentation) -> str:
    known = 0.0 if np.isnan(result.cost_known_share) else result.cost_known_share
    if result.basis == "margin":
        branch = "margin"
    elif result.value == "revenue":
        branch = "revenue_chosen"
    else:
        branch = "revenue_no_margin" if known >= 0.95 else "revenue_no_cost"
    return say(f"segmentation.basis_{branch}", months=result.months, known=known)


def rfm_segments(result: Segmentation) -> Finding:
    """How much the best RFM segment brings, and how many good accounts have gone quiet."""
    rows = result.rfm.set_index("rfm_segment")
    best = int(rows.loc["champion", "accounts"])
    ordered = int((result.accounts["orders_ever"] > 0).sum())
    if not ordered:
        return nothing("rfm", say("segmentation.rfm_none"), ("K014",))
    scores = result.accounts[["recency_score", "frequency_score", "money_score"]].fillna(0)
    slipping = int(((scores["recency_score"] <= 2) & (scores.iloc[:, 1:] >= 3).all(axis=1)).sum())
    share = rows.loc["champion", "share_of_revenue"]
    values = {"best": best, "share": 0.0 if np.isnan(share) else share, "slipping": slipping}
    branch = "rfm" if best else "rfm_no_best"
    asked = say("segmentation.rfm_cuts", asked=result.points.active_months[2], months=result.months)
    verdict, reason = judge(*gates(result), Gate(best > 0, Verdict.CAUTION, asked))
    return Finding(
        "segmentation.rfm",
        say(f"segmentation.{branch}", n=ordered, days=result.points.recency_days[2], **values),
        slipping,
        "accounts",
        n=ordered,
        verdict=verdict,
        reason=reason,
        practices=("K014", "K001"),
    )


def own_segments(result: Segmentation) -> list[str]:
    """Whether the firm's own rules take every account: whole sentences."""
    if result.segments.empty:
        return [say("segmentation.own_none")]
    rows = result.segments.set_index("segment")
    left, rules = int(rows.loc[UNCLASSIFIED, "accounts"]), len(rows) - 1
    values = {"n": left, "total": len(result.accounts), "share": rows.loc[UNCLASSIFIED, "share"], "rules": rules}
    return [say("segmentation.own_rest" if left else "segmentation.own_all", **values)]


def loyal_accounts(result: Segmentation) -> Finding:
    """How many accounts are loyal, switching or unattached, and on what that rests."""
    counts = result.loyalties.groupby(["loyalty_basis", "loyalty"])["accounts"].sum()

    def count(basis: str, name: str) -> int:
        return int(counts.get((basis, name), 0))

    by_basis = result.loyalties.groupby("loyalty_basis")["accounts"].sum()
    surveyed, guessed = int(by_basis.get(SURVEY, 0)), int(by_basis.get(PROXY, 0))
    if not surveyed + guessed:
        return nothing("loyalty", say("segmentation.loyalty_none"), ("K017", "K018", "K019"))
    basis, n = (SURVEY, surveyed) if surveyed else (PROXY, guessed)
    named = {"loyal": LOYAL, "shared": SHARES, "switcher": SWITCHER, "unattached": UNATTACHED}
    values = {key: count(basis, name) for key, name in named.items()}
    is_surveyed = Gate(surveyed > 0, Verdict.CAUTION, say("segmentation.loyalty_proxy_reason"))
    verdict, reason = judge(*gates(result), is_surveyed)
    return Finding(
        "segmentation.loyalty",
        say(f"segmentation.loyalty_{basis}", n=n, proxy=guessed, **values),
        values["loyal"] / n,
        "share of accounts",
        n=n,
        verdict=verdict,
        reason=reason,
        practices=("K017", "K018", "K019"),
    )


def loyalty_notes(result: Segmentation) -> list[str]:
    """How good the proxy is, and how the degree of serialisation moved: whole sentences."""
    share, n = result.proxy_agreement
    branch = "untested" if n < ENOUGH_PAIRS else "good" if share >= COIN else "poor"
    notes = [say(f"segmentation.proxy_{branch}", share=share, n=n)]
    then, now = result.serialisation.iloc[0], result.serialisation.iloc[-1]
    if now["accounts"]:
        branch, points = _serialised(then, now) if len(result.serialisation) == COMPARED else ("new", 0.0)
        key = f"segmentation.serialisation_{'proxy_' if now['basis'] == PROXY else ''}{branch}"
        ends = {"low": now["share_lower"], "high": now["share_upper"]}
        notes.append(say(key, n=int(now["accounts"]), share=now["share"], points=100 * abs(points), **ends))
    return notes


def _serialised(then, now) -> tuple[str, float]:
    """Whether the degree of serialisation moved by more than chance allows, and by how much.

    The two days have most accounts in common, so an interval for separate ones is on the safe side.
    """
    if not then["accounts"] or then["basis"] != now["basis"]:
        return "new", 0.0
    both = (shares.of(round(day["share"] * day["accounts"]), int(day["accounts"])) for day in (now, then))
    change, low, high = shares.difference(*both)
    return "up" if low > 0 else "down" if high < 0 else "same", change


def gates(result: Segmentation) -> tuple[Gate, ...]:
    """What every finding of this study must meet: something bought, enough accounts, a book that is up to date."""
    n = bought(result)
    stale = (result.as_of - result.last_order).days if result.last_order else 0
    return (
        Gate(n > 0, Verdict.NO_CONCLUSION, say("segmentation.no_revenue", months=result.months)),
        enough(n),
        Gate(stale <= STALE_DAYS, Verdict.CAUTION, say("findings.stale", days=stale)),
        Gate(not result.is_part, Verdict.CAUTION, say("segmentation.part")),
    )


def enough(n: int) -> Gate:
    """Whether there are accounts enough for more than caution."""
    return Gate(n >= ENOUGH_ACCOUNTS, Verdict.CAUTION, say("findings.few_accounts", n=n, needed=ENOUGH_ACCOUNTS))


def _whole_window(result: Segmentation) -> Gate:
    """Whether the book covers all of the window."""
    covered, months = result.covered_months, result.months
    return Gate(covered >= months, Verdict.CAUTION, say("segmentation.short_window", covered=covered, months=months))


def comparable(result: Segmentation) -> Gate:
    """Whether the window of the earlier day is as long as that of today."""
    values = {"then": result.then, "covered": result.covered_then, "months": result.months}
    is_full = result.covered_then >= result.months
    return Gate(is_full, Verdict.NO_CONCLUSION, say("segmentation.windows_differ", **values))


def bought(result: Segmentation) -> int:
    """How many accounts bought anything in the window."""
    return int(result.accounts["has_bought"].sum())


def nothing(topic: str, sentence: str, practices: tuple[str, ...], reason: str = "") -> Finding:
    """A finding that there is nothing to find."""
    return Finding(
        f"segmentation.{topic}",
        sentence,
        n=0,
        verdict=Verdict.NO_CONCLUSION,
        reason=reason or say("segmentation.nothing"),
        practices=practices,
    )
