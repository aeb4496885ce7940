"""Tables of terms and aims: contracts, promotions, investments, opportunities, targets, references."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from kamlib.book.company.columns import Numbering, days, identifiers, make_table, missing, numbers, words
from kamlib.book.company.course import Course
from kamlib.book.company.launches import Launches
from kamlib.book.company.market import CATEGORIES
from kamlib.book.company.names import COMPETITORS
from kamlib.book.company.parties import account_ids
from kamlib.book.company.population import ALONE, LIFECYCLES, Population
from kamlib.book.company.rebates import REBATE_SHARE, Rebates
from kamlib.book.company.world import World

PROMOTION_KINDS = ("discount", "co_promotion", "contest", "rebate")
PROMOTION_SHARES = (0.60, 0.25, 0.15)
INVESTMENT_KINDS = ("development", "service", "travel", "other")
STAGES = ("open", "won", "lost")
OPPORTUNITIES = (1.5, 0.6, 0.15)
WIN_RATE = 0.38
TARGET_SHARE = (0.95, 0.30, 0.0)
TARGET_ROUND = 10_000.0


def contracts(
    world: World, people: Population, course: Course, numbering: Numbering, rng: np.random.Generator
) -> pa.Table:
    """Supply contracts, with the value agreed when they were signed."""
    signed = course.contracts
    order = np.lexsort((signed.account, signed.signed_on))
    account, starts, rows = signed.account[order], signed.starts_on[order], len(order)
    year = 12 * people.base[account] * np.exp(course.visit_effect.mean(axis=1)[account])
    value = np.maximum(np.round(year * rng.uniform(0.6, 0.95, rows), -4), 10_000)
    unsigned = missing(rng, rows, 0.03) & (starts < world.calendar.days)
    columns = {
        "contract_id": numbering.label("K", rows),
        "account_id": words(account_ids(world, people), account),
        "starts_on": days(world.calendar, starts),
        "ends_on": days(world.calendar, signed.ends_on[order]),
        "annual_value": numbers(value, missing(rng, rows, 0.05)),
        "signed_on": days(world.calendar, signed.signed_on[order], unsigned),
    }
    return make_table("contracts", columns)


def promotions(
    world: World,
    people: Population,
    course: Course,
    rebates: Rebates,
    bought: np.ndarray,
    numbering: Numbering,
    rng: np.random.Generator,
) -> tuple[pa.Table, np.ndarray]:
    """Promotions and rebates, and the (accounts, months) number of each promotion for the order lines."""
    account, month = np.nonzero(course.promoted)
    bonus, quarter = np.nonzero(~np.isnan(rebates.threshold))
    first = numbering.next("PR", len(account) + len(bonus))
    number = np.full(course.promoted.shape, 0)
    number[account, month] = first + np.arange(len(account))
    starts = world.calendar.month_start
    revenue = course.expected_revenue[account, month]
    threshold, reached = rebates.threshold[bonus, quarter], bought[bonus, quarter]
    paid = np.where(reached >= threshold, np.round(REBATE_SHARE * reached), 0.0)
    nothing = np.zeros(len(account))
    columns = {
        "promotion_id": identifiers("PR", first + np.arange(len(account) + len(bonus))),
        "account_id": words(account_ids(world, people), np.concatenate([account, bonus])),
        "kind": words(
            PROMOTION_KINDS,
            np.concatenate([rng.choice(3, size=len(account), p=PROMOTION_SHARES), np.full(len(bonus), 3)]),
        ),
        "starts_on": days(world.calendar, np.concatenate([starts[month], rebates.first_day[quarter]])),
        "ends_on": days(world.calendar, np.concatenate([starts[month + 1], rebates.next_day[quarter]]) - 1),
        "cost": numbers(
            np.concatenate([np.maximum(np.round(0.03 * revenue, -2), 500), paid]),
            np.concatenate([missing(rng, len(account), 0.06), np.zeros(len(bonus), dtype=bool)]),
        ),
        "threshold": numbers(np.concatenate([nothing, threshold]), np.arange(len(account) + len(bonus)) < len(account)),
        "category": words(
            CATEGORIES,
            np.concatenate([course.promotion_category[account, month], np.zeros(len(bonus), dtype=int)]),
            np.arange(len(account) + len(bonus)) >= len(account),
        ),
    }
    return make_table("promotions", columns), number


def investments(
    world: World, people: Population, course: Course, numbering: Numbering, rng: np.random.Generator
) -> pa.Table:
    """What was spent on winning and on serving accounts; the giant's development most of all."""
    parts = [_winning(world, people, rng), _serving(world, people, course, rng), _giant(world, people)]
    account, day, kind, amount = (np.concatenate(x) for x in zip(*parts, strict=True))
    kept = (day >= 0) & (day < world.calendar.days)
    account, day, kind, amount = account[kept], day[kept], kind[kept], amount[kept]
    order = np.lexsort((kind, account, day))
    columns = {
        "investment_id": numbering.label("I", len(order)),
        "account_id": words(account_ids(world, people), account[order]),
        "spent_on": days(world.calendar, day[order]),
        "kind": words(INVESTMENT_KINDS, kind[order]),
        "amount": numbers(np.round(amount[order], -2)),
    }
    return make_table("investments", columns)


