"""The parts the segmentation study is made of: RFM, loyalty, qualification, ratings, stages, moves, selection."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kamlib import open_book
from kamlib.book.settings import Settings
from kamlib.errors import ModelError, RequestError
from kamlib.studies.classes import abc
from kamlib.studies.ledger import read_ledger
from kamlib.studies.segmentation.groups import roll_up, roots
from kamlib.studies.segmentation.loyalty import agreement, loyalty, serialisation
from kamlib.studies.segmentation.markets import likeness, markets
from kamlib.studies.segmentation.migration import class_moves, keep_record, regression_to_mean, segment_moves
from kamlib.studies.segmentation.payback import cost_ratio, payback, status
from kamlib.studies.segmentation.portfolio import matrix
from kamlib.studies.segmentation.qualification import qualify
from kamlib.studies.segmentation.ratings import Scorecard, agree, disputed, weight_sensitivity
from kamlib.studies.segmentation.rfm import RULE_BOOK, CutPoints, Step, cut_points, rfm, segments
from kamlib.studies.segmentation.selection import decide, meets, roster
from kamlib.studies.segmentation.stages import is_silent, relationship
from kamlib.studies.segmentation.standing import stand
from kamlib.studies.segmentation.tail import long_tail

from books import write_folder

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
        (0.49, np.nan, "shares its custom"),
        (0.20, 0.0, "shares its custom"),
        (0.40, -0.09, "shares its custom"),
        (0.40, -0.10, "switcher"),
        (0.10, -0.50, "no loyalty"),
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
        ({"quarters_active": [1], "quarters_open": [1]}, "unclear"),
        ({"categories": [1.0]}, "unclear"),
        ({"categories": [1.0], "new_products": [1.0]}, "loyal"),
        ({"categories": [np.nan], "new_products": [np.nan]}, "loyal"),
        ({"has_bought": [False]}, "not known"),
        ({"has_bought": [False], "wallet_share": [0.9]}, "not known"),
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
    found, basis = serialisation(known)
    assert (found.value, found.n, basis) == (0.75, 4, "survey") and found.low < 0.75 < found.high
    assert serialisation(known.assign(has_bought=False))[0].n == 0


def test_accounts_without_a_survey_and_without_an_order_do_not_count_in_serialisation():
    accounts = _accounts(wallet_share=[0.9, 0.1, np.nan, 0.9], has_bought=[True, True, True, False])
    known = accounts.join(loyalty(accounts, DECLARED).drop(columns="wallet_share", errors="ignore")).assign(abc="C")
    assert (serialisation(known)[0].hits, serialisation(known)[0].n) == (1, 2)
    proxies = accounts.assign(wallet_share=np.nan)
    found, basis = serialisation(proxies.join(loyalty(proxies, DECLARED)).assign(abc="C"))
    assert (found.hits, found.n, basis) == (3, 3, "proxy")


# Qualification


def _candidates(n: int = 1, **columns) -> pd.DataFrame:
    usual = {
        "abc": "A",
        "value": 100.0,
        "revenue": 400.0,
        "revenue_before": 400.0,
        "margin": 100.0,
        "costed_share": 1.0,
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


@pytest.mark.parametrize(("costed", "told"), [(0.5, True), (0.49, False), (np.nan, False)])
def test_a_margin_is_tested_only_where_most_of_its_cost_is_known(costed, told):
    assert pd.notna(_qualified(costed_share=costed)["test_margin"]) == told


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
        ({"annual_potential": 800.0}, "market"),
    ],
)
def test_each_of_the_five_criteria_is_enough_and_is_named(columns, code):
    found = _qualified(contract_years=0.0, **columns)
    assert found["criteria_met"] == code and found["qualifies"]


def test_a_potential_that_is_mostly_bought_here_already_is_no_market_strength():
    rng = np.random.default_rng(1)
    revenue = rng.lognormal(0, 2, 200)
    columns = {"revenue": revenue, "revenue_before": revenue, "annual_potential": revenue * rng.uniform(0, 1.99, 200)}
    found = qualify(_candidates(200, contract_years=0.0, **columns), DECLARED)
    assert set(found["criteria_met"]) == {""} and not found["is_potential_alone"].any()


def test_who_qualifies_by_potential_alone_is_marked():
    assert _qualified(contract_years=0.0, annual_potential=800.0)["is_potential_alone"]
    assert not _qualified(contract_years=1.0, annual_potential=800.0)["is_potential_alone"]
    assert not _qualified(contract_years=0.0, annual_potential=800.0, market_score=5.0)["is_potential_alone"]
    assert not _qualified(contract_years=0.0, annual_potential=800.0, abc="C")["is_potential_alone"]


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


def _invested(tmp_path, *spent, cost=60.0) -> pd.DataFrame:
    """Payback of an account that bought 100 a month from January 2024 on, as of 30 September 2026."""
    days = pd.date_range("2024-01-15", "2026-09-15", freq="MS") + pd.Timedelta(days=14)
    orders = pd.DataFrame({"order_id": [f"o{i}" for i in range(len(days))], "order_date": days, "revenue": 100.0})
    rows = pd.DataFrame(spent, columns=["spent_on", "amount", "kind"])
    frames = {
        "accounts": pd.DataFrame({"account_id": ["a"], "name": ["A"]}),
        "orders": orders.assign(line_no="1", account_id="a", cost=cost),
        "investments": rows.assign(
            investment_id=[f"i{i}" for i in range(len(rows))], account_id="a", spent_on=pd.to_datetime(rows["spent_on"])
        ),
    }
    with open_book(write_folder(frames, tmp_path / "book"), as_of="2026-09-30") as book:
        return payback(book, stand(read_ledger(book, 36)))


@pytest.mark.parametrize(
    ("spent", "margin", "expected"),
    [
        ([("2025-07-20", 600.0, "development")], 600.0, "paid"),
        ([("2025-07-20", 601.0, "development")], 600.0, "open"),
        ([("2025-07-20", 500.0, "development"), ("2025-10-01", 200.0, "service")], 600.0, "too early"),
        ([("2025-09-30", 521.0, "travel")], 520.0, "open"),
        ([("2025-10-01", 481.0, "travel")], 480.0, "too early"),
    ],
)
def test_what_was_earned_before_the_first_spending_pays_nothing_back(tmp_path, spent, margin, expected):
    (row,) = _invested(tmp_path, *spent).to_dict("records")
    assert (row["margin_after_spend"], row["payback"]) == (margin, expected)
    assert row["uncovered"] == pytest.approx(max(0.0, sum(amount for _, amount, _ in spent) - margin))


def test_spending_that_is_older_than_three_years_does_not_count(tmp_path):
    assert _invested(tmp_path, ("2023-09-30", 9.0, "other")).empty


def test_without_costs_nobody_can_say_whether_spending_came_back(tmp_path):
    found = _invested(tmp_path, ("2025-07-20", 600.0, "development"), cost=np.nan)
    assert found["payback"].tolist() == ["not known"] and found["cost_ratio"].iloc[0] == pytest.approx(0.4)


@QUIET
@given(st.floats(0, 99), st.floats(0, 1), st.floats(-99, 199))
def test_more_margin_never_makes_a_payback_worse(invested, part, margin):
    order = ["open", "too early", "paid"]
    rows = pd.DataFrame({"invested": invested, "overdue": invested * part, "margin_after_spend": [margin, margin + 5]})
    less, more = status(rows)
    assert order.index(less) <= order.index(more)


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


def test_a_criterion_raters_disagree_on_is_disputed_and_one_that_few_rated_is_not():
    scores = np.tile([1, 2, 3, 4, 5], 5)
    rows = pd.DataFrame({"account_id": range(25), "criterion": "fit", "score": scores, "rater_id": "a", "rated_on": 1})
    against = pd.concat([rows, rows.assign(rater_id="b", score=6 - scores)])
    alike = pd.concat([rows, rows.assign(rater_id="b")]).assign(criterion="growth")
    assert disputed(pd.concat([against, alike])) == ("fit",)
    assert disputed(pd.concat([against.groupby("rater_id").head(19), alike])) == ()


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


def test_scores_raters_disagree_on_make_nothing_attractive():
    scores = pd.DataFrame({"growth": [5.0], "fit": [1.0]})
    card = Scorecard(("growth", "fit"), (), scores, pd.Series(), pd.DataFrame(), pd.Series(), 1, ("growth",))
    accounts = pd.DataFrame({"satisfaction": [8.0], "wallet_share": 0.9, "annual_potential": 1.0})
    assert matrix(accounts.assign(margin=1.0, revenue=4.0), card)["attractiveness"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("satisfaction", "wallet", "quadrant"), [(9.0, 0.39, "invest"), (9.0, 0.40, "defend"), (4.0, 0.90, "invest")]
)
def test_we_are_strong_where_both_answers_say_so(satisfaction, wallet, quadrant):
    accounts = pd.DataFrame({"satisfaction": [satisfaction], "wallet_share": [wallet], "annual_potential": [1.0]})
    found = matrix(accounts.assign(margin=1.0, revenue=4.0), None, middle_wallet=0.4)
    assert found["quadrant"].tolist() == [quadrant]
    assert (found["strength"].iloc[0] >= 0.5) == (quadrant == "defend")


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
    then = {"x": 40, "y": 20, "a": 20, "b": 12, "c": 8}
    assert _moved(then, then | {"y": 1}).loc["y", ["previous", "abc", "cause"]].tolist() == ["A", "C", "spend"]


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


def test_a_first_order_is_no_move():
    found = _moved({"x": 10}, {"x": 10, "y": 90})
    assert found["is_new"].tolist() == [False, True]
    assert found.loc["y", ["previous", "cause"]].tolist() == ["C", "first order"]


def test_a_move_that_either_cause_alone_would_have_made_names_both():
    # y fell to 4, and x grew so much that 20 would have been class C as well.
    found = _moved({"x": 70, "y": 20, "z": 10}, {"x": 700, "y": 4, "z": 10})
    assert found.loc["y", ["previous", "abc", "cause"]].tolist() == ["A", "C", "spend + threshold"]


@QUIET
@given(st.lists(st.tuples(st.integers(-5, 99), st.integers(-5, 99)), min_size=1, max_size=12))
def test_backwards_in_time_a_move_has_the_same_causes(rows):
    then, now = (pd.Series([row[i] for row in rows], dtype=float) for i in range(2))
    there, back = (class_moves(one, other, (0.8, 0.95), None) for one, other in ((then, now), (now, then)))
    assert (
        there["cause"].map(lambda text: set(text.split(" + "))).tolist()
        == back["cause"].map(lambda text: set(text.split(" + "))).tolist()
    )


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
    found = _regressed(*(rng.lognormal(0, 1, 400) for _ in range(2)))
    assert found.loc[("before", "A"), "change_upper"] < -0.1 and found.loc[("after", "A"), "change_lower"] > 0.1


def _regressed(before, after) -> pd.DataFrame:
    columns = {"revenue_before": before, "revenue": after, "value_earlier": before, "value": after}
    return regression_to_mean(pd.DataFrame(columns), (0.8, 0.95)).set_index(["sorted_by", "abc"])


@pytest.mark.parametrize("growth", [0.5, 1.0, 2.0])
def test_what_the_whole_book_did_is_no_regression_to_the_mean(growth):
    before = np.random.default_rng(3).lognormal(0, 1, 400)
    assert _regressed(before, growth * before)["change"].to_numpy() == pytest.approx(np.zeros(6), abs=1e-12)


def test_classes_of_the_regression_are_those_of_the_value_not_of_the_revenue():
    columns = {"revenue_before": [9.0, 1.0], "revenue": [9.0, 1.0], "value_earlier": [0.1, 9.0], "value": [0.1, 9.0]}
    rows = regression_to_mean(pd.DataFrame(columns), (0.8, 0.95)).set_index(["sorted_by", "abc"])
    assert rows.loc[("before", "A"), "revenue_before"] == 1.0


def test_the_interval_of_the_regression_is_that_of_its_bootstrap():
    rng = np.random.default_rng(3)
    before = rng.lognormal(0, 1, 300)
    frame = pd.DataFrame({"revenue_before": before, "revenue": before * rng.lognormal(0, 0.4, 300)})
    frame = frame.assign(value_earlier=before, value=frame["revenue"])
    row = regression_to_mean(frame, (0.8, 0.95)).iloc[0]
    mine, both, drawn = before >= np.sort(before)[-row["accounts"]], frame.to_numpy()[:, :2], []
    for _ in range(2000):
        place = rng.integers(300, size=300)
        part, whole = both[place][mine[place]].sum(axis=0), both[place].sum(axis=0)
        drawn.append(part[1] / part[0] / (whole[1] / whole[0]) - 1)
    ends = row[["change_lower", "change_upper"]].to_numpy(dtype=float)
    assert ends == pytest.approx(np.quantile(drawn, [0.05, 0.95]), abs=0.01)


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


def test_the_firms_own_roster_comes_before_the_last_report():
    said = pd.DataFrame({"is_key": [True, False]}, index=["a", "b"])
    own = pd.DataFrame({"is_key_account": [None, True]}, index=["a", "b"])
    flags, told_by = roster(own, said)
    assert (flags.tolist(), told_by) == ([False, True], "book")
    assert roster(own.assign(is_key_account=None), said)[1] == "report"
    assert roster(own.drop(columns="is_key_account"), None) == (None, "replay")
    assert roster(own.assign(is_key_account=[1, 0]), said)[0].tolist() == [True, False]


def test_a_roster_in_words_is_refused_and_never_read_as_nobody():
    words = pd.DataFrame({"is_key_account": ["Y", "N", None]}, index=["a", "b", "c"])
    with pytest.raises(RequestError, match="2 of 2 marks in is_key_account .* neither true nor false, such as 'Y'"):
        roster(words, None)


@pytest.mark.parametrize("source", ["replay", "inherited"])
def test_a_replayed_roster_stays_one_until_somebody_accepts_it(source):
    said = pd.DataFrame({"is_key": [True], "roster": source}, index=["a"])
    accounts = pd.DataFrame(index=["a"])
    assert [roster(accounts, said, accepted)[1] for accepted in (False, True)] == ["inherited", "report"]


@pytest.mark.parametrize(("recency_days", "told"), [(30.0, False), (31.0, True)])
def test_an_account_is_silent_after_three_of_its_mean_gaps(recency_days, told):
    habits = {"first_purchase_days": recency_days + 40, "orders_ever": 5, "orders": 5}
    assert is_silent(pd.DataFrame({"recency_days": [recency_days], **habits})).tolist() == [told]


@pytest.mark.parametrize(("orders", "days"), [(3, 10), (9, 0)], ids=["three orders", "all on one day"])
def test_an_account_of_three_orders_or_one_day_has_no_habit_to_fall_silent_by(orders, days):
    row = {"recency_days": [300.0], "first_purchase_days": 300.0 + days, "orders_ever": orders, "orders": orders}
    assert not is_silent(pd.DataFrame(row)).any()


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
    lost = [np.random.default_rng(i).permutation(tail)[:100].sum() for i in range(2000)]
    assert row[["revenue_lost_lower", "revenue_lost_upper"]].tolist() == pytest.approx(
        np.quantile(lost, [0.05, 0.95]), rel=0.03
    )


def test_accounts_that_are_all_alike_leave_nothing_to_chance():
    buyers = pd.DataFrame({"revenue": [100.0, 10, 10, 10, 10], "margin": 5.0, "revenue_before": 9.0})
    row = long_tail(buyers, level=0.9).thinning.iloc[1]
    assert row["revenue_lost_lower"] == row["revenue_lost"] == row["revenue_lost_upper"] == 10


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
    assert found.baseline > 0.8 and not found.is_better


def test_a_model_is_better_where_the_industry_tells_more_than_the_potential():
    rng, is_key = np.random.default_rng(2), np.arange(300) < 60
    industry = np.where(rng.random(300) < np.where(is_key, 0.9, 0.1), "x", "y")
    frame = _market(300, 60).assign(industry=industry, annual_potential=np.exp(rng.normal(10 + 0.5 * is_key, 1)))
    found = likeness(frame)
    assert found.is_better and found.gain_lower < found.auc - found.baseline < found.gain_upper


def test_accounts_that_do_not_buy_teach_nothing_and_are_scored():
    frame = _market(200, 40)
    silent = pd.concat([frame, frame.assign(is_key=False, has_bought=False, annual_potential=1e9)], ignore_index=True)
    found, alone = likeness(silent), likeness(frame)
    assert len(found.scores) == 400 and found.keys == alone.keys and found.baseline == alone.baseline


def test_shuffled_key_accounts_look_like_nothing():
    frame, found = _market(200, 40), []
    for seed in range(6):
        shuffled = frame["is_key"].sample(frac=1, random_state=seed).to_numpy()
        found.append(likeness(frame.assign(is_key=shuffled)).auc)
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)


def test_too_few_key_accounts_teach_nothing():
    with pytest.raises(ModelError, match="9 of 200 accounts that buy and have a known potential are key accounts"):
        likeness(_market(200, 9))


def test_markets_add_up():
    found = markets(_market(10, 3))
    assert found[["accounts", "key_accounts", "share", "growth"]].iloc[0].tolist() == [10, 3, 1.0, 1.0]
    assert markets(_market(10, 3).assign(industry=None)).empty


def test_accounts_that_stopped_buying_lower_the_growth_of_their_market():
    frame = _market(10, 3)
    frame.loc[5:, ["has_bought", "revenue"]] = [False, 0.0]
    row = markets(frame).iloc[0]
    assert (row["accounts"], row["revenue"], row["growth"]) == (5, 10.0, 0.0)


@pytest.mark.parametrize(("keys", "stands_out"), [(12, [True, False]), (4, [False, False])])
def test_a_market_stands_out_by_how_frequent_key_accounts_are_not_by_how_many(keys, stands_out):
    large, small = _market(100, 10).assign(industry="large"), _market(20, keys).assign(industry="small")
    found = markets(pd.concat([large, small], ignore_index=True)).set_index("industry").loc[["small", "large"]]
    assert found["key_rate"].tolist() == [keys / 20, 0.1]
    assert found["stands_out"].tolist() == stands_out
