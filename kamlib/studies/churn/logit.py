"""A small logit that cannot fail: standardised, lightly penalised, with errors clustered by account."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

SMALLEST = 1e-4


@dataclass(frozen=True, eq=False)
class Logit:
    """A fitted logit: ``params`` (1 + p,) on standardised columns, intercept first, and their ``covariance``.

    ``centre`` and ``scale`` (p,) standardise the columns, the penalty included; ``n`` rows and ``events`` it was
    fitted to.
    """

    params: np.ndarray
    covariance: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    n: int
    events: int

    @classmethod
    def fit(cls, columns, outcome, groups, penalty=1.0) -> Logit:
        """Fit by penalised likelihood.

        Parameters
        ----------
        columns : (n, p) numbers, none missing; outcome : (n,) 0 or 1; groups : (n,) accounts, whose rows are not
            independent.
        penalty : one number, or (p,) one for each column: half the squared standardised coefficients, times this,
            are taken off the log-likelihood. At one it matters only where the data say next to nothing, and no
            fit runs off to infinity; a column one would believe only on good evidence is given more.

        With no event, or nothing but events, or columns that do not vary, there is nothing to tell accounts apart
        by: the rate alone is fitted, half an event and half a non-event added (Jeffreys).
        """
        columns, outcome = np.asarray(columns, dtype=float), np.asarray(outcome, dtype=float)
        centre, scale = columns.mean(axis=0), columns.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0) * np.sqrt(penalty)
        n, events = len(outcome), int(outcome.sum())
        if events in (0, n) or not np.ptp(columns, axis=0).any():
            rate, size = (events + 0.5) / (n + 1), 1 + columns.shape[1]
            covariance = np.zeros((size, size))
            covariance[0, 0] = 1 / ((n + 1) * rate * (1 - rate))
            return cls(np.r_[logit(rate), np.zeros(size - 1)], covariance, centre, scale, n, events)
        standard = (columns - centre) / scale
        model = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-8).fit(standard, outcome)
        params = np.r_[model.intercept_, model.coef_[0]]
        covariance = _sandwich(np.column_stack([np.ones(n), standard]), outcome, params, groups)
        return cls(params, covariance, centre, scale, n, events)

    def log_odds(self, columns) -> np.ndarray:
        """(n,) log odds."""
        return self._design(columns) @ self.params

    def probability(self, columns) -> np.ndarray:
        """(n,) probabilities."""
        return np.clip(expit(self.log_odds(columns)), SMALLEST, 1 - SMALLEST)

    def interval(self, columns, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """(n,) lower and upper end of each probability, from the uncertainty of the coefficients."""
        design = self._design(columns)
        error = np.sqrt(np.einsum("ij,jk,ik->i", design, self.covariance, design))
        reach = norm.ppf((1 + level) / 2) * error
        middle = design @ self.params
        return tuple(np.clip(expit(middle + side * reach), SMALLEST, 1 - SMALLEST) for side in (-1, 1))

    def draws(self, columns, rng: np.random.Generator, count: int) -> np.ndarray:
        """(count, n) probabilities with coefficients drawn from their distribution."""
        params = rng.multivariate_normal(self.params, self.covariance, size=count, method="eigh")
        return expit(params @ self._design(columns).T)

    def contributions(self, columns) -> np.ndarray:
        """(n, p) what each column adds to the log odds, against the average account."""
        return ((np.asarray(columns, dtype=float) - self.centre) / self.scale) * self.params[1:]

    def _design(self, columns) -> np.ndarray:
        standard = (np.asarray(columns, dtype=float) - self.centre) / self.scale
        return np.column_stack([np.ones(len(standard)), standard])


def _sandwich(design, outcome, params, groups) -> np.ndarray:
    """Covariance of the coefficients when the rows of one account go together (Liang & Zeger 1986)."""
    chance = expit(design @ params)
    bread = (design * (chance * (1 - chance))[:, None]).T @ design
    bread[np.diag_indices_from(bread)] += np.r_[1e-9, np.ones(len(params) - 1)]
    _, group = np.unique(groups, return_inverse=True)
    scores = np.zeros((group.max() + 1, len(params)))
    np.add.at(scores, group, design * (outcome - chance)[:, None])
    inverse = np.linalg.inv(bread)
    count = len(scores)
    return inverse @ (scores.T @ scores) @ inverse * (count / max(count - 1, 1))
