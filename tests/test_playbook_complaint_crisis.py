"""The playbook of complaints: the severest first, how fast, who is silent, and an exercise on a real account."""

from types import SimpleNamespace

import pandas as pd
import pytest

from kamlib import open_book
from kamlib.reports.playbooks import complaint_crisis as words
from kamlib.studies.plans import complaint_crisis as plan

from books import small_frames, write_folder


def _case(case_id: str, account: str, opened: str, closed=None, severity=1) -> dict:
    days = {"opened_on": pd.Timestamp(opened), "closed_on": pd.Timestamp(closed) if closed else pd.NaT}
    return {"case_id": case_id, "account_id": account, **days, "severity": float(severity), "category": "delivery"}


def _plan(tmp_path, *cases: dict, drop=()) -> plan.CrisisPlan:
    frames = small_frames()
    empty = frames["cases"].head(0)
    frames["cases"] = pd.concat([empty, pd.DataFrame(cases)]) if cases else empty
    frames["cases"] = frames["cases"].astype({"opened_on": "datetime64[s]", "closed_on": "datetime64[s]"})
    kept = {name: frame for name, frame in frames.items() if name not in drop}
    return plan.measure(open_book(write_folder(kept, tmp_path / "book"), as_of="2026-09-30"))


def test_the_severest_stands_before_the_oldest(tmp_path):
    result = _plan(tmp_path, _case("A", "0001", "2026-01-05"), _case("B", "0002", "2026-09-20", severity=4))
    assert result.open_cases["case_id"].tolist() == ["B", "A"]
    assert words.open_complaints(result).sentence == (
        "2 complaints are open, 1 of them longer than the 14 days allowed and 1 severe; the oldest is that of "
        "大客戶 0001, open for 268 days."
    )


def test_a_severe_complaint_calls_an_executive_and_is_the_exercise(tmp_path):
    result = _plan(tmp_path, _case("B", "0003", "2026-09-20", severity=4))
    assert result.scenario["account_id"] == "0003"
    called = result.actions[result.actions["topic"] == "complaint_crisis.call"]
    assert called[["account_id", "role"]].to_numpy().tolist() == [["0003", "executive"]]
    assert "(delivery)" in words.exercise(result)[0]


def test_without_a_severe_complaint_the_exercise_is_about_the_largest_account(tmp_path):
    frames = small_frames()
    recent = frames["orders"][frames["orders"]["order_date"] >= "2025-10-01"]
    largest = recent.groupby("account_id")["revenue"].sum().idxmax()
    result = _plan(tmp_path)
    assert result.scenario["account_id"] == largest
    assert words.exercise(result)[0].endswith("we are the cause.")


def test_speed_is_told_from_five_settled_complaints_on(tmp_path):
    cases = [_case(f"Q{i}", "0001", "2026-08-01", f"2026-08-{10 + 5 * i}") for i in range(1, 5)]
    few = _plan(tmp_path / "a", *cases)
    assert words.answers(few).sentence == "Only 4 complaints were settled in twelve months, too few to tell how fast."
    known = words.answers(_plan(tmp_path / "b", *cases, _case("Q9", "0001", "2026-08-01", "2026-08-02")))
    assert known.sentence.startswith(
        "5 complaints were settled in twelve months, half of them within 19 days; 60% took"
    )


def test_accounts_that_never_complained_are_counted(tmp_path):
    result = _plan(tmp_path, _case("A", "0001", "2026-08-01"))
    assert result.silent[0] == result.silent[1] - 1
    assert words.channel(result).decision.startswith("Tell them where to complain")


@pytest.mark.parametrize(
    ("cases", "says"),
    [((), "No complaint is open."), ((_case("A", "0001", "2026-09-20"),), "One complaint is open, of 大客戶 0001")],
)
def test_none_and_one_have_their_own_sentences(tmp_path, cases, says):
    assert words.open_complaints(_plan(tmp_path, *cases)).sentence.startswith(says)


def test_without_cases_each_finding_says_so(tmp_path):
    result = _plan(tmp_path, drop=("cases",))
    found = [words.open_complaints(result), words.answers(result), words.channel(result)]
    assert {one.verdict for one in found} == {"no conclusion"}


def test_a_reachable_executive_is_said_and_a_missing_one_is_looked_for(tmp_path):
    result = _plan(tmp_path)
    scenario = {**result.scenario, "contacts": 3, "executives": 0}
    lonely = plan.CrisisPlan(**{**result.__dict__, "scenario": scenario})
    assert words.exercise(lonely)[1] == "Of its people we have 3 on file, none of executive level."


def test_every_phase_names_who_does_tells_and_asks_what():
    table = words.roles()
    assert table.shape == (4, 5)
    assert (table != "").all().all()


def test_a_cause_that_nobody_wrote_down_is_said_so():
    causes = pd.DataFrame({"category": ["service", "–"], "cases": [2, 1]})
    assert words.cause_table(SimpleNamespace(causes=causes))["category"].tolist() == ["service", "no kind written down"]
