"""What the visit study says of contact: overdue accounts, late logs, executives' time, levels met, the symposium."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.findings.visits import absent, nothing
from kamlib.reports.sentences import say
from kamlib.studies.portfolio import with_managers
from kamlib.studies.visits import Visits

ENOUGH_VISITS, MOST_NAMED = 30, 3
MANAGERS = ["manager_id", "manager", "accounts", "overdue", "overdue_share", "log_delay_days", "logged_late_share"]
OVERDUE = [
    "account_id",
    "name",
    "manager_id",
    "manager",
    "stage",
    "last_contact",
    "since_days",
    "allowed_days",
    "overdue_days",
]


def contact_rhythm(result: Visits) -> Finding:
    """How many accounts were not contacted in the declared rhythm."""
    cadence = result.cadence
    if cadence is None:
        return absent(result, "visits.rhythm", ("K075", "K077"))
    stages = cadence.stages.set_index("stage").reindex(["prospect", "customer"])
    counts = stages[["accounts", "overdue"]].fillna(0).astype(int)
    n, late = int(counts["accounts"].sum()), int(counts["overdue"].sum())
    if not n:
        return nothing("visits.rhythm", say("visits.rhythm_nobody"), ("K075", "K077"))
    values = {
        "late": late,
        "n": n,
        "prospects": counts.loc["prospect", "accounts"],
        "late_prospects": counts.loc["prospect", "overdue"],
        "customers": counts.loc["customer", "accounts"],
        "late_customers": counts.loc["customer", "overdue"],
        "never": int(cadence.stages["never"].sum()),
    }
    return Finding(
        "visits.rhythm",
        say("visits.rhythm_late" if late else "visits.rhythm_kept", **values),
        late,
        "accounts",
        n=n,
        decision=say("visits.rhythm_decision") if late else "",
        practices=("K075", "K077"),
    )


def log_delay(result: Visits) -> Finding:
    """How long after a contact it is written down."""
    cadence = result.cadence
    if cadence is None:
        return absent(result, "visits.log_delay", ("K076", "K086"))
    if not cadence.logged:
        return nothing("visits.log_delay", say("visits.log_none"), ("K076", "K086"))
    values = {"days": cadence.log_delay_days, "late": cadence.logged_late_share, "limit": cadence.log_check_days}
    verdict, reason = judge(_enough(cadence.logged))
    return Finding(
        "visits.log_delay",
        say("visits.log_delay", n=cadence.logged, **values),
        cadence.log_delay_days,
        "days",
        n=cadence.logged,
        verdict=verdict,
        reason=reason,
        practices=("K076", "K086"),
    )


def executive_time(result: Visits) -> Finding:
    """The executives' share of all visiting time, which is not the share of their own time that is declared."""
    cadence = result.cadence
    if cadence is None:
        return absent(result, "visits.executive_time", ("K082", "K083"))
    if np.isnan(cadence.executive_share):
        return nothing("visits.executive_time", say("visits.executive_none"), ("K082", "K083"))
    if not cadence.executive_share:
        return nothing("visits.executive_time", say("visits.executive_nobody", n=cadence.executive_n), ("K082", "K083"))
    verdict, reason = judge(_enough(cadence.executive_n))
    basis = say(f"visits.basis_{cadence.executive_basis}")
    return Finding(
        "visits.executive_time",
        say("visits.executive_share", share=cadence.executive_share, target=cadence.executive_target, basis=basis),
        cadence.executive_share,
        f"share of {cadence.executive_basis}",
        n=cadence.executive_n,
        verdict=verdict,
        reason=reason,
        practices=("K082", "K083"),
    )


def contact_levels(result: Visits) -> Finding:
    """On how many levels the accounts are known and were met."""
    cadence = result.cadence
    if cadence is None:
        return absent(result, "visits.levels", ("K085",))
    levels = cadence.levels
    if levels.empty:
        return nothing("visits.levels", say("visits.levels_none"), ("K085",))
    several = int((levels["reached"] >= 2).sum())
    unmet = cadence.accounts[
        cadence.accounts["account_id"].isin(levels.loc[levels["known"] > levels["reached"], "account_id"])
    ]
    return Finding(
        "visits.levels",
        say("visits.levels_met", n=len(levels), several=several, unmet=len(unmet)),
        several / len(levels),
        "share of accounts",
        n=len(levels),
        decision=_meet(unmet) if len(unmet) else "",
        practices=("K085",),
    )


def _meet(unmet: pd.DataFrame) -> str:
    """Which accounts have a level that nobody met, the largest by name."""
    first = unmet.sort_values(["revenue", "account_id"], ascending=[False, True]).head(MOST_NAMED)
    named = ", ".join(first["name"].fillna(first["account_id"]))
    branch = "levels_decision" if len(unmet) <= MOST_NAMED else "levels_decision_more"
    return say(f"visits.{branch}", unmet=len(unmet), named=named)


def symposium(result: Visits) -> Finding:
    """Whether the yearly symposium was held, and who came."""
    cadence = result.cadence
    if cadence is None or cadence.last_symposium is None:
        return nothing("visits.symposium", say("visits.symposium_none"), ("K106",))
    is_counted = np.isfinite(cadence.attended_share)
    branch = "missed" if cadence.symposia < cadence.symposia_wanted else "held" if is_counted else "held_uncounted"
    values = {"last": cadence.last_symposium, "came": cadence.attended_share, "held": cadence.symposia}
    return Finding(
        "visits.symposium",
        say(f"visits.symposium_{branch}", **values, wanted=cadence.symposia_wanted),
        float(cadence.symposia),
        "a year",
        n=cadence.symposia,
        practices=("K106",),
    )


def overdue_table(result: Visits) -> pd.DataFrame:
    """The accounts out of rhythm, with the stage in words."""
    if result.cadence is None:
        return pd.DataFrame(columns=OVERDUE)
    late = result.cadence.overdue
    late = late.assign(stage=[say(f"visits.stage_{stage}") for stage in late["stage"]])
    return with_managers(late, result.managers)[OVERDUE]


def manager_table(result: Visits) -> pd.DataFrame:
    """Rhythm and logging by manager."""
    if result.cadence is None:
        return pd.DataFrame(columns=MANAGERS)
    return with_managers(result.cadence.managers, result.managers)[MANAGERS]


def _enough(n: int) -> Gate:
    return Gate(n >= ENOUGH_VISITS, Verdict.CAUTION, say("visits.few_contacts", n=n, needed=ENOUGH_VISITS))
