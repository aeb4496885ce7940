"""What was spent on accounts against what they earned since: paid back, still open, too early to say.

Spending of the last three years counts, whatever its kind: winning an account and keeping it both have to come back.
What an account earned *before* the first of it does not count, since it would have come without it. Margin is known by
month; the month of the first spending counts whole. Spending less than a year old is not overdue yet:

*paid*       the margin since the first spending covers all of it;
*open*       it does not even cover the part that is a year old or more;
*too early*  it covers that part, and not yet the rest;
*not known*  no cost is known, so there is no margin.

That margin came after the spending does not show that it came because of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from kamlib.book.grid import codes
from kamlib.book.periods import months_before
from kamlib.book.store import Book
from kamlib.studies.segmentation.standing import Standing

LOOK_BACK_MONTHS, OVERDUE_MONTHS = 36, 12
PAID, OPEN, EARLY, UNKNOWN = "paid", "open", "too early", "not known"
COLUMNS = (
    "invested",
    "development",
    "first_spent_on",
    "overdue",
    "revenue_after_spend",
    "margin_after_spend",
    "cost_ratio",
    "payback",
    "uncovered",
)


def cost_ratio(invested: Sequence[float], won: Sequence[float]) -> np.ndarray:
    """Cumulative investment over cumulative sales, year by year.

    Parameters
    ----------
    invested, won
        (years,) money spent on the account and money it bought for, a year.

    Source: the domain text of this project: 5 million spent to win 10 million is half of it if the account never
    returns, and 20 % over three years of 10 million when later years take half a million each.

    Examples
    --------
    >>> cost_ratio([5.0, 0.5, 0.5], [10.0, 10.0, 10.0]).tolist()
    [0.5, 0.275, 0.2]
    """
    sold = np.cumsum(np.asarray(won, dtype=float))
    return np.cumsum(np.asarray(invested, dtype=float)) / np.where(sold > 0, sold, np.nan)


def payback(book: Book, now: Standing) -> pd.DataFrame:
    """What was spent on each account in three years against what it brought since; empty without investments.

    Parameters
    ----------
    book
        The book; investments are optional.
    now
        The standing of its day, with revenue and margin by month.

    Returns
    -------
    By account spent on, the largest spending first: invested, development (the part of that kind), first_spent_on,
    overdue (the part a year old or more), revenue_after_spend and margin_after_spend (from the month of the first
    spending on; margin missing where no cost is known), cost_ratio (invested over revenue_after_spend), payback (paid,
    open, too early, not known), uncovered (what the margin does not cover yet).
    """
    if "investments" not in book.tables:
        return pd.DataFrame(columns=list(COLUMNS))
    spent = _spent(book.frame("investments"), now.as_of)
    rows = codes(now.accounts.index, spent.index)
    is_wanted = (spent["invested"] > 0).to_numpy() & (rows >= 0)
    spent, rows = spent[is_wanted], rows[is_wanted]
    begun = np.searchsorted(pd.DatetimeIndex(now.recent_starts), spent["first_spent_on"].to_numpy(), side="right") - 1
    counts = np.arange(len(now.recent_starts)) >= begun[:, None]
    frame = spent.assign(
        revenue_after_spend=(now.recent_revenue[rows] * counts).sum(axis=1),
        margin_after_spend=(now.recent_margin[rows] * counts).sum(axis=1),
    )
    frame["cost_ratio"] = frame["invested"] / frame["revenue_after_spend"].where(frame["revenue_after_spend"] > 0)
    frame["payback"] = status(frame)
    frame["uncovered"] = (frame["invested"] - frame["margin_after_spend"].clip(lower=0)).clip(lower=0)
    return frame.sort_values("invested", ascending=False, kind="stable")[list(COLUMNS)]


def status(frame: pd.DataFrame) -> np.ndarray:
    """Whether spending came back, from invested, overdue and margin_after_spend.

    Examples
    --------
    >>> rows = pd.DataFrame({"invested": [9.0, 9, 9], "overdue": [9.0, 9, 2], "margin_after_spend": [9.0, 8, 8]})
    >>> status(rows).tolist()
    ['paid', 'open', 'too early']
    """
    earned = frame["margin_after_spend"]
    choices = [(earned.isna(), UNKNOWN), (earned >= frame["invested"], PAID), (earned < frame["overdue"], OPEN)]
    return np.select([flag.to_numpy() for flag, _ in choices], [name for _, name in choices], EARLY).astype(object)


def _spent(rows: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Money spent on each account in three years, the part of it on development, and the part a year old or more."""
    rows = rows[rows["spent_on"] >= pd.Timestamp(months_before(as_of, LOOK_BACK_MONTHS))]
    is_overdue = rows["spent_on"] < pd.Timestamp(months_before(as_of, OVERDUE_MONTHS))
    parts = rows.assign(
        invested=rows["amount"],
        development=rows["amount"].where(rows["kind"] == "development", 0.0),
        overdue=rows["amount"].where(is_overdue, 0.0),
    )
    sums = parts.groupby("account_id")[["invested", "development", "overdue"]].sum()
    return sums.assign(first_spent_on=parts[parts["amount"] > 0].groupby("account_id")["spent_on"].min())
