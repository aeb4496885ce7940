"""Next quarter's visits per account: response curves from estimate and judgement, and the best use of hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.errors import RequestError
from kamlib.studies.allocation import Adbudg, CallPlan, plan_calls
from kamlib.studies.visits.evidence import NEW, Evidence
from kamlib.studies.visits.hours import PAST_MONTHS, PLAN_MONTHS, Costs, contacts, manager_hours
from kamlib.studies.visits.pace import Outcomes, outcomes, paces, purchase_days
from kamlib.studies.visits.responses import changes, class_curves, responses
from kamlib.studies.visits.states import APART, KEPT

QUARTER_DAYS = 91
UNASSIGNED = "–"
BUDGETS = ("hours", "present")


@dataclass(frozen=True)
class Terms:
    """What a plan is made under.

    Attributes
    ----------
    budget : "hours" of the managers (present visits where hours are not known), or "present" visits.
    minimum : visits a quarter that every buying account gets. most_change : share by which visits to one account
        may rise or fall, to whole visits; only the minimum goes before it.
    judgement : sales index without visits, at half, at the present, at half more, and at saturation; empty for none.
    judgement_weight : weight of the judged curve beside the estimated one.
    visit_cost : money a visit; the book's own where None.
    """

    budget: str = "hours"
    minimum: int = 1
    most_change: float = 0.5
    judgement: tuple[float, ...] = ()
    judgement_weight: float = 0.3
    visit_cost: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "judgement", tuple(self.judgement))
        if self.budget not in BUDGETS:
            raise RequestError(f"budget is {self.budget!r}; it may be {' or '.join(BUDGETS)}")
        if self.minimum < 0 or not 0 <= self.most_change <= 5 or not 0 <= self.judgement_weight <= 1:
            raise RequestError("minimum must be 0 or more, most_change 0 to 5, judgement_weight 0 to 1")
        if self.judgement and len(self.judgement) != 5:
            raise RequestError(
                f"judgement has {len(self.judgement)} values; give no visits, half, present, half more, saturation"
            )

    def weight(self, basis: str) -> float:
        """Weight of the judged curve in a plan of this basis."""
        return {"estimate": 0.0, "blend": self.judgement_weight, "judgement": 1.0}[basis]

    def judged(self) -> Adbudg | None:
        """The curve through the five judgements."""
        return Adbudg.calibrate(*self.judgement) if self.judgement else None


@dataclass(frozen=True, eq=False)
class Plan:
    """Visits per account for the next quarter; gains are of a quarter once the new rhythm has settled.

    Attributes
    ----------
    basis : "estimate", "blend" (with judgement) or "judgement" (the estimate is not used).
    accounts : account_id, name, manager_id, class, state and last_order (of :mod:`states`), revenue (of a quarter, as
        sold), expected (what the plan counts on, before its moves), today, plan, change (visits a quarter), next_visit
        (what one more visit a quarter would earn today, its cost taken off), limit ("most", "least", "minimum" where
        only the declared minimum goes beyond the bounds, or ""), sales_gain (margin of sales beyond today's), gain
        (that, and the cost of visits no longer made).
    managers : manager_id, hours_available (missing where not known), hours_elsewhere, hours_today, hours_budget
        (that the plan may use), hours_plan, today, plan, is_short (the
        least visits take more than is free, and got it).
    sales_gain, gain_low, gain_high : margin of sales a quarter beyond today's visits, with an interval that holds what
        the effect and what demand may be; the ends are NaN where the past is too short to tell of demand.
    flatness : the best plans with other budgets, profit in money. curves : index of sales by visits a month and class.
    gap : the most another plan could earn beyond this one, as a share. costs : of sales and visits.
    terms : what it was made under.
    """

    basis: str
    accounts: pd.DataFrame
    managers: pd.DataFrame
    sales_gain: float
    gain_low: float
    gain_high: float
    flatness: pd.DataFrame
    curves: pd.DataFrame
    gap: float
    costs: Costs
    terms: Terms = field(default_factory=Terms)

    @property
    def fewer_visits(self) -> float:
        """Visits a quarter that are no longer made; below zero where more are."""
        return float((self.accounts["today"] - self.accounts["plan"]).sum())

    @property
    def gain(self) -> float:
        """Profit a quarter beyond today's: margin of sales, and the cost of visits no longer made."""
        return self.sales_gain + self.costs.cost_per_visit * self.fewer_visits

    @property
    def apart(self) -> pd.DataFrame:
        """Accounts that are silent or bought once: their visits stay, and no gain is booked for them."""
        return self.accounts[self.accounts["state"].isin(APART)]


def draw_plan(
    book: Book,
    panel: pd.DataFrame,
    evidence: Evidence,
    terms: Terms,
    states: pd.DataFrame,
    channels: Sequence[str] = ("visit",),
    level: float = 0.9,
    seed: int = 0,
    is_contradicted: bool = False,
) -> Plan | None:
    """The plan, from the estimate where its gates are passed, else from judgement alone, else None.

    Parameters
    ----------
    panel : account × month as ``visits.panel``, of visits by these channels. evidence : of the same panel.
    states : of the accounts, as :func:`kamlib.studies.visits.states.states` returns them.
    level, seed : of the gain's interval. is_contradicted : whether an experiment denies the estimate.

    Examples
    --------
    >>> draw_plan(book, panel, weigh(panel), Terms(), states(book, today)).accounts.head()  # doctest: +SKIP
    """
    basis = _basis(evidence, terms, is_contradicted)
    days = purchase_days(book)
    past = outcomes(book, days, panel) if basis else None
    present = _present(days, panel, evidence, states, past)
    if basis is None or present.empty:
        return None
    costs, kept = Costs.of(book, panel, channels, terms.visit_cost), contacts(book, panel, channels)
    rng, claimed = np.random.default_rng(seed), None if basis == "judgement" else evidence
    curves = responses(present, claimed, terms.judged(), terms.weight(basis), rng)
    present = present.join(bounds(present, terms, _rhythm(book, present, kept)))
    hours = manager_hours(book, present, kept, costs.hours_per_visit, costs.has_hours)
    hours = hours.assign(hours_budget=_budget(hours, terms))
    plan = _solve(curves, present, costs, hours["hours_budget"])
    shares = changes(curves, plan.calls)
    low, high = _interval(shares, present, past, costs, basis, level, rng)
    accounts = _accounts(book, present, plan, curves, shares, costs)
    return Plan(
        basis=basis,
        accounts=accounts,
        managers=_managers(hours, present, plan, costs),
        sales_gain=float(accounts["sales_gain"].sum()),
        gain_low=low,
        gain_high=high,
        flatness=plan.flatness().reset_index(),
        curves=class_curves(present, curves, level),
        gap=plan.gap,
        costs=costs,
        terms=terms,
    )


def _basis(evidence: Evidence, terms: Terms, is_contradicted: bool) -> str | None:
    """An estimate is used only if no gate failed, it is clearly above zero, and no experiment denies it."""
    can_claim = not evidence.failed and evidence.long_run[1] > 0 and not is_contradicted
    if can_claim:
        return "blend" if terms.judgement and terms.judgement_weight else "estimate"
    return "judgement" if terms.judgement else None


def _present(days, panel, evidence: Evidence, states: pd.DataFrame, past: Outcomes | None) -> pd.DataFrame:
    """Buying accounts: revenue and visits of a quarter at the rhythm of the last twelve months, and their state."""
    months = np.sort(panel["month"].unique())[-PAST_MONTHS:]
    recent = panel[panel["month"].isin(months) & panel["visits"].notna()]
    groups = recent.groupby("account_id")
    present = groups.agg(today=("visits", "mean"), manager_id=("manager_id", "last")).join(paces(days, panel))
    present["today"] = (present["today"] * PLAN_MONTHS).round(1)
    present["manager_id"] = present["manager_id"].astype(object).where(present["manager_id"].notna(), UNASSIGNED)
    present["class"] = evidence.class_of.reindex(present.index).fillna(NEW)
    present = present.join(states[["state", "last_order"]])
    present = present[present["revenue"] > 0]
    present["pace"] = present["pace"].where(~present["state"].isin(APART), 0.0)
    return present.assign(expected=past.expected(present["pace"]) if past else present["pace"])


def _rhythm(book: Book, present: pd.DataFrame, kept: pd.DataFrame) -> pd.Series:
    """Visits a quarter that keep the declared rhythm with a customer, beside its contacts of other kinds."""
    wanted = np.ceil(QUARTER_DAYS / float(book.settings.value("customer_contact_days")))
    return np.ceil((wanted - kept["others"].reindex(present.index).fillna(0)).clip(lower=0))


def bounds(present: pd.DataFrame, terms: Terms, rhythm: pd.Series | None = None) -> pd.DataFrame:
    """Least and most visits of every account, whole numbers.

    Parameters
    ----------
    present : by account_id: today (visits a quarter) and state. rhythm : visits below which an account is not taken
        if it has them today.

    Returns
    -------
    pandas.DataFrame
        by account_id: low, high, is_minimum (the declared minimum lies beyond what ``most_change`` allows). Today's
        visits, rounded, always lie within, but for that minimum; accounts in a state are not lowered, and those kept
        out of the plan are not moved at all.
    """
    rounded = np.floor(present["today"] + 0.5)
    low = np.minimum(np.ceil(present["today"] * (1 - terms.most_change) - 1e-9), rounded).clip(lower=0)
    high = np.maximum(np.floor(present["today"] * (1 + terms.most_change) + 1e-9), rounded)
    if rhythm is not None:
        low = np.maximum(low, np.minimum(rhythm, rounded))
    low = low.where(present["state"] == "", rounded)
    high = high.where(~present["state"].isin(KEPT), rounded)
    is_minimum = high < terms.minimum
    return pd.DataFrame(
        {"low": low.clip(lower=terms.minimum), "high": high.clip(lower=terms.minimum), "is_minimum": is_minimum}
    )


def _budget(hours: pd.DataFrame, terms: Terms) -> pd.Series:
    """Hours of each manager for the plan, but never less than the least visits take."""
    wanted = hours["hours_free"] if terms.budget == "hours" else hours["hours_today"]
    return wanted.clip(lower=hours["hours_least"])


def _solve(curves, present, costs: Costs, budget: pd.Series) -> CallPlan:
    return plan_calls(
        curves,
        margin=costs.margin_share,
        cost_per_call=costs.cost_per_visit,
        budget=budget + 1e-6,
        minimum=present["low"],
        maximum=present["high"],
        groups=present["manager_id"],
        hours_per_call=costs.hours_per_visit,
    )


def _interval(shares, present, past: Outcomes | None, costs: Costs, basis: str, level: float, rng):
    """Ends of the sales gain: over what the effect may be, and what demand did after such paces before."""
    if past is None or basis == "judgement":
        return np.nan, np.nan
    sold = past.draws(present["pace"], shares.shape[1], rng)
    total = costs.margin_share * (sold * shares).sum(axis=0)
    low, high = np.quantile(total, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _accounts(book, present, plan: CallPlan, curves, shares: np.ndarray, costs: Costs) -> pd.DataFrame:
    names = book.collect(book.table("accounts", "account_id", "name")).set_index("account_id")["name"]
    calls = plan.calls.astype(int)
    tops = [curve(np.array([curve.today, curve.today + 1])) for curve in curves]
    frame = present.assign(name=names.reindex(present.index), plan=calls, change=calls - present["today"])
    frame["next_visit"] = [costs.margin_share * (b - a) - costs.cost_per_visit for a, b in tops]
    frame["limit"] = np.select(
        [present["is_minimum"], (calls == present["high"]) & (calls > present["low"]), calls == present["low"]],
        ["minimum", "most", "least"],
        "",
    )
    frame["sales_gain"] = costs.margin_share * present["expected"] * shares.mean(axis=1)
    frame["gain"] = frame["sales_gain"] - costs.cost_per_visit * frame["change"]
    frame = frame.drop(columns=["low", "high", "is_minimum", "pace"]).rename_axis("account_id").reset_index()
    order = frame["change"].abs().sort_values(ascending=False, kind="stable").index
    return frame.loc[order].reset_index(drop=True)


def _managers(hours: pd.DataFrame, present: pd.DataFrame, plan: CallPlan, costs: Costs) -> pd.DataFrame:
    totals = present.assign(plan=plan.calls).groupby("manager_id")[["today", "plan"]].sum()
    columns = ["hours_available", "hours_elsewhere", "hours_today", "hours_budget", "is_short"]
    frame = hours[columns].join(totals)
    return frame.assign(hours_plan=frame["plan"] * costs.hours_per_visit).reset_index()
