"""Which pages a report has, and which accounts are on none of them."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from kamlib import open_book
from kamlib.errors import RequestError
from kamlib.reports import folder, index
from kamlib.reports.pages import left_out, nearest, pages_of
from kamlib.reports.render import Request, render
from kamlib.reports.spec import read_reports

from books import small_frames, write_folder
from toy_notebooks import GOOD, PARAMETERS, write_notebook

OF_AN_ACCOUNT = f'{PARAMETERS}\naccount_id: str = "0001"  # the account, identifier'


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Eight accounts, of which two have no manager and all a region."""
    frames = small_frames()
    accounts = frames["accounts"]
    accounts["manager_id"] = ["M1", "M1", "M2", "M1", "M2", "M2", "M2", "M2"]
    accounts.loc[accounts["account_id"].isin(["0003", "0005"]), "manager_id"] = None
    accounts["region"] = "North"
    few = {name: frames[name] for name in ("accounts", "orders")}
    return write_folder(few, tmp_path_factory.mktemp("book") / "small")


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("notebooks")
    write_notebook(home / "list.ipynb", GOOD)
    write_notebook(home / "one.ipynb", GOOD, parameters=OF_AN_ACCOUNT)
    write_notebook(home / "stranger.ipynb", GOOD, parameters=OF_AN_ACCOUNT.replace("0001", "C0085"))
    return home


def _pages(place, path, given=None, each="", scope=None):
    (report,) = read_reports([str(path)], given, each)
    with open_book(place, scope=scope) as book:
        return pages_of(report, book)


def test_an_account_that_is_named_is_the_key_of_its_page(place, notebooks):
    assert [page.key for page in _pages(place, notebooks / "one.ipynb", {"account_id": "0003"})] == ["0003"]


def test_the_default_of_a_notebook_names_no_page(place, notebooks):
    assert [page.key for page in _pages(place, notebooks / "one.ipynb")] == [""]


def test_a_fan_out_by_account_goes_before_the_account_that_is_named(place, notebooks):
    pages = _pages(place, notebooks / "one.ipynb", {"account_id": "0003"}, each="account")
    with open_book(place) as book:
        assert [page.parameters["account_id"] for page in pages] == sorted(book.frame("accounts").account_id)


@pytest.mark.parametrize(
    ("asked", "scope", "message"),
    [
        ("7", None, "there is no account '7' among the 8 accounts of book 'Small book'; the nearest are 0007"),
        ("客戶 0005", None, r"1 has it in its name: 0005 \(大客戶 0005\); name one with -p account_id=0005"),
        ("0003", {"manager_id": "M1"}, "there is no account '0003' among the 2 accounts in the scope manager_id=M1"),
    ],
)
def test_an_account_that_is_not_there_is_refused_with_the_nearest(place, notebooks, asked, scope, message):
    with pytest.raises(RequestError, match=message):
        _pages(place, notebooks / "one.ipynb", {"account_id": asked}, scope=scope)


def test_a_name_is_answered_with_the_numbers_and_names_of_all_that_have_it(tmp_path, notebooks):
    place = write_folder(small_frames(accounts=12), tmp_path / "book")
    with pytest.raises(RequestError) as error:
        _pages(place, notebooks / "one.ipynb", {"account_id": "客戶"})
    assert "12 have it in their names: 0001 (大客戶 0001), " in str(error.value)
    assert "0009 (大客戶 0009) and 2 more; name one with -p account_id=0001" in str(error.value)


@pytest.mark.parametrize("each", ["", "manager"])
def test_a_page_of_one_account_wants_it_named(place, notebooks, each):
    message = "name one with -p account_id=0001, or ask for a page of each of its 8 with --each account"
    with pytest.raises(RequestError, match=message):
        _pages(place, notebooks / "stranger.ipynb", each=each)
    assert len(_pages(place, notebooks / "stranger.ipynb", each="account")) == 8


def test_the_nearest_differ_in_leading_zeros_or_case_first():
    known = [f"C{i:04d}" for i in range(1, 200)]
    assert nearest("c85", known)[0] == nearest("85", known)[0] == "C0085"
    assert nearest("zzz", ["0001", "0002"]) == ["0001", "0002"]


