"""What an account sells in a quarter: its pace of the last year, and what became of such paces before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.studies.silence import silent

PACE_MONTHS, QUARTER_MONTHS = 12, 3
ORIGINS = 4  # quarter's ends looked back at, so that every season counts once
POOLS = 5  # accounts of like pace are judged by each other: the largest have had a lucky year more often
LEAST_CASES = 50


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What accounts sold in the quarter after their pace was taken, as a share of it.

    Attributes
    ----------
    cases : origin (0 for the last), pool, pace, share (sold next quarter / pace); one row per account and origin.
    edges : paces that part the pools.
    """

    cases: pd.DataFrame
    edges: np.ndarray

    def expected(self, pace: pd.Series) -> pd.Series:
        """What is sold in a quarter at these paces, by what accounts of like pace did."""
        sums = self.cases.assign(sold=self.cases["pace"] * self.cases["share"]).groupby("pool")[["sold", "pace"]].sum()
        kept = (sums["sold"] / sums["pace"]).reindex(range(POOLS)).fillna(1.0)
        return pace * kept.to_numpy()[self._pool(pace)]

    def draws(self, pace: pd.Series, draws: int, rng: np.random.Generator) -> np.ndarray:
        """(accounts, draws) possible sales of a quarter; accounts of one draw share the quarter they are taken from."""
        pool, found = self._pool(pace), np.empty((len(pace), draws))
        origins = rng.choice(self.cases["origin"].unique(), draws)
        groups = {key: rows for key, rows in self.cases.groupby(["origin", "pool"])}
        for number, origin in enumerate(origins):
            for name in np.unique(pool):
                rows, members = groups.get((origin, name), self.cases), np.flatnonzero(pool == name)
                weight = rows["pace"].to_numpy() / rows["pace"].sum()  # so that the mean is that of the money
                found[members, number] = rng.choice(rows["share"].to_numpy(), len(members), p=weight)
        return pace.to_numpy()[:, None] * found

    def _pool(self, pace: pd.Series) -> np.ndarray:
        return np.searchsorted(self.edges, pace.to_numpy())


def paces(days: pd.DataFrame, panel: pd.DataFrame, origin: pd.Timestamp | None = None) -> pd.DataFrame:
    """Revenue of a quarter by account, from the last twelve months up to a month.

    Parameters
    ----------
    days : account_id, month, revenue of every purchase day, as :func:`purchase_days`.
    panel : account × month with revenue. origin : the last month to count; the panel's last one where None.

    Returns
    -------
    pandas.DataFrame
        by account_id: revenue (a quarter, as sold), pace (a quarter, the largest purchase day counted with no more
        than all others together, so that one order is no habit).
    """
    origin = panel["month"].max() if origin is None else origin
    window = _window(panel, origin)
    months = window.groupby("account_id")["revenue"].agg(["sum", "size"])
    recent = days[days["month"].isin(window["month"].unique())]
    largest = recent.groupby("account_id")["revenue"].max().reindex(months.index).clip(lower=0)
    excess = (2 * largest - months["sum"]).clip(lower=0).fillna(0)
    quarter = QUARTER_MONTHS / months["size"]
    return pd.DataFrame({"revenue": months["sum"] * quarter, "pace": (months["sum"] - excess).clip(lower=0) * quarter})


def purchase_days(book: Book) -> pd.DataFrame:
    """Net revenue of every account and day with an order: account_id, month, revenue."""
    lines = book.table("orders", "account_id", "order_date", "revenue")
    month = lines.order_date.cast("date").truncate("M")
    days = lines.group_by("account_id", "order_date", month=month).aggregate(revenue=lines.revenue.sum())
    return book.collect(days[["account_id", "month", "revenue"]])


def outcomes(book: Book, days: pd.DataFrame, panel: pd.DataFrame) -> Outcomes | None:
    """What became of the paces of the last four quarters' ends; None where fewer than 50 accounts tell.

    Accounts that were silent then, as could be seen then, are left out, as a plan leaves them out.
    """
    last, parts = panel["month"].max(), []
    for back in range(ORIGINS):
        origin = last - pd.DateOffset(months=QUARTER_MONTHS * (back + 1))
        if (panel["month"] <= origin).any():
            parts.append(_cases(book, days, panel, origin).assign(origin=back))
    cases = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"pace": []})
    if len(cases) < LEAST_CASES:
        return None
    edges = np.quantile(cases["pace"], np.arange(1, POOLS) / POOLS)
    return Outcomes(cases.assign(pool=np.searchsorted(edges, cases["pace"])), edges)


def _cases(book: Book, days: pd.DataFrame, panel: pd.DataFrame, origin: pd.Timestamp) -> pd.DataFrame:
    then = paces(days, panel, origin)["pace"]
    seen_on = origin + pd.offsets.MonthEnd(1)
    gone = silent(book.at(seen_on.date()), seen_on)["account_id"]
    then = then[(then > 0) & ~then.index.isin(gone)]
    after = panel[(panel["month"] > origin) & (panel["month"] <= origin + pd.DateOffset(months=QUARTER_MONTHS))]
    sold = after.groupby("account_id")["revenue"].sum().clip(lower=0).reindex(then.index)
    return pd.DataFrame({"pace": then, "share": sold / then}).dropna()


def _window(panel: pd.DataFrame, origin: pd.Timestamp) -> pd.DataFrame:
    first = origin - pd.DateOffset(months=PACE_MONTHS - 1)
    return panel[(panel["month"] >= first) & (panel["month"] <= origin)]