def _winning(world: World, people: Population, rng: np.random.Generator):
    """Development in the months after an account was entered: two payments of a few weeks' revenue."""
    new = np.repeat(np.flatnonzero((people.opened >= 0) & (people.klass < 2)), 2)
    day = people.opened[new] + rng.integers(1, 90, size=len(new))
    day = world.calendar.workday_between(rng, day, np.minimum(day + 5, world.calendar.days - 1))
    amount = np.clip(people.base[new] * rng.lognormal(-1.0, 0.6, len(new)), 3_000, 400_000)
    return new, day, np.zeros(len(new), dtype=int), amount


def _serving(world: World, people: Population, course: Course, rng: np.random.Generator):
    """Service, travel and other spending: now and then, mostly at large accounts."""
    rate = np.array([0.10, 0.03, 0.004])[people.klass][:, None] * (course.present > 0)
    account, month = np.nonzero(rng.random(rate.shape) < rate)
    starts = world.calendar.month_start
    day = world.calendar.workday_between(rng, np.maximum(starts[month], people.opened[account]), starts[month + 1] - 1)
    amount = np.clip(people.base[account] * rng.lognormal(-2.6, 0.7, len(account)), 1_200, 150_000)
    return account, day, rng.choice([1, 2, 3], size=len(account), p=[0.6, 0.25, 0.15]), amount


def _giant(world: World, people: Population):
    """Five payments that make up the giant investment, in the months before the giant order."""
    account = np.repeat(people.planted("giant_one_off"), 5)
    months = np.arange(len(account)) + max(world.calendar.months - 14, 0)
    day = world.calendar.month_start[np.minimum(months, world.calendar.months - 1)] + 10
    share = np.array([0.1, 0.2, 0.3, 0.3, 0.1])[: len(account)]
    return account, day, np.zeros(len(account), dtype=int), share * world.process.giant_investment


def opportunities(
    world: World, people: Population, course: Course, numbering: Numbering, rng: np.random.Generator
) -> pa.Table:
    """Deals in the making at customers and prospects, and how they ended."""
    expected = np.array(OPPORTUNITIES)[people.klass] * world.calendar.months / 36
    is_hopeful = people.lifecycle == LIFECYCLES.index("opportunity")
    count = np.where(people.is_customer, rng.poisson(expected), is_hopeful.astype(int))
    account = np.repeat(np.arange(len(people)), count)
    earliest = np.maximum(people.opened[account], 0)
    latest = np.maximum(np.minimum(course.left_on[account], world.calendar.days - 1), earliest)
    opened = world.calendar.workday_between(rng, earliest, latest)
    closed = opened + np.ceil(rng.gamma(2.5, 30, len(account))).astype(int)
    is_open = (closed >= world.calendar.days) | ~people.is_customer[account]
    stage = np.where(is_open, 0, np.where(rng.random(len(account)) < WIN_RATE, 1, 2))
    order, rows = np.lexsort((account, opened)), len(account)
    value = np.maximum(np.round(people.base[account] * rng.lognormal(0.3, 0.8, rows), -3), 5_000)
    columns = {
        "opportunity_id": numbering.label("O", rows),
        "account_id": words(account_ids(world, people), account[order]),
        "opened_on": days(world.calendar, opened[order]),
        "closed_on": days(world.calendar, closed[order], is_open[order]),
        "stage": words(STAGES, stage[order]),
        "value": numbers(value[order], missing(rng, rows, 0.08)),
        "competitor": words(COMPETITORS, rng.integers(0, len(COMPETITORS), rows), missing(rng, rows, 0.35)),
    }
    return make_table("opportunities", columns)


