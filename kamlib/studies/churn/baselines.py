"""The plain rules that a model has to beat: recency over the account's own gap, and the same season a year ago."""

from __future__ import annotations

import numpy as np

from kamlib.studies.churn.backtest import Candidate, Slice

RECENCY, SEASONAL = "recency over own gap", "same season last year"


def recency_over_gap() -> Candidate:
    """How late the account is: days since the last order over its own usual gap."""
    return Candidate(RECENCY, _lateness)


def _lateness(s: Slice) -> np.ndarray:
    return np.log1p((s.rows["recency_days"] / s.rows["gap_median_days"]).to_numpy())[:, None]


def seasonal_naive() -> Candidate:
    """Whether the account bought in the same days a year ago; where it was no customer yet, nothing is said."""
    return Candidate(SEASONAL, _season)


def _season(s: Slice) -> np.ndarray:
    bought = s.rows["bought_year_ago"].to_numpy()
    return np.column_stack([(bought == 0).astype(float), np.isnan(bought).astype(float)])
