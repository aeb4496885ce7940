"""The ladder of visit effects: published figures, recovered truth, invariances, refusals."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from visiting import frame, simulate

from kamlib.errors import ModelError, RequestError
from kamlib.studies import effects

FAST = ("pooled", "ols_fe", "ppml_fe")


@pytest.fixture(scope="module")
def detailing(shared_data):
    counts = pd.read_csv(shared_data / "detailing" / "counts.csv")
    return counts.rename(columns={"id": "account_id"})


@pytest.fixture(scope="module")
def panel():
    return simulate()


@pytest.fixture(scope="module")
def carried(panel):
    return effects.effect(panel, method="adstock")


# Manchanda, Chintagunta & Rossi's physicians: figures computed independently


def test_pooled_negative_binomial_of_the_detailing_panel(detailing):
    found = effects.effect(detailing, "scripts", "detailing", "pooled")
    assert found.coefficients["Intercept"] == pytest.approx(0.5813, abs=5e-5)
    assert found.estimate == pytest.approx(0.0956, abs=5e-5)
    assert found.coefficients["lagged_scripts"] == pytest.approx(0.1009, abs=5e-5)


@pytest.mark.parametrize(
    ("method", "month_effects", "estimate", "error"),
    [("ols_fe", False, 0.1421, 0.0312), ("ols_fe", True, 0.1765, 0.0318), ("ppml_fe", True, 0.0275, 0.0050)],
)
def test_account_effects_of_the_detailing_panel(detailing, method, month_effects, estimate, error):
    found = effects.effect(detailing, "scripts", "detailing", method, month_effects=month_effects)
    assert found.estimate == pytest.approx(estimate, abs=5e-5)
    assert found.standard_error == pytest.approx(error, abs=5e-5)


def test_physicians_who_never_prescribe_are_left_out_and_counted(detailing):
    found = effects.effect(detailing, "scripts", "detailing")
    assert (found.n, found.n_accounts) == (22862, 994)
    assert found.n_dropped == {"account whose scripts is always zero": 138}


# the trap


def test_pooling_mistakes_targeting_for_effect_and_account_effects_do_not():
    trap = simulate(seed=3, accounts=300, months=36, noise=0.5)
    assert effects.effect(trap, method="pooled").estimate == pytest.approx(1.38, abs=0.1)
    assert effects.effect(trap).estimate == pytest.approx(0.31, abs=0.04)


@pytest.mark.parametrize("method", ["ols_fe", "ppml_fe", "adstock", "dml"])
def test_every_method_with_account_effects_covers_the_truth(method):
    found = effects.effect(simulate(seed=4, accounts=150, months=30), method=method, level=0.99)
    assert found.interval[0] < 0.31 < found.interval[1]
    assert found.interval[1] - found.interval[0] < 0.15


def test_a_count_with_few_zeros_enters_as_log_of_one_more():
    generator = np.random.default_rng(1)
    visits = generator.poisson(4 * np.exp(0.6 * generator.normal(size=(150, 1))), (150, 24))
    sales = generator.gamma(4, 25, (150, 24)) * (1 + visits) ** 0.31
    found = effects.effect(frame((150, 24), revenue=sales, visits=visits))
    assert found.scale == "log1p"
    assert found.estimate == pytest.approx(0.31, abs=0.05)
    assert found.elasticity == pytest.approx(found.estimate * np.average(visits / (1 + visits), weights=sales))


def test_an_exposure_in_logs_already_gives_the_same_as_its_exposure(panel):
    logged = panel.assign(log_visits=np.log(panel["visits"]))
    for method in FAST:
        mine = effects.effect(logged, exposure="log_visits", method=method)
        assert mine.estimate == pytest.approx(effects.effect(panel, method=method).estimate)
        assert mine.elasticity == pytest.approx(mine.estimate)


def test_elasticity_of_a_level_is_taken_where_the_sales_are(detailing):
    found = effects.effect(detailing, "scripts", "detailing")
    used = detailing[detailing.groupby("account_id")["scripts"].transform("sum") > 0]
    mean = np.average(used["detailing"], weights=used["scripts"])
    assert found.elasticity == pytest.approx(found.estimate * mean)


# what must not matter


@pytest.mark.parametrize("method", effects.METHODS)
def test_the_order_of_rows_and_the_names_of_accounts_change_nothing(method, panel):
    plain = effects.effect(panel, method=method)
    shuffled = panel.sample(frac=1, random_state=1)
    names = {old: f"Z{(i * 37) % 60:02}" for i, old in enumerate(reversed(panel["account_id"].unique()))}
    other = effects.effect(shuffled.assign(account_id=shuffled["account_id"].map(names)), method=method)
    assert other.estimate == pytest.approx(plain.estimate, rel=1e-6)
    assert other.interval == pytest.approx(plain.interval, rel=1e-5)


@settings(max_examples=8, deadline=None)
@given(st.floats(1e-3, 1e6))
def test_money_times_k_leaves_the_elasticity_alone(k):
    panel = simulate(accounts=30, months=12)
    plain, scaled = effects.effect(panel), effects.effect(panel.assign(revenue=k * panel["revenue"]))
    assert scaled.estimate == pytest.approx(plain.estimate, rel=1e-6)
    assert scaled.standard_error == pytest.approx(plain.standard_error, rel=1e-5)


def test_visits_counted_in_minutes_have_the_elasticity_of_hours(panel):
    minutes = effects.effect(panel.assign(visits=60 * panel["visits"]))
    assert minutes.estimate == pytest.approx(effects.effect(panel).estimate, rel=1e-6)


@pytest.mark.parametrize(
    "months",
    [
        pd.period_range("2024-01", periods=24, freq="M"),
        pd.date_range("2024-01-31", periods=24, freq="ME"),
        [f"{2024 + i // 12}-{i % 12 + 1:02}-01" for i in range(24)],
        [(2024 + i // 12) * 100 + i % 12 + 1 for i in range(24)],
        range(7, 31),
    ],
    ids=["periods", "month ends", "iso strings", "yyyymm", "numbers"],
)
def test_months_may_be_written_in_any_way(months, panel, carried):
    written = panel.assign(month=np.tile(np.array(list(months), dtype=object), 60)).infer_objects()
    assert effects.effect(written, method="adstock").estimate == pytest.approx(carried.estimate, rel=1e-6)


# rows left out


def test_missing_values_are_left_out_and_counted_never_taken_as_zero(panel):
    holes = panel.copy()
    holes.loc[:4, "revenue"], holes.loc[10:12, "visits"] = np.nan, np.nan
    found = effects.effect(holes)
    assert found.n_dropped == {"no revenue": 5, "no visits": 3}
    assert found.n == len(panel) - 8


def test_months_without_sales_stay_in_poisson_and_leave_the_log(panel):
    quiet = panel.assign(revenue=panel["revenue"].where(np.arange(len(panel)) % 5 > 0, 0))
    assert effects.effect(quiet).n == len(panel)
    assert effects.effect(quiet, method="ols_fe").n_dropped == {"revenue not positive: it has no log": len(panel) // 5}


def test_a_month_of_credits_is_left_out_and_counted(panel):
    credited = panel.assign(revenue=panel["revenue"].where(panel.index != 7, -50.0))
    assert effects.effect(credited).n_dropped == {"negative revenue": 1}


def test_mostly_negative_revenue_is_refused(panel):
    with pytest.raises(ModelError, match="1440 of 1440 rows have a negative revenue; book credits in the month"):
        effects.effect(panel.assign(revenue=-panel["revenue"]))


def test_an_account_seen_once_is_left_out_and_counted(panel):
    found = effects.effect(panel.iloc[23:])
    assert found.n_dropped == {"account with a single row": 1}


# clusters


def test_managers_with_several_accounts_replace_the_account_as_cluster(panel):
    managed = panel.assign(manager_id=panel["account_id"].str[-2:].astype(int) % 30)
    assert effects.effect(managed).diagnostics["clusters"] == {"manager_id": 30}


def test_accounts_that_change_hands_are_clustered_both_ways(panel):
    half = np.arange(len(panel)) % 24 >= 12
    managed = panel.assign(manager_id=(panel["account_id"].str[-2:].astype(int) + 3 * half) % 30)
    found = effects.effect(managed)
    assert found.diagnostics["clusters"] == {"account_id": 60, "manager_id": 30}
    assert found.standard_error >= effects.effect(panel).standard_error


def test_few_managers_bring_the_wild_bootstrap(panel):
    managed = panel.assign(manager_id=panel["account_id"].str[-2:].astype(int) % 8)
    found = effects.effect(managed)
    assert found.diagnostics["inference"] == "restricted wild cluster bootstrap, Webb weights"
    assert found.interval[0] < found.estimate < found.interval[1]


def test_five_managers_are_too_few_to_cluster_by(panel):
    managed = panel.assign(manager_id=panel["account_id"].str[-2:].astype(int) % 5)
    assert effects.effect(managed).diagnostics["clusters"] == {"account_id": 60}


# requests that are wrong


def test_an_absent_column_is_named_with_what_there_is(panel):
    with pytest.raises(
        RequestError, match=r"1 column\(s\) missing from the panel: month; did you mean Month\? It holds: account_id"
    ):
        effects.effect(panel.rename(columns={"month": "Month"}))


def test_an_unknown_method_is_refused(panel):
    with pytest.raises(RequestError, match="method must be one of pooled, ols_fe, ppml_fe, adstock, dml; got 'ols'"):
        effects.effect(panel, method="ols")


def test_repeated_account_months_are_refused(panel):
    with pytest.raises(RequestError, match=r"2 repeated rows of account_id × month, the first A000 × 2024-01; sum"):
        effects.effect(pd.concat([panel, panel.iloc[:2]]))


def test_an_exposure_that_never_changes_within_accounts_is_refused(panel):
    steady = panel.assign(visits=panel.groupby("account_id")["visits"].transform("mean"))
    with pytest.raises(ModelError, match="does not vary after account and month effects"):
        effects.effect(steady)


def test_a_log_of_zero_visits_is_refused(panel):
    zeros = panel.assign(visits=panel["visits"].where(panel.index > 3, 0.0))
    with pytest.raises(
        RequestError, match="4 rows of visits are zero and have no log; use scale='log1p' or scale='level'"
    ):
        effects.effect(zeros, scale="log")


def test_a_column_of_words_is_refused(panel):
    with pytest.raises(RequestError, match="column visits is not numeric"):
        effects.effect(panel.assign(visits="many"))


def test_a_level_of_ninety_is_refused(panel):
    with pytest.raises(RequestError, match=r"level must lie between 0 and 1 \(0.9 for a 90 % interval\); got 90"):
        effects.effect(panel, level=90)


def test_something_that_is_no_frame_is_refused():
    with pytest.raises(
        RequestError, match="panel must be a pandas DataFrame, one row per account and period; got list"
    ):
        effects.effect([1, 2])