def test_an_unknown_account_ends_with_two_and_starts_nothing(place, notebooks, tmp_path):
    command = [sys.executable, "-m", "kamlib.cli", "render", str(notebooks / "one.ipynb"), "--book", str(place)]
    command += ["--period", "2026-Q3", "--out", str(tmp_path / "out"), "-p", "account_id=7"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert not (tmp_path / "out").exists()


def test_the_pages_of_two_accounts_and_of_the_whole_book_stand_beside_each_other(place, notebooks, tmp_path):
    for given in ({"account_id": "0001"}, {"account_id": "0007"}, {}):
        asked = Request((str(notebooks / "one.ipynb"),), str(place), "2026-Q3", out=tmp_path, parameters=given)
        summary = render(asked)
        assert not summary.failed
    found = folder.published(summary.folder)
    assert [str(path.relative_to(summary.folder)) for path in found] == ["one", "one/0001", "one/0007"]
    assert all(folder.is_whole(path) for path in found)


def test_accounts_that_a_fan_out_leaves_out_are_counted_and_named(place, notebooks, tmp_path):
    request = Request((str(notebooks / "list.ipynb"),), str(place), "2026-Q3", out=tmp_path, each="manager")
    summary = render(request)
    said = "2 of 8 accounts have no manager and are on no page of --each manager: 0003, 0005"
    assert [missed.line() for missed in summary.left_out] == [said]
    (missed,) = json.loads((summary.folder / "run.json").read_text())["left_out"]
    assert missed == {"each": "manager", "count": 2, "accounts": 8, "sample": ["0003", "0005"]}


def _page(where: Path, name: str, key: str = "", about: str = "") -> Path:
    """A published page with one finding and an Excel file, as far as an index reads it."""
    page = where / name / key
    page.mkdir(parents=True)
    made = {"report": name, "key": key, "title": f"About {name}", "about": about, "parameters": {}}
    folder.write_json(
        page / "manifest.json", made | {"as_of": "2026-09-30", "made_on": "", "files": {"report.xlsx": ""}}
    )
    finding = {"id": "x", "sentence": f"Said of {key}.", "verdict": "usable", "decision": "", "interval": None}
    folder.write_json(page / "findings.json", [finding | {"value": 1, "reason": ""}])
    return page


@pytest.mark.parametrize(("count", "folded"), [(6, 0), (20, 0), (150, 138)])
def test_the_index_lists_the_pages_of_a_notebook_by_account_name_and_first_headline(tmp_path, count, folded):
    where = tmp_path / "2026-Q3"
    keys = [f"{i:04d}" for i in range(count)]
    for key in keys:
        _page(where, "dossier", key, f"Firm {key} ({key})")
    index.write_index(where, index.State("Book", "2026-Q3", "2026-09-30"), [])
    page = BeautifulSoup((where / "index.html").read_text(), "html.parser")
    rows = page.select(".each > li")
    assert " ".join(rows[3].text.split()) == "Firm 0003 (0003) Said of 0003. usable Excel"
    assert [link["href"] for link in rows[3].select("a")] == [f"dossier/0003/report.{e}" for e in ("html", "xlsx")]
    assert (len(rows), len(page.select("details.rest .each > li"))) == (count, folded)


@pytest.mark.parametrize(
    ("action", "late", "shown"),
    [
        ("call", 0, ["call", "2026-10-02 Call it"]),
        ("call", 3, ["call", "2026-10-02, overdue: Call it"]),
        ("leave", 3, ["–", "2026-10-02, overdue: Call it"]),
        ("leave", 0, ["leave", "2026-10-02 Call it"]),
    ],
)
def test_the_search_over_accounts_tells_class_state_and_what_is_due_first_and_leads_to_the_dossier(
    tmp_path, action, late, shown
):
    where = tmp_path / "2026-Q3"
    for name in ("dossier", "visit_brief"):
        _page(where, name, "0007")
    said = {"segmentation": {"class": "A"}, "churn": {"status": "off_season", "action": action, "action_code": action}}
    for name, columns in said.items():
        (_page(where, name) / "tables").mkdir()
        pd.DataFrame([{"account_id": "0007"} | columns]).to_parquet(where / name / "tables" / "accounts.parquet")
    (_page(where, "due_list") / "tables").mkdir()
    days = pd.to_datetime(["2026-10-09", "2026-10-02"])
    due = pd.DataFrame(
        {"account_id": "0007", "due_on": days, "what": ["Meet it", "Call it"], "days_overdue": [0, late]}
    )
    due.to_parquet(where / "due_list" / "tables" / "due.parquet")
    index.write_index(where, index.State("Book", "2026-Q3", "2026-09-30"), [])
    page = BeautifulSoup((where / "index.html").read_text(), "html.parser")
    row = page.select_one("tbody tr")
    cells = dict(zip((head.text for head in page("th")), (cell.text for cell in row("td")), strict=True))
    assert [cells.pop(name, "–") for name in ("By its orders", "By rule")] == [*shown]
    assert cells == {"Account": "0007", "Class": "A", "State": "off season"}, "what no report says has no column"
    assert row.a["href"] == "dossier/0007/report.html"


def test_the_index_lists_the_pages_of_managers_by_their_names(tmp_path):
    _page(tmp_path / "2026-Q3", "weekly_sales", "M1", "Lin Yi-chun (M1)")
    index.write_index(tmp_path / "2026-Q3", index.State("Book", "2026-Q3", "2026-09-30"), [])
    page = BeautifulSoup((tmp_path / "2026-Q3" / "index.html").read_text(), "html.parser")
    assert " ".join(page.select_one(".each > li a").text.split()) == "Lin Yi-chun (M1)"


def test_the_index_of_all_periods_names_their_kind_and_begins_with_the_one_that_ended_last(tmp_path):
    for label in ("2026-09", "2026-Q2", "2026-W39", "2026-Q3", "2026"):
        (tmp_path / label).mkdir()
        folder.write_text(tmp_path / label / "index.html", "")
    index.write_periods(tmp_path, index.State("Book", "2026-Q3", "2026-09-30"))
    items = BeautifulSoup((tmp_path / "index.html").read_text(encoding="utf-8"), "html.parser").select(".periods li")
    said = [item.get_text().split(" · ")[0] for item in items]
    assert said == ["2026 yearly", "2026-Q3 quarterly", "2026-09 monthly", "2026-W39 weekly", "2026-Q2 quarterly"]


@pytest.mark.parametrize("each", ["region", "account"])
def test_nothing_is_said_where_every_account_is_on_a_page(place, notebooks, each):
    with open_book(place) as book:
        assert left_out(read_reports([str(notebooks / "list.ipynb")], each=each), book) == []
