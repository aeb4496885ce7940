"""What a visit takes and costs, and the hours that each manager has for visits of the next quarter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.store import Book

PLAN_MONTHS, PAST_MONTHS = 3, 12


@dataclass(frozen=True)
class Costs:
    """What a visit of a manager costs and takes, what a sale earns, and where each is known from.

    Executives' visits are left out of the mean: a plan moves the visits of managers.

    Attributes
    ----------
    margin_share, has_margin : of revenue, and whether costs of sales are known.
    cost_per_visit, cost_from : money, from "visits", "settings", "given" or "unknown". declared_cost : of book.yml.
    hours_per_visit, has_hours : 1 where no hours of visits are on record, so that hours count visits.
    """

    margin_share: float
    has_margin: bool
    cost_per_visit: float
    cost_from: str
    declared_cost: float
    hours_per_visit: float
    has_hours: bool = True

    @classmethod
    def of(cls, book: Book, panel: pd.DataFrame, channels: Sequence[str], given: float | None = None) -> Costs:
        """From the book; ``given`` is a cost of a visit that goes before the book's own."""
        known = panel.dropna(subset=["margin"])
        share = known["margin"].sum() / known["revenue"].sum() if known["revenue"].sum() > 0 else np.nan
        has_margin = bool(0 < share <= 1)
        declared = float(book.settings.value("visit_cost"))
        mean_cost, hours = _means(book, channels)
        if given is not None:
            cost, origin = given, "given"
        elif np.isfinite(mean_cost):
            cost, origin = mean_cost, "visits"
        else:
            cost, origin = declared, "settings" if declared else "unknown"
        money = float(share) if has_margin else 1.0, has_margin, float(cost), origin, declared
        return cls(*money, hours if hours > 0 else 1.0, bool(hours > 0))


def _means(book: Book, channels: Sequence[str]) -> tuple[float, float]:
    visits = book.table("visits", "channel", "cost", "hours", "level")
    is_ours = visits.channel.isin(channels) & (visits.level != "executive").fill_null(True)
    row = book.collect(visits.filter(is_ours).aggregate(cost=visits.cost.mean(), hours=visits.hours.mean())).iloc[0]
    cost, hours = row.astype(float)
    return float(cost), float(hours)


def contacts(book: Book, panel: pd.DataFrame, channels: Sequence[str]) -> pd.DataFrame:
    """Contacts a quarter by account in the panel's last year: visits, others (their number) and hours_others."""
    months = np.sort(panel["month"].unique())[-PAST_MONTHS:]
    table = book.table("visits", "account_id", "visit_date", "channel", "hours")
    table = table.filter(table.visit_date >= pd.Timestamp(months[0]).date())
    is_visit = table.channel.isin(channels).fill_null(False)
    counts = {
        "visits": is_visit.sum(),
        "others": (~is_visit).sum(),
        "hours_others": is_visit.ifelse(0.0, table.hours.cast("float64")).sum(),
    }
    frame = book.collect(table.group_by("account_id").aggregate(**counts)).set_index("account_id")
    return frame.astype("float64").fillna(0) / len(months) * PLAN_MONTHS


def manager_hours(
    book: Book, accounts: pd.DataFrame, contacts: pd.DataFrame, hours_per_visit: float, has_hours: bool = True
) -> pd.DataFrame:
    """The hours of each manager for visits to the accounts of a plan.

    Parameters
    ----------
    accounts : by account_id: manager_id, today and low, the visits of today and the least of the plan.
    contacts : as :func:`contacts` returns them, of all accounts.
    has_hours : whether the hours of visits are known; where not, those declared say nothing of how many visits fit.

    Returns
    -------
    pandas.DataFrame
        by manager_id: hours_available (declared; missing where not), hours_elsewhere (other contacts, and visits to
        accounts outside the plan), hours_today, hours_least (what the least visits take), hours_free (available less
        elsewhere; today's where none are declared), is_short (free hours do not hold the least).
    """
    groups = accounts.groupby("manager_id")
    frame = groups.agg(hours_today=("today", "sum"), hours_least=("low", "sum")) * hours_per_visit
    frame["hours_available"] = np.nan
    if has_hours and book.has("managers", "hours_per_month"):
        declared = book.frame("managers").set_index("manager_id")["hours_per_month"]
        frame["hours_available"] = declared.reindex(frame.index).astype("float64") * PLAN_MONTHS
    elsewhere = _elsewhere(book, accounts, contacts, hours_per_visit).reindex(frame.index).fillna(0)
    free = (frame["hours_available"] - elsewhere).clip(lower=0).fillna(frame["hours_today"])
    return frame.assign(hours_elsewhere=elsewhere, hours_free=free, is_short=free < frame["hours_least"] - 1e-6)


def _elsewhere(book: Book, accounts: pd.DataFrame, contacts: pd.DataFrame, hours_per_visit: float) -> pd.Series:
    """Hours a quarter by manager in other ways, or with accounts outside the plan, by today's manager."""
    outside = contacts["visits"].where(~contacts.index.isin(accounts.index), 0.0) * hours_per_visit
    hours = outside + contacts["hours_others"]
    managers = book.collect(book.table("accounts", "account_id", "manager_id")).set_index("account_id")["manager_id"]
    return hours.groupby(managers.reindex(hours.index)).sum()
