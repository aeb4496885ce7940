"""The order ledger by account and month: one reading of the order lines that serves every date a month apart.

Months are counted back from the day the book is read as of, so each closes with that day of the month, and the
state of an account on any of these closing days follows without reading a line again. Definitions:

* an *order* is an order number whose lines of one day net to more than zero; credits and full returns are no
  orders. (Day by day, so that what counts as an order does not depend on what is returned later);
* amounts follow the dates of the lines: a return lowers the month it is booked in. Sums are rounded to a millionth,
  far above what adding up in another order can change, so that they do not depend on the order of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import ibis
import numpy as np
import pandas as pd

from kamlib.book.features import month_number
from kamlib.book.grid import codes
from kamlib.book.periods import months_before
from kamlib.book.store import Book

DECIMALS, SMALLEST = 6, 1e-6
_NEVER, NOT_YET = -1, np.iinfo(np.int32).max


@dataclass(frozen=True)
class Ledger:
    """What each account ordered by month. Grids are (accounts, 1 + months): all that is older, then each month.

    Attributes
    ----------
    as_of
        The day the last month closes with.
    starts
        First day of each month, oldest first.
    accounts
        The accounts table by account_id; grids have its rows.
    revenue, costed, cost
        Net revenue, the part of it whose cost is known, and that cost, in money.
    orders, bought, largest
        Number of orders, what they amount to, and the largest of them.
    unplaced
        Net revenue of lines whose account the book does not show by then, in money; they are in no grid.
    last_day
        Day of the last order of a month, counted from 1970-01-01; −1 in a month without orders.
    first_day
        (accounts,) day of the first order of all, counted likewise; the largest integer without an order.
    """

    as_of: date
    starts: tuple[date, ...]
    accounts: pd.DataFrame
    revenue: np.ndarray
    costed: np.ndarray
    cost: np.ndarray
    orders: np.ndarray
    bought: np.ndarray
    largest: np.ndarray
    first_day: np.ndarray
    last_day: np.ndarray
    unplaced: float = 0.0

    @property
    def months(self) -> int:
        """How many months are told apart."""
        return len(self.starts)

    def closing(self, back: int) -> date:
        """The day a month closed with, *back* months ago."""
        if back == 0:
            return self.as_of
        return (pd.Timestamp(self.starts[self.months - back]) - pd.Timedelta(days=1)).date()


def read_ledger(book: Book, months: int) -> Ledger:
    """The ledger of a book, with that many months told apart.

    A book opened without an as_of closes with the day of its last order.

    Raises
    ------
    RequestError
        When the book has neither an as_of nor an order.

    Examples
    --------
    >>> read_ledger(book, 36).revenue.shape  # doctest: +SKIP
    (300, 37)
    """
    as_of = book.as_of or book.span()[1]
    starts = tuple(months_before(as_of, back) for back in range(months, 0, -1))
    accounts = book.frame("accounts").set_index("account_id")
    cells = _cells(book, as_of, starts).to_pyarrow()
    rows, month = codes(accounts.index, cells["account_id"]), cells["month"].to_numpy()
    unplaced = float(cells["revenue"].to_numpy()[rows < 0].sum())
    if (rows < 0).any():
        cells, month, rows = cells.filter(rows >= 0), month[rows >= 0], rows[rows >= 0]

    def money(name: str) -> np.ndarray:
        filled = np.zeros((len(accounts), months + 1))
        filled.ravel()[rows * (months + 1) + month] = cells[name].fill_null(0.0).to_numpy().round(DECIMALS)
        return filled

    def number(name: str, empty: int) -> np.ndarray:  # laid out by month, as it is asked for
        filled = np.full((months + 1, len(accounts)), empty, "int32")
        filled.ravel()[month * len(accounts) + rows] = cells[name].cast("int32").fill_null(empty).to_numpy()
        return filled.T

    amounts = {name: money(name) for name in ("revenue", "costed", "cost", "bought", "largest")}
    first_day = np.full(len(accounts), NOT_YET, "int64")
    np.minimum.at(first_day, rows, cells["first_day"].cast("int32").fill_null(NOT_YET).to_numpy())
    counts = {"orders": number("orders", 0), "last_day": number("last_day", _NEVER)}
    return Ledger(as_of, starts, accounts, **amounts, **counts, first_day=first_day, unplaced=unplaced)


def _cells(book: Book, as_of: date, starts: tuple[date, ...]) -> ibis.Table:
    """One row for each account and month with a line; month 0 is everything older than the first start."""
    lines = book.table("orders", "account_id", "order_id", "order_date", "revenue", "cost")
    orders = lines.group_by("account_id", "order_id", day=lines.order_date).aggregate(
        revenue=lines.revenue.sum(), uncosted=lines.revenue.sum(where=lines.cost.isnull()), cost=lines.cost.sum()
    )
    orders = orders.mutate(month=_month(orders.day, as_of, starts[0]))
    is_order = orders.revenue > SMALLEST
    amounts = {
        "revenue": orders.revenue.sum(),
        "costed": orders.revenue.sum() - orders.uncosted.sum().fill_null(0.0),
        "cost": orders.cost.sum(),
        "bought": orders.revenue.sum(where=is_order),
        "largest": orders.revenue.max(where=is_order),
    }
    return orders.group_by("account_id", "month").aggregate(
        orders=is_order.sum(),
        first_day=orders.day.min(where=is_order),
        last_day=orders.day.max(where=is_order),
        **amounts,
    )


def _month(day: ibis.Value, as_of: date, start: date) -> ibis.Value:
    """The number of the month a day falls in, 1 for the one with that start; 0 for every day before it.

    Months begin on the day of the month after *as_of*, or on the last day of a month that is shorter.
    """
    begins = (as_of + timedelta(days=1)).day
    is_last = (day + ibis.interval(days=1)).day() == 1
    begun = month_number(day) - ((day.day() < begins) & ~is_last).cast("int32")
    return ibis.greatest(begun - (start.year * 12 + start.month - 1), 0)
