"""The playbook of references asks only the content, and takes likeness for no word of mouth."""

from dataclasses import replace

import numpy as np
import playbook_books as books
import pytest

from kamlib.reports.playbooks import reference_accounts as words
from kamlib.studies import diffusion, shares
from kamlib.studies.plans import reference_accounts as plan


@pytest.fixture(scope="module")
def result():
    return plan.measure(books.sample())


def test_those_on_file_as_referred_are_those_referred_in_truth(result):
    true = books.truth("accounts").query("is_referred")["account_id"]
    assert set(result.brought["referred_account_id"]) <= set(true) and result.brought["has_bought"].all()


def test_only_the_content_without_a_severe_complaint_are_asked(result):
    cases = books.sample().frame("cases")
    severe = cases[cases["closed_on"].isna() & (cases["severity"] >= 3)]["account_id"]
    assert (result.askable["satisfaction"] >= result.least).all()
    assert set(result.askable["account_id"]).isdisjoint(severe)


def test_nobody_who_referred_in_twelve_months_is_asked_again(result):
    recent = result.brought.loc[result.brought["referred_on"] > "2025-09-30", "account_id"]
    assert len(recent) and set(result.askable["account_id"]).isdisjoint(recent)


def test_staying_is_never_put_down_to_the_reference(result):
    assert words.staying(result).verdict == "caution" and "Friends refer" in words.staying(result).reason


@pytest.mark.parametrize(("one", "start"), [((49, 50), "Accounts that came by reference stay more"), ((5, 50), "Accounts that came by reference stay less"), ((25, 50), "Whether")])  # fmt: skip
def test_staying_is_said_by_its_interval(result, one, start):
    made = replace(result, referred_active=shares.of(*one), other_active=shares.of(50, 100))
    assert words.staying(made).sentence.startswith(start)


def test_purchases_that_follow_a_linked_account_are_counted_once_a_product():
    days = np.array([[1.0, np.inf], [5.0, 2.0], [5.0, 2.0]])
    assert diffusion._followed(days, np.array([[0, 1], [1, 2]])) == 1


def test_shuffling_keeps_the_purchases_of_each_group():
    days, rng = np.arange(8.0).reshape(4, 2), np.random.default_rng(0)
    mixed = diffusion._shuffled(days, [np.array([0, 1]), np.array([2, 3])], rng)
    assert set(mixed[:2, 0]) == {0.0, 2.0} and set(mixed[2:, 0]) == {4.0, 6.0}


@pytest.mark.parametrize(("followed", "chance", "start", "verdict"), [
    (30, 0.01, "New products pass", "caution"),
    (30, 0.50, "No passing", "caution"),
    (2, 0.01, "New products pass", "no conclusion"),
])  # fmt: skip
def test_word_of_mouth_is_said_with_its_doubt(result, followed, chance, start, verdict):
    found = words.word_of_mouth(replace(result, word=replace(result.word, followed=followed, chance=chance)))
    assert found.sentence.startswith(start) and found.verdict == verdict


def test_a_benefit_that_clearly_few_use_is_to_be_dropped(result):
    little = replace(result, club=result.club.assign(share_high=0.2))
    assert words.club(little).decision.startswith("Ask those who never came")
    assert not words.club(result).decision


def test_without_tables_it_says_so(tmp_path):
    result = plan.measure(books.bare(tmp_path))
    says = (words.yields, words.staying, words.asking, words.benchmarks, words.word_of_mouth, words.club)
    assert {f(result).verdict for f in says} == {"no conclusion"}
    asked = set(result.actions["topic"].str.removeprefix("reference_accounts."))
    assert {"begin", "hear"} <= asked and "thank" not in asked


@pytest.mark.parametrize("made", [books.one_account, books.before_orders])
def test_one_account_and_no_orders_are_no_failure(made):
    result = plan.measure(made())
    tables = (words.brought_table, words.ask_table, words.benchmark_table, words.club_table)
    assert [len(f(result)) >= 0 for f in tables] and words.yields(result).verdict == "no conclusion"
