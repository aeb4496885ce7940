"""Who is a key account, why, and what should change this period."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from kamlib.book.periods import Period
from kamlib.book.settings import Settings
from kamlib.book.store import Book
from kamlib.errors import ModelError
from kamlib.studies.classes import FIRM, LETTERS, abc, check_cuts, keep_share, near_cut
from kamlib.studies.concentration import Interval, concentration, intervals, lorenz
from kamlib.studies.ledger import read_ledger
from kamlib.studies.segmentation.coverage import cover
from kamlib.studies.segmentation.evidence import evidence, read_facts
from kamlib.studies.segmentation.groups import roll_up
from kamlib.studies.segmentation.loyalty import agreement, loyalty, serialisations
from kamlib.studies.segmentation.markets import Likeness, likeness, markets
from kamlib.studies.segmentation.migration import (
    crossing,
    keep_record,
    moves,
    read_said,
    regression_to_mean,
)
from kamlib.studies.segmentation.payback import payback
from kamlib.studies.segmentation.portfolio import matrix
from kamlib.studies.segmentation.qualification import qualify
from kamlib.studies.segmentation.ratings import Scorecard, read_ratings, score
from kamlib.studies.segmentation.result import Segmentation
from kamlib.studies.segmentation.rfm import SEGMENTS, cut_points
from kamlib.studies.segmentation.rulebook import managerial, segment_counts
from kamlib.studies.segmentation.selection import DECISIONS, decide, roster
from kamlib.studies.segmentation.stages import SILENT, STAGES, funnel, is_silent, lifecycle, relationship
from kamlib.studies.segmentation.standing import COST_KNOWN, Standing, standings
from kamlib.studies.segmentation.tail import long_tail
from kamlib.studies.segmentation.trend import quarters
from kamlib.studies.segmentation.vip import are_declared, limits, named, vip, vip_since

__all__ = ["Segmentation", "abc", "concentration", "managerial", "measure", "vip"]

STEP_MONTHS = {"week": 1, "month": 1, "quarter": 3, "half": 6, "year": 12}
QUARTERS = 8
TREND_DRAWS, EARLIER_DRAWS = 100, 60
MEASURED = ["value_earlier", "value", "revenue_before", "revenue"]
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


def measure(
    book: Book,
    period: str = "",
    months: int = 12,
    value: str = "auto",
    cuts: tuple[float, float] | None = None,
    rules=None,
    cap: int | None = None,
    previous: str | Path | pd.DataFrame = "",
    is_roster_accepted: bool = False,
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
    is_roster_accepted
        Whether somebody has gone through the key accounts of a last report whose roster was replayed, and stands by it.
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
    # The engine reads on, and samples are drawn, while the answers that are there are worked on.
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as drawer:
        rated = reader.submit(read_ratings, book)
        now, then, earlier = days_stood = standings(ledger, step, months, value)
        said = read_said(previous, now.basis, then.as_of)
        windows = [(stood.starts_on, stood.as_of) for stood in days_stood]
        facts = reader.submit(read_facts, book, windows)
        since = reader.submit(vip_since, book, then.as_of + timedelta(days=1))
        drawn = drawer.submit(_firmness, now, cuts, draws, seed)
        drawn_then = drawer.submit(_firmness, then, cuts, min(draws, EARLIER_DRAWS), seed)
        drawn_trend = drawer.submit(quarters, ledger, QUARTERS, min(draws, TREND_DRAWS), level, seed)
        card, ratings = _judged(rated.result(), limit, seed)
        known = evidence(facts.result(), windows, now.accounts.index, ratings)
        days = [_described(book.settings, *day, cuts) for day in zip(days_stood, known, strict=True)]
        eligible, (trend, change) = since.result(), drawn_trend.result()
        firmness = drawn.result(), drawn_then.result()
    days[1], accounts = days[1].join(firmness[1]), days[0].join(firmness[0])
    accounts = accounts.join(moves(book.settings, then, now, cuts, said))
    own = list(book.settings.segments) if rules is None else rules
    accounts["segment"] = _own_segment(accounts, own) if len(own) else accounts["rfm_segment"]
    accounts = accounts.join(lifecycle(book, accounts).drop(columns="lifecycle"))
    accounts["stage"] = relationship(accounts, book.settings)
    accounts["is_silent"] = is_silent(accounts)
    was_key, told_by = roster(accounts, said, is_roster_accepted)
    accounts = accounts.join(decide(accounts, *days[1:], limit, was_key))
    buyers = accounts.loc[accounts["has_bought"], ["revenue", "revenue_before", "margin", "value", "abc"]]
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
        points=cut_points(book.settings, now.spent, months),
        cost_known_share=now.cost_known_share,
        covered_months=now.covered_months,
        covered_then=then.covered_months,
        undated=now.undated,
        has_said=said is not None,
        has_officials=bool(now.accounts["is_official"].notna().any()),
        roster=told_by,
        earliest=earlier.as_of,
        high_rating=book.settings.value("high_rating"),
        influence_share=book.settings.value("influence_share"),
        one_order_share=one_order,
        vip_declared=are_declared(book.settings),
        absent=tuple(name for name in EVIDENCE_TABLES if name not in book.tables),
        accounts=accounts,
        concentration=intervals(buyers["revenue"], draws, level, seed),
        margin_concentration=_of_margin(buyers, now.cost_known_share, draws, level, seed),
        lorenz=lorenz(buyers["revenue"]),
        quarters=trend,
        share_change=change,
        share_change_regular=quarters(ledger, QUARTERS, 0, level, seed, is_regular)[1].value,
        tail=long_tail(buyers, level),
        classes=_summary(buyers, "abc", LETTERS),
        groups=roll_up(accounts, cuts),
        rfm=_summary(accounts, "rfm_segment", SEGMENTS),
        segments=segment_counts(accounts["segment"], own) if len(own) else pd.DataFrame(),
        loyalties=_counts(accounts, "loyalty", "loyalty_basis"),
        proxy_agreement=agreement(accounts),
        serialisation=serialisations(
            {s.as_of: day for s, day in zip(days_stood, days, strict=True) if s.covered_months == now.covered_months}
        ),
        card=card,
        matrix=matrix(accounts, card, book.settings.value("loyal_wallet_share")),
        payback=payback(book, now),
        vip=named(eligible, accounts),
        lifecycle=_counts(accounts, "lifecycle", "lifecycle_by_deeds"),
        stages=_summary(accounts.assign(stage=accounts["stage"].mask(accounts["is_silent"], SILENT)), "stage", STAGES),
        funnel=funnel(book, now.starts_on),
        record=keep_record(accounts, days[1] if said is None else said),
        crossing=crossing(accounts),
        rfm_crossing=pd.crosstab(*by_rfm).reindex(index=list(SEGMENTS), columns=list(SEGMENTS), fill_value=0),
        regression=regression_to_mean(accounts.loc[is_regular, MEASURED], cuts, level),
        decisions=_summary(accounts.loc[accounts["decision"] != "", ["decision", *MEASURED]], "decision", DECISIONS),
        markets=markets(accounts, "industry" if accounts["industry"].notna().any() else "region"),
        likeness=_likeness(accounts, seed),
        coverage=cover(book, accounts, now.starts_on),
        is_part=bool(book.scope),
        last_order=now.last_order,
        unplaced=ledger.unplaced,
    )


def _judged(ratings: pd.DataFrame | None, limit: int, seed: int) -> tuple[Scorecard | None, pd.DataFrame | None]:
    """The scorecard, and the ratings on criteria that are not disputed."""
    card = score(ratings, limit, seed=seed)
    return card, ratings if card is None else ratings[~ratings["criterion"].isin(card.disputed)]


def _described(settings: Settings, stood: Standing, known: pd.DataFrame, cuts: tuple[float, float]) -> pd.DataFrame:
    """The accounts of a day with their evidence, class, loyalty, and whether they qualify."""
    accounts = stood.accounts.join(known)
    accounts["abc"] = abc(accounts["value"], cuts)
    accounts["near_cut"] = near_cut(accounts["value"], cuts)
    accounts = accounts.join(loyalty(accounts, settings)).join(qualify(accounts, settings))
    return accounts.assign(is_official=accounts["is_official"].fillna(False).astype(bool))


def _firmness(now: Standing, cuts: tuple[float, float], draws: int, seed: int) -> pd.DataFrame:
    kept = keep_share(now.by_month, cuts, draws, seed)
    return pd.DataFrame({"kept_share": kept, "is_borderline": kept < FIRM}, index=now.accounts.index)


def _own_segment(accounts: pd.DataFrame, rules) -> pd.Series:
    columns = ("recency_days", "orders_ever", "mean_spend", "first_purchase_days")
    return managerial(*(accounts[name] for name in columns), rules)


def _of_margin(buyers: pd.DataFrame, known: float, draws: int, level: float, seed: int) -> dict[str, Interval]:
    """How margin is spread; empty where too little of it is known, or none was earned that could be shared out."""
    if not (known >= COST_KNOWN and buyers["margin"].sum() > 0):
        return {}
    return intervals(buyers["margin"], draws, level, seed)


def _likeness(accounts: pd.DataFrame, seed: int) -> Likeness | None:
    try:
        return likeness(accounts, seed)
    except ModelError:
        return None


def _summary(accounts: pd.DataFrame, by: str, named: Sequence[str]) -> pd.DataFrame:
    """Accounts, revenue and value by segment with their shares, in the order given, segments without accounts too."""
    sums = accounts.groupby(by).agg(accounts=("value", "size"), revenue=("revenue", "sum"), value=("value", "sum"))
    sums = sums.reindex(list(named), fill_value=0).rename_axis(by).reset_index()
    for column, share in (("revenue", "share_of_revenue"), ("value", "value_share")):
        total = sums[column].sum()
        sums[share] = sums[column] / total if total > 0 else np.nan
    return sums


def _counts(accounts: pd.DataFrame, *by: str) -> pd.DataFrame:
    return accounts.groupby(list(by), dropna=False).size().rename("accounts").reset_index()
