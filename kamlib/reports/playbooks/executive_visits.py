"""What the programme of executive visits says: whom executives have met, and whom they meet next."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from kamlib.reports.finding import Finding, Verdict
from kamlib.reports.playbooks.said import said
from kamlib.reports.sentences import say
from kamlib.studies.plans.executive_visits import VisitProgramme

PROGRAMME_COLUMNS = ["meet_on", "name", "manager", "last_executive", "talk_about", "revenue_of_year"]
ACCOUNT_COLUMNS = ["name", "manager", "last_executive", "due_on", "complaints", "contract_ends_on", "revenue_of_year"]
NEAR_DAYS = 180
_OF_YEAR = {"value": "revenue_of_year"}


def coverage(result: VisitProgramme) -> Finding:
    """How many key accounts an executive has met within the days allowed."""
    n, practices = len(result.accounts), ("K083",)
    if not n:
        return said("executive_visits.coverage_nobody", practices=practices, verdict=Verdict.NO_CONCLUSION)
    if not result.has_levels:
        return said("executive_visits.coverage_absent", None, n=n, practices=practices, verdict=Verdict.NO_CONCLUSION)
    met = int(result.accounts["is_covered"].sum())
    branch = "all" if met == n else "none" if not met else "some"
    decision = "" if met == n else "executive_visits.do_cover"
    values = {"met": met, "days": result.days_allowed}
    return said(f"executive_visits.coverage_{branch}", met / n, "share", n, decision, practices, **values)


def account_table(result: VisitProgramme) -> pd.DataFrame:
    """The key accounts, and when an executive met each."""
    return result.accounts.rename(columns=_OF_YEAR)


def programme(result: VisitProgramme) -> Finding:
    """How many meetings are planned, and with whom the first is."""
    planned, practices = result.planned, ("K082",)
    if planned.empty:
        verdict = Verdict.USABLE if len(result.accounts) else Verdict.NO_CONCLUSION
        return said("executive_visits.programme_none", 0, "meetings", practices=practices, verdict=verdict)
    first = planned.iloc[0]
    values = {"first": first["name"], "when": first["meet_on"], "last": planned["meet_on"].iloc[-1]}
    branch = "one" if len(planned) == 1 else "some"
    key, n = f"executive_visits.programme_{branch}", len(planned)
    found = said(key, n, "meetings", n, "executive_visits.do_fix", practices, **values)
    # Who has been met lately may stand in it again.
    return found if result.has_levels else replace(found, verdict=Verdict.CAUTION, reason=coverage(result).sentence)


def programme_table(result: VisitProgramme) -> pd.DataFrame:
    """The meetings, with what to talk about."""
    planned = result.planned
    topics = [_topics(row, result.as_of) for row in planned.to_dict("records")]
    planned = planned.assign(talk_about=pd.Series(topics, planned.index, dtype="str"))
    return planned.rename(columns=_OF_YEAR)


def _topics(row: dict, as_of: pd.Timestamp) -> str:
    parts = []
    if row["complaints"] > 0:
        branch = "complaint" if row["complaints"] == 1 else "complaints"
        parts.append(say(f"executive_visits.topic_{branch}", n=row["complaints"]))
    if pd.notna(row["contract_ends_on"]) and as_of <= row["contract_ends_on"] <= as_of + pd.Timedelta(days=NEAR_DAYS):
        parts.append(say("executive_visits.topic_contract", when=row["contract_ends_on"]))
    if pd.isna(row["last_executive"]):
        parts.append(say("executive_visits.topic_first"))
    return " ".join(parts) or say("executive_visits.topic_plan")
