"""CSV and other delimited text in any declared encoding: each row numbered, each cell kept as it is written."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kamlib.book.ingest.specs import FileSpec
from kamlib.errors import RequestError

ROW, BROKEN = "__row", "__broken"
CHUNK_ROWS = 50_000
# What Windows calls Big5 is code page 950, and GB18030 holds GBK and GB2312: their files hold more than the name says.
_ENCODINGS = {"big5": "cp950", "big-5": "cp950", "gbk": "gb18030", "gb2312": "gb18030"}
_CANDIDATES = ("utf-8", "big5", "gb18030", "cp1252")
_BOMS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def stage_delimited(path: Path, spec: FileSpec, staged: Path) -> tuple[str, ...]:
    """Write the rows of a text file as Parquet, with their numbers and what is wrong with them; the column names.

    Raises
    ------
    RequestError
        When the file is not in the declared encoding, has no header, or ends in the middle of a row.
    """
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
    names = read_header(path, spec, records)
    width = len(names)
    columns = [f"c{i}" for i in range(width)]
    schema = pa.schema([*((c, pa.string()) for c in columns), (ROW, pa.int64()), (BROKEN, pa.string())])
    last: tuple[int, list[str]] = (0, [])
    with pq.ParquetWriter(staged, schema) as writer:
        while chunk := list(itertools.islice(records, CHUNK_ROWS)):
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


def read_header(path: Path, spec: FileSpec, records: Iterator) -> tuple[str, ...]:
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
