"""What no plan of a territory can earn more than, and the prices of an hour it rests on.

The bound (Lagrange, on the hours): every account stays as long as the fullest care would keep it and that care
costs nothing; only visits, promotions and reservations are paid for, and the hours of visits and promotions have a
price in each quarter. What each account then earns at most is exact by dynamic programming over what is carried
over of past visits, rounded up; the sum plus the price of all hours exceeds what any plan earns, whatever the
prices, and the lowest over prices is the bound.

Source: Fisher (1981), The Lagrangian relaxation method for solving integer programming problems.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kamlib.book.company import process as law
from kamlib.book.company.process import Process
from kamlib.training.territory.company import MONTHS, PAST_MONTHS, QUARTERS, Company
from kamlib.training.territory.course import Choices, Course, live
from kamlib.training.territory.rules import HANDLINGS, Rules

LEVELS, STEPS = 49, 60


def full_care(accounts: int) -> Choices:
    """Everything that could keep an account: an executive each quarter, each complaint made good, all reserved."""
    nothing, all_of_it = Choices.nothing(accounts), np.ones((accounts, QUARTERS), dtype=bool)
    worked = np.full((accounts, QUARTERS), len(HANDLINGS) - 1)
    return replace(nothing, executive=all_of_it, handling=worked, reserve=all_of_it)


@dataclass(frozen=True, eq=False)
class Programme:
    """Dynamic programme over quarters: ``gains`` is (promotions, accounts, quarters, levels, visits) before hours.

    ``levels`` of what is carried over at a quarter's start; ``following`` the position of the level at its end,
    rounded up, by level and visits.
    """

    gains: np.ndarray
    levels: np.ndarray
    following: np.ndarray
    start: np.ndarray
    rules: Rules

    def solve(self, prices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(accounts,) most that each earns at these prices of an hour, and (accounts, quarters) hours it takes."""
        worth, plans = self._backward(prices)
        visits, runs = self._forward(plans)
        hours = visits * self.rules.visit_hours + runs * self.rules.promotion_hours
        return worth[np.arange(len(worth)), self.start], hours

    def plan(self, prices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(accounts, quarters) visits, and whether a promotion runs, at these prices."""
        return self._forward(self._backward(prices)[1])

    def _backward(self, prices: np.ndarray) -> tuple[np.ndarray, list]:
        visits = np.arange(self.gains.shape[-1])
        worth, plans = np.zeros((self.gains.shape[1], len(self.levels))), []
        for quarter in reversed(range(QUARTERS)):
            plain, promoted = self.gains[:, :, quarter]
            runs = promoted - prices[quarter] * self.rules.promotion_hours > plain
            gain = np.where(runs, promoted - prices[quarter] * self.rules.promotion_hours, plain)
            total = gain - prices[quarter] * self.rules.visit_hours * visits + worth[:, self.following]
            chosen = total.argmax(axis=2)
            worth = np.take_along_axis(total, chosen[:, :, None], axis=2)[:, :, 0]
            plans.append((chosen, np.take_along_axis(runs, chosen[:, :, None], axis=2)[:, :, 0]))
        return worth, plans[::-1]

    def _forward(self, plans: list) -> tuple[np.ndarray, np.ndarray]:
        level, rows, made, ran = self.start, np.arange(len(self.start)), [], []
        for chosen, runs in plans:
            made.append(chosen[rows, level])
            ran.append(runs[rows, level])
            level = self.following[level, made[-1]]
        return np.stack(made, axis=1), np.stack(ran, axis=1)


def programme(company: Company, rules: Rules, process: Process, care: Choices) -> Programme:
    """The programme in which the presence of *care* is had for nothing."""
    course = live(company, care, rules, process)
    kept, visits = process.carry_over, np.arange(rules.most_visits + 1)
    before = law.carry_over(company.past_visits, kept, company.visits_before)[:, -1]
    top = max(float(before.max()), rules.most_visits / 3) + 1e-9
    levels = np.expm1(np.linspace(0, np.log1p(top), LEVELS))
    carried = np.repeat(visits[None, :, None] / 3, 3, axis=2) * np.ones((LEVELS, 1, 1))
    carried = law.carry_over(carried, kept, levels[:, None])
    following = np.searchsorted(levels, carried[:, :, -1] - 1e-12)
    gains = np.stack([_gains(company, rules, process, course, carried, p) for p in (False, True)])
    return Programme(gains, levels, following, np.searchsorted(levels, before - 1e-12), rules)


def _gains(company: Company, rules: Rules, process: Process, course: Course, carried, promoted: bool) -> np.ndarray:
    """(accounts, quarters, levels, visits) margin less costs of a quarter, supply reserved where that pays."""
    month = np.arange(PAST_MONTHS, MONTHS)
    gone = np.log1p(-company.depth)[:, None] * (month >= company.defected_in[:, None])
    runs = np.array([0.0, promoted, 0.0])
    fixed = company.calm[:, PAST_MONTHS:] + gone + np.tile(law.promotion_response(process, runs), QUARTERS)
    earned = company.base[:, None] * company.buys[:, PAST_MONTHS:] * np.exp(fixed) * course.present[:, PAST_MONTHS:]
    earned = earned * (company.margin_share[:, None] - np.tile(runs, QUARTERS) * rules.promotion_rebate)
    response = (1 + carried)[None] ** company.elasticity[:, None, None, None]
    short = 1 - process.lost_when_out * company.short[:, PAST_MONTHS:]
    whole, cut = ((earned * by).reshape(-1, QUARTERS, 3) for by in (1.0, short))
    with_all, without = (np.einsum("iqm,isnm->iqsn", by, response) for by in (whole, cut))
    best = np.maximum(with_all - company.reserve_price[:, None, None, None], without)
    visits = np.arange(carried.shape[1]) * rules.visit_cost(company.region)[:, None]
    return best - visits[:, None, None, :] - rules.promotion_cost * promoted


def lowest_bound(company: Company, rules: Rules, process: Process) -> tuple[np.ndarray, float]:
    """Prices of an hour by quarter at which the bound is lowest as far as found, and that bound."""
    cared = programme(company, rules, process, full_care(len(company)))

    def bound(prices: np.ndarray) -> tuple[float, np.ndarray]:
        worth, hours = cared.solve(prices)
        return float(worth.sum() + prices.sum() * rules.hours_per_quarter), hours.sum(axis=0)

    lowest, best = bound(np.zeros(QUARTERS))[0], np.zeros(QUARTERS)
    prices = _common_price(bound, rules) * np.ones(QUARTERS)
    step = max(prices[0], 50.0) / 4
    for turn in range(STEPS):
        value, hours = bound(prices)
        if value < lowest:
            lowest, best = value, prices
        slope = (hours - rules.hours_per_quarter) / max(rules.hours_per_quarter, 1.0)
        prices = np.maximum(prices + step / (1 + turn / 4) * np.clip(5 * slope, -1, 1), 0.0)
    return best, lowest


def _common_price(bound, rules: Rules) -> float:
    """The price of an hour, the same in all quarters, at which about all hours are used."""
    low, high = 0.0, 1e5
    for _ in range(20):
        middle = np.sqrt((low + 1) * (high + 1)) - 1
        is_dear = bound(np.full(QUARTERS, middle))[1].mean() <= rules.hours_per_quarter
        low, high = (low, middle) if is_dear else (middle, high)
    return high if low > 0 else 0.0
