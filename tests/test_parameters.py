"""The typed contract of a notebook."""

import nbformat
import papermill
import pytest

from kamlib.errors import RequestError
from kamlib.reports.parameters import fill, parse, read_contract

CELL = """place: str = "data/sample"  # the book, folder or name
as_of: str = "2026-09-30"  # day the book is read as of, date
account_id: str = "0007"  # the account
horizon_days: int = 90  # how far ahead, days, 7..365
level: float = 0.9  # of intervals, probability, 0.5..0.99
basis: str = "margin"  # what classes rest on, margin|revenue
is_short: bool = False  # leave the appendix out
cuts: list = [0.8, 0.95]  # cumulative shares
scope: dict = {}  # account columns and values"""
CONTRACT = parse(CELL)


def _filled(name, text):
    return fill(CONTRACT, {name: text}, "studies/churn", as_text=True)[name]


def test_an_account_code_stays_text():
    assert _filled("account_id", "0007") == "0007"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("horizon_days", "30", 30), ("level", "0.8", 0.8), ("is_short", "yes", True), ("cuts", "[0.7, 0.9]", [0.7, 0.9]),
     ("scope", "{region: North}", {"region": "North"}), ("as_of", "2026-06-30", "2026-06-30")],
)  # fmt: skip
def test_text_is_read_by_the_declared_type(name, text, value):
    assert _filled(name, text) == value


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("horizon_days", "ninety", "parameter horizon_days = 'ninety' is not int"),
        ("horizon_days", "400", "parameter horizon_days = 400 is out of range; it may be 7 to 365 days"),
        ("basis", "profit", "parameter basis = 'profit'; it may be margin, revenue"),
        ("as_of", "30.9.2026", "'30.9.2026' is not a date; write it as YYYY-MM-DD, for example 2026-09-30"),
        ("is_short", "2", "parameter is_short = 2 is int, and bool is wanted"),
    ],
)
def test_a_wrong_value_says_what_is_wanted(name, text, message):
    with pytest.raises(RequestError, match="^" + message.replace("(", r"\(").replace("|", r"\|")):
        _filled(name, text)


def test_a_misspelt_parameter_is_an_error_with_a_suggestion():
    with pytest.raises(
        RequestError, match="studies/churn has no parameter 'horizon_day'; did you mean 'horizon_days'?"
    ):
        fill(CONTRACT, {"horizon_day": 3}, "studies/churn")


def test_a_number_in_a_spec_for_a_text_parameter_must_be_quoted():
    with pytest.raises(RequestError, match="account_id = 7 is int, and str is wanted; put it in quotes"):
        fill(CONTRACT, {"account_id": 7}, "studies/churn")


@pytest.mark.parametrize(
    "line",
    [
        "x = 1",
        "x: int = 1",
        "x: int = 1  # a = b",
        "x: str | None = None  # maybe",
        "x: int = f()  # what",
        "x: int",
    ],
)
def test_a_line_that_papermill_would_misread_is_refused(line):
    with pytest.raises(RequestError):
        parse(line)


def _notebook(folder, *cells):
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}}
    )
    for source in cells:
        notebook.cells.append(nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]}))
    nbformat.write(notebook, folder / "n.ipynb")
    return folder / "n.ipynb"


@pytest.mark.parametrize("cells", [(), (CELL, CELL)])
def test_a_notebook_has_exactly_one_cell_of_parameters(tmp_path, cells):
    with pytest.raises(RequestError, match=f"has {len(cells)} cells tagged 'parameters'; it must have exactly one"):
        read_contract(_notebook(tmp_path, *cells))


def test_papermill_sees_every_parameter_that_the_contract_has(tmp_path):
    path = _notebook(tmp_path, CELL)
    assert list(papermill.inspect_notebook(str(path))) == list(read_contract(path))
