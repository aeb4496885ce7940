"""What each department adds to the book: its tables, how many rows, and the last day something was written down."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.book.contract import contract
from kamlib.book.store import Book

STALE_DAYS = 45
DEPARTMENTS = {
    "sales": ("orders", "visits", "contacts", "opportunities", "references"),
    "service": ("cases", "surveys"),
    "logistics": ("deliveries", "stock"),
    "marketing": ("promotions", "events"),
    "finance": ("investments", "targets"),
    "legal": ("contracts",),
}
COLUMNS = ["department", "table", "is_there", "rows", "last_on", "is_stale"]


def feeds(book: Book, as_of: pd.Timestamp) -> pd.DataFrame:
    """What each department adds to the book, as of its day.

    Returns
    -------
    One row per table of :data:`DEPARTMENTS`: department, table, is_there (whether it has a row), rows, last_on (the
    last day it knows; missing where it has no days), is_stale (more than :data:`STALE_DAYS` days before; missing too).

    Examples
    --------
    >>> feeds(book, day_of(book)).query("is_stale")["table"].tolist()  # doctest: +SKIP
    """
    found = [(part, table, *_of(book, table, as_of)) for part, tables in DEPARTMENTS.items() for table in tables]
    frame = pd.DataFrame(found, columns=COLUMNS).astype({"is_stale": "boolean", "rows": "int64"})
    return frame.assign(last_on=pd.to_datetime(frame["last_on"]).astype("datetime64[s]"))


def _of(book: Book, table: str, as_of: pd.Timestamp) -> tuple:
    if not book.has(table):
        return False, 0, pd.NaT, None
    rows = book.frame(table)
    spec = contract(table)
    dated = [day for day in spec.dated if day in rows]
    begun = [rows[dated].bfill(axis=1).iloc[:, 0]] if dated else []
    days = [
        column.max() for column in [*begun, *(rows[day] for day in spec.later if day in rows)] if column.notna().any()
    ]
    if not days:
        return True, len(rows), pd.NaT, None
    last = pd.Timestamp(max(days))
    return True, len(rows), last, bool((as_of - last) / np.timedelta64(1, "D") > STALE_DAYS)
