"""One source file on its way into one contract table: look-ups, drop rules, columns, and why a row cannot go on."""

from __future__ import annotations

import ibis
from ibis import _

from kamlib.book.contract import TABLES
from kamlib.book.ingest.accounting import Ledger, counted
from kamlib.book.ingest.cells import plain, text_of
from kamlib.book.ingest.columns import Check, Typed, own_column, typed_column
from kamlib.book.ingest.delimited import BROKEN, ROW
from kamlib.book.ingest.expressions import Evaluator
from kamlib.book.ingest.formats import days_after, whole
from kamlib.book.ingest.grammar import is_expression
from kamlib.book.ingest.likeness import list_values
from kamlib.book.ingest.lookups import look_up
from kamlib.book.ingest.specs import Changes, Mapping, OnePer, PartSpec
from kamlib.book.ingest.staging import IDENTITY, KEY, NTH, PART, SRC, Rows, Staging

BAD, VALUE = "__bad", "__value"
MAX_TIMES = 1_000


def alive(rows: ibis.Table) -> dict[tuple[int, int], int]:
    """How many source rows stand in a table, by part and source."""
    counts = rows.select(*IDENTITY).distinct().group_by(PART, SRC).aggregate(n=_.count())
    return {(r[PART], r[SRC]): r["n"] for r in counts.to_pyarrow().to_pylist()}


