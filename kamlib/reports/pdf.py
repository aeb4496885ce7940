"""A report on paper: its page printed to PDF by Chromium, the engine its readers open it with.

Page numbers and unbroken rows come from the page's own print style (``@page``, ``break-inside``), so the printed
report and the page are one document. Chromium is not a Python package: on Debian, ``apt-get install chromium``.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from kamlib.errors import RequestError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@cache
def chromium() -> str | None:
    """The Chromium of this machine, or ``None``."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def require_chromium() -> None:
    """RequestError where there is no Chromium to print with."""
    if chromium() is None:
        raise RequestError(
            f"--format pdf needs Chromium, and none of {', '.join(NAMES)} is on this machine; install it (on Debian: "
            "apt-get install chromium) or leave pdf out of --format"
        )


def write_pdf(report: Path, timeout_seconds: int = 120) -> Path:
    """Write ``report.pdf`` beside the page of a report."""
    target = report / "report.pdf"
    with tempfile.TemporaryDirectory(prefix="kam-print-") as profile:
        command = [
            chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--no-first-run", "--disable-component-update", "--disable-sync", "--no-pdf-header-footer",
            f"--user-data-dir={profile}", f"--print-to-pdf={target}", (report / "report.html").resolve().as_uri(),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_seconds)
    if done.returncode or not target.is_file():
        raise RuntimeError(f"Chromium could not print the page: {done.stderr.strip()[-300:]}")
    return target
