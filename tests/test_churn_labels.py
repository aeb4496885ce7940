"""Silence by an account's own pace: timelines, usual gaps, seasons of one's own, windows."""

import numpy as np
import pandas as pd
import pytest
from churn_books import book_of, sales_of
from hypothesis import given
from hypothesis import strategies as st

from kamlib.studies.churn.labels import Silence, standing, usual_gaps
from kamlib.studies.churn.timelines import Timeline, day_number, read_sales, to_dates
from kamlib.studies.silence import quiet_days

EVENTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60), st.integers(-5, 9)), max_size=30)


def _status(sales, moment, horizon=90, **rule):
    return standing(sales, moment, horizon, Silence(**rule))


@given(EVENTS, st.integers(-5, 70), st.integers(-5, 70))
def test_windows_hold_what_lies_in_them(events, after, upto):
    frame = pd.DataFrame(events, columns=["code", "day", "amount"])
    line = Timeline.of(4, frame["code"], frame["day"], frame["amount"])
    inside = frame[(frame["day"] > after) & (frame["day"] <= upto)]
    assert line.count(after, upto).tolist() == np.bincount(inside["code"], minlength=4).tolist()
    assert np.allclose(line.total(after, upto), np.bincount(inside["code"], inside["amount"], minlength=4))


@given(EVENTS, st.integers(-5, 70))
def test_the_last_and_the_next_day_are_found(events, moment):
    frame = pd.DataFrame(events, columns=["code", "day", "amount"])
    line = Timeline.of(4, frame["code"], frame["day"])
    last = frame[frame["day"] <= moment].groupby("code")["day"].max().reindex(range(4)).to_numpy(float)
    following = frame[frame["day"] > moment].groupby("code")["day"].min().reindex(range(4)).to_numpy(float)
    assert np.array_equal(line.last(moment), last, equal_nan=True)
    assert np.array_equal(line.next(moment), following, equal_nan=True)


def test_events_of_unknown_accounts_or_days_are_left_out():
    line = Timeline.of(2, np.array([-1, 0, 1]), np.array([5.0, np.nan, 7.0]))
    assert line.count(-1, 99).tolist() == [0, 1]


def test_dates_and_day_numbers_go_back_and_forth():
    assert str(to_dates([day_number("2026-09-30")])[0].date()) == "2026-09-30"


def test_lines_of_one_day_are_one_purchase_and_a_cancelled_day_is_none():
    sales = read_sales(book_of({"a": [0, 10]}, [("a", 0, 5.0), ("a", 10, -100.0), ("a", 20, -3.0)]))
    assert sales.purchases.count(-1, sales.as_of).tolist() == [1]


def test_margin_of_lines_without_cost_is_taken_at_that_of_the_others():
    sales = read_sales(book_of({"a": [0]}, [("a", 5, 200.0)], cost={("a", 0): 60.0}))
    assert sales.margin.total(-1, sales.as_of).tolist() == [pytest.approx(40 + 0.4 * 200)]


def test_margin_is_revenue_where_no_cost_is_known():
    sales = read_sales(book_of({"a": [0, 9]}))
    assert not sales.has_cost
    assert sales.margin.total(-1, sales.as_of).tolist() == [200.0]


def test_the_usual_gap_is_the_median_of_many_gaps():
    gaps, counts = usual_gaps(sales_of({"a": range(0, 400, 10)}), day_number("2026-01-01") + 400)
    assert counts.tolist() == [39]
    assert gaps[0] == pytest.approx(10)


def test_an_account_with_one_gap_goes_half_by_its_own():
    sales = sales_of({"a": [0, 40], "b": range(0, 200, 10), "c": range(0, 200, 10)})
    gaps, _ = usual_gaps(sales, sales.as_of)
    assert gaps[0] == pytest.approx(np.sqrt(40 * 10))


def test_an_account_with_one_order_has_the_gap_of_the_others():
    sales = sales_of({"a": [0], "b": range(0, 200, 20)})
    assert usual_gaps(sales, sales.as_of)[0][0] == pytest.approx(20)


def test_where_nobody_ordered_twice_the_horizon_stands_in_for_the_gap():
    sales = sales_of({"a": [0]})
    assert _status(sales, sales.as_of)["gap_median_days"].tolist() == [90]


@pytest.mark.parametrize(("days_after", "status"), [(60, "active"), (61, "silent")])
def test_silence_begins_after_three_usual_gaps(days_after, status):
    sales = sales_of({"a": range(0, 401, 20)}, until=400 + days_after)
    assert _status(sales, sales.as_of)["status"].tolist() == [status]


@pytest.mark.parametrize(("days_after", "status"), [(30, "active"), (31, "silent")])
def test_nobody_is_silent_within_a_month(days_after, status):
    sales = sales_of({"a": range(0, 401, 2)}, until=400 + days_after)
    assert _status(sales, sales.as_of)["status"].tolist() == [status]


