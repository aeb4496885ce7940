"""Concentration quarter by quarter, and whether it changed from the first half of the quarters to the second."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.studies.concentration import Concentration, Interval, concentration, paired
from kamlib.studies.ledger import Ledger

MONTHS_A_QUARTER = 3


def quarters(
    ledger: Ledger, count: int, draws: int, level: float, seed: int, counted: pd.Series | None = None
) -> tuple[pd.DataFrame, Interval]:
    """Concentration of revenue over the accounts that bought in each quarter, with paired bootstrap intervals.

    Parameters
    ----------
    ledger
        The ledger; its months must cover the quarters.
    count
        How many quarters, the last one closing with the ledger.
    draws, level, seed
        Bootstrap samples, the probability of the intervals, and where the random numbers start.
    counted
        Flags by account: those to count; all where not given.

    Returns
    -------
    A frame with one row a quarter, oldest first: closes_on, accounts, revenue, and gini, herfindahl and top20_share
    with their ends ``_lower`` and ``_upper``; and the change of the top-20 % share from the mean of the older half of
    the quarters to the mean of the newer half. Quarters before the first order of the book are left out, and so is
    the quarter it fell in, unless that was in its first month.
    """
    amounts = _by_quarter(ledger, count)
    if counted is not None:
        amounts = amounts[counted.reindex(ledger.accounts.index, fill_value=False).to_numpy(dtype=bool)]
    closes = [ledger.closing(MONTHS_A_QUARTER * back) for back in range(amounts.shape[1] - 1, -1, -1)]
    rows = [concentration(column[np.isfinite(column)]) for column in amounts.T]
    frame = pd.DataFrame(rows, columns=list(Concentration._fields))
    frame.insert(0, "closes_on", pd.to_datetime(closes).astype("datetime64[s]"))
    frame.insert(1, "accounts", np.isfinite(amounts).sum(axis=0))
    frame.insert(2, "revenue", np.nansum(amounts, axis=0))
    sampled = paired(amounts, draws if len(amounts) > 1 else 0, seed)
    for place, name in enumerate(Concentration._fields):
        ends = _ends(sampled[:, :, place], level)
        frame[f"{name}_lower"], frame[f"{name}_upper"] = ends
    return frame, _change(frame["top20_share"].to_numpy(), sampled[:, :, 2], level)


def _by_quarter(ledger: Ledger, count: int) -> np.ndarray:
    """(accounts, quarters) revenue, missing where an account bought nothing; from the first quarter the book covers."""
    months = ledger.revenue[:, 1:][:, -MONTHS_A_QUARTER * count :]
    shaped = months.reshape(len(months), count, MONTHS_A_QUARTER)
    amounts = np.where((shaped != 0).any(axis=2), shaped.sum(axis=2), np.nan)
    filled = np.flatnonzero(ledger.orders.any(axis=0))
    earliest = ledger.months + 1 - MONTHS_A_QUARTER * count
    first = -(-max(int(filled[0]) - earliest, 0) // MONTHS_A_QUARTER) if len(filled) else count
    return amounts[:, first:]


def _ends(sampled: np.ndarray, level: float) -> np.ndarray:
    """Lower and upper ends by column; missing where nothing could be drawn."""
    ends = np.full((2, sampled.shape[1]), np.nan)
    is_drawn = np.isfinite(sampled).any(axis=0) if len(sampled) else np.zeros(sampled.shape[1], dtype=bool)
    if is_drawn.any():
        ends[:, is_drawn] = np.nanquantile(sampled[:, is_drawn], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return ends


def _change(shares: np.ndarray, sampled: np.ndarray, level: float) -> Interval:
    half = len(shares) // 2
    if not half:
        return Interval(np.nan, np.nan, np.nan, level)
    change = shares[-half:].mean() - shares[:half].mean()
    drawn = sampled[:, -half:].mean(axis=1) - sampled[:, :half].mean(axis=1)
    (lower,), (upper,) = _ends(drawn[:, None], level)
    return Interval(float(change), float(lower), float(upper), level)
