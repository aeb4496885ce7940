"""What happened to each account and on which day, so that any earlier day can be looked up as it was known then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.periods import day
from kamlib.book.store import Book

_SPAN = 1 << 21  # days from 1970 that fit into a key; the year 7711 is far enough


def day_number(moment) -> int:
    """Days since 1970-01-01 of a date.

    Examples
    --------
    >>> day_number("1970-01-03")
    2
    """
    return int(np.datetime64(day(moment), "D").astype(int))


def day_numbers(dates: pd.Series) -> np.ndarray:
    """(n,) days since 1970-01-01 as floats; a missing date is NaN."""
    stamps = pd.to_datetime(dates).to_numpy().astype("datetime64[D]")
    return np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64).astype(float))


def to_dates(numbers) -> pd.DatetimeIndex:
    """Day numbers as dates; NaN is a missing date."""
    return pd.to_datetime(np.floor(np.asarray(numbers, dtype=float)), unit="D").as_unit("s")


@dataclass(frozen=True, eq=False)
class Timeline:
    """Dated events of ``size`` accounts, sorted by account and day.

    ``key`` is (n,) account number times a large span plus day; ``running`` (n + 1,) the running sum of the amounts.
    Every question takes days as numbers since 1970, one for all accounts or (size,) one each, and is answered
    (size,) by account number; windows run *after* the first day up to and including the last.
    """

    size: int
    key: np.ndarray
    running: np.ndarray

    @classmethod
    def of(cls, size: int, code, days, amount=None) -> Timeline:
        """Events of accounts number *code* on *days* with an amount each (one where not given).

        Rows with a missing day or an account number below zero are left out.
        """
        code, days = np.asarray(code), np.asarray(days, dtype=float)
        amount = np.ones(len(days)) if amount is None else np.asarray(amount, dtype=float)
        kept = (code >= 0) & ~np.isnan(days)
        key = code[kept].astype(np.int64) * _SPAN + days[kept].astype(np.int64)
        order = np.argsort(key, kind="stable")
        return cls(size, key[order], np.concatenate([[0.0], np.cumsum(amount[kept][order])]))

    @property
    def code(self) -> np.ndarray:
        """(n,) account number of each event."""
        return self.key // _SPAN

    @property
    def day(self) -> np.ndarray:
        """(n,) day of each event."""
        return self.key % _SPAN

    def count(self, after, upto) -> np.ndarray:
        """Events in each account's window."""
        return self._until(upto) - self._until(np.minimum(after, upto))

    def total(self, after, upto) -> np.ndarray:
        """Summed amounts of the events in each account's window."""
        return self.running[self._until(upto)] - self.running[self._until(np.minimum(after, upto))]

    def last(self, upto) -> np.ndarray:
        """Day of the last event up to a day, NaN where there was none."""
        return self._day_at(self._until(upto) - 1)

    def next(self, after) -> np.ndarray:
        """Day of the first event after a day, NaN where there is none."""
        return self._day_at(self._until(after))

    def first(self) -> np.ndarray:
        """Day of the first event, NaN where there is none."""
        return self.next(-1)

    def gaps(self, upto) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(m,) account number, last day and length in days of each gap between two events up to a day."""
        code, when = self.code, self.day
        closed = np.flatnonzero((code[1:] == code[:-1]) & (when[1:] <= upto)) + 1
        return code[closed], when[closed], (when[closed] - when[closed - 1]).astype(float)

    def _until(self, upto) -> np.ndarray:
        """Position behind the last event of each account up to a day."""
        accounts = np.arange(self.size, dtype=np.int64) * _SPAN
        days = np.floor(np.clip(np.broadcast_to(np.asarray(upto, dtype=float), accounts.shape), -1, _SPAN - 1))
        return np.searchsorted(self.key, accounts + days.astype(np.int64), side="right")

    def _day_at(self, position: np.ndarray) -> np.ndarray:
        there = (position >= 0) & (position < len(self.key))
        key = self.key[np.where(there, position, 0)] if len(self.key) else np.zeros(self.size, np.int64)
        own = there & (key // _SPAN == np.arange(self.size))
        return np.where(own, key % _SPAN, np.nan).astype(float)


@dataclass(frozen=True, eq=False)
class Sales:
    """The order days of a book: one timeline of purchases, one of all money, one of products bought.

    Attributes
    ----------
    accounts : (size,) identifiers of the accounts that ever ordered, sorted; their place is their number.
    first, as_of : first order day and the day read as of, in days since 1970.
    purchases : days with a net purchase; the amount is the net revenue of the day. Lines of one day are one
        purchase; a day of returns, or one cancelled in full, is none.
    revenue, margin : all days, returns and credits too. Margin is revenue where the book knows no cost, and
        where it knows the cost of some lines only the others are taken at the margin of those.
    products : purchase days with the number of distinct products bought; None without product identifiers.
    has_cost : whether ``margin`` is more than revenue.
    """

    accounts: pd.Index
    first: int
    as_of: int
    purchases: Timeline
    revenue: Timeline
    margin: Timeline
    products: Timeline | None
    has_cost: bool

    def number(self, account_ids: pd.Series) -> np.ndarray:
        """(n,) place of each account, -1 for one that never ordered."""
        return self.accounts.get_indexer(account_ids)


def read_sales(book: Book) -> Sales:
    """The order days of a book, summed per account and day by its engine.

    Raises
    ------
    RequestError
        When no order is visible.
    """
    first, last = book.span()
    days = book.collect(_account_days(book), ["account_id", "order_date"])
    accounts = pd.Index(sorted(days["account_id"].unique()), name="account_id")
    code, when = accounts.get_indexer(days["account_id"]), day_numbers(days["order_date"])
    revenue = days["revenue"].to_numpy(float)
    gross = days["gross"].to_numpy(float)
    bought = (revenue > 1e-9 * gross) | (gross == 0)  # a sum of cents that cancel is not exactly zero
    margin, has_cost = _margin(days)
    products = days["products"].to_numpy(float)
    size = len(accounts)
    return Sales(
        accounts,
        day_number(first),
        day_number(book.as_of or last),
        Timeline.of(size, code[bought], when[bought], revenue[bought]),
        Timeline.of(size, code, when, revenue),
        Timeline.of(size, code, when, margin),
        Timeline.of(size, code[bought], when[bought], products[bought]) if products.any() else None,
        has_cost,
    )


def _account_days(book: Book):
    orders = book.table("orders", "account_id", "order_date", "revenue", "cost", "product_id")
    known = orders.cost.notnull()
    return orders.group_by("account_id", "order_date").aggregate(
        revenue=orders.revenue.sum(),
        gross=orders.revenue.abs().sum(),
        costed_revenue=orders.revenue.sum(where=known).fill_null(0.0),
        cost=orders.cost.sum().fill_null(0.0),
        products=orders.product_id.nunique(),
    )


def _margin(days: pd.DataFrame) -> tuple[np.ndarray, bool]:
    """Margin of each account-day, and whether any cost is known."""
    costed, cost = days["costed_revenue"].to_numpy(float), days["cost"].to_numpy(float)
    revenue = days["revenue"].to_numpy(float)
    if not cost.any() or costed.sum() <= 0:
        return revenue, False
    usual = (costed.sum() - cost.sum()) / costed.sum()
    return costed - cost + usual * (revenue - costed), True
