"""Carry-over: the stock, its rate and both runs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiting import frame, simulate

from kamlib.errors import ModelError, RequestError
from kamlib.studies.effects import effect
from kamlib.studies.effects.carryover import adstock

SHAPE = (150, 36)


def carried(seed=0, rate=0.5, elasticity=0.4):
    """Sales that respond to a stock which keeps ``rate`` of itself each month, two years before the first month."""
    generator = np.random.default_rng(seed)
    size = 0.7 * generator.normal(size=(SHAPE[0], 1))
    visits = np.exp(1 + 0.5 * size + 0.6 * generator.normal(size=(SHAPE[0], SHAPE[1] + 24)))
    stock = visits.copy()
    for month in range(1, stock.shape[1]):
        stock[:, month] = (1 - rate) * visits[:, month] + rate * stock[:, month - 1]
    sales = np.exp(4 + size) * stock[:, 24:] ** elasticity * generator.gamma(6, 1 / 6, SHAPE)
    return frame(SHAPE, revenue=sales, visits=visits[:, 24:])


@pytest.fixture(scope="module")
def found():
    return effect(carried(), method="adstock")


def test_the_rate_and_both_runs_are_recovered(found):
    low, high = found.diagnostics["lambda_interval"]
    assert low < 0.5 < high < low + 0.3
    assert found.diagnostics["long_run"]["estimate"] == pytest.approx(0.4, abs=0.08)
    assert found.estimate == pytest.approx(0.2, abs=0.05)


def test_the_profile_peaks_at_the_rate_and_is_zero_there_at_most(found):
    profile = found.diagnostics["profile"]
    best = profile.loc[profile["log_likelihood"].idxmax(), "lambda"]
    assert best == pytest.approx(found.diagnostics["lambda"], abs=0.1)
    assert (profile["log_likelihood"] <= 1e-9).all()


def test_the_interval_of_the_rate_does_not_depend_on_the_currency(found):
    panel = carried()
    cents = effect(panel.assign(revenue=100 * panel["revenue"]), method="adstock")
    assert cents.diagnostics["lambda_interval"] == pytest.approx(found.diagnostics["lambda_interval"], abs=1e-4)


def test_the_elasticity_is_taken_where_the_stock_stands_and_not_the_visits_of_the_month():
    visits = np.random.default_rng(1).poisson(1.5, (SHAPE[0], SHAPE[1] + 24)).astype(float)
    stock = visits.copy()
    for month in range(1, stock.shape[1]):
        stock[:, month] = 0.5 * visits[:, month] + 0.5 * stock[:, month - 1]
    stock = stock[:, 24:]
    sales = 100 * (1 + stock) ** 0.4
    panel = frame(SHAPE, revenue=sales, visits=visits[:, 24:])
    lasting = effect(panel, method="adstock", scale="log1p").diagnostics["long_run_elasticity"]
    assert lasting == pytest.approx(0.4 * np.average(stock / (1 + stock), weights=sales), rel=0.01)


def test_the_interval_of_the_elasticity_is_wider_than_at_a_stock_held_where_it_was_found():
    draw = np.random.default_rng(2)
    visits = draw.poisson(1.0, SHAPE).astype(float)
    panel = frame(SHAPE, revenue=draw.gamma(2, 50, SHAPE) * (1 + visits) ** 0.3, visits=visits)
    found = effect(panel, method="adstock", scale="log1p").diagnostics
    held = np.diff(found["long_run"]["interval"]) * found["long_run_elasticity"] / found["long_run"]["estimate"]
    assert np.diff(found["long_run_elasticity_interval"]) > 1.01 * held


def test_without_carry_over_the_rate_reaches_zero_and_the_runs_agree():
    diagnostics = effect(simulate(accounts=150), method="adstock").diagnostics
    assert diagnostics["lambda_interval"][0] == 0
    assert diagnostics["long_run"]["estimate"] == pytest.approx(diagnostics["short_run"]["estimate"], rel=0.15)


@given(st.floats(0, 0.99), st.floats(0.1, 100))
def test_a_steady_exposure_is_its_own_stock(rate, hours):
    steady = np.full(6, hours)
    assert adstock(steady, np.arange(6), rate, steady) == pytest.approx(steady)


def test_stocks_do_not_leak_from_one_account_to_the_next():
    stock = adstock(np.array([8.0, 0, 0, 0]), np.array([0, 1, 0, 1]), 0.5, np.zeros(4))
    assert stock.tolist() == [4, 2, 0, 0]


@pytest.mark.parametrize("value", [-500.0, np.nan])
def test_the_stock_follows_months_whose_outcome_cannot_be_used(value):
    panel = carried()
    rows = np.random.default_rng(3).choice(len(panel), 150, replace=False)
    hurt = panel.assign(revenue=panel["revenue"].mask(panel.index.isin(rows), value))
    found, whole = effect(hurt, method="adstock"), effect(panel, method="adstock")
    assert found.n_accounts == 150
    assert found.n == 150 * 33 - (rows % 36 >= 3).sum()
    assert found.diagnostics["lambda"] == pytest.approx(whole.diagnostics["lambda"], abs=0.03)


def test_after_a_gap_the_stock_begins_anew_and_the_account_stays():
    found = effect(carried().drop(index=10), method="adstock")
    assert found.n_accounts == 150
    assert found.n_dropped == {"first 3 months of an unbroken stretch (burn-in)": 3 * 151}


def test_months_that_are_absent_at_random_leave_the_estimate_where_it_was():
    whole = carried()
    torn = whole[np.random.default_rng(8).random(len(whole)) > 0.1]
    found, known = effect(torn, method="adstock"), effect(whole, method="adstock")
    assert found.n_accounts == 150
    assert found.interval[0] < known.estimate < found.interval[1]
    assert found.diagnostics["lambda"] == pytest.approx(known.diagnostics["lambda"], abs=0.1)


def test_an_exposure_in_logs_has_no_stock():
    panel = simulate().rename(columns={"visits": "log_visits"})
    with pytest.raises(RequestError, match="carry-over needs log_visits itself, not its log"):
        effect(panel, exposure="log_visits", method="adstock")


def test_a_burn_in_longer_than_the_panel_is_refused():
    with pytest.raises(RequestError, match="burn_in=30 leaves fewer than 3 periods"):
        effect(simulate(), method="adstock", burn_in=30)


@pytest.mark.parametrize("factor", [0.0, np.nan])
def test_without_revenue_where_the_stock_is_no_elasticity_is_told(monkeypatch, factor):
    monkeypatch.setattr("kamlib.studies.effects.carryover.elasticity_factor", lambda panel, scale: factor)
    with pytest.raises(ModelError, match="no revenue falls where the exposure has a stock"):
        effect(carried(), method="adstock")
