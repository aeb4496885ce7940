"""What the last call plan said, whether it was followed, and what the accounts it moved did since."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kamlib.errors import RequestError
from kamlib.studies.visits.evidence import Evidence, some_accounts, weigh

PLAN, MANIFEST = Path("tables") / "plan.parquet", "manifest.json"
LEAST_MONTHS = 3
BOOTSTRAP_DRAWS = 1000
MOST_LOOKED_BACK = 1500  # of larger books a random part is judged again, in bounded time


@dataclass(frozen=True, eq=False)
class Earlier:
    """What the same method would have said from the book as it was known on an earlier day.

    Attributes
    ----------
    day : that day. evidence : as of then, gates included. shared_months : how many of its months are also in
        today's panel, so that the two answers are far from independent.
    """

    day: pd.Timestamp
    evidence: Evidence
    shared_months: int


@dataclass(frozen=True, eq=False)
class PlanRecord:
    """The last plan against what happened.

    Attributes
    ----------
    said_on : day the plan was drawn. months : complete months since; 3 are needed to grade it.
    accounts : account_id, today, plan, change (as planned, visits a quarter), made (visits a quarter since), moved
        (made − today), revenue_before (a quarter), revenue_since (a quarter).
    followed : share of the accounts to be changed whose visits moved the planned way.
    lift, low, high : growth of the accounts to be raised over that of those to be lowered, less one, with a 90 %
        bootstrap interval over accounts; NaN where it cannot be told.
    """

    said_on: pd.Timestamp
    months: int
    accounts: pd.DataFrame
    followed: float
    lift: float
    low: float
    high: float

    @property
    def is_open(self) -> bool:
        """Whether too little time has passed to grade the plan."""
        return self.months < LEAST_MONTHS


def look_back(
    then: pd.DataFrame, now: pd.DataFrame, day: pd.Timestamp, level: float, draws: int, seed: int = 0
) -> Earlier | None:
    """Judge an earlier day by the same gates, at most 1,500 accounts of it; None without a month to judge by.

    Parameters
    ----------
    then, now : account × month from the book as of the earlier day, and as of today. draws, seed : of the shuffles.
    """
    if not then["visits"].notna().any():
        return None
    then = some_accounts(then, MOST_LOOKED_BACK, seed)
    evidence = weigh(then, level=level, draws=draws, seed=seed, further=())
    return Earlier(day, evidence, int(np.isin(then["month"].unique(), now["month"].unique()).sum()))


def read_plan(previous: str | Path, panel: pd.DataFrame, today: pd.Timestamp, seed: int = 0) -> PlanRecord | None:
    """Grade the plan of an earlier report; None where that report drew none.

    Parameters
    ----------
    previous : folder of the earlier report. panel : account × month, as of today.

    Raises
    ------
    RequestError
        When the folder is not a report, or lies in the future of the day read as of.
    """
    folder = Path(previous)
    if not (folder / MANIFEST).is_file():
        raise RequestError(f"{folder} holds no report: there is no {MANIFEST}; give the folder of an earlier report")
    said_on = pd.Timestamp(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["as_of"])
    if said_on > today:
        raise RequestError(
            f"the report in {folder} was made as of {said_on:%Y-%m-%d}, after the day read as of; give an earlier one"
        )
    if not (folder / PLAN).is_file():
        return None
    plan = pd.read_parquet(folder / PLAN)
    return grade(plan, panel, said_on, seed) if len(plan) else None


def grade(plan: pd.DataFrame, panel: pd.DataFrame, said_on: pd.Timestamp, seed: int = 0) -> PlanRecord:
    """A plan (account_id, today, plan, change) against the months that followed.

    The months compared with are the same ones a year before, so that the season does not count as an effect; where
    the book does not reach back so far, the three months before the plan.
    """
    since = panel[panel["month"] > said_on]
    months = np.sort(since["month"].unique())[:LEAST_MONTHS]
    accounts = plan[["account_id", "today", "plan", "change"]].set_index("account_id")
    since = since[since["month"].isin(months)].groupby("account_id")
    accounts["made"] = since["visits"].mean() * LEAST_MONTHS
    accounts["moved"] = accounts["made"] - accounts["today"]
    accounts["revenue_since"] = since["revenue"].mean() * LEAST_MONTHS
    accounts["revenue_before"] = _before(panel, months, said_on).groupby("account_id")["revenue"].mean() * LEAST_MONTHS
    to_change = accounts[(accounts["change"].abs() >= 1) & accounts["moved"].notna()]
    followed = float((np.sign(to_change["moved"]) == np.sign(to_change["change"])).mean()) if len(to_change) else np.nan
    lift, low, high = _lift(to_change.dropna(), seed) if len(months) == LEAST_MONTHS else (np.nan,) * 3
    return PlanRecord(said_on, len(months), accounts.reset_index(), followed, lift, low, high)


def _before(panel: pd.DataFrame, months: np.ndarray, said_on: pd.Timestamp) -> pd.DataFrame:
    year_ago = pd.DatetimeIndex(months) - pd.DateOffset(years=1)
    if len(months) and panel["month"].isin(year_ago).any():
        return panel[panel["month"].isin(year_ago)]
    return panel[(panel["month"] <= said_on) & (panel["month"] > said_on - pd.DateOffset(months=LEAST_MONTHS))]


def _lift(accounts: pd.DataFrame, seed: int) -> tuple[float, float, float]:
    """Growth of the accounts to be raised over growth of those to be lowered, less one."""
    is_raised = (accounts["change"] > 0).to_numpy()
    money = accounts[["revenue_since", "revenue_before"]].to_numpy()
    if not is_raised.any() or is_raised.all():
        return (np.nan,) * 3
    rng = np.random.default_rng(seed)
    draws = [_ratio(money, is_raised, rng.integers(0, len(money), len(money))) for _ in range(BOOTSTRAP_DRAWS)]
    known = np.array(draws)[np.isfinite(draws)]
    if not len(known):
        return (np.nan,) * 3
    low, high = np.quantile(known, [0.05, 0.95])
    return _ratio(money, is_raised, np.arange(len(money))), float(low), float(high)


def _ratio(money: np.ndarray, is_raised: np.ndarray, rows: np.ndarray) -> float:
    chosen, raised = money[rows], is_raised[rows]
    up, down = chosen[raised].sum(axis=0), chosen[~raised].sum(axis=0)
    if min(up[1], down[0], down[1]) <= 0:
        return np.nan
    return float((up[0] / up[1]) / (down[0] / down[1]) - 1)
