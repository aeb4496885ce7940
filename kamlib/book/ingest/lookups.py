"""Columns taken from another file by equal keys, one row per key."""

from __future__ import annotations

from dataclasses import dataclass

import ibis

from kamlib.book.ingest.accounting import counted
from kamlib.book.ingest.cells import plain
from kamlib.book.ingest.columns import Check, Typed
from kamlib.book.ingest.delimited import ROW
from kamlib.book.ingest.expressions import Evaluator
from kamlib.book.ingest.specs import FileSpec, LookupSpec
from kamlib.book.ingest.staging import SRC, Rows, Staging
from kamlib.errors import RequestError


@dataclass(frozen=True)
class LookedUp:
    """The rows with the columns taken, how many found no match (a few of their keys), and cells not readable."""

    rows: Rows
    unmatched: int
    sample: tuple[str, ...]
    checks: tuple[Check, ...]


def look_up(rows: Rows, lookup: LookupSpec, spec: FileSpec, run: Evaluator, staging: Staging) -> LookedUp:
    """Join the columns a look-up takes; keys are compared as text, a missing key finds nothing.

    Raises
    ------
    RequestError
        When the other file has several rows for a key and the look-up does not say which counts.
    """
    theirs, their_keys, typed = _their_rows(lookup, spec, run.where, staging)
    ours = {staging.column(): run.cell(name).text for name in lookup.on}
    left = rows.table.mutate(**ours)
    joined = left.left_join(theirs, [left[a] == theirs[b] for a, b in zip(ours, their_keys, strict=True)])
    found = staging.save(joined, run.where)
    unmatched, sample = _unmatched(found, list(ours), their_keys[0])
    kept = found.drop(*ours, *their_keys)
    taken = dict(zip(lookup.take, typed.values, strict=True))
    return LookedUp(rows.on(kept, **taken), unmatched, sample, tuple(typed.checks))


def _their_rows(lookup: LookupSpec, spec: FileSpec, where: str, staging: Staging):
    rows = staging.load(spec)
    cells = rows.cells(spec.formats)
    bare = Evaluator(cells, spec.formats, where, label=rows.label, repeated=rows.repeated)
    keys = [bare.cell(name).text for name in lookup.on.values()]
    chosen = [plain(bare.value(e)) for e in lookup.first_by or lookup.last_by]
    order = [*chosen, rows.table[SRC], rows.table[ROW]]
    typed = Typed()
    for name, text in lookup.take.items():
        run = Evaluator(cells, spec.formats, where, tuple(keys), tuple(order), label=rows.label, repeated=rows.repeated)
        typed.values[staging.column()] = plain(run.value(text))
        typed.failures(name, run.failures, staging)
    named = {staging.column(): key for key in keys}
    rank = ibis.row_number().over(ibis.window(group_by=keys, order_by=_directed(order, bool(lookup.last_by))))
    table = rows.table.select(**named, **typed.values, **typed.flags, __rank=rank)
    table = staging.save(table.filter(ibis.and_(*[table[k].notnull() for k in named])), where)
    if not chosen:
        _refuse_repeated(table, list(named), lookup, where)
    return table.filter(table["__rank"] == 0).drop("__rank"), list(named), typed


def _directed(order: list[ibis.Value], is_last: bool) -> list:
    return [ibis.desc(v) if is_last else v for v in order]


def _refuse_repeated(table: ibis.Table, keys: list[str], lookup: LookupSpec, where: str) -> None:
    again = table.filter(table["__rank"] > 0).select(*keys).distinct().order_by(*keys)
    n = again.count().to_pyarrow().as_py()
    if n:
        example = " / ".join(again.limit(1).to_pyarrow().to_pylist()[0].values())
        raise RequestError(
            f"{where}: {counted(n, 'key')} with several rows, such as {' / '.join(lookup.on.values())} = {example!r}; "
            f"say which row counts with first_by or last_by"
        )


def _unmatched(found: ibis.Table, ours: list[str], theirs: str) -> tuple[int, tuple[str, ...]]:
    lost = found.filter(ibis.and_(*[found[k].notnull() for k in ours]) & found[theirs].isnull())
    n = lost.count().to_pyarrow().as_py()
    rows = lost.select(*ours).distinct().order_by(*ours).limit(5).to_pyarrow().to_pylist() if n else []
    return n, tuple(" / ".join(row.values()) for row in rows)
