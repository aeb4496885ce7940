"""What the segmentation study found: one frozen record of frames and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd

from kamlib.studies.concentration import Interval
from kamlib.studies.segmentation.markets import Likeness
from kamlib.studies.segmentation.ratings import Scorecard
from kamlib.studies.segmentation.rfm import CutPoints
from kamlib.studies.segmentation.tail import Tail


@dataclass(frozen=True)
class Segmentation:
    """What the segmentation study measured; money is in the book's currency.

    Attributes
    ----------
    as_of, starts_on, then, step_months
        The closing day, the first day of the window, the closing day a period before, and the months between the two.
    months, cuts, cap, vip_limits, level, draws
        Window in months, ABC cuts, most key accounts there may be, least single purchase and month of a VIP,
        probability of all intervals, bootstrap samples.
    value, basis, cost_known_share
        What value was asked for (auto, margin, revenue), what it means, and the share of the window's revenue whose
        cost is known.
    points
        The RFM cut points.
    covered_months, covered_then
        Months of the window that the book covers, now and a period before: fewer than ``months`` where its first order
        lies inside the window.
    undated
        Accounts left out since the account list bears no dates and they have no order line by then.
    has_said, has_officials, roster, earliest
        Whether a last report of the same day and basis was given (without one the earlier day is recomputed); whether
        the book records which accounts are public offices; where it comes from who was a key account (``book``,
        ``report``, ``replay`` of the rule from the day ``earliest``, or ``inherited`` from a report that replayed it).
    high_rating, influence_share, one_order_share, vip_declared
        The least high rating, the least share of value that counts as influence and the largest share of one order
        that are declared; whether the book declares the VIP limits itself.
    absent
        Tables that would add evidence and that the book has not.
    accounts
        One row for each account: its standing, evidence, class (``abc``, ``kept_share``, ``is_borderline``,
        ``near_cut``), RFM, ``segment``, loyalty, tests, criteria and gates, ``stage``, ``is_silent``, moves
        (``previous``, ``cause``), and ``decision`` with its ``reason``; see the modules named after these.
    concentration, margin_concentration
        Gini, Herfindahl and top-20 % share with intervals, of revenue and of margin (empty where unknown or none).
    lorenz, quarters, share_change, share_change_regular, tail
        The Lorenz curve, eight quarters of concentration, the change of the top share, the same without accounts whose
        size is one order, the long tail.
    classes, groups, rfm, segments, loyalties, stages, decisions
        Accounts, revenue and value by ABC class (of those that bought; any other account is class C); groups of owned
        accounts; by RFM segment, by the firm's own segment (counts only; empty without rules), by loyalty and basis,
        by relationship stage (silent accounts by themselves), by decision.
    proxy_agreement
        In what share of the accounts with both the loyalty proxy agrees with the survey, and of how many.
    serialisation
        One row for each closing day whose window is as long as today's: closes_on, the share of accounts that are
        loyal, first in new products or class A, with its ends, of how many, and on what loyalty rests.
    card, matrix, payback, vip
        The scorecard (``None`` without ratings), the portfolio matrix, investments against returns, VIP rows.
    lifecycle, funnel
        Accounts by recorded stage and by deeds; opportunities of the window.
    record
        How the classes said a period before held: firmness (firm, borderline), accounts, kept.
    crossing, rfm_crossing, regression
        Accounts by class before and now; by RFM segment before and now; regression to the mean.
    markets, likeness
        Accounts by industry (by region, where no industry is known); how much each looks like a key account
        (``None`` with too few key accounts of known potential).
    coverage
        One row for each manager: key and small accounts, and hours on them.
    is_part
        Whether the book was opened within a scope, so that classes are made among a part of the accounts.
    last_order, unplaced
        Day of the last order, and revenue of lines whose account the book does not show.
    """

    as_of: date
    starts_on: date
    then: date
    step_months: int
    months: int
    cuts: tuple[float, float]
    cap: int
    vip_limits: tuple[float, float]
    level: float
    draws: int
    value: str
    basis: str
    points: CutPoints
    cost_known_share: float
    covered_months: int
    covered_then: int
    undated: int
    has_said: bool
    has_officials: bool
    roster: str
    earliest: date
    high_rating: float
    influence_share: float
    one_order_share: float
    vip_declared: bool
    absent: tuple[str, ...]
    accounts: pd.DataFrame
    concentration: Mapping[str, Interval]
    margin_concentration: Mapping[str, Interval]
    lorenz: pd.DataFrame
    quarters: pd.DataFrame
    share_change: Interval
    share_change_regular: float
    tail: Tail
    classes: pd.DataFrame
    groups: pd.DataFrame
    rfm: pd.DataFrame
    segments: pd.DataFrame
    loyalties: pd.DataFrame
    proxy_agreement: tuple[float, int]
    serialisation: pd.DataFrame
    card: Scorecard | None
    matrix: pd.DataFrame
    payback: pd.DataFrame
    vip: pd.DataFrame
    lifecycle: pd.DataFrame
    stages: pd.DataFrame
    funnel: pd.DataFrame
    record: pd.DataFrame
    crossing: pd.DataFrame
    rfm_crossing: pd.DataFrame
    regression: pd.DataFrame
    decisions: pd.DataFrame
    markets: pd.DataFrame
    likeness: Likeness | None
    coverage: pd.DataFrame
    is_part: bool
    last_order: date | None
    unplaced: float
