"""Programmes that begin at different times: group-time effects of Callaway & Sant'Anna and their averages.

ATT(g, t) is what the programme did in period t to the accounts that began in period g: their change since the period
before they began, less the change of accounts that had not begun. For periods before g the base is the period just
before t, so that those cells are placebo tests of parallel trends. Two-way fixed effects are not used: they compare
late beginners with early ones.

Source: Callaway & Sant'Anna (2021), without covariates, where regression, weighting and doubly robust estimators
agree; standard errors from influence functions, including the estimated sizes of the groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from kamlib.errors import ModelError, RequestError
from kamlib.studies.staggered.adoption import Adoption, Cell

CONTROLS = ("never", "not_yet")
NEAR = 4  # a year of quarters


@dataclass(frozen=True)
class Average:
    """An average of group-time effects.

    Attributes
    ----------
    estimate, standard_error, interval : of the overall average
    by : frame of its parts: event_time (dynamic), g (group) or t (calendar); estimate, se, low, high, interval.
        Empty for the simple average
    """

    estimate: float
    standard_error: float
    interval: tuple[float, float]
    by: pd.DataFrame


@dataclass(frozen=True)
class Staggered:
    """Effects of a programme with staggered beginnings.

    Attributes
    ----------
    att : frame g, t (as the caller writes periods), n_treated, n_controls, is_post, estimate, se, low, high, interval;
        a cell for which nobody is left to compare with is not in it, nor in any average. Where a single unit began or
        is left to compare with, nothing tells the error: it is NaN there and in the averages that hold the cell
    dynamic : by time since the beginning; overall = mean over event times >= 0
    group : by beginning; overall = mean over groups, weighted by size
    calendar : by period; overall = mean over periods
    simple : mean over all cells after the beginning, weighted by group size
    before, after : mean of the last NEAR periods before the beginning (each against the period before it), and of the
        first NEAR from it on; NaN without such cells. ``pretrend_p`` tests each cell, and refuses too often where
        groups are small; far from the beginning few are left to compare with
    pretrend_p : joint test that all cells before the beginning are zero; NaN without such cells
    critical : multiple of the standard error in all intervals of ``att`` (larger with ``draws``: a band for all cells)
    n, n_units, n_never : rows, units and never-treated units used
    n_dropped : reason → units left out
    control, level : as asked
    """

    att: pd.DataFrame
    dynamic: Average
    group: Average
    calendar: Average
    simple: Average
    before: Average
    after: Average
    pretrend_p: float
    critical: float
    n: int
    n_units: int
    n_never: int
    n_dropped: Mapping[str, int]
    control: str
    level: float


def staggered(
    panel: pd.DataFrame,
    outcome: str,
    unit: str,
    time: str,
    first_treated: str,
    *,
    control: str = "never",
    level: float = 0.90,
    cluster: str | None = None,
    draws: int = 0,
    seed: int = 0,
    is_small_sample: bool = False,
) -> Staggered:
    """Estimate ATT(g, t) and its averages.

    Parameters
    ----------
    panel : one row per unit and period; units not seen in every period are left out and counted
    first_treated : column with each unit's first period of treatment, in the terms of ``time`` (dates, periods or
        numbers); 0, missing, infinite or after the last period = never
    control : "never" (units never treated) or "not_yet" (also those that begin later)
    cluster : column to cluster by where it is coarser than the unit
    draws : multiplier bootstrap draws for a simultaneous band over ``att`` (0: pointwise intervals), with ``seed``
    is_small_sample : where few begin at a time, as with single accounts of a firm: scatter is scaled by √(n / (n − 1)),
        and units alone in their beginning, which show none, are left out and counted, as are cells with one control

    Raises
    ------
    RequestError
        for absent columns, repeated rows, a unit with two beginnings, an unknown control.
    ModelError
        without treated units, or without controls.

    Example
    -------
    >>> rows = [(u, t, float(t + 2 * (u < 5 and t >= 2)), 2 if u < 5 else 0) for u in range(10) for t in range(4)]
    >>> panel = pd.DataFrame(rows, columns=["account_id", "month", "revenue", "began"])
    >>> staggered(panel, "revenue", "account_id", "month", "began").simple.estimate
    2.0
    """
    _check_request(control, level, draws)
    design = Adoption.read(panel, outcome, unit, time, first_treated, cluster, is_small_sample)
    cells = [cell for g in design.groups for t in range(1, design.n_periods) if (cell := design.cell(g, t, control))]
    if not any(cell.is_post for cell in cells):
        raise ModelError(
            f"no period has both treated and {control.replace('_', '-')}-treated units; " + _REMEDY[control]
        )
    influence = np.column_stack([cell.influence for cell in cells])
    errors = design.errors(influence)
    critical = _critical(influence, errors, design, level, draws, seed)
    averages = _Averages(design, cells, influence, level)
    return Staggered(
        att=_att_frame(cells, errors, critical, design),
        dynamic=averages.dynamic(),
        group=averages.group(),
        calendar=averages.calendar(),
        simple=averages.simple(),
        before=averages.near(range(-NEAR, 0)),
        after=averages.near(range(NEAR)),
        pretrend_p=_pretrend_p(cells, influence, design),
        critical=critical,
        n=design.outcomes.size,
        n_units=len(design.outcomes),
        n_never=int(np.isinf(design.beginnings).sum()),
        n_dropped=design.dropped,
        control=control,
        level=level,
    )


_REMEDY = {"never": "try control='not_yet'", "not_yet": "the programme needs units that begin later or never"}


def _check_request(control: str, level: float, draws: int) -> None:
    if control not in CONTROLS:
        raise RequestError(f"control must be one of {', '.join(CONTROLS)}; got {control!r}")
    if not 0 < level < 1:
        raise RequestError(f"level must lie between 0 and 1 (0.9 for a 90 % interval); got {level!r}")
    if draws < 0:
        raise RequestError(f"draws must be 0 or more; got {draws}")


def _att_frame(cells, errors, critical, design) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "g": [design.labels[cell.group] for cell in cells],
            "t": [design.labels[cell.time] for cell in cells],
            "n_treated": [cell.n_treated for cell in cells],
            "n_controls": [cell.n_controls for cell in cells],
            "is_post": [cell.is_post for cell in cells],
        }
    )
    estimates = np.array([cell.estimate for cell in cells])
    return frame.join(_interval_frame(estimates, errors, critical))


def _interval_frame(estimates, errors, critical) -> pd.DataFrame:
    low, high = estimates - critical * errors, estimates + critical * errors
    interval = list(zip(low.tolist(), high.tolist(), strict=True))
    return pd.DataFrame({"estimate": estimates, "se": errors, "low": low, "high": high, "interval": interval})


class _Averages:
    """Weighted averages of the cells after the beginning, with the influence of the estimated weights."""

    def __init__(self, design: Adoption, cells: list[Cell], influence: np.ndarray, level: float):
        self.design, self.cells, self.influence = design, cells, influence
        self.estimates = np.array([cell.estimate for cell in cells])
        self.critical = float(stats.norm.ppf(0.5 + level / 2))
        self.post = [i for i, cell in enumerate(cells) if cell.is_post]

    def simple(self) -> Average:
        return self._overall(*self._weighted(self.post), pd.DataFrame())

    def dynamic(self) -> Average:
        times = sorted({cell.time - cell.group for cell in self.cells})
        parts = [self._weighted(self._where(lambda cell, e=e: cell.time - cell.group == e)) for e in times]
        after = [part for e, part in zip(times, parts, strict=True) if e >= 0]
        return self._overall(*_plain_mean(after), self._by("event_time", times, parts))

    def near(self, times: range) -> Average:
        parts = [self._where(lambda cell, e=e: cell.time - cell.group == e) for e in times]
        parts = [self._weighted(chosen) for chosen in parts if chosen]
        if not parts:
            return Average(np.nan, np.nan, (np.nan, np.nan), pd.DataFrame())
        return self._overall(*_plain_mean(parts), pd.DataFrame())

    def calendar(self) -> Average:
        times = sorted({self.cells[i].time for i in self.post})
        parts = [self._weighted([i for i in self.post if self.cells[i].time == t]) for t in times]
        return self._overall(*_plain_mean(parts), self._by("t", [self.design.labels[t] for t in times], parts))

    def group(self) -> Average:
        groups = sorted({self.cells[i].group for i in self.post})
        parts = [_plain_mean([self._one(i) for i in self.post if self.cells[i].group == g]) for g in groups]
        labels = [self.design.labels[g] for g in groups]
        return self._overall(*self._by_size(groups, parts), self._by("g", labels, parts))

    def _where(self, keep) -> list[int]:
        return [i for i, cell in enumerate(self.cells) if keep(cell)]

    def _one(self, i: int) -> tuple[float, np.ndarray]:
        return self.estimates[i], self.influence[:, i]

    def _weighted(self, chosen: list[int]) -> tuple[float, np.ndarray]:
        return self._by_size([self.cells[i].group for i in chosen], [self._one(i) for i in chosen])

    def _by_size(self, groups, parts) -> tuple[float, np.ndarray]:
        """Average weighted by group size, and its influence: of the parts, and of the sizes."""
        shares = np.array([self.design.share(g) for g in groups])
        weights = shares / shares.sum()
        values = np.array([value for value, _ in parts])
        average = float(weights @ values)
        influence = np.column_stack([part for _, part in parts]) @ weights
        of_sizes = np.column_stack([self.design.share_influence(g) for g in groups]) @ (values - average)
        return average, influence + of_sizes / shares.sum()

    def _by(self, name: str, labels, parts) -> pd.DataFrame:
        values = np.array([value for value, _ in parts])
        errors = self.design.errors(np.column_stack([influence for _, influence in parts]))
        return pd.DataFrame({name: labels}).join(_interval_frame(values, errors, self.critical))

    def _overall(self, value: float, influence: np.ndarray, by: pd.DataFrame) -> Average:
        error = float(self.design.errors(influence[:, None])[0])
        value = float(value)
        return Average(value, error, (value - self.critical * error, value + self.critical * error), by)


def _plain_mean(parts) -> tuple[float, np.ndarray]:
    return float(np.mean([value for value, _ in parts])), np.mean([influence for _, influence in parts], axis=0)


def _critical(influence, errors, design, level, draws, seed) -> float:
    """Multiple of the standard error: normal, or the quantile of the largest t under the multiplier bootstrap."""
    pointwise = float(stats.norm.ppf(0.5 + level / 2))
    if not draws:
        return pointwise
    sums = design.by_cluster(influence)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (draws, len(sums)))
    varying = errors > 0
    largest = np.abs(signs @ sums[:, varying] / len(design.beginnings) / errors[varying]).max(axis=1)
    return max(pointwise, float(np.quantile(largest, level)))


def _pretrend_p(cells, influence, design) -> float:
    before = [i for i, cell in enumerate(cells) if not cell.is_post and np.isfinite(cell.influence).all()]
    if not before:
        return np.nan
    sums = design.by_cluster(influence[:, before]) / len(design.beginnings)
    estimates = np.array([cells[i].estimate for i in before])
    covariance = sums.T @ sums
    rank = int(np.linalg.matrix_rank(covariance))
    statistic = estimates @ np.linalg.pinv(covariance, hermitian=True) @ estimates
    return float(stats.chi2.sf(statistic, rank)) if rank else np.nan
