"""Market segments, and which accounts that are not key accounts look like those that are."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from kamlib.errors import ModelError
from kamlib.studies import shares

LEVEL = 0.90
FEWEST_KEYS, MOST_OTHERS = 10, 10_000
FOLDS = 5


@dataclass(frozen=True)
class Likeness:
    """How much each account looks like a key account by what is known before it buys.

    Attributes
    ----------
    scores
        By account: likeness, 0 to 1, said by a model that had not seen the account; accounts without an annual
        potential are not there.
    auc
        How often a key account gets a higher score than another account that buys, 0.5 for no better than chance.
    auc_lower, auc_upper
        Its 90 % interval.
    keys
        How many key accounts the model learned from.
    baseline
        The same for the annual potential alone.
    gain_lower, gain_upper
        The 90 % interval of ``auc`` less ``baseline``: what industry and region add.
    """

    scores: pd.Series
    auc: float
    auc_lower: float
    auc_upper: float
    keys: int
    baseline: float
    gain_lower: float
    gain_upper: float

    @property
    def is_better(self) -> bool:
        """Whether the model says more than the potential alone."""
        return self.gain_lower > 0


def markets(accounts: pd.DataFrame, by: str = "industry") -> pd.DataFrame:
    """Accounts that bought, revenue, growth and key accounts in each market segment, the largest first.

    Growth is that of all accounts of a segment, those that stopped buying included: among the ones that still buy it
    would be too high everywhere.

    Returns
    -------
    Columns *by* (missing ones named with a dash), accounts, key_accounts, revenue, share, growth (against the window
    before; missing where the book does not reach back), key_rate (of the accounts that bought) with its ends, and
    stands_out (whether that is above the share in all other segments together, allowing for how many are compared).
    Empty where no account has the attribute.
    """
    named = accounts[by].where(accounts["has_bought"] | (accounts["revenue_before"] > 0))
    columns = [by, "accounts", "key_accounts", "revenue", "share", "growth"]
    columns += ["key_rate", "key_rate_lower", "key_rate_upper", "stands_out"]
    if not named[accounts["has_bought"]].notna().any():
        return pd.DataFrame(columns=columns)
    groups = accounts.assign(is_key=accounts["is_key"] & accounts["has_bought"]).groupby(accounts[by].fillna("–"))
    sums = groups.agg(accounts=("has_bought", "sum"), key_accounts=("is_key", "sum"), revenue=("revenue", "sum"))
    before = groups["revenue_before"].sum(min_count=1)
    total = sums["revenue"].sum()
    sums["share"] = sums["revenue"] / total if total > 0 else np.nan
    sums["growth"] = sums["revenue"] / before.where(before > 0) - 1
    sums = sums[(sums["accounts"] > 0) | (before > 0)].join(_key_rates(sums))
    return sums.sort_values("revenue", ascending=False, kind="stable").rename_axis(by).reset_index()[columns]


def _key_rates(sums: pd.DataFrame) -> pd.DataFrame:
    """Key accounts of the accounts that bought, by segment, and whether a segment stands out from the others."""
    counts = sums[["key_accounts", "accounts"]].astype(int)
    own = [shares.of(*row) for row in counts.to_numpy()]
    others = [shares.of(*row) for row in (counts.sum() - counts).to_numpy()]
    level = 1 - (1 - LEVEL) / max(len(sums), 1)
    stands_out = [shares.difference(one, other, level)[1] > 0 for one, other in zip(own, others, strict=True)]
    columns = {
        "key_rate": [one.value for one in own],
        "key_rate_lower": [one.low for one in own],
        "key_rate_upper": [one.high for one in own],
        "stands_out": stands_out,
    }
    return pd.DataFrame(columns, index=sums.index)


def likeness(accounts: pd.DataFrame, seed: int = 0) -> Likeness:
    """Score every account with a known potential by how much it looks like a key account.

    A ridge-penalised logistic regression of being a key account on the logarithm of annual potential, industry and
    region: what is known of a prospect before it buys. It learns from the accounts that buy: one that does not is no
    key account for that reason alone. Each account is scored by a model fitted without it. Since key accounts are
    chosen by size among other things, their potential tells them from others by itself; what the model adds to that
    is reported beside it.

    Parameters
    ----------
    accounts
        is_key, has_bought, annual_potential, industry, region by account.
    seed
        Where the random numbers of the folds start.

    Raises
    ------
    ModelError
        With fewer than ten key accounts, or ten others, of known potential: there is nothing to learn from.
    """
    known = accounts[accounts["annual_potential"] > 0]
    is_key, buys = known["is_key"].to_numpy(dtype=bool), known["has_bought"].to_numpy(dtype=bool)
    if min(is_key[buys].sum(), (~is_key[buys]).sum()) < FEWEST_KEYS:
        raise ModelError(
            f"{int(is_key[buys].sum())} of {int(buys.sum())} accounts that buy and have a known potential are key "
            f"accounts; learning what a key account looks like needs at least {FEWEST_KEYS} of either kind: record "
            "annual_potential for more accounts"
        )
    features = pd.get_dummies(known[["industry", "region"]].fillna("–").astype(str), dtype=float)
    size = np.log(known["annual_potential"])
    features.insert(0, "size", (size - size.mean()) / (size.std() or 1.0))
    said = _unseen(features.to_numpy(), is_key, buys, seed)
    scores, keys, alone = pd.Series(said, index=known.index, name="likeness"), int(is_key[buys].sum()), size.to_numpy()
    auc, baseline = (float(roc_auc_score(is_key[buys], score[buys])) for score in (said, alone))
    ends = _auc_interval(auc, keys, int(buys.sum()) - keys)
    return Likeness(scores, auc, *ends, keys, baseline, *_gain_interval(is_key[buys], said[buys], alone[buys]))


def _unseen(features: np.ndarray, is_key: np.ndarray, buys: np.ndarray, seed: int) -> np.ndarray:
    """The score of each account by a model that had not seen it.

    Of many thousand others a model learns no more than of some: beyond ``MOST_OTHERS`` they are drawn at random, and
    those that were not drawn are scored by the model of all that were. Scores then run too high, all by the same
    factor, which changes no rank.
    """
    rng, others = np.random.default_rng(seed), np.flatnonzero(~is_key & buys)
    drawn = rng.permutation(others)[:MOST_OTHERS]
    used = np.sort(np.concatenate([np.flatnonzero(is_key & buys), drawn]))
    model, folds = LogisticRegression(solver="newton-cholesky"), StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        said = model.fit(features[used], is_key[used]).predict_proba(features)[:, 1]
        tested = cross_val_predict(model, features[used], is_key[used], cv=folds, method="predict_proba")
    said[used] = tested[:, 1]
    return said


def _auc_interval(auc: float, keys: int, others: int) -> tuple[float, float]:
    """The 90 % interval of an area under the curve by its normal approximation.

    Source: Hanley & McNeil (1982), The meaning and use of the area under a receiver operating characteristic curve.
    """
    one_key, one_other = auc / (2 - auc) - auc**2, 2 * auc**2 / (1 + auc) - auc**2
    variance = (auc * (1 - auc) + (keys - 1) * one_key + (others - 1) * one_other) / (keys * others)
    half = norm.ppf(0.95) * np.sqrt(variance)
    return float(max(auc - half, 0.0)), float(min(auc + half, 1.0))


def _gain_interval(is_key: np.ndarray, one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """The 90 % interval of the area under the curve of one score less that of another, of the same accounts.

    Source: DeLong, DeLong & Clarke-Pearson (1988), Comparing the areas under two or more correlated curves.
    """
    keys, others = [], []
    for score in (one, other):
        rank = rankdata(score)
        keys.append((rank[is_key] - rankdata(score[is_key])) / (~is_key).sum())
        others.append((rank[~is_key] - rankdata(score[~is_key])) / is_key.sum())
    gain, lost = keys[0] - keys[1], others[0] - others[1]
    half = norm.ppf((1 + LEVEL) / 2) * np.sqrt(gain.var(ddof=1) / len(gain) + lost.var(ddof=1) / len(lost))
    return float(gain.mean() - half), float(gain.mean() + half)
