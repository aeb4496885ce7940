"""The playbook of supply finds the planted shortages, says how far its rule misses, and never invents a table."""

import numpy as np
import pandas as pd
import playbook_books as books
import pytest

from kamlib.reports.playbooks import supply_guarantee as words
from kamlib.studies import peaks, service, shares, stock_cover
from kamlib.studies.plans import supply_guarantee as plan


@pytest.fixture(scope="module")
def result():
    return plan.measure(books.sample())


def test_the_planted_stock_outs_of_the_year_are_the_shortages_named(result):
    planted = {(s["category"], s["month"]) for s in books.process()["stock_outs"] if s["month"] >= "2025-10"}
    named = set(zip(result.shortages["category"], result.shortages["month"].dt.strftime("%Y-%m"), strict=True))
    assert named == planted


def test_shuffled_deliveries_name_no_shortage():
    lines = service.delivered_lines(books.sample(), pd.Timestamp("2025-10-01"))
    order = np.random.default_rng(0).permutation(len(lines))
    columns = ["is_on_time", "is_in_full"]
    mixed = lines.assign(**{c: lines[c].to_numpy()[order] for c in columns})
    assert service.shortages(mixed).empty


def test_need_is_last_years_month_times_growth_and_its_interval_comes_from_last_years_misses():
    months = pd.date_range("2023-10-01", periods=36, freq="MS")
    years = np.repeat([1.0, 2.0, 4.0], 12)
    need = peaks.foresee(pd.DataFrame({"a": years, "b": 10 * years}, index=months), [pd.Timestamp("2026-10-01")])
    assert (need.growth, need.judged, need.miss) == (2.0, 24, 0.0)
    assert need.rows[["need", "need_low", "need_high"]].to_numpy().tolist() == [[8.0] * 3, [80.0] * 3]


def test_a_year_of_orders_gives_no_interval():
    months = pd.date_range("2025-10-01", periods=12, freq="MS")
    need = peaks.foresee(pd.DataFrame({"a": np.arange(12.0)}, index=months), [pd.Timestamp("2026-12-01")])
    assert need.rows["need"].tolist() == [2.0] and need.rows["need_low"].isna().all()


def test_the_new_year_that_moves_is_named(result):
    assert words.holiday_notes(result)[0].startswith("Chinese New Year's Eve falls on 4 February 2027, 11 days earlier")


def test_stock_lasts_as_long_as_two_counts_and_what_was_bought_between_say(tmp_path):
    frames = books.small_frames()
    days = pd.to_datetime(["2026-08-01", "2026-08-31"]).astype("datetime64[s]")
    frames["stock"] = pd.DataFrame(
        {"account_id": "0001", "product_id": "P1", "counted_on": days, "on_hand": [40, 10.0]}
    )
    frames["orders"] = frames["orders"][lambda o: (o["account_id"] != "0001") | (o["order_date"] < "2026-05-01")]
    row = stock_cover.stock_cover(books.open_book(books.write_folder(frames, tmp_path / "b"), as_of="2026-09-30")).iloc[
        0
    ]
    assert (row["per_day"], row["cover_days"], row["basis"]) == (1.0, 10.0, "counts")
    assert row["runs_out_on"] == pd.Timestamp("2026-09-10")


def test_shares_carry_the_wilson_interval():
    found = shares.of(8, 10)  # Wilson (1927), 90 %
    assert (round(found.low, 4), round(found.high, 4)) == (0.5408, 0.9314)
    assert shares.share([True, None, False]).n == 2


def test_a_rule_that_missed_by_half_says_nothing(result):
    poor = plan.SupplyPlan(**{**vars(result), "need": peaks.Need(result.need.rows, 1.0, 48, 0.9, True)})
    found = words.peaks(poor)
    assert found.verdict == "no conclusion" and found.interval is None
    assert found.reason.startswith("The rule missed by 90%")


def test_what_has_passed_the_day_to_order_is_said(result):
    late = result.peaks.assign(order_by=result.as_of)
    assert "has passed" in words.peaks(plan.SupplyPlan(**{**vars(result), "peaks": late})).decision


def test_each_key_account_is_asked_once_and_each_peak_booked_once(result):
    rows = result.actions
    agreed = rows[rows["topic"] == "supply_guarantee.agree"]
    assert agreed["account_id"].is_unique and len(agreed)
    assert rows[rows["topic"] == "supply_guarantee.book"]["detail"].tolist() == result.peaks["category"].tolist()


def test_without_deliveries_counts_and_products_it_says_so(tmp_path):
    result = plan.measure(books.bare(tmp_path))
    found = [f(result) for f in (words.shelves, words.guarantee, words.shortages, words.late_lines)]
    assert {f.verdict for f in found} == {"no conclusion"}
    assert "no counts of stock" in found[0].sentence
    assert "supply_guarantee.review" not in set(result.actions["topic"])  # no shortage is known to go through
    assert set(result.need.rows["series"]) == {"all products"}


@pytest.mark.parametrize("made", [books.one_account, books.before_orders])
def test_one_account_and_no_orders_are_no_failure(made):
    result = plan.measure(made())
    tables = (words.peak_table, words.need_table, words.cover_table, words.service_table, words.late_table)
    assert [len(f(result)) >= 0 for f in tables]
    assert words.peaks(result).sentence and words.guarantee(result).verdict == "no conclusion"


def test_a_row_dated_later_changes_nothing(result):
    later = books.sample_place()
    again = plan.measure(books.open_book(later).at("2026-09-30"))
    assert again.peaks.equals(result.peaks) and again.actions.equals(result.actions)
