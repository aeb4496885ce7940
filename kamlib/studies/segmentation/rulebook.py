"""A firm's own segmentation as data: an ordered table of named predicates, read without ever running it as code.

In ``book.yml``::

    segments:
      - {segment: inactive, when: "recency_days > 1095"}
      - {segment: cold, when: "recency_days > 730"}
      - {segment: warm new, when: "recency_days > 365 and first_purchase_days <= 730"}
      - {segment: warm high value, when: "recency_days > 365 and mean_spend >= 100"}
      - {segment: warm low value, when: "recency_days > 365"}
      - {segment: active, when: true}

The first rule that holds takes the account. An account no rule takes is ``unclassified``: named, counted, shown. A
comparison with a missing value is neither true nor false, so it takes no account.
"""

from __future__ import annotations

import ast
import difflib
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.errors import RequestError

COLUMNS = ("recency_days", "frequency", "mean_spend", "first_purchase_days")
UNCLASSIFIED = "unclassified"
_NAMES = ("segment", "name", "label")
_PREDICATES = ("when", "rule", "predicate", "condition", "expression", "if")
_ALL_THE_REST = {"true", "otherwise", "else", "*"}
_COMPARE = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


@dataclass(frozen=True)
class Rule:
    """One row of a rule table: the segment it names and the predicate an account must meet."""

    segment: str
    when: str | bool | Callable

    def holds(self, frame: pd.DataFrame) -> np.ndarray:
        """Which rows of the frame meet the predicate; RequestError when it cannot be read."""
        if callable(self.when):
            return np.asarray(pd.Series(self.when(frame)).astype("boolean").fillna(False), dtype=bool)
        if isinstance(self.when, (bool, np.bool_)) or str(self.when).strip().lower() in _ALL_THE_REST:
            return np.full(len(frame), self.when is not False)
        return _evaluate(self, frame)


def managerial(recency_days, frequency, mean_spend, first_purchase_days, rules) -> pd.Series:
    """The segment of each account by an ordered rule table.

    Parameters
    ----------
    recency_days, first_purchase_days
        (n,) days, or time spans, since the last and since the first order; Series by account, or arrays.
    frequency
        (n,) number of orders (or active months), as the rules mean it.
    mean_spend
        (n,) money an order.
    rules
        Ordered rows, the first that holds counts: mappings ``{segment: …, when: …}``, pairs of segment and
        predicate, one mapping ``{segment: predicate}``, or a frame with those columns. A predicate compares the
        four columns and numbers with ``> >= < <= == !=`` and joins comparisons by ``and``, ``or``, ``not`` (or
        ``& | ~``, which mean the same, with or without brackets); ``true`` takes all the rest.

    Returns
    -------
    Series of segments with the index of *recency_days*; ``unclassified`` where no rule holds.

    Raises
    ------
    RequestError
        When the four do not describe the same accounts, or a rule cannot be read.

    Source: managerial segmentation, Lilien, Rangaswamy & De Bruyn (2017), Principles of Marketing Engineering.

    Examples
    --------
    >>> rules = [("inactive", "recency_days > 1095"), ("new", "first_purchase_days <= 365"), ("active", True)]
    >>> managerial([2000, 10, 40], [1, 1, 9], [30.0, 25.0, 80.0], [2000, 10, 900], rules).tolist()
    ['inactive', 'new', 'active']
    """
    frame = _aligned(recency_days, frequency, mean_spend, first_purchase_days)
    table = read_rules(rules)
    taken = np.select([rule.holds(frame) for rule in table], [r.segment for r in table], UNCLASSIFIED)
    return pd.Series(taken, index=frame.index, name="segment", dtype="object")


def segment_counts(segments: pd.Series, rules) -> pd.DataFrame:
    """Accounts in each segment, in the order of the rules and ``unclassified`` last; empty segments are shown."""
    named = list(dict.fromkeys([rule.segment for rule in read_rules(rules)] + [UNCLASSIFIED]))
    counts = segments.value_counts().reindex(named, fill_value=0)
    shares = counts / max(len(segments), 1)
    return pd.DataFrame({"segment": named, "accounts": counts.to_numpy(), "share": shares.to_numpy()})


def _aligned(*columns) -> pd.DataFrame:
    series = [c if isinstance(c, pd.Series) else pd.Series(np.atleast_1d(np.asarray(c))) for c in columns]
    lengths = {name: len(column) for name, column in zip(COLUMNS, series, strict=True)}
    if len(set(lengths.values())) > 1:
        raise RequestError(f"the four columns must describe the same accounts; their lengths are {lengths}")
    index = next((c.index for c in columns if isinstance(c, pd.Series)), series[0].index)
    placed = {}
    for name, given, column in zip(COLUMNS, columns, series, strict=True):
        if isinstance(given, pd.Series) and not given.index.equals(index):
            column = _by_label(name, given, index)
        if pd.api.types.is_timedelta64_dtype(column):
            column = column / pd.Timedelta(days=1)
        try:
            numbers = pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise RequestError(f"{name} must be numbers: {error}") from None
        placed[name] = pd.array(numbers, dtype="Float64")
    return pd.DataFrame(placed, index=index)


