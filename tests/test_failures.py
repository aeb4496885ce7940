"""Whatever goes wrong with one report is a clear line; the others are published and nothing is half-written."""

import errno
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from subprocess import TimeoutExpired

import pytest
from bs4 import BeautifulSoup

from kamlib.errors import RequestError
from kamlib.reports import failures, folder, job
from kamlib.reports.render import Request, render

from books import small_book, small_frames, write_folder
from toy_notebooks import GOOD, PARAMETERS, write_notebook

FAT = ["import numpy as np", 'publish.table("fat", pd.DataFrame({"x": np.random.default_rng(1).random(2_000_000)}))']
FULL = "the disk is full; make room and run the same command again"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return small_book(tmp_path_factory.mktemp("book") / "small")


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("notebooks")
    write_notebook(home / "good.ipynb", GOOD)
    write_notebook(home / "fat.ipynb", FAT)
    orphan = ["import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nos.kill(os.getpid(), signal.SIGKILL)"]
    write_notebook(home / "orphan.ipynb", orphan)
    return home


def _render(place, notebooks, out, *names, **more):
    asked = tuple(str(notebooks / f"{name}.ipynb") for name in names)
    return render(Request(asked, str(place), "2026-Q3", out=out, jobs=1, **more))


@contextmanager
def _mounted(where: Path, *command: str):
    """A mount for the time of a test; skipped where this user may not mount."""
    where.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *command, str(where)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this user may not mount here: {done.stderr.strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", str(where)], check=True)


def _nothing_half_written(where: Path) -> bool:
    left = [p.name for p in where.rglob("*") if p.name.startswith((".building-", ".replaced-", ".writing-"))]
    return left == [] and all(folder.is_whole(report) for report in folder.published(where))


def test_a_report_that_fills_the_disk_fails_and_the_others_are_published(place, notebooks, tmp_path):
    with _mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=2m", "tmpfs") as disk:
        summary = _render(place, notebooks, disk, "fat", "good")
        assert {o.name: o.why for o in summary.failed} == {"fat": FULL}
        assert [p.name for p in folder.published(summary.folder)] == ["good"]
        assert _nothing_half_written(summary.folder)
        record = json.loads((summary.folder / "run.json").read_text())
        assert {r["name"]: r["why"] for r in record["reports"]} == {"fat": FULL, "good": ""}
        assert summary.exit_code == 1


def test_on_a_disk_without_room_what_was_published_stays_and_the_run_says_so(place, notebooks, tmp_path):
    with _mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=2m", "tmpfs") as disk:
        before = _render(place, notebooks, disk, "good")
        files = folder.read_manifest(before.folder / "good")["files"]
        with pytest.raises(OSError, match="No space left"), (disk / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(4096))
        summary = _render(place, notebooks, disk, "good", force=True)
        assert [o.why for o in summary.failed] == [FULL]
        assert (summary.exit_code, summary.unwritten) == (1, FULL)
        assert folder.read_manifest(before.folder / "good")["files"] == files
        assert _nothing_half_written(summary.folder)


@pytest.mark.parametrize("written", ["publish", "write_json"])
def test_a_write_that_fails_at_the_last_moment_leaves_the_earlier_report(
    place, notebooks, tmp_path, monkeypatch, written
):
    before = _render(place, notebooks, tmp_path, "good")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(job.folder, written, full)
    summary = _render(place, notebooks, tmp_path, "good", force=True)
    assert [o.why for o in summary.failed] == [FULL]
    assert folder.is_whole(before.folder / "good")
    assert _nothing_half_written(summary.folder)


def test_a_report_that_cannot_be_moved_into_place_leaves_the_earlier_one(tmp_path, monkeypatch):
    folder.publish(folder.new_building(tmp_path / "report"), tmp_path / "report", {"turn": 1})
    building = folder.new_building(tmp_path / "report")
    rename = Path.rename

    def refuse(self, target):
        if self == building:
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="Input/output"):
        folder.publish(building, tmp_path / "report", {"turn": 2})
    assert folder.read_manifest(tmp_path / "report")["turn"] == 1


def test_a_read_only_folder_is_a_wrong_request(place, notebooks, tmp_path):
    with _mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "ro", "tmpfs") as disk:
        with pytest.raises(RequestError) as caught:
            _render(place, notebooks, disk, "good")
        assert str(caught.value).endswith("cannot be written to (Read-only file system); choose another --out")


def test_a_read_only_folder_of_one_report_fails_that_report_alone(place, notebooks, tmp_path, monkeypatch):
    building = folder.new_building

    def refuse(target):
        if target.name == "fat":
            raise PermissionError(errno.EACCES, "Permission denied", str(target.parent))
        return building(target)

    monkeypatch.setattr(job.folder, "new_building", refuse)
    summary = _render(place, notebooks, tmp_path, "fat", "good")
    assert summary.failed[0].why == (
        f"{summary.folder} cannot be written to (Permission denied); mend that, or choose another --out"
    )
    assert [p.name for p in folder.published(summary.folder)] == ["good"]


