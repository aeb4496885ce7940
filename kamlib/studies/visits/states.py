"""How each account stands before a plan moves its visits: on trial, bought once, silent, complaining, and so on."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from kamlib.book.periods import months_before
from kamlib.book.store import Book
from kamlib.studies.cadence import Cadence
from kamlib.studies.silence import silent

ON_TRIAL, ONE_ORDER, SILENT, OUT_OF_SEASON = "on_trial", "one_order", "silent", "out_of_season"
CASE_OPEN, CONTRACT_ENDS, OVERDUE = "case_open", "contract_ends", "overdue"
STATES = (ON_TRIAL, ONE_ORDER, SILENT, OUT_OF_SEASON, CASE_OPEN, CONTRACT_ENDS, OVERDUE)
APART = (ONE_ORDER, SILENT, OUT_OF_SEASON)  # what they will buy is not known, so no gain can be booked
KEPT = (ON_TRIAL, *APART)  # visits stay as they are
WINDOW_MONTHS, AHEAD_MONTHS = 12, 3
SEASON_DAYS = 12  # order days a year from which a whole quarter without one is no chance: 0.75 to the twelfth is 3 %


def states(
    book: Book, today: pd.Timestamp, cadence: Cadence | None = None, on_trial: Collection[str] = ()
) -> pd.DataFrame:
    """The state of every account, the first of :data:`STATES` that holds.

    ``on_trial`` accounts take part in an experiment; ``one_order`` bought on a single day of the last twelve months;
    ``silent`` have gone long without an order by their own habit (:mod:`kamlib.studies.silence`); ``out_of_season``
    bought on a dozen days or more, but on none in the coming quarter a year ago, so the coming one is no year's pace;
    ``case_open`` wait
    for the answer to a complaint; of ``contract_ends`` the last contract ends within three months; ``overdue`` are
    behind the declared rhythm of contact.

    Parameters
    ----------
    today : day to judge from. cadence : contact as of that day; nobody is overdue without it.
    on_trial : accounts held out for an experiment.

    Returns
    -------
    pandas.DataFrame
        by account_id: state ("" where none holds), last_order (missing for accounts that never bought).

    Examples
    --------
    >>> states(book, pd.Timestamp("2026-09-30"))["state"].value_counts()  # doctest: +SKIP
    """
    accounts = book.collect(book.table("accounts", "account_id"), ["account_id"])["account_id"]
    bought = _bought(book, today)
    late = cadence.accounts if cadence is not None else pd.DataFrame({"account_id": [], "is_overdue": []})
    members = {
        ON_TRIAL: on_trial,
        ONE_ORDER: bought.index[bought["order_days"] == 1],
        SILENT: silent(book, today)["account_id"],
        OUT_OF_SEASON: bought.index[bought["is_customer"] & (bought["order_days"] >= SEASON_DAYS) & ~bought["is_open"]],
        CASE_OPEN: _with_open_case(book),
        CONTRACT_ENDS: _with_ending_contract(book, today),
        OVERDUE: late.loc[late["is_overdue"].astype(bool), "account_id"],
    }
    state = np.select([accounts.isin(list(members[name])) for name in STATES], STATES, "")
    frame = pd.DataFrame({"state": state}, index=pd.Index(accounts, name="account_id"))
    return frame.assign(last_order=bought["last_order"].reindex(frame.index))


def _bought(book: Book, today: pd.Timestamp) -> pd.DataFrame:
    """By account: day of the last purchase, days with one in the window, and how the coming quarter was a year ago.

    ``is_customer``: whether it had bought before the window; ``is_open``: whether it bought in its first quarter.
    """
    start = months_before(today.date(), WINDOW_MONTHS)
    quarter = months_before(today.date(), WINDOW_MONTHS - AHEAD_MONTHS)
    lines = book.table("orders", "account_id", "order_date", "revenue")
    days = lines.group_by("account_id", "order_date").aggregate(revenue=lines.revenue.sum())
    days = days.filter(days.revenue > 0)
    recent = (days.order_date >= start).sum()
    found = days.group_by("account_id").aggregate(
        last_order=days.order_date.max(),
        order_days=recent,
        is_customer=days.order_date.min() < start,
        is_open=((days.order_date >= start) & (days.order_date < quarter)).any(),
    )
    return book.collect(found).set_index("account_id")


def _with_open_case(book: Book) -> pd.Series:
    if not book.has("cases"):
        return pd.Series(dtype=object)
    cases = book.frame("cases")
    return cases.loc[cases["closed_on"].isna(), "account_id"] if "closed_on" in cases else cases["account_id"][:0]


def _with_ending_contract(book: Book, today: pd.Timestamp) -> pd.Index:
    if not book.has("contracts"):
        return pd.Index([])
    ends = book.frame("contracts").groupby("account_id")["ends_on"].max()
    return ends.index[(ends >= today) & (ends <= today + pd.DateOffset(months=AHEAD_MONTHS))]
