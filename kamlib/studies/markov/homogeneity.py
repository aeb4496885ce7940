"""Homogeneity of transition counts: did accounts move in the same way in every period?"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import xlogy

from kamlib.errors import RequestError


@dataclass(frozen=True, eq=False)
class Homogeneity:
    """Do several periods share one transition matrix? ``by_state`` has the figures per starting segment.

    ``p_value`` is asymptotic. ``p_value_simulated`` reshuffles the periods within each starting segment: read
    it when ``sparse_share``, the share of cells with fewer than five accounts expected, is not small.
    """

    statistic: float
    dof: int
    p_value: float
    p_value_simulated: float
    sparse_share: float
    by_state: pd.DataFrame


def compare(counts: Sequence[pd.DataFrame], draws: int = 2000, seed: int = 0) -> Homogeneity:
    """Likelihood-ratio test over periods of (K, K) counts, segment before by segment after.

    A segment is tested over the periods that have accounts in it and the ends ever reached from it:
    dof = Σ over segments of (periods − 1) × (ends − 1). Raises ``RequestError`` if no segment has two periods.

    Source: Anderson & Goodman (1957), Statistical inference about Markov chains; Bickenbach & Bode (2003),
    Evaluating the Markov property in studies of economic convergence, for the empty rows.

    >>> before = pd.DataFrame([[40, 20], [10, 30]], index=["A", "B"], columns=["A", "B"])
    >>> compare([before, 2 * before]).dof
    2
    """
    rng, simulated = np.random.default_rng(seed), np.zeros(draws)
    rows, expected = [], []
    for state, table in _tables_by_state(counts).items():
        rows.append((state, float(_likelihood_ratio(table)), (len(table) - 1) * (table.shape[1] - 1)))
        margins = stats.random_table(table.sum(axis=1), table.sum(axis=0))
        if table.shape[1] > 1:  # with one end there is one table; scipy 1.17 draws negative cells for it
            simulated += _likelihood_ratio(margins.rvs(size=draws, random_state=rng))
        expected.append(margins.mean().ravel())
    by_state = pd.DataFrame(rows, columns=["before", "statistic", "dof"]).set_index("before")
    by_state["p_value"] = _chi2_tail(by_state["statistic"], by_state["dof"])
    statistic, dof = float(by_state["statistic"].sum()), int(by_state["dof"].sum())
    # Rounding must not make a table equal to the observed one look less extreme.
    as_extreme = np.count_nonzero(simulated >= statistic - 1e-9 * max(statistic, 1))
    return Homogeneity(
        statistic=statistic,
        dof=dof,
        p_value=float(_chi2_tail(statistic, dof)),
        p_value_simulated=(1 + as_extreme) / (1 + draws),
        sparse_share=float(np.mean(np.concatenate(expected) < 5)),
        by_state=by_state,
    )


def _tables_by_state(counts: Sequence[pd.DataFrame]) -> dict[Hashable, np.ndarray]:
    """(periods, ends) accounts of each segment with accounts in two periods; no empty row or column."""
    states = list(dict.fromkeys(state for frame in counts for state in frame.index))
    frames = [frame.reindex(index=states, columns=states, fill_value=0) for frame in counts]
    tables = {}
    for state in states:
        table = np.stack([frame.loc[state].to_numpy() for frame in frames])
        table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
        if len(table) > 1:
            tables[state] = table
    if not tables:
        raise RequestError("No segment has accounts at the start of two periods; there is nothing to compare.")
    return tables


def _likelihood_ratio(tables: np.ndarray) -> np.ndarray:
    """2 Σ n log(n / expected) of (…, periods, ends) tables."""
    rows, columns, total = tables.sum(axis=-1), tables.sum(axis=-2), tables.sum(axis=(-2, -1))
    margins = xlogy(rows, rows).sum(axis=-1) + xlogy(columns, columns).sum(axis=-1) - xlogy(total, total)
    return np.maximum(2 * (xlogy(tables, tables).sum(axis=(-2, -1)) - margins), 0)


def _chi2_tail(statistic, dof) -> np.ndarray:
    """P(χ² ≥ statistic); with no degree of freedom nothing could have differed, so 1."""
    return np.where(np.asarray(dof) == 0, 1.0, stats.chi2.sf(statistic, np.maximum(dof, 1)))
