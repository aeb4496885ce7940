"""Response curves: printed figures, shapes, and judgements that cannot be met."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kamlib.errors import RequestError
from kamlib.studies.allocation import Adbudg, Power

CALIBRATED = Adbudg.calibrate(zero=0.15, half=None, present=1, half_more=1.2, saturation=1.35)

curves = st.builds(Adbudg, a=st.floats(0, 0.9), b=st.floats(1.1, 3), c=st.floats(0.2, 6), d=st.floats(0.05, 5))


def test_four_judgements_give_the_printed_parameters():
    assert pytest.approx(0.411765, abs=5e-7) == CALIBRATED.d
    assert pytest.approx(2.610846, abs=5e-7) == CALIBRATED.c


def test_the_calibrated_curve_gives_the_printed_index_at_half_and_at_twice():
    assert CALIBRATED(0.5) == pytest.approx(0.491364, abs=5e-7)
    assert CALIBRATED(2) == pytest.approx(1.274220, abs=5e-7)


def test_a_fifth_judgement_that_agrees_changes_nothing():
    assert Adbudg.calibrate(0.15, 0.491364, 1, 1.2, 1.35) == CALIBRATED


def test_five_judgements_that_disagree_are_met_with_the_least_squared_error():
    def error(c):
        curve = Adbudg(0.15, 1.35, c, CALIBRATED.d)
        return (curve(0.5) - 0.6) ** 2 + (curve(1.5) - 1.2) ** 2

    fitted = Adbudg.calibrate(0.15, 0.6, 1, 1.2, 1.35)
    assert error(fitted.c) == pytest.approx(min(error(c) for c in np.linspace(1, 4, 3001)), abs=1e-7)


def test_half_alone_is_met_exactly():
    assert Adbudg.calibrate(0.15, 0.6, 1, None, 1.35)(0.5) == pytest.approx(0.6)


@settings(deadline=None)
@given(zero=st.floats(0, 0.4), half=st.floats(0.45, 0.95), more=st.floats(1.02, 1.3), saturation=st.floats(1.35, 4))
def test_a_calibrated_curve_meets_nothing_the_present_and_saturation(zero, half, more, saturation):
    curve = Adbudg.calibrate(zero, half, 1, more, saturation)
    assert curve(0) == zero
    assert curve(1) == pytest.approx(1)
    assert curve(1e300) == pytest.approx(saturation)


@settings(deadline=None)
@given(k=st.floats(0.01, 1e6))
def test_judgements_in_money_give_the_same_curve_in_money(k):
    curve = Adbudg.calibrate(0.15 * k, 0.6 * k, k, 1.2 * k, 1.35 * k)
    assert curve(0.7) == pytest.approx(k * Adbudg.calibrate(0.15, 0.6, 1, 1.2, 1.35)(0.7), rel=1e-4)


@settings(deadline=None)
@given(curve=curves, x=st.floats(0, 1e3), more=st.floats(0, 1e3))
def test_more_effort_never_sells_less_and_stays_between_the_ends(curve, x, more):
    assert curve.a <= curve(x) <= curve(x + more) + 1e-12 <= curve.b + 2e-12


@settings(deadline=None)
@given(curve=curves, x=st.floats(0.05, 20))
def test_the_derivative_of_adbudg_is_its_slope(curve, x):
    step = 1e-5 * x
    assert curve.derivative(x) == pytest.approx((curve(x + step) - curve(x - step)) / (2 * step), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(("c", "slope"), [(2, 0), (1, 2), (0.5, np.inf)])
def test_the_slope_without_effort_depends_on_the_shape(c, slope):
    assert Adbudg(0, 1, c, 0.5).derivative(0) == slope


def test_a_curve_takes_an_array():
    assert CALIBRATED(np.array([0, 1])).tolist() == pytest.approx([0.15, 1])


def test_a_scaled_curve_gives_present_sales_at_present_calls():
    response = CALIBRATED.scaled(sales=2000, present_calls=4)
    assert response([0, 4, 6]) == pytest.approx([300, 2000, 2400])
    assert response.derivative(4) == pytest.approx((response(4.001) - response(3.999)) / 0.002, rel=1e-5)


def test_power_sales_and_slope():
    assert Power(100, 0.5)([0, 4]).tolist() == [0, 200]
    assert Power(100, 0.5).derivative(4) == 25
    assert Power(100, 0.5).derivative(0) == np.inf


@pytest.mark.parametrize(
    ("judgements", "message"),
    [
        ((0.15, 0.1, 1, 1.2, 1.35), r"must rise from zero to saturation.*\[0.15, 0.1, 1, 1.2, 1.35\]"),
        ((0.15, 0.5, 1, 1.4, 1.35), "must rise from zero to saturation"),
        ((0.15, None, 1, None, 1.35), "half or half_more given"),
        ((0.15, float("nan"), 1, 1.2, 1.35), "must rise from zero to saturation"),
    ],
)
def test_judgements_that_do_not_rise_are_refused(judgements, message):
    with pytest.raises(RequestError, match=message):
        Adbudg.calibrate(*judgements)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Adbudg(1, 0.5, 2, 1), "b must be at least a, and c and d above 0"),
        (lambda: Adbudg(0, 1, 0, 1), "c and d above 0"),
        (lambda: Power(-1, 0.3), "scale must be 0 or more, and elasticity above 0"),
        (lambda: Power(1, 0), "elasticity above 0"),
        (lambda: CALIBRATED.scaled(100, 0), "present_calls 0: calls must be above 0"),
        (lambda: CALIBRATED(-1), "Calls must be 0 or more; the least given is -1.0"),
        (lambda: Power(1, 0.3)([1, float("nan")]), "Calls must be 0 or more; the least given is nan"),
    ],
)
def test_a_curve_that_makes_no_sense_is_refused(make, message):
    with pytest.raises(RequestError, match=message):
        make()


def test_an_index_that_is_no_number_is_called_so():
    with pytest.raises(RequestError, match="a, b, c and d must be finite numbers"):
        Adbudg(float("nan"), 1, 1, 1)
