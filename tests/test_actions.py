"""Actions keep their identity, say who and why, and are looked for in the book a period later."""

import re

import pandas as pd
import pytest

from kamlib import open_book
from kamlib.errors import RequestError
from kamlib.reports import findings, publish
from kamlib.reports.actions import in_words
from kamlib.reports.sentences import keys
from kamlib.studies import actions, dues, follow_up

from books import small_frames, write_folder

ASKED = pd.Timestamp("2026-06-30")
NAMELESS = actions.Names(pd.Series(dtype="str"), pd.Series(dtype="str"))
ONE = pd.DataFrame({"account_id": ["0001"], "manager_id": ["M01"]})
SHOWS = {
    "contact": ("visits", {"visit_id": "V", "visit_date": "2026-08-01", "channel": "call"}),
    "visit": ("visits", {"visit_id": "V", "visit_date": "2026-08-01", "channel": "visit"}),
    "executive": ("visits", {"visit_id": "V", "visit_date": "2026-08-01", "channel": "visit", "level": "executive"}),
    "contract": ("contracts", {"contract_id": "K", "starts_on": "2026-08-01", "ends_on": "2027-08-01"}),
    "order": ("orders", {"order_id": "S", "line_no": 1, "order_date": "2026-08-01", "revenue": 5.0}),
    "survey": ("surveys", {"survey_id": "S", "surveyed_on": "2026-08-01"}),
    "rating": ("ratings", {"rater_id": "r", "criterion": "c", "rated_on": "2026-08-01"}),
    "reference": ("references", {"referred_account_id": "0002", "referred_on": "2026-08-01"}),
    "stock": ("stock", {"product_id": "P1", "counted_on": "2026-08-01", "on_hand": 1.0}),
    "promotion": ("promotions", {"promotion_id": "R", "kind": "rebate", "starts_on": "2026-08-01", "ends_on": "2026-09-01"}),
    "handover": ("assignments", {"from_date": "2026-08-01", "manager_id": "M02"}),
    "investment": ("investments", {"investment_id": "I", "spent_on": "2026-08-01", "kind": "other", "amount": 1.0}),
}  # fmt: skip
MATCHED = {
    "complaint": ("cases", {"opened_on": "2026-06-01", "closed_on": "2026-08-01"}, "case_id"),
    "product": ("orders", {"order_id": "S", "line_no": 1, "order_date": "2026-08-01", "revenue": 5.0}, "product_id"),
    "event": ("events", {"event_id": "E", "event_date": "2026-08-01"}, "kind"),
    "deal": ("opportunities", {"opened_on": "2026-06-01", "closed_on": "2026-08-01", "stage": "won"}, "opportunity_id"),
}
DETAILS = {"complaint": "Q1", "product": "P1", "event": "symposium", "deal": "O1"}


def _rows(kind: str = "contact", due_on="2026-07-15", detail: str = "") -> pd.DataFrame:
    made = actions.propose(kind, "dues.contact", ONE, due_on, "K077", detail=detail, since=ASKED, count=31)
    return actions.gather([made], ASKED)


def _after(tmp_path, rows: pd.DataFrame, table: str = "", more: dict | None = None, drop=(), as_of="2026-09-30"):
    """What the follow-up says on a book that has this one row in a table."""
    frames = {name: frame for name, frame in small_frames().items() if name not in drop}
    if table:
        row = pd.DataFrame([{"account_id": "0001", **(more or {})}])
        empty = frames[table].head(0)
        dated = [c for c in empty if pd.api.types.is_datetime64_any_dtype(empty[c]) and c in row]
        row = row.assign(**{c: pd.to_datetime(row[c]).astype("datetime64[s]") for c in dated})
        frames[table] = pd.concat([empty, row]) if table != "orders" else pd.concat([frames[table].head(1), row])
    (tmp_path / "before" / "tables").mkdir(parents=True)
    rows.to_parquet(tmp_path / "before" / "tables" / "actions.parquet")
    book = open_book(write_folder(frames, tmp_path / "book"), as_of=as_of)
    return follow_up.follow_up(book, str(tmp_path / "before"))


