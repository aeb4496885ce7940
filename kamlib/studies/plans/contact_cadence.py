"""Contact that keeps its rhythm: what is due dealt over working days, whom to ask for a referral, four principles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.periods import months_before
from kamlib.book.store import Book
from kamlib.studies import actions, dues
from kamlib.studies.portfolio import portfolio
from kamlib.studies.silence import silent

MONTHS = 12
PRACTICES = {"contacts": "K077", "complaints": "K077", "contracts": "K081", "logs": "K076", "invitations": "K079"}
PRINCIPLES = ("proactive", "personal", "reciprocal", "own")


@dataclass(frozen=True, eq=False)
class ContactPlan:
    """What :func:`measure` found.

    Attributes
    ----------
    as_of : day the book is read as of.
    contacts : whom to contact, in the order of what is at stake: rows of :mod:`kamlib.studies.dues` with ``stake``;
        accounts that have stopped ordering by the next working day, whatever the rhythm allows.
    principles : one row for each of the four principles: principle (proactive, personal, reciprocal, own), share and
        n; both missing where the book cannot tell.
    askable : accounts whose last answer of twelve months was content and that have referred nobody since, without those
        that have fallen silent or have a complaint open: account_id, manager_id, name, satisfaction, surveyed_on.
    least_satisfaction : from which satisfaction on an account is asked.
    actions, names : the actions, and the names in them.
    """

    as_of: pd.Timestamp
    contacts: pd.DataFrame
    principles: pd.DataFrame
    askable: pd.DataFrame
    least_satisfaction: float
    actions: pd.DataFrame
    names: actions.Names


def measure(book: Book, due: pd.DataFrame, contacts_a_day: int = 6) -> ContactPlan:
    """Plan the contacts of a portfolio.

    Parameters
    ----------
    book : the book as of its day.
    due : rows of :mod:`kamlib.studies.dues` with their ``group``, as the due list gives them.
    contacts_a_day : how many of the overdue contacts a manager can make in a working day.

    Examples
    --------
    >>> measure(book, due_list.measure(book, "2026-Q3").rows).principles  # doctest: +SKIP
    """
    as_of = pd.Timestamp(book.as_of or book.span()[1]).as_unit("s")
    since = pd.Timestamp(months_before(as_of.date(), MONTHS))
    least = float(book.settings.value("referral_satisfaction"))
    answers = _last_answers(book, since)
    askable = _askable(book, answers, least, since)
    askable = askable[~askable["account_id"].isin(_unfit(book, as_of))].reset_index(drop=True)
    if "visits" not in book.tables:  # orders alone tell who has stopped ordering
        due = pd.concat([due, _stopped(book, as_of)], ignore_index=True)
    ranked = by_stake(due, as_of)
    rows = actions.gather([_due(ranked, as_of, contacts_a_day), _ask(askable, as_of)], as_of)
    principles = _principles(book, answers, least, since)
    contacts = ranked[ranked["group"] == "contacts"]
    return ContactPlan(as_of, contacts, principles, askable, least, rows, actions.names(book, rows))


def _stopped(book: Book, as_of: pd.Timestamp) -> pd.DataFrame:
    """The accounts that have stopped ordering by their own habit as what is due."""
    found = silent(book, as_of).merge(portfolio(book)[["account_id", "manager_id", "revenue"]], on="account_id")
    rows = dues.rows("silent", found, as_of + pd.offsets.BDay(1), found["last_order"], count=found["usual_days"])
    return rows.assign(days_overdue=0, group="contacts", revenue=found["revenue"])


def by_stake(due: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """What is due in the order of what is at stake.

    First (``stake`` 0) accounts that have stopped ordering and complaints that are overdue, then (1) what else is
    overdue, then (2) what is ahead by its day; within the first two the account that brings most first. An account
    that has stopped ordering is due by the next working day, whatever its rhythm allows.
    """
    is_late = due["days_overdue"] > 0
    at_stake = (due["kind"] == "silent") | ((due["kind"] == "complaint") & is_late)
    stake = np.select([at_stake, is_late], [0, 1], 2)
    ahead = due["due_on"].where(stake == 2)  # what is overdue is ordered by money and not by its day
    due_on = due["due_on"].mask(at_stake, due["due_on"].clip(upper=as_of + pd.offsets.BDay(1)))
    rows = due.assign(due_on=due_on, stake=stake, ahead=ahead, brings=due["revenue"].fillna(0))
    order = ["stake", "ahead", "brings", "due_on", "account_id", "kind", "detail"]
    rows = rows.sort_values(order, ascending=[True, True, False, True, True, True, True])
    return rows.drop(columns=["ahead", "brings"])


def _due(ranked: pd.DataFrame, as_of: pd.Timestamp, a_day: int) -> pd.DataFrame:
    """What is due as actions in the order of what is at stake, dealt some a day where it is overdue or at stake."""
    is_waiting = (ranked["kind"] != "complaint") | (ranked["days_overdue"] > 0)
    ranked = ranked[ranked["group"].isin(PRACTICES) & is_waiting]
    parts = []
    for group, rows in ranked.groupby("group"):
        role = "supervisor" if group == "logs" else "manager"
        parts.append(actions.from_dues(rows, PRACTICES[group], role))
    if not parts:
        return ranked.head(0)
    made = pd.concat(parts).loc[ranked.index]
    made.loc[ranked["stake"] == 0, "due_on"] = pd.NaT  # at once, whatever the rhythm allows
    is_own = made["role"] == "manager"
    return pd.concat([actions.spread(made[is_own], as_of, a_day), made[~is_own]]).loc[ranked.index]


def _unfit(book: Book, as_of: pd.Timestamp) -> set[str]:
    """Accounts that are not asked for a favour: those that have fallen silent or have a complaint open."""
    found = set(silent(book, as_of)["account_id"])
    if "cases" in book.tables:
        cases = book.frame("cases")
        found |= set(cases.loc[cases["closed_on"].isna(), "account_id"])
    return found


def _ask(askable: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    day = as_of + pd.offsets.BDay(20)  # within the month of the next regular contact
    satisfied = {"since": askable["surveyed_on"], "count": askable["satisfaction"]}
    return actions.propose("reference", "contact_cadence.refer", askable, day, "K080", **satisfied)


def _last_answers(book: Book, since: pd.Timestamp) -> pd.DataFrame | None:
    """The last answer of each account in twelve months; None where nobody is asked."""
    if not book.has("surveys", "satisfaction"):
        return None
    rows = book.frame("surveys").dropna(subset=["satisfaction"])
    rows = rows[rows["surveyed_on"] >= since].sort_values(["surveyed_on", "survey_id"])
    return rows.drop_duplicates("account_id", keep="last")[["account_id", "satisfaction", "surveyed_on"]]


def _askable(book: Book, answers: pd.DataFrame | None, least: float, since: pd.Timestamp) -> pd.DataFrame:
    accounts = book.collect(book.table("accounts", "account_id", "manager_id", "name"), ["account_id"])
    if answers is None:
        return accounts.head(0).assign(satisfaction=np.nan, surveyed_on=pd.NaT)
    content = answers[answers["satisfaction"] >= least]
    if "references" in book.tables:
        made = book.frame("references")
        content = content[~content["account_id"].isin(made.loc[made["referred_on"] >= since, "account_id"])]
    return accounts.merge(content, on="account_id").sort_values(
        ["satisfaction", "account_id"], ascending=[False, True], ignore_index=True
    )


def _principles(book: Book, answers: pd.DataFrame | None, least: float, since: pd.Timestamp) -> pd.DataFrame:
    """What speaks for each principle; a sign of it and not the thing itself."""
    shares = dict.fromkeys(PRINCIPLES, (np.nan, np.nan))
    if "visits" in book.tables:
        rows = book.frame("visits")
        recent = rows[rows["visit_date"] >= since]
        shares["proactive"] = _in_rhythm(rows, since, float(book.settings.value("customer_contact_days")))
        for name, column in (("personal", "contact_id"), ("own", "purpose")):
            if book.has("visits", column):
                shares[name] = (float(recent[column].notna().mean()), len(recent)) if len(recent) else (np.nan, 0)
    if answers is not None:
        happy = float((answers["satisfaction"] >= least).mean()) if len(answers) else np.nan
        shares["reciprocal"] = (happy, len(answers))
    found = pd.DataFrame.from_dict(shares, orient="index", columns=["share", "n"])
    return found.rename_axis("principle").reset_index()


def _in_rhythm(visits: pd.DataFrame, since: pd.Timestamp, allowed: float) -> tuple[float, int]:
    """Share of the contacts of twelve months that came before the time allowed since the last one had run out."""
    rows = visits.sort_values(["account_id", "visit_date"])
    gaps = rows.groupby("account_id")["visit_date"].diff().dt.days[rows["visit_date"] >= since].dropna()
    return (float((gaps <= allowed).mean()), len(gaps)) if len(gaps) else (np.nan, 0)
