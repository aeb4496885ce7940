"""Account features: what each account bought in a trailing window and how regularly, grouped by the engine.

What counts, here and in the account-month panel:

*purchase day*
    a day on which an account's lines add up to more than zero; a day of returns alone is not one.
*order*
    an order number whose lines add up to more than zero; a cancellation or credit note is not one.
*revenue*
    net of returns and credits, over all lines.
*margin*
    revenue less cost over the lines whose cost is known; missing where none is known, never zero.

Money is added up as decimals, so that the sums are the same to the last bit whatever the order of the rows, the
number of threads, or what later rows the book holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import ibis
import numpy as np
import pandas as pd

from kamlib.book.contract import contract
from kamlib.book.periods import add_months, months_before
from kamlib.book.store import Book
from kamlib.errors import RequestError

FEATURES = (
    *[name for name in contract("accounts").columns if name != "account_id"],
    "first_order",
    "last_order",
    "recency_days",
    "order_days",
    "active_months",
    "orders",
    "lines",
    "revenue",
    "revenue_previous",
    "returns",
    "margin",
    "margin_coverage",
    "products",
    "categories",
    "gap_median_days",
    "gap_mean_days",
    "largest_order_share",
)


def account_features(book: Book, months: int = 12) -> pd.DataFrame:
    """One row per account of the book, also of those without orders, over the trailing window.

    The window is the last *months* months up to and with the day of the book (its last order day where it has
    none). Orders of accounts that are not in the table of accounts on that day are left out.

    Returns
    -------
    pandas.DataFrame
        sorted by ``account_id``, with the columns of the table of accounts, and

        ==================== ===================================================================================
        first_order          first purchase day ever (missing without one)
        last_order           last purchase day ever
        recency_days         days since the last purchase day (missing without one)
        order_days           purchase days in the window
        active_months        months of the window, counted from its first day, with a purchase day; at most *months*
        orders               orders in the window
        lines                order lines in the window, returns included
        revenue              money in the window
        revenue_previous     money in the window before; missing where the book's orders do not reach back to it
        returns              money of the negative lines in the window, zero or less
        margin               money in the window
        margin_coverage      share of the turnover (returns counted as positive) whose cost is known, 0 to 1
        products             products bought in the window; missing where no line names its product
        categories           their categories, where known; no such column without a table of products
        gap_median_days      median days from one purchase day to the next, ever (missing with fewer than two)
        gap_mean_days        mean of the same
        largest_order_share  largest order over all orders of the window, 0 to 1 (missing without one)
        ==================== ===================================================================================

        An account without orders has zero in the counts and in revenue, since none was seen, and missing elsewhere.

    Raises
    ------
    RequestError
        When *months* is less than one, or the book has neither a day nor orders.

    Examples
    --------
    >>> account_features(book)[["account_id", "revenue", "recency_days"]]  # doctest: +SKIP
    """
    window = _Window.before(last_day(book), months)
    lines = book.table("orders", "account_id", "order_id", "order_date", "product_id", "revenue", "cost")
    parts = [
        book.collect(part).set_index("account_id")
        for part in (_rhythm(lines, window), _orders(lines, window), _breadth(book, lines, window))
    ]
    frame = book.frame("accounts")[list(contract("accounts").columns)].set_index("account_id").join(parts)
    # Orders on record from the month in which the window before begins: no order means that none was made.
    reaches_back = parts[0]["first_line"].min() < pd.Timestamp(add_months(window.previous, 1))
    return _finished(frame, window, reaches_back).reset_index()


@dataclass(frozen=True)
class _Window:
    """The trailing months up to and with a day, and as many months before them."""

    end: date
    start: date
    previous: date

    @classmethod
    def before(cls, end: date, months: int) -> _Window:
        if months < 1:
            raise RequestError(f"a window of {months} months is empty; ask for at least 1")
        return cls(end, months_before(end, months), months_before(end, 2 * months))

    def has(self, when: ibis.Value) -> ibis.Value:
        return when >= ibis.literal(self.start)

    def month(self, when: ibis.Value) -> ibis.Value:
        """Month of the window a day falls in: a window that begins on the 16th has months from 16th to 15th."""
        return month_number(when) - (when.day() < self.start.day).cast("int32")


def last_day(book: Book) -> date:
    return book.as_of or book.span()[1]


def month_number(when: ibis.Value) -> ibis.Value:
    """The month as a number that grows by one from month to month."""
    return when.year() * 12 + when.month()


def exact(money: ibis.Value) -> ibis.Value:
    return money.cast("decimal(38, 9)")


def _rhythm(lines: ibis.Table, window: _Window) -> ibis.Table:
    """Purchase days of all time, and the revenue of both windows, from one row for each account and day."""
    days = lines.group_by("account_id", day=lines.order_date).aggregate(net=exact(lines.revenue).sum())
    now, before = window.has(days.day), days.day >= ibis.literal(window.previous)
    money = days.group_by("account_id").aggregate(
        first_line=days.day.min(),
        revenue=days.net.sum(where=now).cast("float64"),
        revenue_previous=days.net.sum(where=before & ~now).cast("float64"),
    )
    # Two columns alone go through the window, which else takes more memory than the engine may have.
    bought = days.filter(days.net > 0).select("account_id", "day")
    bought = bought.mutate(last=bought.day.lag().over(group_by="account_id", order_by="day"))
    gap, is_now = bought.day.delta(bought["last"], unit="day"), window.has(bought.day)
    # Purchase days follow each other, so a month is counted on its first one; nothing needs to be told apart.
    begun = window.month(bought["last"]) < window.month(bought.day)
    is_first = bought["last"].isnull() | ~window.has(bought["last"]) | begun
    rhythm = bought.group_by("account_id").aggregate(
        first_order=bought.day.min(),
        last_order=bought.day.max(),
        order_days=is_now.sum(),
        active_months=(is_now & is_first).sum(),
        gap_median_days=gap.median(),
        gap_mean_days=gap.mean(),
    )
    return money.left_join(rhythm, "account_id").drop("account_id_right")


def _orders(lines: ibis.Table, window: _Window) -> ibis.Table:
    """Orders, lines and margin of the window, from one row for each order."""
    lines = lines.filter(window.has(lines.order_date))
    revenue, is_return, has_no_cost = exact(lines.revenue), lines.revenue < 0, lines.cost.isnull()
    orders = lines.group_by("account_id", "order_id").aggregate(
        lines=lines.count(),
        lines_named=lines.product_id.count(),
        net=revenue.sum(),
        returns=revenue.sum(where=is_return),
        margin=(revenue - exact(lines.cost)).sum(),
        turnover_uncosted=exact(lines.revenue.abs()).sum(where=has_no_cost),
    )
    is_order = orders.net > 0
    # Returns count as turnover too: to what was sold less what came back, the latter is added twice.
    turnover = orders.net.sum() - orders.returns.sum().fill_null(0) * 2
    largest, total = (value.cast("float64") for value in (orders.net.max(), orders.net.sum(where=is_order)))
    sums = {
        "returns": orders.returns.sum(),
        "margin": orders.margin.sum(),
        "turnover": turnover,
        "turnover_costed": turnover - orders.turnover_uncosted.sum().fill_null(0),
    }
    return orders.group_by("account_id").aggregate(
        orders=is_order.sum(),
        lines=orders["lines"].sum(),
        lines_named=orders.lines_named.sum(),
        largest_order_share=largest / total,
        **{name: total.cast("float64") for name, total in sums.items()},
    )


def _breadth(book: Book, lines: ibis.Table, window: _Window) -> ibis.Table:
    bought = lines.filter(window.has(lines.order_date), lines.revenue > 0, lines.product_id.notnull())
    pairs = bought.select("account_id", "product_id").distinct()
    if "products" not in book.tables:
        return pairs.group_by("account_id").aggregate(products=pairs.count())
    pairs = pairs.left_join(book.table("products", "product_id", "category"), "product_id")
    counts = pairs.group_by("account_id", "category").aggregate(products=pairs.count())
    return counts.group_by("account_id").aggregate(products=counts.products.sum(), categories=counts.category.count())


def _finished(frame: pd.DataFrame, window: _Window, reaches_back: bool) -> pd.DataFrame:
    """Zero where nothing was ordered, missing where nothing is known."""
    counts = ["lines", "lines_named", "order_days", "active_months", "orders"]
    frame[counts] = frame[counts].fillna(0).astype("int64")
    money = ["revenue", "revenue_previous", "returns"]
    frame[money] = frame[money].fillna(0.0)
    if not reaches_back:
        frame["revenue_previous"] = np.nan
    is_named = (frame["lines"] == 0) | (frame["lines_named"] > 0)
    frame["products"] = frame["products"].fillna(0.0).where(is_named)
    if "categories" in frame:
        is_known = (frame["products"] == 0) | (frame["categories"] > 0)
        frame["categories"] = frame["categories"].fillna(0.0).where(is_known)
    turnover = frame["turnover"].where(frame["turnover"] > 0)
    frame["margin_coverage"] = frame["turnover_costed"].fillna(0.0) / turnover
    frame["recency_days"] = (pd.Timestamp(window.end) - frame["last_order"]).dt.days.astype("float64")
    return frame[[name for name in FEATURES if name in frame]]
