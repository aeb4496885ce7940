"""The yearly symposium: when, with whom, about what; who is not content yet; and what became of last year's topics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from kamlib.book.store import Book
from kamlib.studies import actions, shares
from kamlib.studies.portfolio import day_of, last_answers, portfolio

MONTHS = 3
INVITE_DAYS = 45  # six weeks are what a guest needs, and some days to write to them
FEWEST_TOPIC = 5
LEVEL = 0.90
Z = 1.645


@dataclass(frozen=True, eq=False)
class SymposiumPlan:
    """What :func:`measure` found; None or empty where the book lacks the table.

    Attributes
    ----------
    as_of : day the book is read as of.
    held_on : day of the last symposium; NaT where none is on file. next_on : day proposed for the next. a_year : how
        many a year are declared.
    came : share of the key accounts invited last time that came; None where none was held.
    guests : key accounts: account_id, manager_id, name, revenue, came_last, satisfaction (last answer of the year),
        open_cases.
    naive : those who came to past symposia against those who were invited and did not, in the share of the half year
        about the day that was bought after it: when (``after``, ``placebo``: the half year that ends at the day), gap,
        low, high, n_came, n_absent.
    topics : what key accounts complained of: category, cases, before (the year before), rate and rate_before (for 100
        orders), verdict (``fewer``, ``more``, ``same``).
    content : share of key accounts with an answer in twelve months that gave *content_from* or more; None without
        surveys. answered : share of key accounts with an answer. content_from : from which answer on.
    unheard : key accounts below it that nobody contacted since: account_id, manager_id, name, surveyed_on,
        satisfaction.
    actions, names : the actions, and the names in them.
    """

    as_of: pd.Timestamp
    held_on: pd.Timestamp
    next_on: pd.Timestamp
    a_year: float
    came: shares.Share | None
    guests: pd.DataFrame
    naive: pd.DataFrame
    topics: pd.DataFrame | None
    content: shares.Share | None
    answered: shares.Share | None
    content_from: int
    unheard: pd.DataFrame
    actions: pd.DataFrame
    names: actions.Names


def measure(book: Book, content_from: int = 8, guests_at_most: int = 50, keys=None) -> SymposiumPlan:
    """Plan the next symposium.

    Parameters
    ----------
    book : the book as of its day.
    content_from : from which answer (0 to 10) an account counts as content. guests_at_most : how many are invited.
    keys : identifiers of the key accounts, as :func:`kamlib.studies.portfolio.key_accounts` names them; class A where
        none are given.

    Examples
    --------
    >>> measure(book).next_on  # doctest: +SKIP
    """
    as_of = day_of(book)
    accounts = portfolio(book)
    if keys is not None:
        accounts["is_key"] = accounts["account_id"].isin(keys)
    keys = accounts[accounts["is_key"]][["account_id", "manager_id", "name", "revenue"]]
    events = book.frame("events") if book.has("events") else None
    past = pd.DataFrame() if events is None else events[events["kind"] == "symposium"]
    held_on = past["event_date"].max() if len(past) else pd.NaT
    a_year = float(book.settings.value("symposia_a_year"))
    cases = book.frame("cases") if book.has("cases") else None
    answers = last_answers(book, as_of)
    guests = _guests(keys, past, held_on, answers, cases).head(guests_at_most)
    unheard = _unheard(book, keys, answers, content_from)
    next_on = _next(held_on, as_of, a_year)
    last = past[past["event_date"] == held_on] if len(past) else past
    invited = last[last["account_id"].isin(keys["account_id"])] if len(last) else last
    asked = None if answers is None else keys.merge(answers, on="account_id")
    rows = actions.gather(_actions(guests, unheard, as_of, next_on), as_of)
    return SymposiumPlan(
        as_of,
        held_on,
        next_on,
        a_year,
        shares.share(invited["has_attended"]) if len(invited) else None,
        guests,
        _naive(book, past, as_of),
        None if cases is None else _topics(book, cases, keys, as_of),
        None if asked is None else shares.share(asked["satisfaction"] >= content_from),
        None if answers is None else shares.share(keys["account_id"].isin(answers["account_id"])),
        content_from,
        unheard,
        rows,
        actions.names(book, rows),
    )


def _next(held_on: pd.Timestamp, as_of: pd.Timestamp, a_year: float) -> pd.Timestamp:
    """A year (or its part) after the last, and never sooner than it can be prepared."""
    soonest = as_of + pd.Timedelta(days=INVITE_DAYS)
    wanted = soonest if pd.isna(held_on) else held_on + pd.Timedelta(days=round(365 / a_year))
    return pd.offsets.BDay().rollforward(max(wanted, soonest)).as_unit("s")


def _guests(keys: pd.DataFrame, past: pd.DataFrame, held_on, answers, cases) -> pd.DataFrame:
    came = past[(past["event_date"] == held_on)].set_index("account_id")["has_attended"].to_dict() if len(past) else {}
    said = {} if answers is None else answers.set_index("account_id")["satisfaction"].to_dict()
    is_open = {} if cases is None else cases[cases["closed_on"].isna()].groupby("account_id").size().to_dict()
    return keys.assign(
        came_last=[came.get(one) for one in keys["account_id"]],
        satisfaction=keys["account_id"].map(said).astype(float),
        open_cases=[is_open.get(one, np.nan if cases is None else 0) for one in keys["account_id"]],
    ).reset_index(drop=True)


def _naive(book: Book, past: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    columns = ["when", "gap", "low", "high", "n_came", "n_absent"]
    over = past[past["event_date"] + pd.DateOffset(months=MONTHS) <= as_of] if len(past) else past
    if over.empty:
        return pd.DataFrame(columns=columns)
    over = over.dropna(subset=["has_attended"])[["account_id", "event_date", "has_attended"]].reset_index(names="row")
    lines = book.table("orders", "account_id", "order_date", "revenue")
    lines = lines.filter(lines.account_id.isin(over["account_id"].unique().tolist()))
    by = lines.group_by("account_id", "order_date").aggregate(revenue=lines.revenue.sum())
    days = book.collect(by).merge(over, on="account_id")
    rows = [(when, *_gap(days, over, shift)) for when, shift in (("after", 0), ("placebo", -MONTHS))]
    return pd.DataFrame(rows, columns=columns)


def _gap(days: pd.DataFrame, over: pd.DataFrame, shift: int) -> tuple:
    """Mean share of six months' purchases that fell into the last three, came less absent, with its interval."""
    day = days["event_date"] + pd.DateOffset(months=shift)
    span = pd.DateOffset(months=MONTHS)
    inside = days[(days["order_date"] > day - span) & (days["order_date"] <= day + span)]
    is_after = inside["order_date"] > day.reindex(inside.index)
    sums = inside.assign(after=inside["revenue"].where(is_after, 0.0)).groupby("row")[["revenue", "after"]].sum()
    known = over.set_index("row").join(sums[sums["revenue"] > 0], how="inner")
    part = (known["after"] / known["revenue"]).clip(0, 1)
    came = known["has_attended"].astype(bool)
    one, other = part[came], part[~came]
    if len(one) < 2 or len(other) < 2:
        return np.nan, np.nan, np.nan, len(one), len(other)
    gap, error = one.mean() - other.mean(), np.sqrt(one.var() / len(one) + other.var() / len(other))
    return gap, gap - Z * error, gap + Z * error, len(one), len(other)


