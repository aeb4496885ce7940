"""What is due to accounts, and when: contacts, complaints, contracts, documents, log checks, executive meetings.

Each function takes frames and returns rows of :data:`COLUMNS`, one for each thing that is due:

kind
    ``contact``, ``silent`` (a contact with one that has stopped ordering), ``first_contact``, ``executive``,
    ``complaint``, ``renewal``, ``expired``, ``document``, ``log``,
    ``milestone``, or what a study adds.
account_id, manager_id
    whose it is; ``log`` rows belong to a manager and to no account.
due_on, since
    the day it is due, and the day it is counted from (missing where nothing tells).
detail
    the contract, case or other thing meant, as its identifier; empty where it is the account itself.
count
    a number its sentence needs: days allowed, contacts not logged, years.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.book.settings import Settings

COLUMNS = ["kind", "account_id", "manager_id", "due_on", "since", "detail", "count"]


def rows(kind: str, frame: pd.DataFrame, due_on, since=pd.NaT, detail="", count=np.nan) -> pd.DataFrame:
    """Rows of one kind from a frame that has ``account_id`` and ``manager_id``."""
    made = pd.DataFrame(
        {
            "kind": kind,
            "account_id": frame["account_id"],
            "manager_id": frame["manager_id"],
            "due_on": due_on,
            "since": since,
            "detail": detail,
            "count": count,
        },
        index=frame.index,
    )
    made[["due_on", "since"]] = made[["due_on", "since"]].astype("datetime64[s]")
    return made.astype({"count": "float64", "detail": "str"})


def gather(parts: list[pd.DataFrame], as_of: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    """All parts due by a day, the earliest first, with how long each has been overdue.

    Returns
    -------
    pandas.DataFrame
        :data:`COLUMNS`, and ``days_overdue`` (days past the day it was due, zero where it is still ahead).
    """
    filled = [part for part in parts if len(part)]
    frame = pd.concat(filled) if filled else rows("contact", pd.DataFrame(columns=["account_id", "manager_id"]), pd.NaT)
    frame = frame[frame["due_on"] <= until]
    late = (as_of - frame["due_on"]).dt.days.clip(lower=0).astype("int64")
    return frame.assign(days_overdue=late).sort_values(["due_on", "account_id", "kind", "detail"], ignore_index=True)


def contacts_due(accounts: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The next contact with each account that has a rule: weekly with a prospect, monthly with a customer.

    Parameters
    ----------
    accounts
        account_id, manager_id, opened_on, last_contact and allowed_days (missing for an account without a rule). An
        account that was never contacted is counted from the day it was opened, and where that is not known, is due.
    """
    ruled = accounts[accounts["allowed_days"].notna()]
    allowed = pd.to_timedelta(ruled["allowed_days"], unit="D")
    is_known = ruled["last_contact"].notna()
    due_on = ruled["last_contact"].fillna(ruled["opened_on"]) + allowed
    known, never = ruled[is_known], ruled[~is_known]
    first = due_on[~is_known].fillna(as_of)
    return pd.concat(
        [
            rows("contact", known, due_on[is_known], known["last_contact"], count=known["allowed_days"]),
            rows("first_contact", never, first, never["opened_on"], count=never["allowed_days"]),
        ]
    )


def silent_due(contacts: pd.DataFrame, silent: pd.DataFrame) -> pd.DataFrame:
    """The contacts with those of accounts that have fallen silent told as such: kind ``silent``.

    They are due since the order that was missed, however lately they were contacted.

    Parameters
    ----------
    contacts : as :func:`contacts_due` returns them. silent : as :func:`kamlib.studies.silence.silent` returns it.
    """
    habits = silent.set_index("account_id")[["last_order", "usual_days", "missed_on"]]
    known = contacts[["account_id"]].join(habits, on="account_id")
    is_silent = (contacts["kind"] == "contact") & known["last_order"].notna()
    return contacts.assign(
        kind=contacts["kind"].mask(is_silent, "silent"),
        due_on=contacts["due_on"].mask(is_silent, known["missed_on"].astype("datetime64[s]")),
        since=contacts["since"].mask(is_silent, known["last_order"].astype("datetime64[s]")),
        count=contacts["count"].mask(is_silent, known["usual_days"]),
    )


