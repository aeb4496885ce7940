"""How good a churn score was, once it is known who left: lift, AUC, Brier score, calibration, expected profit.

Scores are higher for accounts more likely to leave; labels are 1 for those that left. Every measure treats equal
scores alike, so the order of the rows never matters, and takes weights (n,) or, one row a resample, (draws, n):
that is how `interval` puts a bootstrap interval around any of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq, isotonic_regression
from scipy.special import betaincc, expit, logit
from scipy.stats import norm
from statsmodels.discrete.discrete_model import Logit
from statsmodels.stats.proportion import proportion_confint

from kamlib.errors import ModelError, RequestError

CERTAIN = 1e-6  # probabilities of 0 and 1 are moved in by this much where a logarithm of their odds is needed
CELLS = 2**22  # resampled rows held at once


@dataclass(frozen=True)
class Ranked:
    """Leavers and stayers at each distinct score, best score first: `scores` (g,), counts (draws, g)."""

    scores: np.ndarray
    left: np.ndarray
    stayed: np.ndarray
    is_single: bool

    def answer(self, values: np.ndarray):
        """A number when one sample was given, else one for each resample."""
        return float(values[0]) if self.is_single else values


def ranked(scores, labels, weights=None) -> Ranked:
    """Count leavers and stayers at each distinct score. Raises as `lift` does."""
    scores, labels = _checked(scores, labels)
    counts = np.ones((1, len(scores))) if weights is None else np.atleast_2d(np.asarray(weights, float))
    if counts.shape[1] != len(scores):
        raise RequestError(f"weights has shape {np.shape(weights)}, the scores {scores.shape}: one for each score.")
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.nan) != 0)
    left = np.add.reduceat(counts[:, order] * labels[order], starts, axis=1)
    total = np.add.reduceat(counts[:, order], starts, axis=1)
    return Ranked(scores[order][starts], left, total - left, weights is None or np.ndim(weights) == 1)


def lift(scores, labels, share: float = 0.1, weights=None):
    """How many times more leavers there are among the top `share` of the scores than among all accounts.

    Where the cut falls among equal scores, or inside an account, the part counted is the expected one: the mean
    over all orders of the ties. 1 is no better than chance. Raises RequestError for scores or labels that are none
    or missing, and, as all measures here, ModelError when all accounts left or none did.

    >>> lift([.9, .8, .2, .1], [1, 0, 0, 0], share=.25)
    4.0
    """
    if not 0 < share <= 1:
        raise RequestError(f"share is {share}, it must lie above 0 and not above 1, as in 0.1 for the top tenth.")
    r = ranked(scores, labels, weights)
    total = r.left + r.stayed
    above = np.cumsum(total, axis=1) - total
    size = share * total.sum(axis=1, keepdims=True)
    part = np.clip((size - above) / np.maximum(total, 1e-300), 0, 1)
    return r.answer((part * r.left).sum(axis=1) / size[:, 0] * total.sum(axis=1) / r.left.sum(axis=1))


def top_decile_lift(scores, labels, weights=None):
    """The lift of the top tenth of the scores."""
    return lift(scores, labels, 0.1, weights)


def auc(scores, labels, weights=None):
    """Area under the ROC curve: the probability that a leaver scores above a stayer, ties counting half."""
    r = ranked(scores, labels, weights)
    above = np.cumsum(r.left, axis=1) - r.left / 2
    return r.answer((r.stayed * above).sum(axis=1) / (r.left.sum(axis=1) * r.stayed.sum(axis=1)))


def pr_auc(scores, labels, weights=None):
    """Average precision: precision at each distinct score, weighted by the recall gained there.

    The same number as scikit-learn's average_precision_score; a score without information gives the base rate.
    """
    r = ranked(scores, labels, weights)
    found = np.cumsum(r.left, axis=1)
    precision = found / np.maximum(np.cumsum(r.left + r.stayed, axis=1), 1e-300)
    return r.answer((r.left * precision).sum(axis=1) / r.left.sum(axis=1))


def brier(scores, labels, weights=None):
    """Mean squared error of predicted probabilities: 0 is perfect. Raises RequestError if they are none."""
    r = ranked(_probabilities(scores), labels, weights)
    squares = r.left * (1 - r.scores) ** 2 + r.stayed * r.scores**2
    return r.answer(squares.sum(axis=1) / (r.left + r.stayed).sum(axis=1))


def empc(scores, labels, benefit=200.0, incentive=10.0, contact=1.0, beta=(6.0, 14.0), weights=None):
    """Expected maximum profit of a retention campaign, per account, at the best cut for each chance of success.

    A contacted leaver is kept with probability g ~ Beta(*beta) and then brings `benefit` minus `incentive`; every
    contact costs `contact`; a contacted stayer takes the incentive too. Worth contacting, given g, are the
    segments of the ROC curve's convex hull with leavers enough. The hull is an isotonic regression of the labels
    on the scores, so only the order of the scores matters.

    Verbraken, Verbeke & Baesens (2013), A novel profit maximizing metric for measuring classification performance
    of customer churn prediction models, IEEE Transactions on Knowledge and Data Engineering 25(5), 961-973.

    >>> round(empc([.9, .8, .2, .1], [1, 0, 0, 0]), 3)
    14.0
    """
    if not (benefit > incentive >= 0 and contact >= 0 and min(beta) > 0):
        raise RequestError(
            f"benefit {benefit}, incentive {incentive}, contact {contact}, beta {beta}: the benefit must exceed "
            "the incentive, and none may be negative."
        )
    r = ranked(scores, labels, weights)
    profits = [_profit(*draw, benefit, incentive, contact, beta) for draw in zip(r.left, r.stayed, strict=True)]
    return r.answer(np.array(profits))


def _profit(left, stayed, benefit, incentive, contact, beta):
    """One sample's profit: every hull segment is contacted for the chances of success that make it pay."""
    some = left + stayed > 0
    left, stayed = left[some], stayed[some]
    n = left + stayed
    segments = isotonic_regression(left / n, weights=n, increasing=False).blocks[:-1]
    left, stayed = np.add.reduceat(left, segments), np.add.reduceat(stayed, segments)
    left, stayed = left[left > 0], stayed[left > 0]  # without a leaver no contact pays
    pays_from = np.minimum((contact + (incentive + contact) * stayed / left) / (benefit - incentive), 1)
    contacted = betaincc(*beta, pays_from)
    kept = beta[0] / sum(beta) * betaincc(beta[0] + 1, beta[1], pays_from)
    won = left * ((benefit - incentive) * kept - contact * contacted)
    return (won - stayed * (incentive + contact) * contacted).sum() / n.sum()


