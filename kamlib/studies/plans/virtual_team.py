"""The team behind a key account: one owner, time not mixed, who has solved such a thing before, the customer's way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.studies import actions, service, shares
from kamlib.studies.portfolio import day_of, manager_names, portfolio

FEWEST_CASES = 3
MIXED = (0.1, 0.9)
Z = 1.645  # 90 %
JOURNEY = ["phase", "what", "key", "other", "gap_low", "gap_high", "n_key", "n_other"]


@dataclass(frozen=True, eq=False)
class TeamPlan:
    """What :func:`measure` found; frames are None where the book lacks the table. Spans are the last twelve months.

    Attributes
    ----------
    as_of : day the book is read as of.
    owners : one row per key account: account_id, manager_id, name, owners (assignments in force), changes (in two
        years), people (of ours who contacted it), owner_share (of its contacts that its owner made). Counts are missing
        without the table that tells.
    one_owner : share of key accounts with exactly one owner.
    hours : by manager: manager_id, name, hours, key_share (of hours), key_accounts, small_accounts (class C), is_mixed
        (between a tenth and nine tenths of the hours go to key accounts).
    solvers : by kind of complaint: category, cases (of key accounts), open_cases, median_days, solver (who closed it
        quickest at the median, of those who closed three or more), solved (how many), solver_days.
    journey : what key and other accounts meet: phase (before, during, after), what, key, other, gap_low and
        gap_high (ends of the 90 % interval of key less other), n_key, n_other.
    late_cases : open complaints of key accounts beyond the time allowed: account_id, manager_id, name, case_id,
        opened_on, category, solver.
    allowed_days : that time.
    minded : share of the key accounts asked whose last answer gave their manager the score that the book declares as
        content; None without such answers. least_score : that score.
    actions, names : the actions, and the names in them.
    """

    as_of: pd.Timestamp
    owners: pd.DataFrame
    one_owner: shares.Share
    hours: pd.DataFrame | None
    solvers: pd.DataFrame | None
    journey: pd.DataFrame
    late_cases: pd.DataFrame
    allowed_days: int
    minded: shares.Share | None
    least_score: float
    actions: pd.DataFrame
    names: actions.Names


def measure(book: Book, keys=None) -> TeamPlan:
    """Look at the teams behind the key accounts.

    Examples
    --------
    >>> measure(book).solvers[["category", "solver"]]  # doctest: +SKIP
    """
    as_of = day_of(book)
    accounts = portfolio(book)
    if keys is not None:
        accounts["is_key"] = accounts["account_id"].isin(keys)
    keys = accounts[accounts["is_key"]][["account_id", "manager_id", "name"]]
    since = as_of - pd.DateOffset(years=1)
    visits = _recent(book, "visits", "visit_date", since)
    cases = _cases(book, as_of)
    owners = _owners(book, keys, visits, as_of)
    solvers = None if cases is None else _solvers(book, cases, keys, since)
    allowed = int(book.settings.value("case_answer_days"))
    late = _late(book, cases, keys, as_of, allowed)
    rows = actions.gather(_actions(owners, late, as_of), as_of)
    known = owners["owners"].dropna()
    return TeamPlan(
        as_of,
        owners,
        shares.share(known == 1) if len(known) else shares.of(0, 0),
        _hours(book, accounts, visits),
        solvers,
        _journey(book, accounts, cases, since),
        late,
        allowed,
        _minded(book, keys, since),
        float(book.settings.value("referral_satisfaction")),
        rows,
        actions.names(book, rows),
    )


def _recent(book: Book, table: str, day: str, since: pd.Timestamp) -> pd.DataFrame | None:
    if not book.has(table, day):
        return None
    rows = book.frame(table)
    return rows[rows[day] > since]


def _owners(book: Book, keys: pd.DataFrame, visits: pd.DataFrame | None, as_of: pd.Timestamp) -> pd.DataFrame:
    rows = keys.assign(
        owners=keys["manager_id"].notna().astype(float), changes=np.nan, people=np.nan, owner_share=np.nan
    )
    if book.has("assignments"):
        held = book.frame("assignments")
        now = held[held["to_date"].isna() | (held["to_date"] >= as_of)].groupby("account_id")["manager_id"].nunique()
        moved = held[held["from_date"] > as_of - pd.DateOffset(years=2)]
        first = held.groupby("account_id")["from_date"].transform("min")
        changes = moved[moved["from_date"] > first.reindex(moved.index)].groupby("account_id").size()
        rows["owners"] = rows["account_id"].map(now).fillna(0.0)
        rows["changes"] = rows["account_id"].map(changes).fillna(0.0)
    elif not book.has("accounts", "manager_id"):
        rows["owners"] = np.nan
    if visits is not None and "manager_id" in visits:
        met = visits.dropna(subset=["manager_id"]).merge(keys.rename(columns={"manager_id": "owner"}), on="account_id")
        by = met.assign(own=met["manager_id"] == met["owner"]).groupby("account_id")
        rows["people"] = rows["account_id"].map(by["manager_id"].nunique())
        rows["owner_share"] = rows["account_id"].map(by["own"].mean())
    return rows.sort_values(["owners", "owner_share"], na_position="last", kind="stable", ignore_index=True)


def _hours(book: Book, accounts: pd.DataFrame, visits: pd.DataFrame | None) -> pd.DataFrame | None:
    if visits is None or not book.has("visits", "hours", "manager_id"):
        return None
    known = visits.dropna(subset=["hours", "manager_id"]).merge(accounts[["account_id", "is_key"]], on="account_id")
    key = known["hours"].where(known["is_key"], 0.0)
    by = known.assign(key=key).groupby("manager_id")[["hours", "key"]].sum().reset_index()
    is_small = accounts["abc"].eq("C") & ~accounts["is_key"]
    counts = {
        name: accounts[rows].groupby("manager_id").size()
        for name, rows in (("key", accounts["is_key"]), ("small", is_small))
    }
    by["key_share"] = by["key"] / by["hours"]
    by["key_accounts"] = by["manager_id"].map(counts["key"]).fillna(0).astype(int)
    by["small_accounts"] = by["manager_id"].map(counts["small"]).fillna(0).astype(int)
    by["is_mixed"] = by["key_share"].between(*MIXED)
    by["name"] = by["manager_id"].map(manager_names(book)).fillna(by["manager_id"])
    return by.drop(columns="key").sort_values(["key_share", "manager_id"], ascending=[False, True], ignore_index=True)


def _minded(book: Book, keys: pd.DataFrame, since: pd.Timestamp) -> shares.Share | None:
    asked = _recent(book, "surveys", "surveyed_on", since)
    if asked is None or "manager_score" not in asked:
        return None
    mine = asked[asked["account_id"].isin(keys["account_id"])].dropna(subset=["manager_score"])
    last = mine.sort_values(["surveyed_on", "survey_id"]).drop_duplicates("account_id", keep="last")
    return shares.share(last["manager_score"] >= float(book.settings.value("referral_satisfaction")))


def _cases(book: Book, as_of: pd.Timestamp) -> pd.DataFrame | None:
    if not book.has("cases"):
        return None
    rows = book.frame("cases").reindex(
        columns=["case_id", "account_id", "opened_on", "closed_on", "severity", "category", "owner_id"]
    )
    return rows.assign(days=(rows["closed_on"] - rows["opened_on"]).dt.days, is_open=rows["closed_on"].isna())


def _solvers(book: Book, cases: pd.DataFrame, keys: pd.DataFrame, since: pd.Timestamp) -> pd.DataFrame:
    named = cases.dropna(subset=["category"])
    best = _best(cases)
    mine = named[named["account_id"].isin(keys["account_id"]) & (named["opened_on"] > since)]
    by = mine.groupby("category").agg(
        cases=("case_id", "size"), open_cases=("is_open", "sum"), median_days=("days", "median")
    )
    rows = by.reset_index().assign(
        solver=by.index.map(best["owner_id"]),
        solved=by.index.map(best["size"]),
        solver_days=by.index.map(best["median"]),
    )
    names = manager_names(book)
    rows["solver"] = [names.get(one, one) for one in rows["solver"]]
    return rows.sort_values(["cases", "category"], ascending=[False, True], ignore_index=True)


def _best(cases: pd.DataFrame) -> pd.DataFrame:
    """Who settled each kind of complaint quickest at the median, of those who settled three or more: by category."""
    known = cases.dropna(subset=["category", "days", "owner_id"])
    able = known.groupby(["category", "owner_id"])["days"].agg(["size", "median"]).reset_index()
    able = able[able["size"] >= FEWEST_CASES]
    return able.sort_values(["category", "median", "owner_id"]).drop_duplicates("category").set_index("category")


def _late(book: Book, cases, keys: pd.DataFrame, as_of: pd.Timestamp, allowed: int) -> pd.DataFrame:
    if cases is None:
        return keys.head(0).assign(case_id="", opened_on=pd.NaT, category="", solver="")
    late = cases[cases["is_open"] & ((as_of - cases["opened_on"]).dt.days > allowed)]
    who, names = _best(cases)["owner_id"], manager_names(book)
    rows = keys.merge(late[["account_id", "case_id", "opened_on", "category"]], on="account_id")
    rows["solver"] = [names.get(who.get(kind), who.get(kind)) for kind in rows["category"]]
    return rows.sort_values(["opened_on", "case_id"], ignore_index=True)


def _journey(book: Book, accounts: pd.DataFrame, cases, since: pd.Timestamp) -> pd.DataFrame:
    """Before, during and after a purchase, for key and for other accounts."""
    is_key = accounts.set_index("account_id")["is_key"]
    rows = []

    def add(phase: str, what: str, frame: pd.DataFrame, column: str) -> None:
        known = frame[["account_id", column]].dropna()
        flag = known["account_id"].map(is_key).astype("boolean").fillna(False)
        values = known[column].astype(float)
        key, other = values[flag], values[~flag]
        error = np.sqrt(key.var() / len(key) + other.var() / len(other)) if len(key) and len(other) else np.nan
        gap = key.mean() - other.mean()
        ends = (gap - Z * error, gap + Z * error)
        rows.append((phase, what, key.mean(), other.mean(), *ends, len(key), len(other)))

    if (deals := _recent(book, "opportunities", "closed_on", since)) is not None:
        deals = deals.dropna(subset=["closed_on"])
        add("before", "days", deals.assign(days=(deals["closed_on"] - deals["opened_on"]).dt.days), "days")
        add("before", "won", deals.assign(won=deals["stage"] == "won"), "won")
    lines = service.delivered_lines(book, since)
    if lines is not None:
        add("during", "on_time", lines, "is_on_time")
        add("during", "in_full", lines, "is_in_full")
    if cases is not None:
        recent = cases[cases["opened_on"] > since]
        add("after", "settled", recent, "days")
        counts = recent.groupby("account_id").size()
        per = accounts.assign(cases=accounts["account_id"].map(counts).fillna(0.0))
        add("after", "cases", per[per["orders"] > 0], "cases")
    if (asked := _recent(book, "surveys", "surveyed_on", since)) is not None and "satisfaction" in asked:
        add("after", "satisfaction", asked, "satisfaction")
    return pd.DataFrame(rows, columns=JOURNEY)


def _actions(owners: pd.DataFrame, late: pd.DataFrame, as_of: pd.Timestamp) -> list[pd.DataFrame]:
    topic, soon = "virtual_team", as_of + pd.offsets.BDay(5)
    unowned, doubled = owners[owners["owners"] == 0], owners[owners["owners"] > 1]
    helped = {"since": late["opened_on"], "detail": late["case_id"], "count": np.nan}
    return [
        actions.propose("handover", f"{topic}.own", unowned, soon, "K061", "supervisor"),
        actions.propose("handover", f"{topic}.settle", doubled, soon, "K061", "supervisor", count=doubled["owners"]),
        actions.propose("complaint", f"{topic}.help", late, soon, "K065", "service", **helped),
        actions.step(f"{topic}.charter", as_of, 30, "K062", "director"),
        actions.step(f"{topic}.head", as_of, 30, "K063", "executive"),
        actions.step(f"{topic}.raci", as_of, 20, "K072", "director"),
        actions.step(f"{topic}.train", as_of, 60, "K073", "director"),
        actions.step(f"{topic}.walk", as_of, 45, "K074", "service"),
    ]