@pytest.mark.parametrize("kind", SHOWS)
def test_a_later_row_of_the_account_shows_that_it_was_done(tmp_path, kind):
    found = _after(tmp_path, _rows(kind), *SHOWS[kind]).rows.iloc[0]
    assert (found["status"], found["done_on"]) == ("done", pd.Timestamp("2026-08-01"))


@pytest.mark.parametrize("kind", SHOWS)
def test_a_row_after_the_day_of_the_report_shows_nothing(tmp_path, kind):
    assert _after(tmp_path, _rows(kind), *SHOWS[kind], as_of="2026-07-31").rows["status"].tolist() == ["overdue"]


@pytest.mark.parametrize("kind", MATCHED)
def test_only_the_case_deal_product_or_event_that_was_meant_shows_it(tmp_path, kind):
    table, row, column = MATCHED[kind]
    asked = _rows(kind, detail=DETAILS[kind])
    assert _after(tmp_path / "a", asked, table, {**row, column: DETAILS[kind]}).rows["status"].tolist() == ["done"]
    assert _after(tmp_path / "b", asked, table, {**row, column: "other"}).rows["status"].tolist() == ["overdue"]


def test_what_was_done_before_it_was_asked_for_does_not_count(tmp_path):
    before = {"visit_id": "V", "visit_date": "2026-06-30", "channel": "call"}
    assert _after(tmp_path, _rows(), "visits", before).rows["status"].tolist() == ["overdue"]


def test_what_is_due_later_is_open(tmp_path):
    rows = _rows(due_on="2026-12-01")
    assert _after(tmp_path, rows, "visits", {"visit_id": "V", "visit_date": "2026-01-05"}).count("open") == 1


def test_where_the_table_is_absent_the_book_cannot_say_and_names_it(tmp_path):
    found = _after(tmp_path, _rows(), drop=("visits",))
    assert found.rows["status"].tolist() == ["unseen"]
    says = "Some actions cannot be followed up because this book has no table of visits."
    assert findings.action_blind_spots(found) == [says]


def test_a_step_of_the_playbook_is_reported_by_its_owner(tmp_path):
    found = _after(tmp_path, actions.gather([actions.step("dues.contact", ASKED, 5, "K087")], ASKED))
    finding = findings.action_record(found, "cadence")
    assert finding.verdict == "no conclusion"
    assert finding.reason.startswith("The book shows none of the actions of the last playbook")


@pytest.mark.parametrize(
    ("kind", "detail", "table", "row"),
    [
        ("field", "annual_potential", "accounts", {"name": "x", "annual_potential": 5.0}),
        ("person", "4", "contacts", {"contact_id": "p", "name": "x", "level": 4.0}),
        ("person", "sponsor", "contacts", {"contact_id": "p", "name": "x", "role": "sponsor"}),
        ("signature", "K1", "contracts", {"contract_id": "K1", "starts_on": "2026-01-01", "ends_on": "2027-01-01", "signed_on": "2026-01-01"}),
        ("log", "", "visits", {"visit_id": "V", "visit_date": "2026-06-01", "channel": "call", "manager_id": "M01", "logged_on": "2026-06-02"}),
    ],
)  # fmt: skip
def test_what_was_lacking_and_is_there_now_is_done(tmp_path, kind, detail, table, row):
    assert _after(tmp_path, _rows(kind, detail=detail), table, row).rows["status"].tolist() == ["done"]


def test_a_category_that_was_offered_and_bought_is_done(tmp_path):
    line = {"order_id": "S", "line_no": 1, "order_date": "2026-08-01", "revenue": 5.0, "product_id": "P3"}
    assert _after(tmp_path / "a", _rows("offer", detail="B"), "orders", line).count("done") == 1
    assert _after(tmp_path / "b", _rows("offer", detail="A"), "orders", line).count("overdue") == 1


