"""What follows from decisions: months lived through account by account, with the luck that was drawn before."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from kamlib.book.company import process as law
from kamlib.book.company.population import FAR_AHEAD
from kamlib.book.company.process import Process
from kamlib.training.territory.company import MONTHS, PAST_MONTHS, QUARTERS, Company
from kamlib.training.territory.rules import Rules

PROMOTION_MONTH = 1
OPEN_MONTHS = 6
MOST_COMPLAINTS = 4


@dataclass(frozen=True, eq=False)
class Choices:
    """(accounts, quarters) decisions: whole visits, flags, and the position of the handling of complaints."""

    visits: np.ndarray
    executive: np.ndarray
    promotion: np.ndarray
    handling: np.ndarray
    reserve: np.ndarray

    @classmethod
    def nothing(cls, accounts: int) -> Self:
        """Nobody is visited and nothing is done."""
        return cls(*(np.zeros((accounts, QUARTERS), dtype=t) for t in (int, bool, bool, int, bool)))

    def take(self, rows) -> Self:
        """The decisions for the accounts at these positions, which may repeat."""
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def copy(self) -> Self:
        """The same decisions in arrays of their own."""
        return replace(self, **{f.name: getattr(self, f.name).copy() for f in fields(self)})


@dataclass(frozen=True, eq=False)
class Course:
    """What happened; (accounts, months) arrays from a year before the player began, or (accounts, quarters).

    ``expected`` is revenue to be expected in the month, given who is still there; ``left_in`` the month from which
    an account is gone (far ahead: never). ``open`` is how many complaints wait at the start of each quarter and
    ``hours`` and ``costs`` what the decisions of the quarter took; ``rebates`` is the part of costs that hangs on
    revenue, in each month, and is not among ``costs``.
    """

    carried: np.ndarray
    factor: np.ndarray
    lost: np.ndarray
    present: np.ndarray
    left_in: np.ndarray
    complaints: np.ndarray
    troubled: np.ndarray
    open: np.ndarray
    expected: np.ndarray
    rebated: np.ndarray
    hours: np.ndarray
    costs: np.ndarray
    value: np.ndarray

    @property
    def profit(self) -> np.ndarray:
        """(accounts,) margin to be expected less all costs, over the eight quarters."""
        return self.value.sum(axis=1)


def live(company: Company, choices: Choices, rules: Rules, process: Process) -> Course:
    """Live through all months. Accounts are independent of each other, and rows may repeat an account.

    The laws are those of :mod:`kamlib.book.company.process`; to them comes the handling of complaints, which takes
    away part of the log odds of leaving from the quarter it is done in.
    """
    visits = np.concatenate([company.past_visits, np.repeat(choices.visits / 3, 3, axis=1)], axis=1)
    carried = law.carry_over(visits, process.carry_over, company.visits_before)
    is_reserved, month = _by_month(choices.reserve), np.arange(MONTHS)
    short = np.where(is_reserved, 0.0, company.short)
    complaints = _complaints(company, short, company.hit & ~is_reserved, process)
    present, left_in, troubled, waiting, complaints = _stay(company, choices, complaints, rules, process)
    runs = _by_month(choices.promotion) & (month % 3 == PROMOTION_MONTH)
    gone_elsewhere = np.log1p(-company.depth)[:, None] * (month >= company.defected_in[:, None])
    factor = company.calm + law.visit_response(carried, company.elasticity[:, None]) + gone_elsewhere
    factor = factor + law.promotion_response(process, runs)
    lost = short * process.lost_when_out
    expected = company.base[:, None] * company.buys * np.exp(factor) * (1 - lost) * present
    rebated = runs * rules.promotion_rebate
    hours, costs = _spent(company, choices, waiting, rules)
    earned = expected * (company.margin_share[:, None] - rebated)
    value = earned[:, PAST_MONTHS:].reshape(len(company), QUARTERS, 3).sum(axis=2) - costs
    return Course(
        carried, factor, lost, present, left_in, complaints, troubled, waiting, expected, rebated, hours, costs, value
    )


def take_orders(company: Company, course: Course, process: Process) -> tuple[np.ndarray, np.ndarray]:
    """(accounts, months) orders that came in, and their revenue in whole TWD.

    Orders are a renewal process in accumulated expected orders. The gaps and the relative sizes of the orders to
    come were drawn before, so a decision brings orders forward or makes them worth more, and deals no new cards.
    """
    often, much = law.split_demand(process, course.factor)
    passed = np.cumsum(company.rate[:, None] * company.buys * often * course.present, axis=1)
    worth = (company.base / company.rate)[:, None] * much * (1 - course.lost)
    orders, revenue = np.zeros(passed.shape, dtype=int), np.zeros(passed.shape)
    for account, arrivals in enumerate(company.arrivals):
        count = np.searchsorted(arrivals, passed[account], side="right")
        orders[account] = np.diff(count, prepend=0)
        revenue[account] = np.diff(company.sizes[account, count], prepend=0.0)
    return orders, np.round(revenue * worth)


def _by_month(by_quarter: np.ndarray) -> np.ndarray:
    """(accounts, quarters) flags by month, none in the year before."""
    past = np.zeros((len(by_quarter), PAST_MONTHS), dtype=by_quarter.dtype)
    return np.concatenate([past, np.repeat(by_quarter, 3, axis=1)], axis=1)


def _complaints(company: Company, short, hit, process: Process) -> np.ndarray:
    """Poisson counts at each month's own draw: a higher intensity never makes fewer complaints."""
    mean = law.complaint_intensity(process, company.klass[:, None], short, hit) * (company.buys > 0)
    count, term = np.zeros(mean.shape, dtype=int), np.exp(-mean)
    passed = term.copy()
    for k in range(1, MOST_COMPLAINTS + 1):
        count += company.complaint_draw >= passed
        term = term * mean / k
        passed += term
    return count


