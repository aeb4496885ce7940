"""Contract columns from source cells: typed, checked against the contract, each failed check with its words."""

from __future__ import annotations

from dataclasses import dataclass, field

import ibis
import ibis.expr.datatypes as dt

from kamlib.book.ingest.cells import Cell, plain, text_of
from kamlib.book.ingest.expressions import Evaluator, Failure
from kamlib.book.ingest.formats import read_truth
from kamlib.book.ingest.specs import ColumnSpec
from kamlib.book.ingest.staging import Staging
from kamlib.book.periods import day
from kamlib.book.tables import Column
from kamlib.errors import RequestError

_PERIOD = r"^[0-9]{4}(?:-(?:H[12]|Q[1-4]|0[1-9]|1[0-2]|W(?:0[1-9]|[1-4][0-9]|5[0-3])))?$"
_KINDS = ((dt.String, str), (dt.Int64, int), (dt.Float64, float), (dt.Boolean, bool))


@dataclass(frozen=True)
class Check:
    """A reason to reject a row: the contract column, where the condition and the value stand, and the words."""

    column: str
    flag: str
    value: str
    reason: str


@dataclass
class Typed:
    """Columns to add to a table: the typed values, and the flags and texts of their checks."""

    values: dict[str, ibis.Value] = field(default_factory=dict)
    flags: dict[str, ibis.Value] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)

    def check(self, column: str, is_failed, value: ibis.StringValue, reason: str, staging: Staging) -> None:
        """Add a check; its condition and its value become columns."""
        flag, text = staging.column(), staging.column()
        self.flags |= {flag: is_failed.fill_null(False), text: value}
        self.checks.append(Check(column, flag, text, reason))

    def failures(self, column: str, failures: list[Failure], staging: Staging) -> None:
        """Add a check for each cell that could not be read."""
        for failure in failures:
            source = f"{failure.column}: " if failure.column not in ("", column) else ""
            self.check(column, failure.is_failed, failure.text, source + failure.reason, staging)

    def onto(self, table: ibis.Table) -> ibis.Table:
        """The table with all these columns."""
        return table.mutate(**self.values, **self.flags)


def typed_column(spec: ColumnSpec, column: Column, run: Evaluator, typed: Typed, ids: list, staging: Staging, aliases):
    """Add one contract column to ``typed``, with the checks of its cells and of the contract."""
    value, shown = _value(spec, column.dtype, run, ids, aliases)
    if spec.default is not None:
        value = value.fill_null(_constant(spec.default, column.dtype, run.where))
    typed.values[spec.name] = value
    typed.failures(spec.name, run.failures, staging)
    if column.dtype.is_integer() and not value.type().is_integer():
        typed.check(spec.name, value.notnull() & (value != value.floor()), shown, "not a whole number", staging)
        typed.values[spec.name] = (value == value.floor()).ifelse(value, None).try_cast("int64")
    if not column.optional:
        typed.check(spec.name, value.isnull(), shown, "required and missing", staging)
    for is_failed, reason in _limits(column, value):
        typed.check(spec.name, is_failed, shown, reason, staging)


def own_column(spec: ColumnSpec, run: Evaluator, typed: Typed, ids: list, staging: Staging, aliases) -> str:
    """Add a column the contract does not have: it travels along as the source holds it.

    Its own name may be that of a column already there, so it goes by another for now, which is returned.
    """
    column = staging.column()
    found = _found(spec, run, ids)
    found = _renamed(spec, found, aliases)
    value = found if not isinstance(found, Cell) else plain(found)
    typed.values[column] = value if spec.default is None else value.fill_null(spec.default)
    typed.failures(spec.name, run.failures, staging)
    return column


def _value(spec: ColumnSpec, dtype: dt.DataType, run: Evaluator, ids: list, aliases):
    """The typed value, and the text to show when it is refused."""
    if spec.value is not None:
        constant = ibis.literal(_constant(spec.value, dtype, run.where), type=dtype)
        return constant, text_of(constant)
    found = _renamed(spec, _found(spec, run, ids), aliases)
    shown = text_of(found)
    if dtype.is_string():
        return shown, shown
    if dtype.is_date():
        return run.day(found), shown
    if dtype.is_boolean():
        return _truth(found, run), shown
    number = run.number(found)
    is_whole = dtype.is_integer() and number.type().is_integer()
    return number.cast("int64" if is_whole else "float64"), shown


def _found(spec: ColumnSpec, run: Evaluator, ids: list):
    if spec.value is not None:
        return ibis.literal(spec.value)
    if spec.position_within:
        group = [text_of(run.value(name)) for name in spec.position_within]
        return ibis.row_number().over(ibis.window(group_by=group, order_by=ids)).cast("int64") + 1
    return run.expression(spec.expression) if spec.expression else run.cell(spec.column)


def _renamed(spec: ColumnSpec, found, aliases):
    """The value under its declared name: an alias table, or the column's own table of values."""
    names = aliases[spec.alias] if spec.alias else {str(k): _spelled(v) for k, v in spec.values.items()}
    if not names:
        return found
    text = text_of(found)
    return ibis.cases(*[(text == name, ibis.literal(to)) for name, to in names.items()], else_=text)


def _spelled(value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _truth(found, run: Evaluator) -> ibis.BooleanValue:
    if not isinstance(found, Cell) and found.type().is_boolean():
        return found
    text = text_of(found)
    read = found.read_truth() if isinstance(found, Cell) else read_truth(text)
    name = found.name if isinstance(found, Cell) else ""
    run.failures.append(Failure(name, text, text.notnull() & read.isnull(), "neither true nor false"))
    return read


def _constant(value, dtype: dt.DataType, where: str):
    if dtype.is_date():
        return day(value)
    kind = next(python for ibis_type, python in _KINDS if isinstance(dtype, ibis_type))
    is_right = isinstance(value, (int, float) if kind is float else kind)
    if not is_right or (isinstance(value, bool) and kind is not bool):
        raise RequestError(f"{where}: {value!r} is not a {kind.__name__}; write it as one, text in quotes")
    return kind(value)


def _limits(column: Column, value: ibis.Value):
    if column.name == "period":
        yield ~value.re_search(_PERIOD), "not a period: write 2026, 2026-H1, 2026-Q3, 2026-09 or 2026-W40"
    for name, limit in column.limits.items():
        if name == "isin":
            yield value.notin(list(limit)), f"not one of {', '.join(limit)}; declare 'values' to translate"
        elif name.startswith("greater"):
            yield value < limit, f"below {limit}"
        else:
            yield value > limit, f"above {limit}"
