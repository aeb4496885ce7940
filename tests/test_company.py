"""The process of the sample company: calendar, names, catalogue and laws."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamlib.book.company import process as law
from kamlib.book.company.calendar import make_calendar
from kamlib.book.company.catalogue import COST_SHARE, make_catalogue
from kamlib.book.company.market import INDUSTRIES, buying_mask, daily_season, monthly_season
from kamlib.book.company.names import BRANDS, account_name, branch_name, person_name
from kamlib.book.company.orders import _arrivals, line_numbers
from kamlib.book.company.process import Process
from kamlib.book.company.rebates import _just_enough
from kamlib.book.company.streams import Streams
from kamlib.errors import RequestError

PROCESS = Process()
CALENDAR = make_calendar("2026-09-30", 36)


def rng(name="test"):
    return Streams(1).of(name)


def test_the_calendar_covers_whole_months_up_to_the_end():
    assert (CALENDAR.first, CALENDAR.last, CALENDAR.months, CALENDAR.days) == (
        date(2023, 10, 1),
        date(2026, 9, 30),
        36,
        1096,
    )


@pytest.mark.parametrize("new_year", ["2024-02-10", "2025-01-29", "2026-02-17"])
def test_lunar_new_year_falls_on_its_published_day(new_year):
    at = (date.fromisoformat(new_year) - CALENDAR.first).days
    assert CALENDAR.since_new_year[at] == 0 and CALENDAR.weight[at] == 0


def test_the_month_of_lunar_new_year_moves_with_it():
    season = monthly_season(CALENDAR, daily_season(CALENDAR))[1]
    assert season[4] < 0.8 and season[28] < 0.9 and season[15] < season[16] + 0.4
    assert season[3] > season[15], "build-up falls into January 2024, but into December before 29 January 2025"


def test_no_business_is_done_on_weekends():
    saturday = (date(2026, 9, 26) - CALENDAR.first).days
    assert CALENDAR.weight[saturday] == CALENDAR.weight[saturday + 1] == 0


def test_a_year_of_a_seasonal_buyer_is_worth_a_year():
    mask = buying_mask(CALENDAR)
    assert np.allclose(mask.sum(axis=1), 36)


def test_quarters_are_whole():
    labels = [label for label, _, _ in make_calendar("2026-08-31", 12).quarters()]
    assert labels == ["2025-Q4", "2026-Q1", "2026-Q2"]


@given(st.integers(0, 1090), st.integers(0, 40))
def test_a_random_working_day_lies_within_its_span(first, length):
    last = min(first + length, CALENDAR.days - 1)
    day = CALENDAR.workday_between(rng(), np.full(5, first), np.full(5, last))
    assert ((first <= day) & (day <= last)).all()


def test_an_end_within_a_month_is_refused():
    with pytest.raises(RequestError, match="2026-09-15 is not one, 2026-09-30 is"):
        make_calendar("2026-09-15", 36)


def test_too_few_months_are_refused():
    with pytest.raises(RequestError, match="at least 6 months, not 5"):
        make_calendar("2026-09-30", 5)


def test_no_two_accounts_share_a_name():
    form, city = ("Hotel", "大飯店"), ("Taipei", "台北")
    names = {account_name(i, 5, form, city) for i in range(3 * len(BRANDS))}
    assert len(names) == 3 * len(BRANDS)


def test_a_branch_carries_the_name_of_its_group_in_both_languages():
    head = "Hai Yue Hotel Group 海悅大飯店集團"
    assert branch_name(head, ("Hualien", "花蓮"), 1) == "Hai Yue Hotel Hualien 海悅大飯店花蓮店"
    assert branch_name("Hai Yue Hotel Group", ("Hualien", "花蓮"), 2) == "Hai Yue Hotel Hualien 2"


def test_people_are_named_in_both_scripts():
    assert person_name(29) == "Lin Chih-Ming 林志明"


def test_every_category_has_ten_products_from_cheap_to_dear_sold_above_cost():
    catalogue = make_catalogue()
    prices = catalogue.price.reshape(len(COST_SHARE), 10)
    assert (np.diff(prices, axis=1) >= 0).all()
    assert (catalogue.cost < 0.88 * catalogue.price).all()
    assert len(set(catalogue.names)) == 120


def test_carry_over_keeps_a_share_of_each_month():
    assert law.carry_over(np.array([4.0, 0, 0, 8]), 0.5) == pytest.approx([2, 1, 0.5, 4.25])


def test_carried_visits_of_an_even_cadence_are_the_cadence():
    assert law.carry_over(np.full((2, 6), 3.0), 0.45, before=np.array([3.0, 3.0])) == pytest.approx(np.full((2, 6), 3))


@given(st.lists(st.integers(0, 9), min_size=2, max_size=24), st.integers(1, 5))
def test_carry_over_scales_with_visits(visits, times):
    once = law.carry_over(np.array(visits), 0.45)
    assert law.carry_over(np.array(visits) * times, 0.45) == pytest.approx(times * once)


def test_nobody_visited_brings_nothing():
    assert law.visit_response(0.0, 0.31) == 0.0


def test_doubling_what_is_left_of_visits_acts_as_the_elasticity_says():
    gain = law.visit_response(2 * 9 + 1, 0.31) - law.visit_response(9, 0.31)
    assert gain == pytest.approx(0.31 * np.log(2))


@given(st.floats(-3, 3))
def test_orders_and_their_value_share_the_demand_between_them(log_demand):
    often, much = law.split_demand(PROCESS, log_demand)
    assert often * much == pytest.approx(np.exp(log_demand))


def test_a_promotion_lifts_its_month_and_dents_the_next():
    assert law.promotion_response(PROCESS, np.array([0, 1, 0, 0])) == pytest.approx([0, 0.22, -0.08, 0])


@pytest.mark.parametrize(
    ("flag", "ratio"),
    [
        ("complaint", 3.0),
        ("executive", 0.6),
        ("under_contract", 0.6),
        ("contract_ends", 3.0),
        ("new_manager", 1.6),
        ("referred", 0.6),
    ],
)
def test_what_bears_on_leaving_multiplies_the_odds_as_declared(flag, ratio):
    plain, touched = (
        law.leaving_probability(PROCESS, np.array([1])),
        law.leaving_probability(PROCESS, np.array([1]), **{flag: True}),
    )
    assert touched / (1 - touched) / (plain / (1 - plain)) == pytest.approx(ratio)


@pytest.mark.parametrize("regime", law.REGIMES)
def test_the_average_account_is_planned_the_same_visits_under_every_regime(regime):
    share = (np.arange(4000) + 0.5) / 4000
    plan = law.planned_visits(PROCESS, regime, law.sizes(PROCESS, share), law.classes(PROCESS, share))
    assert plan.mean() == pytest.approx(PROCESS.mean_visits, rel=0.10)


def test_shocks_have_the_declared_spread_and_persistence():
    shock = law.shocks(PROCESS, rng(), 4000, 24)
    assert shock.std() == pytest.approx(PROCESS.shock_spread, rel=0.02)
    persistence = np.corrcoef(shock[:, 10], shock[:, 11])[0, 1]
    assert persistence == pytest.approx(PROCESS.shock_persistence, abs=0.03)


def test_foresight_is_of_unit_spread_and_sees_what_comes():
    shock = law.shocks(PROCESS, rng(), 4000, 24)
    seen = law.foresight(PROCESS, rng("noise"), shock)
    assert seen[:, 5:-1].std() == pytest.approx(1.0, rel=0.02)
    assert np.corrcoef(seen[:, 10], shock[:, 11])[0, 1] > 0.6


def test_visits_follow_the_plan():
    visits = law.draw_visits(PROCESS, rng(), np.full(3000, 2.0), np.ones(24))
    assert visits.mean() == pytest.approx(2.0, rel=0.02)


def test_trials_and_peers_speed_adoption():
    alone, tried, both = (law.adopting_probability(PROCESS, t, p) for t, p in ((0, 0), (1, 0), (1, 1)))
    assert alone == pytest.approx(0.025) and alone < tried < both


def test_arrivals_come_as_often_as_expected_and_as_regularly_as_their_shape():
    total, shape = np.full(4000, 20.0), np.full(4000, 4.0)
    account, at = _arrivals(total, shape, rng())
    assert len(at) / 4000 == pytest.approx(20, rel=0.01)
    gaps = np.diff(at)[np.diff(account) == 0]
    assert 1 / np.var(gaps) == pytest.approx(4, rel=0.1)


def test_lines_are_numbered_within_their_order():
    assert line_numbers(np.array([0, 0, 1, 2, 2, 2])).tolist() == [1, 2, 1, 1, 2, 3]
    assert len(line_numbers(np.array([], dtype=int))) == 0


def test_a_rebate_pulls_just_the_lines_that_reach_it_and_none_where_they_do_not():
    cell, revenue = np.array([0, 0, 0, 1, 1]), np.array([40.0, 40, 40, 10, 10])
    wanted = np.array([60.0, 60, 60, 30, 30])
    assert _just_enough(cell, revenue, wanted).tolist() == [True, True, False, False, False]


def test_industries_make_up_the_market():
    assert sum(industry.share for industry in INDUSTRIES) == pytest.approx(1.0)


def test_streams_are_told_apart_by_block_and_part():
    draws = {Streams(1, block).of(part).random() for block in (-1, 0, 1) for part in ("visits", "orders")}
    assert len(draws) == 6
