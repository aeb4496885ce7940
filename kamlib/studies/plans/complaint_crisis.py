"""Complaints and crises: what is open and how old, who answers, and an exercise on the worst case at hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.periods import months_before
from kamlib.book.store import Book
from kamlib.studies import actions, dues

MONTHS = 12
CRITICAL = 3
FEWEST_CLOSED = 5
CASE_COLUMNS = ["case_id", "account_id", "opened_on", "closed_on", "severity", "category", "owner_id"]


@dataclass(frozen=True, eq=False)
class CrisisPlan:
    """What :func:`measure` found.

    Attributes
    ----------
    as_of : day the book is read as of.
    open_cases : the complaints that are open, the severest and oldest first: case_id, account_id, name, manager_id,
        opened_on, days_open, severity (1 to 4), category, owner_id, revenue (of the account, twelve months); None
        where the book has no cases.
    allowed_days : days within which a complaint is to be answered.
    closed, median_days, late_share : complaints closed in twelve months, the median of days they took, and the share
        that took longer than allowed (missing where none was closed).
    causes : by category, of twelve months: category, cases, severe (of severity 3 or 4), open.
    silent : how many accounts bought in twelve months and raised no complaint, and how many bought: two numbers. An
        account that never complains may be content, or may not know where to.
    scenario : the account the exercise is about: account_id, name, manager_id, revenue, share (of all revenue of
        twelve months), category, contacts (its people on file), executives (of executive level), products (how many
        it bought); empty where nobody bought.
    actions, names : the actions, and the names in them.
    """

    as_of: pd.Timestamp
    open_cases: pd.DataFrame | None
    allowed_days: float
    closed: int
    median_days: float
    late_share: float
    causes: pd.DataFrame
    silent: tuple[int, int]
    scenario: dict
    actions: pd.DataFrame
    names: actions.Names


def measure(book: Book) -> CrisisPlan:
    """Read the complaints of a book, and set the exercise.

    Examples
    --------
    >>> measure(book).scenario["name"]  # doctest: +SKIP
    """
    as_of = pd.Timestamp(book.as_of or book.span()[1]).as_unit("s")
    since = pd.Timestamp(months_before(as_of.date(), MONTHS))
    accounts = _accounts(book, since)
    cases = _cases(book)
    allowed = float(book.settings.value("case_answer_days"))
    still = None if cases is None else _open(cases, accounts, as_of)
    scenario = _scenario(book, accounts, cases, still, since)
    rows = actions.gather(_proposed(still, scenario, book, as_of), as_of)
    return CrisisPlan(
        as_of,
        still,
        allowed,
        *_answered(cases, since, allowed),
        _causes(cases, since),
        _silent(accounts, cases, since),
        scenario,
        rows,
        actions.names(book, rows),
    )


def _accounts(book: Book, since: pd.Timestamp) -> pd.DataFrame:
    """The accounts with revenue and number of products of twelve months, the largest first."""
    frame = book.collect(book.table("accounts", "account_id", "name", "manager_id"), ["account_id"])
    lines = book.table("orders", "account_id", "order_date", "revenue", "product_id")
    recent = lines.filter(lines.order_date >= since.date())
    sums = recent.group_by("account_id").aggregate(revenue=recent.revenue.sum(), products=recent.product_id.nunique())
    frame = frame.merge(book.collect(sums), on="account_id", how="left")
    return frame.sort_values(["revenue", "account_id"], ascending=[False, True], ignore_index=True)


def _cases(book: Book) -> pd.DataFrame | None:
    if "cases" not in book.tables:
        return None
    cases = book.collect(book.table("cases", *CASE_COLUMNS), ["case_id"])
    return cases.assign(severity=pd.to_numeric(cases["severity"]))


def _open(cases: pd.DataFrame, accounts: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    still = cases[cases["closed_on"].isna()].merge(accounts.drop(columns="products"), on="account_id")
    still = still.assign(days_open=(as_of - still["opened_on"]).dt.days, rank=still["severity"].fillna(0))
    order = ["rank", "days_open", "case_id"]
    return still.sort_values(order, ascending=[False, False, True], ignore_index=True).drop(columns="rank")


def _answered(cases: pd.DataFrame | None, since: pd.Timestamp, allowed: float) -> tuple[int, float, float]:
    closed = cases[cases["closed_on"] >= since] if cases is not None else ()
    if not len(closed):
        return 0, np.nan, np.nan
    days = (closed["closed_on"] - closed["opened_on"]).dt.days
    return len(closed), float(days.median()), float((days > allowed).mean())


def _causes(cases: pd.DataFrame | None, since: pd.Timestamp) -> pd.DataFrame:
    if cases is None:
        return pd.DataFrame(columns=["category", "cases", "severe", "open"])
    recent = cases[cases["opened_on"] >= since]
    flags = recent.assign(severe=recent["severity"] >= CRITICAL, open=recent["closed_on"].isna())
    found = flags.groupby(flags["category"].fillna("–")).agg(
        cases=("case_id", "size"), severe=("severe", "sum"), open=("open", "sum")
    )
    return found.rename_axis("category").reset_index().sort_values(["cases", "category"], ascending=[False, True])


def _silent(accounts: pd.DataFrame, cases: pd.DataFrame | None, since: pd.Timestamp) -> tuple[int, int]:
    buyers = accounts.loc[accounts["revenue"] > 0, "account_id"]
    if cases is None:
        return 0, len(buyers)
    spoke = cases.loc[cases["opened_on"] >= since, "account_id"]
    return int((~buyers.isin(spoke)).sum()), len(buyers)


def _scenario(book: Book, accounts: pd.DataFrame, cases, still, since: pd.Timestamp) -> dict:
    """The exercise is about the largest account with a severe open complaint, or else the largest of all."""
    buyers = accounts[accounts["revenue"] > 0]
    if buyers.empty:
        return {}
    severe = still[still["severity"] >= CRITICAL] if still is not None else ()
    near = buyers[buyers["account_id"].isin(severe["account_id"])] if len(severe) else buyers
    chosen = (near if len(near) else buyers)["account_id"].iloc[0]
    row = accounts.set_index("account_id").loc[chosen]
    recent = cases[cases["opened_on"] >= since] if cases is not None else pd.DataFrame(columns=CASE_COLUMNS)
    own = recent.loc[recent["account_id"] == chosen, "category"].dropna()
    usual = own if len(own) else recent["category"].dropna()
    people = book.frame("contacts") if "contacts" in book.tables else None
    mine = people[people["account_id"] == chosen] if people is not None else None
    return {
        "account_id": chosen,
        "name": row["name"],
        "manager_id": row["manager_id"],
        "revenue": float(np.nan_to_num(row["revenue"])),
        "share": float(np.nan_to_num(row["revenue"]) / buyers["revenue"].sum()),
        "category": sorted(usual.mode())[0] if len(usual) else "",
        "contacts": None if mine is None else len(mine),
        "executives": None if mine is None else int((mine["level"] == 4).sum()),
        "products": int(np.nan_to_num(row["products"])),
    }


def _proposed(still: pd.DataFrame | None, scenario: dict, book: Book, as_of: pd.Timestamp) -> list[pd.DataFrame]:
    topic, parts = "complaint_crisis", []
    if still is not None and len(still):
        severe = still[still["severity"] >= CRITICAL].drop_duplicates("account_id")
        facts = {"since": severe["opened_on"], "count": severe["severity"]}
        parts.append(actions.propose("executive", f"{topic}.call", severe, as_of, "K089", "executive", **facts))
        parts.append(actions.from_dues(dues.cases_due(still, book.settings), "K088"))
    if scenario:
        one = pd.DataFrame([scenario])
        day = as_of + pd.Timedelta(days=21)
        parts.append(actions.propose("step", f"{topic}.rehearse", one, day, "K089", "supervisor", detail="rehearse"))
        if scenario["contacts"] is not None and not scenario["executives"]:
            parts.append(actions.propose("person", f"{topic}.reach", one, day, "K089", detail="4"))
    parts += [
        actions.step(f"{topic}.channel", as_of, 14, "K088", "service"),
        actions.step(f"{topic}.raci", as_of, 30, "K089", "director"),
    ]
    return parts
