"""What the review of key accounts says: the agenda, what is lacking on the table, and the profile looked for."""

from __future__ import annotations

import pandas as pd

from kamlib.reports.finding import Finding, Verdict
from kamlib.reports.playbooks.said import said
from kamlib.reports.sentences import say
from kamlib.studies.plans.selection_review import DECIDED, RATERS_WANTED, SelectionReview
from kamlib.studies.portfolio import with_managers

AGENDA_COLUMNS = ["name", "manager", "decision_said", "reason", "value_of_year", "criteria_met", "gates_failed"]
LACKING_COLUMNS = ["name", "tests_met", "tests_known", "raters", "missing_fields"]


def agenda(result: SelectionReview) -> Finding:
    """How many accounts are to be decided on, and of which kind."""
    rows, practices = result.agenda, ("K001", "K002")
    if rows.empty:
        return said("selection_review.agenda_none", 0, "accounts", practices=practices, keys=result.keys)
    counts = {decision: int((rows["decision"] == decision).sum()) for decision in DECIDED}
    branch = "one" if len(rows) == 1 else "some"
    values = {**counts, "first": rows["name"].iloc[0], "keys": result.keys}
    decision = "selection_review.do_decide"
    return said(f"selection_review.agenda_{branch}", len(rows), "accounts", len(rows), decision, practices, **values)


def agenda_table(result: SelectionReview) -> pd.DataFrame:
    """The accounts to decide on, with what is proposed in words."""
    said_rows = [say(f"selection_review.said_{decision}") for decision in result.agenda["decision"]]
    rows = with_managers(result.agenda, result.names.managers).rename(columns={"value": "value_of_year"})
    return rows.assign(decision_said=pd.Series(said_rows, rows.index, dtype="str"))


def evidence(result: SelectionReview) -> Finding:
    """How many of these accounts lack a second opinion or a field that the tests need."""
    rows, practices = result.agenda, ("K003", "K004", "K005")
    if rows.empty:
        return said("selection_review.evidence_none", 0, "accounts", practices=practices)
    lacking = len(_lacking(rows))
    if rows["raters"].isna().all():
        verdict = Verdict.CAUTION
        return said("selection_review.evidence_unrated", len(rows), "accounts", len(rows), "", practices, verdict)
    branch = "lacking" if lacking else "whole"
    decision = "selection_review.do_bring" if lacking else ""
    n = len(rows)
    return said(f"selection_review.evidence_{branch}", lacking, "accounts", n, decision, practices, lacking=lacking)


def lacking_table(result: SelectionReview) -> pd.DataFrame:
    """The accounts of which something is lacking, the empty fields in words."""
    rows = _lacking(result.agenda)
    told = [
        ", ".join(say(f"selection_review.field_{f}") for f in fields.split(", ") if f)
        for fields in rows["missing_fields"]
    ]
    return rows.assign(missing_fields=pd.Series(told, rows.index, dtype="str"))


def _lacking(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[(rows["raters"] < RATERS_WANTED) | (rows["missing_fields"] != "")]


def room(result: SelectionReview) -> Finding:
    """Whether there is room for the key accounts proposed."""
    values, practices = {"keys": result.keys, "cap": result.cap}, ("K013",)
    branch = "over" if result.keys > result.cap else "under"
    decision = "selection_review.do_cut" if branch == "over" else ""
    return said(
        f"selection_review.room_{branch}", result.keys, "key accounts", result.keys, decision, practices, **values
    )


def questions() -> pd.DataFrame:
    """What is asked of each account at the table, in the order of the gates and criteria."""
    keys = [f"selection_review.question_{i}" for i in range(1, 10)]
    rows = [{"what": say(key), "why": say(f"{key}_why"), "practice": say(f"{key}_practice")} for key in keys]
    return pd.DataFrame(rows)
