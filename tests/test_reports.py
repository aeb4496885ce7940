"""The studies through our own render, the way they are published: whole, at the edges, and within their scope."""

import json
from pathlib import Path

import pandas as pd
import pytest

from kamlib import open_book
from kamlib.book.sample import write_sample
from kamlib.reports import folder
from kamlib.reports.render import Request, render

from books import small_frames, write_folder

STUDIES = tuple(
    f"studies/{path.stem}" for path in sorted((Path(__file__).parents[1] / "notebooks" / "studies").glob("*.ipynb"))
)
NAMES = [name.split("/")[1] for name in STUDIES]


def _render(place, out, period="2026-Q3", **more):
    return render(Request(STUDIES, str(place), period, out=out, jobs=2, timeout_seconds=300, **more))


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("sample") / "sample"
    write_sample(place, accounts=120, months=24)
    return place


@pytest.fixture(scope="module")
def quarter(sample, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("quarter")
    _render(sample, out, "2026-Q2")
    summary = _render(sample, out, "2026-Q3")
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


@pytest.fixture(scope="module", params=["two tables", "one account", "no order in the window", "returns only"])
def edge(request, tmp_path_factory):
    frames = small_frames(accounts=1 if request.param == "one account" else 6)
    if request.param == "two tables":
        frames = {name: frames[name] for name in ("accounts", "orders")}
    if request.param == "no order in the window":
        frames = {"accounts": frames["accounts"], "orders": frames["orders"].head(3)}
    if request.param == "returns only":
        orders = frames["orders"]
        frames = {"accounts": frames["accounts"], "orders": orders.assign(revenue=-orders.revenue.abs())}
    home = tmp_path_factory.mktemp("edge")
    last = frames["orders"].order_date.max()
    period = f"{last.year}-Q{(last.month - 1) // 3 + 1}"
    return _render(write_folder(frames, home / "book"), home / "out", period, as_of="2026-12-31")


@pytest.mark.parametrize("name", NAMES)
def test_a_poor_book_is_reported_and_not_an_error(edge, name):
    outcome = next(o for o in edge.outcomes if o.name == name)
    assert outcome.status == "published", outcome.why
    assert json.loads((edge.folder / name / "findings.json").read_text())
