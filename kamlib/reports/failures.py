"""What is known of a report that failed: the reason in one clear line, its notebook and traceback for the operator."""

from __future__ import annotations

import errno
import json
import shutil
import sys
import traceback
from datetime import datetime
from pathlib import Path
from subprocess import TimeoutExpired

import papermill

from kamlib.book.places import mask
from kamlib.reports import folder

RECORD = "failure.json"
_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}
_NO_SPACE = "No space left on device"
_DISK_FULL = "the disk is full; make room and run the same command again"


def reason(error: Exception, where: Path, timeout_seconds: int) -> str:
    """Why a report failed, in one line that says what to do.

    Examples
    --------
    >>> reason(OSError(errno.ENOSPC, _NO_SPACE), Path("out"), 60)
    'the disk is full; make room and run the same command again'
    """
    kind = type(error).__name__
    if kind == "DeadKernelError":
        said = "the kernel died, most likely out of memory; render with fewer --jobs or a narrower scope"
    elif kind == "CellTimeoutError":
        said = f"it ran longer than {timeout_seconds} seconds and was stopped; give a longer --timeout"
    elif isinstance(error, OSError):
        said = _of_the_system(error, where)
    elif isinstance(error, papermill.PapermillExecutionError):
        full = _NO_SPACE in str(error.evalue)
        said = _DISK_FULL if full else f"{error.ename}: {error.evalue} (cell {error.cell_index})"
    elif isinstance(error, TimeoutExpired):
        said = f"{Path(error.cmd[0]).name} did not end within {error.timeout:g} seconds"
    else:
        said = f"{kind}: {error}"
    return mask(" ".join(said.split()))


def _of_the_system(error: OSError, where: Path) -> str:
    if error.errno in _FULL or _NO_SPACE in str(error):
        return _DISK_FULL
    place = error.filename or where
    if error.errno in _FORBIDDEN:
        return f"{place} cannot be written to ({error.strerror}); mend that, or choose another --out"
    return f"{type(error).__name__}: {error.strerror or error} at {place}"


def keep(place: Path, label: dict, why: str, error: Exception, building: Path | None) -> None:
    """Keep the reason, the traceback and the notebook of a failed report in *place*, and nothing by halves.

    Where even that cannot be written, the terminal says so.
    """
    notebook = building / "notebook.ipynb" if building else None
    try:
        forget(place)
        place.mkdir(parents=True)
        text = mask("".join(traceback.format_exception(error)))
        (place / "traceback.txt").write_text(text, encoding="utf-8")
        if notebook and notebook.is_file():
            failed = notebook.read_text(encoding="utf-8")
            (place / "notebook.ipynb").write_text(mask(failed), encoding="utf-8")
        folder.write_json(place / RECORD, {**label, "why": why, "when": f"{datetime.now():%Y-%m-%d %H:%M}"})
    except OSError as refused:
        shutil.rmtree(place, ignore_errors=True)
        print(f"kam: what failed could not be kept in {place}: {refused.strerror or refused}", file=sys.stderr)


def forget(place: Path) -> None:
    """Remove what was kept of an earlier failure; its report has been made since."""
    if place.exists():
        shutil.rmtree(place)


def kept(period_folder: Path) -> list[dict]:
    """The records (name, key, why, when) of the reports of a period that could not be made and still are not."""
    records = sorted((period_folder / folder.FAILED).rglob(RECORD))
    return [json.loads(path.read_text(encoding="utf-8")) for path in records]
