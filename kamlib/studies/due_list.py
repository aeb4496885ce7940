"""What is due, to whom and when: contacts, contract dates and documents, log checks, executive meetings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from kamlib.book.coverage import covered_until
from kamlib.book.periods import Period
from kamlib.book.store import Book
from kamlib.errors import RequestError
from kamlib.studies import dues
from kamlib.studies.actions import Names
from kamlib.studies.cadence import Cadence, keep_rhythm
from kamlib.studies.portfolio import key_accounts, manager_names
from kamlib.studies.silence import silent

GROUPS = {
    "contacts": ("contact", "first_contact", "silent"),
    "complaints": ("complaint",),
    "contracts": ("renewal", "expired", "document"),
    "executives": ("executive",),
    "logs": ("log",),
    "invitations": ("milestone", "birthday"),
}
RULES = ("prospect_contact_days", "customer_contact_days", "log_check_days")
CHANNELS = ("visit", "call", "video", "email", "event")
NOBODY = "–"  # stands for the manager of accounts without one
STAGE_COLUMNS = ["stage", "accounts", "overdue", "never", "allowed_days"]
_NEEDS = {  # group: the table it is told from, and the column
    "contacts": ("visits",),
    "complaints": ("cases",),
    "contracts": ("contracts",),
    "executives": ("visits", "level"),
    "logs": ("visits",),
}


@dataclass(frozen=True, eq=False)
class DueList:
    """What :func:`measure` found.

    Attributes
    ----------
    as_of, until : day read as of, and the last day listed.
    rows : the columns of :mod:`kamlib.studies.dues`, with ``group`` (see :data:`GROUPS`), ``days_overdue`` and the
        account's ``revenue`` of twelve months; what is overdue first, that of the largest account on top, then
        what is ahead, by its day.
    names : names of accounts and of managers.
    stages : by stage (prospect, customer, lapsed): accounts, overdue, never (never contacted), allowed_days; as
        :func:`kamlib.studies.cadence.keep_rhythm` counts them, empty without visits.
    managers : one row each, and one of ``NOBODY`` for accounts without: manager_id, things_due, things_overdue,
        overdue_revenue (of twelve months, of the accounts with something overdue).
    absent : groups that cannot be listed, since their table, or the column they are told from, is not in the book.
    key_accounts : how many accounts are key accounts, and ``keys_from`` whether this period's ``segmentation`` says so
        or the ``book`` (see :func:`kamlib.studies.portfolio.key_accounts`).
    has_logs : whether the book says when contacts were written down.
    rules : the declared thresholds prospect_contact_days, customer_contact_days and log_check_days.
    record : of what the last report listed as due by today: listed, done (no longer listed); None without one.
    last_contact : day of the last contact on record, None without any.
    covered_until : the last day that orders cover (:func:`kamlib.book.coverage.covered_until`), None without any.
    """

    as_of: pd.Timestamp
    until: pd.Timestamp
    rows: pd.DataFrame
    names: Names
    stages: pd.DataFrame
    managers: pd.DataFrame
    absent: tuple[str, ...]
    key_accounts: int
    keys_from: str
    has_logs: bool
    rules: dict[str, float]
    record: pd.Series | None
    last_contact: pd.Timestamp | None
    covered_until: pd.Timestamp | None

    def of(self, group: str) -> pd.DataFrame:
        """The rows of one group."""
        return self.rows[self.rows["group"] == group]


def measure(
    book: Book,
    period: str,
    horizon_days: int = 30,
    with_personal: bool = False,
    tables: str = "",
    previous: str = "",
) -> DueList:
    """List what is due.

    Parameters
    ----------
    book : the book as of the day to list from.
    period : the period reported; logs are checked from its first day on.
    horizon_days : how many days ahead are listed; everything overdue is.
    with_personal : whether birthdays of contacts who agreed to be contacted are listed.
    tables : folder of this period's reports, whose segmentation names the key accounts.
    previous : folder of the last report, to see what was done.

    Raises
    ------
    RequestError
        When *horizon_days* is negative, or the period begins after the book's day.

    Examples
    --------
    >>> measure(book, "2026-Q3").rows.head()  # doctest: +SKIP
    """
    end, span = book.as_of or book.span()[1], Period.parse(period)
    if horizon_days < 0:
        raise RequestError(f"horizon_days is {horizon_days}; give 0 or more, what is overdue is listed anyway")
    if span.start > end:
        raise RequestError(f"period {period} begins after {end}, the day the book is read as of")
    as_of = pd.Timestamp(end).as_unit("s")
    until = as_of + pd.Timedelta(days=horizon_days)
    rhythm = keep_rhythm(book, as_of, CHANNELS)
    accounts = _accounts(book, rhythm)
    named, keys_from = key_accounts(book, tables)
    keys = accounts["account_id"].isin(named)
    parts = _parts(book, accounts, keys, span, as_of)
    if with_personal:
        parts.append(_birthdays(book, accounts, as_of, until))
    rows = _ranked(dues.gather(parts, as_of, until), accounts)
    covered = covered_until(book, end)
    return DueList(
        as_of,
        until,
        rows,
        Names(accounts.set_index("account_id")["name"], manager_names(book)),
        rhythm.stages if rhythm else pd.DataFrame(columns=STAGE_COLUMNS),
        _managers(rows),
        tuple(group for group, needed in _NEEDS.items() if not _can_tell(book, *needed)),
        int(keys.sum()),
        keys_from,
        book.has("visits", "logged_on"),
        {name: book.settings.value(name) for name in RULES},
        _record(rows, previous, as_of),
        accounts["last_contact"].max() if accounts["last_contact"].notna().any() else None,
        None if covered is None else pd.Timestamp(covered).as_unit("s"),
    )


def _accounts(book: Book, rhythm: Cadence | None) -> pd.DataFrame:
    """The accounts with their stage, last contact and days allowed between contacts; missing without visits."""
    columns = ("account_id", "name", "manager_id", "opened_on")
    frame = book.collect(book.table("accounts", *columns), ["account_id"])
    kept = ["account_id", "stage", "last_contact", "allowed_days", "revenue"]
    if rhythm is None:
        return frame.assign(stage="customer", last_contact=pd.NaT, allowed_days=np.nan, revenue=np.nan)
    return frame.merge(rhythm.accounts[kept], on="account_id", how="left")


def _can_tell(book: Book, table: str, *columns: str) -> bool:
    return table in book.tables and (not columns or book.has(table, *columns))


def _executives(book: Book) -> pd.Series:
    """By account: the day of the last contact of an executive."""
    visits = book.table("visits", "account_id", "visit_date", "level").filter(lambda t: t.level == "executive")
    days = visits.group_by("account_id").aggregate(last=visits.visit_date.max())
    return book.collect(days, ["account_id"]).set_index("account_id")["last"]


def _parts(book: Book, accounts: pd.DataFrame, keys: pd.Series, span: Period, as_of) -> list[pd.DataFrame]:
    settings, parts = book.settings, [dues.milestones_due(accounts, as_of)]
    if "visits" in book.tables:
        parts.append(dues.silent_due(dues.contacts_due(accounts, as_of), silent(book, as_of)))
        if _can_tell(book, *_NEEDS["executives"]):
            parts.append(dues.executive_due(accounts[keys], _executives(book), settings, as_of))
        parts.append(dues.logs_due(_unlogged(book, accounts, span, as_of), settings))
    managers = accounts[["account_id", "manager_id"]]
    if "cases" in book.tables:
        cases = book.collect(book.table("cases", "case_id", "account_id", "opened_on", "closed_on"), ["case_id"])
        parts.append(dues.cases_due(cases.merge(managers, on="account_id"), settings))
    if "contracts" in book.tables:
        columns = ("contract_id", "account_id", "starts_on", "ends_on", "signed_on")
        contracts = book.collect(book.table("contracts", *columns), ["contract_id"])
        parts.append(dues.contracts_due(contracts.merge(managers, on="account_id"), settings, as_of))
    return parts


def _unlogged(book: Book, accounts: pd.DataFrame, span: Period, as_of: pd.Timestamp) -> pd.DataFrame:
    """Contacts since the period began, or the check before it, that are not in the log; none where nothing is."""
    if not book.has("visits", "logged_on"):
        return pd.DataFrame({"manager_id": pd.Series(dtype="str"), "visit_date": pd.Series(dtype="datetime64[s]")})
    allowed = timedelta(days=book.settings.value("log_check_days"))
    visits = book.table("visits", "visit_id", "account_id", "manager_id", "visit_date", "logged_on")
    since = min(span.start, as_of.date() - allowed)
    visits = visits.filter(visits.logged_on.isnull(), visits.visit_date >= since)
    frame = book.collect(visits, ["visit_date", "visit_id"])
    frame = frame.merge(accounts[["account_id", "manager_id"]], on="account_id", suffixes=("", "_now"))
    return frame.assign(manager_id=frame["manager_id"].fillna(frame["manager_id_now"]))


def _birthdays(book: Book, accounts: pd.DataFrame, as_of: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    """Birthdays ahead of contacts who agreed to be contacted."""
    if not book.has("contacts", "birthday"):
        return dues.rows("birthday", accounts.head(0), pd.NaT)
    contacts = book.table("contacts", "contact_id", "account_id", "birthday", "has_consent")
    contacts = contacts.filter(contacts.birthday.notnull(), contacts.has_consent)
    frame = book.collect(contacts, ["contact_id"]).merge(accounts[["account_id", "manager_id"]], on="account_id")
    born = frame.rename(columns={"birthday": "opened_on"}).assign(stage="customer")
    found = dues.milestones_due(born, as_of)
    return found.assign(kind="birthday", detail=born["contact_id"], since=pd.NaT)


def _ranked(rows: pd.DataFrame, accounts: pd.DataFrame) -> pd.DataFrame:
    groups = {kind: group for group, kinds in GROUPS.items() for kind in kinds}
    money = accounts.set_index("account_id")["revenue"]
    rows = rows.assign(group=rows["kind"].map(groups), revenue=rows["account_id"].map(money))
    is_ahead = rows["days_overdue"] == 0
    rows = rows.assign(is_ahead=is_ahead, ahead=rows["due_on"].where(is_ahead), brings=rows["revenue"].fillna(0))
    order = ["is_ahead", "ahead", "brings", "due_on", "account_id", "kind", "detail"]
    rows = rows.sort_values(order, ascending=[True, True, False, True, True, True, True], ignore_index=True)
    return rows.drop(columns=["is_ahead", "ahead", "brings"])


def _managers(rows: pd.DataFrame) -> pd.DataFrame:
    """How much each manager has on the list, and how much nobody has."""
    rows = rows.assign(manager_id=rows["manager_id"].fillna(NOBODY))
    late = rows[rows["days_overdue"] > 0]
    frame = pd.DataFrame(
        {"things_due": rows["manager_id"].value_counts(), "things_overdue": late["manager_id"].value_counts()}
    )
    frame = frame.rename_axis("manager_id").reset_index().fillna({"things_due": 0, "things_overdue": 0})
    at_stake = late.drop_duplicates(["manager_id", "account_id"]).groupby("manager_id")["revenue"].sum()
    frame = frame.assign(overdue_revenue=frame["manager_id"].map(at_stake).fillna(0.0))
    frame[["things_due", "things_overdue"]] = frame[["things_due", "things_overdue"]].astype("int64")
    return frame.sort_values(["things_overdue", "manager_id"], ascending=[False, True], ignore_index=True)


def _record(rows: pd.DataFrame, previous: str, as_of: pd.Timestamp) -> pd.Series | None:
    """What became of the last list: what was due by now and is not listed with the same day any more was done."""
    path = Path(previous) / "tables" / "due.parquet"
    if not previous or not path.is_file():
        return None
    said = pd.read_parquet(path)
    said, rows = (frame.replace({"kind": {"silent": "contact"}}) for frame in (said[said["due_on"] <= as_of], rows))
    marks = ["kind", "account_id", "manager_id", "detail", "due_on"]
    still = said.merge(rows[marks].drop_duplicates(), on=marks, how="left", indicator=True)["_merge"] == "both"
    return pd.Series({"listed": len(said), "done": int(np.sum(~still))})
