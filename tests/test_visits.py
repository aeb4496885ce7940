"""The visit study: its fixed names, what it refuses, and the sample company's planted truth."""

import numpy as np
import pandas as pd
import pytest
from visiting import simulate

from kamlib import open_book
from kamlib.book.sample import write_sample
from kamlib.errors import RequestError
from kamlib.studies import visits
from kamlib.studies.visits.evidence import NEW, classify, peer_placebo, weigh

from books import small_frames, write_folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "sample"
    write_sample(folder)
    return folder


@pytest.fixture(scope="module")
def book(place):
    return open_book(place, as_of="2026-09-30")


@pytest.fixture(scope="module")
def result(book):
    return visits.measure(book)


def test_the_panel_counts_the_visits_of_the_channel_asked_for(book):
    rows = book.frame("visits")
    rows["month"] = rows["visit_date"].dt.to_period("M").dt.start_time
    for channels in (("visit",), ("call", "video")):
        panel = visits.panel(book, channels=channels).set_index(["account_id", "month"])["visits"].dropna()
        counted = rows[rows["channel"].isin(channels)].groupby(["account_id", "month"]).size()
        assert (panel == counted.reindex(panel.index).fillna(0)).all()


def test_a_quarter_is_the_sum_of_its_three_months(book):
    months, quarters = visits.panel(book), visits.panel(book, freq="Q")
    assert quarters["revenue"].sum() <= months["revenue"].sum()
    inside = months[months["month"].dt.quarter == 3]
    one = quarters[quarters["month"] == "2026-07-01"].set_index("account_id")["revenue"]
    wanted = inside[inside["month"] >= "2026-07-01"].groupby("account_id")["revenue"].agg(["sum", "size"])
    pd.testing.assert_series_equal(one, wanted.loc[wanted["size"] == 3, "sum"], check_names=False, check_dtype=False)


@pytest.mark.parametrize("freq", ["W", "", "m"])
def test_another_frequency_is_refused(book, freq):
    with pytest.raises(RequestError, match="freq must be 'M' for months or 'Q' for quarters"):
        visits.panel(book, freq=freq)


def test_an_unknown_channel_is_refused(book):
    with pytest.raises(RequestError, match="channels is .*'fax'.*it may hold visit, call, video, email, event"):
        visits.measure(book, channels=("visit", "fax"))


def test_the_trap_lies_far_above_the_estimate_within_accounts(result):
    ladder = result.evidence.ladder.set_index("method")["elasticity"]
    assert ladder["pooled"] > 2 * ladder["long_run"] > 0


def test_the_truth_of_the_sample_lies_in_the_interval(place, result):
    months = pd.read_parquet(place / "truth" / "months.parquet")
    accounts = pd.read_parquet(place / "truth" / "accounts.parquet")
    months = months.merge(accounts[["account_id", "elasticity"]])
    stock = months["carried_visits"]
    truth = np.average(months["elasticity"] * stock / (1 + stock), weights=months["expected_revenue"])
    _, low, high = result.evidence.long_run
    assert low < truth < high


def test_classes_do_not_see_the_months_in_which_the_effect_is_estimated(book):
    panel = visits.panel(book)
    later = panel["month"] >= np.sort(panel["month"].unique())[12]
    changed = panel.assign(revenue=panel["revenue"].where(~later, panel["revenue"][::-1].to_numpy()))
    pd.testing.assert_series_equal(classify(panel, (0.8, 0.95)), classify(changed, (0.8, 0.95)))


def test_an_account_that_began_after_the_first_year_is_new(book):
    panel = visits.panel(book)
    first = panel.groupby("account_id")["month"].min()
    classes = classify(panel, (0.8, 0.95))
    late = first.index[first >= np.sort(panel["month"].unique())[12]]
    assert (classes[late] == NEW).all()


def test_visits_that_follow_the_sales_of_the_month_before_are_refused(book):
    panel = visits.panel(book)
    before = panel.groupby("account_id")["revenue"].shift(1)
    usual = panel.groupby("account_id")["revenue"].transform("mean")
    chased = panel.assign(visits=(2 * (before.fillna(usual) / (usual + 1)).clip(0, 6)).round())
    evidence = weigh(chased)
    assert "lead" in evidence.failed


def test_a_common_shock_fails_the_peer_placebo():
    rng = np.random.default_rng(0)
    shock = rng.poisson(2.0, (2, 30))
    rows = [
        (
            f"a{i:02d}",
            pd.Timestamp("2024-01-01") + pd.DateOffset(months=m),
            "x" if i < 20 else "y",
            float(shock[i // 20, m]),
        )
        for i in range(40)
        for m in range(30)
    ]
    panel = pd.DataFrame(rows, columns=["account_id", "month", "industry", "visits"])
    panel["revenue"] = 100 * np.exp(0.3 * panel["visits"]) * rng.uniform(0.8, 1.2, len(panel))
    assert peer_placebo(panel) < 0.01


def test_rows_planted_after_the_day_and_shuffled_rows_change_nothing(place, tmp_path, result):
    frames = {path.stem: pd.read_parquet(path) for path in place.glob("*.parquet")}
    late = frames["visits"].tail(50).assign(visit_date=pd.Timestamp("2026-11-01").date())
    late = late.assign(visit_id=[f"late{i}" for i in range(50)])
    frames["visits"] = pd.concat([frames["visits"], late]).sample(frac=1, random_state=0)
    frames["orders"] = frames["orders"].sample(frac=1, random_state=0)
    other = visits.measure(open_book(write_folder(frames, tmp_path / "book", {}), as_of="2026-09-30"))
    pd.testing.assert_frame_equal(other.evidence.ladder, result.evidence.ladder)
    pd.testing.assert_series_equal(other.plan.accounts["plan"], result.plan.accounts["plan"])


def test_without_visits_there_is_no_evidence_and_no_plan(tmp_path):
    frames = {name: frame for name, frame in small_frames().items() if name in ("accounts", "orders")}
    found = visits.measure(open_book(write_folder(frames, tmp_path / "book")))
    assert (found.visits, found.evidence, found.plan, found.cadence) == (0, None, None, None)


def test_a_panel_without_revenue_is_weighed_and_refused():
    nothing = simulate().assign(revenue=0.0, manager_id="M1")
    found = weigh(nothing, further=())
    assert found.failed[0] == "no_estimate" and "no row with revenue above zero is left" in found.refused["adstock"]
