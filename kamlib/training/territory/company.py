"""The territory as it really is: its accounts' laws and all their luck, drawn once before any decision."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import pandas as pd

from kamlib.book.company import process as law
from kamlib.book.company.calendar import Calendar
from kamlib.book.company.catalogue import COST_SHARE
from kamlib.book.company.contracts import draw_contracts
from kamlib.book.company.course import recently
from kamlib.book.company.market import CATEGORIES, INDUSTRIES, REGION_NAMES
from kamlib.book.company.parties import account_names
from kamlib.book.company.population import ALONE, FAR_AHEAD, Population, draw_population
from kamlib.book.company.process import CLASSES, Process
from kamlib.book.company.streams import Streams
from kamlib.book.company.world import CRISIS_CATEGORY, World, make_world
from kamlib.studies.effects.pooling import shrink

BY_CLASS = (7, 8, 5)
ACCOUNTS = sum(BY_CLASS)
PAST_MONTHS, QUARTERS = 12, 8
MONTHS = PAST_MONTHS + 3 * QUARTERS
LAST_DAY = "2028-09-30"
DRAWN_FROM = 120
ORDERS_AHEAD = 2_500
STUDY_ERRORS = (0.05, 0.06, 0.08)
WARNED, FALSE_ALARM = 0.75, 0.03


@dataclass(frozen=True, eq=False)
class Company:
    """(accounts,) and (accounts, months) arrays, months from a year before the player begins; nobody sees these.

    ``base`` is revenue and ``rate`` orders a month with no visits in a month without season; ``calm`` is the log of
    what season and shock make of it; ``short`` the share of what an account buys that is short, ``hit`` whether the
    crisis reaches it. The draws are uniform, one for each account and month, whatever is decided: so no decision
    for one account changes another's luck. ``arrivals`` are operational times of orders and ``sizes`` the
    relative worth of the first so many. ``warned`` is (accounts, quarters) the share of what it buys that
    purchasing warns of; ``reserve_price`` what reserving supply for a quarter costs, quoted from the revenue of the
    year before.
    """

    klass: np.ndarray
    region: np.ndarray
    base: np.ndarray
    rate: np.ndarray
    elasticity: np.ndarray
    margin_share: np.ndarray
    satisfaction: np.ndarray
    wallet_share: np.ndarray
    is_referred: np.ndarray
    calm: np.ndarray
    buys: np.ndarray
    short: np.ndarray
    hit: np.ndarray
    under_contract: np.ndarray
    contract_ends: np.ndarray
    new_manager: np.ndarray
    past_visits: np.ndarray
    visits_before: np.ndarray
    defected_in: np.ndarray
    depth: np.ndarray
    complaint_draw: np.ndarray
    leaving_draw: np.ndarray
    survey_draws: np.ndarray
    arrivals: np.ndarray
    sizes: np.ndarray
    warned: np.ndarray
    reserve_price: np.ndarray

    def __len__(self) -> int:
        return len(self.klass)

    def take(self, rows) -> Self:
        """The accounts at these positions, which may repeat."""
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})


@dataclass(frozen=True, eq=False)
class Card:
    """What anybody can know of the accounts on the first day; lists by account, and the calendar of the game."""

    names: list[str]
    industries: list[str]
    regions: list[str]
    contract_ends: np.ndarray
    study: dict[str, float]
    calendar: Calendar


def draw_company(seed: int, process: Process | None = None) -> tuple[Company, Card]:
    """The twenty accounts of a seed: old customers of a larger company, seven of class A, eight of B, five of C."""
    process, streams = process or Process(), Streams(seed)
    world = make_world(process, streams, DRAWN_FROM, MONTHS, LAST_DAY, "level", 3.0)
    everyone = draw_population(process, world.calendar, world.staff, streams, 0, DRAWN_FROM)
    chosen = _chosen(everyone)
    names = [account_names(world, everyone)[i] for i in chosen]
    people = _without_groups(everyone, chosen)
    contracts = draw_contracts(world, people, streams.of("contracts"))
    card = Card(
        names,
        [INDUSTRIES[i].name for i in people.industry],
        [REGION_NAMES[i] for i in people.region],
        contracts.ends,
        _study(process, streams),
        world.calendar,
    )
    return _company(world, people, contracts, streams), card


def _chosen(people: Population) -> np.ndarray:
    """Positions of the accounts of the territory, mixed so that their order tells nothing of their size."""
    free = people.is_customer & (people.opened < 0) & (people.plant == 0) & (people.base > 0)
    by_class = [np.flatnonzero(free & (people.klass == k))[:count] for k, count in enumerate(BY_CLASS)]
    return np.sort(np.concatenate(by_class))


def _without_groups(people: Population, rows: np.ndarray) -> Population:
    taken = {f.name: getattr(people, f.name)[rows] for f in fields(people) if f.name != "start"}
    return Population(start=0, **taken | {"parent": np.full(len(rows), ALONE)})


def _study(process: Process, streams: Streams) -> dict[str, float]:
    """Head office's study of visits by class: the truth with the error such studies have, partially pooled as there."""
    error = streams.of("visit study").normal(0, STUDY_ERRORS)
    alone = pd.DataFrame({"estimate": process.elasticity + error, "standard_error": STUDY_ERRORS}, index=CLASSES)
    return shrink(alone, 0.90)["classes"]["pooled_estimate"].clip(lower=0.02).round(2).to_dict()


