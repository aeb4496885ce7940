"""What churn means without a contract: silence against an account's own pace, and the windows it is judged over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.studies.churn.timelines import Sales
from kamlib.studies.silence import quiet_days

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
    code, _, gap = sales.purchases.gaps(upto)
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
    ``gap_median_days``, ``gaps``, ``window_days``, ``in_season_days`` and ``room_days`` (days of the silence so far and
    of the window, less those that lay in a quiet season of its own in earlier years), ``is_excused`` (silent but for
    them), ``bought_year_ago``
    (purchases in the coming window a year before; NaN where its history is shorter), ``status`` (active,
    off_season or silent) and ``is_judged``: whether it makes sense to ask if it falls silent in its window.
    """
    gap, gaps = usual_gaps(sales, moment, silence.own_gaps)
    last = sales.purchases.last(moment)
    gap = np.where(np.isnan(gap), float(horizon_days), gap)
    recency = moment - last
    window = np.ceil(np.maximum(horizon_days, silence.window_gaps * gap))
    first = np.where(np.isnan(last), np.nan, sales.purchases.first())
    bar = np.maximum(silence.gaps * gap, silence.floor_days)
    # A season that came and went without an order is no excuse.
    asleep = np.where(recency <= YEAR_DAYS, _quiet(sales, moment, bar, first, last, moment), 0.0)
    in_season, room = recency - asleep, window - _quiet(sales, moment, bar, first, moment, moment + window)
    # Nobody can be missed in a window in which, by its own habit, it is hardly ever due.
    is_dead_season = (room < window) & (room < silence.window_gaps * gap)
    status = np.where(in_season > bar, 2, np.where((recency > bar) | is_dead_season, 1, 0))
    frame = pd.DataFrame(
        {
            "first": first,
            "last": last,
            "purchases": sales.purchases.count(-1, moment),
            "recency_days": recency,
            "gap_median_days": gap,
            "gaps": gaps,
            "window_days": window,
            "in_season_days": in_season,
            "room_days": room,
            "is_excused": (recency > bar) & (in_season <= bar),
            "bought_year_ago": _year_before(sales, first, moment, moment + window),
            "status": np.array(STATUSES)[status],
            "is_judged": (status < 2) & ~is_dead_season,
        }
    )
    return frame[frame["last"].notna()]


def _quiet(sales: Sales, moment: int, bar: np.ndarray, first: np.ndarray, after, upto) -> np.ndarray:
    """Days of each account's span that lay in a quiet season of its own, from the gaps that are over by a day."""
    code, end, length = sales.purchases.gaps(moment)
    long = length > bar[code]
    code, end, length = code[long], end[long], length[long]
    span = [np.nan_to_num(np.broadcast_to(np.asarray(day, float), bar.shape), nan=moment) for day in (after, upto)]
    return quiet_days(code, end - length, end, first, *span)


def _year_before(sales: Sales, first: np.ndarray, after, upto) -> np.ndarray:
    """Purchases in the same days a year before, NaN where the account was not a customer yet."""
    earlier = np.asarray(after) - YEAR_DAYS
    bought = sales.purchases.count(np.nan_to_num(earlier, nan=-1), upto - YEAR_DAYS).astype(float)
    return np.where(first <= earlier, bought, np.nan)
