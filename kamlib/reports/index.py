"""The pages that lead to the reports: one for a period, one for all periods of a book."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from kamlib.book.periods import Period
from kamlib.reports import failures, folder
from kamlib.reports.finding import headlines_first
from kamlib.reports.page import frame

HEADLINES = 4
_ALSO = (("PDF", "report.pdf"), ("Excel", "report.xlsx"))
_ACCOUNT_COLUMNS = ("name", "class", "segment", "decision", "action")


def write_index(where: Path, book: str, period: str, as_of: str, failed: list[dict]) -> None:
    """The index of a period: every published report with its headlines and what they were a period ago, a search
    over accounts, and what could not be made (name, key and why).

    A report that could not be made again still stands as of its earlier run, and is marked so.
    """
    before = where.parent / Period.parse(period).previous().label
    reports = folder.published(where)
    # Of this run, and of earlier ones whose reports have not been made since.
    failed = list({(f["name"], f["key"]): f for f in [*failures.kept(where), *failed]}.values())
    reasons = {where / f["name"] / f["key"]: f["why"] for f in failed}
    entries = [_entry(report, where, before, reasons.get(report, "")) for report in reports]
    single = [entry for entry, report in zip(entries, reports, strict=True) if report.parent == where]
    fanned = [entry for entry, report in zip(entries, reports, strict=True) if report.parent != where]
    accounts, published = _accounts(reports, where), {*reports}
    page = frame(
        "index.html.j2",
        book=book,
        period=period,
        as_of=as_of,
        reports=single,
        fanned=_by_notebook(fanned, {folder.safe_name(one["account_id"]): one["name"] for one in accounts}),
        accounts=accounts,
        failed=[f | {"is_stale": path in published} for f, path in zip(failed, reasons, strict=True)],
    )
    folder.write_text(where / "index.html", page)


def _entry(report: Path, where: Path, before: Path, why_stale: str) -> dict:
    manifest = folder.read_manifest(report)
    about = manifest["key"] or manifest["parameters"].get("account_id", "")
    title = f"{about}: {manifest['title']}" if about else manifest["title"]
    href = "/".join([*report.relative_to(where).parts, "report.html"])
    earlier = {found["id"]: found for found in _findings(before / report.relative_to(where))}
    headlines = headlines_first(_findings(report))[:HEADLINES]
    findings = [{**found, "before": earlier.get(found["id"])} for found in headlines]
    made_on = manifest["made_on"].replace("T", " ")[:16]
    return {
        "title": title,
        "name": manifest["report"],
        "of": manifest["title"],
        "key": manifest["key"],
        "href": href,
        "findings": findings,
        "also": [{"label": f, "href": f"{href.rpartition('/')[0]}/{n}"} for f, n in _ALSO if n in manifest["files"]],
        "why_stale": why_stale,
        "made_on": made_on,
        "as_of": manifest["as_of"],
    }


def _by_notebook(entries: list[dict], names: dict[str, str]) -> list[dict]:
    """The pages that come one for each account, manager and so on: a list for each notebook, in its title's words."""
    groups: dict[str, dict] = {}
    for entry in entries:
        group = groups.setdefault(entry["name"], {"title": entry["of"], "pages": []})
        group["pages"].append({**entry, "about": names.get(entry["key"], "")})
    return list(groups.values())


def _findings(report: Path) -> list[dict]:
    path = report / "findings.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def _accounts(reports: list[Path], where: Path) -> list[dict]:
    """Every account that a report shows, with what the reports say of it and where it has a page of its own."""
    seen: dict[str, dict] = {}
    pages = {folder.read_manifest(report)["key"]: report for report in reports if report.parent != where}
    for path in (report / "tables" / "accounts.parquet" for report in reports if report.parent == where):
        if not path.is_file():
            continue
        shown = pd.read_parquet(path)
        if "account_id" not in shown:
            continue
        columns = [column for column in _ACCOUNT_COLUMNS if column in shown]
        for row in shown[["account_id", *columns]].astype(object).where(lambda f: f.notna(), "").to_dict("records"):
            known = seen.setdefault(str(row["account_id"]), dict.fromkeys(_ACCOUNT_COLUMNS, ""))
            known.update({name: str(row[name]) for name in columns if str(row[name])})
    links = {key: "/".join([*report.relative_to(where).parts, "report.html"]) for key, report in pages.items()}
    return [
        {"account_id": key, **known, "href": links.get(folder.safe_name(key), "")}
        for key, known in sorted(seen.items())
    ]


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
