"""All candidates through one back-test, one table of how they did, and the one that may speak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from kamlib.studies.btyd import Regularity
from kamlib.studies.churn import backtest, baselines, purchase_models
from kamlib.studies.churn.backtest import Answer, Backtest, Candidate, Slice
from kamlib.studies.churn.covariates import HAZARD, HAZARD_ALL, Facts, boosting, hazards
from kamlib.studies.churn.labels import Silence
from kamlib.studies.churn.leaderboard import Campaign, best, gains, leaderboard
from kamlib.studies.churn.purchase_models import PurchaseModel
from kamlib.studies.churn.record import Record, recomputed
from kamlib.studies.churn.reliability import Reliability, reliability
from kamlib.studies.churn.timelines import to_dates
from kamlib.studies.scoring import calibration

BASELINE = baselines.RECENCY
SHUFFLES, SHUFFLED_ROWS = (4, 20), 40_000


@dataclass(frozen=True)
class Rules:
    """How the contest is held: days ahead, cut-offs, the measure that decides, and the bootstrap."""

    horizon_days: int = 90
    cutoffs: int = 4
    decide_by: str = "brier"
    with_boosting: bool = False
    draws: int = 300
    level: float = 0.9
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Contest:
    """A back-test with its winner.

    ``live`` is the slice of the day read as of, ``slices`` the earlier ones, of which ``tests`` were tested on;
    ``tried`` what each candidate said; ``table`` how they did (see :class:`~kamlib.studies.churn.Churn`);
    ``winner`` the candidate that may speak and ``answer`` its fit on all that is known; ``regularity`` k.
    """

    rules: Rules
    live: Slice
    slices: Sequence[Slice]
    tests: Sequence[int]
    tried: Backtest
    table: pd.DataFrame
    winner: Candidate
    regularity: Regularity | None

    @property
    def answer(self) -> Answer | None:
        """The winner fitted on all that is known."""
        return self.tried.models[self.winner.name]

    @property
    def hazard(self) -> Answer | None:
        """The fullest hazard fitted, from which reasons are taken."""
        return self.tried.models.get(HAZARD_ALL, self.tried.models[HAZARD])

    @property
    def cutoffs(self) -> tuple[pd.Timestamp, ...]:
        """The days tested on."""
        return tuple(to_dates(self.tests))

    def curve(self) -> pd.DataFrame:
        """Calibration of the winner: predicted, observed, low, high, n; empty without events."""
        said = self.tried.said
        if not len(self.table) or said[self.winner.name].nunique() < 2:
            return pd.DataFrame()
        bins = int(np.clip(said["is_silent"].sum() // 5, 2, 10))
        return calibration(said[self.winner.name], said["is_silent"], bins=bins, level=self.rules.level).curve

    @cached_property
    def reliability(self) -> Reliability | None:
        """How far the risks of the winner were off on the days tested; None without events."""
        if not len(self.table):
            return None
        slope = self.table.loc[
            self.winner.name, ["calibration_slope", "calibration_slope_low", "calibration_slope_high"]
        ]
        return reliability(self.tried.said, self.winner.name, slope, self.rules.horizon_days, self.rules.level)

    def shuffled(self) -> np.ndarray:
        """(times,) lift of the winner when the outcomes are shuffled among the accounts of each day."""
        if not len(self.table):
            return np.empty(0)
        times = int(np.clip(SHUFFLED_ROWS / len(self.tried.said), *SHUFFLES))
        return backtest.shuffled_lifts(self.winner, self.slices, self.tests, times, self.rules.seed)

    def record(self, facts: Facts) -> Record | None:
        """What the winner would have said on the last day tested on, and what came."""
        return recomputed(facts.sales, self.tried.said, self.tests, self.winner.name) if self.tests else None


def hold(facts: Facts, silence: Silence, rules: Rules, campaign: Campaign) -> Contest:
    """Cut the slices, let every candidate speak about them, and choose by the declared measure.

    A buy-till-you-die model that could not be fitted on a test day, or today, has no score and cannot win.
    """
    sales, horizon = facts.sales, rules.horizon_days
    live = backtest.cut(sales, sales.as_of, horizon, silence)
    window = float(live.rows["window_days"].median()) if len(live.rows) else float(horizon)
    tests, grid = backtest.moments(sales, horizon, window, rules.cutoffs)
    slices = [backtest.cut(sales, moment, horizon, silence) for moment in grid]
    models, k = purchase_models.purchase_models(sales, [sales.as_of, *grid])
    candidates = _candidates(facts, models, rules.with_boosting)
    tried = _without_twins(backtest.run(candidates, live, slices, tests))
    card, resampled = leaderboard(tried.said, list(tried.models), campaign, rules.draws, rules.level, rules.seed)
    # The best of several is compared: each of the comparisons has to clear its part of the level (Bonferroni).
    strict = 1 - (1 - rules.level) / max(len(tried.models) - 1, 1)
    table = _table(card, gains(resampled, rules.decide_by, BASELINE, strict), models, [live.moment, *tried.cutoffs])
    can_win = table[table["can_win"]] if len(table) else table
    winner = best(can_win, rules.decide_by) if len(table) else BASELINE
    if len(table):
        behind = gains(resampled, rules.decide_by, winner, rules.level)["gain_high"].reindex(table.index)
        table["gain_level"] = strict
        table["is_level"] = (behind >= 0) & (behind.index != winner) & table["can_win"]
    return Contest(rules, live, slices, tried.cutoffs, tried, table, next(c for c in candidates if c.name == winner), k)


def _without_twins(tried: Backtest) -> Backtest:
    """The fuller hazard is left out where what else is known adds nothing, and both say the same."""
    said = tried.said
    if HAZARD_ALL not in said or not np.allclose(said[HAZARD], said[HAZARD_ALL], atol=1e-6):
        return tried
    models = {name: model for name, model in tried.models.items() if name != HAZARD_ALL}
    return Backtest(said.drop(columns=HAZARD_ALL), tried.cutoffs, models)


def _candidates(facts: Facts, models: Mapping[str, PurchaseModel], with_boosting: bool) -> list[Candidate]:
    plain = [baselines.recency_over_gap(), baselines.seasonal_naive(), purchase_models.recency_chain(facts.sales)]
    more = [boosting(facts)] if with_boosting else []
    return [*plain, *purchase_models.as_candidates(models), *hazards(facts), *more]


def _table(card: pd.DataFrame, gained: pd.DataFrame, models: Mapping[str, PurchaseModel], needed: Sequence[int]):
    """The leaderboard with the gain over the plain rule, how often a model could be fitted, and whether it can win."""
    if not len(card):
        return card
    fits = {name: sum(day in model.fitted for day in needed) for name, model in models.items()}
    card = card.reindex([*card.index, *(name for name in fits if name not in card.index)]).rename_axis("candidate")
    fitted = pd.Series(fits, dtype=float).reindex(card.index).fillna(len(needed)).astype(int)
    table = card.join(gained).assign(fitted=fitted, asked=len(needed), can_win=fitted == len(needed))
    measured = [column for column in table if column not in ("fitted", "asked", "can_win")]
    # Without a fit a model says the usual rate for that day: a score partly the usual rate's is not its own.
    table[measured] = table[measured].where(table["can_win"])
    return table
