"""The truth of the sample company, kept apart from its book: what no table of the contract would tell."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from kamlib.book.company.columns import days, numbers, words
from kamlib.book.company.course import Course
from kamlib.book.company.launches import Launches
from kamlib.book.company.market import CATEGORIES, REGION_NAMES
from kamlib.book.company.parties import account_ids
from kamlib.book.company.population import FAR_AHEAD, PLANTS, SEASON_KINDS, Population
from kamlib.book.company.process import CLASSES
from kamlib.book.company.world import CRISIS_CATEGORY, CRISIS_NAME, CRISIS_REGION, World


def account_truth(world: World, people: Population, course: Course) -> pa.Table:
    """One row per account: its latent class, rates, dates and oddities."""
    never = course.defected_in == FAR_AHEAD
    defected = world.calendar.month_start[np.where(never, 0, course.defected_in)]
    return pa.table(
        {
            "account_id": pa.array(account_ids(world, people)),
            "segment": words(CLASSES, people.klass),
            "base_revenue": numbers(people.base),
            "order_rate": numbers(people.rate),
            "regularity": numbers(people.regularity),
            "elasticity": numbers(people.elasticity),
            "buys_from": days(world.calendar, people.buys_from, people.buys_from == FAR_AHEAD),
            "churn_date": days(world.calendar, course.left_on, course.left_on == FAR_AHEAD),
            "partial_defection_date": days(world.calendar, defected, never),
            "partial_defection_depth": numbers(course.depth, never),
            "wallet_share": numbers(people.wallet_share),
            "satisfaction": numbers(people.satisfaction),
            "season": words(SEASON_KINDS, people.season),
            "is_seasonal": numbers(people.is_seasonal),
            "is_giant_one_off": numbers(people.plant == PLANTS.index("giant_one_off")),
            "is_fast_grower": numbers(people.plant == PLANTS.index("fast_grower")),
            "planted": words(PLANTS, people.plant, people.plant == 0),
            "is_referred": numbers(people.is_referred),
            "targeting": words([world.regime], np.zeros(len(people))),
        }
    )


def month_truth(world: World, people: Population, course: Course) -> pa.Table:
    """One row per account and month: what was to be expected, with and without visits, and what drove it."""
    count, months = course.rate.shape
    account = np.repeat(np.arange(count), months)
    columns = {
        "expected_orders": course.rate * course.present,
        "expected_revenue": course.expected_revenue,
        "expected_revenue_unvisited": course.expected_unvisited,
        "visits": course.visits,
        "carried_visits": course.carried,
        "demand_shock": course.shock,
        "complaints": course.complaints,
        "churn_probability": course.leaving,
        "present": course.present,
        "stock_out_loss": course.lost,
    }
    month = np.tile(world.calendar.month_start[:-1], count)
    return pa.table(
        {
            "account_id": words(account_ids(world, people), account),
            "month": days(world.calendar, month),
        }
        | {name: numbers(values.ravel()) for name, values in columns.items()}
    )


def adoption_truth(world: World, people: Population, launches: Launches) -> pa.Table:
    """One row per account that took up a new product."""
    account, product = np.nonzero(launches.adopted_on < FAR_AHEAD)
    catalogue = world.catalogue
    return pa.table(
        {
            "account_id": words(account_ids(world, people), account),
            "product_id": words([catalogue.ids[p] for p in catalogue.new], product),
            "adopted_on": days(world.calendar, launches.adopted_on[account, product]),
        }
    )


def manager_truth(world: World) -> pa.Table:
    """One row per manager: what each adds to the scores given to it and by it, and to sales (nothing)."""
    staff = world.staff
    return pa.table(
        {
            "manager_id": pa.array(staff.ids),
            "manager_score_effect": numbers(staff.quality),
            "leniency": numbers(staff.leniency),
            "sales_effect": numbers(np.zeros(len(staff.ids))),
        }
    )


def process_truth(world: World, seed: int, accounts: int) -> dict:
    """The parameters of the process and the company's one-time events, for ``process.yml``."""
    calendar = world.calendar
    common = world.severity.min(axis=0)
    stock_outs = [
        {
            "category": CATEGORIES[c],
            "month": calendar.month_label(m),
            "severity": round(float(common[c, m]), 3),
        }
        for c, m in zip(*np.nonzero(common), strict=True)
    ]
    return {
        "seed": seed,
        "accounts": accounts,
        "months": calendar.months,
        "end": calendar.last.isoformat(),
        "targeting": world.regime,
        "lines_per_order": world.lines_per_order,
        "visit_form": "log E[revenue] = account + season + elasticity * log(1 + S) + shock; "
        "S = (1 - carry_over) * visits this month + carry_over * S last month; before the window S stood at the visits "
        "planned, at 0 for accounts entered since; "
        "visits are those of channel 'visit', each counting one whoever went",
        "symposium_effect": 0.0,
        "crisis": {
            "what": CRISIS_NAME,
            "region": REGION_NAMES[CRISIS_REGION],
            "category": CATEGORIES[CRISIS_CATEGORY],
            "month": calendar.month_label(world.crisis_month),
        },
        "stock_outs": stock_outs,
        "launches": {
            world.catalogue.ids[p]: calendar.date_of(day).isoformat()
            for p, day in zip(world.catalogue.new, world.launches, strict=True)
        },
        "process": world.process.as_mapping(),
    }
