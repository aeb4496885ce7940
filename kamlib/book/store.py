"""Open a book of business on any engine; every read goes through one date and one scope."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from types import MappingProxyType

import ibis
import ibis.expr.datatypes as dt
import pandas as pd

from kamlib.book import places
from kamlib.book.periods import day
from kamlib.book.settings import Settings
from kamlib.book.tables import REQUIRED, TABLES, Table, contract
from kamlib.errors import RequestError


def open_book(place: str | os.PathLike, as_of=None, scope: Mapping | None = None) -> Book:
    """Open a book of business.

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
        When there is no book there, a required table is missing, or the scope matches no account.

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
    book = Book(found, day(as_of) if as_of is not None else None, MappingProxyType(dict(scope or {})))
    book.refuse_empty_scope()
    return book


@dataclass(frozen=True)
class Book:
    """A book of business as of a date, within a scope. Tables are attributes: ``book.orders`` is an Ibis table."""

    place: places.Place = field(repr=False)
    as_of: date | None
    scope: Mapping

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

    def table(self, name: str) -> ibis.Table:
        """An Ibis table of the contract, as of the date and within the scope.

        Raises
        ------
        RequestError
            When the contract or this book has no such table (ask :meth:`has` first).
        """
        spec = contract(name)
        if name not in self.place.sources:
            raise RequestError(f"book {self.name!r} has no table {name!r}; it has {', '.join(self.tables)}")
        return self._within_scope(self._as_of(_typed(self.place.sources[name], spec), spec), spec)

    def has(self, name: str, *columns: str) -> bool:
        """Whether a table is there with at least one visible row, and at least one value in each column named."""
        contract(name)
        if name not in self.place.sources:
            return False
        table = self.table(name)
        if any(column not in table.columns for column in columns):
            return False
        filled = [table[column].notnull().any() for column in columns]
        row = table.aggregate(
            rows=table.count(), **{f"has_{i}": f for i, f in enumerate(filled)}
        ).to_pyarrow()
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
        frame = expression.to_pandas()
        for name, dtype in expression.schema().items():
            if dtype.is_date() or dtype.is_timestamp():
                frame[name] = pd.to_datetime(frame[name]).astype("datetime64[s]")
        return frame.sort_values(order, ignore_index=True) if order else frame

    def span(self) -> tuple[date, date]:
        """First and last order day that is visible; RequestError when there is no order."""
        days = self.orders.aggregate(first=self.orders.order_date.min(), last=self.orders.order_date.max())
        first, last = self.collect(days).iloc[0]
        if pd.isna(first):
            limit = f" on or before {self.as_of}" if self.as_of else ""
            raise RequestError(
                f"book {self.name!r} has no order{limit}; choose a later period or another book"
            )
        return first.date(), last.date()

    def at(self, as_of) -> Book:
        """The same book as of another day, never a later one than its own."""
        moment = day(as_of)
        if self.as_of and moment > self.as_of:
            raise RequestError(f"a book read as of {self.as_of} cannot be read as of the later {moment}")
        return Book(self.place, moment, self.scope)

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

    def refuse_empty_scope(self) -> None:
        """RequestError when the scope names an unknown column or matches no account."""
        if not self.scope:
            return
        columns = self.place.sources["accounts"].columns
        for name in self.scope:
            if name not in columns:
                close = difflib.get_close_matches(name, columns, n=1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise RequestError(f"accounts have no column {name!r} to scope by{hint}")
        if self.accounts.count().to_pyarrow().as_py() == 0:
            wanted = ", ".join(f"{name}={value}" for name, value in self.scope.items())
            raise RequestError(f"the scope {wanted} matches no account of book {self.name!r}")

    def _as_of(self, table: ibis.Table, spec: Table) -> ibis.Table:
        if self.as_of is None:
            return table
        today = ibis.literal(self.as_of)
        dated = [table[column] for column in spec.dated if column in table.columns]
        if dated:
            when = ibis.coalesce(*dated)
            table = table.filter(when.isnull() | (when <= today))
        if spec.period:
            table = table.filter(_has_begun(table[spec.period], self.as_of))
        if spec.through and spec.through in self.place.sources:
            table = table.semi_join(self.table(spec.through), list(contract(spec.through).key[:1]))
        for moment, outcomes in spec.later.items():
            table = _forget(table, moment, outcomes, today)
        return self._manager_as_of(table) if spec.name == "accounts" else table

    def _manager_as_of(self, accounts: ibis.Table) -> ibis.Table:
        """Who managed each account on the day: the export only knows who does now."""
        if "assignments" not in self.place.sources:
            return accounts
        spec = contract("assignments")
        rows = self._as_of(_typed(self.place.sources["assignments"], spec), spec)
        held = rows.filter(rows.to_date.isnull() | (rows.to_date >= ibis.literal(self.as_of)))
        last = held.group_by("account_id").aggregate(manager_then=held.manager_id.argmax(held.from_date))
        ever = _typed(self.place.sources["assignments"], spec).select("account_id").distinct()
        ever = ever.mutate(is_assigned=ibis.literal(True))
        joined = accounts.left_join(last, "account_id").drop("account_id_right")
        joined = joined.left_join(ever, "account_id").drop("account_id_right")
        manager = joined.is_assigned.fill_null(False).ifelse(joined.manager_then, joined.manager_id)
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
        for name, value in self.scope.items():
            wanted = value if isinstance(value, (list, tuple, set)) else [value]
            table = table.filter(table[name].cast("string").isin([str(v) for v in wanted]))
        # The owner of an account may belong to somebody else: its identifier is theirs, not ours.
        inside = table.select(inside_id=table.account_id)
        joined = table.left_join(inside, table.parent_id == inside.inside_id)
        return joined.mutate(parent_id=joined.inside_id).select(table.columns)

    def _scoped_targets(self, table: ibis.Table) -> ibis.Table:
        mine = table.semi_join(self.accounts, "account_id")
        whole_books = self.scope.get("manager_id")
        if whole_books is None or len(self.scope) > 1:
            return mine
        wanted = whole_books if isinstance(whole_books, (list, tuple, set)) else [whole_books]
        own = table.filter(table.account_id.isnull() & table.manager_id.isin([str(v) for v in wanted]))
        return mine.union(own)

    def _scoped_rows(self, table: ibis.Table, spec: Table) -> ibis.Table:
        for name, column in spec.columns.items():
            if column.refers == "accounts":
                inside = self.accounts.select(**{name: "account_id"})
                table = table.semi_join(inside, name)
        if spec.through and spec.through in self.place.sources:
            table = table.semi_join(self.table(spec.through), list(contract(spec.through).key[:1]))
        return table


def _typed(source: ibis.Table, spec: Table) -> ibis.Table:
    """The source with the contract's types, optional columns that are absent added as missing."""
    lacking = [name for name in spec.required if name not in source.columns]
    if lacking:
        raise RequestError(
            f"table {spec.name!r} lacks {len(lacking)} required columns: {', '.join(lacking)}; it has "
            f"{', '.join(source.columns)}. Map them in the ingest mapping and ingest again"
        )
    casts = {
        n: c.dtype for n, c in spec.columns.items() if n in source.columns and source[n].type() != c.dtype
    }
    missing = {n: ibis.null(c.dtype) for n, c in spec.columns.items() if n not in source.columns}
    table = source.cast(casts) if casts else source
    return table.mutate(**missing) if missing else table


def _forget(table: ibis.Table, moment: str, outcomes: dict, today: ibis.Value) -> ibis.Table:
    """Undo in each row what happened after today."""
    happened = table[moment].notnull() & (table[moment] <= today)
    ahead = table[moment].notnull() & (table[moment] > today)
    undone = {
        column: ahead.ifelse(_literal(table, column, value), table[column])
        for column, value in outcomes.items()
    }
    return table.mutate(**undone, **{moment: happened.ifelse(table[moment], ibis.null(dt.date))})


def _literal(table: ibis.Table, column: str, value) -> ibis.Value:
    return ibis.null(table[column].type()) if value is None else ibis.literal(value)


def _has_begun(period: ibis.Value, as_of: date) -> ibis.Value:
    """Whether the period a label names starts on or before the day; labels of one form sort as text."""
    year, week, _ = as_of.isocalendar()
    begun = (
        ((period.length() == 4) & (period <= f"{as_of.year}"))
        | (period.contains("H") & (period <= f"{as_of.year}-H{(as_of.month - 1) // 6 + 1}"))
        | (period.contains("Q") & (period <= f"{as_of.year}-Q{(as_of.month - 1) // 3 + 1}"))
        | (period.contains("W") & (period <= f"{year}-W{week:02d}"))
    )
    month = (period.length() == 7) & ~period.contains("H") & ~period.contains("Q")
    return begun | (month & (period <= f"{as_of.year}-{as_of.month:02d}"))
