"""Every notebook of the project keeps the house's manners."""

import ast
import json
import re
import statistics
from pathlib import Path

import pytest

from kamlib.reports.parameters import read_contract

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(path for path in FOLDER.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
STUDIES = [path for path in NOTEBOOKS if path.parent.name in {"studies", "accounts", "playbooks"}]


def _name(path: Path) -> str:
    return str(path.relative_to(FOLDER))


def _cells(path: Path, kind: str) -> list[dict]:
    return [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == kind]


def _source(cell: dict) -> str:
    return "".join(cell["source"])


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=_name)
def test_outputs_are_stripped(path):
    assert not [c for c in _cells(path, "code") if c["outputs"] or c["execution_count"]]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=_name)
def test_nothing_is_defined_in_a_notebook(path):
    for cell in _cells(path, "code"):
        assert not re.search(r"^\s*(def|class) |lambda", _source(cell), re.M), _source(cell)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=_name)
def test_code_cells_are_short_and_prose_is_plenty(path):
    code, prose = _cells(path, "code"), _cells(path, "markdown")
    lines = [len(_source(cell).strip().splitlines()) for cell in code]
    assert statistics.median(lines) <= 4
    assert max(lines) <= 20
    assert len(prose) / (len(code) + len(prose)) >= 0.40


@pytest.mark.parametrize("path", NOTEBOOKS, ids=_name)
def test_every_code_cell_is_python_that_compiles(path):
    for cell in _cells(path, "code"):
        ast.parse(_source(cell))


@pytest.mark.parametrize("path", STUDIES, ids=_name)
def test_the_parameters_are_typed_and_the_standard_ones_are_there(path):
    contract = read_contract(path)
    assert {"place", "as_of", "period", "scope", "previous"} <= set(contract)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=_name)
def test_no_number_with_decimals_or_thousands_is_typed_in_prose(path):
    for cell in _cells(path, "markdown"):
        without_code = re.sub(r"`[^`]*`|\[[^\]]*\]\([^)]*\)|\$[^$]*\$", "", _source(cell))
        typed = re.findall(r"\d+[.,]\d{2,}|\d+(?:\.\d+)? ?(?:%|percent)", without_code)
        cited = "methods" in cell["metadata"].get("tags", [])
        assert cited or not typed, f"{typed} is typed in: {_source(cell)[:200]}"
