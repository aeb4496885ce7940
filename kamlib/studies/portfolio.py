"""The accounts of a portfolio: what each bought in twelve months, its class, and whether it counts as key here."""

from __future__ import annotations

import pandas as pd

from kamlib.book.features import last_day
from kamlib.book.panel import account_features
from kamlib.book.store import Book
from kamlib.errors import RequestError
from kamlib.studies.classes import abc
from kamlib.studies.period_tables import period_table

KEY_CLASS = "A"


def day_of(book: Book) -> pd.Timestamp:
    """The day the book is read as of; that of its last order where it has none."""
    return pd.Timestamp(last_day(book)).as_unit("s")


def portfolio(book: Book, months: int = 12) -> pd.DataFrame:
    """One row per account, the largest first.

    Playbooks call an account *key* that is in class A among the accounts in scope; the segmentation study asks more.

    Returns
    -------
    As :func:`kamlib.book.panel.account_features`, with ``abc`` (by revenue, cut where the book declares) and
    ``is_key``; ``name`` is the identifier where there is none.

    Examples
    --------
    >>> portfolio(book).query("is_key")[["account_id", "revenue"]]  # doctest: +SKIP
    """
    frame = account_features(book, months)
    frame["name"] = frame["name"].fillna(frame["account_id"])
    frame["abc"] = abc(frame.set_index("account_id")["revenue"], book.settings.value("abc_cuts")).to_numpy()
    frame["is_key"] = frame["abc"] == KEY_CLASS
    return frame.sort_values(["revenue", "account_id"], ascending=[False, True], ignore_index=True)


def chosen(accounts: pd.DataFrame, account_id: str = "") -> pd.Series:
    """The row of an account; of the largest one where none is named.

    Raises
    ------
    RequestError
        The account is not among those in scope.

    Examples
    --------
    >>> chosen(portfolio(book), "C0085")["abc"]  # doctest: +SKIP
    'A'
    """
    if not account_id:
        return accounts.iloc[0]
    found = accounts[accounts["account_id"] == account_id]
    if found.empty:
        raise RequestError(f"account {account_id!r} is not among the {len(accounts)} accounts in scope")
    return found.iloc[0]


def last_answers(book: Book, as_of: pd.Timestamp) -> pd.DataFrame | None:
    """The last answer of each account asked in the year up to a day: account_id, satisfaction, surveyed_on.

    None where the book has no surveys.

    Examples
    --------
    >>> last_answers(book, day_of(book))  # doctest: +SKIP
    """
    if not book.has("surveys", "satisfaction"):
        return None
    rows = book.frame("surveys").dropna(subset=["satisfaction"])
    rows = rows[rows["surveyed_on"] > as_of - pd.DateOffset(years=1)].sort_values("surveyed_on")
    return rows.drop_duplicates("account_id", keep="last")[["account_id", "satisfaction", "surveyed_on"]]


def key_accounts(book: Book, tables: str = "") -> tuple[pd.Series, str]:
    """The identifiers of the key accounts, and where they come from.

    Parameters
    ----------
    book : the book as of its day.
    tables : folder of this period's reports; may be empty.

    Returns
    -------
    The identifiers, and ``segmentation`` where this period's segmentation report names them (as they are once its
    decisions are carried out), else ``book``: those named strategic, and class A of twelve months' revenue.

    Examples
    --------
    >>> key_accounts(book)[1]  # doctest: +SKIP
    'book'
    """
    named = _named_by_segmentation(book, tables)
    if named is not None:
        return named, "segmentation"
    frame = portfolio(book)
    is_strategic = frame["is_strategic"].eq(True) if "is_strategic" in frame else False
    return frame.loc[frame["is_key"] | is_strategic, "account_id"], "book"


def _named_by_segmentation(book: Book, tables: str) -> pd.Series | None:
    """Those the segmentation report of this very day names; None without one."""
    said = period_table(tables, "segmentation", "accounts", day_of(book))
    return said.loc[said["is_key"].eq(True), "account_id"] if said is not None and "is_key" in said else None


def manager_names(book: Book) -> pd.Series:
    """Names by manager_id; empty where the book does not hold them.

    Examples
    --------
    >>> manager_names(book)["M01"]  # doctest: +SKIP
    """
    if "managers" not in book.tables:
        return pd.Series(dtype="str")
    managers = book.table("managers", "manager_id", "name")
    return book.collect(managers, ["manager_id"]).set_index("manager_id")["name"].dropna()


def with_managers(frame: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    """The frame with ``manager``: the name of ``manager_id``, or the identifier where there is no name.

    Examples
    --------
    >>> rows = pd.DataFrame({"manager_id": ["M01", "M02"]})
    >>> with_managers(rows, pd.Series({"M01": "Lin Yi-chun"}))["manager"].tolist()
    ['Lin Yi-chun', 'M02']
    """
    found = frame["manager_id"].astype(object)
    return frame.assign(manager=found.map(names.astype(object)).astype(object).fillna(found))
