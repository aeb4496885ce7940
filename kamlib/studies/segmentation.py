"""Who is a key account, why, and what should change this period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from kamlib.book.periods import Period, day
from kamlib.book.store import Book
from kamlib.studies.classes import abc, check_cuts, keep_share, near_cut
from kamlib.studies.concentration import Interval, concentration, intervals, lorenz
from kamlib.studies.ledger import Ledger, read_ledger
from kamlib.studies.migration import class_moves, crossing, regression_to_mean, segment_moves
from kamlib.studies.rfm import SEGMENTS, cut_points, rfm
from kamlib.studies.rulebook import managerial, segment_counts
from kamlib.studies.selection import DECISIONS, decide
from kamlib.studies.standing import Standing, stand
from kamlib.studies.tail import Tail, long_tail
from kamlib.studies.trend import quarters
from kamlib.studies.vip import vip

__all__ = ["Segmentation", "abc", "concentration", "managerial", "measure", "vip"]

STEP_MONTHS = {"week": 1, "month": 1, "quarter": 3, "half": 6, "year": 12}
QUARTERS = 8
BORDERLINE = 0.80


@dataclass(frozen=True)
class Segmentation:
    """What the segmentation study measured; money is in the book's currency."""

    as_of: date
    then: date
    months: int
    basis: str
    cost_known_share: float
    cuts: tuple[float, float]
    level: float
    has_said: bool
    accounts: pd.DataFrame
    concentration: Mapping[str, Interval]
    lorenz: pd.DataFrame
    quarters: pd.DataFrame
    share_change: Interval
    tail: Tail
    classes: pd.DataFrame
    crossing: pd.DataFrame
    regression: pd.DataFrame
    rfm: pd.DataFrame
    segments: pd.DataFrame
    decisions: pd.DataFrame
    last_order: date | None
    unplaced: float


