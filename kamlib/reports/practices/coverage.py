"""Which practice is treated where: the tags of notebook cells, the tests of what they call, and the page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from kamlib.reports.practices.catalogue import Practice, practices
from kamlib.reports.practices.naming import naming_tests, sources
from kamlib.reports.spec import root

SERVED, FLAGGED, NOT_YET = "served", "flagged", "not yet"
_TAG = re.compile(r"^K\d{3}$")


@dataclass(frozen=True)
class Treatment:
    """One cell that treats a practice.

    Parameters
    ----------
    notebook
        ``studies/churn``.
    cell
        Its number in the notebook, from 0.
    chapter
        The heading it stands under.
    page
        Where it is read in a period's folder, with the anchor of the chapter.
    tests
        Test files that name what the cell calls, or the notebook; see :func:`naming_tests`.
    """

    notebook: str
    cell: int
    chapter: str
    page: str
    tests: tuple[str, ...] = ()


@dataclass(frozen=True)
class Coverage:
    """A practice, whether it is served, flagged or not yet treated, and the cells that treat it."""

    practice: Practice
    treatments: tuple[Treatment, ...]

    @property
    def status(self) -> str:
        """``served``, ``flagged`` (treated, and marked for a person's review) or ``not yet``."""
        if not self.treatments:
            return NOT_YET
        return FLAGGED if self.practice.flagged else SERVED

    @property
    def reason(self) -> str:
        """Why it is not treated yet; empty where it is."""
        if self.treatments:
            return ""
        waits = self.practice.pending
        return f"waits for the study of {waits}" if waits else "no notebook treats it"


def notebooks(folder: Path | None = None) -> dict[str, NotebookNode]:
    """All notebooks by name, as ``studies/churn``."""
    folder = folder or root() / "notebooks"
    paths = sorted(path for path in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
    # Read as they are: the check of their form is for the tests of notebooks, and takes most of the time.
    read = {path: nbformat.from_dict(json.loads(path.read_text(encoding="utf-8"))) for path in paths}
    return {str(path.relative_to(folder).with_suffix("")): notebook for path, notebook in read.items()}


def coverage(folder: Path | None = None, tests: Path | None = None) -> list[Coverage]:
    """Every practice with the cells that treat it.

    Parameters
    ----------
    folder
        The notebooks; the project's where not given.
    tests
        The tests; the project's where not given, and none where it has none.

    Examples
    --------
    >>> [c.status for c in coverage() if c.practice.id == "K014"]  # doctest: +SKIP
    ['served']
    """
    found: dict[str, list[Treatment]] = {}
    texts = sources(tests or root() / "tests")
    for name, notebook in notebooks(folder).items():
        for practice, treatment in _treatments(name, notebook, texts):
            found.setdefault(practice, []).append(treatment)
    return [Coverage(practice, tuple(found.get(key, ()))) for key, practice in practices().items()]


def source_of(cell: NotebookNode) -> str:
    """The text of a cell, whether it is kept whole or in lines."""
    return cell.source if isinstance(cell.source, str) else "".join(cell.source)


def tags(cell: NotebookNode) -> list[str]:
    """The practices a cell is tagged with."""
    return [tag for tag in cell.metadata.get("tags", []) if _TAG.match(tag)]


def declared(notebook: NotebookNode) -> list[str]:
    """The practices a notebook declares in its metadata."""
    return list(notebook.metadata.get("kam", {}).get("practices", []))


def lines(found: list[Coverage]) -> list[str]:
    """The coverage as lines to print: practice, status, notebook and cell, test, page."""
    told = []
    for one in found:
        head = f"{one.practice.id} {one.status:8} {one.practice.name} {one.practice.zh}"
        told.append(f"{head} ({one.reason})" if one.reason else head)
        for cell in one.treatments:
            shown = ", ".join(cell.tests) or "no test names it"
            told.append(f"       {cell.notebook} cell {cell.cell} · {shown} · {cell.page}")
    counts = {status: sum(one.status == status for one in found) for status in (SERVED, FLAGGED, NOT_YET)}
    return [*told, ", ".join(f"{n} {status}" for status, n in counts.items())]


def _treatments(name: str, notebook: NotebookNode, texts: Mapping[str, str]):
    heading = ""
    page = f"{name.split('/')[-1]}/report.html"
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            heads = [line[3:].strip() for line in source_of(cell).splitlines() if line.startswith("## ")]
            heading = heads[-1] if heads else heading
        for practice in tags(cell):
            anchor = f"#{heading.replace(' ', '-')}" if heading else ""
            tested = naming_tests(source_of(cell), name, texts)
            yield practice, Treatment(name, number, heading, page + anchor, tested)
