"""Due dates become calendar files that hold names as text and nothing else."""

import re
from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from payloads import PAYLOADS

from kamlib.errors import RequestError
from kamlib.reports import publish
from kamlib.reports.calendars import calendar, escape, fold

AS_OF = date(2026, 9, 30)


def _dates(*summaries: str) -> pd.DataFrame:
    rows = [
        {"key": f"contact {i}", "due_on": date(2026, 10, 1 + i % 28), "summary": text, "description": text}
        for i, text in enumerate(summaries)
    ]
    return pd.DataFrame(rows, columns=["key", "due_on", "summary", "description"])


def _unfolded(text: str) -> list[str]:
    return text.replace("\r\n ", "").removesuffix("\r\n").split("\r\n")


def test_a_date_is_an_event_of_one_whole_day():
    lines = _unfolded(calendar(_dates("Visit 0007"), "Dates", AS_OF))
    assert lines[4:12] == [
        "BEGIN:VEVENT",
        lines[5],
        "DTSTAMP:20260930T000000Z",
        "DTSTART;VALUE=DATE:20261001",
        "DTEND;VALUE=DATE:20261002",
        "SUMMARY:Visit 0007",
        "DESCRIPTION:Visit 0007",
        "TRANSP:TRANSPARENT",
    ]


def test_the_identifier_outlives_a_new_day_so_an_entry_moves_and_does_not_double():
    frame = _dates("Visit")
    later = frame.assign(due_on=date(2026, 11, 5))
    uid = [line for line in _unfolded(calendar(frame, "Dates", AS_OF)) if line.startswith("UID")]
    assert uid == [line for line in _unfolded(calendar(later, "Dates", date(2026, 10, 31))) if line.startswith("UID")]


def test_hostile_names_stay_in_their_property():
    text = calendar(_dates(*PAYLOADS), "Dates", AS_OF)
    names = {re.split("[:;]", line)[0] for line in _unfolded(text)}
    assert names == {
        "BEGIN", "VERSION", "PRODID", "X-WR-CALNAME", "UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "DESCRIPTION",
        "TRANSP", "END",
    }  # fmt: skip
    assert text.count("BEGIN:VEVENT\r\n") == len(PAYLOADS)


def test_a_name_cannot_begin_an_event():
    assert calendar(_dates("x\r\nEND:VEVENT\r\nBEGIN:VALARM"), "Dates", AS_OF).count("\r\nEND:VEVENT\r\n") == 1


@given(st.text(max_size=300))
def test_lines_have_at_most_75_octets_and_unfold_to_what_was_folded(text):
    line = "SUMMARY:" + escape(text)
    folded = fold(line)
    assert max(len(piece.encode()) for piece in folded.split("\r\n")) <= 75
    assert folded.replace("\r\n ", "") == line


def test_the_same_dates_in_another_order_make_the_same_file():
    frame = _dates("a", "b", "c")
    assert calendar(frame, "Dates", AS_OF) == calendar(frame.iloc[::-1], "Dates", AS_OF)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (_dates("a").drop(columns="summary"), "due dates lack 1 columns: summary"),
        (_dates("a").assign(due_on=None), "1 due dates have no day; leave them out or give them one"),
        (_dates("a", "b").assign(key="x"), "1 due dates have the key of another one; make each key name one thing"),
    ],
)
def test_what_cannot_be_a_calendar_is_refused(frame, says):
    with pytest.raises(RequestError, match=re.escape(says)):
        calendar(frame, "Dates", AS_OF)


def test_a_report_holds_one_calendar_for_each_manager(tmp_path, monkeypatch):
    monkeypatch.setenv("KAM_OUTPUT", str(tmp_path))
    publish.calendar("due", _dates("a", "b").assign(manager_id=["M01", "../M02"]), AS_OF, by="manager_id")
    names = sorted(path.name for path in (tmp_path / "calendars").iterdir())
    assert len(names) == 2
    assert "due-M01.ics" in names
    assert not [name for name in names if "/" in name or ".." in name]


def test_without_dates_no_calendar_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("KAM_OUTPUT", str(tmp_path))
    publish.calendar("due", _dates(), AS_OF)
    assert not list((tmp_path / "calendars").glob("*.ics"))
