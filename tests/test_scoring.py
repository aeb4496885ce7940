"""Churn scores are judged by the published and recomputed figures, and ties never depend on the order of rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate
from scipy.stats import beta as beta_distribution
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from kamlib.errors import ModelError, RequestError
from kamlib.studies.scoring import auc, brier, calibration, empc, interval, lift, pr_auc, top_decile_lift

SCORES = np.array([
    0.05, 0.10, 0.12, 0.20, 0.90, 0.33, 0.40, 0.35, 0.50, 0.70,
    0.15, 0.22, 0.60, 0.08, 0.27, 0.31, 0.45, 0.55, 0.02, 0.65,
])  # fmt: skip
LABELS = np.array([0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0])
MEASURES = [top_decile_lift, auc, pr_auc, brier, empc]

cases = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=2, max_size=40)


def columns(case):
    """Scores with many ties, and labels of both kinds."""
    scores, labels = np.array(case, float).T
    assume(0 < labels.sum() < len(labels))
    return scores / 8, labels


def sample(n=2000, seed=0):
    rng = np.random.default_rng(seed)
    scores = rng.beta(1, 4, n)
    return scores, (rng.random(n) < scores).astype(int)


# --- figures ----------------------------------------------------------------------------------------------------


def test_auc_of_the_twenty_accounts():
    assert auc(SCORES, LABELS) == pytest.approx(0.92, abs=1e-12)


def test_lift_of_the_twenty_accounts():
    assert lift(SCORES, LABELS, share=0.1) == top_decile_lift(SCORES, LABELS) == pytest.approx(4.0, abs=1e-12)


def test_empc_of_the_twenty_accounts_as_the_package_empulse_computes_it():
    assert round(empc(SCORES, LABELS, benefit=200, incentive=10, contact=1, beta=(6, 14)), 6) == 11.835781


@settings(max_examples=60, deadline=None)
@given(cases)
def test_auc_average_precision_and_brier_score_are_those_of_scikit_learn(case):
    scores, labels = columns(case)
    assert auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
    assert pr_auc(scores, labels) == pytest.approx(average_precision_score(labels, scores))
    assert brier(scores, labels) == pytest.approx(brier_score_loss(labels, scores))


def best_profit(scores, labels, g, benefit, incentive, contact):
    """The profit per account at the best of all cuts, nobody included, by trying each."""
    gains = [0.0]
    for cut in np.unique(scores):
        called = scores >= cut
        kept, stays = labels[called].sum(), (1 - labels[called]).sum()
        gains.append(kept * (g * (benefit - incentive) - contact) - stays * (incentive + contact))
    return max(gains) / len(scores)


@settings(max_examples=15, deadline=None)
@given(cases, st.floats(20, 400), st.floats(0, 15), st.floats(0, 5))
def test_empc_is_the_mean_of_the_best_profit_over_the_chance_of_success(case, benefit, incentive, contact):
    scores, labels = columns(case)
    chances = np.linspace(0, 1, 801)
    best = [best_profit(scores, labels, g, benefit, incentive, contact) for g in chances]
    wanted = integrate.simpson(best * beta_distribution.pdf(chances, 6, 14), x=chances)
    assert empc(scores, labels, benefit, incentive, contact) == pytest.approx(wanted, rel=1e-3, abs=1e-3)


def test_lift_with_ties_is_its_mean_over_all_orders_of_the_ties():
    scores, labels = np.array([0.9, 0.5, 0.5, 0.5, 0.1, 0.1]), np.array([0, 1, 1, 0, 0, 0])
    rng = np.random.default_rng(0)
    broken = [lift(scores + 1e-6 * rng.permutation(6), labels, share=1 / 3) for _ in range(4000)]
    assert lift(scores, labels, share=1 / 3) == pytest.approx(1.0)
    assert np.mean(broken) == pytest.approx(1.0, abs=0.05)


def test_lift_of_a_share_between_two_accounts_counts_part_of_the_second():
    assert lift([3, 2, 1], [1, 0, 0], share=0.5) == pytest.approx(2.0)


# --- properties -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", MEASURES)
@settings(max_examples=25, deadline=None)
@given(case=cases, seed=st.integers(0, 9))
def test_the_order_of_rows_does_not_matter(measure, case, seed):
    scores, labels = columns(case)
    moved = np.random.default_rng(seed).permutation(len(scores))
    assert measure(scores[moved], labels[moved]) == pytest.approx(measure(scores, labels), rel=1e-12)


@pytest.mark.parametrize("measure", [top_decile_lift, auc, pr_auc, empc])
def test_only_the_order_of_scores_matters_to_a_ranking_measure(measure):
    assert measure(np.log(SCORES), LABELS) == pytest.approx(measure(SCORES, LABELS))


@pytest.mark.parametrize("measure", MEASURES)
def test_weights_stand_for_repeated_rows(measure):
    weights = np.arange(20) % 3
    repeated = np.repeat(np.arange(20), weights)
    assert measure(SCORES, LABELS, weights=weights) == pytest.approx(measure(SCORES[repeated], LABELS[repeated]))


@pytest.mark.parametrize("measure", MEASURES)
def test_several_samples_at_once_are_each_sample_alone(measure):
    weights = np.random.default_rng(0).integers(0, 3, (4, 20))
    assert measure(SCORES, LABELS, weights=weights) == pytest.approx(
        [measure(SCORES, LABELS, weights=one) for one in weights]
    )


def test_a_score_without_information_has_lift_one_and_the_base_rate_as_precision():
    constant = np.full(20, 0.3)
    assert (lift(constant, LABELS), auc(constant, LABELS), pr_auc(constant, LABELS)) == (1.0, 0.5, 0.25)


def test_better_chances_of_success_never_lower_the_profit():
    profits = [empc(SCORES, LABELS, beta=(6, 14 - easier)) for easier in range(0, 13, 3)]
    assert profits == sorted(profits)


def test_when_contact_never_pays_the_profit_is_zero():
    assert empc(SCORES, LABELS, benefit=11, incentive=10, contact=5) == 0


# --- intervals --------------------------------------------------------------------------------------------------


def test_shuffled_labels_have_lift_one_within_the_interval():
    scores, labels = sample(seed=4)
    inside = 0
    for seed in range(20):
        low, high = interval(top_decile_lift, scores, np.random.default_rng(seed).permutation(labels), seed, draws=200)
        inside += low <= 1 <= high
    assert inside >= 16


def test_a_good_score_has_lift_above_one_with_its_whole_interval():
    low, high = interval(top_decile_lift, *sample(), seed=1, draws=300)
    assert 1.5 < low < top_decile_lift(*sample()) < high


def test_the_interval_covers_the_truth():
    truth = auc(*sample(200_000, seed=99))
    covered = [low <= truth <= high for low, high in (interval(auc, *sample(400, s), s, draws=200) for s in range(30))]
    assert sum(covered) >= 24


def test_the_same_seed_gives_the_same_interval():
    assert interval(auc, SCORES, LABELS, seed=3, draws=50) == interval(auc, SCORES, LABELS, seed=3, draws=50)


def test_rows_of_one_account_are_drawn_together():
    scores, labels = sample(300)
    accounts = np.tile(np.arange(300), 4)
    alone = interval(auc, scores, labels, seed=1, draws=400)
    together = interval(auc, np.tile(scores, 4), np.tile(labels, 4), seed=1, draws=400, accounts=accounts)
    assert together == pytest.approx(alone, rel=1e-12)


def test_too_few_leavers_for_an_interval_are_said_to_be():
    with pytest.raises(ModelError, match=r"of 500 resamples have no leaver or no stayer \(2 of 50 left\): too few"):
        interval(auc, np.arange(50), np.arange(50) >= 48, seed=0, draws=500)


# --- calibration ------------------------------------------------------------------------------------------------


def test_probabilities_that_come_true_have_slope_one():
    found = calibration(*sample(20_000))
    low, high = found.slope_interval
    assert low < 1 < high
    assert (found.intercept, found.in_the_large) == pytest.approx((0, 0), abs=0.1)


def test_overconfident_probabilities_have_a_slope_below_one():
    scores, labels = sample(20_000)
    odds = scores / (1 - scores)
    assert calibration(odds**2 / (1 + odds**2), labels).slope == pytest.approx(0.5, abs=0.03)


def test_too_low_probabilities_are_low_in_the_large():
    scores, labels = sample(20_000)
    odds = scores / (1 - scores) / 2
    assert calibration(odds / (1 + odds), labels).in_the_large == pytest.approx(np.log(2), abs=0.06)


def test_the_curve_holds_every_account_once_in_bins_of_equal_size():
    curve = calibration(*sample(1000), bins=10).curve
    assert curve.n.tolist() == [100] * 10
    assert ((curve.low < curve.observed + 1e-12) & (curve.observed < curve.high)).all()
    assert curve.predicted.is_monotonic_increasing


def test_equal_scores_share_a_bin():
    scores = np.repeat([0.2, 0.4], 50)
    labels = np.r_[np.arange(50) < 10, np.arange(50) < 20]
    curve = calibration(scores, labels, bins=10).curve
    assert curve[["predicted", "observed", "n"]].round(9).to_numpy().tolist() == [[0.2, 0.2, 50], [0.4, 0.4, 50]]


def test_probabilities_of_zero_and_one_can_be_calibrated():
    scores, labels = np.array([0, 0, 0.5, 0.5, 1, 1.0]), [0, 1, 0, 1, 0, 1]
    assert abs(calibration(scores, labels, bins=3).slope) < 0.01


def test_scores_that_separate_the_leavers_have_no_slope():
    with pytest.raises(ModelError, match="the scores separate the 1 leavers from the 2 stayers"):
        calibration([0.1, 0.2, 0.9], [0, 0, 1])


def test_equal_probabilities_have_no_slope():
    with pytest.raises(ModelError, match="all 3 predicted probabilities are equal"):
        calibration([0.3, 0.3, 0.3], [0, 0, 1])


# --- refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([0.1, np.nan], [0, 1], "1 of 2 scores are missing or infinite: score or drop them"),
        ([0.1, 0.2], [0, 2], "labels must be 1 for accounts that left and 0"),
        ([0.1, 0.2], [0, np.nan], "labels must be 1 for accounts that left and 0"),
        ([0.1, 0.2, 0.3], [0, 1], r"scores has shape \(3,\), labels \(2,\)"),
    ],
)
def test_what_cannot_be_judged_is_refused(scores, labels, message):
    for measure in MEASURES:
        with pytest.raises(RequestError, match=message):
            measure(scores, labels)


@pytest.mark.parametrize(("labels", "left"), [([0, 0], 0), ([1, 1], 2)])
def test_without_leavers_and_stayers_there_is_nothing_to_judge(labels, left):
    for measure in MEASURES:
        with pytest.raises(ModelError, match=rf"{left} of 2 accounts left.*both are needed"):
            measure([0.1, 0.2], labels)


def test_scores_and_labels_of_different_accounts_are_refused():
    with pytest.raises(RequestError, match="scores and labels have different indexes"):
        auc(pd.Series([0.1, 0.2], index=["A", "B"]), pd.Series([0, 1], index=["B", "A"]))


def test_a_brier_score_needs_probabilities():
    with pytest.raises(RequestError, match="1 of 2 scores lie outside 0 to 1"):
        brier([0.5, 1.5], [0, 1])


@pytest.mark.parametrize("share", [0, -0.1, 1.1])
def test_a_share_is_a_share(share):
    with pytest.raises(RequestError, match=r"it must lie above 0 and not above 1"):
        lift(SCORES, LABELS, share=share)


def test_a_benefit_below_the_incentive_is_refused():
    with pytest.raises(RequestError, match="the benefit must exceed the incentive, and none may be negative"):
        empc(SCORES, LABELS, benefit=5, incentive=10)


def test_weights_of_another_length_are_refused():
    with pytest.raises(RequestError, match=r"weights has shape \(3,\), the scores \(20,\)"):
        auc(SCORES, LABELS, weights=[1, 2, 3])


@pytest.mark.parametrize("size", range(60, 80))
@pytest.mark.parametrize("happens", [0, 1])
def test_the_interval_of_a_bin_holds_what_was_observed_in_it_to_the_last_bit(size, happens):
    scores = np.linspace(0.1, 0.9, 2 * size)
    labels = np.where(np.arange(2 * size) < size, happens, np.arange(2 * size) % 2)
    curve = calibration(scores, labels, bins=2, level=0.9).curve
    assert ((curve["low"] <= curve["observed"]) & (curve["observed"] <= curve["high"])).all()
