"""Contract columns from source cells: typed, checked against the contract, each failed check with its words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import ibis
import ibis.expr.datatypes as dt
from ibis.common.exceptions import IbisTypeError

from kamlib.book.contract import Column
from kamlib.book.ingest.cells import Cell, plain, text_of
from kamlib.book.ingest.expressions import Evaluator, Failure
from kamlib.book.ingest.formats import finite, read_truth, whole
from kamlib.book.ingest.specs import ColumnSpec
from kamlib.book.ingest.staging import Staging
from kamlib.book.periods import LABEL, LABELS, day
from kamlib.errors import RequestError

_KINDS = (
    (dt.String, str, "text"),
    (dt.Int64, int, "a whole number"),
    (dt.Float64, float, "a number"),
    (dt.Boolean, bool, "true or false"),
)


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
        typed.values[spec.name] = integer = whole(value)
        typed.check(spec.name, value.notnull() & integer.isnull(), shown, "not a whole number", staging)
    if not column.optional:
        typed.check(spec.name, value.isnull(), shown, "required and missing", staging)
    for is_failed, reason in _limits(column, value):
        typed.check(spec.name, is_failed, shown, reason, staging)


def own_column(
    spec: ColumnSpec, meant: Column | None, run: Evaluator, typed: Typed, ids: list, staging: Staging, aliases
) -> str:
    """Add a column the contract does not have: as the source holds it, or as what it is ``meant`` to be.

    Its own name may be that of a column already there, so it goes by another for now, which is returned.
    """
    column = staging.column()
    if meant:
        value, _shown = _value(spec, meant.dtype, run, ids, aliases)
        default = None if spec.default is None else _constant(spec.default, meant.dtype, run.where)
    else:
        value, default = plain(_renamed(spec, _found(spec, run, ids), aliases)), spec.default
    typed.values[column] = _filled(value, default, run.where)
    typed.failures(spec.name, run.failures, staging)
    return column


def _filled(value: ibis.Value, default, where: str) -> ibis.Value:
    if default is None:
        return value
    try:
        return value.fill_null(_spelled(default) if value.type().is_string() else default)
    except IbisTypeError:
        raise RequestError(f"{where}: the default {default!r} does not fit its column, {value.type()}") from None


def _value(spec: ColumnSpec, dtype: dt.DataType, run: Evaluator, ids: list, aliases):
    """The typed value, and the text to show when it is refused."""
    if spec.value is not None:
        constant = ibis.literal(_constant(spec.value, dtype, run.where), type=dtype)
        return constant, text_of(constant)
    mark = spec.formats.number.decimal if dtype.is_numeric() else "."
    found = _renamed(spec, _found(spec, run, ids), aliases, mark)
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


def _renamed(spec: ColumnSpec, found, aliases, mark: str = "."):
    """The value under its declared name: an alias table, or the column's own table of values."""
    names = aliases[spec.alias] if spec.alias else {str(k): _spelled(v, mark) for k, v in spec.values.items()}
    if not names:
        return found
    text = text_of(found)
    return ibis.cases(*[(text == name, ibis.literal(to)) for name, to in names.items()], else_=text)


def _spelled(value, mark: str = ".") -> str:
    """A constant of the mapping as a cell would have it; ``mark`` is the decimal mark cells are read with."""
    if isinstance(value, float):
        return str(value).replace(".", mark)
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
        try:
            return day(value)
        except RequestError as error:
            raise RequestError(f"{where}: {error}") from None
    kind, called = next((python, name) for ibis_type, python, name in _KINDS if isinstance(dtype, ibis_type))
    is_right = isinstance(value, (int, float) if kind is float else kind)
    if not is_right or (isinstance(value, bool) and kind is not bool):
        raise RequestError(f"{where}: {value!r} is not {called}; write it as that, text in quotes")
    return kind(value)


def _limits(column: Column, value: ibis.Value):
    if column.name == "period":
        yield ~value.re_search(LABEL), f"not a period: write {LABELS}"
    if column.dtype.is_date():
        yield ~value.between(date.min, date.max), "before the year 1 or after 9999"
    if column.dtype.is_floating():
        yield value.notnull() & finite(value).isnull(), "not a finite number"
    for name, limit in column.limits.items():
        if name == "isin":
            yield value.notin(list(limit)), f"not one of {', '.join(limit)}; declare 'values' to translate"
        elif name.startswith("greater"):
            yield value < limit, f"below {limit}"
        else:
            yield value > limit, f"above {limit}"
