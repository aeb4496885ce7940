"""What a finished experiment showed: visits offered at random, read by who was offered them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from kamlib.book.store import Book
from kamlib.errors import RequestError
from kamlib.studies.visits.experiment import BEFORE_MONTHS, DRAWS, growth_of, lasting_lift, lift_of

LEAST_EXTRA_VISITS = 0.25  # a month beyond the others: with fewer, nothing was tried
UNLIKE_ALPHA = 0.02  # of a hundred experiments dealt by lot two are refused as unlike before


@dataclass(frozen=True, eq=False)
class Trial:
    """A finished experiment, read by who was offered visits (not by who took them).

    Attributes
    ----------
    name : of the event. start : first month counted. months : how many were.
    n_offered, n_others : accounts of either kind, of those that bought in the year before.
    lift, low, high : growth of the offered over the others, less one.
    p_value : by dealing the offers anew within class. extra_visits : by how many visits a month the offered rose more.
    before_p : by the same, that the two kinds were as unlike in the year before, in visits or in sales: small where
        accounts were chosen and not drawn.
    expected : lift of that many extra visits over these months by the records of the past, with its ends; None where
        they tell nothing.
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
    expected: tuple[float, float, float] | None = None
    before_p: float = 1.0

    @property
    def verdict(self) -> str:
        """What the experiment says of the effect read from the records.

        "unlike" (the offered were others already before), "untreated" (they got hardly more visits), "contradicts"
        (its interval lies below all that the records make likely), "agrees" (it leaves zero out and meets what they
        make likely), else "unclear".
        """
        if self.before_p < UNLIKE_ALPHA:
            return "unlike"
        if not self.extra_visits >= LEAST_EXTRA_VISITS or not np.isfinite(self.lift):
            return "untreated"
        if self.high < (self.expected[1] if self.expected else 0.0):
            return "contradicts"
        is_met = self.expected is not None and self.low <= self.expected[2]
        return "agrees" if self.low > 0 and is_met else "unclear"


def finished(
    book: Book,
    panel: pd.DataFrame,
    class_of: pd.Series,
    name: str,
    months: int = 3,
    level: float = 0.9,
    seed: int = 0,
    effect: tuple[float, float, float] | None = None,
    carry: float = 0.0,
) -> Trial:
    """Analyse an experiment that is on record as an event: those with a row were offered visits, the rest were not.

    Parameters
    ----------
    name : event_id of the experiment. class_of : the classes within which offers were dealt. months : to count.
    effect : coefficient of log(1 + visits a month) kept up by the records, with its ends, that the trial is set
        against. carry : share of a visit's effect left a month later, which takes its time to build up.

    Raises
    ------
    RequestError
        When the event is not on record, all or none of those that bought before were offered, or the months after it
        are not complete.
    """
    start, is_offered = _offers(book, class_of.index, name)
    calendar = np.sort(panel["month"].unique())
    counted = calendar[calendar >= start][:months]
    growth = growth_of(panel, class_of.index, start, months)
    bought = growth[:, 0] > 0  # as dealt: an experiment is offered to those that buy
    growth, is_offered, class_of = growth[bought], is_offered[bought], class_of[bought]
    if len(counted) < months or is_offered.all() or not is_offered.any():
        raise RequestError(
            f"event {name!r} offers {int(is_offered.sum())} of {len(class_of)} accounts that bought before it and has "
            f"{len(counted)} of {months} complete months; both kinds of account and all months are needed"
        )
    lift = lift_of(growth, is_offered)
    deals = list(_dealt_anew(class_of.to_numpy(), is_offered, np.random.default_rng(seed)))
    dealt = np.array([lift_of(growth, deal) for deal in deals])
    error = np.std(np.log1p(dealt[np.isfinite(dealt)]))
    reach = stats.norm.ppf(0.5 + level / 2) * error
    before, since = (
        panel[panel["month"].isin(part)].groupby("account_id")["visits"].mean().reindex(class_of.index).fillna(0)
        for part in (calendar[calendar < start][-BEFORE_MONTHS:], counted)
    )
    others, rise = float(since[~is_offered].mean()), since - before
    extra = float(rise[is_offered].mean() - rise[~is_offered].mean())
    were = np.column_stack([before, growth[:, 0]])
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
        extra_visits=extra,
        level=level,
        expected=_lifts(effect, others, extra, carry, months),
        before_p=_unlike_p(were, class_of.to_numpy(), is_offered, deals),
    )


def _offers(book: Book, accounts: pd.Index, name: str) -> tuple[pd.Timestamp, np.ndarray]:
    """The month an event on record began with, and which of the accounts were offered visits by it."""
    events = book.frame("events") if book.has("events") else pd.DataFrame({"event_id": [], "account_id": []})
    rows = events[events["event_id"] == name]
    if rows.empty:
        raise RequestError(f"no event {name!r} is on record; the experiment's offers belong into the table events")
    return rows["event_date"].min().to_period("M").start_time, accounts.isin(rows["account_id"])


def _lifts(effect: tuple[float, float, float] | None, visits: float, extra: float, carry: float, months: int):
    """Lift, with its ends, of extra visits a month beside those that all get; None where nothing tells."""
    if effect is None or not np.isfinite([*effect, visits, extra]).all() or extra <= 0:
        return None
    return tuple(float(lasting_lift(visits, extra, value, carry, months)) for value in effect)


def _dealt_anew(classes: np.ndarray, is_offered: np.ndarray, rng) -> Iterator[np.ndarray]:
    """Whether offered, with the offers of each class dealt to other accounts of it."""
    groups = [np.flatnonzero(classes == name) for name in pd.unique(classes)]
    for _ in range(DRAWS):
        dealt = is_offered.copy()
        for members in groups:
            dealt[members] = rng.permutation(is_offered[members])
        yield dealt


def _unlike_p(were: np.ndarray, classes: np.ndarray, is_offered: np.ndarray, deals: list[np.ndarray]) -> float:
    """p-value of the farther of two rank sums, in visits and in sales before, doubled for the two looks."""
    ranks = pd.DataFrame(stats.rankdata(were, axis=0))
    centred = (ranks - ranks.groupby(classes).transform("mean")).to_numpy()
    real = np.abs(centred[is_offered].sum(axis=0))
    by_chance = np.array([np.abs(centred[deal].sum(axis=0)) for deal in deals])
    return float(min(1.0, 2 * ((1 + (by_chance >= real - 1e-9).sum(axis=0)) / (1 + len(deals))).min()))
