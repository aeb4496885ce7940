"""Tables of who is who: accounts, products, managers, assignments and contacts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from kamlib.book.company import names
from kamlib.book.company.columns import days, make_table, missing, numbers, words
from kamlib.book.company.course import Course
from kamlib.book.company.market import CATEGORIES, INDUSTRIES, REGION_NAMES, REGIONS
from kamlib.book.company.population import ALONE, FAR_AHEAD, LIFECYCLES, SEASON_KINDS, Population
from kamlib.book.company.staff import team
from kamlib.book.company.world import World

ROLES = ("decision_maker", "buyer", "user", "influencer", "sponsor", "champion")
CONTACTS_BEYOND_ONE = (3.2, 1.3, 0.4)
OFFICIAL_SHARE = {"Schools": 0.20, "Hospitals": 0.15}


def products(world: World) -> pa.Table:
    """The catalogue, with list price and unit cost travelling along."""
    catalogue, rng = world.catalogue, np.random.default_rng(0)
    launched = -rng.integers(400, 3600, size=len(catalogue.ids))
    launched[catalogue.new] = world.launches
    columns = {
        "product_id": pa.array(catalogue.ids),
        "name": pa.array(catalogue.names),
        "category": words(CATEGORIES, catalogue.category),
        "tier": pa.array(catalogue.tiers),
        "launched_on": days(world.calendar, launched, missing(rng, len(launched), 0.06) & ~catalogue.is_new),
        "list_price": numbers(catalogue.price),
        "unit_cost": numbers(catalogue.cost),
    }
    return make_table("products", columns)


def managers(world: World) -> pa.Table:
    """The account managers."""
    staff = world.staff
    columns = {
        "manager_id": pa.array(staff.ids),
        "name": pa.array(staff.names),
        "team": pa.array([team(region) for region in staff.region]),
        "hours_per_month": numbers(staff.hours),
    }
    return make_table("managers", columns)


def account_ids(world: World, people: Population) -> list[str]:
    """Identifiers of a block of accounts."""
    return world.account_ids(range(people.start, people.start + len(people)))


def accounts(world: World, people: Population, course: Course, rng: np.random.Generator) -> pa.Table:
    """The firms we sell to; the manager is the one in charge at the end of the book."""
    ids, count = account_ids(world, people), len(people)
    blank = {field: missing(rng, count, share) for field, share in _BLANK.items()}
    is_old = people.opened < 0
    columns = {
        "account_id": pa.array(ids),
        "name": pa.array(account_names(world, people)),
        "parent_id": words(ids, people.parent, people.parent == ALONE),
        "industry": words([i.name for i in INDUSTRIES], people.industry, blank["industry"]),
        "region": words(REGION_NAMES, people.region),
        "manager_id": words(world.staff.ids, people.later_manager, people.is_unassigned),
        "lifecycle": words(LIFECYCLES, people.lifecycle, blank["lifecycle"]),
        "opened_on": days(world.calendar, people.opened, blank["opened_on"] & is_old),
        "annual_potential": numbers(_potential(people, course, rng), blank["annual_potential"]),
        "is_strategic": numbers(rng.random(count) < np.array([0.14, 0.04, 0.01])[people.klass]),
        "is_official": numbers(_officials(people, rng), blank["is_official"]),
    }
    return make_table("accounts", columns)


_BLANK = {"industry": 0.02, "lifecycle": 0.01, "opened_on": 0.04, "annual_potential": 0.18, "is_official": 0.03}


def _potential(people: Population, course: Course, rng: np.random.Generator) -> np.ndarray:
    """A year's spending on what we sell, from anyone, as far as we know it."""
    year = 12 * people.base * np.exp(course.visit_effect.mean(axis=1))
    year[people.planted("giant_one_off")] = 400_000.0
    grown = np.exp(people.growth * np.maximum(course.rate.shape[1] - people.growth_from, 0))
    known = year * grown / people.wallet_share * np.exp(rng.normal(0, 0.12, len(people)))
    return np.maximum(np.round(known, -4), 10_000)


def _officials(people: Population, rng: np.random.Generator) -> np.ndarray:
    share = np.array([OFFICIAL_SHARE.get(i.name, 0.005) for i in INDUSTRIES])
    return rng.random(len(people)) < share[people.industry]


