"""The grammar of mapping expressions: what ``_.Quantity * _.UnitPrice`` may hold, and nothing else.

An expression is parsed, never run as Python: columns, literals, arithmetic, comparison, ``and or not``, and the
functions and methods of the vocabulary. What is not listed is refused with its name.
"""

from __future__ import annotations

import ast
import difflib
import operator
import re
from collections.abc import Callable, Mapping

from kamlib.book.ingest.vocabulary import FUNCTIONS, METHODS
from kamlib.errors import RequestError

_MAX_LENGTH, _MAX_NODES = 2_000, 400
_EXPRESSION = re.compile(r"(?<!\w)_[.\[]")


def is_expression(text: str) -> bool:
    """Whether a text names a column as ``_.name`` or ``_["name"]``, and so is an expression, not a column name."""
    return bool(_EXPRESSION.search(text))


def parse(text: str, where: str) -> ast.expr:
    """The syntax tree of an expression; RequestError when it is not one, or uses what is not allowed.

    Examples
    --------
    >>> parse("_.Quantity * _.UnitPrice", "orders.revenue").__class__.__name__
    'BinOp'
    >>> parse("__import__('os')", "orders.revenue")
    Traceback (most recent call last):
        ...
    kamlib.errors.RequestError: orders.revenue: "__import__('os')" uses '__import__', which is not a function ...
    """
    if len(text) > _MAX_LENGTH:
        raise RequestError(f"{where}: an expression has at most {_MAX_LENGTH:,} characters; this has {len(text):,}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise RequestError(f"{where}: {text!r} is not an expression ({error})") from None
    if sum(1 for _ in ast.walk(tree)) > _MAX_NODES:
        raise RequestError(f"{where}: {text[:60]!r}… is too long for an expression; add columns under 'add' first")
    try:
        _refuse_strange(tree)
    except RequestError as error:
        raise RequestError(f"{where}: {text!r} {error}") from None
    return tree


BINARY: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.BitAnd: "&", ast.BitOr: "|",
}  # fmt: skip
COMPARE: dict[type, Callable] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_UNARY = (ast.USub, ast.UAdd, ast.Not, ast.Invert)


def _refuse_strange(node: ast.AST) -> None:
    """RequestError for the first thing in the tree that the language does not have."""
    if column_name(node) is not None:
        return
    if isinstance(node, ast.Call):
        _refuse_call(node)
        inner = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        children = [*inner, *node.args]
    elif isinstance(node, ast.Constant):
        if node.value is not None and not isinstance(node.value, (str, int, float, bool)):
            raise RequestError(f"holds {node.value!r}; constants are texts, numbers, True, False and None")
        children = []
    else:
        children = _children(node)
    for child in children:
        _refuse_strange(child)


def _children(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, ast.BinOp) and type(node.op) in BINARY:
        return [node.left, node.right]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, _UNARY):
        return [node.operand]
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.Compare) and all(type(op) in COMPARE for op in node.ops):
        return [node.left, *node.comparators]
    if isinstance(node, ast.IfExp):
        return [node.test, node.body, node.orelse]
    if isinstance(node, (ast.List, ast.Tuple)):
        return node.elts
    if isinstance(node, ast.Name):
        raise RequestError(f'names {node.id!r}; a column is written _.{node.id} or _["{node.id}"]')
    raise RequestError(f"holds {ast.unparse(node)!r}, which the language does not have")


def _refuse_call(node: ast.Call) -> None:
    if node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
        raise RequestError("passes arguments by name or with *; give them in order")
    if isinstance(node.func, ast.Name):
        _refuse_unknown(node.func.id, FUNCTIONS, "function")
    elif isinstance(node.func, ast.Attribute):
        _refuse_unknown(node.func.attr, METHODS, "method")
    else:
        raise RequestError(f"calls {ast.unparse(node.func)!r}, which is not a function")


def _refuse_unknown(name: str, known: Mapping, kind: str) -> None:
    if name not in known:
        close = difflib.get_close_matches(name, list(known), n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(sorted(known))}"
        raise RequestError(f"uses {name!r}, which is not a {kind} of expressions; {hint}")


def column_name(node: ast.AST) -> str | None:
    """The source column a node stands for: ``_.name`` or ``_["name"]``."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "_":
        return node.attr
    is_item = isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "_"
    if is_item and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        return node.slice.value
    return None


def columns_of(text: str, where: str) -> list[str]:
    """The source columns an expression names, in order of appearance."""
    found = [column_name(node) for node in ast.walk(parse(text, where))]
    return list(dict.fromkeys(name for name in found if name is not None))
