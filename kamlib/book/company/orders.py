"""Order lines of the sample company: when accounts order, what, how much, and what they send back."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from kamlib.book.company.catalogue import LOW_RANKS, Catalogue
from kamlib.book.company.course import Course, month_of
from kamlib.book.company.launches import Launches
from kamlib.book.company.market import CATEGORIES, INDUSTRIES
from kamlib.book.company.population import PLANTS, Population
from kamlib.book.company.rebates import Rebates, pull_forward
from kamlib.book.company.streams import Streams
from kamlib.book.company.world import World

CHANNELS = ("EDI", "portal", "LINE", "phone", "sales rep", "counter")
CHANNEL_SHARES = (
    (0.45, 0.30, 0.10, 0.10, 0.05, 0.00),
    (0.10, 0.35, 0.22, 0.23, 0.10, 0.00),
    (0.00, 0.22, 0.38, 0.30, 0.04, 0.06),
)
FAVOURITE_STRENGTH = 1.8
PROMOTION_DEPTH = 0.10
NONE = -1
GIANT_ORDER_MONTHS_BEFORE_END = 7


@dataclass(frozen=True)
class Lines:
    """Order lines of a block, one entry each. ``order`` tells orders apart; ``promotion`` is -1 for none.

    ``promotion`` holds the month of the promotion: an account has at most one a month.
    """

    account: np.ndarray
    order: np.ndarray
    day: np.ndarray
    product: np.ndarray
    quantity: np.ndarray
    revenue: np.ndarray
    cost: np.ndarray
    centre: np.ndarray
    channel: np.ndarray
    promotion: np.ndarray
    is_planted: np.ndarray

    def __len__(self) -> int:
        return len(self.day)

    def take(self, rows: np.ndarray) -> Lines:
        """The lines at the positions given, or where a flag is set."""
        return Lines(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def followed_by(self, other: Lines) -> Lines:
        """These lines and then the others."""
        return Lines(**{f.name: np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)})


def draw_orders(
    world: World, people: Population, course: Course, launches: Launches, rebates: Rebates, streams: Streams
) -> Lines:
    """All order lines of a block but returns, sorted by day, account and order; orders numbered from 0."""
    account, day = _order_days(world, people, course, streams.of("orders"))
    lines = _lines(world, people, course, launches, account, day, streams.of("lines"))
    ordinary = (lines.promotion == NONE) & ~world.catalogue.is_new[lines.product]
    moved, early = pull_forward(
        world, rebates, streams.of("rebates"), lines.account, lines.day, lines.revenue, ordinary
    )
    # Lines bought early leave their order: what an account buys early in one go becomes an order of its own.
    own_order = len(day) + lines.account * world.calendar.days + early
    lines = replace(lines, day=early, order=np.where(moved, own_order, lines.order))
    return _in_order(lines.followed_by(_planted(world, people, lines)))


def draw_returns(world: World, lines: Lines, rng: np.random.Generator) -> tuple[Lines, np.ndarray]:
    """Lines sent back in part or whole, days to weeks later, with negative signs; and the rows they go back to."""
    rows = np.flatnonzero((rng.random(len(lines)) < world.process.return_rate) & ~lines.is_planted)
    rows = rows[lines.day[rows] + 25 < world.calendar.days]
    bought = lines.take(rows)
    share = np.ceil(bought.quantity * rng.uniform(0.1, 1.0, len(rows))) / bought.quantity
    back = replace(
        bought,
        day=_one_day_an_order(bought.order, world.calendar.workday_between(rng, bought.day + 4, bought.day + 25)),
        quantity=-bought.quantity * share,
        revenue=np.round(-bought.revenue * share),
        cost=np.round(-bought.cost * share),
        promotion=np.full(len(rows), NONE),
    )
    order = np.lexsort((back.order, back.account, back.day))
    return back.take(order), rows[order]


def _one_day_an_order(order: np.ndarray, day: np.ndarray) -> np.ndarray:
    _, first, own = np.unique(order, return_index=True, return_inverse=True)
    return day[first][own]


def line_numbers(order: np.ndarray) -> np.ndarray:
    """Numbers 1, 2, 3 … of the lines within each order; lines of an order stand together."""
    starts = np.flatnonzero(np.concatenate([[True], order[1:] != order[:-1]])) if len(order) else order
    return np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order)))) + 1


def _order_days(world: World, people: Population, course: Course, rng: np.random.Generator):
    """Account and day of each order: a renewal process run in accumulated expected orders."""
    months = world.calendar.months
    total = course.rate.sum(axis=1)
    account, at = _arrivals(total, people.regularity, rng)
    passed = np.concatenate([[0.0], np.cumsum(course.rate)])
    position = passed[account * months] + at
    cell = np.clip(np.searchsorted(passed, position, side="right") - 1, account * months, account * months + months - 1)
    within = np.clip((position - passed[cell]) / np.maximum(course.rate.ravel()[cell], 1e-12), 0, 1 - 1e-9)
    day = _day_within(world, people.industry[account], cell % months, within)
    buys = (day >= people.buys_from[account]) & (day <= course.left_on[account])
    return account[buys], day[buys]


def _arrivals(total: np.ndarray, shape: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Account and operational time of each arrival up to each account's total, with gamma gaps of mean one."""
    enough = np.ceil(total + 6 * np.sqrt(np.maximum(total, 1) / np.minimum(shape, 1)) + 8).astype(int)
    account = np.repeat(np.arange(len(total)), enough)
    first = np.concatenate([[0], np.cumsum(enough)[:-1]])
    gaps = rng.standard_gamma(shape[account]) / shape[account]
    # In equilibrium the first arrival falls anywhere within a gap, and long gaps are met more often.
    gaps[first] = rng.random(len(first)) * rng.standard_gamma(shape + 1) / shape
    at = np.cumsum(gaps)
    at -= np.repeat((at - gaps)[first], enough)
    return account[at < total[account]], at[at < total[account]]


