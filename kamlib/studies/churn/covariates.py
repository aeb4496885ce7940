"""What was known of each account on a day, from every table the book has: the columns of the hazard.

Everything is read once and then looked up by day, and no look-up uses a row or a fact of a later day: a case
closed later is open, a delivery made later has not come, a contract signed later does not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.studies.churn.backtest import Candidate, Slice
from kamlib.studies.churn.boosted import Boosted
from kamlib.studies.churn.logit import Logit
from kamlib.studies.churn.timelines import Sales, Timeline, day_numbers, to_dates

QUARTER, HALF, YEAR = 90, 180, 365
OWN_PACE = ("lateness", "asleep", "gap", "room", "purchases", "quiet_year_ago", "young", "spend_trend")
OWN_PENALTY, OTHER_PENALTY = 3.0, 30.0
HAZARD, HAZARD_ALL, BOOSTING = "hazard, own pace", "hazard, all that is known", "gradient boosting"
MEANINGS = {
    "lateness": "days since the last order, its quiet seasons left out, over the usual gap, log",
    "asleep": "late but for its quiet seasons",
    "gap": "usual gap in days, log",
    "room": "usual gaps that fit into the window, its quiet seasons left out, log",
    "purchases": "order days of the last year, log",
    "quiet_year_ago": "bought nothing in the same days a year ago",
    "young": "not yet a customer a year ago",
    "spend_trend": "revenue of 90 days against the year before them, log ratio",
    "breadth_trend": "products an order day, 180 days against the year before them, log ratio",
    "complaints": "complaints of the last 180 days, log",
    "complaint_open": "a complaint is open",
    "complaint_age": "age of the oldest open complaint in days, log",
    "contacts": "contacts of the last 90 days, log",
    "executive": "an executive visited within 180 days",
    "threads": "people met times their levels, 180 days, log",
    "satisfaction": "last satisfaction score within a year, 0 to 10",
    "satisfaction_unknown": "no satisfaction score within a year",
    "under_contract": "under contract",
    "contract_ends": "contract ends in the window without a successor",
    "new_manager": "manager changed within 90 days",
    "late_deliveries": "share of the lines promised in 90 days that came late or short",
}


@dataclass(frozen=True, eq=False)
class Facts:
    """The tables beside the orders, ready to be looked up by day; None where the book has none."""

    sales: Sales
    complaints: pd.DataFrame | None = None
    contacts: pd.DataFrame | None = None
    surveys: pd.DataFrame | None = None
    contracts: pd.DataFrame | None = None
    assignments: pd.DataFrame | None = None
    deliveries: pd.DataFrame | None = None
    looked_up: dict[int, pd.DataFrame] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> int:
        """How many accounts ever ordered."""
        return len(self.sales.accounts)

    @property
    def knows_more(self) -> bool:
        """Whether there is anything beside an account's own pace."""
        return self.sales.products is not None or any(getattr(self, part) is not None for part in _PARTS)


def read_facts(book: Book, sales: Sales) -> Facts:
    """Cases, visits, surveys, contracts, assignments and deliveries of a book, as far as it has them."""
    return Facts(
        sales,
        complaints=_read(book, sales, "cases", "opened_on", "closed_on", "severity"),
        contacts=_contacts(book, sales),
        surveys=_read(book, sales, "surveys", "surveyed_on", "satisfaction", "wallet_share"),
        contracts=_read(book, sales, "contracts", "starts_on", "ends_on", "signed_on", "annual_value"),
        assignments=_read(book, sales, "assignments", "from_date"),
        deliveries=_deliveries(book, sales),
    )


def _read(book: Book, sales: Sales, name: str, *columns: str) -> pd.DataFrame | None:
    """Columns of a table with the account's number (-1: never ordered) and days as numbers; None if absent."""
    if not book.has(name):
        return None
    return _numbered(book.collect(book.table(name, "account_id", *columns)), sales)


