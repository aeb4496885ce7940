"""What one more contact a month brings, by who makes it and by the way it is made; the others held constant."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.studies.effects import effect
from kamlib.studies.effects.carryover import adstock

LEVELS, CHANNELS = "visits_", "contacts_"
BURN_IN_MONTHS = 3
LEAST_CONTACTS = 100  # with fewer, a kind is not asked about: its interval would hold anything


def with_channels(book: Book, panel: pd.DataFrame) -> pd.DataFrame:
    """The panel with ``contacts_<channel>``, how many contacts of each channel an account had in the month.

    Missing where ``visits`` is; a channel that the book does not have gets no column.
    """
    rows = book.table("visits", "account_id", "visit_date", "channel")
    month = rows.visit_date.cast("date").truncate("M")
    counts = book.collect(rows.group_by("account_id", "channel", month=month).aggregate(n=rows.count()))
    counts["month"] = pd.to_datetime(counts["month"]).astype(panel["month"].dtype)
    wide = counts.dropna(subset=["channel"]).pivot(index=["account_id", "month"], columns="channel", values="n")
    wanted = pd.MultiIndex.from_frame(panel[["account_id", "month"]])
    found = wide.reindex(wanted).fillna(0).set_axis(panel.index).where(panel["visits"].notna())
    return panel.join(found.astype("float64").add_prefix(CHANNELS))


def columns_of(panel: pd.DataFrame, prefix: str) -> list[str]:
    """Columns of a kind of contact of which there were enough."""
    return [column for column in panel if column.startswith(prefix) and panel[column].sum() >= LEAST_CONTACTS]


def with_stocks(panel: pd.DataFrame, carry: float) -> pd.DataFrame:
    """The panel with ``stock`` of all visits and ``stock_<column>`` of each kind, missing in the first months."""
    position = panel.groupby("account_id").cumcount().to_numpy()
    stocks = {}
    for column in ["visits", *columns_of(panel, LEVELS), *columns_of(panel, CHANNELS)]:
        before = panel.groupby("account_id")[column].transform("mean").to_numpy()
        stock = adstock(panel[column].to_numpy(), position, carry, before)
        name = "stock" if column == "visits" else f"stock_{column}"
        stocks[name] = np.where(position < BURN_IN_MONTHS, np.nan, stock)
    return panel.assign(**stocks)


def by_kind(stocked: pd.DataFrame, prefix: str, scale: str, level: float, tries: Callable) -> pd.DataFrame:
    """One row per kind: kind, contacts, per_contact, low, high (share of revenue per further contact a month).

    Empty where fewer than two kinds can be compared.

    Parameters
    ----------
    stocked : as :func:`with_stocks` returns it. prefix : LEVELS or CHANNELS.
    tries : takes a name and a step, and keeps the reason where the step cannot be taken.
    """
    columns = columns_of(stocked, prefix)
    columns = columns if len(columns) > 1 else []
    logs = stocked.assign(**{f"log1p_{c}": np.log1p(stocked[f"stock_{c}"]) for c in columns})
    rows = []
    for column in columns:
        others, name = tuple(f"log1p_{c}" for c in columns if c != column), column.removeprefix(prefix)
        stock = f"stock_{column}"
        one = tries(name, lambda s=stock, o=others: effect(logs, exposure=s, covariates=o, scale=scale, level=level))
        if one:
            step = np.log1p(1 / (1 + stocked[stock].mean()))
            values = np.expm1(step * np.array([one.estimate, *one.interval]))
            count = int(stocked[column].sum())
            row = {"kind": name, "contacts": count, "per_contact": values[0], "low": values[1], "high": values[2]}
            rows.append(row)
    return pd.DataFrame(rows, columns=["kind", "contacts", "per_contact", "low", "high"])
