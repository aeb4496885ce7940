"""What the orders of each account say before any model: purchase days, recency, age, spend, regularity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from kamlib.errors import ModelError, RequestError

UNIT_DAYS = {"D": 1.0, "W": 7.0}


class Histories(pd.DataFrame):
    """A frame of histories whose `.T` is its column T, as meant in `model.fit(s.frequency, s.recency, s.T)`.

    Anything cut from it is a plain frame, whose `.T` transposes (the models take the row T from that as well).
    """

    @property
    def _constructor(self):
        return pd.DataFrame

    @property
    def T(self) -> pd.Series:
        return self["T"]


@dataclass(frozen=True)
class PurchaseDays:
    """Purchase days in order of account and day: `code` (n,) into `accounts`, `day` (n,), `revenue` (n,)."""

    accounts: pd.Index
    code: np.ndarray
    day: np.ndarray
    revenue: np.ndarray

    @property
    def gap_days(self) -> np.ndarray:
        """Days since the account's previous purchase day (n,); NaN at its first."""
        gap = np.diff(self.day, prepend=0).astype(float)
        gap[np.diff(self.code, prepend=-1) != 0] = np.nan
        return gap


def summarise(orders: pd.DataFrame, end, unit: str = "W") -> Histories:
    """One row per account: what the buy-till-you-die models need to know of its orders up to `end`.

    Lines of one account on one calendar day are one purchase. A day counts as a purchase when its lines sum to
    more than zero, or when it has only free lines; a day of returns, or one cancelled in full, does not. Accounts
    without a purchase up to `end` are absent. Orders after `end` change nothing.

    Parameters
    ----------
    orders : frame with account_id, order_date, revenue, one row per order line; other columns are ignored.
    end : the as-of date, a date or an ISO string, inclusive.
    unit : "W" for weeks of 7 days or "D" for days; fractions are kept.

    Returns
    -------
    Frame indexed by account_id, sorted: `frequency`, purchase days after the first; `recency`, time from the first
    to the last purchase day; `T`, time from the first purchase day to `end`; `mean_spend`, mean revenue of the
    purchase days after the first (the Gamma-Gamma convention of Fader, Hardie & Lee 2005), NaN without one.

    Raises RequestError for missing columns or values, a date that is none, or another unit.

    >>> dates = ["2026-01-01", "2026-01-15", "2026-01-15"]
    >>> orders = pd.DataFrame({"account_id": "A", "order_date": dates, "revenue": [10.0, 20.0, 5.0]})
    >>> summarise(orders, "2026-01-29").loc["A"].to_dict()
    {'frequency': 1.0, 'recency': 2.0, 'T': 4.0, 'mean_spend': 25.0}
    """
    days_per_unit = _days_per_unit(unit)
    days = _purchase_days(orders, end)
    n = np.bincount(days.code, minlength=len(days.accounts))
    last = np.cumsum(n) - 1
    first = last - n + 1
    repeat = np.where(np.isnan(days.gap_days), 0.0, days.revenue)
    total = np.bincount(days.code, weights=repeat, minlength=len(days.accounts))
    columns = {
        "frequency": n - 1,
        "recency": (days.day[last] - days.day[first]) / days_per_unit,
        "T": (_day_number(end) - days.day[first]) / days_per_unit,
        "mean_spend": total / np.where(n > 1, n - 1, np.nan),
    }
    return Histories(columns, index=days.accounts)


def log_gaps(orders: pd.DataFrame, end, unit: str = "W") -> pd.Series:
    """The sum of the logarithms of each account's gaps between purchase days; zero without a repeat purchase.

    Rows as in `summarise`. Given to `fit`, it makes the likelihoods of models of different k comparable.
    """
    days_per_unit = _days_per_unit(unit)
    days = _purchase_days(orders, end)
    logs = np.nan_to_num(np.log(days.gap_days / days_per_unit))
    sums = np.bincount(days.code, weights=logs, minlength=len(days.accounts))
    return pd.Series(sums, index=days.accounts, name="log_gaps")


class Regularity(float):
    """Wheat and Morrison's k: a number that carries its `interval`, `level`, `pairs` and `accounts`."""

    def __new__(cls, k: float, interval: tuple[float, float], level: float, pairs: int, accounts: int):
        """The estimate k as a float; the rest travels with it."""
        number = super().__new__(cls, k)
        number.k, number.interval, number.level = k, interval, level
        number.pairs, number.accounts = pairs, accounts
        return number

    def __repr__(self) -> str:
        low, high = self.interval
        return f"Regularity(k={self.k:.2f}, {self.level:.0%} interval {low:.2f} to {high:.2f}, {self.pairs} pairs)"


