"""One table of how good each candidate was on the same rows and the same bootstrap draws, and who won."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.special import expit, logit

from kamlib.studies import scoring

MEASURES = ("lift", "pr_auc", "brier", "empc")
CERTAIN = 1e-6
MOST_LEVELS = 1000


@dataclass(frozen=True)
class Campaign:
    """What a retention call costs and brings: money an account, and the chance that it keeps a leaver.

    ``benefit``: margin of a kept account; ``incentive``: given to everyone called who stays; ``contact``: cost of
    the call; ``kept`` the parameters of the beta distribution of the chance to keep a leaver (mean 0.3).
    """

    benefit: float = 200.0
    incentive: float = 10.0
    contact: float = 1.0
    kept: tuple[float, float] = (6.0, 14.0)


def leaderboard(
    said: pd.DataFrame, names: Sequence[str], campaign: Campaign = Campaign(), draws: int = 300, level=0.9, seed=0
) -> tuple[pd.DataFrame, dict[str, dict[str, np.ndarray]]]:
    """Measures of each candidate, with bootstrap intervals over accounts.

    Parameters
    ----------
    said : rows of a back-test: account, is_silent, and a probability by candidate name.
    names : the candidates. campaign : for the expected maximum profit.
    draws, level, seed : of the bootstrap; the rows of an account go together, and all candidates are judged on
        the same draws.

    Returns
    -------
    A frame indexed by candidate with ``<measure>``, ``<measure>_low``, ``<measure>_high`` for lift (top tenth),
    pr_auc, brier, empc and calibration_slope; and the resampled values by candidate and measure, the whole sample
    first. Both are empty where nothing fell silent or everything did.
    """
    outcome = said["is_silent"].to_numpy(float)
    if not 0 < outcome.sum() < len(outcome):
        return pd.DataFrame(index=pd.Index([], name="candidate")), {}
    accounts, code = np.unique(said["account"].to_numpy(), return_inverse=True)
    drawn = _draws(len(accounts), draws, seed)
    left, stayed = np.bincount(code, weights=outcome), np.bincount(code, weights=1 - outcome)
    drawn = drawn[(drawn @ left > 0) & (drawn @ stayed > 0)]
    values = {name: _measured(said[name].to_numpy(float), outcome, code, drawn, campaign) for name in names}
    rows = {name: _row(measured, level) for name, measured in values.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("candidate"), values


def gains(values: Mapping, measure: str, against: str, level: float = 0.9) -> pd.DataFrame:
    """How much better each candidate was than one of them, with the interval of the difference on the same draws.

    Returns
    -------
    Frame indexed by candidate: gain, gain_low, gain_high. Above zero is better, for the Brier score too.
    """
    sign = -1 if measure == "brier" else 1
    rows = {}
    for name in values:
        difference = sign * (values[name][measure] - values[against][measure])
        rows[name] = [difference[0], *np.quantile(difference[1:], [(1 - level) / 2, (1 + level) / 2])]
    columns = ["gain", "gain_low", "gain_high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("candidate")


def best(card: pd.DataFrame, measure: str) -> str:
    """The candidate that was best by one measure; the first of equals."""
    return card[measure].idxmin() if measure == "brier" else card[measure].idxmax()


def calibration_slope(chance: np.ndarray, outcome: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(draws,) slopes of a weighted logit of the outcome on the log odds said: 1 is right, below 1 too sure of itself.

    Newton's method for all resamples at once; NaN where all probabilities are equal.
    """
    x = logit(np.clip(chance, CERTAIN, 1 - CERTAIN))
    centre, spread = x.mean(), x.std()
    if spread < 1e-9:
        return np.full(len(weights), np.nan)
    x = (x - centre) / spread
    level, slope = np.zeros(len(weights)), np.zeros(len(weights))
    for _ in range(25):
        fitted = expit(level[:, None] + slope[:, None] * x)
        rest, bend = weights * (outcome - fitted), weights * fitted * (1 - fitted)
        bend0, bend1, bend2 = bend.sum(axis=1), bend @ x, bend @ x**2
        away0, away1 = rest.sum(axis=1), rest @ x
        inverse = np.maximum(bend0 * bend2 - bend1**2, 1e-12)
        step = np.array([bend2 * away0 - bend1 * away1, bend0 * away1 - bend1 * away0]) / inverse
        level, slope = np.array([level, slope]) + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-7:
            break
    return slope / spread


def _draws(accounts: int, draws: int, seed: int) -> np.ndarray:
    """(1 + draws, accounts) how often each account counts: once first, then as drawn with replacement."""
    drawn = np.random.default_rng(seed).multinomial(accounts, np.full(accounts, 1 / accounts), size=draws)
    return np.vstack([np.ones(accounts), drawn])


def _measured(chance, outcome, code, drawn, campaign: Campaign) -> dict[str, np.ndarray]:
    """The measures on every draw. Rows of equal probability and outcome are counted together."""
    scores, labels, cell = _cells(chance, outcome)
    held = coo_array((np.ones(len(code)), (code, cell)), shape=(drawn.shape[1], len(scores)))
    weights = drawn @ held.tocsr()
    money = {"benefit": campaign.benefit, "incentive": campaign.incentive, "contact": campaign.contact}
    return {
        "lift": scoring.lift(scores, labels, weights=weights),
        "pr_auc": scoring.pr_auc(scores, labels, weights=weights),
        "brier": scoring.brier(scores, labels, weights=weights),
        "empc": scoring.empc(scores, labels, **money, beta=campaign.kept, weights=weights),
        "calibration_slope": calibration_slope(scores, labels, weights),
    }


def _cells(chance: np.ndarray, outcome: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct pairs of probability and outcome, and which one each row is.

    Where there are thousands of probabilities they are taken in a thousand steps of equal count, each at its mean.
    """
    distinct, level = np.unique(chance, return_inverse=True)
    if len(distinct) > MOST_LEVELS:
        level = np.floor(np.argsort(np.argsort(chance, kind="stable")) * MOST_LEVELS / len(chance)).astype(int)
        distinct = np.bincount(level, weights=chance) / np.bincount(level)
    cells, cell = np.unique(level * 2 + outcome.astype(int), return_inverse=True)
    return distinct[cells // 2], (cells % 2).astype(float), cell


def _row(measured: Mapping[str, np.ndarray], level: float) -> dict[str, float]:
    row = {}
    for name, values in measured.items():
        low, high = np.nanquantile(values[1:], [(1 - level) / 2, (1 + level) / 2]) if len(values) > 1 else (np.nan,) * 2
        row |= {name: values[0], f"{name}_low": low, f"{name}_high": high}
    return row
