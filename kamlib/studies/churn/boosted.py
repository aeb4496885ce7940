"""Gradient boosting with the manners of our logit: probabilities, and intervals from accounts drawn again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.ensemble import HistGradientBoostingClassifier

from kamlib.studies.churn.logit import SMALLEST, Logit

RESAMPLES = 10


@dataclass(frozen=True, eq=False)
class Boosted:
    """Boosted trees, and the rows they were fitted to, from which accounts are drawn again when asked how sure."""

    model: HistGradientBoostingClassifier
    columns: np.ndarray
    outcome: np.ndarray
    groups: np.ndarray

    @classmethod
    def fit(cls, columns, outcome, groups) -> Boosted | Logit:
        """Fit shallow trees with a slow rate; without events, or without anything else, the usual rate alone.

        columns : (n, p); outcome : (n,) 0 or 1; groups : (n,) accounts.
        """
        if np.ptp(outcome) == 0:
            return Logit.fit(columns, outcome, groups)
        return cls(_trees(columns, outcome), columns, outcome, groups)

    def probability(self, columns) -> np.ndarray:
        """(n,) probabilities."""
        return np.clip(self.model.predict_proba(columns)[:, 1], SMALLEST, 1 - SMALLEST)

    def draws(self, columns, rng: np.random.Generator, count: int) -> np.ndarray:
        """(count, n) probabilities, each from the trees of one resample."""
        each = np.array([trees.predict_proba(columns)[:, 1] for trees in self._again])
        return each[rng.integers(len(each), size=count)]

    def interval(self, columns, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """(n,) lower and upper end of each probability, normal on the log odds of the resamples."""
        each = np.array([trees.predict_proba(columns)[:, 1] for trees in self._again])
        reach = norm.ppf((1 + level) / 2) * logit(np.clip(each, SMALLEST, 1 - SMALLEST)).std(axis=0)
        middle = logit(self.probability(columns))
        return expit(middle - reach), expit(middle + reach)

    @cached_property
    def _again(self) -> list[HistGradientBoostingClassifier]:
        accounts, place = np.unique(self.groups, return_inverse=True)
        size, rng = len(accounts), np.random.default_rng(0)
        drawn = [np.bincount(rng.integers(size, size=size), minlength=size)[place] for _ in range(RESAMPLES)]
        usable = [weights for weights in drawn if np.ptp(self.outcome[weights > 0]) > 0]
        held = [(weights > 0, weights) for weights in usable]  # who is not drawn costs time and adds nothing
        return [_trees(self.columns[there], self.outcome[there], weights[there]) for there, weights in held] or [
            self.model
        ]


def _trees(columns, outcome, weights=None) -> HistGradientBoostingClassifier:
    model = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=80, max_leaf_nodes=6, min_samples_leaf=30, l2_regularization=5.0, random_state=0
    )
    return model.fit(columns, outcome, sample_weight=weights)
