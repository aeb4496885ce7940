"""What all accounts are worth: moves between value classes, customer equity, and the loss of the largest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.errors import RequestError
from kamlib.studies.churn.timelines import Sales
from kamlib.studies.classes import LETTERS, abc
from kamlib.studies.markov import Homogeneity, SegmentChain

YEAR_DAYS = 365
YEARS_AHEAD = 5
FEWEST = 20


@dataclass(frozen=True, eq=False)
class Equity:
    """How accounts move between classes from year to year, and what that is worth.

    Attributes
    ----------
    floors : money a year from which an account is A, and from which it is B; set today and used for all years, so
        that nobody moves because a cut did.
    chain : moves of the last year. homogeneity : whether the year before had the same moves; None with less history.
    now : accounts by class today. yearly : mean margin a year of an account by class.
    projected : accounts by class 0 … 5 years ahead. revenue : expected margin of each of those years, no new
        accounts; year 0 is the one that has passed. equity, low, high : today's accounts over the five years ahead,
        discounted, with its interval.
    discount : rate a year.
    """

    floors: tuple[float, float]
    chain: SegmentChain
    homogeneity: Homogeneity | None
    now: pd.Series
    yearly: pd.Series
    projected: pd.DataFrame
    revenue: pd.Series
    equity: float
    low: float
    high: float
    discount: float


def equity(sales: Sales, cuts, discount: float = 0.10, level: float = 0.9, seed: int = 0) -> Equity | None:
    """Classes A, B and C by margin of the last 365 days, moves from the year before, and their worth.

    cuts : the two cumulative shares of today's ABC classes. None where the book is shorter than two years or has
    fewer than 20 accounts with margin a year ago, or none of them has any now.
    """
    if sales.as_of - 2 * YEAR_DAYS < sales.first - 31:
        return None
    floors = _floors(_yearly_margin(sales, sales.as_of), cuts)
    now, before = (_classes(sales, sales.as_of - back * YEAR_DAYS, floors) for back in (0, 1))
    if len(before) < FEWEST or not before.index.isin(now.index).any():
        return None
    states = [str(letter) for letter in LETTERS]
    chain = SegmentChain.fit(before, now, states=states, level=level)
    yearly = _yearly_margin(sales, sales.as_of).groupby(now).mean().reindex(states).fillna(0.0)
    counts = now.value_counts().reindex(states, fill_value=0)
    worth, low, high = _worth(chain, counts, yearly, discount, level, seed)
    projected = chain.project(counts, YEARS_AHEAD)
    return Equity(
        floors,
        chain,
        _homogeneity(sales, before, chain, floors, states),
        counts,
        yearly,
        projected,
        (projected[states] @ yearly).rename("margin"),
        worth,
        low,
        high,
        discount,
    )


def _yearly_margin(sales: Sales, moment: int) -> pd.Series:
    return pd.Series(sales.margin.total(moment - YEAR_DAYS, moment), sales.accounts)


def _floors(margin: pd.Series, cuts) -> tuple[float, float]:
    """The smallest margin of today's A accounts and of today's B accounts (of A where there is no B)."""
    positive = margin[margin > 0]
    if not len(positive):
        return 0.0, 0.0
    least = positive.groupby(abc(positive, cuts)).min()
    return float(least["A"]), float(least.get("B", least["A"]))


def _classes(sales: Sales, moment: int, floors: tuple[float, float]) -> pd.Series:
    """Class by margin of each account that bought in the year before a day; the others have none."""
    bought = sales.purchases.count(moment - YEAR_DAYS, moment) > 0
    margin = _yearly_margin(sales, moment)[bought]
    return pd.Series(np.where(margin >= floors[0], "A", np.where(margin >= floors[1], "B", "C")), margin.index)


def _homogeneity(sales: Sales, before: pd.Series, chain: SegmentChain, floors, states) -> Homogeneity | None:
    if sales.as_of - 3 * YEAR_DAYS < sales.first - 31:
        return None
    earliest = _classes(sales, sales.as_of - 2 * YEAR_DAYS, floors)
    try:
        return chain.homogeneity(SegmentChain.fit(earliest, before, states=states))
    except RequestError:  # no class had accounts at the start of both years: nothing to compare
        return None


def _worth(chain, counts, yearly, discount, level, seed) -> tuple[float, float, float]:
    """Worth of today's accounts over the years ahead, the present year left out, and its interval.

    Rows of a chain are estimated apart, so the squared reaches of the classes are added, not the reaches.
    """
    frame = chain.value_interval(yearly, YEARS_AHEAD, discount, level=level, seed=seed).loc[counts.index]
    total = float(counts @ (frame["value"] - yearly))
    below = float(np.sqrt((counts**2) @ (frame["value"] - frame["low"]) ** 2))
    above = float(np.sqrt((counts**2) @ (frame["high"] - frame["value"]) ** 2))
    return total, total - below, total + above


@dataclass(frozen=True, eq=False)
class Stress:
    """What the loss of the three largest accounts would do (K033).

    ``largest``: frame of those accounts: account_id, margin_year, share, risk. ``share``: of the year's margin in
    their hands. ``chance``: that at least one of them falls silent in its window, if they do so independently; NaN
    where none has a risk. ``equal_share``: what as many average accounts would hold. ``earning``: accounts that earned
    a margin in the year. ``earned``, ``lost``: what they earned, and what all others cost (zero or less).
    """

    largest: pd.DataFrame
    share: float
    chance: float
    equal_share: float
    earning: int
    earned: float
    lost: float


def concentration_stress(sales: Sales, risks: pd.Series, largest: int = 3) -> Stress:
    """The largest accounts by margin of the last 365 days; *risks* by account_id, missing where not judged."""
    margin = _yearly_margin(sales, sales.as_of)
    positive = margin[margin > 0]
    # Equal margins go by account, so that the order of rows never matters.
    top = positive.sort_index().sort_values(ascending=False, kind="stable").head(largest)
    total = positive.sum()
    known = risks.reindex(top.index)
    frame = pd.DataFrame({"account_id": top.index, "margin_year": top.to_numpy(), "risk": known.to_numpy()})
    return Stress(
        frame.assign(share=frame["margin_year"] / total if total else np.nan),
        float(top.sum() / total) if total else np.nan,
        float(1 - (1 - known.dropna()).prod()) if known.notna().any() else np.nan,
        len(top) / len(positive) if len(positive) else np.nan,
        len(positive),
        float(total),
        float(margin[margin < 0].sum()),
    )
