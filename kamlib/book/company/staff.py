"""The account managers of the sample company, their regions, and the one who leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kamlib.book.company.calendar import Calendar
from kamlib.book.company.market import REGION_NAMES, REGIONS
from kamlib.book.company.names import person_name
from kamlib.book.company.streams import Streams

ACCOUNTS_PER_MANAGER = 22
PERSON_STEP = 389


@dataclass(frozen=True)
class Staff:
    """Managers in order of region.

    ``quality`` is what each adds to the satisfaction with the manager (points of 10; it sells nothing more), and
    ``leniency`` what each adds to the ratings given (points of 5). ``leaver`` hands over all accounts on
    ``leaves_on``; ``successor`` takes those that no colleague of the region takes.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    region: np.ndarray
    hours: np.ndarray
    quality: np.ndarray
    leniency: np.ndarray
    leaver: int
    successor: int
    leaves_on: int

    def in_region(self, region: int) -> np.ndarray:
        """The managers who look after a region; all of them where it has none of its own."""
        own = np.flatnonzero(self.region == region)
        return own if len(own) else np.arange(len(self.ids))


def make_staff(streams: Streams, calendar: Calendar, accounts: int) -> Staff:
    """The managers of a company with that many accounts: about one for every 22."""
    rng = streams.of("staff")
    number = max(2, round(accounts / ACCOUNTS_PER_MANAGER))
    region = np.sort(_by_share(number, [share for _, share, _ in REGIONS]))
    width = max(2, len(str(number)))
    first = int(rng.integers(0, 10_000))
    hours = rng.choice([88.0, 96.0, 104.0, 112.0, 120.0], size=number, p=[0.1, 0.25, 0.3, 0.25, 0.1])
    return Staff(
        tuple(f"M{i + 1:0{width}d}" for i in range(number)),
        tuple(person_name(first + i * PERSON_STEP) for i in range(number)),
        region,
        hours,
        rng.normal(0, 0.6, number),
        rng.normal(0, 0.3, number),
        number - 2 if number < 6 else int(np.flatnonzero(region == 0)[-1]),
        number - 1 if number < 6 else int(np.flatnonzero(region == 0)[0]),
        int(calendar.month_start[int(calendar.months * 0.72)]),
    )


def _by_share(number: int, shares: list[float]) -> np.ndarray:
    """Seats by largest remainder."""
    exact = np.array(shares) * number
    seats = np.floor(exact).astype(int)
    for place in np.argsort(-(exact - seats), kind="stable")[: number - seats.sum()]:
        seats[place] += 1
    return np.repeat(np.arange(len(shares)), seats)


def team(region: int) -> str:
    """The name of a region's team."""
    return f"{REGION_NAMES[region]} team"
