"""Who looks after whom: whether one manager's book mixes key accounts with small ones, and where the hours go."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from kamlib.book.features import exact
from kamlib.book.grid import codes
from kamlib.book.store import Book
from kamlib.studies.portfolio import manager_names


def cover(book: Book, accounts: pd.DataFrame, since: date) -> pd.DataFrame:
    """One row for each manager with an account that buys or is visited.

    Parameters
    ----------
    book
        The book; visits are optional.
    accounts
        manager_id, is_key, abc and has_bought by account.
    since
        First day of the window the hours are counted in.

    Returns
    -------
    manager_id, manager (the name, where there is one), accounts (that bought), key_accounts, small_accounts (class C
    that bought), hours, the shares of them spent on key and on small accounts, on idle ones (without an order in the
    window) and on the rest, as key_hours_share, small_hours_share, idle_hours_share and other_hours_share (missing
    without hours), is_mixed (at least one key and one small account); the manager with most key accounts first.
    """
    mine = accounts.dropna(subset="manager_id")
    is_small = (mine["abc"] == "C") & mine["has_bought"] & ~mine["is_key"]
    counts = pd.DataFrame(
        {"accounts": mine["has_bought"] | mine["is_key"], "key_accounts": mine["is_key"], "small_accounts": is_small}
    )
    frame = counts.groupby(mine["manager_id"]).sum().astype(int)
    is_idle = ~mine["has_bought"] & ~mine["is_key"]
    frame = frame.join(_hours(book, mine.assign(is_small=is_small, is_idle=is_idle), since))
    frame["is_mixed"] = (frame["key_accounts"] > 0) & (frame["small_accounts"] > 0)
    named = manager_names(book).reindex(frame.index)
    frame["manager"] = named.where(named.notna(), frame.index.to_series())
    order = ["key_accounts", "small_accounts"]
    return frame[frame["accounts"] > 0].sort_values(order, ascending=False, kind="stable").reset_index()


def _hours(book: Book, accounts: pd.DataFrame, since: date) -> pd.DataFrame:
    """Hours of each manager, and the shares spent on key, small, idle and other accounts."""
    kinds = ["key", "small", "idle"]
    names = ["hours", *(f"{kind}_hours_share" for kind in (*kinds, "other"))]
    if "visits" not in book.tables:
        return pd.DataFrame(np.nan, index=accounts["manager_id"].unique(), columns=names)
    visits = book.table("visits", "account_id", "manager_id", "visit_date", "hours")
    visits = visits.filter(visits.hours.notnull(), visits.manager_id.notnull(), visits.visit_date >= since)
    spent = book.collect(
        visits.group_by("manager_id", "account_id").aggregate(hours=exact(visits.hours).sum().cast("float64")),
        ["account_id"],
    )
    rows = codes(accounts.index, spent["account_id"])
    flags = np.vstack([accounts[[f"is_{kind}" for kind in kinds]].to_numpy(dtype=bool), np.zeros(len(kinds), bool)])
    spent[kinds] = spent[["hours"]].to_numpy() * flags[rows]
    totals = spent.groupby("manager_id")[["hours", *kinds]].sum()
    shares = totals[kinds].div(totals["hours"].where(totals["hours"] > 0), axis=0)
    shares["other"] = 1 - shares.sum(axis=1, min_count=1)
    return totals[["hours"]].join(shares.add_suffix("_hours_share"))
