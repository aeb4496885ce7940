"""Reading exports: CSV in any declared encoding, Excel, Parquet, a database; each row numbered, each cell kept."""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import itertools
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from xml.etree.ElementTree import ParseError

import duckdb
import ibis
import ibis.expr.datatypes as dt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kamlib.book import places
from kamlib.book.ingest.specs import FileSpec
from kamlib.book.places import literal_path
from kamlib.errors import RequestError

ROW, BROKEN = "__row", "__broken"
_CHUNK_ROWS = 50_000
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".parquet": "parquet",
}
# What Windows calls Big5 is code page 950, and GB18030 holds GBK and GB2312: their files hold more than the name says.
_ENCODINGS = {"big5": "cp950", "big-5": "cp950", "gbk": "gb18030", "gb2312": "gb18030"}
_CANDIDATES = ("utf-8", "big5", "gb18030", "cp1252")
_BOMS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


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
    names = _stage_csv(path, spec, staged) if kind == "csv" else _stage_excel(path, spec, staged)
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
        rows = backend.table(spec.table) if spec.table else _query(backend, spec.query)
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


def _stage_csv(path: Path, spec: FileSpec, staged: Path) -> tuple[str, ...]:
    encoding = _encoding(path, spec)
    try:
        with path.open("r", encoding=encoding, errors="strict", newline="") as stream:
            return _stage_records(path, spec, _records(stream, path, spec), staged)
    except UnicodeDecodeError:
        raise RequestError(_describe_bad_byte(path, encoding)) from None
    except csv.Error as error:
        raise RequestError(
            f"{path} cannot be read as CSV ({error}): a quotation mark is not closed or not doubled, or the file is "
            f"truncated; export it again, or declare 'quote: none' if quotation marks mean nothing in it"
        ) from None


def _encoding(path: Path, spec: FileSpec) -> str:
    """The Python codec to read a file with: declared, else UTF-8; a byte order mark must agree."""
    declared = spec.encoding.lower()
    codec = _ENCODINGS.get(declared, declared or "utf-8")
    try:
        codec = codecs.lookup(codec).name
        "".encode(codec)  # LookupError for codecs that are not of text
    except LookupError:
        raise RequestError(
            f"files.{spec.name}: there is no encoding {spec.encoding!r}; write utf-8, big5 or gb18030"
        ) from None
    with path.open("rb") as stream:
        start = stream.read(4)
    mark = next((name for bom, name in _BOMS.items() if start.startswith(bom)), None)
    if mark and not codec.startswith(mark):
        raise RequestError(
            f"{path} begins with the byte order mark of {mark}, and the mapping says "
            f"{spec.encoding or 'nothing (UTF-8)'}; declare 'encoding: {mark}'"
        )
    return "utf-8-sig" if mark == "utf-8" else codec


def _records(stream: io.TextIOBase, path: Path, spec: FileSpec) -> Iterator[tuple[int, list[str]]]:
    """Numbered records; the number is the row a spreadsheet would show."""
    delimiter = spec.delimiter or ("\t" if path.suffix.lower() == ".tsv" else ",")
    if len(delimiter) != 1 or delimiter in ("\r", "\n", spec.quote):
        raise RequestError(
            f"files.{spec.name}: the delimiter is one character, no quotation mark or line end, not {delimiter!r}; a "
            f'tab is "\\t" in double quotes'
        )
    options = {"quoting": csv.QUOTE_NONE} if spec.quote == "none" else {"quotechar": spec.quote, "strict": True}
    return enumerate(csv.reader(stream, delimiter=delimiter, **options), start=1)


def _stage_records(path: Path, spec: FileSpec, records: Iterator, staged: Path) -> tuple[str, ...]:
    names = _header(path, spec, records)
    width = len(names)
    columns = [f"c{i}" for i in range(width)]
    schema = pa.schema([*((c, pa.string()) for c in columns), (ROW, pa.int64()), (BROKEN, pa.string())])
    last: tuple[int, list[str]] = (0, [])
    with pq.ParquetWriter(staged, schema) as writer:
        while chunk := list(itertools.islice(records, _CHUNK_ROWS)):
            last = chunk[-1]
            writer.write_table(_chunk_table(chunk, width, spec.short_rows == "missing", schema))
    if 0 < len(last[1]) < width and not _ends_with_newline(path):
        raise RequestError(
            f"{path} is truncated: its last row, {last[0]:,}, has {len(last[1])} of {width} cells and no line end; "
            f"export it again"
        )
    return names


def _chunk_table(chunk: list, width: int, may_be_short: bool, schema: pa.Schema) -> pa.Table:
    records = [record for _, record in chunk]
    broken: list[str | None] = [None] * len(chunk)
    for i, record in enumerate(records):
        if len(record) != width:
            records[i], broken[i] = _fitted(record, width, may_be_short)
    arrays = [pa.array(column, pa.string()) for column in zip(*records, strict=True)]
    arrays = [pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array) for array in arrays]
    numbers = pa.array([number for number, _ in chunk], pa.int64())
    return pa.Table.from_arrays([*arrays, numbers, pa.array(broken, pa.string())], schema=schema)


def _fitted(record: list[str], width: int, may_be_short: bool) -> tuple[list[str], str | None]:
    """A record of the right width, and why it had another one; blank lines and trailing delimiters do no harm."""
    n = len(record)
    is_harmless = not record or (n < width and may_be_short) or (n > width and not any(map(str.strip, record[width:])))
    reason = None if is_harmless else f"{n} cells where the header has {width}"
    return (record + [""] * (width - n))[:width], reason


