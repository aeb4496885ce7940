"""The workshop of one ingest: a DuckDB connection, the staged source files, and results written between steps."""

from __future__ import annotations

import codecs
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import ibis
import ibis.expr.datatypes as dt
from ibis.common.exceptions import IbisError

from kamlib.book.ingest.cells import Cell, as_text
from kamlib.book.ingest.delimited import BROKEN, ROW
from kamlib.book.ingest.formats import finite
from kamlib.book.ingest.sources import Source, find_files, read_database, read_file
from kamlib.book.ingest.specs import FileSpec, Formats
from kamlib.book.places import literal_path
from kamlib.book.timezones import set_timezone
from kamlib.errors import RequestError

PART, SRC, NTH = "__part", "__src", "__nth"
_MOMENT = dt.Timestamp(scale=6)
_FORMULA, _NEGATIVE = r"^[=+\-@\t\r]", r"^-[0-9.,]+$"
KEY = "__key"  # what a rejected row would have been called by, where others may refer to it
IDENTITY = [PART, SRC, ROW]  # what tells a source row apart from any other that a table reads


@dataclass(frozen=True)
class Rows:
    """Rows of one file specification with named source columns.

    ``fields`` says for each source column in which columns of ``table`` it stands: its value alone; its value and
    its text; or its text, numbers and moments, where its cells are of several kinds.
    """

    table: ibis.Table
    fields: Mapping[str, tuple[str, ...]]
    label: str = ""
    repeated: frozenset[str] = frozenset()

    def cells(self, formats: Formats) -> Cells:
        """A cell per source column, bound to the present table."""
        return Cells(self, formats)

    def on(self, table: ibis.Table, **added: str) -> Rows:
        """The same source columns on a changed table, with further ones."""
        return Rows(table, {**self.fields, **{n: (c,) for n, c in added.items()}}, self.label, self.repeated)


class Cells(Mapping):
    """The cells of some rows by name, each made when it is asked for."""

    def __init__(self, rows: Rows, formats: Formats):
        self._rows, self._formats = rows, formats

    def __getitem__(self, name: str) -> Cell:
        values = [self._rows.table[c] for c in self._rows.fields[name]]
        make = Cell.of if len(values) < 3 else Cell.of_mixed
        return make(name, *values, missing=self._formats.missing, trim=self._formats.trim)

    def __iter__(self):
        return iter(self._rows.fields)

    def __len__(self) -> int:
        return len(self._rows.fields)


class Staging:
    """Source files read once each, and intermediate tables, all in one folder that is thrown away."""

    def __init__(self, folder: Path, source: Path, timezone: str):
        self.folder, self.source = folder, source
        # One thread: sums and files must come out the same, bit for bit, each time.
        self.connection = ibis.duckdb.connect(threads=1, temp_directory=str(folder / "spill"))
        self.connection.raw_sql("SET enable_progress_bar = false")
        set_timezone(self.connection, timezone)
        self.sources: dict[int, Source] = {}
        self.numbers: dict[str, list[int]] = {}
        self._loaded: dict[str, Rows] = {}
        self._column = 0
        self._saved = 0

    def close(self) -> None:
        """Let go of the files."""
        self.connection.disconnect()

    def column(self) -> str:
        """A fresh column name that no source can have."""
        self._column += 1
        return f"__x{self._column}"

    def save(self, table: ibis.Table, what: str) -> ibis.Table:
        """Write a table to disk and read it back, so that no step is computed twice or held in memory."""
        self._saved += 1
        path = self.folder / f"step{self._saved}.parquet"
        self.write(table, path, what, compression="lz4")
        return self.connection.read_parquet(literal_path(path), table_name=f"step{self._saved}")

    def write(self, table: ibis.Table, path: Path, what: str, **settings) -> None:
        """Write a table as Parquet; RequestError when a source turns out unreadable or the disk is full."""
        try:
            self.connection.to_parquet(table, str(path), **settings)
        except (duckdb.Error, IbisError) as error:
            raise RequestError(f"{what} could not be computed: {str(error).splitlines()[0]}") from None

    def write_text(self, table: ibis.Table, path: Path) -> None:
        """Write a table as the CSV that a spreadsheet opens: with a mark of its encoding, and no formula in it."""
        guarded = table.select(**{_guarded_name(name): _guarded(table[name]) for name in table.columns})
        plain = self.folder / path.name
        self.connection.to_csv(guarded, str(plain))
        with plain.open("rb") as text, path.open("wb") as file:
            file.write(codecs.BOM_UTF8)
            shutil.copyfileobj(text, file)
        plain.unlink()

    def load(self, spec: FileSpec) -> Rows:
        """The rows of all files that a specification means; they must have the same columns."""
        if spec.name not in self._loaded:
            self._loaded[spec.name] = self._load(spec)
        return self._loaded[spec.name]

    def _load(self, spec: FileSpec) -> Rows:
        sources = self._read_database(spec) if spec.book else self._read_files(spec)
        self.numbers[spec.name] = list(sources)
        first = next(iter(sources.values()))
        for other in sources.values():
            _refuse_different_columns(first, other)
        names = _distinct(first.names)
        parts = [_aligned(source, first, number) for number, source in sources.items()]
        columns = [_as_one(parts, i) for i in range(len(names))]
        united = [
            part.select(SRC, ROW, BROKEN, **{n: v for column in columns for n, v in column[k].items()})
            for k, part in enumerate(parts)
        ]
        table = united[0] if len(parts) == 1 else ibis.union(*united)
        fields = {name: tuple(column[0]) for name, column in zip(names, columns, strict=True) if name}
        repeated = frozenset(n for n in first.names if n and first.names.count(n) > 1)
        return Rows(table, fields, first.label, repeated)

    def _read_files(self, spec: FileSpec) -> dict[int, Source]:
        made = {}
        for path in find_files(spec, self.source):
            number = len(self.sources)
            source = read_file(path, spec, self.folder, number, self.connection)
            # By their way below the source folder, which tells files of one name apart.
            label = path.relative_to(self.source).as_posix()
            made[number] = self.sources[number] = replace(source, label=label)
        return made

    def _read_database(self, spec: FileSpec) -> dict[int, Source]:
        number = len(self.sources)
        self.sources[number] = read_database(spec, self.folder, number, self.connection)
        return {number: self.sources[number]}

    def text_rows(self, number: int) -> tuple[ibis.Table, list[str]]:
        """Every column of a source as text, ``t0, t1, …`` with the row number, and the names they go by."""
        source = self.sources[number]
        names = [n or f"column {i + 1}" for i, n in enumerate(source.names)]
        texts = {f"t{i}": as_text(source.table[f"c{i}"]) for i in range(len(names))}
        return source.table.select(source_row=source.table[ROW], **texts), names


