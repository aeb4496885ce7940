"""A run killed at any instant leaves only whole reports, and the same command finishes the rest."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kamlib.reports import folder
from kamlib.reports.render import Request, render

from books import small_book
from toy_notebooks import GOOD, write_notebook

KILLS = 50


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    home = tmp_path_factory.mktemp("killed")
    place = small_book(home / "book")
    for name in ("one", "two", "three"):
        write_notebook(home / f"{name}.ipynb", GOOD)
    return place, tuple(str(home / f"{name}.ipynb") for name in ("one", "two", "three")), home / "out"


_PUBLISHER = """
import sys, pathlib
from kamlib.reports import folder
target = pathlib.Path(sys.argv[1])
print("ready", flush=True)
for turn in range(10_000):
    building = folder.new_building(target)
    (building / "tables").mkdir()
    for name in ("report.html", "findings.json", "tables/accounts.csv"):
        (building / name).write_text(f"{turn} " * 20_000)
    folder.publish(building, target, {"turn": turn})
"""


def test_at_fifty_random_instants_what_is_published_is_whole(tmp_path):
    """The folder's moves are what a kill can break, so they are made without pause and killed in the middle."""
    instants = random.Random(20260930)
    target = tmp_path / "2026-Q3" / "report"
    for _ in range(KILLS):
        command = [sys.executable, "-c", _PUBLISHER, str(target)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        process.stdout.readline()
        time.sleep(instants.uniform(0.001, 0.08))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for found in folder.published(target.parent):
            assert folder.is_whole(found)
        folder.tidy(target.parent)
        left = [path.name for path in target.parent.iterdir()]
        assert set(left) <= {"report"}, left
        assert not target.exists() or folder.is_whole(target)
    assert folder.is_whole(target), "after fifty runs something must have been published and kept"


def _start(place: Path, reports: tuple, out: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "kamlib.cli", "render", *reports, "--book", str(place), "--period", "2026-Q3"]
    command += ["--jobs", "1", "--out", str(out)]  # one after the other, so that the first to be done is known
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


def test_a_killed_run_is_finished_by_the_same_command_without_redoing_what_is_done(asked):
    place, reports, out = asked
    process = _start(place, reports, out)
    first = process.stdout.readline()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert first.startswith("[1/3] one: published"), first
    summary = render(Request(reports, str(place), "2026-Q3", out=out, jobs=1))
    assert next(o.name for o in summary.outcomes if o.status == "kept") == "one"
    assert len(folder.published(summary.folder)) == 3
    assert all(folder.is_whole(report) for report in folder.published(summary.folder))


def test_no_kernel_outlives_a_killed_run(asked, tmp_path):
    place, _reports, _ = asked
    slow = write_notebook(
        tmp_path / "slow.ipynb", ["import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)"]
    )
    command = [sys.executable, "-m", "kamlib.cli", "render", str(slow), "--book", str(place), "--period", "2026-Q3"]
    process = subprocess.Popen([*command, "--out", str(tmp_path / "o")], cwd=tmp_path, start_new_session=True)
    until = time.monotonic() + 90
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < until, "the kernel did not start"
        time.sleep(0.1)
    kernel = int((tmp_path / "pid").read_text())
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    until = time.monotonic() + 10
    while Path(f"/proc/{kernel}").exists() and "Z" not in Path(f"/proc/{kernel}/stat").read_text().split()[2]:
        assert time.monotonic() < until, f"kernel {kernel} still runs after its run was killed"
        time.sleep(0.1)
