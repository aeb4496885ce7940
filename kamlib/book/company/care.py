"""Tables of how accounts were looked after: visits, cases, surveys and ratings."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from kamlib.book.company.columns import Numbering, days, make_table, missing, numbers, words
from kamlib.book.company.course import Course, buying_since, month_of, recently
from kamlib.book.company.gatherings import Gatherings
from kamlib.book.company.market import REGION_NAMES
from kamlib.book.company.names import COMPETITORS
from kamlib.book.company.parties import Contacts, account_ids, contact_ids
from kamlib.book.company.population import Population
from kamlib.book.company.staff import team
from kamlib.book.company.world import CRISIS_CATEGORY, World

CHANNELS = ("visit", "call", "video", "email", "event")
OTHER_CONTACTS = {1: (0.80, 0.50, 0.30), 2: (0.18, 0.06, 0.02), 3: (0.45, 0.25, 0.15)}
PROSPECT_CONTACTS = {1: 1.8, 2: 0.15, 3: 1.2}
HOURS = (2.4, 0.3, 0.8, 0.15, 3.5)
LEVELS = ("rep", "kam", "executive")
PURPOSES = (
    "routine visit",
    "menu and season planning",
    "price talks",
    "new products",
    "order follow-up",
    "complaint follow-up",
    "contract",
)
HOUR_COST, EXECUTIVE_FACTOR = 620.0, 2.5
TRAVEL_COST = (250.0, 380.0, 420.0, 450.0, 900.0)
LOG_DELAY_SHARES = (0.34, 0.26, 0.12, 0.08, 0.05, 0.04, 0.04, 0.03, 0.02, 0.01, 0.01)
CASE_CATEGORIES = (
    "late delivery",
    "short delivery",
    "damaged goods",
    "product quality",
    "invoicing",
    "service",
    "cold chain",
)
SEVERITY_SHARES = (0.34, 0.40, 0.19, 0.07)
SURVEY_MONTHS, SURVEY_RESPONSE = (3, 9), 0.55
CRITERIA = (
    "strategic fit",
    "growth potential",
    "purchasing power",
    "relationship",
    "innovation",
    "reputation",
)
RATED_SHARE = (0.85, 0.25, 0.0)
EVIDENCE = ("order history", "visit notes", "survey", "annual report", "menu review", "trade press")


def visits(
    world: World,
    people: Population,
    course: Course,
    contacts: Contacts,
    gatherings: Gatherings,
    numbering: Numbering,
    rng: np.random.Generator,
) -> pa.Table:
    """All contacts: face-to-face visits, which act on sales, and calls, video, mails and events, which do not."""
    account, day, channel, is_executive = _contacts_made(world, people, course, gatherings, rng)
    order = np.lexsort((channel, account, day))
    account, day, channel, is_executive = (x[order] for x in (account, day, channel, is_executive))
    rows = len(account)
    level = np.where(is_executive, 2, np.where(people.klass[account] == 0, 1, 0))
    hours = np.round(np.array(HOURS)[channel] * rng.gamma(9, 1 / 9, rows), 2)
    cost = _visit_cost(people, account, channel, is_executive, hours)
    logged = day + rng.choice(len(LOG_DELAY_SHARES), size=rows, p=LOG_DELAY_SHARES)
    columns = {
        "visit_id": numbering.label("V", rows),
        "account_id": words(account_ids(world, people), account),
        "visit_date": days(world.calendar, day),
        "manager_id": words(world.staff.ids, people.manager_on(account, day), missing(rng, rows, 0.01)),
        "contact_id": words(
            contact_ids(world, people, contacts),
            _met(contacts, account, is_executive, rng),
            missing(rng, rows, 0.25),
        ),
        "channel": words(CHANNELS, channel),
        "level": words(LEVELS, level, missing(rng, rows, 0.03)),
        "hours": numbers(hours, missing(rng, rows, 0.05)),
        "cost": numbers(cost, missing(rng, rows, 0.08)),
        "purpose": words(PURPOSES, np.floor(len(PURPOSES) * rng.random(rows) ** 1.5), missing(rng, rows, 0.15)),
        "logged_on": days(world.calendar, logged, (logged >= world.calendar.days) | missing(rng, rows, 0.05)),
    }
    return make_table("visits", columns)


def _contacts_made(world: World, people: Population, course: Course, gatherings: Gatherings, rng):
    """Account, day, channel and whether an executive went, of every contact."""
    known = (np.arange(world.calendar.months) > month_of(world, people.opened)[:, None]) | (people.opened < 0)[:, None]
    counts = {0: course.visits}
    for channel, by_class in OTHER_CONTACTS.items():
        usual = np.where(people.is_customer, np.array(by_class)[people.klass], PROSPECT_CONTACTS[channel])
        usual = np.where(people.is_unassigned, 0.0, usual)
        counts[channel] = rng.poisson(usual[:, None] * world.calendar.work_share) * known
    account, month, channel, place = (np.concatenate(x) for x in zip(*_unfold(counts), strict=True))
    starts = world.calendar.month_start
    day = world.calendar.workday_between(rng, starts[month], starts[month + 1] - 1)
    is_executive = (channel == 0) & (place < course.executive[account, month])
    came = gatherings.attended
    nobody = np.zeros(came.sum(), dtype=bool)
    return (
        np.concatenate([account, gatherings.account[came]]),
        np.concatenate([day, gatherings.day[came]]),
        np.concatenate([channel, np.full(came.sum(), CHANNELS.index("event"))]),
        np.concatenate([is_executive, nobody]),
    )


def _unfold(counts: dict[int, np.ndarray]):
    """One entry per contact from counts by account and month: account, month, channel, place within the month."""
    for channel, count in counts.items():
        account, month = np.nonzero(count)
        times = count[account, month]
        place = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
        yield (
            np.repeat(account, times),
            np.repeat(month, times),
            np.full(len(place), channel),
            place,
        )


def _visit_cost(people: Population, account, channel, is_executive, hours) -> np.ndarray:
    travels = (channel == 0) | (channel == CHANNELS.index("event"))
    cost = hours * HOUR_COST + travels * np.array(TRAVEL_COST)[people.region[account]]
    return np.round(cost * np.where(is_executive, EXECUTIVE_FACTOR, 1.0))


def _met(contacts: Contacts, account: np.ndarray, is_executive: np.ndarray, rng) -> np.ndarray:
    """An executive meets the most senior contact, others meet anyone."""
    anyone = np.floor(rng.random(len(account)) * contacts.count[account]).astype(int)
    return contacts.first[account] + np.where(is_executive, 0, anyone)


def cases(world: World, people: Population, course: Course, numbering: Numbering, rng: np.random.Generator) -> pa.Table:
    """Complaints, raised while the account was still there."""
    account, month = np.nonzero(course.complaints)
    times = course.complaints[account, month]
    account, month = np.repeat(account, times), np.repeat(month, times)
    starts = world.calendar.month_start
    last = np.minimum(starts[month + 1] - 1, course.left_on[account])
    opened = world.calendar.workday_between(rng, starts[month], last)
    order = np.lexsort((account, opened))
    account, month, opened, rows = account[order], month[order], opened[order], len(account)
    severity = 1 + rng.choice(4, size=rows, p=SEVERITY_SHARES)
    category = _case_category(world, people, course, account, month, rng)
    closed = opened + np.ceil(rng.lognormal(2.1 + 0.2 * severity, 0.8)).astype(int)
    owners = (*world.staff.ids, "CS01", "CS02", "CS03")
    owner = np.where(
        rng.random(rows) < 0.6,
        people.manager_on(account, opened),
        len(world.staff.ids) + rng.integers(0, 3, rows),
    )
    columns = {
        "case_id": numbering.label("Q", rows),
        "account_id": words(account_ids(world, people), account),
        "opened_on": days(world.calendar, opened),
        "closed_on": days(world.calendar, closed, (closed >= world.calendar.days) | missing(rng, rows, 0.03)),
        "severity": numbers(severity, missing(rng, rows, 0.04)),
        "category": words(CASE_CATEGORIES, category, missing(rng, rows, 0.03)),
        "owner_id": words(owners, owner, missing(rng, rows, 0.05)),
    }
    return make_table("cases", columns)


def _case_category(world: World, people: Population, course: Course, account, month, rng) -> np.ndarray:
    """What a complaint is about: deliveries when goods were short, the cold chain in the crisis."""
    usual = rng.choice(6, size=len(account), p=(0.22, 0.10, 0.20, 0.22, 0.16, 0.10))
    short = course.short[account, month] > 0.02
    supply = np.where(rng.random(len(account)) < 0.5, 0, 1)
    about = np.where(short & (rng.random(len(account)) < 0.7), supply, usual)
    cold = world.in_crisis[people.region[account], month] & (people.tastes[account, CRISIS_CATEGORY] > 0.05)
    return np.where(cold & (rng.random(len(account)) < 0.8), CASE_CATEGORIES.index("cold chain"), about)


def surveys(
    world: World, people: Population, course: Course, numbering: Numbering, rng: np.random.Generator
) -> pa.Table:
    """Half-yearly answers: complaints tell on satisfaction, partial defection on our share of the wallet."""
    asked = np.isin(world.calendar.month_of_year, SURVEY_MONTHS)
    here = (course.present > 0) & (buying_since(world, people) > 0) & people.is_customer[:, None]
    here &= course.left_on[:, None] >= world.calendar.month_start[1:]
    account, month = np.nonzero(here & asked & (rng.random(here.shape) < SURVEY_RESPONSE))
    starts, rows = world.calendar.month_start, len(account)
    day = world.calendar.workday_between(rng, starts[month], starts[month + 1] - 1)
    hurt = recently(course.complaints, world.process.complaint_months)[account, month]
    content = people.satisfaction[account] - 1.1 * hurt + rng.normal(0, 0.9, rows)
    liked = 7.6 + world.staff.quality[people.manager_on(account, day)] + rng.normal(0, 1.1, rows)
    share = people.wallet_share[account] * (1 - course.depth[account] * (month >= course.defected_in[account]))
    share = np.clip(share * np.exp(rng.normal(0, 0.10, rows)), 0.02, 0.98)
    order = np.lexsort((account, day))
    rival = (account + (rng.random(rows) < 0.2)) % len(COMPETITORS)
    columns = {
        "survey_id": numbering.label("S", rows),
        "account_id": words(account_ids(world, people), account[order]),
        "surveyed_on": days(world.calendar, day[order]),
        "satisfaction": numbers(np.clip(np.round(content), 0, 10)[order], missing(rng, rows, 0.03)),
        "manager_score": numbers(np.clip(np.round(liked), 0, 10)[order], missing(rng, rows, 0.06)),
        "wallet_share": numbers(np.round(share, 2)[order], missing(rng, rows, 0.15)),
        "main_competitor": words(COMPETITORS, rival[order], missing(rng, rows, 0.25)),
    }
    return make_table("surveys", columns)


def ratings(world: World, people: Population, course: Course, rng: np.random.Generator) -> pa.Table:
    """Half-yearly scorecards of the larger accounts by two raters: the manager and the head of the team."""
    asked = np.isin(world.calendar.month_of_year, SURVEY_MONTHS)
    chosen = rng.random(len(people)) < np.array(RATED_SHARE)[people.klass]
    here = (course.left_on[:, None] >= world.calendar.month_start[1:]) & people.is_customer[:, None]
    here &= (buying_since(world, people) > 2) & chosen[:, None] & asked
    account, month = np.nonzero(here)
    day = world.calendar.month_start[month] + 20
    truth = _merits(people, rng)[account]
    shape = (2, len(account), len(CRITERIA))
    bias = np.stack([world.staff.leniency[people.manager_on(account, day)], np.zeros(len(account))])
    score = truth[None] + bias[:, :, None] + rng.normal(0, 0.45, shape)
    rater = np.stack([people.manager_on(account, day), len(world.staff.ids) + people.region[account]])
    raters = (*world.staff.ids, *(f"head of {team(r)}" for r in range(len(REGION_NAMES))))
    which, who, what = (x.ravel() for x in np.indices(shape))
    order = np.lexsort((day[who], what, which, account[who]))
    which, who, what = which[order], who[order], what[order]
    columns = {
        "account_id": words(account_ids(world, people), account[who]),
        "rater_id": words(raters, rater[which, who]),
        "criterion": words(CRITERIA, what),
        "rated_on": days(world.calendar, day[who]),
        "score": numbers(np.clip(np.round(score[which, who, what]), 1, 5)),
        "evidence": words(EVIDENCE, (what + who) % len(EVIDENCE), missing(rng, len(who), 0.4)),
    }
    return make_table("ratings", columns)


def _merits(people: Population, rng: np.random.Generator) -> np.ndarray:
    """(accounts, criteria) what a perfect rater would give, 1 to 5."""
    own = rng.normal(0, 0.6, size=(len(people), len(CRITERIA)))
    size = np.clip(people.size, -1, 2.4)
    drivers = np.stack(
        [
            0.3 * size,
            8 * people.growth,
            0.7 * size,
            0.6 * (people.satisfaction - 7.4),
            np.zeros(len(people)),
            0.2 * size,
        ],
        axis=1,
    )
    return 3.0 + drivers + own
