"""The studies through our own render, the way they are published: whole, at the edges, in scope, and in a browser."""

import json
from pathlib import Path

import pandas as pd
import pytest

from kamlib import open_book
from kamlib.book.sample import write_sample
from kamlib.reports import folder
from kamlib.reports.render import Request, render

from books import small_frames, write_folder
from playbook_runs import run

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks" / "studies").glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]
STUDIES = tuple(f"studies/{name}" for name in NAMES)
ACCOUNT_PAGES = ("accounts/dossier", "accounts/visit_brief")
PAGES = [
    *(f"{name}/report.html" for name in NAMES),
    "dossier/C0005/report.html",
    "visit_brief/C0005/report.html",
    "index.html",
    "../index.html",
]


def _render(place, out, period="2026-Q3", reports=STUDIES, **more):
    return render(Request(reports, str(place), period, out=out, jobs=2, timeout_seconds=300, **more))


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("sample") / "sample"
    write_sample(place, accounts=60, months=24)
    return place


@pytest.fixture(scope="module")
def quarter(sample, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("quarter")
    _render(sample, out, "2026-Q2")
    summary = _render(sample, out, reports=STUDIES + ACCOUNT_PAGES, parameters={"account_id": "C0005"})
    assert not summary.failed, summary.failed
    return summary.folder


@pytest.mark.parametrize("name", NAMES)
def test_every_study_is_published_whole_with_findings_and_tables(quarter, name):
    assert folder.is_whole(quarter / name)
    assert json.loads((quarter / name / "findings.json").read_text())
    assert list((quarter / name / "tables").glob("*.parquet"))


@pytest.mark.parametrize("name", NAMES)
def test_every_finding_below_usable_says_why(quarter, name):
    for found in json.loads((quarter / name / "findings.json").read_text()):
        assert found["verdict"] == "usable" or found["reason"], found


@pytest.mark.parametrize("name", NAMES)
def test_the_next_report_grades_the_one_before(quarter, name):
    parameters = folder.read_manifest(quarter / name)["parameters"]
    assert Path(parameters["previous"]).parts[-2:] == ("2026-Q2", name)


@pytest.fixture(scope="module")
def scoped(sample, tmp_path_factory):
    with open_book(sample) as book:
        manager = book.frame("accounts").manager_id.value_counts().index[0]
    summary = _render(sample, tmp_path_factory.mktemp("scoped"), scope={"manager_id": manager})
    assert not summary.failed, summary.failed
    return summary.folder, manager


def test_a_managers_reports_hold_no_account_of_another(sample, scoped):
    """Every byte of every file, the notebook, the manifest and the index included."""
    where, manager = scoped
    with open_book(sample, as_of="2026-09-30") as book:
        accounts = book.frame("accounts")
    mine = accounts.manager_id == manager
    own_names = " ".join(accounts.name[mine])
    strange = {*accounts.account_id[~mine], *(name for name in accounts.name[~mine] if name not in own_names)}
    for path in (p for p in where.rglob("*") if p.is_file()):
        text = path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".parquet":
            text = pd.read_parquet(path).to_csv()
        found = sorted(word for word in strange if word in text)
        assert found == [], f"{path.relative_to(where)} holds {len(found)} of others, for example {found[:3]}"


def test_a_book_of_two_tables_is_published(tmp_path):
    frames = small_frames(accounts=6)
    place = write_folder({name: frames[name] for name in ("accounts", "orders")}, tmp_path / "book")
    outcomes = _render(place, tmp_path / "out").outcomes
    assert {o.name: (o.status, bool(o.findings)) for o in outcomes} == dict.fromkeys(NAMES, ("published", True))


@pytest.fixture(scope="module", params=["one account", "no order in the window", "returns only"])
def poor(request, tmp_path_factory):
    """A poor book, and the quarter of its last order."""
    frames = small_frames(accounts=1 if request.param == "one account" else 6)
    orders = frames["orders"]
    if request.param == "no order in the window":
        frames = {"accounts": frames["accounts"], "orders": orders.head(3)}
    if request.param == "returns only":
        frames = {"accounts": frames["accounts"], "orders": orders.assign(revenue=-orders.revenue.abs())}
    last = frames["orders"].order_date.max()
    period = f"{last.year}-Q{(last.month - 1) // 3 + 1}"
    return write_folder(frames, tmp_path_factory.mktemp("poor") / "book"), period


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_poor_book_is_reported_and_not_an_error(poor, path, tmp_path, monkeypatch):
    book, period = poor
    done = run(path, book, tmp_path, monkeypatch, period=period, as_of="2026-12-31")
    assert done.findings and all(found["verdict"] == "usable" or found["reason"] for found in done.findings.values())


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_serious_violation_on_a_real_page(browser, quarter, name):
    from axe_playwright_python.sync_playwright import Axe

    serious = {}
    contrast = {"type": "rule", "values": ["color-contrast"]}  # the one thing that a dark screen can change
    for scheme, only in (
        ("light", {"type": "tag", "values": ["wcag2a", "wcag2aa", "best-practice"]}),
        ("dark", contrast),
    ):
        page = browser.new_page(color_scheme=scheme, bypass_csp=True)
        page.goto((quarter / name).resolve().as_uri())
        found = Axe().run(page, options={"resultTypes": ["violations"], "runOnly": only}).response["violations"]
        page.close()
        found = [violation for violation in found if violation["impact"] in {"serious", "critical"}]
        serious |= {f"{scheme} {v['id']}": v["nodes"][0]["html"][:300] for v in found}
    assert serious == {}


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_a_real_page_fits_a_phone_and_asks_for_nothing(seen, quarter, name):
    page, asked, _ = seen(quarter / name, viewport={"width": 360, "height": 800})
    page.eval_on_selector_all("details:not(.code)", "all => all.forEach(d => d.open = true)")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 360, f"the page is {wide} pixels wide on a screen of 360"
    assert asked == [(quarter / name).resolve().as_uri()]


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_a_real_page_is_not_cut_on_paper_and_breaks_no_number(seen, quarter, name):
    page, _, _ = seen(quarter / name, viewport={"width": 688, "height": 972})  # A4 within its margins
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 688
    heights = "cells => cells.map(c => c.getClientRects().length && getComputedStyle(c).whiteSpace)"
    assert set(page.eval_on_selector_all("td.kam-date, td.kam-money, td.kam-integer", heights)) <= {"nowrap", 0}
