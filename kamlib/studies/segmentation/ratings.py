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
KEY = ["account_id", "rater_id", "criterion"]
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


def read_ratings(book: Book) -> pd.DataFrame | None:
    """The ratings of a book, the oldest first; ``None`` where it has none.

    Identifiers and criteria are categories: there are many rows of them, and each is compared many times.
    """
    if "ratings" not in book.tables:
        return None
    rows = book.table("ratings", *KEY, "rated_on", "score").to_pyarrow()
    for name in KEY:
        rows = rows.set_column(rows.column_names.index(name), name, rows[name].combine_chunks().dictionary_encode())
    frame = rows.to_pandas(date_as_object=False).sort_values("rated_on", ignore_index=True)
    for name in KEY:
        names = frame[name].cat
        frame[name] = names.reorder_categories(sorted(names.categories))
    return frame.astype({"rated_on": "datetime64[s]"})


def score(ratings: pd.DataFrame | None, places: int, draws: int = 1000, seed: int = 0) -> Scorecard | None:
    """The scorecard of a book as of its day; ``None`` where nothing is rated.

    Parameters
    ----------
    ratings
        What :func:`read_ratings` found.
    places
        How many accounts are to be selected; no more than half of the rated ones, so that there is something to
        choose.
    draws, seed
        Weightings drawn evenly over all that add up to one (Dirichlet with every parameter 1).
    """
    if ratings is None or ratings.empty:
        return None
    ratings = latest_ratings(ratings).astype({"criterion": "str"})
    counts = ratings["criterion"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    criteria, left_out = tuple(counts.index[:MOST_CRITERIA]), tuple(counts.index[MOST_CRITERIA:])
    used = ratings[ratings["criterion"].isin(criteria)] if left_out else ratings
    table = used.groupby(["account_id", "criterion"])["score"].mean().unstack()[list(criteria)].dropna()
    raters = used.groupby("account_id")["rater_id"].nunique().reindex(table.index)
    table.index = raters.index = table.index.astype("str")
    places = max(1, min(places, len(table) // 2)) if len(table) else 0
    share = weight_sensitivity(table, places, draws, seed)
    agreement = agree(used)
    doubted = disputed(ratings) if left_out else _disputed(agreement)
    return Scorecard(criteria, left_out, table, raters, agreement, share, places, doubted)


def latest_ratings(ratings: pd.DataFrame) -> pd.DataFrame:
    """The latest score each rater gave an account on each criterion."""
    is_ordered = ratings["rated_on"].is_monotonic_increasing
    ordered = ratings if is_ordered else ratings.sort_values("rated_on", kind="stable")
    numbers = [pd.factorize(ordered[name])[0] for name in KEY]
    shape = [places.max(initial=0) + 1 for places in numbers]
    key = pd.Series(np.ravel_multi_index(numbers, shape))
    return ordered[~key.duplicated(keep="last").to_numpy()]


def disputed(ratings: pd.DataFrame) -> tuple[str, ...]:
    """The criteria on which raters agree less than :data:`LEAST_KAPPA`; none where that cannot be told.

    Examples
    --------
    >>> scores = [1, 2, 3, 4, 5] * 5
    >>> rows = pd.DataFrame({"account_id": range(25), "criterion": "growth", "score": scores, "rated_on": 0})
    >>> disputed(pd.concat([rows.assign(rater_id="a"), rows.assign(rater_id="b", score=scores[::-1])]))
    ('growth',)
    """
    return _disputed(agree(latest_ratings(ratings)))


def _disputed(agreement: pd.DataFrame) -> tuple[str, ...]:
    found = agreement.iloc[:-1]
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
    points, selected = np.ascontiguousarray(scores.to_numpy(dtype=float).T), np.zeros(len(scores))
    for weight in weights:  # one by one: all at once do not fit the cache
        totals = weight @ points
        selected += totals >= np.partition(totals, -places)[-places] - 1e-9
    return pd.Series(selected / draws, index=scores.index, name="selected_share")


def agree(ratings: pd.DataFrame) -> pd.DataFrame:
    """Agreement of raters by criterion and over all, from every pair of raters of the same account.

    Source: Cohen (1968), weighted kappa with quadratic weights; raters are interchangeable, so each pair counts both
    ways round.
    """
    ratings = ratings[[*KEY, "score"]]
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
        # Equal pairs are counted first; the score takes each of its arguments apart label by label.
        alike = pd.DataFrame({"one": one, "other": other}).value_counts(sort=False)
        one, other = (alike.index.get_level_values(place) for place in (0, 1))
        kappa = float(
            cohen_kappa_score(one, other, labels=list(SCALE), weights="quadratic", sample_weight=alike.to_numpy())
        )
    return name, count, pairs["account_id"].nunique(), kappa, float(gap)
