"""Rows that contradict each other or name what is not there: duplicates, conflicts and orphans of a contract table."""

from __future__ import annotations

from graphlib import TopologicalSorter

import ibis
from ibis import _

from kamlib.book.contract import TABLES
from kamlib.book.ingest.accounting import Ledger
from kamlib.book.ingest.likeness import list_values
from kamlib.book.ingest.rows import alive
from kamlib.book.ingest.specs import PartSpec
from kamlib.book.ingest.staging import IDENTITY, KEY, NTH, PART, Staging
from kamlib.book.tables import MODELS

_MOST_KNOWN = 20_000
IDENTICAL = "identical duplicate"


def reading_order(tables) -> list[str]:
    """The tables so that each comes after those whose keys it refers to."""
    graph = {
        name: [c.refers for c in TABLES[name].columns.values() if c.refers in tables and c.refers != name]
        for name in MODELS
        if name in tables
    }
    return list(TopologicalSorter(graph).static_order())


class Quarantine:
    """Takes out of one table's candidates what cannot stay; keeps the rejected rows with their reasons."""

    def __init__(
        self, table: str, parts: tuple[PartSpec, ...], staging: Staging, ledger: Ledger, refused: dict[str, ibis.Table]
    ):
        self.spec, self.parts, self.refused = TABLES[table], parts, refused
        self.staging, self.ledger = staging, ledger
        self.rejected: list[ibis.Table] = []

    def without_duplicates(self, rows: ibis.Table) -> ibis.Table:
        """Rows of which no two have the same key: identical ones once, conflicting ones not at all."""
        key = [k for k in self.spec.key if k in rows.columns]
        again = rows.group_by(key).aggregate(__n=_.count()).filter(_["__n"] > 1)
        again = self.staging.save(again, f"duplicates of {self.spec.name}")
        if not _count(again):
            return rows
        same_key = [rows[k].identical_to(again[k]) for k in key]
        doubtful = rows.semi_join(again, same_key)
        content = [c for c in rows.columns if c not in (*IDENTITY, NTH)]
        ids = [doubtful[c] for c in (*IDENTITY, NTH)]
        twin = ibis.row_number().over(ibis.window(group_by=[doubtful[c] for c in content], order_by=ids))
        doubtful = doubtful.mutate(__twin=twin)
        kinds = (doubtful["__twin"] == 0).cast("int64").sum().over(ibis.window(group_by=[doubtful[k] for k in key]))
        doubtful = self.staging.save(doubtful.mutate(__kinds=kinds), f"duplicates of {self.spec.name}")
        return self._without_twins(self._without_conflicts(rows, doubtful, key), doubtful)

    def _without_conflicts(self, rows: ibis.Table, doubtful: ibis.Table, key: list[str]) -> ibis.Table:
        conflict = doubtful.filter(doubtful["__kinds"] > 1)
        shown = _joined([conflict[k].cast("string").fill_null("") for k in key])
        reason = "conflicts: " + conflict["__kinds"].cast("int64").cast("string") + " different rows have this key"
        return self._reject(rows, conflict, " + ".join(key), shown, reason)

    def _without_twins(self, rows: ibis.Table, doubtful: ibis.Table) -> ibis.Table:
        twins = doubtful.filter((doubtful["__kinds"] == 1) & (doubtful["__twin"] > 0))
        if not _count(twins):
            return rows
        kept = self.staging.save(rows.anti_join(twins, [*IDENTITY, NTH]), f"duplicates of {self.spec.name}")
        left = alive(kept)
        for place, n in alive(rows).items():
            self.ledger.drop(self.spec.name, *place, IDENTICAL, n - left.get(place, 0))
        return kept

    def without_orphans(self, rows: ibis.Table, accepted: dict[str, ibis.Table]) -> ibis.Table:
        """Rows whose references are found in the accepted tables of this book; absent tables are not asked."""
        for name, column in self.spec.columns.items():
            if name not in rows.columns or not column.refers:
                continue
            if column.refers == self.spec.name:
                rows = self._without_lost_owners(rows, name)
            elif column.refers in accepted:
                rows = self._without_unknown(rows, name, column.refers, accepted[column.refers])
        return rows

    def _without_lost_owners(self, rows: ibis.Table, name: str) -> ibis.Table:
        """Rows that refer to another row of the same table: one that goes may leave others without theirs."""
        while True:
            kept = self._without_unknown(rows, name, self.spec.name, rows)
            if kept is rows:
                return rows
            rows = kept

    def _without_unknown(self, rows: ibis.Table, name: str, table: str, known: ibis.Table) -> ibis.Table:
        key = TABLES[table].key[0]
        keys = known.select(**{"__known": known[key]}).distinct()
        orphans = rows.filter(rows[name].notnull())
        orphans = self.staging.save(orphans.anti_join(keys, orphans[name] == keys["__known"]), f"orphans in {name}")
        if not _count(orphans):
            return rows
        self._note_orphans(orphans[name], table, keys)
        lenient = [i for i, p in enumerate(self.parts) if name in p.columns and p.columns[name].unknown == "missing"]
        strict = orphans.filter(orphans[PART].notin(lenient)) if lenient else orphans
        reason = ibis.literal(f"not among the {table} of this book")
        rows = self._reject(rows, strict, name, strict[name], reason)
        return self._forget(rows, orphans, name, lenient) if lenient else rows

    def _forget(self, rows: ibis.Table, orphans: ibis.Table, name: str, lenient: list[int]) -> ibis.Table:
        """Unknown values made missing, where the mapping says so."""
        ids = orphans.filter(orphans[PART].isin(lenient)).select(*IDENTITY, NTH, __lost=ibis.literal(True))
        joined = rows.left_join(ids, [*IDENTITY, NTH])
        value = joined["__lost"].notnull().ifelse(ibis.null("string"), joined[name])
        return self.staging.save(joined.mutate(**{name: value}).select(rows.columns), f"unknown {name}")

    def _note_orphans(self, column: ibis.StringColumn, table: str, keys: ibis.Table) -> None:
        known = keys.order_by("__known").limit(_MOST_KNOWN)["__known"].to_pyarrow().to_pylist()
        name = column.get_name()
        what = f"{self.spec.name}.{name}: {{n}} not among the {table}"
        self.ledger.notes += list_values(column, what, "value", known, self._why_refused(column, table))

    def _why_refused(self, column: ibis.StringColumn, table: str) -> dict[str, str]:
        """What stood against the row that a value refers to, where the export has it and it was refused."""
        if table not in self.refused:
            return {}
        rows = self.refused[table].semi_join(column.as_table(), [(KEY, column.get_name())])
        found = rows.select(KEY, "column", "reason").distinct().order_by(KEY, "column", "reason").to_pyarrow()
        return {r[KEY]: f"refused itself in {table}: {r['column']}, {r['reason']}" for r in found.to_pylist()}

    def _reject(self, rows: ibis.Table, bad: ibis.Table, column: str, value, reason) -> ibis.Table:
        """The rows without the source rows of the bad ones, which go into quarantine whole."""
        name = self.spec.key[0]
        key = {KEY: bad[name].cast("string") if name in bad.columns else ibis.null("string")}
        first = ibis.row_number().over(ibis.window(group_by=[bad[c] for c in IDENTITY], order_by=[bad[NTH]]))
        told = bad.select(*IDENTITY, column=ibis.literal(column), value=value, reason=reason, __first=first, **key)
        told = self.staging.save(told.filter(told["__first"] == 0).drop("__first"), f"rejects of {self.spec.name}")
        if not _count(told):
            return rows
        self.rejected.append(told)
        return self.staging.save(rows.anti_join(told, IDENTITY), f"rejects of {self.spec.name}")


def _count(table: ibis.Table) -> int:
    return table.count().to_pyarrow().as_py()


def _joined(texts: list[ibis.StringValue]) -> ibis.StringValue:
    joined = texts[0]
    for text in texts[1:]:
        joined = joined + " / " + text
    return joined
