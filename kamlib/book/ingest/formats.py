"""Numbers, dates and truth values as exports write them: a declared format in, an Ibis expression out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import pairwise

import ibis
import ibis.expr.datatypes as dt

from kamlib.errors import RequestError

MULTIPLIERS = {"千": 3, "萬": 4, "万": 4, "百萬": 6, "億": 8, "亿": 8, "兆": 12, "K": 3, "k": 3, "M": 6}
_EXAMPLES = {
    "plain": {},
    "1234.50": {},
    "1,234.50": {"thousands": ","},
    "1.234,50": {"thousands": ".", "decimal": ","},
    "1234,50": {"decimal": ","},
    "1 234,50": {"thousands": " ", "decimal": ","},
    "1'234.50": {"thousands": "'"},
}
_THOUSANDS = ("", ",", ".", " ", "'", "’")
_WIDE = "０１２３４５６７８９．，－＋（）＄￥＇：／ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ"
_NARROW = "0123456789.,-+()$¥':/ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WIDE_DAY, _NARROW_DAY = "０１２３４５６７８９．－／", "0123456789.-/"
_EDGES = r"^[\s\p{Z}]+|[\s\p{Z}]+$"


def trimmed(text: ibis.StringValue) -> ibis.StringValue:
    """The text without white space at its ends, that of other scripts included."""
    return text.re_replace(_EDGES, "")


def finite(number: ibis.FloatingValue) -> ibis.FloatingValue:
    """The number; missing where it is infinite or not a number."""
    return (number.isnan() | number.isinf()).ifelse(ibis.null("float64"), number)


def whole(number: ibis.NumericValue) -> ibis.IntegerValue:
    """The number as an integer; missing where it is not whole, or too large for one."""
    integer = number.try_cast("int64")
    return (integer.cast("float64") == number).ifelse(integer, ibis.null("int64"))


def bounded(number: ibis.NumericValue, most: float = 2.0**62) -> ibis.NumericValue:
    """The number; missing where it is too large to be rounded or counted with, which would end the whole query."""
    return number.between(-most, most).ifelse(number, ibis.null(number.type()))


@dataclass(frozen=True)
class NumberFormat:
    """How an export writes numbers; whatever is not declared is not read.

    Parameters
    ----------
    decimal, thousands
        Marks, for example ``","`` and ``"."``. Thousands come in groups of three.
    currency
        Symbols that may stand before or after, for example ``("NT$", "TWD")``.
    multipliers
        Suffixes among 千 萬 万 百萬 億 亿 兆 K k M.
    parentheses, trailing_minus
        ``(1,234.50)`` and ``1,234.50-`` are negative.
    full_width
        ``１２３４`` is 1234.
    exponent
        ``1e+05`` is 100000.

    Examples
    --------
    >>> ibis.literal("NT$1.2萬").pipe(NumberFormat(currency=("NT$",), multipliers=("萬",)).read).execute()
    12000.0
    """

    decimal: str = "."
    thousands: str = ""
    currency: tuple[str, ...] = ()
    multipliers: tuple[str, ...] = ()
    parentheses: bool = False
    trailing_minus: bool = False
    full_width: bool = False
    exponent: bool = False

    @classmethod
    def declared(cls, value, where: str) -> NumberFormat:
        """The format a mapping declares: an example such as ``1.234,50``, or the settings by name."""
        if isinstance(value, Mapping):
            return cls._from_settings(value, where)
        written = f"{value:.2f}" if isinstance(value, float) else str(value)  # YAML takes 1234.50 for 1234.5
        if written not in _EXAMPLES:
            raise RequestError(
                f"{where}: {value!r} is not a number format; write one of {', '.join(map(repr, _EXAMPLES))}, "
                f"or its settings ({', '.join(f.name for f in fields(cls))})"
            )
        return cls(**_EXAMPLES[written])

    @classmethod
    def _from_settings(cls, settings: Mapping, where: str) -> NumberFormat:
        known = {f.name for f in fields(cls)}
        unknown = [str(name) for name in settings if name not in known]
        if unknown:
            raise RequestError(f"{where} has no setting {unknown[0]!r}; it has {', '.join(sorted(known))}")
        lists = {"currency", "multipliers"}
        given = {n: _words(v) if n in lists else v for n, v in settings.items()}
        made = cls(**given)
        made._refuse_contradictions(where)
        return made

    def _refuse_contradictions(self, where: str) -> None:
        if self.decimal not in (".", ","):
            raise RequestError(f"{where}: the decimal mark is '.' or ',', not {self.decimal!r}")
        if self.thousands not in _THOUSANDS or self.thousands == self.decimal:
            raise RequestError(
                f"{where}: the thousands mark is one of {', '.join(map(repr, _THOUSANDS))} and not the decimal "
                f"mark; it is {self.thousands!r}"
            )
        for name in ("parentheses", "trailing_minus", "full_width", "exponent"):
            if not isinstance(getattr(self, name), bool):
                raise RequestError(f"{where}: {name} is true or false, not {getattr(self, name)!r}")
        if any(not c.strip() or re.search(r"[0-9(+\-)]", c) for c in self.currency):
            raise RequestError(f"{where}: a currency symbol has no digit and no sign: {self.currency}")
        strange = [m for m in self.multipliers if m not in MULTIPLIERS]
        if strange:
            raise RequestError(f"{where}: no multiplier {strange[0]!r}; there are {', '.join(MULTIPLIERS)}")

    def __str__(self) -> str:
        example = f"1{self.thousands}234{self.decimal}50"
        extras = [", ".join(self.currency), ", ".join(self.multipliers)]
        extras += [n.replace("_", " ") for n in ("parentheses", "trailing_minus", "full_width") if getattr(self, n)]
        said = "; ".join(e for e in extras if e)
        return f"{example} ({said})" if said else example

    @property
    def pattern(self) -> str:
        """The regular expression (RE2) of a whole number text, without white space at its ends."""
        mark = r"[ \x{00A0}\x{202F}]" if self.thousands == " " else re.escape(self.thousands)
        grouped = rf"[0-9]{{1,3}}(?:{mark}[0-9]{{3}})+|" if self.thousands else ""
        decimal = re.escape(self.decimal)
        digits = rf"(?:(?:{grouped}[0-9]+)(?:{decimal}[0-9]*)?|{decimal}[0-9]+)"
        suffix = _either(self.multipliers) if self.multipliers else ("(?:[eE][+-]?[0-9]+)?" if self.exponent else "")
        amount = rf"{_either(self.currency)}\s*{digits}\s*{suffix}"
        if self.currency:
            amount = rf"(?:{amount}|{digits}\s*{suffix}\s*{_one(self.currency)})"
        forms = [rf"[+-]?\s*{amount}"]
        if self.currency:
            forms.append(rf"{_one(self.currency)}\s*[+-]\s*{digits}\s*{suffix}")
        if self.trailing_minus:
            forms.append(rf"{amount}\s*-")
        if self.parentheses:
            forms.append(rf"\(\s*{amount}\s*\)")
        return rf"^(?:{'|'.join(forms)})$"

    def read(self, text: ibis.StringValue) -> ibis.FloatingValue:
        """The number a text stands for; missing where the text is not written in this format."""
        body = trimmed(text).replace("\u2212", "-")
        if self.full_width:
            body = body.translate(_WIDE, _NARROW)
        is_number = body.re_search(self.pattern)
        for symbol in _longest_first(self.currency):
            body = body.replace(symbol, "")
        is_negative = body.re_search(r"^\s*[-(]|-\s*$")
        power = self._power(body)
        mantissa = body.re_replace("[eE].*$", "") if self.exponent else body
        digits = mantissa.re_replace(rf"[^0-9{re.escape(self.decimal)}]", "").replace(self.decimal, ".")
        size = finite((digits + "e" + power).try_cast("float64"))
        return is_number.ifelse(is_negative.ifelse(-size, size), ibis.null("float64"))

    def _power(self, body: ibis.StringValue) -> ibis.StringValue:
        """The power of ten as text: ``1.2萬`` is read as ``1.2e4``, so that no digit is lost in a product."""
        if self.multipliers:
            powers = [(body.contains(m), str(MULTIPLIERS[m])) for m in _longest_first(self.multipliers)]
            return ibis.cases(*powers, else_="0")
        if self.exponent:
            found = body.re_extract(r"[eE]([+-]?[0-9]+)$", 1)
            return (found.fill_null("") == "").ifelse("0", found)
        return ibis.literal("0")


def _words(value) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(str(v) for v in value or ())


def _one(symbols: tuple[str, ...]) -> str:
    return f"(?:{'|'.join(re.escape(s) for s in _longest_first(symbols))})"


def _longest_first(symbols: tuple[str, ...]) -> list[str]:
    """So that no symbol is taken for a part of a longer one."""
    return sorted(symbols, key=len, reverse=True)


def _either(symbols: tuple[str, ...]) -> str:
    return f"{_one(symbols)}?" if symbols else ""


_TRUE, _FALSE = ("true", "t", "yes", "y", "1", "是"), ("false", "f", "no", "n", "0", "否")


def read_truth(text: ibis.StringValue) -> ibis.BooleanValue:
    """True or false from ``true/false``, ``yes/no``, ``y/n``, ``t/f``, ``1/0``, ``是/否`` in any case; else missing."""
    word = trimmed(text).lower()
    return ibis.cases((word.isin(_TRUE), True), (word.isin(_FALSE), False), else_=ibis.null("boolean"))


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONG = [
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
]
_DIRECTIVES = {
    "Y": "([0-9]{4})",
    "y": "([0-9]{2})",
    "m": "([0-9]{1,2})",
    "d": "([0-9]{1,2})",
    "b": f"({'|'.join(_MONTHS)})",
    "B": f"({'|'.join(_LONG)})",
    "H": "(?:[01]?[0-9]|2[0-3])",
    "I": "(?:0?[1-9]|1[0-2])",
    "M": "[0-5]?[0-9]",
    "S": "[0-5]?[0-9]",
    "f": "[0-9]{1,9}",
    "p": "(?:am|pm|上午|下午)",
    "%": "%",
}
_ISO = r"^([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ][0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?)?$"
_ZONED = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+ ?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)$"
_ROC_FIRST_YEAR = 1911
_LONGEST_DAYS = 4_000_000


@dataclass(frozen=True)
class DateFormat:
    """How an export writes dates: one or more declared forms, never a guess.

    A form is ``iso``, ``excel`` (serial day number), ``roc`` (year of the Republic of China, ``115/09/03``),
    ``roc:`` and a pattern, or a pattern of ``%Y %y %m %d %b %B`` with ``%H %M %S %f %I %p`` for a time of day,
    which is not kept. ``%y`` reads 69–99 as 19xx and 00–68 as 20xx. With several forms, a text that they read as
    different days is ambiguous and stays unread. Times with an offset (ISO) are moved to the book's timezone.

    Examples
    --------
    >>> ibis.literal("115/09/03").pipe(DateFormat(("roc",)).read).execute()
    Timestamp('2026-09-03 00:00:00')
    """

    forms: tuple[str, ...] = ("iso",)
    timezone: str = "UTC"

    @classmethod
    def declared(cls, value, where: str, timezone: str = "UTC") -> DateFormat:
        """The format a mapping declares: one form or a list of forms."""
        forms = _words(value)
        for form in forms:
            _refuse_form(form, where)
        if not forms:
            raise RequestError(f"{where}: no date format is given; write iso, roc, excel or a pattern like %Y/%m/%d")
        return cls(forms, timezone)

    def __str__(self) -> str:
        return " or ".join(self.forms)

    def read(self, text: ibis.StringValue) -> ibis.DateValue:
        """The day a text stands for; missing where no declared form, or more than one day, fits it."""
        body = trimmed(text).translate(_WIDE_DAY, _NARROW_DAY)
        days = [self._read_form(form, body) for form in self.forms]
        if len(days) == 1:
            return days[0]
        first, last = ibis.least(*days), ibis.greatest(*days)  # both pass over missing days
        return (first == last).ifelse(first, ibis.null(dt.date))

    def _read_form(self, form: str, body: ibis.StringValue) -> ibis.DateValue:
        if form == "iso":
            return self._read_iso(body)
        if form == "excel":
            return read_serial(body.re_search(r"^[0-9]{1,7}(?:\.[0-9]+)?$").ifelse(body.try_cast("float64"), None))
        if form == "roc":
            slashed = body.re_search(r"^[0-9]{2,3}([/.\-])[0-9]{1,2}([/.\-])[0-9]{1,2}$")
            return _read_pattern("roc:%Y/%m/%d", slashed.ifelse(body.re_replace(r"[.\-]", "/"), None))
        return _read_pattern(form, body)

    def _read_iso(self, body: ibis.StringValue) -> ibis.DateValue:
        local = body.re_search(_ISO).ifelse(body.substr(0, 10).try_cast("date"), ibis.null(dt.date))
        zoned = body.re_search(_ZONED).ifelse(body, ibis.null("string"))
        moment = zoned.try_cast(dt.Timestamp(timezone=self.timezone))
        return ibis.coalesce(local, moment.cast("date"))


def read_serial(number: ibis.FloatingValue) -> ibis.DateValue:
    """The day of an Excel serial number (1900 system); serial 60, 29 February 1900, never was."""
    serial = bounded(number).floor()
    is_day = serial.between(1, 2_958_465) & (serial != 60)
    since = is_day.ifelse((serial < 60).ifelse(serial + 1, serial), ibis.null("int64"))
    return days_after(ibis.date("1899-12-30"), since)


def days_after(start: ibis.DateValue, days: ibis.IntegerValue) -> ibis.DateValue:
    """The day so many days later."""
    return _moved(start, bounded(days, _LONGEST_DAYS).as_interval("D"))


def months_after(start: ibis.DateValue, months: ibis.IntegerValue) -> ibis.DateValue:
    """The same day so many months later, or the last of that month when it is shorter."""
    return _moved(start, bounded(months, _LONGEST_DAYS // 30).as_interval("M"))


def _moved(start: ibis.DateValue, step: ibis.IntervalValue) -> ibis.DateValue:
    # Ibis takes a date plus an interval for a date, DuckDB makes it a timestamp: hence the way round.
    return (start + step).cast(dt.timestamp).cast(dt.date)


def _refuse_form(form: str, where: str) -> None:
    if form in ("iso", "excel", "roc"):
        return
    pattern = form.removeprefix("roc:")
    found = re.findall("%(.)", pattern)
    strange = [f"%{d}" for d in found if d not in _DIRECTIVES]
    if strange:
        raise RequestError(f"{where}: the date format {form!r} has {strange[0]}; known are {' '.join(_DIRECTIVES)}")
    parts = {"year": "Yy", "month": "mbB", "day": "d"}
    for part, letters in parts.items():
        if sum(d in letters for d in found) != 1:
            raise RequestError(
                f"{where}: the date format {form!r} must name the {part} once; write iso, roc, excel or a "
                f"pattern such as %Y/%m/%d or %d.%m.%Y"
            )


def _read_pattern(form: str, body: ibis.StringValue) -> ibis.DateValue:
    pattern, is_roc = form.removeprefix("roc:"), form.startswith("roc:")
    letters = [d for d in re.findall("%(.)", pattern) if d in "YymbBd"]
    lowered = body.lower()
    expression = _regex(pattern, is_roc)
    found = {d: lowered.re_extract(expression, i) for i, d in enumerate(letters, start=1)}
    year = _year(found, is_roc)
    month = next(_month(found[d], d) for d in "mbB" if d in found)
    text = year.lpad(4, "0") + "-" + month.lpad(2, "0") + "-" + found["d"].lpad(2, "0")
    return text.try_cast("date")  # where the pattern does not fit the parts are empty, and 0000-00-00 is no day


def _regex(pattern: str, is_roc: bool) -> str:
    """The pattern as a regular expression. Where parts touch (``%Y%m%d``) they have their full width."""
    pieces = re.findall(r"%.|[^%]+", pattern)
    touching = any(a.startswith("%") and b.startswith("%") for a, b in pairwise(pieces))
    out = []
    for piece in pieces:
        if not piece.startswith("%"):
            out.append(re.escape(piece.lower()))
            continue
        part = "([0-9]{2,3})" if is_roc and piece == "%Y" else _DIRECTIVES[piece[1]]
        out.append(part.replace("{1,2}", "{2}") if touching else part)
    return f"^{''.join(out)}$"


def _year(found: dict, is_roc: bool) -> ibis.StringValue:
    digits = found.get("Y", found.get("y"))
    number = digits.try_cast("int64")
    if is_roc:
        return (number + _ROC_FIRST_YEAR).cast("string")
    if "y" in found:
        return (number + (number >= 69).ifelse(1900, 2000)).cast("string")
    return digits


def _month(text: ibis.StringValue, letter: str) -> ibis.StringValue:
    if letter == "m":
        return text
    names = _MONTHS if letter == "b" else _LONG
    return text.substitute({name: str(i) for i, name in enumerate(names, start=1)})
