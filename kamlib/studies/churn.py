"""Who is slipping away, how sure we are, what it would cost, and whether we were right last time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.errors import RequestError
from kamlib.studies import backtest, baselines
from kamlib.studies.backtest import Backtest, Candidate, Slice
from kamlib.studies.labels import Silence, standing
from kamlib.studies.record import QUANTITY, Record, read_record
from kamlib.studies.scorecard import MEASURES, Campaign, best, gain, scorecard
from kamlib.studies.scoring import calibration
from kamlib.studies.timelines import Sales, read_sales, to_dates

YEAR_DAYS = 365
KEPT = (6.0, 14.0)


@dataclass(frozen=True, eq=False)
class Churn:
    """What :func:`measure` found.

    Attributes
    ----------
    as_of, horizon_days, level : day read as of, days ahead, and the level of all intervals.
    accounts : one row per account that ever bought: account_id, name, manager_id where known, status (active,
        off_season, silent), is_judged, recency_days, gap_median_days, window_days, risk with risk_low and
        risk_high (probability of no order in the window; missing where not judged), health (100 less the risk in
        per cent), margin_expected (money over the horizon), value_at_risk (risk times that), action.
    candidates : the table of the back-test, one row per candidate: measures with intervals; empty without events.
    gains : how much better each candidate was than the baseline by the declared measure: gain, low, high.
    winner, baseline, decide_by : the candidate that writes the report, the rule to beat, the declared measure.
    cutoffs : days of the back-test. said : its rows, one per account and day, a probability by candidate.
    curve : calibration of the winner in the back-test: predicted, observed, low, high, n; empty without events.
    at_risk, at_risk_low, at_risk_high : expected margin lost over the horizon, and the interval of what may come.
    record : what was said earlier and what came; None where there is nothing to compare.
    has_cost : whether money is margin (else revenue). last_order : day of the last order.
    events : rows of the back-test in which an account fell silent. rows : all its rows.
    """

    as_of: pd.Timestamp
    horizon_days: int
    level: float
    accounts: pd.DataFrame
    candidates: pd.DataFrame
    gains: pd.DataFrame
    winner: str
    baseline: str
    decide_by: str
    cutoffs: tuple[pd.Timestamp, ...]
    said: pd.DataFrame
    curve: pd.DataFrame
    at_risk: float
    at_risk_low: float
    at_risk_high: float
    record: Record | None
    has_cost: bool
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
    calls: int = 20,
    contact_cost: float | None = None,
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
    decide_by : lift, pr_auc, brier or empc: the measure that picks the candidate.
    calls : how many accounts can be called. contact_cost : money a call; the book's own visit cost if not given.
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
    _check(horizon_days, decide_by, silence_gaps)
    sales, silence = read_sales(book), Silence(gaps=silence_gaps)
    tests, grid = backtest.moments(sales, horizon_days, cutoffs)
    slices = [backtest.cut(sales, moment, horizon_days, silence) for moment in grid]
    live = backtest.cut(sales, sales.as_of, horizon_days, silence)
    candidates = [baselines.recency_over_gap(), baselines.seasonal_naive()]
    tried = backtest.run(candidates, live, slices, tests)
    accounts = _accounts(book, sales, horizon_days, silence)
    card, resampled = scorecard(tried.said, list(tried.models), _campaign(accounts), draws, level, seed)
    winner = best(card, decide_by) if len(card) else baselines.RECENCY
    accounts = _with_risk(accounts, _named(candidates, winner), tried.models[winner], live, level)
    lost = _possible_losses(accounts, _named(candidates, winner), tried.models[winner], live, seed)
    cost = float(book.settings.value("visit_cost")) if contact_cost is None else contact_cost
    return Churn(
        as_of=to_dates([sales.as_of])[0],
        horizon_days=horizon_days,
        level=level,
        accounts=_with_actions(accounts, calls, cost),
        candidates=card,
        gains=_gains(resampled, decide_by, level),
        winner=winner,
        baseline=baselines.RECENCY,
        decide_by=decide_by,
        cutoffs=tuple(to_dates(tests)),
        said=tried.said,
        curve=_curve(tried, winner, level) if len(card) else pd.DataFrame(),
        at_risk=float(accounts["value_at_risk"].sum(min_count=1)),
        at_risk_low=float(np.quantile(lost, (1 - level) / 2)) if len(lost) else np.nan,
        at_risk_high=float(np.quantile(lost, (1 + level) / 2)) if len(lost) else np.nan,
        record=_record(previous, sales, tried, winner),
        has_cost=sales.has_cost,
        last_order=to_dates([np.nanmax(sales.revenue.last(sales.as_of))])[0],
        events=int(tried.said["is_silent"].sum()),
        rows=len(tried.said),
    )


def _check(horizon_days: int, decide_by: str, silence_gaps: float) -> None:
    if horizon_days < 7:
        raise RequestError(f"horizon_days is {horizon_days}; give 7 or more, shorter silences say nothing")
    if decide_by not in MEASURES:
        raise RequestError(f"decide_by is {decide_by!r}; it may be {', '.join(MEASURES)}")
    if silence_gaps <= 1:
        raise RequestError(f"silence_gaps is {silence_gaps}; below one usual gap every account would be silent")


def _named(candidates: Sequence[Candidate], name: str) -> Candidate:
    return next(candidate for candidate in candidates if candidate.name == name)


def _accounts(book: Book, sales: Sales, horizon_days: int, silence: Silence) -> pd.DataFrame:
    """How each account stands today, with its name and the margin expected of it over the horizon."""
    stand = standing(sales, sales.as_of, horizon_days, silence)
    stand.insert(0, "account_id", sales.accounts[stand.index])
    known = [c for c in ("account_id", "name", "manager_id", "region", "industry") if c in book.accounts.columns]
    names = book.collect(book.table("accounts", *known)).set_index("account_id")
    stand = stand.join(names, on="account_id")
    tenure = np.clip(sales.as_of - stand["first"] + 1, horizon_days, YEAR_DAYS)
    earned = sales.margin.total(sales.as_of - YEAR_DAYS, sales.as_of)[stand.index]
    return stand.assign(margin_expected=np.maximum(earned, 0) / tenure * horizon_days)


def _campaign(accounts: pd.DataFrame) -> Campaign:
    """The textbook campaign (200, 10, 1) in the money of this book: the benefit is the mean margin of an account."""
    benefit = float(accounts.loc[accounts["is_judged"], "margin_expected"].mean())
    benefit = benefit if benefit > 0 else Campaign.benefit
    return Campaign(benefit, benefit * 0.05, benefit * 0.005, KEPT)


def _with_risk(accounts: pd.DataFrame, candidate: Candidate, model, live: Slice, level: float) -> pd.DataFrame:
    risk = pd.DataFrame(np.nan, index=live.rows.index, columns=["risk", "risk_low", "risk_high"])
    if model is not None and len(live.rows):
        columns = candidate.columns(live)
        low, high = model.interval(columns, level)
        risk = risk.assign(risk=model.probability(columns), risk_low=low, risk_high=high)
    joined = accounts.join(risk)
    return joined.assign(health=100 * (1 - joined["risk"]), value_at_risk=joined["risk"] * joined["margin_expected"])


def _possible_losses(
    accounts: pd.DataFrame, candidate: Candidate, model, live: Slice, seed: int, draws: int = 2000
) -> np.ndarray:
    """(draws,) margin lost: risks drawn from their uncertainty, then who falls silent drawn from the risks."""
    if model is None or not len(live.rows):
        return np.empty(0)
    rng = np.random.default_rng(seed)
    margin = accounts.loc[live.rows.index, "margin_expected"].to_numpy()
    risks = model.draws(candidate.columns(live), rng, draws)
    return (rng.random(risks.shape) < risks) @ margin


def _with_actions(accounts: pd.DataFrame, calls: int, contact_cost: float) -> pd.DataFrame:
    """Who to call: where the call is expected to save most, as far as the calls reach and pay for themselves."""
    kept = KEPT[0] / sum(KEPT)
    gain_of_call = kept * accounts["value_at_risk"] - contact_cost
    rank = gain_of_call.rank(ascending=False, method="first")
    is_called = accounts["is_judged"] & (gain_of_call > 0) & (rank <= calls)
    choices = [is_called, accounts["status"] == "silent", accounts["status"] == "off_season"]
    action = np.select(choices, ["call", "win back", "wait"], "leave")
    ranked = accounts.assign(gain_of_call=gain_of_call, action=action)
    return ranked.sort_values(["value_at_risk", "account_id"], ascending=[False, True], ignore_index=True)


def _gains(resampled: dict, decide_by: str, level: float) -> pd.DataFrame:
    rows = {name: gain(resampled, decide_by, name, baselines.RECENCY, level) for name in resampled}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["gain", "low", "high"]).rename_axis("candidate")


def _curve(tried: Backtest, winner: str, level: float) -> pd.DataFrame:
    said = tried.said
    if said[winner].nunique() < 2:
        return pd.DataFrame()
    bins = int(np.clip(said["is_silent"].sum() // 5, 2, 10))
    return calibration(said[winner], said["is_silent"], bins=bins, level=level).curve


def _record(previous: str, sales: Sales, tried: Backtest, winner: str) -> Record | None:
    """What the earlier report said; without one, what this method would have said at the last cut-off."""
    if previous:
        return read_record(previous, sales)
    if not tried.cutoffs:
        return None
    said = tried.said[tried.said["moment"] == tried.cutoffs[0]]
    rows = pd.DataFrame(
        {
            "account_id": sales.accounts[said["account"].astype(int)],
            "said": said[winner].to_numpy(),
            "lower": np.nan,
            "upper": np.nan,
            "due": to_dates(said["due"]),
            "is_silent": said["is_silent"].to_numpy(),
        }
    )
    return Record(rows, to_dates([tried.cutoffs[0]])[0], is_recomputed=True)
