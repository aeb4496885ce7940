"""Check a book against the contract: rows, span and gaps of each table, and each violation with what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import ibis
import pandas as pd
import pyarrow.parquet as pq
from ibis import _

from kamlib.book.contract import TABLES, Column, Table
from kamlib.book.ingest.accounting import counted
from kamlib.book.rules import ERROR, WARNING, Rule, rules_of
from kamlib.book.store import Book

_SAMPLE = 5


@dataclass(frozen=True)
class Violation:
    """Something that should not be: what, in how many rows, which (a sample), and what to do."""

    table: str
    what: str
    count: int
    sample: tuple[str, ...]
    remedy: str
    severity: str = ERROR

    def line(self) -> str:
        """The violation as one sentence."""
        where = f"{self.table}: " if self.table else ""
        rows = f"{counted(self.count, 'row')}: " if self.count else ""
        more = ", …" if self.count > len(self.sample) else ""
        which = f" ({', '.join(self.sample)}{more})" if self.sample else ""
        return f"{self.severity}: {where}{rows}{self.what}{which}; {self.remedy}"


@dataclass(frozen=True)
class TableSummary:
    """One table in figures: rows, first and last day, and the share of rows in which each column is missing."""

    table: str
    rows: int
    first: date | None
    last: date | None
    missing: Mapping[str, float]

    def line(self) -> str:
        """The table as one sentence."""
        span = f", {self.first} to {self.last}" if self.first else ""
        gaps = ", ".join(f"{name} {share:.1%}" for name, share in self.missing.items() if share > 0)
        missing = f"missing: {gaps}" if gaps else "nothing missing"
        return f"{self.table}: {counted(self.rows, 'row')}{span}; {missing}"


@dataclass(frozen=True)
class CheckReport:
    """What a check found: a summary of each table that is there, the absent ones, and the violations."""

    name: str
    tables: tuple[TableSummary, ...]
    absent: tuple[str, ...]
    violations: tuple[Violation, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings do not count."""
        return not any(v.severity == ERROR for v in self.violations)

    def lines(self) -> list[str]:
        """The report in sentences, errors before warnings, for a terminal."""
        ordered = sorted(self.violations, key=lambda v: v.severity != ERROR)
        errors = sum(v.severity == ERROR for v in self.violations)
        absent = [f"not in this book: {', '.join(self.absent)}"] if self.absent else []
        found = f"{self.name}: {counted(errors, 'error')}, {counted(len(ordered) - errors, 'warning')}"
        return [*(t.line() for t in self.tables), *absent, *(v.line() for v in ordered), found]


def check(book: Book, today: date | None = None) -> CheckReport:
    """Check a whole book, on any engine, whatever day or scope it was opened for.

    Each table is read with one aggregate query, one more for its key, and a small one for each rule that is broken.

    Parameters
    ----------
    book
        An open book.
    today
        The day after which facts cannot have happened; by default today.

    Examples
    --------
    >>> check(open_book("data/sample")).ok  # doctest: +SKIP
    True
    """
    today = today or date.today()
    tables, summaries, violations = {}, [], _of_settings(book)
    for name in (n for n in TABLES if n in book.place.sources):
        table, wrong = _readable(book.place.sources[name], TABLES[name])
        violations += wrong
        if table is not None:
            tables[name] = table
    for name, table in tables.items():
        summary, found = _check_table(table, TABLES[name], tables, today)
        summaries.append(summary)
        violations += [*found, *_duplicates(table, TABLES[name])]
    violations += [*_cycles(tables), *_overlaps(tables), *_equal_lines(tables), *_refused(book.place.path)]
    return CheckReport(book.name, tuple(summaries), tuple(book.absent), tuple(violations))


