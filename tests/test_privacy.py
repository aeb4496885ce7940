"""What readers may not see is nowhere in what is published."""

import re
from dataclasses import replace
from pathlib import Path

import ibis
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from kamlib import open_book
from kamlib.book.contract import TABLES
from kamlib.book.privacy import Privacy
from kamlib.errors import RequestError
from kamlib.reports.render import Request, render

from books import small_frames, write_folder
from toy_notebooks import GOOD, PARAMETERS, write_notebook

EVERYTHING = [
    "publish.begin()\nbook = open_book(place, as_of=as_of, scope=scope)",
    "for name in book.tables:\n    publish.table(name, book.frame(name, with_personal=True))",
    "for name in book.tables:\n    print(book.table(name).to_pandas().to_csv())",
    'publish.finding(Finding("toy.names", " ".join(map(str, book.frame("accounts").name)), n=1))',
]


@pytest.fixture(scope="module")
def frames():
    frames = small_frames()
    frames["contacts"]["name"] = [f"Person-{i}-Liao" for i in range(len(frames["contacts"]))]
    frames["accounts"]["name"] = [f"Secret-{i}-Firm" for i in range(len(frames["accounts"]))]
    frames["managers"]["name"] = [f"Boss-{i}-Wu" for i in range(len(frames["managers"]))]
    frames["accounts"]["telephone"] = [f"TEL-{i}-" for i in range(len(frames["accounts"]))]
    frames["visits"]["purpose"] = "met Person-0-Liao of Secret-0-Firm"
    return frames


@pytest.fixture(scope="module")
def home(tmp_path_factory, frames) -> Path:
    home = tmp_path_factory.mktemp("private")
    write_folder(frames, home / "book")
    write_notebook(home / "everything.ipynb", EVERYTHING)
    return home


def _render(home, out, **more) -> str:
    request = Request((str(home / "everything.ipynb"),), str(home / "book"), "2026-Q3", out=home / out, **more)
    summary = render(request)
    assert not summary.failed, summary.failed
    texts = []
    for path in (p for p in (home / out).rglob("*") if p.is_file()):
        parquet = path.suffix == ".parquet"
        texts.append(pd.read_parquet(path).to_csv() if parquet else path.read_bytes().decode("utf-8", "replace"))
    return "\n".join(texts)


@pytest.fixture(scope="module")
def plain(home) -> str:
    return _render(home, "plain")


@pytest.fixture(scope="module")
def redacted(home) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KAM_REDACT_KEY", "a key")
        return _render(home, "redacted", redact=True)


def test_names_of_people_never_appear_unless_asked_for(plain):
    assert "Secret-0-Firm" in plain
    assert "Person-1-Liao" not in plain


def test_personal_fields_appear_when_they_are_asked_for(home):
    assert "Person-1-Liao" in _render(home, "personal", with_personal=True)


@pytest.mark.parametrize("word", ["Secret-", "Boss-", "Person-", "TEL-"])
def test_no_name_is_left_in_a_redacted_run(redacted, word):
    assert word not in redacted


def test_a_redacted_page_is_marked_and_identifiers_stay(redacted, frames):
    assert "replaced by pseudonyms" in redacted
    assert frames["accounts"].account_id[0] in redacted


