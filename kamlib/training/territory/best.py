"""The best plan with hindsight: found by search from the truth, with a bound that no plan can exceed.

*Best* means: the decisions that earn most, by one who knows the laws, the shocks, the shortages and every draw of
luck, under the same hours, executives and prices. Profit is margin to be expected while an account is there, less
all costs. So the best plan may keep an account that a single executive visit keeps, and does not spend on one that
leaves all the same. No manager could know this; it is a yardstick, not a reproach.

The bound (Lagrange, on the hours): every account stays as long as the fullest care would keep it and that care
costs nothing; only visits, promotions and reservations are paid for, and the hours of visits and promotions have a
price in each quarter. What each account then earns at most is exact by dynamic programming over what is carried
over of past visits, rounded up; the sum plus the price of all hours exceeds what any plan earns, whatever the
prices, and the lowest over prices is the bound.

The plan: visits from the same programme where only the care that is needed is kept; then, until nothing improves,
visits of one quarter at a time by :func:`kamlib.studies.allocation.plan_calls`, exact given the other quarters, and
single other decisions. The plan it is compared with takes part, so it is never better. The gap is stated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kamlib.book.company import process as law
from kamlib.book.company.population import FAR_AHEAD
from kamlib.book.company.process import Process
from kamlib.studies.allocation import plan_calls
from kamlib.training.territory.company import MONTHS, PAST_MONTHS, QUARTERS, Company
from kamlib.training.territory.course import Choices, Course, live
from kamlib.training.territory.rules import HANDLINGS, Rules

LEVELS, STEPS, SWEEPS = 49, 60, 4
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
    prices, bound = _prices(company, rules, process)
    start = _programmed(company, rules, process, prices)
    found = _searched(company, rules, process, start)
    if _profit(company, rules, process, other) > _profit(company, rules, process, found):
        found = _searched(company, rules, process, other)
    course = live(company, found, rules, process)
    return Best(found, course, float(course.profit.sum()), bound)


def full_care(accounts: int) -> Choices:
    """Everything that could keep an account: an executive each quarter, each complaint made good, all reserved."""
    nothing, all_of_it = Choices.nothing(accounts), np.ones((accounts, QUARTERS), dtype=bool)
    worked = np.full((accounts, QUARTERS), len(HANDLINGS) - 1)
    return replace(nothing, executive=all_of_it, handling=worked, reserve=all_of_it)


def _profit(company: Company, rules: Rules, process: Process, choices: Choices) -> float:
    return float(live(company, choices, rules, process).profit.sum())


# ---- the bound


@dataclass(frozen=True, eq=False)
class _Programme:
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


def _programme(company: Company, rules: Rules, process: Process, care: Choices) -> _Programme:
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
    return _Programme(gains, levels, following, np.searchsorted(levels, before - 1e-12), rules)


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


def _prices(company: Company, rules: Rules, process: Process) -> tuple[np.ndarray, float]:
    """Prices of an hour by quarter at which the bound is lowest as far as found, and that bound."""
    programme = _programme(company, rules, process, full_care(len(company)))

    def bound(prices: np.ndarray) -> tuple[float, np.ndarray]:
        worth, hours = programme.solve(prices)
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


# ---- the plan


def _programmed(company: Company, rules: Rules, process: Process, prices: np.ndarray) -> Choices:
    """A first plan: the care that is needed, and the visits that pay at the prices; made to fit the hours."""
    care = _needed_care(company, rules, process)
    visits, runs = _programme(company, rules, process, care).plan(prices)
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
    care, wanted = care.copy(), min(int(live(company, care, rules, process).left_in[0]), FAR_AHEAD)
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