def _of_settings(book: Book) -> list[Violation]:
    said = []
    for name in book.settings.unknown:
        remedy = "correct its name in book.yml, or take it out"
        said.append(Violation("", f"book.yml has a setting {name!r} that nothing reads", 0, (), remedy, WARNING))
    if not book.settings.currency:
        what, remedy = "no currency is declared", "write 'currency: TWD' (or yours) in book.yml"
        said.append(Violation("", what, 0, (), remedy, WARNING))
    if book.settings.fiscal_year_start != 1:
        start = book.settings.fiscal_year_start
        what = f"the fiscal year starts in month {start}, and periods are of the calendar year"
        remedy = "read 2026-Q3 as July to September; where your quarters end in other months, render single months"
        said.append(Violation("", what, 0, (), remedy, WARNING))
    return said


def _refused(place: Path | None) -> list[Violation]:
    """Rows that the ingest kept out of the book: what is left may be sound and yet not all there is."""
    files = [place / "rejects" / f"{name}.parquet" for name in TABLES] if place else []
    counts = {file.stem: pq.read_metadata(file).num_rows for file in files if file.is_file()}
    what = "they were refused by the ingest and are not in the book"
    return [Violation(t, what, n, (), f"look in rejects/{t}.csv for why", WARNING) for t, n in counts.items()]


def _readable(source: ibis.Table, spec: Table) -> tuple[ibis.Table | None, list[Violation]]:
    """The table with the contract's types, and what stands against reading it."""
    lacking = [name for name in spec.required if name not in source.columns]
    understood = {**spec.columns, **spec.own}
    wrong = [_unlike(source, spec.name, column) for name, column in understood.items() if name in source.columns]
    found = [v for v in wrong if v]
    if lacking:
        what = f"required columns are not there: {', '.join(lacking)}"
        found.append(Violation(spec.name, what, 0, (), "map them and ingest again"))
    if any(v.severity == ERROR for v in found):
        return None, found
    casts = {n: c.dtype for n, c in spec.columns.items() if n in source.columns and source[n].type() != c.dtype}
    return (source.cast(casts) if casts else source), found


def _unlike(source: ibis.Table, table: str, column: Column) -> Violation | None:
    """A column whose type is not the contract's: an error where it cannot be read as it, else a warning."""
    name, have, want = column.name, source[column.name].type(), column.dtype
    is_number = have.is_numeric() and want.is_numeric() and not (have.is_floating() and want.is_integer())
    # DuckDB has a type of its own for a column without any value, which Ibis does not know.
    is_empty = have.is_null() or (have.is_unknown() and "NULL" in str(have))
    if is_empty or type(have) is type(want) or is_number or (have.is_date() and want.is_date()):
        return None
    what = f"{name} is {have} where the contract has {want}"
    # A database often numbers what the contract names, and writes 1 and 0 for true and false.
    is_coded = have.is_integer() and (want.is_string() or want.is_boolean())
    can_be_read = is_coded or (have.is_numeric() and want.is_integer()) or (have.is_timestamp() and want.is_date())
    if can_be_read:
        return Violation(table, what, 0, (), f"it is read as {want}; write it as one", WARNING)
    return Violation(table, what, 0, (), "ingest it with a mapping, which reads text into types")


def _check_table(table: ibis.Table, spec: Table, tables: dict, today: date):
    """The summary of a table and its broken rules, from one aggregate query."""
    own = [c for c in table.columns if c in spec.columns]
    rules = rules_of(spec, own, today)
    joined, references = _with_references(table, spec, tables)
    rules += references
    figures = _span(joined, [c for c in spec.dated if c in own])
    figures |= {f"missing{i}": joined.count(where=joined[c].isnull()) for i, c in enumerate(own)}
    figures |= {f"rule{i}": joined.count(where=rule.is_broken(joined).fill_null(False)) for i, rule in enumerate(rules)}
    if spec.name == "orders":
        figures["value"] = joined.revenue.abs().sum()
    row = joined.aggregate(rows=joined.count(), **figures)
    values = row.to_pyarrow().to_pylist()[0]
    n = values["rows"]
    missing = {c: values[f"missing{i}"] / n if n else 0.0 for i, c in enumerate(own)}
    broken = [(rule, values[f"rule{i}"]) for i, rule in enumerate(rules) if values[f"rule{i}"]]
    violations = [_violation(joined, spec, rule, count) for rule, count in broken]
    return TableSummary(spec.name, n, values.get("first"), values.get("last"), missing), violations + _empty(
        spec, values
    )


