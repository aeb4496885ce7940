"""Where each account stands on a day: what it bought in the trailing window, how often, how lately, how unevenly.

Value is contribution margin where the cost is known for at least 95 % of the window's revenue and the book earned a
margin at all, else revenue. Where a line has no cost, the mean margin rate of the other lines stands in for its own;
``cost_known_share`` says how much of the revenue that does not concern.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from kamlib.book.periods import DAYS_PER_YEAR
from kamlib.errors import RequestError
from kamlib.studies.ledger import Ledger

BASES = ("auto", "margin", "revenue")
COST_KNOWN = 0.95
RECURRENCE_YEARS = 3
DAYS_A_QUARTER = DAYS_PER_YEAR / 4


@dataclass(frozen=True)
class Standing:
    """Accounts as of a day.

    Attributes
    ----------
    as_of, starts_on, months
        The window: ``months`` whole months from ``starts_on`` to ``as_of``.
    basis
        What value means, ``margin`` or ``revenue``.
    cost_known_share
        Share of the window's revenue whose cost is known; missing without revenue.
    covered_months
        Months of the window from the first one with an order of the whole book on: fewer than ``months`` where the
        book begins inside the window.
    accounts
        One row for each account opened by then: the columns of the accounts table, and, for the window before the
        window: revenue_before and value_earlier (missing where the book does not reach back to its start); for the
        window: revenue, margin (missing where no cost is known), costed_share (the part of the account's revenue whose
        cost is known), value, orders, active_months, quarters_active
        (three-month spans with an order) and quarters_open (spans since its first order), has_bought (an order, not
        credits alone) and has_line (anything booked, credits too); over all history: recency_days,
        first_purchase_days, orders_ever, mean_spend (money an order); over three years: years_active, months_active,
        largest_order, largest_order_share (of what its orders amount to), revenue_recent and margin_recent.
    undated
        Accounts left out since nothing dates them: where no account has an ``opened_on`` and none a lifecycle stage,
        the list is one of customers, and an account without a line by then is not one yet.
    by_month
        (accounts, months) value, oldest month first; rows in the order of ``accounts``.
    recent_starts, recent_revenue, recent_margin
        First day of each month of three years, and (accounts, these months) revenue and margin; margin missing where
        no cost is known.
    """

    as_of: date
    starts_on: date
    months: int
    basis: str
    cost_known_share: float
    covered_months: int
    accounts: pd.DataFrame
    undated: int
    by_month: np.ndarray
    recent_starts: tuple[date, ...]
    recent_revenue: np.ndarray
    recent_margin: np.ndarray

    @property
    def spent(self) -> pd.Series:
        """Revenue of each account with an order in the window."""
        return self.accounts.loc[self.accounts["has_bought"], "revenue"]

    @property
    def last_order(self) -> date | None:
        """The day of the last order of all; ``None`` without one."""
        recency = self.accounts["recency_days"].min()
        return None if pd.isna(recency) else self.as_of - timedelta(days=int(recency))


def standings(ledger: Ledger, step: int, months: int = 12, basis: str = "auto") -> list[Standing]:
    """:func:`stand` on the closing day, one and two steps of months before it, all valued alike.

    Where one of them earned no margin all go by revenue; days before the first order have no say in it.
    """
    found = [stand(ledger, back, months, basis) for back in (0, step, 2 * step)]
    if len({standing.basis for standing in found if standing.covered_months}) > 1:
        return standings(ledger, step, months, "revenue")
    return found


def stand(ledger: Ledger, back: int = 0, months: int = 12, basis: str = "auto") -> Standing:
    """Where the accounts stood on the closing day *back* months ago.

    Parameters
    ----------
    ledger
        The ledger; it must tell apart the months of the window and of the three years before the day.
    back
        Months before the last closing day.
    months
        Length of the window, whole months.
    basis
        ``margin``, ``revenue``, or ``auto``, as the module says.

    Raises
    ------
    RequestError
        When the basis is unknown, the window is not told apart, or margin is asked for and no cost is known.

    Examples
    --------
    >>> stand(read_ledger(book, 36)).accounts[["value", "recency_days"]]  # doctest: +SKIP
    """
    end = ledger.months + 1 - back
    if basis not in BASES:
        raise RequestError(f"value may be {', '.join(BASES)}, not {basis!r}")
    if not 1 <= months < end:
        raise RequestError(f"a window of {months} months, {back} months back, needs 1 to {end - 1} months to be read")
    as_of, window = ledger.closing(back), slice(end - months, end)
    known, rate = _margin_rate(ledger, window)
    used = basis if basis != "auto" else ("margin" if known >= COST_KNOWN and rate > 0 else "revenue")
    if used == "margin" and np.isnan(rate) and ledger.revenue[:, window].any():
        raise RequestError("no order line of the window has a cost; ask for revenue as the value")
    recent = slice(max(1, end - max(12 * RECURRENCE_YEARS, months)), end)
    sold, costed = ledger.revenue[:, recent], ledger.costed[:, recent]
    margin = costed - ledger.cost[:, recent] + np.nan_to_num(rate) * (sold - costed)
    value = (margin if used == "margin" else sold)[:, -months:]
    if not known > 0:
        margin = np.full_like(margin, np.nan)
    accounts = ledger.accounts.copy()
    for name, back in (("", months), ("_recent", 12 * RECURRENCE_YEARS)):
        accounts[f"revenue{name}"] = sold[:, -back:].sum(axis=1)
        accounts[f"margin{name}"] = margin[:, -back:].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        accounts["costed_share"] = costed[:, -months:].sum(axis=1) / accounts["revenue"].to_numpy()
    accounts["revenue_before"], accounts["value_earlier"] = _before(ledger, end, months, used, rate)
    accounts["value"] = value.sum(axis=1)
    accounts = accounts.join(_habits(ledger, as_of, window, end))
    accounts["has_bought"] = accounts["orders"] > 0
    accounts["has_line"] = accounts["has_bought"] | (ledger.revenue[:, window] != 0).any(axis=1)
    is_there = _is_there(ledger, accounts, end)
    is_open = is_there & (accounts["opened_on"].isna() | (accounts["opened_on"] <= pd.Timestamp(as_of))).to_numpy()
    return Standing(
        as_of,
        ledger.starts[window.start - 1],
        months,
        used,
        known,
        _covered(ledger, window),
        accounts[is_open],
        int((~is_there).sum()),
        value[is_open],
        ledger.starts[recent.start - 1 : recent.stop - 1],
        sold[is_open],
        margin[is_open],
    )


def _is_there(ledger: Ledger, accounts: pd.DataFrame, end: int) -> np.ndarray:
    """Which accounts the list holds by then; those with a line, where nothing else in it tells."""
    is_dated = accounts["opened_on"].notna().any() or accounts["lifecycle"].notna().any()
    return np.ones(len(accounts), dtype=bool) if is_dated else (ledger.revenue[:, :end] != 0).any(axis=1)


def _covered(ledger: Ledger, window: slice) -> int:
    """Months of the window from the first one with an order of the book on."""
    filled = np.flatnonzero(ledger.orders.any(axis=0))
    return max(0, window.stop - max(window.start, int(filled[0]))) if len(filled) else 0


def _before(ledger: Ledger, end: int, months: int, basis: str, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Revenue and value in the window before; missing unless the book had orders by the first month of it."""
    start = end - 2 * months
    if start < 1 or not ledger.orders[:, : start + 1].any():
        return (np.full(len(ledger.accounts), np.nan),) * 2
    grids = (ledger.revenue, ledger.costed, ledger.cost)
    sold, costed, cost = (grid[:, start : end - months].sum(axis=1) for grid in grids)
    return sold, (costed - cost + np.nan_to_num(rate) * (sold - costed) if basis == "margin" else sold)