def _numbered(frame: pd.DataFrame, sales: Sales) -> pd.DataFrame:
    dates = [column for column in frame if pd.api.types.is_datetime64_any_dtype(frame[column])]
    frame = frame.assign(code=sales.number(frame["account_id"]), **{c: day_numbers(frame[c]) for c in dates})
    return frame[frame["code"] >= 0].reset_index(drop=True)


def _contacts(book: Book, sales: Sales) -> pd.DataFrame | None:
    """Visits of all channels with the level of the person met."""
    if not book.has("visits"):
        return None
    visits = book.table("visits", "account_id", "visit_date", "contact_id", "channel", "level")
    frame = _numbered(book.collect(visits), sales).rename(columns={"level": "ours"})
    if not book.has("contacts", "level"):
        return frame.assign(level=np.nan)
    levels = book.collect(book.table("contacts", "contact_id", "level")).set_index("contact_id")["level"]
    return frame.assign(level=frame["contact_id"].map(levels).astype(float))


def _deliveries(book: Book, sales: Sales) -> pd.DataFrame | None:
    """Lines per account, day ordered, promised and delivered, and how many of them came short."""
    if not book.has("deliveries"):
        return None
    lines = book.table("deliveries", "order_id", "line_no", "promised_on", "delivered_on", "quantity_delivered")
    orders = book.table("orders", "order_id", "line_no", "account_id", "order_date", "quantity")
    joined = lines.inner_join(orders, ["order_id", "line_no"])
    is_short = (joined.quantity_delivered < joined.quantity).fill_null(False)
    days = joined.group_by("account_id", "order_date", "promised_on", "delivered_on").aggregate(
        lines=joined.count(), short=is_short.sum()
    )
    return _numbered(book.collect(days), sales)


def covariates(facts: Facts, moment: int, rows: pd.DataFrame) -> pd.DataFrame:
    """What was known on a day of the accounts in *rows*, a frame of :func:`~kamlib.studies.churn.labels.standing`.

    Returns
    -------
    Frame with the index of *rows* and the columns of ``MEANINGS`` that this book can fill, none missing.
    """
    found = _from_orders(facts.sales, moment, rows)
    for part, read in _PARTS.items():
        if getattr(facts, part) is not None:
            at_moment = read(facts, moment)
            found |= {name: np.asarray(values, dtype=float)[rows.index] for name, values in at_moment.items()}
    if facts.contracts is not None:
        found |= _contract_end(facts.contracts, moment, rows, facts.size)
    return pd.DataFrame(found, index=rows.index)


def known_at(facts: Facts, s: Slice) -> pd.DataFrame:
    """The covariates of a slice, looked up once."""
    if s.moment not in facts.looked_up:
        facts.looked_up[s.moment] = covariates(facts, s.moment, s.rows)
    return facts.looked_up[s.moment]