def regularity(orders: pd.DataFrame, level: float = 0.95) -> Regularity:
    """How regular the gaps between purchase days are: k = 1 random (exponential gaps), larger k clockwork.

    Wheat & Morrison (1990, Journal of Marketing Research 27, 87-93): if an account's gaps are gamma with shape k
    and whatever rate, M = gap 1 / (gap 1 + gap 2) is Beta(k, k), so Var M = 1 / (4 (2k + 1)) and
    k = (1 - 4 Var M) / (8 Var M). Every two successive gaps of an account make one pair, no gap is used twice, and
    Var M is the mean square about the known mean 1/2. The interval treats the pairs of one account as dependent.

    Gaps are whole days: accounts that buy every few days look more regular than they are. Columns and purchase
    days as in `summarise`. Raises ModelError with fewer than two accounts that have two gaps, or gaps all equal.

    >>> dates = ["2026-01-01", "2026-01-11", "2026-01-21", "2026-01-01", "2026-01-05", "2026-01-21"]
    >>> orders = pd.DataFrame({"account_id": list("AAABBB"), "order_date": dates, "revenue": 1.0})
    >>> float(regularity(orders)), regularity(orders).pairs
    (2.277777777777778, 2)
    """
    days = _purchase_days(orders, pd.Timestamp.max)
    gap = days.gap_days
    position = _position(days.code)
    second = np.flatnonzero((position >= 2) & (position % 2 == 0))
    code, share = days.code[second], gap[second - 1] / (gap[second - 1] + gap[second])
    accounts = len(np.unique(code))
    if accounts < 2:
        raise ModelError(
            f"{accounts} of {len(days.accounts)} accounts have three purchase days, regularity needs two or more: "
            "take a longer history, or assume k = 1."
        )
    square = (share - 0.5) ** 2
    variance = square.mean()
    if variance == 0:
        raise ModelError(
            f"all {len(square)} pairs of gaps are equal, so k has no finite estimate: these accounts order by the "
            "calendar; treat a missed date as the signal."
        )
    by_account = np.bincount(code, weights=square - variance)
    log_error = np.sqrt((by_account**2).sum()) / len(square) / variance
    reach = np.exp(norm.ppf((1 + level) / 2) * log_error)
    interval = (_shape(min(variance * reach, 0.25)), _shape(variance / reach))
    return Regularity(float(_shape(variance)), interval, level, len(square), accounts)


def _shape(variance: float) -> float:
    return float((1 - 4 * variance) / (8 * variance))


def _position(code: np.ndarray) -> np.ndarray:
    """0, 1, 2 … within each run of equal codes."""
    starts = np.flatnonzero(np.diff(code, prepend=-1))
    return np.arange(len(code)) - np.repeat(starts, np.diff(starts, append=len(code)))


def _days_per_unit(unit: str) -> float:
    if unit not in UNIT_DAYS:
        raise RequestError(
            f"unit {unit!r} is not one of {', '.join(map(repr, UNIT_DAYS))}: a model's time needs units of one "
            "length, which months do not have."
        )
    return UNIT_DAYS[unit]


def _day_number(date) -> int:
    try:
        stamp = pd.Timestamp(pd.to_datetime(date, format="ISO8601"))  # 03/09/2026 is not guessed at
    except (ValueError, TypeError) as error:
        raise RequestError(f"end {date!r} is not a date: write it as '2026-09-30'.") from error
    if stamp is pd.NaT:
        raise RequestError("end is missing: write it as '2026-09-30'.")
    return int(stamp.normalize().tz_localize(None).as_unit("s").value // 86_400_000_000_000)


def _purchase_days(orders: pd.DataFrame, end) -> PurchaseDays:
    absent = [name for name in ("account_id", "order_date", "revenue") if name not in orders.columns]
    if absent:
        raise RequestError(f"orders has no column {', '.join(absent)}: it has {', '.join(map(str, orders.columns))}.")
    _refuse_missing(orders)
    day = _day_numbers(orders["order_date"])
    seen = day <= _day_number(end)
    code, accounts = pd.factorize(orders["account_id"][seen], sort=True)
    return _merge_days(code, accounts.rename("account_id"), day[seen], _money(orders["revenue"])[seen])


def _refuse_missing(orders: pd.DataFrame) -> None:
    for name in ("account_id", "order_date", "revenue"):
        missing = int(orders[name].isna().sum())
        if missing:
            raise RequestError(
                f"{missing} of {len(orders)} orders have no {name} (first at row "
                f"{orders.index[orders[name].isna()][0]}): drop or repair them before summarising."
            )


def _day_numbers(dates: pd.Series) -> np.ndarray:
    """Days since 1970-01-01; the time of day is dropped."""
    try:
        stamps = pd.to_datetime(dates, format="ISO8601")  # 03/09/2026 is not guessed at
    except (ValueError, TypeError) as error:
        raise RequestError(f"order_date holds something that is not a date: {error}.") from error
    if stamps.dt.tz is not None:
        stamps = stamps.dt.tz_localize(None)
    return stamps.to_numpy().astype("datetime64[D]").astype(np.int64)


def _money(revenue: pd.Series) -> np.ndarray:
    try:
        return revenue.to_numpy(float)
    except (ValueError, TypeError) as error:
        raise RequestError(f"revenue holds something that is not a number: {error}.") from error


def _merge_days(code: np.ndarray, accounts: pd.Index, day: np.ndarray, revenue: np.ndarray) -> PurchaseDays:
    """Lines to purchase days, sorted by account and day, without the days that are no purchase."""
    if len(code) == 0:
        return PurchaseDays(accounts[:0], code, day, revenue)
    origin, span = day.min(), day.max() - day.min() + 1
    key, line = np.unique(code * span + (day - origin), return_inverse=True)
    net = np.bincount(line, weights=revenue)
    gross = np.bincount(line, weights=np.abs(revenue))
    bought = (net > 1e-9 * gross) | (gross == 0)  # a sum of cents that cancel is not exactly zero
    kept, code = np.unique(key[bought] // span, return_inverse=True)
    return PurchaseDays(accounts[kept], code, key[bought] % span + origin, net[bought])
