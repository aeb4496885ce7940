"""Rendering: checked before it starts, whole or not at all, one failure stops nothing."""

import datetime as dt
import gc
import json
import os
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from kamlib import open_book
from kamlib.errors import RequestError
from kamlib.reports import folder
from kamlib.reports import render as render_module
from kamlib.reports.render import Request, periods_asked, render, side_by_side
from kamlib.reports.spec import read_reports

from books import small_book
from toy_notebooks import GOOD, PARAMETERS, write_notebook


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return small_book(tmp_path_factory.mktemp("book") / "small")


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("notebooks")
    write_notebook(home / "good.ipynb", GOOD)
    write_notebook(home / "bad.ipynb", ["times / 0"], title="A study that fails")
    write_notebook(home / "endless.ipynb", ["import time\ntime.sleep(60)"], title="A study without end")
    write_notebook(home / "dead.ipynb", ["import os\nos._exit(9)"], title="A study whose kernel dies")
    return home


@pytest.fixture(scope="module")
def run(place, notebooks, tmp_path_factory):
    """One run with a good report and three that fail, each in a way of its own."""
    asked = tuple(str(notebooks / f"{name}.ipynb") for name in ("bad", "dead", "endless", "good"))
    lines = []
    out = tmp_path_factory.mktemp("out")
    request = Request(asked, str(place), "2026-Q3", out=out, jobs=2, timeout_seconds=10, parameters={"times": "3"})
    return render(request, tell=lines.append), lines


def test_a_report_is_published_whole(run):
    good = run[0].folder / "good"
    files = {str(path.relative_to(good)) for path in good.rglob("*") if path.is_file()}
    assert files == {
        "report.html", "notebook.ipynb", "findings.json", "manifest.json", "tables/accounts.parquet", "tables/accounts.csv",
    }  # fmt: skip
    assert folder.is_whole(good)


def test_findings_are_machine_readable_with_their_verdicts(run):
    found = json.loads((run[0].folder / "good" / "findings.json").read_text())
    assert [f["id"] for f in found] == ["toy.count", "toy.none"]
    assert found[0]["value"] == 3
    assert (found[1]["verdict"], found[1]["reason"]) == ("no conclusion", "Too few.")


def test_the_manifest_says_what_was_run_on_what(run, place):
    manifest = folder.read_manifest(run[0].folder / "good")
    assert manifest["parameters"]["times"] == 3
    assert manifest["book"] == "Small book"
    assert {"book_fingerprint", "code_version", "packages", "seconds", "seed", "inputs", "files"} <= set(manifest)


def test_one_failing_report_does_not_stop_the_others(run):
    summary, _ = run
    assert summary.exit_code == 1
    assert {o.name: o.status for o in summary.outcomes} == {
        "good": "published", "bad": "failed", "endless": "failed", "dead": "failed",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("bad", "ZeroDivisionError: division by zero (cell"),
        ("endless", "it ran longer than 10 seconds and was stopped; give a longer --timeout"),
        ("dead", "the kernel died, most likely out of memory; render with fewer --jobs or a narrower scope"),
    ],
)
def test_a_failure_says_why(run, name, why):
    assert next(o.why for o in run[0].outcomes if o.name == name).startswith(why)


def test_a_failed_report_is_kept_for_the_operator_and_not_published(run):
    where = run[0].folder
    assert "ZeroDivisionError" in (where / "failed" / "bad" / "traceback.txt").read_text()
    assert (where / "failed" / "bad" / "notebook.ipynb").is_file()
    assert not (where / "bad").exists()


def test_run_json_names_every_report_and_why_it_failed(run):
    record = json.loads((run[0].folder / "run.json").read_text())
    assert len(record["reports"]) == 4
    assert all(r["why"] for r in record["reports"] if r["status"] == "failed")


def test_the_index_shows_headlines_verdicts_and_failures(run):
    page = (run[0].folder / "index.html").read_text()
    assert "There are 8 accounts." in page
    assert "no conclusion" in page
    assert "division by zero" in page


def test_nothing_half_built_is_left(run):
    assert not [p for p in run[0].folder.rglob("*") if p.name.startswith((".building-", ".replaced-"))]


def test_progress_is_told_for_each_report(run):
    assert len([line for line in run[1] if "/4] " in line]) == 4


def test_the_page_asks_no_other_host_and_folds_its_code(run):
    page = (run[0].folder / "good" / "report.html").read_text()
    assert 'src="http' not in page
    assert "<link" not in page
    assert "Content-Security-Policy" in page
    assert '<details class="code">' in page


def test_no_path_of_this_machine_is_in_the_published_notebook_beyond_the_place_given(run, place, notebooks):
    text = (run[0].folder / "good" / "notebook.ipynb").read_text()
    assert str(notebooks) not in text
    assert ".building-" not in text


