"""Offers dealt at random: balanced, repeatable, without effect where there is none, and read where there is one."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamlib.errors import RequestError
from kamlib.studies.visits import experiment
from kamlib.studies.visits.trial import finished

classes = st.lists(st.sampled_from("ABC"), min_size=1, max_size=60).map(
    lambda names: pd.Series(names, index=[f"a{i:03d}" for i in range(len(names))])
)


@given(classes, st.floats(0.05, 0.95), st.integers(0, 1000))
def test_every_class_gets_its_share_to_within_one_account(class_of, share, seed):
    offers = experiment.randomise(class_of, share, seed)
    for _, part in offers.groupby("class"):
        assert abs(part["is_offered"].sum() - share * len(part)) < 1


@given(classes, st.integers(0, 1000))
def test_the_same_seed_makes_the_same_offers_whatever_the_order_of_accounts(class_of, seed):
    shuffled = class_of.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(experiment.randomise(class_of, seed=seed), experiment.randomise(shuffled, seed=seed))


def test_every_account_of_a_class_is_as_likely_to_be_offered():
    class_of = pd.Series(["A"] * 5, index=list("vwxyz"))
    chosen = np.mean([experiment.randomise(class_of, 0.5, seed)["is_offered"] for seed in range(2000)], axis=0)
    assert np.abs(chosen - 0.5).max() < 0.05


@pytest.mark.parametrize("share", [0, 1, -0.1])
def test_a_share_that_leaves_one_kind_empty_is_refused(share):
    with pytest.raises(RequestError, match="share must lie between 0 and 1, so that some are offered and some not"):
        experiment.randomise(pd.Series({"a": "A"}), share)


def _panel(accounts=80, months=24, lift=0.0, seed=0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    days = pd.date_range("2024-01-01", periods=months, freq="MS")
    frame = pd.MultiIndex.from_product([[f"a{i:03d}" for i in range(accounts)], days], names=["account_id", "month"])
    panel = frame.to_frame(index=False)
    size = rng.lognormal(3, 1, accounts).repeat(months)
    is_offered = np.arange(accounts).repeat(months) % 2 == 0
    is_since = panel["month"] >= days[-3]
    panel["visits"] = 2.0 + (is_offered & is_since)
    panel["revenue"] = size * rng.gamma(8, 1 / 8, len(panel)) * np.where(is_offered & is_since, 1 + lift, 1)
    return panel


class _Events:
    """As much of a book as the analysis asks for."""

    def __init__(self, offered, when="2025-10-06"):
        self.rows = pd.DataFrame({"event_id": "E", "account_id": offered, "event_date": pd.Timestamp(when)})

    def has(self, name):
        return True

    def frame(self, name):
        return self.rows


@cache
def _finished(lift, seed=0):
    panel = _panel(lift=lift, seed=seed)
    accounts = panel["account_id"].unique()
    class_of = pd.Series("A", index=accounts)
    return finished(_Events(accounts[::2]), panel, class_of, "E", seed=seed)


def test_a_real_lift_is_found_with_its_size():
    trial = _finished(0.4)
    assert trial.low < 0.4 < trial.high and trial.low > 0 and trial.p_value < 0.01
    assert trial.extra_visits == pytest.approx(1.0)


def test_without_an_effect_the_interval_holds_zero_about_nine_times_in_ten():
    held = [trial.low < 0 < trial.high for trial in (_finished(0.0, seed) for seed in range(30))]
    assert 23 <= sum(held) <= 30


def test_the_power_calculation_foretells_the_error_of_the_analysis():
    panel = _panel()
    class_of = pd.Series("A", index=panel["account_id"].unique())
    design = experiment.design(panel.assign(visits=2.0), class_of, lengths=(3,))
    foretold = design.detectable["error"].iloc[0]
    seen = np.std([np.log1p(_finished(0.0, seed).lift) for seed in range(30)])
    assert foretold == pytest.approx(seen, rel=0.4)


def test_a_trial_that_is_not_on_record_is_refused():
    panel = _panel(accounts=6)
    class_of = pd.Series("A", index=panel["account_id"].unique())
    with pytest.raises(RequestError, match="no event 'X' is on record; the experiment's offers belong into"):
        finished(_Events(["a000"]), panel, class_of, "X")


def test_a_trial_offered_to_nobody_that_bought_is_refused():
    panel = _panel(accounts=6)
    panel.loc[panel["account_id"] == "a000", "revenue"] = 0.0
    with pytest.raises(RequestError, match="offers 0 of 5 accounts that bought before it"):
        finished(_Events(["a000"]), panel, pd.Series("A", index=panel["account_id"].unique()), "E")


def test_a_trial_that_has_not_run_its_months_is_refused():
    panel = _panel(accounts=6)
    class_of = pd.Series("A", index=panel["account_id"].unique())
    with pytest.raises(
        RequestError, match="offers 1 of 6 accounts that bought before it and has 1 of 3 complete months"
    ):
        finished(_Events(["a000"], "2025-12-01"), panel, class_of, "E")


def test_too_few_buyers_make_no_experiment():
    panel = _panel(accounts=3)
    assert experiment.design(panel, pd.Series("A", index=panel["account_id"].unique())) is None


def test_the_lift_to_expect_is_that_of_one_more_visit_by_the_estimate_or_by_its_upper_end_or_by_the_literature():
    panel = _panel().assign(visits=2.0)
    class_of = pd.Series("A", index=panel["account_id"].unique())
    own = experiment.design(panel, class_of, effect=(0.3, 0.1, 0.5))
    assert own.expected_from == "estimate" and own.expected == pytest.approx((4 / 3) ** 0.3 - 1)
    most = experiment.design(panel, class_of, effect=(0.0, -0.1, 0.1))
    assert most.expected_from == "most" and most.expected == pytest.approx((4 / 3) ** 0.1 - 1)
    usual = experiment.design(panel, class_of)
    assert usual.expected_from == "literature" and usual.expected == pytest.approx(1.5**0.34 - 1)


def test_the_accounts_needed_are_those_with_which_the_expected_lift_would_be_seen():
    panel = _panel().assign(visits=2.0)
    design = experiment.design(
        panel, pd.Series("A", index=panel["account_id"].unique()), effect=(0.05, 0.01, 0.1), lengths=(3,)
    )
    row = design.detectable.iloc[0]
    error = row["error"] * np.sqrt(80 / row["accounts_needed"])
    assert not design.can_tell and row["accounts_needed"] > 80
    assert np.expm1((1.645 + 0.842) * error) == pytest.approx(design.expected, rel=0.02)


def test_what_works_on_from_month_to_month_is_not_all_there_in_a_short_experiment():
    panel, effect = _panel().assign(visits=2.0), (0.3, 0.1, 0.5)
    class_of = pd.Series("A", index=panel["account_id"].unique())
    lifts = experiment.design(panel, class_of, effect=effect, carry=0.5, lengths=(3, 6)).detectable["lift_expected"]
    stocks = 2 + np.array([0.5, 0.75, 0.875])
    assert lifts.iloc[0] == pytest.approx(np.mean(((1 + stocks) / 3) ** 0.3 - 1)) and lifts.is_monotonic_increasing


@given(st.floats(0, 1), st.integers(0, 99))
def test_accounts_set_aside_are_their_share_of_each_class(share, seed):
    class_of = pd.Series(["A"] * 30 + ["B"] * 11, index=[f"a{i}" for i in range(41)])
    aside = experiment.set_aside(class_of, share, seed)
    counts = class_of.reindex(aside).value_counts().reindex(["A", "B"], fill_value=0)
    assert abs(counts["A"] - 30 * share) < 1 and abs(counts["B"] - 11 * share) < 1


@pytest.mark.parametrize(
    ("lift", "effect", "verdict"),
    [(0.4, (1.0, 0.7, 1.3), "agrees"), (0.0, (1.0, 0.7, 1.3), "contradicts"), (0.4, None, "unclear")],
)
def test_a_trial_is_set_against_what_the_records_make_likely(lift, effect, verdict):
    panel = _panel(lift=lift)
    accounts = panel["account_id"].unique()
    trial = finished(_Events(accounts[::2]), panel, pd.Series("A", index=accounts), "E", effect=effect)
    assert trial.verdict == verdict


def test_an_event_whose_accounts_were_chosen_is_no_experiment():
    panel = _panel(lift=0.4)
    accounts = panel.groupby("account_id")["revenue"].sum().nlargest(40).index
    class_of = pd.Series("A", index=panel["account_id"].unique())
    trial = finished(_Events(accounts), panel, class_of, "E", effect=(1.0, 0.7, 1.3))
    assert trial.verdict == "unlike"


def test_offers_dealt_by_lot_are_seldom_refused_as_chosen():
    assert sum(_finished(0.0, seed).verdict == "unlike" for seed in range(30)) <= 2


def test_a_trial_in_which_nobody_got_more_visits_tried_nothing():
    panel = _panel(lift=0.4).assign(visits=2.0)
    accounts = panel["account_id"].unique()
    trial = finished(_Events(accounts[::2]), panel, pd.Series("A", index=accounts), "E")
    assert trial.verdict == "untreated"


def test_an_experiment_runs_until_its_months_are_over():
    panel = _panel(accounts=6)
    assert experiment.is_running(_Events(["a000"], "2025-12-01"), panel, "E")
    assert not experiment.is_running(_Events(["a000"]), panel, "E")
    assert not experiment.is_running(_Events(["a000"]), panel, "X")
