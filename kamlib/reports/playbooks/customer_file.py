"""What the playbook of the customer file says: how full and fresh it is, its documents, purposes and backups."""

from __future__ import annotations

import pandas as pd

from kamlib.reports.finding import Finding, Verdict
from kamlib.reports.playbooks.said import of_year, said
from kamlib.reports.sentences import say
from kamlib.studies.departments import STALE_DAYS
from kamlib.studies.plans.customer_file import BACKUP_DAYS, FileReview
from kamlib.studies.portfolio import with_managers

SHARED_COLUMNS = ["department", "table", "answers_what", "rows", "last_on"]
GAP_COLUMNS = ["name", "manager", "missing", "empty", "revenue_of_year"]


def principles(result: FileReview) -> Finding:
    """Which of the three principles is kept least."""
    known, practices = result.principles.dropna(subset=["share"]), ("K037",)
    if not result.accounts or known.empty:
        return said("customer_file.principles_none", practices=practices, verdict=Verdict.NO_CONCLUSION)
    least = known.loc[known["share"].idxmin()]
    name = say(f"customer_file.name_{least['principle']}")
    decision = f"customer_file.do_{least['principle']}" if least["share"] < 1 else ""
    n = int(least["n"])
    return said("customer_file.principles_least", least["share"], "share", n, decision, practices, name=name)


def gap_table(result: FileReview) -> pd.DataFrame:
    """The largest accounts with an empty field, the field in words."""
    told = [say(f"customer_file.field_{field}") for field in result.gaps["missing"]]
    rows = of_year(with_managers(result.gaps, result.names.managers))
    return rows.assign(missing=pd.Series(told, rows.index, dtype="str"))


def principle_table(result: FileReview) -> pd.DataFrame:
    """The three principles with the share that keeps to each."""
    rows = result.principles
    names = [say(f"customer_file.name_{name}") for name in rows["principle"]]
    signs = [say(f"customer_file.sign_{name}") for name in rows["principle"]]
    return rows.assign(principle=names, sign=signs)[["principle", "sign", "share", "n"]]


def documents(result: FileReview) -> pd.DataFrame:
    """The four documents of the file: what it is, how many are held and needed."""
    names = [say(f"customer_file.document_{name}") for name in result.documents["document"]]
    return result.documents.assign(document=names)


def document_notes(result: FileReview) -> list[str]:
    """Which documents cannot be counted, as sentences; none where all can."""
    absent = result.documents.loc[result.documents["held"].isna(), "document"]
    return [say(f"customer_file.absent_{name}") for name in absent]


def contracts(result: FileReview) -> Finding:
    """How many buying accounts have a signed contract that runs."""
    row, practices = result.documents.set_index("document").loc["contract"], ("K043",)
    if pd.isna(row["held"]) or not row["needed"]:
        return said("customer_file.contracts_absent", practices=practices, verdict=Verdict.NO_CONCLUSION)
    held, n = int(row["held"]), int(row["needed"])
    return said("customer_file.contracts_held", held / n, "share", n, "", practices, held=held)


def purposes(result: FileReview) -> pd.DataFrame:
    """The five purposes of the file, and for how many accounts it can serve each."""
    names = [say(f"customer_file.purpose_{name}") for name in result.purposes["purpose"]]
    return result.purposes.assign(purpose=names)


def backup(result: FileReview) -> Finding:
    """How old the last backup is."""
    practices = ("K047",)
    if pd.isna(result.backup_on):
        decision = "customer_file.do_backup"
        verdict = Verdict.NO_CONCLUSION
        return said("customer_file.backup_unknown", decision=decision, practices=practices, verdict=verdict)
    days = (result.as_of - result.backup_on).days
    branch, decision = ("fresh", "") if days <= BACKUP_DAYS else ("old", "customer_file.do_backup")
    values = {"when": result.backup_on, "allowed": BACKUP_DAYS}
    return said(f"customer_file.backup_{branch}", days, "days", days, decision, practices, **values)


def register(result: FileReview) -> Finding:
    """How many contacts were written down."""
    practices = ("K049",)
    if pd.isna(result.unlogged) or not result.visits:
        return said("customer_file.register_absent", practices=practices, verdict=Verdict.NO_CONCLUSION)
    n = result.visits
    decision = "customer_file.do_register" if result.unlogged else ""
    values = {"unlogged": int(result.unlogged)}
    return said("customer_file.register_known", 1 - result.unlogged / n, "share", n, decision, practices, **values)


def shared(feeds: pd.DataFrame) -> Finding:
    """How much of what the departments know is in the one book, and how much of it still moves."""
    practices, there = ("K105",), feeds[feeds["is_there"]]
    stale = there[there["is_stale"].eq(True)]
    values = {"all": len(feeds), "stale": len(stale), "days": STALE_DAYS}
    if len(stale):
        values["first"] = say(f"customer_file.table_{stale['table'].iloc[0]}")
    branch, decision = ("stale", "customer_file.do_shared") if len(stale) else ("fresh", "")
    n = len(there)
    return said(f"customer_file.shared_{branch}", n / len(feeds), "share of tables", n, decision, practices, **values)


def needed(feeds: pd.DataFrame) -> Finding:
    """Which questions wait for a table that the book has not: a system is chosen by them and by nothing else."""
    practices, absent = ("K102",), feeds[~feeds["is_there"]]
    n = len(absent)
    if not n:
        return said("customer_file.needed_none", 0, "tables", len(feeds), practices=practices)
    question = say(f"customer_file.answers_{absent['table'].iloc[0]}")
    branch = "one" if n == 1 else "some"
    decision = "customer_file.do_needed"
    return said(f"customer_file.needed_{branch}", n, "tables", n, decision, practices, first=question)


def shared_table(feeds: pd.DataFrame) -> pd.DataFrame:
    """What each department adds, what it answers, and the last day it knows; what is absent has no rows."""
    tables = feeds["table"]
    return feeds.assign(
        department=[say(f"customer_file.part_{part}") for part in feeds["department"]],
        table=[say(f"customer_file.table_{table}") for table in tables],
        answers_what=[say(f"customer_file.answers_{table}") for table in tables],
    )


def desk_and_phone() -> str:
    """On what the page can be read."""
    return say("customer_file.desk_and_phone")


def lookup_note(result: FileReview, find: str) -> str:
    """What was looked for, and how much was found."""
    if not find:
        return say("customer_file.lookup_nothing")
    return say(
        "customer_file.lookup_found" if len(result.found) else "customer_file.lookup_none",
        find=find,
        n=len(result.found),
    )


def rules() -> pd.DataFrame:
    """Who may read, change and pass on the file, as a checklist."""
    keys = [f"customer_file.rule_{i}" for i in range(1, 7)]
    return pd.DataFrame(
        [{"what": say(key), "why": say(f"{key}_why"), "practice": say(f"{key}_practice")} for key in keys]
    )
