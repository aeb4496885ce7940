"""What the playbook of supply says: the peaks ahead, the shelves, the service of deliveries, and past shortages."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.playbooks.said import said
from kamlib.reports.sentences import say
from kamlib.studies import peaks as seasons
from kamlib.studies import shares
from kamlib.studies.plans.supply_guarantee import PEAK_INDEX, SupplyPlan
from kamlib.studies.portfolio import with_managers

PEAK_COLUMNS = ["category", "peak_month", "order_by", "peak_index", "peak_need", "peak_low", "peak_high"]
NEED_COLUMNS = ["name", "category", "peak_month", "bought", "peak_need"]
COVER_COLUMNS = ["name", "product", "counted_on", "on_hand", "cover_days", "runs_out_on", "cover_basis"]
SERVICE_COLUMNS = ["category", "lines", "on_time", "on_time_low", "on_time_high", "in_full"]
SHORTAGE_COLUMNS = ["category", "short_month", "lines", "came_well", "came_usually"]
LATE_COLUMNS = ["name", "manager", "late_lines", "promised_on"]
YEAR = 12
MISS_LARGE, MISS_USELESS = 0.25, 0.5
GOOD_SERVICE = 0.98
FEWEST_LINES = 50


def peaks(result: SupplyPlan) -> Finding:
    """What is needed first for the peaks ahead, with its interval."""
    practices, n = ("K051",), len(result.peaks)
    if result.months_known < YEAR:
        few = {"months": result.months_known, "practices": practices, "verdict": Verdict.NO_CONCLUSION}
        return said("supply_guarantee.peaks_unknown", **few)
    if not n:
        return said("supply_guarantee.peaks_none", 0, "categories", practices=practices, over=PEAK_INDEX - 1)
    first = result.peaks.iloc[0]
    values = {name: first[name] for name in ("category", "month", "need", "need_low", "need_high", "order_by")}
    values |= {
        "judged": result.need.judged,
        "miss": result.need.miss,
        "counted_in": say(f"supply_guarantee.in_{result.unit}"),
    }
    miss = result.need.miss
    is_told = result.need.judged > 0 and miss <= MISS_USELESS
    made = said(
        f"supply_guarantee.peaks_{'judged' if is_told else 'bare'}",
        float(first["need"]),
        result.unit,
        n,
        f"supply_guarantee.do_{'late' if first['order_by'] <= result.as_of else 'order'}",
        practices,
        topic="peaks",
        **values,
    )
    if is_told:
        verdict, reason = judge(
            Gate(miss <= MISS_LARGE, Verdict.CAUTION, say("supply_guarantee.peaks_rough", miss=miss))
        )
        interval = (float(first["need_low"]), float(first["need_high"]))
        return replace(made, interval=interval, level=seasons.LEVEL, verdict=verdict, reason=reason)
    if result.need.judged:
        reason = say("supply_guarantee.peaks_useless", miss=miss)
        return replace(made, verdict=Verdict.NO_CONCLUSION, reason=reason)
    return replace(made, verdict=Verdict.CAUTION, reason=say("supply_guarantee.peaks_unjudged"))


def counted(result: SupplyPlan) -> str:
    """In what the needs of the page are counted, as a sentence."""
    return say("supply_guarantee.counted", unit=say(f"supply_guarantee.in_{result.unit}"))


def peak_table(result: SupplyPlan) -> pd.DataFrame:
    """The peaks ahead, the one to be ordered for first on top."""
    renamed = {"index": "peak_index", "need": "peak_need", "need_low": "peak_low", "need_high": "peak_high"}
    return result.peaks.rename(columns=renamed).assign(peak_month=_month(result.peaks["month"]))


def need_table(result: SupplyPlan) -> pd.DataFrame:
    """Which accounts carry the peaks."""
    return result.needs.rename(columns={"need": "peak_need"}).assign(peak_month=_month(result.needs["month"]))


def holiday_notes(result: SupplyPlan) -> list[str]:
    """Moving holidays ahead that shift a peak against last year's; one sentence each."""
    rows = result.holidays.to_dict("records") if len(result.peaks) else []
    return [
        say(
            f"supply_guarantee.holiday_{'later' if row['days_later'] > 0 else 'earlier'}",
            **{**row, "days_later": abs(row["days_later"])},
        )
        for row in rows
    ]


def shelves(result: SupplyPlan) -> Finding:
    """How many counted products run out before goods ordered today would come."""
    practices = ("K039",)
    if result.cover is None:
        return said("supply_guarantee.shelves_absent", practices=practices, verdict=Verdict.NO_CONCLUSION)
    known = result.cover[result.cover["runs_out_on"].notna() & ~result.cover["is_stale"]]
    if known.empty:
        return said("supply_guarantee.shelves_none", practices=practices, verdict=Verdict.NO_CONCLUSION)
    out = int((known["runs_out_on"] <= result.as_of + pd.Timedelta(days=14)).sum())
    values = {"out": out, "accounts": known["account_id"].nunique(), "practices": practices}
    do = "supply_guarantee.do_shelves" if out else ""
    made = said("supply_guarantee.shelves_some", out, "products", len(known), do, **values)
    counted = (known["basis"] == "counts").mean()
    if counted >= 0.5:
        return made
    return replace(made, verdict=Verdict.CAUTION, reason=say("supply_guarantee.shelves_proxy", share=counted))


