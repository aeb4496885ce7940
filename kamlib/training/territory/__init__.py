"""The territory: twenty accounts for eight quarters, on the process of the sample company; decide, see, be told."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd

from kamlib.book.company.process import Process
from kamlib.errors import RequestError
from kamlib.training.territory import view
from kamlib.training.territory.company import ACCOUNTS, QUARTERS, Card, Company, draw_company
from kamlib.training.territory.course import Choices, Course, live, take_orders
from kamlib.training.territory.debrief import Debrief, look_back
from kamlib.training.territory.decisions import Decision, check, costs_of, hours_of, read_file, settled, write_file
from kamlib.training.territory.rules import HANDLINGS, Rules

__all__ = ["HANDLINGS", "Debrief", "Decision", "Rules", "Territory", "play_out", "resume", "take_over"]

CURRENCY = "TWD"
PAST_QUARTERS = view.PAST_QUARTERS


@dataclass(frozen=True, eq=False, repr=False)
class Territory:
    """A game as it stands; a decision makes a new one. Everything follows from the seed and the decisions.

    Attributes
    ----------
    seed : the accounts and their luck. rules : hours, prices, limits. decisions : by quarter, what was decided.

    Examples
    --------
    >>> territory = take_over(seed=7)
    >>> territory.period, len(territory.accounts)
    ('2026-Q4', 20)
    >>> later = territory.play({"T01": Decision(visits=6)})
    >>> later.period, int(later.last_quarter.set_index("account_id").visits["T01"])
    ('2027-Q1', 6)
    """

    seed: int
    rules: Rules
    decisions: tuple[Mapping[str, Decision], ...]
    _company: Company
    _card: Card
    _process: Process = field(default_factory=Process)

    def __repr__(self) -> str:
        return f"Territory(seed={self.seed}, quarters played={len(self.decisions)} of {QUARTERS})"

    @property
    def ids(self) -> list[str]:
        """Identifiers of the accounts, T01 to T20."""
        return [f"T{number:02d}" for number in range(1, len(self._company) + 1)]

    @property
    def is_over(self) -> bool:
        """Whether all eight quarters are played."""
        return len(self.decisions) >= QUARTERS

    @property
    def periods(self) -> list[str]:
        """Labels of the eight quarters."""
        return view.quarter_labels(self._card)[PAST_QUARTERS:]

    @property
    def period(self) -> str:
        """Label of the quarter to be decided; the last one when the game is over."""
        return self.periods[min(len(self.decisions), QUARTERS - 1)]

    @property
    def accounts(self) -> pd.DataFrame:
        """One row per account, from the files of the first day; see :func:`view.account_cards`."""
        return self._cards.copy()

    @property
    def study(self) -> dict[str, float]:
        """Head office's estimate of the effect of visits by segment: log points per log(1 + visits a month)."""
        return dict(self._card.study)

    @property
    def booked(self) -> pd.DataFrame:
        """One row per quarter and account, the year before and what is played; see :func:`view.booked`."""
        return self._booked.copy()

    @property
    def last_quarter(self) -> pd.DataFrame:
        """The report of the quarter before: the last rows of ``booked``."""
        return self.booked.tail(len(self.ids)).reset_index(drop=True)

    @property
    def waiting(self) -> pd.DataFrame:
        """One row per account: complaints that wait, contracts that end soon, shortages purchasing warns of."""
        quarter = min(len(self.decisions), QUARTERS - 1)
        return view.waiting(self._company, self._card, self.ids, self._course, quarter)

    def hours(self, decisions: Mapping[str, Decision]) -> float:
        """Hours that these decisions for the quarter at hand would take."""
        waits = dict(zip(self.ids, self.waiting["open_complaints"], strict=True))
        return float(sum(hours_of(d, int(waits[name]), self.rules) for name, d in decisions.items()))

    def costs(self, decisions: Mapping[str, Decision]) -> float:
        """TWD that these decisions would cost; a promotion's rebate comes on top, since it hangs on revenue."""
        terms = self.accounts.set_index("account_id")[["visit_cost", "reserve_price"]]
        waits = dict(zip(self.ids, self.waiting["open_complaints"], strict=True))
        rows = zip(terms.loc[list(decisions)].to_numpy(), decisions.items(), strict=True)
        return float(sum(costs_of(d, *row, int(waits[name]), self.rules) for row, (name, d) in rows))

    def play(self, decisions: Mapping[str, Decision]) -> Self:
        """The territory after one more quarter; accounts that are not named get nothing.

        Raises
        ------
        RequestError
            When the game is over or the rules do not allow the decisions; nothing has happened then.
        """
        if self.is_over:
            raise RequestError(
                f"all {QUARTERS} quarters are played; ask for debrief(), or begin anew with take_over(seed)"
            )
        check(decisions, self.ids, self.waiting["open_complaints"].to_list(), self.rules)
        return replace(self, decisions=(*self.decisions, settled(decisions)))

    def debrief(self) -> Debrief:
        """What the decisions were worth, from the truth; takes about a second.

        Raises
        ------
        RequestError
            Before the last quarter is played.
        """
        if not self.is_over:
            left = QUARTERS - len(self.decisions)
            raise RequestError(f"the truth is told at the end: {left} of {QUARTERS} quarters are still to be played")
        booked = self.booked.tail(QUARTERS * len(self.ids))
        profit = float(booked["margin"].sum() - booked["costs"].sum())
        return look_back(self._company, self._card, self.ids, self._choices(), profit, self.rules, self._process)

    def save(self, path: str | os.PathLike) -> None:
        """Keep the game in a small file: its seed and decisions, from which :func:`resume` lives through it again.

        Other names and rules than the declared ones are not kept; give them to :func:`resume` too.
        """
        write_file(path, self.seed, self.decisions)

    def _choices(self) -> Choices:
        choices = Choices.nothing(len(self._company))
        position = {name: row for row, name in enumerate(self.ids)}
        for quarter, decisions in enumerate(self.decisions):
            for name, decision in decisions.items():
                row = position[name]
                choices.visits[row, quarter] = decision.visits
                choices.executive[row, quarter] = decision.executive
                choices.promotion[row, quarter] = decision.promotion
                choices.handling[row, quarter] = decision.handling
                choices.reserve[row, quarter] = decision.reserve
        return choices

    @cached_property
    def _course(self) -> Course:
        return live(self._company, self._choices(), self.rules, self._process)

    @cached_property
    def _cards(self) -> pd.DataFrame:
        past = self._booked.head(PAST_QUARTERS * len(self.ids))
        cards = view.account_cards(self._company, self._card, self.ids, past, self.rules)
        return cards.assign(effect=cards["segment"].map(self._card.study).astype(float))

    @cached_property
    def _booked(self) -> pd.DataFrame:
        known = (self._company, self._card, self.ids, self._choices(), self._course, self.rules, self._process)
        return view.booked(*known).head((PAST_QUARTERS + len(self.decisions)) * len(self.ids))


