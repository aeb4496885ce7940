"""Next quarter's visits per account: response curves from estimate and judgement, and the best use of hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.errors import RequestError
from kamlib.studies.allocation import Adbudg, CallPlan, plan_calls
from kamlib.studies.visits.evidence import NEW, Evidence

PLAN_MONTHS = 3
PAST_MONTHS = 12
DRAWS = 200
UNASSIGNED = "–"
BUDGETS = ("hours", "present")


@dataclass(frozen=True)
class Terms:
    """What a plan is made under.

    Attributes
    ----------
    budget : "hours" of the managers (present visits where hours are not known), or "present" visits.
    minimum : visits a quarter that every buying account gets. most_change : share by which visits to one account
        may rise or fall.
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

    def judged(self) -> Adbudg | None:
        """The curve through the five judgements."""
        return Adbudg.calibrate(*self.judgement) if self.judgement else None


@dataclass(frozen=True, eq=False)
class Plan:
    """Visits per account for the next quarter; gains are of a quarter once the new rhythm has settled.

    Attributes
    ----------
    basis : "estimate", "blend" (with judgement) or "judgement" (the estimate is not used).
    accounts : account_id, name, manager_id, class, revenue (of a quarter), today, plan, change (visits a quarter),
        next_visit (what one more visit a quarter would earn today), limit ("most", "least" or "" where the bounds do
        not bind), gain, gain_low, gain_high.
    managers : manager_id, hours_available (missing where not known), hours_today, hours_plan, today, plan, is_short
        (the minimum needs more than there is, and was given).
    gain, gain_low, gain_high : money a quarter beyond today's visits. moved_gain : of it, by moving present visits.
    flatness : profit of the best plans with other budgets. curves : index of sales by visits a month and class.
    gap : the most another plan could earn beyond this one, as a share. margin_share, has_margin : of revenue, and
        whether costs are known. cost_per_visit, cost_from ("visits", "settings", "given", "unknown"), hours_per_visit.
    """

    basis: str
    accounts: pd.DataFrame
    managers: pd.DataFrame
    gain: float
    gain_low: float
    gain_high: float
    moved_gain: float
    flatness: pd.DataFrame
    curves: pd.DataFrame
    gap: float
    margin_share: float
    has_margin: bool
    cost_per_visit: float
    cost_from: str
    hours_per_visit: float


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


def draw_plan(
    book: Book,
    panel: pd.DataFrame,
    evidence: Evidence,
    terms: Terms,
    channels: Sequence[str] = ("visit",),
    level: float = 0.9,
    seed: int = 0,
) -> Plan | None:
    """The plan, from the estimate where its gates are passed, else from judgement alone, else None.

    Parameters
    ----------
    panel : account × month as ``visits.panel``, of visits by these channels. evidence : of the same panel.
    level, seed : of the gain's interval.

    Examples
    --------
    >>> draw_plan(book, panel, weigh(panel), Terms()).accounts.head()  # doctest: +SKIP
    """
    basis = _basis(evidence, terms)
    present = _present(panel, evidence)
    if basis is None or present.empty:
        return None
    costs = _Costs.of(book, panel, terms, channels)
    curves = _curves(present, evidence, terms, basis, np.random.default_rng(seed))
    bounds = _bounds(present, terms)
    hours = _hours(book, present, costs, bounds, _elsewhere(book, present, costs, panel, channels))
    available = hours["hours_plan"] if terms.budget == "hours" else hours["hours_today"]
    plan = _solve(curves, present, bounds, costs, available.where(~hours["is_short"], hours["hours_least"]))
    moved = _solve(curves, present, bounds, costs, hours["hours_today"].clip(lower=hours["hours_least"]))
    gains = _gains(curves, present, plan.calls, costs)
    low, high = np.quantile(gains.sum(axis=0), [(1 - level) / 2, (1 + level) / 2])
    moved_gains = _gains(curves, present, moved.calls, costs)
    return Plan(
        basis=basis,
        accounts=_accounts(book, present, plan, bounds, curves, costs, gains, level),
        managers=_managers(hours, present, plan, costs),
        gain=float(gains.mean(axis=1).sum()),
        gain_low=float(low),
        gain_high=float(high),
        moved_gain=float(moved_gains.mean(axis=1).sum()),
        flatness=plan.flatness().reset_index(),
        curves=_class_curves(present, curves, level),
        gap=plan.gap,
        **vars(costs),
    )


def _basis(evidence: Evidence, terms: Terms) -> str | None:
    """An estimate is used only if no gate failed and it is clearly above zero."""
    can_claim = not evidence.failed and evidence.long_run[1] > 0
    if can_claim:
        return "blend" if terms.judgement and terms.judgement_weight else "estimate"
    return "judgement" if terms.judgement else None


