"""How sales of an account answer to visits: by the estimate, by judgement, or by both, with all the effect may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kamlib.studies.allocation import Adbudg
from kamlib.studies.visits.evidence import Evidence
from kamlib.studies.visits.hours import PLAN_MONTHS

DRAWS = 200


@dataclass(frozen=True, eq=False)
class Response:
    """Sales of one account in a quarter as a function of its visits, averaged over what the effect may be.

    ``revenue`` of a quarter at ``today`` visits; ``effects`` (draws,) of log(1 + visits a month); ``judged`` with
    ``weight`` is the curve from judgement.
    """

    revenue: float
    today: float
    effects: np.ndarray
    judged: Adbudg | None = None
    weight: float = 0.0

    def __call__(self, calls) -> np.ndarray:
        return self.draws(np.atleast_1d(calls)).mean(axis=1)

    def draws(self, calls: np.ndarray) -> np.ndarray:
        """(calls, draws) sales at each number of calls and each possible effect."""
        ratio = (1 + np.asarray(calls, dtype=float) / PLAN_MONTHS) / (1 + self.today / PLAN_MONTHS)
        estimated = ratio[:, None] ** self.effects[None, :]
        if self.judged is None or self.today <= 0:
            return self.revenue * estimated
        index = self.judged(np.asarray(calls, dtype=float) / self.today) / self.judged(1.0)
        return self.revenue * ((1 - self.weight) * estimated + self.weight * index[:, None])


def responses(
    present: pd.DataFrame, evidence: Evidence | None, judged: Adbudg | None, weight: float, rng: np.random.Generator
) -> pd.Series:
    """One response per account; accounts of a class share their draws of the effect.

    Parameters
    ----------
    present : by account_id: expected (sales of a quarter at today's visits), today, class.
    evidence : None where no effect may be claimed. judged, weight : the curve from judgement, and its weight.
    """
    effects = (lambda name: np.zeros(1)) if evidence is None else _effects(evidence, rng)
    rows = zip(present["expected"], present["today"], present["class"], strict=True)
    curves = [Response(revenue, today, effects(name), judged, weight) for revenue, today, name in rows]
    return pd.Series(curves, index=present.index)


def _effects(evidence: Evidence, rng: np.random.Generator) -> Callable[[str], np.ndarray]:
    """Class → (draws,) possible effects; those below zero stay, or the mean of all would be too large."""
    lasting = evidence.carry.diagnostics["long_run"]
    common = rng.standard_normal(DRAWS)
    overall = lasting["estimate"] + lasting["standard_error"] * common
    if evidence.classes is None:
        return lambda name: overall
    pooled, drawn = evidence.classes, {}
    for row in pooled.classes.itertuples():
        shared = (1 - row.weight) * pooled.mean_error
        own = np.sqrt(max(row.pooled_error**2 - shared**2, 0))
        drawn[row[1]] = row.pooled_estimate + shared * common + own * rng.standard_normal(DRAWS)
    return lambda name: drawn.get(name, overall)


def changes(curves: pd.Series, calls: pd.Series) -> np.ndarray:
    """(accounts, draws) sales at these visits beyond those at today's, as a share of today's."""
    unit = [replace(curve, revenue=1.0) for curve in curves]
    drawn = [one.draws(np.array([n], dtype=float))[0] - 1 for one, n in zip(unit, calls, strict=True)]
    width = max(map(len, drawn))  # a curve from judgement alone has one draw, the same for all
    return np.array([np.broadcast_to(row, width) for row in drawn])


def class_curves(present: pd.DataFrame, curves: pd.Series, level: float, most: float = 8.0) -> pd.DataFrame:
    """Index of sales (1 at the class's mean rhythm) by visits a month, with its interval and the judged curve."""
    grid, rows = np.linspace(0, most, 33), []
    for name, part in present.groupby("class"):
        sample: Response = curves[part.index[0]]
        curve = Response(1.0, float(part["today"].mean()), sample.effects)
        drawn = curve.draws(grid * PLAN_MONTHS)
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=1)
        frame = pd.DataFrame({"class": name, "visits_a_month": grid, "estimated": drawn.mean(axis=1)})
        frame = frame.assign(low=low, high=high, today=curve.today / PLAN_MONTHS, judged=np.nan)
        if sample.judged is not None and curve.today > 0:
            frame["judged"] = sample.judged(grid * PLAN_MONTHS / curve.today) / sample.judged(1.0)
        rows.append(frame)
    return pd.concat(rows, ignore_index=True)
