"""Parts of sales targets: what a target of a quarter means for a week of it, by working days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd

from kamlib.book.periods import Period
from kamlib.book.public_holidays import public_holidays

FINEST_FIRST = ("week", "month", "quarter", "half", "year")


class WorkingDays:
    """Monday to Friday without the public holidays of some countries.

    Examples
    --------
    >>> WorkingDays(["TW"]).count(date(2026, 9, 28), date(2026, 9, 30))  # the 28th is a holiday
    2
    """

    def __init__(self, countries: Sequence[str]):
        self.countries = tuple(countries)

    def count(self, first: date, last: date) -> int:
        """Working days from the first to the last day, both included."""
        return int(np.busday_count(first, last + timedelta(days=1), holidays=self._holidays(first.year, last.year)))

    def _holidays(self, first: int, last: int) -> list[date]:
        days: set[date] = set()
        for country in self.countries:
            days |= set(public_holidays(country, range(first, last + 1)))
        return sorted(days)


def target_for(targets: pd.DataFrame, owner: str, first: date, last: date, working: WorkingDays) -> pd.Series:
    """The target of each owner for the days from *first* to *last*.

    Parameters
    ----------
    targets
        The owner's column, period and revenue.
    owner
        ``manager_id`` or ``account_id``.

    Returns
    -------
    Money by owner. Of several kinds of periods the finest counts, so that a year and its quarters are not added up;
    each target is shared out evenly over the working days of its period. An owner whose targets do not cover all
    working days has none: half a target would look easy to reach.
    """
    rows = targets.dropna(subset=[owner]).drop_duplicates([owner, "period"])
    labels = {label: Period.parse(label) for label in rows["period"].unique()}
    shares = {label: _shared_days(period, first, last, working) for label, period in labels.items()}
    taken = {label: inside / whole for label, (inside, whole) in shares.items()}
    # Typed, since without any row pandas maps text to text.
    rows = rows.assign(
        part=rows["period"].map(taken).astype("float64") * rows["revenue"],
        covered=rows["period"].map({label: inside for label, (inside, _) in shares.items()}).astype("float64"),
        kind=rows["period"].map({label: FINEST_FIRST.index(period.kind) for label, period in labels.items()}),
    )
    rows = rows[rows["covered"] > 0]
    rows = rows[rows["kind"] == rows.groupby(owner)["kind"].transform("min")]
    sums = rows.groupby(owner)[["part", "covered"]].sum()
    return sums.loc[sums["covered"] >= working.count(first, last), "part"].astype("float64")


def _shared_days(period: Period, first: date, last: date, working: WorkingDays) -> tuple[int, int]:
    """Working days of the period that lie in the span, and all of them (at least one)."""
    start, end = max(first, period.start), min(last, period.end)
    return (working.count(start, end) if start <= end else 0), max(working.count(period.start, period.end), 1)
