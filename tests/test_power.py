"""The smallest detectable effect, before the effect."""

import numpy as np
import pytest
from visiting import simulate

from kamlib.errors import RequestError
from kamlib.studies.effects import effect, smallest_detectable_effect


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
