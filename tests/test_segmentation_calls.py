"""The calls of the segmentation study that others rely on: concentration, abc, managerial, vip."""

import decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit
from scipy.stats import norm

from kamlib.errors import RequestError
from kamlib.studies import segmentation
from kamlib.studies.classes import keep_share, near_cut
from kamlib.studies.concentration import _linearised, intervals, lorenz
from kamlib.studies.segmentation.rulebook import UNCLASSIFIED, segment_counts

TEN = [500, 200, 100, 60, 50, 30, 20, 20, 10, 10]
amounts = st.lists(st.integers(-50, 1_000), min_size=1, max_size=40).map(lambda v: np.array(v, dtype=float))
some_buy = amounts.filter(lambda v: v.max() > 0)

# Concentration


def test_the_ten_published_values():
    found = segmentation.concentration(TEN)
    assert round(found.herfindahl, 3) == 0.308
    assert round(found.gini, 3) == 0.628
    assert round(found.top20_share, 2) == 0.70


def test_the_top_fifth_of_adventureworks_resellers_brings_two_thirds(shared_data):
    sales = pd.read_parquet(shared_data / "adventureworks" / "FactResellerSales.parquet")
    by_account = sales.groupby("ResellerKey")["SalesAmount"].sum()
    assert round(100 * segmentation.concentration(by_account).top20_share, 3) == 66.712


def test_one_buyer_among_n_has_the_largest_gini():
    found = segmentation.concentration([0, 0, 0, 8])
    assert found == pytest.approx((0.75, 1.0, 1.0))


def test_a_net_negative_account_counts_as_zero():
    assert segmentation.concentration([5, 3, -4]) == segmentation.concentration([5, 3, 0])


def test_the_account_at_the_edge_of_the_top_fifth_counts_pro_rata():
    # A fifth of seven accounts is 1.4 accounts: the first, and two fifths of the second.
    found = segmentation.concentration([40, 25, 10, 10, 5, 5, 5])
    assert found.top20_share == pytest.approx(0.40 + 0.4 * 0.25)


@pytest.mark.parametrize("values", [[], [0, 0], [-3, 0]], ids=["empty", "all zero", "none above zero"])
def test_without_revenue_there_is_no_concentration(values):
    assert np.isnan(segmentation.concentration(values)).all()


def test_amounts_may_be_decimals():
    found = segmentation.concentration([decimal.Decimal("7.10"), decimal.Decimal("2.90")])
    assert found.herfindahl == pytest.approx(0.71**2 + 0.29**2)


def test_a_missing_amount_is_refused_not_counted_as_zero():
    with pytest.raises(RequestError, match="1 of 3 values are missing or infinite; leave those accounts out"):
        segmentation.concentration([1.0, np.nan, 2.0])


def test_a_table_is_refused():
    with pytest.raises(RequestError, match="one amount an account, not an array of 2 dimensions"):
        segmentation.concentration([[1.0, 2.0]])


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["a", "b"], "must be amounts of money"),
        ([True, False], "not true and false"),
        (pd.to_datetime(["2026-01-01"]), "dates or complex numbers"),
        ([1e308, 1e308], "2 of 2 values are missing or infinite"),
    ],
)
def test_what_is_no_money_is_refused(values, says):
    with pytest.raises(RequestError, match=says):
        segmentation.concentration(values)


@settings(deadline=None)
@given(st.integers(1, 60))
def test_equal_accounts_are_not_concentrated(n):
    assert segmentation.concentration([3.0] * n) == pytest.approx((0.0, 1 / n, max(1 / n, 0.2)))


@settings(deadline=None)
@given(some_buy, st.randoms(use_true_random=False), st.sampled_from([0.01, 7.0, 1e9]))
def test_order_of_accounts_and_unit_of_money_change_no_figure(values, random, k):
    shuffled = values.tolist()
    random.shuffle(shuffled)
    expected = segmentation.concentration(values)
    assert segmentation.concentration(np.array(shuffled) * k) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(some_buy.filter(lambda values: len(values) >= 5))
