"""The review of account managers: what customers say of each, how each step of the work is kept, never a ranking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from kamlib.book.periods import months_before
from kamlib.book.store import Book
from kamlib.studies import actions
from kamlib.studies.cadence import keep_rhythm
from kamlib.studies.portfolio import with_managers

MONTHS, LEVEL = 12, 0.9
FEWEST_ANSWERS, FEWEST_MANAGERS = 20, 3
ASK_SHARE = 0.5
CHANNELS = ("visit", "call", "video", "email", "event")


@dataclass(frozen=True, eq=False)
class ManagerReview:
    """What :func:`measure` found.

    Attributes
    ----------
    as_of : day the book is read as of.
    managers : one row each, by identifier and in no other order: manager_id, manager (the name), accounts, answers
        (accounts that scored the manager in twelve months), answered_share, score (mean, 0 to 10), drawn (towards the
        mean of all), low and high (90 % interval of it), differs (``above``, ``below`` or empty), overdue_share
        (accounts out of rhythm), logged_late_share, late_cases (complaints open too long).
        Missing where the book cannot tell.
    mean, answers : mean score and number of answers of all.
    can_compare : whether there are answers and managers enough to compare at all.
    actions, names : the actions, and the names in them.
    """

    as_of: pd.Timestamp
    managers: pd.DataFrame
    mean: float
    answers: int
    can_compare: bool
    actions: pd.DataFrame
    names: actions.Names


def measure(book: Book) -> ManagerReview:
    """Gather what the book says of each manager.

    Examples
    --------
    >>> measure(book).managers.head()  # doctest: +SKIP
    """
    as_of = pd.Timestamp(book.as_of or book.span()[1]).as_unit("s")
    accounts = book.collect(book.table("accounts", "account_id", "manager_id"), ["account_id"]).dropna()
    scores = _scores(book, accounts, pd.Timestamp(months_before(as_of.date(), MONTHS)))
    frame = accounts.groupby("manager_id").size().rename("accounts").reset_index()
    frame = frame.merge(draw_together(scores), on="manager_id", how="left")
    frame["answers"] = frame["answers"].fillna(0).astype("int64")
    frame["answered_share"] = frame["answers"] / frame["accounts"]
    frame = _process(book, frame, accounts, as_of)
    can_compare = len(scores) >= FEWEST_ANSWERS and (frame["answers"] > 1).sum() >= FEWEST_MANAGERS
    frame["differs"] = frame["differs"].fillna("") if can_compare else ""
    rows = actions.gather(_proposed(frame, accounts, scores, as_of), as_of)
    names = actions.names(book, rows)
    frame = with_managers(frame, names.managers)
    mean = float(scores["manager_score"].mean()) if len(scores) else np.nan
    return ManagerReview(as_of, frame, mean, len(scores), bool(can_compare), rows, names)


def draw_together(scores: pd.DataFrame) -> pd.DataFrame:
    """Each manager's mean score, drawn towards the mean of all as far as few answers can be luck.

    Empirical Bayes for normal means (Efron & Morris 1975): the spread between managers is what their means vary by
    beyond the variance within; without such spread all are drawn to the one mean.

    Parameters
    ----------
    scores : manager_id and manager_score, one row for each answer.

    Returns
    -------
    manager_id, answers, score, drawn, low, high, differs (``above`` or ``below`` where the interval leaves out the
    mean of all).
    """
    columns = ["manager_id", "answers", "score", "drawn", "low", "high", "differs"]
    if len(scores) < 2:
        return pd.DataFrame(columns=columns).astype({"manager_id": "str", "answers": "float64"})
    found = scores.groupby("manager_id")["manager_score"].agg(answers="size", score="mean").reset_index()
    centre, freedom = scores["manager_score"].mean(), max(len(scores) - len(found), 1)
    residual = scores["manager_score"] - scores["manager_id"].map(found.set_index("manager_id")["score"])
    noise = float((residual**2).sum() / freedom) / found["answers"]
    spread = max(float(found["score"].var(ddof=1) - noise.mean()), 0.0) if len(found) > 1 else 0.0
    weight = spread / (spread + noise) if spread > 0 else noise * 0
    reach = norm.ppf((1 + LEVEL) / 2) * np.sqrt(weight * noise)
    drawn = weight * found["score"] + (1 - weight) * centre
    differs = np.select([drawn - reach > centre + 1e-9, drawn + reach < centre - 1e-9], ["above", "below"], "")
    return found.assign(drawn=drawn, low=drawn - reach, high=drawn + reach, differs=differs)[columns]


def _scores(book: Book, accounts: pd.DataFrame, since: pd.Timestamp) -> pd.DataFrame:
    """The last answer of each account in twelve months, with the manager it has today."""
    if not book.has("surveys", "manager_score"):
        return pd.DataFrame({"account_id": [], "manager_id": [], "manager_score": pd.Series(dtype="float64")})
    rows = book.frame("surveys").dropna(subset=["manager_score"])
    rows = rows[rows["surveyed_on"] >= since].sort_values(["surveyed_on", "survey_id"])
    last = rows.drop_duplicates("account_id", keep="last")
    return last[["account_id", "manager_score"]].merge(accounts, on="account_id")


def _process(book: Book, frame: pd.DataFrame, accounts: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """How each step of the work is kept: contact, log, complaints."""
    rhythm = keep_rhythm(book, as_of, CHANNELS)
    columns = ["manager_id", "overdue_share", "logged_late_share"]
    if rhythm is not None and len(rhythm.managers):
        frame = frame.merge(rhythm.managers[columns], on="manager_id", how="left")
    else:
        frame = frame.assign(overdue_share=np.nan, logged_late_share=np.nan)
    if "cases" not in book.tables:
        return frame.assign(late_cases=np.nan)
    cases = book.frame("cases")
    allowed = pd.Timedelta(days=book.settings.value("case_answer_days"))
    late = cases[cases["closed_on"].isna() & (cases["opened_on"] < as_of - allowed)].merge(accounts, on="account_id")
    counts = late.groupby("manager_id").size()
    return frame.assign(late_cases=counts.reindex(frame["manager_id"], fill_value=0).to_numpy())


def _proposed(frame: pd.DataFrame, accounts: pd.DataFrame, scores: pd.DataFrame, as_of: pd.Timestamp) -> list:
    topic, month = "manager_review", as_of + pd.Timedelta(days=30)
    nobody, hear, soon = frame.assign(account_id=""), f"{topic}.listen", as_of + pd.Timedelta(days=14)
    below = nobody[nobody["differs"] == "below"]
    few = nobody[nobody["answered_share"] < ASK_SHARE]
    unasked = accounts[
        accounts["manager_id"].isin(few["manager_id"]) & ~accounts["account_id"].isin(scores["account_id"])
    ]
    first = unasked.drop_duplicates("manager_id")
    return [
        actions.propose("step", hear, below, soon, "K066", "supervisor", detail="listen"),
        actions.propose("step", f"{topic}.talk", nobody, month, "K066", "supervisor", detail="talk"),
        actions.propose("survey", f"{topic}.ask", first, month, "K067", "supervisor"),
        actions.step(f"{topic}.targets", as_of, 30, "K068", "director"),
        actions.step(f"{topic}.pay", as_of, 60, "K069", "director"),
    ]