def _header(path: Path, spec: FileSpec, records: Iterator) -> tuple[str, ...]:
    """The column names, declared or read; the records then go on with the first row of data."""
    row = spec.header or (0 if spec.names else 1)
    found = next((cells for number, cells in records if number == row), None) if row else None
    if spec.names:
        return spec.names
    names = tuple("" if cell is None else str(cell).strip() for cell in found or ())
    if not any(names):
        raise RequestError(f"{path} has no column names in row {row}; declare 'header: <row>' or 'names: […]'")
    return names


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-min(2, path.stat().st_size), io.SEEK_END)
        end = stream.read()
    return end[-1:] in (b"\n", b"\r") or end in (b"\n\0", b"\r\0")  # the latter in UTF-16


def _describe_bad_byte(path: Path, codec: str) -> str:
    """Where a file stops being in an encoding, and which others read its beginning."""
    decoder = codecs.getincrementaldecoder(codec)("strict")
    offset, line = 0, 1
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 16):
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk, final=len(chunk) < 1 << 16)
            except UnicodeDecodeError as error:
                bad = error.object[error.start]
                line += error.object[: error.start].count(b"\n")
                at = offset - held + error.start
                return (
                    f"{path} is not in {codec}: byte 0x{bad:02X} at offset {at:,} (line {line:,}) cannot be read; "
                    f"{_suggest_encoding(path, codec)}"
                )
            line += chunk.count(b"\n")
            offset += len(chunk)
    return f"{path} is not in {codec}; {_suggest_encoding(path, codec)}"


def _suggest_encoding(path: Path, codec: str) -> str:
    with path.open("rb") as stream:
        sample = stream.read(1 << 20)
    sample = sample[: sample.rfind(b"\n") + 1] or sample
    reads = []
    for name in _CANDIDATES:
        try:
            sample.decode(_ENCODINGS.get(name, name))
            reads.append(name)
        except UnicodeDecodeError:
            continue
    reads = [name for name in reads if _ENCODINGS.get(name, name) != codec]
    said = f"its beginning can be read as {', '.join(reads)}: " if reads else ""
    return f"{said}declare the right one, such as 'encoding: {reads[0] if reads else 'big5'}', under files"


def _stage_excel(path: Path, spec: FileSpec, staged: Path) -> tuple[str, ...]:
    try:
        return _stage_records_excel(path, spec, staged)
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, ParseError, OSError, ValueError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(
            f"{path} cannot be read as Excel ({error}); it may be truncated, or not an .xlsx file: export it again"
        ) from None


def _stage_records_excel(path: Path, spec: FileSpec, staged: Path) -> tuple[str, ...]:
    from openpyxl import load_workbook

    workbook = load_workbook(path, read_only=True, data_only=True)
    sheet = workbook[_sheet(path, spec, [s.title for s in workbook.worksheets])]
    sheet.reset_dimensions()
    records = enumerate(sheet.iter_rows(values_only=True), start=1)
    names = _header(path, spec, records)
    while names and not names[-1]:
        names = names[:-1]
    width = len(names)
    kinds = {"c": pa.string(), "n": pa.float64(), "d": pa.timestamp("us")}
    fields = [(f"{letter}{i}", kind) for letter, kind in kinds.items() for i in range(width)]
    schema = pa.schema([*fields, (ROW, pa.int64())])
    with pq.ParquetWriter(staged, schema) as writer:
        for chunk in _chunks_of_used_rows(records):
            writer.write_table(_excel_table(chunk, width, schema))
    workbook.close()
    return names


def _sheet(path: Path, spec: FileSpec, names: list[str]) -> str:
    if spec.sheet and spec.sheet not in names:
        raise RequestError(f"{path} has no sheet {spec.sheet!r}; it has {', '.join(names)}")
    if not spec.sheet and len(names) > 1:
        raise RequestError(f"{path} has {len(names)} sheets ({', '.join(names)}); declare 'sheet: <name>' under files")
    return spec.sheet or names[0]


def _chunks_of_used_rows(records: Iterator) -> Iterator[list]:
    """Chunks of rows up to the last one that holds anything: sheets often end in formatted empty rows."""
    chunk, blank = [], []
    for number, cells in records:
        if not any(cell is not None for cell in cells):
            blank.append((number, ()))
            continue
        chunk += [*blank, (number, cells)]
        blank = []
        if len(chunk) >= _CHUNK_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _excel_table(chunk: list, width: int, schema: pa.Schema) -> pa.Table:
    rows = [(*cells[:width], *[None] * (width - len(cells))) for _, cells in chunk]
    columns = list(zip(*rows, strict=True))
    arrays = [pa.array([_cell_text(v) for v in column], pa.string()) for column in columns]
    arrays += [pa.array([_cell_number(v) for v in column], pa.float64()) for column in columns]
    arrays += [pa.array([_cell_moment(v) for v in column], pa.timestamp("us")) for column in columns]
    return pa.Table.from_arrays([*arrays, pa.array([number for number, _ in chunk], pa.int64())], schema=schema)


def _cell_text(value) -> str | None:
    """The text of a spreadsheet cell; ``7.0`` is the identifier ``7``, as the sheet shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    text = None if value is None else value.isoformat() if isinstance(value, (date, time)) else str(value)
    return text if text and text.strip() else None


def _cell_number(value) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _cell_moment(value) -> datetime | None:
    if isinstance(value, datetime):
        return value
    is_day = isinstance(value, date) and not isinstance(value, (time, timedelta))
    return datetime.combine(value, time()) if is_day else None


def _some(names: list[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(n) for n in names[:most]) + more if names else "nothing"
