"""Call planning: brute force, the published split, fractions, groups, and every refusal."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kamlib.errors import RequestError
from kamlib.studies.allocation import Adbudg, Power, plan_calls

POWERS = {"a1": Power(100, 0.31), "a2": Power(50, 0.31), "a3": Power(20, 0.31)}
HOURS = st.sampled_from([0.5, 1.0, 1.5, 2.25])

power = st.builds(Power, scale=st.floats(0, 1e4), elasticity=st.floats(0.05, 1.5))
adbudg = st.builds(
    lambda a, b, c, d, sales, calls: Adbudg(a, b, c, d).scaled(sales, calls),
    st.floats(0, 0.9), st.floats(1.1, 2), st.floats(0.3, 8), st.floats(0.05, 3), st.floats(0, 1e4), st.floats(0.5, 6),
)  # fmt: skip
table = st.lists(st.floats(-1e3, 1e3), min_size=6, max_size=6).map(lambda sales: sales.__getitem__)
account = st.tuples(st.one_of(power, adbudg, table), st.floats(0, 1), st.floats(0, 300), HOURS, st.integers(0, 2))


def brute_force(curves, margin, cost, hours, minimum, budget) -> float:
    """The best profit over every allowed combination of 0 … 5 calls."""
    profits = [[m * f(n) - c * n for n in range(6)] for f, m, c in zip(curves, margin, cost, strict=True)]
    return max(
        sum(p[n] for p, n in zip(profits, calls, strict=True))
        for calls in product(*(range(low, 6) for low in minimum))
        if np.dot(calls, hours) <= budget
    )


# Whole calls


@settings(max_examples=150, deadline=None)
@given(accounts=st.lists(account, min_size=1, max_size=4), budget=st.integers(0, 100).map(lambda n: n / 4))
def test_a_plan_earns_what_brute_force_earns(accounts, budget):
    curves, margin, cost, hours, minimum = zip(*accounts, strict=True)
    assume(np.dot(minimum, hours) <= budget)
    plan = plan_calls(curves, margin, cost, {"M": budget}, minimum, 5, groups="M", hours_per_call=hours)
    best = brute_force(curves, margin, cost, hours, minimum, budget)
    assert plan.profit == pytest.approx(best, rel=1e-9, abs=1e-5)
    assert plan.gap == 0
    assert np.dot(plan.calls, hours) <= budget
    assert plan.calls.between(list(minimum), 5).all()


def test_s_shaped_accounts_are_served_fully_or_not_at_all():
    steep = Adbudg(0, 1.2, 6, 0.2).scaled(sales=1000, present_calls=6)
    plan = plan_calls([steep] * 4, margin=1, cost_per_call=0, budget=12, minimum=0, maximum=12)
    assert sorted(plan.calls) == [0, 0, 6, 6]


def test_whole_calls_of_the_published_case():
    plan = plan_calls(POWERS, margin=1, cost_per_call=0, budget=12, minimum=0, maximum=12)
    assert plan.calls.to_dict() == {"a1": 8, "a2": 3, "a3": 1}
    assert plan.calls.dtype == np.int64
    assert plan.gap == 0


def test_calls_that_do_not_pay_are_not_made():
    plan = plan_calls(POWERS, margin=1, cost_per_call=1000, budget=12, minimum={"a1": 2, "a2": 0, "a3": 0})
    assert plan.calls.tolist() == [2, 0, 0]
    assert plan.profit == pytest.approx(100 * 2**0.31 - 2000)


def test_of_two_plans_that_earn_the_same_the_one_with_fewer_calls_is_given():
    assert plan_calls([lambda n: 7.0], 1, 0, budget=5).calls.tolist() == [0]


def test_each_group_keeps_to_its_own_budget():
    groups = pd.Series({"a3": "M2", "a1": "M1", "a2": "M1"})
    plan = plan_calls(POWERS, 1, 0, {"M1": 4, "M2": 9}, groups=groups)
    alone = plan_calls({a: POWERS[a] for a in ("a1", "a2")}, 1, 0, 4)
    assert plan.accounts.groupby("group")["calls"].sum().to_dict() == {"M1": 4, "M2": 9}
    assert plan.calls[["a1", "a2"]].tolist() == alone.calls.tolist()


def test_longer_calls_take_more_of_the_budget():
    plan = plan_calls({"near": Power(10, 0.5), "far": Power(10, 0.5)}, 1, 0, 12, hours_per_call={"near": 1, "far": 4})
    assert plan.accounts["hours"].sum() <= 12
    assert plan.calls["near"] > plan.calls["far"] > 0


def test_inputs_are_matched_by_account_not_by_position():
    margin = pd.Series({"a3": 3.0, "a2": 2.0, "a1": 1.0, "elsewhere": 9.0})
    plan = plan_calls(POWERS, margin, 0, 12)
    reordered = plan_calls(dict(reversed(POWERS.items())), margin, 0, 12)
    assert plan.calls.to_dict() == reordered.calls.to_dict()


@settings(max_examples=25, deadline=None)
@given(k=st.floats(1e-6, 1e6))
def test_money_times_k_leaves_the_calls_and_multiplies_the_profit(k):
    scaled = {a: Power(k * curve.scale, 0.31) for a, curve in POWERS.items()}
    plan, base = plan_calls(scaled, 1, k, 12), plan_calls(POWERS, 1, 1, 12)
    assert plan.calls.tolist() == base.calls.tolist()
    assert plan.profit == pytest.approx(k * base.profit)


def test_fractional_bounds_are_tightened_to_whole_calls():
    plan = plan_calls(POWERS, 1, 0, 12, minimum=1.5, maximum=4.7)
    assert plan.calls.between(2, 4).all()


def test_a_curve_that_takes_no_array_is_called_number_by_number():
    assert plan_calls([lambda n: 5 if n >= 3 else 0], 1, 1, budget=9).calls.tolist() == [3]


def test_a_search_out_of_time_states_its_gap():
    rng = np.random.default_rng(2)
    curves = [Power(scale, 0.3) for scale in rng.lognormal(8, 1, size=60)]
    hours = rng.uniform(0.5, 2.5, size=60)
    request = {"budget": {"M": 150.0}, "maximum": 12, "groups": "M", "hours_per_call": hours}
    hurried, patient = (plan_calls(curves, 0.3, 10, **request, time_limit_seconds=s) for s in (1e-6, 20))
    assert 0 < hurried.gap < 0.01
    assert hurried.profit <= patient.profit <= hurried.profit * (1 + hurried.gap) + 1e-6
    assert patient.gap == 0


def test_two_hundred_s_shaped_accounts_are_solved_exactly():
    rng = np.random.default_rng(4)
    shapes = rng.uniform([0.1, 1.1, 1.2, 0.2], [0.6, 1.6, 4, 1], size=(200, 4))
    curves = [Adbudg(*shape).scaled(rng.lognormal(10, 1.2), 4) for shape in shapes]
    plan = plan_calls(curves, 0.3, 50, 600, 0, 20)
    assert plan.gap == 0
    assert plan.calls.sum() <= 600


# Fractions of calls


def test_the_published_split_of_twelve_calls():
    plan = plan_calls(POWERS, margin=1, cost_per_call=0, budget=12, integer=False)
    assert plan.calls.tolist() == pytest.approx([8.2009, 3.0032, 0.7959], abs=5e-5)
    assert plan.gain(today=4).share == pytest.approx(0.0753, abs=5e-5)
    assert plan.gap < 1e-9


@settings(max_examples=25, deadline=None)
@given(
    scales=st.lists(st.floats(1, 1e4), min_size=2, max_size=6),
    elasticity=st.floats(0.1, 0.8),
    cost=st.floats(0, 5),
)
def test_fractions_of_concave_curves_equalise_the_gain_of_the_last_hour(scales, elasticity, cost):
    plan = plan_calls([Power(k, elasticity) for k in scales], 0.5, cost, 20, 0, 9, integer=False)
    slope = np.array([0.5 * Power(k, elasticity).derivative(n) - cost for k, n in zip(scales, plan.calls, strict=True)])
    inside = plan.calls.between(0.05, 8.99).to_numpy()
    assert plan.gap < 1e-6
    assert plan.calls.sum() <= 20 + 1e-6
    assert np.ptp(slope[inside]) <= 1e-3 * (cost + np.abs(slope[inside]).max()) if inside.any() else True


@settings(max_examples=15, deadline=None)
@given(curves=st.lists(adbudg, min_size=2, max_size=3), budget=st.floats(1, 12))
def test_no_fractions_of_s_shaped_curves_exceed_the_stated_bound(curves, budget):
    plan = plan_calls(curves, 1, 10, budget, 0, 6, integer=False)
    grid = np.meshgrid(*[np.linspace(0, 6, 49)] * len(curves), indexing="ij")
    profit = sum(f(n) - 10 * n for f, n in zip(curves, grid, strict=True))
    best = profit[sum(grid) <= budget].max()
    assert plan.profit + plan.gap * abs(plan.profit) >= best - 1e-6 * abs(best)
    assert plan.profit >= best - 2e-3 * abs(best)


def test_fractions_earn_at_least_as_much_as_whole_calls():
    steep = {a: Adbudg(0.1, 1.3, 3, 0.4).scaled(s, 4) for a, s in [("a", 900), ("b", 700), ("c", 500)]}
    whole, fraction = (plan_calls(steep, 1, 20, 9, 0, 9, integer) for integer in (True, False))
    assert fraction.profit >= whole.profit - 1e-9


# What stands around a plan


def test_gain_names_what_each_account_wins_and_loses():
    gain = plan_calls(POWERS, 1, 0, 12).gain({"a1": 4, "a2": 4, "a3": 4})
    assert gain.moves["change"].to_dict() == {"a1": 4, "a2": -1, "a3": -3}
    assert gain.profit == pytest.approx(gain.moves["profit_change"].sum())
    assert gain.moves.loc["a1", "profit_change"] == pytest.approx(100 * (8**0.31 - 4**0.31))


def test_flatness_plans_again_at_three_quarters_and_five_quarters():
    flatness = plan_calls(POWERS, 1, 0, 12).flatness()
    assert flatness.index.tolist() == [0.75, 1.0, 1.25]
    assert flatness["calls"].tolist() == [9, 12, 15]
    assert flatness["profit"].is_monotonic_increasing
    assert flatness.loc[0.75, "profit"] == plan_calls(POWERS, 1, 0, 9).profit


def test_flatness_says_why_a_smaller_budget_cannot_be_planned():
    flatness = plan_calls(POWERS, 1, 0, 12, minimum=4).flatness()
    assert np.isnan(flatness.loc[0.75, "profit"])
    assert "3 more than the budget of 9" in flatness.loc[0.75, "refused"]
    assert flatness.loc[1.0, "refused"] == ""


# Refusals


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"minimum": 5}, "all: the minimum calls of 3 accounts need 15, which is 3 more than the budget of 12; largest: 'a1' 5"),
        ({"minimum": 3, "maximum": 2}, r"3 accounts have a minimum above their maximum: 'a1' 3 > 2.*; lower it"),
        ({"minimum": -1}, r"minimum must be 0 or more; 3 are not \('a1': -1.0"),
        ({"cost_per_call": {"a1": 1, "a2": -2, "a3": 1}}, r"cost_per_call must be 0 or more; 1 are not \('a2': -2.0\)"),
        ({"margin": {"a1": 1, "a2": 1}}, "margin lacks 1 of 3 accounts: 'a3'"),
        ({"margin": [1, 2]}, "margin has 2 values for 3 accounts; give one each"),
        ({"margin": pd.Series([1, 2], ["a1", "a1"])}, "margin has several values for 'a1'"),
        ({"margin": float("nan")}, "margin must be a number; 3 are not"),
        ({"maximum": float("nan")}, "maximum must be 0 or more; 3 are not"),
        ({"hours_per_call": 0}, "hours_per_call must be above 0"),
        ({"budget": -1}, r"budget must be 0 or more; 1 are not \('all': -1.0\)"),
        ({"budget": {"M1": 3}}, "A budget by group needs groups="),
        ({"groups": "M1"}, "groups= needs a budget by group"),
        ({"groups": "M1", "budget": {"M2": 4}}, "groups must be one of those with a budget, 'M2'; 3 are not"),
        ({"budget": float("inf")}, "No maximum and no budget limits 'a1', 'a2', 'a3'; give one of the two"),
        ({"budget": 1e9}, "3 accounts with up to 1000000000 calls are too many to enumerate; give a lower maximum"),
        ({"curves": []}, "curves needs one curve per account; it is empty"),
        ({"curves": pd.Series([Power(1, 1)] * 2, ["a1", "a1"])}, "curves needs one curve per account; 'a1'"),
        ({"curves": {"a1": 7}}, r"curves must be callables of the number of calls; 1 are not \('a1': 7\)"),
        ({"curves": {"a1": np.log}}, "The curve of 'a1' gives no number at 0 calls; raise its minimum"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_met_is_refused(change, message):
    request = {"curves": POWERS, "margin": 1, "cost_per_call": 0, "budget": 12} | change
    with pytest.raises(RequestError, match=message):
        plan_calls(**request)


def test_every_manager_with_too_few_hours_is_named():
    with pytest.raises(RequestError, match=r"M1: .* 2 more than the budget of 4.*M2: .* 2 more than the budget of 1"):
        plan_calls(POWERS, 1, 0, {"M1": 4, "M2": 1}, minimum=3, groups=["M1", "M1", "M2"])


def test_todays_calls_must_be_known():
    with pytest.raises(RequestError, match=r"today must be 0 or more calls; 1 are not \('a2': nan\)"):
        plan_calls(POWERS, 1, 0, 12).gain([4, float("nan"), 4])


@pytest.mark.parametrize("one", [np.array(1.0), np.float32(1), 1])
def test_a_number_may_come_in_any_dress(one):
    assert plan_calls(POWERS, one, 0, 12).calls.tolist() == plan_calls(POWERS, 1, 0, 12).calls.tolist()


@pytest.mark.parametrize("curves", [Power(100, 0.3), 5])
def test_what_is_no_set_of_curves_is_refused(curves):
    with pytest.raises(RequestError, match="give one curve per account, as a list or by account"):
        plan_calls(curves, 1, 0, 12)


def test_terms_that_are_no_numbers_are_refused():
    with pytest.raises(RequestError, match="margin must be numbers; could not convert string to float: 'x'"):
        plan_calls(POWERS, "x", 0, 12)
