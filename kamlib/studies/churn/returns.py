"""Accounts that fell silent and came back: how many silences last."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from statsmodels.duration.survfunc import SurvfuncRight

from kamlib.studies.churn.timelines import Sales

YEAR_DAYS = 365
FEWEST, LEAST_DAYS = 10, 180


@dataclass(frozen=True)
class Returns:
    """What became of accounts after a window without an order.

    ``silences`` followed, ``returned`` so far, and ``lasting``: share not back ``days`` after the window closed
    (Kaplan and Meier, since the latest have been followed for a short time only); 1 where ``is_known`` is false: with
    fewer than ten silences, or none of them followed for half a year.
    """

    silences: int
    returned: int
    lasting: float
    days: int

    @property
    def is_known(self) -> bool:
        """Whether there were silences enough, followed for long enough."""
        return self.silences >= FEWEST and self.days >= LEAST_DAYS


def returns(sales: Sales, said: pd.DataFrame) -> Returns:
    """Follow the accounts that fell silent in a back-test, each from its first window without an order.

    said : rows of a back-test: account (number), due (day the window closed), is_silent.
    """
    silent = said[said["is_silent"] == 1].sort_values("due").drop_duplicates("account")
    if not len(silent):
        return Returns(0, 0, 1.0, 0)
    closed, codes = silent["due"].to_numpy(float), silent["account"].to_numpy(int)
    upto = np.full(sales.purchases.size, float(sales.as_of))
    upto[codes] = closed
    back = sales.purchases.next(upto)[codes]
    is_back = back <= sales.as_of
    lasted = np.where(is_back, back, sales.as_of) - closed
    followed = int(min(lasted.max(), YEAR_DAYS))
    everyone = Returns(len(silent), int(is_back.sum()), 1.0, followed)
    if not everyone.is_known:
        return everyone
    curve = SurvfuncRight(np.maximum(lasted, 0.5), is_back.astype(int))
    known = curve.surv_prob[curve.surv_times <= YEAR_DAYS]
    return replace(everyone, lasting=float(known[-1]) if len(known) else 1.0)
