"""What the visit study says of next quarter: the plan, its hours, what hangs on them, and who is left apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from kamlib.book.periods import Period
from kamlib.reports import due_dates
from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.findings.visits import absent, effect_gates, nothing, sized
from kamlib.reports.sentences import say
from kamlib.studies.portfolio import with_managers
from kamlib.studies.visits import Visits
from kamlib.studies.visits.callplan import Plan
from kamlib.studies.visits.states import ONE_ORDER, OUT_OF_SEASON, SILENT

PLAN = [
    "account_id", "name", "manager_id", "manager", "opening_size", "is_key", "state", "revenue_a_quarter", "expected",
    "today", "plan", "change", "sales_gain", "gain", "next_visit", "why",
]  # fmt: skip
APART = ["account_id", "name", "manager_id", "manager", "state", "last_order", "revenue_a_quarter", "today"]
MANAGERS = [
    "manager_id", "manager", "hours_available", "hours_elsewhere", "hours_today", "hours_plan", "hours_left", "today",
    "plan",
]  # fmt: skip
MOST_NAMED = 3
PRACTICES = ("K084",)
COST_APART = 0.1  # of the declared cost of a visit: further apart, the reader is told


def call_plan(result: Visits) -> Finding:
    """What next quarter's visits would bring in sales if they were made where they are worth most."""
    if result.evidence is None:
        return absent(result, "visits.call_plan", PRACTICES)
    plan = result.plan
    if plan is None:
        return _no_plan(result, "visits.call_plan")
    accounts, has_interval = plan.accounts, np.isfinite(plan.gain_low)
    values = {
        "today": accounts["today"].sum(),
        "plan": int(accounts["plan"].sum()),
        "gain": plan.sales_gain,
        "size": abs(plan.sales_gain),
        "low": plan.gain_low,
        "high": plan.gain_high,
        "what": say("visits.what_margin" if plan.costs.has_margin else "visits.what_revenue"),
        "up": int((accounts["change"] >= 1).sum()),
        "down": int((accounts["change"] <= -1).sum()),
    }
    direction = "unclear" if plan.gain_low < 0 < plan.gain_high else "more" if plan.sales_gain >= 0 else "less"
    branch = direction if has_interval or plan.basis == "judgement" else "short"
    verdict, reason = judge(*_plan_gates(result))
    return Finding(
        "visits.call_plan",
        say(f"visits.plan_{plan.basis}_{branch}", **values),
        plan.sales_gain,
        f"{'margin' if plan.costs.has_margin else 'revenue'} of sales a quarter",
        (plan.gain_low, plan.gain_high) if has_interval else None,
        result.level if has_interval else None,
        len(accounts),
        verdict,
        reason,
        _plan_decision(result, values),
        PRACTICES,
    )


def _plan_decision(result: Visits, values: dict) -> str:
    """What to do with the plan: the moves, the key accounts among them, and what the churn report has to say."""
    accounts = result.plan.accounts
    keys = accounts[accounts["account_id"].isin(result.keys) & (accounts["change"] <= -1)]
    said = [say("visits.plan_decision", **values)]
    if len(keys):
        first = keys.head(MOST_NAMED)
        rows = zip(first["name"].fillna(first["account_id"]), first["today"], first["plan"], strict=True)
        named = ", ".join(say("visits.plan_key", name=name, today=today, plan=plan) for name, today, plan in rows)
        branch = "keys" if len(keys) <= MOST_NAMED else "keys_more"
        said.append(say(f"visits.plan_{branch}", keys=len(keys), named=named))
    listed = result.churn.listed if result.churn else ()
    kept = int(accounts["account_id"].isin(listed).sum())
    said.append(say("visits.plan_listed" if result.churn else "visits.plan_unlisted", listed=kept))
    return " ".join(said)


def _no_plan(result: Visits, name: str) -> Finding:
    """No plan, and the gate of the effect that stands in its way."""
    topic = name.removeprefix("visits.")
    none = nothing(name, say("visits.plan_none" if topic == "call_plan" else f"visits.absent_{topic}"), PRACTICES)
    return replace(none, reason=judge(*effect_gates(result))[1] or none.reason)


