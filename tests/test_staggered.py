"""Callaway & Sant'Anna: the published figures of county teen employment, simulated truth, and refusals."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kamlib.errors import ModelError, RequestError
from kamlib.studies.staggered import staggered

COLUMNS = ("revenue", "account_id", "month", "began")


@pytest.fixture(scope="module")
def mpdta(shared_data):
    counties = pd.read_csv(shared_data / "mpdta" / "mpdta.csv")
    return staggered(counties, "lemp", "countyreal", "year", "first_treat")


@pytest.fixture(scope="module")
def counties(shared_data):
    return pd.read_csv(shared_data / "mpdta" / "mpdta.csv")


def programme(seed=0, accounts=120, months=8, effect=0.5, noise=0.3) -> pd.DataFrame:
    """Accounts that begin in month 3, 5 or never; from then on they gain ``effect`` more every month."""
    generator = np.random.default_rng(seed)
    began = generator.choice([3, 5, 0], accounts)[:, None]
    when = np.arange(1, months + 1)[None, :]
    gain = effect * (when - began + 1) * ((began > 0) & (when >= began))
    revenue = generator.normal(size=(accounts, 1)) + 0.2 * when + gain + noise * generator.normal(size=gain.shape)
    index = pd.MultiIndex.from_product([range(accounts), range(1, months + 1)], names=["account_id", "month"])
    frame = pd.DataFrame({"revenue": revenue.ravel(), "began": np.repeat(began.ravel(), months)}, index=index)
    return frame.reset_index()


# published figures: R package did, county teen employment, never-treated controls, no covariates


@pytest.mark.parametrize(
    ("group", "time", "estimate"),
    [
        (2004, 2004, -0.0105),
        (2004, 2005, -0.0704),
        (2004, 2006, -0.1373),
        (2004, 2007, -0.1008),
        (2006, 2006, -0.0046),
        (2006, 2007, -0.0412),
        (2007, 2007, -0.0261),
    ],
)
def test_group_time_effects_of_the_minimum_wage(mpdta, group, time, estimate):
    cell = mpdta.att.set_index(["g", "t"]).loc[(group, time)]
    assert cell["estimate"] == pytest.approx(estimate, abs=5e-5)


@pytest.mark.parametrize(("average", "estimate"), [("dynamic", -0.0772), ("group", -0.0310), ("simple", -0.0400)])
def test_averages_of_the_minimum_wage(mpdta, average, estimate):
    assert getattr(mpdta, average).estimate == pytest.approx(estimate, abs=5e-5)


def test_five_hundred_counties_are_used_and_309_are_never_treated(mpdta):
    assert (mpdta.n, mpdta.n_units, mpdta.n_never, mpdta.n_dropped) == (2500, 500, 309, {})


def test_years_may_be_dates_and_a_wage_set_in_july_begins_in_its_year(counties, mpdta):
    july = pd.to_datetime(counties["first_treat"].replace(0, np.nan).astype("Int64").astype("string") + "-07-15")
    dated = counties.assign(year=pd.to_datetime(counties["year"].astype(str)), first_treat=july)
    found = staggered(dated, "lemp", "countyreal", "year", "first_treat")
    assert found.att["estimate"].tolist() == mpdta.att["estimate"].tolist()
    assert found.att["g"].iloc[0] == pd.Timestamp("2004-01-01")


def test_later_beginners_may_be_controls(counties, mpdta):
    found = staggered(counties, "lemp", "countyreal", "year", "first_treat", control="not_yet")
    controls = found.att.set_index(["g", "t"])["n_controls"]
    assert controls[(2004, 2004)] == 309 + 40 + 131
    assert controls[(2007, 2007)] == 309


# truth


def test_growing_effects_are_recovered_by_time_since_the_beginning():
    found = staggered(programme(accounts=600, noise=0.1), *COLUMNS)
    after = found.dynamic.by[found.dynamic.by["event_time"] >= 0]
    assert after["estimate"].to_numpy() == pytest.approx(0.5 * (after["event_time"] + 1).to_numpy(), abs=0.05)
    assert found.dynamic.by.query("event_time < 0")["estimate"].abs().max() < 0.05


def test_intervals_cover_the_truth_at_their_level():
    truth = 0.5 * np.mean([1, 2, 3, 4, 5, 6])
    runs = [staggered(programme(seed), *COLUMNS).dynamic.interval for seed in range(120)]
    assert 0.82 <= np.mean([low <= truth <= high for low, high in runs]) <= 0.97


def test_parallel_trends_are_rejected_when_beginners_were_already_growing():
    drifting = programme()
    drifting["revenue"] += 0.3 * drifting["month"] * (drifting["began"] > 0)
    assert staggered(drifting, *COLUMNS).pretrend_p < 1e-6
    assert staggered(programme(), *COLUMNS).pretrend_p > 0.05


def test_a_band_for_all_cells_is_wider_than_a_single_interval():
    pointwise, band = staggered(programme(), *COLUMNS), staggered(programme(), *COLUMNS, draws=500)
    assert band.critical > pointwise.critical == pytest.approx(1.645, abs=1e-3)
    assert (band.att["high"] > pointwise.att["high"]).all()


def test_clusters_of_copies_have_the_error_of_the_originals():
    plain = programme(accounts=60)
    copies = pd.concat([plain, plain.assign(account_id=plain["account_id"] + 1000)])
    copies["region"] = copies["account_id"] % 1000
    clustered = staggered(copies, *COLUMNS, cluster="region")
    assert clustered.simple.standard_error == pytest.approx(staggered(plain, *COLUMNS).simple.standard_error)


# invariances


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.floats(-1e4, 1e4))
def test_row_order_and_a_common_shift_change_nothing(seed, shift):
    plain = programme(accounts=30)
    other = plain.sample(frac=1, random_state=seed).assign(revenue=lambda rows: rows["revenue"] + shift)
    expected = staggered(plain, *COLUMNS).att["estimate"].to_numpy()
    assert staggered(other, *COLUMNS).att["estimate"].to_numpy() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("never", [0, np.nan, np.inf, 99])
def test_never_may_be_zero_missing_infinite_or_after_the_end(never):
    plain = programme()
    other = plain.assign(began=plain["began"].astype(float).replace(0, never))
    assert staggered(other, *COLUMNS).simple.estimate == staggered(plain, *COLUMNS).simple.estimate


# left out and refused


def test_units_with_missing_months_are_left_out_and_counted():
    holes = programme().drop(index=[0, 9])
    found = staggered(holes, *COLUMNS)
    assert found.n_dropped == {"not seen with revenue in every period": 2}
    assert found.n_units == 118


def test_units_treated_from_the_start_are_left_out_and_counted():
    early = programme()
    early.loc[early["account_id"] < 4, "began"] = 1
    assert staggered(early, *COLUMNS).n_dropped == {"treated from the first period on": 4}


def test_a_unit_with_two_beginnings_is_refused():
    twice = programme()
    twice.loc[0, "began"] = 7
    with pytest.raises(RequestError, match="1 units have more than one began, the first 0; give each unit one value"):
        staggered(twice, *COLUMNS)


def test_a_programme_nobody_joined_is_refused():
    with pytest.raises(ModelError, match="no unit begins treatment after the first period; check began"):
        staggered(programme().assign(began=0), *COLUMNS)


def test_a_programme_everybody_joined_needs_later_beginners_as_controls():
    joined = programme().query("began > 0")
    with pytest.raises(ModelError, match="no period has both treated and never-treated units; try control='not_yet'"):
        staggered(joined, *COLUMNS)
    found = staggered(joined, *COLUMNS, control="not_yet")
    assert found.att.query("is_post")[["g", "t"]].to_numpy().tolist() == [[3, 3], [3, 4]]


def test_an_unknown_control_is_refused():
    with pytest.raises(RequestError, match="control must be one of never, not_yet; got 'all'"):
        staggered(programme(), *COLUMNS, control="all")


def test_numbers_and_dates_are_not_compared():
    mixed = programme()
    mixed["month"] = pd.to_datetime("2025-01-01") + pd.to_timedelta(31 * mixed["month"], unit="D")
    with pytest.raises(RequestError, match="column month mixes numbers and dates; give all periods in the same terms"):
        staggered(mixed, *COLUMNS)


# few that begin at a time


def begun(beginnings, seed=0, periods=8) -> pd.DataFrame:
    """Accounts of pure noise that begin when told, 0 for never."""
    noise = np.random.default_rng(seed).normal(size=(len(beginnings), periods))
    index = pd.MultiIndex.from_product([range(len(beginnings)), range(1, periods + 1)], names=["account_id", "month"])
    frame = pd.DataFrame({"revenue": noise.ravel(), "began": np.repeat(beginnings, periods)}, index=index)
    return frame.reset_index()


def test_a_single_beginner_has_an_effect_but_no_interval():
    found = staggered(begun([4] + [0] * 39), *COLUMNS)
    assert np.isfinite(found.simple.estimate)
    assert found.att[["se", "low", "high"]].isna().all(axis=None)
    assert np.isnan(found.simple.standard_error)
    assert np.isnan(found.pretrend_p)


def test_a_single_account_to_compare_with_shows_no_error_either():
    assert np.isnan(staggered(begun([0] + [4] * 39), *COLUMNS).simple.standard_error)


def test_errors_of_other_groups_stand_beside_a_single_beginner():
    found = staggered(begun([3] + [5] * 10 + [0] * 20), *COLUMNS).att.set_index("g")
    assert found.loc[3, "se"].isna().all()
    assert found.loc[5, "se"].notna().all()


def test_a_small_sample_leaves_single_beginners_out_and_counts_them():
    found = staggered(begun([3] + [5] * 10 + [0] * 20), *COLUMNS, is_small_sample=True)
    assert found.n_dropped == {"alone in its beginning": 1}
    assert set(found.att["g"]) == {5}


def test_a_small_sample_has_the_errors_of_an_unbiased_variance():
    rows = begun([5, 5] + [0] * 1000)
    plain, scaled = (staggered(rows, *COLUMNS, is_small_sample=small).att.iloc[-1]["se"] for small in (False, True))
    assert scaled / plain == pytest.approx(np.sqrt(2), rel=0.01)
