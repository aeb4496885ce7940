"""Rolling origin: nothing of later days is used, and every measure is what it says."""

import numpy as np
import pandas as pd
import pytest
from churn_books import book_of, sales_of, sample_book
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kamlib.studies import scoring
from kamlib.studies.churn import backtest, baselines, purchase_models
from kamlib.studies.churn.backtest import Candidate, Slice
from kamlib.studies.churn.boosted import Boosted
from kamlib.studies.churn.contest import Rules, hold
from kamlib.studies.churn.covariates import covariates, read_facts
from kamlib.studies.churn.labels import Silence, standing
from kamlib.studies.churn.leaderboard import Campaign, best, calibration_slope, gains, leaderboard
from kamlib.studies.churn.logit import Logit
from kamlib.studies.churn.timelines import read_sales, to_dates


@pytest.fixture(scope="module")
def sample():
    with sample_book(80) as book:
        sales = read_sales(book)
        yield book, sales, read_facts(book, sales)


def _slices(sales, horizon=90):
    tests, grid = backtest.moments(sales, horizon, horizon)
    return tests, [backtest.cut(sales, moment, horizon, Silence()) for moment in grid]


def test_four_days_are_tested_a_horizon_apart_the_last_a_horizon_ago(sample):
    tests, _ = backtest.moments(sample[1], 90, 90)
    assert [sample[1].as_of - test for test in tests] == [90, 180, 270, 360]


def test_a_short_book_is_tested_on_days_closer_together():
    sales = sales_of({"a": range(0, 330, 10)})
    tests, grid = backtest.moments(sales, 90, 90)
    assert len(tests) == 4
    assert min(tests) - 90 >= grid[-1]


def test_a_book_shorter_than_two_windows_is_tested_on_no_day():
    assert backtest.moments(sales_of({"a": range(0, 150, 10)}), 90, 90)[0] == []


@given(st.integers(100, 1200), st.integers(7, 400), st.integers(1, 6))
def test_every_test_day_has_a_slice_whose_windows_had_closed(days, horizon, cutoffs):
    sales = sales_of({"a": [0, days]})
    tests, grid = backtest.moments(sales, horizon, horizon, cutoffs)
    assert len(tests) <= cutoffs
    assert all(any(moment + horizon <= test for moment in grid) for test in tests)
    assert all(test + horizon <= sales.as_of for test in tests)


def test_an_outcome_is_known_only_when_its_window_has_closed():
    sales = sales_of({"slow": range(0, 1000, 100), "fast": range(0, 1000, 10)}, until=1000)
    rows = backtest.cut(sales, sales.as_of - 100, 90, Silence()).rows
    assert rows["is_silent"].isna().tolist() == [False, True]


def test_an_outcome_is_silence_when_nothing_was_bought_in_the_window():
    sales = sales_of({"stays": range(0, 1000, 10), "leaves": range(0, 905, 10)}, until=1000)
    rows = backtest.cut(sales, sales.as_of - 95, 90, Silence()).rows
    assert dict(zip(sales.accounts[rows.index], rows["is_silent"], strict=True)) == {"leaves": 1.0, "stays": 0.0}


def test_a_candidate_learns_only_from_windows_that_had_closed(sample):
    _, sales, _ = sample
    tests, slices = _slices(sales)
    seen = []

    def spy(columns, outcome, groups):
        seen.append(columns[:, 0].max())
        return Logit.fit(columns, outcome, groups)

    due = Candidate("spy", lambda s: s.rows[["due"]].to_numpy(float), spy)
    backtest.run([due], slices[0], slices, tests)
    assert all(latest <= test for latest, test in zip(seen, tests, strict=False))


def test_a_candidate_that_knows_the_outcome_finds_them_all(sample):
    tests, slices = _slices(sample[1])
    seer = Candidate("seer", lambda s: s.rows[["is_silent"]].fillna(0).to_numpy())
    said = backtest.run([seer], slices[0], slices, tests).said
    assert scoring.auc(said["seer"], said["is_silent"]) == 1


def test_shuffled_outcomes_give_a_lift_of_one(sample):
    tests, slices = _slices(sample[1])
    lifts = backtest.shuffled_lifts(baselines.recency_over_gap(), slices, tests, times=40, seed=3)
    assert abs(lifts.mean() - 1) < 3 * lifts.std() / np.sqrt(len(lifts)) + 0.05


def test_a_slice_of_one_row_can_be_shuffled():
    sales = sales_of({"a": range(0, 900, 10)}, until=900)
    only = backtest.cut(sales, sales.as_of - 200, 90, Silence())
    assert len(only.rows) == 1
    assert backtest._shuffled(only, np.random.default_rng(0)).rows.equals(only.rows)


