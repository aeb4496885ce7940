"""The shelf of a run: what dossiers read there is what they would read in the book, and only of the book it is of."""

import dataclasses
import errno

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kamlib import open_book
from kamlib.reports import render as rendering
from kamlib.reports.render import Request, render
from kamlib.studies import dossier
from kamlib.studies.dossier import shelf
from kamlib.studies.portfolio import key_accounts

from books import random_frames, small_book, small_frames, write_folder
from toy_notebooks import PARAMETERS, write_notebook

AS_OF, PERIOD = "2026-09-30", "2026-Q3"
ONE_ACCOUNT = [
    "publish.begin()\nbook = open_book(place, as_of=as_of, scope=scope)",
    "from kamlib.studies import dossier\nresult = dossier.measure(book, account_id, period, tables)",
    "from kamlib.studies.dossier.shelf import rows_of\npublish.note(type(rows_of(book, tables)).__name__)",
    "publish.table('lines', result.file.lines)",
]


def _is_same(one, other) -> None:
    if dataclasses.is_dataclass(one):
        one, other = vars(one), vars(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        for name in one:
            _is_same(one[name], other[name])
    elif isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other)
    elif isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other)
    else:
        assert one == other or (pd.isna(one) and pd.isna(other))


@settings(max_examples=12, deadline=None)
@given(frames=random_frames(), with_personal=st.booleans())
def test_a_dossier_from_the_shelf_is_the_dossier_from_the_book(tmp_path_factory, frames, with_personal):
    home = tmp_path_factory.mktemp("book")
    (home / "shelf").mkdir()
    with open_book(write_folder(frames, home / "book"), as_of=AS_OF) as book, pytest.MonkeyPatch.context() as patch:
        ids = book.frame("accounts")["account_id"].tolist()
        asked = {"with_personal": with_personal}
        plain = [dossier.measure(book, account, PERIOD, **asked) for account in ids]
        patch.setenv(shelf.SHELF, str(shelf.lay_out(book, home / "shelf")))
        assert isinstance(shelf.rows_of(book), shelf.ShelfRows)
        for account, expected in zip(ids, plain, strict=True):
            _is_same(dossier.measure(book, account, PERIOD, **asked), expected)


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory):
    """A book, and the shelf of its whole on its last day."""
    place, folder = small_book(tmp_path_factory.mktemp("book") / "small"), tmp_path_factory.mktemp("shelf")
    with open_book(place, as_of=AS_OF) as book:
        shelf.lay_out(book, folder)
    return place, folder


@pytest.mark.parametrize(
    ("asked", "environment", "tables"),
    [
        ({"as_of": "2026-06-30"}, {}, ""),
        ({"as_of": AS_OF, "scope": {"manager_id": "M01"}}, {}, ""),
        ({"as_of": AS_OF}, {"KAM_PERSONAL": "hidden"}, ""),
        ({"as_of": AS_OF}, {"KAM_NAMES": "pseudonyms", "KAM_REDACT_KEY": "k"}, ""),
        ({"as_of": AS_OF}, {}, "another-period"),
    ],
    ids=["another day", "a scope", "personal fields hidden", "names replaced", "other reports"],
)
def test_the_shelf_of_another_book_is_left_alone(laid_out, monkeypatch, asked, environment, tables):
    place, folder = laid_out
    for name, value in {shelf.SHELF: str(folder), **environment}.items():
        monkeypatch.setenv(name, value)
    with open_book(place, **asked) as book:
        assert isinstance(shelf.rows_of(book, tables), shelf.BookRows)


def test_the_shelf_of_a_scope_holds_no_row_of_another_account(laid_out, tmp_path):
    with open_book(laid_out[0], as_of=AS_OF, scope={"manager_id": "M01"}) as book:
        mine = set(book.frame("accounts")["account_id"])
        shelf.lay_out(book, tmp_path)
    for path in tmp_path.glob("*.parquet"):
        assert set(pd.read_parquet(path)["account_id"]) <= mine, path.name


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    path = tmp_path_factory.mktemp("notebooks") / "one.ipynb"
    named = 'account_id: str = "0001"  # the account, identifier\ntables: str = ""  # folder of reports, path'
    return write_notebook(path, ONE_ACCOUNT, parameters=f"{PARAMETERS}\n{named}")


def _said(folder) -> set[str]:
    pages = [path.read_text(encoding="utf-8") for path in folder.glob("one/*/report.html")]
    assert len(pages) == 8
    return {kind for kind in ("ShelfRows", "BookRows") for page in pages if f">{kind}<" in page}


def test_the_pages_of_a_fan_out_read_one_shelf_that_is_gone_afterwards(laid_out, notebook, tmp_path):
    summary = render(Request((str(notebook),), str(laid_out[0]), PERIOD, out=tmp_path, each="account"))
    assert not summary.failed
    assert _said(summary.folder) == {"ShelfRows"}
    assert not list(summary.folder.glob(".building-*"))


def test_where_the_shelf_has_no_room_each_report_reads_the_book(laid_out, notebook, tmp_path, monkeypatch):
    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rendering, "lay_out", full)
    lines = []
    request = Request((str(notebook),), str(laid_out[0]), PERIOD, out=tmp_path, each="account")
    summary = render(request, tell=lines.append)
    assert not summary.failed
    assert _said(summary.folder) == {"BookRows"}
    assert lines[0] == "each report reads the book itself: the disk is full; make room and run the same command again"


def test_an_account_that_is_not_on_the_shelf_is_refused(laid_out, monkeypatch):
    monkeypatch.setenv(shelf.SHELF, str(laid_out[1]))
    with open_book(laid_out[0], as_of=AS_OF) as book, pytest.raises(ValueError, match="has no account '00'"):
        dossier.measure(book, "00", PERIOD)


def test_a_key_account_is_one_that_the_portfolio_names(tmp_path):
    frames = small_frames(5)
    with open_book(write_folder(frames, tmp_path / "book"), as_of=AS_OF) as book:
        named = set(key_accounts(book)[0])
        ids = book.frame("accounts")["account_id"]
        assert {one for one in ids if shelf.BookRows(book).is_key(one)} == named
