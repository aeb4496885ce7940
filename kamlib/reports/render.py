"""From a request to a folder of reports: check everything first, render each report, write the index."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path

from joblib import Parallel, delayed

from kamlib.book.periods import Period, day
from kamlib.book.privacy import Privacy
from kamlib.book.store import Book, open_book
from kamlib.errors import RequestError
from kamlib.reports import failures, folder, index
from kamlib.reports.job import Job, Outcome, is_unchanged, run
from kamlib.reports.pages import ACCOUNT, LeftOut, left_out, pages_of
from kamlib.reports.parameters import fill, read_notebook
from kamlib.reports.pdf import require_chromium
from kamlib.reports.spec import Report, kind_of_period, read_reports, root
from kamlib.studies.dossier.shelf import SHELF, lay_out

FORMATS = ("html", "pdf", "xlsx")
ACCOUNTS = "tables/accounts.parquet"
WORTH_LAYING_OUT = 5  # pages of single accounts that save more than it costs to lay the book out for them


@dataclass(frozen=True)
class Request:
    """What is to be rendered.

    Parameters
    ----------
    reports
        Names of specs or notebooks.
    place
        The book: folder, ``.duckdb`` file or name.
    period
        ``2026-Q3`` and the like.
    as_of
        Day to read as of; the last day of the period where not given.
    parameters
        ``name: text`` from the command line.
    scope
        Account columns and their values.
    each
        Fan out the notebooks named: ``account``, ``manager``, ``region`` or ``industry``.
    out
        Where rendered books go.
    jobs
        How many reports are made side by side.
    force
        Make reports again whose inputs did not change.
    timeout_seconds
        How long a report may take.
    formats
        ``html`` always; ``pdf`` and ``xlsx`` beside it.
    redact
        Replace names by pseudonyms keyed with ``KAM_REDACT_KEY``, and mark the pages.
    with_personal
        Let personal fields be read.
    """

    reports: tuple[str, ...]
    place: str
    period: str
    as_of: str | None = None
    parameters: Mapping[str, str] | None = None
    scope: Mapping[str, str] | None = None
    each: str = ""
    out: Path | None = None
    jobs: int = 1
    force: bool = False
    timeout_seconds: int = 1800
    formats: tuple[str, ...] = ("html",)
    redact: bool = False
    with_personal: bool = False

    @property
    def privacy(self) -> dict[str, str]:
        """What the kernels are told about what readers may see."""
        names = {"KAM_NAMES": "pseudonyms"} if self.redact else {}
        return names if self.with_personal else {**names, "KAM_PERSONAL": "hidden"}


@dataclass(frozen=True)
class Summary:
    """What came of a run; ``unwritten`` says why its index could not be written, where that is so, and
    ``left_out`` which accounts are on no page of a fan-out."""

    folder: Path
    outcomes: list[Outcome]
    seconds: float
    unwritten: str = ""
    left_out: tuple[LeftOut, ...] = ()

    @property
    def failed(self) -> list[Outcome]:
        """The reports that were not published."""
        return [outcome for outcome in self.outcomes if outcome.status == "failed"]

    @property
    def exit_code(self) -> int:
        """0 when every report is published and listed, 1 when some failed."""
        return 1 if self.failed or self.unwritten else 0


def periods_asked(asked: list[str], period: str, since: str | None = None, today: date | None = None) -> list[str]:
    """The periods a request names, the earliest first.

    Parameters
    ----------
    asked
        The specs and notebooks, which say what kind of period ``last`` means.
    period
        A label, or ``last`` for the last one that has ended.
    since
        The first period to catch up from; those already published and unchanged are kept as they are.
    today
        The day to count from; the current one where not given.

    Examples
    --------
    >>> periods_asked([], "last", since="2026-Q1", today=date(2026, 10, 1))
    ['2026-Q1', '2026-Q2', '2026-Q3']
    """
    kind = kind_of_period(asked)
    last = Period.containing(today or date.today(), kind).previous() if period == "last" else Period.parse(period)
    first = Period.parse(since) if since else last
    if first.kind != last.kind:
        raise RequestError(f"--since {first.label} is a {first.kind} and --period {last.label} a {last.kind}")
    if first.start > last.start:
        raise RequestError(f"--since {first.label} lies after --period {last.label}")
    labels = [first.label]
    while first.label != last.label:
        first = first.next()
        labels.append(first.label)
    return labels


def render(request: Request, tell: Callable[[str], None] = lambda line: None) -> Summary:
    """Render reports.

    Parameters
    ----------
    request
        What is to be rendered.
    tell
        Called with each line of progress.

    Raises
    ------
    RequestError
        When anything about the request is wrong; then nothing has been started.

    Examples
    --------
    >>> render(Request(("quarterly",), "data/sample", "2026-Q3"))  # doctest: +SKIP
    """
    started = time.monotonic()
    period = Period.parse(request.period)
    _refuse_formats(request.formats)
    privacy = Privacy.from_environment({**os.environ, **request.privacy})
    reports = read_reports(list(request.reports), request.parameters, request.each)
    as_of = _as_of(request, period)
    with open_book(request.place, as_of=as_of, scope=request.scope) as book:
        _refuse_empty_period(book, period)
        own = folder.book_folder(book.name, privacy.redaction if request.redact else "")
        where = (request.out or root() / "reports" / "rendered") / own / period.label
        jobs, missed = _jobs(request, reports, book, period, where), left_out(reports, book)
        _refuse_other_scope(jobs, where)
        with folder.held(where):
            folder.tidy(where)
            studies, readers = [j for j in jobs if not _reads_tables(j)], [j for j in jobs if _reads_tables(j)]
            outcomes, changed = _kept(studies, request, tell)
            outcomes += _run(changed, request, tell)
            kept, changed = _kept(_after_studies(readers, request, where), request, tell)
            with _laid_out(changed, replace(book, privacy=privacy), where, tell) as beside:
                outcomes += kept + _run(beside, request, tell)
            unwritten = _finish(where, book, period, outcomes, missed, time.monotonic() - started)
    if unwritten:
        tell(f"the index and run.json could not be written: {unwritten}")
    return Summary(where, outcomes, time.monotonic() - started, unwritten, tuple(missed))


def _refuse_formats(formats: tuple[str, ...]) -> None:
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise RequestError(f"there is no format {', '.join(unknown)}; --format may name {', '.join(FORMATS)}")
    if "pdf" in formats:
        require_chromium()


def _as_of(request: Request, period: Period) -> date:
    as_of = day(request.as_of) if request.as_of else period.end
    if as_of < period.start:
        raise RequestError(f"--as-of {as_of} lies before the period {period.label} begins ({period.start})")
    return as_of


def _refuse_other_scope(jobs: list[Job], where: Path) -> None:
    """A report of one manager must not stand in the place of the whole company's, nor the other way round."""
    there = [job for job in jobs if not job.key and folder.is_whole(job.target)]
    others = [job.target for job in there if _scope_of(job.target) != dict(job.parameters.get("scope") or {})]
    if others:
        scope = ", ".join(f"{column}={value}" for column, value in _scope_of(others[0]).items()) or "the whole book"
        names = ", ".join(str(path.relative_to(where)) for path in others[:3])
        raise RequestError(
            f"{len(others)} of these reports ({names}) are there for {scope} and would be replaced by those of another "
            "scope; give this scope a place of its own with --out, or a page of its own with --each"
        )


