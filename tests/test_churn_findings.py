"""Every sentence branch of the churn study, its verdicts, its tables in words, and its figures."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from churn_books import book_of, sample_book
from matplotlib import pyplot

from kamlib.reports import figures, findings
from kamlib.reports.finding import Verdict
from kamlib.reports.findings.churn_labels import DRIVERS
from kamlib.reports.sentences import keys, say
from kamlib.studies import churn
from kamlib.studies.churn.lapses import BY_DAYS, BY_SIGNS, METHODS
from kamlib.studies.churn.record import Record
from kamlib.studies.churn.reliability import Reliability
from kamlib.studies.churn.returns import Returns
from kamlib.studies.churn.seasonality import Season

FINDINGS = [
    "churn_record",
    "churn_record_money",
    "churn_model",
    "churn_calibration",
    "value_at_risk",
    "month_agenda",
    "calls_to_make",
    "silent_accounts",
    "off_season",
    "partial_defection",
    "wallet_loss",
    "order_season",
    "contracts_ending",
    "complaint_ageing",
    "renewal_model",
    "concentration_stress",
    "customer_equity",
]
FIGURES = [
    "draw_risk",
    "draw_calibration",
    "draw_methods",
    "draw_season",
    "draw_drivers",
    "draw_renewals",
    "draw_moves",
]
TABLES = [
    "churn_standing",
    "churn_partial",
    "churn_methods",
    "churn_misses",
    "churn_drivers",
    "churn_complaints",
    "churn_contracts",
    "churn_renewal_methods",
    "churn_largest",
    "churn_moves",
    "churn_open_complaints",
    "churn_agenda",
    "churn_accounts",
]


@pytest.fixture(scope="module")
def result():
    with sample_book() as book:
        yield churn.measure(book, draws=50)


@pytest.fixture(scope="module")
def bare():
    """One account, two orders, no other table."""
    with book_of({"a": [0, 5]}) as book:
        yield churn.measure(book, draws=20)


def _record(said, happened, recomputed=False, open_rows=0):
    n = len(said)
    silent = [1.0] * happened + [0.0] * (n - happened - open_rows) + [np.nan] * open_rows
    rows = pd.DataFrame({"account_id": [f"x{i}" for i in range(n)], "said": said, "is_silent": silent})
    rows["margin_expected"] = 100.0
    return Record(
        rows.assign(lower=0.0, upper=1.0, due=pd.Timestamp("2026-09-28")), pd.Timestamp("2026-06-30"), recomputed
    )


def _winner(result, **columns):
    table = result.candidates.copy()
    for name, value in columns.items():
        table.loc[result.winner, name] = value
    return replace(result, candidates=table)


def _held(result, **changed):
    """The result with a back-test whose risks were right but for what is changed."""
    right = {"said": 0.2, "came": 0.2, "gap": 0.0, "gap_low": -0.02, "gap_high": 0.02, "slope": 1.0}
    right |= {"slope_low": 0.9, "slope_high": 1.1, "level": 0.9, "drift": 0.0, "days": 4, "windows": 4}
    right |= {"day_slopes": (0.9, 1.1), "days_agree": 0.7}
    held = Reliability(**right | changed)
    return replace(result, reliability=held, events=50, record=_record([0.1] * 100, 10))


def _driver(result, name, odds, low, high, events=60):
    columns = {"odds_ratio": odds, "low": low, "high": high, "exposed": 0.2, "events": 9}
    row = pd.DataFrame(columns, index=pd.Index([name], name="driver"))
    return replace(result, drivers=replace(result.drivers, odds=row, events=events))


@pytest.mark.parametrize(
    ("happened", "words", "decision"),
    [
        (10, "which is within what chance allows", "may be chance"),
        (25, "so the risks were said too low", "lower ends"),
        (1, "so the risks were said too high", "upper ends"),
    ],
)
def test_the_track_record_says_whether_chance_allows_what_came(result, happened, words, decision):
    found = findings.churn_record(replace(result, record=_record([0.1] * 100, happened)))
    assert words in found.sentence
    assert "30 June 2026, 10.0 of 100 accounts" in found.sentence
    assert decision in found.decision
    assert found.verdict is Verdict.USABLE


@pytest.mark.parametrize(("happened", "missed", "words"), [(40, 4000.0, ""), (70, 7000.0, "beyond what chance allows")])
def test_the_record_is_graded_in_money(result, happened, missed, words):
    found = findings.churn_record_money(replace(result, record=_record([0.2] * 200, happened)))
    assert found.value == missed
    assert "4,000 of margin was expected" in found.sentence
    assert f"{missed:,.0f} was" in found.sentence
    assert words in found.reason


def test_risks_whose_money_was_off_are_not_used_as_they_stand(result):
    held = _held(result)
    rows = held.record.rows.assign(margin_expected=np.where(held.record.rows["is_silent"] == 1, 1000.0, 1.0))
    found = findings.churn_record(replace(held, record=replace(held.record, rows=rows)))
    assert found.decision.startswith("Rely on how many")


def test_a_record_of_few_silences_is_decided_by_few_accounts(result):
    found = findings.churn_record_money(replace(result, record=_record([0.1] * 100, 10)))
    assert "A few large accounts decide the sum." in found.reason


def test_a_record_that_is_not_graded_has_no_money(result):
    assert "cannot be told" in findings.churn_record_money(replace(result, record=None)).sentence


def test_a_recomputed_record_is_a_caution(result):
    found = findings.churn_record(replace(result, record=_record([0.1] * 100, 10, recomputed=True)))
    assert found.verdict is Verdict.CAUTION
    assert "No earlier report was given" in found.reason


def test_predictions_whose_time_is_not_over_are_counted_apart(result):
    found = findings.churn_record(replace(result, record=_record([0.1] * 100, 8, open_rows=7)))
    assert "7 more predictions cannot be graded yet" in found.reason
    none = findings.churn_record(replace(result, record=_record([0.1] * 5, 0, open_rows=5)))
    assert "None of the 5 predictions" in none.sentence


@pytest.mark.parametrize(("happened", "words"), [(1, "it ordered nothing"), (0, "it ordered.")])
def test_the_record_of_one_account_is_told_of_one(result, happened, words):
    found = findings.churn_record(replace(result, record=_record([0.3], happened)))
    assert words in found.sentence and "risk of 30%" in found.sentence


def test_without_a_record_the_finding_says_why(result):
    assert "no earlier prediction" in findings.churn_record(replace(result, record=None)).sentence


@pytest.mark.parametrize(
    ("low", "words"), [(0.001, "by more than chance allows"), (-0.001, "within what chance allows")]
)
def test_a_winner_says_whether_its_lead_is_clear(result, low, words):
    assert words in findings.churn_model(_winner(result, gain_low=low)).sentence


def test_a_baseline_that_wins_is_said_to(result):
    found = findings.churn_model(replace(result, winner=result.baseline))
    assert found.sentence.startswith("The plain rule") and "no model beat it" in found.sentence


def test_without_events_no_method_is_named(result):
    found = findings.churn_model(replace(result, candidates=pd.DataFrame(), events=0, rows=40))
    assert "0 of 40 cases fell silent" in found.sentence
    assert found.verdict is Verdict.NO_CONCLUSION


def test_below_thirty_events_there_is_no_conclusion(result):
    few = replace(result, events=29)
    for name in ("churn_model", "churn_calibration", "value_at_risk", "calls_to_make"):
        found = getattr(findings, name)(few)
        assert found.verdict is Verdict.NO_CONCLUSION
        assert "Only 29 cases" in found.reason
        assert found.decision == ""


@pytest.mark.parametrize(
    ("slope", "low", "high", "words", "verdict"),
    [
        (1.0, 0.9, 1.1, "came true as often and as evenly as they were said", Verdict.USABLE),
        (0.97, 0.95, 0.99, "came true as often and as evenly as they were said", Verdict.USABLE),
        (0.87, 0.82, 0.93, "were too sure of themselves", Verdict.CAUTION),
        (0.7, 0.4, 1.05, "may be too sure of themselves", Verdict.CAUTION),
        (1.15, 1.05, 1.25, "were too cautious", Verdict.CAUTION),
        (1.5, 0.9, 2.1, "may be too cautious", Verdict.CAUTION),
    ],
)
def test_the_interval_of_the_calibration_slope_decides_what_is_said(result, slope, low, high, words, verdict):
    found = findings.churn_calibration(_held(result, slope=slope, slope_low=low, slope_high=high))
    assert words in found.sentence
    assert found.verdict is verdict


@pytest.mark.parametrize(
    ("gap", "low", "high", "is_off"),
    [(0.09, 0.05, 0.13, True), (0.09, -0.01, 0.19, False), (0.01, 0.005, 0.015, False), (-0.09, -0.13, -0.05, True)],
)
def test_risks_of_the_wrong_height_beyond_chance_are_a_caution(result, gap, low, high, is_off):
    found = findings.churn_calibration(_held(result, gap=gap, gap_low=low, gap_high=high))
    assert ("but not their height" in found.sentence) is is_off
    assert (found.verdict is Verdict.CAUTION) is is_off


def test_risks_the_record_refutes_are_a_caution(result):
    refuted = replace(_held(result), record=_record([0.1] * 100, 25))
    found, resting = findings.churn_calibration(refuted), findings.value_at_risk(refuted)
    assert say("churn.risks_unsure") in resting.reason and found.verdict is resting.verdict is Verdict.CAUTION
    assert say("churn.risks_unsure") not in findings.value_at_risk(_held(result)).reason
    assert "10 accounts were expected to order nothing and 25 did not order, which is beyond" in found.reason


def test_a_record_whose_order_held_says_in_how_many_pairs(result):
    said = [0.6] * 8 + [0.05] * 80
    found = findings.churn_record(
        replace(_held(result, slope=0.3, slope_low=0.1, slope_high=0.5), record=_record(said, 6))
    )
    assert "the first stood higher in 99% of the pairs" in found.decision


def test_risks_of_the_record_told_too_far_apart_are_a_caution(result):
    rows = _record([0.5, 0.02, 0.02, 0.5, 0.02] * 40, 0).rows.assign(
        is_silent=[1.0, 0, 0, 0, 0] * 20 + [0, 0, 1.0, 0, 0] * 20
    )
    record = replace(_record([0.1], 0), rows=rows)
    found = findings.churn_calibration(replace(_held(result), record=record))
    told = "did not come true as steeply as they were said (calibration slope 0.13, \N{MINUS SIGN}0.02 to 0.28; 1 is exact)"
    assert told in found.reason


def test_days_that_disagree_on_the_slope_are_a_caution(result):
    found = findings.churn_calibration(_held(result, day_slopes=(0.1, 1.5), days_agree=0.02))
    assert found.verdict is Verdict.CAUTION
    assert "the calibration slope went from 0.10 to 1.50, further than chance allows" in found.reason


def test_days_that_share_their_windows_are_few_tests(result):
    found = findings.churn_calibration(_held(result, days=4, windows=1))
    assert found.verdict is Verdict.CAUTION
    assert "worth 1 separate test, and 3 are needed" in found.reason


def test_methods_that_did_as_well_are_named(result):
    table = result.candidates.assign(is_level=result.candidates.index == "BG/NBD")
    assert (
        "these did as well within what chance allows: BG/NBD"
        in findings.churn_model(replace(_held(result), candidates=table)).reason
    )
    alone = result.candidates.assign(is_level=False)
    assert "did as well" not in findings.churn_model(replace(_held(result), candidates=alone)).reason


def test_accounts_that_brought_nothing_are_counted_beside_the_value_at_risk(result):
    rows = result.accounts.assign(margin_expected=np.where(result.accounts.index == result.judged.index[0], 0.0, 9.0))
    told = findings.value_at_risk(replace(_held(result), accounts=rows)).reason
    assert f"1 of the {len(result.judged):,} judged brought no margin over the last year" in told


def test_losses_beside_the_earners_are_told_with_the_largest(result):
    stress = replace(result.stress, lost=-500.0, earned=2000.0, earning=9)
    told = findings.concentration_stress(replace(result, stress=stress)).reason
    assert "The shares are of the 2,000 of margin that 9 accounts earned; all others together cost 500." in told


def test_silences_measured_by_the_gap_of_all_accounts_are_a_caution(result):
    rows = result.accounts.assign(gaps=0)
    found = findings.silent_accounts(replace(result, accounts=rows))
    n = int(rows["is_silent"].sum())
    assert (found.verdict, found.reason.startswith(f"{n} of the {n} ordered on one day only")) == (
        Verdict.CAUTION,
        True,
    )


def test_a_season_seen_once_is_a_caution(result):
    day = (result.as_of - pd.Timestamp(0)).days
    rows = result.accounts.assign(status="off_season", first=np.where(result.accounts.index == 0, day - 400, day - 900))
    found = findings.off_season(replace(result, accounts=rows))
    assert (found.verdict, found.reason[:5]) == (Verdict.CAUTION, "Of 1 ")
    assert findings.off_season(replace(result, accounts=rows.assign(first=day - 900))).verdict is Verdict.USABLE


@pytest.mark.parametrize(
    ("followed", "kept", "words"),
    [
        (18, 0.91, "kept 91% of their margin in the half year after it, those who renewed 119%; so 24% of"),
        (7, 0.2, "7 could"),
    ],
)
def test_what_goes_with_a_contract_is_told_where_lapses_were_followed(result, followed, kept, words):
    told = replace(result.lapses, followed=followed, kept_lapsed=kept, kept_renewed=1.19)
    assert words in findings.lapse_notes(replace(result, lapses=told))[0]
    assert findings.lapse_notes(replace(result, lapses=None)) == []


def test_a_window_longer_than_the_horizon_is_said(result):
    rows = result.accounts.assign(window_days=np.where(result.accounts.index == result.judged.index[0], 120.0, 90.0))
    assert "1 of the" in findings.value_at_risk(replace(_held(result), accounts=rows)).reason


def test_silences_that_ended_are_taken_off_what_a_call_brings(result):
    told = replace(_held(result), returns=Returns(40, 16, 0.6, 300))
    assert "Of 40 silences followed, 40% had ended 300 days later" in findings.calls_to_make(told).reason


def _agenda(result, *signs):
    rows = pd.DataFrame({"account_id": [f"C{i}" for i in range(len(signs))], "signs": list(signs)})
    money = {"at_stake": 1000.0, "brings_a_year": 5000.0, "contract_ends_on": pd.NaT, "recency_days": 9.0}
    money |= {"partial_since": pd.Timestamp("2026-02-01"), "lapse": 0.25, "gap_median_days": 3.0}
    rows = rows.assign(name="Lin", manager_id="M1", reasons=[["late"]] * len(signs), **money)
    return replace(result, agenda=rows)


def test_the_agenda_counts_each_kind_and_each_account_once(result):
    found = findings.month_agenda(_agenda(result, ["renewal", "call"], ["silent"], ["partial"]))
    assert found.sentence.startswith("3 accounts want something done now, with 3,000 of")
    assert "1 contract that ends, 1 account silent and to be asked why, 1 part loss and 1 call" in found.sentence
    assert "and 1 call, one account with two of these." in found.sentence
    assert found.value == 3000


def test_a_long_agenda_says_what_its_first_ten_hold(result):
    assert (
        "no call, each account with one of these; the first 10 hold 50% of it"
        in findings.month_agenda(_agenda(result, *[["silent"]] * 20)).sentence
    )


def test_a_list_of_nothing_but_calls_is_worth_what_their_ranking_is(result):
    few = replace(result, events=3)
    calls, mixed = (findings.month_agenda(_agenda(few, ["call"], [sign])) for sign in ("call", "silent"))
    assert (calls.verdict, mixed.verdict) == ("no conclusion", "caution")
    assert say("churn.few_events", n=3, needed=30) in calls.reason


def test_an_empty_agenda_is_said(result):
    found = findings.month_agenda(_agenda(result))
    assert found.sentence.startswith("No account wants anything done now")
    assert not len(findings.churn_agenda(_agenda(result)))


def test_the_agenda_says_what_to_do_with_every_sign(result):
    rows = findings.churn_agenda(_agenda(result, ["renewal", "call"], ["silent"], ["partial"]))
    assert rows["to_do"].iloc[0] == f"{say('churn.sign_renewal')}; {say('churn.sign_call')}"
    late = say("churn.reason_late")
    facts = ("chance of lapsing 25%", "no order for 9 days, usually every 3", "less since 2026-02")
    assert rows["why"].tolist() == [f"{fact}; {late}" for fact in facts]


def test_below_two_hundred_accounts_only_totals_are_claimed(result):
    assert len(result.judged) < 200
    assert "only the totals are claimed" in findings.value_at_risk(replace(result, events=50)).reason


def test_an_old_book_is_a_caution(result):
    found = findings.value_at_risk(replace(result, as_of=result.last_order + pd.Timedelta(days=60), events=50))
    assert "60 days older" in found.reason


def test_nobody_judged_is_nothing_to_lose(result):
    nobody = replace(result, accounts=result.accounts.assign(is_judged=False))
    assert "nothing to lose" in findings.value_at_risk(nobody).sentence
    assert "no list of calls" in findings.calls_to_make(nobody).sentence


def test_the_money_is_named_margin_or_revenue(result):
    assert "of margin" in findings.value_at_risk(result).sentence
    assert "of revenue" in findings.value_at_risk(replace(result, has_cost=False)).sentence


def test_risks_that_came_true_as_said_are_used_as_they_stand(result, monkeypatch):
    monkeypatch.setattr("kamlib.reports.findings.churn.calibrated", lambda result: ())
    assert "as they stand" in findings.churn_record(replace(result, record=_record([0.1] * 100, 10))).decision


def test_what_is_learned_from_a_part_of_the_book_says_that_it_does_not_add_up(result):
    assert "the accounts of this page alone" in findings.value_at_risk(replace(result, is_part=True)).reason
    assert "the accounts of this page alone" not in findings.value_at_risk(result).reason


def test_more_calls_that_pay_than_were_asked_for_are_counted(result):
    action = np.where(np.arange(len(result.accounts)) < 2, "call", "leave")
    rows = result.accounts.assign(action=action, gain_of_call=1.0, is_slipping=np.arange(len(result.accounts)) > 0)
    found = findings.calls_to_make(replace(result, accounts=rows))
    assert f"{len(rows) - 1:,} calls would pay for themselves; the 2" in found.sentence
    assert "1 more account would repay a call by size alone" in found.sentence


@pytest.mark.parametrize(("calls", "words"), [(0, "No call pays"), (1, "One call pays"), (3, "3 calls pay")])
def test_calls_are_counted(result, calls, words):
    is_called = np.arange(len(result.accounts)) < calls
    rows = result.accounts.assign(
        action=np.where(is_called, "call", "leave"), gain_of_call=np.where(is_called, 10.0, -1)
    )
    assert findings.calls_to_make(replace(result, accounts=rows)).sentence.startswith(words)


def test_the_share_kept_is_said_to_be_declared(result):
    assert "declared, not estimated" in findings.calls_to_make(result).reason


def test_silence_is_counted_or_absent(result):
    assert "accounts are silent" in findings.silent_accounts(result).sentence
    silent = result.accounts[result.accounts["is_silent"]]
    assert silent.loc[silent["margin_lost"].idxmax(), "name"] in findings.silent_accounts(result).sentence
    none = result.accounts.assign(is_silent=False)
    assert findings.silent_accounts(replace(result, accounts=none)).sentence.startswith("None of")


def test_one_account_is_told_of_in_the_singular(result):
    one = result.accounts.assign(status="active", is_silent=False)
    one.loc[one.index[:1], ["status", "is_silent"]] = ["off_season", True]
    told = replace(result, accounts=one)
    assert findings.off_season(told).sentence.startswith("One account is in its quiet season")
    assert findings.silent_accounts(told).sentence.startswith("One of")


def test_an_off_season_is_counted_absent_or_unknown(result):
    assert "not counted as lost" in findings.off_season(result).sentence
    none = replace(result, accounts=result.accounts.assign(status="active"))
    assert findings.off_season(none).sentence == "No account is quiet for the season."
    young = replace(result, accounts=result.accounts.assign(has_history=False))
    assert findings.off_season(young).verdict is Verdict.NO_CONCLUSION


@pytest.mark.parametrize(("n", "words"), [(0, "No account that still orders"), (1, "One account"), (2, "2 accounts")])
def test_partial_defection_is_counted(result, n, words):
    rows = result.accounts.copy()
    rows["is_partial"] = False
    chosen = rows.index[~rows["is_silent"] & rows["has_history"]][:n]
    rows.loc[chosen, ["is_partial"]] = True
    rows.loc[chosen, "partial_ratio"], rows.loc[chosen, "partial_gone"] = 0.4, 60.0
    found = findings.partial_defection(replace(result, accounts=rows))
    assert found.sentence.startswith(words)
    assert n == 0 or ("40% of" in found.sentence and say("churn.partial_decision") == found.decision)


def test_partial_defection_needs_a_year(result):
    young = replace(result, accounts=result.accounts.assign(has_history=False))
    assert "no account has a year of history" in findings.partial_defection(young).sentence


def test_wallet_loss_is_counted_absent_or_unasked(result):
    assert "share of wallet" in findings.wallet_loss(result).sentence
    none = replace(result, accounts=result.accounts.assign(is_wallet_loss=False))
    assert findings.wallet_loss(none).sentence.startswith("None of")
    unasked = replace(result, accounts=result.accounts.assign(wallet_before=np.nan))
    assert "has been asked for its wallet share twice" in findings.wallet_loss(unasked).sentence


def _season(swing=0.3, festivals=3, months=True, named=True):
    columns = ["festivals", "swing", "before", "before_low", "before_high", "after", "after_low", "after_high"]
    rises = pd.DataFrame(
        [[festivals, swing, 1.4, 1.3, 1.5, 0.7, 0.6, 0.8]], columns=columns, index=["Chinese New Year"]
    )
    return Season(0, np.ones(9), rises if named else pd.DataFrame(), months)


def test_the_season_names_the_holiday_that_stands_out(result):
    found = findings.order_season(replace(result, season=_season()))
    assert "140% of the year's mean pace in the 30 days before Chinese New Year and at 70%" in found.sentence
    assert "seen 3 times only, and the three weeks ran between 60% and 80%" in found.reason
    assert findings.order_season(replace(result, season=_season(festivals=6))).verdict is Verdict.USABLE


@pytest.mark.parametrize("season", [_season(swing=0.0), _season(named=False)], ids=["unclear", "none"])
def test_the_season_falls_back_to_the_months(result, season):
    assert "Orders follow the months" in findings.order_season(replace(result, season=season)).sentence


def test_a_short_book_has_no_season(result):
    found = findings.order_season(replace(result, season=_season(months=False, named=False)))
    assert found.verdict is Verdict.NO_CONCLUSION


@pytest.mark.parametrize(("ending", "due"), [(True, 50), (True, 0), (False, 50), (False, 0)])
def test_contracts_are_told_with_and_without_an_end_and_a_rate(result, ending, due):
    rows = result.renewals.ending if ending else result.renewals.ending.iloc[:0]
    rate = {"rate": 0.9, "low": 0.8, "high": 0.95} if due else dict.fromkeys(("rate", "low", "high"), np.nan)
    found = findings.contracts_ending(replace(result, renewals=replace(result.renewals, ending=rows, due=due, **rate)))
    assert found.sentence.startswith("None of") is not ending
    assert ("90% of" in found.sentence) is bool(due)
    assert (found.verdict is Verdict.CAUTION) is (due < 30)
    assert bool(found.decision) is ending


@pytest.mark.parametrize(
    ("low", "high", "words", "verdict"),
    [
        (1.5, 4.0, "3.0 times as high for half a year", Verdict.CAUTION),
        (0.2, 0.8, "accounts that complain stay", Verdict.CAUTION),
        (0.7, 4.0, "cannot be told", Verdict.NO_CONCLUSION),
    ],
)
def test_the_effect_of_complaints_has_a_direction_or_none(result, low, high, words, verdict):
    found = findings.driver_effect(_driver(result, "complaint", 3.0, low, high), "complaint")
    assert words in found.sentence
    assert found.verdict is verdict


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.3, 0.8, "the lower the odds of leaving"), (1.2, 3.0, "leave more often"), (0.5, 2.0, "cannot be told")],
)
def test_meeting_more_people_has_a_direction_or_none(result, low, high, words):
    assert words in findings.driver_effect(_driver(result, "threads", 1.0, low, high), "threads").sentence


@pytest.mark.parametrize("name", ["executive", "new_manager"])
@pytest.mark.parametrize(
    ("low", "high", "words"), [(1.2, 3.4, "times as high"), (0.2, 0.8, "that is, lower"), (0.5, 1.9, "cannot be told")]
)
def test_visits_of_executives_and_changes_of_manager_have_a_direction_or_none(result, name, low, high, words):
    found = findings.driver_effect(_driver(result, name, np.sqrt(low * high), low, high), name)
    assert words in found.sentence
    assert (found.verdict is Verdict.NO_CONCLUSION) == (words == "cannot be told")
    assert bool(found.decision) == (name == "new_manager" and low > 1)
    assert "Too few accounts" in findings.driver_effect(_driver(result, "other", 1.0, 0.9, 1.1), name).sentence


def _lapses(result, gain, low, tested_lapsed=50):
    """The result with a test of renewals in which the signs were better than the share by days left by *gain*."""
    methods = pd.DataFrame({"brier": [0.20, 0.17, 0.17 - gain]}, index=pd.Index(METHODS, name="candidate"))
    methods = methods.assign(brier_low=0.1, brier_high=0.3, gain=[-0.03, 0.0, gain], gain_low=low, gain_high=0.03)
    winner = BY_SIGNS if gain > 0 else BY_DAYS
    given = {"methods": methods, "winner": winner, "signs": ("lateness",) if gain > 0 else (), "lead_days": 8.0}
    return replace(result, lapses=replace(result.lapses, tested=200, tested_lapsed=tested_lapsed, **given))


@pytest.mark.parametrize(
    ("gain", "low", "lapsed", "words", "verdict", "reason"),
    [
        (0.02, 0.01, 50, "(how late it is for its own pace)", Verdict.USABLE, ""),
        (0.02, -0.01, 50, "its Brier score was 0.150", Verdict.CAUTION, "within chance (−0.010 to 0.030)"),
        (-0.02, -0.03, 50, "did not better it (0.190)", Verdict.USABLE, ""),
        (0.02, 0.01, 7, "of which 7 lapsed", Verdict.CAUTION, "Only 7 contracts tested on lapsed"),
    ],
)
def test_renewals_are_told_by_signs_only_where_these_were_better(result, gain, low, lapsed, words, verdict, reason):
    found = findings.renewal_model(_lapses(result, gain, low, lapsed))
    assert words in found.sentence and reason in found.reason
    assert found.verdict is verdict
    assert "nine in ten renewals were signed 8 days or more before the end" in found.decision


def test_renewals_without_a_test_or_without_contracts_conclude_nothing(result):
    untested = replace(result, lapses=replace(result.lapses, methods=pd.DataFrame(), lapsed=1))
    assert "1 contract has lapsed, and 10 are needed" in findings.renewal_model(untested).sentence
    assert findings.renewal_model(replace(result, lapses=None)).verdict is Verdict.NO_CONCLUSION


def test_few_leavings_give_no_driver(result):
    few = replace(result, drivers=replace(result.drivers, odds=pd.DataFrame(), events=12))
    assert "Only 12 accounts have left" in findings.driver_effect(few, "complaint").sentence
    enough = replace(result, drivers=replace(result.drivers, odds=pd.DataFrame(), events=40))
    assert "Too few accounts with a complaint" in findings.driver_effect(enough, "complaint").sentence
    assert "Too few accounts have left" in findings.driver_effect(enough, "threads").sentence


def test_complaints_are_aged(result):
    rows = pd.DataFrame({"account_id": ["a", "b"], "age_days": [5, 99]})
    found = findings.complaint_ageing(replace(result, open_complaints=rows))
    assert "1 of them for more than 30 days; the oldest is 99 days" in found.sentence
    none = findings.complaint_ageing(replace(result, open_complaints=rows.iloc[:0]))
    assert none.sentence == "No complaint is open."


def test_the_largest_are_told_with_their_chance_without_it_or_not_at_all(result):
    assert "falls silent within its window" in findings.concentration_stress(result).sentence
    unjudged = replace(result, stress=replace(result.stress, chance=np.nan))
    assert "none of them can be judged" in findings.concentration_stress(unjudged).sentence
    none = replace(result, stress=replace(result.stress, share=np.nan))
    assert "no concentration to speak of" in findings.concentration_stress(none).sentence


@pytest.mark.parametrize(("p", "words"), [(0.5, "one and the same pattern"), (0.01, "leans on one year")])
def test_the_moves_are_tested_from_year_to_year(result, p, words):
    test = replace(result.equity.homogeneity, p_value_simulated=p)
    told = replace(result, equity=replace(result.equity, homogeneity=test))
    assert words in findings.moves_pattern(told)
    assert (words in findings.customer_equity(told).reason) is (p < 0.05)


def test_without_a_third_year_the_moves_are_untested(result):
    short = replace(result, equity=replace(result.equity, homogeneity=None))
    assert "cannot be tested" in findings.moves_pattern(short)
    assert "cannot be tested" in findings.customer_equity(short).reason


def test_the_silent_for_whom_contact_pays_are_counted_where_a_contact_has_a_cost(result):
    rows = result.accounts.assign(is_silent=np.arange(len(result.accounts)) < 3, action="let_go")
    rows.loc[rows.index[0], "action"] = "win_back"
    priced = replace(result, accounts=rows, policy=replace(result.policy, contact_cost=5.0))
    assert findings.stop_note(priced).startswith("A contact still pays for 1 of the 3 silent")
    free = replace(priced, policy=replace(result.policy, contact_cost=0.0))
    assert "declare visit_cost" in findings.stop_note(free)
    assert "nobody to win back" in findings.stop_note(replace(priced, accounts=rows.assign(is_silent=False)))


def test_wallets_that_fell_say_how_many_would_seem_to_by_chance(result):
    rows = result.accounts.assign(is_wallet_loss=True, wallet_before=0.5)
    found = findings.wallet_loss(replace(result, accounts=rows))
    assert f"about {0.05 * len(rows):,.0f} seem to" in found.reason
    assert found.verdict is Verdict.CAUTION


def test_the_notes_name_what_could_not_be_fitted_and_what_the_shuffle_gave(result):
    table = result.candidates.assign(can_win=result.candidates.index != "BG/NBD")
    notes = " ".join(findings.churn_notes(replace(result, candidates=table)))
    assert "BG/NBD could not be fitted" in notes
    assert "the lift was" in notes
    assert "have a regularity of" in notes


@pytest.mark.parametrize("name", FINDINGS)
def test_a_book_with_next_to_nothing_has_every_finding_and_a_reason(bare, name):
    found = getattr(findings, name)(bare)
    assert found.sentence and "nan" not in found.sentence
    assert found.verdict is not Verdict.USABLE or name in {"silent_accounts", "concentration_stress"}


@pytest.mark.parametrize("name", ["wallet_loss", "contracts_ending", "renewal_model"])
def test_a_table_that_is_absent_is_named(bare, name):
    assert getattr(findings, name)(bare).sentence.startswith("This book has no ")


@pytest.mark.parametrize("name", DRIVERS)
def test_a_driver_whose_table_is_absent_is_named(bare, name):
    assert findings.driver_effect(bare, name).sentence.startswith("This book has no ")


@pytest.mark.parametrize("name", TABLES)
def test_tables_stand_for_much_and_for_nothing(result, bare, name):
    full = _lapses(_driver(result, "complaint", 2.0, 1.2, 3.0), 0.02, 0.01)  # too small for any of its own
    assert len(getattr(findings, name)(full)) > 0
    assert len(getattr(findings, name)(bare)) <= 3


def test_calls_stand_in_the_order_of_what_they_may_bring(result):
    shown = findings.churn_accounts(result, "call")
    assert shown["gain_of_call"].is_monotonic_decreasing
    assert set(shown["action"]) <= {"call"}
    assert set(findings.CALL_COLUMNS) <= set(shown)


def test_an_account_called_without_a_sign_has_its_risk_beside_that_of_all(result):
    rows = result.accounts.assign(reasons=[[] for _ in range(len(result.accounts))], risk=0.04, action="call")
    table = findings.churn_accounts(replace(result, accounts=rows, agenda=result.agenda.head(0)), "call")
    assert set(table["why"]) == {"no single sign; 4% of such accounts fall silent, against 4% of all"}


def test_managers_and_open_complaints_have_names(result):
    assert not findings.churn_accounts(result)["manager"].str.fullmatch(r"M\d+").any()
    rows = findings.churn_open_complaints(result)
    assert rows["age_days"].is_monotonic_decreasing
    assert rows["name"].notna().all()


def test_reasons_are_in_words(result):
    shown = findings.churn_accounts(result)
    assert shown["why"].str.len().gt(0).all()
    assert not shown["why"].str.contains("_").any()


def test_misses_are_named_the_most_surprising_first(result):
    shown = findings.churn_misses(result)
    assert shown["said"].iloc[0] == shown.loc[shown["outcome"] == say("churn.outcome_silent"), "said"].min()
    assert shown["name"].notna().all()


def test_the_best_method_stands_first_with_its_interval(result):
    shown = findings.churn_methods(result)
    assert shown["candidate"].iloc[0] == result.candidates["brier"].idxmin()
    assert shown["lift_shown"].dropna().str.fullmatch(r"[\d.]+ \([\d.]+ to [\d.]+\)").all()


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_drawn_of_much_and_of_nothing(result, bare, name):
    for shown in (result, bare):
        drawn = getattr(figures, name)(shown)
        drawn.figure.canvas.draw()
        assert drawn.get_title(loc="left") or drawn.get_title()
        pyplot.close(drawn.figure)


def test_the_bars_are_the_values_at_risk(result):
    drawn = figures.draw_risk(result)
    widths = sorted((bar.get_width() for bar in drawn.patches), reverse=True)
    assert np.allclose(widths, result.judged["value_at_risk"].head(15))
    pyplot.close(drawn.figure)


def test_long_chinese_names_are_cut(result):
    drawn = figures.draw_risk(replace(result, accounts=result.accounts.assign(name="大客戶" * 70)))
    assert max(len(label.get_text()) for label in drawn.get_yticklabels()) <= 34
    pyplot.close(drawn.figure)


def test_every_reason_action_and_driver_has_its_words():
    from kamlib.studies.churn import calls
    from kamlib.studies.churn.drivers import KINDS, STATES

    wanted = {f"churn.reason_{code}" for code in (*calls.REASONS, "partial_defection", "wallet_loss", "none")}
    wanted |= {f"churn.action_{code}" for code in calls.ACTIONS} | {f"churn.driver_{k}" for k in KINDS}
    wanted |= {f"churn.complaint_state_{state}" for state in STATES}
    assert wanted <= set(keys())


@pytest.mark.parametrize(("calls", "words"), [(0, "No call pays"), (1, "One call is worth"), (3, "3 calls are worth")])
def test_calls_that_cost_nothing_on_record_are_not_said_to_pay_for_themselves(result, calls, words):
    free = replace(result, policy=replace(result.policy, contact_cost=0.0))
    action = np.where(np.arange(len(result.accounts)) < calls, "call", "leave")
    found = findings.calls_to_make(replace(free, accounts=result.accounts.assign(action=action, gain_of_call=-1.0)))
    assert found.sentence.startswith(words)
    assert "cost 0" not in found.sentence
