"""Extra visits offered at random: who is offered one, what that could show, and what a finished trial showed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from kamlib.book.store import Book
from kamlib.errors import RequestError

BEFORE_MONTHS = 12
DRAWS = 499


@dataclass(frozen=True, eq=False)
class Design:
    """An experiment to come.

    Attributes
    ----------
    offers : account_id, class, is_offered. share, seed : as asked; the same seed makes the same offers.
    detectable : by months of running: run_months, error (of the log of the lift), lift_seen (smallest effect on
        revenue, as a share, seen with the power asked for).
    power, level : that chance, and the level of the interval that must leave zero out.
    """

    offers: pd.DataFrame
    share: float
    seed: int
    detectable: pd.DataFrame
    power: float
    level: float


@dataclass(frozen=True, eq=False)
class Trial:
    """A finished experiment, read by who was offered visits (not by who took them).

    Attributes
    ----------
    name : of the event. start : first month counted. months : how many were.
    n_offered, n_others : accounts of either kind. lift, low, high : growth of the offered over the others, less one.
    p_value : by dealing the offers anew within class. extra_visits : visits a month the offered got beyond the others.
    """

    name: str
    start: pd.Timestamp
    months: int
    n_offered: int
    n_others: int
    lift: float
    low: float
    high: float
    p_value: float
    extra_visits: float
    level: float


def randomise(class_of: pd.Series, share: float = 0.5, seed: int = 0) -> pd.DataFrame:
    """Offer extra visits at random within each class.

    Parameters
    ----------
    class_of : class by account. share : of each class that is offered, 0 to 1. seed : the same seed, the same offers.

    Returns
    -------
    Frame account_id, class, is_offered, sorted by account. In each class ``share`` of the accounts are offered,
    rounded up or down by chance.

    Raises
    ------
    RequestError
        When share is not between 0 and 1, or an account is there twice.

    Examples
    --------
    >>> randomise(pd.Series({"a1": "A", "a2": "A", "b1": "B", "b2": "B"}), seed=1)["is_offered"].sum()
    np.int64(2)
    """
    if not 0 < share < 1:
        raise RequestError(f"share must lie between 0 and 1, so that some are offered and some not; got {share}")
    if class_of.index.has_duplicates:
        raise RequestError(f"{int(class_of.index.duplicated().sum())} accounts are there twice; give each one class")
    class_of = class_of.sort_index()
    is_offered = _deal(class_of.to_numpy(), share, np.random.default_rng(seed))
    return pd.DataFrame({"account_id": class_of.index, "class": class_of.to_numpy(), "is_offered": is_offered})


def _deal(classes: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    is_offered = np.zeros(len(classes), dtype=bool)
    for name in pd.unique(classes):
        members = rng.permutation(np.flatnonzero(classes == name))
        wanted = len(members) * share
        count = int(wanted) + int(rng.random() < wanted - int(wanted))
        is_offered[members[:count]] = True
    return is_offered


def design(
    panel: pd.DataFrame,
    class_of: pd.Series,
    share: float = 0.5,
    seed: int = 0,
    power: float = 0.8,
    level: float = 0.9,
    lengths: tuple[int, ...] = (3, 6),
) -> Design | None:
    """Deal the offers, and say what the experiment could show: offers dealt in the past, where none were made, give
    the error. None where nobody bought in the last year, or the panel is too short.

    Parameters
    ----------
    panel : account × month with revenue. class_of : class by account. lengths : months the experiment may run.
    """
    months = np.sort(panel["month"].unique())
    recent = panel[panel["month"].isin(months[-BEFORE_MONTHS:])]
    buying = recent.groupby("account_id")["revenue"].sum()
    members = class_of[class_of.index.isin(buying.index[buying > 0])]
    rows = [_detectable(panel, members, months, n, share, seed, power, level) for n in lengths]
    rows = [row for row in rows if row]
    if len(members) < 4 or not rows:
        return None
    return Design(randomise(members, share, seed), share, seed, pd.DataFrame(rows), power, level)


def _detectable(panel, members, months, length, share, seed, power, level) -> dict | None:
    if len(months) < 2 * length or len(members) < 4:
        return None
    growth = _growth(panel, members.index, months[-length], length)
    rng, classes = np.random.default_rng(seed), members.to_numpy()
    lifts = np.array([_lift(growth, _deal(classes, share, rng)) for _ in range(DRAWS)])
    error = float(np.std(np.log1p(lifts[np.isfinite(lifts)])))
    smallest = float(np.expm1((stats.norm.ppf(0.5 + level / 2) + stats.norm.ppf(power)) * error))
    return {"run_months": length, "error": error, "lift_seen": smallest}


def _growth(panel: pd.DataFrame, accounts: pd.Index, start, length: int) -> np.ndarray:
    """(accounts, 2) mean monthly revenue before and since the start of the experiment."""
    inside = panel[panel["account_id"].isin(accounts)]
    months = np.sort(panel["month"].unique())
    before, since = months[months < start][-BEFORE_MONTHS:], months[months >= start][:length]
    means = [inside[inside["month"].isin(part)].groupby("account_id")["revenue"].mean() for part in (before, since)]
    return np.column_stack([mean.reindex(accounts).fillna(0).clip(lower=0) for mean in means])


def _lift(growth: np.ndarray, is_offered: np.ndarray) -> float:
    """Growth of the offered accounts over that of the others, less one; NaN without accounts of both kinds.

    Each account counts by its growth between −1 and 1, (since − before) / (since + before), weighted by the root of
    its revenue: in sums of money a handful of giants would drown the rest.
    """
    total = growth.sum(axis=1)
    is_known = total > 0
    change = np.divide(growth[:, 1] - growth[:, 0], total, out=np.zeros(len(total)), where=is_known)
    weight = np.sqrt(np.clip(growth[:, 0], 0, None)) * is_known
    if min(weight[is_offered].sum(), weight[~is_offered].sum()) <= 0:
        return np.nan
    ups = [np.average(change[part], weights=weight[part]) for part in (is_offered, ~is_offered)]
    ratios = [(1 + up) / (1 - up) if up < 1 else np.nan for up in ups]
    return float(ratios[0] / ratios[1] - 1) if ratios[1] > 0 else np.nan


def finished(
    book: Book, panel: pd.DataFrame, class_of: pd.Series, name: str, months: int = 3, level: float = 0.9, seed: int = 0
) -> Trial:
    """Analyse an experiment that is on record as an event: those with a row were offered visits, the rest were not.

    Parameters
    ----------
    name : event_id of the experiment. class_of : the classes within which offers were dealt. months : to count.

    Raises
    ------
    RequestError
        When the event is not on record, everybody was offered, or the months after it are not complete.
    """
    events = book.frame("events") if book.has("events") else pd.DataFrame({"event_id": [], "account_id": []})
    rows = events[events["event_id"] == name]
    if rows.empty:
        raise RequestError(f"no event {name!r} is on record; the experiment's offers belong into the table events")
    start = rows["event_date"].min().to_period("M").start_time
    calendar = np.sort(panel["month"].unique())
    counted = calendar[calendar >= start][:months]
    is_offered = class_of.index.isin(rows["account_id"])
    if len(counted) < months or is_offered.all() or not is_offered.any():
        raise RequestError(
            f"event {name!r} offers {int(is_offered.sum())} of {len(class_of)} accounts and has {len(counted)} of "
            f"{months} complete months; both kinds of account and all months are needed"
        )
    growth = _growth(panel, class_of.index, start, months)
    lift = _lift(growth, is_offered)
    dealt = _dealt_anew(growth, class_of.to_numpy(), is_offered, np.random.default_rng(seed))
    error = np.std(np.log1p(dealt[np.isfinite(dealt)]))
    reach = stats.norm.ppf(0.5 + level / 2) * error
    visits = panel[panel["month"].isin(counted)].groupby("account_id")["visits"].mean().reindex(class_of.index)
    return Trial(
        name=name,
        start=start,
        months=len(counted),
        n_offered=int(is_offered.sum()),
        n_others=int((~is_offered).sum()),
        lift=lift,
        low=float(np.expm1(np.log1p(lift) - reach)),
        high=float(np.expm1(np.log1p(lift) + reach)),
        p_value=float((1 + (np.abs(np.log1p(dealt)) >= abs(np.log1p(lift))).sum()) / (1 + len(dealt))),
        extra_visits=float(visits[is_offered].mean() - visits[~is_offered].mean()),
        level=level,
    )


def _dealt_anew(growth: np.ndarray, classes: np.ndarray, is_offered: np.ndarray, rng) -> np.ndarray:
    """(draws,) lifts with the offers of each class dealt to other accounts of it."""
    lifts = []
    for _ in range(DRAWS):
        dealt = is_offered.copy()
        for name in pd.unique(classes):
            members = np.flatnonzero(classes == name)
            dealt[members] = rng.permutation(is_offered[members])
        lifts.append(_lift(growth, dealt))
    return np.array(lifts)