def cover_table(result: SupplyPlan) -> pd.DataFrame:
    """The counted products, those that run out first on top."""
    if result.cover is None:
        return pd.DataFrame(columns=COVER_COLUMNS)
    basis = [say(f"supply_guarantee.basis_{basis}") for basis in result.cover["basis"]]
    return result.cover.assign(cover_basis=basis)


def guarantee(result: SupplyPlan) -> Finding:
    """Whether key accounts get their goods first: lines on time, key against other accounts."""
    practices, key, other = ("K051", "K057"), result.key_service, result.other_service
    if key is None:
        return said("supply_guarantee.guarantee_absent", practices=practices, verdict=Verdict.NO_CONCLUSION)
    if not key.n or not other.n:
        return said("supply_guarantee.guarantee_few", practices=practices, verdict=Verdict.NO_CONCLUSION)
    gap, low, high = shares.difference(key, other)
    branch = "better" if low > 0 else "worse" if high < 0 else "alike"
    values = {"keys": key.value, "other": other.value, "low": low, "high": high, "practices": practices}
    branch = "all" if key.value == other.value == 1 else branch
    is_good = branch in {"better", "all"} or (branch == "alike" and key.value >= GOOD_SERVICE)
    do = "" if is_good else "supply_guarantee.do_guarantee"
    made = said(f"supply_guarantee.guarantee_{branch}", gap, "share of lines", key.n + other.n, do, **values)
    lines = min(key.n, other.n)
    few = say("supply_guarantee.guarantee_thin", lines=lines)
    verdict, reason = judge(Gate(lines >= FEWEST_LINES, Verdict.CAUTION, few))
    return replace(made, interval=(low, high), level=shares.LEVEL, verdict=verdict, reason=reason)


def service_table(result: SupplyPlan) -> pd.DataFrame:
    """Lines of key accounts on time and in full by category, the worst first."""
    if result.service is None:
        return pd.DataFrame(columns=SERVICE_COLUMNS)
    renamed = {"n": "lines", "share": "on_time", "share_low": "on_time_low", "share_high": "on_time_high"}
    return result.service.rename(columns=renamed)


def shortages(result: SupplyPlan) -> Finding:
    """In how many months a category ran short, all accounts together."""
    practices = ("K051", "K057")
    if result.shortages is None:
        return said("supply_guarantee.shortages_absent", practices=practices, verdict=Verdict.NO_CONCLUSION)
    n, judged = len(result.shortages), result.months_judged
    if not judged:
        return said("supply_guarantee.shortages_few", practices=practices, verdict=Verdict.NO_CONCLUSION)
    if not n:
        return said("supply_guarantee.shortages_none", 0, "months", judged, practices=practices)
    worst = result.shortages.iloc[0]
    values = {"month": worst["month"], "category": worst["category"], "well": worst["came_well"]}
    values |= {"usual": worst["expected"], "lines": int(worst["lines"])}
    branch = "one" if n == 1 else "some"
    do = "supply_guarantee.do_shortages"
    return said(f"supply_guarantee.shortages_{branch}", n, "months", judged, do, practices, short=n, **values)


def shortage_table(result: SupplyPlan) -> pd.DataFrame:
    """The months in which a category ran short, the worst first."""
    if result.shortages is None or result.shortages.empty:
        return pd.DataFrame(columns=SHORTAGE_COLUMNS)
    rows = result.shortages.rename(columns={"expected": "came_usually"})
    return rows.assign(short_month=_month(rows["month"]))


def late_lines(result: SupplyPlan) -> Finding:
    """Key accounts that wait for goods which are late today."""
    practices = ("K057",)
    if result.late is None:
        return said("supply_guarantee.late_absent", practices=practices, verdict=Verdict.NO_CONCLUSION)
    n = len(result.late)
    if not n:
        return said("supply_guarantee.late_none", 0, "accounts", practices=practices)
    values = {"lines": int(result.late["late_lines"].sum()), "first": result.late["name"].iloc[0]}
    branch, do = "one" if n == 1 else "some", "supply_guarantee.do_late_lines"
    return said(f"supply_guarantee.late_{branch}", n, "accounts", n, do, practices, **values)


def late_table(result: SupplyPlan) -> pd.DataFrame:
    """Who waits, the longest first."""
    rows = result.late
    return pd.DataFrame(columns=LATE_COLUMNS) if rows is None else with_managers(rows, result.names.managers)


def _month(days: pd.Series) -> list[str]:
    return [say("supply_guarantee.month", when=day) for day in days]
