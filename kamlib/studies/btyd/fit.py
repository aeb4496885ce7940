"""Maximum likelihood for the buy-till-you-die models: rows checked and grouped, an optimum, standard errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from kamlib.errors import ModelError, RequestError

RUNAWAY = np.log(1e4)  # a parameter beyond 10,000 times (or below 1/10,000 of) the scale of the data
FAR = 0.7 * RUNAWAY
FLAT = 4.0  # standard error of a log parameter: known to a factor of 50 at best
CONVERGED = 1e-9  # log-likelihood still to be gained, in total
STILL = 1e-4  # a step in log parameters across which the Hessian stays what it is
SAMPLE_ROWS = 2_000  # distinct histories on which the starting points compete
ROUGH = 1e-2  # log-likelihood still to be gained when a starting point has shown where it leads
STEPS = 40
ADVICE = (
    "these accounts are too few or too alike for it (a or s to zero, b or beta alone to infinity: hardly anybody is "
    "seen to leave; s and beta together: all leave at one rate; r to infinity: all buy at one rate or by the calendar, "
    "see regularity and k); pool more accounts, take a longer history, or use another model."
)


@dataclass(frozen=True)
class Rows:
    """Distinct histories and how often each occurs: `columns` (c, n), `weights` (n,)."""

    columns: np.ndarray
    weights: np.ndarray

    @cached_property
    def frequencies(self) -> tuple[np.ndarray, np.ndarray]:
        """The distinct values of the first column and the weight of each: what depends on it alone is cheap."""
        values, at = np.unique(self.columns[0], return_inverse=True)
        return values, np.bincount(at, weights=self.weights)

    def total(self, values: np.ndarray) -> np.ndarray:
        """The weighted sum over histories, the last axis (not by BLAS, whose threads cost more than they save)."""
        return np.einsum("...n,n->...", values, self.weights)

    def sample(self, size: int) -> Rows:
        """At most `size` of the distinct histories, the same ones in every run."""
        if len(self.weights) <= size:
            return self
        chosen = np.random.default_rng(0).choice(len(self.weights), size, replace=False)
        return Rows(self.columns[:, chosen], self.weights[chosen])


Objective = Callable[[np.ndarray, Rows], tuple[float, np.ndarray]]


@dataclass(frozen=True)
class Estimate:
    """What a fit leaves behind; the values stand in the order of the model's parameter names."""

    values: tuple[float, ...]
    standard_errors: tuple[float, ...]
    log_likelihood: float
    n: int
    weights: float

    @classmethod
    def of(cls, values, covariance, log_likelihood, n, weights) -> Self:
        """The estimate with the standard errors that the covariance of the log parameters gives."""
        errors = values * np.sqrt(np.diag(covariance))
        return cls(tuple(values.tolist()), tuple(errors.tolist()), float(log_likelihood), n, float(weights))


@dataclass(frozen=True)
class Model:
    """What every model here shares: names of its parameters and, once fitted, their estimate."""

    names: ClassVar[tuple[str, ...]] = ()
    estimate: Estimate | None = field(default=None, kw_only=True)

    def with_params(self, **params: float) -> Self:
        """The model with known parameters, for planning, teaching and simulation; nothing is estimated.

        >>> from kamlib.studies.btyd import BetaGeoNBD
        >>> known = BetaGeoNBD().with_params(r=.243, alpha=4.414, a=.793, b=2.426)
        >>> round(known.expected_new(52), 2)
        1.45
        """
        if set(params) != set(self.names) or not all(0 < value < np.inf for value in params.values()):
            raise RequestError(
                f"{type(self).__name__} needs the positive numbers {', '.join(self.names)}; got {params}."
            )
        values = tuple(float(params[name]) for name in self.names)
        unknown = (np.nan,) * len(values)
        return replace(self, estimate=Estimate(values, unknown, np.nan, 0, 0.0))

    @property
    def params(self) -> pd.Series:
        """The parameters by name, in the time or money unit of the data."""
        return pd.Series(self._fitted().values, index=self.names, name="estimate")

    @property
    def standard_errors(self) -> pd.Series:
        """Standard errors by name, in the scale of the parameters (delta method from log parameters)."""
        return pd.Series(self._fitted().standard_errors, index=self.names, name="standard_error")

    @property
    def log_likelihood(self) -> float:
        """The sum over accounts, weighted, in the normalisation of the model's publication."""
        return self._fitted().log_likelihood

    @property
    def n(self) -> int:
        """Rows the model was fitted to."""
        return self._fitted().n

    @property
    def weights(self) -> float:
        """The sum of the weights of those rows; equal to `n` when no weights were given."""
        return self._fitted().weights

    def _fitted(self) -> Estimate:
        if self.estimate is None:
            name = type(self).__name__
            raise RequestError(f"{name} is not fitted yet: fitted = {name}().fit(…), then ask `fitted`.")
        return self.estimate


