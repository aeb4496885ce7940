"""Quarterly rebates of the sample company, and purchases pulled forward to reach them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kamlib.book.company.course import Course
from kamlib.book.company.population import Population
from kamlib.book.company.world import World

ROUND_TO = 5_000.0
REBATE_SHARE = 0.025
LAST_WORKDAYS = 5


@dataclass(frozen=True)
class Rebates:
    """(accounts, quarters) thresholds, missing where there is no rebate; first days of each quarter and the next."""

    threshold: np.ndarray
    first_day: np.ndarray
    next_day: np.ndarray

    @property
    def quarters(self) -> int:
        """Number of quarters."""
        return len(self.first_day)

    def quarter_of(self, day: np.ndarray) -> np.ndarray:
        """Quarter of each day; -1 before the first."""
        return np.searchsorted(self.first_day, day, side="right") - 1

    def bought(self, account: np.ndarray, day: np.ndarray, revenue: np.ndarray) -> np.ndarray:
        """(accounts, quarters) purchases."""
        quarter, shape = self.quarter_of(day), self.threshold.shape
        inside = quarter >= 0
        cell = account[inside] * shape[1] + quarter[inside]
        return np.bincount(cell, revenue[inside], minlength=shape[0] * shape[1]).reshape(shape)


def draw_rebates(world: World, people: Population, course: Course, rng: np.random.Generator) -> Rebates:
    """Thresholds somewhat below or above what each account was expected to buy in the quarter."""
    quarters = world.calendar.quarters()
    bounds = np.array([(first, after) for _, first, after in quarters], dtype=int).reshape(-1, 2)
    starts = world.calendar.month_start
    expected = course.rate * course.value * (course.present > 0)
    plan = np.stack([expected[:, f:a].sum(axis=1) for f, a in bounds], axis=1) if len(bounds) else expected[:, :0]
    takes_part = (rng.random(len(people)) < world.process.by_class("rebate_share", people.klass)) & (people.plant == 0)
    reach = rng.uniform(*world.process.rebate_reach, size=plan.shape)
    threshold = np.maximum(np.round(plan * reach / ROUND_TO), 1) * ROUND_TO
    threshold[~(takes_part[:, None] & (plan > 10 * ROUND_TO))] = np.nan
    return Rebates(threshold, starts[bounds[:, 0]], starts[bounds[:, 1]])


def pull_forward(
    world: World,
    rebates: Rebates,
    rng: np.random.Generator,
    account: np.ndarray,
    day: np.ndarray,
    revenue: np.ndarray,
    may_move: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Lines that are bought early to reach a rebate, and the day they are bought on instead.

    An account that ends a quarter within reach of its threshold buys, in the last working days of it, what it
    would have bought first in the weeks after, just until the threshold is passed. Nothing more is bought over
    the two quarters together.
    """
    moved = np.zeros(len(day), dtype=bool)
    if not rebates.quarters:
        return moved, day
    missing = rebates.threshold - rebates.bought(account, day, revenue)
    near = missing <= rebates.threshold * (1 - world.process.rebate_near)
    missing = np.where(near & (missing > 0), missing, np.nan)
    before = rebates.quarter_of(day - world.process.rebate_pull_days)
    is_early = (before >= 0) & (rebates.quarter_of(day) == before + 1) & may_move
    wanted = np.where(is_early, missing[account, np.maximum(before, 0)], np.nan)
    rows = np.flatnonzero(~np.isnan(wanted))
    cell = account[rows] * rebates.quarters + before[rows]
    rows = rows[np.lexsort((day[rows], cell))]
    rows = rows[_just_enough(account[rows] * rebates.quarters + before[rows], revenue[rows], wanted[rows])]
    moved[rows] = True
    early = _last_workdays(world, rebates, rng)
    return moved, np.where(moved, early[account, np.maximum(before, 0)], day)


def _just_enough(cell: np.ndarray, revenue: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Of lines sorted within each cell, those needed to reach what is wanted; none where all do not reach it."""
    if not len(cell):
        return np.zeros(0, dtype=bool)
    is_first = np.concatenate([[True], cell[1:] != cell[:-1]])
    group = np.cumsum(is_first) - 1
    total = np.cumsum(revenue)
    before_group = (total - revenue)[is_first]
    sums = np.bincount(group, revenue)
    so_far = total - revenue - before_group[group]
    return (so_far < wanted) & (sums[group] >= wanted)


def _last_workdays(world: World, rebates: Rebates, rng: np.random.Generator) -> np.ndarray:
    """(accounts, quarters) one of the last working days of each quarter."""
    workdays = world.calendar.workdays
    last = np.searchsorted(workdays, rebates.next_day) - 1
    back = rng.integers(0, LAST_WORKDAYS, size=rebates.threshold.shape)
    return workdays[np.maximum(last[None, :] - back, 0)]
