"""The territory: laws that hold whatever is decided, what a manager may see, and the yardstick at the end."""

import dataclasses
import itertools
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from payloads import PAYLOADS

from kamlib.book.company.process import Process
from kamlib.errors import RequestError
from kamlib.training.territory import Decision, Rules, Territory, play_out, policies, resume, take_over
from kamlib.training.territory.best import best_plan
from kamlib.training.territory.company import ACCOUNTS, PAST_MONTHS, QUARTERS
from kamlib.training.territory.course import Choices, live

RULES, PROCESS = Rules(), Process()
START = take_over(seed=7)
COMPANY = START._company
ONE_VISIT = {"T01": Decision(visits=1)}


def _lived(choices: Choices, rules: Rules = RULES):
    return live(COMPANY, choices, rules, PROCESS)


def _drawn(seed: int) -> Choices:
    rng = np.random.default_rng(seed)
    shape = (ACCOUNTS, QUARTERS)
    visits = rng.integers(0, 6, shape)
    flags = [rng.random(shape) < share for share in (0.1, 0.2, 0.2)]
    return Choices(visits, flags[0] & (visits > 0), flags[1], rng.integers(0, 3, shape), flags[2])


choices = st.integers(0, 10_000).map(_drawn)
account = st.integers(0, ACCOUNTS - 1)
quarter = st.integers(0, QUARTERS - 1)


# ---- laws


@settings(max_examples=20, deadline=None)
@given(choices, account, quarter, st.integers(1, 12))
def test_more_visits_never_reduce_the_expected_revenue_of_any_month(drawn, who, when, more):
    other = drawn.copy()
    other.visits[who, when] += more
    assert (_lived(other).expected[who] >= _lived(drawn).expected[who]).all()


@settings(max_examples=20, deadline=None)
@given(choices, choices, account)
def test_decisions_for_one_account_do_not_change_what_happens_to_another(drawn, others, who):
    mixed = drawn.copy()
    for mine, theirs in zip(vars(mixed).values(), vars(others).values(), strict=True):
        mine[who] = theirs[who]
    rest = np.arange(ACCOUNTS) != who
    before, after = _lived(drawn), _lived(mixed)
    for name in ("expected", "complaints", "present", "costs", "value"):
        assert np.array_equal(getattr(before, name)[rest], getattr(after, name)[rest]), name


@settings(max_examples=20, deadline=None)
@given(choices, account, quarter)
def test_no_decision_changes_what_happened_before_it(drawn, who, when):
    other = drawn.copy()
    other.visits[who, when] += 3
    other.executive[who, when] ^= True
    other.handling[who, when] = 2 - other.handling[who, when]
    other.reserve[who, when] ^= True
    before = slice(0, PAST_MONTHS + 3 * when)
    for name in ("expected", "complaints", "present"):
        assert np.array_equal(getattr(_lived(drawn), name)[:, before], getattr(_lived(other), name)[:, before])


@settings(max_examples=20, deadline=None)
@given(choices, account, quarter, st.sampled_from(["executive", "handling", "reserve"]))
def test_care_never_makes_an_account_leave_earlier(drawn, who, when, kind):
    more = drawn.copy()
    getattr(more, kind)[who, when] = 2 if kind == "handling" else True
    less = drawn.copy()
    getattr(less, kind)[who, when] = 0
    assert _lived(more).left_in[who] >= _lived(less).left_in[who]


def test_doing_nothing_costs_nothing_and_takes_no_hours():
    course = _lived(Choices.nothing(ACCOUNTS))
    assert course.costs.sum() == course.hours.sum() == 0.0


def test_an_account_that_left_buys_nothing_more():
    course = _lived(Choices.nothing(ACCOUNTS))
    gone = np.arange(course.present.shape[1]) >= course.left_in[:, None]
    assert gone.any() and course.expected[gone].sum() == 0.0
    assert (course.expected[~gone] > 0).any()


def test_a_reservation_leaves_nothing_to_be_lost_in_its_quarter():
    reserved = Choices.nothing(ACCOUNTS)
    reserved.reserve[:, 3] = True
    months = slice(PAST_MONTHS + 9, PAST_MONTHS + 12)
    assert _lived(reserved).lost[:, months].sum() == 0.0


