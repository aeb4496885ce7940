"""Ways to spend the hours of a quarter, from what a manager sees: four that are often met, and a call plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kamlib.studies.allocation import plan_calls
from kamlib.training.territory.decisions import Decision

if TYPE_CHECKING:
    from kamlib.training.territory import Territory

Policy = Callable[["Territory"], dict[str, Decision]]
LOOK_BACK = 4
MONTHLY = 3
CHASED = 5
SURELY_BUYS = 3
SEASON_WEIGHT = 0.5


def do_nothing(territory: Territory) -> dict[str, Decision]:
    """Nobody is visited and no complaint is answered."""
    return {}


def equal_visits(territory: Territory) -> dict[str, Decision]:
    """All hours, shared out equally."""
    return _decided(territory, np.ones(len(territory.accounts)))


def visits_by_revenue(territory: Territory) -> dict[str, Decision]:
    """All hours, shared out by the revenue of the last four quarters."""
    return _decided(territory, _seen(territory)["revenue"][-LOOK_BACK:].sum(axis=0))


def chase_the_drop(territory: Territory) -> dict[str, Decision]:
    """All hours to the five accounts whose revenue fell most against the quarter before."""
    revenue = _seen(territory)["revenue"]
    fall = revenue[-2] - revenue[-1]
    return _decided(territory, np.where(np.argsort(np.argsort(-fall, kind="stable")) < CHASED, 1.0, 0.0))


def monthly_to_all(territory: Territory) -> dict[str, Decision]:
    """One visit a month to everyone."""
    return _with_answers(territory, np.full(len(territory.accounts), MONTHLY))


def call_plan(territory: Territory) -> dict[str, Decision]:
    """The visits that pay, by :func:`kamlib.studies.allocation.plan_calls` on curves of what is seen.

    An account's curve is its revenue of the last four quarters, taken back to no visits by head office's estimate
    of their effect, times (1 + visits a month) to that estimate. Half of the way it is moved to the season of the
    quarter to come. An account without an order in a quarter in which it had several a year before is taken as gone.
    """
    accounts, seen = territory.accounts, _seen(territory)
    effect = accounts["effect"].to_numpy()
    rhythm = (1 + seen["visits"][-LOOK_BACK:] / 3) ** effect
    base = _next_quarter(seen["revenue"][-LOOK_BACK:] / rhythm)
    base = np.where(_is_gone(seen["orders"]), 0.0, base)
    curves = {account: _Curve(b, e) for account, b, e in zip(accounts["account_id"], base, effect, strict=True)}
    plan = plan_calls(
        curves,
        margin=accounts.set_index("account_id")["margin_share"],
        cost_per_call=accounts.set_index("account_id")["visit_cost"],
        budget=_free_hours(territory),
        maximum=territory.rules.most_visits,
        hours_per_call=territory.rules.visit_hours,
    )
    return _with_answers(territory, plan.calls.to_numpy())


NAIVE: dict[str, Policy] = {
    "equal visits": equal_visits,
    "visits by revenue": visits_by_revenue,
    "chase the biggest drop": chase_the_drop,
    "monthly to all": monthly_to_all,
}


class _Curve:
    """Revenue of a quarter by visits in it."""

    def __init__(self, base: float, effect: float) -> None:
        self.base, self.effect = base, effect

    def __call__(self, visits):
        return self.base * (1 + np.asarray(visits) / 3) ** self.effect


def _seen(territory: Territory) -> dict[str, np.ndarray]:
    """(quarters, accounts) of what was booked so far: its rows run quarter by quarter, in the order of the accounts."""
    rows, count = territory.booked, len(territory.accounts)
    return {name: rows[name].to_numpy().reshape(-1, count) for name in ("revenue", "orders", "visits")}


def _next_quarter(year: np.ndarray) -> np.ndarray:
    """(accounts,) what the quarter to come is worth, from the four before: their mean, half-way to its own season.

    The first of the four is the same quarter a year ago. One year of one account is half season and half chance.
    """
    mean = year.mean(axis=0)
    return (1 - SEASON_WEIGHT) * mean + SEASON_WEIGHT * year[0]


def _is_gone(orders: np.ndarray) -> np.ndarray:
    """No order in the last quarter, by accounts that surely ordered in the same quarter a year before."""
    if len(orders) <= LOOK_BACK:
        return np.zeros(orders.shape[1], dtype=bool)
    return (orders[-1] == 0) & (orders[-1 - LOOK_BACK] >= SURELY_BUYS)


def _decided(territory: Territory, weight: np.ndarray) -> dict[str, Decision]:
    """All free hours as visits in proportion to a weight, by largest remainder, up to the most an account may get."""
    rules = territory.rules
    most = int(_free_hours(territory) / rules.visit_hours + 1e-9)
    weight = np.maximum(weight, 0.0)
    share = weight / weight.sum() if weight.sum() > 0 else np.full(len(weight), 1 / len(weight))
    visits = np.minimum(np.floor(share * most).astype(int), rules.most_visits)
    remainder = np.where(visits < rules.most_visits, share * most - visits, -1.0)
    for account in np.argsort(-remainder, kind="stable")[: max(0, most - int(visits.sum()))]:
        visits[account] += visits[account] < rules.most_visits and remainder[account] >= 0 and share[account] > 0
    return _with_answers(territory, visits)


def _free_hours(territory: Territory) -> float:
    """Hours left once every open complaint is answered."""
    return territory.rules.hours_per_quarter - _answer_hours(territory)


def _answer_hours(territory: Territory) -> float:
    return float(territory.waiting["open_complaints"].sum() * territory.rules.handling_hours[1])


def _with_answers(territory: Territory, visits: np.ndarray) -> dict[str, Decision]:
    """Visits, and every open complaint answered: the same in all policies, so that they differ in visits alone."""
    ids = territory.accounts["account_id"]
    return {account: Decision(visits=int(n), complaints="answer") for account, n in zip(ids, visits, strict=True)}
