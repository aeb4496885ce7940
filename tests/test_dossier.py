"""One account on one page: its own numbers, its sentences in every branch, and nothing of another account."""

import json
import re
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from payloads import PAYLOADS
from test_plurals import _faults

from kamlib import open_book
from kamlib.errors import RequestError
from kamlib.reports import figures, findings, sentences
from kamlib.reports.sentences import keys, say
from kamlib.studies import dossier, dues
from kamlib.studies.actions import Names
from kamlib.studies.dossier.published import Published, read_published
from kamlib.studies.dossier.white_space import WhiteSpace

from books import small_frames, write_folder

AS_OF, PERIOD = "2026-09-30", "2026-Q3"
SENTENCES = (
    findings.account_next,
    findings.account_trade,
    findings.account_rhythm,
    findings.account_space,
    findings.account_place,
    findings.account_risk,
    findings.account_care,
    findings.account_complaints,
    findings.account_contract,
)


def _measure(frames, folder, account="0001", **more):
    with open_book(write_folder(frames, folder), as_of=AS_OF) as book:
        return dossier.measure(book, account, PERIOD, **more)


def _bought(*rows, accounts=("0001",)) -> dict:
    """A book of two tables: (account, day, revenue, cost)."""
    columns = ["account_id", "order_date", "revenue", "cost"]
    orders = pd.DataFrame(rows, columns=columns).assign(line_no=1, product_id=None)
    orders["order_id"] = [f"S{i}" for i in range(len(orders))]
    orders["order_date"] = pd.to_datetime(orders["order_date"])
    return {
        "accounts": pd.DataFrame({"account_id": list(accounts), "name": [f"Firm {a}" for a in accounts]}),
        "orders": orders,
    }


YEARS = [("0001", "2025-08-01", 100.0, 60.0), ("0001", "2024-10-05", 50.0, 30.0), ("0001", "2026-07-10", 300.0, 150.0)]


def test_revenue_and_margin_stand_beside_the_same_days_a_year_before(tmp_path):
    sales = _measure(_bought(*YEARS), tmp_path / "book").sales.set_index("span")
    assert sales.loc["period", ["revenue", "margin", "revenue_previous", "margin_previous"]].tolist() == [
        300,
        150,
        100,
        40,
    ]
    assert sales.loc["year", ["revenue", "revenue_previous"]].tolist() == [300, 150]


def test_what_a_year_before_was_is_missing_where_the_book_does_not_reach_back(tmp_path):
    sales = _measure(_bought(*YEARS[2:]), tmp_path / "book").sales
    assert sales["revenue_previous"].isna().all()


def test_the_margin_is_missing_where_no_cost_is_known(tmp_path):
    result = _measure(_bought(("0001", "2026-07-10", 300.0, None)), tmp_path / "book")
    assert result.sales["margin"].isna().all()
    assert findings.account_margin(result) == say("dossier.margin_unknown")


def test_the_next_order_is_expected_one_usual_gap_after_the_last(tmp_path):
    days = ["2026-05-01", "2026-05-31", "2026-06-30", "2026-07-30", "2026-08-29"]
    rhythm = _measure(_bought(*[("0001", day, 10.0, 5.0) for day in days]), tmp_path / "book").rhythm
    assert (rhythm["gap_median_days"], rhythm["expected_on"]) == (30, pd.Timestamp("2026-09-28"))
    assert (rhythm["recency_days"], rhythm["late_on"]) == (32, pd.Timestamp("2026-09-28"))


def test_a_category_that_most_similar_accounts_buy_is_white_space(tmp_path):
    accounts = [f"{i:04d}" for i in range(1, 9)]
    frames = _bought(*[(a, "2026-07-10", 100.0, 50.0) for a in accounts], accounts=accounts)
    more = frames["orders"].iloc[1:7].assign(product_id="P2", line_no=2)
    frames["orders"] = pd.concat([frames["orders"].assign(product_id="P1"), more])
    frames["accounts"]["industry"] = "food"
    frames["products"] = pd.DataFrame({"product_id": ["P1", "P2"], "name": ["Tape", "Film"], "category": ["A", "B"]})
    found = _measure(frames, tmp_path / "book").white_space
    row = found.categories.set_index("category").loc["B"]
    assert (found.similar, row["similar_share"], row["is_white_space"]) == (7, pytest.approx(6 / 7), True)
    assert row["year_estimate"] == pytest.approx(50.0)


