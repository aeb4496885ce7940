"""The typed contract of a notebook: its parameters, checked before a kernel starts.

A notebook has exactly one code cell tagged ``parameters``. Each line of it reads::

    horizon_days: int = 90  # how far ahead risk is measured, days, 7..365

name, type, default, and a comment with the meaning, the unit and, for numbers, the range allowed. The types are
``str``, ``int``, ``float``, ``bool``, ``list`` and ``dict``; a date is a ``str`` whose unit is ``date``.
"""

from __future__ import annotations

import ast
import difflib
import io
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml

from kamlib.book.periods import Period, day
from kamlib.errors import RequestError

TYPES = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}
_RANGE = re.compile(r"^(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)$")
_CHOICES = re.compile(r"^\w+(?:\|\w+)+$")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook."""

    name: str
    type: str
    default: object
    meaning: str
    unit: str = ""
    lowest: float | None = None
    highest: float | None = None
    choices: tuple[str, ...] = ()

    def check(self, value):
        """The value in the parameter's type; RequestError when it is of another type or out of range."""
        value = self._typed(value)
        if self.lowest is not None and not self.lowest <= value <= self.highest:
            raise RequestError(
                f"parameter {self.name} = {value} is out of range; it may be {self.lowest:g} to {self.highest:g}"
                f"{' ' + self.unit if self.unit else ''}"
            )
        if self.choices and value not in self.choices:
            raise RequestError(f"parameter {self.name} = {value!r}; it may be {', '.join(self.choices)}")
        if self.type == "str" and value and self.unit == "date":
            return day(value).isoformat()
        if self.type == "str" and value and self.unit == "period":
            return Period.parse(value).label
        return value

    def _typed(self, value):
        wanted = TYPES[self.type]
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, wanted) and not (wanted is int and isinstance(value, bool)):
            return value
        if hasattr(value, "isoformat") and wanted is str and self.unit == "date":
            return value.isoformat()
        hint = "; put it in quotes" if wanted is str else ""
        raise RequestError(
            f"parameter {self.name} = {value!r} is {type(value).__name__}, and {self.type} is wanted{hint}"
        )

    def read(self, text: str):
        """The value written as text on a command line."""
        if self.type == "str":
            return self.check(text)
        if self.type == "bool" and text.lower() in {"true", "false", "yes", "no"}:
            return text.lower() in {"true", "yes"}
        if self.type == "list" and not text.strip().startswith("["):
            return self.check([part.strip() for part in text.split(",") if part.strip()])
        try:
            return self.check(_number(text, self.type) if self.type in {"int", "float"} else yaml.safe_load(text))
        except (ValueError, yaml.YAMLError) as error:
            if isinstance(error, RequestError):
                raise
            raise RequestError(f"parameter {self.name} = {text!r} is not {self.type}") from None


def _number(text: str, kind: str):
    return int(text) if kind == "int" else float(text)


def read_contract(path: Path) -> dict[str, Parameter]:
    """The parameters of a notebook, in order.

    Raises
    ------
    RequestError
        When there is no such notebook, it has not exactly one cell tagged ``parameters``, or a line of that
        cell is not ``name: type = value  # meaning, unit``.

    Examples
    --------
    >>> list(read_contract(Path("notebooks/studies/churn.ipynb")))[:2]  # doctest: +SKIP
    ['place', 'as_of']
    """
    notebook = read_notebook(path)
    cells = [c for c in notebook.cells if c.cell_type == "code" and "parameters" in c.metadata.get("tags", [])]
    if len(cells) != 1:
        raise RequestError(f"{path} has {len(cells)} cells tagged 'parameters'; it must have exactly one")
    return parse(cells[0].source, str(path))


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """A notebook; RequestError when it is not there or not one."""
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise RequestError(f"there is no notebook {path}") from None
    except Exception as error:
        raise RequestError(f"{path} is not a notebook: {error}") from None


def parse(source: str, where: str = "the parameters cell") -> dict[str, Parameter]:
    """The parameters written in a cell."""
    comments = _comments(source)
    found: dict[str, Parameter] = {}
    try:
        lines = ast.parse(source).body
    except SyntaxError as error:
        raise RequestError(f"{where}: line {error.lineno} of the parameters cell is not Python") from None
    for line in lines:
        parameter = _parameter(line, comments.get(line.lineno, ""), where)
        if parameter.name in found:
            raise RequestError(f"{where}: parameter {parameter.name} is there twice")
        found[parameter.name] = parameter
    return found


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}


def _parameter(line: ast.stmt, comment: str, where: str) -> Parameter:
    is_plain = isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value is not None
    kind = ast.unparse(line.annotation).split("[")[0] if is_plain else ""
    if kind not in TYPES or not comment or "=" in comment:
        raise RequestError(
            f"{where}: line {line.lineno} of the parameters cell must read "
            f"'name: type = value  # meaning, unit' with a type of {', '.join(TYPES)} and no '=' in the comment"
        )
    try:
        default = ast.literal_eval(line.value)
    except ValueError:
        raise RequestError(f"{where}: the default of {line.target.id} must be a plain value") from None
    parameter = Parameter(line.target.id, kind, default, *_meaning(comment))
    return Parameter(**{**parameter.__dict__, "default": parameter.check(default) if default != "" else default})


def _meaning(comment: str) -> tuple:
    """Meaning, unit, lowest, highest and choices from ``meaning, unit, lowest..highest`` or ``…, a|b|c``."""
    parts = [part.strip() for part in comment.split(",")]
    lowest = highest = None
    choices: tuple[str, ...] = ()
    if match := _RANGE.match(parts[-1]):
        lowest, highest = float(match[1]), float(match[2])
        parts.pop()
    elif len(parts) > 1 and _CHOICES.match(parts[-1]):
        choices = tuple(parts.pop().split("|"))
    unit = parts.pop() if len(parts) > 1 else ""
    return ", ".join(parts), unit, lowest, highest, choices


def fill(contract: Mapping[str, Parameter], given: Mapping, where: str, as_text: bool = False) -> dict:
    """All parameters of a notebook with the values given, checked.

    Raises
    ------
    RequestError
        On an unknown name, with a suggestion, and on a value of the wrong type or out of range.
    """
    for name in given:
        if name not in contract:
            close = difflib.get_close_matches(name, contract, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; it has {', '.join(contract)}"
            raise RequestError(f"{where} has no parameter {name!r}{hint}")
    values = {name: parameter.default for name, parameter in contract.items()}
    for name, value in given.items():
        parameter = contract[name]
        values[name] = parameter.read(value) if as_text and isinstance(value, str) else parameter.check(value)
    return values
