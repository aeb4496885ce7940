"""White space: categories that similar accounts buy and one account does not, and what they might bring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.studies.dossier.shelf import BookRows, ShelfRows, rows_of

NEAREST = 30
FEWEST = 5


@dataclass(frozen=True, eq=False)
class WhiteSpace:
    """What similar accounts buy.

    Attributes
    ----------
    categories : one row per category that a similar account or the account itself bought in the window, the largest
        estimate first: category, revenue (the account's), similar_share (share of the similar accounts that buy it),
        typical_share (median share of their purchases, of those that buy it), year_estimate (typical share times all
        purchases of the account; money; only where it is white space), is_white_space.
    similar : how many accounts it rests on.
    reason : why nothing can be said: ``no_category``, ``no_industry``, ``no_purchases``, ``few``; empty otherwise.
    """

    categories: pd.DataFrame
    similar: int
    reason: str


def white_space(
    book: Book, account_id: str, industry: str | None, share: float, source: BookRows | ShelfRows | None = None
) -> WhiteSpace:
    """Compare what an account bought in twelve months with the accounts of its industry nearest to it in revenue.

    Parameters
    ----------
    industry : the account's; missing where it is not on record.
    share : a category that at least this share of them buys and the account does not is white space.
    source : where rows are read, if not in the book.
    """
    if "products" not in book.tables:
        return _nothing("no_category")
    if pd.isna(industry):
        return _nothing("no_industry")
    source = source or rows_of(book)
    spent = _by_category(source, industry)
    if spent.empty:
        return _nothing("no_purchases" if source.whole["has_category"] else "no_category")
    spent = spent.where(spent > 0, 0.0)
    totals = spent.sum(axis=1)
    if totals.get(account_id, 0) <= 0:
        return _nothing("no_purchases")
    others = totals[totals > 0].drop(account_id)
    distance = (np.log(others) - np.log(totals[account_id])).abs()
    similar = distance.sort_values(kind="stable").index[:NEAREST]
    if len(similar) < FEWEST:
        return _nothing("few", len(similar))
    return WhiteSpace(_compare(spent.loc[account_id], spent.loc[similar], share), len(similar), "")


def _by_category(source: BookRows | ShelfRows, industry: str) -> pd.DataFrame:
    """(accounts of the industry, categories) revenue in the window."""
    frame = source.read("spent", ["account_id", "category", "revenue"], industry=industry)
    frame = frame.sort_values(["account_id", "category"], ignore_index=True)
    return frame.pivot(index="account_id", columns="category", values="revenue").fillna(0.0)


def _compare(own: pd.Series, similar: pd.DataFrame, share: float) -> pd.DataFrame:
    shares = similar.div(similar.sum(axis=1), axis=0)
    frame = pd.DataFrame(
        {
            "revenue": own,
            "similar_share": (similar > 0).mean(),
            "typical_share": shares.where(shares > 0).median(),
        }
    )
    frame["is_white_space"] = (frame["revenue"] <= 0) & (frame["similar_share"] >= share)
    frame["year_estimate"] = (frame["typical_share"] * own.sum()).where(frame["is_white_space"])
    frame = frame[(frame["revenue"] > 0) | (frame["similar_share"] > 0)].rename_axis("category").reset_index()
    return frame.sort_values(["year_estimate", "revenue"], ascending=False, ignore_index=True, kind="stable")


def _nothing(reason: str, similar: int = 0) -> WhiteSpace:
    columns = ["category", "revenue", "similar_share", "typical_share", "is_white_space", "year_estimate"]
    return WhiteSpace(pd.DataFrame(columns=columns), similar, reason)