def account_names(world: World, people: Population) -> list[str]:
    """Names of a block of accounts: groups by brand, their children by city."""
    own = [_own_name(world, people, i) for i in range(len(people))]
    seen: dict[tuple, int] = {}
    for child in np.flatnonzero(people.parent != ALONE):
        city = _city(people, child)
        key = (int(people.parent[child]), city[0])
        seen[key] = seen.get(key, 0) + 1
        own[child] = names.branch_name(own[people.parent[child]], city, seen[key])
    return own


def _own_name(world: World, people: Population, account: int) -> str:
    index, form = people.start + account, _form(people, account)
    if people.is_head[account]:
        return names.group_name(index, world.name_offset, form)
    return names.account_name(index, world.name_offset, form, _city(people, account))


def _form(people: Population, account: int) -> tuple[str, str]:
    kind = SEASON_KINDS[people.season[account]]
    if kind in names.SEASONAL_FORMS:
        return names.SEASONAL_FORMS[kind]
    forms = names.FORMS[INDUSTRIES[people.industry[account]].name]
    return forms[people.form[account] % len(forms)]


def _city(people: Population, account: int) -> tuple[str, str]:
    cities = REGIONS[people.region[account]][2]
    return cities[people.city[account] % len(cities)]


def assignments(world: World, people: Population) -> pa.Table:
    """Who managed each account: one row, or two where it was handed over within the window."""
    first = np.flatnonzero(~people.is_unassigned)
    second = first[people.changed[first] < FAR_AHEAD]
    account = np.concatenate([first, second])
    since = np.concatenate([people.opened[first], people.changed[second]])
    until = np.concatenate([people.changed[first] - 1, np.full(len(second), FAR_AHEAD)])
    manager = np.concatenate([people.manager[first], people.later_manager[second]])
    order = np.lexsort((since, account))
    account, since, until, manager = account[order], since[order], until[order], manager[order]
    lasts = until >= FAR_AHEAD - 1
    columns = {
        "account_id": words(account_ids(world, people), account),
        "from_date": days(world.calendar, since),
        "to_date": days(world.calendar, np.where(lasts, 0, until), lasts),
        "manager_id": words(world.staff.ids, manager),
    }
    return make_table("assignments", columns)


@dataclass(frozen=True)
class Contacts:
    """Contacts of a block, the most senior of each account first; ``first`` and ``count`` are by account."""

    account: np.ndarray
    first: np.ndarray
    count: np.ndarray
    level: np.ndarray
    role: np.ndarray


def draw_contacts(people: Population, rng: np.random.Generator) -> Contacts:
    """The people we know at each account: more at larger ones."""
    count = 1 + rng.poisson(np.array(CONTACTS_BEYOND_ONE)[people.klass])
    account = np.repeat(np.arange(len(people)), count)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    place = np.arange(len(account)) - first[account]
    senior = np.array([4, 3, 2])[people.klass][account]
    level = np.where(place == 0, senior, 1 + np.floor(rng.random(len(account)) * 3).astype(int))
    role = np.where(place < 2, place, 2 + np.floor(rng.random(len(account)) * 4).astype(int))
    return Contacts(account, first, count, level, role)


def contact_ids(world: World, people: Population, contacts: Contacts) -> list[str]:
    """Identifiers of contacts: the account's own and a number."""
    ids = account_ids(world, people)
    place = np.arange(len(contacts.account)) - contacts.first[contacts.account] + 1
    return [f"{ids[account]}-{number}" for account, number in zip(contacts.account, place, strict=True)]


def contacts_table(world: World, people: Population, contacts: Contacts, rng: np.random.Generator) -> pa.Table:
    """The contacts, with their personal fields."""
    rows = len(contacts.account)
    born = -rng.integers(25 * 365, 62 * 365, size=rows)
    columns = {
        "contact_id": pa.array(contact_ids(world, people, contacts), pa.string()),
        "account_id": words(account_ids(world, people), contacts.account),
        "name": pa.array([names.person_name(n) for n in rng.integers(0, 10**6, size=rows)], pa.string()),
        "role": words(ROLES, contacts.role, missing(rng, rows, 0.08)),
        "level": numbers(contacts.level, missing(rng, rows, 0.05)),
        "birthday": days(world.calendar, born, missing(rng, rows, 0.65)),
        "has_consent": numbers(rng.random(rows) < 0.8, missing(rng, rows, 0.10)),
    }
    return make_table("contacts", columns)