def measure(
    book: Book,
    period: str = "",
    months: int = 12,
    value: str = "auto",
    cuts: tuple[float, float] | None = None,
    rules=None,
    previous: str | Path | pd.DataFrame = "",
    cap: int | None = None,
    draws: int = 300,
    level: float = 0.90,
    seed: int = 0,
) -> Segmentation:
    """Segment the accounts of a book as of its day, and say what should change."""
    step = STEP_MONTHS[Period.parse(period).kind] if period else STEP_MONTHS["quarter"]
    cuts = check_cuts(cuts or book.settings.value("abc_cuts"))
    ledger = read_ledger(book, max(36, 2 * months, 3 * QUARTERS) + 2 * step)
    now, then, earlier = _standings(ledger, step, months, value)
    said = _said(previous, now.basis, then.as_of)
    accounts = _described(now, cuts, draws, seed)
    accounts["revenue_before"] = _before(ledger, months).reindex(accounts.index)
    old, new = (cut_points(book.settings, standing.buyers["revenue"], months) for standing in (then, now))
    accounts = accounts.join(rfm(now.accounts, new))
    accounts = accounts.join(class_moves(then.accounts["value"], accounts["value"], cuts, said).drop(columns="abc"))
    accounts = accounts.join(segment_moves(then.accounts, now.accounts, old, new))
    rules = rules if rules is not None else list(book.settings.segments)
    accounts["segment"] = _managerial(now.accounts, rules) if rules else accounts["rfm_segment"]
    earlier_days = [_described(standing, cuts, 0, seed) for standing in (then, earlier)]
    was_key = None if said is None or "is_key" not in said else said["is_key"]
    limit = int(cap or book.settings.value("key_account_cap"))
    accounts = accounts.join(decide(accounts, *earlier_days, limit, was_key))
    buyers = accounts[accounts["has_bought"]]
    trend, change = quarters(ledger, QUARTERS, min(draws, 200), level, seed)
    return Segmentation(
        as_of=now.as_of,
        then=then.as_of,
        months=months,
        basis=now.basis,
        cost_known_share=now.cost_known_share,
        cuts=cuts,
        level=level,
        has_said=said is not None,
        accounts=accounts,
        concentration=intervals(buyers["revenue"], draws, level, seed),
        lorenz=lorenz(buyers["revenue"]),
        quarters=trend,
        share_change=change,
        tail=long_tail(buyers, level),
        classes=_summary(accounts, "abc", ["A", "B", "C"]),
        crossing=crossing(accounts),
        regression=regression_to_mean(accounts["revenue_before"].fillna(0.0), accounts["revenue"], cuts),
        rfm=_summary(accounts, "rfm_segment", list(SEGMENTS)),
        segments=segment_counts(accounts["segment"], rules) if rules else pd.DataFrame(),
        decisions=_summary(accounts[accounts["decision"] != ""], "decision", list(DECISIONS)),
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


def _said(previous, basis: str, then: date) -> pd.DataFrame | None:
    """What the last report said of each account, where there is one of that day and of the same kind of value."""
    if isinstance(previous, (str, Path)):
        path = Path(previous) / "tables" / "accounts.parquet"
        if not str(previous) or not path.is_file():
            return None
        previous = pd.read_parquet(path)
    said = previous.set_index("account_id") if "account_id" in previous else previous
    if not {"value", "abc", "basis", "as_of"} <= set(said.columns) or said.empty:
        return None
    is_same = said["basis"].iloc[0] == basis and day(said["as_of"].iloc[0]) == then
    return said if is_same else None


def _described(standing: Standing, cuts: tuple[float, float], draws: int, seed: int) -> pd.DataFrame:
    """The accounts of a standing with their class, how firm it is, and whether they could be key accounts."""
    accounts = standing.accounts.copy()
    accounts["abc"] = abc(accounts["value"], cuts)
    accounts["near_cut"] = near_cut(accounts["value"], cuts)
    accounts["kept_share"] = keep_share(standing.by_month, cuts, draws, seed) if draws else float("nan")
    accounts["is_borderline"] = accounts["kept_share"] < BORDERLINE
    returns = (accounts["years_active"] >= 2) | (accounts["months_active"] >= 4)
    is_large, is_one = accounts["abc"] == "A", accounts["largest_order_share"] >= 0.5
    accounts["is_recurring"] = returns & ~is_one
    accounts["is_one_off"] = is_large & is_one
    accounts["is_official"] = accounts["is_official"].fillna(False).astype(bool)
    could = is_large & accounts["is_recurring"]
    accounts["qualifies"], accounts["qualifies_but_official"] = (
        could & ~accounts["is_official"],
        could & accounts["is_official"],
    )
    return accounts


def _before(ledger: Ledger, months: int) -> pd.Series:
    """Revenue of each account in the window before the window, which does not overlap it."""
    amounts = ledger.revenue[:, 1:][:, -2 * months : -months].sum(axis=1)
    return pd.Series(amounts, index=ledger.accounts.index)


def _managerial(accounts: pd.DataFrame, rules) -> pd.Series:
    columns = (
        accounts["recency_days"],
        accounts["orders_ever"],
        accounts["mean_spend"],
        accounts["first_purchase_days"],
    )
    return managerial(*columns, rules)


def _summary(accounts: pd.DataFrame, by: str, named: list[str]) -> pd.DataFrame:
    """Accounts, revenue and value by segment, in the order given, segments without accounts too."""
    sums = accounts.groupby(by).agg(accounts=("value", "size"), revenue=("revenue", "sum"), value=("value", "sum"))
    sums = sums.reindex(named, fill_value=0).rename_axis(by).reset_index()
    total = sums["revenue"].sum()
    return sums.assign(share=sums["revenue"] / total if total > 0 else float("nan"))


def _last_order(now: Standing) -> date | None:
    recency = now.accounts["recency_days"].min()
    return None if pd.isna(recency) else (pd.Timestamp(now.as_of) - pd.Timedelta(days=recency)).date()
