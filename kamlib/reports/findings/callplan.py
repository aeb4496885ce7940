"""What the visit study says of next quarter: the plan, its flatness, the last plan's record, and the experiment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from kamlib.book.periods import Period
from kamlib.reports import due_dates
from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.findings.visits import LITERATURE, absent, effect_gates, nothing
from kamlib.reports.sentences import say
from kamlib.studies.visits import Visits

PLAN = ["account_id", "name", "manager_id", "class", "revenue", "today", "plan", "change", "gain", "next_visit", "why"]
OFFERS = ["account_id", "class", "is_offered"]
PRACTICES = ("K084",)
LEAST_GROWTH = 0.0005  # of profit: below it the hours do not bind


def call_plan(result: Visits) -> Finding:
    """What next quarter's visits would bring if they were made where they are worth most."""
    if result.evidence is None:
        return absent(result, "visits.call_plan", PRACTICES)
    plan = result.plan
    if plan is None:
        return _no_plan(result, "visits.call_plan")
    accounts = plan.accounts
    values = {
        "today": accounts["today"].sum(),
        "plan": int(accounts["plan"].sum()),
        "gain": plan.gain,
        "low": plan.gain_low,
        "high": plan.gain_high,
        "what": say("visits.what_margin" if plan.has_margin else "visits.what_revenue"),
        "up": int((accounts["change"] >= 1).sum()),
        "down": int((accounts["change"] <= -1).sum()),
    }
    verdict, reason = judge(*_plan_gates(result))
    return Finding(
        "visits.call_plan",
        say(f"visits.plan_{plan.basis}", **values),
        plan.gain,
        "money a quarter",
        (plan.gain_low, plan.gain_high),
        result.level,
        len(accounts),
        verdict,
        reason,
        say("visits.plan_decision", **values),
        PRACTICES,
    )


def _no_plan(result: Visits, name: str) -> Finding:
    """No plan, and the gate of the effect that stands in its way."""
    none = nothing(name, say("visits.plan_none"), PRACTICES)
    return replace(none, reason=judge(*effect_gates(result))[1] or none.reason)


def _plan_gates(result: Visits) -> tuple[Gate, ...]:
    plan = result.plan
    saved = plan.cost_per_visit * float((plan.accounts["today"] - plan.accounts["plan"]).sum())
    gates = effect_gates(result) if plan.basis != "judgement" else ()
    return (
        *gates,
        Gate(plan.basis != "judgement", Verdict.CAUTION, say("visits.gate_judgement")),
        Gate(plan.gain_low > 0 or plan.basis == "judgement", Verdict.CAUTION, say("visits.gate_no_gain")),
        Gate(saved <= plan.gain / 2, Verdict.CAUTION, say("visits.gate_saved", saved=saved, gain=plan.gain)),
        Gate(plan.has_margin, Verdict.CAUTION, say("visits.gate_margin")),
        Gate(plan.cost_from != "unknown", Verdict.CAUTION, say("visits.gate_cost")),
    )


def plan_flatness(result: Visits) -> Finding:
    """How little or much profit hangs on the number of visits."""
    if result.evidence is None:
        return absent(result, "visits.flatness", PRACTICES)
    if result.plan is None:
        return _no_plan(result, "visits.flatness")
    profit = result.plan.flatness.set_index("budget_share")["of_plan"]
    less, more = 1 - profit.loc[0.75], profit.loc[1.25] - 1
    is_slack = more < LEAST_GROWTH and np.isfinite(less)
    verdict, reason = judge(*_plan_gates(result))
    branch = "slack" if is_slack else "known" if np.isfinite(less) else "bound"
    return Finding(
        "visits.flatness",
        say(f"visits.flatness_{branch}", less=less, more=more),
        float(less) if np.isfinite(less) else None,
        "share of profit",
        n=len(result.plan.accounts),
        verdict=verdict,
        reason=reason,
        practices=PRACTICES,
    )


def plan_record(result: Visits) -> Finding:
    """What became of the last plan; without one, what the effect would have been said to be a quarter ago."""
    if result.evidence is None:
        return absent(result, "visits.track_record", PRACTICES)
    record = result.record
    if record is None:
        return _recomputed(result)
    values = {"said_on": record.said_on, "n": len(record.accounts), "months": record.months}
    if record.is_open:
        return nothing("visits.track_record", say("visits.record_open", **values), PRACTICES)
    values |= {"followed": record.followed, "lift": record.lift, "low": record.low, "high": record.high}
    is_known = np.isfinite(record.lift) and np.isfinite(record.low)
    branch = "ungraded" if not is_known else "better" if record.low > 0 else "worse" if record.high < 0 else "unclear"
    verdict, reason = judge(
        Gate(is_known, Verdict.NO_CONCLUSION, say("visits.record_cannot")),
        Gate(not record.followed < 0.6, Verdict.CAUTION, say("visits.record_unfollowed", **values)),
    )
    return Finding(
        "visits.track_record",
        say(f"visits.record_{branch}", **values),
        record.lift if is_known else None,
        "growth of the raised over the lowered",
        (record.low, record.high) if is_known else None,
        0.9 if is_known else None,
        len(record.accounts),
        verdict,
        reason,
        practices=PRACTICES,
    )