def grouped(columns: Sequence[np.ndarray], weights: np.ndarray) -> Rows:
    """Identical histories once, with their summed weights: same likelihood, a fraction of the work."""
    frame = pd.DataFrame(dict(enumerate(columns))).assign(weight=weights)
    sums = frame[frame.weight > 0].groupby(list(range(len(columns))), sort=False).weight.sum()
    distinct = [sums.index.get_level_values(i) for i in range(len(columns))]
    return Rows(np.array(distinct, float), sums.to_numpy())


def maximise(name: str, names: Sequence[str], objective: Objective, starts: np.ndarray, rows: Rows):
    """The parameters at the highest likelihood, and the covariance of their logarithms.

    objective(log_params, rows) gives the log-likelihood and its gradient. The starts compete on a sample of the
    distinct histories. The winner is refined on all of them by quasi-Newton steps, until the Hessian (differences
    of the analytic gradient) leaves less than CONVERGED to be gained. Raises ModelError without an inner maximum.
    """
    small = rows.sample(SAMPLE_ROWS)
    theta = max((_climb(objective, start, small) for start in np.log(starts)), key=lambda found: found[0])[1]
    guess = _negative_hessian(objective, theta, small) * (rows.weights.sum() / small.weights.sum())
    theta, hessian = _refine(name, names, objective, theta, guess, rows)
    return np.exp(theta), np.linalg.inv(hessian)


def _climb(objective: Objective, theta: np.ndarray, rows: Rows) -> tuple[float, np.ndarray]:
    """Quasi-Newton steps from one start, roughly: the log-likelihood reached and where.

    Not scipy's L-BFGS-B, which wakes BLAS threads for its four-by-four matrices: up to twenty times slower on a
    busy machine.
    """
    value, gradient = objective(theta, rows)
    hessian = _negative_hessian(objective, theta, rows, gradient)
    for _ in range(STEPS):
        step = _uphill(hessian, gradient, rows)
        if gradient @ step < ROUGH:
            break
        before = theta, gradient
        theta, value, gradient = _halve(objective, theta, step, value, gradient, rows)
        if (np.abs(theta) > RUNAWAY).any():
            break
        hessian = _updated(hessian, theta - before[0], before[1] - gradient)
    return value, np.clip(theta, -FAR, FAR)


def _refine(name, names, objective, theta, hessian, rows):
    """Quasi-Newton steps, halved until they gain: the log parameters at the optimum, minus the Hessian there."""
    value, gradient = objective(theta, rows)
    exact = False
    for _ in range(STEPS):
        step = _uphill(hessian, gradient, rows)
        if gradient @ step < CONVERGED and exact:
            _check_curved(name, names, theta, hessian, rows)
            return theta, hessian
        if gradient @ step < CONVERGED:
            hessian, exact = _negative_hessian(objective, theta, rows, gradient), True
            continue
        before = theta, gradient
        theta, value, gradient = _halve(objective, theta, step, value, gradient, rows)
        _check_bounds(name, names, theta, rows)
        if not exact or np.abs(theta - before[0]).max() > STILL:
            hessian, exact = _updated(hessian, theta - before[0], before[1] - gradient), False
    _check_bounds(name, names, theta, rows, limit=FAR)
    raise ModelError(f"{_case(name, rows)}: no convergence in {STEPS} steps ({_spelled(names, theta)}); {ADVICE}")


def _uphill(hessian, gradient, rows):
    """The Newton step with every curvature turned to climb, changing no parameter by more than a factor e^2."""
    curvature, directions = np.linalg.eigh(hessian)
    step = directions @ (directions.T @ gradient / np.maximum(np.abs(curvature), 1e-6 * rows.weights.sum()))
    return step / max(1.0, np.abs(step).max() / 2)


def _halve(objective, theta, step, value, gradient, rows):
    """The longest of step, step/2, step/4 … that does not lose likelihood."""
    for shrink in 0.5 ** np.arange(30):
        trial, slope = objective(theta + shrink * step, rows)
        if trial >= value:
            return theta + shrink * step, trial, slope
    return theta, value, gradient


def _updated(hessian, step, fall):
    """The Broyden-Fletcher-Goldfarb-Shanno update: the curvature just met, without another look at the data."""
    if fall @ step <= 0:
        return hessian
    met = hessian @ step
    return hessian + np.outer(fall, fall) / (fall @ step) - np.outer(met, met) / (met @ step)


def _negative_hessian(objective, theta, rows, gradient=None, width=1e-5):
    """Minus the second derivatives, as forward differences of the analytic gradient."""
    gradient = objective(theta, rows)[1] if gradient is None else gradient
    moved = [objective(theta + width * axis, rows)[1] for axis in np.eye(len(theta))]
    hessian = (gradient - np.array(moved)) / width
    return (hessian + hessian.T) / 2


def _check_curved(name, names, theta, hessian, rows):
    """A maximum that is flat in some direction is a ridge, not an estimate."""
    curvature, directions = np.linalg.eigh(hessian)
    errors = np.sqrt((directions**2 / np.maximum(curvature, 1e-12)).sum(axis=1))
    allowed = np.where(np.abs(theta) < FAR, FLAT, 1.0)  # far out even a small curvature is rounding
    flat = [names[i] for i in np.flatnonzero(errors > allowed)]
    if flat:
        where = f"the likelihood is flat in {' and '.join(flat)} ({_spelled(names, theta)}, in scaled units)"
        raise ModelError(f"{_case(name, rows)}: {where}; {ADVICE}")