class PartReader:
    """Reads one part of a table; rows that leave are entered in the ledger, those that stay are candidates."""

    def __init__(self, part: PartSpec, number: int, mapping: Mapping, staging: Staging, ledger: Ledger):
        self.part, self.number, self.mapping = part, number, mapping
        self.staging, self.ledger = staging, ledger
        self.spec = TABLES[part.table]
        self.checks: list[Check] = []

    def read(self) -> tuple[ibis.Table, ibis.Table]:
        """The rows that can go on, with the contract's types, and the rejected ones."""
        rows = self._start()
        rows = self._look_up(rows)
        rows = self._add(rows)
        rows = self._drop(rows)
        self._note_number_identifiers(rows)
        rows = self._explode(rows)
        staged = self.staging.save(self._columns(rows), self.part.where)
        self._note_names(staged)
        good, bad = self._split(staged)
        return self._collapse(good), bad

    def _start(self) -> Rows:
        rows = self.staging.load(self.mapping.files[self.part.file])
        counts = rows.table.group_by(SRC).aggregate(n=_.count()).to_pyarrow().to_pylist()
        there = dict.fromkeys(self.staging.numbers[self.part.file], 0) | {r[SRC]: r["n"] for r in counts}
        self.ledger.enter(self.part.table, self.number, there)
        return rows.on(rows.table.mutate(**{PART: ibis.literal(self.number, type="int64")}))

    def _run(self, rows: Rows, what: str, formats=None, keys=(), order=()) -> Evaluator:
        formats = formats or self.part.formats
        where = f"{self.part.where}.{what}"
        return Evaluator(
            rows.cells(formats),
            formats,
            where,
            tuple(keys),
            tuple(order),
            label=rows.label,
            repeated=rows.repeated,
        )

    def _look_up(self, rows: Rows) -> Rows:
        for lookup in self.part.lookups:
            run = self._run(rows, f"lookups ({lookup.file})")
            found = look_up(rows, lookup, self.mapping.files[lookup.file], run, self.staging)
            rows = found.rows
            self.checks += found.checks
            if found.unmatched:
                self.ledger.notes.append(
                    f"{self.part.table}: {counted(found.unmatched, 'row')} without a match in {lookup.file} by "
                    f"{' / '.join(lookup.on.values())} ({', '.join(map(repr, found.sample))}); what is taken from "
                    f"there is missing in them"
                )
        return rows

    def _add(self, rows: Rows) -> Rows:
        for name, text in self.part.add.items():
            run, typed, column = self._run(rows, f"add.{name}"), Typed(), self.staging.column()
            typed.values[column] = plain(run.value(text))
            typed.failures(name, run.failures, self.staging)
            self.checks += typed.checks
            rows = rows.on(typed.onto(rows.table), **{name: column})
        return rows

    def _drop(self, rows: Rows) -> Rows:
        rules = list(self.part.drop)
        if not rules:
            return rows
        conditions = [self._rule(rows, name) for name in rules]
        which = ibis.cases(*[(c, ibis.literal(i)) for i, c in enumerate(conditions)], else_=ibis.null("int8"))
        flagged = rows.table.mutate(__rule=which)
        gone = flagged.filter(_["__rule"].notnull()).group_by(SRC, "__rule").aggregate(n=_.count())
        for row in gone.order_by(SRC, "__rule").to_pyarrow().to_pylist():
            self.ledger.drop(self.part.table, self.number, row[SRC], rules[row["__rule"]], row["n"])
        return rows.on(flagged.filter(_["__rule"].isnull()).drop("__rule"))

    def _rule(self, rows: Rows, name: str) -> ibis.BooleanValue:
        rule = self.part.drop[name]
        if rule not in ("blank", "header"):
            return self._run(rows, f"drop.{name}").truth(rule)
        cells = rows.cells(self.part.formats)
        own = [cells[n] for n in self.staging.load(self.mapping.files[self.part.file]).fields]
        if rule == "blank":
            return ibis.and_(*[c.text.isnull() for c in own])
        return ibis.and_(*[c.text.strip().fill_null("") == c.name for c in own])

    def _explode(self, rows: Rows) -> Rows:
        """Each row as many times as it says; a row with zero goes by the rule of that name."""
        if not self.part.explode:
            return rows.on(rows.table.mutate(**{NTH: ibis.literal(1, type="int64")}))
        run, typed, times = self._run(rows, "explode"), Typed(), self.staging.column()
        label = "explode" if is_expression(self.part.explode) else self.part.explode
        found = run.value(self.part.explode)
        number = run.number(found)
        is_count = number.isnull() | whole(number).between(0, MAX_TIMES).fill_null(False)
        typed.failures(label, run.failures, self.staging)
        typed.check(label, ~is_count, text_of(found), f"not a whole number from 0 to {MAX_TIMES:,}", self.staging)
        is_bad = ibis.or_(*[typed.flags[c.flag] for c in typed.checks])
        typed.values[times] = is_bad.ifelse(1, whole(number).fill_null(0))
        self.checks += typed.checks
        counted = typed.onto(rows.table)
        for row in counted.filter(_[times] == 0).group_by(SRC).aggregate(n=_.count()).to_pyarrow().to_pylist():
            self.ledger.drop(self.part.table, self.number, row[SRC], "nothing to explode", row["n"])
        nth = self.staging.column()
        some = counted.filter(counted[times] > 0)
        many = some.mutate(**{NTH: ibis.range(0, some[times]).unnest() + 1})
        return rows.on(many.mutate(**{nth: many[NTH]}), **{self.part.explode_as: nth})

    def _columns(self, rows: Rows) -> ibis.Table:
        """The contract's columns and those of our own, and for each row the first check that it fails."""
        keys = self.part.one_per.columns if self.part.one_per else ()
        rows = self._typed(rows, keys, ())
        group = [rows.table[name] for name in keys]
        rows = self._typed(rows, [n for n in self.part.columns if n not in keys], group)
        orders = {f"__o{i}": value for i, value in enumerate(self._order_values(rows))}
        table, own = self._own(rows.on(rows.table.mutate(**orders)), group)
        table = table.mutate(__ragged=table[BROKEN].notnull())
        ragged = Check(self.part.file, "__ragged", BROKEN, "")
        self.checks = [ragged, *sorted(self.checks, key=self._place)]
        which = [(table[c.flag], ibis.literal(i, type="int16")) for i, c in enumerate(self.checks)]
        values = [(table[c.flag], table[c.value]) for c in self.checks]
        table = table.mutate(**{BAD: ibis.cases(*which), VALUE: ibis.cases(*values)})
        renamed = {name: table[column] for name, column in own.items()}
        return table.select(*IDENTITY, NTH, BAD, VALUE, *orders, *self.part.columns, **renamed)

    def _place(self, check: Check) -> int:
        """Checks of added columns come first, then the contract's columns in their order, then our own."""
        names = [*self.part.columns, *self.part.also]
        return names.index(check.column) if check.column in names else -1

    def _typed(self, rows: Rows, names, keys) -> Rows:
        typed, ids = Typed(), [rows.table[c] for c in (SRC, ROW, NTH)]
        order = [*self._order_values(rows), *ids]
        for name in names:
            column = self.part.columns[name]
            run = self._run(rows, f"columns.{name}", column.formats, keys, order)
            typed_column(column, self.spec.columns[name], run, typed, ids, self.staging, self.mapping.aliases)
        self.checks += typed.checks
        return rows.on(typed.onto(rows.table))

    def _own(self, rows: Rows, keys) -> tuple[ibis.Table, dict[str, str]]:
        """The table with the columns of our own, and what each goes by in it."""
        typed, ids, own = Typed(), [rows.table[c] for c in (SRC, ROW, NTH)], {}
        for name, column in self.part.also.items():
            run = self._run(rows, f"also.{name}", column.formats, keys, [*self._order_values(rows), *ids])
            own[name] = own_column(column, self.spec.own.get(name), run, typed, ids, self.staging, self.mapping.aliases)
        if self.spec.name == "targets":
            # Each alone may be missing, both may not: a target is somebody's.
            owners = [n for n in ("account_id", "manager_id") if n in self.part.columns]
            nobody = ibis.and_(*[rows.table[n].isnull() for n in owners])
            typed.check(owners[0], nobody, ibis.null("string"), "neither account_id nor manager_id", self.staging)
        self.checks += typed.checks
        return typed.onto(rows.table), own

    def _order_values(self, rows: Rows) -> list[ibis.Value]:
        run = self._run(rows, "one_per.order_by")
        return [plain(run.value(e)) for e in (self.part.one_per.order_by if self.part.one_per else ())]

    def _split(self, staged: ibis.Table) -> tuple[ibis.Table, ibis.Table]:
        failed = staged.filter(_[BAD].notnull())
        once = failed.filter(ibis.row_number().over(ibis.window(group_by=IDENTITY, order_by=[NTH])) == 0)
        columns = ibis.cases(*[(once[BAD] == i, ibis.literal(c.column)) for i, c in enumerate(self.checks)])
        words = [(once[BAD] == i, ibis.literal(c.reason)) for i, c in enumerate(self.checks) if i]
        reasons = ibis.cases((once[BAD] == 0, once[VALUE]), *words)
        values = (once[BAD] == 0).ifelse(ibis.null("string"), once[VALUE])
        key = once[self.spec.key[0]] if self.spec.key[0] in self.part.columns else ibis.null("string")
        told = once.select(*IDENTITY, column=columns, value=values, reason=reasons, **{KEY: key})
        bad = self.staging.save(told, self.part.where)
        good = staged.filter(_[BAD].isnull())
        if self.part.explode:
            good = good.anti_join(bad, IDENTITY)
        return good.drop(BAD, VALUE), bad

    def _collapse(self, good: ibis.Table) -> ibis.Table:
        """Several rows into one, where the mapping says so."""
        if self.part.one_per:
            return self._one_per(good, self.part.one_per)
        if self.part.changes:
            return self._changes(good, self.part.changes)
        return good

    def _one_per(self, good: ibis.Table, spec: OnePer) -> ibis.Table:
        orders = [c for c in good.columns if c.startswith("__o")]
        order = [good[c] for c in (*orders, SRC, ROW, NTH)]
        order = [ibis.desc(v) for v in order] if spec.keep == "last" else order
        rank = ibis.row_number().over(ibis.window(group_by=[good[c] for c in spec.columns], order_by=order))
        kept = good.mutate(__rank=rank).filter(_["__rank"] == 0).drop("__rank", *orders)
        return self._reduced(good, kept, f"same {' and '.join(spec.columns)} already read")

    def _changes(self, good: ibis.Table, spec: Changes) -> ibis.Table:
        ids = [ibis.desc(good[c]) for c in (SRC, ROW, NTH)]
        day = ibis.window(group_by=[*spec.within, spec.at], order_by=ids)
        daily = good.mutate(__rank=ibis.row_number().over(day)).filter(_["__rank"] == 0).drop("__rank")
        daily = self._reduced(good, daily, f"same {' and '.join(spec.within)} and {spec.at} already read")
        series = ibis.window(group_by=list(spec.within), order_by=[spec.at])
        before = daily.mutate(__before=_[spec.of].lag().over(series), __place=ibis.row_number().over(series))
        moved = before.filter((_["__place"] == 0) | ~_["__before"].identical_to(_[spec.of])).drop("__before", "__place")
        moved = self._reduced(daily, moved, f"{spec.of} unchanged")
        if not spec.until:
            return moved
        following = moved[spec.at].lead().over(ibis.window(group_by=list(spec.within), order_by=[spec.at]))
        return moved.mutate(**{spec.until: days_after(following, ibis.literal(-1))})

    def _reduced(self, before: ibis.Table, after: ibis.Table, rule: str) -> ibis.Table:
        """The smaller table, saved; what went is entered under the rule."""
        after = self.staging.save(after, self.part.where)
        left = alive(after)
        for place, n in alive(before).items():
            self.ledger.drop(self.part.table, *place, rule, n - left.get(place, 0))
        return after

    def _note_names(self, staged: ibis.Table) -> None:
        """List names that an alias table does not have, each with the nearest it has; none is matched silently."""
        for name, column in {**self.part.columns, **self.part.also}.items():
            if column.alias:
                aliases = self.mapping.aliases[column.alias]
                strange = staged.filter(_[name].notnull() & _[name].notin(sorted(set(aliases.values()))))
                what = f"{self.part.table}.{name}: {{n}} not in the alias table {column.alias!r}"
                self.ledger.notes += list_values(strange[name], what, "name", sorted(aliases))

    def _note_number_identifiers(self, rows: Rows) -> None:
        """Identifiers that a spreadsheet holds as numbers have lost their leading zeros, if they had any."""
        for name, column in self.part.columns.items():
            fields = rows.fields.get(column.column, ())
            if name.endswith("_id") and len(fields) == 3:
                n = rows.table[fields[1]].count().to_pyarrow().as_py()
                if n:
                    self.ledger.notes.append(
                        f"{self.part.table}.{name}: {column.column} holds numbers in {counted(n, 'cell')} of the "
                        f"spreadsheet; leading zeros, if there were any, are lost: format the column as text and "
                        f"export again"
                    )