def _stay(company: Company, choices: Choices, complaints, rules: Rules, process: Process):
    """Who is still there in each month, month by month, and the complaints that wait at each quarter's start."""
    count = len(company)
    harm = np.ones(complaints.shape)
    handled = np.zeros(complaints.shape, dtype=bool)
    present = np.ones(complaints.shape, dtype=bool)
    troubled = np.zeros(complaints.shape)
    waiting = np.zeros((count, QUARTERS), dtype=int)
    left_in = np.full(count, FAR_AHEAD)
    relief = np.array(rules.handling_relief)
    executive = _by_month(choices.executive) & (np.arange(MONTHS) % 3 == 0)
    odds = _usual_odds(company, process)
    for month in range(PAST_MONTHS, MONTHS):
        lately = slice(month - OPEN_MONTHS, month)
        if month % 3 == 0:
            quarter = (month - PAST_MONTHS) // 3
            is_open = (complaints[:, lately] > 0) & ~handled[:, lately]
            waiting[:, quarter] = (complaints[:, lately] * is_open).sum(axis=1)
            done = is_open & (choices.handling[:, quarter] > 0)[:, None]
            harm[:, lately] = np.where(done, 1 - relief[choices.handling[:, quarter]][:, None], harm[:, lately])
            handled[:, lately] |= done
        troubled[:, month] = ((complaints[:, lately] > 0) * harm[:, lately]).max(axis=1)
        recent = executive[:, month - process.executive_months : month].any(axis=1)
        bears = np.log(process.odds_complaint) * troubled[:, month] + np.log(process.odds_executive) * recent
        is_here = present[:, month - 1]
        leaves = is_here & (company.leaving_draw[:, month] < 1 / (1 + np.exp(-(odds[:, month] + bears))))
        left_in = np.where(leaves, month, left_in)
        present[:, month] = is_here & ~leaves
        complaints[:, month] *= present[:, month]
    return present, left_in, troubled, waiting, complaints


def _usual_odds(company: Company, process: Process) -> np.ndarray:
    """(accounts, months) log odds of leaving from what nobody decides."""
    return law.leaving_odds_log(
        process,
        company.klass[:, None],
        under_contract=company.under_contract,
        contract_ends=company.contract_ends,
        new_manager=company.new_manager,
        referred=company.is_referred[:, None],
    )


def _spent(company: Company, choices: Choices, waiting, rules: Rules) -> tuple[np.ndarray, np.ndarray]:
    """(accounts, quarters) hours and money of the decisions; rebates come on top."""
    handling = choices.handling
    hours = choices.visits * rules.visit_hours + choices.executive * rules.executive_hours
    hours = hours + choices.promotion * rules.promotion_hours + waiting * np.array(rules.handling_hours)[handling]
    each = rules.visit_cost(company.region)[:, None]
    costs = choices.visits * each + choices.executive * each * (rules.executive_factor - 1)
    costs = costs + choices.promotion * rules.promotion_cost + waiting * np.array(rules.handling_costs)[handling]
    return hours, costs + choices.reserve * company.reserve_price[:, None]