def test_doubling_every_account_keeps_gini_and_top_share(values):
    once, twice = segmentation.concentration(values), segmentation.concentration(np.repeat(values, 2))
    assert (twice.gini, twice.top20_share) == pytest.approx((once.gini, once.top20_share), abs=1e-9)
    assert twice.herfindahl == pytest.approx(once.herfindahl / 2)


@settings(deadline=None)
@given(some_buy)
def test_figures_stay_in_their_limits(values):
    found, n = segmentation.concentration(values), len(values)
    assert 0 <= found.gini <= 1 - 1 / n + 1e-9
    assert 1 / n - 1e-9 <= found.herfindahl <= 1 + 1e-9
    assert 0.2 - 1e-9 <= found.top20_share <= 1 + 1e-9


@settings(deadline=None)
@given(some_buy)
def test_the_lorenz_curve_bends_one_way_and_ends_at_one(values):
    curve = lorenz(values)
    assert curve.iloc[-1].tolist() == [1.0, 1.0]
    assert (np.diff(curve.value_share, 2) <= 1e-9).all()


def test_intervals_hold_their_figure_and_come_again_with_the_same_seed():
    values = np.random.default_rng(5).lognormal(0, 1, 200)
    found = intervals(values, draws=200, level=0.9, seed=1)
    assert all(i.lower < i.value < i.upper for i in found.values())
    assert found == intervals(values, draws=200, level=0.9, seed=1)


@pytest.mark.parametrize(("sigma", "least"), [(1.0, 0.82), (1.8, 0.74)])
def test_the_90_percent_interval_of_the_top_share_covers_the_truth_as_often_as_it_says(sigma, least):
    # The top 20% of a log-normal bring Φ(sigma − 0.8416); said are 0.89 and 0.82, here in 100 samples of 100 accounts.
    rng, truth = np.random.default_rng(7), norm.cdf(sigma - norm.ppf(0.8))
    found = [intervals(rng.lognormal(0, sigma, 100), 200, 0.9, seed)["top20_share"] for seed in range(100)]
    assert least <= np.mean([i.lower <= truth <= i.upper for i in found]) <= 0.97


@pytest.mark.parametrize("n", [40, 300])
def test_the_standard_errors_behind_an_interval_are_those_of_the_jackknife(n):
    ascending = np.sort(np.random.default_rng(2).lognormal(0, 0.8, n))
    _, (error,) = _linearised(ascending, np.ones((1, n)))
    left_out, _ = _linearised(ascending, np.ones((n, n)) - np.eye(n))
    jackknife = np.sqrt((n - 1) ** 2 / n * left_out.var(axis=0))
    assert error == pytest.approx(jackknife, rel=0.25 if n == 40 else 0.08)


def test_the_figures_behind_an_interval_are_those_of_the_point():
    ascending = np.sort(np.random.default_rng(2).lognormal(0, 1, 41))
    (found,), _ = _linearised(ascending, np.ones((1, 41)))
    point = segmentation.concentration(ascending)
    assert found == pytest.approx([logit(point.gini), np.log(41 * point.herfindahl), logit(point.top20_share)])


@settings(deadline=None, max_examples=30)
@given(some_buy.filter(lambda values: len(values) > 1), st.sampled_from([0.01, 1e6]))
def test_an_interval_holds_its_figure_stays_in_its_limits_and_knows_no_currency(values, k):
    found, scaled = intervals(values, 50, 0.9, 1), intervals(values * k, 50, 0.9, 1)
    for name, i in found.items():
        assert -1e-9 <= i.lower <= i.value + 1e-9 and i.value - 1e-9 <= i.upper <= 1 + 1e-9
        assert (scaled[name].lower, scaled[name].upper) == pytest.approx((i.lower, i.upper), abs=1e-6)


def test_equal_accounts_and_a_single_account_have_no_spread():
    assert all(i.lower == i.value == i.upper for i in intervals([3.0] * 40, 50, 0.9, 1).values())
    assert all(np.isnan(i.lower) for i in intervals([3.0], 50, 0.9, 1).values())