def test_a_slow_buyer_is_watched_for_one_and_a_half_gaps_and_a_fast_one_for_the_horizon():
    # Nine gaps of 100 against a pooled one of 32: the slow gap is 94.1 days.
    sales = sales_of({"fast": range(0, 1000, 10), "slow": range(0, 1000, 100)})
    assert _status(sales, sales.as_of)["window_days"].tolist() == [90, 142]


def _terms(years, months=(3, 4, 5, 6)):
    days = pd.date_range("2026-01-01", periods=365 * years, freq="D")
    return [i for i, day in enumerate(days) if day.month in months and day.day in (1, 11, 21)]


def test_an_account_that_was_quiet_a_year_ago_too_is_out_of_season():
    sales = sales_of({"spring": _terms(2), "all year": range(0, 730, 10)}, until=365 + 300)
    rows = _status(sales, sales.as_of).set_index(sales.accounts)
    assert rows.loc["spring", "status"] == "off_season"
    assert rows.loc["all year", "status"] == "active"


def test_a_season_that_ended_some_weeks_earlier_this_year_is_no_silence():
    sales = sales_of({"spring": _terms(2)[:-2], "all year": range(0, 730, 10)}, until=365 + 300)
    assert _status(sales, sales.as_of).set_index(sales.accounts).loc["spring", "status"] == "off_season"


def test_a_buyer_that_stops_in_the_middle_of_its_season_is_silent():
    sales = sales_of({"spring": _terms(2)[:-6], "all year": range(0, 730, 10)}, until=365 + 300)
    assert _status(sales, sales.as_of).set_index(sales.accounts).loc["spring", "status"] == "silent"


@pytest.mark.parametrize(("until", "status"), [(730 + 75, "off_season"), (730 + 100, "silent")])
def test_a_season_that_comes_and_goes_without_an_order_is_silence(until, status):
    # Two springs from day 59 on, ten days apart; the third should have begun on day 789.
    sales = sales_of({"spring": _terms(2), "all year": range(0, 900, 10)}, until=until)
    assert _status(sales, sales.as_of).set_index(sales.accounts).loc["spring", "status"] == status


def test_a_quiet_summer_of_one_year_only_is_no_season():
    busy = list(range(0, 365, 10))
    days = [*busy, *(365 + d for d in busy if not 150 < d < 300), *(730 + d for d in busy if d <= 150)]
    sales = sales_of({"a": days, "all year": range(0, 1095, 10)}, until=730 + 250)
    assert _status(sales, sales.as_of).set_index(sales.accounts).loc["a", "status"] == "silent"


def test_the_same_quiet_is_silence_in_an_account_that_bought_a_year_ago():
    days = [*range(0, 365, 10), *_terms(2)[12:]]
    sales = sales_of({"left": days, "other": range(0, 730, 10)}, until=365 + 300)
    assert _status(sales, sales.as_of).set_index(sales.accounts).loc["left", "status"] == "silent"


def test_without_a_year_of_history_silence_is_silence():
    sales = sales_of({"a": range(0, 100, 10), "b": range(0, 300, 10)}, until=300)
    assert _status(sales, sales.as_of).set_index(sales.accounts).loc["a", "status"] == "silent"


def test_an_account_whose_next_weeks_were_empty_a_year_ago_is_not_judged():
    sales = sales_of({"spring": _terms(2), "all year": range(0, 730, 10)}, until=365 + 181)
    rows = _status(sales, sales.as_of).set_index(sales.accounts)
    assert not rows.loc["spring", "is_judged"]
    assert rows.loc["spring", "status"] == "off_season"
    assert rows.loc["all year", "is_judged"]


@given(st.lists(st.integers(0, 900), min_size=2, max_size=20, unique=True), st.integers(0, 900), st.integers(0, 400))
def test_quiet_days_are_days_of_the_span_and_never_of_a_first_year(days, after, length):
    days = np.sort(np.array(days, float))
    gaps = np.zeros(len(days) - 1, int), days[:-1], days[1:]
    span = np.array([after], float), np.array([after + length], float)
    (quiet,) = quiet_days(*gaps, days[:1], *span)
    assert 0 <= quiet <= length
    assert quiet == 0 or days[0] <= after + length - 365


@given(st.lists(st.integers(0, 700), min_size=1, max_size=20, unique=True), st.integers(0, 800))
def test_every_account_has_one_standing_and_only_buyers_are_judged(days, moment):
    sales = sales_of({"a": days, "b": range(0, 700, 30)}, until=800)
    rows = standing(sales, sales.first + moment, 90)
    assert rows["status"].isin(["active", "off_season", "silent"]).all()
    assert not (rows["is_judged"] & (rows["status"] == "silent")).any()
    assert (rows["recency_days"] >= 0).all()


def test_an_absence_of_more_than_a_year_is_no_season():
    gap = np.array([0]), np.array([0.0]), np.array([400.0])
    span = np.array([0.0]), np.array([500.0]), np.array([560.0])
    assert quiet_days(*gap, *span).tolist() == [0.0]
    assert quiet_days(gap[0], gap[1] + 100, gap[2], *span).tolist() == [60.0]
