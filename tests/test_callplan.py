"""The call plan: within hours and bounds, from what may be claimed, and worth what it says."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamlib import open_book
from kamlib.book.sample import write_sample
from kamlib.errors import RequestError
from kamlib.studies import visits
from kamlib.studies.cadence import keep_rhythm
from kamlib.studies.visits.callplan import Terms, bounds, draw_plan
from kamlib.studies.visits.evidence import weigh
from kamlib.studies.visits.record import grade, look_back, read_plan
from kamlib.studies.visits.responses import Response
from kamlib.studies.visits.states import KEPT, STATES, states

TABLES = ("accounts", "orders", "visits", "managers", "assignments", "cases", "contracts")
TODAY = pd.Timestamp("2026-09-30")
JUDGED = (0.6, 0.85, 1.0, 1.1, 1.3)


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "sample"
    write_sample(folder, only=TABLES)
    return open_book(folder, as_of="2026-09-30")


@pytest.fixture(scope="module")
def panel(book):
    return visits.panel(book)


@pytest.fixture(scope="module")
def evidence(panel):
    return weigh(panel)


@pytest.fixture(scope="module")
def stand(book):
    return states(book, TODAY, keep_rhythm(book, TODAY, ("visit",)))


@pytest.fixture(scope="module")
def plan(book, panel, evidence, stand):
    return draw_plan(book, panel, evidence, Terms(), stand)


def test_no_manager_is_given_more_hours_than_he_has(plan):
    managers = plan.managers
    free = managers["hours_available"] - managers["hours_elsewhere"]
    assert (managers.loc[~managers["is_short"], "hours_plan"] <= free[~managers["is_short"]] + 1e-5).all()
    assert (free < managers["hours_today"]).any()  # the sample has a manager with too much to do


def test_calls_are_whole_and_keep_to_their_bounds_but_for_the_declared_minimum(plan):
    rows = plan.accounts
    assert (rows["plan"] >= 1).all() and (rows["plan"] == rows["plan"].astype(int)).all()
    beyond = (rows["change"].abs() > 0.5 * rows["today"] + 1e-9) & (rows["change"].abs() >= 1)
    assert (rows.loc[beyond, "limit"] == "minimum").all() and (rows.loc[beyond, "plan"] == 1).all()


@given(
    st.lists(st.tuples(st.floats(0, 40), st.sampled_from(["", *STATES]), st.integers(0, 6)), min_size=1),
    st.floats(0, 2),
    st.integers(0, 5),
)
def test_bounds_never_go_beyond_the_most_change_except_for_the_minimum_and_say_so(rows, most_change, minimum):
    present = pd.DataFrame(rows, columns=["today", "state", "rhythm"])
    found = bounds(present, Terms(minimum=minimum, most_change=most_change), present["rhythm"])
    today, rounded = present["today"], np.floor(present["today"] + 0.5)
    reach = np.maximum(most_change * today, (rounded - today).abs()) + 1e-6
    free = ~found["is_minimum"]
    assert (found["low"] <= found["high"]).all() and (found["low"] >= minimum).all()
    assert (found["high"] - today <= reach)[free].all()
    assert (today - found["low"] <= reach).all()
    assert (found[~free][["low", "high"]] == minimum).all(axis=None)
    assert (found["low"] >= rounded)[present["state"] != ""].all()
    assert (found["high"] <= np.maximum(rounded, minimum))[present["state"].isin(KEPT)].all()
    assert (found["low"] >= np.minimum(present["rhythm"], rounded)).all()


def test_accounts_in_a_state_are_not_lowered_and_those_apart_not_moved(plan):
    rows = plan.accounts
    assert (rows.loc[rows["state"] != "", "change"] >= -0.5).all()
    assert {"silent", "one_order", "case_open", "contract_ends", "overdue"} <= set(rows["state"])
    assert (plan.apart["change"].abs() <= 1).all() and (plan.apart["sales_gain"] == 0).all()


def test_one_giant_order_is_no_pace(plan):
    giant = plan.accounts.set_index("account_id").loc["C0012"]
    assert giant["revenue"] > 1e6 and giant["expected"] == 0 and giant["state"] == "one_order"


def test_accounts_on_trial_are_not_moved(book, panel, evidence, stand, plan):
    free = plan.accounts[(plan.accounts["state"] == "") & (plan.accounts["change"].abs() >= 1)]["account_id"].iloc[0]
    held = stand.assign(state=stand["state"].mask(stand.index == free, "on_trial"))
    rows = draw_plan(book, panel, evidence, Terms(), held).accounts.set_index("account_id")
    assert abs(rows.loc[free, "change"]) <= 0.5


def test_no_plan_is_drawn_from_an_estimate_that_an_experiment_denies(book, panel, evidence, stand):
    assert draw_plan(book, panel, evidence, Terms(), stand, is_contradicted=True) is None


def test_a_panel_too_short_for_a_look_back_gives_a_gain_without_interval(book, panel, evidence, stand):
    short = draw_plan(book, panel[panel["month"] > "2026-06-30"], evidence, Terms(), stand)
    assert np.isnan(short.gain_low) and np.isfinite(short.sales_gain)


def test_executives_visits_are_not_in_the_cost_of_a_managers_visit(book, panel, plan):
    visits = book.frame("visits")
    visits = visits[visits["channel"] == "visit"]
    assert plan.costs.cost_per_visit == pytest.approx(visits.loc[visits["level"] != "executive", "cost"].mean())
    assert plan.costs.cost_per_visit < visits["cost"].mean()


def test_the_present_budget_moves_visits_and_adds_none(book, panel, evidence, stand):
    moved = draw_plan(book, panel, evidence, Terms(budget="present"), stand)
    short = moved.managers["is_short"]
    assert (moved.managers.loc[~short, "plan"] <= moved.managers.loc[~short, "today"] + 1e-6).all()
    assert moved.gain > 0


def test_the_gain_in_sales_adds_up_and_lies_in_its_interval(plan):
    assert plan.accounts["sales_gain"].sum() == pytest.approx(plan.sales_gain)
    assert plan.gain_low < plan.sales_gain < plan.gain_high


def test_visits_saved_are_no_part_of_the_gain_in_sales(plan):
    saved = plan.costs.cost_per_visit * plan.fewer_visits
    assert plan.accounts["gain"].sum() == pytest.approx(plan.gain) == pytest.approx(plan.sales_gain + saved)


def test_judgement_is_blended_and_both_curves_are_kept(book, panel, evidence, plan, stand):
    blend = draw_plan(book, panel, evidence, Terms(judgement=JUDGED), stand)
    assert (plan.basis, blend.basis) == ("estimate", "blend")
    assert blend.curves["judged"].notna().any() and plan.curves["judged"].isna().all()
    np.testing.assert_allclose(blend.curves["estimated"], plan.curves["estimated"])


def test_where_a_gate_failed_no_plan_is_drawn_from_the_estimate(book, panel, stand):
    refused = weigh(panel[panel["account_id"].isin(panel["account_id"].unique()[:20])])
    assert "few_accounts" in refused.failed
    assert draw_plan(book, panel, refused, Terms(), stand) is None
    judged = draw_plan(book, panel, refused, Terms(judgement=JUDGED), stand)
    assert judged.basis == "judgement" and np.isnan(judged.gain_low)


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


def test_an_earlier_day_is_judged_by_the_same_gates_and_says_how_much_it_shares(panel):
    some = panel[panel["account_id"].isin(panel["account_id"].unique()[:20])]
    earlier = look_back(some[some["month"] <= "2026-06-30"], some, pd.Timestamp("2026-06-30"), 0.9, 20)
    assert "few_accounts" in earlier.evidence.failed and earlier.shared_months == 33


def test_a_day_before_the_first_visit_has_nothing_to_judge_by(panel):
    assert look_back(panel.assign(visits=np.nan), panel, pd.Timestamp("2026-06-30"), 0.9, 20) is None
