"""New products of the sample company: trials, references between accounts, and who took the products up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kamlib.book.company import process as law
from kamlib.book.company.course import Course, buying_since, month_of
from kamlib.book.company.population import ALONE, FAR_AHEAD, Population
from kamlib.book.company.streams import Streams
from kamlib.book.company.world import World

TRIAL_SHARE = (0.45, 0.15, 0.03)
TRIAL_ATTENDANCE = 0.75


@dataclass(frozen=True)
class Launches:
    """Trials and adoption are (accounts, new products): invited, attended, day of adoption (far ahead: never).

    ``referrer`` is the position of the account that brought each account, -1 for none.
    """

    referrer: np.ndarray
    trial_month: np.ndarray
    invited: np.ndarray
    attended: np.ndarray
    adopted_on: np.ndarray


def run_launches(world: World, people: Population, course: Course, streams: Streams) -> Launches:
    """Launch each new product among a block of accounts."""
    referrer = _referrers(people, course, streams.of("references"))
    trial_month = np.minimum(month_of(world, world.launches) + 1, world.calendar.months - 1)
    invited, attended = _trials(world, people, course, trial_month, streams.of("trials"))
    rng, edges = streams.of("adoption"), _edges(people, referrer)
    adopted = [
        _adoption(world, people, course, trial_month[p], attended[:, p], world.launches[p], edges, rng)
        for p in range(len(world.launches))
    ]
    return Launches(referrer, trial_month, invited, attended, np.stack(adopted, axis=1))


def _referrers(people: Population, course: Course, rng: np.random.Generator) -> np.ndarray:
    """For each account that came by reference an older customer, of its own industry where there is one."""
    referrer = np.full(len(people), ALONE)
    old = people.is_customer & (people.opened < 0) & (people.plant == 0)
    for account in np.flatnonzero(people.is_referred):
        here = old & (course.left_on > people.opened[account])
        kin = here & (people.industry == people.industry[account])
        pool = np.flatnonzero(kin if kin.any() else here)
        if len(pool):
            content = np.exp(people.satisfaction[pool])
            referrer[account] = rng.choice(pool, p=content / content.sum())
    return referrer


def _edges(people: Population, referrer: np.ndarray) -> np.ndarray:
    """(2, links) pairs of accounts that talk to each other: groups and references, both ways."""
    pairs = [(child, people.parent[child]) for child in np.flatnonzero(people.parent != ALONE)]
    pairs += [(account, referrer[account]) for account in np.flatnonzero(referrer != ALONE)]
    one_way = np.array(pairs, dtype=int).reshape(-1, 2)
    return np.concatenate([one_way, one_way[:, ::-1]]).T


def _trials(world: World, people: Population, course: Course, trial_month: np.ndarray, rng):
    shape = (len(people), len(trial_month))
    since, day = buying_since(world, people)[:, trial_month], world.calendar.month_start[trial_month]
    here = (since > 0) & (course.left_on[:, None] > day) & (people.plant == 0)[:, None]
    invited = here & (rng.random(shape) < np.array(TRIAL_SHARE)[people.klass][:, None])
    return invited, invited & (rng.random(shape) < TRIAL_ATTENDANCE)


def _adoption(world, people, course, trial_month, attended, launch, edges, rng) -> np.ndarray:
    """Day on which each account takes up one product, month after month, with word passing along the edges."""
    since, starts = buying_since(world, people), world.calendar.month_start
    adopted_on = np.full(len(people), FAR_AHEAD)
    for month in range(month_of(world, launch), world.calendar.months):
        heard = np.zeros(len(people), dtype=bool)
        heard[edges[0]] |= adopted_on[edges[1]] < starts[month]
        chance = law.adopting_probability(world.process, attended & (month > trial_month), heard)
        here = (since[:, month] >= 0) & (course.left_on > starts[month]) & (adopted_on == FAR_AHEAD)
        takes = here & (rng.random(len(people)) < chance)
        adopted_on[takes] = starts[month]
    return adopted_on
