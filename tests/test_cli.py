"""`kam` ends a wrong request, or a file that cannot be used, in one clear line and exit code 2."""

import pytest
from click.testing import CliRunner

from kamlib.cli import main

from books import small_book


def told(*arguments):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    return result.exit_code, result.stderr.splitlines()


def test_a_wrong_request_is_one_line_and_exit_code_2(tmp_path):
    code, lines = told("check", tmp_path)
    assert (code, len(lines)) == (2, 1)
    assert lines[0].startswith(f"kam: {tmp_path} is not a book")


@pytest.mark.parametrize("command", [["sample", "--accounts", 1, "--out"], ["backup", "BOOK"]])
def test_a_place_that_cannot_be_written_to_is_one_line_and_exit_code_2(tmp_path, command):
    (tmp_path / "file").write_text("not a folder")
    place = small_book(tmp_path / "book")
    code, lines = told(*[place if word == "BOOK" else word for word in command], tmp_path / "file" / "out")
    assert (code, len(lines)) == (2, 1)
    assert lines[0].endswith("check the path, its permissions and the room on its disk")


@pytest.mark.parametrize(
    ("entries", "said"), [(["x"], "-p 'x' must read NAME=VALUE"), (["x=1", "x=2"], "-p x is given twice")]
)
def test_a_parameter_that_is_no_pair_is_refused(tmp_path, entries, said):
    asked = [word for entry in entries for word in ("-p", entry)]
    assert told("render", "studies/churn", "--book", tmp_path, "--period", "2026-Q3", *asked) == (2, [f"kam: {said}"])
