"""Exports into a book of business: read, map, quarantine, write, and put in place whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import ibis
import yaml
from ibis import _

from kamlib.book.contract import TABLES
from kamlib.book.ingest.accounting import IngestReport, Ledger, counted
from kamlib.book.ingest.delimited import ROW
from kamlib.book.ingest.likeness import look_alikes
from kamlib.book.ingest.mapping import load_mapping
from kamlib.book.ingest.quarantine import Quarantine, reading_order
from kamlib.book.ingest.rows import PartReader, alive
from kamlib.book.ingest.specs import Mapping
from kamlib.book.ingest.staging import IDENTITY, NTH, SRC, Staging
from kamlib.book.places import literal_path
from kamlib.errors import RequestError

_JUNK = {".DS_Store", "Thumbs.db", "desktop.ini"}
_STALE_SECONDS = 24 * 3600
_WRITING = {"compression": "zstd", "row_group_size": 122_880}


def ingest(
    mapping: str | os.PathLike | Mapping,
    source: str | os.PathLike,
    out: str | os.PathLike,
    progress: Callable[[str], None] | None = None,
) -> IngestReport:
    """Map exports into a book.

    Parameters
    ----------
    mapping
        A YAML file (see ``data/mappings/README.md``), or a mapping already read.
    source
        The folder that the mapping's paths start from.
    out
        The folder of the book. An earlier book there is replaced when all is done, and left as it is otherwise.
    progress
        Called with a sentence at each step.

    Returns
    -------
    IngestReport
        For each table and file ``rows in = accepted + rejected + dropped``, the reasons, and notes.

    Raises
    ------
    RequestError
        When the mapping is wrong, a file is absent or cannot be read as what it is said to be, a column is missing,
        or ``out`` holds something that is not a book. Nothing is written then.

    Examples
    --------
    >>> report = ingest("data/mappings/online_retail.yml", "exports", "data/books/retail")  # doctest: +SKIP
    >>> print("\\n".join(report.lines()))  # doctest: +SKIP
    """
    mapping = mapping if isinstance(mapping, Mapping) else load_mapping(mapping)
    source, out = Path(source), Path(out).resolve()
    _refuse_source(source)
    _refuse_out(out, source)
    with _beside(out) as folder:
        report = _build(mapping, source, out, folder, progress or (lambda sentence: None))
        _put_in_place(folder / "book", out)
    return report


def _build(mapping: Mapping, source: Path, out: Path, folder: Path, progress: Callable) -> IngestReport:
    """The whole book in ``folder/book``; what it takes to make it in ``folder/work``."""
    work, book, ledger = folder / "work", folder / "book", Ledger()
    work.mkdir()
    book.mkdir()
    staging = Staging(work, source, mapping.settings.timezone)
    try:
        accepted: dict[str, ibis.Table] = {}
        refused: dict[str, ibis.Table] = {}
        for name in reading_order(mapping.tables):
            progress(f"reading {name}")
            accepted[name], refused[name] = _read_table(name, mapping, staging, ledger, accepted, refused)
            _account(name, accepted[name], refused[name], staging, ledger, book)
        progress("writing the book")
        rows = {name: _write(accepted[name], name, book, staging) for name in TABLES if name in accepted}
        _note_look_alikes(accepted, ledger)
        _write_settings(mapping, book)
    finally:
        staging.close()
    labels = {number: made.label for number, made in staging.sources.items()}
    return _report(out, ledger, labels, rows)


def _read_table(name: str, mapping: Mapping, staging: Staging, ledger: Ledger, accepted: dict, refused: dict):
    """The rows of one table that may stay, and the rejected ones, by what became of the tables read before."""
    parts = mapping.tables[name]
    read = [PartReader(part, i, mapping, staging, ledger).read() for i, part in enumerate(parts)]
    rows = _union([good for good, _bad in read], name)
    quarantine = Quarantine(name, parts, staging, ledger, refused)
    rows = quarantine.without_duplicates(rows)
    rows = quarantine.without_orphans(rows, accepted)
    rejects = ibis.union(*[bad for _good, bad in read], *quarantine.rejected)
    return rows, staging.save(rejects, f"rejects of {name}")


def _union(parts: list[ibis.Table], name: str) -> ibis.Table:
    """The parts as one table: columns in the order of the contract, then our own; absent ones missing."""
    own = list(dict.fromkeys(c for p in parts for c in p.columns if c not in (*IDENTITY, NTH, *TABLES[name].columns)))
    there = [c for c in TABLES[name].columns if any(c in p.columns for p in parts)]
    types = {c: TABLES[name].columns[c].dtype for c in there} | {c: _common_type(c, parts) for c in own}
    filled = [
        p.select(*IDENTITY, NTH, **{c: (p[c] if c in p.columns else ibis.null()).cast(t) for c, t in types.items()})
        for p in parts
    ]
    return filled[0] if len(filled) == 1 else ibis.union(*filled)


def _common_type(column: str, parts: list[ibis.Table]):
    kinds = {p.schema()[column] for p in parts if column in p.columns}
    return kinds.pop() if len(kinds) == 1 else "string"


def _account(name: str, rows: ibis.Table, rejects: ibis.Table, staging: Staging, ledger: Ledger, book: Path) -> None:
    """Count what was accepted and rejected, and write the rejected rows with their source columns."""
    for place, n in alive(rows).items():
        ledger.accepted[(name, *place)] = n
    for place, n in alive(rejects).items():
        ledger.rejected[(name, *place)] = n
    counts = rejects.group_by("column", "reason").aggregate(n=_.count()).order_by(ibis.desc("n"), "column", "reason")
    found = counts.to_pyarrow().to_pylist()
    if found:
        ledger.reasons[name] = {(row["column"], row["reason"]): row["n"] for row in found}
        _write_rejects(name, rejects, staging, book / "rejects")


def _write_rejects(name: str, rejects: ibis.Table, staging: Staging, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    present = rejects.select(SRC).distinct().order_by(SRC)[SRC].to_pyarrow().to_pylist()
    parts = [_with_source(rejects, number, staging) for number in present]
    columns = list(dict.fromkeys(c for p in parts for c in p.columns))
    filled = [p.select(**{c: p[c] if c in p.columns else ibis.null("string") for c in columns}) for p in parts]
    table = (filled[0] if len(filled) == 1 else ibis.union(*filled)).order_by(columns[:5])
    staging.write(table, folder / f"{name}.parquet", f"rejects of {name}", **_WRITING)
    staging.write_text(table, folder / f"{name}.csv")


def _with_source(rejects: ibis.Table, number: int, staging: Staging) -> ibis.Table:
    """Rejected rows of one source with its columns as text."""
    texts, names = staging.text_rows(number)
    mine = rejects.filter(rejects[SRC] == number)
    joined = mine.join(texts, mine[ROW] == texts.source_row)
    told = {"source_file": ibis.literal(staging.sources[number].label), "source_row": joined.source_row}
    told |= {name: joined[name] for name in ("column", "value", "reason")}
    return joined.select(**told, **{n: joined[f"t{i}"] for i, n in enumerate(_apart(names, list(told)))})


def _apart(names: list[str], taken: list[str]) -> list[str]:
    """Source names that clash with none of ours and with each other, since DuckDB takes ID and id for the same."""
    made, seen = [], {name.lower() for name in taken}
    for name in names:
        free = name if name.lower() not in seen else f"{name} (source)"
        while free.lower() in seen:
            free += "*"
        seen.add(free.lower())
        made.append(free)
    return made


def _write(rows: ibis.Table, name: str, book: Path, staging: Staging) -> int:
    """Write a table in order of date and then of its key; how many rows it has.

    So an as-of read skips the parts of a file that lie after its day, and the same rows are always the same file.
    """
    wanted = (*TABLES[name].dated, *TABLES[name].key)
    table = rows.drop(*IDENTITY, NTH).order_by([column for column in dict.fromkeys(wanted) if column in rows.columns])
    staging.write(table, book / f"{name}.parquet", name, **_WRITING)
    return rows.count().to_pyarrow().as_py()


def _write_settings(mapping: Mapping, book: Path) -> None:
    text = yaml.safe_dump(mapping.book, allow_unicode=True, sort_keys=False)
    (book / "book.yml").write_text(text, encoding="utf-8")


def _note_look_alikes(accepted: dict[str, ibis.Table], ledger: Ledger) -> None:
    for column in ("account_id", "name"):
        for names in look_alikes(accepted["accounts"][column]):
            said = ", ".join(map(repr, names))
            ledger.notes.append(
                f"accounts.{column}: {said} differ only in case, spacing or punctuation and are kept apart; declare "
                f"an alias if they are one"
            )
    for name, table in accepted.items():
        if name in ("accounts", "orders") and not table.count().to_pyarrow().as_py():
            ledger.notes.append(f"no row of {name} was accepted: the book cannot be used")


def _report(out: Path, ledger: Ledger, labels: dict[int, str], rows: dict[str, int]) -> IngestReport:
    files = ledger.file_counts(labels)
    wrong = [f.line() for f in files if not f.is_balanced]
    if wrong:
        raise RuntimeError(f"rows went missing in the ingest, which is a defect of it: {'; '.join(wrong)}")
    files = tuple(sorted(files, key=lambda file: list(TABLES).index(file.table)))
    return IngestReport(out, files, rows, ledger.reasons, tuple(ledger.notes))


def _refuse_source(source: Path) -> None:
    if not source.is_dir():
        what = "is a file" if source.exists() else "does not exist"
        raise RequestError(f"the source {source} {what}; give the folder that holds the exports")


def _refuse_out(out: Path, source: Path) -> None:
    """The place of the book may be new, empty, or hold an earlier book and nothing else."""
    inside = source.resolve()
    if out == inside or out in inside.parents:
        raise RequestError(f"the book would replace the source folder {source}; write it somewhere else")
    if out.exists() and not out.is_dir():
        raise RequestError(f"{out} is a file; give a folder for the book")
    if out.is_dir():
        ours = {f"{name}.parquet" for name in TABLES} | {"book.yml", "rejects"} | _JUNK
        others = sorted(p.name for p in out.iterdir() if p.name not in ours)
        if others:
            raise RequestError(
                f"{out} holds {counted(len(others), 'thing')} that no ingest wrote ({', '.join(others[:5])}), and a "
                f"book replaces its folder; choose another, or move them away"
            )


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A temporary folder beside the place of the book, on the same file system, so that a rename publishes it."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _restore(out)
        _clear_stale(out)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
    except OSError as error:
        raise RequestError(f"no book can be written to {out.parent} ({error.strerror})") from None
    try:
        yield folder
    except OSError as error:
        raise RequestError(f"the ingest into {out} stopped: {error}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put_in_place(book: Path, out: Path) -> None:
    """Two renames: the earlier book aside, the new one in. Killed between them, the next ingest puts it back."""
    aside = out.with_name(f".{out.name}.earlier")
    if out.exists():
        out.rename(aside)
    try:
        book.rename(out)
    except OSError:
        _restore(out)
        raise
    if aside.exists():
        shutil.rmtree(aside)


def _restore(out: Path) -> None:
    """Put an earlier book back that a killed ingest left aside, or clear it when the new one is in place."""
    aside = out.with_name(f".{out.name}.earlier")
    if aside.exists() and not out.exists():
        aside.rename(out)
    elif aside.exists():
        shutil.rmtree(aside)


def _clear_stale(out: Path) -> None:
    """Remove what ingests killed more than a day ago left behind."""
    for left in out.parent.glob(f".{literal_path(Path(out.name))}.partial-*"):
        if time.time() - left.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