def test_an_account_that_is_not_there_is_refused_with_a_suggestion(tmp_path):
    says = "book 'Small book' has no account '001' as of 2026-09-30 among the 1 of its scope; did you mean '0001'?"
    with pytest.raises(RequestError, match=re.escape(says)):
        _measure(_bought(*YEARS), tmp_path / "book", "001")


def test_a_period_that_has_not_begun_is_refused(tmp_path):
    book = open_book(write_folder(_bought(*YEARS), tmp_path / "book"), as_of=AS_OF)
    with pytest.raises(RequestError, match="period 2026-Q4 begins after 2026-09-30"):
        dossier.measure(book, "0001", "2026-Q4")


def _everything(result) -> str:
    said = [f(result).to_dict() for f in SENTENCES[1:]] + [findings.account_next(result, 90).to_dict()]
    shown = [findings.account_card(result), findings.account_story(result), findings.account_to_do(result)]
    shown += [findings.account_sales(result), findings.account_people(result), result.products, result.months]
    return json.dumps(said) + "".join(frame.to_csv() for frame in shown) + result.white_space.categories.to_csv()


@settings(max_examples=5)
@given(st.integers(0, 1000))
def test_rows_in_another_order_and_rows_after_the_day_change_nothing(tmp_path_factory, seed):
    frames = small_frames(seed, accounts=7)
    shuffled = {name: frame.sample(frac=1, random_state=seed) for name, frame in frames.items()}
    later = frames["orders"].head(1).assign(order_id="later", order_date=pd.Timestamp("2026-10-01"))
    shuffled["orders"] = pd.concat([later, shuffled["orders"]])
    later = frames["visits"].head(1).assign(visit_id="later", visit_date=pd.Timestamp("2026-10-01"))
    shuffled["visits"] = pd.concat([later, shuffled["visits"]])
    folder = tmp_path_factory.mktemp("book")
    assert _everything(_measure(frames, folder / "a")) == _everything(_measure(shuffled, folder / "b"))


def test_money_times_ten_is_ten_times_the_money(tmp_path):
    frames = small_frames(3, accounts=7)
    ten = frames | {
        "orders": frames["orders"].assign(revenue=frames["orders"].revenue * 10, cost=frames["orders"].cost * 10)
    }
    one, other = _measure(frames, tmp_path / "a"), _measure(ten, tmp_path / "b")
    money = ["revenue", "margin", "revenue_previous", "margin_previous"]
    pd.testing.assert_frame_equal(one.sales[money] * 10, other.sales[money])
    pd.testing.assert_series_equal(
        one.white_space.categories["year_estimate"] * 10, other.white_space.categories["year_estimate"]
    )


def test_nothing_of_another_account_but_shares_and_its_parent_is_in_the_file(tmp_path):
    frames = small_frames(0)
    result = _measure(frames, tmp_path / "book", "0003")
    assert set(result.file.lines["account_id"]) <= {"0003"}
    assert all(set(rows["account_id"]) <= {"0003"} for rows in result.file.tables.values())


def test_names_of_contacts_are_there_only_when_asked_for(tmp_path):
    frames = small_frames(0)
    assert "contact_name" not in findings.account_people(_measure(frames, tmp_path / "a"))
    assert "contact_name" in findings.account_people(_measure(frames, tmp_path / "b", with_personal=True))


@pytest.mark.parametrize("lacking", ["visits", "contacts", "contracts", "cases", "surveys", "products", "deliveries"])
def test_a_table_that_is_not_there_is_named_and_nothing_fails(tmp_path, lacking):
    frames = {name: frame for name, frame in small_frames(0).items() if name != lacking}
    result = _measure(frames, tmp_path / "book")
    assert _everything(result)
    absent = [key for key in keys() if key.startswith("dossier.") and key.endswith("_absent")]
    about = {"visits": "care", "contracts": "contract", "cases": "complaints", "contacts": "contacts"}.get(lacking)
    said = _everything(result) + " ".join(findings.account_gaps(result))
    for key in absent:
        topic = key.removeprefix("dossier.").removesuffix("_absent")
        assert (say(key) in said) == (topic == about or topic in {"risk", "place"})


def test_a_book_of_two_tables_and_one_account_makes_a_whole_page(tmp_path):
    result = _measure(_bought(("0001", "2026-07-10", -5.0, None)), tmp_path / "book")
    assert _everything(result)
    assert figures.draw_account_months(result).get_title(loc="left")


def test_hostile_names_pass_through_every_sentence_as_text(tmp_path):
    frames = small_frames(0)
    frames["accounts"]["name"] = PAYLOADS[: len(frames["accounts"])]
    result = _measure(frames, tmp_path / "book")
    assert findings.account_trade(result).sentence.count(result.card["name"]) == 1


