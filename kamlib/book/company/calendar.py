"""The calendar of the sample company: months, working days and the two festivals that move."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from kamlib.book.periods import add_months, day, months_before
from kamlib.book.public_holidays import public_holidays
from kamlib.errors import RequestError

WEEKDAY_WEIGHT = (1.25, 1.10, 1.00, 1.00, 0.90, 0.0, 0.0)
SHORTEST_MONTHS = 6


@dataclass(frozen=True)
class Calendar:
    """Days are counted from the first day of the window (day 0); days before it are negative.

    ``month`` gives the month of each day; ``month_start`` has one entry more than there are months, so that
    month *m* covers the days ``month_start[m]`` to ``month_start[m + 1] - 1``. ``weight`` is a day's share of
    business before any season: zero on weekends and public holidays.
    """

    first: date
    last: date
    month: np.ndarray
    month_start: np.ndarray
    month_of_year: np.ndarray
    weight: np.ndarray
    since_new_year: np.ndarray
    since_mid_autumn: np.ndarray

    @property
    def months(self) -> int:
        """Number of months."""
        return len(self.month_start) - 1

    @property
    def days(self) -> int:
        """Number of days."""
        return len(self.month)

    @property
    def workdays(self) -> np.ndarray:
        """The days on which business is done."""
        return np.flatnonzero(self.weight > 0)

    @property
    def work_share(self) -> np.ndarray:
        """Business of each month, before any season, against that of the average month."""
        totals = np.add.reduceat(self.weight, self.month_start[:-1])
        return totals / totals.mean()

    def date_of(self, day_number: int) -> date:
        """The calendar date of a day."""
        return self.first + timedelta(days=int(day_number))

    def month_first(self, month: int) -> date:
        """The calendar date a month begins on, before or after the window too."""
        return add_months(self.first, int(month))

    def month_label(self, month: int) -> str:
        """A month as 2026-09."""
        return f"{self.month_first(month):%Y-%m}"

    def quarters(self) -> list[tuple[str, int, int]]:
        """Whole quarters in the window: label, first month, month after the last."""
        starts = [m for m in range(self.months - 2) if self.month_of_year[m] % 3 == 1]
        return [(self._quarter_label(m), m, m + 3) for m in starts]

    def _quarter_label(self, month: int) -> str:
        return f"{self.month_first(month).year}-Q{(self.month_of_year[month] - 1) // 3 + 1}"

    def workday_between(self, rng: np.random.Generator, earliest, latest) -> np.ndarray:
        """A random working day in each of the spans of days given, or the last day of a span that has none."""
        open_before = np.concatenate([[0], np.cumsum(self.weight > 0)])
        low = open_before[np.clip(earliest, 0, self.days)]
        high = open_before[np.clip(np.asarray(latest) + 1, 0, self.days)]
        pick = low + np.floor(rng.random(len(low)) * np.maximum(high - low, 1)).astype(int)
        workdays = self.workdays
        chosen = workdays[np.minimum(pick, len(workdays) - 1)]
        return np.where(high > low, chosen, latest)


def make_calendar(end, months: int) -> Calendar:
    """The calendar of the *months* whole months that close with *end*.

    Raises
    ------
    RequestError
        When *end* is not the last day of a month, or there are fewer than 6 months.

    Examples
    --------
    >>> calendar = make_calendar("2026-09-30", 36)
    >>> calendar.first, calendar.months, calendar.quarters()[-1]
    (datetime.date(2023, 10, 1), 36, ('2026-Q3', 33, 36))
    """
    last = day(end)
    if (last + timedelta(days=1)).day != 1:
        closing = add_months(last.replace(day=1), 1) - timedelta(days=1)
        raise RequestError(
            f"the sample company closes its books at the end of a month; {last} is not one, {closing} is"
        )
    if months < SHORTEST_MONTHS:
        raise RequestError(f"the sample company needs at least {SHORTEST_MONTHS} months, not {months}")
    return _calendar(months_before(last, months), last, months)


def _calendar(first: date, last: date, months: int) -> Calendar:
    days = np.arange(np.datetime64(first), np.datetime64(last) + 1)
    month = (days.astype("datetime64[M]") - days[0].astype("datetime64[M]")).astype(int)
    holidays, new_years, mid_autumns = _festivals(first.year - 1, last.year + 1)
    weekday = (days.astype("datetime64[D]").view("int64") + 3) % 7
    weight = np.array(WEEKDAY_WEIGHT)[weekday] * ~np.isin(days, holidays)
    starts = np.searchsorted(month, np.arange(months + 1))
    of_year = (first.month - 1 + np.arange(months)) % 12 + 1
    return Calendar(first, last, month, starts, of_year, weight, _since(days, new_years), _since(days, mid_autumns))


def _festivals(first_year: int, last_year: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Public holidays of Taiwan, the days of Lunar New Year and of Mid-Autumn."""
    named = public_holidays("TW", range(first_year, last_year + 1))
    days = np.array(sorted(named), dtype="datetime64[D]")
    new_years, mid_autumns = [], []
    for year in range(first_year, last_year + 1):
        of_year = [(d, n) for d, n in sorted(named.items()) if d.year == year]
        new_years.append(next(d for d, n in of_year if n == "Chinese New Year"))
        mid_autumns.append(next(d for d, n in of_year if n == "Mid-Autumn Festival"))
    return days, np.array(new_years, dtype="datetime64[D]"), np.array(mid_autumns, dtype="datetime64[D]")


def _since(days: np.ndarray, festivals: np.ndarray) -> np.ndarray:
    """Days since the nearest festival, negative before it."""
    gaps = (days[:, None] - festivals[None, :]).astype(int)
    return gaps[np.arange(len(days)), np.abs(gaps).argmin(axis=1)]
