"""Names that are not known, each with the nearest known one as a suggestion; nothing here matches anything."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from types import MappingProxyType

import ibis
from ibis import _

from kamlib.book.ingest.accounting import counted

_MOST_LISTED, _MOST_COMPARED = 5, 5_000


def list_values(
    column: ibis.StringColumn, what: str, thing: str, known: list[str], said: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """A sentence on the values of a column, the most frequent with the nearest known name; none when it is empty.

    ``what`` holds ``{n}``, for how many different values (each a *thing*) there are; of values in ``said`` that
    stands instead of the nearest name.
    """
    name = column.get_name()
    counts = column.as_table().group_by(name).aggregate(rows=_.count())
    n = counts.count().to_pyarrow().as_py()
    if not n:
        return []
    top = counts.order_by(ibis.desc("rows"), name).limit(_MOST_LISTED).to_pyarrow().to_pylist()
    why = {v: f", {said[v]}" if v in said else _nearest(v, known) for v in (row[name] for row in top)}
    listed = "; ".join(f"{row[name]!r} ({counted(row['rows'], 'row')}{why[row[name]]})" for row in top)
    more = f" and {n - _MOST_LISTED:,} more" if n > _MOST_LISTED else ""
    return [f"{what.format(n=counted(n, thing))}: {listed}{more}"]


def nearest(name: str, known: list[str]) -> str | None:
    """The known name most like this one: equal but for case, spacing and leading zeros, else close in letters.

    Examples
    --------
    >>> nearest("GTXPro", ["GT", "GTX Pro"]), nearest("7", ["0007", "8"])
    ('GTX Pro', '0007')
    """
    alike = [k for k in known if _bare(k) == _bare(name)]
    if alike:
        return alike[0]
    close = difflib.get_close_matches(name, known[:_MOST_COMPARED], n=1)
    return close[0] if close else None


def _nearest(name: str, known: list[str]) -> str:
    found = nearest(name, known)
    return f", nearest {found!r}" if found is not None else ""


def _bare(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold()).lstrip("0")


def look_alikes(column: ibis.StringColumn) -> list[tuple[str, ...]]:
    """Groups of different values that are equal but for case, spacing and punctuation, at most five groups."""
    name = column.get_name()
    names = column.as_table().distinct().filter(_[name].notnull())
    bare = names.mutate(__bare=_[name].lower().re_replace(r"[^\pL\pN]", ""))
    groups = bare.filter(_["__bare"] != "").group_by("__bare").aggregate(n=_.count()).filter(_.n > 1)
    found = bare.semi_join(groups.order_by("__bare").limit(_MOST_LISTED), "__bare").order_by("__bare", name)
    grouped: dict[str, list[str]] = {}
    for row in found.to_pyarrow().to_pylist():
        grouped.setdefault(row["__bare"], []).append(row[name])
    return [tuple(members[:_MOST_LISTED]) for members in grouped.values()]