def take_over(seed: int = 1, names: Sequence[str] | None = None, rules: Rules | None = None) -> Territory:
    """A territory on its first day.

    Parameters
    ----------
    seed
        Which accounts and which luck; a whole number from 0.
    names
        Other names for the accounts, such as one's own; one each.
    rules
        Other hours, prices and limits than the declared ones.

    Raises
    ------
    RequestError
        When the seed is no whole number from 0, or the names are not as many as the accounts.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise RequestError(f"seed is {seed!r}; give a whole number from 0")
    if names is not None and len(names) != ACCOUNTS:
        raise RequestError(f"{len(names)} names are given for {ACCOUNTS} accounts; give one each")
    process, rules = Process(), rules or Rules()
    company, card = draw_company(int(seed), process)
    card = replace(card, names=[str(name) for name in names]) if names is not None else card
    company = replace(company, reserve_price=_reserve_price(company, rules, process))
    return Territory(int(seed), rules, (), company, card, process)


def resume(path: str | os.PathLike, names: Sequence[str] | None = None, rules: Rules | None = None) -> Territory:
    """The game that was kept in a file, lived through again; the same to the last digit.

    Raises
    ------
    RequestError
        When there is no such file, it is damaged, or its decisions are not allowed.
    """
    seed, quarters = read_file(path)
    territory = take_over(seed, names, rules)
    for decisions in quarters:
        territory = territory.play(decisions)
    return territory


def play_out(seed: int, policy, rules: Rules | None = None) -> Territory:
    """All eight quarters under one policy: a callable from the territory as it is seen to its decisions."""
    territory = take_over(seed, rules=rules)
    while not territory.is_over:
        territory = territory.play(policy(territory))
    return territory


def _reserve_price(company: Company, rules: Rules, process: Process) -> np.ndarray:
    """TWD a quarter for reserving supply, in whole hundreds, from the revenue booked in the year before."""
    course = live(company, Choices.nothing(len(company)), rules, process)
    _, revenue = take_orders(company, course, process)
    usual = revenue[:, : 3 * PAST_QUARTERS].sum(axis=1) / PAST_QUARTERS
    return np.maximum(np.round(rules.reserve_share * usual, -2), 100.0)