def test_the_ends_hardly_depend_on_the_seed():
    values = np.random.default_rng(5).lognormal(0, 1.8, 224)
    ends = np.array(
        [[i.lower, i.upper] for seed in range(6) for i in [intervals(values, 50, 0.9, seed)["top20_share"]]]
    )
    assert np.ptp(ends, axis=0).max() < 0.02


def test_beyond_three_thousand_accounts_the_normal_distribution_says_the_same_as_samples():
    values = np.random.default_rng(5).lognormal(0, 1, 3_001)
    one, other = intervals(values, 50, 0.9, 1)["gini"], intervals(values[:3_000], 50, 0.9, 1)["gini"]
    assert (one.lower, one.upper) == pytest.approx((other.lower, other.upper), abs=0.004)


# ABC


def test_an_account_belongs_to_the_class_it_starts_in():
    found = segmentation.abc(pd.Series([70, 20, 6, 4], index=list("wxyz")))
    assert found.to_dict() == {"w": "A", "x": "A", "y": "B", "z": "C"}


def test_a_cut_that_is_reached_exactly_is_over():
    assert segmentation.abc([80, 15, 5]).tolist() == ["A", "B", "C"]


def test_the_ten_published_values_in_classes():
    assert "".join(segmentation.abc(TEN)) == "AAABBBBBCC"


def test_zero_and_negative_accounts_are_c():
    assert segmentation.abc([10, 0, -90]).tolist() == ["A", "C", "C"]
    assert segmentation.abc([0, 0]).tolist() == ["C", "C"]


def test_one_account_is_a_and_none_is_none():
    assert segmentation.abc([3]).tolist() == ["A"]
    assert segmentation.abc(pd.Series(dtype=float)).tolist() == []


def test_other_cuts_are_taken():
    assert segmentation.abc([50, 30, 20], cuts=(0.5, 0.8)).tolist() == ["A", "B", "C"]


@pytest.mark.parametrize("cuts", [(0.95, 0.8), (0, 0.5), (80, 95), (0.8,)])
def test_cuts_that_are_no_ascending_shares_are_refused(cuts):
    with pytest.raises(RequestError, match="two ascending shares above 0 and up to 1"):
        segmentation.abc([1, 2], cuts)


def test_a_missing_value_gets_no_class():
    with pytest.raises(RequestError, match="1 of 2 values are missing"):
        segmentation.abc(pd.Series([1.0, None]))


@settings(deadline=None)
@given(amounts, st.randoms(use_true_random=False), st.sampled_from([0.01, 3.0, 1e7]))
def test_order_of_accounts_and_unit_of_money_change_no_class(values, random, k):
    series = pd.Series(values)
    order = list(series.index)
    random.shuffle(order)
    assert segmentation.abc(series.loc[order] * k).sort_index().tolist() == segmentation.abc(series).tolist()


@settings(deadline=None)
@given(amounts)
def test_a_larger_account_is_never_in_a_worse_class_and_equals_are_equal(values):
    pairs = pd.DataFrame({"value": values, "abc": segmentation.abc(values)})
    by_value = pairs.groupby("value")["abc"].agg(["min", "max"]).sort_index(ascending=False)
    assert (by_value["min"] == by_value["max"]).all()
    assert by_value["min"].is_monotonic_increasing


@settings(deadline=None)
@given(some_buy)
def test_accounts_of_class_a_reach_the_first_cut(values):
    classes = segmentation.abc(values)
    assert values[classes == "A"].sum() >= 0.8 * np.clip(values, 0, None).sum() - 1e-6


def test_a_steady_account_keeps_its_class_and_a_one_off_does_not():
    steady, one_off, small = np.full(12, 10.0), np.zeros(12), np.full(12, 2.0)
    one_off[3] = 60.0
    kept = keep_share(np.vstack([steady, one_off, small]), draws=400)
    assert kept[0] == 1.0
    assert kept[1] < 0.8


