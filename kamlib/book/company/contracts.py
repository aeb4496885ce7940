"""Supply contracts of the sample company: terms of one or two years, renewed until they lapse."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kamlib.book.company.population import Population
from kamlib.book.company.world import World

TERM_DAYS, TERM_SHARES = (365, 730), (0.65, 0.35)


@dataclass(frozen=True)
class Contracts:
    """One entry per contract (position of the account, days), and (accounts, months) flags.

    ``runs``: a contract covers the whole month; ``ends``: one ends within it.
    """

    account: np.ndarray
    starts_on: np.ndarray
    ends_on: np.ndarray
    signed_on: np.ndarray
    runs: np.ndarray
    ends: np.ndarray

    def signed_before(self, left_on: np.ndarray) -> Contracts:
        """The contracts that came about: an account that left signs no more."""
        kept = self.signed_on <= left_on[self.account]
        fields = ("account", "starts_on", "ends_on", "signed_on")
        return replace(self, **{name: getattr(self, name)[kept] for name in fields})


def draw_contracts(world: World, people: Population, rng: np.random.Generator) -> Contracts:
    """Contracts as they would follow each other if nobody left, signed by the end of the book."""
    calendar, count = world.calendar, len(people)
    term = rng.choice(TERM_DAYS, size=count, p=TERM_SHARES)
    has_one = (rng.random(count) < world.process.by_class("contract_share", people.klass)) & people.is_customer
    has_one &= people.plant == 0
    first = np.where(
        people.opened < 0,
        -np.floor(rng.random(count) * term).astype(int),
        people.buys_from + rng.integers(30, 150, count),
    )
    terms = rng.geometric(world.process.contract_lapse, size=count)
    order = np.arange(calendar.days // min(TERM_DAYS) + 3)
    starts = first[:, None] + order * term[:, None]
    signed = starts - rng.integers(7, 45, size=starts.shape)
    came = has_one[:, None] & (order < terms[:, None]) & (signed < calendar.days)
    account, _ = np.nonzero(came)
    starts_on, ends_on = starts[came], (starts + term[:, None] - 1)[came]
    runs, ends = _flags(calendar, count, account, starts_on, ends_on)
    return Contracts(account, starts_on, ends_on, signed[came], runs, ends)


def _flags(calendar, count: int, account, starts_on, ends_on) -> tuple[np.ndarray, np.ndarray]:
    begin, close = calendar.month_start[:-1], calendar.month_start[1:] - 1
    runs, ends = np.zeros((2, count, calendar.months), dtype=bool)
    np.logical_or.at(runs, account, (starts_on[:, None] <= begin) & (ends_on[:, None] > close))
    np.logical_or.at(ends, account, (begin <= ends_on[:, None]) & (ends_on[:, None] <= close))
    return runs, ends
