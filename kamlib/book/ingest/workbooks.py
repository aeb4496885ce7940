"""Workbooks: the text of each cell, and the number or the moment it really holds."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from xml.etree.ElementTree import ParseError

import pyarrow as pa
import pyarrow.parquet as pq

from kamlib.book.ingest.accounting import counted
from kamlib.book.ingest.delimited import CHUNK_ROWS, ROW, read_header
from kamlib.book.ingest.specs import FileSpec
from kamlib.errors import RequestError


def stage_workbook(path: Path, spec: FileSpec, staged: Path) -> tuple[str, ...]:
    """Write the rows of a sheet as Parquet, with their numbers; the column names.

    Raises
    ------
    RequestError
        When the file is no workbook, or the sheet is not named where there are several.
    """
    try:
        return _stage_sheet(path, spec, staged)
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, ParseError, OSError, ValueError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(
            f"{path} cannot be read as Excel ({error}); it may be truncated, or not an .xlsx file: export it again"
        ) from None


def _stage_sheet(path: Path, spec: FileSpec, staged: Path) -> tuple[str, ...]:
    from openpyxl import load_workbook

    workbook = load_workbook(path, read_only=True, data_only=True)
    sheet = workbook[_sheet(path, spec, [s.title for s in workbook.worksheets])]
    sheet.reset_dimensions()
    records = enumerate(sheet.iter_rows(values_only=True), start=1)
    names = read_header(path, spec, records)
    while names and not names[-1]:
        names = names[:-1]
    width = len(names)
    kinds = {"c": pa.string(), "n": pa.float64(), "d": pa.timestamp("us")}
    fields = [(f"{letter}{i}", kind) for letter, kind in kinds.items() for i in range(width)]
    schema = pa.schema([*fields, (ROW, pa.int64())])
    blank = set(range(width))
    with pq.ParquetWriter(staged, schema) as writer:
        for chunk in _chunks_of_used_rows(records):
            table = _cell_table(chunk, width, schema)
            blank = {i for i in blank if table[f"c{i}"].null_count == len(table)}
            writer.write_table(table)
    workbook.close()
    _refuse_formulas(path, sheet.title, {i: names[i] for i in sorted(blank)})
    return names


def _refuse_formulas(path: Path, title: str, blank: dict[int, str]) -> None:
    """RequestError when columns are empty because a program wrote formulas that no spreadsheet has worked out."""
    from openpyxl import load_workbook

    if not blank:
        return
    workbook = load_workbook(path, read_only=True)
    with_formula = set()
    for cells in islice(workbook[title].iter_rows(values_only=True), CHUNK_ROWS):
        with_formula |= {i for i in blank if i < len(cells) and str(cells[i]).startswith("=")}
    workbook.close()
    if with_formula:
        named = ", ".join(repr(blank[i]) for i in sorted(with_formula))
        raise RequestError(
            f"{path}: the results of the formulas in {counted(len(with_formula), 'column')} ({named}) were never "
            "stored; open the file in a spreadsheet, save it, and ingest again"
        )


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
        if len(chunk) >= CHUNK_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _cell_table(chunk: list, width: int, schema: pa.Schema) -> pa.Table:
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