def _request(place, notebooks, out, name="good", **more):
    return Request((str(notebooks / f"{name}.ipynb"),), str(place), "2026-Q3", out=out, **more)


@pytest.fixture(scope="module")
def twice(place, notebooks, tmp_path_factory):
    out = tmp_path_factory.mktemp("twice")
    first = render(_request(place, notebooks, out))
    stamp = (first.folder / "good" / "manifest.json").stat().st_mtime_ns
    second = render(_request(place, notebooks, out))
    return first, second, stamp


def test_a_second_run_keeps_what_has_not_changed(twice):
    first, second, stamp = twice
    assert [o.status for o in second.outcomes] == ["kept"]
    assert (first.folder / "good" / "manifest.json").stat().st_mtime_ns == stamp


def test_forced_again_the_same_inputs_give_the_same_findings_and_tables(twice, place, notebooks):
    first = twice[0].folder / "good"
    before = folder.read_manifest(first)["files"]
    again = render(_request(place, notebooks, twice[0].folder.parents[1], force=True))
    after = folder.read_manifest(again.folder / "good")["files"]
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"report.html"}, "only the page, which says when it was made, may differ"


def test_another_period_reads_the_report_before_it(place, tmp_path):
    path = write_notebook(tmp_path / "n" / "chain.ipynb", [*GOOD, 'publish.note(previous or "none")'])
    for period in ("2026-Q2", "2026-Q3"):
        summary = render(Request((str(path),), str(place), period, out=tmp_path / "out"))
    manifest = folder.read_manifest(summary.folder / "chain")
    assert Path(manifest["parameters"]["previous"]).parts[-2:] == ("2026-Q2", "chain")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"period": "2026-Q5"}, "'2026-Q5' is not a period"),
        ({"period": "2031-Q1"}, "period 2031-Q1 lies outside book 'Small book', whose orders run from"),
        ({"parameters": {"tims": "1"}}, "no notebook asked for has a parameter 'tims'; did you mean 'times'"),
        ({"parameters": {"times": "x"}}, "parameter times = 'x' is not int"),
        ({"scope": {"manger_id": "M1"}}, "accounts have no column 'manger_id' to scope by; did you mean 'manager_id'"),
        ({"scope": {"manager_id": "M99"}}, "the scope manager_id=M99 matches no account"),
        ({"reports": ("studies/chrn",)}, "there is no spec and no notebook 'studies/chrn'"),
        ({"place": "nowhere"}, "there is no book at 'nowhere'"),
        ({"as_of": "2025-01-01"}, "--as-of 2025-01-01 lies before the period 2026-Q3 begins"),
    ],
)  # fmt: skip
def test_a_wrong_request_starts_nothing(place, notebooks, tmp_path, change, message):
    asked = {
        "reports": (str(notebooks / "good.ipynb"),),
        "place": str(place),
        "period": "2026-Q3",
        "out": tmp_path / "o",
    }
    with pytest.raises(RequestError) as caught:
        render(Request(**{**asked, **change}))
    assert message in str(caught.value)
    assert not (tmp_path / "o").exists()


def test_a_folder_held_by_another_run_is_left_alone(place, notebooks, tmp_path):
    where = tmp_path / "Small-book"
    name = folder.safe_name("Small book")
    with (
        folder.held(tmp_path / name / "2026-Q3"),
        pytest.raises(RequestError, match=f"is held by process {os.getpid()}"),
    ):
        render(_request(place, notebooks, tmp_path))
    assert not where.exists()


