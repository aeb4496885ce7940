"""The customer file and its governance: how full, right and fresh it is, who keeps it, its backups and its lookup."""

from __future__ import annotations

import difflib
import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from kamlib.book.periods import months_before
from kamlib.book.store import Book
from kamlib.studies import actions

FRESH_DAYS, STOCK_DAYS, BACKUP_DAYS = 90, 92, 7
FIELDS = ("name", "industry", "region", "manager_id", "lifecycle", "opened_on", "annual_potential")
PRINCIPLES = ("scientific", "accurate", "dynamic")
PURPOSES = {
    "stock": ("stock", "on_hand"),
    "targets": ("targets", "revenue"),
    "managers": ("surveys", "manager_score"),
    "forecast": ("orders", "order_date"),
    "planning": ("accounts", "annual_potential"),
}
MOST = 10


@dataclass(frozen=True, eq=False)
class FileReview:
    """What :func:`measure` found.

    Attributes
    ----------
    as_of, accounts : day the book is read as of, and how many accounts it has.
    fields : by field of the card: field, filled, share.
    principles : scientific (mean share of fields filled), accurate (accounts whose recorded stage their orders do not
        contradict), dynamic (accounts with an order or a contact in ninety days): principle, share, n.
    documents : by document (card, report, contract, weekly): document, held, needed; held is missing where the book
        has not the table.
    purposes : what the file serves: purpose, accounts (covered by data), share; missing where the book has none.
    gaps : the largest accounts with empty fields: account_id, name, manager_id, missing (first field empty), empty
        (how many), revenue of twelve months.
    unlogged : contacts without a day of logging, missing where the book does not keep it; visits, all contacts.
    backup_on : day of the last backup found; missing where none is.
    found : accounts whose names are like the one looked for: account_id, name, name_likeness (1 is the same or a part).
    actions, names : the actions, and the names in them.
    """

    as_of: pd.Timestamp
    accounts: int
    fields: pd.DataFrame
    principles: pd.DataFrame
    documents: pd.DataFrame
    purposes: pd.DataFrame
    gaps: pd.DataFrame
    unlogged: float
    visits: int
    backup_on: pd.Timestamp
    found: pd.DataFrame
    actions: pd.DataFrame
    names: actions.Names


def measure(book: Book, find: str = "", backups: str = "") -> FileReview:
    """Review the files of a book.

    Parameters
    ----------
    book : the book as of its day.
    find : a name to look for, however it is spelt.
    backups : folder of the backups, each ``<book>-<day>`` as ``kam backup`` names them.

    Examples
    --------
    >>> measure(book, find="ting hotel").found  # doctest: +SKIP
    """
    as_of = pd.Timestamp(book.as_of or book.span()[1]).as_unit("s")
    accounts = _with_trade(book, months_before(as_of.date(), 12))
    unlogged, visits = _unlogged(book)
    gaps = _gaps(accounts)
    backup_on = last_backup(backups, as_of.date())
    rows = actions.gather(_proposed(gaps, accounts, book, backup_on, as_of), as_of)
    return FileReview(
        as_of,
        len(accounts),
        _fields(accounts),
        _principles(accounts, as_of),
        _documents(book, accounts, as_of, unlogged, visits),
        _purposes(book, accounts, as_of),
        gaps,
        unlogged,
        visits,
        backup_on,
        look_up(find, accounts),
        rows,
        actions.names(book, rows),
    )


def look_up(wanted: str, accounts: pd.DataFrame, least: float = 0.55) -> pd.DataFrame:
    """Accounts whose name is like one: width, case, spaces and marks do not count, and a part of a name is enough.

    Examples
    --------
    >>> look_up("ＡＣＭＥ", pd.DataFrame({"account_id": ["7"], "name": ["Acme Ltd"]}))["account_id"].tolist()
    ['7']
    """
    asked = _bare(wanted)
    if not asked or accounts.empty:
        return accounts.head(0)[["account_id", "name"]].assign(name_likeness=pd.Series(dtype="float64"))
    bare = accounts["name"].fillna("").map(_bare)
    likeness = [_likeness(asked, name) for name in bare]
    found = accounts[["account_id", "name"]].assign(name_likeness=likeness)
    found = found[found["name_likeness"] >= least]
    return found.sort_values(["name_likeness", "account_id"], ascending=[False, True], ignore_index=True).head(MOST)


def _likeness(asked: str, name: str) -> float:
    """1 where the one is a part of the other; else how alike they are as a whole or in their longest common part."""
    if asked in name:
        return 1.0
    matcher = difflib.SequenceMatcher(None, asked, name, autojunk=False)
    common = matcher.find_longest_match().size
    return max(matcher.ratio(), 0.9 * common / len(asked))


def last_backup(folder: str, today: date) -> pd.Timestamp:
    """The day of the last backup in a folder, by its name; missing without one."""
    if not folder or not Path(folder).is_dir():
        return pd.NaT
    days = [match[1] for path in Path(folder).iterdir() if (match := re.search(r"-(\d{4}-\d{2}-\d{2})$", path.stem))]
    days = [day for day in days if day <= today.isoformat()]
    return pd.Timestamp(max(days)) if days else pd.NaT


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name)).casefold()


def _with_trade(book: Book, since: date) -> pd.DataFrame:
    frame = book.collect(book.table("accounts", "account_id", *FIELDS), ["account_id"])
    lines = book.table("orders", "account_id", "order_date", "revenue")
    sums = lines.group_by("account_id").aggregate(
        revenue=lines.revenue.sum(where=lines.order_date >= since), last_order=lines.order_date.max()
    )
    frame = frame.merge(book.collect(sums), on="account_id", how="left")
    if "visits" in book.tables:
        visits = book.table("visits", "account_id", "visit_date")
        last = visits.group_by("account_id").aggregate(last_visit=visits.visit_date.max())
        return frame.merge(book.collect(last), on="account_id", how="left")
    return frame.assign(last_visit=pd.Series(pd.NaT, frame.index, dtype="datetime64[s]"))


