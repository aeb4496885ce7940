"""What the due list says: all that is due, contacts, complaints, contracts, executives, logs, and the last list."""

from __future__ import annotations

import pandas as pd

from kamlib.reports.actions import NOBODY, SUPERVISOR
from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.reminders import in_words
from kamlib.reports.sentences import say
from kamlib.studies.due_list import NOBODY as NO_MANAGER
from kamlib.studies.due_list import DueList
from kamlib.studies.portfolio import with_managers

STALE_DAYS = 45
DATED = ("contacts", "complaints", "contracts")  # what nearly all of a list consists of
PRACTICES = {
    "all": ("K075", "K077", "K081"),
    "contacts": ("K075", "K077"),
    "complaints": ("K077",),
    "contracts": ("K043", "K081"),
    "executives": ("K082",),
    "logs": ("K076",),
    "track_record": ("K075", "K077"),
}


def due_record(result: DueList) -> Finding:
    """What became of the last list."""
    record = result.record
    if record is None:
        return _nothing("track_record", say("due_list.record_none"))
    listed, done = int(record["listed"]), int(record["done"])
    sentence = say("due_list.record_some" if listed else "due_list.record_empty", listed=listed, done=done)
    return _counted("track_record", sentence, done, listed)


def due_all(result: DueList) -> Finding:
    """How much is due and overdue, and where to begin."""
    n, late = len(result.rows), _late(result.rows)
    values = {"n": n, "late": late, "until": result.until, "as_of": result.as_of}
    overdue = result.rows[result.rows["days_overdue"] > 0]
    decision = ""
    if len(overdue):
        decision = say("due_list.all_decision", first=in_words(overdue.head(1), result.names)["what"].iloc[0])
    blind = () if n else result.absent
    untold = say("due_list.all_blind", named=", ".join(say(f"due_list.group_{group}") for group in blind))
    if set(DATED) <= {*blind}:
        return _nothing("all", untold, n=None)
    sentence = say("due_list.all_some" if n else "due_list.all_none", **values)
    covered = result.covered_until
    is_covered = covered is None or covered >= result.as_of
    ended = Gate(is_covered, Verdict.CAUTION, say("due_list.orders_end", last=covered))
    return _counted("all", sentence, late, n, decision, Gate(not blind, Verdict.CAUTION, untold), ended)


def due_contacts(result: DueList) -> Finding:
    """Contacts that are overdue by the rule."""
    if "contacts" in result.absent or result.stages.empty:
        return _nothing("contacts", say("due_list.contacts_absent"))
    stages = result.stages.set_index("stage").reindex(["prospect", "customer", "lapsed"])
    ruled = stages.loc[["prospect", "customer"]]
    n, late = int(ruled["accounts"].sum()), int(ruled["overdue"].sum())
    counts = stages[["accounts", "overdue"]].fillna(0).astype(int)
    values = {
        "customers": counts.loc["customer", "overdue"],
        "prospects": counts.loc["prospect", "overdue"],
        "customer_days": result.rules["customer_contact_days"],
        "prospect_days": result.rules["prospect_contact_days"],
    }
    days = (result.as_of - result.last_contact).days if result.last_contact is not None else 0
    gate = Gate(days <= STALE_DAYS, Verdict.CAUTION, say("due_list.contacts_stale", days=days))
    sentence = say("due_list.contacts_late" if late else "due_list.contacts_kept", n=n, late=late, **values)
    if (more := _late(result.of("contacts")) - late) > 0:  # in time by the rule, and late by their own habit
        sentence = f"{sentence} {say('due_list.contacts_stopped', n=more)}"
    if lapsed := counts.loc["lapsed", "accounts"]:
        sentence = f"{sentence} {say('due_list.contacts_lapsed', n=lapsed)}"
    return _counted("contacts", sentence, late, n, say("due_list.contacts_decision") if late else "", gate)


def due_complaints(result: DueList) -> Finding:
    """Complaints that wait for an answer."""
    rows = result.of("complaints")
    values = {"n": len(rows), "late": _late(rows)}
    return _group(result, "complaints", values, values["late"], len(rows))


