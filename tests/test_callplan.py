"""The call plan: within hours and bounds, from what may be claimed, and worth what it says."""

import numpy as np
import pandas as pd
import pytest

from kamlib import open_book
from kamlib.book.sample import write_sample
from kamlib.errors import RequestError
from kamlib.studies import visits
from kamlib.studies.visits.callplan import Response, Terms, draw_plan
from kamlib.studies.visits.evidence import weigh
from kamlib.studies.visits.record import grade, read_plan

KEPT = ("accounts", "orders", "visits", "managers", "assignments")
JUDGED = (0.6, 0.85, 1.0, 1.1, 1.3)


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "sample"
    write_sample(folder, only=KEPT)
    return open_book(folder, as_of="2026-09-30")


@pytest.fixture(scope="module")
def panel(book):
    return visits.panel(book)


@pytest.fixture(scope="module")
def evidence(panel):
    return weigh(panel)


@pytest.fixture(scope="module")
def plan(book, panel, evidence):
    return draw_plan(book, panel, evidence, Terms())


def test_no_manager_is_given_more_hours_than_he_has_or_uses_today(plan):
    managers = plan.managers
    room = (managers["hours_available"] - managers["hours_elsewhere"]).clip(lower=managers["hours_today"])
    assert (managers.loc[~managers["is_short"], "hours_plan"] <= room[~managers["is_short"]] + 1e-6).all()


def test_calls_are_whole_and_keep_to_their_bounds(plan):
    rows = plan.accounts
    assert (rows["plan"] >= 1).all()
    assert (rows["plan"] <= np.maximum(np.ceil(1.5 * rows["today"]), 2)).all()
    assert (rows["plan"] >= np.floor(0.5 * rows["today"])).all()


def test_the_present_budget_moves_visits_and_adds_none(book, panel, evidence):
    moved = draw_plan(book, panel, evidence, Terms(budget="present"))
    short = moved.managers["is_short"]
    assert (moved.managers.loc[~short, "plan"] <= moved.managers.loc[~short, "today"] + 1e-6).all()
    assert moved.gain > 0


def test_the_gain_of_the_accounts_adds_up_and_lies_in_its_interval(plan):
    assert plan.accounts["gain"].sum() == pytest.approx(plan.gain)
    assert plan.gain_low < plan.gain < plan.gain_high


def test_judgement_is_blended_and_both_curves_are_kept(book, panel, evidence, plan):
    blend = draw_plan(book, panel, evidence, Terms(judgement=JUDGED))
    assert (plan.basis, blend.basis) == ("estimate", "blend")
    assert blend.curves["judged"].notna().any() and plan.curves["judged"].isna().all()
    np.testing.assert_allclose(blend.curves["estimated"], plan.curves["estimated"])


def test_where_a_gate_failed_no_plan_is_drawn_from_the_estimate(book, panel, evidence):
    refused = weigh(panel[panel["account_id"].isin(panel["account_id"].unique()[:20])])
    assert "few_accounts" in refused.failed
    assert draw_plan(book, panel, refused, Terms()) is None
    judged = draw_plan(book, panel, refused, Terms(judgement=JUDGED))
    assert judged.basis == "judgement" and judged.gain_low == judged.gain_high


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"budget": "all"}, "budget is 'all'; it may be hours or present"),
        ({"judgement": (1, 2)}, "judgement has 2 values; give no visits, half, present, half more, saturation"),
        ({"minimum": -1}, "minimum must be 0 or more"),
    ],
)
def test_terms_that_make_no_sense_are_refused(wrong, text):
    with pytest.raises(RequestError, match=text):
        Terms(**wrong)


def test_a_response_is_todays_revenue_at_todays_visits():
    curve = Response(900.0, 6.0, np.array([0.2, 0.5]))
    assert curve(6.0) == pytest.approx(900.0)
    assert curve(9.0) == pytest.approx(900 * np.mean([(4 / 3) ** 0.2, (4 / 3) ** 0.5]))


def test_a_plan_that_was_followed_and_worked_is_graded_better():
    days = pd.date_range("2025-01-01", "2026-09-01", freq="MS")
    names = [f"a{i:02d}" for i in range(40)]
    frame = pd.MultiIndex.from_product([names, days], names=["account_id", "month"]).to_frame(index=False)
    is_raised = frame["account_id"] < "a20"
    since = frame["month"] > "2026-06-30"
    noise = np.random.default_rng(0).uniform(0.97, 1.03, len(frame))
    frame["revenue"] = 100 * noise * np.where(since & is_raised, 1.3, 1)
    frame["visits"] = np.where(since, np.where(is_raised, 2.0, 0.0), 1.0)
    change = np.where(np.array(names) < "a20", 3.0, -3.0)
    plan = pd.DataFrame({"account_id": names, "today": 3.0, "plan": 3 + change, "change": change})
    record = grade(plan, frame, pd.Timestamp("2026-06-30"))
    assert record.followed == 1 and record.lift == pytest.approx(0.3, abs=0.02) and record.low > 0.25
    early = grade(plan, frame[frame["month"] < "2026-08-01"], pd.Timestamp("2026-06-30"))
    assert early.is_open and np.isnan(early.lift)


def test_a_folder_that_is_no_report_is_refused(tmp_path, panel):
    with pytest.raises(RequestError, match="holds no report: there is no manifest.json"):
        read_plan(tmp_path, panel, pd.Timestamp("2026-09-30"))


def test_a_report_from_the_future_is_refused(tmp_path, panel):
    (tmp_path / "manifest.json").write_text('{"as_of": "2026-12-31"}')
    with pytest.raises(RequestError, match="was made as of 2026-12-31, after the day read as of"):
        read_plan(tmp_path, panel, pd.Timestamp("2026-09-30"))


def test_a_report_without_a_plan_leaves_no_record(tmp_path, panel):
    (tmp_path / "manifest.json").write_text('{"as_of": "2026-06-30"}')
    assert read_plan(tmp_path, panel, pd.Timestamp("2026-09-30")) is None
