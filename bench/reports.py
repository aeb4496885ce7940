"""What a report costs: account dossiers through our render, beside papermill with nbconvert, and one warm process.

Three contenders make the same dossiers from the same book in one run:

- ``kam``: our render, ``--jobs 2``, each report in a kernel process of its own;
- ``papermill``: the command lines of papermill and of ``jupyter nbconvert``, one after the other, per report;
- ``one process``: the same cells in one warm IPython, without any isolation: the floor.

Printed: seconds a report, ratios, and the largest memory of the rendering process. ``--dossiers 1000`` shows whether
memory grows with their number.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from kamlib.book.sample import write_sample
from kamlib.reports.render import Request, render

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "accounts" / "dossier.ipynb"
AS_OF, PERIOD = "2026-09-30", "2026-Q3"


def through_kam(place: Path, out: Path, jobs: int) -> tuple[float, int]:
    """Seconds and number of dossiers through our render, start-up included."""
    started = time.perf_counter()
    summary = render(Request(("accounts/dossier",), str(place), PERIOD, out=out, each="account", jobs=jobs))
    if summary.failed:
        raise SystemExit(f"{len(summary.failed)} dossiers failed: {summary.failed[0].why}")
    return time.perf_counter() - started, len(summary.outcomes)


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
    for account in [accounts[0], *accounts]:
        started = time.perf_counter()
        for cell in cells:
            shell.run_cell(cell.source, silent=True)
            if "parameters" in cell.metadata.get("tags", []):
                shell.push({"place": str(place), "account_id": account, "as_of": AS_OF})
        spent.append(time.perf_counter() - started)
    return sum(spent[1:]) / len(accounts)


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--dossiers", type=int, default=200)
    arguments.add_argument("--cold", type=int, default=2, help="reports made by papermill and nbconvert")
    arguments.add_argument("--jobs", type=int, default=2)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="kam-bench-") as home:
        place = Path(home) / "book"
        write_sample(place, accounts=asked.dossiers)
        total, made = through_kam(place, Path(home) / "out", asked.jobs)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        accounts = sorted(path.name for path in next((Path(home) / "out").glob("*/*/dossier")).iterdir())[:8]
        floor = in_one_process(place, accounts)
        cold = through_papermill(place, accounts[: asked.cold], Path(home))
    each = total / made
    print(f"{made} dossiers, {asked.jobs} jobs, one run")
    print(f"{'contender':<24}{'seconds a report':>18}{'against kam':>14}")
    for name, seconds in (("kam", each), ("papermill + nbconvert", cold), ("one warm process", floor)):
        print(f"{name:<24}{seconds:>18.2f}{seconds / each:>13.2f}x")
    print(f"peak memory: rendering process {peak:.2f} GB, largest process it started {workers:.2f} GB")


if __name__ == "__main__":
    main()
