"""Who is a key account, why, and what should change this period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from kamlib.book.periods import Period
from kamlib.book.store import Book
from kamlib.errors import ModelError
from kamlib.studies.classes import FIRM, abc, check_cuts, keep_share, near_cut
from kamlib.studies.concentration import Interval, concentration, intervals, lorenz
from kamlib.studies.ledger import Ledger, read_ledger
from kamlib.studies.segmentation.coverage import cover
from kamlib.studies.segmentation.evidence import read_evidence
from kamlib.studies.segmentation.groups import roll_up
from kamlib.studies.segmentation.loyalty import agreement, loyalty, serialisations
from kamlib.studies.segmentation.markets import Likeness, likeness, markets
from kamlib.studies.segmentation.migration import (
    class_moves,
    crossing,
    keep_record,
    read_said,
    regression_to_mean,
    segment_moves,
)
from kamlib.studies.segmentation.payback import payback
from kamlib.studies.segmentation.portfolio import matrix
from kamlib.studies.segmentation.qualification import qualify
from kamlib.studies.segmentation.ratings import Scorecard, read_ratings, score
from kamlib.studies.segmentation.rfm import SEGMENTS, CutPoints, cut_points, rfm
from kamlib.studies.segmentation.rulebook import managerial, segment_counts
from kamlib.studies.segmentation.selection import DECISIONS, decide, roster
from kamlib.studies.segmentation.stages import STAGES, funnel, lifecycle, relationship
from kamlib.studies.segmentation.standing import Standing, stand
from kamlib.studies.segmentation.tail import Tail, long_tail
from kamlib.studies.segmentation.trend import quarters
from kamlib.studies.segmentation.vip import are_declared, eligible, limits, vip

__all__ = ["Segmentation", "abc", "concentration", "managerial", "measure", "vip"]

STEP_MONTHS = {"week": 1, "month": 1, "quarter": 3, "half": 6, "year": 12}
QUARTERS = 8
TREND_DRAWS, EARLIER_DRAWS = 100, 60
EVIDENCE_TABLES = (
    "contracts",
    "ratings",
    "surveys",
    "opportunities",
    "visits",
    "references",
    "investments",
    "products",
)


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
        ``report``, or ``replay`` of the rule from the day ``earliest``).
    high_rating, one_order_share, vip_declared
        The least high rating and the largest share of one order that are declared; whether the book declares the VIP
        limits itself.
    absent
        Tables that would add evidence and that the book has not.
    accounts
        One row for each account: its standing, evidence, class (``abc``, ``kept_share``, ``is_borderline``,
        ``near_cut``), RFM, ``segment``, loyalty, tests, criteria and gates, ``stage``, moves (``previous``,
        ``cause``), and ``decision`` with its ``reason``; see the modules named after these.
    concentration, margin_concentration
        Gini, Herfindahl and top-20 % share with intervals, of revenue and of margin (empty where unknown).
    lorenz, quarters, share_change, share_change_regular, tail
        The Lorenz curve, eight quarters of concentration, the change of the top share, the same without accounts whose
        size is one order, the long tail.
    classes, groups, rfm, segments, loyalties, stages, decisions
        Accounts, revenue and value by ABC class (of those that bought; any other account is class C); groups of owned
        accounts; by RFM segment, by the firm's own segment (counts only; empty without rules), by loyalty and basis,
        by relationship stage, by decision.
    proxy_agreement
        In what share of the accounts with both the loyalty proxy agrees with the survey, and of how many.
    serialisation
        One row for each closing day: closes_on, the share of accounts that are loyal, first in new products or class
        A, with its ends, of how many, and on what loyalty rests.
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


def measure(
    book: Book,
    period: str = "",
    months: int = 12,
    value: str = "auto",
    cuts: tuple[float, float] | None = None,
    rules=None,
    cap: int | None = None,
    previous: str | Path | pd.DataFrame = "",
    draws: int = 200,
    level: float = 0.90,
    seed: int = 0,
) -> Segmentation:
    """Segment the accounts of a book as of its day, and say what should change.

    Parameters
    ----------
    book
        The book; without an as_of the day of its last order counts.
    period
        The period reported; its length says how far back the comparison lies (a quarter where not given, a month at
        least).
    months
        Length of the trailing window.
    value
        What accounts are worth: ``margin``, ``revenue``, or ``auto`` for margin where the cost is known.
    cuts, cap
        ABC cuts and most key accounts; the book's declared thresholds where not given.
    rules
        The firm's own segmentation for :func:`managerial`; the ``segments`` of ``book.yml`` where not given.
    previous
        The folder of the last report, or its accounts table: classes and key accounts as they were said then. Where
        the accounts of the book have a column ``is_key_account``, that roster says who is a key account.
    draws, level, seed
        Bootstrap samples, probability of the intervals, and where the random numbers start.

    Raises
    ------
    RequestError
        When a parameter is not possible, or the book has neither a day nor an order.

    Examples
    --------
    >>> result = measure(open_book("data/sample", as_of="2026-09-30"), period="2026-Q3")  # doctest: +SKIP
    >>> result.accounts.loc[result.accounts.decision == "promote", ["name", "reason"]]  # doctest: +SKIP
    """
    step = STEP_MONTHS[Period.parse(period).kind] if period else STEP_MONTHS["quarter"]
    cuts = check_cuts(book.settings.value("abc_cuts") if cuts is None else cuts)
    limit = int(book.settings.value("key_account_cap") if cap is None else cap)
    ledger = read_ledger(book, max(36, 2 * months, 3 * QUARTERS) + 2 * step)
    now, then, earlier = standings = _standings(ledger, step, months, value)
    said = read_said(previous, now.basis, then.as_of)
    card, ratings = _judged(book, limit, seed)
    days = _described(book, standings, cuts, ratings)
    days[1] = days[1].join(_firmness(then, cuts, min(draws, EARLIER_DRAWS), seed))
    accounts = days[0].join(_firmness(now, cuts, draws, seed))
    accounts = accounts.join(_moves(book, now, then, cuts, said)).join(_segment(book, now, rules))
    accounts = accounts.join(lifecycle(book, accounts).drop(columns="lifecycle"))
    accounts["stage"] = relationship(accounts, book.settings)
    was_key, told_by = roster(accounts, said)
    accounts = accounts.join(decide(accounts, *days[1:], limit, was_key))
    buyers = accounts[accounts["has_bought"]]
    trend, change = quarters(ledger, QUARTERS, min(draws, TREND_DRAWS), level, seed)
    own = list(book.settings.segments) if rules is None else rules
    by_rfm = (accounts["rfm_previous"], accounts["rfm_segment"])
    one_order = book.settings.value("one_order_share")
    is_regular = ~(accounts["largest_order_share"] > one_order)
    return Segmentation(
        as_of=now.as_of,
        starts_on=now.starts_on,
        then=then.as_of,
        step_months=step,
        months=months,
        cuts=cuts,
        cap=limit,
        vip_limits=limits(book.settings),
        level=level,
        draws=draws,
        value=value,
        basis=now.basis,
        points=cut_points(book.settings, now.buyers["revenue"], months),
        cost_known_share=now.cost_known_share,
        covered_months=now.covered_months,
        covered_then=then.covered_months,
        undated=now.undated,
        has_said=said is not None,
        has_officials=bool(now.accounts["is_official"].notna().any()),
        roster=told_by,
        earliest=earlier.as_of,
        high_rating=book.settings.value("high_rating"),
        one_order_share=one_order,
        vip_declared=are_declared(book.settings),
        absent=tuple(name for name in EVIDENCE_TABLES if name not in book.tables),
        accounts=accounts,
        concentration=intervals(buyers["revenue"], draws, level, seed),
        margin_concentration=_of_margin(buyers, draws, level, seed),
        lorenz=lorenz(buyers["revenue"]),
        quarters=trend,
        share_change=change,
        share_change_regular=quarters(ledger, QUARTERS, 0, level, seed, is_regular)[1].value,
        tail=long_tail(buyers, level),
        classes=_summary(buyers, "abc", ["A", "B", "C"]),
        groups=roll_up(accounts, cuts),
        rfm=_summary(accounts, "rfm_segment", list(SEGMENTS)),
        segments=segment_counts(accounts["segment"], own) if len(own) else pd.DataFrame(),
        loyalties=accounts.groupby(["loyalty", "loyalty_basis"]).size().rename("accounts").reset_index(),
        proxy_agreement=agreement(accounts),
        serialisation=serialisations({standing.as_of: day for standing, day in zip(standings, days, strict=True)}),
        card=card,
        matrix=matrix(accounts, card, book.settings.value("loyal_wallet_share")),
        payback=payback(book, now),
        vip=eligible(book, ledger.closing(step), accounts),
        lifecycle=_counts(accounts, ["lifecycle", "lifecycle_by_deeds"]),
        stages=_summary(accounts, "stage", list(STAGES)),
        funnel=funnel(book, now.starts_on),
        record=keep_record(accounts, days[1] if said is None else said),
        crossing=crossing(accounts),
        rfm_crossing=pd.crosstab(*by_rfm).reindex(index=list(SEGMENTS), columns=list(SEGMENTS), fill_value=0),
        regression=regression_to_mean(accounts[is_regular], cuts, level),
        decisions=_summary(accounts[accounts["decision"] != ""], "decision", list(DECISIONS)),
        markets=markets(accounts, "industry" if accounts["industry"].notna().any() else "region"),
        likeness=_likeness(accounts, seed),
        coverage=cover(book, accounts, now.starts_on),
        is_part=bool(book.scope),
        last_order=_last_order(now),
        unplaced=ledger.unplaced,
    )


def _standings(ledger: Ledger, step: int, months: int, value: str) -> list[Standing]:
    """The accounts now, one period ago and two periods ago, all valued alike."""
    backs = (0, step, 2 * step)
    found = [stand(ledger, back, months, value) for back in backs]
    if len({standing.basis for standing in found}) > 1:
        found = [stand(ledger, back, months, "revenue") for back in backs]
    return found


def _judged(book: Book, limit: int, seed: int) -> tuple[Scorecard | None, pd.DataFrame | None]:
    """The scorecard, and the ratings on criteria that are not disputed."""
    ratings = read_ratings(book)
    card = score(ratings, limit, seed=seed)
    return card, ratings if card is None else ratings[~ratings["criterion"].isin(card.disputed)]


def _described(
    book: Book, standings: list[Standing], cuts: tuple[float, float], ratings: pd.DataFrame | None
) -> list[pd.DataFrame]:
    """The accounts of each day with their evidence, class, loyalty, and whether they qualify."""
    windows = [(standing.starts_on, standing.as_of) for standing in standings]
    evidence = read_evidence(book, windows, standings[0].accounts.index, ratings)
    days = []
    for standing, known in zip(standings, evidence, strict=True):
        accounts = standing.accounts.join(known)
        accounts["abc"] = abc(accounts["value"], cuts)
        accounts["near_cut"] = near_cut(accounts["value"], cuts)
        accounts = accounts.join(loyalty(accounts, book.settings)).join(qualify(accounts, book.settings))
        days.append(accounts.assign(is_official=accounts["is_official"].fillna(False).astype(bool)))
    return days


def _firmness(now: Standing, cuts: tuple[float, float], draws: int, seed: int) -> pd.DataFrame:
    kept = keep_share(now.by_month, cuts, draws, seed)
    return pd.DataFrame({"kept_share": kept, "is_borderline": kept < FIRM}, index=now.accounts.index)


def _moves(book: Book, now: Standing, then: Standing, cuts: tuple[float, float], said) -> pd.DataFrame:
    """RFM of each account, and its class and segment before with the cause of each change."""
    old, new = (cut_points(book.settings, s.buyers["revenue"], s.months) for s in (then, now))
    had_ordered = then.accounts.loc[then.accounts["orders_ever"] > 0, "value"]
    by_class = class_moves(had_ordered, now.accounts["value"], cuts, said).drop(columns="abc")
    by_class["value_before"] = then.accounts["value"].reindex(by_class.index)
    return rfm(now.accounts, new).join(by_class).join(segment_moves(then.accounts, now.accounts, old, new))


def _segment(book: Book, now: Standing, rules) -> pd.DataFrame:
    """The firm's own segment; the RFM segment where it declares none."""
    own, accounts = list(book.settings.segments) if rules is None else rules, now.accounts
    if not len(own):
        points = cut_points(book.settings, now.buyers["revenue"], now.months)
        return rfm(accounts, points)[["rfm_segment"]].rename(columns={"rfm_segment": "segment"})
    columns = ("recency_days", "orders_ever", "mean_spend", "first_purchase_days")
    return managerial(*(accounts[name] for name in columns), own).to_frame("segment")