def test_the_share_of_samples_that_keep_a_class_is_the_chance_of_the_month():
    # One order in one month of twelve: that month is drawn at least once with chance 1 - (11/12)^12 = 0.648.
    by_month = np.zeros((2, 12))
    by_month[0, 5], by_month[1] = 100.0, 1.0
    assert keep_share(by_month, draws=4000)[0] == pytest.approx(1 - (11 / 12) ** 12, abs=0.02)


def test_accounts_within_a_twentieth_of_a_cut_are_near_it():
    assert near_cut([70, 20, 10, 9.6, 9.4]).tolist() == [False, False, True, True, True]


# Managerial segments

RULES = [
    {"segment": "inactive", "when": "recency_days > 365*3"},
    {"segment": "cold", "when": "recency_days > 365*2"},
    {"segment": "new warm", "when": "recency_days > 365 and first_purchase_days <= 365*2"},
    {"segment": "warm low value", "when": "recency_days > 365 and mean_spend < 100"},
    {"segment": "warm high value", "when": "(recency_days > 365) & (mean_spend >= 100)"},
    {"segment": "new active", "when": "first_purchase_days <= 365"},
    {"segment": "active low value", "when": "mean_spend < 100"},
    {"segment": "active high value", "when": "mean_spend >= 100"},
]
CASES = pd.DataFrame(
    [
        ("a", 1096, 3, 500.0, 2000, "inactive"),
        ("b", 1095, 3, 500.0, 2000, "cold"),
        ("c", 730, 3, 99.99, 2000, "warm low value"),
        ("d", 730, 3, 100.0, 2000, "warm high value"),
        ("e", 400, 1, 100.0, 730, "new warm"),
        ("f", 10, 1, 100.0, 365, "new active"),
        ("g", 365, 9, 99.0, 366, "active low value"),
        ("h", 365, 9, 100.0, 366, "active high value"),
    ],
    columns=["account_id", "recency_days", "frequency", "mean_spend", "first_purchase_days", "segment"],
).set_index("account_id")


def _segments(rules, cases=CASES):
    four = (cases[name] for name in ("recency_days", "frequency", "mean_spend", "first_purchase_days"))
    return segmentation.managerial(*four, rules)


@pytest.mark.parametrize("when", ["recency_days > 100 or true", "recency_days > 100\n  or recency_days <= 100"])
def test_a_predicate_may_run_over_lines_and_say_true(when):
    assert (
        segmentation.managerial([2000, 10], [1, 1], [30.0, 25.0], [2000, 10], [("all", when)]).tolist() == ["all"] * 2
    )


def test_time_spans_are_days():
    spans = pd.to_timedelta([2000, 10], unit="D").to_series(index=["a", "b"])
    found = segmentation.managerial(spans, [1, 1], [30.0, 25.0], spans, [("old", "recency_days > 365")])
    assert found.to_dict() == {"a": "old", "b": "unclassified"}


def test_a_function_as_predicate_takes_no_account_whose_value_is_missing():
    rules = [("old", lambda frame: frame["recency_days"] > 365)]
    assert segmentation.managerial([2000, np.nan], [1, 1], [1, 1], [1, 1], rules).tolist() == ["old", "unclassified"]


def test_one_account_may_be_given_as_four_numbers():
    assert segmentation.managerial(2000, 1, 30.0, 2000, [("old", "recency_days > 365")]).tolist() == ["old"]


def test_the_managerial_segments_at_their_edges():
    assert _segments(RULES).to_dict() == CASES["segment"].to_dict()


@pytest.mark.parametrize(
    "form",
    [
        [(r["segment"], r["when"]) for r in RULES],
        [{"name": r["segment"], "rule": r["when"]} for r in RULES],
        [{r["segment"]: r["when"]} for r in RULES],
        {r["segment"]: r["when"] for r in RULES},
        pd.DataFrame(RULES),
    ],
    ids=["pairs", "other keys", "one key a row", "one mapping", "frame"],
)
def test_a_rule_table_may_come_in_several_forms(form):
    assert _segments(form).equals(_segments(RULES))


