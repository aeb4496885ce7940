"""Promotions designed with the account: what past ones brought, what rebates bend, and what to agree on next."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kamlib.book.store import Book
from kamlib.studies import actions, shares
from kamlib.studies.portfolio import chosen, day_of, portfolio
from kamlib.studies.promotion_effects import Rebates, Uplift, rebates, uplift

YEARS = 2


@dataclass(frozen=True, eq=False)
class PromotionPlan:
    """What :func:`measure` found; None or empty where the book lacks the table.

    Attributes
    ----------
    as_of : day the book is read as of.
    account : the account the template is filled for (a row of :func:`kamlib.studies.portfolio.portfolio`).
    account_names : names by account_id.
    uplift, rebates : see :mod:`kamlib.studies.promotion_effects`.
    kinds : promotions of twelve months by kind: kind, n, cost (sum), revenue (of order lines that name one; missing
        where lines name none), cost_share (cost over the revenue of the accounts that got them).
    has_promotions : whether the book has promotions.
    calendar : promotions of key accounts that ran a year ago in the time ahead: account_id, manager_id, name, kind,
        category, ran_on, due_on.
    categories : what the account bought of each category: category, revenue, revenue_previous, and when it was promoted
        last (promoted_on).
    past : the promotions the account had: kind, category, starts_on, ends_on, cost, threshold.
    trained : share of key accounts whose people came to a training of ours in two years; None without events.
    untrained : key accounts that did not: account_id, manager_id, name.
    actions, names : the actions, and the names in them.
    """

    as_of: pd.Timestamp
    account: pd.Series
    account_names: pd.Series
    uplift: Uplift | None
    rebates: Rebates | None
    kinds: pd.DataFrame
    has_promotions: bool
    calendar: pd.DataFrame
    categories: pd.DataFrame
    past: pd.DataFrame
    trained: shares.Share | None
    untrained: pd.DataFrame
    actions: pd.DataFrame
    names: actions.Names


def measure(
    book: Book, account_id: str = "", horizon_days: int = 90, accounts_at_most: int = 20, keys=None
) -> PromotionPlan:
    """Plan promotions with key accounts.

    Parameters
    ----------
    book : the book as of its day.
    account_id : the account the template is filled for; the largest where empty.
    horizon_days : how far ahead last year's promotions are looked up.
    accounts_at_most : how many accounts at most are asked to a training.
    keys : identifiers of the key accounts, as :func:`kamlib.studies.portfolio.key_accounts` names them; class A where
        none are given.

    Raises
    ------
    RequestError
        When the account is not in scope.

    Examples
    --------
    >>> measure(book, "C0001").categories  # doctest: +SKIP
    """
    as_of = day_of(book)
    accounts = portfolio(book)
    if keys is not None:
        accounts["is_key"] = accounts["account_id"].isin(keys)
    keys = accounts[accounts["is_key"]][["account_id", "manager_id", "name"]]
    account = chosen(accounts, account_id)
    runs = book.frame("promotions") if book.has("promotions", "starts_on") else None
    calendar = _calendar(runs, keys, as_of, horizon_days)
    trained, untrained = _training(book, keys, as_of)
    rows = actions.gather(_actions(account, calendar, untrained.head(accounts_at_most), as_of), as_of)
    own = pd.DataFrame() if runs is None else runs[runs["account_id"] == account["account_id"]]
    return PromotionPlan(
        as_of,
        account,
        accounts.set_index("account_id")["name"],
        uplift(book),
        rebates(book),
        _kinds(book, runs, accounts, as_of),
        runs is not None,
        calendar,
        _categories(book, account, own, as_of),
        own.sort_values("starts_on", ascending=False, ignore_index=True) if len(own) else own,
        trained,
        untrained,
        rows,
        actions.names(book, rows),
    )


def _kinds(book: Book, runs: pd.DataFrame | None, accounts: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    columns = ["kind", "n", "cost", "revenue", "cost_share"]
    if runs is None:
        return pd.DataFrame(columns=columns)
    recent = runs[runs["starts_on"] > as_of - pd.DateOffset(years=1)]
    got = recent.drop_duplicates(["kind", "account_id"]).merge(accounts[["account_id", "revenue"]], on="account_id")
    base = got.groupby("kind")["revenue"].sum()
    if book.has("orders", "promotion_id"):
        lines = book.table("orders", "promotion_id", "revenue")
        sold = book.collect(lines.group_by("promotion_id").aggregate(revenue=lines.revenue.sum()))
        recent = recent.merge(sold, on="promotion_id", how="left")
    rows = recent.reindex(columns=["kind", "promotion_id", "cost", "revenue"]).groupby("kind")
    by = rows.agg(n=("promotion_id", "size"), cost=("cost", _sum), revenue=("revenue", _sum)).reset_index()
    by["cost_share"] = by["cost"] / by["kind"].map(base)
    return by.sort_values("cost", ascending=False, ignore_index=True)[columns]


def _sum(values: pd.Series) -> float:
    return values.sum(min_count=1)


def _calendar(runs, keys: pd.DataFrame, as_of: pd.Timestamp, horizon_days: int) -> pd.DataFrame:
    columns = ["account_id", "manager_id", "name", "kind", "category", "ran_on", "due_on"]
    if runs is None:
        return pd.DataFrame(columns=columns)
    year = pd.DateOffset(years=1)
    until = as_of + pd.Timedelta(days=horizon_days)
    again = runs.assign(due_on=(runs["starts_on"] + year).astype("datetime64[s]"), ran_on=runs["starts_on"])
    ahead = again[(again["due_on"] > as_of) & (again["due_on"] <= until) & (again["kind"] != "rebate")]
    if "category" not in ahead:
        ahead = ahead.assign(category=None)
    found = keys.merge(ahead[["account_id", "kind", "category", "ran_on", "due_on"]], on="account_id")
    return found.sort_values(["due_on", "account_id"], ignore_index=True)[columns]


def _categories(book: Book, account: pd.Series, own: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    columns = ["category", "revenue", "revenue_previous", "promoted_on"]
    if not book.has("products", "category") or not book.has("orders", "product_id"):
        return pd.DataFrame(columns=columns)
    year = pd.DateOffset(years=1)
    since, before = (as_of - year).date(), (as_of - year - year).date()
    lines = book.table("orders", "account_id", "product_id", "order_date", "revenue")
    lines = lines.filter(lines.account_id == account["account_id"], lines.order_date > before)
    lines = lines.join(book.table("products", "product_id", "category"), "product_id")
    by = lines.group_by("category").aggregate(
        revenue=lines.revenue.sum(where=lines.order_date > since),
        revenue_previous=lines.revenue.sum(where=lines.order_date <= since),
    )
    rows = book.collect(by).dropna(subset=["category"]).fillna({"revenue": 0.0, "revenue_previous": 0.0})
    last = own.groupby("category")["starts_on"].max().to_dict() if "category" in own else {}
    rows["promoted_on"] = pd.Series([last.get(c, pd.NaT) for c in rows["category"]], rows.index, "datetime64[s]")
    return rows.sort_values(["revenue", "category"], ascending=[False, True], ignore_index=True)[columns]


def _training(book: Book, keys: pd.DataFrame, as_of: pd.Timestamp) -> tuple[shares.Share | None, pd.DataFrame]:
    if not book.has("events"):
        return None, keys.head(0)
    rows = book.frame("events")
    recent = rows[(rows["kind"] == "training") & (rows["event_date"] > as_of - pd.DateOffset(years=YEARS))]
    came = set(recent.loc[recent["has_attended"].astype("object") == True, "account_id"])  # noqa: E712
    flags = keys["account_id"].isin(came)
    return shares.share(flags), keys[~flags].reset_index(drop=True)


def _actions(account: pd.Series, calendar: pd.DataFrame, untrained: pd.DataFrame, as_of) -> list[pd.DataFrame]:
    topic, one = "promotion_design", account[["account_id", "manager_id", "name"]].to_frame().T
    next_one = calendar.drop_duplicates("account_id")
    ask_by = next_one["due_on"] - pd.Timedelta(days=30)
    seen = {"since": next_one["ran_on"], "detail": next_one["kind"]}
    return [
        actions.propose("promotion", f"{topic}.design", one, as_of + pd.offsets.BDay(10), "K054"),
        actions.propose("promotion", f"{topic}.again", next_one, ask_by, "K053", **seen),
        actions.propose("event", f"{topic}.train", untrained, as_of + pd.Timedelta(days=45), "K056", detail="training"),
        actions.step(f"{topic}.judge", as_of, 75, "K055", "marketing"),
    ]
