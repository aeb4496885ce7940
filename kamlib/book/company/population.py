"""The accounts of the sample company as they really are: what each one would do, before anything happens."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kamlib.book.company import process as law
from kamlib.book.company.calendar import Calendar
from kamlib.book.company.market import (
    CATEGORIES,
    INDUSTRIES,
    REGIONS,
    SEASONAL_BUYERS,
    buying_mask,
    industry_index,
)
from kamlib.book.company.process import CLASSES, Process
from kamlib.book.company.staff import Staff
from kamlib.book.company.streams import Streams

LIFECYCLES = ("lead", "opportunity", "customer")
PLANTS = ("", "giant_one_off", "fast_grower", "vip_single", "vip_single_below", "vip_month", "vip_month_below")
SMALLEST_WITH_PLANTS = 30
PROSPECT_SHARE, WON_A_YEAR, MOST_WON = 0.12, 0.06, 0.30
ALONE = -1
FAR_AHEAD = 10**6
GRAND_HOTEL = 1
FAIR_SIZE = 0.5
SEASON_KINDS = ("steady", *(kind for kind, *_ in SEASONAL_BUYERS))


@dataclass(frozen=True)
class Population:
    """A block of accounts; every array has one entry per account.

    ``base`` is revenue a month with no visits, ``rate`` orders a month, ``regularity`` the shape k of the gaps.
    Days are counted from the first of the window: ``opened`` is when the account was entered, ``buys_from`` when
    it may first order (far ahead for prospects), ``changed`` when ``later_manager`` took over (far ahead: never).
    ``parent`` is the position of the group's head within the block, -1 for none.
    """

    start: int
    quantile: np.ndarray
    size: np.ndarray
    klass: np.ndarray
    industry: np.ndarray
    region: np.ndarray
    city: np.ndarray
    form: np.ndarray
    season: np.ndarray
    lifecycle: np.ndarray
    opened: np.ndarray
    buys_from: np.ndarray
    base: np.ndarray
    rate: np.ndarray
    regularity: np.ndarray
    elasticity: np.ndarray
    growth: np.ndarray
    growth_from: np.ndarray
    wallet_share: np.ndarray
    discount: np.ndarray
    satisfaction: np.ndarray
    tastes: np.ndarray
    centralised: np.ndarray
    is_referred: np.ndarray
    parent: np.ndarray
    is_head: np.ndarray
    plant: np.ndarray
    manager: np.ndarray
    later_manager: np.ndarray
    changed: np.ndarray

    def __len__(self) -> int:
        return len(self.klass)

    @property
    def is_customer(self) -> np.ndarray:
        """Whether the account buys, or would have gone on buying."""
        return self.lifecycle == LIFECYCLES.index("customer")

    @property
    def is_unassigned(self) -> np.ndarray:
        """Leads that no manager has taken on: nobody contacts them."""
        return (self.lifecycle == LIFECYCLES.index("lead")) & (self.city % 4 == 0)

    @property
    def is_seasonal(self) -> np.ndarray:
        """Whether the account buys in some months of the year only."""
        return self.season > 0

    @property
    def class_names(self) -> np.ndarray:
        """Class A, B or C of each account."""
        return np.array(CLASSES)[self.klass]

    def planted(self, name: str) -> np.ndarray:
        """Positions of the accounts planted under that name."""
        return np.flatnonzero(self.plant == PLANTS.index(name))

    def manager_on(self, account: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Manager in charge of each account on each day."""
        return np.where(day < self.changed[account], self.manager[account], self.later_manager[account])

    def buying_months(self, calendar: Calendar) -> np.ndarray:
        """(accounts, months) factors on the order rate from each account's own season."""
        return buying_mask(calendar)[self.season]