def due_contracts(result: DueList) -> Finding:
    """Talks about renewal, contracts that ended, and copies that are missing."""
    rows = result.of("contracts")
    counts = rows["kind"].value_counts()
    kinds = {"renewals": "renewal", "expired": "expired", "documents": "document"}
    values = {name: int(counts.get(kind, 0)) for name, kind in kinds.items()}
    decision = "talk" if values["renewals"] else "settle" if values["expired"] else "copy"
    return _group(result, "contracts", values, len(rows), len(rows), f"contracts_{decision}")


def due_executives(result: DueList) -> Finding:
    """Meetings of executives with key accounts."""
    if "executives" not in result.absent and not result.key_accounts:
        branch = "executives_no_keys_named" if result.keys_from == "segmentation" else "executives_no_keys"
        return _nothing("executives", say(f"due_list.{branch}"))
    rows = result.of("executives")
    values = {"n": len(rows), "late": _late(rows), "keys": result.key_accounts}
    return _group(result, "executives", values, len(rows), result.key_accounts)


def due_logs(result: DueList) -> Finding:
    """Logs that lack contacts."""
    if not result.has_logs:
        return _nothing("logs", say("due_list.logs_absent"))
    rows, days = result.of("logs"), result.rules["log_check_days"]
    count = int(rows["count"].sum())
    sentence = say("due_list.logs_some" if count else "due_list.logs_none", n=len(rows), count=count)
    decision = say("due_list.logs_decision", n=len(rows), days=days) if count else ""
    return _counted("logs", sentence, count, count, decision)


def due_table(result: DueList, group: str = "") -> pd.DataFrame:
    """The list, or one group of it, in words, with the names of the managers."""
    rows = result.of(group) if group else result.rows
    return with_managers(in_words(rows, result.names), result.names.managers)


def due_calendar(result: DueList) -> pd.DataFrame:
    """The list for calendars: what is overdue stands on the day of the list, since nobody looks at days gone by.

    ``calendar`` names whose it is: the manager's, or the supervisor's for the checks of logs.
    """
    rows = due_table(result)
    is_late = rows["days_overdue"] > 0
    told = [say("due_list.calendar_overdue", due_on=r.due_on, why=r.why) for r in rows[is_late].itertuples()]
    rows.loc[is_late, "description"] = told
    owner = rows["manager_id"].fillna(NOBODY).mask(rows["group"] == "logs", SUPERVISOR)
    return rows.assign(due_on=rows["due_on"].clip(lower=result.as_of), calendar=owner)


def due_managers(result: DueList) -> pd.DataFrame:
    """How much each manager has on the list, with names; what nobody has stands under ``no manager``."""
    return with_managers(result.managers, result.names.managers).replace(
        {"manager": {NO_MANAGER: say("due_list.no_manager")}}
    )


def due_keys(result: DueList) -> str:
    """Which accounts count as key accounts here."""
    return say(f"due_list.keys_{result.keys_from}")


def _group(result: DueList, group: str, values: dict, value: int, n: int, decision: str = "") -> Finding:
    if group in result.absent:
        return _nothing(group, say(f"due_list.{group}_absent"))
    is_empty = result.of(group).empty
    sentence = say(f"due_list.{group}_{'none' if is_empty else 'some'}", **values)
    decision = "" if is_empty else say(f"due_list.{decision or group + '_decision'}", **values)
    return _counted(group, sentence, value, n, decision)


def _late(rows: pd.DataFrame) -> int:
    return int((rows["days_overdue"] > 0).sum())


def _counted(topic: str, sentence: str, value: int, n: int, decision: str = "", *gates: Gate) -> Finding:
    verdict, reason = judge(*gates)
    return Finding(
        f"due_list.{topic}",
        sentence,
        value,
        n=n,
        verdict=verdict,
        reason=reason,
        decision=decision,
        practices=PRACTICES[topic],
    )


def _nothing(topic: str, sentence: str, n: int | None = 0) -> Finding:
    """No conclusion; the book has nothing at all to judge by, so that it stands last, unless *n* is None."""
    verdict, practices = Verdict.NO_CONCLUSION, PRACTICES[topic]
    return Finding(f"due_list.{topic}", sentence, n=n, verdict=verdict, reason=sentence, practices=practices)