def test_a_visit_costs_its_hours_and_its_way():
    visited = Choices.nothing(ACCOUNTS)
    visited.visits[:, 0] = 2
    course = _lived(visited)
    assert np.allclose(course.costs[:, 0], 2 * RULES.visit_cost(COMPANY.region))
    assert np.allclose(course.hours[:, 0], 2 * RULES.visit_hours)


def test_orders_that_come_in_are_on_average_those_to_be_expected():
    booked = expected = 0.0
    for seed in range(12):
        territory = play_out(seed, policies.do_nothing)
        booked += territory.booked["revenue"].sum()
        expected += territory._course.expected.sum()
    assert booked == pytest.approx(expected, rel=0.03)


# ---- the game


def test_the_same_seed_and_decisions_give_the_same_bytes():
    first, second = (take_over(3).play(ONE_VISIT).play({}).booked.to_csv() for _ in range(2))
    assert first == second


def test_another_seed_gives_other_accounts():
    assert take_over(3).accounts["name"].to_list() != take_over(4).accounts["name"].to_list()


def test_a_decision_makes_a_new_territory_and_leaves_the_old_one():
    START.play(ONE_VISIT)
    assert START.decisions == ()


def test_the_report_of_a_quarter_has_the_visits_that_were_decided():
    later = START.play({"T02": Decision(visits=5)})
    assert later.last_quarter.set_index("account_id")["visits"].to_dict()["T02"] == 5


def test_only_quarters_that_are_over_are_booked():
    periods = START.play({}).booked["period"].unique().tolist()
    assert periods == ["2025-Q4", "2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"]


def test_a_game_goes_on_after_it_was_saved(tmp_path):
    played = START.play({"T01": Decision(3, True, True, "answer", True)}).play(ONE_VISIT)
    played.save(tmp_path / "game.json")
    again = resume(tmp_path / "game.json")
    assert again.decisions == played.decisions
    pd.testing.assert_frame_equal(again.booked, played.booked)


def test_a_saved_game_holds_the_seed_and_the_decisions_and_nothing_else(tmp_path):
    START.play(ONE_VISIT).save(tmp_path / "game.json")
    assert set(json.loads((tmp_path / "game.json").read_text())) == {"format", "seed", "quarters"}
    assert list(tmp_path.iterdir()) == [tmp_path / "game.json"]


@pytest.mark.parametrize("name", PAYLOADS[:40])
def test_a_hostile_name_is_a_name(name):
    territory = take_over(1, names=[name] * ACCOUNTS)
    assert territory.accounts["name"].to_list() == [name] * ACCOUNTS


def test_money_is_in_whole_twd():
    booked = START.play(ONE_VISIT).booked
    for column in ("revenue", "margin", "costs"):
        assert (booked[column] == booked[column].round()).all()


# ---- what is seen


def _public(thing, depth=0):
    """Everything that can be reached from a thing without an underscore."""
    yield thing
    if depth > 4 or isinstance(thing, (str, bytes, int, float, bool, np.ndarray, pd.DataFrame, pd.Series)):
        return
    if isinstance(thing, (list, tuple)):
        inside = thing
    elif isinstance(thing, dict):
        inside = thing.values()
    else:
        names = [n for n in dir(thing) if not n.startswith("_")] if type(thing).__module__.startswith("kamlib") else []
        inside = [v for v in (getattr(thing, n) for n in names) if not callable(v)]
    for value in inside:
        yield from _public(value, depth + 1)


def test_nothing_public_holds_a_number_of_the_truth():
    territory = START.play(ONE_VISIT)
    hidden = [getattr(COMPANY, name).ravel() for name in ("base", "rate", "leaving_draw", "calm")]
    truths = np.concatenate([*hidden, territory._course.expected.ravel(), territory._course.carried.ravel()])
    frames = [thing for thing in _public(territory) if isinstance(thing, pd.DataFrame)]
    assert len(frames) >= 4
    for column, values in ((c, f[c].dropna().to_numpy(float)) for f in frames for c in f.select_dtypes("number")):
        assert not np.isin(values[values % 1 != 0], truths).any(), column


def test_the_types_that_hold_the_truth_are_not_to_be_had():
    reached = {type(thing).__name__ for thing in _public(START.play(ONE_VISIT))}
    assert reached.isdisjoint({"Company", "Course", "Choices", "Process"})


def test_an_account_that_left_is_not_told_of():
    gone = play_out(7, policies.do_nothing)
    assert (gone._course.left_in < PAST_MONTHS + 3 * QUARTERS).any()
    assert not [c for frame in (gone.booked, gone.waiting, gone.accounts) for c in frame if "left" in c or "gone" in c]