def _published(folder, study, frame, as_of=AS_OF, scope=None):
    (folder / study / "tables").mkdir(parents=True)
    frame.to_parquet(folder / study / "tables" / "accounts.parquet")
    manifest = {"as_of": as_of, "parameters": {"scope": scope or {}}}
    (folder / study / "manifest.json").write_text(json.dumps(manifest))
    (folder / study / "findings.json").write_text("[]")


CLASSES = pd.DataFrame(
    {"account_id": ["0001", "0002"], "abc": ["B", "A"], "value": [10.0, 90.0], "decision": ["keep", "keep"]}
)


def test_class_and_rank_are_taken_from_the_report_of_the_period(tmp_path):
    _published(tmp_path / "q", "segmentation", CLASSES)
    result = _measure(_bought(*YEARS), tmp_path / "book", tables=str(tmp_path / "q"))
    said = (
        "Firm 0001 is in class B and takes place 2 of 2 by 10 of value, as the segmentation report of this period says."
    )
    assert findings.account_place(result).sentence == said


def test_a_report_of_another_scope_gives_no_rank(tmp_path):
    _published(tmp_path / "q", "segmentation", CLASSES, scope={"region": "North"})
    said = read_published(str(tmp_path / "q"), "segmentation", "0001", pd.Timestamp(AS_OF).date(), {}, by="value")
    assert (said.get("abc"), said.place) == ("B", None)


def test_a_report_made_as_of_another_day_is_not_repeated(tmp_path):
    _published(tmp_path / "q", "segmentation", CLASSES, as_of="2026-09-15")
    result = _measure(_bought(*YEARS), tmp_path / "book", tables=str(tmp_path / "q"))
    assert findings.account_place(result).sentence == say("dossier.place_other_day")


def _said(**changed):
    """A dossier with some fields replaced, for the branches of its sentences."""
    sales = pd.DataFrame({"span": ["period", "year"], "revenue": [10.0, 100.0], "revenue_previous": [8.0, 80.0]})
    sales = sales.assign(margin=20.0, margin_previous=10.0, orders=5.0, order_days=5.0, order_days_previous=5.0)
    rhythm = {"order_days": 9, "recency_days": 10.0, "gap_median_days": 20.0, "gap_long_days": 30.0, "late_gaps": 0.5}
    rhythm |= {"last_order": pd.Timestamp("2026-09-20"), "late_on": pd.Timestamp("2026-10-20")}
    fields = {
        "account_id": "0001",
        "as_of": pd.Timestamp(AS_OF),
        "card": {"name": "Firm"},
        "names": Names(pd.Series({"0001": "Firm"}), pd.Series(dtype="str")),
        "sales": sales,
        "rhythm": rhythm | {"expected_on": pd.Timestamp("2026-10-10")},
        "last_entry": pd.Timestamp(AS_OF),
        "churn": Published("churn", {}),
        "segmentation": Published("segmentation", {}),
        "has": frozenset({"visits", "cases", "contracts"}),
        "rules": {"contract_notice_days": 90, "referral_satisfaction": 9},
    }
    return SimpleNamespace(**{**fields, **changed})


@pytest.mark.parametrize(
    ("now", "before", "branch"),
    [(100, 80, "up"), (60, 80, "down"), (80, 80, "same"), (80, float("nan"), "new"), (0, 80, "stopped"), (0, 0, "none"), (-5, 80, "returns")],
)  # fmt: skip
def test_trade_speaks_in_the_right_direction(now, before, branch):
    sales = _said().sales.assign(revenue=[1.0, float(now)], revenue_previous=[1.0, before])
    values = {"name": "Firm", "as_of": pd.Timestamp(AS_OF), "revenue": now, "before": before, "period": 1}
    change = abs(now / before - 1) if before > 0 else 0
    expected = say(f"dossier.trade_{branch}", change=change, **values)
    assert findings.account_trade(_said(sales=sales)).sentence == expected


def test_few_purchases_and_an_old_book_call_for_caution():
    sales = _said().sales.assign(order_days=1.0, order_days_previous=1.0)
    found = findings.account_trade(_said(sales=sales, last_entry=pd.Timestamp("2026-06-30")))
    assert found.verdict == "caution"
    assert found.reason == f"{say('findings.stale', days=92)} {say('dossier.trade_few', days=2)}"


