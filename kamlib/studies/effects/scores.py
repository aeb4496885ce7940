"""Score tests by cluster: are further regressors zero, judged in the regression without them.

A Wald test of several regressors refuses too often with the clusters a book has. Where the effective number of clusters
is 20 or less the score is bootstrapped.

Source: Kline & Santos (2012) for the bootstrap of the score; Webb (2023) for the weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from kamlib.studies.effects.regressions import BOOTSTRAP_DRAWS, Fit, regress, residualise_all, webb_weights


def score_test(fit: Fit, sets: Sequence[Sequence[str]], given: Sequence[str], seed: int) -> tuple[float, str]:
    """(p-value, procedure) that all regressors of the sets are zero: the smallest of the sets' p-values × their number.

    Parameters
    ----------
    fit : of a regression on ``given`` and the regressors of all sets; its rows, clusters and effects are taken
    sets : regressors tested together, one test for each set (Bonferroni)
    given : regressors that stay in the model under the hypothesis
    seed : of the bootstrap
    """
    restricted = regress(fit.frame, given, fit.clusters, family=fit.family, effects=fit.effects)
    is_bootstrapped = fit.inference(seed, sets[0][0]).is_bootstrapped
    p_values = []
    for names in sets:
        scores, information = _scores(restricted, list(names), given)
        p_values.append(_bootstrap(scores, information, seed) if is_bootstrapped else _chi2(scores))
    name = "score bootstrap, Webb weights" if is_bootstrapped else "cluster-robust score test"
    return min(1.0, len(sets) * min(p_values)), name


def _chi2(scores: np.ndarray) -> float:
    total, spread = scores.sum(axis=0), scores.T @ scores
    statistic = total @ np.linalg.pinv(spread, hermitian=True) @ total
    return float(stats.chi2.sf(statistic, np.linalg.matrix_rank(spread)))


def _scores(restricted: Fit, names, given) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the regressors by cluster (G, names), and their information (names, names)."""
    frame = restricted.frame
    left = residualise_all(frame, names, given, restricted.effects)
    weight, surprise = frame["weight"].to_numpy(), frame["residual"].to_numpy()
    scores = pd.DataFrame(left * (weight * surprise)[:, None]).groupby(frame[restricted.coarsest].to_numpy()).sum()
    return scores.to_numpy(), left.T @ (left * weight[:, None])


def _bootstrap(scores: np.ndarray, information: np.ndarray, seed: int) -> float:
    weights = webb_weights(seed, (BOOTSTRAP_DRAWS, len(scores)))
    metric = np.linalg.pinv(information)
    observed = _size(scores.sum(axis=0)[None, :], metric)[0]
    return float((1 + (_size(weights @ scores, metric) >= observed).sum()) / (BOOTSTRAP_DRAWS + 1))


def _size(totals: np.ndarray, metric: np.ndarray) -> np.ndarray:
    return np.einsum("di,ij,dj->d", totals, metric, totals)
