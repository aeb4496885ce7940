"""The pages that lead to the reports: one for a period, one for all periods of a book."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pandas as pd

from kamlib.book.periods import Period
from kamlib.reports import failures, folder
from kamlib.reports.finding import headlines_first
from kamlib.reports.page import frame
from kamlib.reports.sentences import say
from kamlib.studies.churn.calls import LEAVE

HEADLINES = 4
_ALSO = (("PDF", "report.pdf"), ("Excel", "report.xlsx"))
_ACCOUNT_COLUMNS = ("name", "class", "segment", "status", "decision", "action", "action_code")


@dataclass(frozen=True)
class State:
    """What an index is of, and what its reports should have been made from.

    Attributes
    ----------
    book, period, as_of : name, label and day (ISO).
    fingerprint : of the book now.
    said : what this period's studies published, as :func:`kamlib.reports.planning.tables_said` tells it.
    marks : whether names are replaced (``is_redacted``) and personal fields shown (``is_personal``).
    """

    book: str
    period: str
    as_of: str
    fingerprint: str = ""
    said: list = field(default_factory=list)
    marks: Mapping[str, bool] = field(default_factory=lambda: {"is_redacted": False, "is_personal": False})


def write_index(where: Path, now: State, failed: list[dict]) -> None:
    """The index of a period: every published report with its headlines and what they were a period ago, a search
    over accounts, and what could not be made (name, key and why).

    A report that could not be made again still stands as of its earlier run, and is marked so; so is one that was
    made before the book, or what it takes over from other reports, changed.
    """
    before = where.parent / Period.parse(now.period).previous().label
    reports = folder.published(where)
    # Of this run, and of earlier ones whose reports have not been made since.
    failed = list({(f["name"], f["key"]): f for f in [*failures.kept(where), *failed]}.values())
    reasons = {where / f["name"] / f["key"]: f["why"] for f in failed}
    stale = _Staleness(now.fingerprint, folder.digest_json(now.said), now.as_of, reasons)
    entries = [_entry(report, where, before, stale) for report in reports]
    single = [entry for entry, report in zip(entries, reports, strict=True) if report.parent == where]
    fanned = [entry for entry, report in zip(entries, reports, strict=True) if report.parent != where]
    published = {*reports}
    page = frame(
        "index.html.j2",
        book=now.book,
        period=now.period,
        as_of=now.as_of,
        made_on=f"{datetime.now():%Y-%m-%d %H:%M}",
        verdicts=say("page.verdicts"),
        reports=single,
        fanned=_by_notebook(fanned),
        accounts=_accounts(reports, where),
        failed=[f | {"is_stale": path in published} for f, path in zip(failed, reasons, strict=True)],
        stale=sum(bool(entry["why_stale"]) for entry in entries),
        **now.marks,
    )
    folder.write_text(where / "index.html", page)


@dataclass(frozen=True)
class _Staleness:
    fingerprint: str
    said: str
    as_of: str
    reasons: Mapping[Path, str]

    def why(self, report: Path, manifest: dict) -> str:
        """Why a published report is out of date, as the end of a sentence; nothing where it is not."""
        if report in self.reasons:
            return say("page.stale_failed", why=self.reasons[report])
        if self.fingerprint and manifest["book_fingerprint"] != self.fingerprint:
            return say("page.stale_book")
        if manifest["as_of"] < self.as_of:
            return say("page.stale_day", as_of=self.as_of)
        return say("page.stale_said") if manifest.get("said") not in {None, "", self.said} else ""


def _entry(report: Path, where: Path, before: Path, stale: _Staleness) -> dict:
    manifest = folder.read_manifest(report)
    about = manifest.get("about") or manifest["key"]
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
        "about": about,
        "href": href,
        "findings": findings,
        "also": [{"label": f, "href": f"{href.rpartition('/')[0]}/{n}"} for f, n in _ALSO if n in manifest["files"]],
        "why_stale": stale.why(report, manifest),
        "made_on": made_on,
        "as_of": manifest["as_of"],
    }


def _by_notebook(entries: list[dict]) -> list[dict]:
    """The pages that come one for each account, manager and so on: a list for each notebook, in its title's words."""
    groups: dict[str, dict] = {}
    for entry in entries:
        groups.setdefault(entry["name"], {"title": entry["of"], "pages": []})["pages"].append(entry)
    return list(groups.values())


def _findings(report: Path) -> list[dict]:
    path = report / "findings.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def _accounts(reports: list[Path], where: Path) -> list[dict]:
    """Every account that a report shows, with what the reports say of it and where it has a page of its own."""
    seen: dict[str, dict] = {}
    # Of several pages of an account its dossier, which leads to what the others say.
    paged = sorted((r for r in reports if r.parent != where), key=lambda report: report.parent.name == "dossier")
    pages = {folder.read_manifest(report)["key"]: report for report in paged}
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
    due, overdue = _first_due(reports, where)
    for key in overdue & {*seen}:
        if seen[key]["action_code"] == LEAVE:
            seen[key]["action"] = ""  # what its orders do not ask for, a rule does
    links = {key: "/".join([*report.relative_to(where).parts, "report.html"]) for key, report in pages.items()}
    return [
        {"account_id": key, **known, "due": due.get(key, ""), "href": links.get(folder.safe_name(key), "")}
        for key, known in sorted(seen.items())
    ]


def _first_due(reports: list[Path], where: Path) -> tuple[dict[str, str], set[str]]:
    """What is due first to each account, with its day, and which are overdue, as the due list of the period has it."""
    path = where / "due_list" / "tables" / "due.parquet"
    if path.parents[1] not in reports or not path.is_file():
        return {}, set()
    first = pd.read_parquet(path, columns=["account_id", "due_on", "what", "days_overdue"])
    first = first.sort_values("due_on", kind="stable").drop_duplicates("account_id")
    said = {
        row.account_id: say(f"page.due_{'overdue' if row.days_overdue > 0 else 'ahead'}", on=row.due_on, what=row.what)
        for row in first.itertuples()
    }
    return said, {*first.loc[first["days_overdue"] > 0, "account_id"]}


def write_periods(book_folder: Path, now: State) -> None:
    """The index of all periods of a book: the one that ended last first, of those that end on a day the longest."""
    made = [(Period.parse(path.parent.name), path.parent) for path in book_folder.glob("*/index.html")]
    made.sort(key=lambda one: (-one[0].end.toordinal(), one[0].start))
    periods = [_period(period, where) for period, where in made]
    folder.write_text(book_folder / "index.html", frame("periods.html.j2", book=now.book, periods=periods, **now.marks))


def _period(period: Period, where: Path) -> dict:
    """A line of the index of all periods: the period, its kind and day, when it was rendered, and what came of it."""
    record = where / "run.json"
    run = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    return {
        "label": where.name,
        "kind": say(f"page.kind_{period.kind}"),
        "href": f"{where.name}/index.html",
        "as_of": run.get("as_of", ""),
        "made_on": run.get("finished", "").replace("T", " ")[:16],
        "reports": len(folder.published(where)),
        "failed": len(failures.kept(where)),
    }
