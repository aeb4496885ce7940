"""What the playbook of the symposium says: when and with whom, what to talk of, what it does not prove."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.playbooks.said import of_year, said
from kamlib.reports.sentences import say
from kamlib.studies import shares
from kamlib.studies.plans.annual_symposium import SymposiumPlan
from kamlib.studies.portfolio import with_managers

GUEST_COLUMNS = ["name", "manager", "revenue_of_year", "came_said", "last_satisfaction", "open_cases"]
TOPIC_COLUMNS = ["category", "case_count", "cases_before", "case_rate", "case_rate_before", "changed"]
NAIVE_COLUMNS = ["compared", "gap_share", "gap_from", "gap_to", "n_came", "n_absent"]
UNHEARD_COLUMNS = ["name", "manager", "last_satisfaction", "answered_on"]
FEWEST = 20
_NONE = Verdict.NO_CONCLUSION


def due(result: SymposiumPlan) -> Finding:
    """Whether the yearly symposium is kept, and when the next is."""
    practices = ("K106",)
    values = {"next_on": result.next_on, "practices": practices}
    if pd.isna(result.held_on):
        return said("annual_symposium.due_never", verdict=Verdict.CAUTION, **values)
    days = (result.as_of - result.held_on).days
    is_late = days > 365 / result.a_year
    values |= {"held_on": result.held_on, "days": days}
    do = "annual_symposium.do_due" if is_late else ""
    return said(
        f"annual_symposium.due_{'late' if is_late else 'kept'}", days, "days since the last", None, do, **values
    )


def attendance(result: SymposiumPlan) -> Finding:
    """How many of the key accounts invited last time came."""
    practices, found = ("K106",), result.came
    if found is None or not found.n:
        return said("annual_symposium.came_unknown", practices=practices, verdict=_NONE)
    values = {"hits": found.hits, "low": found.low, "high": found.high, "held_on": result.held_on}
    made = said("annual_symposium.came_some", found.value, "share", found.n, practices=practices, **values)
    return replace(made, interval=(found.low, found.high), level=shares.LEVEL)


def guest_table(result: SymposiumPlan) -> pd.DataFrame:
    """Whom to invite, with what is known of each."""
    came = [say(f"annual_symposium.was_{_word(flag)}") for flag in result.guests["came_last"]]
    rows = of_year(with_managers(result.guests, result.names.managers))
    return rows.assign(came_said=came).rename(columns={"satisfaction": "last_satisfaction"})


def _word(flag) -> str:
    return "unknown" if flag is None or pd.isna(flag) else "there" if flag else "absent"


def agenda(result: SymposiumPlan) -> Finding:
    """What to talk of first, and whether last year's topics became fewer."""
    practices = ("K106", "K109")
    if result.topics is None or result.topics.empty:
        return said("annual_symposium.agenda_absent", practices=practices, verdict=_NONE)
    rows, first = result.topics, result.topics.iloc[0]
    judged = rows[rows["verdict"] != "few"]
    values = {"category": first["category"], "cases": int(first["cases"]), "judged": len(judged)}
    values |= {word: int((rows["verdict"] == word).sum()) for word in ("fewer", "more", "same")}
    if judged.empty:
        return said("annual_symposium.agenda_few", verdict=_NONE, practices=practices, **values)
    do = "annual_symposium.do_agenda"
    return said("annual_symposium.agenda_some", values["fewer"], "topics", len(rows), do, practices, **values)


def topic_table(result: SymposiumPlan) -> pd.DataFrame:
    """What key accounts complained of this year and last."""
    if result.topics is None or result.topics.empty:
        return pd.DataFrame(columns=TOPIC_COLUMNS)
    renamed = {"cases": "case_count", "before": "cases_before", "rate": "case_rate", "rate_before": "case_rate_before"}
    changed = [say(f"annual_symposium.changed_{word}") for word in result.topics["verdict"]]
    return result.topics.rename(columns=renamed).assign(changed=changed)


def no_proof(result: SymposiumPlan) -> Finding:
    """Why those who came buying more afterwards proves nothing."""
    practices = ("K106",)
    rows = result.naive.dropna(subset=["gap"]) if len(result.naive) else result.naive
    if rows.empty:
        return said("annual_symposium.proof_absent", practices=practices, verdict=_NONE)
    after = result.naive.set_index("when").loc["after"]
    values = {"gap": after["gap"], "low": after["low"], "high": after["high"], "practices": practices}
    values |= {"came": int(after["n_came"]), "absent": int(after["n_absent"])}
    n = values["came"] + values["absent"]
    branch = "more" if after["low"] > 0 else "less" if after["high"] < 0 else "alike"
    made = said(f"annual_symposium.proof_{branch}", after["gap"], "share of half a year's purchases", n, **values)
    chosen = say("annual_symposium.proof_chosen")
    return replace(
        made, interval=(float(after["low"]), float(after["high"])), level=shares.LEVEL, verdict=_NONE, reason=chosen
    )


def naive_table(result: SymposiumPlan) -> pd.DataFrame:
    """The naive comparison and its placebo."""
    if result.naive.empty:
        return pd.DataFrame(columns=NAIVE_COLUMNS)
    compared = [say(f"annual_symposium.compared_{when}") for when in result.naive["when"]]
    renamed = {"gap": "gap_share", "low": "gap_from", "high": "gap_to"}
    return result.naive.rename(columns=renamed).assign(compared=compared)


def content(result: SymposiumPlan) -> Finding:
    """How many key accounts are content, of those who were heard; the goal is all of them."""
    practices, found = ("K060",), result.content
    if found is None or not found.n:
        return said("annual_symposium.content_absent", practices=practices, verdict=_NONE)
    values = {"hits": found.hits, "least": result.content_from, "low": found.low, "high": found.high}
    values |= {"heard": result.answered.value, "unheard": len(result.unheard), "practices": practices}
    do = "annual_symposium.do_content" if found.hits < found.n else ""
    made = said("annual_symposium.content_some", found.value, "share of those who answered", found.n, do, **values)
    verdict, reason = judge(
        Gate(found.n >= FEWEST, Verdict.CAUTION, say("findings.few_accounts", n=found.n, needed=FEWEST)),
        Gate(result.answered.value >= 0.5, Verdict.CAUTION, say("annual_symposium.content_half")),
    )
    return replace(made, interval=(found.low, found.high), level=shares.LEVEL, verdict=verdict, reason=reason)


def unheard_table(result: SymposiumPlan) -> pd.DataFrame:
    """Who is not content and was not contacted since."""
    rows = with_managers(result.unheard, result.names.managers)
    return rows.rename(columns={"satisfaction": "last_satisfaction", "surveyed_on": "answered_on"})
