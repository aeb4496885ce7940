"""The account-month panel: what each account bought, and what was done about it, month by month.

Purchase days, orders, revenue and margin count as in :mod:`kamlib.book.features`.
"""

from __future__ import annotations

from datetime import date, timedelta

import ibis
import numpy as np
import pandas as pd

from kamlib.book.features import account_features, exact, last_day, month_number
from kamlib.book.grid import Grid, codes
from kamlib.book.periods import day
from kamlib.book.store import Book
from kamlib.errors import RequestError

__all__ = ["account_features", "account_months"]

LEVELS = ("rep", "kam", "executive")


def account_months(book: Book, first=None, last=None, channels: tuple[str, ...] | None = None) -> pd.DataFrame:
    """One row per account and calendar month, months without orders included.

    An account's months begin with its first order or its opening, whichever is earlier (with its first visit, where
    it has neither), but never before the first month in which the book has an order. They end with the last complete
    month: the month of the book's day (of its last order, where it has none) counts when that is its last day.

    Parameters
    ----------
    first, last
        Days in the first and last month wanted; all months when not given.
    channels
        Channels of the visits to count, such as ``("visit", "video")``; every row of visits when not given.

    Returns
    -------
    pandas.DataFrame
        sorted by ``account_id`` and ``month``, with

        ================== =====================================================================================
        month              first day of the month
        manager_id         manager at the end of the month, where assignments tell; else today's
        revenue            money, zero without orders
        margin             money; zero without orders, missing where no cost is known
        orders, order_days orders and purchase days in the month
        visits             visits; missing before the first month in which the book has one
        visits_rep, …      visits by level (rep, kam, executive)
        visit_hours        hours; missing where a month's visits have none
        cases_opened       cases
        promotions_active  promotions that ran on a day of the month at least
        ================== =====================================================================================

        Columns of visits, cases and promotions are there when the book has the table; those by level and the hours,
        when any visit has them.

    Raises
    ------
    RequestError
        When a month is asked for that is not complete or lies after the last one wanted, or there are no orders.

    Examples
    --------
    >>> account_months(book, first="2025-01-01").groupby("month")["revenue"].sum()  # doctest: +SKIP
    """
    span = _complete_months(book, first, last)
    sales = book.collect(_sales(book))
    visits = book.collect(_visits(book, channels)) if "visits" in book.tables else None
    accounts = book.frame("accounts")
    starts = _starts(accounts, sales, visits).fillna(np.inf).clip(span[0], span[1] + 1)
    grid = Grid(accounts["account_id"], starts.to_numpy("int64"), span[1])
    managers = _managers(book, grid, accounts["manager_id"])
    columns = {"account_id": grid.account_ids(), "month": grid.timestamps(), "manager_id": managers}
    columns |= _sales_columns(grid, sales, book.collect(_order_days(book)))
    if visits is not None:
        columns |= _visit_columns(grid, visits)
    if "cases" in book.tables:
        cases = book.collect(_cases(book))
        columns["cases_opened"] = grid.spread(grid.rows(cases["account_id"], cases["month"]), cases["cases_opened"])
    if "promotions" in book.tables:
        columns["promotions_active"] = _promotions_active(book, grid)
    return pd.DataFrame(columns, copy=False)  # a copy of millions of rows is not wanted


def _complete_months(book: Book, first, last) -> tuple[int, int]:
    """Numbers of the first and last month wanted; the first is 0 when it is left to the accounts."""
    end = last_day(book)
    complete = _number(end + timedelta(days=1)) - 1
    wanted = (_number(day(first)) if first is not None else 0, _number(day(last)) if last is not None else complete)
    if wanted[1] > complete:
        raise RequestError(f"the month of {last} is not complete on {end}; ask for an earlier last month")
    if wanted[0] > wanted[1]:
        raise RequestError(f"no month lies between {first} and {last or 'the last complete one'}; swap or widen them")
    return wanted


def _number(moment: date) -> int:
    return moment.year * 12 + moment.month


def _sales(book: Book) -> ibis.Table:
    """Money and orders by account and month, from one row for each order and month."""
    lines = book.table("orders", "account_id", "order_id", "order_date", "revenue", "cost")
    revenue = exact(lines.revenue)
    orders = lines.group_by("account_id", "order_id", month=month_number(lines.order_date)).aggregate(
        net=revenue.sum(), margin=(revenue - exact(lines.cost)).sum()
    )
    return orders.group_by("account_id", "month").aggregate(
        revenue=orders.net.sum().cast("float64"),
        margin=orders.margin.sum().cast("float64"),
        orders=(orders.net > 0).sum(),
    )


