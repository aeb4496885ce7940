"""Planned visits: every one on a working day, in a calendar of its manager, and no name that writes an entry."""

from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from payloads import PAYLOADS

from kamlib.book.public_holidays import public_holidays
from kamlib.errors import RequestError
from kamlib.reports import due_dates
from kamlib.reports.calendars import calendar


def _visits(name: str) -> pd.DataFrame:
    rows = {"account_id": ["a1"], "name": [name], "due_on": [pd.Timestamp("2026-10-05")], "number": [1], "of": [2]}
    return pd.DataFrame(rows)


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_hostile_name_begins_no_entry(name):
    entries = due_dates.entries(_visits(f"{name}\r\nEND:VEVENT\r\nBEGIN:VALARM"))
    text = calendar(entries, "Visits", date(2026, 9, 30))
    assert [line for line in text.split("\r\n") if line == "BEGIN:VALARM"] == []
    assert text.count("\r\nBEGIN:VEVENT") == 1


def test_an_account_without_a_name_is_called_by_its_identifier():
    assert due_dates.entries(_visits(None))["summary"].tolist() == ["a1"]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=20))
def test_every_planned_visit_has_a_working_day_in_the_period(counts):
    names = [f"a{i}" for i in range(len(counts))]
    plan = pd.DataFrame({"account_id": names, "name": names, "manager_id": "M1", "plan": counts})
    days = due_dates.spread(plan, "2026-10-01", "2026-12-31")
    assert days.groupby("account_id").size().reindex(names).fillna(0).tolist() == counts
    assert (days["due_on"].dt.day_of_week < 5).all()
    assert days["due_on"].between("2026-10-01", "2026-12-31").all()


def test_no_visit_is_planned_on_a_day_off():
    plan = pd.DataFrame({"account_id": ["a"], "name": ["a"], "manager_id": ["M"], "plan": [40]})
    off = public_holidays("TW", [2026])
    days = due_dates.spread(plan, "2026-10-01", "2026-12-31", tuple(off))["due_on"]
    assert len(days) == 40 and not days.isin(pd.DatetimeIndex(["2026-10-09", "2026-12-25"])).any()
    assert "2026-10-09" in off and "2026-12-25" in off


def test_a_period_without_a_working_day_is_refused():
    plan = pd.DataFrame({"account_id": ["a"], "name": ["a"], "manager_id": ["M"], "plan": [1]})
    with pytest.raises(RequestError, match="there is no working day from 2026-10-03 to 2026-10-04"):
        due_dates.spread(plan, "2026-10-03", "2026-10-04")


def test_each_manager_has_a_file_and_none_leaves_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KAM_OUTPUT", str(tmp_path))
    days = pd.concat([_visits("x").assign(manager_id=m) for m in ("M01", "../../M02", "M/02", "經理")])
    written = due_dates.write_calendars(days, "2026-09-30")
    assert len(set(written)) == 4 and "M01.ics" in written
    assert sorted(p.name for p in (tmp_path / "calendars").iterdir()) == sorted(written)


def test_by_hand_nothing_is_written(monkeypatch):
    monkeypatch.delenv("KAM_OUTPUT", raising=False)
    assert due_dates.write_calendars(_visits("x").assign(manager_id="M"), "2026-09-30") == []
