"""Open a book of business on any engine; every read goes through one date and one scope.

What has no date in the contract cannot be read as of a date, and is as the export has it today: an account's name,
parent, lifecycle, potential and flags (and its manager, where no assignment is on record), contacts, managers and
products apart from their first day, the value of an opportunity, the cost of a promotion, and columns of your own.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from types import MappingProxyType

import ibis
import ibis.expr.datatypes as dt
import pandas as pd

from kamlib.book import places
from kamlib.book.asof import forget, has_begun, has_happened
from kamlib.book.contract import TABLES, Table, contract
from kamlib.book.periods import day
from kamlib.book.privacy import Privacy
from kamlib.book.settings import Settings
from kamlib.book.tables import REQUIRED
from kamlib.book.timezones import set_timezone
from kamlib.errors import RequestError

# Tables whose rows belong to one account: an identifier of such a row gives its account away.
_OWNED = ("accounts", "contacts", "promotions")
# A scope of this many accounts is named to the engine one by one, which it can look up in its files; a larger
# one is left to a join.
_NAMED_ACCOUNTS = 1000


def open_book(place: str | os.PathLike, as_of=None, scope: Mapping | None = None) -> Book:
    """Open a book of business.

    Moments with an offset are read as days in the timezone that ``book.yml`` declares.

    Parameters
    ----------
    place
        A folder of Parquet files, a ``.duckdb`` file, or a name in ``books.yml`` or the environment that holds
        a database URL.
    as_of
        The day to read as of (ISO string or date): later rows are hidden, and so are later facts inside a row.
        ``None`` reads everything.
    scope
        Values of account columns, for example ``{"manager_id": "M07"}`` or ``{"region": ["North", "East"]}``:
        nothing of any other account can be read.

    Raises
    ------
    RequestError
        When there is no book there, a required table is missing, the timezone of ``book.yml`` does not exist, or the
        scope matches no account.

    Examples
    --------
    >>> book = open_book("data/sample", as_of="2026-09-30")  # doctest: +SKIP
    >>> book.frame("accounts").shape  # doctest: +SKIP
    (300, 11)
    """
    found = places.connect(place)
    absent = [name for name in REQUIRED if name not in found.sources]
    if absent:
        raise RequestError(
            f"book {found.name!r} lacks {len(absent)} of the {len(REQUIRED)} required tables: {', '.join(absent)}"
        )
    moment = day(as_of) if as_of is not None else None
    privacy = Privacy.from_environment()
    book = Book(found, moment, MappingProxyType(dict(scope or {})), moment, privacy=privacy)
    set_timezone(found.connection, book.settings.timezone)
    return book._settled()


@dataclass(frozen=True)
class Book:
    """A book of business as of a date, within a scope. Tables are attributes: ``book.orders`` is an Ibis table.

    The scope is settled as of the day the book was opened for, ``scope_as_of``, and ``inside`` names its accounts
    unless they are many: the same book read as of an earlier day keeps to them, whoever managed them then.
    """

    place: places.Place = field(repr=False)
    as_of: date | None
    scope: Mapping
    scope_as_of: date | None = field(default=None, repr=False)
    inside: tuple[str, ...] | None = field(default=None, repr=False)
    privacy: Privacy = field(default_factory=Privacy)
    _read: dict = field(default_factory=dict, init=False, repr=False, compare=False)
    _filled: dict = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        """What the book is called: its declared name, else the place it lies at."""
        return self.settings.name or self.place.name

    @cached_property
    def settings(self) -> Settings:
        """Currency, calendar and declared thresholds from ``book.yml``, with their defaults."""
        return Settings.from_mapping(self.place.settings)

    @property
    def tables(self) -> list[str]:
        """The tables of the contract that this book has, whether or not a row is visible."""
        return list(self.place.sources)

    @property
    def absent(self) -> list[str]:
        """The tables of the contract that this book has not."""
        return [name for name in TABLES if name not in self.place.sources]

    def __getattr__(self, name: str) -> ibis.Table:
        if name.startswith("_") or name not in TABLES:
            raise AttributeError(f"a book has no {name!r}; its tables are {', '.join(TABLES)}")
        return self.table(name)

    def table(self, name: str, *columns: str) -> ibis.Table:
        """An Ibis table of the contract, as of the date and within the scope.

        Parameters
        ----------
        name
            A table of the contract.
        columns
            The columns to read; all of them when none is named. Naming them spares the engine the look-ups that
            the others need.

        Raises
        ------
        RequestError
            When the contract or this book has no such table (ask :meth:`has` first).

        Examples
        --------
        >>> book.table("orders", "account_id", "revenue")  # doctest: +SKIP
        """
        if (name, columns) not in self._read:
            self._read[name, columns] = self._table(name, columns)
        return self._read[name, columns]

    def has(self, name: str, *columns: str) -> bool:
        """Whether a table is there with at least one visible row, and at least one value in each column named."""
        contract(name)
        if (name, columns) not in self._filled:
            self._filled[name, columns] = name in self.place.sources and self._is_filled(name, columns)
        return self._filled[name, columns]

    def _is_filled(self, name: str, columns: tuple[str, ...]) -> bool:
        if any(column not in self.table(name).columns for column in columns):
            return False
        table = self.table(name, *columns)
        filled = [table[column].notnull().any() for column in columns]
        row = table.aggregate(rows=table.count(), **{f"has_{i}": f for i, f in enumerate(filled)}).to_pyarrow()
        values = row.to_pylist()[0]
        return bool(values.pop("rows")) and all(values.values())

    def frame(self, name: str, with_personal: bool = False) -> pd.DataFrame:
        """A table as a pandas frame sorted by its key; personal columns only when asked for.

        Raises
        ------
        RequestError
            When the book has no such table.
        """
        table, spec = self.table(name), contract(name)
        personal = [c for c, column in spec.columns.items() if column.personal and c in table.columns]
        if personal and not with_personal:
            table = table.drop(*personal)
        return self.collect(table, [k for k in spec.key if k in table.columns])

    def collect(self, expression: ibis.Table, order: list[str] | None = None) -> pd.DataFrame:
        """An expression on this book's tables as a pandas frame: dates as timestamps, sorted as asked."""
        # DuckDB answers in Arrow, of which Ibis makes Python objects wherever a value is missing; pandas does not.
        is_arrow = self.place.connection.name == "duckdb"
        frame = expression.to_pyarrow().to_pandas(date_as_object=False) if is_arrow else expression.to_pandas()
        for name, dtype in expression.schema().items():
            if dtype.is_date():
                frame[name] = pd.to_datetime(frame[name]).astype("datetime64[s]")
        return frame.sort_values(order, ignore_index=True) if order else frame

    def span(self) -> tuple[date, date]:
        """First and last order day that is visible; RequestError when there is no order."""
        orders = self.table("orders", "order_date")
        days = orders.aggregate(first=orders.order_date.min(), last=orders.order_date.max())
        first, last = self.collect(days).iloc[0]
        if pd.isna(first):
            limit = f" on or before {self.as_of}" if self.as_of else ""
            raise RequestError(f"book {self.name!r} has no order{limit}; choose a later period or another book")
        return first.date(), last.date()

    def at(self, as_of) -> Book:
        """The same book as of another day, never a later one than its own."""
        moment = day(as_of)
        if self.as_of and moment > self.as_of:
            raise RequestError(f"a book read as of {self.as_of} cannot be read as of the later {moment}")
        return replace(self, as_of=moment)

    def fingerprint(self) -> str:
        """A digest of the whole content of the place, for manifests."""
        return places.fingerprint(self.place)

    def close(self) -> None:
        """Close the connection."""
        self.place.connection.disconnect()

    def __enter__(self) -> Book:
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def _settled(self) -> Book:
        """The book with the accounts of its scope looked up; RequestError when the scope is wrong or empty."""
        if not self.scope:
            return self
        columns = {*self.place.sources["accounts"].columns, "manager_id"}
        for name in self.scope:
            if name not in columns:
                close = difflib.get_close_matches(name, columns, n=1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise RequestError(f"accounts have no column {name!r} to scope by{hint}")
        ids = self.table("accounts", "account_id").limit(_NAMED_ACCOUNTS + 1).to_pyarrow()
        inside = sorted(ids["account_id"].to_pylist())
        if not inside:
            wanted = ", ".join(f"{name}={value}" for name, value in self.scope.items())
            raise RequestError(f"the scope {wanted} matches no account of book {self.name!r}")
        return replace(self, inside=tuple(inside) if len(inside) <= _NAMED_ACCOUNTS else None)

    def _table(self, name: str, columns: tuple[str, ...]) -> ibis.Table:
        spec = contract(name)
        if name not in self.place.sources:
            raise RequestError(f"book {self.name!r} has no table {name!r}; it has {', '.join(self.tables)}")
        if self.as_of is None and not self.scope:
            table = self._source(name)
            return table.select(*columns) if columns else table
        table = self._within_scope(self._as_of(self._source(name), spec), spec)
        if spec.through:
            key = contract(spec.through).key
            table = table.semi_join(self.table(spec.through, *key), list(key))
        return self._without_hidden(table.select(*columns) if columns else table, spec)

    def _source(self, name: str) -> ibis.Table:
        spec = contract(name)
        return self.privacy.applied(_typed(self.place.sources[name], spec), spec)

    def _as_of(self, table: ibis.Table, spec: Table) -> ibis.Table:
        if self.as_of is None:
            return table
        today = ibis.literal(self.as_of)
        if spec.dated:
            table = table.filter(has_happened(table, spec, today))
        if spec.period:
            table = table.filter(has_begun(table[spec.period], self.as_of))
        if not spec.dated and "account_id" in spec.columns:
            # No date of its own: the row cannot be older than its account.
            accounts = self._source("accounts")
            # Without the missing ones: what is not in a list that holds a missing value is unknown, for every row.
            later = accounts.filter((accounts.opened_on > today) & accounts.account_id.notnull()).account_id
            table = table.filter(table.account_id.isnull() | ~table.account_id.isin(later))
        table = forget(table, spec, today)
        return self._manager_as_of(table) if spec.name == "accounts" else table

    def _manager_as_of(self, accounts: ibis.Table) -> ibis.Table:
        """Who managed each account on the day, where an assignment was on record by then.

        The export knows only today's manager; it stands in for accounts without any assignment on record.
        """
        if "assignments" not in self.place.sources:
            return accounts
        rows = self._as_of(self._source("assignments"), contract("assignments"))
        # A last day that is known by now has passed, unless it is today.
        holds = rows.to_date.isnull() | (rows.to_date >= ibis.literal(self.as_of))
        then = rows.group_by("account_id").aggregate(
            records=rows.count(), manager_then=rows.manager_id.argmax(rows.from_date, where=holds)
        )
        joined = accounts.left_join(then, "account_id").drop("account_id_right")
        manager = joined.records.notnull().ifelse(joined.manager_then, joined.manager_id)
        return joined.mutate(manager_id=manager).select(accounts.columns)

    def _within_scope(self, table: ibis.Table, spec: Table) -> ibis.Table:
        if not self.scope:
            return table
        if spec.name == "accounts":
            return self._scoped_accounts(table)
        if spec.name == "managers":
            return table.semi_join(self.accounts, "manager_id")
        if spec.name == "targets":
            return self._scoped_targets(table)
        return self._scoped_rows(table, spec)

    def _scoped_accounts(self, table: ibis.Table) -> ibis.Table:
        if self.inside is not None or self.as_of != self.scope_as_of:
            return self._of_accounts_inside(table, "account_id")
        for name, value in self.scope.items():
            table = table.filter(table[name].cast("string").isin(_texts(value)))
        return table

    def _of_accounts_inside(self, table: ibis.Table, column: str) -> ibis.Table:
        """Rows whose column names an account of the scope."""
        if self.inside is not None:
            return table.filter(table[column].isin(self.inside))
        settled = replace(self, as_of=self.scope_as_of).accounts
        return table.semi_join(settled.select(**{column: "account_id"}), column)

    def _scoped_targets(self, table: ibis.Table) -> ibis.Table:
        mine = self._of_accounts_inside(table, "account_id")
        whole_books = self.scope.get("manager_id")
        if whole_books is None or len(self.scope) > 1:
            return mine
        own = table.filter(table.account_id.isnull() & table.manager_id.isin(_texts(whole_books)))
        return mine.union(own)

    def _scoped_rows(self, table: ibis.Table, spec: Table) -> ibis.Table:
        for name, column in spec.columns.items():
            if column.refers == "accounts":
                table = self._of_accounts_inside(table, name)
        return table

    def _without_hidden(self, table: ibis.Table, spec: Table) -> ibis.Table:
        """The table without identifiers that point at a row of an account that cannot be read here."""
        for name in table.columns:
            column = spec.columns.get(name)
            if column is None or name in spec.key or column.refers not in _OWNED or not column.optional:
                continue
            if column.refers in self.place.sources:
                readable = table if column.refers == spec.name else self.table(column.refers)
                hidden = self._hidden(column.refers, readable)
                table = table.mutate(**{name: table[name].isin(hidden).ifelse(ibis.null("string"), table[name])})
        return table

    def _hidden(self, name: str, readable: ibis.Table) -> ibis.Column:
        """Keys of the rows of a table that exist and cannot be read here."""
        (key,) = contract(name).key
        return self._source(name).anti_join(readable, key)[key]


def _texts(value) -> list[str]:
    """The values of one scope entry as an engine writes them when it turns a column into text."""
    values = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
    return [str(v).lower() if isinstance(v, bool) else str(v) for v in values]


def _typed(source: ibis.Table, spec: Table) -> ibis.Table:
    """The source with the contract's types; NaN is missing, and so is all of an optional column that is absent."""
    lacking = [name for name in spec.required if name not in source.columns]
    if lacking:
        raise RequestError(
            f"table {spec.name!r} lacks {len(lacking)} required columns: {', '.join(lacking)}; it has "
            f"{', '.join(source.columns)}. Map them in the ingest mapping and ingest again"
        )
    # One step for all columns: each step on the way to a table costs the compiler time in every query on it.
    missing = {n: ibis.null(c.dtype) for n, c in spec.columns.items() if n not in source.columns}
    present = {n: (source[n], c.dtype) for n, c in spec.columns.items() if n in source.columns}
    casts = {n: _as_type(column, dtype) for n, (column, dtype) in present.items() if column.type() != dtype}
    numbers = {n: _number(column.cast(dtype)) for n, (column, dtype) in present.items() if dtype.is_floating()}
    changed = casts | numbers | missing
    return source.mutate(**changed) if changed else source


def _as_type(column: ibis.Value, dtype: dt.DataType) -> ibis.Value:
    value = column.cast(dtype)
    # pandas makes floats of whole numbers where one is missing: 7.0 is the identifier 7 of another table.
    return value.re_replace(r"\.0+$", "") if dtype.is_string() and column.type().is_numeric() else value


def _number(column: ibis.Value) -> ibis.Value:
    """Missing where it is not a number: files written from pandas or Polars may hold NaN, and so would their sums."""
    return column.isnan().ifelse(ibis.null("float64"), column)