def test_what_no_rule_takes_is_named_and_counted():
    rules = [("cold", "recency_days > 730"), ("gone", "recency_days > 9999")]
    segments = _segments(rules)
    counts = segment_counts(segments, rules)
    assert counts[["segment", "accounts"]].values.tolist() == [["cold", 2], ["gone", 0], [UNCLASSIFIED, 6]]
    assert counts["accounts"].sum() == len(CASES)


def test_the_first_rule_that_holds_counts():
    assert set(_segments([("all", True), ("never", "recency_days > 0")])) == {"all"}


@pytest.mark.parametrize(
    ("when", "taken"),
    [
        ("365 < recency_days <= 730", "cde"),
        ("not (recency_days > 100)", "f"),
        ("~(recency_days > 100) | (recency_days > 1095)", "af"),
        ("recency_days > 1000 AND frequency == 3 OR mean_spend != 100 and frequency > 8", "abg"),
        ("frequency * mean_spend >= 900", "abh"),
        ("recency_days > -1", "abcdefgh"),
        ("otherwise", "abcdefgh"),
        (lambda frame: frame.recency_days < 20, "f"),
    ],
)
def test_predicates(when, taken):
    found = _segments([("yes", when)])
    assert "".join(found.index[found == "yes"]) == taken


@pytest.mark.parametrize("sign", ["|", "&"])
def test_signs_need_no_brackets(sign):
    word = {"|": "or", "&": "and"}[sign]
    one, other, third = (
        _segments([("yes", f"recency_days > 100 {join} ~frequency >= 3")]).tolist() for join in (sign, word, sign * 2)
    )
    assert one == other == third == _segments([("yes", f"(recency_days > 100) {sign} ~(frequency >= 3)")]).tolist()


@pytest.mark.parametrize("when", ["recency_days > 100", "not (recency_days > 100)", "recency_days <= 100"])
def test_a_comparison_with_a_missing_value_takes_no_account(when):
    cases = CASES.astype({"recency_days": float})
    cases.loc["a", "recency_days"] = np.nan
    assert _segments([("yes", when)], cases)["a"] == UNCLASSIFIED


def test_segments_follow_the_labels_of_the_accounts():
    shuffled = CASES["mean_spend"].sample(frac=1, random_state=1)
    four = CASES["recency_days"], CASES["frequency"], shuffled, CASES["first_purchase_days"]
    assert segmentation.managerial(*four, RULES).to_dict() == CASES["segment"].to_dict()


def test_no_account_gives_no_segment():
    assert segmentation.managerial([], [], [], [], RULES).tolist() == []


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ([("x", "recency > 3")], "no column 'recency', did you mean 'recency_days'"),
        ([("x", "__import__('os').system('true')")], "neither true nor false"),
        ([("x", "frequency.mean() > 3")], "is no number"),
        ([("x", "frequency in (1, 2)")], "is no number|only > >="),
        ([("x", "recency_days >")], "it is not an expression"),
        ([("x", "recency_days")], "neither true nor false"),
        ([{"segment": "x"}], "has no predicate"),
        ([{"when": "recency_days > 3", "because": "so"}], "has no segment"),
        (["recency_days > 3"], r"must read \{segment"),
        ([], "the rule table has no rows"),
    ],
)
def test_a_rule_that_cannot_be_read_is_refused(rules, says):
    with pytest.raises(RequestError, match=says):
        _segments(rules)


def test_columns_of_other_accounts_are_refused():
    with pytest.raises(RequestError, match="their lengths are"):
        segmentation.managerial([1, 2], [1], [1], [1], RULES)
    with pytest.raises(RequestError, match="mean_spend is labelled by other accounts"):
        other = CASES["mean_spend"].rename(index={"a": "z"})
        segmentation.managerial(CASES["recency_days"], CASES["frequency"], other, CASES["first_purchase_days"], RULES)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 2000)] * 4), min_size=1, max_size=20), st.integers(0, len(RULES)))
