"""The functions and methods of mapping expressions, each over the cells of a row.

Each takes the evaluator first (it reads numbers and days in the declared formats), then its arguments.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import date
from functools import reduce

import ibis

from kamlib.book.ingest.cells import Cell, plain, text_of
from kamlib.book.ingest.formats import bounded, days_after, months_after
from kamlib.errors import RequestError

_MAX_PAD = 100


def condition(value) -> ibis.BooleanValue:
    """A value as a condition; RequestError when it is not one."""
    found = plain(value)
    if not found.type().is_boolean():
        raise RequestError(f"joins with and, or, not a value that is no condition: {found.type()}")
    return found


def ifelse(run, test, yes, no):
    """One of two values; where one is a number, so is the other."""
    kinds = [v for v in (yes, no) if v is not None]
    if any(run.counts(v) for v in kinds):
        yes, no = (None if v is None else run.number(v) for v in (yes, no))
    return condition(test).ifelse(*(None if v is None else plain(v) for v in (yes, no)))


def _coalesce(run, *values):
    if any(run.counts(v) for v in values):
        return ibis.coalesce(*(plain(run.number(v)) for v in values))
    kept = [plain(v) for v in values]
    mixed = len({str(k.type()) for k in kept}) > 1 and not all(k.type().is_temporal() for k in kept)
    return ibis.coalesce(*([text_of(v) for v in values] if mixed else kept))


def _literal_int(value, what: str, most: int = 1_000_000, least: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise RequestError(f"needs a whole number of at most {most:,} as {what}, at least {least:,}, not {value!r}")
    return value


def _literal_text(value, what: str) -> str:
    if not isinstance(value, str):
        raise RequestError(f"needs a text in quotes as {what}")
    return value


def _date(run, value, form=None):
    if form is None:
        if isinstance(value, str):
            return _iso(value)
        return run.day(value)
    declared = type(run.formats.date).declared(_literal_text(form, "date format"), run.where, run.formats.date.timezone)
    return run.day(value, declared)


def _iso(text: str) -> ibis.DateValue:
    try:
        return ibis.date(date.fromisoformat(text))
    except ValueError:
        raise RequestError(f"holds {text!r}, which is not a date; write it as YYYY-MM-DD") from None


def _add_days(run, value, days):
    return days_after(run.day(value), _whole(run, days))


def _add_months(run, value, months):
    return months_after(run.day(value), _whole(run, months))


def _whole(run, value):
    return bounded(plain(run.number(value))).cast("int64")


def _period(run, value, kind="month"):
    day = run.day(value)
    year = day.year().cast("string").lpad(4, "0")
    labels = {
        "year": lambda: year,
        "half": lambda: year + "-H" + (day.month() > 6).ifelse("2", "1"),
        "quarter": lambda: year + "-Q" + day.quarter().cast("string"),
        "month": lambda: year + "-" + day.month().cast("string").lpad(2, "0"),
    }
    if kind not in labels:
        raise RequestError(f"asks for a period of kind {kind!r}; there are {', '.join(labels)}")
    return labels[kind]()


def _aggregate(name: str, as_number: bool):
    def run_aggregate(run, value):
        if as_number:
            return run.over(getattr(plain(run.number(value)), name)())
        if isinstance(value, Cell) and value.native is None and name in ("min", "max"):
            raise RequestError(f"takes the {name} of text; say number(…) or date(…) around the column")
        return run.over(getattr(plain(value), name)(), ordered=name in ("first", "last"))

    return run_aggregate


def _text_method(name: str, *literals: str):
    """A method of text whose arguments are literal texts."""

    def call(run, value, *arguments):
        if len(arguments) != len(literals):
            raise RequestError(f"calls {name} with {len(arguments)} arguments; it takes {len(literals)}")
        given = [_literal_text(a, what) for a, what in zip(arguments, literals, strict=True)]
        return getattr(text_of(value), name)(*given)

    return call


def _number_method(name: str):
    return lambda run, value, *digits: getattr(bounded(plain(run.number(value))), name)(
        *[_literal_int(d, "digits", 15, -15) for d in digits]
    )


def _day_method(name: str):
    return lambda run, value: getattr(run.day(value), name)().cast("int64")


def _isin(run, value, options):
    if not isinstance(options, list):
        raise RequestError("needs a list in brackets for isin")
    if options and all(run.counts(o) for o in options):
        return plain(run.number(value)).isin(options)
    return text_of(value).isin([_literal_text(o, "each item of isin") for o in options])


def _cast(run, value, kind):
    kinds = {
        "string": lambda: text_of(value),
        "float64": lambda: plain(run.number(value)).cast("float64"),
        "int64": lambda: _whole(run, value),
        "date": lambda: run.day(value),
    }
    if kind not in kinds:
        raise RequestError(f"casts to {kind!r}; there are {', '.join(kinds)}")
    return kinds[kind]()


def _pad(name: str):
    return lambda run, value, width, fill="0": getattr(text_of(value), name)(
        _literal_int(width, "width", _MAX_PAD), _literal_text(fill, "filling")
    )


def _extract(run, value, pattern, group=0):
    found = text_of(value).re_extract(_literal_text(pattern, "pattern"), _literal_int(group, "group", 9))
    return (found == "").ifelse(ibis.null("string"), found)


FUNCTIONS: dict[str, Callable] = {
    "number": lambda run, value: plain(run.number(value)),
    "text": lambda run, value: text_of(value),
    "date": _date,
    "ifelse": ifelse,
    "coalesce": _coalesce,
    "concat": lambda run, *values: reduce(lambda a, b: a + b, [text_of(v) for v in values]),
    "add_days": _add_days,
    "add_months": _add_months,
    "period": _period,
    "most_frequent": lambda run, value: run.over(plain(value).mode()),
}
METHODS: dict[str, Callable] = {
    **{n: _text_method(n) for n in ("strip", "lstrip", "rstrip", "lower", "upper", "capitalize", "length")},
    **{n: _text_method(n, "text") for n in ("startswith", "endswith", "contains")},
    "replace": _text_method("replace", "text", "replacement"),
    "re_search": _text_method("re_search", "pattern"),
    "re_replace": _text_method("re_replace", "pattern", "replacement"),
    "re_extract": _extract,
    "substr": lambda run, v, start, n=None: text_of(v).substr(
        _literal_int(start, "start", least=-1_000_000), None if n is None else _literal_int(n, "length")
    ),
    "left": lambda run, v, n: text_of(v).left(_literal_int(n, "length")),
    "right": lambda run, v, n: text_of(v).right(_literal_int(n, "length")),
    "lpad": _pad("lpad"),
    "rpad": _pad("rpad"),
    "concat": lambda run, *values: reduce(lambda a, b: a + b, [text_of(v) for v in values]),
    "isnull": lambda run, v: plain(v).isnull(),
    "notnull": lambda run, v: plain(v).notnull(),
    "fill_null": _coalesce,
    "nullif": lambda run, v, other: plain(v).nullif(plain(other)),
    "isin": _isin,
    "notin": lambda run, v, options: ~_isin(run, v, options),
    "between": lambda run, v, low, high: run.compare(v, operator.ge, low) & run.compare(v, operator.le, high),
    "cast": _cast,
    **{n: _number_method(n) for n in ("abs", "round", "floor", "ceil")},
    **{n: _day_method(n) for n in ("year", "quarter", "month", "day")},
    **{n: _aggregate(n, as_number=False) for n in ("min", "max", "first", "last", "count", "nunique")},
    **{n: _aggregate(n, as_number=True) for n in ("sum", "mean")},
}
