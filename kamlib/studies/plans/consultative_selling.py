"""Consultative selling to one account: what it needs, what decides, who competes, and what both sides gain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.studies import actions, service, shares
from kamlib.studies.portfolio import chosen, day_of, portfolio

FEWEST_SIMILAR = 5
FALLING = 0.8


@dataclass(frozen=True, eq=False)
class SellingPlan:
    """What :func:`measure` found of one account; None or empty where the book lacks the table. Spans are twelve months.

    Attributes
    ----------
    as_of : day the book is read as of. account : its row of :func:`kamlib.studies.portfolio.portfolio`.
    categories : category, revenue, revenue_previous, similar_share (of the accounts of its industry that buy it).
    similar : how many accounts of its industry bought anything.
    missing : categories that the declared share of them buy and it does not, the most usual first.
    centres : buying centre and its share of what it bought; None where order lines name none.
    people : contacts on file by role; None without contacts.
    complaints : its complaints in two years by category; None without complaints.
    on_time : its order lines on time. deals : its open deals: opportunity_id, opened_on, value, competitor.
    won, won_all : share of closed deals won in two years, of this account and of all.
    rivals : by competitor, all accounts: competitor, deals, won, n, share, share_low, share_high.
    heard : what was heard of competitors, newest first: day, source (``survey``, ``deal``), competitor, account_id,
        name, outcome; at this account and in its industry.
    given : what we gave it: hours of our time (``visits``), money (``investment``, ``promotion``).
    actions, names : the actions, and the names in them.
    """

    as_of: pd.Timestamp
    account: pd.Series
    categories: pd.DataFrame
    similar: int
    missing: list[str]
    centres: pd.DataFrame | None
    people: pd.DataFrame | None
    complaints: pd.DataFrame | None
    on_time: shares.Share | None
    deals: pd.DataFrame
    won: shares.Share | None
    won_all: shares.Share | None
    rivals: pd.DataFrame
    heard: pd.DataFrame
    given: dict[str, float]
    actions: pd.DataFrame
    names: actions.Names


def measure(book: Book, account_id: str = "") -> SellingPlan:
    """Prepare a consultative talk with one account.

    Parameters
    ----------
    book : the book as of its day. account_id : the account; the largest in scope where empty.

    Raises
    ------
    RequestError
        When the account is not in scope.

    Examples
    --------
    >>> measure(book, "C0001").missing  # doctest: +SKIP
    """
    as_of, accounts = day_of(book), portfolio(book)
    account = chosen(accounts, account_id)
    mine, since = account["account_id"], as_of - pd.DateOffset(years=1)
    categories, similar = _categories(book, accounts, account, as_of)
    least = float(book.settings.value("white_space_share"))
    space = categories[(categories["revenue"] <= 0) & (categories["similar_share"] >= least)]
    missing = space.sort_values("similar_share", ascending=False)["category"].tolist()
    deals = book.frame("opportunities") if book.has("opportunities") else None
    lines = service.delivered_lines(book, since)
    open_deals = _open(deals, mine)
    rows = actions.gather(_actions(account, missing, open_deals, as_of), as_of)
    closed = None if deals is None else deals[deals["stage"].isin(["won", "lost"])]
    recent = None if closed is None else closed[closed["closed_on"] > as_of - pd.DateOffset(years=2)]
    return SellingPlan(
        as_of,
        account,
        categories,
        similar,
        missing,
        _centres(book, mine, since),
        _counted(book, "contacts", mine, "role"),
        _counted(book, "cases", mine, "category", "opened_on", as_of - pd.DateOffset(years=2)),
        None if lines is None else shares.share(lines.loc[lines["account_id"] == mine, "is_on_time"]),
        open_deals,
        None if recent is None else shares.share(recent.loc[recent["account_id"] == mine, "stage"] == "won"),
        None if recent is None else shares.share(recent["stage"] == "won"),
        _rivals(recent),
        _heard(book, accounts, account, deals),
        _given(book, mine, since),
        rows,
        actions.names(book, rows),
    )


def _categories(book: Book, accounts, account: pd.Series, as_of: pd.Timestamp) -> tuple[pd.DataFrame, int]:
    columns = ["category", "revenue", "revenue_previous", "similar_share"]
    if not book.has("products", "category") or not book.has("orders", "product_id"):
        return pd.DataFrame(columns=columns), 0
    year = pd.DateOffset(years=1)
    since, before = (as_of - year).date(), (as_of - year - year).date()
    kin = accounts[accounts["industry"] == account["industry"]]["account_id"].tolist() or [account["account_id"]]
    lines = book.table("orders", "account_id", "product_id", "order_date", "revenue")
    lines = lines.filter(lines.account_id.isin(kin), lines.order_date > before)
    lines = lines.join(book.table("products", "product_id", "category"), "product_id")
    by = book.collect(
        lines.group_by("account_id", "category").aggregate(
            revenue=lines.revenue.sum(where=lines.order_date > since),
            revenue_previous=lines.revenue.sum(where=lines.order_date <= since),
        )
    )
    by = by.dropna(subset=["category"]).fillna({"revenue": 0.0, "revenue_previous": 0.0})
    others = by[(by["account_id"] != account["account_id"]) & (by["revenue"] > 0)]
    similar = others["account_id"].nunique()
    usual = others.groupby("category")["account_id"].nunique() / similar if similar >= FEWEST_SIMILAR else pd.Series()
    own = by[by["account_id"] == account["account_id"]].set_index("category")[["revenue", "revenue_previous"]]
    rows = own.reindex(own.index.union(usual.index)).fillna(0.0)
    rows["similar_share"] = usual.reindex(rows.index).astype(float)
    rows = rows.rename_axis("category").reset_index()
    return rows.sort_values(["revenue", "category"], ascending=[False, True], ignore_index=True)[columns], similar


def _centres(book: Book, account_id: str, since: pd.Timestamp) -> pd.DataFrame | None:
    if not book.has("orders", "buying_centre"):
        return None
    lines = book.table("orders", "account_id", "order_date", "buying_centre", "revenue")
    lines = lines.filter(lines.account_id == account_id, lines.order_date > since.date(), lines.buying_centre.notnull())
    rows = book.collect(lines.group_by("buying_centre").aggregate(revenue=lines.revenue.sum()))
    total = rows["revenue"].sum()
    rows["share"] = rows["revenue"] / total if total > 0 else np.nan
    return rows.sort_values(["revenue", "buying_centre"], ascending=[False, True], ignore_index=True)


def _counted(book: Book, table: str, account_id: str, column: str, day: str = "", since=None) -> pd.DataFrame | None:
    if not book.has(table):
        return None
    rows = book.frame(table)
    rows = rows[rows["account_id"] == account_id]
    rows = rows[rows[day] > since] if day else rows
    if column not in rows:
        return pd.DataFrame(columns=[column, "n"])
    return rows.groupby(column).size().rename("n").reset_index().sort_values("n", ascending=False, ignore_index=True)


def _open(deals: pd.DataFrame | None, account_id: str) -> pd.DataFrame:
    columns = ["opportunity_id", "opened_on", "value", "competitor"]
    if deals is None:
        return pd.DataFrame(columns=columns)
    rows = deals[(deals["account_id"] == account_id) & (deals["stage"] == "open")]
    return rows.reindex(columns=columns).sort_values("opened_on", ignore_index=True)


def _rivals(recent: pd.DataFrame | None) -> pd.DataFrame:
    if recent is None or "competitor" not in recent:
        return pd.DataFrame(columns=["competitor", "n", "share", "share_low", "share_high"])
    rows = shares.by_group(recent.assign(won=recent["stage"] == "won"), "competitor", "won")
    return rows.sort_values(["n", "competitor"], ascending=[False, True], ignore_index=True)


def _heard(book: Book, accounts: pd.DataFrame, account: pd.Series, deals) -> pd.DataFrame:
    parts = []
    if book.has("surveys", "main_competitor"):
        asked = book.frame("surveys").rename(columns={"surveyed_on": "day", "main_competitor": "competitor"})
        parts.append(asked.assign(source="survey", outcome=""))
    if deals is not None and "competitor" in deals:
        day = deals["closed_on"].fillna(deals["opened_on"])
        parts.append(deals.assign(day=day, source="deal", outcome=deals["stage"]))
    columns = ["day", "source", "competitor", "account_id", "name", "outcome"]
    if not parts:
        return pd.DataFrame(columns=columns)
    kin = accounts[(accounts["industry"] == account["industry"]) | (accounts["account_id"] == account["account_id"])]
    wanted = ["day", "source", "competitor", "account_id", "outcome"]
    rows = pd.concat([part[wanted] for part in parts]).dropna(subset=["competitor"])
    rows = rows.merge(kin[["account_id", "name"]], on="account_id")
    rows["own"] = rows["account_id"] == account["account_id"]
    return rows.sort_values(["own", "day", "account_id"], ascending=[False, False, True], ignore_index=True)[columns]


def _given(book: Book, account_id: str, since: pd.Timestamp) -> dict[str, float]:
    """Hours of visits, money invested and money for promotions; missing where the book does not tell."""
    found = {}
    for gift, table, day, column in (
        ("visits", "visits", "visit_date", "hours"),
        ("investment", "investments", "spent_on", "amount"),
        ("promotion", "promotions", "starts_on", "cost"),
    ):
        found[gift] = np.nan
        if book.has(table, column):
            rows = book.frame(table)
            mine = rows[(rows["account_id"] == account_id) & (rows[day] > since)]
            found[gift] = float(mine[column].sum())
    return found


def _actions(account: pd.Series, missing: list[str], deals: pd.DataFrame, as_of: pd.Timestamp) -> list[pd.DataFrame]:
    topic = "consultative_selling"
    one = account[["account_id", "manager_id", "name"]].to_frame().T.reset_index(drop=True)
    some = [one.assign(category=name) for name in missing[:3]] or [one.head(0).assign(category="")]
    offers, later = pd.concat(some), as_of + pd.Timedelta(days=45)
    open_ones = deals.assign(account_id=account["account_id"], manager_id=account["manager_id"])
    settle = {"since": open_ones["opened_on"], "detail": open_ones["opportunity_id"]}
    return [
        actions.propose("visit", f"{topic}.listen", one, as_of + pd.offsets.BDay(10), "K071"),
        actions.step(f"{topic}.brief", as_of, 21, "K059", manager_id=account["manager_id"]),
        actions.propose("offer", f"{topic}.offer", offers, later, "K071", detail=offers["category"]),
        actions.propose("deal", f"{topic}.settle", open_ones, as_of + pd.Timedelta(days=30), "K031", **settle),
    ]
