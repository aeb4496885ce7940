"""Days, windows and periods: the only date arithmetic in the project."""

import datetime as dt
import doctest
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamlib.book import grid, periods
from kamlib.book.periods import Period, add_months, day, month_starts, months_before
from kamlib.errors import RequestError

KINDS = ("year", "half", "quarter", "month", "week")
DAYS = st.dates(dt.date(1900, 1, 10), dt.date(2199, 12, 1))


@pytest.mark.parametrize("module", [periods, grid])
def test_the_examples_of_the_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    "value",
    [
        "2026-09-30",
        dt.date(2026, 9, 30),
        dt.datetime(2026, 9, 30, 23, 59),
        pd.Timestamp("2026-09-30 12:00"),
        pd.Timestamp("2026-09-30 23:30", tz="Asia/Taipei"),
        np.datetime64("2026-09-30"),
        np.datetime64("2026-09-30T12:00:00", "ns"),
    ],
)
def test_a_day_comes_from_text_date_or_timestamp(value):
    assert day(value) == dt.date(2026, 9, 30)
    assert type(day(value)) is dt.date


@pytest.mark.parametrize("value", ["30/09/2026", "2026-02-30", "", None, 20.5, pd.NaT, True])
def test_what_is_no_day_is_refused_with_the_form_to_write(value):
    with pytest.raises(RequestError, match="is not a date; write it as YYYY-MM-DD, for example 2026-09-30"):
        day(value)


@pytest.mark.parametrize(
    ("start", "months", "expected"),
    [("2026-01-31", 1, "2026-02-28"), ("2024-01-31", 1, "2024-02-29"), ("2026-03-31", -1, "2026-02-28")],
)
def test_the_last_day_of_a_shorter_month_stands_in(start, months, expected):
    assert add_months(dt.date.fromisoformat(start), months) == dt.date.fromisoformat(expected)


@pytest.mark.parametrize(
    ("end", "months", "first"),
    [
        ("2026-09-30", 12, "2025-10-01"),
        ("2026-09-29", 12, "2025-09-30"),
        ("2026-02-28", 1, "2026-02-01"),
        ("2024-02-29", 12, "2023-03-01"),
        ("2026-12-31", 3, "2026-10-01"),
    ],
)
def test_a_window_of_months_closes_with_its_last_day(end, months, first):
    assert months_before(dt.date.fromisoformat(end), months) == dt.date.fromisoformat(first)


@given(DAYS, st.integers(1, 36))
def test_windows_laid_end_to_end_leave_no_gap_at_month_ends(moment, months):
    end = moment.replace(day=1) - dt.timedelta(days=1)
    before = months_before(end, months) - dt.timedelta(days=1)
    assert months_before(before, months) == months_before(end, 2 * months)


def test_month_starts_are_of_all_months_touched():
    starts = month_starts(dt.date(2026, 1, 31), dt.date(2026, 3, 1))
    assert [s.strftime("%m-%d") for s in starts] == ["01-01", "02-01", "03-01"]


@pytest.mark.parametrize(
    ("label", "start", "end", "days"),
    [
        ("2026", "2026-01-01", "2026-12-31", 365),
        ("2024-H1", "2024-01-01", "2024-06-30", 182),
        ("2026-Q3", "2026-07-01", "2026-09-30", 92),
        ("2026-02", "2026-02-01", "2026-02-28", 28),
        ("2026-W40", "2026-09-28", "2026-10-04", 7),
        ("2026-W53", "2026-12-28", "2027-01-03", 7),
        ("2026-W01", "2025-12-29", "2026-01-04", 7),
    ],
)
def test_a_label_names_its_days(label, start, end, days):
    period = Period.parse(label)
    assert (str(period.start), str(period.end), period.days, str(period)) == (start, end, days, label)


@pytest.mark.parametrize(
    "label",
    ["2026-Q5", "2026-Q0", "2026-13", "2026-00", "26-Q1", "2026-q3", "2026-H3", "", "last", "2026\n", "２０２６"],
)
def test_a_label_that_names_nothing_is_refused_with_the_forms(label):
    with pytest.raises(RequestError, match="is not a period; write 2026, 2026-H1, 2026-Q3, 2026-09 or 2026-W40"):
        Period.parse(label)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("2025-W53", "the year 2025 has no week 53"),
        ("2026-W00", "the year 2026 has no week 0"),
        ("0000-Q1", "the calendar has no period in the year 0"),
        ("9999", "the calendar has no period in the year 9999"),
    ],
)
def test_a_period_that_the_calendar_lacks_is_refused(label, message):
    with pytest.raises(RequestError, match=message):
        Period.parse(label)


@given(DAYS, st.sampled_from(KINDS))
def test_the_period_of_a_day_holds_it_and_its_label_names_it(moment, kind):
    period = Period.containing(moment, kind)
    assert period.start <= moment <= period.end
    assert Period.parse(period.label) == period


@given(DAYS, st.sampled_from(KINDS))
def test_periods_follow_without_gap_and_lead_back(moment, kind):
    period = Period.containing(moment, kind)
    assert period.next().start - period.end == dt.timedelta(days=1)
    assert period.next().previous() == period
    assert period.previous() < period < period.next()


@given(st.integers(1900, 2199), st.sampled_from(["", "-H1", "-H3", "-Q4", "-Q5", "-12", "-13", "-W52", "-W53", "-W54"]))
def test_an_engine_finds_the_labels_that_name_a_period_and_no_others(year, part):
    try:
        named = bool(Period.parse(f"{year}{part}"))
    except RequestError:
        named = False
    assert bool(re.search(periods.LABEL, f"{year}{part}")) is named


def test_a_kind_of_period_that_does_not_exist_is_refused():
    with pytest.raises(RequestError, match="no kind of period 'decade'; there are year, half, quarter, month and week"):
        Period.containing(dt.date(2026, 1, 1), "decade")