def test_a_killed_replacement_is_mended(tmp_path):
    (tmp_path / ".replaced-good").mkdir()
    (tmp_path / ".building-good-x").mkdir()
    folder.tidy(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["good"]


@pytest.mark.parametrize(
    "text", ["../../etc/passwd", "a/b", "", ".", "con\x00", "大客戶", "x" * 300, "=cmd|'/c calc'!A0"]
)
def test_outside_names_make_safe_folder_names(text):
    name = folder.safe_name(text)
    assert name not in {"", ".", ".."}
    assert len(name.encode()) < 255
    assert not set(name) & set("/\\\0:'\"<>|?*= ")


def test_two_names_that_look_alike_do_not_share_a_folder():
    assert len({folder.safe_name(text) for text in ("a b", "a/b", "a-b", "a.b")}) == 4


def test_the_fan_out_gives_each_manager_a_page_of_their_own_scope(place, notebooks, tmp_path):
    summary = render(_request(place, notebooks, tmp_path, each="manager", jobs=2))
    assert not summary.failed
    for outcome in summary.outcomes:
        table = pd.read_parquet(summary.folder / "good" / outcome.key / "tables" / "accounts.parquet")
        assert set(table.manager_id) == {outcome.key}


def test_the_command_line_ends_with_the_path_of_the_index(place, notebooks, tmp_path):
    command = [sys.executable, "-m", "kamlib.cli", "render", str(notebooks / "good.ipynb"), "--book", str(place)]
    done = subprocess.run([*command, "--period", "2026-Q3", "--out", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("2026-Q3/index.html")
    assert Path(done.stdout.splitlines()[-1]).is_file()


def test_a_wrong_request_on_the_command_line_ends_with_two(place, notebooks, tmp_path):
    command = [
        sys.executable,
        "-m",
        "kamlib.cli",
        "render",
        "nothing",
        "--book",
        str(place),
        "--period",
        "2026-Q3",
    ]
    done = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("kam: there is no spec and no notebook 'nothing'")
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_parameters_cell_of_the_toy_is_itself_valid():
    from kamlib.reports.parameters import parse

    assert list(parse(PARAMETERS))[-1] == "times"


@pytest.mark.parametrize(
    ("asked", "period", "since", "labels"),
    [
        (["quarterly"], "last", None, ["2026-Q3"]),
        (["monthly"], "last", None, ["2026-10"]),
        (["quarterly"], "last", "2026-Q1", ["2026-Q1", "2026-Q2", "2026-Q3"]),
        (["quarterly"], "2026-Q2", None, ["2026-Q2"]),
    ],
)
def test_a_schedule_asks_for_the_last_period_and_catches_up(asked, period, since, labels):
    assert periods_asked(asked, period, since, today=dt.date(2026, 11, 23)) == labels


def test_a_set_made_for_another_kind_of_period_is_refused_with_the_one_meant():
    with pytest.raises(RequestError, match="weekly is made for a week, and 2026-Q3 is a quarter; name a week such as"):
        periods_asked(["weekly"], "2026-Q3")


def test_a_whole_set_is_fanned_out():
    assert [report.each for report in read_reports(["weekly"], each="manager")] == ["manager", "manager"]


@pytest.mark.parametrize(
    ("since", "message"),
    [
        ("2026-09", "--since 2026-09 is a month and --period 2026-Q3 a quarter"),
        ("2026-Q4", "--since 2026-Q4 lies after"),
    ],
)
def test_a_wrong_since_is_refused(since, message):
    with pytest.raises(RequestError, match=message):
        periods_asked([], "2026-Q3", since)


@pytest.fixture(scope="module")
def manager(place) -> str:
    with open_book(place) as book:
        return book.frame("accounts").manager_id.mode()[0]


def test_a_report_of_one_manager_does_not_replace_that_of_the_whole_book(place, notebooks, tmp_path, manager):
    whole = render(_request(place, notebooks, tmp_path))
    with pytest.raises(
        RequestError, match=r"\(good\) is there for the whole book and would be replaced by that .* --out"
    ):
        render(_request(place, notebooks, tmp_path, scope={"manager_id": manager}))
    assert folder.read_manifest(whole.folder / "good")["parameters"]["scope"] == {}
    assert not render(_request(place, notebooks, tmp_path, scope={"manager_id": manager}, each="manager")).failed


def test_the_last_report_is_one_of_the_same_scope(place, notebooks, tmp_path, manager):
    asked = _request(place, notebooks, tmp_path)
    render(replace(asked, period="2026-Q2"))
    scoped = render(replace(asked, scope={"manager_id": manager}))
    assert folder.read_manifest(scoped.folder / "good")["parameters"]["previous"] == ""


def test_pages_of_single_accounts_share_a_processor_and_studies_do_not(monkeypatch):
    monkeypatch.setattr(render_module, "cpu_count", lambda: 3)
    page, study = SimpleNamespace(parameters={"account_id": "0007"}), SimpleNamespace(parameters={})
    monkeypatch.setattr(render_module.os, "sysconf", lambda name: 2**20)
    assert (side_by_side([page, page]), side_by_side([page, study])) == (6, 3)


def test_a_small_machine_makes_one_study_at_a_time(monkeypatch):
    monkeypatch.setattr(render_module.os, "sysconf", lambda name: 2**15)
    assert side_by_side([SimpleNamespace(parameters={})]) == 1


def test_what_a_report_leaves_behind_is_freed_before_the_run_ends(monkeypatch):
    left = []

    def make(job):
        client = type("Client", (), {})()
        client.itself = client  # as a notebook and its client hold each other
        left.append(weakref.ref(client))
        return render_module.Outcome("toy", "", "published", 0.0)

    monkeypatch.setattr(render_module, "run", make)
    gc.disable()
    try:
        render_module._run([SimpleNamespace()] * 3, Request(("toy",), "book", "2026-Q3", jobs=1), lambda line: None)
    finally:
        gc.enable()
    assert [ref() for ref in left] == [None] * 3
