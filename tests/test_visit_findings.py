"""What the visit study says, branch by branch: the sentence, the verdict, and the reason in the first screen."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from kamlib.reports import figures, findings
from kamlib.reports.finding import Verdict
from kamlib.reports.findings.visits import level_table
from kamlib.studies.cadence import Cadence
from kamlib.studies.effects.power import LastingEffect
from kamlib.studies.visits import Visits
from kamlib.studies.visits.callplan import Plan, Terms
from kamlib.studies.visits.evidence import Evidence
from kamlib.studies.visits.experiment import Design
from kamlib.studies.visits.hours import Costs
from kamlib.studies.visits.programme import Programme
from kamlib.studies.visits.record import Earlier, PlanRecord
from kamlib.studies.visits.states import ChurnWord
from kamlib.studies.visits.trial import Trial

DAY = pd.Timestamp("2026-09-30")


def _carry(n=200):
    given = {"n_accounts": n, "estimate": 0.2, "elasticity": 0.1}
    return SimpleNamespace(**given, diagnostics={"lambda": 0.5, "lambda_interval": (0.4, 0.6)})


def _evidence(elasticity=0.2, low=0.1, high=0.3, **more) -> Evidence:
    rows = [("pooled", 0.9, 0.8, 1.0), ("adstock", 0.1, 0.05, 0.15), ("long_run", elasticity, low, high)]
    ladder = pd.DataFrame(rows, columns=["method", "elasticity", "low", "high"]).assign(
        n=100, n_accounts=200, reason=""
    )
    leads = pd.DataFrame({"lead": [1], "estimate": [0.0], "standard_error": [0.06], "low": [-0.1], "high": [0.1]})
    given = {
        "accounts": 210,
        "months": 36,
        "clipped": 0,
        "ladder": ladder,
        "detectable": None,
        "lead": SimpleNamespace(passed=True, p_value=0.5, n_accounts=200, level=0.9, alpha=0.1, estimates=leads),
        "targeting": SimpleNamespace(passed=True, p_value=0.5),
        "permuted": SimpleNamespace(passed=True, false_positive_share=0.1, draws=100, most_off=17),
        "peer_p": 0.5,
        "carry": _carry(),
        "classes": None,
        "class_of": pd.Series(dtype=object),
        "levels": pd.DataFrame(),
        "channels": pd.DataFrame(),
        "refused": {},
    }
    return Evidence(**(given | more))


def _result(evidence=None, **more) -> Visits:
    given = {
        "as_of": DAY,
        "level": 0.9,
        "channels": ("visit",),
        "last_order": DAY,
        "visits": 500,
        "first_visit": DAY,
        "last_visit": DAY,
        "evidence": evidence,
        "cadence": None,
        "plan": None,
        "earlier": None,
        "record": None,
        "programme": None,
        "design": None,
        "trial": None,
    }
    return Visits(**(given | more))


AGREES = Trial("E", DAY, 3, 10, 10, 0.2, 0.1, 0.3, 0.01, 1.0, 0.9, (0.15, 0.1, 0.2))
LEADS = pd.DataFrame({"lead": [1], "standard_error": [0.06]})
FAILED = SimpleNamespace(passed=False, p_value=0.001, n_accounts=200, level=0.9, alpha=0.1, estimates=LEADS)


@pytest.mark.parametrize(
    ("evidence", "start", "verdict"),
    [
        (_evidence(), "Visits sell: ten percent more of them, kept up, bring about 2.0 percent", Verdict.USABLE),
        (_evidence(low=-0.1), "Whether visits sell is not clear from this book", Verdict.CAUTION),
        (_evidence(-0.2, -0.3, -0.1), "In this book more visits go with less revenue", Verdict.USABLE),
        (
            _evidence(lead=FAILED),
            "Whether visits sell cannot be told from this book: visits yet to come",
            "no conclusion",
        ),
        (
            _evidence(targeting=FAILED),
            "Whether visits sell cannot be told from this book: visits follow the sales of the month before (p = 0.001)",
            "no conclusion",
        ),
        (_evidence(targeting=None), "Whether visits sell cannot be told from this book: it is too", "no conclusion"),
        (_evidence(lead=None), "Whether visits sell cannot be told from this book: it is too short", "no conclusion"),
        (_evidence(peer_p=0.001), "Whether visits sell cannot be told from this book: visits to one", "no conclusion"),
        (
            _evidence(months=8),
            "Whether visits sell cannot be told from this book, because it has only 8",
            "no conclusion",
        ),
        (
            _evidence(carry=_carry(20)),
            "Whether visits sell cannot be told from this book, because only 20",
            "no conclusion",
        ),
        (
            _evidence(carry=None),
            "Whether visits sell cannot be told from this book, because too little happens within the accounts",
            "no conclusion",
        ),
        (
            _evidence(permuted=SimpleNamespace(passed=False, false_positive_share=0.5, draws=100, most_off=17)),
            "Whether visits sell cannot be told from this book: the intervals of the method are too narrow for it, since 50 of 100",
            "no conclusion",
        ),
        (None, "This book shows no orders beside its visits", "no conclusion"),
    ],
)
def test_the_answer(evidence, start, verdict):
    """Beside a finished experiment; see below for visits that were made for reasons of their own alone."""
    found = findings.visit_effect(_result(evidence, trial=AGREES))
    assert found.sentence.startswith(start)
    assert found.verdict == verdict
    assert found.verdict is Verdict.USABLE or found.reason


def test_a_failed_gate_gives_advice_that_moves_no_visit():
    assert findings.visit_effect(_result(_evidence(lead=FAILED))).decision.startswith("Leave the visits where they are")


def test_a_plan_from_judgement_is_not_denied_by_the_advice_beside_it():
    found = findings.visit_effect(_result(_evidence(lead=FAILED), plan=_plan("judgement")))
    assert found.decision.endswith("the call plan of this report rests on the managers' judgement alone.")


def test_old_data_makes_the_answer_a_caution():
    found = findings.visit_effect(_result(_evidence(), last_order=pd.Timestamp("2026-07-01")))
    assert found.verdict is Verdict.CAUTION and "older than the day of this report" in found.reason


def test_without_visits_every_chapter_says_so_in_its_own_sentence():
    result = _result(visits=0)
    said = [
        make(result).sentence
        for make in (
            findings.visit_effect, findings.call_plan, findings.plan_record, findings.contact_rhythm,
            findings.log_delay, findings.executive_time, findings.contact_levels, findings.symposium,
            findings.visit_power, findings.visit_placebos, findings.visit_classes, findings.plan_flatness,
            findings.visit_experiment, findings.visit_levels, findings.visit_channels, findings.visit_programme,
        )
    ]  # fmt: skip
    assert said[0] == (
        "This book records no contact of the kind asked for (visit), so nothing can be said about what they do and no call plan can be drawn."
    )
    assert len(set(said)) == len(said)
    assert findings.visit_effect(result).decision.startswith("Have every visit written down from now on")


@pytest.mark.parametrize(
    ("elasticity", "word"),
    [
        (0.05, "5 percent more revenue for ten percent more visits, kept up"),
        (
            0.05,
            "so these records are many enough to show it. The interval of the estimate, by the same error, reaches 0.3 down",
        ),
        (0.5, "which these records may well miss"),
        (np.inf, "No lasting effect, however large"),
    ],
)
def test_power(elasticity, word):
    seen = LastingEffect(elasticity, 0.03, 60.0, 0.8, 0.9, 200)
    assert word in findings.visit_power(_result(_evidence(), detectable=seen)).sentence


def test_what_could_be_seen_is_not_claimed_where_the_error_is_not_known():
    shuffled = SimpleNamespace(passed=False, false_positive_share=0.33, draws=100, most_off=17)
    seen = LastingEffect(0.01, 0.01, 60.0, 0.8, 0.9, 3)
    found = findings.visit_power(_result(_evidence(permuted=shuffled), detectable=seen))
    assert found.verdict == "no conclusion"
    assert "have an interval off zero" in found.reason


def test_power_that_cannot_be_computed():
    assert "cannot be computed" in findings.visit_power(_result(_evidence())).sentence


@pytest.mark.parametrize(
    ("evidence", "text", "verdict"),
    [
        (_evidence(), "None of the 4 tests made finds anything where there should be nothing: visits", Verdict.USABLE),
        (_evidence(lead=FAILED), "in 1 of 4 tests", Verdict.NO_CONCLUSION),
        (_evidence(lead=FAILED, peer_p=0.0), "in 2 of 4 tests", Verdict.NO_CONCLUSION),
        (_evidence(targeting=FAILED), "in 1 of 4 tests", Verdict.NO_CONCLUSION),
        (_evidence(lead=None), "too few to set visits against", Verdict.NO_CONCLUSION),
    ],
)
def test_placebos(evidence, text, verdict):
    found = findings.visit_placebos(_result(evidence))
    assert text in found.sentence and found.verdict is verdict


def test_tests_that_were_not_made_are_neither_passed_nor_named():
    found = findings.visit_placebos(_result(_evidence(permuted=None, peer_p=np.nan)))
    assert found.verdict is Verdict.CAUTION and found.sentence.startswith("None of the 2 tests made finds anything")
    assert "shuffle" not in found.sentence and "sales of another" not in found.sentence
    assert "could not be tested by shuffled visits." in found.reason and "sales of another could not" in found.reason


def test_every_placebo_says_where_it_refuses():
    said = findings.visit_placebos(_result(_evidence())).sentence
    assert "(10 of 100 off zero, refused above 17)" in said and "(p = 0.50, refused below 0.01)." in said
    unmeasured = SimpleNamespace(**vars(_carry()) | {"estimate": 0.0})
    assert "nan" not in findings.visit_placebos(_result(_evidence(carry=unmeasured))).sentence


def test_a_p_value_of_nothing_is_a_failed_test_and_no_missing_one():
    evidence = _evidence(peer_p=0.0)
    assert evidence.failed == ("peers",) and evidence.untested == ()


def test_the_lead_test_says_what_it_could_have_seen_and_is_a_caution_where_that_is_more_than_the_effect():
    sharp = findings.visit_placebos(_result(_evidence()))
    assert "would have been seen from 0.7 percent of sales" in sharp.sentence and sharp.verdict is Verdict.USABLE
    wide = _evidence().lead.estimates.assign(standard_error=0.5)
    lead = SimpleNamespace(**vars(_evidence().lead) | {"estimates": wide})
    blind = _result(_evidence(lead=lead))
    assert findings.visit_placebos(blind).verdict is Verdict.CAUTION
    assert (
        "6.2 percent for ten percent more visits, which is more than the effect" in findings.visit_effect(blind).reason
    )


def _classes(p):
    frame = pd.DataFrame(
        {"class": ["A", "new"], "estimate": [0.3, 0.1], "pooled_estimate": [0.3, 0.2], "n_accounts": 9}
    )
    return SimpleNamespace(classes=frame, heterogeneity_p=p)


@pytest.mark.parametrize(("p", "text"), [(0.5, "respond alike"), (0.001, "visits move large accounts most")])
def test_classes(p, text):
    assert text in findings.visit_classes(_result(_evidence(classes=_classes(p)))).sentence


def _kinds(*effects):
    """Kinds beside the first, each with its difference and p-value."""
    names = ["rep", "kam", "executive", ""] if len(effects) == 2 else ["visit", "call", "video", "email"]
    rows = [(np.nan, np.nan), *effects, *([(np.nan, np.nan)] if len(effects) == 2 else [])]
    frame = pd.DataFrame(rows, columns=["difference", "p_value"]).assign(kind=names, contacts=200)
    return frame.assign(low=frame["difference"] - 0.1, high=frame["difference"] + 0.1)


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (_kinds((0.3, 0.5), (0.1, 0.9)), "no visitor's differ from those of the sales representative by more than"),
        (_kinds((0.3, 0.01), (0.1, 0.9)), "more revenue goes with those of the key account manager than with those"),
        (_kinds((-0.3, 0.01), (0.1, 0.9)), "less revenue goes with those of the key account manager than with those"),
        (
            _kinds((-0.3, 0.01), (0.3, 0.01)),
            "more revenue goes with those of the executive than with those of the sales",
        ),
        (pd.DataFrame(), "not on record often enough"),
    ],
)
def test_visitors(frame, text):
    assert text in findings.visit_levels(_result(_evidence(levels=frame))).sentence


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (_kinds((0.3, 0.5), (0.1, 0.9), (0.1, 0.9)), "no way differs from the most frequent one (visit) by more"),
        (_kinds((0.3, 0.01), (0.1, 0.01), (0.1, 0.9)), "than with the most frequent one (visit): call, video call."),
        (_kinds((-0.3, 0.01), (0.1, 0.9), (0.1, 0.9)), "less revenue goes with these than with the most frequent one"),
        (_kinds((-0.3, 0.01), (0.1, 0.9), (0.1, 0.01)), "one (visit): e-mail; and less with these: call."),
        (pd.DataFrame(), "too few to tell their effects apart"),
    ],
)
def test_channels(frame, text):
    assert text in findings.visit_channels(_result(_evidence(channels=frame))).sentence


def test_visits_of_unknown_visitors_are_counted_and_shown():
    result = _result(_evidence(levels=_kinds((0.3, 0.5), (0.1, 0.9))))
    assert findings.visit_levels(result).n == 800
    table = level_table(result)
    assert table["visitor"].tolist()[-1] == "others, or not on record" and table["against_first"].isna().tolist()[0]


@pytest.mark.parametrize("make", [findings.visit_levels, findings.visit_channels])
def test_kinds_are_not_told_apart_where_the_gates_fail(make):
    evidence = _evidence(
        levels=_kinds((0.3, 0.0), (0.1, 0.9)), channels=_kinds((0.3, 0.0), (0.1, 0.9), (0, 1)), lead=FAILED
    )
    assert make(_result(evidence)).verdict is Verdict.NO_CONCLUSION


def test_a_pre_test_says_the_smallest_move_it_could_have_seen():
    reason = findings.visit_programme(_result(_evidence(), programme=_programme(before_seen=0.3))).reason
    assert "(p = 0.50) says little, since only a move of 30% or more would have been seen" in reason


def _programme(**more):
    by = pd.DataFrame({"event_time": range(-5, 9), "estimate": 0.1, "low": 0.0, "high": 0.2})
    given = {"name": "executive", "fit": SimpleNamespace(dynamic=SimpleNamespace(by=by)), "n_began": 60}
    given |= {"n_compared": 100, "n_dropped": 20, "n_never": 40, "lift": 0.1, "low": 0.05, "high": 0.2, "before_p": 0.5}
    given |= {"joint_p": 0.5, "before_seen": 0.05}
    return Programme(**(given | more))


@pytest.mark.parametrize(
    ("programme", "text", "verdict"),
    [
        (_programme(), "In the year after the first visit of an executive, accounts sold 10% more", Verdict.USABLE),
        (_programme(lift=-0.1, low=-0.2, high=-0.05), "accounts sold less than those", Verdict.USABLE),
        (_programme(low=-0.1), "is not clear: 10% against", Verdict.CAUTION),
        (_programme(before_p=0.01), "moved otherwise than the rest already", Verdict.NO_CONCLUSION),
        (_programme(before_p=np.nan, joint_p=np.nan, before_seen=np.inf), "10% more", Verdict.NO_CONCLUSION),
        (_programme(before_seen=0.3), "accounts sold 10% more", Verdict.CAUTION),
        (_programme(joint_p=0.001), "accounts sold 10% more", Verdict.CAUTION),
        (_programme(n_never=4, name="club"), "In the year after the club", Verdict.CAUTION),
        (None, "Too few accounts had such a beginning", Verdict.NO_CONCLUSION),
    ],
)
def test_the_programme(programme, text, verdict):
    found = findings.visit_programme(_result(_evidence(), programme=programme))
    assert text in found.sentence and found.verdict is verdict


def test_the_figure_of_a_programme_shows_the_year_before_and_two_years_since():
    drawn = figures.draw_programme(_result(_evidence(), programme=_programme()))
    assert drawn.get_xticks().tolist() == list(range(-4, 8))


def _record(**more):
    rows = pd.DataFrame({"account_id": ["a", "b"]})
    given = {"said_on": DAY, "months": 3, "accounts": rows, "followed": 0.9, "lift": 0.1, "low": 0.05, "high": 0.2}
    return PlanRecord(**(given | more))


@pytest.mark.parametrize(
    ("record", "text", "verdict"),
    [
        (_record(), "have grown 10% more than those", Verdict.USABLE),
        (_record(lift=-0.1, low=-0.2, high=-0.05), "have grown less than those", Verdict.USABLE),
        (_record(low=-0.1), "which may be chance", Verdict.USABLE),
        (_record(followed=0.3), "have grown 10% more", Verdict.CAUTION),
        (_record(lift=np.nan, low=np.nan, high=np.nan), "what they brought cannot be told", Verdict.NO_CONCLUSION),
        (_record(months=2), "cannot be graded yet: only 2 whole months", Verdict.NO_CONCLUSION),
    ],
)
def test_the_record_of_the_last_plan(record, text, verdict):
    found = findings.plan_record(_result(_evidence(), record=record))
    assert text in found.sentence and found.verdict is verdict


@pytest.mark.parametrize(
    ("now", "then", "text", "verdict"),
    [
        (_evidence(), _evidence(0.25, 0.15, 0.35), "today's 2.0 lies within that", Verdict.CAUTION),
        (_evidence(), _evidence(0.5, 0.4, 0.6), "today's 2.0 lies outside", Verdict.CAUTION),
        (_evidence(lead=FAILED), _evidence(), "the tests refuse one of the two", Verdict.NO_CONCLUSION),
        (_evidence(), _evidence(lead=FAILED), "the tests refuse one of the two", Verdict.NO_CONCLUSION),
        (_evidence(), None, "There is no earlier plan to grade", Verdict.NO_CONCLUSION),
    ],
)
def test_without_an_earlier_plan_the_estimate_is_recomputed_and_must_pass_its_gates(now, then, text, verdict):
    earlier = then and Earlier(pd.Timestamp("2026-06-30"), replace(then, carry=_carry(150)), 33)
    found = findings.plan_record(_result(now, earlier=earlier))
    assert text in found.sentence and found.verdict is verdict
    if earlier:
        assert found.n == 150 and "Of today's 36 months 33 are the same" in found.reason


def _design(lift, expected=0.2, **more):
    offers = pd.DataFrame({"account_id": ["a", "b"], "class": "A", "is_offered": [True, False]})
    table = {"run_months": [6], "error": [0.1], "lift_seen": [lift], "lift_expected": [expected]}
    table = pd.DataFrame(table).assign(accounts_needed=40.0)
    return Design(offers, 0.5, 0, table, "estimate", 0.8, 0.9, **more)


@pytest.mark.parametrize(
    ("design", "plan", "verdict", "text"),
    [
        (_design(0.1), None, Verdict.USABLE, "Offer the extra visit to the one account"),
        (_design(0.1), SimpleNamespace(), Verdict.CAUTION, "Offer the extra visit to the one account"),
        (_design(0.1, is_apart=True), SimpleNamespace(), Verdict.USABLE, "Offer the extra visit to the one account"),
        (_design(0.6), None, Verdict.NO_CONCLUSION, "Do not spend visits on this experiment"),
    ],
)
def test_an_experiment_to_come(design, plan, verdict, text):
    found = findings.visit_experiment(_result(_evidence(), design=design, plan=plan))
    assert found.verdict is verdict and found.decision.startswith(text)


def test_an_experiment_too_small_says_how_many_accounts_it_would_take():
    found = findings.visit_experiment(_result(_evidence(), design=_design(0.6)))
    assert "would have to lift sales by 60% to be seen within 6 months, and 20% is to be expected" in found.sentence
    assert "It would take about 40 accounts for 6 months" in found.reason


def test_what_an_experiment_should_bring_without_an_estimate_is_taken_from_the_literature():
    design = replace(_design(0.1), expected_from="literature")
    assert (
        "by what is usually found elsewhere" in findings.visit_experiment(_result(_evidence(), design=design)).sentence
    )


def test_an_experiment_that_still_runs_is_not_read():
    found = findings.visit_experiment(_result(_evidence(), running="E"))
    assert found.verdict is Verdict.NO_CONCLUSION and "has not run its three months yet" in found.sentence


@pytest.mark.parametrize(
    ("design", "evidence", "text"),
    [
        (_design(0.1), _evidence(), "set some accounts aside for the experiment of this report."),
        (
            _design(0.6),
            _evidence(),
            "Take this as said of all accounts together and of no single one; the call plan says where visits should go.",
        ),
        (_design(0.1), _evidence(low=-0.1), "the experiment of this report can tell what these records cannot."),
        (_design(0.6), _evidence(low=-0.1), "says how many it would take."),
        (None, _evidence(low=-0.1), "Neither these records nor an experiment among these accounts can tell."),
        (_design(0.6), _evidence(carry=_carry(20)), "and take the answer from the report of more accounts."),
    ],
)
def test_an_experiment_is_advised_only_where_it_can_tell(design, evidence, text):
    assert findings.visit_effect(_result(evidence, design=design)).decision.endswith(text)


@pytest.mark.parametrize(
    ("values", "text", "verdict"),
    [
        ({}, "The experiment E worked", Verdict.USABLE),
        ({"low": -0.1}, "The experiment E is not clear", Verdict.USABLE),
        ({"expected": (0.03, 0.02, 0.05)}, "The experiment E worked", Verdict.CAUTION),
        ({"lift": -0.2, "low": -0.3, "high": -0.1}, "grew less than 10 others", Verdict.USABLE),
        ({"lift": np.nan}, "cannot be read", Verdict.NO_CONCLUSION),
        ({"extra_visits": 0.1}, "The experiment E tried nothing", Verdict.NO_CONCLUSION),
        ({"before_p": 0.004}, "What E did cannot be told: the 10 accounts it was offered to", Verdict.NO_CONCLUSION),
    ],
)
def test_a_finished_experiment(values, text, verdict):
    trial = Trial("E", DAY, 3, 10, 10, 0.2, 0.1, 0.3, 0.01, 1.0, 0.9)
    found = findings.visit_experiment(_result(_evidence(), trial=replace(trial, **values)))
    assert text in found.sentence and found.verdict is verdict


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ({}, Verdict.USABLE),
        ({"extra_visits": 0.1}, Verdict.CAUTION),
        ({"low": -0.1}, Verdict.CAUTION),
        ({"low": 0.25}, Verdict.CAUTION),
        ({"expected": None}, Verdict.CAUTION),
        ({"before_p": 0.004}, Verdict.CAUTION),
        ({"lift": -0.1, "low": -0.2, "high": 0.05}, Verdict.NO_CONCLUSION),
    ],
)
def test_only_a_trial_that_was_carried_out_and_agrees_lifts_the_doubt(values, verdict):
    found = findings.visit_effect(_result(_evidence(), trial=replace(AGREES, **values)))
    assert found.verdict is verdict
    assert ("The experiment E denies" in found.reason) == (verdict is Verdict.NO_CONCLUSION)


def _costs(**more):
    given = {"margin_share": 0.3, "has_margin": True, "cost_per_visit": 5.0, "cost_from": "visits"}
    return Costs(**(given | {"declared_cost": 0.0, "hours_per_visit": 2.0} | more))


def _plan(basis="estimate", costs=None, **more):
    accounts = pd.DataFrame(
        {
            "account_id": ["a", "b", "c"],
            "name": ["<b>A</b>", None, "客戶" * 60],
            "manager_id": "M1",
            "class": ["A", "B", "new"],
            "state": "",
            "last_order": DAY,
            "revenue": 100.0,
            "today": [3.0, 3.0, 3.0],
            "plan": [5, 1, 3],
            "change": [2.0, -2.0, 0.0],
            "next_visit": [50.0, -10.0, 5.0],
            "limit": ["most", "", ""],
            "sales_gain": 30.0,
            "gain": 1.0,
        }
    )
    managers = {"manager_id": "M1", "hours_available": 40.0, "hours_elsewhere": 10.0, "hours_today": 18.0}
    managers |= {"hours_budget": 19.0, "hours_plan": 18.0, "today": 9.0, "plan": 9, "is_short": False}
    given = {"basis": basis, "accounts": accounts, "managers": pd.DataFrame([managers]), "sales_gain": 90.0}
    given |= {"gain_low": 20.0, "gain_high": 160.0, "flatness": _flat(900.0, 1000.0, 1050.0)}
    return Plan(**(given | {"curves": pd.DataFrame(), "gap": 0.0, "costs": costs or _costs()} | more))


def _flat(*profit):
    return pd.DataFrame({"budget_share": [0.75, 1.0, 1.25], "profit": profit})


@pytest.mark.parametrize(
    ("plan", "text", "verdict"),
    [
        (_plan(), "Making 9 visits next quarter in place of 9", Verdict.USABLE),
        (
            _plan(sales_gain=-90.0, gain_low=-160.0, gain_high=-20.0),
            "is expected to bring 90 less margin from sales a quarter (a",
            Verdict.CAUTION,
        ),
        (_plan("blend"), "By the estimate and the managers' judgement together", Verdict.USABLE),
        (
            _plan("blend", sales_gain=-90.0, gain_low=-160.0, gain_high=-20.0),
            "are expected to bring 90 less",
            Verdict.CAUTION,
        ),
        (_plan("judgement", gain_low=np.nan), "would bring 90 more margin from sales", Verdict.CAUTION),
        (_plan("judgement", gain_low=np.nan, sales_gain=-90.0), "would bring 90 less margin", Verdict.CAUTION),
        (_plan(gain_low=np.nan), "is expected to change margin from sales by 90 a quarter; how far", Verdict.CAUTION),
        (_plan("blend", gain_low=np.nan), "are expected to change margin from sales by 90", Verdict.CAUTION),
        (_plan(gain_low=-5.0), "may bring more margin from sales or less: 90 a quarter", Verdict.CAUTION),
        (_plan("blend", gain_low=-5.0), "may bring more margin from sales or less", Verdict.CAUTION),
        (_plan(costs=_costs(has_margin=False)), "90 more revenue from sales a quarter", Verdict.CAUTION),
        (_plan(costs=_costs(cost_from="unknown")), "Making 9 visits", Verdict.CAUTION),
        (_plan(costs=_costs(declared_cost=4.0)), "Making 9 visits", Verdict.CAUTION),
        (_plan(costs=_costs(declared_cost=4.8)), "Making 9 visits", Verdict.USABLE),
        (None, "No call plan is drawn", Verdict.NO_CONCLUSION),
    ],
)
def test_the_plan(plan, text, verdict):
    found = findings.call_plan(_result(_evidence(), plan=plan, trial=AGREES))
    assert text in found.sentence and found.verdict is verdict


@pytest.mark.parametrize("finding", [findings.visit_effect, findings.call_plan])
def test_without_an_experiment_an_effect_is_no_more_than_a_caution(finding):
    found = finding(_result(_evidence(), plan=_plan()))
    assert found.verdict is Verdict.CAUTION
    assert "find out many books in which visits followed sales, but not all" in found.reason


@pytest.mark.parametrize(
    ("churn", "keys", "text"),
    [
        (None, "", "Keep the visits of an account that stands on this month's list of the churn report."),
        (["x"], "", "No account of the plan stands on this month's list of the churn report."),
        (["a"], "", "The one account of the plan on this month's list of the churn report keeps its visits."),
        (["a", "b", "x"], "", "The 2 accounts of the plan on this month's list of the churn report keep their visits."),
        (["a"], "b", "Talk first about the one key account that would lose visits: b (3 to 1)."),
        (["a"], "ac", "one up and one down. The one"),
    ],
)
def test_what_to_do_with_the_plan(churn, keys, text):
    word = churn and ChurnWord(frozenset(churn), frozenset())
    result = _result(_evidence(), plan=_plan(), churn=word, keys=frozenset(keys))
    assert text in findings.call_plan(result).decision


def test_of_many_key_accounts_that_lose_visits_those_that_lose_most_are_named():
    rows = _plan().accounts.loc[[1] * 7].assign(account_id=list("abcdefg"), name=list("abcdefg"))
    result = _result(_evidence(), plan=_plan(accounts=rows), keys=frozenset("abcdefg"))
    said = (
        "Talk first about the 7 key accounts that would lose visits, most of all a (3 to 1), b (3 to 1), c (3 to 1). "
    )
    assert said in findings.call_plan(result).decision
    assert findings.plan_table(result)["is_key"].all()


def test_managers_stand_under_their_names_and_sizes_are_no_classes():
    result = _result(_evidence(), plan=_plan(), managers=pd.Series({"M1": "Lin Yi-chun"}))
    table = findings.plan_table(result)
    assert set(table["manager"]) == {"Lin Yi-chun"} and set(table["manager_id"]) == {"M1"}
    assert table["opening_size"].tolist() == ["large accounts", "middle-sized accounts", "new accounts"]
    assert findings.plan_managers(result)["manager"].tolist() == ["Lin Yi-chun"]


def _moved(visits, hours, **more):
    plan = _plan(**more)
    accounts = plan.accounts.assign(plan=[visits, 0, 0])
    return replace(plan, accounts=accounts, managers=plan.managers.assign(hours_plan=hours))


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (_moved(5, 10.0), "The 8 hours set free are worth 20 (4.0 visits at 5) only as far as they are saved"),
        (_moved(11, 22.0), "4 hours more, which cost 10 (2.0 visits at 5)."),
        (_moved(9, 18.0), "takes as many visiting hours as today, 18 a quarter"),
        (_moved(5, 10.0, costs=_costs(cost_from="unknown")), "and sets 8 free; what they cost is not on record"),
        (_moved(11, 22.0, costs=_costs(cost_from="unknown")), "4 hours more, whose cost is not on record"),
        (_moved(5, 10.0, costs=_costs(has_hours=False)), "not on record, so the plan counts them: 10 visits a quarter"),
        (None, "Without a plan nothing can be said about its hours"),
    ],
)
def test_the_hours_of_a_plan(plan, text):
    assert text in findings.plan_hours(_result(_evidence(), plan=plan)).sentence


def test_a_manager_over_his_hours_is_named_and_one_without_declared_hours_is_said():
    over = findings.plan_hours(_result(_evidence(), plan=_moved(17, 34.0)))
    assert over.verdict is Verdict.CAUTION and "the hours they declare: M1 (4 hours a quarter)." in over.reason
    kept = findings.plan_hours(_result(_evidence(), plan=_moved(17, 34.0, terms=Terms(budget="present"))))
    assert kept.reason.startswith("The plan is held to the visiting hours of today")
    plan = _plan()
    unknown = replace(plan, managers=plan.managers.assign(hours_available=np.nan))
    assert "declare no hours" in findings.plan_hours(_result(_evidence(), plan=unknown)).reason


def test_a_manager_with_too_much_to_do_today_should_hand_over_accounts_before_losing_visits():
    plan = _plan()
    crowded = replace(
        plan, managers=plan.managers.assign(hours_budget=12.0, hours_available=21.0)
    )  # 11 free, the least takes 12
    decision = findings.plan_hours(_result(_evidence(), plan=crowded)).decision
    assert decision.endswith("today's visits take more hours than there are of M1 (7 hours a quarter).")
    crowded.accounts["next_visit"] = 9.0
    assert "has not the hours" in findings.plan_table(_result(_evidence(), plan=crowded))["why"].iloc[1]
    assert findings.plan_hours(_result(_evidence(), plan=plan)).decision == ""


def test_accounts_apart_are_counted_and_listed_with_their_state():
    plan = _plan()
    apart = replace(plan, accounts=plan.accounts.assign(state=["silent", "one_order", ""]))
    result = _result(_evidence(), plan=apart)
    assert "For 2 accounts the plan books no gain" in findings.plan_apart(result).sentence
    assert findings.apart_table(result)["state"].tolist() == ["newly silent", "bought once"]
    assert "No account in the plan is newly silent" in findings.plan_apart(_result(_evidence(), plan=plan)).sentence
    assert findings.plan_apart(_result(_evidence())).verdict is Verdict.NO_CONCLUSION


def test_a_plan_says_why_for_every_account():
    why = findings.plan_table(_result(_evidence(), plan=_plan()))["why"].tolist()
    assert why == [
        "A visit is worth more here; raised as far as allowed.",
        "A visit costs more than it brings.",
        "As today, in whole visits.",
    ]


@pytest.mark.parametrize(
    ("change", "limit", "worth", "state", "text"),
    [
        (2.0, "", 9.0, "", "A visit is worth more here."),
        (1.0, "", -9.0, "", "Raised to the least that every account gets."),
        (1.0, "minimum", -9.0, "", "Raised to the least that every account gets, beyond the bound."),
        (-2.0, "least", 9.0, "", "A visit is worth more elsewhere; lowered as far as allowed."),
        (-2.0, "", 9.0, "", "A visit is worth more elsewhere."),
        (-2.0, "least", -9.0, "", "A visit costs more than it brings; lowered as far as allowed."),
        (0.2, "least", 9.0, "on_trial", "As today: set aside for an experiment."),
        (0.2, "least", 9.0, "one_order", "As today: a single order in a year, on 30 September 2026, tells no pace."),
        (0.2, "least", 9.0, "silent", "As today: newly silent, no order since 30 September 2026. Find out why first."),
        (0.2, "least", -9.0, "listed", "Not lowered, in whole visits: on this month's list of the churn report."),
        (0.2, "least", -9.0, "case_open", "Not lowered, in whole visits: a complaint is open."),
        (0.2, "least", -9.0, "contract_ends", "Not lowered, in whole visits: the contract ends soon."),
        (0.2, "least", -9.0, "overdue", "Not lowered, in whole visits: contact is overdue."),
        (2.0, "most", 9.0, "case_open", "A visit is worth more here; raised as far as allowed."),
    ],
)
def test_why_an_account_is_moved_or_kept(change, limit, worth, state, text):
    plan = _plan()
    plan.accounts[["change", "limit", "next_visit", "state"]] = [change, limit, worth, state]
    assert findings.plan_table(_result(_evidence(), plan=plan))["why"].iloc[0] == text


def test_a_refused_effect_is_not_doubted_for_want_of_an_experiment_besides():
    assert "reasons of their own" not in findings.visit_effect(_result(_evidence(lead=FAILED))).reason


def test_a_carry_over_without_upper_end_is_a_caution():
    diagnostics = {"lambda": 0.9, "lambda_interval": (0.4, 0.95)}
    carry = SimpleNamespace(**vars(_carry()) | {"diagnostics": diagnostics})
    found = findings.visit_effect(_result(_evidence(carry=carry)))
    assert found.verdict is Verdict.CAUTION and "How long a visit works on cannot be told" in found.reason


def test_flatness_is_told_in_money_beside_what_the_plan_earns():
    said = findings.plan_flatness(_result(_evidence(), plan=_plan())).sentence
    assert "100 less profit a quarter, and with a quarter more 50 more; the whole plan would earn 90 more" in said
    assert said.endswith("The hours limit one manager of 1.")


def test_flatness_without_limiting_hours_and_without_room_below():
    plan = _plan(flatness=_flat(950.0, 1000.0, 1000.0))
    slack = replace(plan, managers=plan.managers.assign(hours_budget=30.0))
    assert "No manager's hours limit" in findings.plan_flatness(_result(_evidence(), plan=slack)).sentence
    tight = _plan(flatness=_flat(np.nan, 1000.0, 1050.0))
    assert "would not hold the least" in findings.plan_flatness(_result(_evidence(), plan=tight)).sentence


def _contacted(n: int) -> pd.DataFrame:
    names = list("abcdef"[:n])
    frame = pd.DataFrame({"account_id": names, "name": [f"Firm {name}" for name in names], "revenue": range(n)})
    return frame.assign(stage="customer", since_days=40.0, allowed_days=31.0)


def _cadence(**more) -> Cadence:
    given = {
        "accounts": _contacted(1),
        "stages": pd.DataFrame({"stage": ["customer"], "accounts": [1], "overdue": [1], "never": [0]}),
        "managers": pd.DataFrame(),
        "log_check_days": 14.0,
        "log_delay_days": 2.0,
        "logged_late_share": 0.1,
        "logged": 100,
        "executive_target": 1 / 3,
        "executive_share": 0.1,
        "executive_basis": "hours",
        "executive_n": 100,
        "levels": pd.DataFrame({"account_id": ["a", "b"], "known": [2, 1], "reached": [1, 1]}),
        "symposia_wanted": 1.0,
        "symposia": 1,
        "attended_share": 0.5,
        "last_symposium": DAY,
    }
    return Cadence(**(given | more))


@pytest.mark.parametrize(
    ("make", "values", "text"),
    [
        (
            findings.contact_rhythm,
            {},
            "Of one account one is overdue for contact (prospects: 0 of 0; customers: 1 of 1).",
        ),
        (
            findings.contact_rhythm,
            {"stages": pd.DataFrame({"stage": ["customer"], "accounts": [1], "overdue": [0], "never": [0]})},
            "The one account has been contacted",
        ),
        (
            findings.contact_rhythm,
            {"stages": pd.DataFrame({"stage": [], "accounts": [], "overdue": [], "never": []})},
            "No account is a prospect",
        ),
        (findings.log_delay, {}, "Half of 100 contacts of the last year were written down within 2 days"),
        (findings.log_delay, {"logged": 0}, "is not on record"),
        (findings.executive_time, {}, "Executives bore 10% of all visiting time of the last year (by hours). The"),
        (findings.executive_time, {"executive_share": 0.0}, "None of the 100 visits with a known visitor is by an"),
        (findings.executive_time, {"executive_share": np.nan}, "is not on record"),
        (
            findings.contact_levels,
            {},
            "none was reached on two levels or more in the last year, in whatever way; in one",
        ),
        (findings.contact_levels, {"levels": pd.DataFrame()}, "not on record"),
        (findings.symposium, {}, "was held on 30 September 2026, and 50%"),
        (findings.symposium, {"attended_share": np.nan}, "who of those invited came is not on record."),
        (
            findings.symposium,
            {"symposia": 0},
            "30 September 2026; none was held in the last year, and one is declared.",
        ),
        (findings.symposium, {"last_symposium": None}, "No symposium is on record"),
    ],
)
def test_contact(make, values, text):
    assert text in make(_result(cadence=_cadence(**values))).sentence


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (1, "Let the next visit to this account meet the level that nobody has met: Firm a."),
        (3, "to these 3 accounts meet the level that nobody has met: Firm c, Firm b, Firm a."),
        (5, "to these 5 accounts meet the level that nobody has met; the largest are Firm e, Firm d, Firm c."),
    ],
)
def test_the_accounts_with_a_level_that_nobody_met_are_named_the_largest_first(n, text):
    levels = pd.DataFrame({"account_id": list("abcde"[:n]), "known": 2, "reached": 1})
    result = _result(cadence=_cadence(accounts=_contacted(n), levels=levels))
    assert findings.contact_levels(result).decision.endswith(text)


@pytest.mark.parametrize("name", [n for n in figures.__all__ if n in (
    "draw_ladder", "draw_leads", "draw_carry_over", "draw_class_effects", "draw_level_effects", "draw_channel_effects", "draw_programme", "draw_contact_age",
    "draw_response_curves", "draw_visit_moves", "draw_visit_flatness",
)])  # fmt: skip
def test_a_figure_without_data_says_so(name):
    axes = getattr(figures, name)(_result(visits=0))
    assert [text.get_text() for text in axes.texts] == ["There is nothing to draw from this book."]


def test_a_plan_of_long_chinese_names_is_drawn():
    axes = figures.draw_visit_moves(_result(_evidence(), plan=_plan()))
    assert max(len(label.get_text()) for label in axes.get_yticklabels()) <= 34
    assert len(axes.patches) == 2
