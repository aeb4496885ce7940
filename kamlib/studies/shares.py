"""Shares with their intervals: so many of so many, by group, and the difference of two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

LEVEL = 0.90


@dataclass(frozen=True)
class Share:
    """So many of so many.

    Attributes
    ----------
    hits, n : counts. value : hits / n; missing with n of 0. low, high : Wilson interval at :data:`LEVEL`.
    """

    hits: int
    n: int
    value: float
    low: float
    high: float


def share(flags) -> Share:
    """The share of true among flags; missing flags do not count.

    Examples
    --------
    >>> share([True, True, False, None]).n
    3
    """
    known = pd.Series(flags, dtype="object").dropna().astype(bool)
    return of(int(known.sum()), len(known))


def of(hits: int, n: int) -> Share:
    """The share of *hits* of *n*."""
    if not n:
        return Share(0, 0, np.nan, np.nan, np.nan)
    low, high = proportion_confint(hits, n, alpha=1 - LEVEL, method="wilson")
    return Share(hits, n, hits / n, float(low), float(high))


def difference(one: Share, other: Share, level: float = LEVEL) -> tuple[float, float, float]:
    """Share *one* less share *other*, with the ends of its Newcombe interval; missing where one has nobody."""
    if not one.n or not other.n:
        return np.nan, np.nan, np.nan
    ends = confint_proportions_2indep(
        one.hits, one.n, other.hits, other.n, compare="diff", method="newcomb", alpha=1 - level
    )
    return one.value - other.value, float(ends[0]), float(ends[1])


def by_group(frame: pd.DataFrame, group: str | Sequence[str], flag: str) -> pd.DataFrame:
    """The share of a flag in each group: the group, n, share, share_low, share_high."""
    keys = [group] if isinstance(group, str) else list(group)
    known = frame.dropna(subset=[flag, *keys])
    counts = known.assign(**{flag: known[flag].astype(bool)}).groupby(keys)[flag].agg(["sum", "size"]).reset_index()
    shares = [of(int(hits), int(n)) for hits, n in counts[["sum", "size"]].to_numpy()]
    values = {
        "n": [s.n for s in shares],
        "share": [s.value for s in shares],
        "share_low": [s.low for s in shares],
        "share_high": [s.high for s in shares],
    }
    return counts[keys].assign(**values)
