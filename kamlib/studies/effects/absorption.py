"""Account and month effects absorbed exactly: weighted residuals, and Poisson fits that are only needed by the dozen.

Both effects of a panel solve one linear system. Account effects are eliminated first, which leaves a system of the
size of the number of months, however many accounts there are: no iteration, and as many columns at once as wanted.
A Poisson regression is then a few such solutions (iteratively reweighted least squares).

The estimates a report shows come from pyfixest, in :mod:`kamlib.studies.effects.regressions`. What is here serves the
steps that fit one panel again and again — the profile of a carry-over, shuffled visits — and the residuals beneath
clustered errors; tests hold the two together.

Source: Frisch & Waugh (1933); Correia, Guimarães & Zylkin (2020) for the Poisson iterations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from kamlib.errors import ModelError

MOST_STEPS = 100
TOLERANCE = 1e-11  # of the deviance, as a share: coefficients are then right to six digits and more


@dataclass(frozen=True)
class PoissonFit:
    """A Poisson regression with both effects.

    Attributes
    ----------
    coefficients : (k,) of the regressors
    log_likelihood : Σ y log μ − μ, with y in units of its mean
    mean : (n,) μ in those units
    left : (n, k) regressors after the effects, in the weights of the fit
    surprise : (n,) working residual (y − μ) / μ
    """

    coefficients: np.ndarray
    log_likelihood: float
    mean: np.ndarray
    left: np.ndarray
    surprise: np.ndarray

    def partialled(self) -> np.ndarray:
        """(n,) the first regressor after the effects and the other regressors."""
        first, others = self.left[:, 0], self.left[:, 1:]
        return first - others @ _solve(others, first, self.mean) if others.shape[1] else first


@dataclass(frozen=True)
class TwoWay:
    """The accounts and months of a panel's rows, each numbered from 0 without holes.

    Example
    -------
    >>> rows = TwoWay.of(pd.DataFrame({"unit": [0, 0, 1, 1], "time": [0, 1, 0, 1]}))
    >>> rows.residuals(np.array([[1.0], [2.0], [5.0], [8.0]]), np.ones(4)).round(2).ravel().tolist()
    [0.5, -0.5, -0.5, 0.5]
    """

    unit: np.ndarray
    time: np.ndarray

    @classmethod
    def of(cls, frame: pd.DataFrame) -> TwoWay:
        return cls(pd.factorize(frame["unit"])[0], pd.factorize(frame["time"])[0])

    @cached_property
    def shape(self) -> tuple[int, int]:
        return int(self.unit.max()) + 1, int(self.time.max()) + 1

    def residuals(self, columns: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(n, k) columns after both effects, by weighted least squares with (n,) weights."""
        weighted = columns * weights[:, None]
        table = self._table(weights)
        by_unit = table.sum(axis=1)
        of_units, of_times = self._sums(self.unit, weighted), self._sums(self.time, weighted)
        system = np.diag(table.sum(axis=0)) - table.T @ (table / by_unit[:, None])
        months = np.linalg.pinv(system, hermitian=True) @ (of_times - table.T @ (of_units / by_unit[:, None]))
        units = (of_units - table @ months) / by_unit[:, None]
        return columns - units[self.unit] - months[self.time]

    def poisson(self, y: np.ndarray, regressors: np.ndarray, start: np.ndarray | None = None) -> PoissonFit:
        """Regress (n,) y on (n, k) regressors and both effects; ``start`` is the mean of a fit near this one.

        Raises
        ------
        ModelError
            when the iterations do not settle.
        """
        y = y / y.mean()
        mean = (y + 1) / 2 if start is None else start
        deviance = np.inf
        for _ in range(MOST_STEPS):
            linear = np.log(mean)
            left = self.residuals(np.column_stack([linear + (y - mean) / mean, regressors]), mean)
            coefficients = _solve(left[:, 1:], left[:, 0], mean)
            linear = linear + (y - mean) / mean - (left[:, 0] - left[:, 1:] @ coefficients)
            mean, before = np.exp(np.clip(linear, -60, 60)), deviance
            deviance = _deviance(y, mean)
            if abs(before - deviance) <= TOLERANCE * (abs(deviance) + 1):
                left = self.residuals(regressors, mean)
                likelihood = float((y * np.log(mean) - mean).sum())
                return PoissonFit(coefficients, likelihood, mean, left, (y - mean) / mean)
        raise ModelError(
            f"the Poisson regression did not converge in {MOST_STEPS} iterations; try fewer covariates or a log scale"
        )

    def _table(self, values: np.ndarray) -> np.ndarray:
        """(accounts, months) of (n,) values; what has no row is 0."""
        accounts, months = self.shape
        return np.bincount(self.unit * months + self.time, values, accounts * months).reshape(accounts, months)

    def _sums(self, groups: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """(groups, k) sums of (n, k) columns."""
        return np.column_stack([np.bincount(groups, column) for column in columns.T])


def _solve(left: np.ndarray, wanted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    weighted = left * weights[:, None]
    return np.linalg.lstsq(weighted.T @ left, weighted.T @ wanted, rcond=None)[0]


def _deviance(y: np.ndarray, mean: np.ndarray) -> float:
    is_sold = y > 0
    return float(2 * ((y[is_sold] * np.log(y[is_sold] / mean[is_sold])).sum() - (y - mean).sum()))
