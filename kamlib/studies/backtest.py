"""Rolling-origin back-test: candidates are fitted on what was over, and judged on what came next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.studies.labels import Silence, standing
from kamlib.studies.logit import Logit
from kamlib.studies.timelines import Sales

HISTORY_DAYS = 90
SHORTEST_STEP_DAYS = 7
MOST_SLICES = 14


@dataclass(frozen=True, eq=False)
class Slice:
    """The judged accounts on one day.

    ``rows``: the frame of :func:`~kamlib.studies.labels.standing`, with ``due`` (the day each window closes) and
    ``is_silent`` (1 when nothing was bought in the window, 0 when something was, NaN while it is open).
    """

    moment: int
    rows: pd.DataFrame

    @property
    def codes(self) -> np.ndarray:
        """(n,) account numbers."""
        return self.rows.index.to_numpy()


@dataclass(frozen=True)
class Candidate:
    """A way to tell who falls silent: ``columns(slice)`` gives (n, p) numbers known on the slice's own day.

    ``fit(columns, outcome, groups)`` returns a model with ``probability(columns)``.
    """

    name: str
    columns: Callable[[Slice], np.ndarray]
    fit: Callable = Logit.fit


@dataclass(frozen=True, eq=False)
class Backtest:
    """What each candidate said on earlier days, and what came.

    ``said`` : one row per account and cut-off, columns account (number), moment, due, is_silent, and a probability
    by candidate name. ``cutoffs``: the days of the test slices. ``models``: each candidate fitted on all that is
    known today, for the live slice.
    """

    said: pd.DataFrame
    cutoffs: tuple[int, ...]
    models: dict[str, object]


def moments(sales: Sales, horizon_days: int, cutoffs: int = 4) -> tuple[list[int], list[int]]:
    """Days of the test slices and of all slices, the latest first, without the day read as of.

    The last test starts one horizon before that day. Steps are a horizon long, so that label windows do not
    overlap; where the book is too short for that many, shorter. A test day has at least one slice whose windows
    had closed by then.
    """
    last, earliest = sales.as_of - horizon_days, sales.first + HISTORY_DAYS
    room = last - horizon_days - earliest
    step = int(min(horizon_days, max(room // max(cutoffs - 1, 1), SHORTEST_STEP_DAYS)))
    grid = list(range(last, earliest - 1, -step))[: MOST_SLICES + cutoffs]
    tests = [moment for moment in grid if moment - horizon_days >= grid[-1]][:cutoffs]
    return tests, grid


def cut(sales: Sales, moment: int, horizon_days: int, silence: Silence) -> Slice:
    """The accounts that are judged on a day, with what came of them where it is known by now."""
    stand = standing(sales, moment, horizon_days, silence)
    rows = stand[stand["is_judged"]].copy()
    rows["due"] = moment + rows["window_days"]
    upto = np.full(sales.purchases.size, float(moment))
    upto[rows.index] = rows["due"]
    bought = sales.purchases.count(moment, upto)[rows.index]
    rows["is_silent"] = np.where(rows["due"] <= sales.as_of, (bought == 0).astype(float), np.nan)
    return Slice(moment, rows)


def run(candidates: Sequence[Candidate], live: Slice, slices: Sequence[Slice], tests: Sequence[int]) -> Backtest:
    """Fit each candidate before each test day, ask it about that day, and fit it once more on everything.

    Parameters
    ----------
    candidates : what competes.
    live : the slice of the day read as of.
    slices : the earlier slices, in any order.
    tests : days of the slices to test on.
    """
    said, models = [_known(slices, tests)], {}
    for candidate in candidates:
        columns = {s.moment: candidate.columns(s) for s in slices}
        asked = [_ask(candidate, columns, slices, test) for test in tests]
        said.append(pd.Series(np.concatenate(asked) if asked else [], name=candidate.name, dtype=float))
        models[candidate.name] = _fit(candidate, columns, slices, live.moment)
    return Backtest(pd.concat(said, axis=1), tuple(tests), models)


def _known(slices: Sequence[Slice], tests: Sequence[int]) -> pd.DataFrame:
    """The rows of the test slices whose outcome is known, in the order of the tests."""
    by_day = {s.moment: s.rows for s in slices}
    parts = [by_day[test].assign(account=by_day[test].index, moment=test) for test in tests]
    columns = ["account", "moment", "due", "is_silent", "recency_days", "gap_median_days"]
    if not parts:
        return pd.DataFrame(columns=columns, dtype=float)
    rows = pd.concat(parts, ignore_index=True)
    return rows.loc[rows["is_silent"].notna(), columns].reset_index(drop=True)


def _ask(candidate: Candidate, columns: dict, slices: Sequence[Slice], test: int) -> np.ndarray:
    model = _fit(candidate, columns, slices, test)
    rows = next(s.rows for s in slices if s.moment == test)
    return model.probability(columns[test][rows["is_silent"].notna().to_numpy()])


def _fit(candidate: Candidate, columns: dict, slices: Sequence[Slice], before: int):
    """The candidate fitted on all rows whose windows had closed by a day; None where there is no such row."""
    closed = {s.moment: (s.rows["due"] <= before).to_numpy() for s in slices if s.moment < before}
    past = [s for s in slices if s.moment in closed and closed[s.moment].any()]
    if not past:
        return None
    known = [s.rows[closed[s.moment]] for s in past]
    return candidate.fit(
        np.concatenate([columns[s.moment][closed[s.moment]] for s in past]),
        np.concatenate([rows["is_silent"] for rows in known]),
        np.concatenate([rows.index for rows in known]),
    )
