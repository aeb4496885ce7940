"""What a mapping says, as typed values: formats, files, look-ups, columns, parts of tables."""

from __future__ import annotations

from collections.abc import Mapping as Named
from dataclasses import dataclass, field

from kamlib.book.ingest.formats import DateFormat, NumberFormat
from kamlib.book.settings import Settings


@dataclass(frozen=True)
class Formats:
    """How cells are written: numbers, dates, the words that mean *missing*, and whether edges are trimmed."""

    number: NumberFormat = field(default_factory=NumberFormat)
    date: DateFormat = field(default_factory=DateFormat)
    missing: tuple[str, ...] = ()
    trim: bool = False


@dataclass(frozen=True)
class FileSpec:
    """One source: a file pattern below the source folder, or a table or query of a database named as a book.

    ``header`` is the row of the column names; 0 is the first row, or none at all where ``names`` gives them.
    """

    name: str
    formats: Formats
    path: str = ""
    encoding: str = ""
    delimiter: str = ""
    quote: str = '"'
    header: int = 0
    names: tuple[str, ...] = ()
    short_rows: str = "reject"
    sheet: str = ""
    book: str = ""
    table: str = ""
    query: str = ""
    drop: Named = field(default_factory=dict)


@dataclass(frozen=True)
class LookupSpec:
    """Columns taken from another file, by equal keys; one row per key, the first or last in a declared order."""

    file: str
    on: Named
    take: Named
    first_by: tuple[str, ...] = ()
    last_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class ColumnSpec:
    """Where a contract column comes from: a source column, an expression, a constant or a position."""

    name: str
    column: str = ""
    expression: str = ""
    value: object = None
    position_within: tuple[str, ...] = ()
    formats: Formats = field(default_factory=Formats)
    alias: str = ""
    values: Named = field(default_factory=dict)
    default: object = None
    unknown: str = "reject"


@dataclass(frozen=True)
class OnePer:
    """Rows with equal contract columns become one: the first or the last in a declared order."""

    columns: tuple[str, ...]
    order_by: tuple[str, ...] = ()
    keep: str = "first"


@dataclass(frozen=True)
class Changes:
    """Only rows where ``of`` differs from the row before, within ``within``, dated ``at``; ``until`` closes them."""

    of: str
    within: tuple[str, ...]
    at: str
    until: str = ""


@dataclass(frozen=True)
class PartSpec:
    """How one source file feeds one contract table."""

    table: str
    where: str
    file: str
    formats: Formats
    columns: Named
    also: Named
    lookups: tuple[LookupSpec, ...] = ()
    add: Named = field(default_factory=dict)
    drop: Named = field(default_factory=dict)
    explode: str = ""
    explode_as: str = ""
    one_per: OnePer | None = None
    changes: Changes | None = None


@dataclass(frozen=True)
class Mapping:
    """A whole mapping: settings of the book, source files, alias tables, and the parts of each contract table."""

    label: str
    book: Named
    settings: Settings
    files: Named
    aliases: Named
    tables: Named
