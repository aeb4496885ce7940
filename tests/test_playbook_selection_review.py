"""The review of key accounts: its agenda, what is lacking on the table, and who brings it."""

import numpy as np
import pandas as pd
import pytest

from kamlib import open_book
from kamlib.reports.playbooks import selection_review as words
from kamlib.studies.plans import selection_review as plan

from books import small_frames, write_folder


def _accounts(**decisions: str) -> pd.DataFrame:
    """Accounts with what a segmentation would say of them: 'a' to decide as given, by value in order."""
    rows = pd.DataFrame({"account_id": [f"{i + 1:04d}" for i in range(len(decisions))], "name": list(decisions)})
    rows = rows.assign(manager_id="M01", decision=list(decisions.values()), reason="r", tests_met=3, tests_known=4)
    rows = rows.assign(criteria_met="", gates_failed="", value=np.arange(len(rows), 0.0, -1.0))
    return rows.assign(is_key=rows["decision"].isin(["keep", "promote"]))


def _plan(tmp_path, accounts=None, drop=(), ratings=None, cap=50, empty=()) -> plan.SelectionReview:
    frames = {name: frame for name, frame in small_frames().items() if name not in drop}
    filled = {"industry": "food", "annual_potential": 5.0, "is_strategic": False}
    frames["accounts"] = frames["accounts"].assign(**filled)
    frames["accounts"].loc[0, list(empty)] = None
    if ratings is not None:
        frames["ratings"] = pd.DataFrame(ratings).assign(criterion="c", score=3.0, evidence=None)
        frames["ratings"]["rated_on"] = pd.to_datetime(frames["ratings"]["rated_on"]).astype("datetime64[s]")
    book = open_book(write_folder(frames, tmp_path / "book"), as_of="2026-09-30")
    return plan.measure(
        book, _accounts(a="promote", b="demote", c="review", d="keep") if accounts is None else accounts, cap
    )


def _rated(*days: str) -> dict:
    return {"account_id": "0001", "rater_id": [f"r{i}" for i in range(len(days))], "rated_on": list(days)}


def test_the_agenda_begins_with_those_that_would_leave(tmp_path):
    result = _plan(tmp_path)
    assert result.agenda["name"].tolist() == ["b", "a", "c"]
    assert words.agenda(result).sentence == (
        "3 accounts are to be decided on: 1 to leave, 1 to enter and 1 to settle; if all is decided as proposed there "
        "are 2 key accounts."
    )
    assert words.agenda_table(result)["decision_said"].tolist() == ["leave", "enter", "settle"]


@pytest.mark.parametrize(
    ("accounts", "says"),
    [(_accounts(d="keep"), "There is nothing to decide this time"), (_accounts(a="promote"), "One account is to be")],
)
def test_none_and_one_have_their_own_sentences(tmp_path, accounts, says):
    assert words.agenda(_plan(tmp_path, accounts)).sentence.startswith(says)


def test_an_account_with_one_rater_or_old_ratings_is_to_be_rated_again(tmp_path):
    result = _plan(tmp_path, _accounts(a="promote"), ratings=_rated("2026-08-01", "2025-08-01"))
    assert result.agenda["raters"].tolist() == [1]
    assert "rating" in result.actions["kind"].tolist()
    assert words.evidence(result).sentence.startswith("For one of 1 account to decide on a second rating")


def test_with_two_raters_and_full_fields_nothing_is_lacking(tmp_path):
    result = _plan(tmp_path, _accounts(a="promote"), ratings=_rated("2026-08-01", "2026-08-02"))
    assert words.evidence(result).sentence == ("For the account to decide on, two ratings and all fields are on file.")


def test_an_empty_field_is_named_and_asked_for(tmp_path):
    result = _plan(tmp_path, _accounts(a="promote"), empty=["annual_potential", "industry"])
    asked = result.actions[result.actions["kind"] == "field"]
    assert set(asked["detail"]) == {"annual_potential", "industry"}
    assert result.agenda["missing_fields"].tolist() == ["industry, annual_potential"]


def test_without_ratings_it_says_so_and_asks_for_none(tmp_path):
    result = _plan(tmp_path, drop=("ratings",))
    assert words.evidence(result).verdict == "caution"
    assert "rating" not in result.actions["kind"].tolist()


@pytest.mark.parametrize(("cap", "says"), [(1, "more than the 1 that can"), (2, "and there may be up to 2.")])
def test_the_number_of_key_accounts_is_held_against_what_can_be_looked_after(tmp_path, cap, says):
    assert says in words.room(_plan(tmp_path, cap=cap)).sentence


def test_each_question_names_its_practice():
    assert words.questions()["practice"].tolist() == [
        "K006",
        "K007",
        "K008",
        "K009",
        "K003",
        "K004",
        "K005",
        "K011",
        "K012",
    ]


def test_one_meeting_settles_a_kind_of_decision_in_one_line(tmp_path):
    made = _plan(tmp_path, _accounts(a="promote", b="promote", c="review")).actions.set_index("topic")["count"]
    assert made[["selection_review.promote", "selection_review.review"]].tolist() == [2.0, 1.0]
    assert "selection_review.demote" not in made
