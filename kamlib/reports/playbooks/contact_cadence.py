"""What the playbook of contact says: the four principles as the log shows them, and whom to ask for a referral."""

from __future__ import annotations

import pandas as pd

from kamlib.reports.finding import Finding, Verdict
from kamlib.reports.playbooks.said import of_year, said
from kamlib.reports.reminders import in_words
from kamlib.reports.sentences import say
from kamlib.studies.plans.contact_cadence import ContactPlan
from kamlib.studies.portfolio import with_managers

CONTACT_COLUMNS = ["due_on", "days_overdue", "manager", "what", "why", "revenue_of_year"]
PRINCIPLE_COLUMNS = ["principle", "sign", "share", "n"]
FEWEST = 20


def stopped(result: ContactPlan) -> Finding:
    """How many accounts have stopped ordering by their own habit, and which of them brought most."""
    rows, practices = result.contacts[result.contacts["kind"] == "silent"], ("K077",)
    if rows.empty:
        return said("contact_cadence.stopped_none", 0, "accounts", practices=practices)
    first = in_words(rows.head(1), result.names)["name"].iloc[0]
    values = {"first": first, "revenue": float(rows["revenue"].sum()), "practices": practices}
    do = "contact_cadence.do_stopped"
    return said("contact_cadence.stopped_some", len(rows), "accounts", len(rows), do, **values)


def contact_table(result: ContactPlan) -> pd.DataFrame:
    """Whom to contact and why, in the order of what is at stake."""
    return of_year(with_managers(in_words(result.contacts, result.names), result.names.managers))


def principles(result: ContactPlan) -> Finding:
    """Which of the four principles the log shows least of."""
    known = result.principles[result.principles["n"] >= FEWEST].dropna(subset=["share"])
    practices = ("K087",)
    if known.empty:
        return said("contact_cadence.principles_absent", practices=practices, verdict=Verdict.NO_CONCLUSION)
    weakest = known.loc[known["share"].idxmin()]
    name = say(f"contact_cadence.name_{weakest['principle']}")
    values = {"name": name, "share": weakest["share"], "known": len(known)}
    return said(
        "contact_cadence.principles_weakest",
        weakest["share"],
        "share",
        int(weakest["n"]),
        f"contact_cadence.do_{weakest['principle']}",
        practices,
        **values,
    )


def principle_table(result: ContactPlan) -> pd.DataFrame:
    """The four principles, what is looked at for each, and the share that shows it."""
    rows = result.principles
    said_rows = rows.assign(
        principle=[say(f"contact_cadence.name_{name}") for name in rows["principle"]],
        sign=[say(f"contact_cadence.sign_{name}", least=result.least_satisfaction) for name in rows["principle"]],
    )
    return said_rows[PRINCIPLE_COLUMNS]


def referrals(result: ContactPlan) -> Finding:
    """How many content accounts can be asked whom else they know."""
    n, practices = len(result.askable), ("K080",)
    values = {"least": result.least_satisfaction}
    if result.principles.set_index("principle").loc["reciprocal"].isna().all():
        return said("contact_cadence.referrals_absent", practices=practices, verdict=Verdict.NO_CONCLUSION)
    if not n:
        return said("contact_cadence.referrals_none", 0, "accounts", practices=practices, **values)
    branch = "referrals_one" if n == 1 else "referrals_some"
    name = result.askable["name"].iloc[0]
    do = "contact_cadence.do_refer"
    return said(f"contact_cadence.{branch}", n, "accounts", n, do, practices, first=name, **values)