def _plan_gates(result: Visits) -> tuple[Gate, ...]:
    plan, costs = result.plan, result.plan.costs
    is_judged, has_interval = plan.basis == "judgement", np.isfinite(plan.gain_low)
    differs = costs.cost_from == "visits" and abs(costs.cost_per_visit / (costs.declared_cost or np.inf) - 1)
    cost = {"mean": costs.cost_per_visit, "declared": costs.declared_cost}
    return (
        *(() if is_judged else effect_gates(result)),
        Gate(not is_judged, Verdict.CAUTION, say("visits.gate_judgement")),
        Gate(is_judged or not plan.gain_low <= 0, Verdict.CAUTION, say("visits.gate_no_gain")),
        Gate(is_judged or has_interval, Verdict.CAUTION, say("visits.gate_no_past")),
        Gate(costs.has_margin, Verdict.CAUTION, say("visits.gate_margin")),
        Gate(costs.cost_from != "unknown", Verdict.CAUTION, say("visits.gate_cost")),
        Gate(not (costs.declared_cost and differs > COST_APART), Verdict.CAUTION, say("visits.gate_declared", **cost)),
    )


def plan_hours(result: Visits) -> Finding:
    """The visiting hours that the plan takes or sets free, what they cost, and who has too many even so."""
    if result.evidence is None:
        return absent(result, "visits.plan_hours", PRACTICES)
    if result.plan is None:
        return _no_plan(result, "visits.plan_hours")
    plan, managers = result.plan, plan_managers(result)
    today, planned = managers["hours_today"].sum(), managers["hours_plan"].sum()
    freed, cost = float(today - planned), plan.costs.cost_per_visit
    values = {"today": today, "plan": planned, "hours": abs(round(today) - round(planned))}  # as the reader subtracts
    values |= {"each": cost, "cost": abs(plan.fewer_visits) * cost, "visits": abs(plan.fewer_visits)}
    branch = "same" if abs(freed) < 1 else "frees" if freed > 0 else "takes"
    branch += "_uncosted" if branch != "same" and plan.costs.cost_from == "unknown" else ""
    branch = branch if plan.costs.has_hours else "uncounted"
    over, is_declared = managers[managers["hours_left"] < -0.5], bool(managers["hours_available"].notna().all())
    named = _hours_named(over["manager"], -over["hours_left"])
    verdict, reason = judge(
        Gate(over.empty, Verdict.CAUTION, say(f"visits.gate_hours_over_{plan.terms.budget}", named=named)),
        Gate(plan.costs.has_hours, Verdict.CAUTION, say("visits.gate_hours_uncounted")),
        Gate(is_declared or not plan.costs.has_hours, Verdict.CAUTION, say("visits.gate_hours_unknown")),
    )
    return Finding(
        "visits.plan_hours",
        say(f"visits.hours_{branch}", **values),
        freed,
        f"{'hours' if plan.costs.has_hours else 'visits'} a quarter set free",
        n=len(managers),
        verdict=verdict,
        reason=reason,
        decision=_relief(with_managers(_crowded(plan), result.managers)),
        practices=PRACTICES,
    )


def _crowded(plan: Plan) -> pd.DataFrame:
    """Managers whose visits of today take more hours than they have, so that the plan must cut them."""
    return plan.managers[plan.managers["hours_today"] - plan.managers["hours_budget"] >= plan.costs.hours_per_visit]


def _relief(crowded: pd.DataFrame) -> str:
    """Accounts that are worth their visits had better change hands than lose them."""
    free = (crowded["hours_available"] - crowded["hours_elsewhere"]).clip(lower=0)
    named = _hours_named(crowded["manager"], crowded["hours_today"] - free)
    return say("visits.hours_relief", named=named) if named else ""


def _hours_named(managers: pd.Series, hours: pd.Series) -> str:
    pairs = zip(managers, hours, strict=True)
    return ", ".join(say("visits.hours_over", name=name, hours=number) for name, number in pairs)


def plan_flatness(result: Visits) -> Finding:
    """How little or much profit hangs on the number of visits."""
    if result.evidence is None:
        return absent(result, "visits.flatness", PRACTICES)
    if result.plan is None:
        return _no_plan(result, "visits.flatness")
    plan = result.plan
    profit = plan.flatness.set_index("budget_share")["profit"]
    less, more = profit.loc[1.0] - profit.loc[0.75], profit.loc[1.25] - profit.loc[1.0]
    bound = int(_is_bound(plan).sum())
    branch = "tight" if not np.isfinite(less) else "known" if bound else "slack"
    values = {"less": less, "more": max(more, 0.0), "gain": plan.gain, "bound": bound, "n": len(plan.managers)}
    verdict, reason = judge(*_plan_gates(result))
    return Finding(
        "visits.flatness",
        say(f"visits.flatness_{branch}", **values),
        float(less) if np.isfinite(less) else None,
        "money a quarter",
        n=len(plan.accounts),
        verdict=verdict,
        reason=reason,
        practices=PRACTICES,
    )