def _guarded(value: ibis.Value) -> ibis.Value:
    """An apostrophe before a text that a spreadsheet would run; a negative number is none."""
    if not value.type().is_string():
        return value
    runs = value.re_search(_FORMULA) & ~value.re_search(_NEGATIVE)
    return runs.ifelse(ibis.literal("'") + value, value)


def _guarded_name(name: str) -> str:
    return f"'{name}" if re.search(_FORMULA, name) else name


def _distinct(names: tuple[str, ...]) -> list[str]:
    """Names made different where they repeat: ``id (2)``."""
    seen: dict[str, int] = {}
    made = []
    for name in names:
        seen[name] = count = seen.get(name, 0) + 1
        made.append(name if count == 1 or not name else f"{name} ({count})")
    return made


def _refuse_different_columns(first: Source, other: Source) -> None:
    if sorted(first.names) != sorted(other.names):
        differ = sorted(set(first.names) ^ set(other.names))
        raise RequestError(
            f"{first.label} and {other.label} are read as one but differ in {len(differ)} columns: "
            f"{', '.join(differ)}; declare them as two files"
        )


def _aligned(source: Source, first: Source, number: int) -> ibis.Table:
    """A source's columns in the order of the first file's, with its number."""
    letters = "cnd" if source.kind == "excel" else "c"
    places = [source.names.index(n) if n else i for i, n in enumerate(first.names)]
    places = list(range(len(first.names))) if source.names == first.names else places
    columns = {f"{a}{i}": source.table[f"{a}{j}"] for a in letters for i, j in enumerate(places)}
    broken = source.table[BROKEN] if BROKEN in source.table.columns else ibis.null("string")
    number = ibis.literal(number, type="int64")
    return source.table.select(**columns, **{SRC: number, ROW: source.table[ROW].cast("int64"), BROKEN: broken})


def _as_one(parts: list[ibis.Table], i: int) -> list[dict[str, ibis.Value]]:
    """One source column in each part, in columns of the same name and type, whatever types the files give it."""
    values = [part[f"c{i}"] for part in parts]
    kinds = {v.type() for v in values if not (v.type().is_null() or v.type().is_unknown())} or {dt.string}
    is_mixed = any(f"n{i}" in part.columns for part in parts)
    if len(kinds) == 1 and not is_mixed:
        kind = kinds.pop()
        return [{f"c{i}": v if v.type() == kind else v.cast(kind)} for v in values]
    for kind, fits in ((dt.float64, dt.DataType.is_numeric), (_MOMENT, _is_moment)):
        if all(map(fits, kinds)) and not is_mixed:
            return [{f"c{i}": v.cast(kind), f"t{i}": as_text(v)} for v in values]
    return [_by_kind(part, i) for part in parts]


def _by_kind(part: ibis.Table, i: int) -> dict[str, ibis.Value]:
    """The text, the numbers and the moments of a column, as a spreadsheet has them."""
    if f"n{i}" in part.columns:
        return {f"{letter}{i}": part[f"{letter}{i}"] for letter in "cnd"}
    value = part[f"c{i}"]
    return {
        f"c{i}": as_text(value),
        f"n{i}": finite(value.cast("float64")) if value.type().is_numeric() else ibis.null("float64"),
        f"d{i}": value.cast(_MOMENT) if _is_moment(value.type()) else ibis.null(_MOMENT),
    }


def _is_moment(kind: dt.DataType) -> bool:
    return kind.is_date() or kind.is_timestamp()
