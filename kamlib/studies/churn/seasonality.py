"""What is to be expected of a day: weekday, month of the year, and the holidays that move through the calendar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import statsmodels.api as sm
from statsmodels.tools.sm_exceptions import PerfectSeparationError

from kamlib.book.public_holidays import public_holidays
from kamlib.studies.churn.timelines import to_dates

BEFORE_DAYS, AFTER_DAYS = 30, 21
MOVES_BY_DAYS = 10
NEIGHBOUR_DAYS, SWAY_DAYS = 7, 3
TWO_YEARS = 730
FEWEST_EVENTS = 300
BUSY_SHARE = 0.25
NEVER = -10.0


@dataclass(frozen=True, eq=False)
class Season:
    """Expected activity of each day against the average day of a year, without the trend.

    Attributes
    ----------
    first : first day covered, days since 1970. index : (n,) expected activity, mean about 1.
    rises : frame by moving holiday: ``before`` and ``after``, expected activity of the 30 days before and of the 21
        days from the first day on against the mean day of the year (1.2 is a fifth more), mean over the festivals
        seen, with the least and greatest of them as ``_low`` and ``_high``; ``festivals`` seen; ``swing``, the larger
        of the two effects beyond what the months of the year explain (on the log scale), 0 where chance may have
        made it; empty where none was seen.
    has_months : whether the months of the year could be told from the trend, which takes two years.
    """

    first: int
    index: np.ndarray
    rises: pd.DataFrame
    has_months: bool

    def factor(self, after, upto) -> np.ndarray:
        """Mean expected activity of the days after the first up to the last, against the average day."""
        running = np.concatenate([[0.0], np.cumsum(self.index)])
        start = np.clip(np.asarray(after, dtype=int) + 1 - self.first, 0, len(self.index) - 1)
        end = np.clip(np.asarray(upto, dtype=int) + 1 - self.first, start + 1, len(self.index))
        return (running[end] - running[start]) / (end - start)


def moving_holidays(countries: Sequence[str], years: Sequence[int]) -> dict[str, list[np.datetime64]]:
    """The holidays of some countries that move by more than ten days from year to year, with their days.

    Names that keep a distance of a week or less from each other are one festival, under the shortest name.

    Raises
    ------
    RequestError
        When a country code is unknown.

    Examples
    --------
    >>> [str(day) for day in moving_holidays(["TW"], [2025, 2026])["Chinese New Year"]]
    ['2025-01-29', '2026-02-17']
    """
    found: dict[str, list[np.datetime64]] = {}
    for country in countries:
        for name, days in _by_name(country, years).items():
            place = [day - np.datetime64(f"{str(day)[:4]}-01-01") for day in days]
            if len(days) == len(years) and np.ptp(np.array(place).astype(int)) > MOVES_BY_DAYS:
                found.setdefault(name, days)
    return _merged(found)


def _by_name(country: str, years: Sequence[int]) -> dict[str, list[np.datetime64]]:
    """First day of each year by holiday name, in English where the calendar has it."""
    calendar = public_holidays(country, years, observed=False)
    first: dict[str, dict[int, np.datetime64]] = {}
    for day, names in sorted(calendar.items()):
        for name in names.split("; "):
            first.setdefault(name, {}).setdefault(day.year, np.datetime64(day, "D"))
    return {name: list(by_year.values()) for name, by_year in first.items()}


def _merged(found: dict[str, list[np.datetime64]]) -> dict[str, list[np.datetime64]]:
    kept: dict[str, list[np.datetime64]] = {}
    for name in sorted(found, key=len):
        distances = [(np.array(found[name]) - np.array(days)).astype(int) for days in kept.values()]
        if all(np.ptp(d) > SWAY_DAYS or abs(d.mean()) > NEIGHBOUR_DAYS for d in distances):
            kept[name] = found[name]
    return kept


def fit_season(days: np.ndarray, first: int, last: int, ahead: int, countries: Sequence[str] = ()) -> Season:
    """Fit the expectation to the days on which accounts bought.

    Parameters
    ----------
    days : (n,) day of each purchase, all accounts together.
    first, last : the days the book covers. ahead : days after the last to say something about.
    countries : whose holidays move.

    Returns
    -------
    A Season from a Poisson regression of purchases a day on weekday, month of the year (from two years of history),
    the 30 days before and 21 days after each moving holiday, and a trend that is left out of the expectation. Where
    purchases fall on fewer than a quarter of the days, holidays are left out. With fewer than 300 purchases nothing is
    claimed: every day is as any other.
    """
    covered = np.arange(first, last + ahead + 1)
    counts = np.bincount(days - first, minlength=last - first + 1)[: last - first + 1]
    if len(days) < FEWEST_EVENTS or last - first < 90:
        return Season(first, np.ones(len(covered)), pd.DataFrame(), False)
    has_months = last - first + 1 >= TWO_YEARS
    if len(np.unique(days)) < BUSY_SHARE * (last - first + 1):
        countries = ()  # a book kept by the month cannot show what happens around a day
    design, windows = _design(covered, last - first + 1, has_months, countries)
    solved = _poisson(counts, design[: len(counts)])
    if solved is None:
        return Season(first, np.ones(len(covered)), pd.DataFrame(), False)
    params, interval = solved
    seasonal = design.drop(columns=["level", "trend"])
    index = np.exp(seasonal.to_numpy() @ params[seasonal.columns].to_numpy())
    index /= index[: len(counts)][-min(365, len(counts)) :].mean()
    rises = _rises(params, interval, windows, index[: len(counts)], first)
    return Season(first, index, rises, has_months)


def expected_by_month(season: Season, days: np.ndarray, first: int, last: int) -> pd.DataFrame:
    """Purchases counted and expected in each whole calendar month: month, purchases, expected.

    The expectation is the season times the mean of the twelve months around (fewer at the ends), so that it follows
    the trend.
    """
    dates = to_dates(np.arange(first, last + 1))
    counts = np.bincount(days - first, minlength=len(dates))[: len(dates)]
    frame = pd.DataFrame({"month": dates.to_period("M"), "purchases": counts, "season": season.index[: len(dates)]})
    by_month = frame.groupby("month").agg(
        purchases=("purchases", "sum"), season=("season", "sum"), days=("season", "size")
    )
    whole = by_month[by_month["days"] == by_month.index.days_in_month]
    pace = (whole["purchases"].rolling(12, center=True, min_periods=1).sum()
            / whole["season"].rolling(12, center=True, min_periods=1).sum())  # fmt: skip
    expected = (whole["season"] * pace).to_numpy()
    months = whole.index.to_timestamp().as_unit("s")
    return pd.DataFrame({"month": months, "purchases": whole["purchases"].to_numpy(), "expected": expected})


def _design(covered: np.ndarray, seen: int, has_months: bool, countries: Sequence[str]):
    """Columns by day, and the days of the moving holidays that were seen."""
    dates = to_dates(covered)
    columns = {"level": np.ones(len(covered)), "trend": np.minimum(np.arange(len(covered)), seen) / 365.25}
    columns |= {f"weekday {d}": (dates.day_of_week == d).astype(float) for d in range(1, 7)}
    if has_months:
        columns |= {f"month {m}": (dates.month == m).astype(float) for m in range(2, 13)}
    years = range(dates[0].year - 1, dates[-1].year + 2)
    windows = {}
    for name, days in moving_holidays(countries, list(years)).items() if countries else ():
        since = covered[:, None] - np.array(days).astype("datetime64[D]").astype(int)
        around = {
            f"before {name}": ((since < 0) & (since >= -BEFORE_DAYS)).any(axis=1).astype(float),
            f"after {name}": ((since >= 0) & (since <= AFTER_DAYS)).any(axis=1).astype(float),
        }
        # A festival seen once cannot be told from the month it fell in.
        begun = [d for d in (int(day.astype(int)) for day in days) if covered[BEFORE_DAYS] <= d <= covered[seen - 1]]
        if len(begun) >= 2:
            columns |= around
            windows[name] = begun
    design = pd.DataFrame(columns)
    varied = [c for c in design if c in ("level", "trend") or design[c].iloc[:seen].nunique() > 1]
    return design[varied], windows


def _poisson(counts: np.ndarray, design: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame] | None:
    """Coefficients and 90 % intervals of a Poisson regression with the spread of the data (Pearson).

    A weekday or month in which nobody ever bought is expected to stay empty. None where there is no solution.
    """
    busy = (design[counts > 0] != 0).any()
    empty = [c for c in design if not busy[c]]
    rows = ~(design[empty] != 0).any(axis=1)
    fitted = design.loc[rows].drop(columns=empty)
    fitted = fitted[[c for c in fitted if c == "level" or fitted[c].nunique() > 1]]
    try:
        fit = sm.GLM(counts[rows], fitted, family=sm.families.Poisson()).fit(scale="X2")
    except (PerfectSeparationError, np.linalg.LinAlgError):
        return None
    params = fit.params.reindex(design.columns, fill_value=0.0).where(~design.columns.isin(empty), NEVER)
    return params, fit.conf_int(alpha=0.1).reindex(design.columns)


def _rises(
    params: pd.Series, interval: pd.DataFrame, windows: dict[str, list[int]], index: np.ndarray, first: int
) -> pd.DataFrame:
    """What is expected around each festival, the months of the year included, and whether it stands out from them."""
    rows: dict[str, dict[str, float]] = {}
    for name, days in windows.items():
        spans = {"before": (-BEFORE_DAYS, 0), "after": (0, AFTER_DAYS + 1)}
        row: dict[str, float] = {"festivals": len(days), "swing": 0.0}
        for side, (start, end) in spans.items():
            paces = [index[day - first + start : day - first + end].mean() for day in days]
            row |= {side: np.mean(paces), f"{side}_low": min(paces), f"{side}_high": max(paces)}
            low, high = interval.loc[f"{side} {name}"]
            is_clear = low > 0 or high < 0
            row["swing"] = max(row["swing"], abs(params[f"{side} {name}"])) if is_clear else row["swing"]
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("holiday")
