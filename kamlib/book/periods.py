"""Periods, windows and months: the only date arithmetic in the project."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from kamlib.errors import RequestError

DAYS_PER_YEAR = 365.25
DAYS_PER_MONTH = DAYS_PER_YEAR / 12

_FORMS = (
    ("year", re.compile(r"([0-9]{4})")),
    ("half", re.compile(r"([0-9]{4})-H([12])")),
    ("quarter", re.compile(r"([0-9]{4})-Q([1-4])")),
    ("month", re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")),
    ("week", re.compile(r"([0-9]{4})-W([0-9]{2})")),
)
# For an engine to look for; week 53 is in some years only.
_LONG = "|".join(str(year) for year in range(1900, 2200) if date(year, 12, 28).isocalendar().week == 53)
_PART = r"[12][0-9]{3}(?:-(?:H[12]|Q[1-4]|0[1-9]|1[0-2]|W(?:0[1-9]|[1-4][0-9]|5[0-2])))?"
LABEL = rf"^(?:{_PART}|(?:{_LONG})-W53)$"
LABELS = "2026, 2026-H1, 2026-Q3, 2026-09 or 2026-W40"
_MONTHS = {"year": 12, "half": 6, "quarter": 3, "month": 1}


def day(value) -> date:
    """A calendar day from an ISO string, a date or a timestamp.

    Raises
    ------
    RequestError
        When the value is not a calendar day.

    Examples
    --------
    >>> day("2026-09-30")
    datetime.date(2026, 9, 30)
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, (datetime, np.datetime64)) and not pd.isna(value):
            return pd.Timestamp(value).date()
        return date.fromisoformat(str(value))
    except ValueError:
        raise RequestError(f"{value!r} is not a date; write it as YYYY-MM-DD, for example 2026-09-30") from None


def add_months(start: date, months: int) -> date:
    """The same day *months* later, or the last day of that month when it is shorter.

    Examples
    --------
    >>> add_months(date(2026, 1, 31), 1)
    datetime.date(2026, 2, 28)
    """
    return (pd.Timestamp(start) + pd.DateOffset(months=months)).date()


def months_before(end: date, months: int) -> date:
    """First day of the window of whole months that closes with *end*.

    A window that ends on the last day of a month begins on the first day of one.

    Examples
    --------
    >>> months_before(date(2026, 9, 30), 12)
    datetime.date(2025, 10, 1)
    """
    return add_months(end + timedelta(days=1), -months)


def month_starts(first: date, last: date) -> pd.DatetimeIndex:
    """First days of all months touched by ``[first, last]``."""
    return pd.date_range(first.replace(day=1), last, freq="MS")


@dataclass(frozen=True, order=True)
class Period:
    """A reporting period: ``2026``, ``2026-H1``, ``2026-Q3``, ``2026-09`` or ``2026-W40`` (ISO week).

    Examples
    --------
    >>> quarter = Period.parse("2026-Q3")
    >>> quarter.start, quarter.end, quarter.previous().label
    (datetime.date(2026, 7, 1), datetime.date(2026, 9, 30), '2026-Q2')
    """

    start: date
    end: date
    kind: str
    label: str

    @classmethod
    def parse(cls, text: str) -> Period:
        """The period a label names; RequestError when it names none."""
        for kind, form in _FORMS:
            match = form.fullmatch(str(text))
            if match:
                return cls._make(kind, [int(g) for g in match.groups()])
        raise RequestError(f"{text!r} is not a period; write {LABELS} (ISO week)")

    @classmethod
    def _make(cls, kind: str, numbers: list[int]) -> Period:
        if kind == "week":
            return cls._week(*numbers)
        year, ordinal = numbers[0], (numbers[1] if len(numbers) > 1 else 1)
        months = _MONTHS[kind]
        try:
            start = date(year, (ordinal - 1) * months + 1, 1)
            end = add_months(start, months) - timedelta(days=1)
        except (ValueError, OverflowError):
            raise RequestError(f"the calendar has no period in the year {year}") from None
        return cls(start, end, kind, _label(kind, start))

    @classmethod
    def _week(cls, year: int, week: int) -> Period:
        try:
            start = date.fromisocalendar(year, week, 1)
        except ValueError:
            raise RequestError(f"the year {year} has no week {week}") from None
        return cls(start, start + timedelta(days=6), "week", f"{year}-W{week:02d}")

    @classmethod
    def containing(cls, moment: date, kind: str = "quarter") -> Period:
        """The period of a kind (year, half, quarter, month, week) that holds a day."""
        if kind == "week":
            year, week, _ = moment.isocalendar()
            return cls._week(year, week)
        if kind not in _MONTHS:
            raise RequestError(f"no kind of period {kind!r}; there are year, half, quarter, month and week")
        ordinal = (moment.month - 1) // _MONTHS[kind] + 1
        return cls._make(kind, [moment.year, ordinal])

    def previous(self) -> Period:
        """The period just before, of the same kind."""
        return Period.containing(self.start - timedelta(days=1), self.kind)

    def next(self) -> Period:
        """The period just after, of the same kind."""
        return Period.containing(self.end + timedelta(days=1), self.kind)

    @property
    def days(self) -> int:
        """Length in days."""
        return (self.end - self.start).days + 1

    def __str__(self) -> str:
        return self.label


def _label(kind: str, start: date) -> str:
    forms = {
        "year": f"{start.year}",
        "half": f"{start.year}-H{(start.month - 1) // 6 + 1}",
        "quarter": f"{start.year}-Q{(start.month - 1) // 3 + 1}",
        "month": f"{start.year}-{start.month:02d}",
    }
    return forms[kind]