def _topics(book: Book, cases: pd.DataFrame, keys: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    columns = ["category", "cases", "before", "rate", "rate_before", "verdict"]
    if "category" not in cases:
        return pd.DataFrame(columns=columns)
    year = pd.DateOffset(years=1)
    now, before = _orders(book, keys, as_of - year, as_of), _orders(book, keys, as_of - year - year, as_of - year)
    mine = cases[cases["account_id"].isin(keys["account_id"])].dropna(subset=["category"])
    is_now = mine["opened_on"] > as_of - year
    is_before = (mine["opened_on"] > as_of - year - year) & ~is_now
    counts = pd.DataFrame({"cases": mine[is_now].groupby("category").size()})
    counts = counts.join(mine[is_before].groupby("category").size().rename("before"), how="outer").fillna(0).astype(int)
    rows = counts.rename_axis("category").reset_index()
    rows["rate"] = 100 * rows["cases"] / now if now else np.nan
    rows["rate_before"] = 100 * rows["before"] / before if before else np.nan
    rows["verdict"] = [_changed(c, b, now, before) for c, b in rows[["cases", "before"]].to_numpy()]
    return rows.sort_values(["cases", "category"], ascending=[False, True], ignore_index=True)[columns]


def _orders(book: Book, keys: pd.DataFrame, after: pd.Timestamp, upto: pd.Timestamp) -> int:
    lines = book.table("orders", "account_id", "order_id", "order_date")
    lines = lines.filter(lines.account_id.isin(keys["account_id"].tolist()))
    lines = lines.filter(lines.order_date > after.date(), lines.order_date <= upto.date())
    return int(lines.order_id.nunique().to_pyarrow().as_py())


def _changed(cases: int, before: int, now: int, then: int) -> str:
    """Whether complaints for an order changed, by the conditional test of two Poisson rates."""
    if cases + before < FEWEST_TOPIC or not now or not then:
        return "few"
    test = binomtest(int(cases), int(cases + before), now / (now + then))
    if test.pvalue > 1 - LEVEL:
        return "same"
    return "more" if cases / now > before / then else "fewer"


def _unheard(book: Book, keys: pd.DataFrame, answers, content_from: int) -> pd.DataFrame:
    people = keys[["account_id", "manager_id", "name"]]
    if answers is None:
        return people.head(0).assign(surveyed_on=pd.NaT, satisfaction=np.nan)
    low = people.merge(answers[answers["satisfaction"] < content_from], on="account_id")
    if book.has("visits"):
        last = book.frame("visits").groupby("account_id")["visit_date"].max()
        low = low[~(low["account_id"].map(last) > low["surveyed_on"])]
    return low.sort_values(["satisfaction", "account_id"], ignore_index=True)


def _actions(guests: pd.DataFrame, unheard: pd.DataFrame, as_of, next_on) -> list[pd.DataFrame]:
    topic, days = "annual_symposium", (next_on - as_of).days
    heard = {"since": unheard["surveyed_on"], "count": unheard["satisfaction"]}
    return [
        actions.propose("contact", f"{topic}.close", unheard, as_of + pd.offsets.BDay(5), "K060", **heard),
        actions.step(f"{topic}.agenda", as_of, days - 60, "K106", "director"),
        actions.step(f"{topic}.invite", as_of, days - INVITE_DAYS, "K106", "marketing"),
        actions.propose("event", f"{topic}.guest", guests, next_on, "K106", detail="symposium", since=next_on),
        actions.step(f"{topic}.minutes", as_of, days + 7, "K106", "director"),
        actions.step(f"{topic}.answer", as_of, days + 90, "K109", "director"),
    ]
