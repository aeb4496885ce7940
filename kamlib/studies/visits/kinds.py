"""Whether contacts bring more by who makes them, or by the way they are made, at the same number of contacts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from kamlib.book.store import Book
from kamlib.studies.effects import effect
from kamlib.studies.effects.carryover import adstock

LEVELS, CHANNELS = "visits_", "contacts_"
BURN_IN_MONTHS = 3
KINDS = ["kind", "contacts", "difference", "low", "high", "p_value"]
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
    """How kinds of contact differ from the most frequent kind, at the same number of contacts.

    All contacts enter as one stock, concave as in the rest of the study, and beside it the share that each kind has
    in it: three concave stocks side by side would make whoever comes rarely look strong. Contacts of unknown kind,
    or of one too rare to ask about, are a kind of their own, which is not told of.

    Parameters
    ----------
    stocked : as :func:`with_stocks` returns it. prefix : LEVELS or CHANNELS.
    tries : takes a name and a step, and keeps the reason where the step cannot be taken.

    Returns
    -------
    pandas.DataFrame
        one row per kind, the most frequent first: kind ("" for the unknown and the rare), contacts, difference, low,
        high (share of revenue by which one contact of the kind a month brings more than one of the first; ``level``
        holds for all intervals at once), p_value (Holm's, over the kinds). Missing for the first and for ""; empty
        where fewer than two kinds can be compared.
    """
    columns = sorted(columns_of(stocked, prefix), key=lambda column: -stocked[column].sum())
    if len(columns) < 2:
        return pd.DataFrame(columns=KINDS)
    shares, total = _shares(stocked, columns, prefix)
    frame = stocked.assign(log_total=np.log1p(total), **shares)
    mean, wide = float(total.mean()), 1 - (1 - level) / (len(columns) - 1)  # all intervals hold at once
    rows = []
    for column in columns[1:]:
        others, name = tuple(c for c in shares if c != f"share_{column}"), column.removeprefix(prefix)
        given = {"covariates": ("log_total", *others), "scale": "level", "level": wide}
        one = tries(name, lambda c=f"share_{column}", g=given: effect(frame, exposure=c, **g))
        if one:
            difference, low, high = np.expm1(np.array([one.estimate, *one.interval]) / (1 + mean))
            rows.append({"kind": name, "difference": difference, "low": low, "high": high, "p_value": one.p_value})
    return _table(stocked, columns, prefix, pd.DataFrame(rows, columns=["kind", *KINDS[2:]]))


def _shares(stocked: pd.DataFrame, columns: list[str], prefix: str) -> tuple[dict[str, pd.Series], pd.Series]:
    """Share of the kinds but the first in the stock of all contacts, and that stock."""
    known = stocked[[f"stock_{column}" for column in columns]].sum(axis=1, min_count=len(columns))
    total = stocked["stock"] if prefix == LEVELS else known
    shares = {f"share_{column}": stocked[f"stock_{column}"] / (1 + total) for column in columns[1:]}
    unknown = (total - known).clip(lower=0)
    if unknown.sum() > 1e-6:
        shares["share_unknown"] = unknown / (1 + total)
    return shares, total


def _table(stocked: pd.DataFrame, columns: list[str], prefix: str, rows: pd.DataFrame) -> pd.DataFrame:
    """All kinds with their contacts, those of unknown kind last, and the p-values made fit for several looks."""
    counts = {column.removeprefix(prefix): int(stocked[column].sum()) for column in columns}
    if prefix == LEVELS and (unknown := int(stocked["visits"].sum()) - sum(counts.values())) > 0:
        counts[""] = unknown
    table = pd.DataFrame({"kind": counts.keys(), "contacts": counts.values()}).merge(rows, on="kind", how="left")
    known = table["p_value"].notna()
    if known.any():
        table.loc[known, "p_value"] = multipletests(table.loc[known, "p_value"], method="holm")[1]
    return table
