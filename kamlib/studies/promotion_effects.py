"""What promotions bring, net of what is pulled forward; and purchases that bunch just above a rebate's threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyfixest
from scipy.stats import binomtest

from kamlib.book.panel import account_months
from kamlib.book.store import Book

LEVEL = 0.90
KINDS = ("discount", "co_promotion", "contest")
FEWEST_PROMOTED, FEWEST_ACCOUNTS = 30, 10
NEAR = 0.10
LAST_DAYS = 7
DRAWS = 4000
STEPS = ("before", "now", "after")


@dataclass(frozen=True, eq=False)
class Uplift:
    """What :func:`uplift` found.

    Attributes
    ----------
    steps : the month before, of and after a promotion: step, effect, low, high (share of a month's revenue).
    net, net_low, net_high : months of and after together, as a share of a month's revenue.
    gain, gain_low, gain_high : the margin one promotion brings over both months, before its cost; missing without a
        known margin. cost : the mean cost of a promotion; missing where none is on file.
    n : promoted account-months. accounts : accounts ever promoted.
    """

    steps: pd.DataFrame
    net: float
    net_low: float
    net_high: float
    gain: float
    gain_low: float
    gain_high: float
    cost: float
    n: int
    accounts: int


def uplift(book: Book, seed: int = 0) -> Uplift | None:
    """Revenue of promoted account-months against the account's own and everybody's months.

    A Poisson regression of monthly revenue on the month before, of and after a promotion that is no rebate, with
    effects of account and month, errors clustered by account. The month before is a placebo: a promotion cannot sell
    before it begins, so an effect there says that promotions are aimed at months that are good (or bad) anyway.

    Returns
    -------
    None where there are fewer than 30 promoted account-months of ten accounts, or nothing but promoted ones.
    """
    if not book.has("promotions", "starts_on"):
        return None
    runs = book.frame("promotions")
    runs = runs[runs["kind"].isin(KINDS)]
    panel = _promoted(account_months(book), runs)
    treated = panel[panel["now"] == 1]
    is_enough = len(treated) >= FEWEST_PROMOTED and treated["account_id"].nunique() >= FEWEST_ACCOUNTS
    if not is_enough or panel["now"].mean() > 0.9:
        return None
    fit = pyfixest.fepois("revenue ~ before + now + after | account_id + month", panel, vcov={"CRV1": "account_id"})
    names = list(fit.coef().index)
    if set(names) != set(STEPS):
        return None
    draws = np.random.default_rng(seed).multivariate_normal(fit.coef().to_numpy(), np.asarray(fit._vcov), DRAWS)
    by = {name: np.expm1(draws[:, names.index(name)]) for name in STEPS}
    at = {name: float(np.expm1(fit.coef()[name])) for name in STEPS}
    rows = [(step, at[step], *_ends(by[step])) for step in STEPS]
    base = float(treated["revenue"].mean()) / (1 + at["now"])
    rate = _margin_rate(panel)
    net, drawn = at["now"] + at["after"], by["now"] + by["after"]
    low, high = _ends(drawn)
    gain, gain_low, gain_high = (x * base * rate for x in (net, low, high))
    cost = float(runs["cost"].mean()) if "cost" in runs else np.nan
    steps = pd.DataFrame(rows, columns=["step", "effect", "low", "high"])
    many = treated["account_id"].nunique()
    return Uplift(steps, net, low, high, gain, gain_low, gain_high, cost, len(treated), many)


def _promoted(panel: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The account-months with flags: a promotion ran in the month after, in this month, in the month before."""
    months = [
        pd.DataFrame({"account_id": one.account_id, "month": pd.period_range(one.starts_on, one.ends_on, freq="M")})
        for one in runs.dropna(subset=["starts_on", "ends_on"]).itertuples()
    ]
    ran = pd.concat(months).drop_duplicates() if months else pd.DataFrame(columns=["account_id", "month"])
    keyed = panel[["account_id", "month", "revenue", "margin"]].copy()
    keyed["revenue"] = keyed["revenue"].clip(lower=0)
    own = pd.MultiIndex.from_arrays([keyed["account_id"], keyed["month"].dt.to_period("M")])
    for step, shift in (("before", 1), ("now", 0), ("after", -1)):
        there = pd.MultiIndex.from_arrays([ran["account_id"], ran["month"].map(lambda m, by=shift: m - by)])
        keyed[step] = own.isin(there).astype(float)
    return keyed


def _ends(draws: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _margin_rate(panel: pd.DataFrame) -> float:
    known = panel.dropna(subset=["margin"])
    revenue = known["revenue"].sum()
    return float(known["margin"].sum() / revenue) if revenue > 0 and (known["margin"] != 0).any() else np.nan


@dataclass(frozen=True, eq=False)
class Rebates:
    """What :func:`rebates` found.

    Attributes
    ----------
    rows : one row per finished rebate: account_id, promotion_id, starts_on, ends_on, threshold, bought, reach
        (bought over threshold), last_share (share of it in the last seven days).
    below, above : rebates that ended within a tenth below and above the threshold. chance : how likely so many above
        are, were both sides as likely. reached : rebates that were reached.
    loading_near, loading_other : mean last_share of those that ended within a tenth above, and of those that did not
        reach it; missing without any.
    """

    rows: pd.DataFrame
    below: int
    above: int
    chance: float
    reached: int
    loading_near: float
    loading_other: float


def rebates(book: Book) -> Rebates | None:
    """How purchases lie about the thresholds of rebates that are over; None where no rebate with a threshold is."""
    if not book.has("promotions", "threshold"):
        return None
    runs = book.frame("promotions")
    today = pd.Timestamp(book.as_of or book.span()[1])
    runs = runs[(runs["threshold"] > 0) & (runs["ends_on"] <= today)]
    if runs.empty:
        return None
    lines = book.table("orders", "account_id", "order_date", "revenue")
    lines = lines.filter(lines.account_id.isin(runs["account_id"].unique().tolist()))
    by_day = lines.group_by("account_id", "order_date").aggregate(revenue=lines.revenue.sum())
    days = book.collect(by_day)
    both = runs[["promotion_id", "account_id", "starts_on", "ends_on", "threshold"]].merge(days, on="account_id")
    both = both[both["order_date"].between(both["starts_on"], both["ends_on"])]
    is_last = both["order_date"] > both["ends_on"] - pd.Timedelta(days=LAST_DAYS)
    sums = both.assign(last=both["revenue"].where(is_last, 0.0)).groupby("promotion_id")[["revenue", "last"]].sum()
    rows = runs.merge(sums, left_on="promotion_id", right_index=True)
    rows = rows.assign(bought=rows["revenue"], reach=rows["revenue"] / rows["threshold"])
    rows["last_share"] = (rows["last"] / rows["revenue"]).where(rows["revenue"] > 0)
    near = rows["reach"].between(1, 1 + NEAR)
    below, above = int(rows["reach"].between(1 - NEAR, 1, inclusive="left").sum()), int(near.sum())
    chance = binomtest(above, above + below, alternative="greater").pvalue if above + below else np.nan
    columns = [
        "account_id",
        "promotion_id",
        "starts_on",
        "ends_on",
        "threshold",
        "cost",
        "bought",
        "reach",
        "last_share",
    ]
    missed = rows.loc[rows["reach"] < 1, "last_share"].mean()
    loading = rows.loc[near, "last_share"].mean()
    reached = int((rows["reach"] >= 1).sum())
    return Rebates(rows[columns].reset_index(drop=True), below, above, float(chance), reached, loading, missed)