def _present(panel: pd.DataFrame, evidence: Evidence) -> pd.DataFrame:
    """Buying accounts: revenue and visits of a quarter, at the rhythm of the last twelve months."""
    months = np.sort(panel["month"].unique())[-PAST_MONTHS:]
    recent = panel[panel["month"].isin(months) & panel["visits"].notna()]
    groups = recent.groupby("account_id")
    present = groups.agg(revenue=("revenue", "mean"), today=("visits", "mean"), manager_id=("manager_id", "last"))
    present["revenue"] *= PLAN_MONTHS
    present["today"] = (present["today"] * PLAN_MONTHS).round(1)
    present["manager_id"] = present["manager_id"].astype(object).where(present["manager_id"].notna(), UNASSIGNED)
    present["class"] = evidence.class_of.reindex(present.index).fillna(NEW)
    return present[present["revenue"] > 0]


@dataclass(frozen=True)
class _Costs:
    """What a visit costs and what a sale earns, and where each is known from."""

    margin_share: float
    has_margin: bool
    cost_per_visit: float
    cost_from: str
    hours_per_visit: float

    @classmethod
    def of(cls, book: Book, panel: pd.DataFrame, terms: Terms, channels: Sequence[str]) -> _Costs:
        known = panel.dropna(subset=["margin"])
        share = known["margin"].sum() / known["revenue"].sum() if known["revenue"].sum() > 0 else np.nan
        has_margin = bool(0 < share <= 1)
        declared = float(book.settings.value("visit_cost"))
        mean_cost, hours = _means(book, channels)
        if terms.visit_cost is not None:
            cost, origin = terms.visit_cost, "given"
        elif np.isfinite(mean_cost):
            cost, origin = mean_cost, "visits"
        else:
            cost, origin = declared, "settings" if declared else "unknown"
        return cls(float(share) if has_margin else 1.0, has_margin, float(cost), origin, hours)


def _means(book: Book, channels: Sequence[str]) -> tuple[float, float]:
    """Mean cost and hours of a visit; hours are 1 where none are kept, so that they count visits."""
    visits = book.table("visits", "channel", "cost", "hours")
    visits = visits.filter(visits.channel.isin(channels))
    row = book.collect(visits.aggregate(cost=visits.cost.mean(), hours=visits.hours.mean())).iloc[0].astype(float)
    return float(row["cost"]), float(row["hours"]) if row["hours"] > 0 else 1.0


def _curves(present, evidence: Evidence, terms: Terms, basis: str, rng) -> pd.Series:
    """One response per account; accounts of a class share their draws of the effect."""
    effects = _effects(evidence, basis, rng)
    judged = terms.judged()
    weight = {"estimate": 0.0, "blend": terms.judgement_weight, "judgement": 1.0}[basis]
    rows = zip(present["revenue"], present["today"], present["class"], strict=True)
    curves = [Response(revenue, today, effects(name), judged, weight) for revenue, today, name in rows]
    return pd.Series(curves, index=present.index)


def _effects(evidence: Evidence, basis: str, rng):
    """Class → (draws,) possible effects, never below zero; nobody's visits are planned to do harm."""
    if basis == "judgement":
        return lambda name: np.zeros(1)
    lasting = evidence.carry.diagnostics["long_run"]
    common = rng.standard_normal(DRAWS)
    overall = np.maximum(lasting["estimate"] + lasting["standard_error"] * common, 0)
    if evidence.classes is None:
        return lambda name: overall
    pooled, drawn = evidence.classes, {}
    for row in pooled.classes.itertuples():
        shared = (1 - row.weight) * pooled.mean_error
        own = np.sqrt(max(row.pooled_error**2 - shared**2, 0))
        values = row.pooled_estimate + shared * common + own * rng.standard_normal(DRAWS)
        drawn[row[1]] = np.maximum(values, 0)
    return lambda name: drawn.get(name, overall)


def _bounds(present: pd.DataFrame, terms: Terms) -> pd.DataFrame:
    low = np.maximum(np.floor(present["today"] * (1 - terms.most_change)), terms.minimum)
    high = np.maximum(np.ceil(present["today"] * (1 + terms.most_change)), low + 1)
    return pd.DataFrame({"low": low, "high": high}, index=present.index)


