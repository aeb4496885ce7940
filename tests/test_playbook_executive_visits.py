"""The programme of executive visits: complaints first, none before it is due, as many a week as can be held."""

import pandas as pd
import pytest

from kamlib import open_book
from kamlib.reports import findings
from kamlib.reports.playbooks import executive_visits as words
from kamlib.studies.plans import executive_visits as plan

from books import small_frames, write_folder

AS_OF = "2026-09-30"


def _keys(values=(5.0, 4.0, 3.0)) -> pd.DataFrame:
    ids = [f"{i + 1:04d}" for i in range(len(values))]
    return pd.DataFrame({"account_id": ids, "name": ids, "manager_id": "M01", "value": values})


def _plan(tmp_path, keys=None, drop=(), visits=(), cases=(), **given) -> plan.VisitProgramme:
    frames = small_frames()
    for name, rows in {"visits": visits, "cases": cases}.items():
        made = pd.DataFrame(list(rows), columns=frames[name].columns if not rows else None)
        frames[name] = made.reindex(columns=frames[name].columns).astype(frames[name].dtypes.to_dict(), errors="ignore")
    kept = {name: frame for name, frame in frames.items() if name not in drop}
    book = open_book(write_folder(kept, tmp_path / "book"), as_of=AS_OF)
    return plan.measure(book, _keys() if keys is None else keys, **given)


def _visit(account: str, day: str) -> dict:
    return {
        "visit_id": day,
        "account_id": account,
        "visit_date": pd.Timestamp(day),
        "channel": "visit",
        "level": "executive",
    }


def test_the_account_that_was_just_met_waits(tmp_path):
    result = _plan(tmp_path, visits=[_visit("0001", "2026-09-01")])
    assert result.planned["account_id"].tolist() == ["0002", "0003"]
    assert words.coverage(result).sentence == "Executives have met 1 of 3 key accounts within the last 183 days."


def test_an_open_complaint_comes_before_value(tmp_path):
    case = {"case_id": "Q", "account_id": "0003", "opened_on": pd.Timestamp("2026-09-01")}
    result = _plan(tmp_path, cases=[case], meetings_a_week=1)
    assert result.planned["account_id"].tolist() == ["0003", "0001", "0002"]
    assert words.programme_table(result)["talk_about"].iloc[0] == "One complaint is open. No executive has met it yet."


def test_no_more_meetings_a_week_than_can_be_held(tmp_path):
    days = _plan(tmp_path, meetings_a_week=1).planned["meet_on"]
    assert days.dt.isocalendar().week.is_unique


def test_what_does_not_fit_into_the_horizon_is_not_planned(tmp_path):
    assert len(_plan(tmp_path, meetings_a_week=1, horizon_days=20).planned) == 1


def test_every_meeting_is_a_working_day_and_has_its_brief_before(tmp_path):
    result = _plan(tmp_path)
    assert (result.planned["meet_on"].dt.day_of_week < 5).all()
    by = result.actions.set_index(["account_id", "topic"])["due_on"]
    assert by["0001", "executive_visits.brief"] < by["0001", "executive_visits.meet"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"keys": _keys(())}, "There is no key account in this scope"),
        ({"drop": ("visits",)}, "This book does not record who was met by whom (level of visits), so it"),
        ({"visits": [_visit(f"{i:04d}", "2026-09-01") for i in (1, 2, 3)]}, "Executives have met all 3 key accounts"),
        (
            {"visits": [_visit("0001", "2026-09-01") | {"level": "rep"}]},
            "Executives have met none of the 3 key accounts",
        ),
    ],
)
def test_coverage_has_a_sentence_for_each_case(tmp_path, given, says):
    assert words.coverage(_plan(tmp_path, **given)).sentence.startswith(says)


def test_a_programme_that_does_not_know_who_was_met_is_a_caution(tmp_path):
    blind, seeing = (
        _plan(tmp_path / "a", drop=("visits",)),
        _plan(tmp_path / "b", visits=[_visit("0001", "2026-09-01")]),
    )
    assert (words.programme(blind).verdict, words.programme(seeing).verdict) == ("caution", "usable")
    assert words.programme(blind).reason == words.coverage(blind).sentence


@pytest.mark.parametrize(("n", "says"), [(0, "No meeting"), (1, "One meeting"), (2, "2 meetings are proposed")])
def test_the_programme_is_told_of_in_number(tmp_path, n, says):
    keys = _keys(tuple(float(i) for i in range(n)))
    assert words.programme(_plan(tmp_path, keys=keys)).sentence.startswith(says)


def test_the_time_of_executives_is_told_as_on_the_page_of_visits(tmp_path):
    result = _plan(tmp_path, visits=[_visit("0001", "2026-09-01")])
    assert findings.executive_time(result).sentence.count("100% of all visiting time") == 1
    none = findings.executive_time(_plan(tmp_path / "none", drop=("visits",)))
    assert none.sentence == "Without visits on record the executives' share of visiting time is not known."


def test_complaints_are_missing_and_not_none_where_the_book_has_no_table_of_them(tmp_path):
    result = _plan(tmp_path, drop=("cases",))
    assert words.account_table(result)["complaints"].isna().all()
    assert not words.programme_table(result)["talk_about"].str.contains("complaint").any()
