"""The playbook of the symposium keeps its year, hears the discontented, and never takes guests for proof."""

from dataclasses import replace

import pandas as pd
import playbook_books as books
import pytest

from kamlib.reports.playbooks import annual_symposium as words
from kamlib.studies import shares
from kamlib.studies.plans import annual_symposium as plan


@pytest.fixture(scope="module")
def result():
    return plan.measure(books.sample())


def test_guests_that_bought_more_are_no_proof_because_the_true_effect_is_none(result):
    assert books.process()["symposium_effect"] == 0.0
    assert words.no_proof(result).verdict == "no conclusion"
    assert "Guests choose to come" in words.no_proof(result).reason


@pytest.mark.parametrize(("low", "high", "start"), [
    (0.01, 0.09, "Those who came bought a larger part"),
    (-0.09, -0.01, "Those who came bought a smaller part"),
    (-0.05, 0.05, "Between those who came"),
])  # fmt: skip
def test_even_a_clear_difference_stays_without_conclusion(result, low, high, start):
    found = words.no_proof(replace(result, naive=result.naive.assign(low=low, high=high)))
    assert found.sentence.startswith(start) and found.verdict == "no conclusion"


def test_the_next_symposium_is_a_year_after_the_last_but_never_sooner_than_it_can_be_prepared():
    as_of = pd.Timestamp("2026-09-30")
    assert plan._next(pd.Timestamp("2026-09-01"), as_of, 1.0) == pd.Timestamp("2027-09-01")
    assert plan._next(pd.Timestamp("2025-01-02"), as_of, 1.0) == pd.Timestamp("2026-11-16")
    assert plan._next(pd.NaT, as_of, 1.0) == pd.Timestamp("2026-11-16")


def test_a_year_without_one_is_said_to_be_overdue(result):
    late = replace(result, held_on=pd.Timestamp("2025-01-02"))
    assert words.due(late).sentence.startswith("The yearly symposium is overdue")
    assert words.due(result).sentence.startswith("The last symposium was on 14 November 2025")


def test_a_topic_changes_only_beyond_chance():
    # Two Poisson rates for equal numbers of orders: 1 of 12 has p 0.0063, 5 of 12 has p 0.7744.
    assert plan._changed(1, 11, 1000, 1000) == "fewer"
    assert plan._changed(11, 1, 1000, 1000) == "more"
    assert plan._changed(5, 7, 1000, 1000) == "same"
    assert plan._changed(1, 2, 1000, 1000) == "few"


def test_the_discontented_that_nobody_called_are_called_first(result):
    called = result.actions[result.actions["topic"] == "annual_symposium.close"]
    assert set(called["account_id"]) == set(result.unheard["account_id"])
    assert (result.unheard["satisfaction"] < result.content_from).all()


def test_content_counts_those_who_answered_and_says_how_many_did(result):
    found = words.content(result)
    assert found.interval[0] < found.value < found.interval[1]
    half = replace(result, answered=shares.of(2, 10))
    assert words.content(half).verdict == "caution"


def test_without_tables_it_says_so(tmp_path):
    result = plan.measure(books.bare(tmp_path))
    says = (words.attendance, words.agenda, words.no_proof, words.content)
    assert {f(result).verdict for f in says} == {"no conclusion"}
    assert words.due(result).sentence.startswith("The book shows no symposium")


@pytest.mark.parametrize("made", [books.one_account, books.before_orders])
def test_one_account_and_no_orders_are_no_failure(made):
    result = plan.measure(made())
    assert words.no_proof(result).verdict == "no conclusion"
    assert [len(f(result)) >= 0 for f in (words.guest_table, words.topic_table, words.naive_table, words.unheard_table)]