def _day_within(world: World, industry: np.ndarray, month: np.ndarray, within: np.ndarray) -> np.ndarray:
    """The day on which a share of the month's demand has passed; never a day off."""
    calendar, daily = world.calendar, world.daily
    totals = np.add.reduceat(daily, calendar.month_start[:-1], axis=1)
    share = daily / totals[:, calendar.month]
    passed = np.cumsum(share.ravel())
    target = industry * calendar.months + month + within
    day = np.searchsorted(passed, target * (1 - 1e-12), side="right") - industry * calendar.days
    low, high = calendar.month_start[month], calendar.month_start[month + 1] - 1
    return np.clip(day, low, high)


def _lines(world, people, course, launches, account, day, rng: np.random.Generator) -> Lines:
    process, catalogue = world.process, world.catalogue
    month = month_of(world, day)
    spread = process.order_spread
    worth = course.value[account, month] * np.exp(rng.normal(-(spread**2) / 2, spread, len(day)))
    count = 1 + rng.poisson(world.lines_per_order - 1, size=len(day))
    order, target = _split(worth, count, rng)
    owner, when = account[order], month[order]
    category = _categories(people, owner, rng)
    product = _products(world, people, launches, owner, category, target, day[order], rng)
    promoted = course.promoted[owner, when] & (course.promotion_category[owner, when] == category)
    unit = np.round(catalogue.price[product] * (1 - people.discount[owner]) * (1 - PROMOTION_DEPTH * promoted))
    # Rounding up or down at random keeps the expected revenue what it should be; a line of nothing is dropped.
    quantity = np.floor(target / unit + rng.random(len(unit)))
    short = world.severity[people.region[owner], category, when] * process.lost_when_out
    kept = (quantity > 0) & (rng.random(len(unit)) >= short)
    centre, channel = _centres(people, account, rng), _channels(people, account, rng)
    lines = Lines(
        owner,
        order,
        day[order],
        product,
        quantity,
        quantity * unit,
        quantity * catalogue.cost[product],
        centre[order],
        channel[order],
        np.where(promoted, when, NONE),
        np.zeros(len(owner), dtype=bool),
    )
    return lines.take(kept)


