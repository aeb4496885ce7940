"""Every sentence branch of the churn study, its verdicts, its tables in words, and its figures."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from churn_books import book_of, sample_book
from matplotlib import pyplot

from kamlib.reports import figures, findings
from kamlib.reports.finding import Verdict
from kamlib.reports.sentences import keys, say
from kamlib.studies import churn
from kamlib.studies.churn.record import Record
from kamlib.studies.churn.seasonality import Season

FINDINGS = [
    "churn_record",
    "churn_model",
    "churn_calibration",
    "value_at_risk",
    "calls_to_make",
    "silent_accounts",
    "off_season",
    "partial_defection",
    "wallet_loss",
    "order_season",
    "contracts_ending",
    "complaint_effect",
    "complaint_ageing",
    "threading_effect",
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
    "churn_largest",
    "churn_moves",
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
    return Record(
        rows.assign(lower=0.0, upper=1.0, due=pd.Timestamp("2026-09-28")), pd.Timestamp("2026-06-30"), recomputed
    )


def _winner(result, **columns):
    table = result.candidates.copy()
    for name, value in columns.items():
        table.loc[result.winner, name] = value
    return replace(result, candidates=table)


def _driver(result, name, odds, low, high, events=60):
    columns = {"odds_ratio": odds, "low": low, "high": high, "exposed": 0.2, "events": 9}
    row = pd.DataFrame(columns, index=pd.Index([name], name="driver"))
    return replace(result, drivers=replace(result.drivers, odds=row, events=events))


@pytest.mark.parametrize(
    ("happened", "words", "decision"),
    [
        (10, "which is within what chance allows", "order of the risks"),
        (25, "so the risks were said too low", "lower ends"),
        (1, "so the risks were said too high", "upper ends"),
    ],
)
def test_the_track_record_says_whether_chance_allows_what_came(result, happened, words, decision):
    found = findings.churn_record(replace(result, record=_record([0.1] * 100, happened)))
    assert words in found.sentence
    assert "30 June 2026, 10 of 100 accounts" in found.sentence
    assert decision in found.decision
    assert found.verdict is Verdict.USABLE


def test_a_recomputed_record_is_a_caution(result):
    found = findings.churn_record(replace(result, record=_record([0.1] * 100, 10, recomputed=True)))
    assert found.verdict is Verdict.CAUTION
    assert "No earlier report was given" in found.reason


def test_predictions_whose_time_is_not_over_are_counted_apart(result):
    found = findings.churn_record(replace(result, record=_record([0.1] * 100, 8, open_rows=7)))
    assert "7 more predictions cannot be graded yet" in found.reason
    none = findings.churn_record(replace(result, record=_record([0.1] * 5, 0, open_rows=5)))
    assert "None of the 5 predictions" in none.sentence


@pytest.mark.parametrize(("happened", "words"), [(1, "it fell silent"), (0, "it ordered")])
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
    ("slope", "words", "verdict"),
    [
        (1.0, "can be taken at their word", Verdict.USABLE),
        (0.5, "too sure of themselves", Verdict.CAUTION),
        (1.5, "too cautious", Verdict.CAUTION),
    ],
)
def test_the_calibration_slope_is_put_into_words(result, slope, words, verdict):
    said = result.said.assign(**{result.winner: result.said["is_silent"].mean()})
    found = findings.churn_calibration(replace(_winner(result, calibration_slope=slope), said=said, events=50))
    assert words in found.sentence
    assert found.verdict is verdict


def test_risks_of_the_wrong_height_are_a_caution(result):
    said = result.said.assign(**{result.winner: 0.9})
    found = findings.churn_calibration(replace(_winner(result, calibration_slope=1.0), said=said, events=50))
    assert "but not their height" in found.sentence
    assert found.verdict is Verdict.CAUTION


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
    monkeypatch.setattr("kamlib.reports.findings.churn._calibrated", lambda result: ())
    assert "as they stand" in findings.churn_record(replace(result, record=_record([0.1] * 100, 10))).decision


def test_what_is_learned_from_a_part_of_the_book_says_that_it_does_not_add_up(result):
    assert "the accounts of this page alone" in findings.value_at_risk(replace(result, is_part=True)).reason
    assert "the accounts of this page alone" not in findings.value_at_risk(result).reason


def test_more_calls_that_pay_than_were_asked_for_are_counted(result):
    action = np.where(np.arange(len(result.accounts)) < 2, "call", "leave")
    found = findings.calls_to_make(replace(result, accounts=result.accounts.assign(action=action, gain_of_call=1.0)))
    assert f"{len(result.accounts):,} calls would pay for themselves; the 2" in found.sentence


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


def _season(before=(1.4, 1.2, 1.6), months=True, named=True):
    columns = ["before", "before_low", "before_high", "after", "after_low", "after_high"]
    rises = pd.DataFrame([[*before, 1.0, 0.9, 1.1]], columns=columns, index=["Chinese New Year"])
    return Season(0, np.ones(9), rises if named else pd.DataFrame(), months)


def test_the_season_names_the_holiday_that_stands_out(result):
    found = findings.order_season(replace(result, season=_season()))
    assert "140% of the usual pace in the 30 days before Chinese New Year" in found.sentence


@pytest.mark.parametrize("season", [_season(before=(1.4, 0.9, 2.0)), _season(named=False)], ids=["unclear", "none"])
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
    found = findings.complaint_effect(_driver(result, "complaint", 3.0, low, high))
    assert words in found.sentence
    assert found.verdict is verdict


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.3, 0.8, "the lower the odds of leaving"), (1.2, 3.0, "leave more often"), (0.5, 2.0, "cannot be told")],
)
def test_meeting_more_people_has_a_direction_or_none(result, low, high, words):
    assert words in findings.threading_effect(_driver(result, "threads", 1.0, low, high)).sentence


def test_few_leavings_give_no_driver(result):
    few = replace(result, drivers=replace(result.drivers, odds=pd.DataFrame(), events=12))
    assert "Only 12 accounts have left" in findings.complaint_effect(few).sentence
    enough = replace(result, drivers=replace(result.drivers, odds=pd.DataFrame(), events=40))
    assert "Too few accounts with a complaint" in findings.complaint_effect(enough).sentence
    assert "Too few accounts have left" in findings.threading_effect(enough).sentence


def test_complaints_are_aged(result):
    rows = pd.DataFrame({"account_id": ["a", "b"], "age_days": [5, 99]})
    found = findings.complaint_ageing(replace(result, open_complaints=rows))
    assert "1 of them for more than 30 days; the oldest is 99 days" in found.sentence
    none = findings.complaint_ageing(replace(result, open_complaints=rows.iloc[:0]))
    assert none.sentence == "No complaint is open."


def test_the_largest_are_told_with_their_chance_without_it_or_not_at_all(result):
    assert "falls silent within the horizon" in findings.concentration_stress(result).sentence
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


def test_contact_pays_for_a_while_or_as_long_as_is_known(result):
    costly = replace(result.policy, contact_cost=5.0)
    told = findings.stop_note(replace(result, policy=costly, stop=result.stop._replace(stop_after=4)))
    assert told.startswith("After 4 periods")
    assert "nobody is given up" in findings.stop_note(replace(result, policy=replace(costly, contact_cost=0.0)))


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


@pytest.mark.parametrize("name", ["wallet_loss", "contracts_ending", "complaint_effect", "threading_effect"])
def test_a_table_that_is_absent_is_named(bare, name):
    assert getattr(findings, name)(bare).sentence.startswith("This book has no ")


@pytest.mark.parametrize("name", TABLES)
def test_tables_stand_for_much_and_for_nothing(result, bare, name):
    full = _driver(result, "complaint", 2.0, 1.2, 3.0)  # this company is too small for drivers of its own
    assert len(getattr(findings, name)(full)) > 0
    assert len(getattr(findings, name)(bare)) <= 3


def test_calls_stand_in_the_order_of_what_they_may_bring(result):
    shown = findings.churn_accounts(result, "call")
    assert shown["gain_of_call"].is_monotonic_decreasing
    assert set(shown["action"]) <= {"call"}
    assert set(findings.CALL_COLUMNS) <= set(shown)


def test_reasons_are_in_words(result):
    shown = findings.churn_accounts(result)
    assert shown["why"].str.len().gt(0).all()
    assert not shown["why"].str.contains("_").any()


def test_misses_are_named_the_most_surprising_first(result):
    shown = findings.churn_misses(result)
    assert shown["said"].iloc[0] == shown.loc[shown["outcome"] == "fell silent", "said"].min()
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
