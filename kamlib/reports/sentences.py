"""Every sentence a report says, whole and from one place, with named values.

Sentences live in ``language/<code>/<topic>.yml`` under keys, each with named placeholders in Python format
syntax. A language is added by adding a folder; no code glues a sentence together.
"""

from __future__ import annotations

import difflib
import re
import string
from datetime import date
from functools import cache
from pathlib import Path

import yaml

from kamlib.errors import RequestError

LANGUAGES = Path(__file__).with_name("language")
DEFAULT_LANGUAGE = "en"


class _Formatter(string.Formatter):
    """Python's formatter plus the conversions that numbers in reports need; nothing is written as minus zero."""

    def format_field(self, value, spec: str) -> str:
        if "|" in spec:
            return _by_number(value, spec.split("|"))
        if spec == "day":
            return _day(value)
        if spec == "money":
            return money(value)
        if spec == "p":
            return p_value(value)
        if spec == "signed":
            spec = "+,.0f"
        if isinstance(value, float) and value == 0:
            value = 0.0  # and not minus zero
        return _with_minus(format(value, spec)) if _is_negative_number(value, spec) else format(value, spec)


def _by_number(value, forms: list[str]) -> str:
    """The form for one or for many, or of three that for none, one or many; ``#`` stands for the number.

    The number as it is written decides: 1.2 days are written as one day.
    """
    none, one, many = forms if len(forms) == 3 else (forms[-1], *forms)
    written = f"{value:,.0f}"
    return {"0": none, "-0": none, "1": one}.get(written, many).replace("#", written)


def _is_negative_number(value, spec: str) -> bool:
    return bool(spec) and isinstance(value, (int, float)) and value < 0


def _with_minus(written: str) -> str:
    """A negative number with a typographic minus, and none where all its digits are zero."""
    return written.replace("-", "−") if re.search("[1-9]", written) else written.replace("-", "")


def _day(value: date) -> str:
    return f"{value.day} {value:%B %Y}"


def money(value: float) -> str:
    """An amount short enough to read: 1,234; 516,000, to the hundred from a hundred thousand on; 8.9 million.

    Examples
    --------
    >>> money(8_912_345)
    '8.9 million'
    """
    return _with_minus(f"-{_size(-value)}") if value < 0 else _size(abs(value))


def _size(size: float) -> str:
    for bound, name in ((1e9, "billion"), (1e6, "million")):
        if size >= bound:
            return f"{size / bound:,.1f} {name}"
    if size >= 1e5:
        return f"{round(size, -2):,.0f}"
    return f"{size:,.0f}" if size >= 100 or size == int(size) else f"{size:,.2f}"


def p_value(value: float) -> str:
    """A p-value as papers write it, never as none and never as certain.

    Examples
    --------
    >>> p_value(0.00002), p_value(0.034), p_value(0.62), p_value(0.998)
    ('p < 0.001', 'p = 0.034', 'p = 0.62', 'p > 0.99')
    """
    if value < 0.001:
        return "p < 0.001"
    if value > 0.99:
        return "p > 0.99"
    return f"p = {value:.3f}" if value < 0.1 else f"p = {value:.2f}"


@cache
def _catalogue(language: str) -> dict[str, str]:
    folder = LANGUAGES / language
    if not folder.is_dir():
        there = ", ".join(sorted(path.name for path in LANGUAGES.iterdir() if path.is_dir()))
        raise RequestError(f"there are no sentences in language {language!r}; there are {there}")
    catalogue: dict[str, str] = {}
    for path in sorted(folder.glob("*.yml")):
        for key, sentence in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items():
            catalogue[f"{path.stem}.{key}"] = " ".join(str(sentence).split())
    return catalogue


def keys(language: str = DEFAULT_LANGUAGE) -> list[str]:
    """All keys of a language, as ``topic.key``."""
    return sorted(_catalogue(language))


def placeholders(key: str, language: str = DEFAULT_LANGUAGE) -> set[str]:
    """The names of the values a sentence needs."""
    return _names(_catalogue(language)[key])


def _names(text: str) -> set[str]:
    fields = [(name, spec) for _, name, spec, _ in string.Formatter().parse(text) if name]
    return {name for name, _ in fields}.union(*(_names(spec) for _, spec in fields))


def say(key: str, language: str = DEFAULT_LANGUAGE, **values) -> str:
    """A whole sentence with its values filled in.

    Parameters
    ----------
    key
        ``topic.key``, for example ``findings.too_few_accounts``.
    values
        The named values. ``{when:day}`` writes a date, ``{amount:money}`` an amount, ``{p:p}`` a p-value with its
        ``p =``, and any Python format works; minus signs are typographic. ``{n:one form|many}`` and
        ``{n:none|one form|many}`` choose by number, with ``#`` for the number: ``{n:No visit is|One visit is|# visits
        are} planned.``

    Raises
    ------
    RequestError
        When there is no such sentence, or a value it names is not given.

    Examples
    --------
    >>> say("findings.too_few_accounts", n=12, needed=200)
    'Only 12 accounts could be used and 200 are needed for this to say anything.'
    """
    catalogue = _catalogue(language)
    if key not in catalogue:
        close = difflib.get_close_matches(key, catalogue, n=1)
        raise RequestError(f"there is no sentence {key!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
    lacking = placeholders(key, language) - set(values)
    if lacking:
        raise RequestError(f"the sentence {key!r} needs {', '.join(sorted(lacking))}")
    return _Formatter().vformat(catalogue[key], (), values)
