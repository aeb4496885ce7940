"""What all accounts of the sample company share: calendar, catalogue, staff, seasons, and trouble with supply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kamlib.book.company.calendar import Calendar, make_calendar
from kamlib.book.company.catalogue import NEW_AT, Catalogue, make_catalogue
from kamlib.book.company.market import CATEGORIES, REGION_NAMES, REGIONS, daily_season, monthly_season
from kamlib.book.company.process import REGIMES, Process
from kamlib.book.company.staff import Staff, make_staff
from kamlib.book.company.streams import Streams
from kamlib.errors import RequestError

CRISIS_REGION, CRISIS_CATEGORY = REGION_NAMES.index("South"), CATEGORIES.index("Chilled and frozen")
CRISIS_NAME = "cold-store failure in Kaohsiung"


@dataclass(frozen=True)
class World:
    """The company around its accounts.

    ``daily`` is (industries, days) and ``monthly`` (industries, months) seasonal demand; ``severity`` is
    (regions, categories, months), how short supply was from 0 to 1; ``launches`` the day each new product came.
    """

    process: Process
    calendar: Calendar
    catalogue: Catalogue
    staff: Staff
    regime: str
    lines_per_order: float
    name_offset: int
    id_width: int
    daily: np.ndarray
    monthly: np.ndarray
    severity: np.ndarray
    crisis_month: int
    launches: np.ndarray

    @property
    def in_crisis(self) -> np.ndarray:
        """(regions, months) whether the crisis is on."""
        on = np.zeros((len(REGIONS), self.calendar.months), dtype=bool)
        on[CRISIS_REGION, self.crisis_month : self.crisis_month + 2] = True
        return on

    def account_ids(self, numbers) -> list[str]:
        """Identifiers of accounts by their number in the company."""
        return [f"C{number + 1:0{self.id_width}d}" for number in numbers]


def make_world(
    process: Process, streams: Streams, accounts: int, months: int, end, regime: str, lines_per_order: float
) -> World:
    """The company of a seed.

    Raises
    ------
    RequestError
        When a number is too small, or there is no such targeting regime.
    """
    if accounts < 1:
        raise RequestError(f"a company needs at least 1 account, not {accounts}")
    if lines_per_order < 1:
        raise RequestError(f"an order has at least 1 line; lines_per_order is {lines_per_order}")
    if regime not in REGIMES:
        raise RequestError(f"no targeting {regime!r}; there are {', '.join(REGIMES)}")
    calendar = make_calendar(end, months)
    daily = daily_season(calendar)
    severity, crisis_month = _supply(process, streams.of("supply"), months)
    return World(
        process,
        calendar,
        make_catalogue(),
        make_staff(streams, calendar, accounts),
        regime,
        lines_per_order,
        int(streams.of("names").integers(0, 10_000)),
        max(4, len(str(accounts))),
        daily,
        monthly_season(calendar, daily),
        severity,
        crisis_month,
        calendar.month_start[(np.array(NEW_AT) * months).astype(int)],
    )


def _supply(process: Process, rng: np.random.Generator, months: int) -> tuple[np.ndarray, int]:
    """Stock-outs hit a category everywhere for a month; the crisis hits one category in one region for two."""
    is_out = rng.random((len(CATEGORIES), months)) < process.stock_out_rate
    depth = rng.uniform(*process.stock_out_severity, size=is_out.shape)
    severity = np.repeat((is_out * depth)[None], len(REGIONS), axis=0)
    crisis_month = int(process.crisis_at * months)
    for later, depth_then in enumerate(process.crisis_severity):
        severity[CRISIS_REGION, CRISIS_CATEGORY, crisis_month + later] = depth_then
    return severity, crisis_month
