"""Rolling-origin back-test: candidates are fitted on what was over, and judged on what came next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.studies.churn.labels import Silence, standing
from kamlib.studies.churn.logit import Logit
from kamlib.studies.churn.timelines import Sales
from kamlib.studies.scoring import lift

HISTORY_DAYS = (30, 90)
SHORTEST_STEP_DAYS = 7
MOST_SLICES = 8


@dataclass(frozen=True, eq=False)
class Slice:
    """The judged accounts on one day.

    ``rows``: the frame of :func:`~kamlib.studies.churn.labels.standing`, with ``due`` (the day each window closes) and
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

    A row with a missing number is one the candidate has nothing to say about: it is not learned from, and gets the
    share that fell silent among all. ``fit(columns, outcome, groups)`` returns a model with
    ``probability(columns)``.
    """

    name: str
    columns: Callable[[Slice], np.ndarray]
    fit: Callable = Logit.fit


@dataclass(frozen=True, eq=False)
class Answer:
    """A fitted candidate: its model, and the usual rate for the rows it has nothing to say about."""

    model: object
    usual: Logit

    def probability(self, columns: np.ndarray) -> np.ndarray:
        """(n,) probabilities of silence."""
        return self._answered("probability", columns)

    def interval(self, columns: np.ndarray, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """(n,) lower and upper end of each probability."""
        return self._answered("interval", columns, level)

    def draws(self, columns: np.ndarray, rng: np.random.Generator, count: int) -> np.ndarray:
        """(count, n) probabilities drawn from their uncertainty."""
        return self._answered("draws", columns, rng, count)

    def _answered(self, what: str, columns: np.ndarray, *given):
        """The answer of the usual rate, with that of the model put in where it has one."""
        answer = np.array(getattr(self.usual, what)(np.zeros((len(columns), 1)), *given))
        full = ~np.isnan(columns).any(axis=1)
        if self.model is not None and full.any():
            answer[..., full] = getattr(self.model, what)(columns[full], *given)
        return answer


@dataclass(frozen=True, eq=False)
class Backtest:
    """What each candidate said on earlier days, and what came.

    ``said`` : one row per account and cut-off, columns account (number), moment, due, is_silent, and a probability
    by candidate name. ``cutoffs``: the days of the test slices. ``models``: each candidate fitted on all that is
    known today, for the live slice.
    """

    said: pd.DataFrame
    cutoffs: tuple[int, ...]
    models: dict[str, Answer | None]


def moments(sales: Sales, horizon_days: int, window_days: float, cutoffs: int = 4) -> tuple[list[int], list[int]]:
    """Days of the test slices and of all slices, the latest first, without the day read as of.

    The last test starts one window (of the middling account, a horizon at least) before that day. Steps are a
    horizon long, so that the windows do not overlap; where the book is too short for that many, shorter. A test
    day has at least one slice whose windows had closed by then.
    """
    window = int(np.ceil(max(horizon_days, window_days)))
    last, span = sales.as_of - window, sales.as_of - sales.first
    earliest = sales.first + int(np.clip(span // 5, *HISTORY_DAYS))
    step = _step(window, horizon_days, last - earliest, cutoffs)
    grid = list(range(last, earliest - 1, -step))[: MOST_SLICES + cutoffs]
    tests = [moment for moment in grid if moment - window >= grid[-1]][:cutoffs]
    return tests, grid


def _step(window: int, horizon_days: int, room: int, cutoffs: int) -> int:
    """Days between slices: a whole part of the window, at most a horizon, for which all cut-offs find room.

    Windows far longer than the horizon are cut into a few parts only, or the slices would be too many.
    """
    fewest = min(-(-window // horizon_days), MOST_SLICES - 1)
    parts = range(fewest, min(max(window // SHORTEST_STEP_DAYS, fewest), MOST_SLICES - 1) + 1)
    steps = [-(-window // part) for part in parts]
    fits = [step for part, step in zip(parts, steps, strict=True) if (part + cutoffs - 1) * step <= room]
    return fits[0] if fits else steps[-1]


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
    tests : days of the slices to test on; those with nothing to learn from before, or nothing known after, are
        left out.
    """
    tests = [test for test in tests if _is_testable(slices, test)]
    said, models = [_known(slices, tests)], {}
    for candidate in candidates:
        columns = {s.moment: candidate.columns(s) for s in slices}
        asked = [_ask(candidate, columns, slices, test) for test in tests]
        said.append(pd.Series(np.concatenate(asked) if asked else [], name=candidate.name, dtype=float))
        models[candidate.name] = _fit(candidate, columns, slices, live.moment)
    return Backtest(pd.concat(said, axis=1), tuple(tests), models)