def _by_label(name: str, column: pd.Series, index: pd.Index) -> pd.Series:
    if not (column.index.is_unique and index.is_unique) or index.difference(column.index).size:
        raise RequestError(f"{name} is labelled by other accounts than the other columns; give all four one index")
    return column.reindex(index)


def read_rules(rules) -> list[Rule]:
    """The rows of a rule table in any of its forms.

    Raises
    ------
    RequestError
        When there is no rule, or a row has no name or no predicate.
    """
    if isinstance(rules, pd.DataFrame):
        rules = rules.to_dict("records")
    elif isinstance(rules, Mapping):
        rules = list(rules.items())
    table = [_read_row(number, row) for number, row in enumerate(rules or [], 1)]
    if not table:
        raise RequestError("the rule table has no rows; give at least one, for example {segment: all, when: true}")
    return table


def _read_row(number: int, row) -> Rule:
    if isinstance(row, Rule):
        return row
    if isinstance(row, Mapping):
        return _read_mapping(number, row)
    if isinstance(row, Iterable) and not isinstance(row, str) and len(row := list(row)) == 2:
        return _read_mapping(number, {"segment": row[0], "when": row[1]})
    raise RequestError(f"rule {number} ({row!r}) must read {{segment: …, when: …}} or be a pair of the two")


def _read_mapping(number: int, row: Mapping) -> Rule:
    name = next((row[key] for key in _NAMES if key in row), None)
    when = next((row[key] for key in _PREDICATES if key in row), None)
    if name is None and when is None and len(row) == 1:
        ((name, when),) = row.items()
    if name in (None, "") or when is None:
        lacking = "segment" if name in (None, "") else "predicate under 'when'"
        raise RequestError(f"rule {number} ({dict(row)!r}) has no {lacking}; write {{segment: …, when: …}}")
    return Rule(str(name), when)


def _evaluate(rule: Rule, frame: pd.DataFrame) -> np.ndarray:
    text = re.sub(r"\b(AND|OR|NOT)\b", lambda word: word[0].lower(), " ".join(str(rule.when).split()))
    text = re.sub(r"\b(true|false)\b", lambda word: word[0].capitalize(), text, flags=re.IGNORECASE)
    # As Python reads them, & | ~ bind closer than a comparison: "a > 1 | b > 2" would compare 1 | b.
    for sign, word in ((r"&+", "and"), (r"\|+", "or"), ("~", "not")):
        text = re.sub(sign, f" {word} ", text)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        raise _unreadable(rule, "it is not an expression") from None
    found = _Reader(rule, frame).truth(tree)
    return np.asarray(found.fillna(False), dtype=bool)


def _unreadable(rule: Rule, why: str) -> RequestError:
    return RequestError(
        f"the predicate of segment {rule.segment!r} ({rule.when}) cannot be read: {why}; compare "
        f"{', '.join(COLUMNS)} with numbers, joined by and, or, not"
    )


@dataclass(frozen=True)
class _Reader:
    """Walks the syntax tree of one predicate; whatever is not listed here is refused."""

    rule: Rule
    frame: pd.DataFrame

    def truth(self, node: ast.expr) -> pd.Series:
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        if isinstance(node, ast.BoolOp):
            join = operator.and_ if isinstance(node.op, ast.And) else operator.or_
            return self._joined(join, node.values)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ~self.truth(node.operand)
        if isinstance(node, ast.Constant) and isinstance(node.value, bool):
            return pd.Series(node.value, index=self.frame.index, dtype="boolean")
        raise _unreadable(self.rule, f"{ast.unparse(node)!r} is neither true nor false")

    def _joined(self, join: Callable, nodes: list[ast.expr]) -> pd.Series:
        first, *rest = (self.truth(node) for node in nodes)
        for other in rest:
            first = join(first, other)
        return first

    def _comparison(self, node: ast.Compare) -> pd.Series:
        sides = [self._number(side) for side in (node.left, *node.comparators)]
        truth = pd.Series(True, index=self.frame.index, dtype="boolean")
        for left, sign, right in zip(sides[:-1], node.ops, sides[1:], strict=True):
            if type(sign) not in _COMPARE:
                raise _unreadable(self.rule, "only > >= < <= == != compare")
            truth &= _COMPARE[type(sign)](left, right)
        return truth

    def _number(self, node: ast.expr):
        if isinstance(node, ast.Name):
            return self._column(node.id)
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return float(node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._number(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            return _ARITHMETIC[type(node.op)](self._number(node.left), self._number(node.right))
        raise _unreadable(self.rule, f"{ast.unparse(node)!r} is no number")

    def _column(self, name: str) -> pd.Series:
        if name not in self.frame.columns:
            begins = [column for column in self.frame.columns if column.startswith(name)]
            close = begins or difflib.get_close_matches(name, self.frame.columns, n=1)
            hint = f", did you mean {close[0]!r}?" if close else ""
            raise _unreadable(self.rule, f"there is no column {name!r}{hint}")
        return self.frame[name]