def _from_orders(sales: Sales, moment: int, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    bought = sales.purchases.count(moment - YEAR, moment)[rows.index]
    found = {
        "lateness": np.log1p(rows["in_season_days"] / rows["gap_median_days"]),
        "asleep": rows["is_excused"],
        "gap": np.log(rows["gap_median_days"]),
        "room": np.log((rows["room_days"] / rows["gap_median_days"]).clip(lower=0.1)),
        # Of a year: the order days so far grow with the book, and risks learned from its early days would sink.
        "purchases": np.log(np.maximum(bought, 0.5)),
        "quiet_year_ago": rows["bought_year_ago"] == 0,
        "young": rows["bought_year_ago"].isna(),
        "spend_trend": _trend(sales.revenue.total, moment, QUARTER, rows),
    }
    if sales.products is not None:
        found["breadth_trend"] = _trend(_breadth(sales), moment, HALF, rows)
    return {name: np.asarray(values, dtype=float) for name, values in found.items()}


def _trend(total: Callable, moment: int, days: int, rows: pd.DataFrame) -> np.ndarray:
    """Log ratio of a rate in the last *days* to the year before them, 0 for an account younger than that."""
    codes, first = rows.index, rows["first"].to_numpy()
    span = np.clip(moment - days - first, 0, YEAR)
    recent = np.maximum(total(moment - days, moment)[codes], 0) / days
    before = np.maximum(total(moment - days - YEAR, moment - days)[codes], 0) / np.maximum(span, days)
    usual = np.where(before > 0, before, 1.0)
    ratio = np.log((recent + 0.1 * usual) / (1.1 * usual))
    return np.where((before > 0) & (span >= days), ratio, 0.0)


def _breadth(sales: Sales) -> Callable:
    """Products an order day, times the days of the window, so that :func:`_trend` sees a rate."""

    def total(after, upto):
        days = np.maximum(sales.purchases.count(after, upto), 1)
        return sales.products.total(after, upto) / days * (upto - after)

    return total


def _complaints(facts: Facts, moment: int) -> dict[str, np.ndarray]:
    cases = facts.complaints
    raised = Timeline.of(facts.size, cases["code"], cases["opened_on"])
    is_open = (cases["opened_on"] <= moment) & ~(cases["closed_on"] <= moment)
    age = np.zeros(facts.size)
    np.maximum.at(age, cases.loc[is_open, "code"], moment - cases.loc[is_open, "opened_on"])
    has_open = np.bincount(cases.loc[is_open, "code"], minlength=facts.size) > 0
    return {
        "complaints": np.log1p(raised.count(moment - HALF, moment)),
        "complaint_open": has_open,
        "complaint_age": np.log1p(age),
    }


def open_complaints(facts: Facts, moment: int) -> pd.DataFrame | None:
    """Complaints open on a day, the oldest first: account_id, opened_on, age_days, severity; None without cases."""
    if facts.complaints is None:
        return None
    cases = facts.complaints
    is_open = (cases["opened_on"] <= moment) & ~(cases["closed_on"] <= moment)
    rows = cases[is_open].sort_values(["opened_on", "account_id"])
    frame = rows[["account_id", "severity"]].assign(
        opened_on=to_dates(rows["opened_on"]), age_days=(moment - rows["opened_on"]).astype(int)
    )
    return frame.reset_index(drop=True)


def _contact(facts: Facts, moment: int) -> dict[str, np.ndarray]:
    visits = facts.contacts
    made = Timeline.of(facts.size, visits["code"], visits["visit_date"])
    executive = visits[visits["ours"] == "executive"]
    high = Timeline.of(facts.size, executive["code"], executive["visit_date"])
    return {
        "contacts": np.log1p(made.count(moment - QUARTER, moment)),
        "executive": high.count(moment - HALF, moment) > 0,
        "threads": np.log1p(threads(visits, moment, facts.size)),
    }


def threads(visits: pd.DataFrame, moment: int, size: int) -> np.ndarray:
    """(size,) people met in the last 180 days times the levels they stand on (K085); one level where unknown."""
    seen = visits[(visits["visit_date"] > moment - HALF) & (visits["visit_date"] <= moment)]
    people = seen.dropna(subset="contact_id").groupby("code")["contact_id"].nunique()
    levels = seen.groupby("code")["level"].nunique().clip(lower=1)
    return (people * levels).reindex(range(size)).fillna(0).to_numpy()


def _satisfaction(facts: Facts, moment: int) -> dict[str, np.ndarray]:
    """The last score within a year; where there is none, the mean of those there are, and a flag."""
    asked = facts.surveys
    known = asked[(asked["surveyed_on"] <= moment) & (asked["surveyed_on"] > moment - YEAR)]
    known = known.dropna(subset="satisfaction").sort_values(["surveyed_on", "satisfaction"])
    last = known.groupby("code")["satisfaction"].last().reindex(range(facts.size))
    middle = last.mean() if last.notna().any() else 0.0
    return {"satisfaction": last.fillna(middle), "satisfaction_unknown": last.isna()}


def known_contracts(contracts: pd.DataFrame, moment: int) -> pd.DataFrame:
    """The contracts that existed on a day: signed by then; where the signing is not on record, begun by then."""
    return contracts[contracts["signed_on"].fillna(contracts["starts_on"]) <= moment]


def _contract(facts: Facts, moment: int) -> dict[str, np.ndarray]:
    known = known_contracts(facts.contracts, moment)
    runs = known[(known["starts_on"] <= moment) & (known["ends_on"] >= moment)]
    return {"under_contract": np.bincount(runs["code"], minlength=facts.size) > 0}


def _contract_end(contracts: pd.DataFrame, moment: int, rows: pd.DataFrame, size: int) -> dict[str, np.ndarray]:
    """Whether the last contract known ends within the window of the account."""
    known = known_contracts(contracts, moment)
    last = known.groupby("code")["ends_on"].max().reindex(range(size)).to_numpy()[rows.index]
    return {"contract_ends": ((last >= moment) & (last <= moment + rows["window_days"])).to_numpy(float)}


def _manager(facts: Facts, moment: int) -> dict[str, np.ndarray]:
    """Whether the account was handed over in the last 90 days; the first assignment is no hand-over."""
    first = facts.assignments.groupby("code")["from_date"].transform("min")
    moves = facts.assignments[facts.assignments["from_date"] > first]
    handed = Timeline.of(facts.size, moves["code"], moves["from_date"])
    return {"new_manager": handed.count(moment - QUARTER, moment) > 0}


def _supply(facts: Facts, moment: int) -> dict[str, np.ndarray]:
    """Share of the lines promised in the last 90 days that came late or short, or had not come on the day."""
    lines = facts.deliveries
    due = lines[(lines["promised_on"] > moment - QUARTER) & (lines["promised_on"] <= moment)]
    due = due[due["order_date"] <= moment]
    came = due["delivered_on"] <= moment
    bad = np.where(came & (due["delivered_on"] <= due["promised_on"]), due["short"], due["lines"])
    total = np.bincount(due["code"], weights=due["lines"], minlength=facts.size)
    return {"late_deliveries": np.bincount(due["code"], weights=bad, minlength=facts.size) / np.maximum(total, 1)}


_PARTS: dict[str, Callable[[Facts, int], dict[str, np.ndarray]]] = {
    "complaints": _complaints,
    "contacts": _contact,
    "surveys": _satisfaction,
    "contracts": _contract,
    "assignments": _manager,
    "deliveries": _supply,
}


def hazards(facts: Facts) -> list[Candidate]:
    """Discrete-time logits (Allison 1982), all days pooled: on the account's own pace, and on all that is known.

    The own pace is believed readily; what else is known has to earn its place against a heavier penalty, so that
    a book of a few hundred accounts with twenty columns is not fitted to its accidents.
    """
    own = Candidate(HAZARD, _columns(facts, own_only=True), _fit_hazard)
    if not facts.knows_more:
        return [own]
    return [own, Candidate(HAZARD_ALL, _columns(facts, own_only=False), _fit_hazard)]


def boosting(facts: Facts) -> Candidate:
    """Gradient boosting on the same columns; it stays in the report only if it wins the back-test."""
    return Candidate(BOOSTING, _columns(facts, own_only=False), Boosted.fit)


def _fit_hazard(columns, outcome, groups) -> Logit:
    others = columns.shape[1] - len(OWN_PACE)
    return Logit.fit(columns, outcome, groups, np.r_[[OWN_PENALTY] * len(OWN_PACE), [OTHER_PENALTY] * others])


def _columns(facts: Facts, own_only: bool) -> Callable[[Slice], np.ndarray]:
    names = list(OWN_PACE) if own_only else slice(None)
    return lambda s: known_at(facts, s).loc[:, names].to_numpy()
