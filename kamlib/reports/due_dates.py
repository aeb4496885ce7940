"""Planned visits as calendar files, one per manager, that any calendar program opens (RFC 5545)."""

from __future__ import annotations

import hashlib
import re

import pandas as pd

from kamlib.errors import RequestError
from kamlib.reports import publish
from kamlib.reports.folder import safe_name

FOLDER = "calendars"
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_OCTETS = 75


def spread(accounts: pd.DataFrame, first, last) -> pd.DataFrame:
    """Days for planned visits: evenly over the working days (Monday to Friday) of a period, account by account.

    Parameters
    ----------
    accounts : account_id, name, manager_id and ``plan``, the visits in the period. first, last : its days.

    Returns
    -------
    One row per visit: manager_id, account_id, name, due_on, number, of. Accounts of one manager start on different
    days, so that his weeks are alike.

    Examples
    --------
    >>> rows = pd.DataFrame({"account_id": ["a"], "name": ["A"], "manager_id": ["M1"], "plan": [2]})
    >>> spread(rows, "2026-10-01", "2026-10-30")["due_on"].dt.day.tolist()
    [9, 24]
    """
    days = pd.bdate_range(first, last)
    if not len(days):
        raise RequestError(f"there is no working day from {first} to {last}; give a longer period")
    rows = accounts.loc[accounts.index.repeat(accounts["plan"].astype(int))]
    rows = rows[["manager_id", "account_id", "name"]].assign(of=accounts["plan"].astype(int).reindex(rows.index))
    number = rows.groupby(level=0).cumcount().to_numpy()
    managed = accounts.groupby("manager_id")
    phase = (managed.cumcount() + 0.5) / managed["plan"].transform("size")
    place = (number + phase.reindex(rows.index).to_numpy()) / rows["of"].to_numpy()
    rows = rows.assign(due_on=days[(place * len(days)).astype(int)], number=number + 1)
    return rows.sort_values(["manager_id", "due_on", "account_id"], ignore_index=True)


def calendar(visits: pd.DataFrame, made_on) -> str:
    """The calendar of one manager as text: an all-day entry per visit.

    Parameters
    ----------
    visits : account_id, name, due_on, number, of. made_on : day the plan was drawn, the stamp of every entry.
    """
    stamp = f"{pd.Timestamp(made_on):%Y%m%d}T000000Z"
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//kamlib//call plan//EN", "CALSCALE:GREGORIAN"]
    for visit in visits.itertuples():
        ends = visit.due_on + pd.Timedelta(days=1)
        lines += [
            "BEGIN:VEVENT",
            f"UID:{_identity(visit.account_id, visit.due_on, visit.number)}@kamlib",
            f"DTSTAMP:{stamp}",
            f"DTSTART;VALUE=DATE:{visit.due_on:%Y%m%d}",
            f"DTEND;VALUE=DATE:{ends:%Y%m%d}",
            f"SUMMARY:{escape(visit.name if isinstance(visit.name, str) else visit.account_id)}",
            f"DESCRIPTION:{escape(f'{visit.account_id}: visit {visit.number} of {visit.of}')}",
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
        ]
    return "".join(fold(line) for line in [*lines, "END:VCALENDAR"])


def escape(text: str) -> str:
    """Text as RFC 5545 (3.3.11) wants it: no name can end its line and begin an entry of its own."""
    text = _FORBIDDEN.sub("", str(text)).replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return re.sub(r"\r\n|[\r\n\x85\u2028\u2029]", r"\\n", text)


def fold(line: str) -> str:
    """A line ended by CRLF and folded at 75 octets (3.1), never inside a character."""
    parts, part, size = [], "", 0
    for character in line:
        width = len(character.encode("utf-8"))
        if size + width > _OCTETS - bool(parts):
            parts.append(part)
            part, size = "", 0
        part, size = part + character, size + width
    return "\r\n ".join([*parts, part]) + "\r\n"


def write_calendars(visits: pd.DataFrame, made_on) -> list[str]:
    """Write ``calendars/<manager>.ics`` into the report being built; the names written, none when run by hand."""
    folder = publish.output_folder()
    if folder is None or visits.empty:
        return []
    (folder / FOLDER).mkdir(exist_ok=True)
    written = []
    for manager, mine in visits.groupby("manager_id"):
        path = folder / FOLDER / f"{safe_name(str(manager))}.ics"
        path.write_bytes(calendar(mine, made_on).encode("utf-8"))
        written.append(path.name)
    return written


def _identity(*parts) -> str:
    return hashlib.blake2b("\x1f".join(map(str, parts)).encode("utf-8", "replace"), digest_size=10).hexdigest()
