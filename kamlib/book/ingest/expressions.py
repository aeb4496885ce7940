"""Mapping expressions turned into Ibis values over the cells of a table."""

from __future__ import annotations

import ast
import difflib
import operator
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce

import ibis
import ibis.expr.datatypes as dt

from kamlib.book.ingest.cells import Cell, plain, text_of
from kamlib.book.ingest.formats import bounded, read_truth
from kamlib.book.ingest.grammar import BINARY, COMPARE, column_name, is_expression, parse
from kamlib.book.ingest.specs import Formats
from kamlib.book.ingest.vocabulary import FUNCTIONS, METHODS, condition, ifelse
from kamlib.errors import RequestError


@dataclass(frozen=True)
class Failure:
    """Where a cell could not be read: which column, its text, the condition, and the reason in words."""

    column: str
    text: ibis.StringValue
    is_failed: ibis.BooleanValue
    reason: str


@dataclass
class Evaluator:
    """Turns expressions into Ibis values over the cells of one table, noting each cell that may not be readable.

    ``keys`` are the columns that group rows when the part has ``one_per``: aggregates run within them.
    """

    cells: Mapping[str, Cell]
    formats: Formats
    where: str = ""
    keys: tuple = ()
    order: tuple = ()
    label: str = "the source"
    repeated: frozenset = frozenset()
    failures: list[Failure] = field(default_factory=list)

    def value(self, text: str) -> Cell | ibis.Value:
        """A source column, or the value of an expression."""
        if not is_expression(text):
            return self.cell(text)
        return self.expression(text)

    def expression(self, text: str) -> Cell | ibis.Value:
        """The value of an expression, constants included."""
        tree = parse(text, self.where)
        try:
            found = self._visit(tree)
        except RequestError as error:
            said = str(error)
            raise RequestError(said if said.startswith(self.where) else f"{self.where}: {text!r} {said}") from None
        except Exception as error:  # Ibis raises many classes for values that do not fit together
            reason = " ".join(str(error).split())[:200]
            raise RequestError(f"{self.where}: {text!r} does not fit its columns ({reason})") from None
        return found if isinstance(found, (Cell, ibis.Value)) else ibis.literal(found)

    def cell(self, name: str) -> Cell:
        """The cell of a source column; RequestError when there is none, or more than one, of that name."""
        if name in self.repeated:
            raise RequestError(
                f"{self.where}: {self.label} has the column {name!r} more than once; name the columns yourself with "
                f"'names: […]' and 'header: 1' under files, or rename one in the export"
            )
        if name in self.cells:
            return self.cells[name]
        alike = [n for n in self.cells if unicodedata.normalize("NFKC", n) == unicodedata.normalize("NFKC", name)]
        if len(alike) == 1:
            return self.cells[alike[0]]
        raise RequestError(f"{self.where}: {self.label} has no column {name!r}; {self._hint(name)}")

    def _hint(self, name: str) -> str:
        there = list(self.cells)
        if len(there) == 1 and set(there[0]) & set(";\t|"):
            return f"its only column is {there[0]!r}: declare the 'delimiter' under files"
        close = difflib.get_close_matches(name, there, n=1)
        return f"did you mean {close[0]!r}?" if close else f"it has {', '.join(map(repr, there))}"

    def truth(self, text: str) -> ibis.BooleanValue:
        """An expression as a condition; RequestError when it is none."""
        found = self.expression(text)
        if isinstance(found, Cell):
            found = read_truth(text_of(found)) if found.native is None else found.native
        if not found.type().is_boolean():
            raise RequestError(f"{self.where}: {text!r} is not a condition: it gives {found.type()}")
        return found.fill_null(False)

    def number(self, value) -> ibis.Value:
        """A value as a number; cells of text are read in the declared format."""
        if isinstance(value, Cell):
            if value.is_numeric:
                return value.number
            if value.native is not None:
                raise RequestError(
                    f"{self.where}: {value.name} is {value.native.type()}, not a number; for dates there is "
                    f"add_days(date, days)"
                )
            return self._read(
                value, value.read_number(self.formats.number), f"not a number written as {self.formats.number}"
            )
        value = plain(value)
        if value.type().is_string():
            read = self.formats.number.read(value)
            self._note("", value, read, f"not a number written as {self.formats.number}")
            return read
        return value

    def day(self, value, form=None) -> ibis.DateValue:
        """A value as a calendar day; cells of text are read in the declared format."""
        form = form or self.formats.date
        if isinstance(value, Cell):
            return self._read(value, value.read_day(form), f"not a date written as {form}")
        value = plain(value)
        if value.type().is_string():
            read = form.read(value)
            self._note("", value, read, f"not a date written as {form}")
            return read
        return value.cast(dt.date)

    def _read(self, cell: Cell, read: ibis.Value, reason: str) -> ibis.Value:
        self._note(cell.name, cell.text, read, reason)
        return read

    def _note(self, column: str, text: ibis.StringValue, read: ibis.Value, reason: str) -> None:
        self.failures.append(Failure(column, text, text.notnull() & read.isnull(), reason))

    def over(self, aggregate: ibis.Value, ordered: bool = False) -> ibis.Value:
        """An aggregate over the rows with the same keys."""
        if not self.keys:
            raise RequestError("uses an aggregate, which needs 'one_per' (or the 'on' of a look-up) to say over what")
        order = {"order_by": list(self.order), "preceding": None, "following": None} if ordered else {}
        return aggregate.over(ibis.window(group_by=list(self.keys), **order))

    def _visit(self, node: ast.AST):
        name = column_name(node)
        if name is not None:
            return self.cell(name)
        return getattr(self, f"_visit_{type(node).__name__}")(node)

    def _visit_Constant(self, node):
        return node.value

    def _visit_List(self, node):
        return [self._visit(e) for e in node.elts]

    _visit_Tuple = _visit_List

    def _visit_BinOp(self, node):
        left, right, sign = self._visit(node.left), self._visit(node.right), BINARY[type(node.op)]
        if sign in "&|":
            return _logic(sign, condition(left), condition(right))
        if sign == "+" and not (self.counts(left) or self.counts(right)):
            return text_of(left) + text_of(right)
        return _arithmetic(sign, plain(self.number(left)), plain(self.number(right)))

    @staticmethod
    def counts(value) -> bool:
        if isinstance(value, Cell):
            return value.is_numeric
        return plain(value).type().is_numeric()

    def _visit_UnaryOp(self, node):
        value = self._visit(node.operand)
        if isinstance(node.op, (ast.Not, ast.Invert)):
            return ~condition(value)
        if isinstance(value, (int, float)):
            return -value if isinstance(node.op, ast.USub) else value
        number = plain(self.number(value))
        return -number if isinstance(node.op, ast.USub) else number

    def _visit_BoolOp(self, node):
        sign = "&" if isinstance(node.op, ast.And) else "|"
        return reduce(lambda a, b: _logic(sign, a, b), [condition(self._visit(v)) for v in node.values])

    def _visit_Compare(self, node):
        values = [self._visit(v) for v in (node.left, *node.comparators)]
        pairs = zip(values, node.ops, values[1:], strict=False)
        return reduce(lambda a, b: a & b, [self.compare(a, COMPARE[type(op)], b) for a, op, b in pairs])

    def compare(self, left, relation: Callable, right) -> ibis.BooleanValue:
        if left is None or right is None:
            if relation not in (operator.eq, operator.ne):
                raise RequestError("asks whether something is more or less than None; missing is == None")
            other = plain(right if left is None else left)
            return other.isnull() if relation is operator.eq else other.notnull()
        left, right = self._alike(left, right), self._alike(right, left)
        return relation(plain(left), plain(right))

    def _alike(self, value, other):
        """A cell in the kind of what it is compared with: a number, a day, or text."""
        if not isinstance(value, Cell):
            is_day = isinstance(value, str) and _is_day(other)
            return ibis.date(value) if is_day else value
        if isinstance(other, Cell):
            return value.native if value.native is not None and other.native is not None else value.text
        if self.counts(other):
            return self.number(value)
        if _is_day(other) or (value.moment is not None and value.native is not None):
            return self.day(value)
        return plain(value) if isinstance(other, bool) else value.text

    def _visit_IfExp(self, node):
        return ifelse(self, self._visit(node.test), self._visit(node.body), self._visit(node.orelse))

    def _visit_Call(self, node):
        arguments = [self._visit(a) for a in node.args]
        if isinstance(node.func, ast.Name):
            call, name = FUNCTIONS[node.func.id], node.func.id
        else:
            call, name = METHODS[node.func.attr], node.func.attr
            arguments.insert(0, self._visit(node.func.value))
        try:
            return call(self, *arguments)
        except TypeError as error:
            raise RequestError(f"calls {name} with arguments that do not fit it ({error})") from None


def _is_day(value) -> bool:
    return isinstance(value, ibis.Value) and (value.type().is_date() or value.type().is_timestamp())


def _logic(sign: str, left, right):
    return left & right if sign == "&" else left | right


def _arithmetic(sign: str, left, right):
    if not (left.type().is_numeric() and right.type().is_numeric()):
        raise RequestError(f"computes with {left.type()} and {right.type()}; for dates there is add_days(date, days)")
    if sign in ("/", "//", "%"):
        right = (right == 0).ifelse(ibis.null(right.type()), right)
    steps = {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "/": lambda: left.cast("float64") / right.cast("float64"),
        "//": lambda: bounded(left / right).floor(),
        "%": lambda: left % right,
    }
    return steps[sign]()
