"""Where an export is found and what it is: text, a workbook, Parquet or a database; each of its rows numbered."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

import duckdb
import ibis
import ibis.expr.datatypes as dt
import pyarrow as pa
import pyarrow.parquet as pq

from kamlib.book import places
from kamlib.book.ingest.delimited import ROW, stage_delimited
from kamlib.book.ingest.specs import FileSpec
from kamlib.book.ingest.workbooks import stage_workbook
from kamlib.book.places import literal_path
from kamlib.errors import RequestError

_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".parquet": "parquet",
}


@dataclass(frozen=True)
class Source:
    """One source file, staged: its rows as an Ibis table of columns ``c0, c1, …`` with a row number.

    Excel has ``n0, n1, …`` (numbers) and ``d0, d1, …`` (moments) beside the text. ``__broken`` says why a row of a
    CSV file has the wrong number of cells.
    """

    label: str
    kind: str
    names: tuple[str, ...]
    table: ibis.Table


def find_files(spec: FileSpec, folder: Path) -> list[Path]:
    """The files a path pattern means, sorted; RequestError when there is none, or one of them cannot be a source."""
    plain = folder / spec.path
    found = [plain] if plain.exists() else sorted(folder.glob(spec.path))
    if not found:
        there = sorted(p.name for p in folder.iterdir())
        close = difflib.get_close_matches(spec.path, there, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"it holds {_some(there)}"
        raise RequestError(f"there is no file {spec.path!r} in {folder}; {hint}")
    for path in found:
        _refuse_file(path)
    return found


def _refuse_file(path: Path) -> None:
    if path.is_dir():
        raise RequestError(
            f"{path} is a folder where a file should be; name the files in it, such as {path.name}/*.csv"
        )
    if path.suffix.lower() not in _SUFFIXES:
        hint = " (save it as .xlsx)" if path.suffix.lower() == ".xls" else ""
        raise RequestError(f"{path} is none of {', '.join(_SUFFIXES)}{hint}")
    try:
        with path.open("rb") as stream:
            if not stream.read(1):
                raise RequestError(f"{path} is empty (0 bytes); export it again")
    except OSError as error:
        raise RequestError(f"{path} cannot be read ({error.strerror}); check its permissions") from None


def read_file(path: Path, spec: FileSpec, staging: Path, number: int, connection: ibis.BaseBackend) -> Source:
    """Stage one file.

    Parameters
    ----------
    path, spec
        The file and how the mapping says to read it.
    staging, number, connection
        A folder for staged files, the number this source goes by in it, and the DuckDB connection to read it with.

    Raises
    ------
    RequestError
        When the file cannot be read as what it is said to be: wrong encoding, truncated, no such sheet.
    """
    kind = _SUFFIXES[path.suffix.lower()]
    if kind == "parquet":
        return _read_parquet(path, number, connection)
    staged = staging / f"source{number}.parquet"
    names = stage_delimited(path, spec, staged) if kind == "csv" else stage_workbook(path, spec, staged)
    return Source(path.name, kind, names, connection.read_parquet(literal_path(staged), table_name=f"source{number}"))


def _read_parquet(path: Path, number: int, connection: ibis.BaseBackend) -> Source:
    try:
        names = tuple(pq.ParquetFile(path).schema_arrow.names)
        raw = connection.read_parquet(literal_path(path), table_name=f"source{number}", file_row_number=True)
    except (pa.ArrowInvalid, OSError, duckdb.Error) as error:
        reason = str(error).splitlines()[0]
        raise RequestError(
            f"{path} cannot be read as Parquet ({reason}); it may be truncated: export it again"
        ) from None
    columns = {f"c{i}": raw[raw.columns[i]] for i in range(len(names))}
    return Source(path.name, "parquet", names, raw.select(**columns, **{ROW: raw.file_row_number + 1}))


def read_database(spec: FileSpec, staging: Path, number: int, connection: ibis.BaseBackend) -> Source:
    """Stage a table or query of a database that goes by a name in ``books.yml`` or the environment.

    Rows are put in the order of their columns, so that the same content is the same book.
    """
    label = f"{spec.book}:{spec.table or 'query'}"
    staged = staging / f"source{number}.parquet"
    try:
        backend = _connect(spec.book)
        rows = places.without_money(backend.table(spec.table) if spec.table else _query(backend, spec.query))
        names = tuple(rows.columns)
        order = [rows[c] for c, kind in rows.schema().items() if _can_be_sorted(kind)]
        columns = {f"c{i}": rows[name] for i, name in enumerate(names)}
        numbered = rows.select(**columns, **{ROW: ibis.row_number().over(ibis.window(order_by=order)) + 1})
        backend.to_parquet(numbered.order_by(ROW), str(staged))
        backend.disconnect()
    except RequestError:
        raise
    except Exception as error:  # drivers raise classes of their own; each may quote the URL
        reason = " ".join(places.mask(str(error)).split())[:300]
        raise RequestError(f"{label}: the database {spec.book!r} could not be read ({reason})") from None
    return Source(label, "database", names, connection.read_parquet(literal_path(staged)))


def _connect(name: str) -> ibis.BaseBackend:
    url = places.look_up(name)["url"]
    if "://" in url and not url.startswith("duckdb:"):
        return ibis.connect(url)
    return ibis.duckdb.connect(url.removeprefix("duckdb://"), read_only=True)


def _query(backend: ibis.BaseBackend, query: str) -> ibis.Table:
    """The rows of a query of the user's own; Ibis 12 cannot ask PostgreSQL and DuckDB 2 for its columns itself."""
    view = f"CREATE TEMPORARY VIEW kam_source AS {query.strip().rstrip(';')}"
    if backend.name == "duckdb":
        backend.con.execute(view)
    elif backend.name == "postgres":
        with backend.begin() as cursor:
            cursor.execute(view)
    else:
        return backend.sql(query)
    return backend.table("kam_source")


def _can_be_sorted(kind: dt.DataType) -> bool:
    return kind.is_string() or kind.is_numeric() or kind.is_temporal() or kind.is_boolean()


def _some(names: list[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(n) for n in names[:most]) + more if names else "nothing"
