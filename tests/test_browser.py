"""The pages in a real browser: nothing runs, nothing is asked for, nothing scrolls sideways, everyone can read."""

from pathlib import Path

import pandas as pd
import pytest
from payloads import PAYLOADS

from kamlib.reports.render import Request, render

from books import small_frames, write_folder
from toy_notebooks import write_notebook

pytestmark = pytest.mark.browser
CELLS = [
    "publish.begin()\nbook = open_book(place, as_of=as_of, scope=scope)\nnames = book.frame('accounts')",
    'publish.table("accounts", names)',
    "from kamlib.reports.figures import style\nfrom kamlib.reports import figures",
    'ax = style.axes(" ".join(names.name[:3]), "months", names.name[3])\nax.barh(names.name[:12].str[:40], range(12))\npublish.figure(ax)',
    'for i, name in enumerate(names.name):\n    publish.finding(Finding(f"toy.n{i}", f"{name} is an account.", decision=f"Call {name}."))',
    "publish.note(*names.name)",
    "names.style",
    "names",
    "print(names.to_string())",
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    """A period rendered from a book in which every name of an account is hostile."""
    home = tmp_path_factory.mktemp("hostile")
    frames = small_frames(accounts=8)
    names = [text.replace("\x00", "\ufffd") for text in PAYLOADS]
    more = pd.DataFrame({"account_id": [f"X{i}" for i in range(len(names))], "name": names, "region": names})
    frames["accounts"] = pd.concat([frames["accounts"], more], ignore_index=True)
    place = write_folder(frames, home / "book", {"name": "<script>window.hit=1</script>", "currency": "<b>TWD</b>"})
    path = write_notebook(home / "hostile.ipynb", CELLS)
    summary = render(Request((str(path),), str(place), "2026-Q3", out=home / "out"))
    assert not summary.failed, summary.failed
    return summary.folder


def _open(browser, path: Path, **options):
    page = browser.new_page(**options)
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(path.as_uri())
    return page, asked, said


def test_there_are_a_hundred_hostile_names_and_more():
    assert len(set(PAYLOADS)) >= 100


@pytest.mark.parametrize("name", ["hostile/report.html", "index.html", "../index.html"])
def test_a_hostile_name_runs_nothing_and_asks_for_nothing(browser, hostile, name):
    page, asked, said = _open(browser, (hostile / name).resolve())
    page.wait_for_timeout(300)
    assert page.evaluate("window.hit") is None
    assert asked == [(hostile / name).resolve().as_uri()], "the page may ask for itself and for nothing else"
    assert said == []


def test_every_hostile_name_is_there_as_text(browser, hostile):
    page, _, _ = _open(browser, hostile / "hostile" / "report.html")
    shown = set(page.eval_on_selector_all("td.kam-text", "cells => cells.map(c => c.dataset.sort)"))
    lost = [
        p
        for p in PAYLOADS
        if p.replace("\x00", "\ufffd").replace("\r", "\n") not in {s.replace("\r", "\n") for s in shown}
    ]
    assert lost == []


@pytest.mark.parametrize("width", [360, 390, 1280])
@pytest.mark.parametrize("name", ["hostile/report.html", "index.html"])
def test_no_page_scrolls_sideways(browser, hostile, name, width):
    page, _, _ = _open(browser, hostile / name, viewport={"width": width, "height": 800})
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, f"the page is {wide} pixels wide on a screen of {width}"


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """A period rendered from a book of two hundred accounts with ordinary and long names."""
    home = tmp_path_factory.mktemp("plain")
    frames = small_frames(accounts=8)
    count = 200
    more = pd.DataFrame(
        {
            "account_id": [f"A{i:04d}" for i in range(count)],
            "name": [f"Firm {i} 股份有限公司 " * 4 for i in range(count)],
        }
    )
    frames["accounts"] = pd.concat([frames["accounts"], more.assign(annual_potential=range(count))], ignore_index=True)
    place = write_folder(frames, home / "book")
    path = write_notebook(home / "plain.ipynb", CELLS[:4] + CELLS[4:5])
    return render(Request((str(path),), str(place), "2026-Q3", out=home / "out")).folder


def test_a_table_sorts_by_number_the_largest_first_and_back(browser, plain):
    page, _, _ = _open(browser, plain / "plain" / "report.html")
    head = page.get_by_role("button", name="Potential")
    head.click()
    values = "rows => rows.map(r => r.cells[8].dataset.sort).filter(Boolean).map(Number)"
    falling = page.eval_on_selector_all(".kam-table tbody tr", values)
    head.click()
    rising = page.eval_on_selector_all(".kam-table tbody tr", values)
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)


def test_a_long_table_shows_a_few_rows_and_all_on_request(browser, plain):
    page, _, _ = _open(browser, plain / "plain" / "report.html")
    rows = page.locator(".kam-table tbody tr:visible")
    assert rows.count() == 15
    page.get_by_role("button", name="Show all 208 rows").click()
    assert rows.count() == 208


def test_a_table_finds_a_row_that_was_not_shown(browser, plain):
    page, _, _ = _open(browser, plain / "plain" / "report.html")
    page.get_by_role("searchbox", name="Find in this table").fill("A0199")
    assert page.locator(".kam-table tbody tr:visible").count() == 1


def test_on_a_phone_a_table_shows_five_rows_and_finds_one_all_the_same(browser, plain):
    page, _, _ = _open(browser, plain / "plain" / "report.html", viewport={"width": 400, "height": 800})
    rows = page.locator(".kam-table tbody tr:visible")
    assert rows.count() == 5
    assert page.locator(".kam-count").inner_text().startswith("5 of 208 rows shown. All columns are in")
    page.get_by_role("searchbox", name="Find in this table").fill("A0199")
    assert rows.count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["plain/report.html", "index.html", "../index.html"])
def test_axe_finds_no_serious_accessibility_violation(browser, plain, name, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(color_scheme=scheme, bypass_csp=True)
    page.goto((plain / name).as_uri())
    found = Axe().run(page).response["violations"]
    serious = {v["id"]: v["nodes"][0]["html"][:200] for v in found if v["impact"] in {"serious", "critical"}}
    assert serious == {}


def test_the_code_is_folded_and_there_on_request(browser, plain):
    page, _, _ = _open(browser, plain / "plain" / "report.html")
    code = page.locator("details.code pre").first
    assert not code.is_visible()
    page.locator("details.code summary").first.click()
    assert code.is_visible()


def test_the_contents_lead_to_the_chapters(browser, plain):
    page, _, _ = _open(browser, plain / "plain" / "report.html")
    targets = page.eval_on_selector_all(".contents a", "links => links.map(a => a.getAttribute('href').slice(1))")
    assert targets
    assert all(page.evaluate("id => document.getElementById(id) !== null", target) for target in targets)
