"""A programme of executive visits: which key accounts, in what order, about what, and how much time it takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.studies import actions, dues
from kamlib.studies.cadence import Cadence, keep_rhythm
from kamlib.studies.portfolio import manager_names, with_managers

LEAD_DAYS, BRIEF_DAYS, EXECUTIVE = 14, 5, 4
CHANNELS = ("visit",)
KEY_COLUMNS = ["account_id", "name", "manager_id", "value"]


@dataclass(frozen=True, eq=False)
class VisitProgramme:
    """What :func:`measure` found.

    Attributes
    ----------
    as_of : day the book is read as of.
    accounts : one row for each key account, in order of value: account_id, name, manager_id, manager, value,
        last_executive, due_on, complaints (open ones; missing without their table), contract_ends_on, top (highest
        level of its people on file, 1 to 4), ``is_covered`` (an executive met it within the days declared) and
        ``meet_on`` (day proposed; missing where none is due within the horizon).
    cadence : contact of twelve months, executives' share of the visiting time among it; None without visits.
    days_allowed : days between executive contacts with a key account.
    has_levels : whether visits say on what level they were; else ``last_executive`` is unknown for all.
    actions, names : the actions, and the names in them.
    """

    as_of: pd.Timestamp
    accounts: pd.DataFrame
    cadence: Cadence | None
    days_allowed: float
    has_levels: bool
    actions: pd.DataFrame
    names: actions.Names

    @property
    def planned(self) -> pd.DataFrame:
        """The meetings proposed, the earliest first."""
        rows = self.accounts[self.accounts["meet_on"].notna()]
        return rows.sort_values(["meet_on", "value"], ascending=[True, False], ignore_index=True)


def measure(book: Book, keys: pd.DataFrame, horizon_days: int = 90, meetings_a_week: int = 2) -> VisitProgramme:
    """Plan executive visits.

    Parameters
    ----------
    book : the book as of its day.
    keys : the key accounts: account_id, name, manager_id, value (by which they are ranked).
    horizon_days : how far ahead meetings are planned.
    meetings_a_week : how many meetings with key accounts the executives can take on.

    Examples
    --------
    >>> measure(book, keys).planned.head()  # doctest: +SKIP
    """
    as_of = pd.Timestamp(book.as_of or book.span()[1]).as_unit("s")
    accounts = _accounts(book, keys, as_of)
    accounts["meet_on"] = _days(accounts, as_of, horizon_days, meetings_a_week)
    rows = actions.gather(_proposed(accounts, as_of), as_of)
    return VisitProgramme(
        as_of,
        accounts,
        keep_rhythm(book, as_of, CHANNELS),
        float(book.settings.value("executive_contact_days")),
        book.has("visits", "level"),
        rows,
        actions.names(book, rows),
    )


def _accounts(book: Book, keys: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    order = {"by": ["value", "account_id"], "ascending": [False, True]}
    frame = with_managers(keys[KEY_COLUMNS].sort_values(**order, ignore_index=True), manager_names(book))
    met = _last_by_account(book, "visits", "visit_date", level="executive")
    due = dues.executive_due(frame, met, book.settings, as_of)
    allowed = pd.Timedelta(days=book.settings.value("executive_contact_days"))
    last, ends = due["since"], _last_by_account(book, "contracts", "ends_on")
    return frame.assign(
        last_executive=last,
        due_on=due["due_on"],
        complaints=_open_cases(book, frame["account_id"]).array,
        contract_ends_on=ends.reindex(frame["account_id"]).array.astype("datetime64[s]"),
        top=_top_level(book).reindex(frame["account_id"]).array,
        is_covered=last.notna() & (last >= as_of - allowed),
    )


def _last_by_account(book: Book, table: str, day: str, **where: str) -> pd.Series:
    if table not in book.tables:
        return pd.Series(dtype="datetime64[s]")
    rows = book.table(table, *dict.fromkeys(["account_id", day, *where]))
    for column, value in where.items():
        rows = rows.filter(rows[column] == value)
    found = book.collect(rows.group_by("account_id").aggregate(last=rows[day].max()), ["account_id"])
    return found.set_index("account_id")["last"]


def _open_cases(book: Book, accounts: pd.Series) -> pd.Series:
    """How many complaints of each account are open; missing where the book has none on record at all."""
    if "cases" not in book.tables:
        return pd.Series(np.nan, accounts)
    cases = book.frame("cases")
    return cases[cases["closed_on"].isna()].groupby("account_id").size().reindex(accounts, fill_value=0)


def _top_level(book: Book) -> pd.Series:
    if not book.has("contacts", "level"):
        return pd.Series(dtype="float64")
    return book.frame("contacts").groupby("account_id")["level"].max()


def _days(accounts: pd.DataFrame, as_of: pd.Timestamp, horizon_days: int, a_week: int) -> pd.Series:
    """Meetings dealt over the weeks ahead; those with an open complaint first, then by value."""
    until = as_of + pd.Timedelta(days=horizon_days)
    due = accounts[accounts["due_on"] <= until].copy()
    due["waits"] = ~(due["complaints"] > 0)
    due = due.sort_values(["waits", "value", "account_id"], ascending=[True, False, True])
    weeks = np.arange(len(due)) // a_week
    spread = as_of + pd.Timedelta(days=LEAD_DAYS) + pd.to_timedelta(7 * weeks, unit="D")
    days = pd.Series(spread, due.index).astype("datetime64[s]")
    days = days.where(days >= due["due_on"], due["due_on"])  # not before it is due
    days = days.map(lambda day: day + pd.offsets.BDay(0)).astype("datetime64[s]")
    return days.where(days <= until).reindex(accounts.index)


def _proposed(accounts: pd.DataFrame, as_of: pd.Timestamp) -> list[pd.DataFrame]:
    rows = accounts[accounts["meet_on"].notna()].sort_values(["meet_on", "value"], ascending=[True, False])
    brief_on = rows["meet_on"] - pd.offsets.BDay(BRIEF_DAYS)
    unknown = rows["top"].fillna(0) < EXECUTIVE
    last, topic = rows["last_executive"], "executive_visits"
    find = actions.propose("person", f"{topic}.find", rows[unknown], brief_on[unknown], "K083", detail=str(EXECUTIVE))
    return [
        actions.step(f"{topic}.agree", as_of, 7, "K083", "director"),
        find,
        actions.propose("step", f"{topic}.brief", rows, brief_on, "K082", detail="brief"),
        actions.propose("executive", f"{topic}.meet", rows, rows["meet_on"], "K082", "executive", last),
        actions.step(f"{topic}.look_back", as_of, 90, "K083", "director"),
    ]
