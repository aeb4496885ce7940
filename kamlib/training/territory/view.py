"""What a manager sees of the territory: accounts, quarters as they were booked, and what waits; never the truth."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from kamlib.book.company.care import SURVEY_MONTHS, SURVEY_RESPONSE
from kamlib.book.company.process import Process
from kamlib.training.territory.company import MONTHS, PAST_MONTHS, QUARTERS, Card, Company
from kamlib.training.territory.course import Choices, Course, take_orders
from kamlib.training.territory.rules import Rules

PAST_QUARTERS = PAST_MONTHS // 3
HURT, NOISE, SHARE_NOISE = 1.1, 0.9, 0.10


def account_cards(company: Company, card: Card, ids: list[str], past: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """One row per account: what stands in the files on the first day.

    Columns account_id, name, industry, region, segment (by revenue of the year before), revenue_year, orders_year,
    visits_year, margin_share, visit_cost, reserve_price, effect (of visits, from head office's study of the
    segment: log points of revenue per log(1 + visits a month), an estimate).
    """
    year = past.groupby("account_id", sort=False)[["revenue", "orders", "visits", "margin"]].sum()
    revenue = year["revenue"].to_numpy()
    return pd.DataFrame(
        {
            "account_id": ids,
            "name": card.names,
            "industry": card.industries,
            "region": card.regions,
            "segment": segments(revenue, rules),
            "revenue_year": revenue,
            "orders_year": year["orders"].to_numpy(),
            "visits_year": year["visits"].to_numpy(),
            "margin_share": company.margin_share.round(3),
            "visit_cost": rules.visit_cost(company.region),
            "reserve_price": company.reserve_price,
        }
    )


def segments(revenue_year: np.ndarray, rules: Rules) -> np.ndarray:
    """Segment A, B or C by revenue of a year."""
    from_a, from_b = rules.segment_from
    return np.where(revenue_year >= from_a, "A", np.where(revenue_year >= from_b, "B", "C"))


def quarter_labels(card: Card) -> list[str]:
    """Labels of all quarters, those of the year before first."""
    return [label for label, _, _ in card.calendar.quarters()]


def booked(
    company: Company, card: Card, ids: list[str], choices: Choices, course: Course, rules: Rules, process: Process
) -> pd.DataFrame:
    """One row per quarter and account, as booked; costs and margin in TWD.

    Columns period, account_id, name, orders, revenue, margin (before the costs of looking after the account),
    visits, costs, complaints (new ones), satisfaction (0 to 10) and wallet_share as surveys of the quarter had it
    (missing without an answer), hours.
    """
    orders, revenue = take_orders(company, course, process)
    rebates = _by_quarter(np.round(revenue * course.rebated))
    satisfaction, wallet = _surveys(company, card, course, process)
    visits = np.concatenate([_by_quarter(company.past_visits), choices.visits], axis=1)
    each = rules.visit_cost(company.region)[:, None]
    past_costs, past_hours = visits[:, :PAST_QUARTERS] * each, visits[:, :PAST_QUARTERS] * rules.visit_hours
    columns = {
        "orders": _by_quarter(orders),
        "revenue": _by_quarter(revenue),
        "margin": np.round(_by_quarter(revenue) * company.margin_share[:, None]),
        "visits": visits,
        "costs": np.round(np.concatenate([past_costs, course.costs], axis=1) + rebates),
        "complaints": _by_quarter(course.complaints),
        "satisfaction": satisfaction,
        "wallet_share": wallet,
        "hours": np.concatenate([past_hours, course.hours], axis=1),
    }
    labels = quarter_labels(card)
    frame = pd.DataFrame(
        {
            "period": np.repeat(labels, len(ids)),
            "account_id": np.tile(ids, len(labels)),
            "name": np.tile(np.array(card.names, dtype=object), len(labels)),
        }
    )
    return frame.assign(**{name: values.T.ravel() for name, values in columns.items()})


def waiting(company: Company, card: Card, ids: list[str], course: Course, quarter: int) -> pd.DataFrame:
    """One row per account: what a manager knows on the first day of a quarter.

    Columns account_id, open_complaints, contract_ends_on (within this quarter or the next; else missing),
    warned_share (of what the account buys, the share purchasing warns may run short this quarter).
    """
    return pd.DataFrame(
        {
            "account_id": ids,
            "open_complaints": course.open[:, quarter],
            "contract_ends_on": _contract_ends(card, quarter),
            "warned_share": company.warned[:, quarter].round(2),
        }
    )


def _contract_ends(card: Card, quarter: int) -> pd.Series:
    first = PAST_MONTHS + 3 * quarter
    soon = card.contract_ends[:, first : first + 6]
    last_days = [card.calendar.month_first(first + 1 + m) - timedelta(days=1) for m in range(soon.shape[1])]
    return pd.Series([last_days[row.argmax()] if row.any() else pd.NaT for row in soon], dtype="datetime64[s]")


def _by_quarter(by_month: np.ndarray) -> np.ndarray:
    return by_month.reshape(len(by_month), -1, 3).sum(axis=2)


def _surveys(company: Company, card: Card, course: Course, process: Process) -> tuple[np.ndarray, np.ndarray]:
    """(accounts, quarters) satisfaction and share of the wallet where an account answered, else missing."""
    answered, mood, judged, _ = company.survey_draws.swapaxes(0, 1)
    asked = np.isin(card.calendar.month_of_year, SURVEY_MONTHS)
    answers = (answered < SURVEY_RESPONSE) & asked & course.present
    content = np.clip(np.round(company.satisfaction[:, None] - HURT * course.troubled + NOISE * mood), 0, 10)
    kept = 1 - company.depth[:, None] * (np.arange(MONTHS) >= company.defected_in[:, None])
    share = np.clip(np.round(company.wallet_share[:, None] * kept * np.exp(SHARE_NOISE * judged), 2), 0.02, 0.98)
    return tuple(_last_in_quarter(np.where(answers, values, np.nan)) for values in (content, share))


def _last_in_quarter(by_month: np.ndarray) -> np.ndarray:
    """The one value of each quarter: a survey is asked once in it."""
    months = by_month.reshape(len(by_month), PAST_QUARTERS + QUARTERS, 3)
    known = ~np.isnan(months)
    return np.where(known.any(axis=2), np.where(known, months, 0.0).sum(axis=2), np.nan)
