"""What the visit study says of visits offered at random: what that could show, and what it has shown."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.findings.visits import absent, nothing, sized
from kamlib.reports.sentences import say
from kamlib.studies.visits import Visits

PRACTICES = ("K082", "K084")
OFFERS = ["account_id", "opening_size", "is_offered"]
POWER = ["run_months", "lift_seen", "lift_expected", "accounts_needed"]


def visit_experiment(result: Visits) -> Finding:
    """What offering extra visits at random would show, and what a finished experiment has shown."""
    if result.evidence is None:
        return absent(result, "visits.experiment", PRACTICES)
    if result.trial is not None:
        return _finished(result)
    if result.running:
        return nothing("visits.experiment", say("visits.trial_running", name=result.running), PRACTICES)
    if result.design is None:
        return nothing("visits.experiment", say("visits.experiment_none"), PRACTICES)
    return _to_come(result)


def _to_come(result: Visits) -> Finding:
    design, best = result.design, result.design.best
    offered = int(design.offers["is_offered"].sum())
    values = {"n": len(design.offers), "offered": offered, "months": int(best["run_months"])}
    values |= {"lift": best["lift_seen"], "needed": best["accounts_needed"], "power": design.power}
    values |= {"expected": design.expected, "source": say(f"visits.expected_{design.expected_from}")}
    is_apart = result.plan is None or design.is_apart or not design.can_tell
    verdict, reason = judge(
        Gate(design.can_tell, Verdict.NO_CONCLUSION, say("visits.experiment_small", **values)),
        Gate(is_apart, Verdict.CAUTION, say("visits.experiment_beside_plan")),
    )
    return Finding(
        "visits.experiment",
        say("visits.experiment_fine" if design.can_tell else "visits.experiment_weak", **values),
        float(best["lift_seen"]),
        "smallest lift that would be seen",
        n=len(design.offers),
        verdict=verdict,
        reason=reason,
        decision=say("visits.experiment_decision" if design.can_tell else "visits.experiment_not", **values),
        practices=PRACTICES,
    )


def _finished(result: Visits) -> Finding:
    trial = result.trial
    values = {"name": trial.name, "offered": trial.n_offered, "others": trial.n_others, "months": trial.months}
    values |= {"lift": trial.lift, "low": trial.low, "high": trial.high, "extra": trial.extra_visits}
    if not np.isfinite(trial.lift):
        return nothing("visits.experiment", say("visits.trial_none", **values), PRACTICES)
    branch = "clear" if trial.low > 0 else "negative" if trial.high < 0 else "unclear"
    most = trial.expected[2] if trial.expected else np.inf
    is_tried, is_alike = trial.verdict != "untreated", trial.verdict != "unlike"
    branch = "unlike" if not is_alike else branch if is_tried else "untried"
    verdict, reason = judge(
        Gate(is_alike, Verdict.NO_CONCLUSION, say("visits.trial_chosen", p=trial.before_p)),
        Gate(is_tried, Verdict.NO_CONCLUSION, say("visits.trial_untreated", **values)),
        Gate(not trial.low > most, Verdict.CAUTION, say("visits.trial_beyond", most=most)),
    )
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
        practices=PRACTICES,
    )


def offer_table(result: Visits) -> pd.DataFrame:
    """Who is offered an extra visit, dealt at random among accounts of like size at the start."""
    if result.design is None:
        return pd.DataFrame(columns=OFFERS)
    return sized(result.design.offers).assign(seed=result.design.seed)


def power_table(result: Visits) -> pd.DataFrame:
    """The smallest lift an experiment would show, by how long it runs."""
    if result.design is None:
        return pd.DataFrame(columns=POWER)
    return result.design.detectable