def _marks(folder: Path) -> list[list[str]]:
    """What the page, the index of its period and that of all periods say of themselves in their heads."""
    pages = [folder / "accounts" / "report.html", folder / "index.html", folder.parent / "index.html"]
    heads = [BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").find("header") for page in pages]
    known = ("replaced by pseudonyms", "shown; not to be handed on")
    return [[dd.text for dd in head.find_all("dd") if dd.text in known] for head in heads]


def test_page_and_indexes_say_whether_names_are_replaced_or_personal_fields_shown(home, monkeypatch):
    monkeypatch.setenv("KAM_REDACT_KEY", "a key")
    path = write_notebook(home / "accounts.ipynb", GOOD)
    asked = Request((str(path),), str(home / "book"), "2026-Q3", out=home / "marked")
    assert _marks(render(asked).folder) == [[], [], []]
    assert _marks(render(replace(asked, redact=True)).folder) == [["replaced by pseudonyms"]] * 3
    assert _marks(render(replace(asked, with_personal=True)).folder) == [["shown; not to be handed on"]] * 3


def test_a_run_with_personal_fields_shares_no_folder_with_a_plain_one(home):
    path = write_notebook(home / "accounts.ipynb", GOOD)
    asked = Request((str(path),), str(home / "book"), "2026-Q3", out=home / "apart")
    plain, personal = (render(replace(asked, with_personal=shown)).folder.parent for shown in (False, True))
    assert personal == plain.with_name(f"{plain.name}-with-personal")


def test_names_that_are_replaced_leave_nothing_personal_to_show(home, monkeypatch):
    monkeypatch.setenv("KAM_REDACT_KEY", "a key")
    shown = _render(home, "both", redact=True, with_personal=True)
    assert "Person-1-Liao" not in shown
    assert "not to be handed on" not in shown


def test_a_notebook_that_can_show_personal_fields_is_told_to_where_they_are_asked_for(home):
    cells = [EVERYTHING[0], 'publish.note(" ".join(book.frame("contacts", with_personal).columns))']
    told = f"{PARAMETERS}\nwith_personal: bool = False  # whether names of contacts are shown"
    path = write_notebook(home / "contacts.ipynb", cells, parameters=told)
    asked = Request((str(path),), str(home / "book"), "2026-Q3", out=home / "told")
    for shown in (False, True):
        page = render(replace(asked, with_personal=shown)).folder / "contacts" / "report.html"
        assert ("birthday" in page.read_text(encoding="utf-8")) is shown


def test_a_redacted_run_shares_no_folder_with_a_plain_one_or_another_key(home, frames, monkeypatch):
    path = write_notebook(home / "accounts.ipynb", GOOD)
    asked = Request((str(path),), str(home / "book"), "2026-Q3", out=home / "shared")
    folders = [render(asked).folder.parent]
    for key in ("a key", "another key"):
        monkeypatch.setenv("KAM_REDACT_KEY", key)
        folders.append(render(replace(asked, redact=True)).folder.parent)
    assert len(set(folders)) == 3
    for path in folders[1:]:
        assert re.fullmatch(rf"{folders[0].name}-redacted-[0-9a-f]{{6}}", path.name)
        pages = [path / "index.html", path / "2026-Q3" / "index.html"]
        assert not [page for page in pages if "Secret-" in page.read_text()]


def test_a_pseudonym_is_the_same_for_the_same_key_and_another_for_another():
    one, two = Privacy(True, True, b"one"), Privacy(True, True, b"two")
    assert one.pseudonym("Account", "7") == one.pseudonym("Account", "7") != two.pseudonym("Account", "7")


def test_accounts_of_a_large_book_share_no_pseudonym():
    ids = [f"{i:05d}" for i in range(20_000)]
    table = ibis.memtable({"account_id": ids, "name": ids})
    accounts = table.mutate(**{n: ibis.null(c.dtype) for n, c in TABLES["accounts"].columns.items() if n not in table})
    names = Privacy(True, True, b"one").applied(accounts, TABLES["accounts"]).name.execute()
    assert names.is_unique and names.str.fullmatch(r"Account ([0-9A-F]{6}|[0-9A-F]{12})").all()


def test_every_account_keeps_its_own_pseudonym(home, monkeypatch):
    monkeypatch.setenv("KAM_NAMES", "pseudonyms")
    monkeypatch.setenv("KAM_REDACT_KEY", "a key")
    with open_book(home / "book", as_of="2026-09-30") as book:
        names = book.frame("accounts").name
    assert names.str.fullmatch(r"Account [0-9A-F]{6}").all()
    assert names.is_unique


def test_the_firms_own_roster_is_read_the_same_where_names_are_replaced(home, tmp_path, monkeypatch):
    frames = small_frames(accounts=4)
    accounts = frames["accounts"]
    frames["accounts"] = accounts.assign(is_key_account=[True, False, None, True], remark="private")
    place = write_folder(frames, tmp_path / "own")
    with open_book(place) as book:
        plain = book.frame("accounts").is_key_account.tolist()
    monkeypatch.setenv("KAM_NAMES", "pseudonyms")
    monkeypatch.setenv("KAM_REDACT_KEY", "a key")
    with open_book(place) as book:
        hidden = book.frame("accounts")
    assert hidden.is_key_account.tolist() == plain == [True, False, None, True]
    assert "remark" not in hidden and hidden.name.str.startswith("Account ").all()


def test_without_a_key_nothing_is_started(home, monkeypatch):
    monkeypatch.delenv("KAM_REDACT_KEY", raising=False)
    with pytest.raises(RequestError, match="set the environment variable KAM_REDACT_KEY"):
        _render(home, "keyless", redact=True)
    assert not (home / "keyless").exists()


def _texts_below(folder: Path) -> dict[str, str]:
    texts = {}
    for path in (p for p in folder.rglob("*") if p.is_file()):
        parquet = path.suffix == ".parquet"
        texts[path.name] = pd.read_parquet(path).to_csv() if parquet else path.read_bytes().decode("utf-8", "replace")
    return texts


def test_the_pages_of_a_manager_hold_nothing_of_an_account_of_another(tmp_path):
    """Every byte of every file: page, notebook, tables, findings and manifest."""
    frames = small_frames(accounts=9)
    called = {old: f"ACCTx{number}x" for number, old in enumerate(frames["accounts"].account_id)}
    for frame in frames.values():
        for column in {"account_id", "parent_id", "referred_account_id"} & set(frame.columns):
            frame[column] = frame[column].map(called)
    frames["accounts"]["name"] = [f"Firm of {account}" for account in frames["accounts"].account_id]
    write_folder(frames, tmp_path / "book")
    write_notebook(tmp_path / "everything.ipynb", EVERYTHING)
    asked = (str(tmp_path / "everything.ipynb"),)
    summary = render(Request(asked, str(tmp_path / "book"), "2026-Q3", out=tmp_path / "out", each="manager"))
    assert len(summary.outcomes) > 1
    for outcome in summary.outcomes:
        with open_book(tmp_path / "book", as_of="2026-09-30", scope={"manager_id": outcome.key}) as book:
            own = set(book.frame("accounts").account_id)
        assert own, outcome.key
        for name, text in _texts_below(summary.folder / "everything" / outcome.key).items():
            assert set(re.findall(r"ACCTx\d+x", text)) <= own, f"{name} of {outcome.key} names another's account"
