"""Do our visits sell, to whom, how many are enough, and where should next quarter's hours go?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import pandas as pd

from kamlib.book.panel import account_months
from kamlib.book.periods import months_before
from kamlib.book.public_holidays import public_holidays
from kamlib.book.store import Book
from kamlib.errors import RequestError
from kamlib.studies.cadence import Cadence, keep_rhythm
from kamlib.studies.effects import effect, lead_placebo
from kamlib.studies.effects.power import LastingEffect, smallest_lasting_effect
from kamlib.studies.portfolio import key_accounts, manager_names
from kamlib.studies.staggered import staggered
from kamlib.studies.visits import experiment
from kamlib.studies.visits.callplan import Plan, Terms, draw_plan
from kamlib.studies.visits.evidence import Evidence, weigh
from kamlib.studies.visits.kinds import with_channels
from kamlib.studies.visits.programme import EXECUTIVE, Programme, follow
from kamlib.studies.visits.record import Earlier, PlanRecord, look_back, read_plan
from kamlib.studies.visits.states import ChurnWord, states
from kamlib.studies.visits.trial import Trial, finished

__all__ = ["Terms", "Visits", "effect", "lead_placebo", "measure", "panel", "staggered"]

STEPS = ("ladder", "classes", "levels", "channels")  # of the evidence; what could be seen is told of the long run
SUMS = ("revenue", "margin", "orders", "order_days", "visits", "visit_hours", "cases_opened")


@dataclass(frozen=True, eq=False)
class Visits:
    """What :func:`measure` found.

    Attributes
    ----------
    as_of, level : day read as of, level of all intervals. channels : the contacts that count as visits.
    last_order : day of the last order, None without one.
    visits : how many were counted. first_visit, last_visit : their days, None without any.
    evidence : what the book says about the effect; None where it has no visits or no orders.
    cadence : contact against the declared rhythm; None without visits.
    plan : next quarter's visits; None where no effect may be claimed and no judgement was given.
    earlier : what the same method would have said a quarter ago; None where the book does not reach back so far.
    record : what became of the last plan; None without one.
    programme : what accounts did since an executive first came, or since a programme; None where too few began.
    design : whom to offer extra visits at random. trial : a finished experiment; None where none was named, or it
        still runs.
    running : the experiment named that has not run all its months; "" for none.
    days_off : public holidays of the declared countries in the months ahead.
    detectable : the smallest lasting effect that could have been seen; None without an estimate.
    churn : what the churn report of the period says of accounts; None where there is none of this day.
    keys : identifiers of the key accounts, as :func:`kamlib.studies.portfolio.key_accounts` names them.
    managers : names by manager_id, empty where the book has none.
    """

    as_of: pd.Timestamp
    level: float
    channels: tuple[str, ...]
    last_order: pd.Timestamp | None
    visits: int
    first_visit: pd.Timestamp | None
    last_visit: pd.Timestamp | None
    evidence: Evidence | None
    cadence: Cadence | None
    plan: Plan | None
    earlier: Earlier | None
    record: PlanRecord | None
    programme: Programme | None
    design: experiment.Design | None
    trial: Trial | None
    running: str = ""
    days_off: tuple[date, ...] = ()
    detectable: LastingEffect | None = None
    churn: ChurnWord | None = None
    keys: frozenset[str] = frozenset()
    managers: pd.Series = field(default_factory=lambda: pd.Series(dtype="str"))


def panel(book: Book, freq: str = "M", channels: tuple[str, ...] | None = ("visit",)) -> pd.DataFrame:
    """Account × month (or quarter): revenue, visits by level, covariates.

    Parameters
    ----------
    freq : "M" for months, "Q" for whole quarters (``month`` is then the first month of the quarter).
    channels : what counts as a visit; every row of the visits table where None.

    Returns
    -------
    pandas.DataFrame
        as :func:`kamlib.book.panel.account_months`, with ``industry`` where the book knows it.

    Raises
    ------
    RequestError
        for another freq, or a book without orders.

    Examples
    --------
    >>> panel(book).groupby("month")[["revenue", "visits"]].sum()  # doctest: +SKIP
    """
    if freq not in ("M", "Q"):
        raise RequestError(f"freq must be 'M' for months or 'Q' for quarters; got {freq!r}")
    months = account_months(book, channels=channels)
    if book.has("accounts", "industry"):
        names = book.collect(book.table("accounts", "account_id", "industry")).set_index("account_id")
        months = months.join(names, on="account_id")
    return months if freq == "M" else _quarters(months)


def _quarters(months: pd.DataFrame) -> pd.DataFrame:
    """Months added up to whole quarters; a sum of which a month is missing is missing."""
    start = months["month"].dt.to_period("Q").dt.start_time.astype(months["month"].dtype)
    groups = months.groupby(["account_id", start.rename("quarter")], sort=True)
    summed = [c for c in months if c in SUMS or c.startswith("visits_")]
    totals = groups[summed].sum(min_count=3)
    lasting = groups[[c for c in months if c not in (*summed, "account_id", "month", "promotions_active")]].last()
    whole = totals.join(lasting)[groups.size() == 3]
    return whole.reset_index().rename(columns={"quarter": "month"})


def measure(
    book: Book,
    channels: tuple[str, ...] = ("visit",),
    draws: int = 100,
    partialling: bool = False,
    terms: Terms | None = None,
    programme: str = EXECUTIVE,
    previous: str = "",
    trial: str = "",
    offer_share: float = 0.5,
    set_aside: float = 0.0,
    level: float = 0.9,
    seed: int = 0,
    tables: str = "",
) -> Visits:
    """Measure what visits do, and what should be done about it.

    Parameters
    ----------
    book : the book as of the day to judge from.
    channels : the contacts that count as visits.
    draws : shufflings of visits in the placebo test, 20 or more. partialling : add the machine-learning rung.
    terms : what the call plan is made under.
    programme : "executive" for the first visit of an executive, or a kind of event: symposium, trial, club, training.
    previous : folder of an earlier report whose plan is graded. trial : event_id of a finished experiment.
    offer_share : share of each class that the next experiment offers extra visits. set_aside : share of each class
        kept out of the plan, among which that experiment is dealt; where 0 it is dealt among all, in place of a plan.
    level, seed : of the intervals and all random draws. tables : folder of this period's reports, whose churn report
        lists accounts that the plan does not lower, and whose segmentation names the key accounts; may be empty.

    Raises
    ------
    RequestError
        When a parameter is out of range.

    Examples
    --------
    >>> measure(book).evidence.ladder  # doctest: +SKIP
    """
    channels, terms = _channels(channels), terms or Terms()
    if not 0 <= set_aside <= 1:
        raise RequestError(f"set_aside must lie between 0 and 1, a share of the accounts; got {set_aside}")
    made, today = _made(book, channels), _today(book)
    cadence, churn = keep_rhythm(book, today, channels), ChurnWord.of(tables, today)
    found = dict.fromkeys(("evidence", "plan", "earlier", "record", "programme", "design", "trial"))
    if made["visits"] and book.has("orders"):
        months = panel(book, channels=channels)
        given = (book.settings.value("abc_cuts"), level, draws, seed, partialling, STEPS)
        evidence = weigh(with_channels(book, months), *given)
        tried = _tried(book, months, evidence, trial, offer_share, set_aside, level, seed)
        held, denied = tried.pop("held"), tried["trial"] is not None and tried["trial"].verdict == "contradicts"
        stand = states(book, today, cadence, held, churn)
        found = {
            "evidence": evidence,
            "plan": draw_plan(book, months, evidence, terms, stand, channels, level, seed, denied),
            "earlier": _earlier(book, months, today, channels, level, draws, seed),
            "record": read_plan(previous, months, today, seed) if previous else None,
            "programme": follow(book, months, programme, level),
            "detectable": evidence.carry and smallest_lasting_effect(evidence.carry),
            "keys": frozenset(key_accounts(book, tables)[0]),
            **tried,
        }
    last_order = pd.Timestamp(book.span()[1]) if book.has("orders") else None
    off = _days_off(book, today)
    about = {"cadence": cadence, "churn": churn, "managers": manager_names(book), "days_off": off}
    return Visits(today, level, channels, last_order, **about, **made, **found)


def _days_off(book: Book, today: pd.Timestamp) -> tuple[date, ...]:
    years = (today.year, today.year + 1)
    days = {day for country in book.settings.countries for day in public_holidays(country, years)}
    return tuple(sorted(day for day in days if day > today.date()))


def _tried(book: Book, months, evidence: Evidence, name: str, offer_share, set_aside, level: float, seed: int) -> dict:
    """The experiment to come, the one that was made or still runs, and the accounts held out for either."""
    found = evidence.carry.diagnostics if evidence.carry and not evidence.failed else None
    known = (found["long_run"]["estimate"], *found["long_run"]["interval"]) if found else None
    members = evidence.class_of
    aside = experiment.set_aside(members, set_aside, seed)
    dealt = members.reindex(aside) if len(aside) else members
    is_running = bool(name) and experiment.is_running(book, months, name)
    terms = {"level": level, "effect": known, "carry": found["lambda"] if found else 0.0}
    return {
        "design": experiment.design(months, dealt, offer_share, seed, **terms, is_apart=len(aside) > 0),
        "trial": finished(book, months, members, name, **terms) if name and not is_running else None,
        "running": name if is_running else "",
        "held": [*aside, *(experiment.offered(book, name) if is_running else [])],
    }


def _earlier(book: Book, months: pd.DataFrame, today: pd.Timestamp, channels, level: float, draws: int, seed: int):
    """The same evidence from the book as of a quarter before; None where it had nothing to judge by."""
    day = _quarter_before(today)
    if not (months["month"] <= day).any():
        return None
    before = book.at(day.date())
    if not (before.has("orders") and before.has("visits")):
        return None
    return look_back(panel(before, channels=channels), months, day, level, draws, seed)


def _channels(given) -> tuple[str, ...]:
    channels = (given,) if isinstance(given, str) else tuple(given)
    known = ("visit", "call", "video", "email", "event")
    wrong = [c for c in channels if c not in known]
    if wrong or not channels:
        raise RequestError(f"channels is {given!r}; it may hold {', '.join(known)}")
    return channels


def _today(book: Book) -> pd.Timestamp:
    return pd.Timestamp(book.as_of if book.as_of else book.span()[1])


def _quarter_before(today: pd.Timestamp) -> pd.Timestamp:
    return pd.Timestamp(months_before(today.date(), 3)) - pd.Timedelta(days=1)


def _made(book: Book, channels: tuple[str, ...]) -> dict:
    """How many visits the book has, and when."""
    if "visits" not in book.tables:
        return {"visits": 0, "first_visit": None, "last_visit": None}
    table = book.table("visits", "channel", "visit_date")
    table = table.filter(table.channel.isin(channels))
    row = book.collect(table.aggregate(n=table.count(), first=table.visit_date.min(), last=table.visit_date.max()))
    n, first, last = row.iloc[0]
    return {"visits": int(n), "first_visit": first if n else None, "last_visit": last if n else None}