def test_without_an_earlier_report_it_says_so():
    finding = findings.action_record(follow_up.FollowUp(None, ASKED), "cadence")
    assert finding.sentence.startswith("No earlier playbook of this kind is there")


def test_the_record_counts_and_asks_to_settle_what_is_overdue(tmp_path):
    made = [
        actions.propose(kind, "dues.contact", ONE, due, "K077")
        for kind, due in [("contact", "2026-07-15"), ("survey", "2026-12-15"), ("step", "2026-07-15")]
    ]
    rows = actions.gather(made, ASKED)
    visit = {"visit_id": "V", "visit_date": "2026-01-01", "channel": "call"}
    finding = findings.action_record(_after(tmp_path, rows, "visits", visit), "cadence")
    assert finding.id == "cadence.follow_up"
    assert finding.sentence == (
        "Of the 3 actions of the last playbook the book shows none done and one overdue; one is not yet due, and of "
        "one the book cannot say."
    )
    assert finding.decision == "Settle what is overdue first, or drop it with a word why."


@pytest.mark.parametrize("status", ["done", "open", "overdue", "unseen"])
def test_one_action_is_told_of_in_the_singular(status):
    rows = _rows().assign(status=status, done_on=pd.NaT)
    sentence = findings.action_record(follow_up.FollowUp(rows, ASKED), "x").sentence
    assert "one action of the last playbook" in sentence


def test_the_same_thing_asked_again_keeps_its_identity_whatever_the_day():
    assert _rows()["action_id"].tolist() == _rows(due_on="2026-11-11")["action_id"].tolist()
    assert _rows()["action_id"].tolist() != _rows("order")["action_id"].tolist()


def test_what_two_rules_ask_for_is_asked_for_once_and_by_the_earlier_day():
    both = [actions.propose("contact", "dues.contact", ONE, day, "K077") for day in ("2026-08-01", "2026-07-10")]
    assert actions.gather(both, ASKED)["due_on"].tolist() == [pd.Timestamp("2026-07-10")]


def test_nothing_is_due_before_the_next_working_day():
    assert _rows(due_on="2026-01-01")["due_on"].tolist() == [pd.Timestamp("2026-07-01")]


def test_a_playbook_may_propose_nothing():
    assert actions.gather([], ASKED).columns.tolist() == actions.COLUMNS


def test_what_is_due_becomes_actions_that_are_told_alike():
    due = dues.rows("renewal", ONE, pd.Timestamp("2026-07-20"), ASKED, "K1")
    rows = actions.gather([actions.from_dues(due, "K081")], ASKED)
    assert rows[["kind", "topic", "detail"]].to_numpy().tolist() == [["contract", "dues.renewal", "K1"]]


def test_an_unknown_role_is_refused():
    with pytest.raises(RequestError, match="there is no role 'boss'; roles are manager, supervisor"):
        actions.propose("contact", "dues.contact", ONE, ASKED, "K077", role="boss")


def test_every_kind_says_what_will_show_it():
    kinds = {*follow_up.SIGNS, *follow_up.STATES, "step"}
    assert {key.removeprefix("actions.measure_") for key in keys() if key.startswith("actions.measure_")} == kinds


def test_every_role_has_a_name():
    assert {f"actions.owner_{role}" for role in actions.ROLES} <= set(keys())


def _named(account: str, manager: str) -> actions.Names:
    return actions.Names(pd.Series({account: "Acme"}), pd.Series({manager: "Lin"}))


def test_words_name_the_account_the_owner_and_the_measure():
    worded = in_words(_rows(), _named("0001", "M01")).iloc[0]
    assert worded[["what", "owner", "measure"]].tolist() == [
        "Contact Acme",
        "Lin",
        "a contact in the log after today",
    ]
    assert worded["why"] == "The last contact was on 30 June 2026; the rule is one at least every 31 days."


