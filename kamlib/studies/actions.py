"""Actions that a playbook proposes: who does what by when, under an identity that outlives the report.

An action is a row of :data:`COLUMNS`. Its ``kind`` says what the book would show if it were done (see
:mod:`kamlib.studies.follow_up`), its ``topic`` is the key of the sentences it is told with. The identifier is made
from kind, account, manager and detail and from no date, so an action that is proposed again keeps it, and two
playbooks that ask for the same thing ask for one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.errors import RequestError
from kamlib.studies.portfolio import manager_names

COLUMNS = [
    "action_id",
    "kind",
    "topic",
    "account_id",
    "manager_id",
    "role",
    "due_on",
    "asked_on",
    "since",
    "detail",
    "count",
    "practice",
]
ROLES = ("manager", "supervisor", "director", "executive", "custodian", "service", "supply", "marketing", "legal")
KINDS_OF_DUES = {
    "first_contact": "contact",
    "silent": "contact",
    "renewal": "contract",
    "expired": "contract",
    "document": "signature",
    "order_late": "order",
    "order_expected": "order",
    "milestone": "contact",
    "birthday": "contact",
}


def propose(
    kind: str,
    topic: str,
    accounts: pd.DataFrame,
    due_on,
    practice: str,
    role: str = "manager",
    since=pd.NaT,
    detail="",
    count=np.nan,
) -> pd.DataFrame:
    """Rows of one kind of action, one for each row given.

    Parameters
    ----------
    kind : what the book would show; ``step`` where the book shows nothing.
    topic : key of the sentence, as ``selection.rate``; the reason is ``selection.rate_why``.
    accounts : ``account_id`` (empty where no account is meant) and ``manager_id``.
    due_on, since, detail, count : a value or a column each: the day it is due, the day it is counted from, the case,
        contract, category or field meant, and a number that its sentence needs.
    practice : the practice it serves.
    role : who does it, one of :data:`ROLES`.

    Raises
    ------
    RequestError
        When the role is unknown.

    Examples
    --------
    >>> one = pd.DataFrame({"account_id": ["0007"], "manager_id": ["M1"]})
    >>> propose("contact", "cadence.contact", one, "2026-10-05", "K077")["kind"].tolist()
    ['contact']
    """
    if role not in ROLES:
        raise RequestError(f"there is no role {role!r}; roles are {', '.join(ROLES)}")
    made = pd.DataFrame(
        {
            "kind": kind,
            "topic": topic,
            "account_id": accounts["account_id"],
            "manager_id": accounts["manager_id"],
            "role": role,
            "due_on": due_on,
            "since": since,
            "detail": detail,
            "count": count,
            "practice": practice,
        },
        index=accounts.index,
    )
    made[["due_on", "since"]] = made[["due_on", "since"]].astype("datetime64[s]")
    return made.astype({"count": "float64", "detail": "str"})


def step(topic: str, as_of: pd.Timestamp, days: int, practice: str, role: str = "manager", manager_id=None):
    """One step of the playbook itself, for no account, due some days after the playbook is read."""
    nobody = pd.DataFrame({"account_id": [""], "manager_id": [manager_id]}, dtype="object")
    return propose("step", topic, nobody, as_of + pd.Timedelta(days=days), practice, role, detail=topic)


def from_dues(rows: pd.DataFrame, practice: str, role: str = "manager") -> pd.DataFrame:
    """What is due (:mod:`kamlib.studies.dues`) as actions; told with the sentences of ``dues``."""
    parts = [
        propose(
            KINDS_OF_DUES.get(kind, kind),
            f"dues.{kind}",
            part,
            part["due_on"],
            practice,
            role,
            part["since"],
            part["detail"],
            part["count"],
        )
        for kind, part in rows.groupby("kind")
    ]
    return pd.concat(parts) if parts else _none()


def gather(parts: list[pd.DataFrame], as_of: pd.Timestamp) -> pd.DataFrame:
    """All actions of a playbook, the earliest first, each once; none is due before the next working day."""
    filled = [part for part in parts if len(part)]
    frame = pd.concat(filled, ignore_index=True) if filled else _none()
    first = as_of + pd.offsets.BDay(1)
    frame = frame.assign(asked_on=as_of, due_on=frame["due_on"].fillna(first).clip(lower=first))
    frame["action_id"] = [identity(*row) for row in frame[["kind", "account_id", "manager_id", "detail"]].to_numpy()]
    frame[["due_on", "asked_on"]] = frame[["due_on", "asked_on"]].astype("datetime64[s]")
    # What is due on one day stays in the order it was given in, which is that of its importance.
    frame = frame.sort_values("due_on", kind="stable", ignore_index=True)
    return frame.drop_duplicates("action_id", ignore_index=True)[COLUMNS]


def spread(rows: pd.DataFrame, as_of: pd.Timestamp, a_day: int) -> pd.DataFrame:
    """Actions with what is overdue dealt over the working days ahead, in the order given, some a day for each manager.

    Examples
    --------
    >>> three = pd.DataFrame({"account_id": list("abc"), "manager_id": "M"})
    >>> late = propose("contact", "x", three, "2026-01-01", "K077")
    >>> spread(late, pd.Timestamp("2026-09-30"), 2)["due_on"].dt.day.tolist()
    [1, 1, 2]
    """
    first = as_of + pd.offsets.BDay(1)
    late = rows[rows["due_on"].isna() | (rows["due_on"] < first)]
    turn = late.groupby(late["manager_id"].fillna("")).cumcount() // a_day
    days = pd.Series([as_of + pd.offsets.BDay(1 + int(n)) for n in turn], late.index, dtype="datetime64[s]")
    return rows.assign(due_on=days.reindex(rows.index).fillna(rows["due_on"]))


def read_earlier(previous: str) -> pd.DataFrame | None:
    """The actions of the last report of this kind; None where there is no such report or it proposed none.

    Raises
    ------
    RequestError
        When its table of actions lacks columns that are needed.
    """
    path = Path(previous) / "tables" / "actions.parquet"
    if not previous or not path.is_file():
        return None
    earlier = pd.read_parquet(path)
    lacking = [column for column in COLUMNS if column not in earlier]
    if lacking:
        raise RequestError(f"{path} lacks {len(lacking)} columns: {', '.join(lacking)}; render that report again")
    return earlier if len(earlier) else None


@dataclass(frozen=True, eq=False)
class Names:
    """Names by account_id, by manager_id and of details, apart: an account and a manager may share an identifier."""

    accounts: pd.Series
    managers: pd.Series
    details: Mapping[str, str] = field(default_factory=dict)


def names(book: Book, rows: pd.DataFrame) -> Names:
    """Names of the accounts of actions, and of all managers, by their identifiers."""
    named = book.table("accounts", "account_id", "name")
    wanted = rows["account_id"].dropna().unique().tolist() if len(rows) else []
    found = book.collect(named.filter(named.account_id.isin(wanted)), ["account_id"]).set_index("account_id")["name"]
    return Names(found, manager_names(book))


def _none() -> pd.DataFrame:
    return propose("step", "", pd.DataFrame(columns=["account_id", "manager_id"], dtype="object"), pd.NaT, "")


def identity(kind: str, account_id, manager_id, detail: str) -> str:
    """What an action goes by in every report and calendar; it names no day, so that it outlives one.

    Examples
    --------
    >>> identity("contact", "0007", "M1", "") == identity("contact", "0007", "M2", "")
    True
    """
    whose = account_id or ("" if pd.isna(manager_id) else manager_id)
    text = "\x1f".join([kind, str(whose), detail])
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()
