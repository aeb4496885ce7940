"""What lies outside the top fifth, and what the firm loses if it thins out or if its largest accounts go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from kamlib.studies.concentration import TOP_SHARE

LOST_SHARES = (0.10, 0.25, 0.50)
LARGEST = (1, 3, 5, 10)


@dataclass(frozen=True)
class Tail:
    """The long tail: accounts outside the top fifth by revenue, of those that bought.

    Attributes
    ----------
    accounts, revenue, revenue_share
        How many they are, what they bought, and its share of all revenue.
    margin_share
        Their share of the margin; missing where no cost is known or no margin was earned.
    revenue_before, top_revenue_before
        What the same accounts, and the top ones, bought in the window before.
    thinning
        One row for each share of tail accounts lost at random: lost_share, revenue_lost, its ends (over which accounts
        they are, their number being fixed), share_of_revenue, and how many of the largest accounts it takes to bring
        as much (as_many_largest).
    largest
        One row for each number of largest accounts lost: accounts, revenue_lost, share_of_revenue.
    """

    accounts: int
    revenue: float
    revenue_share: float
    margin_share: float
    revenue_before: float
    top_revenue_before: float
    thinning: pd.DataFrame
    largest: pd.DataFrame


def long_tail(buyers: pd.DataFrame, level: float) -> Tail:
    """The long tail of the accounts that bought in the window.

    Parameters
    ----------
    buyers
        revenue, margin and revenue_before by account.
    level
        Probability of the interval of what thinning costs.

    Notes
    -----
    A share p of the n tail accounts is lost, any p n of them alike (drawn without replacement): the loss has mean
    p Σ xᵢ and variance p (1 − p) n / (n − 1) Σ (xᵢ − x̄)².
    """
    ranked = buyers.sort_values(["revenue"], ascending=False, kind="stable")
    top = max(1, round(TOP_SHARE * len(ranked))) if len(ranked) else 0
    rest, total = ranked.iloc[top:], ranked["revenue"].clip(lower=0).sum()
    amounts = rest["revenue"].clip(lower=0)
    margin = ranked["margin"].sum() if ranked["margin"].notna().all() and len(ranked) else np.nan
    return Tail(
        accounts=len(rest),
        revenue=float(rest["revenue"].sum()),
        revenue_share=float(amounts.sum() / total) if total > 0 else np.nan,
        margin_share=float(rest["margin"].sum() / margin) if margin > 0 else np.nan,
        revenue_before=float(rest["revenue_before"].sum()),
        top_revenue_before=float(ranked["revenue_before"].iloc[:top].sum()),
        thinning=_thinning(amounts.to_numpy(), ranked["revenue"].clip(lower=0).to_numpy(), level),
        largest=_largest(ranked["revenue"].clip(lower=0).to_numpy()),
    )


def _thinning(tail: np.ndarray, descending: np.ndarray, level: float) -> pd.DataFrame:
    total, lost = descending.sum(), np.array(LOST_SHARES)
    mean = lost * tail.sum()
    spread = len(tail) * tail.var(ddof=1) if len(tail) > 1 else 0.0
    half = norm.ppf((1 + level) / 2) * np.sqrt(lost * (1 - lost) * spread)
    frame = pd.DataFrame({"lost_share": lost, "revenue_lost": mean})
    frame["revenue_lost_lower"], frame["revenue_lost_upper"] = np.clip(mean - half, 0, None), mean + half
    frame["share_of_revenue"] = mean / total if total > 0 else np.nan
    frame["as_many_largest"] = np.searchsorted(np.cumsum(descending), mean) + 1 if total > 0 else 0
    return frame


def _largest(descending: np.ndarray) -> pd.DataFrame:
    counts = [count for count in LARGEST if count <= len(descending)]
    lost = [float(descending[:count].sum()) for count in counts]
    frame = pd.DataFrame({"accounts": pd.Series(counts, dtype="int64"), "revenue_lost": pd.Series(lost, dtype=float)})
    total = descending.sum()
    return frame.assign(share_of_revenue=frame["revenue_lost"] / total if total > 0 else np.nan)
