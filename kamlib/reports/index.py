"""The pages that lead to the reports: one for a period, one for all periods of a book."""

from __future__ import annotations

import json
from pathlib import Path

from kamlib.reports import folder
from kamlib.reports.page import frame


def write_index(where: Path, book: str, period: str, as_of: str, failed: list) -> None:
    """The index of a period: every published report with its headline findings, and what was not published."""
    entries = [_entry(report, where) for report in folder.published(where)]
    page = frame(
        "index.html.j2", book=book, period=period, as_of=as_of, reports=entries,
        failed=[{"name": f.name, "key": f.key, "why": f.why} for f in failed],
    )  # fmt: skip
    folder.write_text(where / "index.html", page)


def _entry(report: Path, where: Path) -> dict:
    manifest = folder.read_manifest(report)
    findings = json.loads((report / "findings.json").read_text(encoding="utf-8"))
    title = f"{manifest['title']}: {manifest['key']}" if manifest["key"] else manifest["title"]
    href = "/".join([*report.relative_to(where).parts, "report.html"])
    return {"title": title, "href": href, "findings": findings[:4]}


def write_periods(book_folder: Path, book: str) -> None:
    """The index of all periods of a book, the latest first."""
    periods = [
        {
            "label": path.parent.name,
            "href": f"{path.parent.name}/index.html",
            "reports": len(folder.published(path.parent)),
        }
        for path in sorted(book_folder.glob("*/index.html"), reverse=True)
    ]
    folder.write_text(book_folder / "index.html", frame("periods.html.j2", book=book, periods=periods))
