"""What the playbook of teams says: one owner, time not mixed, who solved it, the customer's way through us."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from kamlib.reports.finding import Finding, Verdict
from kamlib.reports.playbooks.said import said
from kamlib.reports.sentences import say
from kamlib.studies.plans.virtual_team import TeamPlan
from kamlib.studies.portfolio import with_managers

OWNER_COLUMNS = ["name", "manager", "owners", "owner_changes", "people", "owner_share"]
HOUR_COLUMNS = ["name", "hours_of_year", "key_share", "key_accounts", "small_accounts", "is_mixed"]
SOLVER_COLUMNS = ["category", "case_count", "open_cases", "median_days", "solver", "solved", "solver_days"]
JOURNEY_COLUMNS = ["phase_said", "what_said", "for_key", "for_other", "n_key", "n_other"]
LATE_COLUMNS = ["name", "case_id", "opened_on", "category", "solver"]
_NONE = Verdict.NO_CONCLUSION


def one_face(result: TeamPlan) -> Finding:
    """Whether each key account has exactly one owner, and whether the owner is who it meets."""
    practices, found = ("K061",), result.one_owner
    if not found.n:
        return said("virtual_team.face_unknown", practices=practices, verdict=_NONE)
    none, many = int((result.owners["owners"] == 0).sum()), int((result.owners["owners"] > 1).sum())
    values = {"hits": found.hits, "none": none, "many": many, "practices": practices}
    branch = "some" if found.hits < found.n else "single" if found.n == 1 else "all"
    do = "" if branch != "some" else "virtual_team.do_face"
    return said(f"virtual_team.face_{branch}", found.value, "share of key accounts", found.n, do, **values)


def who_comes(result: TeamPlan) -> Finding:
    """How many of our people a key account meets."""
    practices = ("K061", "K065")
    met = result.owners.dropna(subset=["people"])
    if met.empty:
        return said("virtual_team.comes_unknown", practices=practices, verdict=_NONE)
    values = {"people": met["people"].median(), "own": met["owner_share"].mean(), "practices": practices}
    return said("virtual_team.comes_some", float(met["people"].median()), "people", len(met), **values)


def owner_table(result: TeamPlan) -> pd.DataFrame:
    """The key accounts, those with a question of ownership first."""
    return with_managers(result.owners, result.names.managers).rename(columns={"changes": "owner_changes"})


def mixing(result: TeamPlan) -> Finding:
    """How many managers look after key and small accounts at the same time."""
    practices = ("K062", "K064")
    if result.hours is None or result.hours.empty:
        return said("virtual_team.mixing_absent", practices=practices, verdict=_NONE)
    n, mixed = len(result.hours), int(result.hours["is_mixed"].sum())
    small = result.hours.loc[result.hours["is_mixed"], "small_accounts"].median()
    values = {"mixed": mixed, "small": small, "practices": practices}
    branch, do = ("some", "virtual_team.do_mixing") if mixed else ("none", "")
    return said(f"virtual_team.mixing_{branch}", mixed / n, "share of managers", n, do, **values)


def hour_table(result: TeamPlan) -> pd.DataFrame:
    """The managers, those with most time for key accounts first."""
    if result.hours is None:
        return pd.DataFrame(columns=HOUR_COLUMNS)
    return result.hours.rename(columns={"hours": "hours_of_year"})


def solvers(result: TeamPlan) -> Finding:
    """For how many kinds of complaint somebody is known who settles them quickly."""
    practices = ("K065", "K072", "K104")
    if result.solvers is None or result.solvers.empty:
        return said("virtual_team.solvers_absent", practices=practices, verdict=_NONE)
    rows = result.solvers
    known = rows.dropna(subset=["solved"])
    first = rows.iloc[0]
    values = {"known": len(known), "category": first["category"], "cases": int(first["cases"]), "practices": practices}
    if known.empty:
        return said("virtual_team.solvers_nobody", 0, "kinds", len(rows), **values)
    top = known.iloc[0]
    values |= {
        "top": top["category"],
        "solver": top["solver"],
        "days": top["solver_days"],
        "solved": int(top["solved"]),
    }
    do = "virtual_team.do_solvers"
    made = said("virtual_team.solvers_some", len(known), "kinds of complaint", len(rows), do, **values)
    return replace(made, verdict=Verdict.CAUTION, reason=say("virtual_team.solvers_luck"))


def solver_table(result: TeamPlan) -> pd.DataFrame:
    """The kinds of complaint of key accounts, the most frequent first."""
    if result.solvers is None:
        return pd.DataFrame(columns=SOLVER_COLUMNS)
    return result.solvers.rename(columns={"cases": "case_count"})


def journey(result: TeamPlan) -> Finding:
    """Where on their way through us key accounts fare worse than others."""
    practices = ("K074",)
    rows = result.journey[(result.journey["n_key"] > 0) & (result.journey["n_other"] > 0)]
    if rows.empty:
        return said("virtual_team.journey_absent", practices=practices, verdict=_NONE)
    good = rows["what"].isin(["won", "on_time", "in_full", "satisfaction"])
    worse = rows[(rows["gap_high"] < 0).where(good, rows["gap_low"] > 0)]
    values = {"worse": len(worse), "practices": practices}
    if worse.empty:
        return said("virtual_team.journey_fine", 0, "measures", len(rows), **values)
    where = ", ".join(say(f"virtual_team.what_{what}") for what in worse["what"])
    made = said(
        "virtual_team.journey_worse",
        len(worse),
        "measures",
        len(rows),
        "virtual_team.do_journey",
        where=where,
        **values,
    )
    return replace(made, verdict=Verdict.CAUTION, reason=say("virtual_team.journey_mixed"))


def journey_table(result: TeamPlan) -> pd.DataFrame:
    """Before, during and after a purchase, key accounts beside the others."""
    rows = result.journey
    if rows.empty:
        return pd.DataFrame(columns=JOURNEY_COLUMNS)
    said_rows = rows.assign(
        phase_said=[say(f"virtual_team.phase_{phase}") for phase in rows["phase"]],
        what_said=[say(f"virtual_team.what_{what}") for what in rows["what"]],
    )
    return said_rows.rename(columns={"key": "for_key", "other": "for_other"})


def minded(result: TeamPlan) -> Finding:
    """How many key accounts find the person who serves them good."""
    practices, found = ("K073",), result.minded
    if found is None or not found.n:
        return said("virtual_team.minded_absent", n=0, practices=practices, verdict=_NONE)
    values = {"hits": found.hits, "least": result.least_score, "practices": practices}
    values |= {"low": found.low, "high": found.high}
    do = "virtual_team.do_minded" if found.hits < found.n else ""
    made = said("virtual_team.minded_some", found.value, "share of key accounts", found.n, do, **values)
    return replace(made, interval=(found.low, found.high), level=0.9)


def culture() -> pd.DataFrame:
    """What makes a team think as the customer does, as a checklist."""
    keys = [f"virtual_team.culture_{i}" for i in range(1, 5)]
    return pd.DataFrame([{"what": say(key), "why": say(f"{key}_why")} for key in keys])


def late(result: TeamPlan) -> Finding:
    """Complaints of key accounts that are open beyond the time allowed."""
    practices, n = ("K065", "K072"), len(result.late_cases)
    if result.solvers is None:
        return said("virtual_team.late_absent", practices=practices, verdict=_NONE)
    values = {"allowed": result.allowed_days, "practices": practices}
    if not n:
        return said("virtual_team.late_none", 0, "complaints", **values)
    branch = "one" if n == 1 else "some"
    oldest = result.late_cases.iloc[0]
    values |= {"name": oldest["name"], "day": oldest["opened_on"]}
    return said(f"virtual_team.late_{branch}", n, "complaints", n, "virtual_team.do_late", **values)
