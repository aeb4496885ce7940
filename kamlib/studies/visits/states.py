"""How each account stands before a plan moves its visits: on trial, bought once, silent, complaining, and so on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import reduce
from operator import or_

import numpy as np
import pandas as pd

from kamlib.book.periods import add_months, months_before
from kamlib.book.store import Book
from kamlib.studies.cadence import Cadence
from kamlib.studies.period_tables import period_table
from kamlib.studies.silence import silent

ON_TRIAL, ONE_ORDER, SILENT, OUT_OF_SEASON = "on_trial", "one_order", "silent", "out_of_season"
LISTED, CASE_OPEN, CONTRACT_ENDS, OVERDUE = "listed", "case_open", "contract_ends", "overdue"
STATES = (ON_TRIAL, ONE_ORDER, SILENT, OUT_OF_SEASON, LISTED, CASE_OPEN, CONTRACT_ENDS, OVERDUE)
APART = (ONE_ORDER, SILENT, OUT_OF_SEASON)  # what they will buy is not known, so no gain can be booked
KEPT = (ON_TRIAL, *APART)  # visits stay as they are
WINDOW_MONTHS, AHEAD_MONTHS, SEASON_MONTHS = 12, 3, 36
SEASON_DAYS = 12  # order days a year from which a whole quarter without one is no chance: 0.75 to the twelfth is 3 %


@dataclass(frozen=True)
class ChurnWord:
    """What the churn report of the period says: the accounts on its list of the month, and those it calls silent."""

    listed: frozenset[str]
    silent: frozenset[str]

    @classmethod
    def of(cls, tables: str, today: pd.Timestamp) -> ChurnWord | None:
        """From the period's folder; None where no churn report of that day is there."""
        listed, accounts = (period_table(tables, "churn", name, today) for name in ("agenda", "accounts"))
        if listed is None or accounts is None:
            return None
        return cls(frozenset(listed["account_id"]), frozenset(accounts.loc[accounts["status"] == SILENT, "account_id"]))


def states(
    book: Book,
    today: pd.Timestamp,
    cadence: Cadence | None = None,
    on_trial: Collection[str] = (),
    churn: ChurnWord | None = None,
) -> pd.DataFrame:
    """The state of every account, the first of :data:`STATES` that holds.

    ``on_trial`` accounts take part in an experiment; ``one_order`` bought on a single day of the last twelve months;
    ``silent`` have gone long without an order by their own habit (:mod:`kamlib.studies.silence`, or what the churn
    report says instead);
    ``out_of_season`` bought on a dozen days or more, but in none of their years in the coming quarter, so the coming
    one is no year's pace; ``listed`` stand on the churn report's list of the month; ``case_open`` wait for the answer
    to a complaint; of ``contract_ends`` the last contract ends within three months; ``overdue`` are behind the
    declared rhythm of contact.

    Parameters
    ----------
    today : day to judge from. cadence : contact as of that day; nobody is overdue without it.
    on_trial : accounts held out for an experiment. churn : what the churn report of the period says, if there is one.

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
        SILENT: churn.silent if churn else silent(book, today)["account_id"],
        OUT_OF_SEASON: bought.index[bought["is_customer"] & (bought["order_days"] >= SEASON_DAYS) & ~bought["is_open"]],
        LISTED: churn.listed if churn else (),
        CASE_OPEN: _with_open_case(book),
        CONTRACT_ENDS: _with_ending_contract(book, today),
        OVERDUE: late.loc[late["is_overdue"].astype(bool), "account_id"],
    }
    state = np.select([accounts.isin(list(members[name])) for name in STATES], STATES, "")
    frame = pd.DataFrame({"state": state}, index=pd.Index(accounts, name="account_id"))
    return frame.assign(last_order=bought["last_order"].reindex(frame.index))


def _bought(book: Book, today: pd.Timestamp) -> pd.DataFrame:
    """By account: day of the last purchase, days with one in the window, and how the coming quarter was in its years.

    ``is_customer``: whether it had bought before the window; ``is_open``: whether it ever bought in that quarter.
    """
    start = months_before(today.date(), WINDOW_MONTHS)
    lines = book.table("orders", "account_id", "order_date", "revenue")
    days = lines.group_by("account_id", "order_date").aggregate(revenue=lines.revenue.sum())
    days = days.filter(days.revenue > 0)
    recent = (days.order_date >= start).sum()
    found = days.group_by("account_id").aggregate(
        last_order=days.order_date.max(),
        order_days=recent,
        is_customer=days.order_date.min() < start,
        is_open=_in_coming_quarter(days.order_date, today).any(),
    )
    return book.collect(found).set_index("account_id")


def _in_coming_quarter(days, today: pd.Timestamp):
    """Whether days lie in the three months that follow today, of any year before: one bare year ends no season."""
    years = [months_before(today.date(), back) for back in range(WINDOW_MONTHS, SEASON_MONTHS + 1, WINDOW_MONTHS)]
    within = [(days >= start) & (days < add_months(start, AHEAD_MONTHS)) for start in years]
    return reduce(or_, within)


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
