"""The playbook of teams finds accounts without one owner, mixed time, and who settled such a complaint before."""

from dataclasses import replace

import pandas as pd
import playbook_books as books
import pytest

from kamlib.reports.playbooks import virtual_team as words
from kamlib.studies.plans import virtual_team as plan


@pytest.fixture(scope="module")
def result():
    return plan.measure(books.sample())


def test_an_account_between_two_owners_is_named_and_a_hand_over_proposed(tmp_path):
    frames = books.small_frames()
    frames["assignments"]["to_date"] = pd.Timestamp("2026-01-31").as_unit("s")
    made = plan.measure(books.open_book(books.write_folder(frames, tmp_path / "b"), as_of="2026-09-30"))
    assert made.one_owner.hits == 0 and (made.owners["owners"] == 0).all()
    assert set(made.actions.loc[made.actions["kind"] == "handover", "account_id"]) == set(made.owners["account_id"])
    assert words.one_face(made).sentence.startswith("Of 4 key accounts none has one owner, 4 have no owner")


def test_hours_add_up_and_shares_lie_between_none_and_all(result):
    visits = books.sample().frame("visits")
    recent = visits[visits["visit_date"] > "2025-09-30"].dropna(subset=["hours", "manager_id"])
    assert result.hours["hours"].sum() == pytest.approx(recent["hours"].sum())
    assert result.hours["key_share"].between(0, 1).all()


def test_the_solver_is_the_quickest_of_those_who_settled_three(result):
    days = [1, 1, 9, 9, 9, 8, 8, 8]
    cases = pd.DataFrame({"category": "x", "owner_id": list("aabbbccc"), "days": days})
    assert plan._best(cases).loc["x", "owner_id"] == "c"


def test_planted_complaints_outnumber_for_key_accounts_so_the_journey_says_so(result):
    rows = result.journey.set_index("what")
    assert rows.loc["cases", "gap_low"] > 0
    assert "complaints an account in a year" in words.journey(result).sentence
    assert words.journey(result).verdict == "caution"


def test_a_difference_that_chance_may_bring_is_not_named(result):
    wide = replace(result, journey=result.journey.assign(gap_low=-1.0, gap_high=1.0))
    assert words.journey(wide).sentence.startswith("On none of 7 measures")


def test_each_late_complaint_becomes_an_action_for_its_case(result):
    helped = result.actions[result.actions["kind"] == "complaint"]
    assert set(helped["detail"]) == set(result.late_cases["case_id"])
    assert ((result.as_of - result.late_cases["opened_on"]).dt.days > result.allowed_days).all()


@pytest.mark.parametrize(("count", "start"), [(0, "No complaint"), (1, "One complaint"), (2, "2 complaints")])
def test_late_complaints_are_counted(result, count, start):
    assert words.late(replace(result, late_cases=result.late_cases.head(count))).sentence.startswith(start)


def test_mixed_time_is_said_and_its_absence_too(result):
    assert "between a tenth and nine tenths" in words.mixing(result).sentence
    apart = replace(result, hours=result.hours.assign(is_mixed=False))
    assert words.mixing(apart).sentence.startswith("No manager of 14")


def test_without_tables_it_says_so(tmp_path):
    result = plan.measure(books.bare(tmp_path))
    says = (words.who_comes, words.mixing, words.solvers, words.journey, words.late)
    assert {f(result).verdict for f in says} == {"no conclusion"}


@pytest.mark.parametrize("made", [books.one_account, books.before_orders])
def test_one_account_and_no_orders_are_no_failure(made):
    result = plan.measure(made())
    assert words.one_face(result).sentence and words.journey(result).verdict == "no conclusion"
    assert [len(f(result)) >= 0 for f in (words.owner_table, words.hour_table, words.solver_table, words.journey_table)]


@pytest.mark.parametrize(("scores", "hits", "said"), [([9.0, 8.9], 1, "1 of the 2 key accounts"), ([], None, "No key")])
def test_how_key_accounts_find_who_serves_them_is_counted_from_the_last_answer(tmp_path, scores, hits, said):
    frames = books.small_frames()
    keys = plan.measure(books.small(tmp_path)).owners["account_id"].tolist()[:2]
    row = {"surveyed_on": pd.Timestamp("2026-08-01"), "satisfaction": 5.0}
    rows = [
        {"survey_id": str(i), "account_id": keys[i], "manager_score": score} | row for i, score in enumerate(scores)
    ]
    old = [
        r | {"survey_id": f"o{i}", "surveyed_on": pd.Timestamp("2026-01-01"), "manager_score": 1.0}
        for i, r in enumerate(rows)
    ]
    frames["surveys"] = pd.DataFrame(rows + old, columns=frames["surveys"].columns)
    made = plan.measure(books.open_book(books.write_folder(frames, tmp_path / "asked"), as_of="2026-09-30"))
    assert words.minded(made).sentence.startswith(said)
    assert (made.minded.hits if made.minded else None) == hits
