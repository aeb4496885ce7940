"""References and what radiates from them: yield, whom to ask, benchmarks by trade, word of mouth, and the club."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.studies import actions, shares
from kamlib.studies.diffusion import Diffusion, diffuse
from kamlib.studies.portfolio import day_of, last_answers, portfolio
from kamlib.studies.silence import silent

ACTIVE_DAYS = 120
BENEFITS = ("club", "training", "trial", "symposium")
PROSPECTS = ("lead", "opportunity")
SEVERE = 3


@dataclass(frozen=True, eq=False)
class ReferencePlan:
    """What :func:`measure` found; None or empty where the book lacks the table.

    Attributes
    ----------
    as_of : day the book is read as of.
    brought : one row per reference: account_id, name (who referred), referred_account_id, referred_name, referred_on,
        revenue (of the referred in twelve months), has_bought.
    referred_active, other_active : of accounts with a first order since the first reference, the share that ordered in
        the last 120 days: referred ones and the others; None without references.
    benchmarks : by industry: industry, customers, prospects, references, account_id, name and satisfaction of the
        benchmark: the largest key account that gave *least* or more and has no severe complaint open (missing without
        one).
    askable : content accounts that have referred nobody in twelve months, still order and have no complaint open:
        account_id, manager_id, name, industry, satisfaction, surveyed_on, prospects (in its industry). least : from
        which satisfaction on.
    has_surveys : whether the book has answers to surveys.
    word : see :mod:`kamlib.studies.diffusion`.
    club : key accounts asked to each benefit in two years: benefit, asked, n, share, share_low, share_high.
    actions, names : the actions, and the names in them.
    """

    as_of: pd.Timestamp
    brought: pd.DataFrame | None
    referred_active: shares.Share | None
    other_active: shares.Share | None
    benchmarks: pd.DataFrame
    askable: pd.DataFrame
    least: float
    has_surveys: bool
    word: Diffusion | None
    club: pd.DataFrame | None
    actions: pd.DataFrame
    names: actions.Names


def measure(book: Book, asked_at_most: int = 15, keys=None) -> ReferencePlan:
    """Plan references.

    Parameters
    ----------
    book : the book as of its day.
    asked_at_most : how many accounts at most are asked for a reference.
    keys : identifiers of the key accounts, as :func:`kamlib.studies.portfolio.key_accounts` names them; class A where
        none are given.

    Examples
    --------
    >>> measure(book).benchmarks[["industry", "name", "prospects"]]  # doctest: +SKIP
    """
    as_of = day_of(book)
    accounts = portfolio(book)
    if keys is not None:
        accounts["is_key"] = accounts["account_id"].isin(keys)
    least = float(book.settings.value("referral_satisfaction"))
    made = book.frame("references") if book.has("references") else None
    answers = last_answers(book, as_of)
    content = _content(book, accounts, answers, least)
    askable = _askable(book, accounts, content, made, as_of)
    referred, other = _active(accounts, made)
    club = _club(book, accounts, as_of)
    rows = actions.gather(_actions(askable.head(asked_at_most), club, made, answers, as_of), as_of)
    return ReferencePlan(
        as_of,
        _brought(accounts, made),
        referred,
        other,
        _benchmarks(accounts, content, made),
        askable,
        least,
        answers is not None,
        diffuse(book, accounts),
        club,
        rows,
        actions.names(book, rows),
    )


def _content(book: Book, accounts: pd.DataFrame, answers, least: float) -> pd.DataFrame:
    """Accounts whose last answer was content and that have no severe complaint open."""
    if answers is None:
        return accounts.head(0).assign(satisfaction=np.nan, surveyed_on=pd.NaT)
    good = accounts.merge(answers[answers["satisfaction"] >= least], on="account_id")
    if book.has("cases", "severity"):
        cases = book.frame("cases")
        severe = cases[cases["closed_on"].isna() & (cases["severity"] >= SEVERE)]
        good = good[~good["account_id"].isin(severe["account_id"])]
    return good


def _prospects(accounts: pd.DataFrame) -> pd.Series:
    return accounts[accounts["lifecycle"].isin(PROSPECTS)].groupby("industry").size()


def _askable(book: Book, accounts: pd.DataFrame, content: pd.DataFrame, made, as_of: pd.Timestamp) -> pd.DataFrame:
    """Content accounts that still order and wait for no answer: nobody else is asked for a favour."""
    rows = content[~content["account_id"].isin(silent(book, as_of)["account_id"])]
    if "cases" in book.tables:
        cases = book.frame("cases")
        rows = rows[~rows["account_id"].isin(cases.loc[cases["closed_on"].isna(), "account_id"])]
    if made is not None:
        recent = made[made["referred_on"] > as_of - pd.DateOffset(years=1)]
        rows = rows[~rows["account_id"].isin(recent["account_id"])]
    rows = rows.assign(prospects=rows["industry"].map(_prospects(accounts)).fillna(0).astype(int))
    columns = ["account_id", "manager_id", "name", "industry", "satisfaction", "surveyed_on", "prospects"]
    order = ["is_key", "prospects", "satisfaction", "account_id"]
    return rows.sort_values(order, ascending=[False, False, False, True], ignore_index=True)[columns]


def _brought(accounts: pd.DataFrame, made) -> pd.DataFrame | None:
    if made is None:
        return None
    by = accounts.set_index("account_id")
    rows = made.assign(
        name=made["account_id"].map(by["name"]),
        referred_name=made["referred_account_id"].map(by["name"]),
        revenue=made["referred_account_id"].map(by["revenue"]),
        has_bought=made["referred_account_id"].map(by["first_order"]).notna(),
    )
    return rows.sort_values(["revenue", "referred_account_id"], ascending=[False, True], ignore_index=True)


def _active(accounts: pd.DataFrame, made) -> tuple[shares.Share | None, shares.Share | None]:
    if made is None:
        return None, None
    new = accounts[accounts["first_order"] >= made["referred_on"].min() - pd.Timedelta(days=31)]
    is_referred = new["account_id"].isin(made["referred_account_id"])
    active = new["recency_days"] <= ACTIVE_DAYS
    return shares.share(active[is_referred]), shares.share(active[~is_referred])


def _benchmarks(accounts: pd.DataFrame, content: pd.DataFrame, made) -> pd.DataFrame:
    columns = ["industry", "customers", "prospects", "references", "account_id", "name", "satisfaction"]
    known = accounts.dropna(subset=["industry"])
    if known.empty:
        return pd.DataFrame(columns=columns)
    rows = known[known["revenue"] > 0].groupby("industry").size().rename("customers").to_frame()
    rows = rows.join(_prospects(accounts).rename("prospects"), how="outer").fillna(0).astype(int)
    referrers = known["account_id"].isin(made["account_id"]) if made is not None else pd.Series(False, known.index)
    rows["references"] = known[referrers].groupby("industry").size().reindex(rows.index, fill_value=0)
    best = content[content["is_key"]].drop_duplicates("industry").set_index("industry")
    rows = rows.join(best[["account_id", "name", "satisfaction"]])
    order = ["prospects", "customers"]
    return rows.rename_axis("industry").reset_index().sort_values(order, ascending=False, ignore_index=True)[columns]


def _club(book: Book, accounts: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame | None:
    if not book.has("events"):
        return None
    rows = book.frame("events")
    recent = rows[(rows["event_date"] > as_of - pd.DateOffset(years=2)) & rows["kind"].isin(BENEFITS)]
    recent = recent[recent["account_id"].isin(accounts.loc[accounts["is_key"], "account_id"])]
    found = shares.by_group(recent, "kind", "has_attended").rename(columns={"kind": "benefit"})
    asked = recent.groupby("kind")["account_id"].nunique()
    return found.assign(asked=found["benefit"].map(asked)).sort_values("share", ascending=False, ignore_index=True)


def _actions(askable: pd.DataFrame, club, made, answers, as_of: pd.Timestamp) -> list[pd.DataFrame]:
    topic, day = "reference_accounts", as_of + pd.offsets.BDay(20)
    said = {"since": askable["surveyed_on"], "count": askable["satisfaction"]}
    parts = [
        actions.propose("reference", f"{topic}.ask", askable, day, "K080", **said),
        actions.step(f"{topic}.story", as_of, 60, "K107", "marketing"),
        # Nobody can be thanked, or asked for a favour, of whom nothing is written down: that comes first.
        actions.step(f"{topic}.{'begin' if made is None else 'thank'}", as_of, 30, "K107", "director"),
    ]
    if answers is None:
        parts.append(actions.step(f"{topic}.hear", as_of, 30, "K080", "director"))
    if club is not None and len(club):
        parts.append(actions.step(f"{topic}.club", as_of, 45, "K108", "marketing"))
    return parts
