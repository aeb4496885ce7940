"""Tables of goods: orders with their returns, deliveries, and stock counted at the customer's."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from kamlib.book.company.columns import Numbering, days, identifiers, make_table, missing, numbers, words
from kamlib.book.company.course import Course, month_of
from kamlib.book.company.market import INDUSTRIES
from kamlib.book.company.orders import CHANNELS, NONE, Lines, by_day, line_numbers
from kamlib.book.company.parties import account_ids
from kamlib.book.company.population import Population
from kamlib.book.company.world import World

CENTRES = tuple(dict.fromkeys(centre for industry in INDUSTRIES for centre in industry.centres))
MOST_CENTRES = max(len(industry.centres) for industry in INDUSTRIES)
ORDER_WIDTH = 9
BLANK = {"product_id": 0.003, "cost": 0.006, "buying_centre": 0.04, "channel": 0.01}
PROMISED_DAYS, LATE_SHARE = (2, 5), 0.07
COUNTED_SHARE, COUNTED_PRODUCTS, COUNTED_QUARTERS, LOOK_BACK_DAYS = 0.7, 5, 8, 91


def order_table(
    world: World,
    people: Population,
    lines: Lines,
    returns: Lines,
    returned: np.ndarray,
    promotion_number: np.ndarray,
    numbering: Numbering,
    rng: np.random.Generator,
) -> tuple[pa.Table, pa.Array, np.ndarray]:
    """The order lines with the returns among them by day; then identifier and number of each line but returns.

    A return stands in a credit note that carries the number of the order it goes back to.
    """
    first = numbering.next("SO", int(lines.order[-1]) + 1 if len(lines) else 0)
    line_no = line_numbers(lines.order)
    both = lines.followed_by(returns)
    is_return = np.arange(len(both)) >= len(lines)
    numbers_in_order = np.concatenate([line_no, line_no[returned]])
    order = by_day(both.day)
    both, is_return = both.take(order), is_return[order]
    prefix = words(("SO", "CN"), is_return)
    table = make_table(
        "orders",
        {
            "order_id": identifiers(prefix, first + both.order, ORDER_WIDTH),
            "line_no": numbers(numbers_in_order[order]),
            "account_id": words(account_ids(world, people), both.account),
        }
        | _what(world, people, both, promotion_number, rng),
    )
    return table, identifiers("SO", first + lines.order, ORDER_WIDTH), line_no


def _what(world: World, people: Population, both: Lines, promotion_number, rng) -> dict:
    blank = {name: missing(rng, len(both), share) & ~both.is_planted for name, share in BLANK.items()}
    promotion = promotion_number[both.account, np.maximum(both.promotion, 0)]
    return {
        "order_date": days(world.calendar, both.day),
        "product_id": words(world.catalogue.ids, both.product, blank["product_id"]),
        "quantity": numbers(both.quantity),
        "revenue": numbers(both.revenue),
        "cost": numbers(both.cost, blank["cost"]),
        "buying_centre": words(CENTRES, _centre(people, both), blank["buying_centre"]),
        "channel": words(CHANNELS, both.channel, blank["channel"]),
        "promotion_id": _promotion_ids(promotion, both.promotion == NONE),
    }


def _centre(people: Population, lines: Lines) -> np.ndarray:
    """Position in ``CENTRES`` of the buying centre of each line: the industries' centres follow each other there."""
    known = [[CENTRES.index(centre) for centre in industry.centres] for industry in INDUSTRIES]
    padded = np.array([row + row[:1] * (MOST_CENTRES - len(row)) for row in known])
    return padded[people.industry[lines.account], lines.centre]


def _promotion_ids(number: np.ndarray, absent: np.ndarray) -> pa.Array:
    known, codes = np.unique(np.where(absent, 0, number), return_inverse=True)
    return words(identifiers("PR", known), codes, absent)


def deliveries(
    world: World, people: Population, lines: Lines, order_id: pa.Array, line_no: np.ndarray, rng
) -> pa.Table:
    """When lines came; late and short where supply was short. What is fetched over the counter has no delivery."""
    rows = np.flatnonzero(lines.channel != CHANNELS.index("counter"))
    sent = lines.take(rows)
    category = world.catalogue.category[sent.product]
    severity = world.severity[people.region[sent.account], category, month_of(world, sent.day)]
    promised = sent.day + rng.integers(*PROMISED_DAYS, size=len(rows))
    late = rng.random(len(rows)) < LATE_SHARE + 0.7 * severity
    delay = np.ceil(rng.gamma(1.5, 2.0 + 6.0 * severity)).astype(int)
    delivered = np.where(late, promised + delay, promised - (rng.random(len(rows)) < 0.3))
    short = rng.random(len(rows)) < 0.015 + 0.5 * severity
    came = np.where(short, np.floor(sent.quantity * rng.uniform(0.2, 0.95, len(rows))), sent.quantity)
    on_the_way = delivered >= world.calendar.days
    columns = {
        "order_id": order_id.take(pa.array(rows)),
        "line_no": numbers(line_no[rows]),
        "promised_on": days(world.calendar, promised),
        "delivered_on": days(world.calendar, delivered, on_the_way),
        "quantity_delivered": numbers(came, on_the_way),
    }
    return make_table("deliveries", columns)


def stock(world: World, people: Population, course: Course, lines: Lines, rng: np.random.Generator) -> pa.Table:
    """Counts of the products most bought by most of the class A accounts, at the end of each recent quarter."""
    per = len(world.catalogue.ids)
    counted = (people.klass == 0) & people.is_customer & (rng.random(len(people)) < COUNTED_SHARE)
    cell = lines.account * per + lines.product
    bought = np.bincount(cell, lines.quantity, minlength=len(people) * per).reshape(-1, per)
    top = np.argsort(-bought, axis=1, kind="stable")[:, :COUNTED_PRODUCTS]
    parts = [_count(world, people, course, lines, after, top, counted, rng) for after in _closings(world)]
    account, product, day, on_hand = (np.concatenate(x) for x in zip(*parts, strict=True))
    order = np.lexsort((day, product, account))
    columns = {
        "account_id": words(account_ids(world, people), account[order]),
        "product_id": words(world.catalogue.ids, product[order]),
        "counted_on": days(world.calendar, day[order]),
        "on_hand": numbers(on_hand[order]),
    }
    return make_table("stock", columns)


def _closings(world: World) -> list[int]:
    """Last days of the quarters counted, or of the book where it holds no whole quarter."""
    ends = [after for _, _, after in world.calendar.quarters()][-COUNTED_QUARTERS:]
    return [int(world.calendar.month_start[after]) - 1 for after in ends or [world.calendar.months]]


def _count(world, people, course, lines, closing, top, counted, rng):
    """What is left on the shelf: one to six weeks of what was bought in the quarter before."""
    per = len(world.catalogue.ids)
    recent = (lines.day <= closing) & (lines.day > closing - LOOK_BACK_DAYS)
    cell = lines.account[recent] * per + lines.product[recent]
    bought = np.bincount(cell, lines.quantity[recent], minlength=len(people) * per).reshape(-1, per)
    here = counted & (course.left_on > closing) & (people.buys_from <= closing - LOOK_BACK_DAYS)
    account = np.repeat(np.flatnonzero(here), top.shape[1])
    product = top[here].ravel()
    weeks = rng.gamma(3.0, 1.1, size=len(account))
    on_hand = np.round(bought[account, product] / (LOOK_BACK_DAYS / 7) * weeks)
    return account, product, np.full(len(account), closing), on_hand
