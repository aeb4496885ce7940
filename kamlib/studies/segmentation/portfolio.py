"""The portfolio matrix: how attractive an account is to us against how strong we are in its eyes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.studies.segmentation.ratings import Scorecard

OURS_NOT_THEIRS = ("relation", "strength", "關係")
MIDDLE_SCORE, MIDDLE_STRENGTH = 3.0, 0.5
DEFEND, INVEST, MAINTAIN, ECONOMISE = "defend", "invest", "maintain", "economise"
QUADRANTS = (DEFEND, INVEST, MAINTAIN, ECONOMISE)


def matrix(accounts: pd.DataFrame, card: Scorecard | None, middle_wallet: float = 0.5) -> pd.DataFrame:
    """Where each account stands on the two axes, for the accounts that have both.

    *Attractiveness*, 1 to 5: the mean rating on the criteria that describe the account (those on the relationship
    describe us) and on which raters agree; without ratings, the rank of its annual potential, from 1 to 5.
    *Strength*, 0 to 1: what the customer says of us, the weaker of satisfaction (of 10) and share of wallet, as far as
    it answered; the wallet is stretched so that the declared middle stands at one half. An account that likes us and
    buys elsewhere is not one where we are strong. The lines between the quadrants are the middles of the two scales.

    Parameters
    ----------
    accounts
        satisfaction, wallet_share, annual_potential, margin and revenue by account.
    card
        The scorecard, or ``None``.
    middle_wallet
        The share of wallet at which we are as strong as weak.

    Returns
    -------
    By account: attractiveness, attractiveness_basis (ratings or potential), strength, margin_rate, quadrant (defend:
    attractive and strong; invest: attractive and weak; maintain: strong; economise: neither).
    """
    attractiveness, basis = _attractiveness(accounts, card)
    wallet = np.interp(accounts["wallet_share"], [0, middle_wallet, 1], [0, MIDDLE_STRENGTH, 1])
    wallet = pd.Series(wallet, index=accounts.index).where(accounts["wallet_share"].notna())
    answers = pd.concat([accounts["satisfaction"] / 10, wallet], axis=1)
    frame = pd.DataFrame({"attractiveness": attractiveness, "strength": answers.min(axis=1)}, index=accounts.index)
    frame["attractiveness_basis"] = basis
    frame["margin_rate"] = accounts["margin"] / accounts["revenue"].where(accounts["revenue"] > 0)
    frame = frame.dropna(subset=["attractiveness", "strength"])
    is_attractive, is_strong = frame["attractiveness"] >= MIDDLE_SCORE, frame["strength"] >= MIDDLE_STRENGTH
    choices = [is_attractive & is_strong, is_attractive, is_strong]
    return frame.assign(quadrant=np.select(choices, QUADRANTS[:3], ECONOMISE).astype(object))


def _attractiveness(accounts: pd.DataFrame, card: Scorecard | None) -> tuple[pd.Series, str]:
    theirs = [] if card is None else [c for c in card.criteria if c not in card.disputed and not _is_ours(c)]
    if theirs and len(card.scores):
        return card.scores[theirs].mean(axis=1).reindex(accounts.index), "ratings"
    rank = accounts["annual_potential"].rank(pct=True)
    return 1 + 4 * rank, "potential"


def _is_ours(criterion: str) -> bool:
    return any(word in criterion.lower() for word in OURS_NOT_THEIRS)
