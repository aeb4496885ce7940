"""Partialling-out: what it predicts from, and what it refuses."""

import numpy as np
import pytest
from visiting import frame, simulate

from kamlib.errors import RequestError
from kamlib.studies.effects import effect


def test_a_nonlinear_covariate_that_moves_both_is_partialled_out():
    generator = np.random.default_rng(2)
    weather = generator.uniform(-2, 2, (200, 24))
    visits = np.exp(1 + 0.4 * weather**2 + 0.4 * generator.normal(size=weather.shape))
    sales = np.exp(5 + 0.5 * weather**2 + 0.3 * generator.normal(size=weather.shape)) * visits**0.31
    panel = frame(weather.shape, revenue=sales, visits=visits, weather=weather)
    linear = effect(panel, method="ppml_fe", covariates=("weather",)).estimate
    learned = effect(panel, method="dml", covariates=("weather",)).estimate
    assert linear > 0.6
    assert learned == pytest.approx(0.31, abs=0.12)


def test_the_first_quarter_of_the_months_is_kept_to_learn_from():
    found = effect(simulate(accounts=60, months=25), method="dml")
    assert found.n_dropped == {
        "first month of an account (its own baseline)": 60,
        "first periods, kept to learn from": 6 * 60,
    }


def test_the_seed_decides_the_folds_and_the_estimate_hardly_moves():
    panel = simulate(accounts=80)
    one, same, other = (effect(panel, method="dml", seed=seed) for seed in (1, 1, 2))
    assert one.estimate == same.estimate != other.estimate
    assert abs(one.estimate - other.estimate) < one.standard_error


def test_more_folds_than_accounts_are_refused():
    with pytest.raises(RequestError, match="folds must lie between 2 and the 8 accounts; got 10"):
        effect(simulate(accounts=8), method="dml", folds=10)


def test_too_short_a_panel_is_refused():
    with pytest.raises(RequestError, match=r"too few earlier rows to learn from \(24 in all\); use method='ppml_fe'"):
        effect(simulate(accounts=8, months=4), method="dml")