def _scope_of(report: Path) -> dict:
    return dict(folder.read_manifest(report)["parameters"].get("scope") or {})


def _refuse_empty_period(book: Book, period: Period) -> None:
    with open_book_whole(book) as whole:
        first, last = whole.span()
    if period.end < first or period.start > last:
        inside = Period.containing(last, period.kind)
        raise RequestError(
            f"period {period.label} lies outside book {book.name!r}, whose orders run from {first} to {last}; "
            f"its last {period.kind} is {inside.label}"
        )


def open_book_whole(book: Book) -> Book:
    """The same place read without a date; closing it does not close the connection they share."""
    return _Borrowed(book.place, None, book.scope)


class _Borrowed(Book):
    def close(self) -> None:
        """Leave the connection to the book it was borrowed from."""


def _jobs(request: Request, reports: list[Report], book: Book, period: Period, where: Path) -> list[Job]:
    fingerprint = book.fingerprint()
    jobs = []
    for report in reports:
        # Read once for all pages of the report: a thousand dossiers come from one notebook.
        title, notebook = _title(read_notebook(report.path)) or report.name, folder.digest_file(report.path)
        for page in pages_of(report, book):
            safe_key, scope = folder.safe_name(page.key) if page.key else "", page.scope
            target = where / report.name / safe_key
            given = _standard(report, request, book, period, scope, target, where) | dict(report.given)
            parameters = fill(report.contract, given | dict(page.parameters), str(report.path))
            inputs = _inputs(notebook, parameters, fingerprint, request)
            context = _context(request, title, book, period, scope, target, where, fingerprint)
            jobs.append(
                Job(
                    notebook=report.path,
                    name=report.name,
                    key=safe_key,
                    parameters=parameters,
                    target=target,
                    context=context,
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
        "is_redacted": request.redact,
        "book": book.name,
        "period": period.label,
        "as_of": book.as_of.isoformat(),
        "scope": ", ".join(f"{name} {value}" for name, value in scope.items()),
        "currency": book.settings.currency,
        "index": "../" * depth + "index.html",
        "fingerprint": fingerprint,
        "period_folder": str(where),
    }


def _title(notebook) -> str:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith("# "):
                    return line[2:].strip()
    return ""


def _reads_tables(job: Job) -> bool:
    return "tables" in job.parameters


def _after_studies(readers: list[Job], request: Request, where: Path) -> list[Job]:
    """The reports that read this period's tables, made again when what these say has changed."""
    said = _tables(where)
    notebooks = {path: folder.digest_file(path) for path in {job.notebook for job in readers}}
    return [
        replace(job, inputs=_inputs(notebooks[job.notebook], job.parameters, job.context["fingerprint"], request, said))
        for job in readers
    ]


@contextmanager
def _laid_out(jobs: list[Job], book: Book, where: Path, tell: Callable[[str], None]) -> Iterator[list[Job]]:
    """The jobs with the book laid out by account beside them, where many pages of single accounts are to be made."""
    if sum(bool(job.parameters.get(ACCOUNT)) for job in jobs) < WORTH_LAYING_OUT:
        yield jobs
        return
    shelf = where / folder.SHELF
    try:
        named = _filled(shelf, book, where, tell)
        yield [replace(job, environment={**job.environment, **named}) for job in jobs]
    finally:
        shutil.rmtree(shelf, ignore_errors=True)


def _filled(shelf: Path, book: Book, where: Path, tell: Callable[[str], None]) -> dict[str, str]:
    try:
        shelf.mkdir(mode=0o700)
        return {SHELF: str(lay_out(book, shelf, str(where)))}
    except OSError as error:  # most likely a full disk, which the reports that still fit need not suffer from
        tell(f"each report reads the book itself: {failures.reason(error, shelf, 0)}")
        return {}


def _inputs(notebook: str, parameters: Mapping, fingerprint: str, request: Request, said: list | None = None) -> str:
    """A digest of all that a report is made from: notebook, parameters, book, code, what is hidden, the report
    before, and what this period's reports said where it reads them."""
    before = parameters.get("previous") or ""
    manifest = folder.read_manifest(Path(before)) if before else None
    earlier = [manifest["files"].get("predictions.parquet", ""), manifest["inputs"]] if manifest else []
    return folder.digest_json(
        [
            notebook,
            dict(parameters),
            fingerprint,
            folder.code_digest(),
            earlier,
            sorted(request.formats),
            request.privacy,
            said or [],
        ]
    )


def _tables(period_folder: Path) -> list:
    """What this period's studies published about accounts, and for which day and scope."""
    found = []
    for path in sorted(period_folder.glob(f"*/{folder.MANIFEST}")):
        manifest = folder.read_manifest(path.parent)
        if digest := manifest["files"].get(ACCOUNTS):
            found.append([manifest["report"], manifest["as_of"], manifest["parameters"].get("scope"), digest])
    return found


def _kept(jobs: list[Job], request: Request, tell: Callable[[str], None]) -> tuple[list[Outcome], list[Job]]:
    """What need not be made again, and the jobs that are to be done."""
    kept = [] if request.force else [job for job in jobs if is_unchanged(job)]
    for job in kept:
        tell(f"{job.label}: kept, nothing it is made from has changed")
    outcomes = [Outcome(job.name, job.key, "kept", 0.0, "nothing it is made from has changed") for job in kept]
    return outcomes, [job for job in jobs if job not in kept]


def _run(jobs: list[Job], request: Request, tell: Callable[[str], None]) -> list[Outcome]:
    outcomes = []
    # Threads, since each report computes in a kernel process of its own; a backend set by the caller
    # (joblib.parallel_config with Dask or Ray) goes before this preference.
    workers = Parallel(n_jobs=min(request.jobs, len(jobs) or 1), prefer="threads", return_as="generator_unordered")
    results = workers(delayed(run)(job) for job in jobs)
    for done, outcome in enumerate(results, 1):
        outcomes.append(outcome)
        tell(f"[{done}/{len(jobs)}] {outcome.label}: {_in_words(outcome)}")
    return outcomes


def _in_words(outcome: Outcome) -> str:
    if outcome.status == "failed":
        return f"failed after {outcome.seconds:.1f} s: {outcome.why}"
    return f"published in {outcome.seconds:.1f} s, {len(outcome.findings)} findings"


def _finish(
    where: Path, book: Book, period: Period, outcomes: list[Outcome], missed: list[LeftOut], seconds: float
) -> str:
    """Write run.json and the indexes; returns why they could not be written, or nothing."""
    run_record = {
        "book": book.name,
        "period": period.label,
        "as_of": book.as_of.isoformat(),
        "finished": datetime.now().isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "left_out": [one.to_dict() for one in missed],
        "reports": [asdict(outcome) | {"findings": len(outcome.findings)} for outcome in outcomes],
    }
    failed = [{"name": o.name, "key": o.key, "why": o.why} for o in outcomes if o.status == "failed"]
    try:
        folder.write_json(where / "run.json", run_record)
        index.write_index(where, book.name, period.label, book.as_of.isoformat(), failed)
        index.write_periods(where.parent, book.name)
    except OSError as error:
        return failures.reason(error, where, 0)
    return ""
