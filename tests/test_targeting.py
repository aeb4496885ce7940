"""Do visits follow sales: silent where they do not, loud where they do, and indifferent to names and money."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from visiting import frame

from kamlib.errors import RequestError
from kamlib.studies.effects import targeting_test

SHAPE = (200, 30)


def aimed(follow=0.0, rhythm=0.0, carry=0.45, seed=0):
    """Lasting swings of demand, visits that sell, keep a rhythm of their own and ``follow`` the swing of a month ago."""
    draw = np.random.default_rng(seed)
    swing, pace = draw.normal(size=SHAPE), draw.normal(size=SHAPE)
    for month in range(1, SHAPE[1]):
        swing[:, month] = 0.7 * swing[:, month - 1] + 0.71 * swing[:, month]
        pace[:, month] = 0.7 * pace[:, month - 1] + 0.71 * pace[:, month]
    ago = np.roll(swing, 1, axis=1)
    visits = draw.poisson(1.5 * np.exp(follow * ago + rhythm * pace)).astype(float)
    stock = visits.copy()
    for month in range(1, SHAPE[1]):
        stock[:, month] = (1 - carry) * visits[:, month] + carry * stock[:, month - 1]
    size = np.exp(1.2 * draw.normal(size=(SHAPE[0], 1)))
    sales = 100 * size * (1 + stock) ** 0.3 * np.exp(0.25 * swing) * draw.gamma(2, 0.5, SHAPE)
    return frame(SHAPE, revenue=sales, visits=visits)


@pytest.mark.parametrize("rhythm", [0.0, 0.5])
def test_visits_with_a_rhythm_of_their_own_are_refused_no_more_often_than_promised(rhythm):
    p_values = [targeting_test(aimed(rhythm=rhythm, seed=seed), scale="log1p").p_value for seed in range(12)]
    assert np.mean(np.array(p_values) < 0.05) <= 0.25


@pytest.mark.parametrize("follow", [0.3, -0.3])
def test_visits_that_run_after_sales_are_seen_whichever_way_they_run(follow):
    found = targeting_test(aimed(follow=follow), scale="log1p")
    assert not found.passed
    assert np.sign(found.estimate) == np.sign(follow) == np.sign(found.interval[0]) == np.sign(found.interval[1])


@settings(max_examples=5, deadline=None)
@given(st.floats(0.01, 1000))
def test_the_unit_of_money_changes_nothing(scale):
    panel = aimed()
    cents = panel.assign(revenue=scale * panel["revenue"])
    assert targeting_test(cents).p_value == pytest.approx(targeting_test(panel).p_value, abs=0.002)


def test_an_account_that_always_buys_the_same_has_no_surprise_to_follow():
    panel = aimed()
    same = panel["account_id"] == panel["account_id"].iloc[0]
    found = targeting_test(panel.assign(revenue=panel["revenue"].mask(same, 0.0)))
    assert found.n_accounts == SHAPE[0] - 1


def test_a_history_too_short_says_how_many_months_it_has():
    short = aimed()
    short = short[short["month"].isin(short["month"].unique()[:4])]
    with pytest.raises(RequestError, match="lags=3 leave 1 of the 4 periods; ask for fewer"):
        targeting_test(short)


def test_no_past_visits_are_refused():
    with pytest.raises(RequestError, match="lags must be at least 1; got 0"):
        targeting_test(aimed(), lags=0)
