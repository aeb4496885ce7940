"""Where the rows of single accounts are read: in the book, or on a shelf where one run has laid them out.

A thousand dossiers of one run need the same tables, each its own few rows of them, and some need what only the whole
book can tell: its first and last day, who is a key account. :func:`lay_out` reads all that once and writes it sorted,
so that each report looks up its rows by statistics of the file; :func:`rows_of` finds the shelf that the variable
``KAM_SHELF`` names. Both ways read the same expressions, so the page is the same.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kamlib.book.contract import contract
from kamlib.book.features import exact, last_day
from kamlib.book.periods import months_before
from kamlib.book.store import Book
from kamlib.studies.portfolio import key_accounts

SHELF = "KAM_SHELF"
MONTHS = 12
OWN = ("visits", "contacts", "contracts", "cases", "surveys", "opportunities", "assignments")
_LABEL = "shelf.json"
_ROWS_TOGETHER = 4096  # few enough to be read for one account, enough to be packed well
_LINE = ("account_id", "order_id", "line_no", "order_date", "product_id", "quantity", "revenue", "cost")


@dataclass(frozen=True, eq=False)
class BookRows:
    """The rows of an account, asked of the engine of its book.

    ``tables`` is the folder of this period's reports, which may name the key accounts; it may be empty.
    """

    book: Book
    tables: str = ""

    def read(self, part: str, columns: list[str] | None = None, **match: str) -> pd.DataFrame:
        """The rows of a part in which a column has a value."""
        table = self.parts[part]
        found = table.filter(*(table[name] == value for name, value in match.items()))
        return _frame((found.select(*columns) if columns else found).to_pyarrow())

    @cached_property
    def parts(self) -> dict[str, ibis.Table]:
        """What is read from."""
        return parts(self.book)

    @cached_property
    def whole(self) -> dict:
        """What only the whole book can tell: ``first`` and ``last`` day of its orders (ISO; None without any) and
        whether any product ``has_category``."""
        orders = self.book.table("orders", "order_date")
        days = orders.aggregate(first=orders.order_date.min(), last=orders.order_date.max()).to_pyarrow().to_pylist()
        told = {name: day and day.isoformat() for name, day in days[0].items()}
        return told | {"has_category": "products" in self.book.tables and self.book.has("products", "category")}

    def is_key(self, account_id: str) -> bool:
        """Whether it is one of :func:`kamlib.studies.portfolio.key_accounts`."""
        return account_id in _keys(self.book, self.tables)


@dataclass(frozen=True, eq=False)
class ShelfRows:
    """The rows of an account, read from the shelf of a run; the same questions as :class:`BookRows` answers."""

    folder: Path

    def read(self, part: str, columns: list[str] | None = None, **match: str) -> pd.DataFrame:
        """The rows of a part in which a column has a value."""
        filters = [(name, "==", value) for name, value in match.items()]
        path = self.folder / f"{part}.parquet"
        return _frame(pq.read_table(path, columns=columns, filters=filters, use_threads=False))

    @cached_property
    def whole(self) -> dict:
        """What only the whole book can tell."""
        return _read_json(self.folder / _LABEL)["whole"]

    def is_key(self, account_id: str) -> bool:
        """Whether it is one of :func:`kamlib.studies.portfolio.key_accounts`."""
        return account_id in _read_json(self.folder / _LABEL)["key_accounts"]


def rows_of(book: Book, tables: str = "") -> BookRows | ShelfRows:
    """The shelf of this run where there is one of this very book, day, scope and privacy; the book itself otherwise.

    Examples
    --------
    >>> rows_of(book).read("visits", account_id="0007")  # doctest: +SKIP
    """
    place = os.environ.get(SHELF)
    is_meant = bool(place) and _read_json(Path(place) / _LABEL)["made_of"] == _made_of(book, tables)
    return ShelfRows(Path(place)) if is_meant else BookRows(book, tables)


def lay_out(book: Book, folder: Path, tables: str = "") -> Path:
    """Write the shelf of a book into an empty folder: each part sorted by what it is looked up by.

    Parameters
    ----------
    book : the book as of its day and in its scope, with what is hidden from readers hidden.
    tables : folder of this period's reports, which may name the key accounts.

    Examples
    --------
    >>> os.environ[SHELF] = str(lay_out(book, Path("shelf")))  # doctest: +SKIP
    """
    for name, table in parts(book).items():
        rows = table.order_by("industry" if name == "spent" else "account_id").to_pyarrow()
        pq.write_table(rows, folder / f"{name}.parquet", row_group_size=_ROWS_TOGETHER, compression="zstd")
    whole, keys = BookRows(book).whole, sorted(_keys(book, tables))
    label = {"made_of": _made_of(book, tables), "whole": whole, "key_accounts": keys}
    (folder / _LABEL).write_text(json.dumps(label), encoding="utf-8")
    return folder


def parts(book: Book) -> dict[str, ibis.Table]:
    """What a file is read from: ``card``, ``lines``, the tables of :data:`OWN` that the book has, ``late`` where it
    has deliveries, and ``spent`` (money by account and category in twelve months) where it has products."""
    found = {"card": _cards(book), "lines": _lines(book)}
    found |= {name: book.table(name, *contract(name).columns) for name in OWN if name in book.tables}
    if "deliveries" in book.tables:
        orders = book.table("orders", "account_id", "order_id").distinct()
        promised = book.table("deliveries", "order_id", "line_no", "promised_on", "delivered_on")
        found["late"] = promised.inner_join(orders, "order_id")
    if "products" in book.tables:
        found["spent"] = _spent(book)
    return found


def _cards(book: Book) -> ibis.Table:
    """Accounts with the names of their managers and of the accounts they belong to, where these can be read."""
    cards = book.table("accounts", *contract("accounts").columns)
    if "managers" in book.tables:
        names = book.table("managers", "manager_id", "name").rename(manager="name")
        cards = cards.left_join(names, "manager_id").drop("manager_id_right")
    else:
        cards = cards.mutate(manager=ibis.null("string"))
    owners = book.table("accounts", "account_id", "name").rename(owner_id="account_id", parent="name")
    return cards.left_join(owners, cards.parent_id == owners.owner_id).drop("owner_id")


def _lines(book: Book) -> ibis.Table:
    """Order lines with the names and categories of their products."""
    lines = book.table("orders", *_LINE)
    if "products" not in book.tables:
        return lines.mutate(product=ibis.null("string"), category=ibis.null("string"))
    products = book.table("products", "product_id", "name", "category").rename(product="name")
    return lines.left_join(products, "product_id").drop("product_id_right")


def _spent(book: Book) -> ibis.Table:
    """Money by industry, account and category in twelve months."""
    accounts = book.table("accounts", "account_id", "industry").filter(lambda t: t.industry.notnull())
    lines = book.table("orders", "account_id", "order_date", "product_id", "revenue")
    lines = lines.filter(lines.order_date >= months_before(last_day(book), MONTHS))
    products = book.table("products", "product_id", "category").filter(lambda t: t.category.notnull())
    joined = lines.inner_join(accounts, "account_id").inner_join(products, "product_id")
    money = exact(joined.revenue).sum().cast("float64")
    return joined.group_by("industry", "account_id", "category").aggregate(revenue=money)


def _keys(book: Book, tables: str) -> set[str]:
    return set(key_accounts(book, tables)[0])


def _made_of(book: Book, tables: str) -> dict:
    """What tells one shelf from another, in plain values."""
    hidden = [book.privacy.hides_personal, book.privacy.redaction]
    scope = {name: str(value) for name, value in book.scope.items()}
    place = str(book.place.path.resolve()) if book.place.path else book.place.name
    return {"place": place, "as_of": str(book.as_of), "scope": scope, "hidden": hidden, "tables": tables}


def _frame(rows: pa.Table) -> pd.DataFrame:
    """Rows as a frame, dates as timestamps in seconds."""
    second = pa.timestamp("s")
    fields = [field.with_type(second) if pa.types.is_date(field.type) else field for field in rows.schema]
    return rows.cast(pa.schema(fields)).to_pandas()


def _read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))
