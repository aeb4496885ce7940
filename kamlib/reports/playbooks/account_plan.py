"""What the account plan says: evidence in four fields, the competitor in five aspects, goals, and what is decided."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from kamlib.reports.finding import Finding, Verdict
from kamlib.reports.playbooks.said import said
from kamlib.reports.sentences import say
from kamlib.studies.plans.account_plan import KINDS, AccountPlan

ASPECTS = ("business", "products", "segment", "position", "strengths")
SHRUNK = 0.9
PHONE_INCHES, PHONE_POINTS = 5.2, 9
QUESTIONS = ("who", "want", "managed", "kept")
STEPS = ("mission", "outside", "inside", "goals", "firm", "account", "decision")


def for_phone(drawn: Axes) -> Axes:
    """A figure over twelve months with letters large enough for a phone: narrower, and every third month named."""
    drawn.figure.set_figwidth(PHONE_INCHES)
    for place, label in enumerate(drawn.get_xticklabels()):
        label.set_visible(place % 3 == 0)
    drawn.legend(loc="upper left", frameon=False, ncols=3, columnspacing=1, handlelength=1, fontsize=PHONE_POINTS)
    return drawn


def balance(result: AccountPlan) -> Finding:
    """How many points stand for and against us."""
    counts = result.evidence["kind"].value_counts()
    values = {kind: int(counts.get(kind, 0)) for kind in KINDS}
    n = len(result.evidence)
    if not n:
        return said("account_plan.balance_none", practices=("K093",), verdict=Verdict.NO_CONCLUSION, name=result.name)
    return said("account_plan.balance_some", n, "points", n, "", ("K093",), name=result.name, **values)


def evidence_table(result: AccountPlan) -> pd.DataFrame:
    """The evidence in four fields (SWOT), each point in words."""
    rows = result.evidence.to_dict("records")
    told = [say(f"account_plan.point_{row['topic']}", value=row["value"], text=row["text"]) for row in rows]
    field = [say(f"account_plan.kind_{row['kind']}") for row in rows]
    return pd.DataFrame({"field": field, "point": told}, dtype="str")


def market(result: AccountPlan) -> Finding:
    """Which way its industry goes."""
    change, n = result.market
    practices = ("K096",)
    if pd.isna(change):
        return said("account_plan.market_unknown", n=n, practices=practices, verdict=Verdict.NO_CONCLUSION)
    branch = "same" if abs(change) <= 0.02 else "up" if change > 0 else "down"
    return said(f"account_plan.market_{branch}", change, "share", n, "", practices, change=abs(change))


def competitor(result: AccountPlan) -> Finding:
    """Who competes with us at the account, as answers and deals name them."""
    found, practices = result.competitors, ("K096", "K110")
    if found is None:
        return said("account_plan.competitor_absent", practices=practices, verdict=Verdict.NO_CONCLUSION)
    if found.empty:
        decision = "account_plan.do_competitor"
        return said("account_plan.competitor_none", 0, "competitors", 0, decision, practices)
    first = found.iloc[0].to_dict()
    decision = "account_plan.do_competitor"
    return said("account_plan.competitor_named", len(found), "competitors", len(found), decision, practices, **first)


def aspects(result: AccountPlan) -> pd.DataFrame:
    """The competitor in five aspects, as questions to answer with source and day."""
    known = result.competitors
    name = known["competitor"].iloc[0] if known is not None and len(known) else say("account_plan.somebody")
    return _asked([f"aspect_{aspect}" for aspect in ASPECTS], name)


def four_questions(result: AccountPlan) -> pd.DataFrame:
    """The four questions of key account management, to answer where the book cannot know."""
    return _asked([f"question_{question}" for question in QUESTIONS], result.name)


def fields(result: AccountPlan) -> pd.DataFrame:
    """What to add to each of the four fields that no book shows."""
    return _asked([f"field_{kind}" for kind in KINDS], result.name)


def questions(result: AccountPlan) -> pd.DataFrame:
    """All that the plan asks, in the order of its chapters: question (its key), what, why."""
    parts = [four_questions(result), aspects(result), fields(result), steps(result)]
    return pd.concat(parts, ignore_index=True)


def goal(result: AccountPlan) -> Finding:
    """What is to be reached in four quarters, and whether the targets of the last four were met."""
    practices, aimed = ("K095",), result.goals["target_previous"].sum(min_count=4)
    values = {"name": result.name, "goal": result.goal, "revenue": result.revenue, "targets": aimed}
    if result.goal <= 0:
        return said("account_plan.goal_none", practices=practices, verdict=Verdict.NO_CONCLUSION, **values)
    before = result.revenue_previous
    if result.revenue < SHRUNK * before:
        # Last year with growth on top would accept what was lost, so what it was before stands beside it.
        branch = "shrunk" if pd.isna(aimed) else "shrunk_aimed"
        values |= {"before": before, "gone": before - result.revenue}
        return said(
            f"account_plan.goal_{branch}", result.goal, "money", 4, "account_plan.do_goal_shrunk", practices, **values
        )
    branch = "alone" if pd.isna(aimed) else "missed" if result.goals["revenue_previous"].sum() < aimed else "met"
    decision = "account_plan.do_goal" if branch == "missed" else ""
    return said(f"account_plan.goal_{branch}", result.goal, "money", 4, decision, practices, **values)


def empty_quarters(result: AccountPlan) -> list[str]:
    """The quarters that have no goal because nothing was bought in them, as one sentence; none where all have one."""
    empty = result.goals.loc[result.goals["goal"] <= 0, "quarter"]
    if empty.empty or result.goal <= 0:
        return []
    return [say("account_plan.goal_empty", quarters=", ".join(empty), n=len(empty))]


def steps(result: AccountPlan) -> pd.DataFrame:
    """The seven steps of strategy, each with the question to settle for this account."""
    return _asked([f"step_{step}" for step in STEPS], result.name)


def _asked(keys: list[str], name: str) -> pd.DataFrame:
    told = [{"what": say(f"account_plan.{key}", name=name), "why": say(f"account_plan.{key}_why")} for key in keys]
    return pd.DataFrame(told).assign(question=keys)
