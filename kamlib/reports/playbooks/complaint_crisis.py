"""What the playbook of complaints says: what is open, how fast we answer, why they complain, and the exercise."""

from __future__ import annotations

import pandas as pd

from kamlib.reports.finding import Finding, Verdict
from kamlib.reports.playbooks.said import of_year, said
from kamlib.reports.sentences import say
from kamlib.studies.plans.complaint_crisis import CRITICAL, FEWEST_CLOSED, CrisisPlan
from kamlib.studies.portfolio import with_managers

OPEN_COLUMNS = ["case_id", "name", "manager", "opened_on", "days_open", "severity", "category", "revenue_of_year"]
PHASES = ("first_hour", "first_day", "first_week", "after")
PARTS = ("who", "does", "tells", "asks")


def open_complaints(result: CrisisPlan) -> Finding:
    """What is open, and since when."""
    still, practices = result.open_cases, ("K088",)
    if still is None:
        return said("complaint_crisis.open_absent", practices=practices, verdict=Verdict.NO_CONCLUSION)
    if still.empty:
        return said("complaint_crisis.open_none", 0, "open complaints", 0, practices=practices)
    late = int((still["days_open"] > result.allowed_days).sum())
    oldest = still.loc[still["days_open"].idxmax()]
    values = {"late": late, "allowed": result.allowed_days, "oldest": oldest["name"], "days": oldest["days_open"]}
    values["severe"] = int((still["severity"] >= CRITICAL).sum())
    branch = "one" if len(still) == 1 else "some"
    n, decision = len(still), "complaint_crisis.do_answer"
    return said(f"complaint_crisis.open_{branch}", n, "open complaints", n, decision, practices, **values)


def open_table(result: CrisisPlan) -> pd.DataFrame:
    """The open complaints, the severest and oldest first."""
    rows = result.open_cases
    return pd.DataFrame(columns=OPEN_COLUMNS) if rows is None else of_year(with_managers(rows, result.names.managers))


def cause_table(result: CrisisPlan) -> pd.DataFrame:
    """What complaints of twelve months were about, the most frequent first."""
    return result.causes.replace({"category": {"–": say("complaint_crisis.no_kind")}})


def answers(result: CrisisPlan) -> Finding:
    """How fast complaints were settled in twelve months."""
    practices = ("K088",)
    if result.open_cases is None or result.closed < FEWEST_CLOSED:
        branch = "absent" if result.open_cases is None else "few"
        verdict = Verdict.NO_CONCLUSION
        return said(f"complaint_crisis.answers_{branch}", n=result.closed, practices=practices, verdict=verdict)
    values = {"days": result.median_days, "late": result.late_share, "allowed": result.allowed_days}
    return said("complaint_crisis.answers_known", result.late_share, "share", result.closed, "", practices, **values)


def channel(result: CrisisPlan) -> Finding:
    """How many accounts never complained, which may mean that they do not know where to."""
    silent, buyers = result.silent
    practices = ("K088",)
    if result.open_cases is None or not buyers:
        return said("complaint_crisis.channel_absent", practices=practices, verdict=Verdict.NO_CONCLUSION)
    decision = "complaint_crisis.do_channel" if silent else ""
    n = buyers
    return said("complaint_crisis.channel_silent", silent / n, "share", n, decision, practices, silent=silent)


def exercise(result: CrisisPlan) -> list[str]:
    """The case to rehearse, told with the account's own facts, as whole sentences."""
    facts = result.scenario
    if not facts:
        return [say("complaint_crisis.exercise_absent")]
    branch = "exercise_known" if facts["category"] else "exercise_plain"
    told = [say(f"complaint_crisis.{branch}", **facts)]
    if facts["contacts"] is not None:
        reach = "exercise_reach" if facts["executives"] else "exercise_no_reach"
        told.append(say(f"complaint_crisis.{reach}", **facts))
    return told


def roles() -> pd.DataFrame:
    """Who does, tells and asks what in each phase of a crisis: the fire-fighting mechanism, as a table."""
    rows = [{"phase": phase, **{part: f"{part}_{phase}" for part in PARTS}} for phase in PHASES]
    return pd.DataFrame(rows).map(lambda key: say(f"complaint_crisis.{key}"))


def questions() -> pd.DataFrame:
    """The questions of the exercise, as a checklist."""
    keys = [f"complaint_crisis.question_{i}" for i in range(1, 7)]
    return pd.DataFrame({"what": [say(key) for key in keys], "why": [say(f"{key}_why") for key in keys]})
