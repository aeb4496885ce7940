"""Small books for the churn tests: order days written down as numbers, and the sample company at several sizes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from kamlib import open_book
from kamlib.book.sample import write_sample
from kamlib.book.store import Book
from kamlib.studies.churn.timelines import Sales, Timeline, day_number

from books import write_folder

FIRST = pd.Timestamp("2026-01-01")


def order_frame(days: Mapping[str, Iterable[int]], extra=(), cost: Mapping | None = None) -> pd.DataFrame:
    """Order lines of 100 on numbered days by account, and extra lines (account, day, revenue)."""
    rows = [(account, int(day), 100.0) for account, some in days.items() for day in some]
    rows += list(extra)
    frame = pd.DataFrame(rows, columns=["account_id", "day", "revenue"])
    frame["order_date"] = (FIRST + pd.to_timedelta(frame["day"], unit="D")).astype("datetime64[s]")
    frame["order_id"] = [f"S{i:05d}" for i in range(len(frame))]
    known = cost or {}
    frame["cost"] = [known.get((a, d)) if r == 100 else None for a, d, r in rows]
    return frame.assign(line_no=1, cost=frame["cost"].astype(float)).drop(columns="day")


def book_of(days, extra=(), cost=None, until: int | None = None, frames: Mapping | None = None, settings=None) -> Book:
    """A book of such orders, read as of day *until* (the last order day where not given)."""
    orders = order_frame(days, extra, cost)
    names = sorted(orders["account_id"].unique())
    accounts = pd.DataFrame({"account_id": names, "name": [f"大客戶 {name}" for name in names]})
    folder = Path(tempfile.mkdtemp()) / "book"
    write_folder({"accounts": accounts, "orders": orders, **(frames or {})}, folder, settings)
    last = orders["order_date"].max() if until is None else FIRST + pd.Timedelta(days=until)
    return open_book(folder, as_of=str(last.date()))


def sales_of(days: Mapping[str, Iterable[int]], until: int | None = None, revenue=100.0) -> Sales:
    """Order days without a book: one purchase on each numbered day, of 100 or of an amount for each purchase."""
    start = day_number(FIRST)
    rows = [(i, start + int(day)) for i, account in enumerate(sorted(days)) for day in sorted(set(days[account]))]
    code, day = (np.array(column) for column in zip(*rows, strict=True))
    seen = start + until if until is not None else day.max()
    amount = np.broadcast_to(np.asarray(revenue, dtype=float), day.shape)[day <= seen]
    code, day = code[day <= seen], day[day <= seen]
    line = Timeline.of(len(days), code, day, amount)
    accounts = pd.Index(sorted(days), name="account_id")
    return Sales(accounts, int(day.min(initial=seen)), int(seen), line, line, line, None, has_cost=False)


@cache
def sample_place(accounts: int = 150, seed: int = 5, targeting: str = "none") -> Path:
    """A sample company, written once a session."""
    place = Path(tempfile.mkdtemp()) / "sample"
    write_sample(place, accounts, 36, seed, targeting=targeting)
    return place


def sample_book(accounts: int = 150, seed: int = 5, as_of: str = "2026-09-30", **given) -> Book:
    """That company as of a day."""
    return open_book(sample_place(accounts, seed), as_of=as_of, **given)
