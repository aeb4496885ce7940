"""One account on one page: what it is, what it buys, how it is looked after, and what is to be done next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from kamlib.book.periods import Period, add_months, months_before
from kamlib.book.store import Book
from kamlib.errors import RequestError
from kamlib.studies import dues
from kamlib.studies.actions import Names
from kamlib.studies.dossier.account_file import AccountFile, read_account
from kamlib.studies.dossier.happenings import happenings
from kamlib.studies.dossier.published import Published, read_published
from kamlib.studies.dossier.shelf import MONTHS, BookRows, ShelfRows, rows_of
from kamlib.studies.dossier.white_space import WhiteSpace, white_space

GAPS_NEEDED = 4
RULES = ("contract_notice_days", "referral_satisfaction")


@dataclass(frozen=True, eq=False)
class Dossier:
    """What :func:`measure` found of one account.

    Attributes
    ----------
    account_id, as_of, period : the account, the day read as of, the period reported.
    card : its row of the table of accounts, with the names of its manager and parent.
    sales : two rows (``span``: the period to date, the trailing twelve months), each with from_day, to_day, revenue,
        margin, orders and order_days, and the same a year before (``…_previous``; missing where the book does not
        reach back so far); margin is missing where no cost is known.
    months : (24,) month, revenue: the last whole months; missing before the first order of the book.
    rhythm : first_order, last_order, recency_days, order_days, gap_median_days, gap_long_days, late_gaps (days since
        the last order over the usual gap), expected_on (one usual gap after the last order), late_on (after the gap
        that nine of ten of its gaps did not exceed); both are missing below four gaps.
    products : what it bought in twelve months: product_id, product, category, revenue, revenue_previous,
        last_bought; the largest first.
    white_space : categories that similar accounts buy.
    file : its rows of the other tables.
    contacted : last and last_executive contact, contacts in twelve months, their hours, the stage of the account
        (prospect, customer, lapsed), allowed_days between contacts (missing for lapsed ones), and the share of the
        last twelve months' gaps between contacts that kept to them.
    last_period : what was due and happened in the period, the latest first.
    actions : what to do next, the earliest first: the rows of :mod:`kamlib.studies.dues`.
    segmentation, churn : what this period's reports say of it.
    rules : the declared thresholds that sentences about the account go by: contract_notice_days,
        referral_satisfaction.
    has : the tables the book has. last_entry : day of the last order in the whole book.
    """

    account_id: str
    as_of: pd.Timestamp
    period: str
    card: pd.Series
    sales: pd.DataFrame
    months: pd.DataFrame
    rhythm: pd.Series
    products: pd.DataFrame
    white_space: WhiteSpace
    file: AccountFile
    contacted: pd.Series
    last_period: pd.DataFrame
    actions: pd.DataFrame
    segmentation: Published
    churn: Published
    rules: dict[str, float]
    has: frozenset[str]
    last_entry: pd.Timestamp | None

    @property
    def names(self) -> Names:
        """The name of the account, as its actions are told with."""
        return Names(pd.Series({self.account_id: self.card["name"]}), pd.Series(dtype="str"))


def measure(
    book: Book,
    account_id: str,
    period: str,
    tables: str = "",
    horizon_days: int = 90,
    with_personal: bool = False,
) -> Dossier:
    """Gather the file of one account.

    Parameters
    ----------
    book : the book as of the day to read it.
    account_id : the account.
    period : the period reported.
    tables : folder of this period's reports, whose classes and risks are taken over.
    horizon_days : how far ahead actions are listed.
    with_personal : whether names and birthdays of contacts are read.

    Raises
    ------
    RequestError
        When the book has no such account, or the period begins after the book's day.

    Examples
    --------
    >>> measure(book, "0007", "2026-Q3").rhythm["recency_days"]  # doctest: +SKIP
    """
    span, end = Period.parse(period), book.as_of or book.span()[1]
    if span.start > end:
        raise RequestError(f"period {period} begins after {end}, the day the book is read as of")
    source, as_of = rows_of(book, tables), pd.Timestamp(end).as_unit("s")
    file = read_account(book, account_id, with_personal, source)
    first, last = _span(source)
    since = months_before(end, MONTHS)
    rhythm = _rhythm(file.lines, as_of)
    share = book.settings.value("white_space_share")
    space = white_space(book, account_id, file.card["industry"], share, source)
    segmentation = read_published(tables, "segmentation", account_id, book.as_of, book.scope, by="value")
    contacted = _contacted(file, rhythm["last_order"], since, book)
    return Dossier(
        account_id,
        as_of,
        span.label,
        file.card,
        _sales(file.lines, [("period", span.start, min(span.end, end)), ("year", since, end)], first),
        _months(file.lines, end, first),
        rhythm,
        _products(file.lines, since, first),
        space,
        file,
        contacted,
        happenings(file, pd.Timestamp(span.start), min(pd.Timestamp(span.end), as_of)),
        _actions(book, file, rhythm, space, contacted, as_of, horizon_days, source),
        segmentation,
        read_published(tables, "churn", account_id, book.as_of, book.scope, by="value_at_risk"),
        {name: book.settings.value(name) for name in RULES},
        frozenset(book.tables),
        last,
    )


def _span(source: BookRows | ShelfRows) -> tuple[date | None, pd.Timestamp | None]:
    """First and last day of an order in the whole book."""
    first, last = source.whole["first"], source.whole["last"]
    return (None, None) if last is None else (date.fromisoformat(first), pd.Timestamp(last).as_unit("s"))


def _sales(lines: pd.DataFrame, spans: list[tuple[str, date, date]], first: date | None) -> pd.DataFrame:
    """Revenue, margin, orders and purchase days of each span and of the same days a year before."""
    found = []
    for name, start, end in spans:
        now = _sums(lines, start, end)
        before = add_months(start, -12), add_months(end + timedelta(days=1), -12) - timedelta(days=1)
        was = _sums(lines, *before) if _reaches(first, before[0]) else pd.Series(np.nan, now.index)
        found.append({"span": name, "from_day": start, "to_day": end, **now, **was.add_suffix("_previous")})
    frame = pd.DataFrame(found)
    return frame.astype({"from_day": "datetime64[s]", "to_day": "datetime64[s]"})


def _reaches(first: date | None, start: date) -> bool:
    """Whether orders are on record from the month in which a span begins."""
    return first is not None and first < add_months(start, 1)


def _sums(lines: pd.DataFrame, start: date, end: date) -> pd.Series:
    part = lines[lines["order_date"].between(pd.Timestamp(start), pd.Timestamp(end))]
    by_order = part.groupby("order_id")["revenue"].sum()
    by_day = part.groupby("order_date")["revenue"].sum()
    counts = {"orders": float((by_order > 0).sum()), "order_days": float((by_day > 0).sum())}
    return pd.Series({"revenue": part["revenue"].sum(), "margin": _margin(part), **counts})


def _margin(lines: pd.DataFrame) -> float:
    """Revenue less cost over the lines whose cost is known; missing where none is known."""
    return (lines["revenue"] - lines["cost"]).sum(min_count=1)


def _months(lines: pd.DataFrame, end: date, first: date | None) -> pd.DataFrame:
    last = (end + timedelta(days=1)).replace(day=1)  # the month that is not over
    months = pd.date_range(add_months(last, -24), periods=24, freq="MS").astype("datetime64[s]")
    by_month = lines.groupby(lines["order_date"].dt.to_period("M").dt.to_timestamp().astype("datetime64[s]"))
    revenue = by_month["revenue"].sum().reindex(months, fill_value=0.0)
    known = pd.Series(months, months) >= (pd.Timestamp(first.replace(day=1)) if first else pd.Timestamp.max)
    return pd.DataFrame({"month": months, "revenue": revenue.where(known).to_numpy()})


def _rhythm(lines: pd.DataFrame, as_of: pd.Timestamp) -> pd.Series:
    by_day = lines.groupby("order_date")["revenue"].sum()
    days = by_day.index[by_day > 0]
    gaps = pd.Series(days).diff().dropna().dt.days
    usual = float(gaps.median()) if len(gaps) else np.nan
    last = days[-1] if len(days) else pd.NaT
    recency = float((as_of - last).days) if len(days) else np.nan
    has_habit = len(gaps) >= GAPS_NEEDED
    long = float(gaps.quantile(0.9)) if has_habit else np.nan
    return pd.Series(
        {
            "first_order": days[0] if len(days) else pd.NaT,
            "last_order": last,
            "recency_days": recency,
            "order_days": len(days),
            "gap_median_days": usual,
            "late_gaps": recency / usual if usual > 0 else np.nan,
            "gap_long_days": long,
            "expected_on": last + pd.Timedelta(days=round(usual)) if has_habit else pd.NaT,
            "late_on": last + pd.Timedelta(days=round(long)) if has_habit else pd.NaT,
        },
        dtype="object",
    )


def _products(lines: pd.DataFrame, since: date, first: date | None) -> pd.DataFrame:
    start, before = pd.Timestamp(since), pd.Timestamp(add_months(since, -12))
    recent = lines[lines["order_date"] >= before].assign(is_now=lambda f: f["order_date"] >= start)
    by = recent.fillna({"product_id": ""}).groupby(["product_id", "is_now"])["revenue"].sum().unstack(fill_value=0.0)
    by = by.reindex(columns=[False, True], fill_value=0.0).set_axis(["revenue_previous", "revenue"], axis=1)
    named = lines.drop_duplicates("product_id").set_index("product_id")[["product", "category"]]
    bought = lines[lines["revenue"] > 0].groupby("product_id")["order_date"].max()
    frame = by.join(named).join(bought.rename("last_bought")).rename_axis("product_id").reset_index()
    if not _reaches(first, before.date()):
        frame["revenue_previous"] = np.nan
    return frame.sort_values(["revenue", "product_id"], ascending=[False, True], ignore_index=True)


def _contacted(file: AccountFile, last_order: pd.Timestamp, since: date, book: Book) -> pd.Series:
    """How the account was looked after in the last twelve months."""
    visits = file.rows("visits").sort_values("visit_date", kind="stable")
    recent = visits[visits["visit_date"] >= pd.Timestamp(since)]
    executive = visits.loc[visits["level"] == "executive", "visit_date"]
    of_stage = dues.stage(file.card["lifecycle"], last_order, pd.Timestamp(since))
    allowed = dues.days_allowed(of_stage, book.settings)
    gaps = recent["visit_date"].diff().dropna().dt.days
    return pd.Series(
        {
            "last": visits["visit_date"].max(),
            "last_executive": executive.max(),
            "contacts": len(recent),
            "hours": pd.to_numeric(recent["hours"]).sum(min_count=1),
            "stage": of_stage,
            "allowed_days": allowed,
            "kept_share": float((gaps <= allowed).mean()) if len(gaps) else np.nan,
        },
        dtype="object",
    )


def _actions(
    book: Book,
    file: AccountFile,
    rhythm: pd.Series,
    space: WhiteSpace,
    contacted: pd.Series,
    as_of: pd.Timestamp,
    horizon_days: int,
    source: BookRows | ShelfRows,
) -> pd.DataFrame:
    """What is due to the account, and what its own habit and white space suggest."""
    one = file.card.to_frame().T.astype({"opened_on": "datetime64[s]"})
    one = one.assign(last_contact=contacted["last"], allowed_days=contacted["allowed_days"])
    one = one.astype({"last_contact": "datetime64[s]", "allowed_days": "float64"})
    manager, key = {"manager_id": file.card["manager_id"]}, file.card["account_id"]
    cases, contracts = (file.rows(name).assign(**manager) for name in ("cases", "contracts"))
    parts = [
        *([dues.cases_due(cases, book.settings)] if len(cases) else []),
        *([dues.contracts_due(contracts, book.settings, as_of)] if len(contracts) else []),
        *_own_habit(one, rhythm, space, contacted, as_of),
    ]
    if "visits" in book.tables:
        parts.append(dues.contacts_due(one, as_of))
        if source.is_key(key) and book.has("visits", "level"):
            parts.append(dues.executive_due(one, pd.Series({key: contacted["last_executive"]}), book.settings, as_of))
    return dues.gather(parts, as_of, as_of + pd.Timedelta(days=horizon_days))


def _own_habit(one: pd.DataFrame, rhythm: pd.Series, space: WhiteSpace, contacted: pd.Series, as_of) -> list:
    parts = []
    if pd.notna(rhythm["expected_on"]):
        is_late = rhythm["late_on"] < as_of
        day = rhythm["late_on"] if rhythm["expected_on"] < as_of else rhythm["expected_on"]
        kind, usual = "order_late" if is_late else "order_expected", rhythm["gap_median_days"]
        parts.append(dues.rows(kind, one, day, rhythm["last_order"], count=usual))
    offers = space.categories[space.categories["is_white_space"].astype(bool)]
    if len(offers):
        # No day follows from white space itself: it is for the next contact.
        last = contacted["last"]
        allowed = contacted["allowed_days"]
        following = max(as_of, last + pd.Timedelta(days=allowed)) if pd.notna(last) and pd.notna(allowed) else as_of
        best = offers.iloc[0]
        parts.append(dues.rows("offer", one, following, pd.NaT, best["category"], best["similar_share"]))
    return parts
