"""Scorecards: what raters say of an account, how far they agree, and whether the weights decide who is selected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import cohen_kappa_score

from kamlib.book.store import Book

MOST_CRITERIA = 6
LEAST_RATERS = 2
SCALE = (1, 2, 3, 4, 5)
ENOUGH_PAIRS = 20
LEAST_KAPPA = 0.4  # below it, agreement is at most fair by the scale of Landis & Koch (1977)


@dataclass(frozen=True)
class Scorecard:
    """Ratings as of a day.

    Attributes
    ----------
    criteria
        The criteria used, the most rated ones first, six at most.
    left_out
        Criteria beyond those six.
    scores
        Mean score by account (rows) and criterion, 1 to 5, over accounts rated on every criterion used.
    raters
        How many people rated each of these accounts.
    agreement
        One row for each criterion and one for all: criterion, pairs of ratings, accounts, kappa (quadratic weights;
        missing below 20 pairs, or where every score is the same), mean_gap (of two raters, in points).
    selected_share
        By account: in what share of random weightings it is among the ``places`` best.
    places
        How many places the weightings fill.
    disputed
        Criteria on which raters agree too little for their scores to count in any test.
    """

    criteria: tuple[str, ...]
    left_out: tuple[str, ...]
    scores: pd.DataFrame
    raters: pd.Series
    agreement: pd.DataFrame
    selected_share: pd.Series
    places: int
    disputed: tuple[str, ...] = ()

    @property
    def overall(self) -> pd.Series:
        """Mean over the criteria, each with the same weight."""
        return self.scores.mean(axis=1)


def score(book: Book, places: int, draws: int = 1000, seed: int = 0) -> Scorecard | None:
    """The scorecard of a book as of its day; ``None`` where nothing is rated.

    Parameters
    ----------
    book
        The book.
    places
        How many accounts are to be selected; no more than half of the rated ones, so that there is something to
        choose.
    draws, seed
        Weightings drawn evenly over all that add up to one (Dirichlet with every parameter 1).
    """
    ratings = latest_ratings(book.frame("ratings")) if "ratings" in book.tables else pd.DataFrame()
    if ratings.empty:
        return None
    counts = ratings["criterion"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    criteria, left_out = tuple(counts.index[:MOST_CRITERIA]), tuple(counts.index[MOST_CRITERIA:])
    used = ratings[ratings["criterion"].isin(criteria)]
    table = used.pivot_table("score", "account_id", "criterion", "mean")[list(criteria)].dropna()
    raters = used.groupby("account_id")["rater_id"].nunique().reindex(table.index)
    places = max(1, min(places, len(table) // 2)) if len(table) else 0
    share = weight_sensitivity(table, places, draws, seed)
    return Scorecard(criteria, left_out, table, raters, agree(used), share, places, disputed(ratings))


def latest_ratings(ratings: pd.DataFrame) -> pd.DataFrame:
    """The latest score each rater gave an account on each criterion."""
    ordered = ratings.sort_values(["account_id", "rater_id", "criterion", "rated_on"])
    return ordered.drop_duplicates(["account_id", "rater_id", "criterion"], keep="last")


def disputed(ratings: pd.DataFrame) -> tuple[str, ...]:
    """The criteria on which raters agree less than :data:`LEAST_KAPPA`; none where that cannot be told.

    Examples
    --------
    >>> scores = [1, 2, 3, 4, 5] * 5
    >>> rows = pd.DataFrame({"account_id": range(25), "criterion": "growth", "score": scores, "rated_on": 0})
    >>> disputed(pd.concat([rows.assign(rater_id="a"), rows.assign(rater_id="b", score=scores[::-1])]))
    ('growth',)
    """
    found = agree(latest_ratings(ratings)).iloc[:-1]
    return tuple(found.loc[found["kappa"] < LEAST_KAPPA, "criterion"])


def weight_sensitivity(scores: pd.DataFrame, places: int, draws: int, seed: int) -> pd.Series:
    """In what share of random weightings each account is among the best.

    Equal totals at the last place all count as selected.

    Examples
    --------
    >>> scores = pd.DataFrame({"a": [5, 1, 3], "b": [5, 2, 1]}, index=["best", "low", "mixed"])
    >>> weight_sensitivity(scores, 1, 200, 0).to_dict()
    {'best': 1.0, 'low': 0.0, 'mixed': 0.0}
    """
    if scores.empty or not places:
        return pd.Series(np.nan, index=scores.index, name="selected_share")
    weights = np.random.default_rng(seed).dirichlet(np.ones(scores.shape[1]), draws)
    totals = scores.to_numpy(dtype=float) @ weights.T
    last = np.partition(totals, -places, axis=0)[-places]
    return pd.Series((totals >= last - 1e-9).mean(axis=1), index=scores.index, name="selected_share")


def agree(ratings: pd.DataFrame) -> pd.DataFrame:
    """Agreement of raters by criterion and over all, from every pair of raters of the same account.

    Source: Cohen (1968), weighted kappa with quadratic weights; raters are interchangeable, so each pair counts both
    ways round.
    """
    pairs = ratings.merge(ratings, on=["account_id", "criterion"], suffixes=("", "_other"))
    pairs = pairs[pairs["rater_id"] != pairs["rater_id_other"]]
    rows = [_agreement(name, rows) for name, rows in pairs.groupby("criterion")]
    columns = ["criterion", "pairs", "accounts", "kappa", "mean_gap"]
    return pd.DataFrame([*rows, _agreement("all", pairs)], columns=columns)


def _agreement(name: str, pairs: pd.DataFrame) -> tuple:
    """Each pair stands twice in the rows, once for each order of its raters."""
    count, gap = len(pairs) // 2, (pairs["score"] - pairs["score_other"]).abs().mean()
    kappa = np.nan
    # Half points occur on some scales; kappa needs ordered classes, so scores are rounded to whole points.
    one, other = (pairs[column].round().astype(int) for column in ("score", "score_other"))
    if count >= ENOUGH_PAIRS and one.nunique() > 1:
        kappa = float(cohen_kappa_score(one, other, labels=list(SCALE), weights="quadratic"))
    return name, count, pairs["account_id"].nunique(), kappa, float(gap)
