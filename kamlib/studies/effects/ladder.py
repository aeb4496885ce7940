"""What an exposure (visits) does to an outcome (sales) in an account × month panel: one estimate per method.

The ladder, from the trap to the estimates that survive targeting:

==========  ====================================================================================================
pooled      no account effects. Exposure in logs: OLS of log outcome, on months with an outcome. Exposure in
            levels: NB2 for a count outcome, Poisson otherwise; the outcome's lag is a control where the panel
            carries it as ``lagged_<outcome>``
ols_fe      account and month effects, least squares; outcome in logs where the exposure is, else as it is
ppml_fe     account and month effects, Poisson pseudo-likelihood; keeps the months without sales
adstock     ppml_fe on a geometrically decaying stock of exposure, λ by profile likelihood
dml         partialling-out by machine learning, cross-fitted across accounts and forward in time
==========  ====================================================================================================

No method ever takes log(outcome + 1). Sources: Santos Silva & Tenreyro (2006) for Poisson pseudo-likelihood;
Manchanda, Chintagunta & Rossi (2004) for visits aimed at accounts; the modules below for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from kamlib.errors import RequestError
from kamlib.studies.effects.carryover import fit_carryover
from kamlib.studies.effects.panels import (
    Panel,
    elasticity_factor,
    informative,
    non_negative,
    numbered,
    prepare,
    seen_twice,
)
from kamlib.studies.effects.partialling import fit_partialled
from kamlib.studies.effects.regressions import TWO_WAY, Fit, Inference, negative_binomial, regress

METHODS = ("pooled", "ols_fe", "ppml_fe", "adstock", "dml")


@dataclass(frozen=True)
class Effect:
    """An estimated effect of an exposure on an outcome.

    Attributes
    ----------
    method, outcome, exposure : what was asked
    estimate : in ``scale`` "log" or "logged" the elasticity; in "log1p" the coefficient of log(1 + exposure); in
        "level" the effect of one more unit of exposure, on the log of the mean outcome (pooled, ppml_fe, adstock)
        or in units of the outcome (ols_fe, dml). For adstock the effect within the period; the long run is in
        ``diagnostics``
    interval : (low, high) at ``level``
    standard_error, p_value : clustered; against no effect
    n, n_accounts : rows and accounts in the regression
    n_dropped : reason → rows left out
    scale : how the exposure entered
    elasticity, elasticity_interval : percent more total outcome for one percent more exposure everywhere; in levels
        it is taken at the outcome-weighted mean of the exposure
    coefficients : all coefficients but the effects
    diagnostics : clusters, inference, converged, controls, and what the method adds (lambda, long_run, profile…)
    """

    method: str
    outcome: str
    exposure: str
    estimate: float
    interval: tuple[float, float]
    level: float
    standard_error: float
    p_value: float
    n: int
    n_accounts: int
    n_dropped: Mapping[str, int]
    scale: str
    elasticity: float
    elasticity_interval: tuple[float, float]
    coefficients: Mapping[str, float]
    diagnostics: Mapping[str, Any] = field(default_factory=dict)


def effect(
    panel: pd.DataFrame,
    outcome: str = "revenue",
    exposure: str = "visits",
    method: str = "ppml_fe",
    *,
    unit: str = "account_id",
    time: str = "month",
    covariates: tuple[str, ...] | None = None,
    cluster: tuple[str, ...] | str | None = None,
    scale: str = "auto",
    month_effects: bool = True,
    level: float = 0.90,
    seed: int = 0,
    folds: int = 5,
    burn_in: int = 3,
) -> Effect:
    """Estimate the effect of ``exposure`` on ``outcome``.

    Parameters
    ----------
    panel : one row per account and period
    method : "pooled", "ols_fe", "ppml_fe", "adstock" or "dml", see the module docstring
    covariates : numeric columns to hold constant; pooled adds ``lagged_<outcome>`` unless told ``()``
    cluster : columns to cluster by; by default the account, and ``manager_id`` where the panel has six or more
    scale : "auto" (:func:`kamlib.studies.effects.panels.choose_scale`), "level", "log" or "log1p"
    month_effects : False leaves the account effects alone in ols_fe and ppml_fe, to show what the months explain
    level : coverage of the interval
    seed : of the wild bootstrap (few clusters) and of the folds of dml
    folds : groups of accounts in the cross-fitting of dml
    burn_in : months at the start of each account that only build the stock of adstock

    Raises
    ------
    RequestError
        for an unknown method, absent or unusable columns.
    ModelError
        when the exposure does not vary within accounts or the fit does not converge.

    Example
    -------
    >>> rows = [(a, m, 100 * 1.2 ** ((a + m) % 3), (a + m) % 3) for a in range(9) for m in range(8)]
    >>> panel = pd.DataFrame(rows, columns=["account_id", "month", "revenue", "visits"])
    >>> round(effect(panel, scale="level").estimate, 3)  # log(1.2): one more visit, 20 % more revenue
    0.182
    """
    check_request(method, level)
    controls = _controls(panel, outcome, method, covariates)
    names = {"unit": unit, "time": time, "covariates": controls, "cluster": cluster, "scale": scale}
    ready = prepare(panel, outcome, exposure, **names, is_followed=method == "adstock")
    if method == "adstock":
        return _adstock(ready, level, burn_in, seed)
    if method == "dml":
        return _dml(ready, level, folds, seed)
    if method == "pooled":
        used, fit, outcome_scale = _pooled(ready)
    else:
        effects = TWO_WAY if month_effects else ("unit",)
        used, fit, outcome_scale = {"ols_fe": _ols_fe, "ppml_fe": _ppml_fe}[method](ready, effects)
    return _report(method, used, fit, outcome_scale, level, fit.inference(seed))


def check_request(method: str, level: float) -> None:
    if method not in METHODS:
        raise RequestError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    if not 0 < level < 1:
        raise RequestError(f"level must lie between 0 and 1 (0.9 for a 90 % interval); got {level!r}")


def _controls(panel, outcome, method, covariates) -> tuple[str, ...]:
    if covariates is not None:
        return (covariates,) if isinstance(covariates, str) else tuple(covariates)
    lag = f"lagged_{outcome}"
    return (lag,) if method == "pooled" and lag in getattr(panel, "columns", ()) else ()


def _in_logs(panel: Panel) -> bool:
    return panel.scale != "level"


def _log_outcome(panel: Panel) -> tuple[Panel, str]:
    """The outcome in logs where the exposure is (months without outcome left out), else as it is."""
    if str(panel.outcome).lower().startswith(("log_", "ln_")):
        return panel, "logged"
    if not _in_logs(panel):
        return panel, "level"
    panel = panel.keep(panel.frame["y"] > 0, f"{panel.outcome} not positive: it has no log")
    return replace(panel, frame=panel.frame.assign(y=np.log(panel.frame["y"]))), "log"


def _pooled(panel: Panel) -> tuple[Panel, Fit, str]:
    if _in_logs(panel):
        used, outcome_scale = _log_outcome(panel)
        return used, regress(used.frame, _names(used), used.cluster_columns, effects=()), outcome_scale
    used = non_negative(panel)
    is_count = (used.frame["y"] == used.frame["y"].round()).all()
    if is_count:
        return used, negative_binomial(used.frame, _names(used), used.cluster_columns), "log mean (NB2)"
    fit = regress(used.frame, _names(used), used.cluster_columns, family="ppml", effects=())
    return used, fit, "log mean (Poisson)"


def _ols_fe(panel: Panel, effects) -> tuple[Panel, Fit, str]:
    used, outcome_scale = _log_outcome(panel)
    used = seen_twice(used)
    return used, regress(used.frame, _names(used), used.cluster_columns, effects=effects), outcome_scale


def _ppml_fe(panel: Panel, effects) -> tuple[Panel, Fit, str]:
    used = informative(non_negative(panel))
    fit = regress(used.frame, _names(used), used.cluster_columns, family="ppml", effects=effects)
    return used, fit, "log mean (Poisson)"


def _names(panel: Panel) -> list[str]:
    return ["x", *panel.controls]


def _dml(panel: Panel, level: float, folds: int, seed: int) -> Effect:
    logged, outcome_scale = _log_outcome(panel)
    learned = fit_partialled(logged, folds, seed)
    extra = {"folds": folds, "explained_share": learned.explained}
    return _report("dml", learned.panel, learned.fit, outcome_scale, level, learned.fit.inference(seed), extra)


def _adstock(panel: Panel, level: float, burn_in: int, seed: int) -> Effect:
    carried = fit_carryover(panel, level, burn_in, seed)
    runs = {name: _run_summary(run, level) for name, run in carried.runs.items()}
    elasticities = {name: runs.pop(f"{name}_elasticity") for name in tuple(runs) if f"{name}_elasticity" in runs}
    extra = {
        "lambda": carried.lambda_estimate,
        "lambda_interval": carried.lambda_interval,
        "profile": carried.profile,
        "burn_in": burn_in,
        **runs,
        "long_run_elasticity": elasticities["long_run"]["estimate"],
        "long_run_elasticity_interval": elasticities["long_run"]["interval"],
    }
    short = elasticities["short_run"]
    inference = carried.runs["short_run"]
    reported = _report("adstock", carried.panel, carried.fit, "log mean (Poisson)", level, inference, extra)
    return replace(reported, elasticity=short["estimate"], elasticity_interval=short["interval"])


def _run_summary(run: Inference, level: float) -> dict:
    return {"estimate": run.estimate, "standard_error": run.error, "interval": run.interval(level)}


def _report(
    method, used: Panel, fit: Fit, outcome_scale: str, level: float, inference: Inference, extra=None
) -> Effect:
    interval, factor = inference.interval(level), elasticity_factor(used, outcome_scale)
    diagnostics = {
        "inference": inference.procedure,
        "clusters": {_original(used, column): int(used.frame[column].nunique()) for column in fit.clusters},
        "effective_clusters": inference.effective_clusters,
        "converged": True,
        "controls": used.covariates,
        "outcome_scale": outcome_scale,
        "log_likelihood": fit.log_likelihood,
        **(extra or {}),
    }
    return Effect(
        method=method,
        outcome=used.outcome,
        exposure=used.exposure,
        estimate=inference.estimate,
        interval=interval,
        level=level,
        standard_error=inference.error,
        p_value=inference.p_value(),
        n=len(used.frame),
        n_accounts=int(used.frame["unit"].nunique()),
        n_dropped=used.dropped,
        scale=used.scale,
        elasticity=inference.estimate * factor,
        elasticity_interval=_scaled(interval, factor),
        coefficients={_original(used, name): float(value) for name, value in fit.coefficients.items()},
        diagnostics=diagnostics,
    )


def _original(panel: Panel, name: str) -> str:
    names = {"x": panel.exposure, **numbered("c", panel.covariates), **numbered("cluster", panel.clusters)}
    return names.get(name, name)


def _scaled(interval, factor) -> tuple[float, float]:
    low, high = sorted(end * factor for end in interval)
    return (low, high)