@pytest.mark.parametrize(
    ("changed", "branch", "verdict"),
    [
        ({"order_days": 0}, "never", "no conclusion"),
        ({"expected_on": pd.NaT}, "short", "no conclusion"),
        ({"expected_on": pd.Timestamp("2026-09-30")}, "time", "usable"),
        ({"expected_on": pd.Timestamp("2026-09-29")}, "soon", "usable"),
        ({"late_on": pd.Timestamp("2026-09-29")}, "late", "usable"),
    ],
)
def test_rhythm_says_whether_an_order_is_late(changed, branch, verdict):
    rhythm = _said().rhythm | changed
    found = findings.account_rhythm(_said(rhythm=rhythm))
    values = {"name": "Firm", "last": rhythm["last_order"], "days": 9, "gap": 20.0, "long": 30.0}
    values |= {"expected": rhythm["expected_on"], "late": rhythm["late_on"]}
    assert (found.sentence, found.verdict) == (say(f"dossier.rhythm_{branch}", **values), verdict)


@pytest.mark.parametrize("reason", ["no_category", "no_industry", "no_purchases", "few"])
def test_white_space_that_cannot_be_told_is_no_conclusion(reason):
    found = findings.account_space(_said(white_space=WhiteSpace(pd.DataFrame(), 3, reason)))
    assert (found.sentence, found.verdict) == (say(f"dossier.space_{reason}", similar=3), "no conclusion")


@pytest.mark.parametrize(("n", "branch"), [(0, "none"), (1, "one"), (2, "some")])
def test_white_space_counts_the_categories(n, branch):
    rows = pd.DataFrame({"category": ["A", "B"], "year_estimate": [5.0, 4.0], "is_white_space": [n > 0, n > 1]})
    found = findings.account_space(_said(white_space=WhiteSpace(rows, 30, "")))
    assert found.sentence == say(f"dossier.space_{branch}", n=n, similar=30, category="A", estimate=5.0)


@pytest.mark.parametrize(
    ("last", "branch", "decision"), [("2026-08-31", "kept", ""), ("2026-08-29", "late", "care_decision"), (None, "never", "care_decision")]
)  # fmt: skip
def test_care_compares_the_last_contact_with_the_rule(last, branch, decision):
    last = pd.Timestamp(last) if last else pd.NaT
    found = findings.account_care(_said(contacted={"last": last, "allowed_days": 31, "contacts": 4}))
    assert found.sentence == say(f"dossier.care_{branch}", last=last, allowed=31, contacts=4)
    assert found.decision == (say(f"dossier.{decision}") if decision else "")


def test_an_account_that_stopped_buying_has_no_rule_of_contact():
    last = pd.Timestamp("2026-01-05")
    found = findings.account_care(_said(contacted={"last": last, "allowed_days": float("nan"), "contacts": 4}))
    assert found.sentence == say("dossier.care_lapsed", last=last, contacts=4)
    assert found.decision == say("dossier.care_decision_lapsed")


@pytest.mark.parametrize(
    ("cases", "branch"),
    [
        ([], "none"),
        ([("2026-08-01", "2026-08-05")], "closed"),
        ([("2026-08-01", None)], "open_one"),
        ([("2026-08-01", None), ("2026-09-01", None)], "open"),
    ],
)
def test_complaints_are_counted_open_and_raised(cases, branch):
    frame = pd.DataFrame(cases, columns=["opened_on", "closed_on"]).astype("datetime64[s]")
    found = findings.account_complaints(_said(file=SimpleNamespace(rows=lambda name: frame)))
    values = {"open": len(cases), "oldest": pd.Timestamp("2026-08-01"), "year": len(cases)}
    assert found.sentence == say(f"dossier.complaints_{branch}", **values)


@pytest.mark.parametrize(
    ("ends", "branch", "acts"),
    [("2027-06-30", "runs", False), ("2026-11-30", "ending", True), ("2026-08-31", "ended", True), ("2024-08-31", "ended", False)],
)  # fmt: skip
def test_the_contract_says_when_talks_are_due(ends, branch, acts):
    ends = pd.Timestamp(ends)
    rows = pd.DataFrame({"contract_id": ["K1"], "ends_on": [ends]})
    found = findings.account_contract(_said(file=SimpleNamespace(rows=lambda name: rows)))
    days = (ends - pd.Timestamp(AS_OF)).days
    assert found.sentence == say(f"dossier.contract_{branch}", contract="K1", ends=ends, days=days)
    assert bool(found.decision) == acts