def test_a_row_the_candidate_is_silent_about_gets_the_usual_share(sample):
    tests, slices = _slices(sample[1])
    mute = Candidate("mute", lambda s: np.full((len(s.rows), 1), np.nan))
    said = backtest.run([mute], slices[0], slices, tests).said
    assert said.groupby("moment")["mute"].nunique().eq(1).all()


def test_what_is_known_on_a_day_is_the_same_in_the_book_of_that_day(sample):
    book, sales, facts = sample
    moment = sales.as_of - 200
    earlier = book.at(to_dates([moment])[0].date())
    then = read_sales(earlier)
    ours = covariates(facts, moment, standing(sales, moment, 90)).set_axis(
        sales.accounts[standing(sales, moment, 90).index]
    )
    theirs = covariates(read_facts(earlier, then), moment, standing(then, moment, 90)).set_axis(
        then.accounts[standing(then, moment, 90).index]
    )
    pd.testing.assert_frame_equal(ours, theirs[ours.columns])


def test_purchase_models_see_the_same_histories_in_the_book_of_that_day(sample):
    book, sales, _ = sample
    moment = sales.as_of - 200
    then = read_sales(book.at(to_dates([moment])[0].date()))
    ours, theirs = (purchase_models.histories(s, moment) for s in (sales, then))
    pd.testing.assert_frame_equal(ours.set_axis(sales.accounts[ours.index]), theirs.set_axis(then.accounts))
    assert purchase_models.gaps_regularity(sales, moment) == purchase_models.gaps_regularity(then, moment)
    assert np.array_equal(purchase_models.buying_rates(sales, moment), purchase_models.buying_rates(then, moment))


def test_a_model_without_a_fit_is_shown_and_cannot_win():
    with book_of({f"a{i}": range(i, 900, 30) for i in range(12)}) as book:
        facts = read_facts(book, read_sales(book))
        table = hold(facts, Silence(), Rules(draws=20), Campaign()).table
    assert table.empty or not table.loc["BG/NBD", "can_win"]


def _said(outcome, accounts=None, **chances):
    rows = {"account": range(len(outcome)) if accounts is None else accounts, "is_silent": outcome}
    return pd.DataFrame(rows | chances)


def test_the_leaderboard_gives_the_measures_of_the_scoring_module():
    rng = np.random.default_rng(0)
    chance = rng.random(300)
    outcome = (rng.random(300) < chance).astype(float)
    card, _ = leaderboard(_said(outcome, x=chance), ["x"], Campaign(), draws=10)
    row = card.loc["x"]
    assert row["lift"] == pytest.approx(scoring.lift(chance, outcome))
    assert row["brier"] == pytest.approx(scoring.brier(chance, outcome))
    assert row["pr_auc"] == pytest.approx(scoring.pr_auc(chance, outcome))
    assert row["empc"] == pytest.approx(scoring.empc(chance, outcome))
    assert row["calibration_slope"] == pytest.approx(scoring.calibration(chance, outcome).slope, abs=1e-5)


def test_thousands_of_probabilities_are_taken_in_steps_without_a_visible_loss():
    rng = np.random.default_rng(1)
    chance = rng.beta(1, 9, 20_000)
    outcome = (rng.random(20_000) < chance).astype(float)
    card, _ = leaderboard(_said(outcome, x=chance), ["x"], Campaign(), draws=5)
    assert card.loc["x", "brier"] == pytest.approx(scoring.brier(chance, outcome), rel=1e-4)
    assert card.loc["x", "lift"] == pytest.approx(scoring.lift(chance, outcome), rel=5e-3)
    assert card.loc["x", "calibration_slope"] == pytest.approx(1, abs=0.1)


def test_rows_of_one_account_go_together_in_the_bootstrap():
    rng = np.random.default_rng(2)
    outcome, chance = (np.repeat(rng.integers(0, 2, 40), 25).astype(float), np.repeat(rng.random(40), 25))
    apart, _ = leaderboard(_said(outcome, x=chance), ["x"], Campaign())
    together, _ = leaderboard(_said(outcome, np.repeat(range(40), 25), x=chance), ["x"], Campaign())
    width = [card.loc["x", "brier_high"] - card.loc["x", "brier_low"] for card in (apart, together)]
    assert width[1] > 2 * width[0]


def test_without_an_event_there_is_no_leaderboard():
    card, values = leaderboard(_said(np.zeros(9), x=np.full(9, 0.1)), ["x"], Campaign())
    assert card.empty and not values


