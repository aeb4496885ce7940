"""The visit brief: what hurts comes first, and every question and limit has its reason."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from kamlib import open_book
from kamlib.reports import findings
from kamlib.reports.sentences import say
from kamlib.studies import dossier, dues
from kamlib.studies.dossier.published import Published

from books import small_frames, write_folder

AS_OF = pd.Timestamp("2026-09-30")
DAY = pd.Timestamp("2026-09-01")
COLUMNS = {
    "opportunities": ["opportunity_id", "opened_on", "stage"],
    "surveys": ["survey_id", "surveyed_on", "satisfaction", "wallet_share", "main_competitor"],
    "cases": ["case_id", "opened_on", "closed_on"],
    "contacts": ["contact_id", "level"],
    "contracts": ["contract_id", "ends_on"],
}


def _said(kinds=(), late=None, **tables):
    """A dossier with these things due and these rows in its tables."""
    one = pd.DataFrame({"account_id": ["0001"], "manager_id": ["M1"]})
    parts = [dues.rows(kind, one, DAY, DAY, "K1", 3.0) for kind in kinds]
    frames = {name: pd.DataFrame(tables.get(name, []), columns=columns) for name, columns in COLUMNS.items()}
    for name, column in (("cases", "closed_on"), ("contracts", "ends_on"), ("cases", "opened_on")):
        frames[name][column] = frames[name][column].astype("datetime64[s]")
    year = {"span": "year", "revenue": 100.0, "revenue_previous": 100.0, "margin": 30.0, "margin_previous": 30.0}
    year |= {"orders": 9.0, "order_days": 9.0, "order_days_previous": 9.0}
    card = {"name": "Firm", "manager_id": "M1", "manager": "Lin", "annual_potential": 5.0, "is_official": False}
    return SimpleNamespace(
        account_id="0001",
        as_of=AS_OF,
        card=card | tables.get("card", {}),
        actions=dues.gather(parts, AS_OF, AS_OF),
        file=SimpleNamespace(late=late, rows=frames.__getitem__),
        white_space=SimpleNamespace(categories=pd.DataFrame({"category": ["A"], "is_white_space": [False]})),
        segmentation=tables.get("segmentation", Published("segmentation", reason="absent")),
        sales=pd.DataFrame([year | tables.get("year", {}), year | {"span": "period"}]),
        last_entry=AS_OF,
        has={"contacts", "contracts"},
        rules={"referral_satisfaction": 9},
    )


def _late(*delivered) -> pd.DataFrame:
    frame = pd.DataFrame({"promised_on": DAY, "delivered_on": pd.to_datetime(list(delivered))})
    return frame.assign(days_late=(frame["delivered_on"].fillna(AS_OF) - DAY).dt.days)


def test_the_agenda_begins_with_what_hurts_and_ends_with_what_we_want():
    result = _said(["offer", "renewal", "order_late", "complaint", "contact"])
    topics = findings.visit_agenda(result)["topic"].tolist()
    expected = [("complaint", {"detail": "K1"}), ("order_late", {})]
    expected += [("renewal", {"detail": "K1", "since": DAY}), ("offer", {"detail": "K1"})]
    assert topics == [say(f"visit_brief.agenda_{kind}", **values) for kind, values in expected]


def test_overdue_deliveries_open_deals_and_a_low_score_are_topics():
    deals = [("O1", DAY, "open"), ("O2", DAY, "won")]
    result = _said(late=_late(None), opportunities=deals, surveys=[("S1", DAY, 4.0, 0.5, None)])
    topics = findings.visit_agenda(result)["topic"].tolist()
    expected = [say("visit_brief.agenda_delivery"), say("visit_brief.agenda_unhappy", count=4)]
    assert topics == [*expected, say("visit_brief.agenda_deal", detail="O1")]


@pytest.mark.parametrize(
    ("revenue", "kinds", "fallen"),
    [(95.0, [], None), (60.0, [], 0.4), (60.0, ["order_late"], 0.4), (0.0, [], 1.0), (0.0, ["order_late"], None)],
)
def test_a_fall_of_revenue_is_a_topic_unless_the_missing_order_says_so_already(revenue, kinds, fallen):
    agenda = findings.visit_agenda(_said(kinds, year={"revenue": revenue}))["agenda_purpose"].tolist()
    assert agenda[len(kinds) :] == ([say("visit_brief.agenda_fallen_purpose", count=fallen)] if fallen else [])


@pytest.mark.parametrize(("kinds", "branch"), [([], "none"), (["complaint"], "one"), (["complaint", "offer"], "")])
def test_the_headline_counts_the_topics(kinds, branch):
    found = findings.visit_purpose(_said(kinds))
    key = f"visit_brief.headline_{branch}" if branch else "visit_brief.headline"
    assert found.sentence == say(key, n=len(kinds), name="Firm", first="The complaint K1")
    assert bool(found.decision) == bool(kinds)


def test_every_topic_has_its_purpose():
    kinds = [kind for kind in findings.visit_brief.AGENDA]
    agenda = findings.visit_agenda(_said(kinds))
    assert len(agenda) == len(kinds)
    assert agenda["agenda_purpose"].str.endswith(".").all()


def test_what_the_account_said_of_us_is_told_and_only_that():
    facts = findings.visit_facts(_said(surveys=[("S1", DAY, 8.0, 0.5, None)]))
    assert facts == [
        say("visit_brief.fact_satisfaction", satisfaction=8.0, day=DAY),
        say("visit_brief.fact_wallet", share=0.5, day=DAY),
    ]
    assert findings.visit_facts(_said()) == [say("visit_brief.fact_none")]


@pytest.mark.parametrize(("place", "key"), [(2, "fact_class"), (None, "fact_class_alone")])
def test_the_class_is_told_with_its_rank_where_there_is_one(place, key):
    said = Published("segmentation", {"abc": "B"}, place, place and 9)
    facts = findings.visit_facts(_said(segmentation=said))
    assert facts[0] == say(f"visit_brief.{key}", class_name="B", place=place, of=9)


def test_promises_on_record_are_told_and_who_knows_the_rest():
    result = _said(late=_late(None, None), cases=[("C1", DAY, None)])
    assert findings.visit_promises(result) == [
        say("visit_brief.promise_case", case="C1", day=DAY),
        say("visit_brief.promise_open", n=2, day=DAY),
        say("visit_brief.promise_unknown", manager="Lin"),
    ]


def test_without_a_manager_nobody_can_be_asked():
    nobody = {"manager": None, "manager_id": None}
    said = findings.visit_promises(_said(card=nobody))
    assert said == [say("visit_brief.promise_none"), say("visit_brief.promise_unknown_nobody")]


@pytest.mark.parametrize(
    ("given", "key", "values"),
    [
        ({"kinds": ["order_late"]}, "ask_late", {}),
        ({}, "ask_wallet", {}),
        ({"surveys": [("S1", DAY, 5.0, 0.5, "Rival")]}, "ask_competitor", {"competitor": "Rival"}),
        ({"card": {"annual_potential": np.nan}}, "ask_potential", {}),
        ({"contacts": [("P1", 4)]}, "ask_thread", {"n": 1}),
        ({"contacts": [("P1", 1), ("P2", 2)]}, "ask_executive", {}),
        ({"surveys": [("S1", DAY, 9.0, 0.5, None)]}, "ask_referral", {"satisfaction": 9.0}),
    ],
)
def test_a_question_follows_from_what_the_file_does_not_know(given, key, values):
    known = _said(contacts=[("P1", 4), ("P2", 2)], surveys=[("S1", DAY, 5.0, 0.5, None)])
    question = say(f"visit_brief.{key}", **values)
    assert question in findings.visit_questions(_said(**given))
    assert findings.visit_questions(known) == [say("visit_brief.ask_plans")]


def test_white_space_becomes_a_question():
    result = _said()
    result.white_space.categories["is_white_space"] = True
    assert say("visit_brief.ask_space", category="A") in findings.visit_questions(result)


ALWAYS = [say("visit_brief.limit_risk"), say("visit_brief.limit_else")]


@pytest.mark.parametrize(
    ("given", "limits"),
    [
        ({}, [("limit_contract_none", {})]),
        ({"contracts": [("K1", AS_OF)]}, [("limit_contract", {"ends": AS_OF})]),
        ({"late": _late("2026-09-05", "2026-09-01")}, [("limit_delivery", {"late": 1, "n": 2}), ("limit_contract_none", {})]),
        ({"cases": [("C1", DAY, None)]}, [("limit_complaint", {}), ("limit_contract_none", {})]),
        ({"year": {"margin": 20.0}}, [("limit_price", {"before": 0.3, "now": 0.2}), ("limit_contract_none", {})]),
        ({"card": {"is_official": True}}, [("limit_contract_none", {}), ("limit_official", {})]),
    ],
)  # fmt: skip
def test_a_limit_follows_from_the_file(given, limits):
    said = [say(f"visit_brief.{key}", **values) for key, values in limits]
    assert findings.visit_limits(_said(**given)) == [*said, *ALWAYS]


def test_the_brief_of_any_account_is_whole(tmp_path):
    frames = small_frames(0)
    with open_book(write_folder(frames, tmp_path / "book"), as_of="2026-09-30") as book:
        for account in frames["accounts"]["account_id"]:
            result = dossier.measure(book, account, "2026-Q3")
            assert findings.visit_purpose(result).sentence
            assert findings.visit_questions(result)
            assert findings.visit_limits(result)[-2:] == ALWAYS
            assert findings.visit_promises(result)