def _split(worth: np.ndarray, count: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Order of each line, and its part of what the order is worth."""
    order = np.repeat(np.arange(len(worth)), count)
    part = rng.standard_gamma(2.0, size=len(order))
    whole = np.bincount(order, part, minlength=len(worth))
    return order, worth[order] * part / whole[order]


def _categories(people: Population, owner: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    passed = (np.cumsum(people.tastes, axis=1) + np.arange(len(people))[:, None]).ravel()
    drawn = np.searchsorted(passed, owner + rng.random(len(owner)), side="right") - owner * len(CATEGORIES)
    return np.clip(drawn, 0, len(CATEGORIES) - 1)


def _products(world, people, launches, owner, category, target, day, rng) -> np.ndarray:
    """A favourite of the account in the category most of the time, and nothing dearer than the line is worth."""
    catalogue, per = world.catalogue, world.catalogue.per_category
    favourite = rng.integers(0, per, size=(len(people), len(CATEGORIES)))[owner, category]
    rank = (favourite + np.floor(per * rng.random(len(owner)) ** FAVOURITE_STRENGTH).astype(int)) % per
    # Accounts planted at the VIP thresholds buy nothing else that would count.
    rank = np.where(np.char.startswith(np.array(PLANTS), "vip")[people.plant[owner]], rank % LOW_RANKS, rank)
    dear = catalogue.price.max() + 1
    shelf = catalogue.category * dear + catalogue.price
    affordable = np.searchsorted(shelf, category * dear + np.minimum(target, dear - 1), side="right") - category * per
    product = category * per + np.minimum(rank, np.maximum(affordable - 1, 0))
    for number, new in enumerate(catalogue.new):
        too_early = (product == new) & (day < launches.adopted_on[owner, number])
        product[too_early] = new - 1
    return product


def _centres(people: Population, account: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Buying centre of each order: the first of its industry as far as the account buys centrally."""
    centres = np.array([len(i.centres) for i in INDUSTRIES])[people.industry[account]]
    others = 1 + np.floor(rng.random(len(account)) * (centres - 1)).astype(int)
    return np.where(rng.random(len(account)) < people.centralised[account], 0, np.minimum(others, centres - 1))


def _channels(people: Population, account: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    passed = np.cumsum(CHANNEL_SHARES, axis=1)[people.klass[account]]
    return np.minimum((rng.random(len(account))[:, None] > passed).sum(axis=1), len(CHANNELS) - 1)


def by_day(day: np.ndarray) -> np.ndarray:
    """Positions in order of day, those of a day left as they stand: in 16 bits this is a radix sort, and fast."""
    return np.argsort(day.astype("uint16"), kind="stable")


def _in_order(lines: Lines) -> Lines:
    """The lines by day and account, orders numbered as they come; lines of an order stand together already."""
    lines = lines.take(by_day(lines.day))
    is_first = np.concatenate([[True], lines.order[1:] != lines.order[:-1]]) if len(lines) else lines.order
    return replace(lines, order=np.cumsum(is_first) - 1)


def _planted(world: World, people: Population, lines: Lines) -> Lines:
    """The giant's one order, and orders on either side of the declared VIP thresholds."""
    catalogue, beyond = world.catalogue, int(lines.order.max()) + 1 if len(lines) else 0
    rows = []
    for number, (account, day, product, quantity, revenue) in enumerate(_plans(world, people, catalogue)):
        cost = round(quantity * catalogue.cost[product])
        rows.append((account, beyond + number, day, product, quantity, revenue, cost))
    values = np.array(rows, dtype=float).reshape(-1, 7).T
    # The giant buys everything in one order, whatever the number of its lines.
    account, order, day, product, quantity, revenue, cost = values
    giant = np.isin(account, people.planted("giant_one_off"))
    order = np.where(giant, beyond + len(rows), order)
    nothing = np.zeros(len(rows), dtype=int)
    whole = [part.astype(int) for part in (account, order, day, product)]
    return Lines(*whole, quantity, revenue, cost, nothing, nothing + 1, nothing + NONE, np.ones(len(rows), dtype=bool))


def _plans(world: World, people: Population, catalogue: Catalogue):
    """Account, day, product, quantity and revenue of each planted line."""
    calendar = world.calendar
    closing = calendar.months - GIANT_ORDER_MONTHS_BEFORE_END
    workdays = [calendar.workdays[calendar.workdays >= calendar.month_start[max(closing, 0)]][i] for i in (2, 3)]
    for account in people.planted("giant_one_off"):
        yield from _giant_lines(world, account, int(workdays[0]))
    hamper, tea_set = catalogue.find("Banquet hamper deluxe"), catalogue.find("Ceramic tea set box")
    for name, revenue in (("vip_single", 10_000), ("vip_single_below", 9_999)):
        for account in people.planted(name):
            yield account, int(workdays[1]), hamper, 1, revenue
    for name, last in (("vip_month", 5_000), ("vip_month_below", 4_999)):
        for account in people.planted(name):
            for step, revenue in enumerate((5_000, 5_000, 5_000, last)):
                yield account, int(workdays[1]) + _later(calendar, workdays[1], step), tea_set, 1, revenue


def _later(calendar, day: int, workdays: int) -> int:
    ahead = calendar.workdays[calendar.workdays >= day]
    return int(ahead[workdays]) - int(day)


def _giant_lines(world: World, account: int, day: int):
    """A whole hotel kitchen, bought once: equipment worth the giant order to the dollar."""
    catalogue, left = world.catalogue, world.process.giant_order
    dearest = np.argsort(-catalogue.price, kind="stable")[:8]
    for place, product in enumerate(dearest):
        is_last = place == len(dearest) - 1
        quantity = max(int(world.process.giant_order / len(dearest) // (catalogue.price[product] * 0.88)), 1)
        revenue = left if is_last else round(quantity * catalogue.price[product] * 0.88)
        left -= revenue
        yield account, day, product, quantity, revenue
