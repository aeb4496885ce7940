"""The best plan with hindsight: found by search from the truth, with a bound that no plan can exceed.

*Best* means: the decisions that earn most, by one who knows the laws, the shocks, the shortages and every draw of
luck, under the same hours, executives and prices. Profit is margin to be expected while an account is there, less
all costs. So the best plan may keep an account that a single executive visit keeps, and does not spend on one that
leaves all the same. No manager could know this; it is a yardstick, not a reproach.

The bound is that of :mod:`kamlib.training.territory.bound`.

The plan: visits from the same programme where only the care that is needed is kept; then, until nothing improves,
visits of one quarter at a time by :func:`kamlib.studies.allocation.plan_calls`, exact given the other quarters, and
single other decisions. The plan it is held against is a start of the search too where it earns more,
so it never ends above the best. The gap to the bound is stated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kamlib.book.company.process import Process
from kamlib.studies.allocation import plan_calls
from kamlib.training.territory.bound import full_care, lowest_bound, programme
from kamlib.training.territory.company import MONTHS, QUARTERS, Company
from kamlib.training.territory.course import Choices, Course, live
from kamlib.training.territory.rules import HANDLINGS, Rules

SWEEPS = 4
WORTH = 1.0  # TWD: what an improvement must bring to be one


@dataclass(frozen=True, eq=False)
class Best:
    """The best plan found, what it earns, and what no plan can exceed; in TWD over the eight quarters."""

    choices: Choices
    course: Course
    profit: float
    bound: float


def best_plan(company: Company, rules: Rules, process: Process, other: Choices) -> Best:
    """The best plan with hindsight, not below the *other*, and its bound.

    See the module for what best means and how it is found.
    """
    # Single orders and survey answers bear on no profit to be expected, and copying them would take most of the time.
    unused = {name: getattr(company, name)[:, :0] for name in ("arrivals", "sizes", "survey_draws")}
    company = replace(company, **unused)
    prices, bound = lowest_bound(company, rules, process)
    start = _programmed(company, rules, process, prices)
    found = _searched(company, rules, process, start)
    if _profit(company, rules, process, other) > _profit(company, rules, process, found):
        found = _searched(company, rules, process, other)
    course = live(company, found, rules, process)
    return Best(found, course, float(course.profit.sum()), bound)


def _profit(company: Company, rules: Rules, process: Process, choices: Choices) -> float:
    return float(live(company, choices, rules, process).profit.sum())


def _programmed(company: Company, rules: Rules, process: Process, prices: np.ndarray) -> Choices:
    """A first plan: the care that is needed, and the visits that pay at the prices; made to fit the hours."""
    care = _needed_care(company, rules, process)
    visits, runs = programme(company, rules, process, care).plan(prices)
    visits = np.maximum(visits, care.executive)
    plan = replace(care, visits=visits, promotion=runs, reserve=care.reserve)
    return _fitted(company, rules, process, plan)


def _needed_care(company: Company, rules: Rules, process: Process) -> Choices:
    """For each account that care keeps longer, that care, the largest first as long as executives are free."""
    count = len(company)
    none, full = Choices.nothing(count), full_care(count)
    left = live(company, none, rules, process).left_in
    kept = live(company, full, rules, process).left_in
    gain = company.base * company.margin_share * (np.minimum(kept, MONTHS) - np.minimum(left, MONTHS))
    care = none.copy()
    for account in np.argsort(-gain, kind="stable")[: int((gain > 0).sum())]:
        free = care.executive.sum(axis=0) < rules.executives_per_quarter
        mine = full.take([account])
        mine = replace(mine, executive=mine.executive & free)
        mine = _pruned(company.take([account]), mine, rules, process)
        for name in ("executive", "handling", "reserve"):
            getattr(care, name)[account] = getattr(mine, name)[0]
    return care


def _pruned(company: Company, care: Choices, rules: Rules, process: Process) -> Choices:
    """The care of one account without the parts it stays as long without, the dearest tried first."""
    care, wanted = care.copy(), live(company, care, rules, process).left_in[0]
    for name, less in (("reserve", False), ("handling", 0), ("handling", 1), ("executive", False)):
        values = getattr(care, name)
        for quarter in range(QUARTERS):
            before = values[0, quarter]
            values[0, quarter] = less if less < before else before
            if live(company, care, rules, process).left_in[0] < wanted:
                values[0, quarter] = before
    return care


def _fitted(company: Company, rules: Rules, process: Process, plan: Choices) -> Choices:
    """The plan without what its hours do not allow: visits first, then everything in that quarter."""
    plan = plan.copy()
    for quarter in range(QUARTERS):
        while (over := live(company, plan, rules, process).hours[:, quarter].sum() - rules.hours_per_quarter) > 1e-9:
            spare = np.where(plan.executive[:, quarter], plan.visits[:, quarter] - 1, plan.visits[:, quarter])
            if spare.max() <= 0:
                for name in ("visits", "executive", "promotion", "handling"):
                    getattr(plan, name)[:, quarter] = 0
                break
            take = np.minimum(spare, max(1, int(over / rules.visit_hours / len(company))))
            plan.visits[spare.argmax(), quarter] -= take[spare.argmax()]
    return plan


def _searched(company: Company, rules: Rules, process: Process, plan: Choices) -> Choices:
    """The plan bettered by single other decisions and by visits of one quarter at a time, until nothing improves."""
    profit = _profit(company, rules, process, plan)
    for _ in range(SWEEPS):
        plan = _with_flips(company, rules, process, plan)
        for quarter in range(QUARTERS):
            plan = _with_visits(company, rules, process, plan, quarter)
        before, profit = profit, _profit(company, rules, process, plan)
        if profit <= before + WORTH:
            break
    return plan


def _with_visits(company: Company, rules: Rules, process: Process, plan: Choices, quarter: int) -> Choices:
    """The plan with the best visits of one quarter, the other quarters as they are; exact."""
    count, levels = len(company), rules.most_visits + 1
    tried = plan.take(np.repeat(np.arange(count), levels)).copy()
    tried.visits[:, quarter] = np.tile(np.arange(levels), count)
    course = live(company.take(np.repeat(np.arange(count), levels)), tried, rules, process)
    profits = course.profit.reshape(count, levels)
    other = course.hours[::levels, quarter].sum()
    room = rules.hours_per_quarter - other
    chosen = plan_calls(
        {account: profits[account].__getitem__ for account in range(count)},
        margin=1.0,
        cost_per_call=0.0,
        budget=max(room, 0.0),
        minimum=plan.executive[:, quarter].astype(int),
        maximum=rules.most_visits,
        hours_per_call=rules.visit_hours,
    )
    better = plan.copy()
    better.visits[:, quarter] = chosen.calls.to_numpy()
    return better


def _with_flips(company: Company, rules: Rules, process: Process, plan: Choices) -> Choices:
    """The plan with single other decisions changed, the best first, as long as one improves and is allowed."""
    count = len(company)
    for _ in range(count * QUARTERS):
        tried, owners = _flips(plan, count)
        course, now = live(company.take(owners), tried, rules, process), live(company, plan, rules, process)
        allowed = (tried.visits >= tried.executive) & (tried.visits <= rules.most_visits)
        gain = np.where(allowed.all(axis=1), course.profit - now.profit[owners], 0.0)
        taken = _affordable(plan, tried, owners, gain, now.hours, course.hours, rules)
        if not taken:
            return plan
        plan = plan.copy()
        for values, better in zip(vars(plan).values(), vars(tried).values(), strict=True):
            values[owners[taken]] = better[taken]
    return plan


def _affordable(plan: Choices, tried: Choices, owners, gain, hours_now, hours_then, rules: Rules) -> list[int]:
    """Rows to take, one an account at most and the largest gain first, as hours and executives allow."""
    hours, executives = hours_now.sum(axis=0), plan.executive.sum(axis=0)
    taken, served = [], set()
    for row in np.argsort(-gain, kind="stable"):
        if gain[row] <= WORTH:
            break
        owner = int(owners[row])
        more = hours_then[row] - hours_now[owner]
        guests = tried.executive[row].astype(int) - plan.executive[owner]
        fits = (hours + more <= rules.hours_per_quarter + 1e-9) | (more <= 0)
        if owner in served or not fits.all() or (executives + guests > rules.executives_per_quarter).any():
            continue
        hours, executives = hours + more, executives + guests
        served.add(owner)
        taken.append(int(row))
    return taken


def _flips(plan: Choices, count: int) -> tuple[Choices, np.ndarray]:
    """Every plan one decision away, one account a row, and whose row it is.

    An executive comes or stays at home with a visit of the quarter or without one.
    """
    kinds = ["executive", "executive and visit", "promotion", "reserve", *range(len(HANDLINGS))]
    owner, quarter, kind = (x.ravel() for x in np.indices((count, QUARTERS, len(kinds))))
    tried = plan.take(owner).copy()
    for number, name in enumerate(kinds):
        rows = np.flatnonzero(kind == number)
        here = rows, quarter[rows]
        if isinstance(name, int):
            tried.handling[here] = name
            continue
        flags = getattr(tried, name.split()[0])
        flags[here] = ~flags[here]
        if name == "executive and visit":
            tried.visits[here] = np.maximum(tried.visits[here] + np.where(flags[here], 1, -1), 0)
    return tried, owner