def _margin_rate(ledger: Ledger, window: slice) -> tuple[float, float]:
    """Share of the revenue whose cost is known, and the margin on that part as a share of it."""
    revenue, costed = ledger.revenue[:, window], ledger.costed[:, window]
    size, sold = np.abs(revenue).sum(), costed.sum()
    known = 1 - np.abs(revenue - costed).sum() / size if size > 0 else np.nan
    return float(known), float((sold - ledger.cost[:, window].sum()) / sold) if sold > 0 else np.nan


def _habits(ledger: Ledger, as_of: date, window: slice, end: int) -> pd.DataFrame:
    """How each account orders; an account without orders has counts of zero and no dates, means and shares."""
    till, recent = slice(0, end), slice(max(1, end - 12 * RECURRENCE_YEARS), end)
    orders, last = ledger.orders, ledger.last_day[:, till].max(axis=1)
    ever, bought = orders[:, till].sum(axis=1), ledger.bought[:, recent].sum(axis=1)
    quarters = [slice(max(window.start, q - 3), q) for q in range(window.stop, window.start, -3)]
    years = [slice(max(1, end - 12 * (y + 1)), max(1, end - 12 * y)) for y in range(RECURRENCE_YEARS)]
    today, largest = (pd.Timestamp(as_of) - pd.Timestamp(0)).days, ledger.largest[:, recent].max(axis=1)
    habits = pd.DataFrame(
        {
            "orders": orders[:, window].sum(axis=1),
            "active_months": (orders[:, window] > 0).sum(axis=1),
            "orders_ever": ever,
            "quarters_active": sum(orders[:, quarter].any(axis=1).astype(int) for quarter in quarters),
            "quarters_open": np.clip((today - ledger.first_day) // DAYS_A_QUARTER + 1, 0, len(quarters)) * (ever > 0),
            "years_active": sum(orders[:, year].any(axis=1).astype(int) for year in years),
            "months_active": (orders[:, recent] > 0).sum(axis=1),
        },
        index=ledger.accounts.index,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        habits["mean_spend"] = ledger.bought[:, till].sum(axis=1) / ever
        habits["largest_order_share"] = largest / bought
    habits["largest_order"] = np.where(largest > 0, largest, np.nan)
    habits["recency_days"] = np.where(ever > 0, today - last, np.nan)
    habits["first_purchase_days"] = np.where(ever > 0, today - ledger.first_day, np.nan)
    return habits
