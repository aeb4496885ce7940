"""The course's texts: questions, options, hints and explanations, whole and from one place per language."""

from __future__ import annotations

import re
import string
from functools import cache
from pathlib import Path

import yaml

import kamlib
from kamlib.errors import RequestError

LANGUAGES = Path(kamlib.__file__).parent / "reports" / "language"
DEFAULT_LANGUAGE = "en"
_MINUS = re.compile(r"(?<![\w-])-(?=\d)")


@cache
def texts(topic: str, language: str = DEFAULT_LANGUAGE) -> dict:
    """All texts of a topic: ``language/<code>/training/<topic>.yml``.

    Raises
    ------
    RequestError
        When the language has no such topic.
    """
    path = LANGUAGES / language / "training" / f"{topic}.yml"
    if not path.is_file():
        raise RequestError(f"the course has no texts for {topic!r} in language {language!r}")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def fill(text: str, values: dict) -> str:
    """A whole text with its values filled in, on one line.

    Parameters
    ----------
    text
        With placeholders in Python format syntax, and ``{n:one form|many}`` or ``{n:none|one form|many}`` where the
        number chooses the form, ``#`` standing for the number.
    values
        The named values.

    Raises
    ------
    RequestError
        When a value it names is not given.

    Examples
    --------
    >>> fill("{n:,.0f} accounts", {"n": 1200})
    '1,200 accounts'
    >>> fill("{n:# account is|# accounts are} overdue", {"n": 1})
    '1 account is overdue'
    """
    lacking = placeholders(text) - set(values)
    if lacking:
        raise RequestError(f"a text of the course needs {', '.join(sorted(lacking))}: {text[:60]!r}")
    return _MINUS.sub("−", " ".join(_Formatter().vformat(text, (), values).split()))


def placeholders(text: str) -> set[str]:
    """The names of the values a text needs."""
    return {name.split(".")[0].split("[")[0] for _, name, _, _ in string.Formatter().parse(text) if name}


class _Formatter(string.Formatter):
    """Python's formatter, and forms by number as the reports have them, which stand above this layer."""

    def format_field(self, value, spec: str) -> str:
        if "|" not in spec:
            return format(value, spec)
        *none, one, many = spec.split("|")
        form = {0: none[0] if none else many, 1: one}.get(round(value), many)
        return form.replace("#", f"{value:,.0f}")


def say(key: str, **values) -> str:
    """A sentence of the course's own pages, for example ``say("no_name")``."""
    return fill(texts("page")[key], values)


def damaged(damage) -> str:
    """What was found damaged in a progress file, and where it is now."""
    values = {"file": damage.file.name, "aside": damage.aside.name, "lines": damage.lines, "kept": damage.kept}
    return say("damaged", **values)


def cell(column: str, value) -> str:
    """A value of a table as the learner reads it; a missing one is a dash, a code has its words."""
    entry = texts("columns").get(column, {})
    kind = entry.get("kind", "text")
    if value is None or value != value:
        return "–"
    if kind == "flag":
        return say("flag_yes" if value else "flag_no")
    if kind in _NUMBERS:
        return f"{value:{_NUMBERS[kind]}}".replace("-", "−")
    return f"{value:%Y-%m-%d}" if kind == "date" else str(entry.get("values", {}).get(value, value))


_NUMBERS = {"share1": ".1%", "money": ",.0f", "count": ",.0f", "share": ".0%", "number": ".1f"}


def heading(column: str) -> str:
    """What stands above a column."""
    return texts("columns").get(column, {}).get("label", column.replace("_", " ").capitalize())
