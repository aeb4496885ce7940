"""What churn means without a contract: silence against an account's own pace, and the windows it is judged over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.studies.churn.timelines import Sales

YEAR_DAYS = 365
STATUSES = ("active", "off_season", "silent")


@dataclass(frozen=True)
class Silence:
    """When an account counts as silent, and how long it is watched.

    Parameters
    ----------
    gaps : silent after this many of its own usual gaps without an order, …
    floor_days : … and never before this many days.
    window_gaps : an account is watched for the horizon, or for this many of its usual gaps where that is longer,
        because a buyer who orders twice a year cannot be missed within a quarter.
    own_gaps : gaps of all accounts that an account's own median is weighed against; one by default, so that an
        account with one gap goes half by its own and one with nine nearly all.
    """

    gaps: float = 3.0
    floor_days: float = 30.0
    window_gaps: float = 1.5
    own_gaps: float = 1.0


USUAL = Silence()


def usual_gaps(sales: Sales, upto: int, own_gaps: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Usual gap in days of each account up to a day, and how many gaps it rests on.

    The median of its own gaps, drawn towards the median of all accounts as if that were *own_gaps* gaps more
    (on the log scale). NaN for all when nobody has ordered twice.
    """
    code, gap = sales.purchases.gaps(upto)
    size = sales.purchases.size
    count = np.bincount(code, minlength=size)
    if not len(gap):
        return np.full(size, np.nan), count
    own = pd.Series(gap).groupby(code).median().reindex(range(size)).to_numpy()
    pooled = np.log(np.median(own[count > 0]))
    share = count / (count + own_gaps)
    gaps = np.exp(share * np.where(count > 0, np.log(own), 0.0) + (1 - share) * pooled)
    return np.round(gaps, 6), count  # twenty days are twenty, not a hair less by way of logarithms


def standing(sales: Sales, moment: int, horizon_days: int, silence: Silence = USUAL) -> pd.DataFrame:
    """How every account that ever bought stands on a day, from what was known on it.

    Returns
    -------
    Frame indexed by account number: ``first``, ``last`` (day numbers), ``purchases`` (so far), ``recency_days``,
    ``gap_median_days``, ``gaps``, ``lateness`` (recency over usual gap), ``window_days``, ``bought_year_ago``
    (purchases in the coming window a year before; NaN where its history is shorter), ``status`` (active,
    off_season or silent) and ``is_judged``: whether it makes sense to ask if it falls silent in its window.
    """
    gap, gaps = usual_gaps(sales, moment, silence.own_gaps)
    last = sales.purchases.last(moment)
    gap = np.where(np.isnan(gap), float(horizon_days), gap)
    recency = moment - last
    window = np.ceil(np.maximum(horizon_days, silence.window_gaps * gap))
    first = np.where(np.isnan(last), np.nan, sales.purchases.first())
    before = _year_before(sales, first, last, moment)
    ahead = _year_before(sales, first, moment, moment + window)
    is_late = recency > np.maximum(silence.gaps * gap, silence.floor_days)
    status = np.where(is_late, np.where(_is_quiet(before, recency, gap, silence), 1, 2), 0)
    # A window that was empty a year ago although several orders fit into it says nothing when it is empty again.
    is_dead_season = _is_quiet(ahead, window, gap, silence)
    frame = pd.DataFrame(
        {
            "first": first,
            "last": last,
            "purchases": sales.purchases.count(-1, moment),
            "recency_days": recency,
            "gap_median_days": gap,
            "gaps": gaps,
            "lateness": recency / gap,
            "window_days": window,
            "bought_year_ago": ahead,
            "status": np.array(STATUSES)[np.where((status < 2) & is_dead_season, 1, status)],
            "is_judged": (status < 2) & ~is_dead_season,
        }
    )
    return frame[frame["last"].notna()]


def _year_before(sales: Sales, first: np.ndarray, after, upto) -> np.ndarray:
    """Purchases in the same days a year before, NaN where the account was not a customer yet."""
    earlier = np.asarray(after) - YEAR_DAYS
    bought = sales.purchases.count(np.nan_to_num(earlier, nan=-1), upto - YEAR_DAYS).astype(float)
    return np.where(first <= earlier, bought, np.nan)


def _is_quiet(bought: np.ndarray, days: np.ndarray, gap: np.ndarray, silence: Silence) -> np.ndarray:
    """Whether the days were all but empty a year ago too, although the usual gap fits several times into them.

    One order is let pass: a season does not begin on the same day each year.
    """
    several = days > silence.gaps * gap
    return several & (bought <= np.where(days > 2 * silence.gaps * gap, 1, 0))