def _company(world: World, people: Population, contracts, streams: Streams) -> Company:
    process, count = world.process, len(people)
    shape = (count, MONTHS)
    month = np.arange(MONTHS)
    plan = law.planned_visits(process, "level", people.size, people.klass)
    pace = world.calendar.work_share[:PAST_MONTHS]
    shock = law.shocks(process, streams.of("shocks"), count, MONTHS)
    defected_in, depth = _defections(process, streams.of("defections"), shape)
    hit = world.in_crisis[people.region] & (people.tastes[:, CRISIS_CATEGORY] > 0.05)[:, None]
    orders = streams.of("orders")
    gaps = orders.standard_gamma(people.regularity[:, None], (count, ORDERS_AHEAD)) / people.regularity[:, None]
    # In equilibrium the first order falls anywhere within a gap.
    gaps[:, 0] *= orders.random(count)
    spread = process.order_spread
    surveys = streams.of("surveys")
    return Company(
        klass=people.klass,
        region=people.region,
        base=people.base,
        rate=people.rate,
        elasticity=people.elasticity,
        margin_share=_margin_share(people),
        satisfaction=people.satisfaction,
        wallet_share=people.wallet_share,
        is_referred=people.is_referred,
        calm=np.log(world.monthly[people.industry]) + shock,
        buys=people.buying_months(world.calendar),
        short=np.einsum("ic,icm->im", people.tastes, world.severity[people.region]),
        hit=hit,
        under_contract=contracts.runs,
        contract_ends=contracts.ends,
        new_manager=recently(np.broadcast_to(month == PAST_MONTHS, shape), process.manager_months),
        past_visits=law.draw_visits(process, streams.of("visits"), plan, pace),
        visits_before=plan,
        defected_in=defected_in,
        depth=depth,
        complaint_draw=streams.of("complaints").random(shape),
        leaving_draw=streams.of("leaving").random(shape),
        survey_draws=np.concatenate([surveys.random((1, *shape)), surveys.standard_normal((3, *shape))]).swapaxes(0, 1),
        arrivals=np.cumsum(gaps, axis=1),
        sizes=_summed(np.exp(orders.normal(-(spread**2) / 2, spread, (count, ORDERS_AHEAD)))),
        warned=_warned(world, people, streams.of("warnings")),
        reserve_price=np.zeros(count),
    )


def _summed(sizes: np.ndarray) -> np.ndarray:
    """(accounts, orders + 1) worth of the first so many orders."""
    return np.concatenate([np.zeros((len(sizes), 1)), np.cumsum(sizes, axis=1)], axis=1)


def _margin_share(people: Population) -> np.ndarray:
    """Share of revenue earned: cost of what each account buys, against its price after discount."""
    return 1 - people.tastes @ np.array(COST_SHARE) / (1 - people.discount)


def _defections(process: Process, rng: np.random.Generator, shape) -> tuple[np.ndarray, np.ndarray]:
    takes = (rng.random(shape) < process.defection_rate) & (np.arange(shape[1]) >= PAST_MONTHS)
    depth = rng.uniform(*process.defection_depth, size=shape[0])
    happens = takes.any(axis=1)
    return np.where(happens, takes.argmax(axis=1), FAR_AHEAD), np.where(happens, depth, 0.0)


def _warned(world: World, people: Population, rng: np.random.Generator) -> np.ndarray:
    """(accounts, quarters) share of what each buys that purchasing warns of, some of it for nothing."""
    draw = rng.random((len(CATEGORIES), MONTHS))
    warning = draw < np.where(world.severity > 0, WARNED, FALSE_ALARM)
    by_quarter = warning.reshape(*warning.shape[:2], MONTHS // 3, 3).any(axis=3)[:, :, PAST_MONTHS // 3 :]
    return np.einsum("ic,icq->iq", people.tastes, by_quarter[people.region].astype(float))


def class_names(company: Company) -> list[str]:
    """Class of each account, as the truth has it."""
    return [CLASSES[k] for k in company.klass]
