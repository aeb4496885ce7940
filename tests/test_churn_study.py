"""The churn study as a whole: one book in, one frozen result out, and nothing of the future in it."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from churn_books import book_of, sample_book, sample_place

from kamlib import open_book
from kamlib.book.sample import read_truth
from kamlib.errors import RequestError
from kamlib.studies import churn

from books import small_frames, write_folder
from future import plant_future

AS_OF = "2026-06-30"


@pytest.fixture(scope="module")
def result():
    with sample_book() as book:
        yield churn.measure(book, draws=100)


def _measured(frames, folder, as_of=AS_OF, **given):
    with open_book(write_folder(frames, folder), as_of=as_of) as book:
        return churn.measure(book, draws=20, **given)


def _same(ours, theirs, money=1.0):
    """Two results agree account by account, money apart by a factor."""
    columns = ["value_at_risk", "margin_expected", "gain_of_call", "margin_year", "margin_lost"]
    scaled = ours.accounts.assign(**{c: ours.accounts[c] * money for c in columns})
    left, right = (frame.sort_values("account_id", ignore_index=True) for frame in (scaled, theirs.accounts))
    pd.testing.assert_frame_equal(left.drop(columns="partial_gone"), right.drop(columns="partial_gone"), rtol=1e-5)
    assert ours.winner == theirs.winner


def test_the_result_is_frozen(result):
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.winner = "me"


def test_every_account_that_ever_ordered_is_there_once(result):
    with sample_book() as book:
        ordered = set(book.frame("orders")["account_id"])
    assert set(result.accounts["account_id"]) <= ordered
    assert result.accounts["account_id"].is_unique


def test_risks_are_probabilities_inside_their_intervals_and_only_where_judged(result):
    judged = result.judged
    assert judged["risk"].between(0, 1).all()
    assert (judged["risk_low"] <= judged["risk"]).all() and (judged["risk"] <= judged["risk_high"]).all()
    assert result.accounts.loc[~result.accounts["is_judged"], "risk"].isna().all()


def test_health_is_the_probability_and_nothing_else(result):
    assert np.allclose(result.judged["health"], 100 * (1 - result.judged["risk"]))


def test_the_value_at_risk_is_the_sum_of_its_accounts_and_lies_in_its_interval(result):
    assert result.at_risk == pytest.approx(result.judged["value_at_risk"].sum())
    assert result.at_risk_low < result.at_risk < result.at_risk_high


def test_at_most_as_many_are_called_as_can_be(result):
    assert (result.accounts["action"] == "call").sum() <= result.policy.calls


def test_predictions_are_what_the_next_report_grades(result):
    assert list(result.predictions) == ["account_id", "quantity", "horizon_days", "value", "lower", "upper"]
    assert set(result.predictions["quantity"]) == {"silent"}
    assert (result.predictions["horizon_days"] >= 90).all()


def test_all_candidates_were_judged_on_the_same_rows(result):
    plain = ["recency over own gap", "same season last year", "recency chain", "hazard, own pace"]
    assert set(plain) <= set(result.candidates.index)
    assert result.said[plain].notna().all(axis=None)
    assert len(result.cutoffs) == 4


def test_the_winner_is_the_best_by_the_declared_measure_of_those_that_can_win(result):
    able = result.candidates[result.candidates["can_win"]]
    assert result.winner == able["brier"].idxmin()


def test_the_winner_beats_the_plain_rule(result):
    assert result.candidates.loc[result.winner, "lift"] >= result.candidates.loc[result.baseline, "lift"]


def test_in_a_company_with_enough_silences_the_risks_can_be_taken_at_their_word():
    with sample_book(1000, 7) as book:  # with thirty silences the slope of a perfect model strays as far as 0.6
        result = churn.measure(book, draws=20)
    assert 0.8 <= result.candidates.loc[result.winner, "calibration_slope"] <= 1.2


def test_with_shuffled_outcomes_the_lift_is_one(result):
    low, high = np.quantile(result.shuffled, [0.05, 0.95])
    assert low <= 1 <= high


def test_without_a_report_before_the_record_is_what_would_have_been_said(result):
    assert result.record.is_recomputed
    assert result.record.said_on == max(result.cutoffs)


def test_off_season_buyers_are_not_called_silent(result):
    truth = read_truth(sample_place())["accounts"].set_index("account_id")
    rows = result.accounts.join(truth[["is_seasonal", "churn_date"]], on="account_id")
    staying = rows[rows["is_seasonal"] & rows["churn_date"].isna() & rows["has_history"]]
    assert (staying["status"] == "silent").mean() <= 0.15


def test_accounts_that_left_long_ago_are_silent_and_those_that_stay_are_not(result):
    truth = read_truth(sample_place())["accounts"].set_index("account_id")
    rows = result.accounts.join(truth[["churn_date", "is_seasonal", "order_rate"]], on="account_id")
    rows = rows[~rows["is_seasonal"] & (rows["order_rate"] > 1)]
    gone = pd.to_datetime(rows["churn_date"]) < result.as_of - pd.Timedelta(days=180)
    assert (rows.loc[gone, "status"] == "silent").mean() > 0.9
    assert (rows.loc[rows["churn_date"].isna(), "status"] == "active").mean() > 0.9


def test_a_report_is_graded_by_the_next(tmp_path):
    with sample_book(as_of=AS_OF) as book:
        earlier = churn.measure(book, draws=20)
    earlier.predictions.to_parquet(tmp_path / "predictions.parquet")
    (tmp_path / "manifest.json").write_text(f'{{"as_of": "{AS_OF}"}}')
    with sample_book() as book:
        later = churn.measure(book, draws=20, previous=str(tmp_path))
    assert not later.record.is_recomputed
    assert len(later.record.rows) == len(earlier.predictions)
    assert len(later.record.graded) > 0.8 * len(earlier.predictions)


def test_boosting_competes_when_asked():
    with sample_book(60) as book:
        asked = churn.measure(book, draws=20, with_boosting=True)
        assert "gradient boosting" in asked.candidates.index


def test_a_scope_leaves_the_other_accounts_out():
    with sample_book(scope={"region": "North"}) as book:
        inside = set(book.frame("accounts")["account_id"])
        assert set(churn.measure(book, draws=20).accounts["account_id"]) <= inside


@pytest.fixture(scope="module", params=[0, 20260630])
def small(request, tmp_path_factory):
    """The tables of a small book, drawn from a seed, and what is measured on them as they are."""
    frames = small_frames(request.param, accounts=8, days=900)
    return frames, _measured(frames, tmp_path_factory.mktemp("small") / "book")


def test_what_the_future_brings_changes_nothing(tmp_path, small):
    frames, ours = small
    theirs = _measured(plant_future(frames, AS_OF), tmp_path / "book")
    _same(ours, theirs)
    pd.testing.assert_frame_equal(ours.candidates, theirs.candidates)


def test_the_order_of_the_rows_changes_nothing(tmp_path, small):
    frames, ours = small
    mixed = {name: frame.sample(frac=1, random_state=7) for name, frame in frames.items()}
    _same(ours, _measured(mixed, tmp_path / "book"))


def test_money_times_a_factor_is_money_at_risk_times_that_factor(tmp_path, small):
    frames, ours = small
    orders = frames["orders"].assign(**{c: frames["orders"][c] * 1000.0 for c in ("revenue", "cost")})
    _same(ours, _measured(frames | {"orders": orders}, tmp_path / "book"), 1000.0)


@pytest.mark.parametrize(
    "days", [{"a": [0]}, {"a": range(0, 900, 9)}, {"a": [0, 1], "b": [3]}], ids=["one order", "one account", "two"]
)
def test_the_smallest_books_are_measured_and_claim_nothing(days):
    with book_of(days) as book:
        found = churn.measure(book, draws=20)
    assert len(found.accounts) == len(days)
    assert found.events <= 1


def test_a_book_without_orders_says_so():
    with book_of({"a": [10]}, until=1) as book, pytest.raises(RequestError, match="has no order on or before"):
        churn.measure(book)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"horizon_days": 3}, "horizon_days is 3; give 7 to 730"),
        ({"silence_gaps": 1.0}, "silence_gaps is 1.0; at one usual gap"),
        ({"decide_by": "auc"}, "decide_by is 'auc'; it may be lift, pr_auc, brier, empc"),
        ({"level": 95}, "level is 95; give a share between 0 and 1"),
        ({"call_count": -1}, "calls -1"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_it_may_be(given, message):
    with book_of({"a": [0, 10]}) as book, pytest.raises(RequestError, match=message):
        churn.measure(book, **given)