def test_the_debrief_is_not_given_before_the_end():
    with pytest.raises(RequestError, match="the truth is told at the end: 7 of 8 quarters are still to be played"):
        START.play({}).debrief()


# ---- refusals


@pytest.mark.parametrize(
    ("decisions", "said"),
    [
        ({"T21": Decision(1)}, "1 of 1 decisions are for accounts outside the territory ('T21'); did you mean 'T2"),
        ({"T01": Decision(-1)}, "visits must be whole numbers from 0 to 24; 1 are not so (T01: -1): change them"),
        ({"T01": Decision(1.5)}, "visits must be whole numbers from 0 to 24; 1 are not so (T01: 1.5)"),
        ({"T01": Decision(25)}, "visits must be whole numbers from 0 to 24; 1 are not so (T01: 25)"),
        ({"T01": Decision(complaints="sue")}, "complaints are handled by leave, answer, make_good; 1 are not so"),
        ({"T01": Decision(executive=True)}, "an executive comes along on a visit; 1 are not so (T01: 0 visits)"),
        ({"T01": 4}, "a Decision is wanted for each account; 1 are not so (T01: 4)"),
        (
            {f"T{n:02d}": Decision(1, executive=True) for n in range(1, 6)},
            "executives come along 3 times a quarter, and 5 are planned",
        ),
        (
            {f"T{n:02d}": Decision(6) for n in range(1, 21)},
            "the decisions take 288.0 hours, 48.0 more than the 240 of a quarter; most take T01 14.4, T02 14.4, "
            "T03 14.4: take out 20 visits or something else.",
        ),
    ],
)
def test_a_decision_that_is_not_allowed_is_refused(decisions, said):
    with pytest.raises(RequestError) as refusal:
        START.play(decisions)
    assert said in str(refusal.value)


def test_all_that_fits_the_hours_exactly_is_allowed():
    assert START.play({f"T{n:02d}": Decision(5) for n in range(1, 21)}).last_quarter["hours"].sum() == 240.0


def test_a_ninth_quarter_is_refused():
    with pytest.raises(RequestError, match="all 8 quarters are played"):
        play_out(7, policies.do_nothing).play({})


@pytest.mark.parametrize("seed", [-1, 1.5, "7", True, None])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(RequestError, match="give a whole number from 0"):
        take_over(seed)


def test_names_are_as_many_as_accounts():
    with pytest.raises(RequestError, match="2 names are given for 20 accounts"):
        take_over(1, names=["a", "b"])


def test_a_game_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RequestError, match="there is no game at .*; begin one with take_over"):
        resume(tmp_path / "none.json")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 1}', '{"format": 1, "seed": 1, "quarters": [{"T01": {}}]}']
)
def test_a_damaged_game_is_refused(tmp_path, text):
    (tmp_path / "game.json").write_text(text)
    with pytest.raises(RequestError, match="is damaged and no game can be read from it"):
        resume(tmp_path / "game.json")


def test_rules_with_negative_hours_are_refused():
    with pytest.raises(RequestError, match="hours, executives and visits of a quarter"):
        Rules(hours_per_quarter=-1.0)


# ---- the yardstick


@pytest.fixture(scope="module")
def debrief():
    return play_out(2, policies.call_plan).debrief()


def test_the_ladder_rises_from_nothing_over_the_call_plan_to_the_best_and_its_bound(debrief):
    assert debrief.nothing < debrief.yours < debrief.best <= debrief.bound


def test_the_best_plan_lacks_less_than_one_percent(debrief):
    assert 0 <= debrief.gap < 0.01


def test_the_best_plan_keeps_to_the_rules():
    plan = best_plan(COMPANY, RULES, PROCESS, Choices.nothing(ACCOUNTS))
    assert (plan.course.hours.sum(axis=0) <= RULES.hours_per_quarter + 1e-6).all()
    assert (plan.choices.executive.sum(axis=0) <= RULES.executives_per_quarter).all()
    assert (plan.choices.visits >= plan.choices.executive).all()
    assert plan.choices.visits.max() <= RULES.most_visits
    assert plan.profit == pytest.approx(_lived(plan.choices).profit.sum())


