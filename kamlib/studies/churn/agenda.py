"""This month's agenda: calls, part losses, contracts that end and fresh silences in one list, by money."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.studies.churn.labels import Silence
from kamlib.studies.churn.timelines import Sales

SIGNS = ("silent", "renewal", "partial", "call")
COLUMNS = ["account_id", "name", "manager_id", "signs", "at_stake", "brings_a_year", "contract_ends_on",
           "recency_days", "gap_median_days", "reasons", "partial_since", "lapse"]  # fmt: skip


def agenda(
    accounts: pd.DataFrame,
    sales: Sales,
    lapse: pd.Series,
    silence: Silence,
    horizon_days: int,
    lasting: float = 1.0,
    lost_share: float = 1.0,
) -> pd.DataFrame:
    """Every account that wants something done now, once, the most money a year at stake first.

    Parameters
    ----------
    accounts : the accounts with their actions, as :func:`~kamlib.studies.churn.calls.actions` returns them.
    sales : what was bought. lapse : chance that a contract that ends is not renewed, by account number; the risk of
        the account stands in where there is none.
    silence : the rule by which an account is silent. horizon_days : ahead for contracts, back for fresh silences.
    lasting : share of silences that do not end by themselves. lost_share : of the margin, that goes with a lapse.

    Returns
    -------
    Frame of account_id, name, manager_id, ``signs`` (codes of :data:`SIGNS`), ``at_stake`` (money a year: see
    below), ``brings_a_year`` (money of the last 365 days, of a silent account those up to its last order),
    contract_ends_on, recency_days, gap_median_days, reasons, partial_since, lapse (chance; missing where not known).

    Notes
    -----
    What is at stake in a year is, for a *call*, the risk times what the account brings, and for one that fell *silent*
    within the last *horizon_days*, or whose contract ends, all that it brought, both times the share of silences that
    last; for a *renewal*, the chance that it lapses times what then goes of what the account brings; for a *partial*
    loss, what is missing. An account with several signs stands at the largest: the same money is not lost twice.
    """
    brings, ends = accounts["margin_year"].clip(lower=0), accounts["contract_ends_on"].notna()
    known = pd.Series(lapse.reindex(sales.number(accounts["account_id"])).to_numpy(), accounts.index)
    gone = (known * lost_share).fillna(accounts["risk"].fillna(0) * lasting)
    is_silent = _is_fresh(accounts, silence, horizon_days) | (accounts["is_silent"] & ends)
    stakes = pd.DataFrame(
        {
            "renewal": (brings * gone).where(ends),
            "silent": (brings * lasting).where(is_silent),
            "partial": (brings * (1 / accounts["partial_ratio"] - 1)).where(accounts["is_partial"]),
            "call": (brings * accounts["risk"] * lasting).where(accounts["action"] == "call"),
        }
    )[list(SIGNS)]
    signs = [[sign for sign in SIGNS if there[sign]] for there in stakes.notna().to_dict("records")]
    listed = accounts.assign(signs=signs, at_stake=stakes.max(axis=1), brings_a_year=brings, lapse=known)
    listed = listed[stakes.notna().any(axis=1)]
    return listed.sort_values(["at_stake", "account_id"], ascending=[False, True], ignore_index=True)[COLUMNS]


def _is_fresh(accounts: pd.DataFrame, silence: Silence, horizon_days: int) -> pd.Series:
    """Whether the account became silent within the last *horizon_days*: older silences are on the list to win back."""
    wanted = accounts["is_silent"] & (accounts["action"] != "let_go")  # nobody is asked why who is not worth asking
    silent_for = accounts["recency_days"] - np.maximum(silence.gaps * accounts["gap_median_days"], silence.floor_days)
    return wanted & (silent_for <= horizon_days)
