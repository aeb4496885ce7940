"""The file of one account: its own rows of every table of the book, and nothing of another account."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.book.tables import contract
from kamlib.errors import RequestError

TABLES = ("visits", "contacts", "contracts", "cases", "surveys", "opportunities", "assignments")


@dataclass(frozen=True, eq=False)
class AccountFile:
    """The rows of one account.

    Attributes
    ----------
    card : its row of the table of accounts, with ``manager`` (the manager's name) and ``parent`` (the parent's),
        missing where the book does not tell.
    lines : its order lines by day: order_date, order_id, line_no, product_id, quantity, revenue, cost, with product
        and category where the book has products.
    late : order lines with promised_on, delivered_on and days_late (counted to the day of the book where a line has
        not come); None where the book has no deliveries.
    tables : frames of visits, contacts, contracts, cases, surveys, opportunities and assignments; a table
        that the book has not is not there. Contacts carry no personal field unless it was asked for.
    """

    card: pd.Series
    lines: pd.DataFrame
    late: pd.DataFrame | None
    tables: dict[str, pd.DataFrame]

    def rows(self, name: str) -> pd.DataFrame:
        """The account's rows of a table, none where the book has no such table."""
        if name in self.tables:
            return self.tables[name]
        columns = contract(name).columns.values()
        empty = pd.DataFrame({c.name: pd.Series(dtype="object") for c in columns})
        return empty.astype({c.name: "datetime64[s]" for c in columns if c.dtype.is_date()})


def read_account(book: Book, account_id: str, with_personal: bool = False) -> AccountFile:
    """Read the file of an account.

    Raises
    ------
    RequestError
        When the book has no such account on its day and within its scope.

    Examples
    --------
    >>> read_account(book, "0007").card["name"]  # doctest: +SKIP
    """
    card = _card(book, account_id)
    there = [name for name in TABLES if name in book.tables]
    tables = {name: _own(book, name, account_id, with_personal) for name in there}
    lines = _lines(book, account_id)
    return AccountFile(card, lines, _late(book, lines), tables)


def _card(book: Book, account_id: str) -> pd.Series:
    accounts = book.accounts
    found = book.collect(accounts.filter(accounts.account_id == account_id))
    if found.empty:
        raise RequestError(_not_there(book, account_id))
    card = found.iloc[0]
    names = {"manager": _name(book, "managers", "manager_id", card["manager_id"])}
    names["parent"] = _name(book, "accounts", "account_id", card["parent_id"])
    return pd.concat([card, pd.Series(names, dtype="object")])


def _not_there(book: Book, account_id: str) -> str:
    known = book.collect(book.table("accounts", "account_id"))["account_id"].tolist()
    close = difflib.get_close_matches(account_id, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    day = f" as of {book.as_of}" if book.as_of else ""
    return f"book {book.name!r} has no account {account_id!r}{day} among the {len(known)} of its scope{hint}"


def _name(book: Book, table: str, key: str, value) -> str | None:
    """The name of the row with a key, where it can be read."""
    if table not in book.tables or pd.isna(value):
        return None
    rows = book.table(table, key, "name")
    found = book.collect(rows.filter(rows[key] == value))
    return found["name"].iloc[0] if len(found) else None


def _lines(book: Book, account_id: str) -> pd.DataFrame:
    names = ("account_id", "order_id", "line_no", "order_date", "product_id", "quantity", "revenue", "cost")
    lines = book.table("orders", *names)
    frame = book.collect(lines.filter(lines.account_id == account_id), ["order_date", "order_id", "line_no"])
    known = frame["product_id"].dropna().unique().tolist()
    if "products" not in book.tables or not known:
        return frame.assign(product=None, category=None)
    products = book.table("products", "product_id", "name", "category")
    named = book.collect(products.filter(products.product_id.isin(known))).rename(columns={"name": "product"})
    return frame.merge(named, on="product_id", how="left")


def _late(book: Book, lines: pd.DataFrame) -> pd.DataFrame | None:
    """The deliveries of the account's orders, with days late: to the day of the book where they have not come."""
    if "deliveries" not in book.tables:
        return None
    orders = lines["order_id"].unique().tolist()
    promised = book.table("deliveries", "order_id", "line_no", "promised_on", "delivered_on")
    frame = book.collect(promised.filter(promised.order_id.isin(orders)), ["promised_on", "order_id", "line_no"])
    came = frame["delivered_on"].fillna(pd.Timestamp(book.as_of) if book.as_of else pd.NaT)
    return frame.assign(days_late=(came - frame["promised_on"]).dt.days.clip(lower=0).astype("float64"))


def _own(book: Book, name: str, account_id: str, with_personal: bool) -> pd.DataFrame:
    spec = contract(name)
    kept = [c.name for c in spec.columns.values() if with_personal or not c.personal]
    table = book.table(name, *kept)
    frame = book.collect(table.filter(table.account_id == account_id), list(spec.key))
    return frame.replace({None: np.nan}) if frame.empty else frame
