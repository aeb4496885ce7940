"""The sample company as the course sees it: its book on one day, and beside it what is true of each account."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from kamlib import open_book
from kamlib.book.features import account_features
from kamlib.book.periods import day
from kamlib.book.sample import read_truth
from kamlib.book.store import Book
from kamlib.errors import RequestError

HISTORY_MONTHS = 24


@dataclass(frozen=True)
class Company:
    """The sample company on a day. Frames are read once, when an exercise first asks for them.

    Attributes
    ----------
    book
        The book as of the day.
    truth
        What :func:`kamlib.book.sample.read_truth` gives, of all months.
    """

    book: Book
    truth: dict = field(repr=False)

    @property
    def as_of(self) -> pd.Timestamp:
        """The day everything is read as of."""
        return pd.Timestamp(self.book.as_of)

    @property
    def process(self) -> dict:
        """The parameters the company lives by."""
        return self.truth["process"]["process"]

    @cached_property
    def accounts(self) -> pd.DataFrame:
        """One row per account: its features of twelve months, and its truth; indexed by account_id."""
        told = account_features(self.book).set_index("account_id")
        known = {"wallet_share": "true_wallet_share", "satisfaction": "true_satisfaction"}
        frame = told.join(self.truth["accounts"].set_index("account_id").rename(columns=known))
        left = frame["churn_date"].notna() & (frame["churn_date"] <= self.as_of)
        frame["label"] = frame["name"] + " (" + frame.index + ")"
        return frame.assign(has_left=left, margin_rate=frame["margin"] / frame["revenue"].where(frame["revenue"] > 0))

    @cached_property
    def buyers(self) -> pd.DataFrame:
        """The accounts that bought in the twelve months and have not left."""
        frame = self.accounts
        return frame[(frame["revenue"] > 0) & ~frame["has_left"]]

    @cached_property
    def months(self) -> pd.DataFrame:
        """Net revenue, one row per account and one column per month of the book."""
        lines = self.frame("orders")
        by_month = lines.groupby(["account_id", lines["order_date"].dt.to_period("M")])["revenue"].sum().unstack()
        span = pd.period_range(lines["order_date"].min(), self.as_of, freq="M")
        return by_month.reindex(index=self.accounts.index, columns=span).fillna(0.0)

    @cached_property
    def expected(self) -> pd.DataFrame:
        """The truth of the last month: what was to be expected of each account, visited or not."""
        months = self.truth["months"]
        last = months[months["month"] <= self.as_of]["month"].max()
        return months[months["month"] == last].set_index("account_id")

    @cached_property
    def lines(self) -> pd.DataFrame:
        """Order lines with their product's category and tier."""
        products = self.frame("products").set_index("product_id")[["category", "tier", "list_price", "unit_cost"]]
        return self.frame("orders").join(products, on="product_id")

    @cached_property
    def recent(self) -> pd.DataFrame:
        """Order lines of the last twelve months."""
        return self.lines[self.lines["order_date"] > self.as_of - pd.DateOffset(months=12)]

    def frame(self, name: str) -> pd.DataFrame:
        """A table of the book; read once."""
        kept = self.__dict__.setdefault("_frames", {})
        if name not in kept:
            kept[name] = self.book.frame(name)
        return kept[name]

    def name_of(self, account_id: str) -> str:
        """The name of an account with its identifier."""
        return self.accounts.at[account_id, "label"]

    def stake(self) -> pd.Series:
        """Yearly revenue times the true chance to leave within a quarter, by account that is still there."""
        quarter = 1 - (1 - self.expected["churn_probability"]) ** 3
        return (self.buyers["revenue"] * quarter).dropna()

    def visit_gain(self, more: float = 1.0) -> pd.Series:
        """True monthly margin that *more* visits a month would bring for good, by account that is still there."""
        buyers, now = self.buyers, self.expected
        carried = now["carried_visits"].reindex(buyers.index)
        base = now["expected_revenue_unvisited"].reindex(buyers.index)
        factor = (1 + carried + more) ** buyers["elasticity"] - (1 + carried) ** buyers["elasticity"]
        return (base * factor * buyers["margin_rate"]).dropna()


def open_company(place: str | os.PathLike, as_of=None) -> Company:
    """Open a sample book together with its truth.

    Parameters
    ----------
    place
        Folder that ``kam sample`` wrote.
    as_of
        Day to read as of; the last day of the sample where not given or later.

    Raises
    ------
    RequestError
        When the place is no sample book, or fewer than 24 months lie before the day.

    Examples
    --------
    >>> open_company("data/sample").accounts.shape[0]  # doctest: +SKIP
    300
    """
    truth = read_truth(place)
    last = date.fromisoformat(truth["process"]["end"])
    moment = min(day(as_of), last) if as_of else last
    first = truth["months"]["month"].min()
    months = int(np.floor((pd.Timestamp(moment) - first).days / 30.4))
    if months < HISTORY_MONTHS:
        raise RequestError(
            f"the exercises need {HISTORY_MONTHS} months before {moment} and the sample company has {max(months, 0)}; "
            "choose a later day, or make a longer history with 'kam sample --months 36'"
        )
    return Company(open_book(place, as_of=moment), truth)
