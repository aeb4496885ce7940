"""What a report costs: account dossiers through our render, beside papermill with nbconvert, and one warm process.

Three contenders make the same dossiers from the same book in one run:

- ``kam``: our render with its own number of jobs, each report in a kernel process of its own, start-up included;
- ``papermill``: the command lines of papermill and of ``jupyter nbconvert``, one after the other, per report;
- ``one process``: the same cells in one warm IPython, without any isolation and without a page: the floor. The book is
  laid out by account for it once, as our render does for its kernels.

Printed: seconds and processor seconds a report (the latter say the same on a busy machine), ratios, memory of a
kernel beyond what it shares, and the memory of the rendering process after each quarter of the reports. 200 dossiers
take about five minutes on two idle cores; ``--dossiers 1000 --parts kam`` shows memory over many. With ``--home DIR``
the book and the reports stay there, and a run that was stopped goes on where it was: what is made is kept, and only
what is made anew counts.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from kamlib import open_book
from kamlib.book.sample import write_sample
from kamlib.reports.kernels import Nursery
from kamlib.reports.render import Request, render
from kamlib.studies.dossier.shelf import SHELF, lay_out

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "accounts" / "dossier.ipynb"
AS_OF, PERIOD = "2026-09-30", "2026-Q3"
PARTS = ("kam", "floor", "cold")


@dataclass
class Memory:
    """Megabytes over a run: of the rendering process after each report, and the most a kernel had for itself."""

    rendering: list[float] = field(default_factory=list)
    kernel: float = 0.0
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Memory:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *exception) -> None:
        self._ended.set()

    def note(self, line: str) -> None:
        """Take the size of this process when a report is done."""
        if "published" in line:
            self.rendering.append(_kilobytes(Path("/proc/self/smaps_rollup"), "Rss:") / 1024)

    def _watch(self) -> None:
        while not self._ended.wait(0.25):
            for kernel in self._kernels():
                with contextlib.suppress(OSError):  # it has ended since
                    own = _kilobytes(Path(f"/proc/{kernel}/smaps_rollup"), "Private_")
                    self.kernel = max(self.kernel, own / 1024)

    @staticmethod
    def _kernels() -> list[str]:
        here = Nursery.running()
        path = Path(f"/proc/{here}/task/{here}/children")
        return path.read_text().split() if here and path.exists() else []


def _kilobytes(path: Path, field_name: str) -> int:
    lines = path.read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(field_name))


def processor_seconds() -> float:
    """Of this process and of all that it started and that has ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def through_kam(place: Path, out: Path, jobs: int | None) -> tuple[float, int, Memory]:
    """Seconds, number of dossiers made and memory through our render, start-up included."""
    started = time.perf_counter()
    request = Request(("accounts/dossier",), str(place), PERIOD, out=out, each="account", jobs=jobs)
    with Memory() as memory:
        summary = render(request, tell=memory.note)
        seconds = time.perf_counter() - started
        Nursery.get().close()
    if summary.failed:
        raise SystemExit(f"{len(summary.failed)} dossiers failed: {summary.failed[0].why}")
    made = sum(outcome.status == "published" for outcome in summary.outcomes)
    return seconds, made, memory


def through_papermill(place: Path, accounts: list[str], out: Path) -> float:
    """Seconds a report on the command lines of papermill and nbconvert."""
    started = time.perf_counter()
    for account in accounts:
        made = out / f"{account}.ipynb"
        given = ["-r", "place", str(place), "-r", "account_id", account, "-r", "as_of", AS_OF]
        subprocess.run(
            [sys.executable, "-m", "papermill", str(NOTEBOOK), str(made), *given, "-k", "python3", "--no-progress-bar"],
            check=True,
            capture_output=True,
        )
        command = [sys.executable, "-m", "nbconvert", "--to", "html", str(made)]
        subprocess.run(command, check=True, capture_output=True)
    return (time.perf_counter() - started) / len(accounts)


def in_one_process(place: Path, accounts: list[str]) -> float:
    """Seconds a report for the cells alone, in one IPython that has done it once before."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    cells = [cell for cell in nbformat.read(NOTEBOOK, 4).cells if cell.cell_type == "code"]
    spent = []
    with _laid_out(place):
        for account in [accounts[0], *accounts]:
            started = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()):
                for cell in cells:
                    shell.run_cell(cell.source, silent=True).raise_error()
                    if "parameters" in cell.metadata.get("tags", []):
                        shell.push({"place": str(place), "account_id": account, "as_of": AS_OF})
            spent.append(time.perf_counter() - started)
    return sum(spent[1:]) / len(accounts)


@contextlib.contextmanager
def _laid_out(place: Path):
    with tempfile.TemporaryDirectory(prefix="kam-shelf-") as folder, open_book(place, as_of=AS_OF) as book:
        os.environ[SHELF] = str(lay_out(book, Path(folder)))
        yield
        del os.environ[SHELF]


def main() -> None:
    """Print the tables of the parts asked for."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--dossiers", type=int, default=200)
    arguments.add_argument("--cold", type=int, default=2, help="reports made by papermill and nbconvert")
    arguments.add_argument("--jobs", type=int, help="as many as the render finds room for, if not given")
    arguments.add_argument("--parts", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    arguments.add_argument("--home", type=Path, help="keep book and reports here, and go on from what is there")
    asked = arguments.parse_args()
    with contextlib.ExitStack() as stack:
        home = asked.home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kam-bench-")))
        run(asked, home)


def run(asked: argparse.Namespace, home: Path) -> None:
    """Measure the parts asked for and print each as soon as it is known."""
    place = home / f"book-{asked.dossiers}"
    if not (place / "truth").is_dir():
        write_sample(place, accounts=asked.dossiers)
    accounts = [f"C{number:04d}" for number in range(1, min(8, asked.dossiers) + 1)]
    rows = {}
    if "kam" in asked.parts:
        before = processor_seconds()
        total, made, memory = through_kam(place, home / "out", asked.jobs)
        if made:
            rows["kam"] = total / made, (processor_seconds() - before) / made
            print(f"{made} dossiers made in {total:.0f} s, {asked.jobs or 'the usual number of'} jobs")
            print_memory(memory)
    if "floor" in asked.parts:
        before = processor_seconds()
        each = in_one_process(place, accounts)
        rows["one warm process"] = each, (processor_seconds() - before) / (len(accounts) + 1)
    if "cold" in asked.parts:
        before = processor_seconds()
        each = through_papermill(place, accounts[: asked.cold], home)
        rows["papermill + nbconvert"] = each, (processor_seconds() - before) / asked.cold
    print_rows(rows)


def print_rows(rows: dict[str, tuple[float, float]]) -> None:
    """Seconds and processor seconds a report, and how many times those of kam they are."""
    print(f"{'contender':<24}{'seconds':>10}{'times kam':>12}{'processor s':>14}{'times kam':>12}")
    own = rows.get("kam", (float("nan"), float("nan")))
    for name, (each, worked) in rows.items():
        print(f"{name:<24}{each:>10.2f}{each / own[0]:>11.2f}x{worked:>14.2f}{worked / own[1]:>11.2f}x")


def print_memory(memory: Memory) -> None:
    """The rendering process after each quarter of its reports, and a kernel."""
    rows = memory.rendering
    marks = [rows[max(0, len(rows) * part // 4 - 1)] for part in (1, 2, 3, 4)]
    print("rendering process after each quarter: " + ", ".join(f"{mark:.0f} MB" for mark in marks))
    print(f"a kernel had at most {memory.kernel:.0f} MB of its own, beyond what it shares")


if __name__ == "__main__":
    main()