def draw_population(
    process: Process, calendar: Calendar, staff: Staff, streams: Streams, start: int, count: int
) -> Population:
    """A block of *count* accounts, the first of which is number *start* of the company."""
    rng = streams.of("accounts")
    share = (rng.permutation(count) + rng.random(count)) / count
    # The first account is an old customer of fair size that buys all year, so that no company is without orders.
    share[0] = max(share[0], FAIR_SIZE)
    size, klass = law.sizes(process, share), law.classes(process, share)
    industry = _industries(rng, size)
    region = rng.choice(len(REGIONS), size=count, p=[share for _, share, _ in REGIONS])
    parent, is_head = _groups(rng, industry, size)
    lifecycle, opened, buys_from = _histories(rng, process, calendar, is_head)
    referred = (opened > 0) & (lifecycle == 2) & (rng.random(count) < process.referred_share)
    season = _seasons(rng, industry)
    season = np.where(parent == ALONE, season, season[parent])
    season[0] = 0
    manager, later, changed = _assignments(rng, calendar, staff, region, opened)
    rate = np.exp(np.log(process.median_rate) + process.rate_by_size * size)
    regular = np.log(process.by_class("regularity", klass))
    drawn = Population(
        start=start,
        quantile=share,
        size=size,
        klass=klass,
        industry=industry,
        region=region,
        city=rng.integers(0, 1_000, size=count),
        form=rng.integers(0, 1_000, size=count),
        season=season,
        lifecycle=lifecycle,
        opened=opened,
        buys_from=buys_from,
        base=process.median_month * np.exp(process.size_spread * size),
        rate=np.clip(rate * np.exp(rng.normal(0, process.rate_spread, count)), *process.rate_limits),
        regularity=np.exp(regular + rng.normal(0, process.regularity_spread, count)),
        elasticity=process.by_class("elasticity", klass),
        growth=np.zeros(count),
        growth_from=np.zeros(count, dtype=int),
        wallet_share=rng.beta(3.2, 3.2, count) * 0.8 + 0.1,
        discount=np.round(np.array([0.12, 0.06, 0.02])[klass] + rng.uniform(-0.02, 0.03, count), 3),
        satisfaction=np.clip(rng.normal(7.4, 0.9, count), 3.5, 9.6),
        tastes=_tastes(rng, industry),
        centralised=rng.beta(4, 1.6, count),
        is_referred=referred,
        parent=parent,
        is_head=is_head,
        plant=np.zeros(count, dtype=int),
        manager=manager,
        later_manager=later,
        changed=changed,
    )
    return _with_plants(process, calendar, drawn)


def _industries(rng: np.random.Generator, size: np.ndarray) -> np.ndarray:
    weight = np.array([i.share for i in INDUSTRIES]) * np.exp(np.outer(size, [i.tilt for i in INDUSTRIES]))
    cumulative = np.cumsum(weight / weight.sum(axis=1, keepdims=True), axis=1)
    return np.minimum((rng.random(len(size))[:, None] > cumulative).sum(axis=1), len(INDUSTRIES) - 1)


def _seasons(rng: np.random.Generator, industry: np.ndarray) -> np.ndarray:
    season, draw = np.zeros(len(industry), dtype=int), rng.random(len(industry))
    low = np.zeros(len(INDUSTRIES))
    for row, (_, name, share, _) in enumerate(SEASONAL_BUYERS, start=1):
        own = industry_index(name)
        season[(industry == own) & (draw >= low[own]) & (draw < low[own] + share)] = row
        low[own] += share
    return season