def test_every_account_gets_exactly_one_segment_whatever_the_rules(rows, kept):
    columns = [list(column) for column in zip(*rows, strict=True)]
    rules = RULES[:kept] or [("none", "recency_days < 0")]
    found = segmentation.managerial(*columns, rules)
    assert segment_counts(found, rules)["accounts"].sum() == len(rows)


# VIP


def _lines(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["account_id", "order_id", "order_date", "revenue"])


def _rules(lines, **limits) -> dict:
    return segmentation.vip(lines, **limits).set_index("account_id")["rule"].to_dict()


def test_a_single_purchase_of_ten_thousand_is_enough_and_a_cent_less_is_not():
    lines = _lines(("x", "1", "2026-09-01", 10_000.0), ("y", "2", "2026-09-01", 9_999.99))
    assert _rules(lines) == {"x": "single"}


def test_a_month_of_twenty_thousand_is_enough_and_a_cent_less_is_not():
    lines = _lines(
        *[("x", f"x{i}", "2026-09-30", 5_000.0) for i in range(4)],
        *[("y", f"y{i}", "2026-09-30", 5_000.0) for i in range(3)],
        ("y", "y3", "2026-09-30", 4_999.99),
    )
    assert _rules(lines) == {"x": "month"}


def test_a_month_ends_with_the_calendar():
    lines = _lines(
        *[("x", f"x{i}", "2026-08-31", 9_000.0) for i in range(2)],
        *[("x", f"z{i}", "2026-09-01", 9_000.0) for i in range(2)],
    )
    assert _rules(lines) == {}


def test_both_rules_can_speak_for_an_account():
    assert _rules(_lines(("x", "1", "2026-09-01", 20_000.0))) == {"x": "single and month"}


def test_returns_are_taken_off_the_order_and_the_month():
    lines = _lines(
        ("x", "1", "2026-09-01", 10_000.0),
        ("x", "1", "2026-09-05", -0.01),
        ("y", "2", "2026-09-01", 9_000.0),
        ("y", "3", "2026-09-02", 9_000.0),
        ("y", "4", "2026-09-03", 9_000.0),
        ("y", "5", "2026-09-28", -7_000.01),
    )
    assert _rules(lines) == {}


def test_cents_add_up_exactly():
    parts = [4329.21, 3152.60, 1862.14, 656.05]
    assert sum(parts) < 10_000
    lines = _lines(*[("x", "1", "2026-09-01", part) for part in parts])
    assert _rules(lines) == {"x": "single"}


def test_only_mid_and_high_grade_goods_count_and_unknown_grade_is_told():
    lines = _lines(*[(a, a, "2026-09-01", 10_000.0) for a in "lmhu"])
    lines["tier"] = ["low", "mid", "high", None]
    found = segmentation.vip(lines).set_index("account_id")
    assert sorted(found.index) == ["h", "m", "u"]
    assert found["ungraded"].to_dict() == {"h": 0.0, "m": 0.0, "u": 10_000.0}


def test_the_row_shows_the_purchase_that_speaks_for_the_account():
    lines = _lines(("x", "1", "2026-08-01", 3.0), ("x", "2", "2026-09-02", 11_000.0), ("x", "3", "2026-09-09", 50.0))
    (row,) = segmentation.vip(lines).to_dict("records")
    assert (row["order_id"], row["order_amount"], row["month"], row["month_amount"]) == (
        "2",
        11_000.0,
        "2026-09",
        11_050.0,
    )
    assert row["order_date"] == pd.Timestamp("2026-09-02")


@pytest.mark.parametrize("grade", ["HIGH", "Mid", " high "])
def test_a_grade_counts_however_it_is_spelled(grade):
    lines = _lines(("x", "1", "2026-09-01", 10_000.0)).assign(tier=grade)
    assert _rules(lines) == {"x": "single"}
    assert segmentation.vip(lines)["ungraded"].tolist() == [0.0]


def test_a_grade_nobody_knows_is_refused():
    with pytest.raises(RequestError, match="grades are low, mid and high; 1 others are given: premium"):
        segmentation.vip(_lines(("x", "1", "2026-09-01", 5.0)).assign(tier="Premium"))


