"""Seasonal need by month: last year's month times growth, with an interval from the misses of the same rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from kamlib.book.public_holidays import public_holidays

LEVEL = 0.80
YEAR = 12
MOVES_BY_DAYS = 10
NEIGHBOUR_DAYS = 7
FEWEST_JUDGED = 24


@dataclass(frozen=True, eq=False)
class Need:
    """What :func:`foresee` found.

    Attributes
    ----------
    rows : one row per series and month ahead: series, month, need, need_low, need_high (missing without a back-test),
        index (need over the mean month of the last year).
    growth : last twelve months over the twelve before; 1 where not used.
    judged : how many months of how many series the rule was judged on. miss : its median miss, as a share of what
        was foreseen. is_grown : whether growth is part of the rule, which takes 36 months.
    """

    rows: pd.DataFrame
    growth: float
    judged: int
    miss: float
    is_grown: bool


def foresee(monthly: pd.DataFrame, ahead: Sequence[pd.Timestamp]) -> Need:
    """What each series will need in each month ahead.

    Parameters
    ----------
    monthly : amounts by month (rows, complete and without holes) and series (columns).
    ahead : first days of the months wanted, at most twelve after the last row.

    Notes
    -----
    The rule foresees the last twelve months from what was known before them, and the ends of the interval are the
    tenth and ninetieth percentile of what came over what was foreseen, all series together. It needs 24 months, and
    36 for the growth to be part of it; with fewer than 24 there is no interval.

    Examples
    --------
    >>> months = pd.date_range("2024-01-01", periods=24, freq="MS")
    >>> flat = pd.DataFrame({"tea": [10.0] * 24}, index=months)
    >>> foresee(flat, [pd.Timestamp("2026-01-01")]).rows["need"].tolist()
    [10.0]
    """
    known = len(monthly)
    is_grown = known >= 3 * YEAR
    growth = _growth(monthly.iloc[-2 * YEAR :]) if is_grown else 1.0
    seen, said = np.empty((0, 0)), np.empty((0, 0))
    if known >= 2 * YEAR:
        seen = monthly.iloc[-YEAR:].to_numpy(dtype=float)
        earlier = _growth(monthly.iloc[-3 * YEAR : -YEAR]) if is_grown else 1.0
        said = monthly.iloc[-2 * YEAR : -YEAR].to_numpy(dtype=float) * earlier
    ratio = seen[said > 0] / said[said > 0]
    ends = np.quantile(ratio, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if len(ratio) >= FEWEST_JUDGED else [np.nan, np.nan]
    rows = _ahead(monthly, ahead, growth)
    rows = rows.assign(need_low=rows["need"] * ends[0], need_high=rows["need"] * ends[1])
    miss = float(np.median(np.abs(ratio - 1))) if len(ratio) else np.nan
    return Need(rows, growth, len(ratio), miss, is_grown)


def _growth(two_years: pd.DataFrame) -> float:
    before, after = two_years.iloc[:YEAR].to_numpy().sum(), two_years.iloc[YEAR:].to_numpy().sum()
    return float(after / before) if before > 0 and after > 0 else 1.0


def _ahead(monthly: pd.DataFrame, ahead: Sequence[pd.Timestamp], growth: float) -> pd.DataFrame:
    a_year_ago = {month: month - pd.DateOffset(years=1) for month in ahead}
    usual = monthly.iloc[-YEAR:].mean()
    parts = [
        pd.DataFrame({"series": monthly.columns, "month": month, "need": monthly.loc[then].to_numpy() * growth})
        for month, then in a_year_ago.items()
        if then in monthly.index
    ]
    if not parts:
        return pd.DataFrame(
            {"series": pd.Series(dtype="str"), "month": pd.Series(dtype="datetime64[s]"), "need": 0.0, "index": 0.0}
        )
    rows = pd.concat(parts, ignore_index=True).astype({"month": "datetime64[s]"})
    mean = rows["series"].map(usual).to_numpy(dtype=float)
    rows["index"] = np.divide(rows["need"], mean, out=np.full(len(rows), np.nan), where=mean > 0)
    return rows


def moved_holidays(countries: Sequence[str], first: date, last: date) -> pd.DataFrame:
    """Holidays from *first* to *last* that lie more than ten days from where they lay a year before.

    Returns
    -------
    One row each: holiday, day, day_before (last year's), days_later (negative where it comes earlier).

    Examples
    --------
    >>> moved_holidays(["TW"], date(2027, 1, 1), date(2027, 3, 31))["days_later"].tolist()
    [-11]
    """
    found: list[tuple] = []
    for country in countries:
        years = range(first.year - 1, last.year + 1)
        days = _first_days(public_holidays(country, years))
        for (name, year), day in sorted(days.items(), key=lambda item: (item[1], len(item[0][0]))):
            before = days.get((name, year - 1))
            if before is None or not first <= day <= last:
                continue
            later = (day - before - timedelta(days=365)).days
            is_new = all(abs((day - other).days) > NEIGHBOUR_DAYS for _, other, *_ in found)
            if abs(later) > MOVES_BY_DAYS and is_new:
                found.append((name, day, before, later))
    frame = pd.DataFrame(found, columns=["holiday", "day", "day_before", "days_later"])
    return frame.astype({"day": "datetime64[s]", "day_before": "datetime64[s]"})


def _first_days(listed) -> dict[tuple[str, int], date]:
    """The first day of each holiday of each year; days off in lieu are none."""
    days: dict[tuple[str, int], date] = {}
    for day, names in sorted(listed.items()):
        for name in names.split("; "):
            if not any(word in name.lower() for word in ("substituted", "observed", "day off")):
                days.setdefault((name, day.year), day)
    return days
