"""Due dates as calendar files (RFC 5545) that any calendar program reads; every name in them is text.

Each date is an all-day event. Its identifier is made from what it is about and not from its day, so a calendar
that takes in the next report moves an entry instead of doubling it.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date, timedelta

import pandas as pd

from kamlib.errors import RequestError

COLUMNS = ("key", "due_on", "summary", "description")
_LONGEST_LINE = 75  # octets, without the line end
# Characters that RFC 5545 forbids in text, line ends it does not know, and marks that turn the reading direction.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def calendar(frame: pd.DataFrame, title: str, as_of: date) -> str:
    """A calendar file of due dates.

    Parameters
    ----------
    frame
        One row per date: ``key`` (what it is about, the same from report to report), ``due_on`` (day),
        ``summary`` and ``description`` (text).
    title
        What calendar programs call it.
    as_of
        The day the dates were read as of; it stamps every event, so equal inputs give equal files.

    Raises
    ------
    RequestError
        When a column is lacking, a day is missing, or two rows have the same key.

    Examples
    --------
    >>> row = {"key": "visit 0007", "due_on": date(2026, 10, 2), "summary": "Visit 0007", "description": ""}
    >>> calendar(pd.DataFrame([row]), "Dates", date(2026, 9, 30)).splitlines()[0]
    'BEGIN:VCALENDAR'
    """
    _check(frame)
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//kamlib//due dates//EN", f"X-WR-CALNAME:{escape(title)}"]
    rows = frame.assign(due_on=pd.to_datetime(frame["due_on"])).sort_values(["due_on", "key"])
    for row in rows[list(COLUMNS)].itertuples(index=False):
        lines += _event(row, as_of)
    return "".join(f"{fold(line)}\r\n" for line in [*lines, "END:VCALENDAR"])


def _check(frame: pd.DataFrame) -> None:
    lacking = [column for column in COLUMNS if column not in frame.columns]
    if lacking:
        raise RequestError(f"due dates lack {len(lacking)} columns: {', '.join(lacking)}")
    if dayless := int(frame["due_on"].isna().sum()):
        raise RequestError(f"{dayless} due dates have no day; leave them out or give them one")
    if doubled := int(frame["key"].duplicated().sum()):
        raise RequestError(f"{doubled} due dates have the key of another one; make each key name one thing")


def _event(row, as_of: date) -> list[str]:
    due_on = row.due_on.date()
    identifier = hashlib.blake2b(row.key.encode("utf-8", "replace"), digest_size=12).hexdigest()
    described = [f"DESCRIPTION:{escape(row.description)}"] if row.description else []
    return [
        "BEGIN:VEVENT",
        f"UID:{identifier}@kamlib",
        f"DTSTAMP:{as_of:%Y%m%d}T000000Z",
        f"DTSTART;VALUE=DATE:{due_on:%Y%m%d}",
        f"DTEND;VALUE=DATE:{due_on + timedelta(days=1):%Y%m%d}",
        f"SUMMARY:{escape(row.summary)}",
        *described,
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def escape(text: str) -> str:
    r"""Text as the value of a property.

    Examples
    --------
    >>> escape("a, b; c\nEND:VEVENT")
    'a\\, b\\; c\\nEND:VEVENT'
    """
    plain = re.sub("\r\n?|\u0085", "\n", str(text))
    plain = _FORBIDDEN.sub(" ", plain)
    for mark in ("\\", ";", ","):
        plain = plain.replace(mark, f"\\{mark}")
    return plain.replace("\n", "\\n")


def fold(line: str) -> str:
    """A content line in pieces of at most 75 octets, none of them ending inside a character."""
    pieces, room, length = [[]], _LONGEST_LINE, 0
    for character in line:
        size = len(character.encode())
        if length + size > room:
            # A piece that goes on begins with a space, which counts.
            pieces.append([])
            room, length = _LONGEST_LINE - 1, 0
        pieces[-1].append(character)
        length += size
    return "\r\n ".join("".join(piece) for piece in pieces)
