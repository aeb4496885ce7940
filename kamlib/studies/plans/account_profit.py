"""What each account leaves after the cost of serving it, what came back, and whether trade gets cheaper with size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.studies import actions
from kamlib.studies.portfolio import day_of, portfolio

COSTS = (
    ("visits", "visit_date", "cost", "visit_cost"),
    ("investments", "spent_on", "amount", "service_cost"),
    ("promotions", "starts_on", "cost", "promotion_cost"),
)
YEARS = 3


@dataclass(frozen=True, eq=False)
class ProfitPlan:
    """What :func:`measure` found.

    Attributes
    ----------
    as_of : day the book is read as of.
    accounts : accounts that bought or cost something in twelve months: account_id, manager_id, name, abc, revenue,
        margin, visit_cost, service_cost, promotion_cost (missing where the book lacks the table), left (margin less
        what is known of these), left_three_years (the same over three years, or as long as the book goes back),
        verdict (``earns``; ``exception``: loses this year and earned over three; ``terms``: loses over both). Those
        that leave most first. prospects_cost : what accounts that bought nothing in three years cost in twelve months;
        they are no losing customers and stand nowhere else.
    known : the costs known, of ``visit_cost``, ``service_cost`` and ``promotion_cost``.
    coverage : share of turnover whose cost of goods is known.
    peak : highest point of the whale curve, over what all leave together; missing where they leave nothing.
    peak_share : share of the accounts at that point.
    spent : accounts that money was spent on in the year before last: account_id, name, invested, margin_since (in the
        twelve months after that year), is_back.
    trade : by class and year (``now``, ``before``): orders, revenue_per_order, cost_per_order, cost_share.
    actions, names : the actions, and the names in them.
    """

    as_of: pd.Timestamp
    accounts: pd.DataFrame
    prospects_cost: float
    known: tuple[str, ...]
    coverage: float
    peak: float
    peak_share: float
    spent: pd.DataFrame
    trade: pd.DataFrame
    actions: pd.DataFrame
    names: actions.Names


def measure(book: Book, accounts_at_most: int = 15) -> ProfitPlan:
    """Look at what the accounts leave.

    Parameters
    ----------
    book : the book as of its day. accounts_at_most : for how many accounts at most terms are gone through.

    Examples
    --------
    >>> measure(book).accounts[["name", "margin", "left"]]  # doctest: +SKIP
    """
    as_of, year = day_of(book), pd.DateOffset(years=1)
    people = portfolio(book)[["account_id", "manager_id", "name", "abc"]]
    now = _span(book, as_of - year, as_of)
    long = _span(book, as_of - pd.DateOffset(years=YEARS), as_of)
    before = _span(book, as_of - year - year, as_of - year)
    buyers = long.index[long["orders"] > 0]
    accounts = _verdicts(people, now[now.index.isin(buyers)], long)
    courted = now.loc[~now.index.isin(buyers), [cost for *_, cost in COSTS]].to_numpy(dtype=float)
    known = tuple(cost for *_, cost in COSTS if cost in now and now[cost].notna().any())
    peak, peak_share = _whale(accounts["left"])
    turnover = now["turnover"].sum()
    bad = accounts[accounts["verdict"] == "terms"].iloc[::-1].head(accounts_at_most)
    rows = actions.gather(_actions(bad, as_of), as_of)
    return ProfitPlan(
        as_of,
        accounts,
        float(np.nansum(courted)),
        known,
        float(now["turnover_known"].sum() / turnover) if turnover else np.nan,
        peak,
        peak_share,
        _spent(book, people, as_of),
        _trade(people, now, before),
        rows,
        actions.names(book, rows),
    )


def _span(book: Book, after: pd.Timestamp, upto: pd.Timestamp) -> pd.DataFrame:
    """By account: orders, revenue, margin and costs in a span of days."""
    lines = book.table("orders", "account_id", "order_id", "order_date", "revenue", "cost")
    lines = lines.filter(lines.order_date > after.date(), lines.order_date <= upto.date())
    has_cost = lines.cost.notnull()
    by = lines.group_by("account_id").aggregate(
        orders=lines.order_id.nunique(where=lines.revenue > 0),
        revenue=lines.revenue.sum(),
        margin=(lines.revenue - lines.cost).sum(where=has_cost),
        turnover=lines.revenue.abs().sum(),
        turnover_known=lines.revenue.abs().sum(where=has_cost),
    )
    found = book.collect(by, ["account_id"]).set_index("account_id")
    for table, day, column, cost in COSTS:
        spent = _cost(book, table, day, column, after, upto)
        found = found.join(spent.rename(cost), how="outer") if spent is not None else found.assign(**{cost: np.nan})
    filled = ["orders", "revenue", "turnover", "turnover_known"]
    found[filled] = found[filled].fillna(0.0)
    return found


def _cost(book: Book, table: str, day: str, column: str, after, upto) -> pd.Series | None:
    if not book.has(table, column):
        return None
    rows = book.table(table, "account_id", day, column)
    rows = rows.filter(rows[day] > after.date(), rows[day] <= upto.date())
    return book.collect(rows.group_by("account_id").aggregate(spent=rows[column].sum())).set_index("account_id")[
        "spent"
    ]


def _left(span: pd.DataFrame) -> pd.Series:
    costs = span[[cost for *_, cost in COSTS]].fillna(0.0).sum(axis=1)
    margin = span["margin"].where(span["turnover"] > 0, 0.0)  # who bought nothing has a margin of nothing
    return margin - costs


def _verdicts(people: pd.DataFrame, now: pd.DataFrame, long: pd.DataFrame) -> pd.DataFrame:
    rows = people.merge(now.assign(left=_left(now)).reset_index(), on="account_id")
    over_years = _left(long).to_dict()
    rows["left_three_years"] = [float(over_years.get(one, np.nan)) for one in rows["account_id"]]
    loses, lost_long = rows["left"] < 0, rows["left_three_years"] <= 0
    rows["verdict"] = np.select([rows["left"].isna(), loses & lost_long, loses], ["", "terms", "exception"], "earns")
    return rows.sort_values(["left", "account_id"], ascending=[False, True], ignore_index=True)


def _whale(left: pd.Series) -> tuple[float, float]:
    """Highest point of the running sum, over the sum of all, and the share of accounts at it."""
    known = left.dropna().sort_values(ascending=False)
    total = known.sum()
    if known.empty or total <= 0:
        return np.nan, np.nan
    running = known.cumsum().to_numpy()
    at = int(running.argmax())
    return float(running[at] / total), (at + 1) / len(known)


def _spent(book: Book, people: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    year = pd.DateOffset(years=1)
    invested = _cost(book, "investments", "spent_on", "amount", as_of - year - year, as_of - year)
    columns = ["account_id", "name", "invested", "margin_since", "is_back"]
    if invested is None:
        return pd.DataFrame(columns=columns)
    margin = _span(book, as_of - year, as_of)["margin"]
    rows = people.merge(invested.rename("invested").reset_index(), on="account_id")
    earned = margin.fillna(0.0).to_dict()
    rows["margin_since"] = [float(earned.get(one, 0.0)) for one in rows["account_id"]]
    rows["is_back"] = rows["margin_since"] >= rows["invested"]
    return rows.sort_values(["invested", "account_id"], ascending=[False, True], ignore_index=True)[columns]


def _trade(people: pd.DataFrame, now: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for year, span in (("now", now), ("before", before)):
        rows = people.merge(span[span["orders"] > 0].reset_index(), on="account_id")
        rows["cost"] = rows[[cost for *_, cost in COSTS]].sum(axis=1, min_count=1)
        by = rows.groupby("abc").agg(orders=("orders", "sum"), revenue=("revenue", "sum"), cost=("cost", _sum))
        parts.append(by.reset_index().assign(year=year))
    both = pd.concat(parts, ignore_index=True)
    orders, revenue = both["orders"].where(both["orders"] > 0), both["revenue"].where(both["revenue"] > 0)
    both["revenue_per_order"], both["cost_per_order"] = both["revenue"] / orders, both["cost"] / orders
    both["cost_share"] = both["cost"] / revenue
    return both[["abc", "year", "orders", "revenue_per_order", "cost_per_order", "cost_share"]]


def _sum(values: pd.Series) -> float:
    return values.sum(min_count=1)


def _actions(bad: pd.DataFrame, as_of: pd.Timestamp) -> list[pd.DataFrame]:
    topic, day = "account_profit", as_of + pd.offsets.BDay(20)
    # A contact in the log would not show that terms were spoken of, so the owner reports it.
    return [
        actions.propose("step", f"{topic}.terms", bad, day, "K026", detail="terms", count=-bad["left"]),
        actions.step(f"{topic}.costs", as_of, 30, "K030", "director"),
        actions.step(f"{topic}.exceptions", as_of, 45, "K027", "director"),
    ]