@pytest.mark.parametrize(
    ("note", "left"),
    [
        (("x", "2", "2026-09-20", -10_000.0), {}),
        (("x", "2", "2026-08-20", -10_000.0), {"x": "single"}),
        (("x", "2", "2026-09-20", -9_999.0), {"x": "single"}),
        (("y", "2", "2026-09-20", -10_000.0), {"x": "single"}),
    ],
    ids=["whole", "earlier", "in part", "another account"],
)
def test_an_order_that_a_credit_note_takes_back_whole_is_no_purchase(note, left):
    assert _rules(_lines(("x", "1", "2026-09-01", 10_000.0), note)) == left


def test_each_credit_note_takes_back_one_order():
    orders = [("x", str(i), f"2026-09-0{i}", 10_000.0) for i in (1, 2)]
    found = segmentation.vip(_lines(*orders, ("x", "3", "2026-09-20", -10_000.0)))
    assert found[["rule", "order_id", "month_amount"]].to_numpy().tolist() == [["single", "1", 10_000.0]]
    assert _rules(_lines(*orders, ("x", "3", "2026-09-20", -10_000.0), ("x", "4", "2026-09-21", -10_000.0))) == {}


def test_the_limits_are_parameters():
    lines = _lines(("x", "1", "2026-09-01", 500.0))
    assert _rules(lines, single=500, month=501) == {"x": "single"}
    with pytest.raises(RequestError, match="both VIP limits must be above zero; they are 0 and 5"):
        segmentation.vip(lines, single=0, month=5)
    with pytest.raises(RequestError, match="they are '10000' and None"):
        segmentation.vip(lines, single="10000", month=None)


@pytest.mark.parametrize(
    ("when", "amount", "message"),
    [
        ("04/02/2026", 5.0, "order_date holds something that is not a date, as in 2026-09-30"),
        ("2026-02-04", np.inf, "1 order lines have a revenue beyond 1e\\+13; repair or drop them"),
    ],
)
def test_a_date_is_not_guessed_at_and_an_amount_without_end_is_refused(when, amount, message):
    lines = pd.DataFrame({"account_id": ["x"], "order_id": ["1"], "order_date": [when], "revenue": [amount]})
    with pytest.raises(RequestError, match=message):
        segmentation.vip(lines)


def test_a_limit_without_end_turns_its_rule_off():
    lines = _lines(("x", "1", "2026-09-01", 50_000.0), ("x", "2", "2026-09-01", 10_000.0))
    assert segmentation.vip(lines, single=np.inf)["rule"].tolist() == ["month"]


def test_no_order_makes_no_vip():
    assert segmentation.vip(_lines()).empty


def test_lines_that_cannot_be_judged_are_refused():
    with pytest.raises(RequestError, match="lack 1 columns the VIP rule needs: order_date"):
        segmentation.vip(_lines(("x", "1", "2026-09-01", 5.0)).drop(columns="order_date"))
    with pytest.raises(RequestError, match="1 of 1 order lines lack an account, order, date or amount"):
        segmentation.vip(_lines(("x", "1", None, 5.0)))


orders = st.lists(
    st.tuples(st.sampled_from("xyz"), st.sampled_from("1234"), st.integers(0, 60), st.integers(-400_000, 1_500_000)),
    max_size=15,
)


@settings(max_examples=30, deadline=None)
@given(orders, st.randoms(use_true_random=False))
def test_splitting_an_order_into_lines_and_shuffling_changes_no_vip(rows, random):
    whole = _lines(*[(a, a + o, pd.Timestamp("2026-08-01") + pd.Timedelta(days=d), c / 100) for a, o, d, c in rows])
    split = [(a, o, d, part) for a, o, d, r in whole.itertuples(index=False) for part in (r - 1.0, 1.0)]
    random.shuffle(split)
    pd.testing.assert_frame_equal(segmentation.vip(_lines(*split)), segmentation.vip(whole), check_dtype=False)
