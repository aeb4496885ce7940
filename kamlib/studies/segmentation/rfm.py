"""Recency, frequency and money in fixed steps, and a rule book that is total and monotone by construction.

The cut points are declared and stay put between runs: quintiles cut again at each run make accounts move that did
not change. Frequency is active months, since a key account that orders daily is not thirty times one that orders
monthly. Each score runs from 1 (worst) to 5 (best).

The rule book is a list from the best segment to the worst of least scores for recency, frequency and money. An
account belongs to the first segment whose three it reaches. So every account gets exactly one (the last asks for
1, 1, 1), and a better score can never give a worse segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from kamlib.errors import RequestError

NO_ORDER = "no order yet"


class Step(NamedTuple):
    """One segment of the rule book and the least scores it asks for."""

    segment: str
    recency: int
    frequency: int
    money: int


RULE_BOOK = (
    Step("champion", 4, 4, 4),
    Step("strong", 3, 3, 4),
    Step("steady", 3, 3, 1),
    Step("slipping", 2, 3, 3),
    Step("occasional", 3, 1, 1),
    Step("fading", 2, 1, 1),
    Step("dormant", 1, 1, 1),
)
SEGMENTS = (*(step.segment for step in RULE_BOOK), NO_ORDER)


class CutPoints(NamedTuple):
    """Where the scores change: four ascending points each, in days, active months and money."""

    recency_days: tuple[float, ...]
    active_months: tuple[float, ...]
    money: tuple[float, ...]


def cut_points(settings, revenue: pd.Series, months: int = 12) -> CutPoints:
    """The declared cut points of a book, money as multiples of the mean buyer.

    Parameters
    ----------
    settings
        The book's settings, with the thresholds rfm_recency_days, rfm_active_months (of twelve) and
        rfm_money_multiples.
    revenue
        Revenue of each buyer in the window; the multiples are of their mean.
    months
        Length of the window; the active months asked for are in proportion.
    """
    mean = float(revenue.mean()) if len(revenue) else np.nan
    base = mean if mean > 0 else 1.0
    active = tuple(point * months / 12 for point in settings.value("rfm_active_months"))
    money = tuple(multiple * base for multiple in settings.value("rfm_money_multiples"))
    return CutPoints(tuple(settings.value("rfm_recency_days")), active, money)


def rfm(accounts: pd.DataFrame, points: CutPoints, book: Sequence[Step] = RULE_BOOK) -> pd.DataFrame:
    """Scores and segment of each account.

    Parameters
    ----------
    accounts
        recency_days (missing without an order), active_months and revenue, by account.
    points, book
        The cut points and the rule book.

    Returns
    -------
    A frame with recency_score, frequency_score, money_score (missing without an order) and rfm_segment.

    Raises
    ------
    RequestError
        When the rule book is not total.

    Examples
    --------
    >>> points = CutPoints((30, 60, 120, 240), (2, 4, 7, 10), (10, 30, 100, 300))
    >>> one = pd.DataFrame({"recency_days": [10], "active_months": [9], "revenue": [150.0]})
    >>> rfm(one, points).astype(str).iloc[0].tolist()
    ['5', '4', '4', 'champion']
    """
    triple, has_none = _scores(accounts, points), accounts["recency_days"].isna().to_numpy()
    names = ("recency_score", "frequency_score", "money_score")
    columns = {name: pd.arrays.IntegerArray(score, has_none) for name, score in zip(names, triple, strict=True)}
    segment = np.where(has_none, NO_ORDER, segments(*triple, book))
    return pd.DataFrame({**columns, "rfm_segment": segment}, index=accounts.index)


def places(accounts: pd.DataFrame, points: CutPoints, book: Sequence[Step] = RULE_BOOK) -> np.ndarray:
    """The place in the rule book of each account's segment; one beyond the last without an order."""
    return np.where(accounts["recency_days"].isna(), len(book), _places(*_scores(accounts, points), book))


def _scores(accounts: pd.DataFrame, points: CutPoints) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    recency = 5 - np.searchsorted(points.recency_days, accounts["recency_days"], side="left")
    frequency = 1 + np.searchsorted(points.active_months, accounts["active_months"], side="right")
    money = 1 + np.searchsorted(points.money, accounts["revenue"], side="right")
    return recency, frequency, money


def segments(recency, frequency, money, book: Sequence[Step] = RULE_BOOK) -> np.ndarray:
    """The segment of each triple of scores; RequestError when the rule book leaves a triple without one."""
    return np.array([step.segment for step in book])[_places(recency, frequency, money, book)]


def _places(recency, frequency, money, book: Sequence[Step]) -> np.ndarray:
    if not book or tuple(book[-1][1:]) != (1, 1, 1):
        raise RequestError("the last segment of an RFM rule book must ask for 1, 1, 1, so that it takes every account")
    reached = [(recency >= s.recency) & (frequency >= s.frequency) & (money >= s.money) for s in book]
    return np.argmax(reached, axis=0)
