"""From a request to a folder of reports: check everything first, render each report, write the index."""

from __future__ import annotations

import gc
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path

from joblib import Parallel, cpu_count, delayed

from kamlib.book.coverage import covered_until
from kamlib.book.periods import Period, day
from kamlib.book.privacy import Privacy
from kamlib.book.store import Book, open_book
from kamlib.errors import RequestError
from kamlib.reports import failures, folder, index
from kamlib.reports.index import State
from kamlib.reports.job import Job, Outcome, is_unchanged, run
from kamlib.reports.pages import ACCOUNT, LeftOut, left_out
from kamlib.reports.pdf import require_chromium
from kamlib.reports.planning import after_studies, jobs_of, reads_tables, refuse_other_scope, tables_said
from kamlib.reports.request import Request
from kamlib.reports.spec import kind_of_period, read_reports, root
from kamlib.studies.dossier.shelf import SHELF, lay_out

FORMATS = ("html", "pdf", "xlsx")
STUDY_BYTES = 4 * 2**30  # what its engine may take (kamlib.book.places.MEMORY_LIMIT), and as much for its frames
WORTH_LAYING_OUT = 5  # pages of single accounts that save more than it costs to lay the book out for them


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
    ended = Period.containing(today or date.today(), kind or "quarter").previous()
    last = ended if period == "last" else Period.parse(period)
    if kind and last.kind != kind:
        raise RequestError(
            f"{', '.join(asked)} is made for a {kind}, and {last.label} is a {last.kind}; name a {kind} such as "
            f"{Period.containing(last.end, kind).label}, or the notebooks one by one for another period"
        )
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
        list(book.place.sources.values())  # a table that cannot be read is told before anything is started
        _refuse_empty_period(book, period)
        shown = replace(book, privacy=privacy)
        own = folder.book_folder(book.name, privacy.redaction if request.redact else "", request.is_personal)
        where = (request.out or root() / "reports" / "rendered") / own / period.label
        jobs, missed = jobs_of(request, reports, shown, period, where), left_out(reports, book)
        refuse_other_scope(jobs, where)
        with folder.held(where):
            folder.tidy(where)
            studies, readers = [j for j in jobs if not reads_tables(j)], [j for j in jobs if reads_tables(j)]
            outcomes, changed = _kept(studies, request, tell)
            outcomes += _run(changed, request, tell)
            kept, changed = _kept(after_studies(readers, request, where), request, tell)
            with _laid_out(changed, shown, where, tell) as beside:
                outcomes += kept + _run(beside, request, tell)
            made_from = jobs[0].context["fingerprint"], tables_said(where)
            now = State(book.name, period.label, as_of.isoformat(), *made_from, request.marks)
            unwritten = _finish(where, now, outcomes, missed, time.monotonic() - started)
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


def _refuse_empty_period(book: Book, period: Period) -> None:
    with open_book_whole(book) as whole:
        first, last = whole.span()
        if period.end >= first and period.start <= last:
            return
        inside = Period.containing(last, period.kind)
        if covered_until(whole, inside.end) < inside.end and inside.previous().end >= first:
            inside = inside.previous()
        raise RequestError(
            f"period {period.label} lies outside book {book.name!r}, whose orders run from {first} to {last}; "
            f"the last {period.kind} that they cover is {inside.label}"
        )


def open_book_whole(book: Book) -> Book:
    """The same place read without a date; closing it does not close the connection they share."""
    return _Borrowed(book.place, None, book.scope)


class _Borrowed(Book):
    def close(self) -> None:
        """Leave the connection to the book it was borrowed from."""


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
    at_once = min(request.jobs or side_by_side(jobs), len(jobs) or 1)
    workers = Parallel(n_jobs=at_once, prefer="threads", return_as="generator_unordered")
    results = workers(delayed(run)(job) for job in jobs)
    with _collected_often() as collect:
        for done, outcome in enumerate(results, 1):
            outcomes.append(outcome)
            tell(f"[{done}/{len(jobs)}] {outcome.label}: {_in_words(outcome)}")
            collect()
    return outcomes


@contextmanager
def _collected_often() -> Iterator[Callable[[], int]]:
    """A way to free what a report leaves behind, in two milliseconds.

    A notebook and the client that ran it refer to each other, so they stay until the collector walks through all of
    memory, which it does ever more seldom the more there is. What was there before the reports is left out of the
    walk.
    """
    gc.freeze()
    try:
        yield gc.collect
    finally:
        gc.unfreeze()


def side_by_side(jobs: list[Job]) -> int:
    """How many reports are made at once where nobody says: a study computes all the time, so each takes a processor
    and its share of memory; pages of single accounts are small and wait half their time, so two share a processor."""
    if all(job.parameters.get(ACCOUNT) for job in jobs):
        return 2 * cpu_count()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(cpu_count(), memory // STUDY_BYTES))


def _in_words(outcome: Outcome) -> str:
    if outcome.status == "failed":
        return f"failed after {outcome.seconds:.1f} s: {outcome.why}"
    return f"published in {outcome.seconds:.1f} s, {outcome.findings} findings"


def _finish(where: Path, now: State, outcomes: list[Outcome], missed: list[LeftOut], seconds: float) -> str:
    """Write run.json and the indexes; returns why they could not be written, or nothing."""
    run_record = {
        "book": now.book,
        "period": now.period,
        "as_of": now.as_of,
        "finished": datetime.now().isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "left_out": [one.to_dict() for one in missed],
        "reports": [asdict(outcome) for outcome in outcomes],
    }
    failed = [{"name": o.name, "key": o.key, "why": o.why} for o in outcomes if o.status == "failed"]
    try:
        folder.write_json(where / "run.json", run_record)
        index.write_index(where, now, failed)
        index.write_periods(where.parent, now)
    except OSError as error:
        return failures.reason(error, where, 0)
    return ""
