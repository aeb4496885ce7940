"""Who may apply to be a VIP: one purchase, or the purchases of one calendar month, of a declared size.

The rule as the domain text states it: a single purchase of mid or high grade goods of at least 10,000, or at least
20,000 in one month. Declared readings of it:

* both limits are inclusive, and amounts are compared to the cent: 9,999.99 does not do, 10,000 does;
* a single purchase is one order, all its lines together, returns booked on it taken off; one that a credit note
  under another number takes back whole (the same account and amount, that day or later) is none;
* a month is a calendar month of order dates, net of all returns booked in it;
* only mid and high grade lines count, however the grade is spelled (``Mid``, ``HIGH``); a line whose grade nobody
  recorded counts, and ``ungraded`` says how much of the amount rests on such lines.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from numbers import Real

import numpy as np
import pandas as pd

from kamlib.book.features import exact
from kamlib.book.grid import codes
from kamlib.book.settings import THRESHOLDS, Settings
from kamlib.book.store import Book
from kamlib.errors import RequestError

GRADES, LOW = ("mid", "high"), "low"
LIMITS = ("vip_single_purchase", "vip_month_purchase")
MOST_MONEY = 1e13  # of one line: in cents, thousands of such lines still add up exactly
REQUIRED = ("account_id", "order_id", "order_date", "revenue")
SINGLE, MONTH, BOTH = "single", "month", "single and month"
COLUMNS = (
    "account_id",
    "rule",
    "order_id",
    "order_date",
    "order_amount",
    "month",
    "month_amount",
    "ungraded",
)


def vip(orders: pd.DataFrame, single: float = 10_000, month: float = 20_000) -> pd.DataFrame:
    """The accounts that meet the VIP rule, one row each, with the purchase and the month that speak for them.

    Parameters
    ----------
    orders
        Order lines: account_id, order_id, order_date, revenue (negative for returns), and tier (low, mid, high)
        where it is known; other columns are ignored.
    single, month
        Least net amount of one order and of one calendar month, in money, inclusive.

    Returns
    -------
    One row for each eligible account, sorted by account: ``rule`` (single, month, or single and month); its
    largest order (``order_id``, ``order_date``, ``order_amount``) and its largest month (``month`` as 2026-09,
    ``month_amount``), whether or not that one alone would do; ``ungraded``, the part of the month's amount (of the
    order's, where the month does not do) that rests on lines without a grade.

    Raises
    ------
    RequestError
        When a column is lacking, an amount or a date is missing, a grade is unknown, or a limit is not above zero.

    Examples
    --------
    >>> lines = pd.DataFrame({"account_id": ["0007", "0008"], "order_id": ["1", "2"],
    ...                       "order_date": ["2026-09-01", "2026-09-02"], "revenue": [10_000.0, 9_999.99]})
    >>> vip(lines)[["account_id", "rule"]].values.tolist()
    [['0007', 'single']]
    """
    if not all(isinstance(limit, Real | Decimal) and limit > 0 for limit in (single, month)):
        raise RequestError(f"both VIP limits must be above zero; they are {single!r} and {month!r}")
    single, month = float(single), float(month)
    lines = _counting_lines(orders)
    # Numbers stand in for the texts: each text is looked at once, however many lines it has.
    lines["account_id"], accounts = pd.factorize(lines["account_id"], sort=True)
    lines["order_id"], numbers = pd.factorize(lines["order_id"])
    orders, months = _sums(lines, "order_id"), _sums(lines, "month")
    orders = orders[~_is_taken_back(orders, numbers)]
    best = _largest(orders, "order_id", "order", numbers)
    best = best.join(_largest(months, "month", "month").drop(columns="order_date"))
    is_single, is_month = best["order_amount"] >= _cents(single), best["month_amount"] >= _cents(month)
    best["rule"] = np.select([is_single & is_month, is_single], [BOTH, SINGLE], MONTH)
    best["ungraded"] = best["ungraded_month"].where(is_month, best["ungraded_order"])
    eligible = best[is_single | is_month].sort_index().reset_index()
    for name in ("order_amount", "month_amount", "ungraded"):
        eligible[name] = eligible[name] / 100
    eligible["account_id"], eligible["order_id"] = accounts[eligible["account_id"]], numbers[eligible["order_id"]]
    eligible["month"] = [f"{(m - 1) // 12:04d}-{(m - 1) % 12 + 1:02d}" for m in eligible["month"]]
    return eligible[list(COLUMNS)]


def _cents(amount):
    """Money in whole cents, which add up exactly."""
    return (amount * 100).round().astype("int64") if isinstance(amount, pd.Series) else np.round(amount * 100)


def _counting_lines(orders: pd.DataFrame) -> pd.DataFrame:
    lacking = [name for name in REQUIRED if name not in orders.columns]
    if lacking:
        raise RequestError(f"order lines lack {len(lacking)} columns the VIP rule needs: {', '.join(lacking)}")
    is_counting, is_ungraded = _grades(orders)
    lines = orders[list(REQUIRED)][is_counting].copy()
    missing = int(lines.isna().any(axis=1).sum())
    if missing:
        raise RequestError(
            f"{missing} of {len(lines)} order lines lack an account, order, date or amount; mend or drop them"
        )
    try:
        lines["order_date"] = pd.to_datetime(lines["order_date"], format="ISO8601")  # 03/09/2026 is not guessed at
    except (ValueError, TypeError) as error:
        raise RequestError(f"order_date holds something that is not a date, as in 2026-09-30: {error}") from error
    lines["month"] = lines["order_date"].dt.year * 12 + lines["order_date"].dt.month
    # Amounts may be finer than a cent; what is compared is the sum, rounded once.
    lines["amount"] = pd.to_numeric(lines["revenue"]).astype(float)
    beyond = int((lines["amount"].abs() > MOST_MONEY).sum())
    if beyond:
        raise RequestError(f"{beyond} order lines have a revenue beyond {MOST_MONEY:.0e}; repair or drop them")
    lines["ungraded"] = lines["amount"].where(is_ungraded[is_counting], 0.0)
    return lines


def _grades(orders: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Whether each line is of a grade that counts or of none, and whether it is of none."""
    if "tier" not in orders.columns:
        return (np.ones(len(orders), dtype=bool),) * 2
    given = orders["tier"].astype("category")
    spelled = given.cat.categories.astype(str).str.strip().str.lower()
    wrong = sorted(set(spelled) - {*GRADES, LOW, ""})
    if wrong:
        raise RequestError(f"grades are low, mid and high; {len(wrong)} others are given: {', '.join(wrong[:5])}")
    names = np.array([*spelled, ""])[given.cat.codes]  # the code of a missing grade is the last place
    return names != LOW, names == ""