def _recomputed(result: Visits) -> Finding:
    now = result.evidence.long_run
    if result.earlier is None or np.isnan(now[0]):
        return nothing("visits.track_record", say("visits.record_none"), PRACTICES)
    then, low, high = result.earlier
    branch = "same" if low <= now[0] <= high else "moved"
    values = {"then": 10 * then, "low": 10 * low, "high": 10 * high, "now": 10 * now[0], "day": result.earlier_day}
    verdict, reason = judge(Gate(False, Verdict.CAUTION, say("visits.record_recomputed")))
    return Finding(
        "visits.track_record",
        say(f"visits.record_{branch}", **values),
        then,
        "percent of revenue per percent of visits",
        (low, high),
        result.level,
        result.evidence.accounts,
        verdict,
        reason,
        practices=PRACTICES,
    )


def visit_experiment(result: Visits) -> Finding:
    """What offering extra visits at random would show, and what a finished experiment has shown."""
    if result.evidence is None:
        return absent(result, "visits.experiment", ("K082", "K084"))
    if result.trial is not None:
        return _finished(result)
    design = result.design
    if design is None:
        return nothing("visits.experiment", say("visits.experiment_none"), ("K084",))
    row = design.detectable.iloc[-1]
    offered = int(design.offers["is_offered"].sum())
    # One more visit a month is a large change: 100 % of a monthly rhythm, so the usual elasticity applies once.
    usual = float(2 ** LITERATURE["albers"] - 1)
    branch = "fine" if row["lift_seen"] <= usual else "weak"
    values = {"n": len(design.offers), "offered": offered, "months": int(row["run_months"]), "lift": row["lift_seen"]}
    return Finding(
        "visits.experiment",
        say(f"visits.experiment_{branch}", power=design.power, usual=usual, **values),
        float(row["lift_seen"]),
        "smallest lift that would be seen",
        n=len(design.offers),
        verdict=Verdict.USABLE if branch == "fine" else Verdict.CAUTION,
        reason="" if branch == "fine" else say("visits.experiment_longer"),
        decision=say("visits.experiment_decision", offered=offered),
        practices=("K082", "K084"),
    )


def _finished(result: Visits) -> Finding:
    trial = result.trial
    values = {"name": trial.name, "offered": trial.n_offered, "others": trial.n_others, "months": trial.months}
    values |= {"lift": trial.lift, "low": trial.low, "high": trial.high, "extra": trial.extra_visits}
    if not np.isfinite(trial.lift):
        return nothing("visits.experiment", say("visits.trial_none", **values), ("K084",))
    branch = "clear" if trial.low > 0 else "negative" if trial.high < 0 else "unclear"
    verdict, reason = judge(Gate(trial.extra_visits > 0, Verdict.CAUTION, say("visits.trial_untreated", **values)))
    return Finding(
        "visits.experiment",
        say(f"visits.trial_{branch}", **values),
        trial.lift,
        "lift of revenue",
        (trial.low, trial.high),
        trial.level,
        trial.n_offered + trial.n_others,
        verdict,
        reason,
        practices=("K084",),
    )


def plan_table(result: Visits) -> pd.DataFrame:
    """Visits of every account next quarter, the largest moves first, each with its reason."""
    if result.plan is None:
        return pd.DataFrame(columns=PLAN)
    accounts = result.plan.accounts
    why = [_why(*row) for row in zip(accounts["change"], accounts["limit"], accounts["next_visit"], strict=True)]
    return accounts.assign(why=why)


def _why(change: float, limit: str, worth: float) -> str:
    """Why an account gains, keeps or loses visits, from what one more visit would earn there today."""
    if abs(change) < 1:
        return say("visits.why_same")
    if change > 0 and worth <= 0:
        return say("visits.why_least")
    branch = "more" if change > 0 else "cost" if worth < 0 else "fewer"
    return say(f"visits.why_{branch}_{'limit' if limit else 'free'}")


def plan_managers(result: Visits) -> pd.DataFrame:
    """Hours and visits of every manager, today and planned."""
    if result.plan is None:
        return pd.DataFrame(columns=["manager_id", "hours_available", "hours_today", "hours_plan", "today", "plan"])
    return result.plan.managers


def offer_table(result: Visits) -> pd.DataFrame:
    """Who is offered an extra visit, dealt at random within class."""
    if result.design is None:
        return pd.DataFrame(columns=OFFERS)
    return result.design.offers.assign(seed=result.design.seed)


def power_table(result: Visits) -> pd.DataFrame:
    """The smallest lift an experiment would show, by how long it runs."""
    if result.design is None:
        return pd.DataFrame(columns=["run_months", "lift_seen"])
    return result.design.detectable


def plan_days(result: Visits) -> pd.DataFrame:
    """The planned visits on the working days of the quarter that follows."""
    if result.plan is None:
        return pd.DataFrame(columns=["manager_id", "account_id", "name", "due_on", "number", "of"])
    quarter = Period.containing(result.as_of.date() + pd.Timedelta(days=1))
    return due_dates.spread(result.plan.accounts, quarter.start, quarter.end)
