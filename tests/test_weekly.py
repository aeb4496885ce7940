"""The week's sales of each manager: targets cut to the days, swings of the weeks, and every sentence."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from kamlib import open_book
from kamlib.book.coverage import covered_until
from kamlib.book.public_holidays import public_holidays
from kamlib.errors import RequestError
from kamlib.reports import figures, findings
from kamlib.reports.render import Request, render
from kamlib.reports.sentences import say
from kamlib.studies import weekly
from kamlib.studies.weekly.target_parts import WorkingDays, target_for

from books import SETTINGS, small_frames, write_folder

PLAIN = WorkingDays([])


def _targets(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["manager_id", "period", "revenue"])


def _measure(frames, folder, period="2026-W39", as_of="2026-09-27", **more):
    with open_book(write_folder(frames, folder), as_of=as_of) as book:
        return weekly.measure(book, period, **more)


def test_working_days_leave_out_weekends_and_public_holidays():
    week = date(2026, 9, 21), date(2026, 9, 27)
    assert (PLAIN.count(*week), WorkingDays(["TW"]).count(*week)) == (5, 4)  # the 25th is the Moon Festival


def test_holidays_have_the_same_names_whatever_language_the_machine_speaks(monkeypatch):
    monkeypatch.setenv("LANGUAGE", "zh_TW")
    assert public_holidays("TW", [2026]).get("2026-02-17") == "Chinese New Year"


def test_a_country_without_a_calendar_is_refused():
    with pytest.raises(RequestError, match="no holidays are known for country 'XX'; use codes as 'TW'"):
        WorkingDays(["XX"]).count(date(2026, 1, 1), date(2026, 1, 2))


def test_a_target_is_shared_out_over_the_working_days_of_its_period():
    week = date(2026, 9, 21), date(2026, 9, 27)
    parts = target_for(_targets(("M1", "2026-Q3", 6600.0)), "manager_id", *week, PLAIN)
    assert parts["M1"] == pytest.approx(6600 * 5 / 66)


def test_the_parts_of_a_target_add_up_to_it():
    rows = _targets(("M1", "2026-Q3", 6600.0))
    spans = [(date(2026, 7, 1), date(2026, 8, 12)), (date(2026, 8, 13), date(2026, 9, 30))]
    assert sum(target_for(rows, "manager_id", *span, PLAIN)["M1"] for span in spans) == pytest.approx(6600)


def test_a_year_and_its_quarters_are_not_added_up():
    rows = _targets(("M1", "2026", 9_999_999.0), ("M1", "2026-Q3", 660.0))
    assert target_for(rows, "manager_id", date(2026, 7, 1), date(2026, 9, 30), PLAIN)["M1"] == pytest.approx(660)


def test_targets_that_do_not_cover_the_days_are_no_target():
    rows = _targets(("M1", "2026-07", 100.0))
    assert target_for(rows, "manager_id", date(2026, 7, 1), date(2026, 8, 31), PLAIN).empty


def test_the_week_of_a_longer_period_is_its_last_one(tmp_path):
    result = _measure(small_frames(0), tmp_path / "book", "2026-Q3", "2026-09-30")
    assert (result.week.label, result.quarter.label) == ("2026-W40", "2026-Q3")
    assert result.spans["to_day"].eq(pd.Timestamp("2026-09-30")).all()


def test_managers_add_up_to_the_whole(tmp_path):
    result = _measure(small_frames(1), tmp_path / "book")
    for span in ("week", "quarter"):
        assert result.managers[f"revenue_{span}"].sum() == pytest.approx(result.spans.set_index("span").revenue[span])
    assert result.managers["accounts"].sum() == 8


def test_orders_after_the_day_change_nothing_and_money_scales(tmp_path):
    frames = small_frames(1)
    later = frames["orders"].head(3).assign(order_id="later", order_date=pd.Timestamp("2026-09-28"))
    one = _measure(frames, tmp_path / "a")
    more = _measure(frames | {"orders": pd.concat([frames["orders"], later])}, tmp_path / "b")
    ten = _measure(frames | {"orders": frames["orders"].assign(revenue=frames["orders"].revenue * 10)}, tmp_path / "c")
    pd.testing.assert_frame_equal(one.spans, more.spans)
    pd.testing.assert_frame_equal(
        one.spans[["revenue", "usual", "swing"]] * 10, ten.spans[["revenue", "usual", "swing"]]
    )


def test_late_lines_are_those_promised_before_the_day_that_have_not_come(tmp_path):
    frames = small_frames(0)
    line = frames["orders"].iloc[[0]]
    promised = line[["order_id", "line_no"]].assign(promised_on=pd.Timestamp("2026-09-20"), delivered_on=pd.NaT)
    frames["deliveries"] = promised.assign(quantity_delivered=np.nan)
    late = _measure(frames, tmp_path / "book").late
    assert late[["order_id", "days_late"]].to_numpy().tolist() == [[line.order_id.iloc[0], 7]]


def test_the_last_report_is_read_again(tmp_path):
    frames = small_frames(0)
    first = _measure(frames, tmp_path / "book", "2026-W38", "2026-09-20")
    (tmp_path / "last" / "tables").mkdir(parents=True)
    said = findings.week_spans(first).assign(revenue=5.0)
    said.to_parquet(tmp_path / "last" / "tables" / "spans.parquet")
    record = _measure(frames, tmp_path / "book", previous=str(tmp_path / "last")).record
    assert (record["said"], record["now"]) == (5.0, pytest.approx(first.spans["revenue"].iloc[0]))


def test_a_week_that_has_not_begun_is_refused(tmp_path):
    with pytest.raises(RequestError, match="period 2026-W40 begins after 2026-09-27"):
        _measure(small_frames(0), tmp_path / "book", "2026-W40")


def test_a_book_of_two_tables_is_reported(tmp_path):
    frames = {name: small_frames(0, accounts=1)[name] for name in ("accounts", "orders")}
    result = _measure(frames, tmp_path / "book")
    assert findings.quarter_sales(result).verdict == "no conclusion"
    assert findings.late_orders(result).sentence == say("weekly.late_absent")
    assert findings.missing_logs(result).sentence == say("weekly.logs_absent")
    assert findings.manager_targets(result).sentence == say("weekly.managers_none")
    assert findings.targets_shared(result) == say("weekly.prorated_none")
    assert figures.draw_reached(result).get_title(loc="left")


def _said(week=None, quarter=None, **changed):
    days = {"from_day": pd.Timestamp("2026-09-21"), "to_day": pd.Timestamp("2026-09-27")}
    row = days | {"revenue": 100.0, "target": 100.0, "reached": 1.0, "gap": 0.0, "usual": 100.0, "swing": 10.0}
    spans = pd.DataFrame([row | {"span": "week"} | (week or {}), row | {"span": "quarter"} | (quarter or {})])
    fields = {"as_of": days["to_day"], "last_order": days["to_day"], "spans": spans, "record": None}
    fields |= {"is_covered": True}
    managers = pd.DataFrame({"manager_id": ["M1"], "name": ["Lin"], "reached_quarter": [1.0], "gap_quarter": [0.0]})
    fields |= {"managers": managers.assign(target_quarter=100.0), "countries": ("TW",), "target_source": "manager"}
    return SimpleNamespace(**(fields | changed))


@pytest.mark.parametrize(("late", "shown"), [(0.0, ["Lin"]), (1.0, ["Lin", "–"])])
def test_accounts_without_a_manager_have_a_row_only_where_there_is_something_to_tell(late, shown):
    rows = pd.DataFrame(
        {"manager_id": ["M1", "–"], "name": ["Lin", None], "late_lines": [0.0, late], "unlogged": np.nan}
    )
    said = findings.week_managers(_said(managers=rows.assign(revenue_week=0.0, revenue_quarter=0.0)))
    assert said["manager"].tolist() == shown


@pytest.mark.parametrize(("gap", "branch"), [(-11.0, "behind"), (11.0, "ahead"), (-9.0, "on_course")])
def test_a_difference_counts_beyond_the_swing_of_the_weeks(gap, branch):
    found = findings.quarter_sales(_said(quarter={"gap": gap}))
    values = {"first": pd.Timestamp("2026-09-21"), "last": pd.Timestamp("2026-09-27"), "revenue": 100.0}
    values |= {"reached": 1.0, "target": 100.0, "gap": abs(gap), "swing": 10.0}
    assert (found.sentence, found.interval) == (say(f"weekly.quarter_{branch}", **values), (gap - 10, gap + 10))


@pytest.mark.parametrize(("gap", "branch"), [(-15.0, "behind"), (15.0, "ahead"), (-13.0, "on_course")])
def test_without_a_target_the_quarter_is_compared_with_the_year_before(gap, branch):
    quarter = {"reached": np.nan, "target": np.nan, "gap": np.nan, "revenue_previous": 100.0 - gap}
    found = findings.quarter_sales(_said(quarter=quarter))
    values = {"first": pd.Timestamp("2026-09-21"), "last": pd.Timestamp("2026-09-27"), "revenue": 100.0}
    values |= {"target": 100.0 - gap, "gap": abs(gap), "change": abs(gap) / (100.0 - gap), "swing": 10 * 2**0.5}
    assert found.sentence == say(f"weekly.year_{branch}", **values)
    assert (found.verdict, found.value, found.n) == ("usable", gap, None)
    assert bool(found.decision) == (branch == "behind")


def _daily(tmp_path, last, countries=()) -> Path:
    """A book with orders from Monday to Friday up to a day."""
    frames = {name: small_frames(0)[name] for name in ("accounts", "orders")}
    days = pd.bdate_range("2026-06-01", last)
    lines = pd.DataFrame({"order_id": days.strftime("%m%d"), "line_no": 1, "order_date": days, "revenue": 100.0})
    lines["account_id"] = frames["accounts"]["account_id"].iloc[0]
    frames["orders"] = lines.reindex(columns=frames["orders"].columns)
    return write_folder(frames, tmp_path / last, SETTINGS | {"countries": [*countries]})


@pytest.mark.parametrize(
    ("last", "end", "countries", "covered"),
    [
        ("2026-10-02", "2026-10-04", (), "2026-10-04"),  # a Friday covers its week
        ("2026-09-30", "2026-10-04", (), "2026-09-30"),  # a Wednesday does not
        ("2026-09-24", "2026-09-27", (), "2026-09-24"),
        ("2026-09-24", "2026-09-27", ("TW",), "2026-09-27"),  # the Friday was the Moon Festival
    ],
)
def test_orders_cover_a_week_but_for_its_usual_pause(tmp_path, last, end, countries, covered):
    with open_book(_daily(tmp_path, last, countries), as_of=end) as book:
        assert covered_until(book, date.fromisoformat(end)) == date.fromisoformat(covered)


def test_a_week_that_orders_do_not_cover_is_never_judged_as_a_whole(tmp_path):
    with open_book(_daily(tmp_path, "2026-09-30"), as_of="2026-10-04") as book:
        result = weekly.measure(book, "2026-W40")
    assert result.quarter.label == "2026-Q3"
    found = findings.week_sales(result)
    reason = say("weekly.orders_end", last=pd.Timestamp("2026-09-30"))
    assert (found.value, found.interval, found.verdict, found.reason) == (300.0, None, "caution", reason)


def test_a_week_without_any_order_yet_has_no_conclusion(tmp_path):
    with open_book(_daily(tmp_path, "2026-09-23"), as_of="2026-10-04") as book:
        assert findings.week_sales(weekly.measure(book, "2026-W40")).verdict == "no conclusion"


def test_a_week_after_the_orders_is_refused_with_the_last_one_they_cover(tmp_path):
    with pytest.raises(RequestError, match="the last week that they cover is 2026-W39"):
        render(Request(("weekly",), str(_daily(tmp_path, "2026-09-30")), "2026-W45"))


def test_without_weeks_to_compare_the_quarter_is_read_with_care():
    found = findings.quarter_sales(_said(quarter={"swing": float("nan")}))
    assert (found.verdict, found.reason) == ("caution", say("weekly.quarter_no_swing"))


@pytest.mark.parametrize(
    ("week", "branch"),
    [
        ({"revenue": 85.0}, "low"),
        ({"revenue": 115.0}, "high"),
        ({"revenue": 105.0}, "usual"),
        ({"to_day": pd.Timestamp("2026-09-23")}, "part"),
        ({"usual": float("nan")}, "alone"),
    ],
)
def test_the_week_is_compared_with_a_usual_one(week, branch):
    row = {"revenue": 100.0, "usual": 100.0, "from_day": pd.Timestamp("2026-09-21")}
    row |= {"to_day": pd.Timestamp("2026-09-27")} | week
    days = (row["to_day"] - row["from_day"]).days + 1
    values = {"first": row["from_day"], "last": row["to_day"], "revenue": row["revenue"], "days": days}
    assert findings.week_sales(_said(week)).sentence == say(f"weekly.week_{branch}", usual=row["usual"], **values)


@pytest.mark.parametrize(("reached", "branch"), [(0.89, "behind"), (0.9, "fine")])
def test_managers_below_nine_tenths_are_behind(reached, branch):
    managers = _said().managers.assign(reached_quarter=reached, gap_quarter=-11.0)
    found = findings.manager_targets(_said(managers=managers))
    values = {"n": 1, "behind": 1, "bar": 0.9, "name": "Lin", "gap": 11.0}
    assert found.sentence == say(f"weekly.managers_{branch}", **values)
    assert bool(found.decision) == (branch == "behind")


@pytest.mark.parametrize(("now", "branch"), [(100.0, "same"), (120.0, "more"), (90.0, "less")])
def test_what_was_booked_since_is_told(now, branch):
    days = {"from_day": pd.Timestamp("2026-09-14"), "to_day": pd.Timestamp("2026-09-20")}
    found = findings.week_record(_said(record=pd.Series({"said": 100.0, "now": now} | days, dtype="object")))
    values = {"said": 100.0, "first": days["from_day"], "last": days["to_day"], "more": abs(now - 100)}
    assert found.sentence == say(f"weekly.record_{branch}", **values)


def test_late_lines_and_missing_logs_call_for_something():
    late = pd.DataFrame({"days_late": [3, 9]})
    logs = pd.DataFrame({"manager_id": ["M1", "M1"]})
    found = findings.late_orders(_said(late=late))
    assert found.sentence == say("weekly.late_some", n=2, last=pd.Timestamp("2026-09-27"), days=9)
    found = findings.missing_logs(_said(unlogged=logs, log_days=14))
    assert found.sentence == say("weekly.logs_some", n=2, allowed=14, name="Lin", most=2)
    assert findings.late_orders(_said(late=late.head(0))).decision == ""
    assert findings.missing_logs(_said(unlogged=logs.head(0), log_days=14)).decision == ""


@pytest.mark.parametrize("source", ["manager", "account"])
@pytest.mark.parametrize("countries", [(), ("TW",)])
def test_how_targets_were_cut_is_said(source, countries):
    shared = say("weekly.shared_holidays" if countries else "weekly.shared_plain", countries="TW")
    said = findings.targets_shared(_said(target_source=source, countries=countries))
    assert said == say(f"weekly.prorated_{source}", shared=shared)
