"""The playbook of relationships tells stages apart, counts signs of depth, and asks whether depth kept accounts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from playbook_books import HOSTILE, bare, small

from kamlib.reports.playbooks import relationship_stages as words
from kamlib.studies import segmentation, shares
from kamlib.studies.plans import relationship_stages as plan

AS_OF = pd.Timestamp("2026-09-30")


def _measured(book) -> plan.StagePlan:
    return plan.measure(book, segmentation.measure(book, "2026-Q3", draws=20).accounts)


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return small(tmp_path_factory.mktemp("book"), names=HOSTILE)


@pytest.fixture(scope="module")
def result(book):
    return _measured(book)


def _stages(hours: dict) -> pd.DataFrame:
    return pd.DataFrame({"stage": list(hours), "hours_each": list(hours.values()), "accounts": 10})


def test_every_account_stands_in_one_stage(book, result):
    assert result.stages["accounts"].sum() == len(book.frame("accounts"))


def test_a_contract_in_force_is_a_sign_and_one_that_ended_is_none(book):
    rows = book.frame("contracts")
    signs = plan.depth(book, book.frame("accounts")["account_id"], AS_OF)["contract"]
    in_force = rows.loc[(rows["starts_on"] <= AS_OF) & (rows["ends_on"] >= AS_OF), "account_id"]
    assert set(signs.index[signs == 1]) == set(in_force)


def test_a_sign_no_table_tells_is_missing_and_never_zero(tmp_path):
    book = bare(tmp_path)
    signs = plan.depth(book, book.frame("accounts")["account_id"], AS_OF)
    assert signs.drop(columns="centres").isna().all().all()


def test_a_book_of_orders_alone_says_what_it_cannot_tell(tmp_path):
    book = bare(tmp_path)
    result = _measured(book)
    told = [words.effort(result), words.unsettled(result, book), words.depth(result), words.kept(result)]
    assert {finding.verdict for finding in told} == {"no conclusion"}
    assert told[1].sentence.startswith("This book has no complaints")
    assert words.depth_table(result).empty and words.stage_table(result)["depth"].isna().all()


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        ({"build": 9.0, "stable": 3.0}, "building takes more, as the rule says"),
        ({"build": 1.0, "stable": 3.0}, "does not hold for our hours"),
        ({"stable": 3.0}, "cannot be compared"),
    ],
)
def test_whether_building_takes_more_is_told_from_our_hours(result, hours, said):
    assert said in words.effort(replace(result, stages=_stages(hours))).sentence


@pytest.mark.parametrize(
    ("deep", "shallow", "verdict", "said"),
    [
        ((38, 40), (10, 40), "caution", "of the 40 others 25%: a difference of +70%"),
        ((20, 40), (20, 40), "no conclusion", "has not been shown to keep accounts here"),
        ((3, 4), (1, 4), "no conclusion", "too few key accounts"),
    ],
)
def test_depth_is_held_against_what_was_bought_since(result, deep, shallow, verdict, said):
    one, other = shares.of(*deep), shares.of(*shallow)
    found = words.kept(replace(result, kept_deep=one, kept_shallow=other, gap=shares.difference(one, other)))
    assert (found.verdict, said in found.sentence) == (verdict, True)


@pytest.mark.parametrize(("n", "said"), [(0, "No complaint"), (1, "One complaint"), (2, "2 complaints")])
def test_complaints_of_established_accounts_are_counted(book, result, n, said):
    rows = pd.DataFrame({"name": ["{x}"] * n, "stage": "stable", "case_id": "c", "opened_on": AS_OF})
    assert words.unsettled(replace(result, unsettled=rows), book).sentence.startswith(said)


def test_without_key_accounts_there_is_no_stage_and_no_depth(result):
    none = replace(result, deepest=result.deepest.head(0))
    assert words.stages(none).sentence.startswith("No account in scope counts as key")
    assert words.depth(none).sentence.startswith("No account in scope counts as key")


def test_one_key_account_is_named_with_its_stage(result):
    one = replace(result, deepest=result.deepest.head(1).assign(stage="stable"))
    assert words.stages(one).sentence == "The one key account in scope stands here: Stabilise (穩定)."


def test_seats_on_boards_and_our_purchases_are_left_to_legal(result):
    rows = result.actions[result.actions["practice"].isin(["K058"])]
    assert rows["role"].tolist() == ["legal"]
    assert (result.actions["topic"] == "relationship_stages.boards").sum() == 1


def test_the_order_of_the_accounts_changes_nothing(book):
    accounts = segmentation.measure(book, "2026-Q3", draws=20).accounts
    one, other = plan.measure(book, accounts), plan.measure(book, accounts.iloc[::-1])
    pd.testing.assert_frame_equal(one.deepest, other.deepest)
    assert np.allclose(one.stages["revenue"], other.stages["revenue"])