def account_targets(world: World, people: Population, course: Course, rng: np.random.Generator) -> pa.Table:
    """Quarterly targets of the larger accounts: last year's quarter where there was one, and a little more."""
    plan = _plan(world, course) * rng.uniform(1.0, 1.12, size=(len(people), len(world.calendar.quarters())))
    chosen = (rng.random(len(people)) < np.array(TARGET_SHARE)[people.klass]) & (people.plant == 0)
    account, quarter = np.nonzero(chosen[:, None] & (plan > TARGET_ROUND))
    labels = [label for label, _, _ in world.calendar.quarters()]
    columns = {
        "account_id": words(account_ids(world, people), account),
        "manager_id": pa.nulls(len(account), pa.string()),
        "period": words(labels, quarter),
        "revenue": numbers(np.round(plan[account, quarter] / TARGET_ROUND) * TARGET_ROUND),
    }
    return make_table("targets", columns)


def planned_by_manager(world: World, people: Population, course: Course) -> np.ndarray:
    """(managers, quarters) what a block of accounts adds to its managers' targets."""
    plan = _plan(world, course)
    total = np.zeros((len(world.staff.ids), plan.shape[1]))
    for quarter, (_, first, _) in enumerate(world.calendar.quarters()):
        start = np.full(len(people), world.calendar.month_start[first])
        np.add.at(total[:, quarter], people.manager_on(np.arange(len(people)), start), plan[:, quarter])
    return total


def _plan(world: World, course: Course) -> np.ndarray:
    """(accounts, quarters) the same quarter a year before as it was to be expected, else the quarter itself."""
    revenue, quarters = course.expected_revenue, world.calendar.quarters()
    bases = [first - 12 if first >= 12 else first for _, first, _ in quarters]
    sums = [revenue[:, first : first + 3].sum(axis=1) for first in bases]
    return np.stack(sums, axis=1) if sums else revenue[:, :0]


def manager_targets(world: World, plan: np.ndarray, rng: np.random.Generator) -> pa.Table:
    """Quarterly targets of the managers, from the sum of their accounts."""
    manager, quarter = np.nonzero(plan > 0)
    labels = [label for label, _, _ in world.calendar.quarters()]
    aim = plan[manager, quarter] * rng.uniform(1.02, 1.10, size=len(manager))
    columns = {
        "account_id": pa.nulls(len(manager), pa.string()),
        "manager_id": words(world.staff.ids, manager),
        "period": words(labels, quarter),
        "revenue": numbers(np.maximum(np.round(aim / TARGET_ROUND), 1) * TARGET_ROUND),
    }
    return make_table("targets", columns)


def references(world: World, people: Population, launches: Launches) -> pa.Table:
    """Who brought whom; the reference is dated with the day the new account was entered."""
    referred = np.flatnonzero(launches.referrer != ALONE)
    referrer = launches.referrer[referred]
    order = np.lexsort((referred, referrer))
    referred, referrer = referred[order], referrer[order]
    ids = account_ids(world, people)
    columns = {
        "account_id": words(ids, referrer),
        "referred_account_id": words(ids, referred),
        "referred_on": days(world.calendar, people.opened[referred]),
    }
    return make_table("references", columns)
