"""One row per account: how it stands, its risk, its money, its labels, and the reasons that hold."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.studies.churn import calls
from kamlib.studies.churn.backtest import Answer
from kamlib.studies.churn.contest import Contest
from kamlib.studies.churn.covariates import Facts, known_at
from kamlib.studies.churn.defection import partial_defection, wallet_loss
from kamlib.studies.churn.labels import YEAR_DAYS
from kamlib.studies.churn.renewals import Renewals
from kamlib.studies.churn.seasonality import Season
from kamlib.studies.churn.timelines import Sales, to_dates

NAMES = ("account_id", "name", "manager_id", "region", "industry")
DRAWS = 2000


def account_table(
    book: Book,
    facts: Facts,
    season: Season,
    stand: pd.DataFrame,
    contest: Contest,
    contracts: Renewals | None,
    contact_cost: float,
) -> pd.DataFrame:
    """The table of accounts, by account number, without actions.

    Parameters
    ----------
    book, facts, season : what is known. stand : the frame of :func:`~kamlib.studies.churn.labels.standing` with
        ``margin_expected``. contest : its winner gives the risks. contracts : what became of contracts, if any.
    contact_cost : money a contact.
    """
    sales, codes = facts.sales, stand.index.to_numpy()
    table = stand.assign(account_id=sales.accounts[codes], expected_back=_expected_back(sales, stand))
    names = book.collect(book.table("accounts", *NAMES)).set_index("account_id")
    table = table.join(names, on="account_id").join(_risk(contest))
    table = table.join(_labels(facts, season, stand))
    table["contract_ends_on"] = pd.NaT
    if contracts is not None:
        ends = contracts.ending.set_index("code")["contract_ends_on"]
        table["contract_ends_on"] = ends.reindex(codes)
    table["is_silent"] = table["status"] == "silent"
    table["contact_reach"] = calls.contact_reach(sales, contact_cost)[codes]
    table["has_history"] = stand["first"] <= sales.as_of - YEAR_DAYS
    table["margin_year"] = _margin_year(sales, stand["last"].where(table["is_silent"]))
    table["margin_lost"] = table["margin_year"].where(table["is_silent"])
    table["health"] = 100 * (1 - table["risk"])
    table["value_at_risk"] = table["risk"] * table["margin_expected"]
    given = _reasons(facts, contest, table).reindex(codes)
    table["reasons"] = [
        r if isinstance(r, list) and s == "active" else [] for r, s in zip(given, table["status"], strict=True)
    ]
    return table


def _margin_year(sales: Sales, last: pd.Series) -> np.ndarray:
    """(n,) margin of the 365 days up to a last day, and of what came after it; up to today where it is missing."""
    end = np.full(sales.purchases.size, float(sales.as_of))
    end[last.index] = last.fillna(sales.as_of)
    return sales.margin.total(end - YEAR_DAYS, sales.as_of)[last.index]


def possible_losses(margin: pd.Series, contest: Contest, seed: int = 0) -> np.ndarray:
    """(2000,) margin that may be lost: risks drawn from their uncertainty, then silences drawn from the risks.

    The uncertainty is that of the fit, and how far risks were off on the days tested: steeper or flatter, and all
    of a day moved together. *margin* is the expected one by account number. Empty where nothing could be learned, or
    nobody is judged.
    """
    answer: Answer | None = contest.answer
    if answer is None or not len(contest.live.rows):
        return np.empty(0)
    rng = np.random.default_rng(seed)
    money = margin.loc[contest.live.codes].to_numpy()
    columns, lost, held = contest.winner.columns(contest.live), [], contest.reliability
    for _ in range(DRAWS // 200):  # in parts: many accounts times many draws would not fit into memory
        risks = answer.draws(columns, rng, 200)
        risks = held.redrawn(risks, rng) if held else risks
        lost.append((rng.random(risks.shape) < risks) @ money)
    return np.concatenate(lost)


def _risk(contest: Contest) -> pd.DataFrame:
    rows, answer = contest.live.rows, contest.answer
    risk = pd.DataFrame(np.nan, index=rows.index, columns=["risk", "risk_low", "risk_high"])
    if answer is None or not len(rows):
        return risk
    columns = contest.winner.columns(contest.live)
    low, high = answer.interval(columns, contest.rules.level)
    return risk.assign(risk=answer.probability(columns), risk_low=low, risk_high=high)


def _expected_back(sales: Sales, stand: pd.DataFrame) -> pd.DatetimeIndex:
    """Day on which an account out of season ordered again a year ago, a year later; missing for all others."""
    back = sales.purchases.next(sales.as_of - YEAR_DAYS)[stand.index] + YEAR_DAYS
    return to_dates(np.where(stand["status"] == "off_season", back, np.nan))


def _labels(facts: Facts, season: Season, stand: pd.DataFrame) -> pd.DataFrame:
    """Partial defection of the accounts that still buy and are in season, and wallet loss where surveys tell."""
    moment = facts.sales.as_of
    # Out of season an account spends little by its own habit, of which the season of all accounts knows nothing.
    buying = stand.index[stand["status"] == "active"].to_numpy()
    partial = partial_defection(facts.sales, moment, season, buying)
    partial["gone"] = partial["expected"] - partial["spent"]
    columns = {"ratio": "partial_ratio", "since": "partial_since", "gone": "partial_gone", "is_partial": "is_partial"}
    labels = partial[list(columns)].rename(columns=columns).reindex(stand.index)
    labels["is_partial"] = labels["is_partial"].eq(True)
    for column in ("partial_ratio", "partial_since", "partial_gone"):
        labels[column] = labels[column].where(labels["is_partial"])
    if facts.surveys is None:
        return labels.assign(is_wallet_loss=False, wallet_before=np.nan, wallet_share=np.nan)
    wallet = wallet_loss(facts.surveys, moment)[["is_wallet_loss", "wallet_before", "wallet_share"]]
    labels = labels.join(wallet)
    return labels.assign(is_wallet_loss=labels["is_wallet_loss"].eq(True))


def _reasons(facts: Facts, contest: Contest, table: pd.DataFrame) -> pd.Series:
    known = known_at(facts, contest.live)
    weights = calls.hazard_weights(contest.hazard, known)
    ending = table["contract_ends_on"].notna()
    return calls.reasons(known, weights, table["is_partial"], table["is_wallet_loss"], ending)
