"""Accounts that still buy, but less than they should: partial defection and falling wallet share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from kamlib.studies.churn.seasonality import Season
from kamlib.studies.churn.timelines import Sales, to_dates

MONTH_DAYS = 30
BASE_MONTHS = 24
FEWEST_BASE_MONTHS = 6
YEAR_DAYS = 365


@dataclass(frozen=True)
class Defection:
    """When an account counts as partly defected.

    Parameters
    ----------
    share : spending this far below its own seasonal expectation, 0.3 for 30 %, …
    months : … over at least this many last months of 30 days.
    level : and surely below it: how unlikely as low a spending must be in an account that has not changed.
    """

    share: float = 0.30
    months: int = 6
    level: float = 0.99


def partial_defection(
    sales: Sales, moment: int, season: Season, codes: np.ndarray, rule: Defection = Defection()
) -> pd.DataFrame:
    """Compare what accounts spent of late with their own seasonal expectation, month by month.

    Months are spans of 30 days counted back from the day. For every beginning of a low stretch that lasts to the
    day (at least ``rule.months`` long, with six months or more before it), spending since then is set against the
    months before it, both divided by the season of all accounts; the likeliest beginning is kept. A season of the
    account's own stays in: leave out accounts that are out of season.

    Parameters
    ----------
    sales, moment : what was bought, and the day to look back from. season : expected activity by day.
    codes : numbers of the accounts to look at.

    Returns
    -------
    Frame indexed by account number: ``expected`` and ``spent`` (money, since the likeliest beginning), ``ratio``
    (spent over expected), ``since`` (date), ``z`` (how many standard errors the log ratio lies below zero) and
    ``is_partial``. Accounts with less than a year of history are not judged: NaN, and False.
    """
    spent, expected = _months(sales, moment, season, codes)
    z, ratio, since = _likeliest_drop(spent, expected, rule.months)
    # The beginning is chosen among many, so a chosen drop must clear a higher bar (Bonferroni).
    tried = max(spent.shape[1] - rule.months - FEWEST_BASE_MONTHS + 1, 1)
    bar = norm.ppf(1 - (1 - rule.level) / tried)
    months = np.where(np.isnan(since), 0, since).astype(int)
    recent = np.arange(spent.shape[1]) < months[:, None]
    level = np.nansum(np.where(recent, spent, 0), axis=1)
    return pd.DataFrame(
        {
            "expected": np.where(ratio > 0, level / np.where(ratio > 0, ratio, 1), np.nan),
            "spent": np.where(np.isnan(ratio), np.nan, level),
            "ratio": ratio,
            "since": to_dates(np.where(np.isnan(since), np.nan, moment + 1 - since * MONTH_DAYS)),
            "z": z,
            "is_partial": (ratio < 1 - rule.share) & (z > bar),
        },
        index=codes,
    )


def _months(sales: Sales, moment: int, season: Season, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(accounts, months) net revenue and seasonal expectation, the latest month first; NaN before the first order."""
    count = min(BASE_MONTHS + YEAR_DAYS // MONTH_DAYS, (moment - sales.first) // MONTH_DAYS)
    ends = moment - MONTH_DAYS * np.arange(max(count, 0))
    spent = np.array([sales.revenue.total(end - MONTH_DAYS, end)[codes] for end in ends])
    spent = spent.reshape(len(ends), len(codes)).T
    factor = season.factor(ends - MONTH_DAYS, ends) if len(ends) else np.empty(0)
    first = sales.purchases.first()[codes]
    is_customer = first[:, None] <= ends - MONTH_DAYS
    return np.where(is_customer, np.maximum(spent, 0), np.nan), np.where(is_customer, factor, np.nan)


def _likeliest_drop(spent: np.ndarray, expected: np.ndarray, shortest: int):
    """(accounts,) z, ratio and length in months of the low stretch up to now that stands out most.

    The log ratio of two sums has about the variance of their squared coefficients of variation; the spread of a
    month is the account's own, each stretch about its own mean, so that a drop does not hide itself.
    """
    accounts, months = spent.shape
    best = np.full((3, accounts), np.nan)
    flat = spent / np.maximum(expected, 1e-9)
    for length in range(shortest, months - FEWEST_BASE_MONTHS + 1):
        now, then = flat[:, :length], flat[:, length : length + BASE_MONTHS]
        known = (~np.isnan(then)).sum(axis=1)
        mean_now, mean_then = now.mean(axis=1), _mean(then)
        usable = (known >= FEWEST_BASE_MONTHS) & (mean_then > 0)
        ratio = np.where(usable, mean_now / np.where(usable, mean_then, 1), np.nan)
        spread = _spread(now, then, ratio)
        error = spread * np.sqrt(1 / length + 1 / np.maximum(known, 1))
        z = np.where(usable, (1 - ratio) / np.maximum(error, 1e-9), np.nan)
        better = usable & ~(z <= best[0])
        best[:, better] = np.array([z, ratio, np.full(accounts, length)])[:, better]
    return best


def _mean(values: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    return np.where(known, values, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)


def _spread(now: np.ndarray, then: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Standard deviation of a month, in units of the level before, were the account unchanged."""
    level = np.maximum(_mean(then), 1e-9)[:, None]
    known = (~np.isnan(then)).sum(axis=1)
    square = np.where(np.isnan(then), 0, (then / level - 1) ** 2).sum(axis=1)
    square += ((now / level - ratio[:, None]) ** 2).sum(axis=1)
    return np.sqrt(square / np.maximum(known + now.shape[1] - 2, 1))


def wallet_loss(surveys: pd.DataFrame, moment: int, least: float = 0.05, level: float = 0.95) -> pd.DataFrame:
    """Accounts whose wallet share fell between surveys by more than their answers waver.

    Parameters
    ----------
    surveys : code, surveyed_on (day number), wallet_share. moment : surveys of later days are not looked at.
    least : the fall that counts, as a share of all the account spends.
    level : one-sided level at which the fall must exceed the spread of the answers, taken from all accounts with
        two answers or more before their last one.

    Returns
    -------
    Frame indexed by account number: ``wallet_before`` (mean of the answers but the last), ``wallet_share`` (the
    last one), ``wallet_asked`` (date of it), ``wallet_answers`` and ``is_wallet_loss``. Accounts with one answer
    only are left out.
    """
    known = surveys[(surveys["surveyed_on"] <= moment) & surveys["wallet_share"].notna()]
    known = known.sort_values(["code", "surveyed_on", "wallet_share"])
    is_last = ~known.duplicated("code", keep="last")
    earlier, last = known[~is_last].groupby("code"), known[is_last].set_index("code")
    before, answers = earlier["wallet_share"].mean(), earlier.size()
    spread = _pooled_spread(known[~is_last])
    frame = pd.DataFrame(
        {
            "wallet_before": before,
            "wallet_share": last["wallet_share"].reindex(before.index),
            "wallet_asked": to_dates(last["surveyed_on"].reindex(before.index)),
            "wallet_answers": answers + 1,
        }
    )
    bar = np.maximum(least, norm.ppf(level) * spread * np.sqrt(1 + 1 / answers))
    return frame.assign(is_wallet_loss=frame["wallet_before"] - frame["wallet_share"] >= bar)


def _pooled_spread(answers: pd.DataFrame) -> float:
    """Standard deviation of an account's answers about their mean, all accounts pooled; 0 where none has two."""
    grouped = answers.groupby("code")["wallet_share"]
    freedom = len(answers) - grouped.ngroups
    return (
        float(np.sqrt(((answers["wallet_share"] - grouped.transform("mean")) ** 2).sum() / freedom)) if freedom else 0.0
    )
