"""Markov chains: published figures, sums that must hold, and every refusal."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from kamlib.errors import RequestError
from kamlib.studies.markov import RecencyChain, SegmentChain

PFEIFER_CARRAWAY = RecencyChain(p=(0.3, 0.2, 0.15, 0.05), margin=40, cost=4, discount=0.2)
BRANDS = SegmentChain.from_matrix([[0.88, 0.12], [0.15, 0.85]], states=["ours", "theirs"])

probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=6)
labels = st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from("ABC")), min_size=1, max_size=40)


def fitted(pairs, **options) -> SegmentChain:
    before, after = zip(*pairs, strict=True)
    return SegmentChain.fit(before, after, states="ABC", **options)


# Recency chain


def test_value_over_four_periods_is_that_of_pfeifer_and_carraway():
    expected = [50.115, 4.220, 0.592, -1.980, 0]
    np.testing.assert_allclose(PFEIFER_CARRAWAY.value(periods=4), expected, atol=5e-4)


def test_value_without_end_is_that_of_pfeifer_and_carraway():
    np.testing.assert_allclose(PFEIFER_CARRAWAY.value(), [52.320, 5.554, 1.251, -1.820, 0], atol=5e-4)


def test_best_policy_of_pfeifer_and_carraway_stops_after_recency_three():
    rule = PFEIFER_CARRAWAY.best_stop()
    assert rule.stop_after == 3
    assert rule.value == pytest.approx(53.149, abs=5e-4)
    assert str(rule) == "stop after recency 3, V1 = 53.149"


def test_contacts_without_cost_give_the_second_published_vector():
    chain = RecencyChain(p=(0.5, 0.2, 0.1), margin=100, cost=0, discount=0.1)
    np.testing.assert_allclose(chain.value(), [231.08, 57.29, 21.01, 0], atol=5e-3)


def test_the_present_period_is_counted_in_full():
    assert PFEIFER_CARRAWAY.value(periods=0).tolist() == [36, -4, -4, -4, 0]


def test_an_account_whose_contacts_never_pay_is_never_contacted():
    rule = RecencyChain(p=(0.01, 0.01), margin=10, cost=5, discount=0.1).best_stop()
    assert rule == (0, 10)
    assert str(rule) == "never contact, V1 = 10.000"


def test_a_later_recency_that_pays_is_found_behind_one_that_does_not():
    assert RecencyChain(p=(0.0, 0.9), margin=100, cost=5, discount=0.1).best_stop().stop_after == 2


@settings(deadline=None)
@given(p=probabilities, margin=st.floats(0, 1e4), cost=st.floats(0, 1e3), discount=st.floats(0.01, 2))
def test_no_stopping_rule_beats_the_best(p, margin, cost, discount):
    chain = RecencyChain(p, margin, cost, discount)
    others = [chain.stopped_after(k).value()[0] for k in range(1, len(p) + 1)]
    assert chain.best_stop().value >= max([margin, *others]) - 1e-9 * max(margin, 1)


@settings(deadline=None)
@given(p=probabilities, discount=st.floats(0.05, 2))
def test_many_periods_approach_the_value_without_end(p, discount):
    chain = RecencyChain(p, margin=40, cost=4, discount=discount)
    np.testing.assert_allclose(chain.value(periods=800), chain.value(), rtol=1e-9, atol=1e-9)


@settings(deadline=None)
@given(p=probabilities)
def test_rows_of_the_recency_chain_sum_to_one(p):
    np.testing.assert_allclose(RecencyChain(p, 40, 4, 0.2).transition.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"p": (0.3, 1.2)}, r"p needs one probability in \[0, 1\] per recency; wrong: \{2: 1.2\}"),
        ({"p": ()}, "wrong: it is empty"),
        ({"p": (float("nan"),)}, r"wrong: \{1: nan\}"),
        ({"cost": -1}, "cost -1: give finite money, cost 0 or more"),
        ({"margin": float("inf")}, "margin inf"),
        ({"discount": -0.1}, "discount is -0.1; give a rate per period of 0 or more"),
    ],
)
def test_a_wrong_recency_chain_is_refused(change, message):
    with pytest.raises(RequestError, match=message):
        RecencyChain(**({"p": (0.3,), "margin": 40, "cost": 4, "discount": 0.2} | change))


def test_a_value_without_end_needs_a_discount():
    with pytest.raises(RequestError, match="without end needs a discount above 0; or give a number of periods"):
        RecencyChain((0.3,), 40, 4, 0).value()


@pytest.mark.parametrize("periods", [-1, 1.5])
def test_periods_must_be_a_whole_number(periods):
    with pytest.raises(RequestError, match=f"periods is {periods}; give a whole number of 0 or more"):
        PFEIFER_CARRAWAY.value(periods=periods)


def test_stopping_after_a_recency_beyond_the_chain_is_refused():
    with pytest.raises(RequestError, match="recency is 5; this chain has recency 1 to 4"):
        PFEIFER_CARRAWAY.stopped_after(5)


# Segment chain from a matrix


def test_brand_switching_projects_to_the_published_shares():
    ours = BRANDS.project([0.25, 0.75], periods=2)["ours"]
    np.testing.assert_allclose(ours, [0.25, 0.3325, 0.392725], atol=1e-12)


def test_brand_switching_settles_at_the_published_share():
    assert BRANDS.long_run()["ours"] == pytest.approx(0.5556, abs=5e-5)


def test_the_segment_chain_counts_the_present_period_as_the_recency_chain_does():
    chain = SegmentChain.from_matrix(PFEIFER_CARRAWAY.transition)
    for periods in (None, 0, 4):
        equity = chain.value(PFEIFER_CARRAWAY.reward, periods, discount=0.2)
        np.testing.assert_allclose(equity, PFEIFER_CARRAWAY.value(periods))


def test_equity_of_the_book_is_the_discounted_projected_revenue():
    counts, revenue = pd.Series({"ours": 30, "theirs": 70}), pd.Series({"ours": 9.0, "theirs": 1.0})
    projected = BRANDS.project(counts, periods=10) @ revenue
    discounted = (projected / 1.1**projected.index).sum()
    assert BRANDS.value(revenue, periods=10, discount=0.1) @ counts == pytest.approx(discounted)


@settings(deadline=None)
@given(start=arrays(float, 2, elements=st.floats(0, 1e6)), periods=st.integers(0, 30))
def test_projection_conserves_totals(start, periods):
    totals = BRANDS.project(start, periods).sum(axis=1)
    assert len(totals) == periods + 1
    np.testing.assert_allclose(totals, start.sum(), rtol=1e-12)


def test_the_long_run_does_not_exist_where_two_groups_are_never_left():
    with pytest.raises(RequestError, match=r"2 groups of segments are never left: \[\[0\], \[1\]\]"):
        SegmentChain.from_matrix(np.eye(2)).long_run()


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[0.5, 0.4], [0, 1]], r"1 rows are not probabilities that sum to one: \[0\]; rescale them"),
        ([[1.5, -0.5], [0, 1]], r"1 rows are not probabilities that sum to one: \[0\]"),
        ([[1.0, 0.0]], r"The matrix is \(1, 2\) for 1 states; it must be square"),
    ],
)
def test_a_wrong_matrix_is_refused(matrix, message):
    with pytest.raises(RequestError, match=message):
        SegmentChain.from_matrix(matrix)


def test_a_chain_without_counts_has_no_interval():
    with pytest.raises(RequestError, match="no posterior to draw from; fit it with a prior above 0"):
        BRANDS.value_interval([1, 0], periods=5, discount=0.1)


# Segment chain from labels


def test_moves_are_counted_and_smoothed_with_one_account_per_row():
    chain = fitted([("A", "A")] * 6 + [("A", "B")] * 3 + [("B", "C")])
    assert chain.counts.loc["A"].tolist() == [6, 3, 0]
    np.testing.assert_allclose(chain.transition.loc["A"], [(6 + 1 / 3) / 10, (3 + 1 / 3) / 10, (1 / 3) / 10])
    np.testing.assert_allclose(chain.transition.loc["C"], 1 / 3)


def test_prior_zero_gives_the_plain_shares_without_intervals():
    chain = SegmentChain.fit("AAAB", "AABB", prior=0)
    np.testing.assert_allclose(chain.transition, [[2 / 3, 1 / 3], [0, 1]])
    assert chain.intervals is None


def test_intervals_are_the_beta_quantiles_of_each_cell():
    cell = SegmentChain.fit("AAAB", "AABB", level=0.9).intervals.query("before == 'A' and after == 'B'").iloc[0]
    assert cell[["low", "high"]].tolist() == pytest.approx(stats.beta(1.5, 2.5).ppf([0.05, 0.95]).tolist())
    assert (cell["count"], cell["probability"]) == (1, 0.375)


def test_accounts_are_matched_by_name_not_by_position():
    before = pd.Series({"a1": "A", "b1": "B"})
    chain = SegmentChain.fit(before, pd.Series({"b1": "B", "a1": "A"}))
    assert chain.counts.to_numpy().tolist() == [[1, 0], [0, 1]]


def test_accounts_of_one_period_only_are_shown_as_left_and_entered():
    chain = SegmentChain.fit({"1": "A", "2": "A", "3": "B"}, {"1": "A", "3": None, "4": "B"})
    assert chain.left.to_dict() == {"A": 1, "B": 1, "left": 0}
    assert chain.entered.to_dict() == {"A": 0, "B": 1, "left": 0}
    assert chain.counts["left"].to_dict() == {"A": 1, "B": 1, "left": 0}
    assert chain.transition.loc["left"].tolist() == [0, 0, 1]
    assert chain.long_run()["left"] == pytest.approx(1)


def test_leavers_earn_nothing_so_equity_is_not_that_of_survivors():
    before, after = dict(enumerate("AAAABB")), dict(enumerate("AABB"))
    with_leavers = SegmentChain.fit(before, after)
    survivors = SegmentChain.fit(before, after, leavers=None)
    assert survivors.states == ("A", "B")
    assert survivors.left.sum() == 2
    assert with_leavers.value([10, 5], 5, 0.1)["A"] < survivors.value([10, 5], 5, 0.1)["A"]


def test_an_interval_is_given_for_certain_rows_too():
    chain = SegmentChain.fit({"1": "A", "2": "A"}, {"1": "A"})
    sure = chain.intervals.query("before == 'left'").set_index("after")
    assert sure[["probability", "low", "high"]].loc["left"].tolist() == [1, 1, 1]
    assert sure[["probability", "low", "high"]].loc["A"].tolist() == [0, 0, 0]


@settings(deadline=None)
@given(pairs=labels)
def test_rows_sum_to_one_and_stand_inside_their_intervals(pairs):
    chain = fitted(pairs)
    np.testing.assert_allclose(chain.transition.sum(axis=1), 1)
    assert (chain.intervals["low"] <= chain.intervals["high"]).all()
    assert chain.counts.to_numpy().sum() == len(pairs)


@settings(deadline=None)
@given(pairs=labels, seed=st.integers(0, 99))
def test_the_order_of_the_accounts_changes_nothing(pairs, seed):
    shuffled = [pairs[i] for i in np.random.default_rng(seed).permutation(len(pairs))]
    pd.testing.assert_frame_equal(fitted(shuffled).transition, fitted(pairs).transition)


@settings(deadline=None)
@given(pairs=labels, periods=st.integers(0, 12), more=st.floats(0, 1e4), segment=st.sampled_from("ABC"))
def test_value_never_falls_when_a_segment_earns_more(pairs, periods, more, segment):
    chain, revenue = fitted(pairs), pd.Series({"A": 100.0, "B": 20.0, "C": 1.0})
    raised = revenue + pd.Series({segment: more}).reindex(revenue.index, fill_value=0)
    assert (chain.value(raised, periods, 0.1) >= chain.value(revenue, periods, 0.1) - 1e-9).all()


@settings(deadline=None)
@given(pairs=labels, k=st.floats(0.1, 1e3))
def test_money_times_k_scales_equity_by_k(pairs, k):
    chain, revenue = fitted(pairs), np.array([100.0, 20.0, 1.0])
    np.testing.assert_allclose(chain.value(k * revenue, 10, 0.1), k * chain.value(revenue, 10, 0.1))


def test_the_value_interval_covers_the_truth_at_about_its_level():
    truth = SegmentChain.from_matrix([[0.8, 0.2], [0.3, 0.7]], states=["A", "B"])
    value = truth.value([10, 1], periods=10, discount=0.1)["A"]
    rng, covered = np.random.default_rng(1), 0
    for _ in range(200):
        stays = rng.binomial(40, [0.8, 0.7])
        moves = np.repeat(["AA", "AB", "BB", "BA"], [stays[0], 40 - stays[0], stays[1], 40 - stays[1]])
        chain = SegmentChain.fit([m[0] for m in moves], [m[1] for m in moves])
        row = chain.value_interval([10, 1], 10, 0.1, level=0.9, draws=400).loc["A"]
        covered += row["low"] <= value <= row["high"]
    assert 0.84 <= covered / 200 <= 0.96


def test_more_accounts_make_the_value_interval_narrower():
    few, many = fitted([("A", "A"), ("A", "B"), ("B", "A")]), fitted([("A", "A"), ("A", "B"), ("B", "A")] * 50)
    wide, narrow = (c.value_interval([10, 5, 1], None, 0.1).loc["A"] for c in (few, many))
    assert narrow["high"] - narrow["low"] < (wide["high"] - wide["low"]) / 2


@pytest.mark.parametrize(
    ("before", "after", "options", "message"),
    [
        ("AB", "A", {}, r"before \(2 labels\) and after \(1\) cannot be matched"),
        ({"1": "A"}, ["A"], {}, "give both as Series or dicts by account_id"),
        ({"1": "A"}, {"2": "A"}, {"leavers": None}, "none of the 1 accounts labelled before and 1 after is in both"),
        ({"1": "A"}, {1: "A"}, {}, "of one type \\(text or number\\)"),
        (pd.DataFrame({"segment": ["A"]}), pd.DataFrame({"segment": ["A"]}), {}, "one label per account"),
        ([], [], {}, "none of the 0 accounts"),
        ("AB", "AC", {"states": "AB"}, r"1 labels are not in states \['A', 'B'\]: \['C'\]; add them"),
        ("AB", "AA", {"prior": -1}, "prior is -1; give the accounts to add to each cell, 0 or more"),
        ("AA", "AB", {"prior": 0}, r"No account starts in \['B'\]: with prior 0 the row is unknown"),
        (
            {"1": "left", "2": "A"},
            {"1": "A"},
            {},
            "1 accounts have a segment only before, but a segment is already",
        ),
    ],
)
def test_labels_that_cannot_be_fitted_are_refused(before, after, options, message):
    with pytest.raises(RequestError, match=message):
        SegmentChain.fit(before, after, **options)


def test_an_account_labelled_twice_is_refused():
    twice = pd.Series(["A", "B"], index=["a1", "a1"])
    with pytest.raises(RequestError, match=r"1 accounts are labelled twice in before: \['a1'\]; keep one each"):
        SegmentChain.fit(twice, pd.Series({"a1": "A"}))


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"ours": 1, "other": 2}, r"unknown \['other'\]; use \['ours', 'theirs'\]"),
        ([1, 2, 3], "counts has 3 numbers for the 2 segments"),
        ([1, float("nan")], r"counts: no number for \['theirs'\]"),
        ([1, -1], "counts holds negative numbers"),
    ],
)
def test_wrong_counts_are_refused(counts, message):
    with pytest.raises(RequestError, match=message):
        BRANDS.project(counts, periods=1)


def test_an_unknown_revenue_is_not_taken_as_zero():
    with pytest.raises(RequestError, match=r"revenue_by_segment: no number for \['theirs'\]"):
        BRANDS.value({"ours": 10}, periods=5, discount=0.1)


def test_equity_without_end_needs_a_discount():
    with pytest.raises(RequestError, match="without end needs a discount above 0"):
        BRANDS.value([1, 0], periods=None, discount=0)


# Homogeneity

STABLE = [("A", "A")] * 40 + [("A", "B")] * 20 + [("B", "A")] * 10 + [("B", "B")] * 30


def test_homogeneity_agrees_with_the_contingency_test_of_each_row():
    other = [("A", "A")] * 30 + [("A", "B")] * 35 + [("B", "A")] * 12 + [("B", "B")] * 20
    result = fitted(STABLE).homogeneity(fitted(other))
    rows = [[[40, 20], [30, 35]], [[10, 30], [12, 20]]]
    expected = [stats.chi2_contingency(r, correction=False, lambda_="log-likelihood") for r in rows]
    assert result.statistic == pytest.approx(sum(e.statistic for e in expected))
    assert result.dof == 2
    assert result.by_state["p_value"].tolist() == pytest.approx([e.pvalue for e in expected])


def test_equal_periods_show_no_difference():
    result = fitted(STABLE).homogeneity(fitted(STABLE), fitted(STABLE))
    assert (result.statistic, result.dof) == (pytest.approx(0, abs=1e-9), 4)
    assert result.p_value == pytest.approx(1)
    assert result.p_value_simulated == 1


def test_a_changed_matrix_is_found():
    swapped = [(b, "B" if a == "A" else "A") for b, a in STABLE]
    result = fitted(STABLE).homogeneity(fitted(swapped))
    assert result.p_value < 0.001
    assert result.p_value_simulated < 0.001


def test_a_segment_empty_in_one_period_costs_no_degree_of_freedom():
    only_a = [pair for pair in STABLE if pair[0] == "A"]
    result = fitted(STABLE).homogeneity(fitted(only_a))
    assert result.by_state.index.tolist() == ["A"]
    assert result.dof == 1


def test_accounts_that_never_move_cannot_differ():
    result = fitted([("A", "A")] * 5).homogeneity(fitted([("A", "A")] * 3))
    assert (result.dof, result.p_value) == (0, 1)


def test_the_simulated_p_value_keeps_its_level_in_sparse_tables():
    rng = np.random.default_rng(5)
    matrix = np.array([[0.9, 0.08, 0.02], [0.1, 0.85, 0.05], [0.05, 0.1, 0.85]])
    rejected = 0
    for _ in range(200):
        before = rng.integers(0, 3, size=(2, 30))
        after = [[rng.choice(3, p=matrix[b]) for b in row] for row in before]
        first, second = (SegmentChain.fit(b, a, states=range(3)) for b, a in zip(before, after, strict=True))
        rejected += first.homogeneity(second, draws=199).p_value_simulated <= 0.1
    assert rejected / 200 <= 0.15


def test_homogeneity_needs_counts_to_compare():
    with pytest.raises(RequestError, match="two or more chains, each fitted to the labels of a period"):
        BRANDS.homogeneity(BRANDS)
    with pytest.raises(RequestError, match="No segment has accounts at the start of two periods"):
        fitted([("A", "A")]).homogeneity(fitted([("B", "B")]))
