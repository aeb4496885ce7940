"""The review of key accounts: what must be decided, what evidence is lacking, and who brings it to the table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.studies import actions

DECIDED = ("promote", "demote", "review")
RATERS_WANTED = 2
STALE_MONTHS = 12
WANTED_FIELDS = ("industry", "annual_potential", "is_strategic")
BRING_DAYS, MEET_DAYS = 14, 21


@dataclass(frozen=True, eq=False)
class SelectionReview:
    """What :func:`measure` found.

    Attributes
    ----------
    as_of : day the book is read as of.
    agenda : the accounts to decide on, in the order of the meeting (leave, enter, settle; each by value): account_id,
        name, manager_id, decision (promote, demote, review), reason, value, tests_met, tests_known, criteria_met,
        gates_failed, and what is lacking: raters (who rated it in twelve months; missing where the book has no
        ratings) and missing_fields (fields of the account that are empty).
    keys, cap : how many key accounts there would be after the review as proposed, and how many there may be.
    unproven : key accounts that stay, of which fewer than all four tests can be told: account_id, name, tests_known.
    actions, names : the actions, and the names in them.
    """

    as_of: pd.Timestamp
    agenda: pd.DataFrame
    keys: int
    cap: int
    unproven: pd.DataFrame
    actions: pd.DataFrame
    names: actions.Names


def measure(book: Book, accounts: pd.DataFrame, cap: int) -> SelectionReview:
    """Prepare the review.

    Parameters
    ----------
    book : the book as of its day.
    accounts : every account with what the segmentation says of it: account_id, name, manager_id, decision, reason,
        value, is_key, tests_met, tests_known, criteria_met, gates_failed.
    cap : how many key accounts there may be.

    Examples
    --------
    >>> measure(book, accounts, 50).agenda.head()  # doctest: +SKIP
    """
    as_of = pd.Timestamp(book.as_of or book.span()[1]).as_unit("s")
    agenda = _agenda(book, accounts, as_of)
    kept = accounts[accounts["is_key"] & ~accounts["account_id"].isin(agenda["account_id"])]
    rows = actions.gather(_proposed(book, agenda, as_of), as_of)
    unproven = kept.loc[kept["tests_known"] < 4, ["account_id", "name", "tests_known"]].reset_index(drop=True)
    return SelectionReview(as_of, agenda, int(accounts["is_key"].sum()), cap, unproven, rows, actions.names(book, rows))


def _agenda(book: Book, accounts: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    rows = accounts[accounts["decision"].isin(DECIDED)].copy()
    rows["turn"] = rows["decision"].map({"demote": 0, "promote": 1, "review": 2})
    rows = rows.sort_values(["turn", "value", "account_id"], ascending=[True, False, True], ignore_index=True)
    raters, fields = _raters(book, as_of), _missing(book, rows["account_id"].tolist())
    known = raters.reindex(rows["account_id"], fill_value=0).to_numpy() if raters is not None else np.nan
    missing = [fields.get(account, "") for account in rows["account_id"]]
    return rows.drop(columns="turn").assign(raters=known, missing_fields=pd.Series(missing, rows.index, dtype="str"))


def _raters(book: Book, as_of: pd.Timestamp) -> pd.Series | None:
    """How many people rated each account in twelve months; None where the book has no ratings."""
    if "ratings" not in book.tables:
        return None
    ratings = book.frame("ratings")
    recent = ratings[ratings["rated_on"] > as_of - pd.DateOffset(months=STALE_MONTHS)]
    return recent.groupby("account_id")["rater_id"].nunique()


def _missing(book: Book, ids: list[str]) -> dict[str, str]:
    """The empty fields of each account, of those that the book fills at all."""
    wanted = [field for field in WANTED_FIELDS if book.has("accounts", field)]
    table = book.table("accounts", "account_id", *wanted)
    frame = book.collect(table.filter(table.account_id.isin(ids))).set_index("account_id")
    return {key: ", ".join(field for field in wanted if pd.isna(row[field])) for key, row in frame.iterrows()}


def _proposed(book: Book, agenda: pd.DataFrame, as_of: pd.Timestamp) -> list[pd.DataFrame]:
    topic, bring = "selection_review", as_of + pd.Timedelta(days=BRING_DAYS)
    parts = [actions.step(f"{topic}.invite", as_of, 2, "K001", "director")]
    unrated = agenda[agenda["raters"] < RATERS_WANTED]
    parts.append(actions.propose("rating", f"{topic}.rate", unrated, bring, "K011", count=unrated["raters"]))
    for field in WANTED_FIELDS:
        lacking = agenda[agenda["missing_fields"].str.contains(field)]
        practice = "K012" if field == "industry" else "K013"
        parts.append(actions.propose("field", f"{topic}.fill_{field}", lacking, bring, practice, detail=field))
    for decision in DECIDED:
        n = int((agenda["decision"] == decision).sum())  # one line for all, since one meeting settles them by name
        parts.append(actions.step(f"{topic}.{decision}", as_of, MEET_DAYS, "K002", "director").assign(count=n).head(n))
    parts.append(actions.step(f"{topic}.announce", as_of, 30, "K013", "director"))
    return parts
