"""Carry-over of visits: geometric adstock inside a fixed-effects Poisson regression, λ by profile likelihood.

The stock of an account is A(t) = x(t) + λ A(t−1). It enters as (1 − λ) A, a weighted mean of present and past
exposure in the unit of the exposure, in the scale of the panel. Before an account's first month the exposure is taken
to have stood at the account's own mean; the first ``burn_in`` months, in which that guess weighs most, are left out
of the likelihood for every λ alike. The stock follows every month in which exposure is known, and begins anew, burn-in
included, after months that the panel lacks; only then are months left out whose outcome is missing or negative.

λ is estimated, so no interval may take it as known: every run is judged in the regression in which λ is one more
parameter (the tangent at the optimum), by the delta method, its conversion into an elasticity included. Intervals that
held λ fixed covered 65 to 72 % where they said 90 % (simulated, 400 companies of 300 accounts).

Source: Broadbent (1979) for the stock; Rotnitzky & Jewell (1990) for scaling a quasi-likelihood ratio by the ratio
of robust to model variance, which makes the interval of λ valid under overdispersion, clustering and any currency.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import optimize, stats

from kamlib.errors import ModelError, RequestError
from kamlib.studies.effects.absorption import TwoWay
from kamlib.studies.effects.panels import (
    Panel,
    elasticity_factor,
    in_scale,
    informative,
    non_negative,
    with_outcome,
)
from kamlib.studies.effects.regressions import TWO_WAY, Fit, Inference, regress, require_variation, residualise

HIGHEST_LAMBDA = 0.95
ROOT_STEPS = 6
GRID = np.append(np.arange(10) / 10, HIGHEST_LAMBDA)


@dataclass(frozen=True)
class CarryOver:
    """A fitted carry-over.

    Attributes
    ----------
    panel : the rows used, ``raw`` being the stock at the estimated λ and ``x`` the same in the scale of the panel
    fit : the Poisson regression at the estimated λ
    lambda_estimate, lambda_interval : share of the stock left after one period, with its profile interval
    profile : frame lambda, log_likelihood (adjusted: 2 × the fall below its maximum is χ² with one degree)
    runs : short_run (this period's exposure on this period's outcome) and long_run (a permanent change of exposure),
        as coefficients, and short_run_elasticity and long_run_elasticity; λ's uncertainty is in all of them
    """

    panel: Panel
    fit: Fit
    lambda_estimate: float
    lambda_interval: tuple[float, float]
    profile: pd.DataFrame
    runs: dict[str, Inference]


def adstock(exposure: np.ndarray, position: np.ndarray, carry: float, before: np.ndarray) -> np.ndarray:
    """Mean exposure with geometrically falling weights, (1 − λ) Σ λᵏ x(t − k).

    Parameters
    ----------
    exposure : (n,) unbroken stretches of months one below the other, in time order
    position : (n,) number of the row within its stretch, from 0
    carry : λ, in [0, 1)
    before : (n,) exposure assumed before the first row

    Example
    -------
    >>> adstock(np.array([4.0, 0.0]), np.array([0, 1]), 0.5, np.zeros(2))
    array([2., 1.])
    """
    stretch = np.cumsum(position == 0) - 1
    table = np.zeros((stretch[-1] + 1, position.max() + 1))
    table[stretch, position] = exposure
    stock = before[position == 0]
    for month in table.T:
        stock = month[:] = (1 - carry) * month + carry * stock
    return table[stretch, position]


def fit_carryover(panel: Panel, level: float, burn_in: int = 3, seed: int = 0) -> CarryOver:
    """Estimate λ and the effect of the stock together.

    Raises
    ------
    RequestError
        for an exposure that came in logs, or a burn-in that leaves fewer than three months.
    ModelError
        when the regression cannot be fitted.

    ``panel`` holds every month in which exposure is known (``prepare(..., is_followed=True)``).
    """
    if panel.scale == "logged":
        raise RequestError(f"carry-over needs {panel.exposure} itself, not its log; pass the exposure and scale='log'")
    if burn_in < 0 or panel.frame["time"].nunique() - burn_in < 3:
        raise RequestError(f"burn_in={burn_in} leaves fewer than 3 periods; it must lie between 0 and the periods − 3")
    stocks = _Stocks(panel, burn_in)
    best, log_likelihoods = _maximise(stocks)
    fit = stocks.fit(best)
    tangent = _tangent(stocks, best, fit)
    error = tangent.standard_error("slope")
    scale = _quasi_scale(tangent, error)
    top = max(stocks.height(best), log_likelihoods.max())
    interval = _profile_interval(stocks, best, top, scale, error, level)
    profile = pd.DataFrame({"lambda": GRID, "log_likelihood": (log_likelihoods - top) / scale})
    runs = _runs(stocks, best, float(fit.coefficients["x"]), tangent, seed)
    return CarryOver(stocks.at(best), fit, best, interval, profile, runs)


def _positions(frame: pd.DataFrame) -> np.ndarray:
    """(n,) number of each month within its unbroken stretch, from 0."""
    follows = (frame["unit"].diff() == 0) & (frame["time"].diff() == 1)
    return frame.groupby((~follows).cumsum()).cumcount().to_numpy()


class _Stocks:
    """The panel at any λ, always on the same rows.

    A profile needs some twenty fits that differ little: each begins where the last one ended.
    """

    def __init__(self, panel: Panel, burn_in: int):
        frame = panel.frame
        self.exposure = frame["raw"].to_numpy()
        self.position = _positions(frame)
        self.before = frame.groupby("unit")["raw"].transform("mean").to_numpy()
        is_kept = pd.Series(self.position >= burn_in)
        marked = replace(panel, frame=frame.assign(row=np.arange(len(frame))))
        later = marked.keep(is_kept, f"first {burn_in} months of an unbroken stretch (burn-in)")
        self.panel = informative(non_negative(with_outcome(later)))
        if self.panel.frame.empty:
            raise ModelError(
                f"no row with {panel.outcome} above zero is left after the first {burn_in} months of each unbroken "
                "stretch; give a row for every month, zero where nothing was sold"
            )
        self.rows = self.panel.frame["row"].to_numpy()
        require_variation(self.at(0.0).frame, "x", TWO_WAY)
        self.layout, self.near = TwoWay.of(self.panel.frame), None
        self.outcome = self.panel.frame["y"].to_numpy()
        self.controls = self.panel.frame[self.panel.controls].to_numpy()

    def raw(self, carry: float) -> np.ndarray:
        return adstock(self.exposure, self.position, carry, self.before)[self.rows]

    def values(self, carry: float) -> np.ndarray:
        return in_scale(self.raw(carry), self.panel.scale)

    def at(self, carry: float) -> Panel:
        """The panel whose exposure is the stock: elasticities are taken where the stock stands, not the month."""
        stock = self.raw(carry)
        frame = self.panel.frame.assign(raw=stock, x=in_scale(stock, self.panel.scale))
        return replace(self.panel, frame=frame)

    def height(self, carry: float) -> float:
        """Log-likelihood of the Poisson regression at one λ."""
        columns = np.column_stack([self.values(carry), self.controls])
        found = self.layout.poisson(self.outcome, columns, self.near)
        self.near = found.mean
        return found.log_likelihood

    def fit(self, carry: float) -> Fit:
        names, clusters = ["x", *self.panel.controls], self.panel.cluster_columns
        return regress(self.at(carry).frame, names, clusters, family="ppml", is_checked=True)


def _maximise(stocks: _Stocks) -> tuple[float, np.ndarray]:
    """Grid, then a bounded search between the neighbours of the best grid point."""
    heights = np.array([stocks.height(carry) for carry in GRID])
    top = int(heights.argmax())
    low, high = GRID[max(top - 1, 0)], GRID[min(top + 1, len(GRID) - 1)]
    found = optimize.minimize_scalar(
        lambda carry: -stocks.height(carry),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 2e-3},
    )
    return (float(found.x) if -found.fun > heights[top] else float(GRID[top])), heights


def _slope(stocks: _Stocks, carry: float, of: Callable) -> np.ndarray | float:
    """Derivative of ``of`` in λ."""
    low, high = max(carry - 1e-4, 0.0), carry + 1e-4
    return (of(high) - of(low)) / (high - low)


def _tangent(stocks: _Stocks, carry: float, fit: Fit) -> Fit:
    """The regression in which λ is one more linear regressor, ``slope``: the Gauss–Newton step at the optimum."""
    frame = fit.frame.assign(slope=fit.coefficients["x"] * _slope(stocks, carry, stocks.values))
    names = ["x", "slope", *stocks.panel.controls]
    return regress(frame, names, stocks.panel.cluster_columns, family="ppml")


def _quasi_scale(tangent: Fit, error: float) -> float:
    """Robust over model variance of λ: what a Poisson likelihood ratio must be divided by to be χ²."""
    return float(error**2 * (tangent.frame["weight"] * tangent.partialled("slope") ** 2).sum())


def _profile_interval(stocks, best, top, scale, error, level) -> tuple[float, float]:
    """Where the signed root of the scaled likelihood ratio reaches the normal quantile, [0, 0.95] at most.

    The root is close to linear in λ, so that a few steps from the Wald interval suffice.
    """
    wanted = stats.norm.ppf(0.5 + level / 2)

    def root(carry: float) -> float:
        return float(np.sqrt(max(2 * (top - stocks.height(carry)) / scale, 1e-12)))

    ends = []
    for sign in (-1, 1):
        end = float(np.clip(best + sign * wanted * error, 0.0, HIGHEST_LAMBDA))
        for _ in range(ROOT_STEPS if end != best else 0):
            reached = root(end)
            step = float(np.clip((end - best) * wanted / reached, -2 * abs(end - best), 2 * abs(end - best)))
            moved, end = end, float(np.clip(best + step, 0.0, HIGHEST_LAMBDA))
            if abs(end - moved) < 2e-3:
                break
        ends.append(end)
    return ends[0], ends[1]


def _runs(stocks: _Stocks, carry: float, coefficient: float, tangent: Fit, seed: int) -> dict[str, Inference]:
    """Short run β(1 − λ) and long run β, and both times the factor φ(λ) that makes an elasticity of them.

    The stock at which the elasticity is taken moves with λ, so that φ adds to what not knowing λ costs.
    """
    factor = _factor(stocks, carry)
    if not (np.isfinite(factor) and factor):
        raise ModelError(
            "no revenue falls where the exposure has a stock, so no elasticity can be told; widen the period"
        )
    moved = coefficient * _slope(stocks, carry, lambda at: _factor(stocks, at))
    gradients = {
        "short_run": (1 - carry, -coefficient),
        "long_run": (1.0, 0.0),
        "short_run_elasticity": ((1 - carry) * factor, (1 - carry) * moved - coefficient * factor),
        "long_run_elasticity": (factor, moved),
    }
    return {name: _combined(tangent, coefficient, gradient, seed) for name, gradient in gradients.items()}


def _factor(stocks: _Stocks, carry: float) -> float:
    return elasticity_factor(stocks.at(carry), "log mean (Poisson)")


def _combined(tangent: Fit, coefficient: float, gradient: tuple[float, float], seed: int) -> Inference:
    """Inference on a function of β and λ by the delta method, the function taking the place of β as a coefficient."""
    by_coefficient, by_carry = gradient
    whole = tangent.frame["x"] / by_coefficient
    frame = tangent.frame.assign(whole=whole, slope=tangent.frame["slope"] - by_carry * whole)
    others = [name for name in tangent.coefficients.index if name != "x"]
    left = residualise(frame, "whole", others, tangent.effects)
    weight, residual = frame["weight"].to_numpy(), frame["residual"].to_numpy()
    return tangent.inferred(by_coefficient * coefficient, left, weight, residual, seed)
