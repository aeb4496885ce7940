"""What the review of account managers says: who differs for certain, who was not asked, and which step is weakest."""

from __future__ import annotations

import pandas as pd

from kamlib.reports.finding import Finding, Verdict
from kamlib.reports.playbooks.said import said
from kamlib.reports.sentences import say
from kamlib.studies.plans.manager_review import ManagerReview

SCORE_COLUMNS = ["manager", "accounts", "answers", "score", "drawn", "drawn_low", "drawn_high", "differs_said"]
STEP_COLUMNS = ["manager", "overdue_share", "logged_late_share", "late_cases"]


def scores(result: ManagerReview) -> Finding:
    """Whether what customers say tells any manager from the rest."""
    practices, n = ("K066", "K067"), result.answers
    if not n:
        return said("manager_review.scores_absent", practices=practices, verdict=Verdict.NO_CONCLUSION)
    if not result.can_compare:
        return said("manager_review.scores_few", n=n, practices=practices, verdict=Verdict.NO_CONCLUSION)
    counts = result.managers["differs"].value_counts()
    values = {"mean": result.mean, "above": int(counts.get("above", 0)), "below": int(counts.get("below", 0))}
    branch = "differ" if values["above"] or values["below"] else "alike"
    decision = "manager_review.do_listen" if values["below"] else ""
    return said(f"manager_review.scores_{branch}", result.mean, "of 10", n, decision, practices, **values)


def score_table(result: ManagerReview) -> pd.DataFrame:
    """What customers say of each manager, in the order of identifiers; none where nobody was asked."""
    if not result.answers:
        return pd.DataFrame(columns=SCORE_COLUMNS)
    told = [say(f"manager_review.differs_{word or 'not'}") for word in result.managers["differs"]]
    rows = result.managers.rename(columns={"low": "drawn_low", "high": "drawn_high"})
    return rows.assign(differs_said=pd.Series(told, rows.index, dtype="str"))


def step_table(result: ManagerReview) -> pd.DataFrame:
    """How each step of the work is kept, with the steps of which the book tells something."""
    rows = result.managers.reindex(columns=STEP_COLUMNS).dropna(axis="columns", how="all")
    return rows if rows.shape[1] > 1 else rows.head(0)


def asked(result: ManagerReview) -> Finding:
    """How many accounts were asked about their manager and answered."""
    n, practices = int(result.managers["accounts"].sum()), ("K067",)
    if not n:
        return said("manager_review.asked_nobody", practices=practices, verdict=Verdict.NO_CONCLUSION)
    decision = "manager_review.do_ask" if result.answers < n / 2 else ""
    share = result.answers / n
    return said("manager_review.asked_share", share, "share", n, decision, practices, answers=result.answers)


def questions() -> pd.DataFrame:
    """What supervisor and manager talk about, step by step of the work, as a checklist."""
    keys = [f"manager_review.question_{i}" for i in range(1, 6)]
    return pd.DataFrame([{"what": say(key), "why": say(f"{key}_why")} for key in keys])
