"""The playbook of promotions recovers the planted uplift and dip, sees bent rebates, and fills the template."""

from dataclasses import replace

import numpy as np
import playbook_books as books
import pytest

from kamlib.errors import RequestError
from kamlib.reports.playbooks import promotion_design as words
from kamlib.studies import promotion_effects as effects
from kamlib.studies import shares
from kamlib.studies.plans import promotion_design as plan

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:pyfixest")


@pytest.fixture(scope="module")
def result():
    return plan.measure(books.sample())


def test_the_planted_uplift_and_the_dip_after_it_lie_in_their_intervals(result):
    planted = books.process()["process"]
    true = {"before": 0.0, "now": np.expm1(planted["promotion_uplift"]), "after": np.expm1(-planted["promotion_dip"])}
    for row in result.uplift.steps.itertuples():
        assert row.low <= true[row.step] <= row.high, row.step


def test_the_net_effect_is_less_than_that_of_the_month_alone(result):
    assert result.uplift.net < result.uplift.steps.set_index("step").loc["now", "effect"]


def test_the_planted_pulling_forward_to_rebates_is_seen(result):
    found = words.bunching(result)
    assert found.interval[0] > 0.5 and "never in the weeks before its threshold" in found.decision


def test_rebates_that_end_on_both_sides_alike_are_not_called_bent(result):
    even = replace(result.rebates, above=50, below=50, chance=0.54)
    found = words.bunching(replace(result, rebates=even))
    assert found.sentence.startswith("No bending towards rebates is seen")


@pytest.mark.parametrize(("low", "high", "branch", "verdict"), [
    (0.1, 0.3, "A promotion brings", "usable"),
    (-0.3, -0.1, "A promotion loses more", "usable"),
    (-0.1, 0.3, "Whether promotions bring anything", "caution"),
])  # fmt: skip
def test_the_net_effect_is_said_by_its_interval(result, low, high, branch, verdict):
    found = words.net_effect(replace(result, uplift=replace(result.uplift, net_low=low, net_high=high)))
    assert found.sentence.startswith(branch) and found.verdict == verdict


def test_an_effect_in_the_month_before_takes_every_conclusion_away(result):
    steps = result.uplift.steps.assign(low=0.05, high=0.2)
    aimed = replace(result, uplift=replace(result.uplift, steps=steps))
    assert words.net_effect(aimed).verdict == "no conclusion" and words.pays(aimed).verdict == "no conclusion"
    assert "already differs" in words.pays(aimed).reason


@pytest.mark.parametrize(("low", "high", "word"), [(900, 1100, "earns its cost"), (0, 90, "does not earn"), (0, 900, "cannot be told")])  # fmt: skip
def test_whether_it_pays_is_held_against_its_cost(result, low, high, word):
    found = words.pays(replace(result, uplift=replace(result.uplift, gain_low=low, gain_high=high, cost=100.0)))
    assert word in found.sentence


def test_last_years_promotions_are_asked_about_a_month_before(result):
    again = result.actions[result.actions["topic"] == "promotion_design.again"]
    assert set(again["account_id"]) == set(result.calendar["account_id"])
    assert (result.calendar["kind"] != "rebate").all()


def test_the_template_is_filled_from_the_account(tmp_path):
    filled = words.template(plan.measure(books.small(tmp_path), "0001"))
    assert len(filled) == 7 and filled["to_agree"].ne("").all()


def test_without_promotions_and_events_it_says_so(tmp_path):
    result = plan.measure(books.bare(tmp_path))
    says = (words.net_effect, words.pays, words.bunching, words.ahead, words.training)
    assert {f(result).verdict for f in says} == {"no conclusion"}
    assert len(words.template(result)) == 7


def test_one_account_is_too_few_and_is_no_failure():
    assert words.net_effect(plan.measure(books.one_account())).sentence.startswith("Too few promotions")


def test_an_account_out_of_scope_is_refused():
    with pytest.raises(RequestError, match="account 'X' is not among the 1 accounts in scope"):
        plan.measure(books.one_account(), "X")


def test_training_counts_key_accounts(result):
    assert words.training(replace(result, trained=shares.of(3, 4))).sentence.startswith(
        "The sellers and users of 3 of 4"
    )
    assert effects.LEVEL == shares.LEVEL
