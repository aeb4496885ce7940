"""After the last quarter: what the decisions were worth, against doing nothing and against the best plan."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kamlib.book.company.process import Process
from kamlib.training.territory.best import Best, best_plan
from kamlib.training.territory.company import MONTHS, Card, Company, class_names
from kamlib.training.territory.course import Choices, Course, live
from kamlib.training.territory.rules import Rules

KINDS = {
    "visits": ("visits", "executive"),
    "executives": ("executive",),
    "promotions": ("promotion",),
    "complaints": ("handling",),
    "reservations": ("reserve",),
}


@dataclass(frozen=True, eq=False)
class Debrief:
    """The truth, told at the end; money in TWD over the eight quarters.

    All plans live through the same shocks, shortages and draws of luck. Profit is the margin to be expected while
    an account is there, less all costs: the luck of single orders is left out (``order_luck`` says what it was).

    Attributes
    ----------
    nothing, yours, best : profit of doing nothing, of the decisions made, and of the best plan found with hindsight
        (see :mod:`kamlib.training.territory.best`). bound : what no plan can exceed. gap : share of the bound that
        the best plan found may still lack.
    score : share of the way from nothing to the best plan; missing where there is nothing to gain.
    order_luck : profit booked less profit to be expected of the same decisions.
    kinds : by kind of decision: profit, what it earned (profit with it less profit had it alone been left out).
    accounts : one row per account: account_id, name, segment, elasticity, nothing, yours, best (profit), visits,
        best_visits, over_visits (visits beyond those of the best plan), over_cost (what they cost more than they
        brought), left_on, best_left_on (first month without the account; missing: it stayed), could_have_kept (lost
        earlier than in the best plan), kept_margin (what it still earned in the best plan after it was lost).
    """

    nothing: float
    yours: float
    best: float
    bound: float
    order_luck: float
    kinds: pd.DataFrame
    accounts: pd.DataFrame

    @property
    def gap(self) -> float:
        """Share of the bound that the best plan found may still lack."""
        return (self.bound - self.best) / abs(self.bound) if self.bound else 0.0

    @property
    def score(self) -> float:
        """Share of the way from doing nothing to the best plan found."""
        way = self.best - self.nothing
        return (self.yours - self.nothing) / way if way > 0 else float("nan")


def look_back(
    company: Company, card: Card, ids: list[str], choices: Choices, booked_profit: float, rules: Rules, process: Process
) -> Debrief:
    """The debrief of all eight quarters of decisions; *booked_profit* is margin less costs as they were booked."""
    nothing = live(company, Choices.nothing(len(company)), rules, process)
    yours = live(company, choices, rules, process)
    best = best_plan(company, rules, process, choices)
    total = float(yours.profit.sum())
    return Debrief(
        nothing=float(nothing.profit.sum()),
        yours=total,
        best=best.profit,
        bound=max(best.bound, best.profit),
        order_luck=float(booked_profit - total),
        kinds=_kinds(company, choices, total, rules, process),
        accounts=_accounts(company, card, ids, choices, (nothing, yours), best, rules, process),
    )


def _kinds(company: Company, choices: Choices, total: float, rules: Rules, process: Process) -> pd.DataFrame:
    """What each kind of decision earned: the profit with it, less that had it alone been left out."""
    none, rows = Choices.nothing(len(company)), []
    for kind, names in KINDS.items():
        without = replace(choices, **{name: getattr(none, name) for name in names})
        rows.append({"kind": kind, "profit": total - float(live(company, without, rules, process).profit.sum())})
    return pd.DataFrame(rows)


def _accounts(company: Company, card: Card, ids, choices: Choices, lived, best: Best, rules, process) -> pd.DataFrame:
    nothing, yours = lived
    made, ideal = choices.visits.sum(axis=1), best.choices.visits.sum(axis=1)
    fewer = np.minimum(choices.visits, np.maximum(best.choices.visits, choices.executive))
    with_fewer = live(company, replace(choices, visits=fewer), rules, process).profit
    over = (choices.visits - fewer).sum(axis=1)
    could = (yours.left_in < MONTHS) & (best.course.left_in > yours.left_in)
    return pd.DataFrame(
        {
            "account_id": ids,
            "name": card.names,
            "segment": class_names(company),
            "elasticity": company.elasticity,
            "nothing": nothing.profit,
            "yours": yours.profit,
            "best": best.course.profit,
            "visits": made,
            "best_visits": ideal,
            "over_visits": over,
            "over_cost": np.where(over > 0, np.maximum(with_fewer - yours.profit, 0.0), 0.0),
            "left_on": _months(card, yours),
            "best_left_on": _months(card, best.course),
            "could_have_kept": could,
            "kept_margin": np.where(could, _margin_after(company, best.course, yours.left_in), 0.0),
        }
    )


def _margin_after(company: Company, course: Course, month: np.ndarray) -> np.ndarray:
    """(accounts,) margin to be expected from each account's month on."""
    later = np.arange(MONTHS) >= month[:, None]
    return (course.expected * later).sum(axis=1) * company.margin_share


def _months(card: Card, course: Course) -> pd.Series:
    first = [card.calendar.month_first(m) if m < MONTHS else pd.NaT for m in course.left_in]
    return pd.Series(first, dtype="datetime64[s]")
