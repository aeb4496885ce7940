"""Accounts that have gone long without an order by their own habit, out of season left aside."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.book.periods import months_before
from kamlib.book.store import Book

GAPS, LEAST_DAYS, FEWEST_ORDER_DAYS = 3, 30, 4
LONG_GAP = 0.9  # share of its gaps that an account has ordered again within
YEAR_DAYS, YEARS_BACK = 365, 2


def quiet_days(
    code: np.ndarray, start: np.ndarray, end: np.ndarray, first: np.ndarray, after: np.ndarray, upto: np.ndarray
) -> np.ndarray:
    """(n,) days of each account's span that lay in a quiet season of its own in each of the last two years known.

    Parameters
    ----------
    code, start, end : (m,) account number (0 to n - 1), first and last day of each gap so long that it would have
        been called silence, had it not ended.
    first : (n,) day of the first purchase. after, upto : (n,) the span, after the one day up to the other.

    A year tells of an account that was a customer on the day before the span a year earlier; of the latest year it
    is enough to have been one on its last day. Where no year tells, no day is quiet; a gap of more than a year is an
    absence and no season. All days are numbers.

    Examples
    --------
    >>> winter = np.array([0]), np.array([100.0]), np.array([300.0])  # one gap of account 0
    >>> quiet_days(*winter, first=np.array([0.0]), after=np.array([450.0]), upto=np.array([500.0]))
    array([35.])
    """
    seasonal = end - start <= YEAR_DAYS
    code, start, end = code[seasonal], start[seasonal], end[seasonal]
    least = np.full(len(first), np.inf)
    for year in range(1, YEARS_BACK + 1):
        since, until = after - year * YEAR_DAYS, upto - year * YEAR_DAYS
        shared = np.clip(np.minimum(end, until[code]) - np.maximum(start, since[code]), 0, None)
        days = np.bincount(code, shared, minlength=len(first))
        least = np.where(first <= (until if year == 1 else since), np.minimum(least, days), least)
    return np.where(np.isinf(least), 0.0, least)


def silent(book: Book, as_of: pd.Timestamp) -> pd.DataFrame:
    """The customers that have fallen silent, the longest first.

    An account is silent when its last purchase is more than three of its usual gaps ago, and more than 30 days; it
    must have bought on four days or more, and within the twelve months (later it has lapsed). Days that lay in a
    quiet season of its own in earlier years do not count (:func:`quiet_days`): an account out of season is not silent.

    Returns
    -------
    pandas.DataFrame
        account_id, last_order, silent_days (since the last purchase), usual_days (median days between purchases),
        missed_on (the day by which nine of ten of its gaps had ended, at the latest that on which it fell silent).

    Examples
    --------
    >>> silent(book, pd.Timestamp("2026-09-30"))[["account_id", "silent_days"]]  # doctest: +SKIP
    """
    lines = book.table("orders", "account_id", "order_date", "revenue")
    by_day = lines.group_by("account_id", "order_date").aggregate(revenue=lines.revenue.sum())
    days = book.collect(by_day.filter(by_day.revenue > 0), ["account_id", "order_date"])
    days = days.assign(order_date=days["order_date"].astype("datetime64[s]"))
    days["gap"] = days.groupby("account_id")["order_date"].diff().dt.days
    habits = days.groupby("account_id").agg(
        first_order=("order_date", "min"),
        last_order=("order_date", "max"),
        order_days=("order_date", "size"),
        usual_days=("gap", "median"),
    )
    long = days.groupby("account_id")["gap"].quantile(LONG_GAP).round()
    habits["silent_days"] = (as_of - habits["last_order"]).dt.days.astype("float64")
    in_season = habits["silent_days"] - _quiet(habits, days, as_of)
    since = (habits["silent_days"] - in_season + _bar(habits)).clip(upper=habits["silent_days"])
    habits["missed_on"] = habits["last_order"] + pd.to_timedelta(np.minimum(long, since).round(), unit="D")
    recent = habits["last_order"] >= pd.Timestamp(months_before(as_of.date(), 12))
    found = habits[(in_season > _bar(habits)) & recent & (habits["order_days"] >= FEWEST_ORDER_DAYS)].reset_index()
    columns = ["account_id", "last_order", "silent_days", "usual_days", "missed_on"]
    return found.sort_values(["silent_days", "account_id"], ascending=[False, True], ignore_index=True)[columns]


def _bar(habits: pd.DataFrame) -> pd.Series:
    return (GAPS * habits["usual_days"]).clip(lower=LEAST_DAYS)


def _quiet(habits: pd.DataFrame, days: pd.DataFrame, as_of: pd.Timestamp) -> np.ndarray:
    """Days of each account's present silence that its own earlier years let expect."""
    code, gap, end = habits.index.get_indexer(days["account_id"]), days["gap"].to_numpy(float), _day(days["order_date"])
    long = gap > _bar(habits).to_numpy(float)[code]
    first, last = _day(habits["first_order"]), _day(habits["last_order"])
    now = last + habits["silent_days"].to_numpy()
    return quiet_days(code[long], (end - gap)[long], end[long], first, last, now)


def _day(dates: pd.Series) -> np.ndarray:
    return dates.to_numpy().astype("datetime64[D]").astype(float)