def test_when_the_process_that_kernels_come_from_is_killed_the_next_report_is_still_made(place, notebooks, tmp_path):
    summary = _render(place, notebooks, tmp_path, "orphan", "good")
    assert [o.name for o in summary.failed] == ["orphan"]
    assert summary.failed[0].why.startswith("the kernel died, most likely out of memory")
    assert folder.is_whole(summary.folder / "good")


def test_a_program_that_does_not_end_is_named():
    assert failures.reason(TimeoutExpired(["/usr/bin/chromium"], 120), Path("out"), 9) == (
        "chromium did not end within 120 seconds"
    )


def test_a_reason_is_one_line_without_passwords():
    why = failures.reason(ValueError("first\nsecond postgresql://kam:secret@db/x"), Path("out"), 9)
    assert "secret" not in why
    assert why.startswith("ValueError: first second")


_HOLDER = """
import sys, pathlib
from kamlib.reports import folder
with folder.held(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_run_on_a_folder_is_told_who_holds_it_and_goes_on_once_that_is_killed(place, notebooks, tmp_path):
    where = tmp_path / folder.safe_name("Small book") / "2026-Q3"
    command = [sys.executable, "-c", _HOLDER, str(where)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RequestError, match=rf"is held by process {holder.pid} on {os.uname().nodename} since 20"):
            _render(place, notebooks, tmp_path, "good")
        assert not (where / "good").exists()
        holder.send_signal(signal.SIGKILL)
    assert _render(place, notebooks, tmp_path, "good").exit_code == 0


@pytest.fixture(scope="module")
def stale(place, tmp_path_factory):
    """A report that was made once, and could not be made again after its notebook had changed."""
    home = tmp_path_factory.mktemp("stale")
    write_notebook(home / "fine.ipynb", GOOD, title="A study that is fine")
    write_notebook(home / "good.ipynb", GOOD)
    _render(place, home, home / "out", "good", "fine")
    write_notebook(home / "good.ipynb", [*GOOD, "times / 0"])
    _render(place, home, home / "out", "good")
    return home, _render(place, home, home / "out", "fine")


def _section(index: str, title: str):
    heads = BeautifulSoup(index, "html.parser").find_all("h2")
    return next(head.parent for head in heads if head.text == title)


def test_the_index_marks_a_report_that_could_not_be_made_again(stale):
    section = _section((stale[1].folder / "index.html").read_text(), "A toy study")
    note = section.find(class_="kam-note").text
    assert note.startswith("Out of date: it was made on 20")
    assert "could not be made again since (ZeroDivisionError: division by zero (cell" in note
    assert section.details.summary.text == "What it found then"
    assert [li.find_parent("details") is None for li in section.find_all("li")] == [False, False]


def test_a_report_that_was_made_is_not_marked(stale):
    section = _section((stale[1].folder / "index.html").read_text(), "A study that is fine")
    assert section.find(class_="kam-note") is None
    assert len(section.find_all("li")) == 2


def test_the_mark_goes_when_the_report_is_made_again(stale, place):
    home, _ = stale
    write_notebook(home / "good.ipynb", GOOD)
    summary = _render(place, home, home / "out", "good", force=True)
    page = (summary.folder / "index.html").read_text()
    assert "Out of date" not in page
    assert "Could not be made" not in page


READER = 'publish.note("Reads the tables of others.")'


@pytest.fixture(scope="module")
def moved_on(tmp_path_factory):
    """Three reports of one book; then the book changed, and only the first was made again."""
    home = tmp_path_factory.mktemp("moved-on")
    for name in ("first", "second"):
        write_notebook(home / f"{name}.ipynb", GOOD, title=f"The {name} study")
    reading = f'{PARAMETERS}\ntables: str = ""  # folder of reports, path'
    write_notebook(home / "third.ipynb", [GOOD[0], READER], title="One that reads", parameters=reading)
    place = small_book(home / "book")
    _render(place, home, home / "out", "first", "second", "third")
    frames = small_frames(0)
    frames["accounts"]["name"] += " Ltd"
    write_folder(frames, place)
    return home, place, _render(place, home, home / "out", "first")


def test_the_index_marks_the_reports_that_a_changed_book_has_left_behind(moved_on):
    page = (moved_on[2].folder / "index.html").read_text()
    said = {title: _section(page, title).find(class_="kam-note") for title in ("The first study", "The second study")}
    assert said["The first study"] is None
    assert said["The second study"].text.endswith("and the book has changed since.")
    assert ("Out of date", "2") in [
        (div.dt.text, div.dd.text) for div in BeautifulSoup(page, "html.parser").select("header .card div")
    ]


def test_the_index_marks_a_report_whose_sources_say_otherwise_now(moved_on):
    home, place, _ = moved_on
    _render(place, home, home / "out", "second", "third")
    write_notebook(home / "first.ipynb", [GOOD[0], GOOD[1].replace("))", ").head(2))")], title="The first study")
    page = (_render(place, home, home / "out", "first").folder / "index.html").read_text()
    assert _section(page, "The second study").find(class_="kam-note") is None
    assert _section(page, "One that reads").find(class_="kam-note").text.endswith("and say otherwise.")
    assert "Out of date" not in (_render(place, home, home / "out", "third").folder / "index.html").read_text()
