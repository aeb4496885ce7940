"""The smallest effect a panel could have shown: in the same month, from the design alone, or kept up, from a fit.

The error of a coming estimate of the same month is computed before any effect is looked at: from how much exposure
varies within accounts beside the month, and how much the outcome varies in the model *without* exposure. To keep the
effect itself out of it, exposure is moved against the outcome in time: every circular shift but zero, averaged.
Serial correlation of both, and the weight of large accounts, stay as they are. A strong effect stays in the outcome's
variation, so that the answer is somewhat too large where the effect is many times the answer.

What visits that are kept up could have shown hangs on how long they work on, which only a fit can tell. There the
answer is read from the interval of the long run itself, so that the two speak of one quantity, in one freedom.

Source: Bloom (1995) for the multiple of the error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from kamlib.errors import RequestError
from kamlib.studies.effects.ladder import Effect
from kamlib.studies.effects.panels import elasticity_factor, informative, non_negative, prepare
from kamlib.studies.effects.regressions import TWO_WAY, regress, residualise, unnested


@dataclass(frozen=True)
class DetectableEffect:
    """The smallest effect with a good chance of being seen.

    Attributes
    ----------
    effect : in the unit of the coming ``estimate`` of ppml_fe
    elasticity : the same in percent of outcome for one percent of exposure, at the outcome-weighted mean
    expected_error : standard error the estimate will have
    power, level : chance of an interval at ``level`` that leaves zero out, when the effect is this large
    exposure_variation : share of the exposure's variance that lies within accounts, months removed
    n, n_accounts, n_dropped, scale : as in :class:`kamlib.studies.effects.Effect`
    """

    effect: float
    elasticity: float
    expected_error: float
    power: float
    level: float
    exposure_variation: float
    n: int
    n_accounts: int
    n_dropped: dict[str, int]
    scale: str


@dataclass(frozen=True)
class LastingEffect:
    """The smallest lasting change of exposure with a good chance of being seen.

    Attributes
    ----------
    elasticity : percent of outcome for one percent of exposure kept up, the carry-over included
    reach : how far the interval at ``level`` reaches below the estimate, in the same unit
    freedom : of Student's t beneath both: effective clusters less one
    power : chance of an interval that leaves zero out, when the effect is this large. n_accounts : in the fit
    """

    elasticity: float
    reach: float
    freedom: float
    power: float
    level: float
    n_accounts: int


def smallest_detectable_effect(
    panel: pd.DataFrame,
    outcome: str = "revenue",
    exposure: str = "visits",
    *,
    power: float = 0.8,
    level: float = 0.90,
    unit: str = "account_id",
    time: str = "month",
    covariates: tuple[str, ...] = (),
    cluster=None,
    scale: str = "auto",
) -> DetectableEffect:
    """Say what a fixed-effects Poisson regression on this panel could detect, without estimating it.

    Raises
    ------
    RequestError
        for power or level outside (0, 1); as :func:`kamlib.studies.effects.effect` otherwise.

    Example
    -------
    >>> smallest_detectable_effect(panel, power=0.8).elasticity  # doctest: +SKIP
    """
    _refuse_shares(power, level)
    ready = prepare(panel, outcome, exposure, unit=unit, time=time, covariates=covariates, cluster=cluster, scale=scale)
    ready = informative(non_negative(ready))
    frame = regress(ready.frame, ready.controls, ready.cluster_columns, family="ppml").frame
    left = residualise(frame, "x", ready.controls, TWO_WAY)
    coarsest = min(unnested(frame, ready.cluster_columns), key=lambda column: frame[column].nunique())
    error = _expected_error(frame, left, coarsest)
    freedom = _effective_clusters(frame, left, coarsest) - 1
    smallest = float((stats.t.ppf(0.5 + level / 2, freedom) + stats.t.ppf(power, freedom)) * error)
    return DetectableEffect(
        effect=smallest,
        elasticity=smallest * elasticity_factor(ready, "log mean (Poisson)"),
        expected_error=error,
        power=power,
        level=level,
        exposure_variation=float(np.var(residualise(frame.assign(weight=1.0), "x", [], TWO_WAY)) / np.var(frame["x"])),
        n=len(frame),
        n_accounts=int(frame["unit"].nunique()),
        n_dropped=ready.dropped,
        scale=ready.scale,
    )


def smallest_lasting_effect(carry: Effect, power: float = 0.8) -> LastingEffect:
    """Say what lasting change the interval of a fit with carry-over would have told from none.

    The interval leaves zero out when the estimate exceeds its own reach; a power of 80 % asks for an effect larger
    than that by the same error times Student's quantile, with the clusters that the interval is judged by.

    Parameters
    ----------
    carry : an effect of method "adstock".

    Raises
    ------
    RequestError
        for an effect of another method, or a power outside (0, 1).

    Example
    -------
    >>> smallest_lasting_effect(effect(panel, method="adstock")).elasticity  # doctest: +SKIP
    """
    _refuse_shares(power, carry.level)
    if carry.method != "adstock":
        raise RequestError(f"a lasting effect needs the method 'adstock'; got an effect of {carry.method!r}")
    found, freedom = carry.diagnostics, max(carry.diagnostics["effective_clusters"] - 1, 1.0)
    reach = found["long_run_elasticity"] - found["long_run_elasticity_interval"][0]
    more = stats.t.ppf(power, freedom) / stats.t.ppf(0.5 + carry.level / 2, freedom)
    return LastingEffect(float(reach * (1 + more)), float(reach), float(freedom), power, carry.level, carry.n_accounts)


def _refuse_shares(power: float, level: float) -> None:
    if not (0 < power < 1 and 0 < level < 1):
        raise RequestError(f"power and level must lie between 0 and 1; got power={power!r}, level={level!r}")


def _effective_clusters(frame: pd.DataFrame, left: np.ndarray, cluster: str) -> float:
    """Clusters of equal information that would be worth as much, as :class:`Inference` counts them."""
    information = (frame["weight"] * left**2).groupby(frame[cluster]).sum()
    return float(information.sum() ** 2 / (information**2).sum())


def _expected_error(frame: pd.DataFrame, left: np.ndarray, cluster: str) -> float:
    """Root mean square of the chance estimate over circular shifts of exposure within account."""
    information = (frame["weight"].to_numpy() * left**2).sum()
    surprise = (frame["weight"] * frame["residual"]).to_numpy()
    rows = frame.groupby("unit")["time"].transform("size").to_numpy()
    position = frame.groupby("unit").cumcount().to_numpy()
    start = np.arange(len(frame)) - position
    groups = frame[cluster].to_numpy()
    squares = []
    for shift in range(1, rows.max()):
        moved = left[start + (position + shift) % rows]
        squares.append((np.bincount(groups, weights=moved * surprise) ** 2).sum())
    return float(np.sqrt(np.mean(squares)) / information)
