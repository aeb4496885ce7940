"""Partialling-out with machine learning: account-grouped, time-respecting cross-fitting (double machine learning).

Account effects are removed by backward orthogonal deviations (each value minus the mean of the account's own past,
scaled to keep the variance), which need no later data. What known-at-the-time history and covariates predict of
outcome and exposure is then learned by gradient boosting on *other accounts* and *earlier periods* only, and
subtracted; the residuals are regressed on each other with month effects, errors clustered.

Source: Chernozhukov et al. (2018), partially linear model; Arellano & Bover (1995) for orthogonal deviations;
Clarke & Polselli (2025) for panels.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from kamlib.errors import RequestError
from kamlib.studies.effects.panels import Panel, seen_twice, shifted
from kamlib.studies.effects.regressions import Fit, regress

TIME_BLOCKS = 4
LEAST_TRAINING_ROWS = 100
MOST_TRAINING_ROWS = 50_000  # a random part of more than this teaches the learner nothing else


@dataclass(frozen=True)
class Partialling:
    """A cross-fitted estimate.

    Attributes
    ----------
    panel : the rows that had a prediction; ``y`` and ``x`` are what the learners left over
    fit : the final regression, month effects absorbed
    explained : share of outcome and exposure variance the learners predicted out of sample
    """

    panel: Panel
    fit: Fit
    explained: dict[str, float]


def fit_partialled(panel: Panel, folds: int, seed: int) -> Partialling:
    """Cross-fit the nuisance functions and regress residual on residual.

    Raises
    ------
    RequestError
        when there are fewer accounts than folds, or too few rows to learn from.
    """
    moved = seen_twice(_deviations(panel))
    n_accounts = moved.frame["unit"].nunique()
    if not n_accounts:
        raise RequestError(f"no account has the months to learn from ({len(panel.frame)} rows); use method='ppml_fe'")
    if not 2 <= folds <= n_accounts:
        raise RequestError(f"folds must lie between 2 and the {n_accounts} accounts; got {folds}")
    features = _history(moved)
    frame = moved.frame.copy()
    explained = {}
    for column in ("y", "x"):
        predicted = _cross_predict(frame, features, column, folds, seed)
        explained[column] = _explained_share(frame[column][predicted.notna()], predicted.dropna())
        frame[f"{column}_left"] = frame[column] - predicted
    left = frame.assign(y=frame["y_left"], x=frame["x_left"])
    has_prediction = left[["y", "x"]].notna().all(axis=1)
    if not has_prediction.any():
        raise RequestError(f"too few earlier rows to learn from ({len(left)} in all); use method='ppml_fe'")
    ready = replace(moved, frame=left).keep(has_prediction, "first periods, kept to learn from")
    ready = seen_twice(ready)
    return Partialling(ready, regress(ready.frame, ["x"], ready.cluster_columns, effects=("time",)), explained)


def _deviations(panel: Panel) -> Panel:
    """Outcome and exposure minus the mean of the account's past, times √(t / (t + 1)); the first row is lost.

    Covariates stay as they are, with the mean of the account's past beside them: what they do need not be linear.
    """
    frame = panel.frame.copy()
    past = frame.groupby("unit").cumcount().to_numpy()
    for column in ["y", "x", *panel.controls]:
        values = frame[column].to_numpy()
        mean = (frame.groupby("unit")[column].cumsum().to_numpy() - values) / np.maximum(past, 1)
        if column in ("y", "x"):
            frame[column] = np.sqrt(past / (past + 1.0)) * (values - mean)
        else:
            frame[f"{column}_before"] = mean
    return replace(panel, frame=frame).keep(pd.Series(past > 0), "first month of an account (its own baseline)")


def _history(panel: Panel) -> pd.DataFrame:
    """(n, p) what was known before the month: recent outcome and exposure, covariates, the calendar."""
    frame = panel.frame
    features = {f"{column}_lag{lag}": shifted(frame, column, -lag) for column in ("y", "x") for lag in (1, 2, 3)}
    features |= {name: frame[name].to_numpy() for name in panel.controls}
    features |= {f"{name}_before": frame[f"{name}_before"].to_numpy() for name in panel.controls}
    features["season"] = frame["time"].to_numpy() % 12
    features["age"] = frame.groupby("unit").cumcount().to_numpy()
    return pd.DataFrame(features)


def _cross_predict(frame, features, column, folds, seed) -> pd.Series:
    """Predictions for each fold of accounts and block of periods from the other accounts' earlier periods."""
    fold = _account_folds(frame["unit"], folds, seed)
    block = pd.qcut(frame["time"].rank(method="dense"), TIME_BLOCKS, labels=False, duplicates="drop").to_numpy()
    centred = frame[column] - frame.groupby("time")[column].transform("mean")
    predicted = pd.Series(np.nan, index=frame.index)
    for test_fold, test_block in itertools.product(range(folds), range(1, block.max() + 1)):
        learn = _at_most(np.flatnonzero((fold != test_fold) & (block < test_block)), seed)
        test = (fold == test_fold) & (block == test_block)
        if len(learn) >= LEAST_TRAINING_ROWS and test.any():
            with threadpool_limits(1):  # trees this small are slower on several cores, on a busy machine tenfold
                learner = _learner(seed).fit(features.iloc[learn], centred.iloc[learn])
                predicted[test] = learner.predict(features[test])
    return predicted


def _at_most(rows: np.ndarray, seed: int) -> np.ndarray:
    if len(rows) <= MOST_TRAINING_ROWS:
        return rows
    return np.random.default_rng(seed).choice(rows, MOST_TRAINING_ROWS, replace=False)


def _account_folds(unit: pd.Series, folds: int, seed: int) -> np.ndarray:
    n_accounts = int(unit.max()) + 1
    return (np.random.default_rng(seed).permutation(n_accounts) % folds)[unit.to_numpy()]


def _learner(seed: int) -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(
        max_iter=60,
        max_leaf_nodes=8,
        learning_rate=0.1,
        min_samples_leaf=40,
        l2_regularization=1.0,
        random_state=seed,
    )


def _explained_share(values: pd.Series, predicted: pd.Series) -> float:
    if values.empty:
        return np.nan
    return float(1 - ((values - predicted) ** 2).sum() / ((values - values.mean()) ** 2).sum())