def _check_bounds(name, names, theta, rows, limit=RUNAWAY):
    """A parameter beyond any scale in the data has no estimate; those on their way there are named with it."""
    if (np.abs(theta) < limit).all():
        return
    ways = zip(names, theta, strict=True)
    off = " and ".join(f"{n} to {'infinity' if t > 0 else 'zero'}" for n, t in ways if abs(t) >= FAR)
    where = f"{off} ({_spelled(names, theta)}, in scaled units)"
    raise ModelError(f"{_case(name, rows)}: the likelihood keeps growing as parameters run off, {where}; {ADVICE}")


def _case(name, rows) -> str:
    return f"{name} cannot be fitted to these {rows.weights.sum():g} accounts, {len(rows.weights)} distinct histories"


def _spelled(names, theta) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in zip(names, np.exp(theta), strict=True))


def refuse(bad: np.ndarray, what: str, remedy: str, labels: Sequence) -> None:
    """Raise RequestError if any row is bad, saying what, how many, which (the first five), and what to do."""
    rows = np.flatnonzero(bad)
    if len(rows) == 0:
        return
    which = ", ".join(str(labels[row]) for row in rows[:5]) + (", …" if len(rows) > 5 else "")
    raise RequestError(f"{len(rows)} of {len(bad)} rows: {what} (rows {which}); {remedy}.")


def checked_weights(weights, n: int) -> np.ndarray:
    """Weights as a float array (n,), ones when None; negative or missing ones are refused."""
    if weights is None:
        return np.ones(n)
    values = np.asarray(weights, float)
    if values.shape != (n,):
        raise RequestError(f"weights has shape {values.shape}, the data have {n} rows: give one for each row.")
    refuse(~(values >= 0), "weights below zero or missing", "give counts of accounts, zero or more", range(n))
    return values


def histories(frequency, recency, T):
    """Three float arrays (n,), refused where no account could have them, and a function that shapes answers."""
    given = {"frequency": frequency, "recency": _column(recency, "recency"), "T": _column(T, "T")}
    (x, recency, age), labels, shape = _arrays(given)
    refuse(~np.isfinite(x + recency + age), "a missing or infinite value", "drop or repair them", labels)
    refuse((x < 0) | (x != np.floor(x)), "frequency is not a count", "give repeat purchases, 0, 1, 2 …", labels)
    refuse(recency < 0, "recency below zero", "count from the first purchase to the last", labels)
    refuse(recency > age, "recency is later than T", "give all three the same as-of date and unit", labels)
    refuse((x == 0) & (recency > 0), "recency above zero without a repeat purchase", "give 0 there", labels)
    return x, recency, age, shape


def spending(frequency, mean_spend):
    """Two float arrays (n,), refused where a mean spend cannot be, and a function that shapes answers."""
    (x, spend), labels, shape = _arrays({"frequency": frequency, "mean_spend": mean_spend})
    refuse(~(np.isfinite(x) & (x >= 0)), "frequency below zero or missing", "give counts, 0, 1, 2 …", labels)
    remedy = "leave out accounts whose repeat purchases were all free"
    refuse((x > 0) & ~((spend > 0) & np.isfinite(spend)), "mean_spend is not above zero", remedy, labels)
    return x, spend, shape


def horizons(t) -> np.ndarray:
    """Lengths of time ahead as floats, refused below zero or missing."""
    t = np.asarray(t, float)
    bad = ~(np.isfinite(t) & (t >= 0)).ravel()
    refuse(bad, "t below zero or missing", "give a time ahead, zero or more", range(t.size))
    return t


def _column(values, name: str):
    """`s.T` of a plain frame is its transpose; the row named T of that is what was meant."""
    if isinstance(values, pd.DataFrame):
        if name not in values.index:
            raise RequestError(f"{name} is a frame without a row {name!r}: give the column, as in s[{name!r}].")
        return values.loc[name]
    return values


def _arrays(given: dict):
    """Columns as floats of one length, the labels of their rows, and a function that shapes answers alike."""
    series = [values for values in given.values() if isinstance(values, pd.Series)]
    if any(not one.index.equals(series[0].index) for one in series):
        raise RequestError(f"{', '.join(given)} have different indexes: take them from one frame.")
    sizes = {name: np.shape(values) for name, values in given.items() if np.ndim(values)}
    if len(set(sizes.values())) > 1 or any(len(size) != 1 for size in sizes.values()):
        raise RequestError(f"lengths differ: {', '.join(f'{name} {size}' for name, size in sizes.items())}.")
    try:
        columns = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, float)) for v in given.values()))
    except (TypeError, ValueError) as error:
        raise RequestError(f"{', '.join(given)} must be numbers: {error}.") from error
    index = series[0].index if series else None

    def shape(answer):
        if index is not None and len(answer) == len(index):
            return pd.Series(answer, index=index)
        return answer if sizes or len(answer) > 1 else float(answer[0])

    return columns, range(len(columns[0])) if index is None else index, shape