@pytest.mark.parametrize(
    ("row", "branch"),
    [
        ({"risk": 0.2, "risk_low": 0.1, "risk_high": 0.3, "window_days": 90}, "judged"),
        ({"risk": 0.2}, "judged_alone"),
        ({"risk": None, "status": "silent"}, "silent"),
        ({"risk": None, "status": "off_season"}, "off_season"),
        ({"risk": float("nan")}, "unjudged"),
    ],
)
def test_the_risk_is_repeated_as_the_churn_report_says_it(row, branch):
    found = findings.account_risk(_said(churn=Published("churn", row)))
    values = {"name": "Firm", "risk": 0.2, "low": 0.1, "high": 0.3, "horizon": 90}
    assert found.sentence == say(f"dossier.risk_{branch}", **values)


@pytest.mark.parametrize("verdict", ["usable", "caution", "no conclusion"])
def test_the_risk_of_one_account_is_worth_what_the_report_says_of_all(verdict):
    of_all = {"verdict": verdict, "reason": "" if verdict == "usable" else "Few fell silent."}
    said = Published("churn", {"risk": 0.2}, findings={"churn.value_at_risk": of_all})
    found = findings.account_risk(_said(churn=said))
    assert (found.verdict, found.reason) == (verdict, of_all["reason"])


@pytest.mark.parametrize("reason", ["absent", "other_day", "no_row"])
def test_a_report_that_is_not_there_is_said_in_one_sentence(reason):
    assert findings.account_risk(_said(churn=Published("churn", reason=reason))).sentence == say(
        f"dossier.risk_{reason}"
    )
    said = findings.account_place(_said(segmentation=Published("segmentation", reason=reason)))
    assert (said.sentence, said.verdict) == (say(f"dossier.place_{reason}"), "no conclusion")


@pytest.mark.parametrize("decision", ["promote", "demote", "review"])
def test_what_the_segmentation_proposes_is_the_decision(decision):
    row = {"abc": "A", "value": 9.0, "decision": decision, "reason": "Because."}
    found = findings.account_place(_said(segmentation=Published("segmentation", row, 1, 9)))
    assert found.decision == say(f"dossier.place_decision_{decision}", reason="Because.")


def test_next_says_what_comes_first_and_how_much_is_late():
    one = pd.DataFrame({"account_id": ["0001"], "manager_id": ["M01"]})
    as_of = pd.Timestamp(AS_OF)
    parts = [dues.rows("order_late", one, as_of - pd.Timedelta(days=1), as_of, count=5)]
    actions = dues.gather(parts, as_of, as_of + pd.Timedelta(days=90))
    found = findings.account_next(_said(actions=actions), 90)
    assert found.sentence == say("dossier.next_overdue", n=1, horizon=90, late=1, first="Ask Firm about its next order")
    ahead = actions.assign(days_overdue=0)
    assert "First, on 29 September 2026: Ask" in findings.account_next(_said(actions=ahead), 90).sentence
    assert findings.account_next(_said(actions=actions.head(0)), 90).sentence == say("dossier.next_none", horizon=90)


@pytest.mark.parametrize("topic", ["dossier", "visit_brief", "weekly"])
def test_the_sentences_agree_with_a_count_of_one(topic):
    catalogue = sentences._catalogue(sentences.DEFAULT_LANGUAGE)
    assert _faults({key: text for key, text in catalogue.items() if key.split(".")[0] == topic}) == {}


def test_an_account_that_bought_nothing_has_no_margin_and_needs_no_purchases_to_say_so(tmp_path):
    result = _measure(_bought(("0001", "2023-07-10", 300.0, 100.0)), tmp_path / "book")
    assert findings.account_margin(result) == say("dossier.margin_nothing")
    assert "Few purchases" not in findings.account_trade(result).reason
    assert [tick for tick in figures.draw_account_months(result).get_yticks()] == [0]


def test_a_small_risk_is_not_told_as_none():
    row = {"risk": 0.001, "risk_low": 0.0, "risk_high": 0.004, "window_days": 90.0}
    found = findings.account_risk(_said(churn=Published("churn", row)))
    assert "with a probability below 1%" in found.sentence


def test_reasons_that_say_nothing_are_left_out():
    assert findings.account_reasons(_said(churn=Published("churn", {"why": say("churn.reason_none")}))) == []


def test_an_account_without_value_has_a_class_and_no_place():
    row = {"abc": "C", "value": 0.0}
    sentence = findings.account_place(_said(segmentation=Published("segmentation", row, 218, 300))).sentence
    assert "class C, without any value" in sentence and "218" not in sentence