@settings(max_examples=2, deadline=None)
@given(choices)
def test_no_plan_earns_more_than_the_best_plan_it_is_held_against_or_the_bound(drawn):
    rules = replace(RULES, hours_per_quarter=float(_lived(drawn).hours.sum(axis=0).max()), executives_per_quarter=20)
    plan = best_plan(COMPANY, rules, PROCESS, drawn)
    assert _lived(drawn, rules).profit.sum() <= plan.profit + 1e-6
    assert plan.profit <= plan.bound


@pytest.mark.parametrize("who", [0, 6, 13])
def test_no_sequence_of_visits_to_one_account_earns_more_than_the_best_plan(who):
    rules, alone = replace(RULES, most_visits=2), COMPANY.take([who])
    every = np.array(list(itertools.product(range(3), repeat=QUARTERS)))
    tried = replace(Choices.nothing(len(every)), visits=every)
    most = live(COMPANY.take(np.full(len(every), who)), tried, rules, PROCESS).profit.max()
    plan = best_plan(alone, rules, PROCESS, Choices.nothing(1))
    assert most - 1e-6 <= plan.profit <= plan.bound


def test_with_no_hours_and_no_visits_worth_it_the_best_plan_visits_nobody():
    plan = best_plan(COMPANY, replace(RULES, hours_per_quarter=0.0), PROCESS, Choices.nothing(ACCOUNTS))
    assert plan.choices.visits.sum() == 0
    assert plan.profit >= _lived(Choices.nothing(ACCOUNTS)).profit.sum()


def test_the_accounts_of_the_debrief_sum_to_its_totals(debrief):
    totals = debrief.accounts[["nothing", "yours", "best"]].sum()
    assert totals.to_list() == pytest.approx([debrief.nothing, debrief.yours, debrief.best])


def test_accounts_that_could_have_been_kept_were_lost_earlier_than_in_the_best_plan(debrief):
    lost = debrief.accounts[debrief.accounts["could_have_kept"]]
    assert len(lost)
    assert (lost["best_left_on"].isna() | (lost["best_left_on"] > lost["left_on"])).all()
    assert (lost["kept_margin"] > 0).all()


def test_visits_to_an_account_that_is_gone_are_visits_too_many():
    gone = play_out(7, policies.do_nothing)._course.left_in
    who = f"T{int(np.argmin(gone)) + 1:02d}"
    territory = take_over(7)
    while not territory.is_over:
        territory = territory.play({who: Decision(visits=10)})
    row = territory.debrief().accounts.set_index("account_id").loc[who]
    assert row["over_visits"] > 0 and row["over_cost"] > 0


def test_the_score_of_doing_nothing_is_zero():
    assert play_out(5, policies.do_nothing).debrief().score == 0.0


def test_the_luck_of_orders_is_what_was_booked_beyond_what_was_to_be_expected(debrief):
    territory = play_out(2, policies.call_plan)
    booked = territory.booked.tail(ACCOUNTS * QUARTERS)
    assert debrief.order_luck == pytest.approx(booked["margin"].sum() - booked["costs"].sum() - debrief.yours)


def test_what_a_kind_of_decision_earned_is_nothing_where_it_was_not_made(debrief):
    earned = debrief.kinds.set_index("kind")["profit"]
    assert earned["visits"] > 0
    assert earned["promotions"] == earned["reservations"] == 0.0


# ---- policies


@pytest.mark.parametrize("policy", [*policies.NAIVE.values(), policies.call_plan], ids=lambda p: p.__name__)
def test_a_policy_keeps_to_the_hours(policy):
    hours = play_out(11, policy).booked.tail(ACCOUNTS * QUARTERS).groupby("period")["hours"].sum()
    assert (hours <= RULES.hours_per_quarter + 1e-6).all()


def test_the_call_plan_decides_from_what_is_seen_alone():
    blind = dataclasses.make_dataclass("Blind", ["accounts", "booked", "waiting", "rules"])
    seen = blind(START.accounts, START.booked, START.waiting, START.rules)
    assert policies.call_plan(seen) == policies.call_plan(START)


def test_the_call_plan_earns_more_than_the_naive_policies_on_average_of_five_seeds():
    def earned(policy):
        return np.array([play_out(seed, policy)._course.profit.sum() for seed in range(200, 205)])

    plan = earned(policies.call_plan)
    for name, policy in policies.NAIVE.items():
        assert plan.mean() > earned(policy).mean(), name


def test_a_territory_shows_itself_in_one_line():
    assert repr(START.play({})) == "Territory(seed=7, quarters played=1 of 8)"
    assert isinstance(START, Territory)
