"""The playbook of trials draws fairly, says what its size can show, and takes nobody's coming for an effect."""

import pandas as pd
import playbook_books as books
import pytest

from kamlib.errors import RequestError
from kamlib.reports.playbooks import new_product_trial as words
from kamlib.studies import launches, shares
from kamlib.studies.plans import new_product_trial as plan


@pytest.fixture(scope="module")
def result():
    return plan.measure(books.sample())


def test_the_launches_planted_are_the_new_products(result):
    planted = {key: str(day) for key, day in books.process()["launches"].items()}
    found = result.products.set_index("product_id")["launched_on"].dt.strftime("%Y-%m-%d")
    assert found.to_dict() == planted


def test_who_bought_a_new_product_had_taken_it_up_in_truth(result):
    firsts = launches.first_purchases(books.sample()).merge(result.products[["product_id"]], on="product_id")
    true = books.truth("adoptions").astype({"adopted_on": "datetime64[s]"})
    both = firsts.merge(true, on=["account_id", "product_id"], how="left")
    assert (both["day"] >= both["adopted_on"]).all() and len(both) > 50


def test_each_pair_sends_one_to_the_trial_and_one_later(result):
    arms = result.candidates.groupby("pair")["arm"].agg(set)
    assert len(arms) == 10 and all(arm == {"trial", "later"} for arm in arms)


def test_the_draw_is_the_same_for_the_same_product(result):
    assert plan.measure(books.sample()).candidates.equals(result.candidates)


def test_nobody_is_asked_who_buys_it_tried_it_or_has_a_severe_complaint(result):
    asked = set(result.candidates["account_id"])
    assert asked.isdisjoint(result.refused["account_id"]) and set(result.refused["why"]) == {"bought", "tried"}
    assert asked.isdisjoint(result.waiting["account_id"])


def test_the_rule_for_stopping_is_met_by_chance_in_at_most_one_of_ten():
    # Binomial of 10 with 0.1: P(X >= 3) is 0.0702 and P(X >= 2) 0.2639.
    needed, chance = plan._rule(10, 0.1)
    assert (needed, round(chance, 4)) == (3, 0.0702)


def test_the_smallest_share_shown_is_that_of_the_arcsine_power():
    # n 50 an arm, base 0.10, two-sided 10 %, power 80 %: h = 0.4973, p = 0.2916.
    assert round(plan._smallest(50, 0.10), 4) == 0.2916


def test_who_bought_early_counts_only_when_the_days_of_all_are_over():
    rows = pd.DataFrame({"day": pd.to_datetime(["2026-09-01", "2026-09-01", "2026-01-01"])})
    rows["bought_on"] = pd.to_datetime([None, "2026-09-02", None])
    known = launches.with_outcome(rows, "day", 90, pd.Timestamp("2026-09-30"))["has_bought"]
    assert known.tolist() == [None, None, False]


def test_those_who_came_chose_to_so_the_comparison_is_never_usable(result):
    found = words.earlier(result)
    assert found.verdict == "caution" and found.reason.startswith("Who came chose to come")


@pytest.mark.parametrize(("came", "absent", "branch"), [((40, 50), (5, 50), "Of 50 accounts"), ((5, 50), (40, 50), "Those who came")])  # fmt: skip
def test_the_direction_is_said_as_it_is(result, came, absent, branch):
    turned = plan.TrialPlan(**{**vars(result), "came": shares.of(*came), "absent": shares.of(*absent)})
    assert words.earlier(turned).sentence.startswith(branch)


def test_a_small_trial_says_that_only_a_large_effect_would_show(result):
    assert words.design(result).reason.startswith("Only a very large effect")


def test_an_unknown_product_is_refused_with_the_newest_named():
    with pytest.raises(RequestError, match="product 'P0101' is no new product of this book; the newest are P0609"):
        plan.measure(books.sample(), product_id="P0101")


def test_without_events_and_products_it_says_so(tmp_path):
    result = plan.measure(books.bare(tmp_path))
    assert (
        words.earlier(result).sentence == "The book shows no earlier trial, so what a trial brings is not known here."
    )


@pytest.mark.parametrize("made", [books.one_account, books.before_orders])
def test_one_account_and_no_orders_are_no_failure(made):
    result = plan.measure(made())
    assert words.design(result).verdict == "no conclusion"
    assert [len(f(result)) >= 0 for f in (words.uptake_table, words.candidate_table, words.refused_table)]