def _is_bound(plan: Plan) -> pd.Series:
    """By manager: whether no further visit fits into the hours of the plan."""
    return plan.managers["hours_budget"] - plan.managers["hours_plan"] < plan.costs.hours_per_visit


def plan_apart(result: Visits) -> Finding:
    """The accounts of which nobody knows what they will buy, and which are left as they are."""
    if result.evidence is None:
        return absent(result, "visits.apart", PRACTICES)
    if result.plan is None:
        return _no_plan(result, "visits.apart")
    apart = result.plan.apart
    counts = apart["state"].value_counts()
    kinds = {"silent": SILENT, "once": ONE_ORDER, "season": OUT_OF_SEASON}
    values = {name: int(counts.get(state, 0)) for name, state in kinds.items()} | {"n": len(apart)}
    values |= {"visits": apart["plan"].sum(), "today": apart["today"].sum()}
    return Finding(
        "visits.apart",
        say("visits.apart_some" if len(apart) else "visits.apart_none", **values),
        len(apart),
        "accounts",
        n=len(result.plan.accounts),
        decision=say("visits.apart_decision", **values) if len(apart) else "",
        practices=PRACTICES,
    )


def plan_table(result: Visits) -> pd.DataFrame:
    """Visits of every account next quarter, the largest moves first, each with its reason."""
    if result.plan is None:
        return pd.DataFrame(columns=PLAN)
    accounts, crowded = result.plan.accounts, set(_crowded(result.plan)["manager_id"])
    why = [_why(row, row["manager_id"] in crowded) for row in accounts.to_dict("records")]
    is_key = accounts["account_id"].isin(result.keys)
    named = sized(accounts).assign(why=why, state=_states_named(accounts["state"]), is_key=is_key)
    return with_managers(named.rename(columns={"revenue": "revenue_a_quarter"}), result.managers)


def apart_table(result: Visits) -> pd.DataFrame:
    """Accounts that are silent, bought once or are out of season, the largest first."""
    if result.plan is None:
        return pd.DataFrame(columns=APART)
    apart = result.plan.apart.sort_values("revenue", ascending=False, ignore_index=True)
    named = apart.assign(state=_states_named(apart["state"])).rename(columns={"revenue": "revenue_a_quarter"})
    return with_managers(named, result.managers)[APART]


def _states_named(states: pd.Series) -> list[str]:
    return [say(f"visits.state_{state}") if state else "" for state in states]


def _why(row: dict, is_crowded: bool) -> str:
    """Why an account gains, keeps or loses visits: its state, or what one more visit would earn there today."""
    change, is_at_least = row["change"], row["limit"] == "least"
    if change > 0 and row["limit"] == "minimum":
        return say("visits.why_minimum")
    if row["state"] and change < 1 and (is_at_least or row["limit"] == "minimum"):
        return say(f"visits.why_{row['state']}", day=row["last_order"])
    if abs(change) < 1:
        return say("visits.why_same")
    if change > 0 and row["next_visit"] <= 0:
        return say("visits.why_least")
    if change < 0 < row["next_visit"] and is_crowded:
        return say("visits.why_crowded")
    branch = "more" if change > 0 else "cost" if row["next_visit"] < 0 else "fewer"
    return say(f"visits.why_{branch}_{'limit' if row['limit'] else 'free'}")


def plan_managers(result: Visits) -> pd.DataFrame:
    """Hours and visits of every manager, today and planned; ``hours_left`` of those declared, below zero where over."""
    if result.plan is None:
        return pd.DataFrame(columns=MANAGERS)
    managers = with_managers(result.plan.managers, result.managers)
    left = managers["hours_available"] - managers["hours_elsewhere"] - managers["hours_plan"]
    return managers.assign(hours_left=left)


def plan_days(result: Visits) -> pd.DataFrame:
    """The planned visits on the working days of the quarter that follows."""
    if result.plan is None:
        return pd.DataFrame(columns=["manager_id", "account_id", "name", "due_on", "number", "of"])
    quarter = Period.containing(result.as_of.date() + pd.Timedelta(days=1))
    return due_dates.spread(result.plan.accounts, quarter.start, quarter.end, result.days_off)