def shuffled_lifts(
    candidate: Candidate, slices: Sequence[Slice], tests: Sequence[int], times: int, seed: int = 0
) -> np.ndarray:
    """(times,) lift of a candidate when the outcomes are shuffled among the accounts of each day.

    A negative control: a lift that stays above 1 would show that the cases tested on taught the candidate. It cannot
    see a column that looks ahead; planted future rows are the test of that.
    """
    rng = np.random.default_rng(seed)
    columns = {s.moment: candidate.columns(s) for s in slices}
    found = []
    for _ in range(times):
        mixed = [_shuffled(s, rng) for s in slices]
        known = _known(mixed, tests)["is_silent"].to_numpy(float)
        if 0 < known.sum() < len(known):
            said = np.concatenate([_ask(candidate, columns, mixed, test) for test in tests])
            found.append(lift(said, known))
    return np.array(found)


def _shuffled(s: Slice, rng: np.random.Generator) -> Slice:
    """The slice with its known outcomes dealt out anew."""
    rows = s.rows.copy()
    known = rows["is_silent"].notna().to_numpy()
    rows.loc[known, "is_silent"] = rng.permutation(rows.loc[known, "is_silent"].to_numpy(copy=True))
    return Slice(s.moment, rows)


def _known(slices: Sequence[Slice], tests: Sequence[int]) -> pd.DataFrame:
    """The rows of the test slices whose outcome is known, in the order of the tests."""
    by_day = {s.moment: s.rows for s in slices}
    parts = [by_day[test].assign(account=by_day[test].index, moment=test) for test in tests]
    columns = ["account", "moment", "due", "is_silent", "recency_days", "gap_median_days"]
    if not parts:
        return pd.DataFrame(columns=columns, dtype=float)
    rows = pd.concat(parts, ignore_index=True)
    return rows.loc[rows["is_silent"].notna(), columns].reset_index(drop=True)


def _is_testable(slices: Sequence[Slice], test: int) -> bool:
    """Whether some window had closed by the day, and some window that began on it has closed by now."""
    has_past = any((s.rows["due"] <= test).any() for s in slices if s.moment < test)
    return has_past and any(s.rows["is_silent"].notna().any() for s in slices if s.moment == test)


def _ask(candidate: Candidate, columns: dict, slices: Sequence[Slice], test: int) -> np.ndarray:
    model = _fit(candidate, columns, slices, test)
    rows = next(s.rows for s in slices if s.moment == test)
    return model.probability(columns[test][rows["is_silent"].notna().to_numpy()])


def _fit(candidate: Candidate, columns: dict, slices: Sequence[Slice], before: int) -> Answer | None:
    """The candidate fitted on all rows whose windows had closed by a day; None where there is no such row."""
    closed = {s.moment: (s.rows["due"] <= before).to_numpy() for s in slices if s.moment < before}
    past = [s for s in slices if s.moment in closed and closed[s.moment].any()]
    if not past:
        return None
    known = np.concatenate([columns[s.moment][closed[s.moment]] for s in past])
    outcome = np.concatenate([s.rows["is_silent"][closed[s.moment]] for s in past])
    groups = np.concatenate([s.codes[closed[s.moment]] for s in past])
    full = ~np.isnan(known).any(axis=1)
    usual = Logit.fit(np.zeros((len(outcome), 1)), outcome, groups)
    return Answer(candidate.fit(known[full], outcome[full], groups[full]) if full.any() else None, usual)
