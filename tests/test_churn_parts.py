"""The parts beside the risk: seasons, partial defection, renewals, drivers, equity, calls, and the record."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from churn_books import FIRST, sales_of

from kamlib.errors import RequestError
from kamlib.studies.churn import calls
from kamlib.studies.churn.agenda import agenda
from kamlib.studies.churn.covariates import Facts, covariates
from kamlib.studies.churn.defection import Defection, partial_defection, wallet_loss
from kamlib.studies.churn.drivers import drivers
from kamlib.studies.churn.equity import concentration_stress, equity
from kamlib.studies.churn.labels import Silence, standing
from kamlib.studies.churn.lapses import BY_SIGNS, _kept, follow_up, lapses, shares
from kamlib.studies.churn.record import grade, read_record
from kamlib.studies.churn.reliability import reliability
from kamlib.studies.churn.renewals import renewals
from kamlib.studies.churn.returns import returns
from kamlib.studies.churn.seasonality import expected_by_month, fit_season, moving_holidays
from kamlib.studies.churn.timelines import Sales, Timeline, day_number

START = day_number(FIRST)


# Seasons


def test_lunar_new_year_is_one_festival_that_moves():
    found = moving_holidays(["TW"], [2025, 2026])
    assert [str(day) for day in found["Chinese New Year"]] == ["2025-01-29", "2026-02-17"]
    assert "Chinese New Year's Eve" not in found


def test_christmas_does_not_move():
    assert not any("Christmas" in name for name in moving_holidays(["GB"], [2024, 2025, 2026]))


def test_an_unknown_country_is_named():
    with pytest.raises(RequestError, match="no holidays are known for country 'XX'"):
        moving_holidays(["XX"], [2026])


def _days_with(rate, years=3, seed=0):
    days = np.arange(START, START + 365 * years)
    return np.repeat(days, np.random.default_rng(seed).poisson(rate(days))), days


def test_a_month_that_sells_twice_is_expected_to():
    days, all_days = _days_with(lambda d: np.where(pd.to_datetime(d, unit="D").month == 12, 20.0, 10.0))
    season = fit_season(days, all_days[0], all_days[-1], 365)
    december = season.factor(day_number("2027-11-30"), day_number("2027-12-31"))
    june = season.factor(day_number("2027-05-31"), day_number("2027-06-30"))
    assert december / june == pytest.approx(2, rel=0.15)


def test_the_rise_before_a_moving_holiday_is_found_wherever_it_falls():
    new_years = np.array([str(d) for d in moving_holidays(["TW"], [2026, 2027, 2028, 2029])["Chinese New Year"]])
    festivals = new_years.astype("datetime64[D]").astype(int)

    def rate(days):
        before = ((days[:, None] < festivals) & (days[:, None] >= festivals - 30)).any(axis=1)
        return np.where(before, 15.0, 10.0)

    days, all_days = _days_with(rate)
    rises = fit_season(days, all_days[0], all_days[-1], 0, ["TW"]).rises.loc["Chinese New Year"]
    ordinary = 10 / np.mean(rate(all_days))
    assert rises["before"] == pytest.approx(1.5 * ordinary, rel=0.05)
    assert rises["after"] == pytest.approx(ordinary, rel=0.05)
    assert rises["swing"] == pytest.approx(np.log(1.5), abs=0.1)
    assert rises["festivals"] == 3


def test_a_book_of_one_year_claims_no_months_and_no_festival():
    days, all_days = _days_with(lambda d: np.full(len(d), 9.0), years=1)
    season = fit_season(days, all_days[0], all_days[-1], 90, ["TW"])
    assert not season.has_months
    assert season.rises.empty


def test_few_orders_claim_no_season():
    season = fit_season(np.arange(START, START + 900, 30), START, START + 900, 90)
    assert (season.index == 1).all()


def test_days_on_which_nobody_buys_are_expected_to_stay_empty():
    days, all_days = _days_with(lambda d: np.where(pd.to_datetime(d, unit="D").day_of_week < 5, 5.0, 0.0))
    season = fit_season(days, all_days[0], all_days[-1], 14)
    week = season.index[-7:]
    assert np.sort(week)[:2].max() < 1e-3
    assert np.sort(week)[2:].min() > 0.5


def test_the_expectation_by_month_adds_up_to_what_was_counted():
    days, all_days = _days_with(lambda d: np.full(len(d), 6.0))
    months = expected_by_month(fit_season(days, all_days[0], all_days[-1], 0), days, all_days[0], all_days[-1])
    assert months["expected"].sum() == pytest.approx(months["purchases"].sum(), rel=0.01)


# Partial defection and wallet


def _spending(levels, seed=0):
    """One account with an order of about the level every five days."""
    rng = np.random.default_rng(seed)
    days = np.arange(START, START + 5 * len(levels), 5)
    line = Timeline.of(1, np.zeros(len(days), int), days, np.array(levels) * rng.uniform(0.8, 1.2, len(days)))
    return Sales(pd.Index(["a"]), int(days[0]), int(days[-1]), line, line, line, None, False)


def _flat(sales):
    return fit_season(np.array([sales.first]), sales.first, sales.as_of, 0)


def test_half_the_spending_gone_for_a_year_is_partial_defection():
    sales = _spending([100.0] * 140 + [50.0] * 73)
    row = partial_defection(sales, sales.as_of, _flat(sales), np.array([0])).loc[0]
    assert row["is_partial"]
    assert row["ratio"] == pytest.approx(0.5, abs=0.06)
    assert abs((row["since"] - (FIRST + pd.Timedelta(days=700))).days) <= 31


def test_even_spending_is_not():
    sales = _spending([100.0] * 213)
    assert not partial_defection(sales, sales.as_of, _flat(sales), np.array([0]))["is_partial"].any()


def test_a_drop_of_a_tenth_is_not():
    sales = _spending([100.0] * 140 + [90.0] * 73)
    assert not partial_defection(sales, sales.as_of, _flat(sales), np.array([0]))["is_partial"].any()


def test_an_account_of_less_than_a_year_is_not_judged():
    sales = _spending([100.0] * 40)
    row = partial_defection(sales, sales.as_of, _flat(sales), np.array([0])).loc[0]
    assert np.isnan(row["z"]) and not row["is_partial"]


def test_unchanged_accounts_are_seldom_called_partly_defected():
    rng = np.random.default_rng(1)
    code = np.repeat(np.arange(200), 60)
    days = START + np.sort(rng.integers(0, 1090, (200, 60)), axis=1).ravel()
    line = Timeline.of(200, code, days, rng.lognormal(0, 0.5, len(days)))
    sales = Sales(pd.Index(range(200)), START, START + 1090, line, line, line, None, False)
    flagged = partial_defection(sales, sales.as_of, _flat(sales), np.arange(200), Defection())["is_partial"]
    assert flagged.mean() <= 0.05


def _surveys(answers):
    rows = [(code, START + 90 * i, share) for code, some in answers.items() for i, share in enumerate(some)]
    return pd.DataFrame(rows, columns=["code", "surveyed_on", "wallet_share"])


def test_a_fall_within_what_answers_waver_is_no_wallet_loss():
    steady = {i: [0.5, 0.6, 0.5, 0.6, 0.5] for i in range(20)}
    rows = wallet_loss(_surveys(steady | {20: [0.6, 0.6, 0.5], 21: [0.6, 0.6, 0.2], 22: [0.5]}), START + 999)
    assert rows["is_wallet_loss"].to_dict()[20] == False  # noqa: E712  a numpy bool
    assert rows["is_wallet_loss"].to_dict()[21] == True  # noqa: E712
    assert 22 not in rows.index


def test_an_answer_of_a_later_day_is_not_heard():
    assert wallet_loss(_surveys({0: [0.6, 0.1]}), START + 10).empty


# What was known


def test_the_order_days_counted_are_those_of_a_year_and_do_not_grow_with_the_book():
    recent = [600, 650, 700]
    sales = sales_of({"old": [*range(0, 300, 10), *recent], "new": recent}, until=720)
    rows = standing(sales, sales.as_of, 90)
    assert covariates(Facts(sales), sales.as_of, rows)["purchases"].tolist() == pytest.approx([np.log(3)] * 2)


# Contracts


def _contracts(*terms):
    """Contracts as (account number, first day, last day, day signed)."""
    frame = pd.DataFrame(terms, columns=["code", "starts_on", "ends_on", "signed_on"])
    days = frame[["starts_on", "ends_on", "signed_on"]].astype(float) + START
    return frame.assign(annual_value=1000.0, account_id="a" + frame["code"].astype(str), **days)


def test_contracts_that_follow_each_other_are_one_relationship():
    found = renewals(_contracts((0, 0, 364, -9), (0, 365, 729, 300), (1, 0, 364, -9)), START + 500, 90)
    assert (found.relationships, found.lapsed) == (2, 1)
    assert (found.due, found.renewed) == (2, 1)


def test_a_contract_signed_later_does_not_exist_yet():
    terms = _contracts((0, 0, 364, -9), (0, 365, 729, 340))
    assert len(renewals(terms, START + 330, 90).ending) == 1
    assert len(renewals(terms, START + 345, 90).ending) == 0


def test_contracts_ending_within_the_horizon_are_listed_with_their_days():
    ending = renewals(_contracts((0, 0, 364, -9), (1, 0, 500, -9)), START + 300, 90).ending
    assert ending[["account_id", "days_left"]].to_numpy().tolist() == [["a0", 64]]


def test_survival_never_rises_and_a_running_contract_is_no_end():
    found = renewals(_contracts((0, 0, 364, -9), (1, 0, 729, -9), (2, 0, 2000, -9)), START + 900, 90)
    assert (found.survival["survival"].diff().dropna() <= 0).all()
    assert found.survival["survival"].iloc[-1] == pytest.approx(1 / 3)


def test_of_contracts_without_a_successor_few_days_ahead_more_lapse_than_of_all():
    terms = _contracts((0, 0, 99, 0), (0, 100, 900, 89), (1, 0, 99, 0), (1, 100, 900, 59), (2, 0, 99, 0))
    lapsed, low, high = shares(follow_up(terms), START + 500, np.array([5, 20, np.inf]), 0.9)
    assert (low < lapsed).all() and (lapsed < high).all()
    assert lapsed == pytest.approx([1.5 / 2, 1.5 / 3, 1.5 / 4])  # half a lapse and half a renewal added


def test_who_falls_late_before_its_contract_ends_is_likelier_to_let_it_lapse():
    begins = {i: 6 * i for i in range(105)}
    days = {f"a{i:03d}": range(0, 6 * i + 260 if i % 2 == 0 else 900, 10) for i in begins}
    terms = [(i, b, b + 364, b) for i, b in begins.items()]
    terms += [(i, b + 365, b + 1500, b + 350) for i, b in begins.items() if i % 2]
    terms += [(100, 900, 1300, 901)]  # signed on a later day, so it is not known
    found = lapses(Facts(sales_of(days, until=900), contracts=_contracts(*terms)), Silence(), 90, draws=20)
    assert found.winner == BY_SIGNS and found.signs[:1] == ("lateness",)
    lapse = found.ending.set_index("account")["lapse"]
    assert lapse[100] > 0.5 > lapse[101]


def test_without_an_ended_contract_there_is_no_renewal_rate():
    found = renewals(_contracts((0, 0, 364, -9)), START + 30, 90)
    assert found.due == 0 and np.isnan(found.rate)


# Drivers


def _leavers(complaint_odds, accounts=400, seed=0):
    """Accounts that order every five days and leave on some day of a month with odds of 1 in 40, raised by a complaint."""
    rng = np.random.default_rng(seed)
    rows, cases = [], []
    for account in range(accounts):
        complained = -10_000
        for month in range(36):
            odds = 0.025 * (complaint_odds if 0 < 30 * month - complained <= 180 else 1)
            leaves = month > 3 and rng.random() < odds / (1 + odds)
            last = rng.integers(0, 30) if leaves else 30
            rows += [(account, START + 30 * month + day) for day in range(0, last, 5)]
            if leaves:
                break
            if rng.random() < 0.06:
                complained = 30 * month + int(rng.integers(0, 30))
                cases.append((account, START + complained, np.nan))
    code, day = np.array(rows).T
    line = Timeline.of(accounts, code, day)
    sales = Sales(pd.Index(range(accounts)), START, START + 36 * 30 - 1, line, line, line, None, False)
    frame = pd.DataFrame(cases, columns=["code", "opened_on", "closed_on"]).assign(severity=2)
    return Facts(sales, complaints=frame)


def test_the_effect_of_complaints_is_recovered():
    odds = drivers(_leavers(3.0)).odds.loc["complaint"]
    assert odds["low"] < 3.0 < odds["high"]
    assert odds["low"] > 1


def test_complaints_without_an_effect_have_none():
    covered = [drivers(_leavers(1.0, 200, seed)).odds.loc["complaint"] for seed in range(12)]
    assert sum(row["low"] < 1.0 < row["high"] for row in covered) >= 10


def test_below_thirty_leavings_nothing_is_fitted():
    found = drivers(_leavers(3.0, accounts=12))
    assert found.events < 30 and found.odds.empty


# Equity and concentration


def test_classes_are_cut_once_so_that_equal_years_move_nobody():
    sales = sales_of({f"a{i:02d}": range(0, 1095, 5 + i) for i in range(30)}, until=1094)
    found = equity(sales, (0.8, 0.95))
    assert np.diag(found.chain.counts).sum() >= 28
    assert found.homogeneity.p_value_simulated > 0.5, "both years moved nobody"


def test_equity_grows_with_money_and_needs_two_years():
    days = {f"a{i:02d}": range(i, 800, 5 + i) for i in range(30)}
    plain, tenfold = (equity(sales_of(days, 800, revenue=money), (0.8, 0.95)) for money in (100.0, 1000.0))
    assert tenfold.equity == pytest.approx(10 * plain.equity)
    assert plain.low < plain.equity < plain.high
    assert equity(sales_of(days, 600), (0.8, 0.95)) is None


def test_the_three_largest_and_the_chance_to_lose_one():
    sales = sales_of({"a": range(0, 300, 3), "b": range(0, 300, 5), "c": range(0, 300, 10), "d": range(0, 300, 99)})
    found = concentration_stress(sales, pd.Series({"a": 0.1, "b": 0.2, "d": 0.5}))
    assert found.largest["account_id"].tolist() == ["a", "b", "c"]
    assert found.share == pytest.approx((100 + 60 + 30) / 194)
    assert found.chance == pytest.approx(1 - 0.9 * 0.8)


# Calls


def _judged(**columns):
    frame = {"account_id": ["a", "b", "c"], "is_judged": True, "status": "active", "recency_days": 10.0,
             "is_partial": False, "contact_reach": 3.0, "risk": 0.2, "margin_year": 100.0}  # fmt: skip
    return pd.DataFrame({"reasons": [[] for _ in range(3)]} | frame | columns)


def test_a_call_must_pay_for_itself():
    rows = _judged(value_at_risk=[100.0, 10.0, 1.0], margin_year=[900.0, 300.0, 199.0])
    done = calls.actions(rows, calls.CallPolicy(5, contact_cost=12.0, kept_share=0.3), 1.0)
    assert done["action"].tolist() == ["call", "call", "leave"]
    assert done["gain_of_call"].iloc[0] == pytest.approx(0.3 * 0.2 * 900 - 12)


def test_calls_go_where_they_save_most_as_far_as_they_reach():
    rows = _judged(value_at_risk=1.0, margin_year=[1.0, 3.0, 2.0])
    done = calls.actions(rows, calls.CallPolicy(2), 1.0)
    assert done.set_index("account_id")["action"].to_dict() == {"b": "call", "c": "call", "a": "leave"}


def test_nobody_is_called_who_is_hardly_at_risk_however_large():
    rows = _judged(value_at_risk=[9000.0, 3.0, 2.0], risk=[0.0012, 0.2, np.nan])
    done = calls.actions(rows, calls.CallPolicy(3), 1.0).set_index("account_id")["action"]
    assert done.to_dict() == {"a": "leave", "b": "call", "c": "leave"}


def test_nobody_is_called_for_its_size_alone():
    rows = _judged(value_at_risk=1.0, margin_year=[9e5, 3e5, 2.0], risk=[0.02, 0.02, 0.5], reasons=[[], ["late"], []])
    done = calls.actions(rows, calls.CallPolicy(3), 1.0).set_index("account_id")
    assert done["action"].to_dict() == {"a": "leave", "b": "call", "c": "call"}
    assert done["gain_of_call"].idxmax() == "a", "what a call may bring is known of it all the same"


def test_the_silent_are_won_back_while_contact_pays_and_those_out_of_season_left_in_peace():
    rows = _judged(
        value_at_risk=np.nan,
        is_judged=False,
        status=["silent", "silent", "off_season"],
        recency_days=[80.0, 100.0, 80.0],
    )
    done = calls.actions(rows, calls.CallPolicy(2), 1.0).set_index("account_id")["action"]
    assert done.to_dict() == {"a": "win_back", "b": "let_go", "c": "wait"}


def test_a_silence_that_may_end_by_itself_makes_a_call_worth_less():
    rows = _judged(value_at_risk=[100.0, 10.0, 1.0])
    policy = calls.CallPolicy(5, contact_cost=12.0, kept_share=0.3)
    sure, half = (calls.actions(rows, policy, lasting)["gain_of_call"] + 12 for lasting in (1.0, 0.5))
    assert np.allclose(half, sure / 2)


def test_without_a_cost_nothing_is_said_of_how_long_contact_pays():
    sales = sales_of({"a": range(0, 365, 10), "b": [0, 200]}, until=365)
    assert np.isnan(calls.contact_reach(sales, 0.0)).all()
    rows = _judged(value_at_risk=np.nan, is_judged=False, status="silent", contact_reach=np.nan)
    assert set(calls.actions(rows, calls.CallPolicy(2), 1.0)["action"]) == {"decide"}


def test_contact_pays_longer_for_those_who_brought_more():
    orders = {f"a{i:02}": range(i % 30, 300, 30) for i in range(40)}
    sales = sales_of(orders, until=400, revenue=[10.0 * (i + 1) for i in range(40) for _ in orders[f"a{i:02}"]])
    reach = calls.contact_reach(sales, 40.0)
    assert (np.diff(reach) >= 0).all()
    assert reach[0] < reach[-1] <= 12


# Silences that end


def test_accounts_that_came_back_are_followed_from_the_end_of_their_window():
    sales = sales_of({f"a{i:02}": [0, 10, *([150] if i < 10 else [])] for i in range(20)} | {"z": [0, 400]})
    said = pd.DataFrame({"account": range(20), "due": START + 100.0, "is_silent": 1.0})
    found = returns(sales, said)
    assert (found.silences, found.returned, found.days) == (20, 10, 300)
    assert found.lasting == pytest.approx(0.5)


def test_few_silences_are_taken_to_last():
    sales = sales_of({"a": [0, 10, 150], "z": [0, 400]})
    assert returns(sales, pd.DataFrame({"account": [0], "due": START + 100.0, "is_silent": 1.0})).lasting == 1
    assert returns(sales, pd.DataFrame({"account": [], "due": [], "is_silent": []})).silences == 0


def test_silences_that_were_followed_for_a_few_weeks_are_taken_to_last():
    names = [f"a{i:02d}" for i in range(20)]
    sales = sales_of({name: [0, 10, 150 if name < "a10" else 10] for name in names} | {"z": [0, 400]})
    said = pd.DataFrame({"account": range(20), "is_silent": 1.0})
    assert returns(sales, said.assign(due=START + 100.0)).lasting == 0.5
    short = returns(sales, said.assign(due=START + 250.0))
    assert (short.lasting, short.is_known, short.days) == (1.0, False, 150)


# What goes with a contract


def test_what_is_kept_after_a_lapse_is_set_against_what_the_renewed_keep():
    days = {"gone": range(0, 200, 10), "half": [*range(0, 200, 10), *range(200, 400, 20)], "on": range(0, 400, 10)}
    sales = sales_of(days | {"z": [400]}, revenue=10.0)
    ended = pd.DataFrame({"code": [0, 1, 2], "ends_on": START + 195, "lapsed": [True, True, False]})
    followed, lapsed, renewed = _kept(sales, ended)
    assert (followed, lapsed, renewed) == (2, pytest.approx(0.25), pytest.approx(1.0))
    none = _kept(sales, ended.iloc[:0])
    assert none[0] == 0 and np.isnan(none[1:]).all()


# How far risks were off


def _said(chance, outcome, days):
    n = len(outcome)
    return pd.DataFrame({"account": np.arange(n), "moment": days, "is_silent": outcome, "x": chance})


def _tested(rng, days=4, n=400, shift=0.0, drift=0.0):
    """A back-test of accounts at risks around a fifth, all odds of a day moved together."""
    odds = rng.normal(-1.5, 0.7, (days, n))
    moved = odds + shift + drift * rng.normal(size=(days, 1))
    outcome = (rng.random((days, n)) < 1 / (1 + np.exp(-moved))).astype(float)
    return _said(1 / (1 + np.exp(-odds.ravel())), outcome.ravel(), np.repeat(np.arange(days) * 90, n))


def test_the_gap_between_said_and_came_is_covered_at_its_level():
    hits = 0
    for seed in range(60):
        held = reliability(_tested(np.random.default_rng(seed), drift=0.3), "x", (1, 0.9, 1.1), 90)
        hits += held.gap_low <= 0 <= held.gap_high
    assert hits >= 50  # 90 % wanted; days move together, which accounts alone do not show


def test_a_level_that_is_off_is_found():
    held = reliability(_tested(np.random.default_rng(1), shift=0.8), "x", (1, 0.9, 1.1), 90)
    assert held.gap_low > 0
    assert held.came - held.said == pytest.approx(held.gap)
    assert 0.6 < held.drift < 1.0


def test_days_closer_than_a_horizon_are_not_tests_apart():
    rows = _tested(np.random.default_rng(2))
    apart, together = (reliability(rows, "x", (1, 0.9, 1.1), days).windows for days in (90, 200))
    assert (apart, together) == (4, 2)


def test_risks_redrawn_spread_as_far_as_they_were_off():
    rng = np.random.default_rng(3)
    sure = reliability(_tested(rng), "x", (1.0, 1.0, 1.0), 90)
    risks = np.full((500, 3), 0.2)
    off = dataclasses.replace(sure, drift=0.5, slope_low=0.6, slope_high=1.4)
    assert np.ptp(dataclasses.replace(sure, drift=0.0).redrawn(risks, rng)) < 1e-9
    assert off.redrawn(risks, rng).std() > 0.05
    assert (np.ptp(off.redrawn(risks, rng), axis=1) < 1e-12).all(), "all accounts of a draw move together"


def test_without_an_event_nothing_is_said_of_reliability():
    assert reliability(_said([0.1, 0.2], [0.0, 0.0], [0, 0]), "x", (np.nan,) * 3, 90) is None


# The agenda


NO_LAPSE = pd.Series(dtype=float)


def _listed(sales, **columns):
    frame = {"account_id": list(sales.accounts), "name": "n", "manager_id": "m", "action": "leave", "is_silent": False}
    frame |= {"risk": 0.1, "recency_days": 5.0, "gap_median_days": 10.0, "is_partial": False, "partial_ratio": np.nan}
    frame |= {
        "margin_year": 1000.0,
        "partial_since": pd.NaT,
        "contract_ends_on": pd.NaT,
        "reasons": [[] for _ in sales.accounts],
    }
    return pd.DataFrame(frame | columns).set_axis(range(90, 90 + len(sales.accounts)))  # rows have no order


def test_the_agenda_lists_each_account_once_at_its_largest_stake():
    sales = sales_of({name: range(0, 300, 30) for name in "abcde"}, until=364, revenue=100.0)
    soon = pd.Timestamp("2026-11-01")
    rows = _listed(
        sales,
        action=["call", "call", "leave", "leave", "leave"],
        is_partial=[False, True, False, False, False],
        partial_ratio=[np.nan, 0.5, np.nan, np.nan, np.nan],
        contract_ends_on=[pd.NaT, pd.NaT, soon, pd.NaT, pd.NaT],
        is_silent=[False, False, False, True, False],
        recency_days=[5.0, 5.0, 5.0, 65.0, 5.0],
    )
    found = agenda(rows, sales, pd.Series({2: 0.25}), Silence(), 90, 0.9, lost_share=0.8).set_index("account_id")
    assert found.index.tolist() == ["b", "d", "c", "a"]
    assert found["at_stake"].tolist() == pytest.approx([1000, 900, 200, 90])
    assert found["signs"].tolist() == [["partial", "call"], ["silent"], ["renewal"], ["call"]]


def test_a_contract_whose_lapse_has_no_chance_stands_at_the_risk_of_its_account_and_its_silence_comes_first():
    sales, soon = sales_of({"a": range(0, 300, 30), "b": range(0, 300, 30)}, until=364), pd.Timestamp("2026-11-01")
    rows = _listed(sales, contract_ends_on=soon, is_silent=[False, True], recency_days=[5.0, 300.0], risk=[0.1, np.nan])
    found = agenda(rows, sales, NO_LAPSE, Silence(), 90, lasting=0.5).set_index("account_id")
    assert found["at_stake"].to_dict() == {"b": pytest.approx(500), "a": pytest.approx(50)}
    assert found["signs"].to_dict() == {"a": ["renewal"], "b": ["silent", "renewal"]}


def test_money_at_stake_counts_the_silences_that_last():
    sales = sales_of({"a": range(0, 300, 30)}, until=364, revenue=100.0)
    rows = _listed(sales, is_silent=[True], recency_days=[94.0])
    found = agenda(rows, sales, NO_LAPSE, Silence(), 90, lasting=0.4)
    assert found[["at_stake", "brings_a_year"]].to_numpy().tolist() == [[pytest.approx(400), 1000]]


def test_an_old_silence_is_not_on_the_agenda():
    sales = sales_of({"a": range(0, 300, 30)}, until=364)
    rows = _listed(sales, is_silent=[True], recency_days=[121.0])
    assert not len(agenda(rows, sales, NO_LAPSE, Silence(), 90))
    assert len(agenda(rows.assign(recency_days=120.0), sales, NO_LAPSE, Silence(), 90)) == 1


def test_a_policy_with_a_share_above_one_is_refused():
    with pytest.raises(RequestError, match="a share of 1 at most"):
        calls.CallPolicy(kept_share=1.2)


def test_reasons_are_facts_that_count_against_the_account():
    known = pd.DataFrame({"lateness": [2.0, 2.0, 0.1], "complaint_open": [1.0, 0.0, 1.0]})
    weights = pd.DataFrame({"lateness": [0.5, -0.5, 0.0], "complaint_open": [0.9, 0.0, 0.2]})
    none = pd.Series(False, known.index)
    found = calls.reasons(known, weights, none, none)
    assert found.tolist() == [["complaint_open", "late"], [], ["complaint_open"]]


def test_partial_defection_is_the_first_reason():
    known = pd.DataFrame({"lateness": [2.0]})
    yes, no = pd.Series([True]), pd.Series([False])
    assert calls.reasons(known, known, yes, no).tolist() == [["partial_defection", "late"]]


def test_a_contract_that_ends_is_a_reason_whatever_the_hazard_makes_of_it():
    known = pd.DataFrame({"lateness": [2.0, 0.1], "contract_ends": [1.0, 1.0]})
    none, ends = pd.Series(False, known.index), pd.Series([True, False])
    found = calls.reasons(known, -known, none, none, ends)
    assert found.tolist() == [["contract_ends"], []]


def test_the_margin_expected_is_a_year_s_pace_and_never_below_zero():
    sales = sales_of({"a": range(0, 730, 10), "b": [700]}, until=729)
    stand = standing(sales, sales.as_of, 90)
    expected = calls.expected_margin(sales, stand, _flat(sales), 90)
    assert expected[0] == pytest.approx(3700 / 365 * 90, rel=0.03)
    assert expected[1] == pytest.approx(100)
    lost = sales_of({"a": range(0, 730, 10)}, until=729, revenue=-5.0)
    assert calls.expected_margin(lost, standing(lost, lost.as_of, 90), _flat(lost), 90).tolist() == [0]


# The record


def _report(folder, rows, as_of):
    folder.mkdir()
    frame = pd.DataFrame(rows, columns=["account_id", "horizon_days", "value"])
    frame.assign(quantity="silent", lower=0.0, upper=1.0).to_parquet(folder / "predictions.parquet")
    (folder / "manifest.json").write_text(json.dumps({"as_of": as_of}))
    return folder


def test_an_account_partly_gone_that_is_not_called_is_asked_who_else_supplies_it():
    rows = _judged(value_at_risk=[9.0, 0.0, 0.0], is_partial=[True, True, False])
    found = calls.actions(rows, calls.CallPolicy(1), 1.0)
    assert found.set_index("account_id")["action"].to_dict() == {"a": "call", "b": "ask", "c": "leave"}


def test_a_report_whose_windows_are_open_gives_way_to_the_one_before(tmp_path):
    sales = sales_of({"a": range(0, 200, 10)}, until=200)
    older = _report(tmp_path / "older", [("a", 90, 0.1)], "2026-04-11")
    newer = _report(tmp_path / "newer", [("a", 90, 0.1)], "2026-07-05")
    assert read_record(newer, sales).open == 1, "nothing is said of what was before it"
    (newer / "manifest.json").write_text(json.dumps({"as_of": "2026-07-05", "parameters": {"previous": str(older)}}))
    assert read_record(newer, sales).graded["is_silent"].tolist() == [0.0]
    (older / "manifest.json").unlink()
    assert read_record(newer, sales).open == 1


def test_a_report_is_graded_account_by_account(tmp_path):
    sales = sales_of({"left": range(0, 95, 10), "stayed": range(0, 200, 10)}, until=200)
    rows = [("left", 90, 0.2), ("stayed", 90, 0.1), ("stayed", 150, 0.1), ("unknown", 90, 0.5)]
    record = read_record(_report(tmp_path / "r", rows, "2026-04-11"), sales)
    assert record.rows["is_silent"].iloc[:2].tolist() == [1.0, 0.0]
    assert np.isnan(record.rows["is_silent"].iloc[2]) and record.open == 1
    assert record.graded["account_id"].tolist() == ["left", "stayed"], "an account of another scope is not silent"


def test_an_order_on_the_day_of_the_prediction_does_not_count_and_one_on_the_last_day_does():
    said = pd.DataFrame({"account_id": ["a"], "horizon_days": [90], "value": 0.5, "lower": 0, "upper": 1})
    for last, silent in ((10, 1.0), (100, 0.0), (101, 1.0)):
        sales = sales_of({"a": [0, 10, last], "b": [0, 300]})
        assert grade(said, START + 10, sales).rows["is_silent"].tolist() == [silent]


def test_a_folder_without_a_report_is_named(tmp_path):
    with pytest.raises(RequestError, match="holds no report"):
        read_record(tmp_path, sales_of({"a": [0, 1]}))


def test_a_report_of_a_later_day_is_refused(tmp_path):
    folder = _report(tmp_path / "r", [("a", 90, 0.2)], "2030-01-01")
    with pytest.raises(RequestError, match="made as of 2030-01-01, after the day read as of"):
        read_record(folder, sales_of({"a": [0, 1]}))


def test_a_report_without_predictions_has_no_record(tmp_path):
    folder = _report(tmp_path / "r", [], "2026-01-01")
    assert read_record(folder, sales_of({"a": [0, 1]})) is None
