"""The rules of the territory: what decisions cost, how many hours there are, and what handling a complaint does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kamlib.book.company.care import EXECUTIVE_FACTOR, HOUR_COST, HOURS, TRAVEL_COST
from kamlib.errors import RequestError

HANDLINGS = ("leave", "answer", "make_good")


@dataclass(frozen=True)
class Rules:
    """What is allowed and what it costs; money in TWD.

    Attributes
    ----------
    hours_per_quarter, executives_per_quarter : what there is for all accounts together in a quarter.
    most_visits : to one account in a quarter. visit_hours, executive_hours : of a visit, and on top of it when an
        executive comes along. visit_costs : by region; executive_factor : the cost of a visit is times this with one.
    promotion_cost, promotion_rebate, promotion_hours : of a promotion, and the share of that month's revenue given
        back. It runs in the second month of the quarter.
    reserve_share : price of reserving supply for a quarter, as a share of a usual quarter's revenue.
    handling_costs, handling_hours : of each open complaint by how it is handled (``HANDLINGS``). handling_relief :
        share of the harm to the account's loyalty it takes away, from the quarter of handling on.
    segment_from : revenue a year from which an account is in segment A, and in B.

    Examples
    --------
    >>> Rules().visit_cost(0)
    1738.0
    """

    hours_per_quarter: float = 240.0
    executives_per_quarter: int = 3
    most_visits: int = 24
    visit_hours: float = HOURS[0]
    executive_hours: float = 2.0
    visit_costs: tuple[float, ...] = tuple(HOURS[0] * HOUR_COST + travel for travel in TRAVEL_COST)
    executive_factor: float = EXECUTIVE_FACTOR
    promotion_cost: float = 2_000.0
    promotion_rebate: float = 0.04
    promotion_hours: float = 2.0
    reserve_share: float = 0.005
    handling_costs: tuple[float, ...] = (0.0, 500.0, 6_000.0)
    handling_hours: tuple[float, ...] = (0.0, 1.5, 3.0)
    handling_relief: tuple[float, ...] = (0.0, 0.4, 0.85)
    segment_from: tuple[float, ...] = (950_000.0, 240_000.0)

    def __post_init__(self) -> None:
        amounts = (self.hours_per_quarter, self.executives_per_quarter, self.most_visits)
        if not all(np.isfinite(amounts)) or min(amounts) < 0 or self.visit_hours <= 0:
            raise RequestError(
                f"hours, executives and visits of a quarter are {amounts}; give 0 or more each, and visit_hours above 0"
            )

    def visit_cost(self, region):
        """TWD of one visit to a region, by its number; an array gives an array."""
        costs = np.array(self.visit_costs)[region]
        return costs if np.ndim(region) else float(costs)