@dataclass(frozen=True)
class Calibration:
    """Whether predicted probabilities came true.

    `slope`, 1 if right, below 1 if predictions are too extreme, with its interval; `intercept` of the same
    regression; `in_the_large`, the shift of all log odds that makes the mean right, above 0 if more left than
    predicted; `curve`, one row for each bin of accounts: predicted, observed, low, high, n.
    """

    slope: float
    slope_interval: tuple[float, float]
    intercept: float
    in_the_large: float
    curve: pd.DataFrame


def calibration(scores, labels, bins: int = 10, level: float = 0.95) -> Calibration:
    """Logistic regression of what happened on the log odds predicted, and the two compared in bins of equal size.

    Cox (1958), Two further applications of a model for binary regression, Biometrika 45, 562-565. Probabilities of
    0 and 1 are taken as 1e-6 from there. Accounts of equal score share a bin, so there may be fewer than `bins`;
    the interval of the observed share is Wilson's. Raises ModelError when the scores separate the labels, or are all
    equal.
    """
    scores, labels = _checked(_probabilities(scores), labels)
    odds = logit(np.clip(scores, CERTAIN, 1 - CERTAIN))
    fit = _logistic(odds, labels)
    (intercept, slope), error = fit.params, fit.bse[1]
    reach = norm.ppf((1 + level) / 2) * error
    shift = brentq(lambda a: expit(odds + a).mean() - labels.mean(), -50, 50)
    curve = _curve(scores, labels, bins, level)
    return Calibration(float(slope), (float(slope - reach), float(slope + reach)), float(intercept), shift, curve)


def _logistic(odds, labels):
    if np.ptp(odds) < 1e-9:
        raise ModelError(f"all {len(odds)} predicted probabilities are equal: a slope needs two or more.")
    left, stayed = odds[labels == 1], odds[labels == 0]
    if left.min() >= stayed.max() or left.max() <= stayed.min():
        raise ModelError(
            f"the scores separate the {len(left)} leavers from the {len(stayed)} stayers: the slope is infinite; "
            "use more accounts."
        )
    fit = Logit(labels, np.column_stack([np.ones_like(odds), odds])).fit(disp=0)
    if not fit.mle_retvals["converged"]:
        raise ModelError(f"the calibration of {len(odds)} probabilities did not converge: use more accounts.")
    return fit


