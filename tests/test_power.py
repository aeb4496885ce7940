"""The smallest detectable effect, before the effect."""

import numpy as np
import pytest
from scipy import stats
from visiting import frame, simulate

from kamlib.errors import RequestError
from kamlib.studies.effects import effect, smallest_detectable_effect
from kamlib.studies.effects.power import smallest_lasting_effect


def test_the_expected_error_is_the_error_the_estimate_then_has():
    ratios = []
    for seed in range(8):
        panel = simulate(seed, accounts=80, elasticity=0.05, size_spread=0.5)
        ratios.append(smallest_detectable_effect(panel).expected_error / effect(panel).standard_error)
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.1)


def test_an_effect_of_that_size_is_found_as_often_as_the_power_says():
    smallest = smallest_detectable_effect(simulate(99, accounts=80, elasticity=0.0, size_spread=0.3)).effect
    panels = [simulate(seed, accounts=80, elasticity=smallest, size_spread=0.3) for seed in range(40)]
    assert 0.62 <= np.mean([effect(panel).interval[0] > 0 for panel in panels]) <= 0.96


def test_the_sign_of_the_effect_leaves_the_answer_alone():
    up, down = (smallest_detectable_effect(simulate(elasticity=sign * 0.1)).effect for sign in (1, -1))
    assert up == pytest.approx(down, rel=0.1)


def test_more_power_asks_for_a_larger_effect():
    panel = simulate()
    assert smallest_detectable_effect(panel, power=0.9).effect > smallest_detectable_effect(panel, power=0.8).effect


def test_visits_that_hardly_vary_say_so():
    panel = simulate(targeting=2.0)
    assert smallest_detectable_effect(panel).exposure_variation < 0.1


def test_a_power_of_eighty_is_refused():
    with pytest.raises(RequestError, match="power and level must lie between 0 and 1; got power=80, level=0.9"):
        smallest_detectable_effect(simulate(), power=80)


def _kept_up(seed=0, effect_of_stock=0.3, accounts=60, months=24):
    """Sales that answer to the mean of present and past visits, 0.45 of which is left after a month."""
    rng = np.random.default_rng(seed)
    visits = rng.poisson(1.5, (accounts, months)).astype(float)
    stock, sales = visits.mean(axis=1), np.empty(visits.shape)
    for month in range(months):
        stock = 0.55 * visits[:, month] + 0.45 * stock
        sales[:, month] = np.exp(5 + 0.4 * rng.normal(size=accounts)) * (1 + stock) ** effect_of_stock
    return frame(visits.shape, revenue=sales, visits=visits)


def test_what_could_be_seen_of_the_long_run_is_the_reach_of_its_interval_and_the_power_beyond_it():
    carry = effect(_kept_up(), method="adstock", scale="log1p")
    low, high = carry.diagnostics["long_run_elasticity_interval"]
    seen = smallest_lasting_effect(carry)
    freedom = carry.diagnostics["effective_clusters"] - 1
    assert seen.reach == pytest.approx((high - low) / 2) and seen.freedom == freedom
    quantiles = stats.t.ppf([0.95, 0.8], freedom)
    assert seen.elasticity == pytest.approx(seen.reach / quantiles[0] * quantiles.sum())


def test_a_lasting_effect_that_the_fit_calls_detectable_is_found_more_often_than_not():
    fits = [effect(_kept_up(seed, 0.45), method="adstock", scale="log1p") for seed in range(12)]
    found = [fit for fit in fits if fit.diagnostics["long_run_elasticity_interval"][0] > 0]
    typical = np.median([smallest_lasting_effect(fit).elasticity for fit in fits])
    assert typical < 0.45 * 1.5 / 2.5 and len(found) >= 8


def test_a_lasting_effect_asks_for_a_fit_with_carry_over():
    with pytest.raises(RequestError, match="a lasting effect needs the method 'adstock'; got an effect of 'ppml_fe'"):
        smallest_lasting_effect(effect(simulate()))