def _sums(lines: pd.DataFrame, key: str) -> pd.DataFrame:
    """Each order or month of each account, in cents, with its first day."""
    both = lines.groupby(lines["account_id"] * (lines[key].max() + 1) + lines[key], sort=False)
    sums = both[["amount", "ungraded"]].sum()
    firsts = both[["account_id", key, "order_date"]].min()
    return firsts.assign(amount=_cents(sums["amount"]), ungraded=_cents(sums["ungraded"]))


def _largest(sums: pd.DataFrame, key: str, what: str, names: pd.Index | None = None) -> pd.DataFrame:
    """The largest order or month of each account; the earliest of equal ones, the first by name of one day."""
    top = sums[sums["amount"] == sums.groupby("account_id")["amount"].transform("max")]
    rank = top[key] if names is None else pd.factorize(names.take(top[key]), sort=True)[0]
    top = top.iloc[np.lexsort((rank, top["order_date"]))].drop_duplicates("account_id").set_index("account_id")
    return top.rename(columns={"amount": f"{what}_amount", "ungraded": f"ungraded_{what}"})


def _is_taken_back(orders: pd.DataFrame, names: pd.Index) -> np.ndarray:
    """Which orders a credit note of exactly their amount takes back, that day or later: the latest one before it.

    A note takes back one order, and an order is taken back once: what several notes meet in, the first has.
    """
    taken, notes = np.zeros(len(orders), dtype=bool), orders[orders["amount"] < 0]
    if notes.empty:
        return taken
    notes = notes.assign(amount=-notes["amount"]).sort_values("order_date", kind="stable")
    placed = orders.assign(place=np.arange(len(orders)))[orders["amount"].isin(notes["amount"]).to_numpy()]
    rank = pd.factorize(names.take(placed["order_id"]), sort=True)[0]
    placed = placed.iloc[np.lexsort((rank, placed["order_date"]))]
    keys = ["account_id", "amount"]
    notes, placed = notes[[*keys, "order_date"]], placed[[*keys, "order_date", "place"]]
    while len(notes):
        pairs = pd.merge_asof(notes, placed, on="order_date", by=keys).dropna(subset="place")
        taken[pairs["place"].astype(int)] = True
        placed = placed[~placed["place"].isin(pairs["place"])]
        notes = pairs[pairs.duplicated("place")].drop(columns="place")
    return taken


def vip_since(book: Book, since: date) -> pd.DataFrame:
    """Who meets the rule a book declares by what was bought from a day on: what :func:`vip` returns."""
    return vip(_lines_since(book, since), *limits(book.settings))


def _lines_since(book: Book, since: date) -> pd.DataFrame:
    """Order lines as :func:`vip` wants them, one for each order, day and grade, where products have one."""
    lines = book.table("orders", "account_id", "order_id", "order_date", "product_id", "revenue")
    lines = lines.filter(lines.order_date >= since)
    keys = ["account_id", "order_id", "order_date"]
    if book.has("products", "tier"):
        lines = lines.left_join(book.table("products", "product_id", "tier"), "product_id")
        keys.append("tier")
    return book.collect(lines.group_by(keys).aggregate(revenue=exact(lines.revenue).sum().cast("float64")))


def limits(settings: Settings) -> tuple[float, float]:
    """The least single purchase and the least month that a book declares, in money."""
    single, month = (settings.value(name) for name in LIMITS)
    return single, month


def are_declared(settings: Settings) -> bool:
    """Whether the book declares both limits itself; those named by the practice bear no currency."""
    return all(settings.thresholds[name] is not THRESHOLDS[name] for name in LIMITS)


def named(found: pd.DataFrame, accounts: pd.DataFrame) -> pd.DataFrame:
    """What :func:`vip` found with name and the flag of public offices.

    Parameters
    ----------
    accounts
        name and is_official by account; any other account is left out.
    """
    found = found[codes(accounts.index, found["account_id"]) >= 0].reset_index(drop=True)
    known = accounts[["name", "is_official"]].reindex(found["account_id"])
    return found.assign(name=known["name"].to_numpy(), is_official=known["is_official"].to_numpy(dtype=bool))