def _curve(scores, labels, bins, level) -> pd.DataFrame:
    frame = pd.DataFrame({"predicted": scores, "observed": labels})
    middle = (frame.predicted.rank(method="average") - 0.5) / len(frame)
    grouped = frame.groupby(np.floor(middle * bins).astype(int).to_numpy())
    curve = grouped.mean().assign(n=grouped.size())
    low, high = proportion_confint(grouped["observed"].sum(), curve.n, 1 - level, method="wilson")
    # At none and at all of them, rounding sets the end a hair inside what was observed.
    low, high = np.minimum(low, curve.observed), np.maximum(high, curve.observed)
    return curve.assign(low=low, high=high)[["predicted", "observed", "low", "high", "n"]].reset_index(drop=True)


def interval(
    metric: Callable, scores, labels, seed: int, draws: int = 1000, level: float = 0.95, accounts=None
) -> tuple[float, float]:
    """The percentile bootstrap interval of a measure of this module, resampling accounts.

    metric : called as metric(scores, labels, weights=counts) with counts (draws, n).
    accounts : (n,) the account of each row when one has several (more than one cut-off); its rows go together.

    Resamples without a leaver or without a stayer are left out. Raises ModelError when they are more than one in
    twenty, as with two leavers.

    >>> low, high = interval(top_decile_lift, np.arange(100), np.arange(100) >= 80, seed=1)
    >>> low < 5 <= high
    True
    """
    checked, left = _checked(scores, labels)
    code = np.arange(len(left)) if accounts is None else pd.factorize(np.asarray(accounts))[0]
    if len(code) != len(left):
        raise RequestError(f"accounts has {len(code)} rows, scores has {len(left)}: give one for each.")
    rng = np.random.default_rng(seed)
    rows = max(1, CELLS // len(left))
    sizes = [min(rows, draws - start) for start in range(0, draws, rows)]
    values = np.concatenate([_resampled(metric, checked, left, code, rng, size) for size in sizes])
    lost = draws - len(values)
    if lost > draws / 20:
        raise ModelError(
            f"{lost} of {draws} resamples have no leaver or no stayer ({left.sum():g} of {len(left)} left): too few "
            "for an interval; pool more accounts or periods."
        )
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _resampled(metric, scores, labels, code, rng, draws):
    accounts = code.max() + 1
    drawn = rng.integers(accounts, size=(draws, accounts)) + accounts * np.arange(draws)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=draws * accounts).reshape(draws, accounts)[:, code]
    usable = (counts @ labels > 0) & (counts @ (1 - labels) > 0)
    return np.asarray(metric(scores, labels, weights=counts[usable])) if usable.any() else np.empty(0)


def _checked(scores, labels) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels as floats (n,), refused unless both classes are there and nothing is missing."""
    if isinstance(scores, pd.Series) and isinstance(labels, pd.Series) and not scores.index.equals(labels.index):
        raise RequestError("scores and labels have different indexes: take them from one frame.")
    scores, labels = np.asarray(scores, float), np.asarray(labels, float)
    if scores.ndim != 1 or scores.shape != labels.shape:
        raise RequestError(f"scores has shape {scores.shape}, labels {labels.shape}: give one label for each score.")
    missing = int((~np.isfinite(scores)).sum())
    if missing:
        raise RequestError(f"{missing} of {len(scores)} scores are missing or infinite: score or drop them.")
    if not np.isin(labels, (0, 1)).all():
        raise RequestError("labels must be 1 for accounts that left and 0 for those that stayed, none missing.")
    if labels.sum() in (0, len(labels)):
        raise ModelError(
            f"{labels.sum():g} of {len(labels)} accounts left: scores are judged by telling leavers from stayers, "
            "so both are needed; take a longer horizon or more accounts."
        )
    return scores, labels


def _probabilities(scores):
    values = np.asarray(scores, float)
    outside = int(((values < 0) | (values > 1)).sum())
    if outside:
        raise RequestError(f"{outside} of {values.size} scores lie outside 0 to 1: probabilities are needed.")
    return scores
