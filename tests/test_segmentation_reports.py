"""Every sentence, table and figure of the segmentation report, on much and on next to nothing."""

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib import pyplot

from kamlib import open_book
from kamlib.book.sample import write_sample
from kamlib.reports import figures, findings, sentences
from kamlib.reports.figures.style import BLANK
from kamlib.reports.findings import key_accounts, markets, migration, segmentation_tables
from kamlib.reports.findings import segmentation as spread
from kamlib.reports.sentences import keys as sentence_keys
from kamlib.studies import segmentation
from kamlib.studies.concentration import Interval
from kamlib.studies.segmentation.markets import Likeness
from kamlib.studies.segmentation.selection import REASONS

from books import small_frames, write_folder

FIGURES = [
    figures.draw_concentration,
    figures.draw_quarters,
    figures.draw_crossing,
    figures.draw_regression,
    figures.draw_portfolio,
    figures.draw_selected_share,
    figures.draw_mixed_books,
]
FINDINGS = [
    spread.concentration,
    spread.concentration_trend,
    spread.long_tail,
    spread.largest_accounts,
    spread.abc_classes,
    spread.rfm_segments,
    spread.loyal_accounts,
    key_accounts.qualified_accounts,
    key_accounts.officials,
    key_accounts.vip_accounts,
    key_accounts.payback,
    key_accounts.rater_agreement,
    key_accounts.portfolio,
    key_accounts.stage_conflicts,
    key_accounts.key_account_changes,
    key_accounts.mixed_books,
    markets.market_segments,
    markets.key_account_likeness,
    migration.class_record,
    migration.class_moves,
]
NOTES = [
    spread.class_notes,
    spread.own_segments,
    spread.loyalty_notes,
    key_accounts.vip_notes,
    key_accounts.scorecard_notes,
    key_accounts.stage_notes,
    key_accounts.mixed_notes,
    migration.rows_read,
    migration.absent_tables,
]
LINES = [key_accounts.cap_note, migration.regression_note, migration.segment_moves_note]


def _measured(place, as_of, **parameters):
    with open_book(place, as_of=as_of) as book:
        return segmentation.measure(book, draws=40, **parameters)


@pytest.fixture(scope="module")
def much(tmp_path_factory):
    """A sample company of 150 accounts with every table."""
    return _measured(write_sample(tmp_path_factory.mktemp("much") / "book", accounts=150).place, "2026-09-30")


