"""One source column as the ingest sees it: its text, and its native value where the source is typed."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.datatypes as dt

from kamlib.book.ingest.formats import DateFormat, NumberFormat, finite, read_serial, read_truth, trimmed, whole


@dataclass(frozen=True)
class Cell:
    """A source column.

    Text sources (CSV) have text only. Typed sources (Parquet, a database) have a native value. Excel, and files
    that give a column different types, have text with, cell by cell, the number or the moment that the cell
    really holds. Blank is missing.
    """

    name: str
    text: ibis.StringValue
    native: ibis.Value | None = None
    twin_number: ibis.FloatingValue | None = None
    twin_moment: ibis.TimestampValue | None = None

    @classmethod
    def of(cls, name: str, value: ibis.Value, text=None, missing: tuple[str, ...] = (), trim: bool = False) -> Cell:
        """The cell of a value: text as it is, any other type with its text beside it."""
        text = as_text(value) if text is None else text
        text = trimmed(text) if trim and value.type().is_string() else text
        if value.type().is_string():
            text = text.re_search(r"[^\s\p{Z}]").ifelse(text, ibis.null("string"))
        if missing:
            text = text.isin(list(missing)).ifelse(ibis.null("string"), text)
        if value.type().is_string():
            return cls(name, text)
        native = value.isnan().ifelse(ibis.null(value.type()), value) if value.type().is_floating() else value
        return cls(name, text, text.isnull().ifelse(ibis.null(value.type()), native) if missing else native)

    @classmethod
    def of_mixed(cls, name: str, text, number, moment, missing: tuple[str, ...] = (), trim: bool = False) -> Cell:
        """The cell of a column of several kinds: its text, and the number or moment it holds, cell by cell."""
        bare = cls.of(name, text, missing=missing, trim=trim)
        is_missing = bare.text.isnull()
        twins = [is_missing.ifelse(ibis.null(twin.type()), twin) for twin in (number, moment)]
        return cls(name, bare.text, None, *twins)

    @property
    def is_numeric(self) -> bool:
        """Whether the source itself says that the column holds numbers."""
        return self.native is not None and self.native.type().is_numeric()

    @property
    def number(self) -> ibis.Value:
        """The native number of a numeric column, wide enough to compute with."""
        return self.native.cast("int64" if self.native.type().is_signed_integer() else "float64")

    @property
    def moment(self) -> ibis.Value | None:
        """The native day or time of a temporal column."""
        is_temporal = self.native is not None and (self.native.type().is_date() or self.native.type().is_timestamp())
        return self.native if is_temporal else self.twin_moment

    def read_number(self, form: NumberFormat) -> ibis.FloatingValue:
        """The number in the cell; missing where it is missing or cannot be read."""
        if self.is_numeric:
            return finite(self.native.cast("float64"))
        read = form.read(self.text)
        return read if self.twin_number is None else ibis.coalesce(self.twin_number, read)

    def read_day(self, form: DateFormat) -> ibis.DateValue:
        """The day in the cell; missing where it is missing or cannot be read."""
        if self.native is not None and self.moment is not None:
            return self.moment.cast(dt.date)
        read = form.read(self.text)
        if self.twin_moment is None:
            return read
        if "excel" in form.forms:
            read = ibis.coalesce(read, read_serial(self.twin_number))
        return ibis.coalesce(self.twin_moment.cast(dt.date), read)

    def read_truth(self) -> ibis.BooleanValue:
        """True or false; missing where it is missing or cannot be read."""
        if self.native is not None and self.native.type().is_boolean():
            return self.native
        return read_truth(self.text)


def text_of(value) -> ibis.StringValue:
    """The text of a cell, of a value, or of a literal."""
    if isinstance(value, Cell):
        return value.text
    return as_text(value if isinstance(value, ibis.Value) else ibis.literal(value))


def plain(value) -> ibis.Value:
    """A cell as the value it holds, native where the source is typed and else its text; a literal as a value."""
    if isinstance(value, Cell):
        return value.text if value.native is None else value.native
    return value if isinstance(value, ibis.Value) else ibis.literal(value)


def as_text(value: ibis.Value) -> ibis.StringValue:
    """A value as the text an identifier has: ``17850.0`` is ``17850``, midnight is a date alone."""
    kind = value.type()
    if kind.is_string():
        return value
    if kind.is_floating():
        integer = whole(value)
        is_exact = integer.notnull() & (value.abs() < 1e15)
        text = is_exact.ifelse(integer.cast("string"), value.cast("string"))
        return value.isnan().ifelse(ibis.null("string"), text)
    if kind.is_decimal():
        text = value.cast("string")
        return text.contains(".").ifelse(text.re_replace(r"\.?0+$", ""), text)
    if kind.is_timestamp() and kind.timezone is None:
        is_midnight = value == value.truncate("D")
        return is_midnight.ifelse(value.cast(dt.date).cast("string"), value.cast("string"))
    return value.cast("string")
