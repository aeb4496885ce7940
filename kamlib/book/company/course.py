"""What happens to each account of the sample company, month by month, before any of it is written down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kamlib.book.company import process as law
from kamlib.book.company.contracts import Contracts, draw_contracts
from kamlib.book.company.market import CATEGORIES
from kamlib.book.company.population import FAR_AHEAD, Population
from kamlib.book.company.streams import Streams
from kamlib.book.company.world import CRISIS_CATEGORY, World

PROSPECT_VISITS = 0.4
MONTHS_BEFORE_LEAVING = 3


@dataclass(frozen=True)
class Course:
    """(accounts, months) arrays of what happened, and what was to be expected.

    ``left_on`` is the day an account silently left and ``defected_in`` the month it took part of its spending
    elsewhere (far ahead: never); ``rate`` and ``value`` are expected orders and money an order while it buys,
    ``present`` the share of the month in which it does, ``lost`` the share of revenue lost to stock-outs.
    """

    visits: np.ndarray
    executive: np.ndarray
    carried: np.ndarray
    shock: np.ndarray
    promoted: np.ndarray
    promotion_category: np.ndarray
    complaints: np.ndarray
    short: np.ndarray
    leaving: np.ndarray
    left_on: np.ndarray
    defected_in: np.ndarray
    depth: np.ndarray
    visit_effect: np.ndarray
    rate: np.ndarray
    value: np.ndarray
    present: np.ndarray
    lost: np.ndarray
    contracts: Contracts

    @property
    def expected_revenue(self) -> np.ndarray:
        """Revenue expected in each month, before returns and before purchases pulled forward for a rebate."""
        return self.rate * self.value * self.present * (1 - self.lost)

    @property
    def expected_unvisited(self) -> np.ndarray:
        """The same, had nobody ever visited (and had the account stayed as long)."""
        return self.expected_revenue * np.exp(-self.visit_effect)


def run_course(world: World, people: Population, streams: Streams) -> Course:
    """Live through all months with a block of accounts."""
    process, months = world.process, world.calendar.months
    shock = law.shocks(process, streams.of("shocks"), len(people), months)
    visits, executive, planned = _visits(world, people, shock, streams)
    carried = law.carry_over(visits, process.carry_over, np.where(people.opened < 0, planned, 0.0))
    visit_effect = law.visit_response(carried, people.elasticity[:, None])
    promoted, category = _promotions(world, people, streams.of("promotions"))
    contracts = draw_contracts(world, people, streams.of("contracts"))
    short = np.einsum("ic,icm->im", people.tastes, world.severity[people.region])
    complaints = _complaints(world, people, short, streams.of("complaints"))
    leaving = _leaving(world, people, complaints, executive, contracts)
    left_on = _left_on(world, leaving, streams.of("leaving"))
    defected_in, depth = _defections(world, people, left_on, streams.of("defections"))
    rate, value = _demand(world, people, visit_effect, shock, promoted, defected_in, depth)
    still_here = world.calendar.month_start[:-1] <= left_on[:, None]
    return Course(
        visits=visits,
        executive=executive,
        carried=carried,
        shock=shock,
        promoted=promoted & still_here,
        promotion_category=category,
        complaints=complaints * still_here,
        short=short,
        leaving=leaving * still_here,
        left_on=left_on,
        defected_in=defected_in,
        depth=depth,
        visit_effect=visit_effect,
        rate=rate,
        value=value,
        present=_present(world, people, left_on),
        lost=short * process.lost_when_out,
        contracts=contracts.signed_before(left_on),
    )


def month_of(world: World, day: np.ndarray) -> np.ndarray:
    """Month of each day: -1 before the window, the number of months after it."""
    return np.searchsorted(world.calendar.month_start, day, side="right") - 1


def buying_since(world: World, people: Population) -> np.ndarray:
    """(accounts, months) whole months since the account may order, negative before."""
    return np.arange(world.calendar.months) - month_of(world, people.buys_from)[:, None]


def _visits(world: World, people: Population, shock: np.ndarray, streams: Streams):
    process, rng = world.process, streams.of("visits")
    plan = law.planned_visits(process, world.regime, people.size, people.klass)
    plan = np.where(people.is_customer, plan, PROSPECT_VISITS * plan)
    plan[people.is_unassigned] = 0.0
    plan[people.planted("giant_one_off")] = 0.0
    trend = world.regime == "trend"
    signal = law.foresight(process, streams.of("foresight"), shock) if trend else None
    visits = law.draw_visits(process, rng, plan, world.calendar.work_share, signal)
    known = np.arange(world.calendar.months) > month_of(world, people.opened)[:, None]
    visits = visits * (known | (people.opened < 0)[:, None])
    share = process.by_class("executive_share", people.klass)[:, None]
    return visits, rng.binomial(visits, share), plan


def _promotions(world: World, people: Population, rng: np.random.Generator):
    shape = (len(people), world.calendar.months)
    rate = world.process.by_class("promotion_rate", people.klass)[:, None]
    ordinary = people.is_customer & (people.plant == 0)
    runs = (rng.random(shape) < rate) & (buying_since(world, people) > 0) & ordinary[:, None]
    taste = np.cumsum(people.tastes, axis=1)
    category = (rng.random(shape)[:, :, None] > taste[:, None, :]).sum(axis=2)
    return runs, np.minimum(category, len(CATEGORIES) - 1)


def _complaints(world: World, people: Population, short: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    hit = world.in_crisis[people.region] & (people.tastes[:, CRISIS_CATEGORY] > 0.05)[:, None]
    rate = law.complaint_intensity(world.process, people.klass[:, None], short, hit)
    buying = (buying_since(world, people) > 0) & people.is_customer[:, None] & (people.base > 0)[:, None]
    return rng.poisson(rate * buying)


def recently(happened: np.ndarray, months: int) -> np.ndarray:
    """Whether something happened in one of the *months* months before each month."""
    total = np.cumsum(happened, axis=1)
    before = np.concatenate([np.zeros((len(total), 1), total.dtype), total[:, :-1]], axis=1)
    shifted = np.zeros_like(before)
    shifted[:, months:] = before[:, :-months] if months < before.shape[1] else 0
    return before > shifted


def _leaving(world: World, people: Population, complaints, executive, contracts: Contracts) -> np.ndarray:
    """Probability of leaving in each month, given that the account is still there."""
    process, month = world.process, np.arange(world.calendar.months)
    handed_over = month == month_of(world, people.changed)[:, None]
    probability = law.leaving_probability(
        process,
        people.klass[:, None],
        complaint=recently(complaints, process.complaint_months),
        executive=recently(executive, process.executive_months),
        under_contract=contracts.runs,
        contract_ends=contracts.ends,
        new_manager=recently(handed_over, process.manager_months),
        referred=people.is_referred[:, None],
    )
    settled = (buying_since(world, people) >= MONTHS_BEFORE_LEAVING) & (month >= process.quiet_months)
    exposed = settled & (people.is_customer & (people.plant == 0))[:, None]
    return probability * exposed


def _left_on(world: World, leaving: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    leaves = rng.random(leaving.shape) < leaving
    first = leaves.argmax(axis=1)
    starts = world.calendar.month_start
    within = np.floor(rng.random(len(first)) * (starts[first + 1] - starts[first])).astype(int)
    return np.where(leaves.any(axis=1), starts[first] + within, FAR_AHEAD)


def _defections(world: World, people: Population, left_on: np.ndarray, rng: np.random.Generator):
    """Month from which an account spends part of its money elsewhere, and how large a part."""
    takes = rng.random((len(people), world.calendar.months)) < world.process.defection_rate
    settled = buying_since(world, people) >= MONTHS_BEFORE_LEAVING
    settled &= (people.is_customer & (people.plant == 0))[:, None]
    takes &= settled & (np.arange(world.calendar.months) >= MONTHS_BEFORE_LEAVING)
    takes &= world.calendar.month_start[1:] <= left_on[:, None]
    depth = rng.uniform(*world.process.defection_depth, size=len(people))
    happens = takes.any(axis=1)
    return np.where(happens, takes.argmax(axis=1), FAR_AHEAD), np.where(happens, depth, 0.0)


def _demand(world: World, people: Population, visit_effect, shock, promoted, defected_in, depth):
    """Orders a month and money an order while the account buys."""
    month = np.arange(world.calendar.months)
    grown = np.maximum(month + 1 - people.growth_from[:, None], 0)
    log_demand = (
        visit_effect
        + shock
        + np.log(world.monthly[people.industry])
        + law.promotion_response(world.process, promoted)
        + np.log1p(-depth)[:, None] * (month >= defected_in[:, None])
        + people.growth[:, None] * grown
    )
    often, much = law.split_demand(world.process, log_demand)
    rate = people.rate[:, None] * people.buying_months(world.calendar)
    worth = np.divide(people.base, people.rate, out=np.zeros(len(people)), where=people.rate > 0)
    return rate * often, worth[:, None] * much


def _present(world: World, people: Population, left_on: np.ndarray) -> np.ndarray:
    """Share of each month's demand that falls between the account's first and last day of buying."""
    before = np.concatenate([np.zeros((len(world.daily), 1)), np.cumsum(world.daily, axis=1)], axis=1)
    starts, industry = world.calendar.month_start, people.industry[:, None]
    low = np.clip(people.buys_from[:, None], starts[:-1], starts[1:])
    high = np.clip(left_on[:, None] + 1, starts[:-1], starts[1:])
    whole = before[industry, starts[1:]] - before[industry, starts[:-1]]
    return np.maximum(before[industry, high] - before[industry, low], 0) / whole
