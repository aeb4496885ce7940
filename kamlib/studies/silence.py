"""Accounts that have gone long without an order by their own habit, out of season left aside."""

from __future__ import annotations

import pandas as pd

from kamlib.book.periods import months_before
from kamlib.book.store import Book

GAPS, LEAST_DAYS, FEWEST_ORDER_DAYS = 3, 30, 4
YEAR = pd.Timedelta(days=365)


def silent(book: Book, as_of: pd.Timestamp) -> pd.DataFrame:
    """The customers that have fallen silent, the longest first.

    An account is silent when its last purchase is more than three of its usual gaps ago, and more than 30 days; it
    must have bought on four days or more, and within the twelve months (later it has lapsed). One that all but
    bought nothing in the same days a year before, although it was a customer then, is out of season and not silent.

    Returns
    -------
    pandas.DataFrame
        account_id, last_order, silent_days (since the last purchase), usual_days (median days between purchases).

    Examples
    --------
    >>> silent(book, pd.Timestamp("2026-09-30"))[["account_id", "silent_days"]]  # doctest: +SKIP
    """
    lines = book.table("orders", "account_id", "order_date", "revenue")
    by_day = lines.group_by("account_id", "order_date").aggregate(revenue=lines.revenue.sum())
    days = book.collect(by_day.filter(by_day.revenue > 0), ["account_id", "order_date"])
    days = days.assign(order_date=days["order_date"].astype("datetime64[s]"))
    gaps = days.groupby("account_id")["order_date"].diff().dt.days
    habits = (
        days.assign(gap=gaps)
        .groupby("account_id")
        .agg(
            first_order=("order_date", "min"),
            last_order=("order_date", "max"),
            order_days=("order_date", "size"),
            usual_days=("gap", "median"),
        )
    )
    habits["silent_days"] = (as_of - habits["last_order"]).dt.days.astype("float64")
    late = habits["silent_days"] > (GAPS * habits["usual_days"]).clip(lower=LEAST_DAYS)
    recent = habits["last_order"] >= pd.Timestamp(months_before(as_of.date(), 12))
    found = habits[late & recent & (habits["order_days"] >= FEWEST_ORDER_DAYS)]
    found = (found[~_is_off_season(found, days, as_of)] if len(found) else found).reset_index()
    columns = ["account_id", "last_order", "silent_days", "usual_days"]
    return found.sort_values(["silent_days", "account_id"], ascending=[False, True], ignore_index=True)[columns]


def _is_off_season(found: pd.DataFrame, days: pd.DataFrame, as_of: pd.Timestamp) -> pd.Series:
    """Whether the same days a year before held one purchase at most; a season does not begin on the same day."""
    then = days.merge(found[["last_order"]], left_on="account_id", right_index=True)
    within = (then["order_date"] > then["last_order"] - YEAR) & (then["order_date"] <= as_of - YEAR)
    bought = then[within].groupby("account_id").size().reindex(found.index, fill_value=0)
    return (found["first_order"] <= found["last_order"] - YEAR) & (bought <= 1)