def _hours(
    book: Book, present: pd.DataFrame, costs: _Costs, bounds: pd.DataFrame, elsewhere: pd.Series
) -> pd.DataFrame:
    """By manager: hours that can go to visits next quarter, those of today, and the least the bounds need.

    Where today's visits take more than is declared, some of them are made by others, and they are kept.
    """
    groups = present.assign(low=bounds["low"]).groupby("manager_id")
    frame = groups.agg(hours_today=("today", "sum"), hours_least=("low", "sum")) * costs.hours_per_visit
    frame["hours_available"] = np.nan
    if book.has("managers", "hours_per_month"):
        managers = book.frame("managers").set_index("manager_id")["hours_per_month"]
        frame["hours_available"] = managers.reindex(frame.index) * PLAN_MONTHS
    elsewhere = elsewhere.reindex(frame.index).fillna(0)
    wanted = (frame["hours_available"] - elsewhere).fillna(0).clip(lower=frame["hours_today"])
    frame["is_short"] = wanted < frame["hours_least"]
    return frame.assign(hours_elsewhere=elsewhere, hours_plan=wanted)


def _elsewhere(book: Book, present: pd.DataFrame, costs: _Costs, panel: pd.DataFrame, channels) -> pd.Series:
    """Hours a quarter that managers spend in other ways or with accounts outside the plan, by today's manager."""
    months = np.sort(panel["month"].unique())[-PAST_MONTHS:]
    contacts = book.table("visits", "account_id", "visit_date", "channel", "hours")
    contacts = contacts.filter(contacts.visit_date >= pd.Timestamp(months[0]).date())
    planned = contacts.channel.isin(channels)
    groups = contacts.group_by("account_id", planned=planned).aggregate(hours=contacts.hours.sum(), n=contacts.count())
    rows = book.collect(groups)
    is_inside = rows["planned"] & rows["account_id"].isin(present.index)
    hours = rows["hours"].where(~rows["planned"], rows["n"] * costs.hours_per_visit).fillna(0)
    managers = book.collect(book.table("accounts", "account_id", "manager_id")).set_index("account_id")["manager_id"]
    outside = hours[~is_inside].groupby(rows.loc[~is_inside, "account_id"].map(managers)).sum()
    return outside / len(months) * PLAN_MONTHS


def _solve(curves, present, bounds, costs: _Costs, budget: pd.Series) -> CallPlan:
    return plan_calls(
        curves,
        margin=costs.margin_share,
        cost_per_call=costs.cost_per_visit,
        budget=budget.clip(lower=0) + 1e-6,
        minimum=bounds["low"],
        maximum=bounds["high"],
        groups=present["manager_id"],
        hours_per_call=costs.hours_per_visit,
    )


def _gains(curves: pd.Series, present: pd.DataFrame, calls: pd.Series, costs: _Costs) -> np.ndarray:
    """(accounts, draws) profit of the planned visits beyond today's."""
    rows = zip(curves, present["today"], calls, strict=True)
    sales = [np.diff(curve.draws(np.array([today, plan])), axis=0)[0] for curve, today, plan in rows]
    width = max(map(len, sales))  # a curve from judgement alone has one draw, the same for all
    sales = np.array([np.broadcast_to(row, width) for row in sales])
    cost = costs.cost_per_visit * (calls.to_numpy() - present["today"].to_numpy())
    return costs.margin_share * sales - cost[:, None]


def _accounts(book, present, plan: CallPlan, bounds, curves, costs: _Costs, gains, level: float) -> pd.DataFrame:
    names = book.collect(book.table("accounts", "account_id", "name")).set_index("account_id")["name"]
    calls = plan.calls.astype(int)
    tops = [curve(np.array([curve.today, curve.today + 1])) for curve in curves]
    frame = present.assign(name=names.reindex(present.index), plan=calls, change=calls - present["today"])
    frame["next_visit"] = [costs.margin_share * (b - a) - costs.cost_per_visit for a, b in tops]
    limits = [(calls == bounds["high"]) & (frame["change"] > 0), (calls == bounds["low"]) & (frame["change"] < 0)]
    frame["limit"] = np.select(limits, ["most", "least"], "")
    low, high = np.quantile(gains, [(1 - level) / 2, (1 + level) / 2], axis=1)
    frame = frame.assign(gain=gains.mean(axis=1), gain_low=low, gain_high=high)
    return (
        frame.rename_axis("account_id")
        .reset_index()
        .sort_values(["change", "account_id"], key=lambda c: -c.abs() if c.name == "change" else c, ignore_index=True)
    )


def _managers(hours: pd.DataFrame, present: pd.DataFrame, plan: CallPlan, costs: _Costs) -> pd.DataFrame:
    totals = present.assign(plan=plan.calls).groupby("manager_id")[["today", "plan"]].sum()
    frame = hours[["hours_available", "hours_elsewhere", "hours_today", "is_short"]].join(totals)
    frame["hours_plan"] = frame["plan"] * costs.hours_per_visit
    return frame.reset_index()


def _class_curves(present: pd.DataFrame, curves: pd.Series, level: float, most: float = 8.0) -> pd.DataFrame:
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