@pytest.fixture(scope="module")
def little(tmp_path_factory):
    """A small book of accounts and orders alone."""
    frames = {name: frame for name, frame in small_frames().items() if name in ("accounts", "orders")}
    return _measured(write_folder(frames, tmp_path_factory.mktemp("little") / "book"), "2026-09-30")


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A book of one account."""
    return _measured(write_folder(small_frames(accounts=1), tmp_path_factory.mktemp("one") / "book"), "2026-09-30")


@pytest.fixture(scope="module")
def none(tmp_path_factory):
    """A book read before its first order."""
    return _measured(write_folder(small_frames(), tmp_path_factory.mktemp("none") / "book"), "2020-01-01")


@pytest.fixture(params=["much", "little", "one", "none"])
def any_result(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("say_it", FINDINGS, ids=lambda f: f.__name__)
def test_every_finding_can_be_said_of_any_book(any_result, say_it):
    found = say_it(any_result)
    assert found.id.startswith("segmentation.") and found.practices
    assert "nan" not in found.sentence and "{" not in found.sentence
    assert found.verdict == "usable" or found.reason


@pytest.mark.parametrize("say_it", NOTES + LINES, ids=lambda f: f.__name__)
def test_every_note_can_be_said_of_any_book(any_result, say_it):
    notes = say_it(any_result)
    for note in [notes] if isinstance(notes, str) else notes:
        assert note.endswith(".") and "nan" not in note


@pytest.mark.parametrize("draw", FIGURES, ids=lambda f: f.__name__)
def test_every_figure_draws_any_book(any_result, draw):
    drawn = draw(any_result)
    assert drawn.get_title(loc="left")
    assert "n = " in drawn.figure.get_supxlabel() or drawn.figure.get_gid() == BLANK
    pyplot.close(drawn.figure)


@pytest.mark.parametrize("draw", FIGURES, ids=lambda f: f.__name__)
def test_long_chinese_names_do_not_widen_a_figure(much, draw):
    names = ["海" * 200] * len(much.accounts)
    coverage = much.coverage.assign(manager="經理" * 100)
    drawn = draw(dataclasses.replace(much, accounts=much.accounts.assign(name=names), coverage=coverage))
    assert max((len(label.get_text()) for label in drawn.get_yticklabels()), default=0) <= 34
    pyplot.close(drawn.figure)


def test_names_that_are_missing_are_told_by_their_number(much):
    drawn = figures.draw_selected_share(dataclasses.replace(much, accounts=much.accounts.assign(name=None)))
    assert {label.get_text() for label in drawn.get_yticklabels()} <= set(much.accounts.index)
    pyplot.close(drawn.figure)


def test_the_point_of_the_concentration_figure_is_the_measured_share(much):
    drawn = figures.draw_concentration(much)
    assert f"{much.concentration['top20_share'].value:.0%}" in {text.get_text() for text in drawn.texts}
    pyplot.close(drawn.figure)


# Each branch of each sentence


def _set(result, **columns):
    """The result with other columns in its table of accounts."""
    return dataclasses.replace(result, accounts=result.accounts.assign(**columns))


def _but(**fields):
    return lambda result: dataclasses.replace(result, **fields)


def _share(value, lower, upper):
    return lambda r: dataclasses.replace(
        r, concentration={**r.concentration, "top20_share": Interval(value, lower, upper, 0.9)}
    )


def _change(value, lower, upper):
    return _but(share_change=Interval(value, lower, upper, 0.9))


def _decisions(promote=0, demote=0, review=0, keep=0, roster="report"):
    rows = {"decision": ["promote", "demote", "review", "keep"], "accounts": [promote, demote, review, keep]}
    return _but(decisions=pd.DataFrame(rows), roster=roster)


def _keys(n, review=0, meets=0, waiting=0):
    """The first n accounts key, the first few of them (or, without any, of all) under review, others waiting."""

    def change(result):
        place = np.arange(len(result.accounts))
        decision = np.where(place < review, "review", "")
        reason = np.where(place >= len(place) - waiting, "over_cap", "")
        return _set(result, is_key=place < n, decision=decision, reason=reason, meets_now=place < meets)

    return change


def _funded(*status, uncovered=60.0):
    def change(result):
        index = result.accounts.index[: len(status)]
        columns = {"invested": 100.0, "margin_after_spend": 40.0, "payback": list(status), "uncovered": uncovered}
        return dataclasses.replace(result, payback=pd.DataFrame(columns, index=index))

    return change


def _kappa(kappa, pairs=50, disputed=()):
    row = {"criterion": ["all"], "pairs": [pairs], "accounts": [9], "kappa": [kappa], "mean_gap": [1.0]}
    return lambda r: dataclasses.replace(
        r, card=dataclasses.replace(r.card, agreement=pd.DataFrame(row), disputed=disputed)
    )


def _selected(share, left_out=()):
    def change(result):
        series = pd.Series(share, index=result.card.selected_share.index)
        return dataclasses.replace(
            result, card=dataclasses.replace(result.card, selected_share=series, left_out=left_out)
        )

    return change


def _record(firm, firm_kept, loose, loose_kept):
    rows = {"firmness": ["firm", "borderline"], "accounts": [firm, loose], "kept": [firm_kept, loose_kept]}
    return _but(record=pd.DataFrame(rows))


def _loyal(*rows):
    return _but(loyalties=pd.DataFrame(rows, columns=["loyalty", "loyalty_basis", "accounts"]))


def _serialised(first, last, n=400, basis="survey", before=400):
    columns = {"accounts": [before, 0, n], "share": [first, np.nan, last], "basis": basis}
    return _but(serialisation=pd.DataFrame(columns).assign(share_lower=0.5, share_upper=0.7))


def _windows(forward, backward, half=0.05):
    """Growth of the class A of either window against the others, told from that window on."""
    ends = [(name, "A", x, x - half, x + half) for name, x in (("before", forward), ("after", 1 / (1 + backward) - 1))]
    return _but(regression=pd.DataFrame(ends, columns=["sorted_by", "abc", "change", "change_lower", "change_upper"]))


def _own(left):
    rows = {"segment": ["warm", "unclassified"], "accounts": [150 - left, left], "share": [1 - left / 150, left / 150]}
    return _but(segments=pd.DataFrame(rows))


def _like(low, high, gain=0.1):
    """A likeness whose gain over the potential alone begins at *gain*."""
    middle = (low + high) / 2
    return lambda r: dataclasses.replace(
        r, likeness=Likeness(r.accounts["value"].rename("likeness"), middle, low, high, 12, 0.6, gain, gain + 0.1)
    )


def _market(**columns):
    return lambda r: dataclasses.replace(r, markets=r.markets.assign(**columns))


def _grown(raised):
    return _but(groups=pd.DataFrame({"is_raised": [raised, False]}))


CASES = [
    (spread.concentration, _share(0.9, 0.85, 0.95), "more than the rule of thumb"),
    (spread.concentration, _share(0.8, 0.75, 0.85), "lies within the interval"),
    (spread.concentration, _share(0.7, 0.65, 0.75), "less than the 80%"),
    (spread.concentration, _share(1.0, np.nan, np.nan), "A single account bought anything"),
    (spread.concentration, _share(np.nan, np.nan, np.nan), "nothing to divide up"),
    (spread.concentration_trend, _change(0.05, 0.01, 0.09), "fewer accounts than before: the share of the top 20% rose by 5.0"),
    (spread.concentration_trend, _change(-0.05, -0.09, -0.01), "more accounts than before: the share of the top 20% fell by 5.0"),
    (spread.concentration_trend, _change(0.01, -0.01, 0.03), "the interval of that change runs from −1.0 to +3.0"),
    (spread.concentration_trend, _but(share_change=Interval(0.05, 0.01, 0.09, 0.9), share_change_regular=-0.01), "size is one order the change is −1.0 points"),
    (spread.concentration_trend, _but(share_change_regular=np.nan), "All of it is owed to accounts whose size is one order"),
    (spread.concentration, _share(0.7, 0.65, 0.75), "less often than they say"),
    (spread.concentration_trend, lambda r: dataclasses.replace(r, quarters=r.quarters.head(3)), "too few to say"),
    (spread.concentration_trend, lambda r: dataclasses.replace(r, quarters=r.quarters.head(0)), "holds no whole quarter of orders"),
    (spread.long_tail, lambda r: r, "depending on which they are"),
    (spread.long_tail, _but(covered_months=10), "revenue over 10 months would have been"),
    (spread.abc_classes, _but(covered_months=10), "it covers 10 months of 12"),
    (spread.largest_accounts, _but(covered_months=10), "it covers 10 months of 12"),
    (spread.largest_accounts, _but(covered_months=1), "revenue over one month would have been"),
    (spread.long_tail, lambda r: dataclasses.replace(r, tail=dataclasses.replace(r.tail, accounts=0)), "no long tail"),
    (spread.largest_accounts, lambda r: r, "10 largest bring"),
    (spread.largest_accounts, lambda r: _set(r, has_bought=r.accounts.index == r.accounts.index[0]), "only account that bought"),
    (spread.largest_accounts, lambda r: _set(r, has_bought=False), "nothing to divide up"),
    (
        spread.largest_accounts,
        lambda r: dataclasses.replace(r, tail=dataclasses.replace(r.tail, largest=r.tail.largest.head(1))),
        "of the revenue. Without it, revenue over 12 months",
    ),
    (spread.abc_classes, _but(basis="margin"), "By contribution margin, class A holds"),
    (spread.abc_classes, _but(basis="revenue"), "By revenue, class A holds"),
    (spread.abc_classes, lambda r: _set(r, has_bought=False), "nothing to divide up"),
    (spread.class_notes, _but(basis="margin", cost_known_share=0.97), "cost is known for 97% of the revenue"),
    (spread.class_notes, _but(basis="revenue", value="auto", cost_known_share=0.4), "too little of it (40%)"),
    (spread.class_notes, _but(basis="revenue", value="auto", cost_known_share=1.0), "earned no margin"),
    (spread.class_notes, _but(basis="revenue", value="revenue"), "Accounts are ranked by revenue over 12 months, net of returns."),
    (spread.class_notes, lambda r: _set(dataclasses.replace(r, basis="margin"), margin=-1.0), "is below zero"),
    (spread.class_notes, lambda r: _set(_funded("open")(r), abc="A"), "on one class A account, first of all on"),
    (spread.class_notes, _grown(True), "Of 2 groups of accounts with one owner, one stands in a higher class together than any of its accounts alone."),
    (spread.class_notes, _grown(False), "No group of accounts with one owner (2 groups)"),
    (spread.class_notes, _but(groups=pd.DataFrame()), "No account has an owner"),
    (spread.class_notes, lambda r: _set(r, is_one_off=True), "at 150 accounts of class A by value; they are marked"),
    (spread.class_notes, lambda r: _set(r, is_one_off=False), "No class A account owes"),
    (spread.rfm_segments, lambda r: r, "in the best RFM segment (champion) and bring"),
    (spread.rfm_segments, lambda r: dataclasses.replace(r, rfm=r.rfm.assign(accounts=0)), "which no account here reaches"),
    (spread.rfm_segments, lambda r: dataclasses.replace(r, rfm=r.rfm.assign(accounts=0)), "none is in the best RFM segment"),
    (spread.rfm_segments, lambda r: _set(r, orders_ever=0), "No account has ever ordered"),
    (spread.own_segments, _own(0), "falls under a rule of the firm's own segmentation (1 rule)"),
    (spread.own_segments, _own(30), "(1 rule) leaves 30 of 150 accounts unclassified (20%)"),
    (spread.own_segments, _but(segments=pd.DataFrame()), "declares no segmentation of its own"),
    (spread.loyal_accounts, _loyal(("loyal", "survey", 5), ("switcher", "survey", 3)), "Of 8 accounts that bought and whose share of wallet"),
    (spread.loyal_accounts, _loyal(("loyal", "survey", 5)), "no loyalty; no other account bought."),
    (spread.loyal_accounts, _loyal(("loyal", "survey", 5), ("unclear", "proxy", 2)), "for 2 more there is only a proxy."),
    (spread.loyal_accounts, _loyal(("loyal", "proxy", 5)), "loyalty is a proxy here"),
    (spread.loyal_accounts, _loyal(("not known", "", 5)), "nothing can be said about loyalty"),
    (spread.loyalty_notes, _but(proxy_agreement=(0.8, 50)), "so the proxy says something"),
    (spread.loyalty_notes, _but(proxy_agreement=(0.5, 50)), "no better than a coin"),
    (spread.loyalty_notes, _but(proxy_agreement=(np.nan, 0)), "too few to say how good"),
    (spread.loyal_accounts, _loyal(("shares its custom", "survey", 3)), "3 share their custom with others, none switches"),
    *(
        (spread.loyalty_notes, _serialised(*shares, basis=basis, before=before), f"{start} (50% to 70%; the degree of serialisation), {phrase}")
        for basis, start in (("survey", "new products or class A"), ("proxy", "new products or are class A"))
        for shares, before, phrase in (
            ((0.5, 0.6), 400, "10.0 points more"),
            ((0.7, 0.6), 400, "10.0 points less"),
            ((0.59, 0.6), 400, "as two periods ago, as far as can be told"),
            ((np.nan, 0.6), 0, "with nothing to compare"),
        )
    ),
    (key_accounts.qualified_accounts, lambda r: _set(r, is_potential_alone=r.accounts["lacks"] == ""), "of them by nothing but potential that is not bought here"),
    (key_accounts.qualified_accounts, lambda r: _set(r, lacks="tests"), "No large account (150 in all)"),
    (
        key_accounts.qualified_accounts,
        lambda r: _set(r, lacks="", **{c: pd.NA for c in r.accounts if c.startswith("by_")}),
        "the book can tell none of the five criteria",
    ),
    (key_accounts.qualified_accounts, lambda r: _set(r, has_bought=False), "nothing to divide up"),
    (key_accounts.officials, lambda r: _set(r, is_official=True, abc="A", qualifies_but_official=False), "150 of them are class A by value, and none would otherwise qualify"),
    (key_accounts.officials, lambda r: _set(r, is_official=r.accounts.index == r.accounts.index[0], abc="A"), "1 of 150 accounts; one of them is class A by value"),
    (key_accounts.officials, _but(is_part=True), "among the accounts of this page alone"),
    (key_accounts.officials, lambda r: _set(r, is_official=False), "No account is marked as a public office"),
    (key_accounts.officials, _but(has_officials=False), "does not record which accounts are public offices"),
    (key_accounts.vip_accounts, lambda r: r, "may apply to be VIPs"),
    (key_accounts.vip_accounts, _but(vip_declared=False), "without a currency; declare your own in book.yml"),
    (key_accounts.vip_accounts, lambda r: dataclasses.replace(r, vip=r.vip.head(0)), "No account bought enough since"),
    (key_accounts.vip_notes, lambda r: dataclasses.replace(r, vip=r.vip.assign(is_official=True)), "need a compliance review first"),
    (key_accounts.vip_notes, lambda r: r, "of a grade nobody recorded"),
    (key_accounts.payback, _funded("paid", "open", "too early"), "1 has earned its cost back since; 1 has not after a year or more, and for 1 it is too early"),
    (key_accounts.payback, _funded("open"), "Not covered yet are 60, of which 100% at"),
    (key_accounts.payback, _funded("paid", "paid", uncovered=0.0), "All 2 accounts that 200 were spent on"),
    (key_accounts.payback, _funded("paid"), "need not have come because of it"),
    (key_accounts.payback, _funded("paid", "not known"), "cannot be told without their margin"),
    (key_accounts.payback, lambda r: dataclasses.replace(r, payback=r.payback.head(0)), "Nothing was spent"),
    (key_accounts.payback, _but(absent=("investments",)), "payback is not shown"),
    (key_accounts.rater_agreement, _kappa(0.6), "raters agree well enough"),
    (key_accounts.rater_agreement, _kappa(0.6), "below 20 read this with care"),
    (key_accounts.rater_agreement, _kappa(np.nan, 0), "cannot be told: no pair of ratings is"),
    (key_accounts.rater_agreement, _kappa(0.6, disputed=("growth", "fit")), "On growth, fit they agree less (weighted kappa below 0.4)"),
    (key_accounts.rater_agreement, _kappa(0.2), "Raters agree too little"),
    (key_accounts.rater_agreement, _kappa(np.nan, 3), "Whether raters agree cannot be told"),
    (key_accounts.rater_agreement, _but(card=None), "nobody's judgement of the accounts"),
    (key_accounts.scorecard_notes, _selected(1.0), "hardly depends on the weights"),
    (key_accounts.scorecard_notes, _selected(0.5), "The choice depends on the weights: none of"),
    (key_accounts.scorecard_notes, _selected(0.5, ("taste",)), "left out here: taste"),
    (key_accounts.portfolio, lambda r: r, "the matrix says invest for"),
    (
        key_accounts.portfolio,
        lambda r: dataclasses.replace(r, matrix=r.matrix.assign(attractiveness_basis="potential")),
        "attractiveness is the rank of their annual potential",
    ),
    (key_accounts.portfolio, lambda r: dataclasses.replace(r, matrix=r.matrix.head(0)), "No account can be placed"),
    (key_accounts.portfolio, lambda r: dataclasses.replace(r, matrix=r.matrix.head(3)), "Only 3 of the "),
    (key_accounts.portfolio, lambda r: _set(r, has_bought=~r.accounts.index.isin(r.matrix.index)), "Only 0 of the "),
    (key_accounts.stage_conflicts, lambda r: _set(r, has_conflict=True), "names a lifecycle stage that the orders contradict"),
    (key_accounts.stage_conflicts, lambda r: _set(r, has_conflict=False), "none recorded as a lead or an opportunity has"),
    (key_accounts.stage_conflicts, lambda r: _set(r, lifecycle=None), "records no lifecycle stage"),
    (key_accounts.stage_conflicts, lambda r: _set(r, has_conflict=False, lifecycle="customer", has_bought=False), "150 of the customers ordered nothing in the last 12 months."),
    (key_accounts.stage_notes, lambda r: r, "Relationships being built"),
    (key_accounts.stage_notes, lambda r: r, "Of the opportunities closed in the window"),
    (key_accounts.key_account_changes, _decisions(2, 1, 3, 4), "promotes 2 to key account, demotes one, keeps 4 key accounts as they are and hands 3"),
    (key_accounts.key_account_changes, lambda r: _decisions(2, 1, 3, 4)(_keys(8, review=2)(r)), "2 of which stay key until then; that makes 8 key accounts"),
    (key_accounts.key_account_changes, _decisions(2, 1, 3, 4, roster="replay"), "Had the rule been in force since 31 March 2026"),
    (key_accounts.key_account_changes, _decisions(2, 1, 3, 4, roster="replay"), "The roster is replayed, not recorded"),
    (key_accounts.key_account_changes, _decisions(2, 1, 3, 4, roster="inherited"), "nobody has accepted it since"),
    (key_accounts.key_account_changes, lambda r: _decisions(keep=4)(_keys(4)(r)), "keeps 4 key accounts as they are"),
    (key_accounts.key_account_changes, lambda r: _decisions()(_keys(0)(r)), "none should become one"),
    (key_accounts.cap_note, _keys(52, review=3), "With 52 key accounts there are more than the declared cap of 50; 3 of them stay only until"),
    (key_accounts.cap_note, _keys(0, review=51, meets=50, waiting=90), "Of the 50 places for key accounts 50 wait for a person's judgement, and beyond them 90 more"),
    (key_accounts.cap_note, _keys(50, waiting=90), "90 more would qualify"),
    (key_accounts.cap_note, _keys(14), "below the fifteen"),
    (key_accounts.cap_note, lambda r: _set(_keys(20)(r), is_silent=True), "20 of these key accounts are silent"),
    (key_accounts.cap_note, lambda r: _set(_keys(1)(r), is_silent=True), "One of these key accounts is silent, with no order for more than three of its usual gaps."),
    (key_accounts.cap_note, _keys(50), "With 50 key accounts the number is within the declared cap"),
    (key_accounts.mixed_books, lambda r: dataclasses.replace(r, coverage=r.coverage.assign(is_mixed=True)), "that they are in one book does not show it"),
    (migration.class_moves, lambda r: dataclasses.replace(r, is_part=True), "among the accounts of this page alone"),
    (key_accounts.mixed_books, lambda r: dataclasses.replace(r, coverage=r.coverage.assign(is_mixed=False)), "No manager looks after"),
    (key_accounts.mixed_books, lambda r: dataclasses.replace(r, coverage=r.coverage.head(0)), "does not say who manages"),
    (key_accounts.mixed_notes, lambda r: r, "on accounts that ordered nothing in the window"),
    (markets.market_segments, _market(stands_out=True), "Key accounts are most frequent in"),
    (markets.market_segments, _market(stands_out=False), "which may be chance"),
    (markets.market_segments, _market(key_accounts=0, stands_out=False), "there is no key account in any"),
    (markets.market_segments, lambda r: dataclasses.replace(r, markets=r.markets.head(0)), "neither industry nor region"),
    (markets.key_account_likeness, _like(0.7, 0.9), "the potential alone does in 60%"),
    (markets.key_account_likeness, _like(0.7, 0.9, gain=-0.1), "industry and region add nothing that shows (80% with them)"),
    (markets.key_account_likeness, _like(0.4, 0.8), "does not tell key accounts from others"),
    (markets.key_account_likeness, _but(likeness=None), "cannot be learned here"),
    (migration.class_record, _record(10, 9, 4, 2), "10 accounts whose class was called firm on 30 June 2026, 90% kept it"),
    (migration.class_record, _record(10, 9, 0, 0), "Every account (10 in all) had a class called firm"),
    (migration.class_record, _record(10, 9, 4, 2), "below 20 read this with care"),
    (migration.class_record, _record(0, 0, 0, 0), "There were no accounts to classify"),
    (migration.class_moves, lambda r: _set(r, is_new=False, cause="spend"), "spending alone moved 150, a threshold that shifted with the other accounts alone none, and both together none"),
    (migration.class_moves, lambda r: _set(r, is_new=False, cause="threshold"), "other accounts alone 150"),
    (migration.class_moves, lambda r: _set(r, is_new=False, cause="spend + threshold"), "both together 150"),
    (migration.class_moves, lambda r: _set(r, is_new=False, cause="data revised + spend"), "revised data had a part in 150. No account ordered"),
    (migration.class_moves, lambda r: _set(r, is_new=r.accounts.index == r.accounts.index[0], orders_ever=1, cause="spend"), "149 of the 149 accounts that had ordered by then changed class"),
    (migration.class_moves, _but(covered_then=7), "holds 7 months of orders and should hold 12"),
    (migration.class_record, _but(covered_then=7), "mostly their length"),
    (migration.class_moves, lambda r: _set(r, is_new=False, cause=""), "No account changed class since 30 June 2026, of 150"),
    (migration.segment_moves_note, lambda r: _set(r, is_new=False, rfm_cause="recency"), "150 by how long ago it ordered alone"),
    (migration.segment_moves_note, lambda r: _set(r, is_new=False, rfm_cause="spend + recency"), "150 by more than one of these"),
    (migration.segment_moves_note, _but(covered_then=7), "mostly their length"),
    (migration.segment_moves_note, lambda r: _set(r, is_new=False, rfm_cause=""), "No account changed RFM segment, of 150"),
    (migration.regression_note, _windows(-0.1, -0.2), "bought 10% less in this one (5% to 15%), and those that are class A now had bought 20% less in the one before (17% to 23%)"),
    (migration.regression_note, _windows(0.1, -0.2), "bought +10.0% in this one (+5.0% to +15.0%)"),
    (migration.regression_note, _windows(-0.02, -0.2), "Only one of the two shows that the largest"),
    (migration.regression_note, _windows(-0.02, 0.02), "Neither shows that the largest"),
    (migration.regression_note, _windows(np.nan, np.nan), "does not reach back two windows"),
    (migration.rows_read, lambda r: r, "Every order line belongs"),
    (migration.rows_read, lambda r: _set(r, has_bought=False, has_line=True), "150 only returned goods, none ordered before but not since, and none never ordered"),
    (migration.rows_read, _but(undated=1), "one account without an order line by 30 September 2026 is left out"),
    (migration.rows_read, _but(undated=718), "718 accounts without an order line by 30 September 2026 are left out"),
    (migration.rows_read, _but(unplaced=123.0), "123 of revenue belongs to accounts"),
    (migration.absent_tables, _but(absent=segmentation.EVIDENCE_TABLES), "continuity is told by orders alone"),
]  # fmt: skip


def _texts(said) -> str:
    if hasattr(said, "sentence"):
        return f"{said.sentence} {said.reason} {said.decision}"
    return said if isinstance(said, str) else " ".join(said)


@pytest.mark.parametrize(("say_it", "change", "phrase"), CASES, ids=[f"{c[0].__name__}: {c[2][:30]}" for c in CASES])
def test_every_branch_says_what_it_should(much, say_it, change, phrase):
    assert phrase in _texts(say_it(change(much)))


def _row(**values) -> dict:
    """A row of accounts that meets and fails nothing."""
    unknown = ("contract_years", "reputation_score", "innovation_score", "market_score", "fit_score")
    unknown += ("references_made", "new_products", "annual_potential", "revenue_before", "centralised_share")
    unknown += ("invested", "margin_after_spend")
    usual = dict.fromkeys(unknown, np.nan) | {"revenue": 100.0, "largest_order_share": 0.1, "months_active": 3}
    usual |= {"least_rating": 4.0, "most_of_one_order": 0.5}
    usual |= {
        "lacks": "",
        "tests_missed": "",
        "value": 100.0,
        "all_value": 1e5,
        "least": 0.01,
        "book": 0.3,
        "margin": 10.0,
    }
    return usual | {"criteria_met": "", "gates_failed": ""} | values


EVIDENCE = [
    (
        {"criteria_met": "contract", "contract_years": 2.5, "contract_until": dt.date(2028, 8, 20)},
        "Under contract without a break for 2.5 years, and agreed to 20 August 2028.",
    ),
    ({"lacks": "tests", "tests_missed": "frequency"}, "It did not order in every quarter since its first order."),
    ({"lacks": "tests", "tests_missed": "volume"}, "It is not class A by value."),
    ({"lacks": "tests", "tests_missed": "margin"}, "It earns 10.0% of its revenue as margin, less than the 30.0% of all accounts."),
    (
        {"lacks": "tests", "tests_missed": "influence"},
        "It brings 0.10% of the value of all accounts; influence asks for 1%, a referral or a high rating.",
    ),
    ({"revenue_before": 200.0}, "Bought 50% less than in the window before."),
    ({"revenue_before": 0.0}, "Bought nothing in the window before."),
    ({"invested": 5e6, "margin_after_spend": 2.1e6}, "5.0 million were spent on it in three years, more than the 2.1 million it has earned since."),
    ({"criteria_met": "innovation", "innovation_score": 3.0, "least_rating": 3.0}, "Rated 3.0 of 5 for innovation."),
    ({"gates_failed": "recurring", "largest_order_share": 0.4, "most_of_one_order": 0.3}, "One order is 40% of what it ordered in three years."),
    ({"criteria_met": "contract"}, "Ordered in every quarter and in two years running; the book has no contracts."),
    ({"criteria_met": "strategic"}, "Named a strategic project account."),
    ({"criteria_met": "reputation", "reputation_score": 4.5}, "Rated 4.5 of 5 for reputation."),
    ({"criteria_met": "reputation", "references_made": 2.0}, "Referred other accounts: 2."),
    ({"criteria_met": "innovation", "innovation_score": 4.0}, "Rated 4.0 of 5 for innovation."),
    ({"criteria_met": "innovation", "new_products": 1.0}, "New products taken up soon after launch: 1."),
    ({"criteria_met": "market", "market_score": 5.0}, "Rated 5.0 of 5 for growth."),
    ({"revenue_before": 50.0}, "Bought 100% more than in the window before."),
    ({"criteria_met": "market", "annual_potential": 1e6 + 100}, "Its potential is 1.0 million a year above what it buys here."),
    ({"gates_failed": "fit", "fit_score": 2.0}, "Rated 2.0 of 5 for product fit, which is too low."),
    ({"gates_failed": "centralised", "centralised_share": 0.2}, "Only 20% of its spend goes through its largest buying centre."),
    ({"gates_failed": "recurring", "largest_order_share": 0.9}, "One order is 90% of what it ordered in three years."),
    ({"gates_failed": "recurring"}, "Months with an order in three years: 3."),
]  # fmt: skip


@pytest.mark.parametrize(("values", "told"), EVIDENCE, ids=[e[1][:40] for e in EVIDENCE])
def test_each_piece_of_evidence_is_a_whole_sentence(values, told):
    assert segmentation_tables._sentences(_row(**values)) == [told]


@pytest.mark.parametrize("code", REASONS)
def test_each_reason_is_a_whole_sentence(much, code):
    rows = findings.segmentation_accounts(_set(much, reason=code))
    assert rows["reason"].str.endswith(".").all()
    assert (rows["reason_code"] == code).all()


@pytest.mark.parametrize(
    ("lacks", "told"),
    [
        (
            "class, tests",
            "It is not large enough. It meets one of the 4 tests that can be told, too few.",
        ),
        ("criteria", "It meets none of the five criteria."),
        ("gates", "It fails a gate."),
        ("", "Larger accounts take the 50 places."),
    ],
)
def test_an_account_that_fails_is_told_what_it_lacks(much, lacks, told):
    rows = findings.segmentation_accounts(_set(much, reason="failed_once", lacks=lacks, tests_met=1, tests_known=4))
    assert rows["reason"].iloc[0].endswith(told)


def test_every_sentence_of_the_catalogue_is_said_by_some_case(much, monkeypatch):
    said = set()

    def record(key, **values):
        said.add(key)
        return sentences.say(key, **values)

    for module in (spread, key_accounts, markets, migration, segmentation_tables):
        monkeypatch.setattr(module, "say", record)
    for say_it, change, _ in CASES:
        say_it(change(much))
    for values, _ in EVIDENCE:
        segmentation_tables._sentences(_row(**values))
    for code in REASONS:
        for lacks in ("class, tests, criteria, gates", ""):
            findings.segmentation_accounts(_set(much, reason=code, lacks=lacks))
    findings.segmentation_concentration(much)
    left = {key for key in sentence_keys() if key.startswith("segmentation.")} - said
    assert not left


# Gates


def test_a_stale_book_is_read_with_caution(much):
    stale = dataclasses.replace(much, last_order=much.as_of - dt.timedelta(days=46))
    assert spread.abc_classes(stale).verdict == "caution"
    assert (
        spread.abc_classes(dataclasses.replace(much, last_order=much.as_of - dt.timedelta(days=45))).verdict == "usable"
    )


def test_few_accounts_are_read_with_caution(little):
    assert spread.concentration(little).verdict == "caution"
    assert "below 20 read this with care" in spread.concentration(little).reason


def test_without_an_order_nothing_is_concluded(none):
    verdicts = {spread.concentration(none).verdict, spread.abc_classes(none).verdict, spread.long_tail(none).verdict}
    assert verdicts == {"no conclusion"}


def test_a_recomputed_record_says_so(much):
    assert "today's method would have said then" in migration.class_record(much).reason
    assert migration.class_record(dataclasses.replace(much, has_said=True)).verdict == "usable"


@pytest.mark.parametrize(
    ("roster", "verdict"), [("book", "usable"), ("report", "usable"), ("replay", "caution"), ("inherited", "caution")]
)
def test_changes_against_a_replayed_roster_are_read_with_caution(much, roster, verdict):
    assert key_accounts.key_account_changes(dataclasses.replace(much, roster=roster)).verdict == verdict


@pytest.mark.parametrize("say_it", [migration.class_moves, migration.class_record])
def test_windows_of_different_length_are_not_compared(much, say_it):
    assert say_it(dataclasses.replace(much, covered_then=11)).verdict == "no conclusion"


def test_what_is_lost_in_a_short_window_is_not_scaled_to_a_year(much):
    lost = sentences.money(much.tail.largest["revenue_lost"].iloc[0])
    short = spread.largest_accounts(dataclasses.replace(much, covered_months=1))
    assert f"over one month would have been {lost} less" in short.sentence and short.verdict == "caution"


def test_days_of_other_windows_are_not_compared_in_serialisation(much):
    fewer = dataclasses.replace(_serialised(0.9, 0.6)(much), serialisation=much.serialisation.tail(2))
    assert "with nothing to compare" in spread.loyalty_notes(fewer)[1]


def test_the_groups_of_the_first_sentence_add_up(any_result):
    assert sum(migration.parts(any_result.accounts).values()) == len(any_result.accounts)


def test_the_moves_told_add_up_to_the_moves(any_result):
    known = any_result.accounts[~any_result.accounts["is_new"]]
    assert any_result.crossing.to_numpy().sum() == len(known)
    assert ((known["previous"] != known["abc"]) == (known["cause"] != "")).all()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 120), st.integers(0, 60), st.integers(1, 80))
def test_more_key_accounts_than_the_cap_is_never_called_within_it(much, keys, waiting, cap):
    note = key_accounts.cap_note(_keys(keys, waiting=waiting)(dataclasses.replace(much, cap=cap)))
    assert ("more than the declared cap" in note) == (keys > cap)


# Tables


def test_the_table_of_accounts_has_what_the_next_report_and_the_reader_need(much):
    rows = findings.segmentation_accounts(much)
    wanted = "class previous_class borderline_share rfm segment loyalty loyalty_basis criteria_met evidence stage decision reason"
    assert set(wanted.split()) <= set(rows.columns)
    assert len(rows) == len(much.accounts) == rows["account_id"].nunique()
    assert rows["value"].is_monotonic_decreasing


def test_the_next_report_reads_what_this_one_wrote(much, tmp_path):
    (tmp_path / "tables").mkdir()
    findings.segmentation_accounts(much).to_parquet(tmp_path / "tables" / "accounts.parquet")
    said = segmentation.read_said(tmp_path, much.basis, much.as_of)
    assert said["abc"].sort_index().tolist() == much.accounts["abc"].sort_index().tolist()
    assert segmentation.read_said("", much.basis, much.as_of) is None


def test_changes_come_as_promotions_then_demotions_then_reviews(much):
    rows = findings.segmentation_changes(findings.segmentation_accounts(much))
    order = ["promote", "demote", "review"]
    assert rows["decision"].map(order.index).is_monotonic_increasing


@pytest.mark.parametrize("columns", ["KEY_COLUMNS", "LARGE_COLUMNS"])
def test_the_columns_shown_are_there(any_result, columns):
    assert set(getattr(findings, columns)) <= set(findings.segmentation_accounts(any_result).columns)


@pytest.mark.parametrize("basis", ["margin", "revenue"])
def test_a_class_says_what_it_is_by_wherever_it_stands(any_result, basis):
    result = dataclasses.replace(any_result, basis=basis)
    accounts = findings.segmentation_accounts(result)
    assert set(findings.change_columns(result)) <= set(findings.segmentation_changes(accounts).columns)
    assert set(findings.move_columns(result)) <= set(findings.segmentation_moves(accounts).columns)
    assert f"class_by_{basis}" in findings.segmentation_classes(result)


def test_a_silent_account_is_not_called_stable(much):
    rows = findings.segmentation_accounts(_set(much, stage="stable", is_silent=True))
    assert set(rows["stage"]) == {"silent"}


@pytest.mark.parametrize(
    "table",
    [
        findings.segmentation_agreement,
        findings.segmentation_concentration,
        findings.segmentation_lookalikes,
        findings.segmentation_payback,
        findings.segmentation_rules,
        findings.segmentation_scores,
        findings.segmentation_vips,
    ],
    ids=lambda f: f.__name__,
)
def test_every_table_is_made_of_any_book(any_result, table):
    assert isinstance(table(any_result), pd.DataFrame)


@pytest.mark.parametrize(("gain", "by"), [(0.1, "likeness"), (-0.1, "annual_potential")])
def test_prospects_never_ordered_and_stand_by_what_tells_most(much, gain, by):
    rows = findings.segmentation_lookalikes(_like(0.7, 0.9, gain)(much))
    shown = much.accounts.loc[rows["account_id"]]
    assert len(rows) and (shown["orders_ever"] == 0).all()
    assert not (shown["is_key"] | shown["was_key"] | shown["is_official"]).any()
    assert rows[by].is_monotonic_decreasing


def test_scores_raters_disagree_on_are_shown_not_to_count(much):
    criteria = much.card.criteria
    card = dataclasses.replace(much.card, disputed=criteria[:1])
    rows = findings.segmentation_agreement(dataclasses.replace(much, card=card)).set_index("criterion")
    assert rows.loc[list(criteria), "counts"].tolist() == [False] + [True] * (len(criteria) - 1)
    assert pd.isna(rows.loc["all", "counts"])


def test_the_rule_book_shows_the_numbers_behind_the_scores(much):
    rows = findings.segmentation_rules(much).set_index("rfm_segment")
    assert rows.loc["champion", ["days_at_most", "months_at_least"]].tolist() == [60, 7]
    assert rows.loc["dormant", ["months_at_least", "revenue_at_least"]].tolist() == [0, 0]


def test_predictions_are_about_accounts_that_bought(much):
    rows = findings.account_predictions(much)
    assert len(rows) == much.accounts["has_bought"].sum()
    assert rows["lower"].le(rows["value"]).all() and rows["value"].le(rows["upper"]).all()
