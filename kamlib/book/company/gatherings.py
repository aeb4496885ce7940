"""Events of the sample company: the yearly symposium, trials of new products, the chefs' club and training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from kamlib.book.company.columns import days, make_table, missing, numbers, words
from kamlib.book.company.course import Course, buying_since
from kamlib.book.company.launches import Launches
from kamlib.book.company.parties import account_ids
from kamlib.book.company.population import Population
from kamlib.book.company.streams import Streams
from kamlib.book.company.world import World

KINDS = ("symposium", "trial", "club", "training")
SYMPOSIUM_MONTH, SYMPOSIUM_DAY, TRIAL_DAY = 11, 13, 9
CLUB_MONTHS, CLUB_DAY = (2, 5, 8, 11), 20
TRAINING_MONTHS, TRAINING_DAY = (4, 9), 16
INVITED = {"symposium": (0.90, 0.50, 0.05), "club": (0.35, 0.05, 0.0), "training": (0.15, 0.12, 0.05)}
SELF_SELECTION = 1.5


@dataclass(frozen=True)
class Gatherings:
    """One entry per account invited; ``event`` indexes ``labels``."""

    labels: list[str]
    event: np.ndarray
    account: np.ndarray
    kind: np.ndarray
    day: np.ndarray
    attended: np.ndarray


def hold_gatherings(
    world: World, people: Population, course: Course, launches: Launches, streams: Streams
) -> Gatherings:
    """Invite a block of accounts. Events sell nothing: those who come to the symposium were about to buy more."""
    labels, parts = [], []
    for kind, month, day in _programme(world):
        rng = streams.of(f"{kind} {month}")
        invited = _here(world, people, course, month) & (
            rng.random(len(people)) < np.array(INVITED[kind])[people.klass]
        )
        attended = rng.random(len(people)) < _interest(world, course, month, kind)
        parts.append((len(labels), KINDS.index(kind), day, invited, attended))
        labels.append(f"E-{kind.upper()}-{world.calendar.month_label(month)}")
    for product, month in enumerate(launches.trial_month):
        day = _workday_from(world, month, TRIAL_DAY)
        parts.append((len(labels), 1, day, launches.invited[:, product], launches.attended[:, product]))
        labels.append(f"E-TRIAL-{world.catalogue.ids[world.catalogue.new[product]]}")
    return _stack(labels, parts)


def _stack(labels: list[str], parts: list) -> Gatherings:
    account = [np.flatnonzero(invited) for *_, invited, _ in parts]
    event, kind, day = (
        np.repeat([part[field] for part in parts], [len(a) for a in account]).astype(int) for field in range(3)
    )
    attended = [part[4][own] for part, own in zip(parts, account, strict=True)]
    return Gatherings(labels, event, np.concatenate(account), kind, day, np.concatenate(attended))


def _programme(world: World):
    """Kind, month and day of each event that any account may be asked to."""
    for month, of_year in enumerate(world.calendar.month_of_year):
        if of_year == SYMPOSIUM_MONTH:
            yield "symposium", month, _workday_from(world, month, SYMPOSIUM_DAY)
        if of_year in CLUB_MONTHS:
            yield "club", month, _workday_from(world, month, CLUB_DAY)
        if of_year in TRAINING_MONTHS:
            yield "training", month, _workday_from(world, month, TRAINING_DAY)


def _workday_from(world: World, month: int, day_of_month: int) -> int:
    workdays = world.calendar.workdays
    ahead = workdays[workdays >= world.calendar.month_start[month] + day_of_month]
    return int(ahead[0]) if len(ahead) else int(workdays[-1])


def _here(world: World, people: Population, course: Course, month: int) -> np.ndarray:
    bought = (buying_since(world, people)[:, month] > 0) & people.is_customer & (people.plant == 0)
    return bought & (course.left_on >= world.calendar.month_start[month + 1])


def _interest(world: World, course: Course, month: int, kind: str) -> np.ndarray:
    """Chance of coming: at the symposium the higher, the better the account's next months will be anyway."""
    if kind != "symposium":
        return np.full(len(course.shock), 0.6)
    ahead = course.shock[:, month : month + 4].mean(axis=1) / world.process.shock_spread
    return 1 / (1 + np.exp(-SELF_SELECTION * ahead))


def events_table(world: World, people: Population, gatherings: Gatherings, rng: np.random.Generator) -> pa.Table:
    """Who was invited to what, and who came."""
    columns = {
        "event_id": words(gatherings.labels, gatherings.event),
        "account_id": words(account_ids(world, people), gatherings.account),
        "kind": words(KINDS, gatherings.kind),
        "event_date": days(world.calendar, gatherings.day),
        "has_attended": numbers(gatherings.attended, missing(rng, len(gatherings.account), 0.03)),
    }
    return make_table("events", columns)