def _fields(accounts: pd.DataFrame) -> pd.DataFrame:
    filled = [int(accounts[field].notna().sum()) for field in FIELDS]
    frame = pd.DataFrame({"field": FIELDS, "filled": filled})
    return frame.assign(share=frame["filled"] / max(len(accounts), 1))


def _principles(accounts: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    known = accounts[accounts["lifecycle"].notna()]
    agrees = (known["lifecycle"] == "customer") == known["last_order"].notna()
    last = accounts[["last_order", "last_visit"]].max(axis=1)
    fresh = last >= as_of - pd.Timedelta(days=FRESH_DAYS)
    filled = accounts[list(FIELDS)].notna().mean(axis=1)
    shares = [filled.mean(), agrees.mean() if len(known) else np.nan, fresh.mean()]
    return pd.DataFrame({"principle": PRINCIPLES, "share": shares, "n": [len(accounts), len(known), len(accounts)]})


def _documents(book: Book, accounts: pd.DataFrame, as_of: pd.Timestamp, unlogged: float, visits: int) -> pd.DataFrame:
    """The four documents: the card filled, a report that can be made, a signed contract that runs, a whole log."""
    buyers = accounts[accounts["revenue"] > 0]
    signed: float = np.nan
    if "contracts" in book.tables:
        rows = book.frame("contracts")
        runs = rows[(rows["ends_on"] >= as_of) & (rows["starts_on"] <= as_of) & rows["signed_on"].notna()]
        signed = int(buyers["account_id"].isin(runs["account_id"]).sum())
    whole = int((accounts[list(FIELDS)].notna().all(axis=1)).sum())
    held = [whole, len(buyers), signed, visits - unlogged]
    needed = [len(accounts), len(buyers), len(buyers), visits]
    return pd.DataFrame({"document": ["card", "report", "contract", "weekly"], "held": held, "needed": needed})


def _purposes(book: Book, accounts: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    rows = []
    for purpose, (table, column) in PURPOSES.items():
        covered = np.nan
        if table == "accounts":
            covered = int(accounts[column].notna().sum())
        elif table == "orders":
            covered = int(accounts["last_order"].notna().sum())
        elif book.has(table, column) and book.has(table, "account_id"):
            frame = book.frame(table).dropna(subset=[column])
            if table == "stock":
                frame = frame[frame["counted_on"] >= as_of - pd.Timedelta(days=STOCK_DAYS)]
            covered = int(accounts["account_id"].isin(frame["account_id"]).sum())
        rows.append({"purpose": purpose, "accounts": covered, "share": covered / max(len(accounts), 1)})
    return pd.DataFrame(rows)


def _gaps(accounts: pd.DataFrame) -> pd.DataFrame:
    """The largest accounts with an empty field, of the fields that are filled for anybody at all."""
    kept = [field for field in FIELDS if accounts[field].notna().any()]
    empty = accounts[kept].isna()
    rows = accounts.assign(empty=empty.sum(axis=1), missing=empty.idxmax(axis=1) if kept else "")
    rows = rows[empty.any(axis=1)]
    rows = rows.sort_values(["revenue", "account_id"], ascending=[False, True], ignore_index=True)
    return rows[["account_id", "name", "manager_id", "missing", "empty", "revenue"]]


def _unlogged(book: Book) -> tuple[float, int]:
    if "visits" not in book.tables:
        return np.nan, 0
    logged = book.frame("visits")["logged_on"] if book.has("visits", "logged_on") else None
    if logged is None:
        return np.nan, len(book.frame("visits"))
    return float(logged.isna().sum()), len(logged)


def _proposed(gaps: pd.DataFrame, accounts, book: Book, backup_on: pd.Timestamp, as_of: pd.Timestamp) -> list:
    topic, month = "customer_file", as_of + pd.Timedelta(days=30)
    parts = [
        actions.propose("field", f"{topic}.fill_{field}", part, month, "K041", detail=field, count=part["empty"])
        for field, part in gaps.head(MOST).groupby("missing")
    ]
    if book.has("stock"):
        stock = book.frame("stock")
        fresh = stock[stock["counted_on"] >= as_of - pd.Timedelta(days=STOCK_DAYS)]
        counted = accounts[accounts["account_id"].isin(stock["account_id"])]
        old = counted[~counted["account_id"].isin(fresh["account_id"])].nlargest(MOST, "revenue")
        parts.append(actions.propose("stock", f"{topic}.count", old, month, "K039"))
    if "visits" in book.tables and book.has("visits", "logged_on"):
        visits = book.frame("visits")
        open_ones = visits[visits["logged_on"].isna()].dropna(subset=["manager_id"])
        found = open_ones.groupby("manager_id").size().rename("open").reset_index().assign(account_id="")
        parts.append(actions.propose("log", f"{topic}.log", found, as_of, "K049", count=found["open"]))
    if pd.isna(backup_on) or (as_of - backup_on).days > BACKUP_DAYS:
        parts.append(actions.step(f"{topic}.backup", as_of, 1, "K047", "custodian"))
    return [
        *parts,
        actions.step(f"{topic}.custodian", as_of, 14, "K045", "director"),
        actions.step(f"{topic}.access", as_of, 14, "K046", "custodian"),
        actions.step(f"{topic}.approve", as_of, 21, "K035", "director"),
    ]
