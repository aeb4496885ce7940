"""The playbook of consultative selling asks from what the book knows, and gives each fact of a rival source and day."""

from dataclasses import replace

import pandas as pd
import playbook_books as books
import pytest

from kamlib.errors import RequestError
from kamlib.reports.playbooks import consultative_selling as words
from kamlib.reports.sentences import say
from kamlib.studies import shares
from kamlib.studies.plans import consultative_selling as plan


@pytest.fixture(scope="module")
def result():
    return plan.measure(books.sample(), "C0001")


def test_what_is_missing_is_bought_by_most_of_its_trade_and_not_by_it(result):
    rows = result.categories.set_index("category")
    largest = plan.measure(books.sample())
    assert largest.missing and all(
        largest.categories.set_index("category").loc[one, "similar_share"] >= 0.5 for one in largest.missing
    )
    assert rows["revenue"].sum() <= result.account["revenue"] * 1.01


def test_the_two_years_of_deals_are_counted_with_their_interval(result):
    deals = books.sample().frame("opportunities")
    closed = deals[deals["stage"].isin(["won", "lost"]) & (deals["closed_on"] > "2024-09-30")]
    assert (result.won_all.hits, result.won_all.n) == ((closed["stage"] == "won").sum(), len(closed))
    assert words.winning(result).interval == (result.won_all.low, result.won_all.high)


def test_each_fact_of_a_competitor_has_a_source_and_a_day_and_own_ones_come_first(result):
    assert result.heard[["day", "source", "competitor"]].notna().all(axis=None)
    own = result.heard["account_id"] == "C0001"
    assert own.any() and own.is_monotonic_decreasing


def test_questions_start_from_the_book_and_say_where_it_knows_nothing(result, tmp_path):
    bare = words.question_table(plan.measure(books.bare(tmp_path)))
    assert len(words.question_table(result)) == 4
    assert set(bare["known_from_book"]) == {say("consultative_selling.known_nothing")}


@pytest.mark.parametrize(("missing", "similar", "branch"), [(["x"], 0.9, "one more is bought by most"), ([], 0.9, "and none that most"), ([], float("nan"), "nothing can be said")])  # fmt: skip
def test_needs_are_said_by_what_similar_accounts_buy(result, missing, similar, branch):
    rows = result.categories.assign(similar_share=similar)
    found = words.needs(replace(result, missing=missing, categories=rows))
    assert branch in found.sentence and (found.verdict == "usable") == (similar == 0.9)


def test_few_deals_are_read_with_care_and_none_says_so(result):
    assert words.winning(replace(result, won_all=shares.of(1, 3))).verdict == "caution"
    assert words.winning(replace(result, won_all=None)).verdict == "no conclusion"


def test_open_deals_and_missing_categories_become_actions(result):
    deals = pd.DataFrame({"opportunity_id": ["O1"], "opened_on": [pd.Timestamp("2026-05-01")]})
    rows = pd.concat(plan._actions(result.account, ["A", "B", "C", "D"], deals, result.as_of))
    assert rows.groupby("kind").size().to_dict() == {"deal": 1, "offer": 3, "step": 1, "visit": 1}


def test_eight_topics_of_the_handbook_stand_with_the_account(result):
    assert words.topic_table(result)["module"].tolist() == list(range(1, 9))


def test_an_account_out_of_scope_is_refused():
    with pytest.raises(RequestError, match="account 'X' is not among the 300 accounts in scope"):
        plan.measure(books.sample(), "X")


def test_without_tables_it_says_so(tmp_path):
    result = plan.measure(books.bare(tmp_path))
    says = (words.needs, words.winning, words.competitors, words.both_gain)
    assert {f(result).verdict for f in says} == {"no conclusion"}


def test_hostile_names_stay_text(tmp_path):
    result = plan.measure(books.small(tmp_path, names=books.HOSTILE), "0003")
    assert result.account["name"] in books.HOSTILE
    assert words.needs(result).sentence.startswith(result.account["name"])


@pytest.mark.parametrize("made", [books.one_account, books.before_orders])
def test_one_account_and_no_orders_are_no_failure(made):
    result = plan.measure(made())
    tables = (words.question_table, words.rival_table, words.heard_table, words.brief_table, words.topic_table)
    assert [len(f(result)) >= 0 for f in tables]
