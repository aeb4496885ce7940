"""Who is slipping away, how sure we are, what it would cost, and whether we were right last time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.errors import RequestError
from kamlib.studies.btyd import Regularity
from kamlib.studies.churn import calls, contest, risks
from kamlib.studies.churn.agenda import agenda
from kamlib.studies.churn.contest import BASELINE, Contest, Rules
from kamlib.studies.churn.covariates import open_complaints, read_facts
from kamlib.studies.churn.drivers import Drivers, drivers
from kamlib.studies.churn.equity import Equity, Stress, concentration_stress, equity
from kamlib.studies.churn.labels import Silence, standing
from kamlib.studies.churn.lapses import Lapses, lapses
from kamlib.studies.churn.leaderboard import MEASURES, Campaign
from kamlib.studies.churn.record import QUANTITY, Record, read_record
from kamlib.studies.churn.reliability import Reliability
from kamlib.studies.churn.renewals import Renewals, renewals
from kamlib.studies.churn.returns import Returns, returns
from kamlib.studies.churn.seasonality import Season, expected_by_month, fit_season
from kamlib.studies.churn.timelines import read_sales, to_dates
from kamlib.studies.portfolio import manager_names


@dataclass(frozen=True, eq=False)
class Churn:
    """What :func:`measure` found.

    Attributes
    ----------
    as_of, horizon_days, level : day read as of, days ahead, and the level of all intervals.
    accounts : one row per account that ever bought, the greatest value at risk first: account_id, name, manager_id,
        region, industry, status (active, off_season, silent), is_judged, recency_days, gap_median_days, window_days,
        expected_back (date; off season only), risk with risk_low and risk_high (probability of no order in the
        window; missing where not judged), health (100 less the risk in per cent), margin_expected (money over the
        horizon), value_at_risk (risk times that), reasons (codes), gain_of_call, is_slipping, action (see
        :func:`~kamlib.studies.churn.calls.actions`), is_silent, margin_year (of the last 365 days; of a silent account
        those up to its last order), margin_lost (the same, of the silent alone), contact_reach (30-day periods without
        an order after which a contact no longer pays; missing without a cost), has_history (a customer for a year),
        is_partial, partial_ratio, partial_since, partial_gone (money), is_wallet_loss, wallet_before, wallet_share
        (missing without surveys), contract_ends_on (within the horizon).
    candidates : the table of the back-test, one row per candidate: measures with intervals, ``fitted`` and ``asked``
        (days on which it could be fitted, of how many), ``gain`` over the plain rule by the declared measure with
        ``gain_low`` and ``gain_high`` at ``gain_level`` (stricter, since the best of several is compared), and
        ``is_level`` where the winner's lead is within chance; empty without events.
    winner, baseline, decide_by : the candidate that writes the report, the rule to beat, the declared measure.
    regularity : Wheat and Morrison's k with its interval; None with too few gaps.
    cutoffs : days of the back-test. said : its rows, one per account and day, a probability by candidate.
    shuffled : (times,) lift of the winner when the outcomes are shuffled among the accounts of each day.
    curve : calibration of the winner in the back-test: predicted, observed, low, high, n; empty without events.
    at_risk, at_risk_low, at_risk_high : expected margin lost over the horizon, and the interval of what may come.
    record : what was said earlier and what came; None where there is nothing to compare.
    season, purchases_by_month : expectation by day, and purchases counted and expected by month.
    reliability : how far the risks said on the days tested were off; None without events.
    drivers, renewals, lapses, equity, stress, returns : see their modules; renewals and lapses None without contracts,
        equity where the book is too short.
    agenda : what wants doing now in one list, by money (see :func:`~kamlib.studies.churn.agenda.agenda`).
    open_complaints : complaints open on the day: account_id, opened_on, age_days, severity; None without cases.
    managers : names by manager_id; empty where the book holds none.
    policy : what a call costs and may keep. silence_gaps : gaps after which an account is silent.
    is_part : whether the book was opened within a scope, so that everything here is learned from a part of it.
    has : the tables the book has. has_cost : whether money is margin (else revenue).
    never_ordered : accounts of the book without any order day. first_order, last_order : days of the first and the
        last order.
    events : rows of the back-test in which an account fell silent. rows : all its rows.
    """

    as_of: pd.Timestamp
    horizon_days: int
    level: float
    accounts: pd.DataFrame
    candidates: pd.DataFrame
    winner: str
    baseline: str
    decide_by: str
    regularity: Regularity | None
    cutoffs: tuple[pd.Timestamp, ...]
    said: pd.DataFrame
    shuffled: np.ndarray
    curve: pd.DataFrame
    at_risk: float
    at_risk_low: float
    at_risk_high: float
    record: Record | None
    season: Season
    purchases_by_month: pd.DataFrame
    drivers: Drivers
    open_complaints: pd.DataFrame | None
    renewals: Renewals | None
    lapses: Lapses | None
    equity: Equity | None
    stress: Stress
    reliability: Reliability | None
    returns: Returns
    agenda: pd.DataFrame
    managers: pd.Series
    policy: calls.CallPolicy
    silence_gaps: float
    is_part: bool
    has: frozenset[str]
    has_cost: bool
    never_ordered: int
    first_order: pd.Timestamp
    last_order: pd.Timestamp
    events: int
    rows: int

    @property
    def judged(self) -> pd.DataFrame:
        """The accounts that have a risk."""
        return self.accounts[self.accounts["is_judged"]]

    @property
    def predictions(self) -> pd.DataFrame:
        """What the next report grades: account_id, quantity, horizon_days, value, lower, upper."""
        known = self.judged[self.judged["risk"].notna()]
        names = {"window_days": "horizon_days", "risk": "value", "risk_low": "lower", "risk_high": "upper"}
        return known.rename(columns=names).assign(quantity=QUANTITY)[
            ["account_id", "quantity", "horizon_days", "value", "lower", "upper"]
        ]


def measure(
    book: Book,
    horizon_days: int = 90,
    silence_gaps: float = 3.0,
    decide_by: str = "brier",
    call_count: int = 20,
    contact_cost: float | None = None,
    kept_share: float = 0.3,
    with_boosting: bool = False,
    previous: str = "",
    cutoffs: int = 4,
    draws: int = 300,
    level: float = 0.9,
    seed: int = 0,
) -> Churn:
    """Measure who is slipping away.

    Parameters
    ----------
    book : the book as of the day to judge from.
    horizon_days : how far ahead, days.
    silence_gaps : an account is silent after this many of its own usual gaps without an order.
    decide_by : brier, lift, pr_auc or empc: the measure that picks the candidate.
    call_count : how many accounts can be called. contact_cost : money a call; the book's own visit cost if not given.
    kept_share : chance that a call keeps an account that would have fallen silent (declared).
    with_boosting : whether gradient boosting competes too.
    previous : folder of an earlier report to grade, or nothing.
    cutoffs : earlier days to test on. draws, level, seed : of the bootstrap and the intervals.

    Raises
    ------
    RequestError
        When a parameter is out of range or the book has no visible order.

    Examples
    --------
    >>> measure(book, horizon_days=90).accounts.head()  # doctest: +SKIP
    """
    _check(horizon_days, decide_by, silence_gaps, level)
    cost = float(book.settings.value("visit_cost")) if contact_cost is None else contact_cost
    policy = calls.CallPolicy(call_count, cost, kept_share)
    rules = Rules(horizon_days, cutoffs, decide_by, with_boosting, draws, level, seed)
    sales, silence = read_sales(book), Silence(gaps=silence_gaps)
    season = fit_season(sales.purchases.day, sales.first, sales.as_of, horizon_days, book.settings.countries)
    stand = standing(sales, sales.as_of, horizon_days, silence)
    stand = stand.assign(margin_expected=calls.expected_margin(sales, stand, season, horizon_days))
    facts = read_facts(book, sales)
    held = contest.hold(facts, silence, rules, _campaign(policy))
    contracts, ending, chance, lost = None, None, pd.Series(dtype=float), 1.0
    if facts.contracts is not None:
        contracts = renewals(facts.contracts, sales.as_of, horizon_days, level)
        ending = lapses(facts, silence, horizon_days, draws, level, seed)
        # What was never tested has no price: the risk of the account itself stands in.
        chance = ending.ending.groupby("account")["lapse"].max() if len(ending.methods) else chance
        lost = ending.lost_share
    accounts = risks.account_table(book, facts, season, stand, held, contracts, cost)
    losses = risks.possible_losses(accounts["margin_expected"], held, seed)
    came_back = returns(sales, held.tried.said)
    accounts = calls.actions(accounts, policy, came_back.lasting)
    return Churn(
        as_of=to_dates([sales.as_of])[0],
        is_part=bool(book.scope),
        horizon_days=horizon_days,
        level=level,
        accounts=accounts,
        agenda=agenda(accounts, sales, chance, silence, horizon_days, came_back.lasting, lost),
        returns=came_back,
        **_of_contest(held),
        at_risk=float(accounts["value_at_risk"].sum(min_count=1)),
        at_risk_low=float(np.quantile(losses, (1 - level) / 2)) if len(losses) else np.nan,
        at_risk_high=float(np.quantile(losses, (1 + level) / 2)) if len(losses) else np.nan,
        record=read_record(previous, sales) if previous else held.record(facts),
        season=season,
        purchases_by_month=expected_by_month(season, sales.purchases.day, sales.first, sales.as_of),
        drivers=drivers(facts, silence),
        open_complaints=open_complaints(facts, sales.as_of),
        renewals=contracts,
        lapses=ending,
        equity=equity(sales, book.settings.value("abc_cuts"), level=level, seed=seed),
        stress=concentration_stress(sales, accounts.set_index("account_id")["risk"]),
        reliability=held.reliability,
        managers=manager_names(book),
        policy=policy,
        silence_gaps=silence_gaps,
        has=frozenset(name for name in book.tables if book.has(name)),
        has_cost=sales.has_cost,
        never_ordered=int(book.accounts.count().to_pandas()) - len(accounts),
        first_order=to_dates([sales.first])[0],
        last_order=to_dates([np.nanmax(sales.revenue.last(sales.as_of))])[0],
    )


def _check(horizon_days: int, decide_by: str, silence_gaps: float, level: float) -> None:
    if not 7 <= horizon_days <= 730:
        raise RequestError(f"horizon_days is {horizon_days}; give 7 to 730, shorter silences say nothing")
    if decide_by not in MEASURES:
        raise RequestError(f"decide_by is {decide_by!r}; it may be {', '.join(MEASURES)}")
    if silence_gaps <= 1:
        raise RequestError(f"silence_gaps is {silence_gaps}; at one usual gap half of all accounts would be silent")
    if not 0 < level < 1:
        raise RequestError(f"level is {level}; give a share between 0 and 1, such as 0.9")


def _campaign(policy: calls.CallPolicy) -> Campaign:
    """The textbook campaign (200, 10, 1) in shares of what a kept account brings, and the share kept as declared."""
    share = float(np.clip(policy.kept_share, 0.01, 0.99))
    return Campaign(1.0, 0.05, 0.005, (20 * share, 20 * (1 - share)))


def _of_contest(held: Contest) -> dict:
    """The fields of the result that the back-test fills."""
    said = held.tried.said
    return {
        "candidates": held.table,
        "winner": held.winner.name,
        "baseline": BASELINE,
        "decide_by": held.rules.decide_by,
        "regularity": held.regularity,
        "cutoffs": held.cutoffs,
        "said": said,
        "shuffled": held.shuffled(),
        "curve": held.curve(),
        "events": int(said["is_silent"].sum()),
        "rows": len(said),
    }