def _order_days(book: Book) -> ibis.Table:
    lines = book.table("orders", "account_id", "order_date", "revenue")
    days = lines.group_by("account_id", day=lines.order_date).aggregate(net=exact(lines.revenue).sum())
    days = days.filter(days.net > 0)
    return days.group_by("account_id", month=month_number(days.day)).aggregate(order_days=days.count())


def _visits(book: Book, channels: tuple[str, ...] | None) -> ibis.Table:
    visits = book.table("visits", "account_id", "visit_date", "channel", "level", "hours")
    if channels is not None:
        visits = visits.filter(visits.channel.isin(channels))
    by_level = {f"visits_{level}": (visits.level == level).fill_null(False).sum() for level in LEVELS}
    return visits.group_by("account_id", month=month_number(visits.visit_date)).aggregate(
        visits=visits.count(), levelled=visits.level.count(), visit_hours=visits.hours.sum(), **by_level
    )


def _cases(book: Book) -> ibis.Table:
    cases = book.table("cases", "account_id", "opened_on")
    return cases.group_by("account_id", month=month_number(cases.opened_on)).aggregate(cases_opened=cases.count())


def _starts(accounts: pd.DataFrame, sales: pd.DataFrame, visits: pd.DataFrame | None) -> pd.Series:
    """Number of the month in which each account begins, missing where nothing tells."""
    starts = np.fmin(_firsts(accounts, sales), _numbers(accounts["opened_on"]))
    if sales.empty:
        return starts.mask(starts.notna())  # without any order, nothing tells when the records begin
    if visits is not None:
        starts = starts.fillna(_firsts(accounts, visits))
    return starts.clip(lower=sales["month"].min())


def _firsts(accounts: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    firsts = np.full(len(accounts) + 1, np.inf)
    np.minimum.at(firsts, codes(accounts["account_id"], rows["account_id"]), rows["month"])
    return pd.Series(firsts[:-1]).replace(np.inf, np.nan)


def _numbers(days: pd.Series) -> pd.Series:
    return days.dt.year * 12 + days.dt.month


def _sales_columns(grid: Grid, sales: pd.DataFrame, days: pd.DataFrame) -> dict[str, np.ndarray]:
    rows = grid.rows(sales["account_id"], sales["month"])
    no_margin = 0.0 if sales["margin"].notna().any() else np.nan
    return {
        "revenue": grid.spread(rows, sales["revenue"]),
        "margin": grid.spread(rows, sales["margin"], no_margin),
        "orders": grid.spread(rows, sales["orders"]),
        "order_days": grid.spread(grid.rows(days["account_id"], days["month"]), days["order_days"]),
    }


def _visit_columns(grid: Grid, visits: pd.DataFrame) -> dict[str, np.ndarray]:
    """Visits per month; before the first month with a visit nobody knows whether any was made."""
    rows = grid.rows(visits["account_id"], visits["month"])
    names = ["visits"]
    if visits["levelled"].any():
        names += [f"visits_{level}" for level in LEVELS]
    if visits["visit_hours"].notna().any():
        names.append("visit_hours")
    is_recorded = grid.months() >= visits["month"].min() if len(visits) else np.zeros(len(grid), bool)
    return {name: np.where(is_recorded, grid.spread(rows, visits[name].astype("float64")), np.nan) for name in names}


def _promotions_active(book: Book, grid: Grid) -> np.ndarray:
    rows = book.frame("promotions")
    covered, _ = grid.covered(rows["account_id"], _numbers(rows["starts_on"]), _numbers(rows["ends_on"]))
    return np.bincount(covered, minlength=len(grid))


def _managers(book: Book, grid: Grid, today: pd.Series) -> np.ndarray:
    """Who held each account at the end of each month."""
    if "assignments" not in book.tables:
        return today.array.repeat(grid.lengths)
    spells = book.frame("assignments").sort_values("from_date", kind="stable")
    names = pd.concat([today, spells["manager_id"]]).dropna().drop_duplicates().reset_index(drop=True)
    is_recorded = grid.accounts.isin(spells["account_id"])
    held = np.repeat(np.where(is_recorded, -1, codes(names, today)), grid.lengths)
    # Held at the end of a month: from the month of the first day to the month before that of the day after the last.
    last = _numbers(spells["to_date"] + pd.Timedelta(days=1)) - 1
    covered, spell = grid.covered(spells["account_id"], _numbers(spells["from_date"]), last.fillna(grid.last))
    held[covered] = codes(names, spells["manager_id"])[spell]  # where two spells meet, the later is written last
    return names.array.take(held, allow_fill=True)
