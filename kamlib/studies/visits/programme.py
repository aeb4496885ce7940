"""A programme, or the first visit of an executive, that comes to accounts at different times: what they did since.

Quarters, and the log of revenue, so that accounts of every size count alike; accounts without sales in a quarter are
left out and counted. Each account is compared with those that had not begun yet (Callaway & Sant'Anna 2021): plain
two-way effects would compare late beginners with early ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from kamlib.book.store import Book
from kamlib.errors import ModelError, RequestError
from kamlib.studies.staggered import Staggered, staggered

EXECUTIVE = "executive"
LEAST_BEGINNERS = 20


@dataclass(frozen=True, eq=False)
class Programme:
    """What came after the beginning.

    Attributes
    ----------
    name : "executive", or a kind of event.
    fit : all of it, in logs of quarterly revenue.
    n_began, n_compared, n_dropped : accounts that began after the first quarter, all in the comparison, and those
        left out because they did not sell in every quarter, had begun in the first or alone in theirs.
    n_never : of those compared, how many never began.
    lift, low, high : change of revenue in the first year since the beginning, as a share.
    before_p, joint_p : p-values that the accounts did not move otherwise already in the quarters before they began,
        by their mean and by each of them; NaN where no quarter lies before.
    before_seen : smallest mean move before, as a share of revenue, that the first test would have seen four times in
        five; infinite where there is nothing to test.
    """

    name: str
    fit: Staggered
    n_began: int
    n_compared: int
    n_dropped: int
    n_never: int
    lift: float
    low: float
    high: float
    before_p: float
    joint_p: float
    before_seen: float


def follow(book: Book, panel: pd.DataFrame, name: str, level: float) -> Programme | None:
    """Follow the accounts of a programme; None where the book knows of none, or too few began in time.

    Parameters
    ----------
    panel : account × month with revenue. name : "executive", or a kind of event (symposium, trial, club, training).

    Raises
    ------
    RequestError
        for another name.
    """
    began = beginnings(book, name)
    if len(began) < LEAST_BEGINNERS:
        return None
    rows = quarterly(panel).assign(began=lambda frame: frame["account_id"].map(began))
    rows["began"] = rows["began"].dt.to_period("Q").dt.start_time.astype(rows["quarter"].dtype)
    try:
        fit = staggered(
            rows, "log_revenue", "account_id", "quarter", "began", control="not_yet", level=level, is_small_sample=True
        )
    except ModelError:
        return None
    n_began = fit.n_units - fit.n_never
    if n_began < LEAST_BEGINNERS:
        return None
    lift, low, high = np.expm1([fit.after.estimate, *fit.after.interval])
    return Programme(
        name=name,
        fit=fit,
        n_began=n_began,
        n_compared=fit.n_units,
        n_dropped=sum(fit.n_dropped.values()),
        n_never=fit.n_never,
        lift=float(lift),
        low=float(low),
        high=float(high),
        before_p=_before_p(fit),
        joint_p=float(fit.pretrend_p),
        before_seen=_before_seen(fit, level),
    )


def beginnings(book: Book, name: str) -> pd.Series:
    """Day each account began, by account_id; empty where the book knows of none."""
    kinds = ("symposium", "trial", "club", "training")
    if name not in (EXECUTIVE, *kinds):
        raise RequestError(f"programme is {name!r}; it may be {EXECUTIVE}, {', '.join(kinds)}")
    if name == EXECUTIVE:
        rows = book.table("visits", "account_id", "visit_date", "level", "channel")
        rows = rows.filter((rows.level == "executive") & (rows.channel == "visit")).rename(day="visit_date")
    elif "events" in book.tables:
        rows = book.table("events", "account_id", "event_date", "kind")
        rows = rows.filter(rows.kind == name).rename(day="event_date")
    else:
        return pd.Series(dtype="datetime64[s]")
    days = book.collect(rows.group_by("account_id").aggregate(day=rows.day.min()))
    return pd.to_datetime(days.set_index("account_id")["day"])


def quarterly(panel: pd.DataFrame) -> pd.DataFrame:
    """account_id, quarter, log_revenue; missing where nothing was sold, and without quarters that are not whole."""
    quarter = panel["month"].dt.to_period("Q").dt.start_time
    calendar = panel.groupby(quarter)["month"].nunique()
    groups = panel.groupby(["account_id", quarter.rename("quarter")], sort=True)["revenue"]
    rows = groups.sum().reset_index()
    rows = rows[rows["quarter"].isin(calendar.index[calendar == 3])]
    return rows.assign(log_revenue=np.log(rows["revenue"].where(rows["revenue"] > 0)))


def _before_p(fit: Staggered) -> float:
    """Two-sided, of the mean move against the others in the quarters before; NaN where no quarter lies before."""
    if not np.isfinite(fit.before.standard_error) or not fit.before.standard_error:
        return np.nan
    return float(2 * stats.norm.sf(abs(fit.before.estimate) / fit.before.standard_error))


def _before_seen(fit: Staggered, level: float, power: float = 0.8) -> float:
    error = fit.before.standard_error
    if not np.isfinite(error):
        return np.inf
    return float(np.expm1((stats.norm.ppf(0.5 + level / 2) + stats.norm.ppf(power)) * error))
