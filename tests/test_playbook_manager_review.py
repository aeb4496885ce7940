"""The review of managers: scores drawn together, told apart only beyond chance, and never a ranking."""

import numpy as np
import pandas as pd
import pytest

from kamlib import open_book
from kamlib.reports.playbooks import manager_review as words
from kamlib.studies.plans import manager_review as plan

from books import small_frames, write_folder


def _scores(**by_manager: list[float]) -> pd.DataFrame:
    rows = [{"manager_id": key, "manager_score": float(x)} for key, given in by_manager.items() for x in given]
    return pd.DataFrame(rows)


def _plan(tmp_path, drop=()) -> plan.ManagerReview:
    frames = {name: frame for name, frame in small_frames().items() if name not in drop}
    return plan.measure(open_book(write_folder(frames, tmp_path / "book"), as_of="2026-09-30"))


def _review(differs: list[str], answers=50, can_compare=True) -> plan.ManagerReview:
    managers = pd.DataFrame({"manager_id": list("abc"), "accounts": 30, "differs": differs})
    return plan.ManagerReview(None, managers, 7.0, answers, can_compare, None, None)


def test_scores_are_drawn_as_the_published_formula_says():
    found = plan.draw_together(_scores(a=[8, 10], b=[4, 6], c=[6, 8])).set_index("manager_id")
    # within variance 2, of a mean 1; means 9, 5, 7 with variance 4, so the spread is 3 and the weight 3/4
    assert found["drawn"].to_dict() == pytest.approx({"a": 8.5, "b": 5.5, "c": 7.0})
    assert found.loc["a", "high"] - found.loc["a", "drawn"] == pytest.approx(1.6448536 * np.sqrt(0.75))


def test_without_spread_beyond_chance_all_are_drawn_to_the_mean():
    found = plan.draw_together(_scores(a=[0, 10], b=[1, 9], c=[2, 8]))
    assert found["drawn"].tolist() == pytest.approx([5.0] * 3)
    assert set(found["differs"]) == {""}


def test_a_manager_far_below_the_others_is_told_apart():
    found = plan.draw_together(_scores(a=[8, 9] * 10, b=[8, 9] * 10, c=[2, 3] * 10)).set_index("manager_id")
    assert found.loc["c", "differs"] == "below"


def test_managers_stand_in_the_order_of_their_identifiers(tmp_path):
    assert _plan(tmp_path).managers["manager_id"].is_monotonic_increasing


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (_review(["", "", ""], answers=0), "No account was asked about its manager"),
        (_review(["", "", ""], answers=9, can_compare=False), "Only 9 accounts scored their manager"),
        (_review(["", "", ""]), "no manager differs from the rest by more than chance."),
        (_review(["above", "below", ""]), "beyond chance, one manager is above it and one below."),
    ],
)
def test_scores_have_a_sentence_for_each_case(result, says):
    assert says in words.scores(result).sentence


def test_few_answers_tell_nobody_apart_and_ask_for_more(tmp_path):
    result = _plan(tmp_path)
    assert not result.can_compare
    assert set(result.managers["differs"]) == {""}
    assert words.asked(result).sentence.startswith("Of 8 accounts with a manager")


def test_without_surveys_visits_and_cases_nothing_is_invented(tmp_path):
    result = _plan(tmp_path, drop=("surveys", "visits", "cases"))
    assert result.managers[["score", "overdue_share", "logged_late_share", "late_cases"]].isna().all().all()
    assert words.scores(result).verdict == "no conclusion"
    assert words.score_table(result).empty and words.step_table(result).empty


def test_the_table_says_in_words_who_is_told_apart():
    assert words.score_table(_review(["above", "below", ""]))["differs_said"].tolist() == [
        "above the mean", "below the mean", "not told from the mean",
    ]  # fmt: skip
