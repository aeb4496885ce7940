"""A report as an Excel workbook: what it is of, its findings and its tables, numbers as numbers and text as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from kamlib.reports.finding import headlines_first
from kamlib.reports.publish import column_style

FINDING_COLUMNS = (
    "id",
    "sentence",
    "value",
    "unit",
    "lower",
    "upper",
    "level",
    "n",
    "verdict",
    "reason",
    "decision",
)
_NUMBER_FORMATS = {
    "money": "#,##0",
    "integer": "#,##0",
    "number": "#,##0.00",
    "coefficient": "#,##0.000",
    "percent": "0.0%",
    "days": "#,##0",
    "date": "yyyy-mm-dd",
}
_FINDING_KINDS = {"value": "any", "lower": "any", "upper": "any", "level": "percent", "n": "integer"}
_LONGEST = 32_767  # characters in a cell
_MOST_ROWS = 1_048_576
_WIDEST = 60  # characters; longer texts wrap
_MEASURED = 200  # rows that the width of a column is taken from


def write_workbook(report: Path, about: Mapping[str, str] | None = None) -> Path:
    """Write ``report.xlsx`` beside the page of a report, from its findings and tables; *about* says what it is of.

    The columns of tables are named as on the page, with their units; in ``tables/`` they have their short names.
    Text that starts like a formula stays text; characters that no cell may hold are left out. A table with more
    rows than a sheet can hold is cut, and its last row says so.
    """
    book = Workbook(write_only=True)
    if about:
        _sheet(book, "about", pd.DataFrame(about.items(), columns=["field", "entry"]))
    findings = _findings_frame(headlines_first(json.loads((report / "findings.json").read_text(encoding="utf-8"))))
    _sheet(book, "findings", findings, [{"label": name, "kind": _FINDING_KINDS.get(name, "")} for name in findings])
    for path in sorted((report / "tables").glob("*.parquet")):
        _sheet(book, path.stem, pd.read_parquet(path))
    target = report / "report.xlsx"
    book.save(target)
    return target


def _findings_frame(findings: list[dict]) -> pd.DataFrame:
    rows = [
        {**found, "lower": (found["interval"] or [None])[0], "upper": (found["interval"] or [None, None])[1]}
        for found in findings
    ]
    return pd.DataFrame(rows, columns=list(FINDING_COLUMNS))


def _sheet(book: Workbook, name: str, frame: pd.DataFrame, styles: list[dict] | None = None) -> None:
    sheet = book.create_sheet(name[:31])
    styles = styles or [column_style(column, frame[column]) for column in frame.columns]
    heads = _heads(frame.columns, styles)
    sheet.freeze_panes = "A2"
    for position, (column, head, style) in enumerate(zip(frame.columns, heads, styles, strict=True), 1):
        sheet.column_dimensions[get_column_letter(position)].width = _width(frame[column], head, style["kind"])
    shown = frame.head(_MOST_ROWS - 2)
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(frame.columns) or 1)}{len(shown) + 1}"
    sheet.append([_text(sheet, head, bold=True) for head in heads])
    for row in shown.itertuples(index=False):
        sheet.append([_cell(sheet, value, style["kind"]) for value, style in zip(row, styles, strict=True)])
    if len(shown) < len(frame):
        sheet.append([_text(sheet, f"{len(frame) - len(shown):,} more rows are in tables/{name}.parquet")])


def _heads(columns: pd.Index, styles: list[dict]) -> list[str]:
    """Labels with their units; a label that stands there already is followed by the short name of its column."""
    heads = [f"{style['label']} ({style['unit']})" if style.get("unit") else style["label"] for style in styles]
    return [
        f"{head} [{column}]" if head in heads[:place] else head
        for place, (head, column) in enumerate(zip(heads, columns, strict=True))
    ]


def _width(column: pd.Series, head: str, kind: str) -> int:
    """The width of a column in characters: for its head with the filter's arrow, and for what its cells show."""
    first = column.head(_MEASURED).dropna()
    if pd.api.types.is_numeric_dtype(first) and not pd.api.types.is_bool_dtype(first):
        first = first.map("{:,.2f}".format if kind in {"number", "coefficient"} else "{:,.0f}".format)
    longest = 10 if kind == "date" else first.astype(str).str.len().max() if len(first) else 0
    return int(min(max(10, len(head) + 4, longest + 2), _WIDEST))


def _cell(sheet, value, kind: str):
    if isinstance(value, (list, tuple)):
        return _text(sheet, ", ".join(map(str, value)))
    if value is None or pd.isna(value):
        return None
    if isinstance(value, str):
        return _text(sheet, value)
    value = value.to_pydatetime() if isinstance(value, pd.Timestamp) else getattr(value, "item", lambda: value)()
    cell = WriteOnlyCell(sheet, value)
    cell.number_format = _small_or_large(value) if kind == "any" else _NUMBER_FORMATS.get(kind, "General")
    cell.alignment = Alignment(vertical="top")
    return cell


def _small_or_large(value: float) -> str:
    """How a number of any unit is shown: money and counts whole, shares and ratios with what follows the point."""
    return "#,##0" if abs(value) >= 1_000 or value == int(value) else "#,##0.000"


def _text(sheet, text: str, bold: bool = False):
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", text)[:_LONGEST])
    cell.data_type = "s"  # else a text that starts with an equals sign is written as a formula
    cell.font = Font(bold=bold)
    cell.alignment = Alignment(vertical="top", wrap_text=len(text) > _WIDEST - 2)
    return cell
