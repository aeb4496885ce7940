"""The playbook of profit finds the planted giant that never paid, keeps exceptions apart, and counts no unknown cost."""

from dataclasses import replace

import numpy as np
import pandas as pd
import playbook_books as books
import pytest

from kamlib.reports.playbooks import account_profit as words
from kamlib.studies.plans import account_profit as plan


@pytest.fixture(scope="module")
def result():
    return plan.measure(books.sample())


def test_the_planted_giant_whose_winning_cost_more_than_it_earned_is_the_worst(result):
    giant = books.truth("accounts").query("is_giant_one_off")["account_id"].iloc[0]
    worst = words.loser_table(result).iloc[0]
    assert (worst["account_id"], worst["verdict"]) == (giant, "terms")


def test_what_is_left_is_margin_less_the_costs_known(result):
    one = result.accounts.query("account_id == 'C0001'").iloc[0]
    costs = np.nansum(one[["visit_cost", "service_cost", "promotion_cost"]].astype(float))
    assert one["left"] == pytest.approx(one["margin"] - costs)


def test_the_whale_curve_peaks_where_the_losing_begin():
    # 60 + 50 = 110 of 100 together, reached by two accounts of three.
    assert plan._whale(pd.Series([60.0, -10.0, 50.0])) == (1.1, 2 / 3)
    assert np.isnan(plan._whale(pd.Series([-1.0]))[0])


def test_prospects_are_no_losing_customers(result):
    bought = books.sample().frame("orders")["account_id"]
    assert set(result.accounts["account_id"]) <= set(bought) and result.prospects_cost > 0
    assert "are not counted as losing" in words.courting(result)[0]


def test_who_earned_over_three_years_is_kept_by_exception(result):
    kept = result.accounts[result.accounts["verdict"] == "exception"]
    assert len(kept) and (kept["left"] < 0).all() and (kept["left_three_years"] > 0).all()


def test_money_times_k_scales_what_is_left(tmp_path):
    frames = books.small_frames()
    one = plan.measure(books.open_book(books.write_folder(frames, tmp_path / "a"), as_of="2026-09-30"))
    for table, columns in {"orders": ["revenue", "cost"], "investments": ["amount"], "promotions": ["cost"]}.items():
        frames[table][columns] = frames[table][columns].astype(float) * 10
    ten = plan.measure(books.open_book(books.write_folder(frames, tmp_path / "b"), as_of="2026-09-30"))
    np.testing.assert_allclose(ten.accounts["left"], 10 * one.accounts["left"])


def test_what_came_back_is_only_an_upper_end(result):
    found = words.returned(result)
    assert found.verdict == "caution" and "upper end" in found.reason
    assert words.returned(replace(result, spent=result.spent.head(3))).verdict == "no conclusion"


@pytest.mark.parametrize(("large", "branch"), [(0.05, "are cheaper"), (0.5, "are not cheaper")])
def test_the_cost_of_large_accounts_is_held_against_that_of_small_ones(result, large, branch):
    rows = result.trade
    rows = rows.assign(cost_share=np.where(rows["abc"] == "A", large, 0.2))
    assert branch in words.cheaper(replace(result, trade=rows)).sentence


@pytest.mark.parametrize(("change", "start"), [
    ({"known": ()}, "The margin of"),
    ({"peak": float("nan")}, "After what visits, promotions, development and service cost, 2"),
])  # fmt: skip
def test_what_is_left_is_said_by_what_is_known(result, change, start):
    assert words.left(replace(result, **change)).sentence.startswith(start)


def test_without_costs_it_says_so(tmp_path):
    frames = {name: books.small_frames()[name] for name in ("accounts", "orders")}
    frames["orders"]["cost"] = None
    result = plan.measure(books.open_book(books.write_folder(frames, tmp_path / "b"), as_of="2026-09-30"))
    says = (words.left, words.exceptions, words.returned, words.cheaper)
    assert {f(result).verdict for f in says} == {"no conclusion"}


@pytest.mark.parametrize("made", [books.one_account, books.before_orders])
def test_one_account_and_no_orders_are_no_failure(made):
    result = plan.measure(made())
    tables = (words.account_table, words.loser_table, words.spent_table, words.trade_table)
    assert [len(f(result)) >= 0 for f in tables] and words.cheaper(result).verdict == "no conclusion"