def _span(table: ibis.Table, dated: list[str]) -> dict[str, ibis.Scalar]:
    """First and last day, by the first of the dating columns that is filled."""
    if not dated:
        return {}
    when = ibis.coalesce(*[table[c] for c in dated])
    return {"first": when.min(), "last": when.max()}


def _empty(spec: Table, values: dict) -> list[Violation]:
    if spec.name in ("accounts", "orders") and not values["rows"]:
        return [Violation(spec.name, "there is no row", 0, (), "ingest one that has accounts and orders")]
    if spec.name == "orders" and not values["value"]:
        return [Violation(spec.name, "revenue is 0 in every row", 0, (), "check the column in the mapping", WARNING)]
    return []


def _with_references(table: ibis.Table, spec: Table, tables: dict) -> tuple[ibis.Table, list[Rule]]:
    """The table with a mark for each reference that is found, and the rules that ask for the marks."""
    rules: list[Rule] = []
    joined = table
    for name, column in spec.columns.items():
        if name in table.columns and column.refers in tables:
            key = TABLES[column.refers].key[0]
            known, mark = f"__known_{name}", f"__mark_{name}"
            keys = tables[column.refers].select(**{known: key}).distinct().mutate(**{mark: ibis.literal(1)})
            joined = joined.left_join(keys, joined[name] == keys[known]).drop(known)
            rules.append(_reference_rule(name, mark, column.refers))
    if spec.through in tables:
        through = tables[spec.through]
        known = through.select(**{f"__of_{k}": through[k] for k in spec.key}).distinct().mutate(__of=ibis.literal(1))
        joined = joined.left_join(known, [joined[k] == known[f"__of_{k}"] for k in spec.key])
        joined = joined.drop(*[f"__of_{k}" for k in spec.key])
        rules.append(_line_rule(spec))
    if spec.name == "orders" and "opened_on" in tables.get("accounts", table).columns:
        opened = tables["accounts"].group_by(__owner=_.account_id).aggregate(__opened=_.opened_on.min())
        joined = joined.left_join(opened, joined.account_id == opened["__owner"]).drop("__owner")
        rules.append(_opened_rule())
    return joined, rules


def _reference_rule(name: str, mark: str, table: str) -> Rule:
    remedy = f"add them to {table}, correct the source, or declare an alias"
    what = f"{name} is not among the {table}"
    return Rule(what, remedy, ERROR, (name,), lambda t: t[name].notnull() & t[mark].isnull())


def _line_rule(spec: Table) -> Rule:
    """A row hangs by its whole key on another table; where that table has not the row, no as-of reading shows it."""
    first, *rest = spec.key
    what = f"{' + '.join(rest)} is not among the {spec.through} of its {first}"
    remedy = f"number them as in {spec.through}"
    return Rule(what, remedy, ERROR, tuple(rest), lambda t: t[f"__mark_{first}"].notnull() & t["__of"].isnull())


def _opened_rule() -> Rule:
    what, remedy = "order_date lies before the account was opened", "correct opened_on, or leave it out"
    return Rule(what, remedy, WARNING, ("account_id",), lambda t: t.order_date < t["__opened"])


def _violation(table: ibis.Table, spec: Table, rule: Rule, count: int) -> Violation:
    """A broken rule with a few of its rows, by their key and by the values it looks at."""
    key = [k for k in spec.key if k in table.columns]
    shown = list(dict.fromkeys([*key, *rule.columns]))
    rows = table.filter(rule.is_broken(table)).select(shown).order_by(key).limit(_SAMPLE).to_pyarrow().to_pylist()
    sample = tuple(_told(row, key, [c for c in rule.columns if c not in key]) for row in rows)
    return Violation(spec.name, rule.what, count, sample, rule.remedy, rule.severity)


def _told(row: dict, key: list[str], columns: list[str]) -> str:
    name = "/".join("" if row[k] is None else str(row[k]) for k in key)
    values = [f"{c} {row[c]}" for c in columns if row[c] is not None]
    return f"{name} with {' and '.join(values)}" if values else name