def executive_due(accounts: pd.DataFrame, met: pd.Series, settings: Settings, as_of) -> pd.DataFrame:
    """The next meeting of executives with each key account given; *met* is the last one by account_id."""
    # Looked up and not mapped: pandas cannot map by a series of days that is empty.
    last = met.reindex(accounts["account_id"]).set_axis(accounts.index).astype("datetime64[s]")
    allowed = settings.value("executive_contact_days")
    due_on = (last + pd.Timedelta(days=allowed)).fillna(as_of)
    return rows("executive", accounts, due_on, last, count=allowed)


def cases_due(cases: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """An answer to each open complaint; *cases* has account_id, manager_id, case_id, opened_on, closed_on."""
    still = cases[cases["closed_on"].isna()]
    allowed = settings.value("case_answer_days")
    due_on = still["opened_on"] + pd.Timedelta(days=allowed)
    return rows("complaint", still, due_on, still["opened_on"], still["case_id"], allowed)


def contracts_due(contracts: pd.DataFrame, settings: Settings, as_of: pd.Timestamp) -> pd.DataFrame:
    """Talks about renewal, contracts that ended without a successor, and signed copies that are not on file.

    Parameters
    ----------
    contracts
        account_id, manager_id, contract_id, starts_on, ends_on, signed_on: all that exist on the day.
    """
    notice = pd.Timedelta(days=settings.value("contract_notice_days"))
    open_end = contracts[contracts["ends_on"] == contracts.groupby("account_id")["ends_on"].transform("max")]
    running, ended = open_end[open_end["ends_on"] >= as_of], open_end[open_end["ends_on"] < as_of]
    ended = ended[ended["ends_on"] >= as_of - notice]
    unsigned = contracts[contracts["signed_on"].isna() & (contracts["ends_on"] >= as_of)]
    return pd.concat(
        [
            rows("renewal", running, running["ends_on"] - notice, running["ends_on"], running["contract_id"]),
            rows("expired", ended, ended["ends_on"], ended["ends_on"], ended["contract_id"]),
            rows("document", unsigned, unsigned["starts_on"], unsigned["starts_on"], unsigned["contract_id"]),
        ]
    )


def logs_due(unlogged: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """The check of each manager's log that has contacts missing: *unlogged* has manager_id and visit_date."""
    found = unlogged.groupby("manager_id")["visit_date"].agg(["min", "size"]).reset_index()
    found["account_id"] = ""
    due_on = found["min"] + pd.Timedelta(days=settings.value("log_check_days"))
    return rows("log", found, due_on, found["min"], found["manager_id"], found["size"])


def milestones_due(accounts: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The next anniversary of each customer's opening, an occasion to invite it; *accounts* has a ``stage``."""
    known = accounts[accounts["opened_on"].notna() & (accounts["stage"] == "customer")]
    years = as_of.year - known["opened_on"].dt.year
    years += _anniversary(known["opened_on"], years) <= as_of
    day = _anniversary(known["opened_on"], years)
    return rows("milestone", known, day, known["opened_on"], "anniversary", years)


def _anniversary(opened: pd.Series, years: pd.Series) -> pd.Series:
    """The same day some years later; one born on 29 February comes on the 28th."""
    month_start = pd.to_datetime({"year": opened.dt.year + years, "month": opened.dt.month, "day": 1})
    return month_start + pd.to_timedelta(np.minimum(opened.dt.day, month_start.dt.days_in_month) - 1, unit="D")


def stage(lifecycle: str | None, last_order: pd.Timestamp, since: pd.Timestamp) -> str:
    """``prospect`` before the first order, ``lapsed`` without one since a day, else ``customer``.

    What was bought outweighs the lifecycle, as in :mod:`kamlib.studies.cadence`.
    """
    if pd.isna(last_order):
        return "customer" if lifecycle == "customer" else "prospect"
    return "lapsed" if last_order < since else "customer"


def days_allowed(of_stage: str, settings: Settings) -> float:
    """Days between contacts that the rule allows; missing where there is no rule."""
    named = {"prospect": "prospect_contact_days", "customer": "customer_contact_days"}
    return float(settings.value(named[of_stage])) if of_stage in named else np.nan
