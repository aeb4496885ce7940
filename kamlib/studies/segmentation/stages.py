"""How far each account is: lead, opportunity or customer, and within customers building, stable or strengthening."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.book.grid import codes
from kamlib.book.periods import DAYS_PER_MONTH
from kamlib.book.settings import Settings
from kamlib.book.store import Book
from kamlib.studies.silence import FEWEST_ORDER_DAYS, GAPS, LEAST_DAYS

LIFECYCLE = ("lead", "opportunity", "customer")
BUILD, STABLE, STRENGTHEN, LAPSED, PROSPECT = "build", "stable", "strengthen", "lapsed", "prospect"
SILENT = "silent"
STAGES = (PROSPECT, BUILD, STABLE, STRENGTHEN, SILENT, LAPSED)


def lifecycle(book: Book, accounts: pd.DataFrame) -> pd.DataFrame:
    """The lifecycle stage each account has by its deeds, beside the one on record.

    By deeds an account with an order is a customer, one with an open opportunity an opportunity, any other a lead.

    Returns
    -------
    By account: lifecycle (the record; the deeds where nothing is recorded), lifecycle_by_deeds, has_conflict (a
    recorded stage that the deeds contradict: a customer without an order, a lead or opportunity with one).
    """
    deeds = np.where(accounts["orders_ever"] > 0, "customer", "lead")
    if "opportunities" in book.tables:
        rows = book.frame("opportunities")
        has_open = codes(rows.loc[rows["stage"] == "open", "account_id"], accounts.index) >= 0
        deeds = np.where((deeds == "lead") & has_open, "opportunity", deeds)
    recorded = accounts["lifecycle"]
    conflict = recorded.notna() & ((recorded == "customer") != (deeds == "customer"))
    frame = pd.DataFrame({"lifecycle_by_deeds": deeds, "has_conflict": conflict}, index=accounts.index)
    return frame.assign(lifecycle=recorded.fillna(pd.Series(deeds, index=accounts.index)))


def relationship(accounts: pd.DataFrame, settings: Settings) -> pd.Series:
    """The relationship stage of each account.

    *prospect*: never ordered; *lapsed*: no order in the window; *build*: first order less than the first declared
    number of months ago, or orders in fewer than four months of three years; *strengthen*: first order at least the
    second number of months ago, an order in every quarter, and more revenue than the year before or loyal by survey;
    *stable*: the rest.

    Parameters
    ----------
    accounts
        first_purchase_days, orders_ever, orders, months_active, quarters_active, quarters_open, revenue,
        revenue_before, loyalty and loyalty_basis.
    """
    young, grown = (DAYS_PER_MONTH * months for months in settings.value("relationship_months"))
    days = accounts["first_purchase_days"]
    is_steady = accounts["quarters_active"] >= accounts["quarters_open"]
    rises = (accounts["revenue"] > accounts["revenue_before"]) | (
        (accounts["loyalty"] == "loyal") & (accounts["loyalty_basis"] == "survey")
    )
    choices = [
        (accounts["orders_ever"] == 0, PROSPECT),
        (accounts["orders"] == 0, LAPSED),
        ((days < young) | (accounts["months_active"] < settings.value("recurring_months")), BUILD),
        ((days >= grown) & is_steady & rises, STRENGTHEN),
    ]
    named = np.select([flag.to_numpy(dtype=bool) for flag, _ in choices], [name for _, name in choices], STABLE)
    return pd.Series(named, index=accounts.index, name="stage")


def is_silent(accounts: pd.DataFrame) -> pd.Series:
    """Which accounts ordered in the window, and not for more than three of their mean gaps (and 30 days).

    Parameters
    ----------
    accounts
        recency_days, first_purchase_days, orders_ever and orders; with fewer than four orders, or all on one day,
        there is no habit.
    """
    gaps = (accounts["orders_ever"] - 1).where(accounts["orders_ever"] >= FEWEST_ORDER_DAYS)
    usual = (accounts["first_purchase_days"] - accounts["recency_days"]) / gaps
    longest = (GAPS * usual.where(usual > 0)).clip(lower=LEAST_DAYS)
    return (accounts["orders"] > 0) & (accounts["recency_days"] > longest)


def funnel(book: Book, since) -> pd.DataFrame:
    """Opportunities opened, open, won and lost since a day, with their value; empty where the book has none.

    Returns
    -------
    One row for each of open, won, lost: stage, opportunities, value (missing where none is given).
    """
    columns = ["stage", "opportunities", "value"]
    if "opportunities" not in book.tables:
        return pd.DataFrame(columns=columns)
    rows = book.frame("opportunities")
    rows = rows[(rows["closed_on"] >= pd.Timestamp(since)) | (rows["stage"] == "open")]
    sums = rows.groupby("stage").agg(
        opportunities=("opportunity_id", "size"), value=("value", lambda value: value.sum(min_count=1))
    )
    return sums.reindex(["open", "won", "lost"]).fillna({"opportunities": 0}).rename_axis("stage").reset_index()