@pytest.mark.parametrize(("measure", "winner"), [("brier", "good"), ("lift", "good"), ("pr_auc", "good")])
def test_the_best_is_the_lowest_brier_score_or_the_highest_of_the_others(measure, winner):
    rng = np.random.default_rng(3)
    chance = rng.random(400)
    outcome = (rng.random(400) < chance).astype(float)
    card, values = leaderboard(_said(outcome, good=chance, bad=rng.random(400)), ["bad", "good"], Campaign(), 50)
    assert best(card, measure) == winner
    assert gains(values, measure, "bad").loc["good", "gain_low"] > 0


def test_equal_probabilities_have_no_calibration_slope():
    assert np.isnan(calibration_slope(np.full(5, 0.2), np.array([1, 0, 0, 0, 0.0]), np.ones((1, 5)))).all()


def test_a_logit_without_events_says_half_an_event():
    model = Logit.fit(np.arange(9.0)[:, None], np.zeros(9), range(9))
    assert model.probability(np.array([[3.0]])) == pytest.approx(0.05)


def test_a_logit_that_is_separated_does_not_run_away():
    column = np.arange(20.0)[:, None]
    model = Logit.fit(column, (column[:, 0] > 9).astype(float), range(20))
    assert np.abs(model.params).max() < 10


def test_a_heavier_penalty_believes_a_column_less():
    rng = np.random.default_rng(4)
    column = rng.normal(size=(60, 1))
    outcome = (rng.random(60) < 1 / (1 + np.exp(-2 * column[:, 0]))).astype(float)
    light, heavy = (Logit.fit(column, outcome, range(60), penalty) for penalty in (0.1, 50.0))
    ends = np.array([[-2.0], [2.0]])
    assert np.ptp(heavy.log_odds(ends)) < 0.5 * np.ptp(light.log_odds(ends))


def test_the_intervals_of_a_logit_cover_at_their_level():
    rng, hits = np.random.default_rng(5), 0
    for _ in range(200):
        column = rng.normal(size=(400, 1))
        outcome = (rng.random(400) < 1 / (1 + np.exp(1 - column[:, 0]))).astype(float)
        low, high = Logit.fit(column, outcome, range(400), 1e-6).interval(np.array([[1.0]]))
        hits += bool(low[0] <= 0.5 <= high[0])
    assert 0.84 <= hits / 200 <= 0.96


def test_boosting_falls_back_to_the_usual_rate_without_events():
    assert isinstance(Boosted.fit(np.ones((9, 1)), np.zeros(9), np.arange(9)), Logit)


def test_boosting_learns_a_step_and_knows_how_sure_it_is():
    rng = np.random.default_rng(6)
    column = rng.random((600, 1))
    outcome = (rng.random(600) < np.where(column[:, 0] > 0.5, 0.7, 0.1)).astype(float)
    model = Boosted.fit(column, outcome, np.arange(600))
    ends = np.array([[0.2], [0.8]])
    low, high = model.interval(ends)
    assert high[0] < low[1]
    assert model.draws(ends, rng, 7).shape == (7, 2)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=20)
@given(st.integers(0, 2**31))
def test_the_order_of_the_rows_changes_no_measure(seed):
    rng = np.random.default_rng(seed)
    said = _said((rng.random(50) < 0.3).astype(float), x=rng.random(50).round(1))
    ours, _ = leaderboard(said, ["x"], Campaign(), draws=5)
    theirs, _ = leaderboard(said.sample(frac=1, random_state=seed), ["x"], Campaign(), draws=5)
    pd.testing.assert_frame_equal(ours, theirs)


def test_a_recency_chain_multiplies_the_chances_of_not_buying():
    sales = sales_of({f"a{i}": range(i % 30, 700, 30) for i in range(30)}, until=719)
    stays = 1 - purchase_models.buying_rates(sales, sales.as_of)
    rows = backtest.cut(sales, sales.as_of, 30, Silence()).rows.query("recency_days < 30")
    chance = 1 / (1 + np.exp(-purchase_models.recency_chain(sales).columns(Slice(sales.as_of, rows))[:, 0]))
    assert np.allclose(chance, stays[0] * stays[1] ** 0.5)  # a window of one and a half gaps of thirty days


def test_the_longer_the_silence_the_rarer_the_next_order(sample):
    rates = purchase_models.buying_rates(sample[1], sample[1].as_of)
    assert rates[0] > rates[2] > rates[-1]


def test_an_empty_slice_is_an_empty_answer(sample):
    empty = Slice(0, standing(sample[1], sample[1].as_of, 90).iloc[:0])
    assert purchase_models.recency_chain(sample[1]).columns(empty).shape == (0, 1)