def _groups(rng: np.random.Generator, industry: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Heads of groups among the larger accounts, and two to five accounts of the same industry under each."""
    parent = np.full(len(industry), ALONE)
    heads = np.flatnonzero((size > 0) & (rng.random(len(industry)) < 0.09))
    wanted = rng.integers(2, 6, size=len(heads))
    for head, children in zip(heads, wanted, strict=True):
        free = (industry == industry[head]) & (parent == ALONE)
        free[heads] = False
        parent[np.flatnonzero(free)[:children]] = head
    is_head = np.isin(np.arange(len(industry)), parent[parent != ALONE])
    return parent, is_head


def _histories(rng: np.random.Generator, process: Process, calendar: Calendar, is_head: np.ndarray):
    """Lifecycle, day entered and first day of buying: old customers, customers won in the window, prospects."""
    count, draw = len(is_head), rng.random(len(is_head))
    draw[0] = 1.0
    won_share = min(WON_A_YEAR * calendar.months / 12, MOST_WON)
    is_prospect = (draw < PROSPECT_SHARE) & ~is_head
    is_old = (draw > PROSPECT_SHARE + won_share) | is_head
    lifecycle = np.where(is_prospect, rng.choice(2, size=count, p=[0.6, 0.4]), 2)
    last_entry = max(calendar.days - 130, 31)
    won_in = rng.integers(20, last_entry, size=count)
    entered_before = -rng.integers(200, 12 * 365, size=count)
    recent = rng.integers(max(calendar.days - 420, 1), calendar.days - 10, size=count)
    opened = np.where(is_prospect, recent, np.where(is_old, entered_before, won_in))
    buys_from = np.where(is_prospect, FAR_AHEAD, np.where(is_old, 0, won_in + rng.integers(3, 40, size=count)))
    return lifecycle, opened, buys_from


def _assignments(rng: np.random.Generator, calendar: Calendar, staff: Staff, region: np.ndarray, opened: np.ndarray):
    """Manager at first, manager later, and the day of the change; the leaver's accounts are shared out."""
    pools = [staff.in_region(r) for r in range(len(REGIONS))]
    draw, again = rng.random(len(region)), rng.random(len(region))
    first = np.array([pools[r][int(d * len(pools[r]))] for r, d in zip(region, draw, strict=True)])
    other = np.array([pools[r][int(d * len(pools[r]))] for r, d in zip(region, again, strict=True)])
    changed = rng.integers(90, calendar.days - 30, size=len(region))
    moves = (rng.random(len(region)) < 0.12) & (first != other)
    leaves, joins_late = first == staff.leaver, opened >= staff.leaves_on
    first = np.where(leaves & joins_late, staff.successor, first)
    other = np.where(other == staff.leaver, staff.successor, other)
    changed = np.where(leaves, staff.leaves_on, changed)
    moves = (moves | leaves) & (changed > opened + 60) & (first != other)
    return first, np.where(moves, other, first), np.where(moves, changed, FAR_AHEAD)


def _tastes(rng: np.random.Generator, industry: np.ndarray) -> np.ndarray:
    """(accounts, categories) share of each category in what an account buys."""
    weights = np.array([i.buys for i in INDUSTRIES], dtype=float)
    weights /= weights.sum(axis=1, keepdims=True)
    draws = rng.standard_gamma(weights[industry] * 2 * len(CATEGORIES))
    draws[draws < 0.05 * draws.max(axis=1, keepdims=True)] = 0.0
    return draws / draws.sum(axis=1, keepdims=True)


def _with_plants(process: Process, calendar: Calendar, drawn: Population) -> Population:
    """The exceptions every study must get right, planted in the first block on ordinary accounts."""
    if drawn.start > 0 or len(drawn) < SMALLEST_WITH_PLANTS:
        return drawn
    free = (drawn.parent == ALONE) & ~drawn.is_head & drawn.is_customer & (drawn.opened < 0) & ~drawn.is_seasonal
    middling = np.flatnonzero(free & (drawn.klass > 0) & (drawn.quantile > 0.15))[: len(PLANTS) - 1]
    plant, base, rate = drawn.plant.copy(), drawn.base.copy(), drawn.rate.copy()
    growth, since = drawn.growth.copy(), drawn.growth_from.copy()
    regularity = drawn.regularity.copy()
    plant[middling] = np.arange(1, len(middling) + 1)
    giant, grower = plant == PLANTS.index("giant_one_off"), plant == PLANTS.index("fast_grower")
    base[giant], rate[giant] = 0.0, 0.0
    industry = drawn.industry.copy()
    industry[giant], industry[grower] = industry_index("Hotels"), industry_index("Restaurants")
    form = np.where(giant, GRAND_HOTEL, drawn.form)
    growth[grower] = process.grower_growth
    since[grower] = max(calendar.months - process.grower_months, 0)
    base[grower], rate[grower] = _grower_start(process, calendar)
    regularity[grower] = max(process.regularity)
    return replace(
        drawn,
        plant=plant,
        industry=industry,
        form=form,
        base=base,
        rate=rate,
        growth=growth,
        growth_from=since,
        regularity=regularity,
    )


def _grower_start(process: Process, calendar: Calendar) -> tuple[float, float]:
    """Revenue and orders a month from which the grower passes the smallest A account near the end of the book."""
    grown = process.grower_growth * min(process.grower_months, calendar.months)
    smallest_a = process.median_month * np.exp(process.size_spread * law.sizes(process, process.class_from[0]))
    at_end = 2.5 * smallest_a
    rate_factor, _ = law.split_demand(process, grown)
    return float(at_end * np.exp(-grown)), float(6.0 / rate_factor)
