"""How revenue is spread over accounts: Gini, Herfindahl, the share of the top fifth, bootstrap intervals.

Declared rules, the same everywhere:

* an account whose net value is below zero counts as zero: it brought nothing in, and shares stay between 0 and 1;
* the top 20 % of *n* accounts is 0.2 n accounts, and one at least; where that is not a whole number the last one
  counts pro rata, so that from five accounts on equal ones give exactly 20 %, and doubling them changes nothing;
* without any value above zero there are no shares: every figure is missing, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from kamlib.errors import RequestError

TOP_SHARE = 0.20


class Concentration(NamedTuple):
    """Three figures of one spread; each is missing (NaN) where no account has a value above zero.

    ``gini`` is the population form, 0 for equal accounts and 1 − 1/n for a single buyer among n; ``herfindahl``
    the sum of squared shares, 1/n to 1; ``top20_share`` the share of the largest fifth of the accounts.
    """

    gini: float
    herfindahl: float
    top20_share: float


@dataclass(frozen=True)
class Interval:
    """A figure with the percentile interval of its bootstrap over accounts."""

    value: float
    lower: float
    upper: float
    level: float


def money(values, what: str = "values") -> np.ndarray:
    """A 1-d array of floats from any sequence of amounts (Decimal included).

    Raises
    ------
    RequestError
        When it is not one-dimensional, or an amount is missing or infinite.
    """
    amounts = np.asarray(values)
    if amounts.ndim != 1:
        raise RequestError(f"{what} must be one amount an account, not an array of {amounts.ndim} dimensions")
    amounts = pd.to_numeric(pd.Series(amounts), errors="raise").to_numpy(dtype=float, na_value=np.nan)
    wrong = int((~np.isfinite(amounts)).sum())
    if wrong:
        raise RequestError(
            f"{wrong} of {len(amounts)} {what} are missing or infinite; leave those accounts out or mend them"
        )
    return amounts


def concentration(values) -> Concentration:
    """How concentrated amounts of money are over accounts.

    Parameters
    ----------
    values
        (n,) amounts, one for each account, net of returns, in any one currency.

    Raises
    ------
    RequestError
        When an amount is missing or infinite.

    Source: Gini (1912) in the population form, (2 Σ i xᵢ) / (n Σ xᵢ) − (n + 1) / n over ascending xᵢ;
    Herfindahl (1950).

    Examples
    --------
    >>> found = concentration([500, 200, 100, 60, 50, 30, 20, 20, 10, 10])
    >>> round(found.herfindahl, 3), round(found.gini, 3), round(found.top20_share, 2)
    (0.308, 0.628, 0.7)
    """
    ascending = np.sort(np.clip(money(values), 0, None))
    return Concentration(*(float(figure) for figure in _figures(ascending, np.ones(len(ascending)))))


def _figures(ascending: np.ndarray, weights: np.ndarray) -> tuple[float, float, float]:
    """Gini, Herfindahl and top share of amounts in ascending order, each counted ``weights`` times."""
    total = _sum(weights, ascending)
    if not total > 0:
        return np.nan, np.nan, np.nan
    shares = ascending / total  # before anything is squared or summed: no overflow, and money × k changes nothing
    count = np.cumsum(weights)
    n = count[-1]
    rank = count - (weights - 1) / 2
    gini = 2 * _sum(weights * rank, shares) / n - (n + 1) / n
    return max(gini, 0.0), _sum(weights, shares**2), _top(shares, weights, count)


def _top(shares: np.ndarray, weights: np.ndarray, count: np.ndarray) -> float:
    """What the top fifth of the accounts bring, the account at its edge pro rata."""
    below = count[-1] - max(TOP_SHARE * count[-1], 1.0)
    edge = np.searchsorted(count, below)
    return _sum(weights[edge + 1 :], shares[edge + 1 :]) + (count[edge] - below) * shares[edge]


def _sum(weights: np.ndarray, amounts: np.ndarray) -> float:
    # Not the dot product of BLAS, whose threads wait on each other for longer than this takes.
    return np.einsum("i,i->", weights, amounts)


def lorenz(values) -> pd.DataFrame:
    """The Lorenz curve from the largest account down, starting at the origin.

    Returns a frame with ``accounts_share`` and ``value_share``, both cumulative and from 0 to 1, one row for each
    account and one for the origin; the origin alone where no account has a value above zero.

    Examples
    --------
    >>> lorenz([60, 30, 10]).value_share.round(9).tolist()
    [0.0, 0.6, 0.9, 1.0]
    """
    descending = np.sort(np.clip(money(values), 0, None))[::-1]
    total = descending.sum()
    if not total > 0:
        return pd.DataFrame({"accounts_share": [0.0], "value_share": [0.0]})
    cumulative = np.concatenate([[0.0], np.cumsum(descending / total)])
    cumulative[-1] = 1.0
    return pd.DataFrame({"accounts_share": np.linspace(0, 1, len(descending) + 1), "value_share": cumulative})


def resample(values, draws: int, seed: int) -> np.ndarray:
    """Concentration of bootstrap samples of the accounts: a (draws, 3) array of gini, herfindahl, top20_share.

    Accounts are drawn with replacement; each sample costs one pass over amounts that are sorted once.
    """
    ascending = np.sort(np.clip(money(values), 0, None))
    n = len(ascending)
    if n == 0:
        return np.full((draws, 3), np.nan)
    rng = np.random.default_rng(seed)
    samples = (np.bincount(rng.integers(n, size=n), minlength=n).astype(float) for _ in range(draws))
    return np.array([_figures(ascending, weights) for weights in samples])


def intervals(values, draws: int, level: float, seed: int) -> dict[str, Interval]:
    """Each figure of :func:`concentration` with its percentile interval, by bootstrap over accounts.

    The interval says how far the figure would differ in another set of accounts drawn from the same market. With
    one account there is nothing to draw from: the ends are missing.

    The largest accounts weigh so much that these intervals come out somewhat narrow: on log-normal accounts
    (sigma 1) nominal 90 % intervals of the Gini held the truth in 77 % of samples of 100 accounts, 82 % of 300
    and 85 % of 1,000 (measured; the bias-corrected and the basic interval do no better).
    """
    point = concentration(values)
    ends = np.full((2, 3), np.nan)
    if len(values) > 1 and np.isfinite(point.gini):
        sampled = resample(values, draws, seed)
        ends = np.nanquantile(sampled, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return {
        name: Interval(value, float(low), float(high), level)
        for name, value, low, high in zip(point._fields, point, *ends, strict=True)
    }


def paired(columns: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Bootstrap concentration of several periods with the same accounts drawn: a (draws, periods, 3) array.

    Parameters
    ----------
    columns
        (accounts, periods) amounts; an account whose amount is missing in a period is not of that period.
    draws, seed
        Number of samples, and where the random numbers start.
    """
    accounts, periods = columns.shape
    order = [np.argsort(column)[: np.isfinite(column).sum()] for column in columns.T]
    ascending = [np.clip(column[rank], 0, None) for column, rank in zip(columns.T, order, strict=True)]
    found = np.full((draws, periods, 3), np.nan)
    rng = np.random.default_rng(seed)
    for draw in found:
        weights = np.bincount(rng.integers(accounts, size=accounts), minlength=accounts).astype(float)
        for period, rank in enumerate(order):
            draw[period] = _figures(ascending[period], weights[rank])
    return found
