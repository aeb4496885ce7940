"""Contact against the declared rhythm: who is overdue, how late visits are logged, who goes, whom they reach."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.periods import months_before
from kamlib.book.store import Book

WINDOW_MONTHS = 12
PROSPECT, CUSTOMER, LAPSED = "prospect", "customer", "lapsed"


@dataclass(frozen=True, eq=False)
class Cadence:
    """How contact keeps its rhythm; the window is the twelve months up to the day read as of.

    Attributes
    ----------
    accounts : one row per account: account_id, name, manager_id, stage (prospect, customer, lapsed: once a customer,
        no order in the window), revenue (in the window), last_contact, since_days, allowed_days (missing for lapsed
        accounts), overdue_days (0 in rhythm; missing without any contact), is_overdue, due_on.
    stages : by stage: accounts, overdue, never (of these, without any contact on record), allowed_days.
    managers : by manager: accounts, overdue, overdue_share, log_delay_days (median), logged_late_share.
    log_delay_days, logged_late_share, logged : median days from visit to log, share beyond ``log_check_days``, and
        how many visits have both dates.
    executive_share, executive_basis, executive_n : share of visiting time by executives, of "hours" or "visits".
    levels : by account: known, reached (levels of its contacts, in all and met in the window), top (highest met).
    symposia, attended_share, last_symposium : held in the window, share of the invited that came, day of the last.
    """

    accounts: pd.DataFrame
    stages: pd.DataFrame
    managers: pd.DataFrame
    log_check_days: float
    log_delay_days: float
    logged_late_share: float
    logged: int
    executive_target: float
    executive_share: float
    executive_basis: str
    executive_n: int
    levels: pd.DataFrame
    symposia_wanted: float
    symposia: int
    attended_share: float
    last_symposium: pd.Timestamp | None

    @property
    def overdue(self) -> pd.DataFrame:
        """The accounts out of rhythm, those that bring most first; of others, those never contacted first."""
        late = self.accounts[self.accounts["is_overdue"]]
        late = late.assign(brings=late["revenue"].fillna(0)).sort_values(
            ["brings", "overdue_days", "account_id"], ascending=[False, False, True], na_position="first"
        )
        return late.drop(columns="brings").reset_index(drop=True)


def keep_rhythm(book: Book, today: pd.Timestamp, channels: tuple[str, ...]) -> Cadence | None:
    """Measure contact of every kind against the declared rhythm; None where the book has no visits table.

    Parameters
    ----------
    today : day to count from. channels : contacts that count as visiting time.

    Examples
    --------
    >>> keep_rhythm(book, pd.Timestamp("2026-09-30"), ("visit",)).overdue.head()  # doctest: +SKIP
    """
    if not book.has("visits"):
        return None
    start = pd.Timestamp(months_before(today.date(), WINDOW_MONTHS))
    contacts = book.frame("visits")
    recent = contacts[contacts["visit_date"] >= start]
    accounts = _accounts(book, contacts, today, start)
    delays = (recent["logged_on"] - recent["visit_date"]).dt.days
    limit = float(book.settings.value("log_check_days"))
    return Cadence(
        accounts=accounts,
        stages=_stages(accounts),
        managers=_managers(accounts, recent, delays, limit),
        log_check_days=limit,
        log_delay_days=float(delays.median()),
        logged_late_share=float((delays.dropna() > limit).mean()) if delays.notna().any() else np.nan,
        logged=int(delays.notna().sum()),
        executive_target=float(book.settings.value("executive_time_share")),
        **_executive(recent[recent["channel"].isin(channels)]),
        levels=_levels(book, recent),
        symposia_wanted=float(book.settings.value("symposia_a_year")),
        **_symposia(book, start),
    )


def _accounts(book: Book, contacts: pd.DataFrame, today: pd.Timestamp, start: pd.Timestamp) -> pd.DataFrame:
    frame = book.collect(book.table("accounts", "account_id", "name", "manager_id", "lifecycle"), ["account_id"])
    orders = book.collect(_revenue(book, start)).set_index("account_id")
    frame = frame.join(orders, on="account_id")
    frame["stage"] = _stage(frame, start)
    frame["last_contact"] = frame["account_id"].map(contacts.groupby("account_id")["visit_date"].max())
    frame["since_days"] = (today - frame["last_contact"]).dt.days
    rhythm = {
        PROSPECT: float(book.settings.value("prospect_contact_days")),
        CUSTOMER: float(book.settings.value("customer_contact_days")),
    }
    frame["allowed_days"] = frame["stage"].map(rhythm)
    frame["overdue_days"] = (frame["since_days"] - frame["allowed_days"]).clip(lower=0)
    has_rhythm = frame["allowed_days"].notna()
    frame["is_overdue"] = has_rhythm & ((frame["overdue_days"] > 0) | frame["last_contact"].isna())
    frame["due_on"] = frame["last_contact"] + pd.to_timedelta(frame["allowed_days"], unit="D")
    return frame.drop(columns=["lifecycle", "last_order"])


def _revenue(book: Book, start: pd.Timestamp):
    """Revenue in the window and the last day with an order, by account."""
    lines = book.table("orders", "account_id", "order_date", "revenue")
    in_window = (lines.order_date >= start.date()).ifelse(lines.revenue, 0.0)
    last = lines.order_date.max(where=lines.revenue > 0)
    return lines.group_by("account_id").aggregate(revenue=in_window.sum(), last_order=last)


def _stage(frame: pd.DataFrame, start: pd.Timestamp) -> np.ndarray:
    """Prospects have not bought, lapsed customers not within the window; what was bought outweighs the label."""
    has_bought = frame["last_order"].notna()
    is_customer = has_bought | (frame["lifecycle"] == "customer")
    is_lapsed = has_bought & (frame["last_order"] < start)
    return np.select([is_lapsed, is_customer], [LAPSED, CUSTOMER], PROSPECT)


def _stages(accounts: pd.DataFrame) -> pd.DataFrame:
    never = accounts["is_overdue"] & accounts["last_contact"].isna()
    groups = accounts.assign(never=never).groupby("stage")
    frame = groups.agg(
        accounts=("account_id", "size"),
        overdue=("is_overdue", "sum"),
        never=("never", "sum"),
        allowed_days=("allowed_days", "first"),
    )
    return frame.reindex([s for s in (PROSPECT, CUSTOMER, LAPSED) if s in frame.index]).reset_index()


def _managers(accounts: pd.DataFrame, recent: pd.DataFrame, delays: pd.Series, limit: float) -> pd.DataFrame:
    held = accounts[accounts["allowed_days"].notna()].groupby("manager_id")
    frame = held.agg(accounts=("account_id", "size"), overdue=("is_overdue", "sum"))
    frame["overdue_share"] = frame["overdue"] / frame["accounts"]
    known = recent.assign(delay=delays).dropna(subset=["delay", "manager_id"]).groupby("manager_id")["delay"]
    frame["log_delay_days"] = known.median()
    frame["logged_late_share"] = known.agg(lambda days: (days > limit).mean())
    return frame.sort_values("overdue_share", ascending=False, kind="stable").reset_index()


def _executive(visits: pd.DataFrame) -> dict:
    """Share of visiting time spent by executives, where who went is known; by visits where no hours are kept."""
    known = visits.dropna(subset=["level"])
    basis = "hours" if known["hours"].notna().any() else "visits"
    known = known.dropna(subset=["hours"]) if basis == "hours" else known
    time = known["hours"] if basis == "hours" else pd.Series(1.0, index=known.index)
    is_executive = known["level"] == "executive"
    share = float(time[is_executive].sum() / time.sum()) if time.sum() > 0 else np.nan
    return {"executive_share": share, "executive_basis": basis, "executive_n": len(known)}


def _levels(book: Book, recent: pd.DataFrame) -> pd.DataFrame:
    """How many levels of each account's people are known, and how many were met in the window."""
    columns = ["account_id", "known", "reached", "top"]
    if not book.has("contacts", "level"):
        return pd.DataFrame(columns=columns)
    people = book.collect(book.table("contacts", "contact_id", "account_id", "level")).dropna(subset=["level"])
    met = people[people["contact_id"].isin(recent["contact_id"].dropna())]
    frame = people.groupby("account_id")["level"].nunique().rename("known").to_frame()
    frame["reached"] = met.groupby("account_id")["level"].nunique()
    frame["top"] = met.groupby("account_id")["level"].max()
    frame["reached"] = frame["reached"].fillna(0).astype(int)
    return frame.reset_index()[columns]


def _symposia(book: Book, start: pd.Timestamp) -> dict:
    if not book.has("events"):
        return {"symposia": 0, "attended_share": np.nan, "last_symposium": None}
    events = book.frame("events")
    held = events[events["kind"] == "symposium"]
    recent = held[held["event_date"] >= start]
    return {
        "symposia": int(recent["event_date"].nunique()),
        "attended_share": float(recent["has_attended"].astype("float64").mean()) if len(recent) else np.nan,
        "last_symposium": held["event_date"].max() if len(held) else None,
    }
