"""Units that adopt a programme at different times: outcomes as a matrix, and what each beginning did in each period."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.errors import ModelError, RequestError
from kamlib.studies.effects.panels import Calendar, numeric, require_columns, require_unique


@dataclass(frozen=True)
class Cell:
    """One ATT(g, t) with its (n_units,) influence function, g and t counted from 0.

    The influence is missing where a single unit began or is left to compare with: it shows no scatter.
    """

    group: int
    time: int
    estimate: float
    influence: np.ndarray
    n_treated: int
    n_controls: int

    @property
    def is_post(self) -> bool:
        return self.time >= self.group


@dataclass(frozen=True)
class Adoption:
    """A balanced panel as a matrix.

    outcomes : (units, periods); beginnings : (units,) period number, inf = never; labels : the periods as the caller
    wrote them; clusters : (units,) codes
    """

    outcomes: np.ndarray
    beginnings: np.ndarray
    labels: list
    clusters: np.ndarray
    dropped: dict[str, int]
    is_small_sample: bool

    @classmethod
    def read(cls, panel, outcome, unit, time, first_treated, cluster, is_small_sample=False) -> Adoption:
        extra = [cluster] if cluster else []
        require_columns(panel, [outcome, unit, time, first_treated, *extra])
        require_unique(panel, unit, time)
        panel = panel.reset_index(drop=True)
        _require_one_value(panel, unit, [first_treated, *extra])
        when, begins = _periods(panel, time, first_treated)
        frame = pd.DataFrame({"unit": panel[unit], "time": when, "begins": begins})
        frame["y"] = numeric(panel[outcome], outcome)
        frame["cluster"] = pd.factorize(panel[cluster or unit].astype("object"), use_na_sentinel=False)[0]
        labels = panel[time].groupby(when).first().tolist()
        wide = frame.pivot(index="unit", columns="time", values="y")
        units = frame.groupby("unit")[["begins", "cluster"]].first()
        is_whole, is_late = wide.notna().all(axis=1), units["begins"] > 0
        used = is_whole & is_late
        is_alone = used & np.isfinite(units["begins"]) & ~units["begins"].where(used).duplicated(keep=False)
        dropped = {
            f"not seen with {outcome} in every period": int((~is_whole).sum()),
            "treated from the first period on": int((is_whole & ~is_late).sum()),
        }
        if is_small_sample:
            used, dropped["alone in its beginning"] = used & ~is_alone, int(is_alone.sum())
        if not (used & np.isfinite(units["begins"])).any():
            raise ModelError(f"no unit begins treatment after the first period; check {first_treated} ({dropped})")
        return cls(
            outcomes=wide[used].to_numpy(),
            beginnings=units.loc[used, "begins"].to_numpy(),
            labels=labels,
            clusters=pd.factorize(units.loc[used, "cluster"])[0],
            dropped={reason: count for reason, count in dropped.items() if count},
            is_small_sample=is_small_sample,
        )

    @property
    def n_periods(self) -> int:
        return self.outcomes.shape[1]

    @property
    def groups(self) -> list[int]:
        return sorted({int(g) for g in self.beginnings if np.isfinite(g)})

    def cell(self, group: int, time: int, control: str) -> Cell | None:
        """ATT(g, t), or None where no unit can be compared (in a small sample, a single one)."""
        base = group - 1 if time >= group else time - 1
        treated = self.beginnings == group
        clean = np.isinf(self.beginnings)
        if control == "not_yet":
            clean = (self.beginnings > time) & ~treated
        if clean.sum() < (2 if self.is_small_sample else 1):
            return None
        change = self.outcomes[:, time] - self.outcomes[:, base]
        gain, drift = change[treated].mean(), change[clean].mean()
        parts = self._part(change - gain, treated) - self._part(change - drift, clean)
        return Cell(group, time, float(gain - drift), parts, int(treated.sum()), int(clean.sum()))

    def _part(self, deviation: np.ndarray, member: np.ndarray) -> np.ndarray:
        """(n_units,) influence of the units of one mean on it."""
        n = int(member.sum())
        if n < 2:
            return np.full(len(member), np.nan)
        scale = np.sqrt(n / (n - 1)) if self.is_small_sample else 1.0
        return len(member) * scale * member * deviation / n

    def share(self, group: int) -> float:
        return float((self.beginnings == group).mean())

    def share_influence(self, group: int) -> np.ndarray:
        return (self.beginnings == group) - self.share(group)

    def by_cluster(self, influence: np.ndarray) -> np.ndarray:
        """(clusters, k) sums of (units, k) influence."""
        if self.clusters.max() + 1 == len(influence):
            return influence
        sums = np.zeros((self.clusters.max() + 1, influence.shape[1]))
        np.add.at(sums, self.clusters, influence)
        return sums

    def errors(self, influence: np.ndarray) -> np.ndarray:
        """(k,) standard errors of estimates with these influence functions."""
        return np.sqrt((self.by_cluster(influence) ** 2).sum(axis=0)) / len(self.beginnings)


def _require_one_value(panel, unit, columns) -> None:
    for column in columns:
        values = panel.groupby(unit)[column].nunique(dropna=False)
        if (values > 1).any():
            raise RequestError(
                f"{int((values > 1).sum())} units have more than one {column}, the first {values.idxmax()}; "
                "give each unit one value in all its rows"
            )


def _periods(panel, time, first_treated) -> tuple[np.ndarray, np.ndarray]:
    """(n,) number of each row's period, and of the period its unit began in (inf: never, or after the last one)."""
    begins = panel[first_treated]
    is_never = begins.isna().to_numpy() | begins.isin([0, np.inf]).to_numpy()
    calendar = Calendar.of(panel[time], time)
    distinct, when = np.unique(calendar.number(panel[time]), return_inverse=True)
    counted = np.full(len(panel), np.inf)
    if not is_never.all():
        starts = calendar.number(begins[~is_never].infer_objects())
        counted[~is_never] = np.where(starts > distinct[-1], np.inf, np.searchsorted(distinct, starts))
    return when, counted
