"""The smallest effect a panel could have shown, computed before any effect is looked at.

The error of the coming estimate is taken from the design: how much exposure varies within accounts beside the
month, and how much the outcome varies in the model *without* exposure. To keep the effect itself out of it, exposure
is moved against the outcome in time: every circular shift but zero, averaged. Serial correlation of both, and the
weight of large accounts, stay as they are. A strong effect stays in the outcome's variation, so that the answer is
somewhat too large where the effect is many times the answer.

Source: Bloom (1995) for the multiple of the error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from kamlib.errors import RequestError
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
    if not (0 < power < 1 and 0 < level < 1):
        raise RequestError(f"power and level must lie between 0 and 1; got power={power!r}, level={level!r}")
    ready = prepare(panel, outcome, exposure, unit=unit, time=time, covariates=covariates, cluster=cluster, scale=scale)
    ready = informative(non_negative(ready))
    frame = regress(ready.frame, ready.controls, ready.cluster_columns, family="ppml").frame
    left = residualise(frame, "x", ready.controls, TWO_WAY)
    clusters = unnested(frame, ready.cluster_columns)
    error = _expected_error(frame, left, min(clusters, key=lambda column: frame[column].nunique()))
    freedom = max(frame[column].nunique() for column in clusters) - 1
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
