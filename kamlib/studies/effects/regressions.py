"""Fixed-effects regressions with honest errors: OLS and Poisson through pyfixest, NB2 through statsmodels.

Errors are clustered (CRV1); with two clusterings the larger of the one-way and two-way variances is kept (MacKinnon,
Nielsen & Webb 2023). Intervals use Student's t with the *effective* number of clusters, which falls when a few
accounts carry most of the information (Carter, Schnepel & Steigerwald 2017), and the restricted wild cluster bootstrap
with Webb weights where that number is 20 or less (Cameron, Gelbach & Miller 2008; Webb 2023; for Poisson on the
linearised score, Kline & Santos 2012).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pyfixest as pf
import statsmodels.api as sm
from scipy import stats

from kamlib.errors import ModelError
from kamlib.studies.effects.absorption import TwoWay

FEW_CLUSTERS = 20
BOOTSTRAP_DRAWS = 1999
TIE = 1e-9  # a draw with equal weights repeats the sample, and must count as as extreme
WEBB_WEIGHTS = np.sqrt([0.5, 1.0, 1.5])
TWO_WAY = ("unit", "time")


@dataclass(frozen=True)
class Fit:
    """A fitted regression and what inference on one of its coefficients needs.

    Attributes
    ----------
    family : "ols", "ppml" or "nb2"
    coefficients : (k,) Series by regressor
    covariance : (k, k) cluster-robust frame
    frame : the rows used, with ``weight`` (IRLS weight) and ``residual`` (working residual) beside the data
    effects : columns whose effects are in the model
    clusters : the frame's columns clustered by, nested ones left out
    corrections : small-sample factor of each clustering, by its columns
    log_likelihood : of the Poisson in units of the mean outcome, so that money × k changes nothing; NaN for OLS
    """

    family: str
    coefficients: pd.Series
    covariance: pd.DataFrame
    frame: pd.DataFrame
    effects: tuple[str, ...]
    clusters: tuple[str, ...]
    corrections: Mapping[tuple[str, ...], float]
    log_likelihood: float

    def standard_error(self, name: str = "x") -> float:
        return float(np.sqrt(self.covariance.loc[name, name]))

    @cached_property
    def coarsest(self) -> str:
        """The clustering with the fewest clusters: the one that limits what can be inferred."""
        return min(self.clusters, key=lambda column: self.frame[column].nunique())

    def partialled(self, name: str = "x") -> np.ndarray:
        """(n,) regressor ``name`` after the other regressors and the effects, in the weights of the fit."""
        others = [other for other in self.coefficients.index if other not in (name, "Intercept", "alpha")]
        return residualise(self.frame, name, others, self.effects)

    def inference(self, seed: int, name: str = "x") -> Inference:
        """What can be said about one coefficient, by the coarsest clustering."""
        weight, residual = self.frame["weight"].to_numpy(), self.frame["residual"].to_numpy()
        estimate, error = float(self.coefficients[name]), self.standard_error(name)
        return self._inference(estimate, error, self.partialled(name), weight, residual, seed)

    def inferred(self, estimate: float, left, weight, residual, seed: int) -> Inference:
        """The same of another regressor on the same rows and clusters.

        Parameters
        ----------
        left, weight, residual : (n,) the regressor after all others, and the weights and working residuals of its fit
        """
        score = weight * left * residual
        error = np.sqrt(self._largest_spread(score)) / (weight * left**2).sum()
        return self._inference(estimate, float(error), left, weight, residual, seed)

    def _largest_spread(self, score: np.ndarray) -> float:
        """Variance of the sum of (n,) scores under the clustering in which it is largest."""
        codes = {columns: _crossed(self.frame, columns) for columns in self.corrections}
        squares = {columns: (np.bincount(code, score) ** 2).sum() for columns, code in codes.items()}
        one_way = [self.corrections[c] * square for c, square in squares.items() if len(c) == 1]
        two_way = [
            self.corrections[c] * (sum(squares[(column,)] for column in c) - square)
            for c, square in squares.items()
            if len(c) == 2
        ]
        return max(*one_way, *two_way) if two_way else max(one_way)

    def _inference(self, estimate, error, left, weight, residual, seed) -> Inference:
        weighted = weight * left
        sums = pd.DataFrame({"score": weighted * residual, "information": weighted * left})
        totals = sums.groupby(self.frame[self.coarsest].to_numpy()).sum()
        information = totals["information"].to_numpy()
        contributions = totals["score"].to_numpy() + estimate * information
        return Inference(estimate, error, contributions, information, seed)


@dataclass(frozen=True)
class Inference:
    """Interval and test of one coefficient.

    Attributes
    ----------
    estimate, error : and its clustered standard error
    contributions, information : (G,) per cluster Σ w x̃ ỹ and Σ w x̃²; the estimate is the ratio of their sums
    seed : of the bootstrap
    """

    estimate: float
    error: float
    contributions: np.ndarray
    information: np.ndarray
    seed: int

    @property
    def effective_clusters(self) -> float:
        """Clusters of equal information that would be worth as much as these."""
        return float(self.information.sum() ** 2 / (self.information**2).sum())

    @property
    def is_bootstrapped(self) -> bool:
        return self.effective_clusters <= FEW_CLUSTERS

    @property
    def procedure(self) -> str:
        return "restricted wild cluster bootstrap, Webb weights" if self.is_bootstrapped else "cluster-robust t"

    def interval(self, level: float) -> tuple[float, float]:
        if self.is_bootstrapped:
            return wild_interval(self.contributions, self.information, level, self.seed)
        reach = float(stats.t.ppf(0.5 + level / 2, self.effective_clusters - 1)) * self.error
        return (self.estimate - reach, self.estimate + reach)

    def p_value(self) -> float:
        """Against a coefficient of zero."""
        if self.is_bootstrapped:
            return wild_p_value(self.contributions, self.information, 0.0, _draws(self.seed, self.information))
        return float(2 * stats.t.sf(abs(self.estimate) / self.error, self.effective_clusters - 1))


def regress(frame, regressors, clusters, *, family="ols", effects=TWO_WAY, is_checked=False) -> Fit:
    """Regress column ``y`` on ``regressors`` with the given effects absorbed.

    ``is_checked`` says that the variation of the regressors is known from an earlier fit.

    Raises
    ------
    ModelError
        when a regressor has no variation left after the effects, or the iterations do not converge.
    """
    if frame.empty:
        raise ModelError(
            "no row is left to estimate from: accounts and months without any outcome, or seen once, tell nothing; "
            "take more accounts or more months"
        )
    for name in [] if is_checked else regressors:
        require_variation(frame, name, effects)
    clusters = unnested(frame, clusters)
    right = (" + ".join(regressors) or "1") + (f" | {' + '.join(effects)}" if effects else "")
    centre = frame["y"].mean() if family == "ppml" else 1.0
    data = frame.assign(y=frame["y"] / centre)
    model = _run(family, f"y ~ {right}", data, clusters)
    names = list(model._coefnames)
    if [name for name in names if name != "Intercept"] != list(regressors):
        raise ModelError(f"regressors {', '.join(regressors)} are collinear after {_listed(effects)}; leave one out")
    weight = model.predict(type="response") if family == "ppml" else np.ones(len(data))
    used = data.assign(weight=weight, residual=model.resid() / weight)
    covariance, corrections = _largest_covariance(model, names, clusters)
    return Fit(
        family=family,
        coefficients=pd.Series(model._beta_hat, index=names),
        covariance=covariance,
        frame=used,
        effects=tuple(effects),
        clusters=clusters,
        corrections=corrections,
        log_likelihood=_poisson_likelihood(used) if family == "ppml" else np.nan,
    )


def _run(family, formula, data, clusters):
    fitter = pf.fepois if family == "ppml" else pf.feols
    vcov = {"CRV1": clusters[0]}
    if family == "ols":
        return fitter(formula, data, vcov=vcov)
    try:
        model = fitter(formula, data, vcov=vcov, iwls_maxiter=100, separation_check=[])
    except (ValueError, np.linalg.LinAlgError) as error:
        raise ModelError(f"the Poisson regression could not be fitted ({error}); try fewer covariates") from error
    if not model.convergence:
        raise ModelError(
            "the Poisson regression did not converge in 100 iterations; try fewer covariates or a log scale"
        )
    if len(model.resid()) != len(data):
        raise ModelError(f"{len(data) - len(model.resid())} rows are fitted perfectly by the effects; leave them out")
    return model


def require_variation(frame, name, effects) -> None:
    """Refuse a regressor that does not vary once the effects are taken out."""
    values = frame[name].to_numpy()
    left = residualise(frame.assign(weight=1.0), name, [], effects)
    if np.std(left) <= 1e-8 * max(np.std(values), np.abs(values).max(), 1e-300):
        called = {"x": "the exposure"}.get(name, f"regressor {name}")
        raise ModelError(
            f"{called} does not vary after {_listed(effects)}: nothing in this panel can show its effect; "
            "widen the period or choose an exposure that changes within accounts"
        )


def _listed(effects) -> str:
    words = {"unit": "account", "time": "month"}
    return f"{' and '.join(words[effect] for effect in effects)} effects" if effects else "the intercept"


def residualise(frame, name, others, effects) -> np.ndarray:
    """(n,) weighted residual of column ``name`` on ``others`` and the effects; weights in column ``weight``."""
    return residualise_all(frame, [name], others, effects)[:, 0]


def residualise_all(frame, names, others, effects) -> np.ndarray:
    """(n, k) the same for several columns at once."""
    weights = frame["weight"].to_numpy()
    columns = frame[[*names, *others]].to_numpy(dtype="float64")
    absorbed = _absorbed(frame, columns, weights, effects)
    left, controls = absorbed[:, : len(names)], absorbed[:, len(names) :]
    if not others:
        return left
    root = np.sqrt(weights)[:, None]
    return left - controls @ np.linalg.lstsq(root * controls, root * left, rcond=None)[0]


def _absorbed(frame, columns, weights, effects) -> np.ndarray:
    if tuple(effects) == TWO_WAY:
        return TwoWay.of(frame).residuals(columns, weights)
    groups = pd.factorize(frame[effects[0]])[0] if effects else np.zeros(len(frame), dtype="int64")
    totals = np.bincount(groups, weights)
    sums = [np.bincount(groups, column * weights) for column in columns.T]
    return columns - (np.column_stack(sums) / totals[:, None])[groups]


def unnested(frame: pd.DataFrame, clusters) -> tuple[str, ...]:
    """The cluster columns without those nested in another: clustering by the coarser covers the finer."""
    kept = list(dict.fromkeys(clusters))
    for fine in list(kept):
        coarser = [c for c in kept if c != fine and frame.groupby(fine)[c].nunique().max() == 1]
        if coarser:
            kept.remove(fine)
    return tuple(kept)


def _largest_covariance(model, names, clusters) -> tuple[pd.DataFrame, dict[tuple[str, ...], float]]:
    """The covariance under the clustering in which it is largest, and the small-sample factor of each.

    A two-way covariance is a difference and may have a negative variance; then it is none, and does not compete.
    """
    if not names:
        return pd.DataFrame(), {}
    matrices, corrections = [], {}
    for columns in [(column,) for column in clusters] + ([tuple(clusters)] if len(clusters) > 1 else []):
        found = model.vcov({"CRV1": "+".join(columns)})
        if len(columns) == 1 or np.linalg.eigvalsh(found._vcov).min() > 0:
            matrices.append(found._vcov.copy())
        corrections[columns] = float(np.ravel(found._ssc)[0])
    largest = max(matrices, key=lambda matrix: matrix[names.index(_focus(names)), names.index(_focus(names))])
    return pd.DataFrame(largest, index=names, columns=names), corrections


def _crossed(frame: pd.DataFrame, columns: tuple[str, ...]) -> np.ndarray:
    """(n,) number of the cell of these columns that each row is in."""
    return frame.groupby(list(columns), sort=False).ngroup().to_numpy()


def _focus(names) -> str:
    return "x" if "x" in names else names[-1]


def _poisson_likelihood(used: pd.DataFrame) -> float:
    return float((used["y"] * np.log(used["weight"]) - used["weight"]).sum())


def negative_binomial(frame, regressors, clusters) -> Fit:
    """Pooled NB2 (variance μ + αμ²) by maximum likelihood, errors clustered; coefficients hold Intercept and alpha."""
    clusters = unnested(frame, clusters)
    design = sm.add_constant(frame[list(regressors)]).rename(columns={"const": "Intercept"})
    groups = {"groups": frame[min(clusters, key=lambda column: frame[column].nunique())].to_numpy()}
    result = sm.NegativeBinomial(frame["y"], design).fit(disp=0, maxiter=200, cov_type="cluster", cov_kwds=groups)
    if not result.mle_retvals["converged"]:
        raise ModelError("the NB2 regression did not converge; try method='ppml_fe' or fewer covariates")
    mean, alpha = result.predict(), result.params["alpha"]
    used = frame.assign(weight=mean / (1 + alpha * mean), residual=frame["y"] / mean - 1)
    return Fit("nb2", result.params, result.cov_params(), used, (), clusters, {}, float(result.llf))


def wild_p_value(contributions, information, null, weights) -> float:
    """p-value of one coefficient being ``null``, by the restricted wild cluster bootstrap.

    Parameters
    ----------
    contributions, information : (G,) as in :class:`Inference`
    weights : (draws, G) random weights
    """
    score = contributions - null * information
    observed = _studentised(score[None, :], information)[0]
    drawn = np.abs(_studentised(weights * score, information))
    as_extreme = (drawn >= abs(observed) * (1 - TIE)).sum()
    return float((1 + as_extreme) / (1 + len(drawn)))  # the sample itself is one of the draws: p is never zero


def wild_interval(contributions, information, level, seed, draws=BOOTSTRAP_DRAWS) -> tuple[float, float]:
    """The values that the bootstrap test does not reject; infinite ends where clusters are too few to reject any."""
    weights = _draws(seed, information, draws)
    estimate = contributions.sum() / information.sum()
    step = np.sqrt(((contributions - estimate * information) ** 2).sum()) / information.sum()

    def is_rejected(null: float) -> bool:
        return wild_p_value(contributions, information, null, weights) < 1 - level

    return _last_kept(is_rejected, estimate, -step), _last_kept(is_rejected, estimate, step)


def _draws(seed: int, information: np.ndarray, draws: int = BOOTSTRAP_DRAWS) -> np.ndarray:
    return webb_weights(seed, (draws, len(information)))


def webb_weights(seed: int, shape) -> np.ndarray:
    """Six-point weights ±√½, ±1, ±√(3/2): enough distinct draws for as few as five clusters."""
    return np.random.default_rng(seed).choice(np.concatenate([WEBB_WEIGHTS, -WEBB_WEIGHTS]), shape)


def _studentised(scores: np.ndarray, information: np.ndarray) -> np.ndarray:
    shift = scores.sum(axis=1, keepdims=True) / information.sum()
    spread = np.sqrt(((scores - shift * information) ** 2).sum(axis=1))
    return scores.sum(axis=1) / np.maximum(spread, 1e-300)


def _last_kept(is_rejected, estimate: float, step: float) -> float:
    """Where rejection begins on one side of the estimate, by doubling and bisection."""
    outer = estimate + step
    for _ in range(20):
        if is_rejected(outer):
            break
        outer = estimate + 2 * (outer - estimate)
    else:
        return float(np.copysign(np.inf, step))
    inner = estimate
    for _ in range(30):
        middle = (inner + outer) / 2
        inner, outer = (inner, middle) if is_rejected(middle) else (middle, outer)
    return float((inner + outer) / 2)