def _duplicates(table: ibis.Table, spec: Table) -> list[Violation]:
    key = [k for k in spec.key if k in table.columns]
    again = table.group_by(key).aggregate(rows=_.count()).filter(_["rows"] > 1)
    found = again.order_by(ibis.desc("rows"), *key).limit(_SAMPLE).to_pyarrow().to_pylist()
    if not found:
        return []
    count = int(again.aggregate(n=_["rows"].sum()).to_pyarrow().to_pylist()[0]["n"])
    sample = tuple(f"{_told(row, key, [])} {row['rows']} times" for row in found)
    what = f"several rows have the same {' + '.join(key)}"
    return [Violation(spec.name, what, count, sample, "keep one of each: ingest drops identical rows")]


def _cycles(tables: dict) -> list[Violation]:
    """Accounts that own each other in a circle: no figure could be rolled up to their owner."""
    if "parent_id" not in getattr(tables.get("accounts"), "columns", ()):
        return []
    accounts = tables["accounts"].filter(_.parent_id.notnull() & (_.parent_id != _.account_id))
    rows = accounts.select("account_id", "parent_id").to_pandas()
    circles = _circles(dict(zip(rows.account_id, rows.parent_id, strict=True)))
    if not circles:
        return []
    members = sum(len(c) for c in circles)
    sample = tuple(" → ".join([*circle, circle[0]]) for circle in circles[:_SAMPLE])
    what = "accounts own each other in a circle"
    return [Violation("accounts", what, members, sample, "correct parent_id so that each chain ends")]


def _circles(owner: dict[str, str]) -> list[list[str]]:
    seen: set[str] = set()
    circles = []
    for start in sorted(owner):
        path: dict[str, int] = {}
        node = start
        while node in owner and node not in seen and node not in path:
            path[node] = len(path)
            node = owner[node]
        if node in path:
            circles.append(list(path)[path[node] :])
        seen |= set(path)
    return circles


def _overlaps(tables: dict) -> list[Violation]:
    """Assignments of one account that run at the same time: which manager held it is then a matter of order."""
    if "assignments" not in tables:
        return []
    spells = tables["assignments"]
    spells = spells if "to_date" in spells.columns else spells.mutate(to_date=ibis.null("date"))
    window = ibis.window(group_by="account_id", order_by="from_date")
    paired = spells.mutate(__next=_.from_date.lead().over(window))
    both = paired.filter(_["__next"].notnull() & (_.to_date.isnull() | (_.to_date >= _["__next"])))
    frame: pd.DataFrame = both.select("account_id", "from_date", following="__next").to_pandas()
    if frame.empty:
        return []
    rows = frame.sort_values(["account_id", "from_date"]).head(_SAMPLE).itertuples()
    sample = tuple(f"{r.account_id} from {r.from_date:%Y-%m-%d} and {r.following:%Y-%m-%d}" for r in rows)
    remedy = "end each with 'to_date' the day before the next; the later one counts"
    return [Violation("assignments", "one account has two managers at a time", len(frame), sample, remedy, WARNING)]


def _equal_lines(tables: dict) -> list[Violation]:
    """Order lines that only their number tells apart: copies in the export, numbered by ``position_within``."""
    if "orders" not in tables:
        return []
    orders = tables["orders"]
    said = [column for column in orders.columns if column != "line_no"]
    alike = orders.group_by(said).aggregate(__lines=_.count()).filter(_["__lines"] > 1)
    found = alike.order_by(ibis.desc("__lines"), "order_id").limit(_SAMPLE).to_pyarrow().to_pylist()
    if not found:
        return []
    count = int(alike.aggregate(n=(_["__lines"] - 1).sum()).to_pyarrow().to_pylist()[0]["n"])
    sample = tuple(f"order {row['order_id']} has one {row['__lines']} times" for row in found)
    what = "they equal another line of their order in everything but line_no"
    remedy = "if the export holds copies, drop them with one_per (data/mappings/README.md); else leave them"
    return [Violation("orders", what, count, sample, remedy, WARNING)]
