"""Errors, effective clusters and the wild bootstrap under the visit effects."""

import numpy as np
import pandas as pd
import pytest
from visiting import simulate

from kamlib.errors import ModelError
from kamlib.studies.effects.panels import prepare
from kamlib.studies.effects.regressions import regress, webb_weights, wild_interval, wild_p_value


@pytest.fixture(scope="module")
def ready():
    return prepare(simulate(), "revenue", "visits", unit="account_id", time="month")


def clusters(generator, count=8, size=40, spread=0.3):
    """Per cluster Σ x y and Σ x x of y = 0 + cluster shock + noise."""
    x = generator.normal(1, 0.5, (count, size))
    y = spread * generator.normal(size=(count, 1)) + generator.normal(size=(count, size))
    return (x * y).sum(axis=1), (x * x).sum(axis=1)


def test_the_wild_bootstrap_covers_with_eight_clusters_where_the_normal_interval_does_not():
    generator = np.random.default_rng(5)
    covered, normal = [], []
    for draw in range(150):
        cross, information = clusters(generator)
        low, high = wild_interval(cross, information, 0.9, seed=draw, draws=199)
        estimate = cross.sum() / information.sum()
        error = np.sqrt(((cross - estimate * information) ** 2).sum()) / information.sum()
        covered.append(low <= 0 <= high)
        normal.append(abs(estimate) <= 1.645 * error)
    assert 0.85 <= np.mean(covered) <= 0.96
    assert np.mean(normal) < np.mean(covered)


def test_the_interval_of_the_wild_bootstrap_leaves_out_what_its_test_rejects():
    cross, information = clusters(np.random.default_rng(1), count=10)
    low, high = wild_interval(cross, information, 0.9, seed=0)
    for end, direction in ((low, -1), (high, 1)):
        beyond = end + direction * 1e-3
        assert wild_p_value(cross, information, beyond, webb_weights(0, (1999, 10))) <= 0.1


def test_two_clusters_give_no_finite_interval():
    assert wild_interval(np.array([3.0, 5.0]), np.array([2.0, 2.0]), 0.9, seed=0) == (-np.inf, np.inf)


def test_equal_clusters_are_worth_their_number_and_one_giant_is_worth_one(ready):
    even = regress(ready.frame, ["x"], ready.cluster_columns)
    assert 45 < even.inference(0).effective_clusters <= 60
    giant = ready.frame.assign(y=ready.frame["y"] * np.where(ready.frame["unit"] == 0, 1e6, 1))
    uneven = regress(giant, ["x"], ready.cluster_columns, family="ppml", effects=("unit",))
    assert uneven.inference(0).effective_clusters < 1.1


def test_collinear_regressors_are_refused(ready):
    twin = ready.frame.assign(twin=2 * ready.frame["x"])
    with (
        pytest.warns(UserWarning, match="dropped due to multicollinearity"),
        pytest.raises(ModelError, match="regressors x, twin are collinear after account and month effects"),
    ):
        regress(twin, ["x", "twin"], ready.cluster_columns)


@pytest.mark.parametrize("managers", ["none", "fixed", "changing"])
def test_a_regression_read_again_from_its_parts_has_the_same_error(managers):
    panel = simulate(accounts=150)
    if managers != "none":
        month = np.arange(len(panel)) % 24
        moves = (month > 12) * (np.arange(len(panel)) // 24 % 3) * (managers == "changing")
        panel["manager_id"] = (panel["account_id"].str[-2:].astype(int) + moves) % 40
    ready = prepare(panel, "revenue", "visits", unit="account_id", time="month")
    fit = regress(ready.frame, ["x"], ready.cluster_columns, family="ppml")
    weight, residual = fit.frame["weight"].to_numpy(), fit.frame["residual"].to_numpy()
    again = fit.inferred(float(fit.coefficients["x"]), fit.partialled(), weight, residual, seed=0)
    assert again.error == pytest.approx(fit.standard_error(), rel=1e-5)
    assert again.p_value() == pytest.approx(fit.inference(0).p_value(), rel=1e-4)


def test_a_two_way_covariance_with_a_negative_variance_is_not_taken():
    draw, rows = np.random.default_rng(174), 80  # the largest variance of x comes with a negative one of slope
    frame = pd.DataFrame({"unit": np.repeat(range(8), 10), "time": np.tile(range(10), 8)})
    frame = frame.assign(x=draw.normal(size=rows), slope=draw.normal(size=rows), y=draw.poisson(5, rows).astype(float))
    frame = frame.assign(cluster0=frame["unit"], cluster1=draw.integers(0, 6, rows))
    fit = regress(frame, ["x", "slope"], ["cluster0", "cluster1"], family="ppml")
    assert (np.diag(fit.covariance) > 0).all()
