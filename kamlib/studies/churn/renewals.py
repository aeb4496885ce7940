"""Contracts: how long relationships under contract last, how often they are renewed, and which end soon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm
from statsmodels.duration.survfunc import SurvfuncRight
from statsmodels.stats.proportion import proportion_confint

from kamlib.studies.churn.covariates import known_contracts
from kamlib.studies.churn.timelines import to_dates

GRACE_DAYS = 60


@dataclass(frozen=True, eq=False)
class Renewals:
    """What became of contracts.

    Attributes
    ----------
    survival : Kaplan–Meier curve of relationships under contract: days, survival, low, high, at_risk.
    relationships, lapsed : unbroken chains of contracts, and how many of them ended.
    due, renewed : contracts that ended (with the grace period over), and how many had a successor.
    rate, low, high : share renewed with its interval (Wilson); NaN when none has ended.
    ending : contracts that end within the horizon and have no successor yet: code, account_id, contract_ends_on,
        days_left, annual_value.
    under_contract : accounts under contract today.
    """

    survival: pd.DataFrame
    relationships: int
    lapsed: int
    due: int
    renewed: int
    rate: float
    low: float
    high: float
    ending: pd.DataFrame
    under_contract: int


def renewals(contracts: pd.DataFrame, moment: int, horizon_days: int, level: float = 0.9) -> Renewals:
    """Follow contracts to their renewal.

    Parameters
    ----------
    contracts : code (account number), account_id, starts_on, ends_on, signed_on (day numbers), annual_value; those
        that were not signed by the day are not known. moment, horizon_days : the day, and how far ahead to look.

    A contract is renewed when another of the account begins no later than 60 days after its end. Contracts that
    follow each other so are one relationship; it has lapsed when the 60 days are over without a successor.
    """
    known = known_contracts(contracts, moment).sort_values(["code", "starts_on", "ends_on"])
    chains = _chains(known)
    lapsed = chains["ends_on"] + GRACE_DAYS < moment
    ended = known[known["ends_on"] + GRACE_DAYS < moment]
    has_next = _has_successor(known).reindex(ended.index)
    due, renewed = len(ended), int(has_next.sum())
    low, high = proportion_confint(renewed, due, 1 - level, method="wilson") if due else (np.nan, np.nan)
    return Renewals(
        _survival(chains, lapsed, moment, level),
        len(chains),
        int(lapsed.sum()),
        due,
        renewed,
        renewed / due if due else np.nan,
        float(low),
        float(high),
        _ending(chains, moment, horizon_days),
        int(((chains["starts_on"] <= moment) & (chains["ends_on"] >= moment)).sum()),
    )


def _has_successor(known: pd.DataFrame) -> pd.Series:
    following = known.groupby("code")["starts_on"].shift(-1)
    return following <= known["ends_on"] + GRACE_DAYS


def _chains(known: pd.DataFrame) -> pd.DataFrame:
    """One row per unbroken relationship: code, starts_on, ends_on, annual_value (of its last contract)."""
    latest = known.groupby("code")["ends_on"].cummax().groupby(known["code"]).shift()
    number = (known["starts_on"] > latest + GRACE_DAYS).groupby(known["code"]).cumsum()
    grouped = known.groupby([known["code"], number.rename("chain")])
    chains = grouped.agg(
        starts_on=("starts_on", "min"),
        ends_on=("ends_on", "max"),
        annual_value=("annual_value", "last"),
        account_id=("account_id", "first"),
    )
    return chains.reset_index("chain", drop=True).reset_index()


def _survival(chains: pd.DataFrame, lapsed: pd.Series, moment: int, level: float) -> pd.DataFrame:
    columns = ["days", "survival", "low", "high", "at_risk"]
    begun = chains["starts_on"] <= moment
    if not begun.any():
        return pd.DataFrame(columns=columns)
    lasted = np.minimum(chains["ends_on"], moment)[begun] - chains["starts_on"][begun] + 1
    curve = SurvfuncRight(lasted.to_numpy(), lapsed[begun].to_numpy(int))
    if not len(curve.surv_times):
        return pd.DataFrame(columns=columns)
    reach = norm.ppf((1 + level) / 2) * curve.surv_prob_se
    return pd.DataFrame(
        {
            "days": curve.surv_times,
            "survival": curve.surv_prob,
            "low": np.clip(curve.surv_prob - reach, 0, 1),
            "high": np.clip(curve.surv_prob + reach, 0, 1),
            "at_risk": curve.n_risk,
        }
    )


def _ending(chains: pd.DataFrame, moment: int, horizon_days: int) -> pd.DataFrame:
    soon = chains[(chains["ends_on"] >= moment) & (chains["ends_on"] <= moment + horizon_days)]
    soon = soon[soon["starts_on"] <= moment].sort_values(["ends_on", "code"])
    return pd.DataFrame(
        {
            "code": soon["code"].to_numpy(int),
            "account_id": soon["account_id"].to_numpy(),
            "contract_ends_on": to_dates(soon["ends_on"]),
            "days_left": (soon["ends_on"] - moment).to_numpy(int),
            "annual_value": soon["annual_value"].to_numpy(float),
        }
    )
