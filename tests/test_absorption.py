"""Both effects absorbed exactly: the same figures as pyfixest, in a fraction of its time."""

import numpy as np
import pandas as pd
import pyfixest as pf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kamlib.errors import ModelError
from kamlib.studies.effects import absorption
from kamlib.studies.effects.absorption import TwoWay


def ragged(seed: int, accounts=30, months=12, kept=0.8) -> pd.DataFrame:
    """A panel with holes: y Poisson around account, month and two regressors, and positive weights."""
    generator = np.random.default_rng(seed)
    unit, time = np.repeat(np.arange(accounts), months), np.tile(np.arange(months), accounts)
    x, z = generator.normal(size=(2, accounts * months))
    size = generator.normal(size=accounts)[unit] + 0.2 * generator.normal(size=months)[time]
    y = generator.poisson(np.exp(2 + size + 0.3 * x - 0.2 * z)).astype(float)
    weight = generator.uniform(0.5, 2, len(y))
    frame = pd.DataFrame({"unit": unit, "time": time, "x": x, "z": z, "y": y, "weight": weight})
    frame = frame[generator.random(len(y)) < kept]
    return frame[frame.groupby("unit")["y"].transform("sum") > 0]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_residuals_are_those_of_a_weighted_two_way_regression(seed):
    frame = ragged(seed)
    mine = TwoWay.of(frame).residuals(frame[["x", "z"]].to_numpy(), frame["weight"].to_numpy())
    for name, column in zip(("x", "z"), mine.T, strict=True):
        theirs = pf.feols(f"{name} ~ 1 | unit + time", frame, weights="weight", vcov="iid").resid()
        assert column == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_the_poisson_fit_is_that_of_pyfixest(seed):
    frame = ragged(seed)
    mine = TwoWay.of(frame).poisson(frame["y"].to_numpy(), frame[["x", "z"]].to_numpy())
    theirs = pf.fepois("y ~ x + z | unit + time", frame, separation_check=[], fixef_tol=1e-10, iwls_tol=1e-12)
    assert mine.coefficients == pytest.approx(theirs.coef().to_numpy(), abs=1e-8)
    assert mine.mean * frame["y"].mean() == pytest.approx(theirs.predict(type="response"), rel=1e-6)


def test_two_islands_of_accounts_that_share_no_month_are_absorbed_each_for_itself():
    frame = ragged(0, kept=1.0)
    frame = frame[(frame["unit"] < 15) == (frame["time"] < 6)]
    left = TwoWay.of(frame).residuals(frame[["x"]].to_numpy(), np.ones(len(frame)))[:, 0]
    for column in ("unit", "time"):
        assert pd.Series(left).groupby(frame[column].to_numpy()).sum().abs().max() < 1e-10


def test_a_start_near_the_answer_changes_nothing_of_it():
    frame = ragged(1)
    layout, y, x = TwoWay.of(frame), frame["y"].to_numpy(), frame[["x"]].to_numpy()
    cold = layout.poisson(y, x)
    warm = layout.poisson(y, x, start=layout.poisson(y, 0.9 * x + 0.1).mean)
    assert warm.coefficients == pytest.approx(cold.coefficients, abs=1e-9)
    assert warm.log_likelihood == pytest.approx(cold.log_likelihood, abs=1e-9)


def test_iterations_that_do_not_settle_are_refused(monkeypatch):
    monkeypatch.setattr(absorption, "MOST_STEPS", 2)
    frame = ragged(2)
    with pytest.raises(ModelError, match="did not converge in 2 iterations; try fewer covariates or a log scale"):
        TwoWay.of(frame).poisson(frame["y"].to_numpy(), frame[["x"]].to_numpy())