def _of_margin(buyers: pd.DataFrame, draws: int, level: float, seed: int) -> dict[str, Interval]:
    if buyers["margin"].isna().any() or buyers.empty:
        return {}
    return intervals(buyers["margin"], draws, level, seed)


def _likeness(accounts: pd.DataFrame, seed: int) -> Likeness | None:
    try:
        return likeness(accounts, seed)
    except ModelError:
        return None


def _summary(accounts: pd.DataFrame, by: str, named: list[str]) -> pd.DataFrame:
    """Accounts, revenue and value by segment with their shares, in the order given, segments without accounts too."""
    sums = accounts.groupby(by).agg(accounts=("value", "size"), revenue=("revenue", "sum"), value=("value", "sum"))
    sums = sums.reindex(named, fill_value=0).rename_axis(by).reset_index()
    for column, share in (("revenue", "share_of_revenue"), ("value", "value_share")):
        total = sums[column].sum()
        sums[share] = sums[column] / total if total > 0 else np.nan
    return sums


def _counts(accounts: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    return accounts.groupby(by, dropna=False).size().rename("accounts").reset_index()


def _last_order(now: Standing) -> date | None:
    recency = now.accounts["recency_days"].min()
    return None if pd.isna(recency) else (pd.Timestamp(now.as_of) - pd.Timedelta(days=recency)).date()
