"""Small notebooks for tests of the render, written cell by cell."""

from __future__ import annotations

from pathlib import Path

import nbformat

PARAMETERS = """place: str = ""  # the book, folder or name
as_of: str = "2026-09-30"  # day the book is read as of, date
period: str = "2026-Q3"  # period reported, period
scope: dict = {}  # account columns and values
previous: str = ""  # folder of the last report, path
times: int = 1  # how often, times, 1..9"""

IMPORTS = """import pandas as pd
from kamlib import open_book
from kamlib.reports import publish
from kamlib.reports.finding import Finding, Verdict"""

GOOD = [
    "publish.begin()\nbook = open_book(place, as_of=as_of, scope=scope)",
    'publish.table("accounts", book.frame("accounts"))',
    'publish.finding(Finding("toy.count", f"There are {len(book.frame(\'accounts\'))} accounts.", times, n=1))',
    'publish.finding(Finding("toy.none", "Nothing else.", verdict=Verdict.NO_CONCLUSION, reason="Too few."))',
]


def _cell(source: str):
    is_prose = source.startswith("## ")
    return nbformat.v4.new_markdown_cell(source) if is_prose else nbformat.v4.new_code_cell(source)


def write_notebook(path: Path, cells: list[str], title: str = "A toy study", parameters: str = PARAMETERS) -> Path:
    """A notebook with a title, a heading, the parameters, the imports and the cells given."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_markdown_cell(f"# {title}\n\nWhat it is about."),
        nbformat.v4.new_code_cell(IMPORTS),
        nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_markdown_cell("## What there is\n\nProse."),
        *map(_cell, cells),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path
