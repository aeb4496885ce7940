"""The file of one account: its own rows of every table of the book, and nothing of another account."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.contract import contract
from kamlib.book.store import Book
from kamlib.errors import RequestError
from kamlib.studies.dossier.shelf import OWN, BookRows, ShelfRows, rows_of


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


def read_account(
    book: Book, account_id: str, with_personal: bool = False, source: BookRows | ShelfRows | None = None
) -> AccountFile:
    """Read the file of an account, from the shelf of a run where one is given.

    Raises
    ------
    RequestError
        When the book has no such account on its day and within its scope.

    Examples
    --------
    >>> read_account(book, "0007").card["name"]  # doctest: +SKIP
    """
    source = source or rows_of(book)
    cards = source.read("card", account_id=account_id)
    if cards.empty:
        raise RequestError(_not_there(book, account_id))
    tables = {name: _own(source, name, account_id, with_personal) for name in OWN if name in book.tables}
    lines = source.read("lines", account_id=account_id)
    lines = lines.sort_values(["order_date", "order_id", "line_no"], ignore_index=True)
    late = _late(book, source, account_id) if "deliveries" in book.tables else None
    return AccountFile(cards.iloc[0], lines, late, tables)


def _not_there(book: Book, account_id: str) -> str:
    known = book.collect(book.table("accounts", "account_id"))["account_id"].tolist()
    close = difflib.get_close_matches(account_id, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    day = f" as of {book.as_of}" if book.as_of else ""
    return f"book {book.name!r} has no account {account_id!r}{day} among the {len(known)} of its scope{hint}"


def _late(book: Book, source: BookRows | ShelfRows, account_id: str) -> pd.DataFrame:
    """The deliveries of the account's orders, with days late: to the day of the book where they have not come."""
    columns = ["order_id", "line_no", "promised_on", "delivered_on"]
    frame = source.read("late", columns, account_id=account_id)
    frame = frame.sort_values(["promised_on", "order_id", "line_no"], ignore_index=True)
    came = frame["delivered_on"].fillna(pd.Timestamp(book.as_of) if book.as_of else pd.NaT)
    return frame.assign(days_late=(came - frame["promised_on"]).dt.days.clip(lower=0).astype("float64"))


def _own(source: BookRows | ShelfRows, name: str, account_id: str, with_personal: bool) -> pd.DataFrame:
    spec = contract(name)
    kept = [c.name for c in spec.columns.values() if with_personal or not c.personal]
    frame = source.read(name, kept, account_id=account_id).sort_values(list(spec.key), ignore_index=True)
    return frame.replace({None: np.nan}) if frame.empty else frame
