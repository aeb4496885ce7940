"""Market segments, and which accounts that are not key accounts look like those that are."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from kamlib.errors import ModelError

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
        How often a key account gets a higher score than another account, 0.5 for no better than chance; missing
        where nothing could be fitted.
    auc_lower, auc_upper
        Its 90 % interval.
    keys
        How many key accounts the model learned from.
    """

    scores: pd.Series
    auc: float
    auc_lower: float
    auc_upper: float
    keys: int


def markets(accounts: pd.DataFrame, by: str = "industry") -> pd.DataFrame:
    """Accounts that bought, their revenue, growth and key accounts in each market segment, the largest first.

    Returns
    -------
    Columns *by* (missing ones named with a dash), accounts, key_accounts, revenue, share, growth (against the window
    before; missing where the book does not reach back). Empty where no account has the attribute.
    """
    buyers = accounts[accounts["has_bought"]]
    columns = [by, "accounts", "key_accounts", "revenue", "share", "growth"]
    if not buyers[by].notna().any():
        return pd.DataFrame(columns=columns)
    groups = buyers.groupby(buyers[by].fillna("–"))
    sums = groups.agg(accounts=("revenue", "size"), key_accounts=("is_key", "sum"), revenue=("revenue", "sum"))
    before = groups["revenue_before"].sum(min_count=1)
    total = sums["revenue"].sum()
    sums["share"] = sums["revenue"] / total if total > 0 else np.nan
    sums["growth"] = sums["revenue"] / before.where(before > 0) - 1
    return sums.sort_values("revenue", ascending=False, kind="stable").rename_axis(by).reset_index()[columns]


def likeness(accounts: pd.DataFrame, seed: int = 0) -> Likeness:
    """Score every account with a known potential by how much it looks like a key account.

    A ridge-penalised logistic regression of being a key account on the logarithm of annual potential, industry and
    region: what is known of a prospect before it buys. Each account is scored by a model fitted without it.

    Parameters
    ----------
    accounts
        is_key, annual_potential, industry, region by account.
    seed
        Where the random numbers of the folds start.

    Raises
    ------
    ModelError
        With fewer than ten key accounts, or ten others, of known potential: there is nothing to learn from.
    """
    known = accounts[accounts["annual_potential"] > 0]
    is_key = known["is_key"].to_numpy(dtype=bool)
    if min(is_key.sum(), (~is_key).sum()) < FEWEST_KEYS:
        raise ModelError(
            f"{int(is_key.sum())} of {len(known)} accounts of known potential are key accounts; learning what a key "
            f"account looks like needs at least {FEWEST_KEYS} of either kind: record annual_potential for more accounts"
        )
    features = pd.get_dummies(known[["industry", "region"]].fillna("–").astype(str), dtype=float)
    size = np.log(known["annual_potential"])
    features.insert(0, "size", (size - size.mean()) / (size.std() or 1.0))
    said = _unseen(features.to_numpy(), is_key, seed)
    scores, keys = pd.Series(said, index=known.index, name="likeness"), int(is_key.sum())
    auc = float(roc_auc_score(is_key, said))
    return Likeness(scores, auc, *_auc_interval(auc, keys, len(said) - keys), keys)


def _unseen(features: np.ndarray, is_key: np.ndarray, seed: int) -> np.ndarray:
    """The score of each account by a model that had not seen it.

    Of many thousand others a model learns no more than of some: beyond ``MOST_OTHERS`` they are drawn at random, and
    those that were not drawn are scored by the model of all that were. Scores then run too high, all by the same
    factor, which changes no rank.
    """
    rng, others = np.random.default_rng(seed), np.flatnonzero(~is_key)
    drawn = rng.permutation(others)[:MOST_OTHERS]
    used = np.sort(np.concatenate([np.flatnonzero(is_key), drawn]))
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
