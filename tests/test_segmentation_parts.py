"""The parts the segmentation study is made of: RFM, loyalty, qualification, ratings, stages, moves, selection."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kamlib.book.settings import Settings
from kamlib.errors import ModelError, RequestError
from kamlib.studies.classes import abc
from kamlib.studies.segmentation.groups import roll_up, roots
from kamlib.studies.segmentation.loyalty import agreement, loyalty, serialisation
from kamlib.studies.segmentation.markets import likeness, markets
from kamlib.studies.segmentation.migration import class_moves, keep_record, regression_to_mean, segment_moves
from kamlib.studies.segmentation.portfolio import matrix
from kamlib.studies.segmentation.qualification import cost_ratio, payback, qualify
from kamlib.studies.segmentation.ratings import Scorecard, agree, weight_sensitivity
from kamlib.studies.segmentation.rfm import RULE_BOOK, CutPoints, Step, cut_points, rfm, segments
from kamlib.studies.segmentation.selection import decide, meets
from kamlib.studies.segmentation.stages import relationship
from kamlib.studies.segmentation.tail import long_tail

QUIET = settings(deadline=None)
DECLARED = Settings()
POINTS = CutPoints((30, 60, 120, 240), (2, 4, 7, 10), (10.0, 30.0, 100.0, 300.0))
score = st.integers(1, 5)

# RFM


@QUIET
@given(st.tuples(score, score, score), st.tuples(*[st.integers(0, 4)] * 3))
def test_a_better_score_never_gives_a_worse_segment(scores, more):
    better = [min(5, low + step) for low, step in zip(scores, more, strict=True)]
    names = [step.segment for step in RULE_BOOK]
    low, high = (segments(*(np.array([s]) for s in triple))[0] for triple in (scores, better))
    assert names.index(high) <= names.index(low)


def test_every_score_has_a_segment():
    grid = np.array(np.meshgrid(*[range(1, 6)] * 3)).reshape(3, -1)
    assert set(segments(*grid)) <= {step.segment for step in RULE_BOOK}
    assert grid.shape[1] == 125


def test_a_rule_book_with_a_hole_is_refused():
    with pytest.raises(RequestError, match="must ask for 1, 1, 1"):
        segments(*[np.array([1])] * 3, book=[Step("only the best", 5, 5, 5)])


@pytest.mark.parametrize(
    ("days", "expected"), [(0, 5), (30, 5), (31, 4), (60, 4), (120, 3), (121, 2), (240, 2), (241, 1)]
)
def test_recency_scores_at_their_edges(days, expected):
    row = pd.DataFrame({"recency_days": [float(days)], "active_months": [1], "revenue": [0.0]})
    assert rfm(row, POINTS)["recency_score"].iloc[0] == expected


@pytest.mark.parametrize(("months", "expected"), [(1, 1), (2, 2), (4, 3), (6, 3), (7, 4), (9, 4), (10, 5)])
def test_frequency_scores_at_their_edges(months, expected):
    row = pd.DataFrame({"recency_days": [1.0], "active_months": [months], "revenue": [0.0]})
    assert rfm(row, POINTS)["frequency_score"].iloc[0] == expected


def test_an_account_without_an_order_has_no_score():
    row = pd.DataFrame({"recency_days": [np.nan], "active_months": [0], "revenue": [0.0]})
    found = rfm(row, POINTS).iloc[0]
    assert found["rfm_segment"] == "no order yet" and pd.isna(found["money_score"])


def test_cut_points_follow_the_mean_account_and_the_length_of_the_window():
    found = cut_points(DECLARED, pd.Series([50.0, 150.0]), months=6)
    assert found.money == pytest.approx((10, 30, 100, 300))
    assert found.active_months == (1, 2, 3.5, 5)


# Loyalty


def _accounts(**columns) -> pd.DataFrame:
    usual = {
        "wallet_share": np.nan,
        "wallet_change": np.nan,
        "categories": 4.0,
        "new_products": 0.0,
        "quarters_active": 4,
        "quarters_open": 4,
        "has_bought": True,
    }
    return pd.DataFrame(usual | columns, index=range(len(next(iter(columns.values())))))


@pytest.mark.parametrize(
    ("share", "change", "expected"),
    [
        (0.50, np.nan, "loyal"),
        (0.49, np.nan, "switcher"),
        (0.20, 0.0, "switcher"),
        (0.19, 0.0, "no loyalty"),
        (0.60, -0.09, "loyal"),
        (0.60, 0.50 - 0.60, "switcher"),
    ],
)
def test_loyalty_by_survey_at_its_edges(share, change, expected):
    found = loyalty(_accounts(wallet_share=[share], wallet_change=[change]), DECLARED).iloc[0]
    assert (found["loyalty"], found["loyalty_basis"]) == (expected, "survey")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"quarters_active": [4]}, "loyal"),
        ({"quarters_active": [3]}, "no loyalty"),
        ({"quarters_active": [3], "new_products": [1.0]}, "unclear"),
        ({"categories": [1.0]}, "unclear"),
        ({"categories": [1.0], "new_products": [1.0]}, "loyal"),
        ({"categories": [np.nan], "new_products": [np.nan]}, "loyal"),
        ({"has_bought": [False]}, "not known"),
    ],
)
def test_loyalty_by_proxy_is_called_one(columns, expected):
    found = loyalty(_accounts(**columns), DECLARED).iloc[0]
    assert found["loyalty"] == expected
    assert found["loyalty_basis"] == ("" if expected == "not known" else "proxy")


def test_the_proxy_is_held_against_the_surveys():
    accounts = _accounts(wallet_share=[0.9, 0.1, 0.3, np.nan], quarters_active=[4, 4, 3, 4])
    assert agreement(loyalty(accounts, DECLARED)) == (pytest.approx(2 / 3), 3)


def test_serialisation_counts_loyal_first_and_class_a_once_each():
    accounts = _accounts(wallet_share=[0.9, 0.1, 0.1, 0.1], new_products=[1.0, 1.0, 0.0, 0.0])
    known = accounts.join(loyalty(accounts, DECLARED)).assign(abc=["A", "C", "A", "C"])
    assert serialisation(known) == 0.75
    assert np.isnan(serialisation(known.assign(has_bought=False)))


# Qualification


def _candidates(n: int = 1, **columns) -> pd.DataFrame:
    usual = {
        "abc": "A",
        "value": 100.0,
        "revenue": 400.0,
        "revenue_before": 400.0,
        "margin": 100.0,
        "has_bought": True,
        "quarters_active": 4,
        "quarters_open": 4,
        "years_active": 3,
        "months_active": 30,
        "orders_ever": 90,
        "largest_order_share": 0.1,
        "contract_years": 2.0,
        "reputation_score": np.nan,
        "innovation_score": np.nan,
        "market_score": np.nan,
        "fit_score": np.nan,
        "references_made": 0.0,
        "new_products": 0.0,
        "centralised_share": 0.8,
        "annual_potential": np.nan,
        "is_strategic": False,
        "is_official": False,
    }
    return pd.DataFrame(usual | columns, index=range(n))


def _qualified(**columns) -> pd.Series:
    return qualify(_candidates(**columns), DECLARED).iloc[0]


def test_a_large_account_under_contract_qualifies():
    found = _qualified()
    assert found["qualifies"] and found["criteria_met"] == "contract" and found["tests_met"] == 4


@pytest.mark.parametrize(("years", "met", "marks"), [(0.99, "", 0.0), (1.0, "contract", 0.5), (2.5, "contract", 1.0)])
def test_a_contract_counts_from_one_year_and_in_full_from_two(years, met, marks):
    found = _qualified(contract_years=years)
    assert (found["criteria_met"], found["contract_marks"]) == (met, marks)


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"is_strategic": True}, "strategic"),
        ({"reputation_score": 4.0}, "reputation"),
        ({"references_made": 1.0}, "reputation"),
        ({"innovation_score": 4.0}, "innovation"),
        ({"new_products": 1.0}, "innovation"),
        ({"market_score": 4.0}, "market"),
        ({"revenue_before": 400 / 1.5}, "market"),
        ({"annual_potential": 400.0}, "market"),
    ],
)
def test_each_of_the_five_criteria_is_enough_and_is_named(columns, code):
    found = _qualified(contract_years=0.0, **columns)
    assert found["criteria_met"] == code and found["qualifies"]


@pytest.mark.parametrize(
    ("columns", "gate"),
    [
        ({"fit_score": 2.9}, "fit"),
        ({"centralised_share": 0.33}, "centralised"),
        ({"largest_order_share": 0.51}, "recurring"),
        ({"years_active": 1, "months_active": 3}, "recurring"),
    ],
)
def test_each_gate_stops_an_account_whatever_its_size(columns, gate):
    found = _qualified(**columns)
    assert (found["gates_failed"], found["lacks"], found["qualifies"]) == (gate, "gates", False)


def test_two_hundred_million_once_is_no_key_account_and_ten_a_year_for_three_years_is():
    once = _qualified(years_active=1, months_active=1, largest_order_share=1.0)
    yearly = _qualified(years_active=3, months_active=3, largest_order_share=1 / 3)
    assert once["gates_failed"] == "recurring" and once["is_one_off"]
    assert yearly["gates_failed"] == "" and not yearly["is_one_off"]


def test_an_official_is_never_qualified_by_rule():
    found = _qualified(is_official=True)
    assert not found["qualifies"] and found["qualifies_but_official"]


def test_what_the_book_cannot_tell_is_neither_met_nor_failed():
    unknown = {name: np.nan for name in ("contract_years", "references_made", "new_products", "revenue_before")}
    found = _qualified(**unknown, margin=np.nan, centralised_share=np.nan, is_strategic=None)
    assert found["tests_known"] == 3 and pd.isna(found["gate_centralised"])
    assert found["criteria_met"] == "" and found["lacks"] == ""


def test_orders_stand_in_for_contracts_only_where_the_book_has_none():
    assert _qualified(contract_years=np.nan)["criteria_met"] == "contract"
    assert _qualified(contract_years=np.nan, years_active=1, months_active=9)["criteria_met"] == ""
    assert _qualified(contract_years=0.0)["criteria_met"] == ""


def test_a_small_account_lacks_its_class():
    assert "class" in _qualified(abc="B")["lacks"]


def test_the_cost_ratio_of_the_domain_text():
    ratio = cost_ratio([5e6, 5e5, 5e5], [1e7, 1e7, 1e7])
    assert ratio[0] == 0.50 and ratio[2] == pytest.approx(0.20)


def test_investments_are_set_against_what_came_back():
    rows = pd.DataFrame(
        {"invested": [5.0, 0, 2, 3], "revenue_recent": [10.0, 9, 0, 9], "margin_recent": [6.0, 1, 0, 1]}
    )
    found = payback(rows)
    assert found.index.tolist() == [0, 3, 2]
    assert found["has_paid_back"].tolist() == [True, False, False]
    assert found["cost_ratio"].iloc[0] == 0.5 and np.isnan(found["cost_ratio"].iloc[2])


# Ratings and the portfolio


def test_raters_who_agree_have_kappa_one_and_those_who_oppose_have_less_than_nothing():
    scores = np.tile([1, 2, 3, 4, 5], 5)
    rows = pd.DataFrame({"account_id": range(25), "criterion": "fit", "score": scores, "rater_id": "a"})
    same = pd.concat([rows, rows.assign(rater_id="b")])
    against = pd.concat([rows, rows.assign(rater_id="b", score=6 - scores)])
    assert agree(same)["kappa"].iloc[-1] == pytest.approx(1.0)
    assert agree(against)["kappa"].iloc[-1] == pytest.approx(-1.0)


def test_too_few_pairs_have_no_kappa():
    rows = pd.DataFrame({"account_id": [1, 1], "criterion": "fit", "score": [3, 4], "rater_id": ["a", "b"]})
    found = agree(rows).iloc[-1]
    assert found["pairs"] == 1 and np.isnan(found["kappa"]) and found["mean_gap"] == 1


def test_an_account_best_on_everything_is_selected_whatever_the_weights():
    scores = pd.DataFrame({"x": [5, 4, 1], "y": [5, 1, 4]}, index=["top", "left", "right"])
    share = weight_sensitivity(scores, 2, draws=4000, seed=1)
    assert share["top"] == 1.0
    assert share["left"] == pytest.approx(0.5, abs=0.03)


def test_the_quadrants_of_the_portfolio():
    scores = pd.DataFrame({"growth": [4.0, 4, 2, 2], "relationship": [1.0, 5, 1, 5]})
    card = Scorecard(("growth", "relationship"), (), scores, pd.Series(), pd.DataFrame(), pd.Series(), 1)
    accounts = pd.DataFrame(
        {"satisfaction": [8.0, 2, 8, np.nan], "wallet_share": [0.6, np.nan, 0.6, 0.1], "annual_potential": np.nan}
    ).assign(margin=1.0, revenue=4.0)
    assert matrix(accounts, card)["quadrant"].tolist() == ["defend", "invest", "maintain", "economise"]


def test_without_ratings_attractiveness_is_the_rank_of_the_potential():
    accounts = pd.DataFrame({"satisfaction": [8.0, 8.0], "wallet_share": 0.5, "annual_potential": [1.0, 9.0]})
    found = matrix(accounts.assign(margin=1.0, revenue=4.0), None)
    assert found["attractiveness"].tolist() == [3.0, 5.0]
    assert set(found["attractiveness_basis"]) == {"potential"}


# Stages


@pytest.mark.parametrize(
    ("columns", "stage"),
    [
        ({"orders_ever": 0, "orders": 0}, "prospect"),
        ({"orders": 0}, "lapsed"),
        ({"first_purchase_days": 300.0}, "build"),
        ({"months_active": 3}, "build"),
        ({"revenue": 500.0}, "strengthen"),
        ({"loyalty": "loyal"}, "strengthen"),
        ({"quarters_active": 3, "revenue": 500.0}, "stable"),
        ({}, "stable"),
    ],
)
def test_relationship_stages(columns, stage):
    usual = {"orders_ever": 90, "orders": 30, "first_purchase_days": 900.0, "months_active": 30}
    usual |= {"quarters_active": 4, "quarters_open": 4, "revenue": 400.0, "revenue_before": 400.0}
    usual |= {"loyalty": "switcher", "loyalty_basis": "survey"}
    assert relationship(pd.DataFrame(usual | columns, index=[0]), DECLARED).tolist() == [stage]


# Moves


def _said(**values) -> pd.DataFrame:
    series = pd.Series(values, dtype=float)
    return pd.DataFrame({"value": series, "abc": abc(series)})


def _moved(then: dict, now: dict, said=None) -> pd.DataFrame:
    return class_moves(pd.Series(then, dtype=float), pd.Series(now, dtype=float), (0.8, 0.95), said)


def test_spending_less_is_the_cause_of_a_fall():
    found = _moved({"x": 70, "y": 20, "z": 10}, {"x": 70, "y": 4, "z": 10})
    assert found.loc["y", ["previous", "abc", "cause"]].tolist() == ["A", "C", "spend"]


def test_an_account_can_move_because_the_others_did():
    found = _moved({"x": 70, "y": 20, "z": 10}, {"x": 700, "y": 20, "z": 10})
    assert found.loc["y", ["previous", "abc", "cause"]].tolist() == ["A", "C", "threshold"]


def test_cuts_declared_anew_are_told_from_a_threshold_that_moved_with_others():
    values = {"x": 70.0, "y": 20.0, "z": 10.0}
    said = pd.DataFrame({"value": pd.Series(values), "abc": ["A", "B", "C"], "cut_a": 0.7, "cut_b": 0.9})
    assert _moved(values, values, said).loc["y", ["abc", "cause"]].tolist() == ["A", "cuts declared anew"]
    assert _moved(values, values, said.drop(columns=["cut_a", "cut_b"])).loc["y", "cause"] == "threshold"


def test_a_value_that_was_corrected_since_is_data_revised():
    said = _said(x=70, y=20, z=10)
    then = {"x": 70.0, "y": 5.0, "z": 10.0}
    found = _moved(then, then, said)
    assert found.loc["y", "previous"] == "A"
    assert found.loc["y", "cause"].startswith("data revised")


def test_a_new_account_is_marked_new():
    found = _moved({"x": 10}, {"x": 10, "y": 90})
    assert found["is_new"].tolist() == [False, True]
    assert found.loc["y", "previous"] == "C"


@QUIET
@given(st.lists(st.tuples(*[st.integers(-5, 99)] * 3), min_size=1, max_size=12))
def test_a_move_has_a_cause_exactly_where_there_is_one(rows):
    told, then, now = (pd.Series([row[i] for row in rows], dtype=float) for i in range(3))
    said = pd.DataFrame({"value": told, "abc": abc(told)})
    found = class_moves(then, now, (0.8, 0.95), said)
    assert ((found["previous"] != found["abc"]) == (found["cause"] != "")).all()
    assert found["abc"].tolist() == abc(now).tolist()


def test_an_account_gone_quiet_moves_by_recency():
    then = pd.DataFrame({"recency_days": [10.0], "active_months": [8], "revenue": [150.0]})
    found = segment_moves(then, then.assign(recency_days=100.0), POINTS, POINTS)
    assert found.iloc[0].tolist() == ["champion", "recency"]


def test_an_account_moves_by_threshold_when_the_mean_account_grows():
    then = pd.DataFrame({"recency_days": [10.0], "active_months": [8], "revenue": [150.0]})
    found = segment_moves(then, then, POINTS, POINTS._replace(money=(100, 300, 1000, 3000)))
    assert found.iloc[0].tolist() == ["champion", "threshold"]


def test_regression_to_the_mean_is_seen_both_ways_in_pure_noise():
    rng = np.random.default_rng(3)
    before, after = (pd.Series(rng.lognormal(0, 1, 400)) for _ in range(2))
    change = regression_to_mean(before, after, (0.8, 0.95)).set_index(["sorted_by", "abc"])["change"]
    assert change["before", "A"] < -0.1 and change["after", "A"] > 0.1


def test_the_record_counts_only_accounts_that_had_bought():
    then = pd.DataFrame({"abc": ["A", "B", "C"], "kept_share": [0.9, 0.5, 1.0], "has_bought": [True, True, False]})
    rows = keep_record(pd.DataFrame({"abc": ["A", "C", "C"]}), then)
    assert rows.to_numpy().tolist() == [["firm", 1, 1], ["borderline", 1, 0]]


# Selection


def _day(n: int = 1, **columns) -> pd.DataFrame:
    usual = {"qualifies": True, "value": 9.0, "has_bought": True, "kept_share": 1.0, "criteria_met": "contract"}
    usual |= {"lacks": "", "is_one_off": False, "is_official": False, "qualifies_but_official": False}
    return pd.DataFrame(usual | columns, index=range(n))


OUT = {"qualifies": False, "lacks": "class", "criteria_met": "contract"}


@pytest.mark.parametrize(
    ("now", "then", "earlier", "decision", "reason"),
    [
        ({}, {}, {}, "keep", "holds"),
        ({}, OUT, OUT, "promote", "entered"),
        ({"kept_share": 0.79}, OUT, OUT, "review", "not_firm"),
        ({"kept_share": 0.79}, {"kept_share": 0.5}, OUT, "promote", "met_twice"),
        (OUT, {}, {}, "review", "failed_once"),
        (OUT, OUT, {}, "demote", "failed_twice"),
        (OUT, OUT, OUT, "", ""),
        (OUT | {"has_bought": False}, {}, {}, "demote", "silent"),
        ({"qualifies": False, "qualifies_but_official": True, "is_official": True}, OUT, OUT, "review", "official"),
        ({"criteria_met": ""}, OUT, OUT, "review", "no_evidence"),
        (OUT | {"is_one_off": True}, OUT, OUT, "review", "one_order"),
        (OUT | {"lacks": "gates"}, OUT, OUT, "review", "gate"),
    ],
)
def test_decisions_and_their_reasons(now, then, earlier, decision, reason):
    found = decide(_day(**now), _day(**then), _day(**earlier), cap=5).iloc[0]
    assert (found["decision"], found["reason"]) == (decision, reason)


def test_beyond_the_cap_an_account_waits():
    now, out = _day(3, value=[9.0, 8.0, 7.0]), _day(3, **OUT)
    found = decide(now, out, out, cap=2)
    assert found["decision"].tolist() == ["promote", "promote", ""]
    assert found["reason"].tolist()[2] == "over_cap"


def test_equal_accounts_at_the_last_place_all_meet_the_rule():
    assert meets(_day(4, value=[9.0, 8.0, 8.0, 7.0]), 2).tolist() == [True, True, True, False]


def test_the_last_report_says_who_was_a_key_account():
    found = decide(_day(**OUT), _day(**OUT), _day(**OUT), 5, was_key=pd.Series([True])).iloc[0]
    assert found["decision"] == "demote"


def test_an_account_under_review_stays_what_it_was():
    found = decide(_day(**OUT), _day(), _day(), 5).iloc[0]
    assert found["was_key"] and found["is_key"]


# Groups, tail, markets


@QUIET
@given(st.lists(st.tuples(st.integers(0, 100), st.one_of(st.none(), st.integers(0, 9))), min_size=1, max_size=10))
def test_rolling_up_conserves_totals_and_counts_each_account_once(rows):
    names = [str(i) for i in range(len(rows))]
    frame = pd.DataFrame(
        {"value": [float(v) for v, _ in rows], "parent_id": [None if p is None else str(p) for _, p in rows]},
        index=names,
    ).assign(name=names, revenue=lambda f: f["value"], abc=lambda f: abc(f["value"]))
    groups, top = roll_up(frame, (0.8, 0.95)), roots(frame["parent_id"])
    alone = frame[~top.isin(groups["root_id"])]
    assert groups["value"].sum() + alone["value"].sum() == pytest.approx(frame["value"].sum())
    assert groups["accounts"].sum() + len(alone) == len(frame)


def test_owners_in_a_ring_are_their_own_groups():
    assert roots(pd.Series({"a": "b", "b": "a", "c": None})).to_dict() == {"a": "a", "b": "b", "c": "c"}


def test_branches_can_be_larger_together():
    frame = pd.DataFrame(
        {"value": [50.0, 12, 12, 12, 14], "parent_id": [None, None, "1", "1", None]}, index=list("01234")
    )
    frame = frame.assign(name="x", revenue=frame["value"], abc=abc(frame["value"], (0.5, 0.9)))
    (group,) = roll_up(frame, (0.5, 0.9)).to_dict("records")
    assert (group["accounts"], group["value"], group["is_raised"]) == (3, 36.0, group["abc_group"] < group["abc_best"])


def test_losing_part_of_the_tail_costs_that_part_of_it():
    buyers = pd.DataFrame({"revenue": [100.0, 10, 10, 10, 10], "margin": 5.0, "revenue_before": 9.0})
    found = long_tail(buyers, level=0.9)
    assert found.accounts == 4 and found.revenue_share == pytest.approx(40 / 140)
    assert found.thinning["revenue_lost"].tolist() == [4.0, 10.0, 20.0]
    assert found.largest.iloc[0]["share_of_revenue"] == pytest.approx(100 / 140)


def test_the_interval_of_a_thinned_tail_is_that_of_its_simulation():
    tail = np.random.default_rng(1).lognormal(0, 1, 400)
    buyers = pd.DataFrame({"revenue": np.r_[tail, np.full(100, 1e6)], "margin": 1.0, "revenue_before": 1.0})
    row = long_tail(buyers, level=0.9).thinning.iloc[1]
    lost = [tail @ (np.random.default_rng(i).random(400) < 0.25) for i in range(2000)]
    assert row[["revenue_lost_lower", "revenue_lost_upper"]].tolist() == pytest.approx(
        np.quantile(lost, [0.05, 0.95]), rel=0.03
    )


def _market(n: int, keys: int) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    is_key = np.arange(n) < keys
    potential = np.exp(rng.normal(10 + 2 * is_key, 1))
    columns = {"is_key": is_key, "annual_potential": potential, "industry": "x", "region": None}
    return pd.DataFrame(columns | {"has_bought": True, "revenue": 2.0, "revenue_before": 1.0})


def test_prospects_are_scored_by_what_key_accounts_look_like():
    found = likeness(_market(200, 40))
    assert found.auc > 0.8 and found.auc_lower < found.auc < found.auc_upper
    assert found.scores.between(0, 1).all()


def test_shuffled_key_accounts_look_like_nothing():
    frame, found = _market(200, 40), []
    for seed in range(6):
        shuffled = frame["is_key"].sample(frac=1, random_state=seed).to_numpy()
        found.append(likeness(frame.assign(is_key=shuffled)).auc)
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)


def test_too_few_key_accounts_teach_nothing():
    with pytest.raises(ModelError, match="9 of 200 accounts of known potential are key accounts"):
        likeness(_market(200, 9))


def test_markets_add_up():
    found = markets(_market(10, 3))
    assert found[["accounts", "key_accounts", "share", "growth"]].iloc[0].tolist() == [10, 3, 1.0, 1.0]
    assert markets(_market(10, 3).assign(industry=None)).empty
