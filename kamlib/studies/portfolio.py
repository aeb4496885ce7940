"""The accounts of a portfolio: what each bought in twelve months, its class, and whether it counts as key here."""

from __future__ import annotations

import pandas as pd

from kamlib.book.features import last_day
from kamlib.book.panel import account_features
from kamlib.book.store import Book
from kamlib.studies.classes import abc

KEY_CLASS = "A"


def day_of(book: Book) -> pd.Timestamp:
    """The day the book is read as of; that of its last order where it has none."""
    return pd.Timestamp(last_day(book)).as_unit("s")


def portfolio(book: Book, months: int = 12) -> pd.DataFrame:
    """One row per account, the largest first.

    Playbooks call an account *key* that is in class A among the accounts in scope; the segmentation study asks more.

    Returns
    -------
    As :func:`kamlib.book.panel.account_features`, with ``abc`` (by revenue, cut where the book declares) and
    ``is_key``; ``name`` is the identifier where there is none.

    Examples
    --------
    >>> portfolio(book).query("is_key")[["account_id", "revenue"]]  # doctest: +SKIP
    """
    frame = account_features(book, months)
    frame["name"] = frame["name"].fillna(frame["account_id"])
    frame["abc"] = abc(frame.set_index("account_id")["revenue"], book.settings.value("abc_cuts")).to_numpy()
    frame["is_key"] = frame["abc"] == KEY_CLASS
    return frame.sort_values(["revenue", "account_id"], ascending=[False, True], ignore_index=True)
