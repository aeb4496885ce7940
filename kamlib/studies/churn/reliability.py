"""How far the risks said on earlier days were off, and what that adds to a risk said today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import chi2, norm
from scipy.stats import t as student

from kamlib.studies.churn.logit import Logit

CERTAIN = 1e-6
FLATTEST = 0.2
LEAST_PENALTY = 0.01  # a slope drawn towards nothing would itself look too sure


@dataclass(frozen=True)
class Reliability:
    """What the back-test says about the risks of the method that speaks.

    Attributes
    ----------
    said, came : mean risk said on the days tested, and share that fell silent.
    gap, gap_low, gap_high : came less said, with its interval; accounts and days both count as drawn, since a bad
        quarter hits all accounts at once.
    slope, slope_low, slope_high : calibration slope with its interval; NaN where all risks were equal.
    level : of these intervals.
    drift : how far the log odds of all accounts move together from one day to the next, standard deviation about
        what was said, beyond chance.
    day_slopes : calibration slope of each day that had silences and orders. days_agree : probability that slopes lie as
        far apart by chance alone (Cochran's Q); NaN with fewer than two.
    days : days tested. windows : how many of them do not share days with another, so that they are tests apart.
    """

    said: float
    came: float
    gap: float
    gap_low: float
    gap_high: float
    slope: float
    slope_low: float
    slope_high: float
    level: float
    drift: float
    day_slopes: tuple[float, ...]
    days_agree: float
    days: int
    windows: int

    def redrawn(self, risks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(draws, n) risks, each row as they may be where slope and level are as uncertain as the days showed."""
        count = (len(risks), 1)
        slope = np.ones(count)
        if np.isfinite([self.slope, self.slope_low, self.slope_high]).all():
            error = (self.slope_high - self.slope_low) / (2 * norm.ppf((1 + self.level) / 2))
            slope = np.maximum(self.slope + error * rng.standard_normal(count), FLATTEST)
        shift = self.drift * rng.standard_t(max(self.days - 1, 1), count) if self.drift else 0.0
        centre = logit(np.clip(self.said, CERTAIN, 1 - CERTAIN))
        odds = logit(np.clip(risks, CERTAIN, 1 - CERTAIN))
        return expit(centre + slope * (odds - centre) + shift)


def reliability(
    said: pd.DataFrame, candidate: str, slope: Sequence[float], horizon_days: int, level: float = 0.9
) -> Reliability | None:
    """Compare what one candidate said with what came; None without an event, or where all fell silent.

    Parameters
    ----------
    said : rows of a back-test: account, moment, is_silent and a probability by candidate name.
    candidate : whose. slope : its calibration slope with both ends of its interval.
    horizon_days : days ahead, less than which apart two tests share days. level : of the intervals.
    """
    outcome, chance = said["is_silent"].to_numpy(float), said[candidate].to_numpy(float)
    if not 0 < outcome.sum() < len(outcome):
        return None
    rest, gap = outcome - chance, float((outcome - chance).mean())
    reach = _reach(rest - gap, said["account"].to_numpy(), said["moment"].to_numpy(), level)
    days = np.unique(said["moment"])
    on_day = [said["moment"].to_numpy() == day for day in days]
    shifts = [_shift(chance[at], outcome[at]) for at in on_day]
    slopes = [slope_of(chance[at], outcome[at], said["account"][at]) for at in on_day]
    moved, by_chance = np.transpose(shifts)
    return Reliability(
        float(chance.mean()), float(outcome.mean()), gap, gap - reach, gap + reach, *map(float, slope), level,
        float(np.sqrt(max(np.mean(moved**2 - by_chance), 0.0))), *_agree([s for s in slopes if s]), len(days),
        _apart(days, horizon_days),
    )  # fmt: skip


def _reach(rest: np.ndarray, accounts: np.ndarray, days: np.ndarray, level: float) -> float:
    """Half the interval of a mean of residuals, clustered by account and by day (Cameron, Gelbach & Miller 2011)."""
    variance = _clustered(rest, accounts)
    freedom = len(np.unique(accounts)) - 1
    if (tested := len(np.unique(days))) > 1:
        variance = max(variance, variance + _clustered(rest, days) - (rest**2).sum())
        freedom = tested - 1
    return float(student.ppf((1 + level) / 2, max(freedom, 1)) * np.sqrt(variance) / len(rest))


def _clustered(rest: np.ndarray, groups: np.ndarray) -> float:
    """Sum of the squared sums of the residuals of each group, with the small-sample factor."""
    sums = pd.Series(rest).groupby(groups).sum()
    return float((sums**2).sum()) * len(sums) / max(len(sums) - 1, 1)


def _shift(chance: np.ndarray, outcome: np.ndarray) -> tuple[float, float]:
    """How far the log odds of one day had to be moved for its count to be right, and the variance of that by chance.

    Half a silence and half an order are added, so that a day without any has a shift too.
    """
    odds = logit(np.clip(chance, CERTAIN, 1 - CERTAIN))
    share = (outcome.sum() + 0.5) / (len(outcome) + 1)
    shift = brentq(lambda moved: expit(odds + moved).mean() - share, -60, 60)
    spread = (expit(odds + shift) * (1 - expit(odds + shift))).sum()
    return shift, 1 / max(spread, 0.25)


def slope_of(chance: np.ndarray, outcome: np.ndarray, accounts) -> tuple[float, float] | None:
    """Calibration slope of one set of predictions and its standard error; None without both outcomes, or any spread.

    Examples
    --------
    >>> slope_of(np.array([0.2, 0.8] * 50), np.array([0, 1, 0, 1, 0, 1, 1, 0, 0, 1] * 10), range(100))[0] < 1.1
    True
    """
    odds = logit(np.clip(chance, CERTAIN, 1 - CERTAIN))
    if not 0 < outcome.sum() < len(outcome) or np.ptp(odds) < CERTAIN:
        return None
    fit = Logit.fit(odds[:, None], outcome, accounts, LEAST_PENALTY)
    return float(fit.params[1] / fit.scale[0]), float(np.sqrt(fit.covariance[1, 1]) / fit.scale[0])


def _agree(slopes: list[tuple[float, float]]) -> tuple[tuple[float, ...], float]:
    """The slopes, and the probability that they lie as far apart by chance (Cochran's Q)."""
    if len(slopes) < 2:
        return tuple(slope for slope, _ in slopes), np.nan
    slope, error = np.transpose(slopes)
    weight = 1 / error**2
    spread = weight @ (slope - weight @ slope / weight.sum()) ** 2
    return tuple(slope.tolist()), float(chi2.sf(spread, len(slope) - 1))


def _apart(days: np.ndarray, horizon_days: int) -> int:
    """How many of the days can be taken so that no two are less than a horizon apart."""
    count, last = 0, -np.inf
    for day in days:
        if day - last >= horizon_days:
            count, last = count + 1, day
    return count
