"""From a request to jobs: each report with its parameters, its place, and a digest of all that it is made from."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kamlib.book.periods import Period
from kamlib.book.store import Book
from kamlib.errors import RequestError
from kamlib.reports import folder
from kamlib.reports.job import Job
from kamlib.reports.pages import ACCOUNT, pages_of
from kamlib.reports.parameters import fill, read_notebook
from kamlib.reports.playbooks.answers import open_answers
from kamlib.reports.request import Request
from kamlib.reports.spec import Report
from kamlib.studies.portfolio import manager_names

ACCOUNTS = "tables/accounts.parquet"
LONGEST_ABOUT = 80  # characters of a name in a title


def jobs_of(request: Request, reports: list[Report], book: Book, period: Period, where: Path) -> list[Job]:
    """The jobs of a request, in the order asked for; those that read this period's tables see what stands there now.

    The book is read as readers may see it, since titles name accounts and managers.

    Raises
    ------
    RequestError
        When a parameter is wrong, or a page is asked for that the book cannot fill.
    """
    fingerprint, names = book.fingerprint(), _names(book)
    jobs = []
    for report in reports:
        # Read once for all pages of the report: a thousand dossiers come from one notebook.
        title, notebook = _title(read_notebook(report.path)) or report.name, folder.digest_file(report.path)
        for page in pages_of(report, book):
            safe_key, scope = folder.safe_name(page.key) if page.key else "", page.scope
            target = where / report.name / safe_key
            given = _standard(report, request, book, period, scope, target, where) | dict(report.given)
            parameters = fill(report.contract, given | dict(page.parameters), str(report.path))
            answered = _answered(report.path.stem, book, parameters)
            inputs = _inputs([notebook, answered], parameters, fingerprint, request)
            context = _context(request, title, book, period, scope, target, where, fingerprint)
            about = _about(page.key or parameters.get(ACCOUNT, ""), {**scope, **parameters}, names)
            jobs.append(
                Job(
                    notebook=report.path,
                    name=report.name,
                    key=safe_key,
                    parameters=parameters,
                    target=target,
                    context=context | {"answered": answered, "about": about},
                    inputs=inputs,
                    timeout_seconds=request.timeout_seconds,
                    threads=2 if request.jobs == 1 else 1,
                    formats=request.formats,
                    environment=request.privacy,
                )
            )
    return jobs


def _standard(
    report: Report, request: Request, book: Book, period: Period, scope: Mapping, target: Path, where: Path
) -> dict:
    values = {
        "place": str(request.place),
        "as_of": book.as_of.isoformat(),
        "period": period.label,
        "scope": dict(scope),
        "previous": _previous(target, period, where, scope),
        "tables": str(where),
        "with_personal": request.is_personal,
    }
    return {name: value for name, value in values.items() if name in report.contract}


def _previous(target: Path, period: Period, period_folder: Path, scope: Mapping) -> str:
    """The same report of the period before and of the same scope, where it was published."""
    earlier = period_folder.parent / period.previous().label / target.relative_to(period_folder)
    return str(earlier) if folder.read_manifest(earlier) and _scope_of(earlier) == dict(scope) else ""


def _context(request, title, book: Book, period: Period, scope, target: Path, where: Path, fingerprint: str) -> dict:
    depth = len(target.relative_to(where).parts)
    return {
        "title": title,
        **request.marks,
        "book": book.name,
        "period": period.label,
        "as_of": book.as_of.isoformat(),
        "scope": ", ".join(f"{name} {value}" for name, value in scope.items()),
        "currency": book.settings.currency,
        "index": "../" * depth + "index.html",
        "fingerprint": fingerprint,
        "period_folder": str(where),
    }


def _names(book: Book) -> dict[str, dict[str, str]]:
    """The names that readers may see, by the column whose values they name."""
    accounts = book.collect(book.table("accounts", ACCOUNT, "name")).set_index(ACCOUNT)["name"].dropna()
    return {ACCOUNT: accounts.to_dict(), "manager_id": manager_names(book).to_dict()}


def _about(key: str, given: Mapping, names: Mapping[str, Mapping[str, str]]) -> str:
    """Whom a page is about: its name and, in brackets, its key; the key alone where there is no name."""
    named = next((known[key] for column, known in names.items() if given.get(column) == key and key in known), "")
    name, key = (textwrap.shorten(_plain(text), LONGEST_ABOUT, placeholder="…") for text in (named, key))
    return f"{name} ({key})" if name else key


def _plain(text: str) -> str:
    """The text without characters that would turn or break a title."""
    return "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)


def _title(notebook) -> str:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith("# "):
                    return line[2:].strip()
    return ""


def reads_tables(job: Job) -> bool:
    """Whether a report takes over what the studies of its period published."""
    return "tables" in job.parameters


def after_studies(readers: list[Job], request: Request, where: Path) -> list[Job]:
    """The reports that read this period's tables, made again when what these say has changed."""
    said = tables_said(where)
    notebooks = {path: folder.digest_file(path) for path in {job.notebook for job in readers}}
    return [
        replace(
            job,
            inputs=_inputs(
                [notebooks[job.notebook], job.context["answered"]],
                job.parameters,
                job.context["fingerprint"],
                request,
                said,
            ),
            context={**job.context, "said": folder.digest_json(said)},
        )
        for job in readers
    ]


def refuse_other_scope(jobs: list[Job], where: Path) -> None:
    """A report of one manager must not stand in the place of the whole company's, nor the other way round."""
    there = [job for job in jobs if not job.key and folder.is_whole(job.target)]
    others = [job.target for job in there if _scope_of(job.target) != dict(job.parameters.get("scope") or {})]
    if others:
        scope = ", ".join(f"{column}={value}" for column, value in _scope_of(others[0]).items()) or "the whole book"
        names = ", ".join(str(path.relative_to(where)) for path in others[:3])
        are, those = ("is", "that") if len(others) == 1 else ("are", "those")
        raise RequestError(
            f"{len(others)} of these reports ({names}) {are} there for {scope} and would be replaced by {those} of "
            "another scope; give this scope a place of its own with --out, or a page of its own with --each"
        )


def _scope_of(report: Path) -> dict:
    return dict(folder.read_manifest(report)["parameters"].get("scope") or {})


def _answered(playbook: str, book: Book, parameters: Mapping) -> str:
    """A digest of what a manager answered in a playbook for an account; empty where there is no answer."""
    account = parameters.get(ACCOUNT)
    file = open_answers(book, playbook, account).file if account else None
    return folder.digest_file(file) if file and file.is_file() else ""


def _inputs(
    written: list[str], parameters: Mapping, fingerprint: str, request: Request, said: list | None = None
) -> str:
    """A digest of all that a report is made from: notebook and answers, parameters, book, code, what is hidden, the
    report before, and what this period's reports said where it reads them."""
    before = parameters.get("previous") or ""
    manifest = folder.read_manifest(Path(before)) if before else None
    earlier = [manifest["files"].get("predictions.parquet", ""), manifest["inputs"]] if manifest else []
    return folder.digest_json(
        [
            written,
            dict(parameters),
            fingerprint,
            folder.code_digest(),
            earlier,
            sorted(request.formats),
            request.privacy,
            said or [],
        ]
    )


def tables_said(period_folder: Path) -> list:
    """What this period's studies published about accounts, and for which day and scope."""
    found = []
    for path in sorted(period_folder.glob(f"*/{folder.MANIFEST}")):
        manifest = folder.read_manifest(path.parent)
        if digest := manifest["files"].get(ACCOUNTS):
            found.append([manifest["report"], manifest["as_of"], manifest["parameters"].get("scope"), digest])
    return found
