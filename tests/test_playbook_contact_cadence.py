"""The playbook of contact deals what is overdue over working days and asks content accounts for a referral."""

import pandas as pd
import pytest

from kamlib import open_book
from kamlib.reports.playbooks import contact_cadence as words
from kamlib.studies import actions, due_list
from kamlib.studies.plans import contact_cadence as plan

from books import small_frames, write_folder

AS_OF = pd.Timestamp("2026-09-30")


def _survey(satisfaction: float, day="2026-08-01") -> pd.DataFrame:
    row = {"survey_id": "S", "account_id": "0001", "surveyed_on": pd.Timestamp(day), "satisfaction": satisfaction}
    return pd.DataFrame([row]).reindex(columns=small_frames()["surveys"].columns)


def _plan(tmp_path, drop=(), **frames) -> plan.ContactPlan:
    kept = {name: frame for name, frame in small_frames().items() if name not in drop} | frames
    book = open_book(write_folder(kept, tmp_path / "book"), as_of="2026-09-30")
    return plan.measure(book, due_list.measure(book, "2026-Q3").rows)


def test_overdue_contacts_are_dealt_some_a_day_for_each_manager():
    late = pd.DataFrame({"account_id": list("abcd"), "manager_id": ["M1", "M1", "M1", "M2"]})
    rows = actions.spread(actions.propose("contact", "x", late, "2026-01-01", "K077"), AS_OF, 2)
    assert rows["due_on"].dt.day.tolist() == [1, 1, 2, 1]


def test_what_is_not_overdue_keeps_its_day():
    one = pd.DataFrame({"account_id": ["a"], "manager_id": ["M1"]})
    rows = actions.spread(actions.propose("contact", "x", one, "2026-11-05", "K077"), AS_OF, 2)
    assert rows["due_on"].tolist() == [pd.Timestamp("2026-11-05")]


def test_a_content_account_that_referred_nobody_is_asked(tmp_path):
    none = {name: small_frames()[name].head(0) for name in ("references", "cases")}
    result = _plan(tmp_path, surveys=_survey(9), **none)
    assert result.askable["account_id"].tolist() == ["0001"]
    assert words.referrals(result).sentence.startswith("One account gave 9 of 10 or more")
    assert "reference" in result.actions["kind"].tolist()


@pytest.mark.parametrize("survey", [_survey(8.9), _survey(10, "2025-08-01")])
def test_a_lower_or_older_answer_does_not_do(tmp_path, survey):
    found = words.referrals(_plan(tmp_path, surveys=survey))
    assert found.sentence.startswith("No account that still orders by its habit and has no complaint open gave 9 of 10")


def test_without_surveys_nobody_can_be_picked(tmp_path):
    found = words.referrals(_plan(tmp_path, drop=("surveys",)))
    assert found.sentence == "This book has no answers to surveys, so nobody can be picked to be asked for a referral."


def test_too_few_contacts_show_no_principle(tmp_path):
    found = words.principles(_plan(tmp_path, drop=("visits", "surveys")))
    assert found.verdict == "no conclusion"


def test_the_weakest_principle_is_named_with_what_to_do():
    shares = pd.DataFrame({"principle": ["proactive", "own"], "share": [0.9, 0.2], "n": [40, 40]})
    result = plan.ContactPlan(AS_OF, pd.DataFrame(), shares, pd.DataFrame(), 9.0, pd.DataFrame(), pd.Series())
    found = words.principles(result)
    assert found.sentence.startswith('Of the four principles, 2 can be seen in the book; the weakest is "Its own way')
    assert found.decision.startswith("Write down a purpose before each contact")


def _due(kind: str, account_id: str, days_overdue: int, revenue: float, due_on="2026-10-20") -> dict:
    row = {"kind": kind, "account_id": account_id, "days_overdue": days_overdue, "revenue": revenue, "detail": ""}
    return row | {"due_on": pd.Timestamp(due_on), "manager_id": "M1", "group": "contacts"}


def test_what_is_at_stake_comes_first_and_the_larger_account_before_the_smaller():
    rows = [
        _due("contact", "ahead", 0, 900.0),
        _due("contact", "sooner", 0, 1.0, "2026-10-02"),
        _due("contact", "late", 40, 20.0),
        _due("expired", "late and large", 5, 600.0),
        _due("silent", "gone", 0, 300.0),
        _due("complaint", "waits", 9, 800.0),
    ]
    found = plan.by_stake(pd.DataFrame(rows), AS_OF)
    assert found["account_id"].tolist() == ["waits", "gone", "late and large", "late", "sooner", "ahead"]
    assert found.set_index("account_id")["due_on"]["gone"] == pd.Timestamp("2026-10-01")  # and not 20 October


def test_a_complaint_that_is_open_keeps_an_account_from_being_asked_for_a_favour(tmp_path):
    case = small_frames()["cases"].head(1).assign(account_id="0001", closed_on=pd.NaT)
    none = small_frames()["references"].head(0)
    assert _plan(tmp_path, surveys=_survey(9), references=none, cases=case).askable.empty


def _orders(days, **values) -> pd.DataFrame:
    rows = [{"order_id": f"T{i}", "line_no": 1, "order_date": day, "revenue": 10.0} for i, day in enumerate(days)]
    made = pd.DataFrame(rows).assign(account_id="0001").reindex(columns=small_frames()["orders"].columns)
    return made.assign(order_date=pd.to_datetime(made["order_date"]).astype("datetime64[s]"))


def test_without_a_log_orders_alone_tell_who_has_stopped(tmp_path):
    orders = _orders(["2026-05-01", "2026-05-08", "2026-05-15", "2026-05-22", "2026-05-29"])
    result = _plan(tmp_path, drop=("visits",), orders=orders)
    assert result.contacts["account_id"].tolist() == ["0001"]
    assert words.stopped(result).sentence.startswith("One account that is to be contacted has stopped ordering")
    assert words.contact_table(result)["due_on"].tolist() == [pd.Timestamp("2026-10-01")]
    assert result.actions["topic"].iloc[0] == "dues.silent"


def test_nobody_has_stopped_where_nobody_ever_ordered_by_habit(tmp_path):
    found = words.stopped(_plan(tmp_path, drop=("visits",), orders=_orders(["2026-09-01"])))
    assert found.sentence.startswith("No account that is to be contacted has stopped")