def test_an_account_and_a_manager_with_the_same_identifier_keep_their_names():
    worded = in_words(_rows().assign(manager_id="0001"), _named("0001", "0001")).iloc[0]
    assert worded[["what", "owner"]].tolist() == ["Contact Acme", "Lin"]


def test_without_names_identifiers_stand_in_and_a_missing_manager_is_said():
    orphan = _rows().assign(manager_id=None)
    assert in_words(orphan, NAMELESS)["owner"].tolist() == ["the account manager (none on file)"]
    assert in_words(_rows(), NAMELESS)["owner"].tolist() == ["M01"]


def test_the_report_holds_the_actions_as_table_and_calendar(tmp_path, monkeypatch):
    monkeypatch.setenv("KAM_OUTPUT", str(tmp_path))
    publish.actions(in_words(_rows(), NAMELESS), ASKED)
    written = pd.read_parquet(tmp_path / "tables" / "actions.parquet")
    assert set(actions.COLUMNS) <= set(written)
    assert (tmp_path / "calendars" / "actions-M01.ics").read_text().count("BEGIN:VEVENT") == 1


def test_what_the_director_decides_stands_in_a_calendar_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("KAM_OUTPUT", str(tmp_path))
    monkeypatch.setenv("KAM_REPORT", "account_plan")
    step = actions.step("account_plan.decide", ASKED, 30, "K093", "director", "M01")
    own = actions.propose("contact", "dues.contact", ONE, ASKED, "K077", since=ASKED, count=31)
    publish.actions(in_words(actions.gather([own, step], ASKED), NAMELESS), ASKED)
    written = {path.name for path in (tmp_path / "calendars").iterdir()}
    assert written == {"account_plan-M01.ics", "account_plan-director.ics"}


def test_actions_without_a_column_or_twice_are_refused():
    worded = in_words(_rows(), NAMELESS)
    with pytest.raises(RequestError, match="actions lack 1 columns: owner"):
        publish.actions(worded.drop(columns="owner"), ASKED)
    with pytest.raises(RequestError, match="1 actions have the identifier of another one"):
        publish.actions(pd.concat([worded, worded]), ASKED)


def test_a_checklist_escapes_names_and_folds_what_is_long(monkeypatch):
    shown = []
    monkeypatch.setattr(publish, "display", lambda bundle, raw: shown.append(bundle["text/html"]))
    publish.checklist(pd.DataFrame({"what": ["<script>"] * 20}), rows=15)
    assert "<script>" not in shown[0]
    assert "5 more" in shown[0]
    assert shown[0].count("<label>") == 20


def test_a_table_of_actions_of_another_make_is_refused(tmp_path):
    (tmp_path / "tables").mkdir()
    pd.DataFrame({"what": ["x"]}).to_parquet(tmp_path / "tables" / "actions.parquet")
    with pytest.raises(RequestError, match="lacks 12 columns: action_id, kind"):
        actions.read_earlier(str(tmp_path))


@pytest.mark.parametrize("practice", ["K036", "K049", "K058", "K078", "K098"])
def test_a_risky_practice_is_flagged_with_reason_and_reviewer(practice):
    found = findings.flag(practice)
    assert (found.id, found.verdict, found.practices) == (f"flag.{practice}", "caution", (practice,))
    assert "review" in found.decision


def test_a_flag_names_the_accounts_concerned():
    found = findings.flag("K036", pd.Series(["Acme", "Bolt"]))
    assert found.reason.endswith("2 accounts of this book are concerned, first Acme, Bolt.")
    assert findings.flag("K036", pd.Series(["Acme"])).reason.endswith("is concerned: Acme.")


def test_a_practice_without_a_flag_is_refused():
    with pytest.raises(RequestError, match=re.escape("practice 'K015' is not flagged; flagged are K036, K049")):
        findings.flag("K015")
