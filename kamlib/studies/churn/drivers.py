"""What goes before leaving: a monthly hazard of accounts that have fallen silent, dated back to when they left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.stats import norm
from statsmodels.stats.proportion import proportion_confint
from statsmodels.tools.sm_exceptions import PerfectSeparationError

from kamlib.studies.churn.covariates import HALF, QUARTER, Facts, known_contracts, threads
from kamlib.studies.churn.labels import USUAL, YEAR_DAYS, Silence, usual_gaps
from kamlib.studies.churn.timelines import Timeline

MONTH_DAYS = 30
LEVEL = 0.95  # wider than the other intervals: leaving is dated with an error that no standard error knows
SETTLED_DAYS = 90
EVENTS_NEEDED = 30
EVENTS_A_DRIVER = 8
LONG_SILENCE = 5.0
EXPOSED_NEEDED = 20
STATES = ("none", "settled", "open", "open_long", "forgotten")
KINDS = ("complaint", "executive", "threads", "under_contract", "contract_ends", "new_manager")


@dataclass(frozen=True, eq=False)
class Drivers:
    """How the odds of leaving in a month go with what was known before it.

    Attributes
    ----------
    odds : frame by driver: odds_ratio, low, high, exposed (share of the account-months), events (leavings among
        the exposed), p_value; empty where there are too few leavings.
    complaint_ages : frame by the state of complaints at the beginning of a month (none, settled, open, open_long):
        months, left, rate, low, high (Wilson); empty without cases.
    events, months, accounts : leavings, account-months and accounts looked at. level : of the odds' intervals.
    """

    odds: pd.DataFrame
    complaint_ages: pd.DataFrame
    events: int
    months: int
    accounts: int
    level: float


def drivers(facts: Facts, silence: Silence = USUAL, level: float = LEVEL) -> Drivers:
    """Fit the monthly hazard.

    An account has left when it has been silent for five of its usual gaps; it is taken to have left in the 30-day
    month in which its next order was due. All others are watched until their last order. Each month of
    an account, from 90 days after its first order on, is set against what was known on its first day: complaints
    of the 180 days before (and whether one is still open after 30 days), executive visits, people met times levels,
    contracts and hand-overs. Pace and size are held constant; errors are clustered by account.

    Leaving is dated and recognised with error, which pulls odds ratios towards one.

    Source: Allison (1982), Discrete-time methods for the analysis of event histories, Sociological Methodology 13.
    """
    panel = _panel(facts, silence)
    events, accounts = int(panel["left"].sum()), int(panel["code"].nunique())
    ages = _complaint_ages(panel, level)
    empty = Drivers(pd.DataFrame(), ages, events, len(panel), accounts, level)
    known = [
        kind for kind in KINDS if kind in panel and panel[kind].sum() >= EXPOSED_NEEDED and panel[kind].nunique() > 1
    ]
    if events < EVENTS_NEEDED or not known:
        return empty
    known = known[: max(events // EVENTS_A_DRIVER - 1, 1)]
    held = panel[["gap", "size"]].loc[:, panel[["gap", "size"]].std() > 1e-3]  # pace and size, where they differ
    design = sm.add_constant(panel[known].join((held - held.mean()) / held.std()))
    model = sm.GLM(panel["left"], design, family=sm.families.Binomial(link=sm.families.links.Logit()))
    try:
        fit = model.fit(cov_type="cluster", cov_kwds={"groups": panel["code"].to_numpy()})
    except (PerfectSeparationError, np.linalg.LinAlgError):
        return empty
    return Drivers(_odds(fit, panel, known, level), ages, events, len(panel), accounts, level)


def _odds(fit, panel: pd.DataFrame, known: list[str], level: float) -> pd.DataFrame:
    reach = norm.ppf((1 + level) / 2) * fit.bse[known]
    exposed = panel[known] > 0
    frame = pd.DataFrame(
        {
            "odds_ratio": np.exp(fit.params[known]),
            "low": np.exp(fit.params[known] - reach),
            "high": np.exp(fit.params[known] + reach),
            "exposed": exposed.mean(),
            "events": exposed[panel["left"] == 1].sum(),
            "p_value": fit.pvalues[known],
        }
    )
    # A flag without a single leaving on one side has no odds ratio, only a runaway estimate.
    is_flag = panel[known].isin([0, 1]).all()
    is_split = (frame["events"] > 0) & (frame["events"] < panel["left"].sum())
    sound = (is_split | ~is_flag) & np.isfinite(frame["high"])
    return frame[sound].rename_axis("driver")


def _panel(facts: Facts, silence: Silence) -> pd.DataFrame:
    """One row per account and month at risk: code, left, gap, size, and the drivers the book can fill."""
    sales = facts.sales
    gap, _ = usual_gaps(sales, sales.as_of, silence.own_gaps)
    first, last = sales.purchases.first(), sales.purchases.last(sales.as_of)
    recency = sales.as_of - last
    has_left = recency > np.maximum(LONG_SILENCE * gap, 2 * silence.floor_days)
    # Quiet in the same days a year ago: an off-season, not a leaving.
    asleep = sales.purchases.count(np.nan_to_num(last - YEAR_DAYS), sales.as_of - YEAR_DAYS) <= 1
    has_left &= ~(asleep & (first <= last - YEAR_DAYS) & (recency < YEAR_DAYS))
    until = np.where(has_left, np.minimum(last + gap, sales.as_of), last)
    size = np.log(np.maximum(sales.revenue.total(-1, sales.as_of), 1) / np.maximum(last - first + gap, 1))
    parts = []
    for start in range(sales.as_of - MONTH_DAYS + 1, sales.first + SETTLED_DAYS, -MONTH_DAYS):
        at_risk = np.flatnonzero((first + SETTLED_DAYS <= start) & (until >= start))
        if len(at_risk):
            left = has_left[at_risk] & (until[at_risk] < start + MONTH_DAYS)
            rows = {"code": at_risk, "left": left.astype(float), "gap": np.log(gap[at_risk]), "size": size[at_risk]}
            rows |= {k: np.asarray(v, float)[at_risk] for k, v in _before(facts, start - 1, start).items()}
            parts.append(pd.DataFrame(rows))
    if not parts:
        return pd.DataFrame({"code": [], "left": [], "gap": [], "size": []})
    return pd.concat(parts, ignore_index=True)


def _before(facts: Facts, moment: int, start: int) -> dict[str, np.ndarray]:
    """What was known of each account on the day before a month begins."""
    found = {}
    if facts.complaints is not None:
        found |= _complaints(facts, moment)
    if facts.contacts is not None:
        executive = facts.contacts[facts.contacts["ours"] == "executive"]
        high = Timeline.of(facts.size, executive["code"], executive["visit_date"])
        found["executive"] = high.count(moment - HALF, moment) > 0
        # To the base two, so that its odds ratio is that of each doubling.
        found["threads"] = np.log1p(threads(facts.contacts, moment, facts.size)) / np.log(2)
    if facts.contracts is not None:
        found |= _contracts(facts, moment, start)
    if facts.assignments is not None:
        first = facts.assignments.groupby("code")["from_date"].transform("min")
        moves = facts.assignments[facts.assignments["from_date"] > first]
        handed = Timeline.of(facts.size, moves["code"], moves["from_date"])
        found["new_manager"] = handed.count(moment - QUARTER, moment) > 0
    return found


def _complaints(facts: Facts, moment: int) -> dict[str, np.ndarray]:
    """Whether one was raised in the last 180 days, and its state.

    0 none, 1 settled, 2 open, 3 open over 30 days, 4 open for more than a year and none younger: forgotten, not kept
    open.
    """
    cases = facts.complaints
    raised = Timeline.of(facts.size, cases["code"], cases["opened_on"]).count(moment - HALF, moment) > 0
    is_open = (cases["opened_on"] <= moment) & ~(cases["closed_on"] <= moment)
    is_old = is_open & (cases["opened_on"] <= moment - YEAR_DAYS)
    is_open &= ~is_old
    forgotten = np.isin(np.arange(facts.size), cases.loc[is_old, "code"])
    age = np.zeros(facts.size)
    np.maximum.at(age, cases.loc[is_open, "code"], moment - cases.loc[is_open, "opened_on"] + 1)
    state = np.where(age > MONTH_DAYS, 3, np.where(age > 0, 2, np.where(forgotten, 4, raised)))
    return {"complaint": raised, "complaint_state": state}


def _complaint_ages(panel: pd.DataFrame, level: float) -> pd.DataFrame:
    if "complaint_state" not in panel:
        return pd.DataFrame()
    by_state = panel.groupby("complaint_state")["left"].agg(["size", "sum"]).reindex(range(len(STATES)), fill_value=0)
    size, left = by_state["size"].to_numpy(), by_state["sum"].to_numpy()
    low, high = proportion_confint(left, np.maximum(size, 1), 1 - level, method="wilson")
    frame = by_state.set_axis(["months", "left"], axis=1).set_axis(pd.Index(STATES, name="complaint"), axis=0)
    return frame.assign(rate=frame["left"] / frame["months"], low=low, high=high)[frame["months"] > 0]


def _contracts(facts: Facts, moment: int, start: int) -> dict[str, np.ndarray]:
    """A contract that runs beyond the month, and one that ends within it without a successor."""
    last = known_contracts(facts.contracts, moment).groupby("code")["ends_on"].max()
    ends = last.reindex(range(facts.size)).to_numpy()
    month_end = start + MONTH_DAYS - 1
    return {"under_contract": ends > month_end, "contract_ends": (ends >= start) & (ends <= month_end)}
