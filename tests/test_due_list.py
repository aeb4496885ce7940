"""What is due: the rules to the day, the list, its sentences, and its calendar."""

from types import SimpleNamespace

import pandas as pd
import pytest
from payloads import PAYLOADS

from kamlib import open_book
from kamlib.book.settings import Settings
from kamlib.errors import RequestError
from kamlib.reports import findings
from kamlib.reports.calendars import calendar
from kamlib.reports.finding import headlines_first
from kamlib.reports.reminders import in_words
from kamlib.reports.sentences import say
from kamlib.studies import actions, due_list, dues
from kamlib.studies.actions import Names

from books import small_frames, write_folder

NAMED = Names(pd.Series({"0001": "Firm"}), pd.Series({"0001": "Ms Firm", "M01": "Ms Lin"}))

AS_OF = pd.Timestamp("2026-09-30")
DECLARED = Settings.from_mapping({})


def _measure(frames, folder, **more):
    with open_book(write_folder(frames, folder), as_of="2026-09-30") as book:
        return due_list.measure(book, "2026-Q3", **more)


def _account(**changed) -> pd.DataFrame:
    row = {"account_id": "0001", "manager_id": "M1", "opened_on": "2024-02-29", "last_contact": "2026-09-01"}
    frame = pd.DataFrame([row | {"allowed_days": 31.0, "stage": "customer"} | changed])
    return frame.astype({"opened_on": "datetime64[s]", "last_contact": "datetime64[s]"})


@pytest.mark.parametrize(
    ("changed", "kind", "day"),
    [
        ({}, "contact", "2026-10-02"),
        ({"allowed_days": 7.0}, "contact", "2026-09-08"),
        ({"last_contact": None}, "first_contact", "2024-03-31"),
        ({"last_contact": None, "opened_on": None}, "first_contact", "2026-09-30"),
    ],
)
def test_a_contact_is_due_when_the_days_allowed_are_over(changed, kind, day):
    row = dues.contacts_due(_account(**changed), AS_OF).iloc[0]
    assert (row["kind"], row["due_on"]) == (kind, pd.Timestamp(day))


def test_an_account_without_a_rule_is_due_no_contact():
    assert dues.contacts_due(_account(allowed_days=float("nan")), AS_OF).empty


@pytest.mark.parametrize(
    ("lifecycle", "last_order", "stage"),
    [
        ("lead", None, "prospect"),
        (None, None, "prospect"),
        ("customer", None, "customer"),
        ("lead", "2026-01-01", "customer"),
        ("customer", "2025-01-01", "lapsed"),
    ],
)
def test_what_was_bought_outweighs_the_lifecycle(lifecycle, last_order, stage):
    last = pd.Timestamp(last_order) if last_order else pd.NaT
    assert dues.stage(lifecycle, last, pd.Timestamp("2025-10-01")) == stage


def _contract(ends, signed="2024-01-01", number="K1") -> dict:
    days = {"starts_on": pd.Timestamp("2024-01-01"), "ends_on": pd.Timestamp(ends), "signed_on": pd.Timestamp(signed)}
    return {"account_id": "0001", "manager_id": "M1", "contract_id": number} | days


@pytest.mark.parametrize(
    ("contracts", "expected"),
    [
        ([_contract("2026-12-29")], [("renewal", "2026-09-30")]),
        ([_contract("2026-09-29")], [("expired", "2026-09-29")]),
        ([_contract("2026-06-30")], []),
        ([_contract("2026-09-29"), _contract("2028-01-01", number="K2")], [("renewal", "2027-10-03")]),
        ([_contract("2028-01-01", signed=None)], [("renewal", "2027-10-03"), ("document", "2024-01-01")]),
    ],
)
def test_contracts_call_for_talks_a_successor_or_a_signed_copy(contracts, expected):
    rows = dues.contracts_due(pd.DataFrame(contracts), DECLARED, AS_OF)
    assert [(r.kind, str(r.due_on.date())) for r in rows.itertuples()] == expected


def test_a_complaint_is_due_an_answer_until_it_is_closed():
    cases = _account().assign(case_id="C1", opened_on=pd.Timestamp("2026-09-20"), closed_on=pd.NaT)
    assert dues.cases_due(cases, DECLARED)["due_on"].iloc[0] == pd.Timestamp("2026-10-04")
    assert dues.cases_due(cases.assign(closed_on=AS_OF), DECLARED).empty


@pytest.mark.parametrize(
    ("as_of", "day"), [("2026-02-27", "2026-02-28"), ("2026-02-28", "2027-02-28"), ("2027-06-01", "2028-02-29")]
)
def test_an_account_of_29_february_has_its_anniversary_on_the_28th(as_of, day):
    assert dues.milestones_due(_account(), pd.Timestamp(as_of))["due_on"].iloc[0] == pd.Timestamp(day)


def test_the_list_ends_with_the_horizon_and_never_with_what_is_overdue(tmp_path):
    near, far = (_measure(small_frames(0), tmp_path / str(days), horizon_days=days) for days in (0, 365))
    assert near.rows["due_on"].max() <= AS_OF
    assert (near.rows["days_overdue"] > 0).sum() == (far.rows["days_overdue"] > 0).sum()
    assert len(far.rows) > len(near.rows)


def test_rows_in_another_order_change_nothing(tmp_path):
    frames = small_frames(4)
    shuffled = {name: frame.sample(frac=1, random_state=1) for name, frame in frames.items()}
    one, other = _measure(frames, tmp_path / "a"), _measure(shuffled, tmp_path / "b")
    pd.testing.assert_frame_equal(one.rows, other.rows)


def test_what_is_overdue_stands_first_and_the_largest_account_on_top(tmp_path):
    rows = _measure(small_frames(4), tmp_path / "book").rows
    late, ahead = rows[rows["days_overdue"] > 0], rows[rows["days_overdue"] == 0]
    assert len(late) > 1 and rows["days_overdue"].head(len(late)).gt(0).all()
    assert late["revenue"].fillna(0).is_monotonic_decreasing and ahead["due_on"].is_monotonic_increasing


def test_managers_and_nobody_add_up_to_the_list(tmp_path):
    frames = small_frames(4)
    del frames["assignments"]
    frames["accounts"]["manager_id"] = None
    result = _measure(frames, tmp_path / "book")
    table = findings.due_managers(result)
    assert table["things_due"].sum() == len(result.rows)
    assert table["things_overdue"].sum() == (result.rows["days_overdue"] > 0).sum()
    assert say("due_list.no_manager") in set(table["manager"])


def test_an_account_that_stopped_is_counted_though_contacted_in_time():
    stages = _said().stages.assign(overdue=0)
    said = findings.due_contacts(_said(["silent"], overdue=4, stages=stages)).sentence
    assert say("due_list.contacts_stopped", n=1) in said


def test_a_list_read_after_the_last_order_calls_for_caution():
    found = findings.due_all(_said(["contact"], covered_until=AS_OF - pd.Timedelta(days=4)))
    assert found.verdict == "caution" and found.reason == say("due_list.orders_end", last=pd.Timestamp("2026-09-26"))


def test_birthdays_are_listed_only_when_asked_for_and_only_with_consent(tmp_path):
    frames = small_frames(0)
    frames["contacts"]["birthday"] = pd.Timestamp("1980-10-05")
    frames["contacts"]["has_consent"] = [True] + [False] * (len(frames["contacts"]) - 1)
    assert "birthday" not in set(_measure(frames, tmp_path / "a").rows["kind"])
    rows = _measure(frames, tmp_path / "b", with_personal=True).rows
    assert rows.loc[rows["kind"] == "birthday", "due_on"].tolist() == [pd.Timestamp("2026-10-05")]


def test_the_last_list_is_compared_with_this_one(tmp_path):
    frames = small_frames(0)
    rows = _measure(frames, tmp_path / "book").rows
    (tmp_path / "last" / "tables").mkdir(parents=True)
    moved = rows.assign(due_on=rows["due_on"] - pd.Timedelta(days=1))
    late = rows[rows["days_overdue"] > 1]
    pd.concat([late, moved.loc[late.index]]).to_parquet(tmp_path / "last" / "tables" / "due.parquet")
    record = _measure(frames, tmp_path / "book", previous=str(tmp_path / "last")).record
    assert record.tolist() == [2 * len(late), len(late)]


def test_a_negative_horizon_is_refused(tmp_path):
    with pytest.raises(RequestError, match="horizon_days is -1; give 0 or more"):
        _measure(small_frames(0), tmp_path / "book", horizon_days=-1)


def test_every_kind_of_thing_has_its_words():
    for kinds in due_list.GROUPS.values():
        for kind in kinds:
            row = dues.rows(kind, _account(), AS_OF, AS_OF, "K1", 3.0).assign(days_overdue=0)
            said = in_words(row, NAMED).iloc[0]
            assert "Firm" in said["what"]
            assert said["why"].endswith((".", "years."))


def test_an_account_and_a_manager_of_one_number_keep_their_names():
    kinds = [kind for kinds in due_list.GROUPS.values() for kind in kinds]
    told = {kind: dues.rows(kind, _account(), AS_OF, AS_OF, "K1", 3.0) for kind in kinds}
    assert in_words(told["renewal"].assign(manager_id="0001"), NAMED)["name"].tolist() == ["Firm"]
    assert in_words(told["log"].assign(account_id="", manager_id="0001"), NAMED)["name"].tolist() == ["Ms Firm"]


def test_an_executive_who_never_came_is_said_so():
    row = dues.executive_due(_account(), pd.Series({"0001": pd.NaT}), DECLARED, AS_OF)
    assert in_words(row, NAMED)["why"].iloc[0] == say("dues.executive_never_why", count=183)


def test_a_hostile_name_is_one_entry_of_the_calendar(tmp_path):
    frames = small_frames(0, accounts=30)
    frames["accounts"]["name"] = PAYLOADS[:30]
    rows = findings.due_calendar(_measure(frames, tmp_path / "book"))
    assert calendar(rows, "Due", AS_OF.date()).count("BEGIN:VEVENT\r\n") == len(rows)


def test_what_is_overdue_stands_on_the_day_of_the_list_in_the_calendar(tmp_path):
    result = _measure(small_frames(0), tmp_path / "book")
    rows = findings.due_calendar(result)
    assert rows["due_on"].min() == AS_OF
    first = findings.due_table(result).iloc[0]
    said = say("due_list.calendar_overdue", due_on=first["due_on"], why=first["why"])
    assert said in set(rows["description"])


ABSENT = {
    "contacts": (findings.due_contacts, "contacts"),
    "complaints": (findings.due_complaints, "complaints"),
    "contracts": (findings.due_contracts, "contracts"),
    "executives": (findings.due_executives, "executives"),
    "logs": (findings.due_logs, "logs"),
}


@pytest.mark.parametrize("group", list(ABSENT))
def test_what_cannot_be_listed_is_said_in_one_sentence(tmp_path, group):
    frames = {name: small_frames(0, accounts=1)[name] for name in ("accounts", "orders")}
    say_it, key = ABSENT[group]
    found = say_it(_measure(frames, tmp_path / "book"))
    assert (found.sentence, found.verdict) == (say(f"due_list.{key}_absent"), "no conclusion")


def test_no_meeting_of_executives_is_asked_for_where_nobody_records_who_was_met(tmp_path):
    frames = small_frames()
    frames["visits"] = frames["visits"].drop(columns="level")
    result = _measure(frames, tmp_path / "book")
    assert "executives" in result.absent and result.of("executives").empty


def _said(kinds=(), overdue=0, **changed):
    parts = [dues.rows(kind, _account(), AS_OF, AS_OF, str(i), 3.0) for i, kind in enumerate(kinds)]
    rows = dues.gather(parts, AS_OF, AS_OF).assign(days_overdue=overdue, revenue=9.0)
    stages = pd.DataFrame({"stage": ["prospect", "customer", "lapsed"], "accounts": [2, 5, 1], "overdue": [1, 2, 0]})
    fields = {"rows": rows, "absent": (), "stages": stages, "as_of": AS_OF, "until": AS_OF, "last_contact": AS_OF}
    fields |= {"rules": {"prospect_contact_days": 7, "customer_contact_days": 31, "log_check_days": 14}}
    fields |= {
        "names": NAMED,
        "record": None,
        "key_accounts": 3,
        "keys_from": "book",
        "has_logs": True,
        "covered_until": AS_OF,
    }
    return SimpleNamespace(**(fields | {"of": lambda group: rows} | changed))


def test_the_whole_list_is_counted_and_begins_with_the_overdue():
    values = {"n": 1, "until": AS_OF, "as_of": AS_OF}
    late = findings.due_all(_said(["contact"], overdue=4))
    assert late.sentence == say("due_list.all_some", late=1, **values)
    assert late.decision == say("due_list.all_decision", first="Contact Firm")
    empty = findings.due_all(_said())
    assert empty.sentence == say("due_list.all_none", late=0, **values | {"n": 0})
    assert empty.verdict == "usable"


def test_an_empty_list_is_no_comfort_where_the_book_cannot_tell():
    part = findings.due_all(_said(absent=("complaints",)))
    assert (part.verdict, part.reason) == ("caution", say("due_list.all_blind", named="complaints"))
    none = findings.due_all(_said(absent=("contacts", "complaints", "contracts")))
    assert (none.verdict, none.sentence, none.n) == ("no conclusion", none.reason, None)
    last = {"verdict": "no conclusion", "n": 0}
    assert headlines_first([last, {"verdict": none.verdict, "n": none.n}])[-1] == last
    assert findings.due_all(_said(["contact"], absent=("complaints",))).verdict == "usable"


def test_contacts_count_customers_and_prospects_apart():
    lapsed = say("due_list.contacts_lapsed", n=1)
    values = {"customers": 2, "prospects": 1, "customer_days": 31, "prospect_days": 7, "n": 7}
    assert findings.due_contacts(_said()).sentence == f"{say('due_list.contacts_late', late=3, **values)} {lapsed}"
    kept = _said(stages=_said().stages.assign(overdue=0))
    assert findings.due_contacts(kept).sentence == f"{say('due_list.contacts_kept', n=7)} {lapsed}"


def test_an_old_log_calls_for_caution():
    found = findings.due_contacts(_said(last_contact=AS_OF - pd.Timedelta(days=60)))
    assert (found.verdict, found.reason) == ("caution", say("due_list.contacts_stale", days=60))


@pytest.mark.parametrize(
    ("finding", "kinds", "key", "values"),
    [
        (findings.due_complaints, ["complaint"], "complaints_some", {"n": 1, "late": 0}),
        (findings.due_complaints, [], "complaints_none", {}),
        (
            findings.due_contracts,
            ["renewal", "document"],
            "contracts_some",
            {"renewals": 1, "expired": 0, "documents": 1},
        ),
        (findings.due_contracts, [], "contracts_none", {}),
        (findings.due_executives, ["executive"], "executives_some", {"n": 1, "keys": 3, "late": 0}),
        (findings.due_executives, [], "executives_none", {"keys": 3}),
        (findings.due_logs, ["log"], "logs_some", {"n": 1, "count": 3}),
        (findings.due_logs, [], "logs_none", {}),
    ],
)
def test_each_group_has_its_sentence_and_decision(finding, kinds, key, values):
    found = finding(_said(kinds))
    assert found.sentence == say(f"due_list.{key}", **values)
    assert bool(found.decision) == bool(kinds)


def test_without_key_accounts_no_meeting_can_be_due():
    assert findings.due_executives(_said(key_accounts=0)).sentence == say("due_list.executives_no_keys")


@pytest.mark.parametrize(("record", "key"), [(None, "record_none"), ([4, 3], "record_some"), ([0, 0], "record_empty")])
def test_the_last_list_is_told(record, key):
    given = None if record is None else pd.Series(record, index=["listed", "done"])
    assert findings.due_record(_said(record=given)).sentence == say(f"due_list.{key}", listed=4, done=3)


def test_the_list_and_the_playbooks_give_one_thing_one_name_in_every_calendar(tmp_path):
    result = _measure(small_frames(4), tmp_path / "book")
    kinds = [kind for kind in result.rows["kind"].unique() if kind != "milestone"]
    rows = result.rows[result.rows["kind"].isin(kinds)]
    proposed = actions.gather([actions.from_dues(rows, "K077")], AS_OF)
    assert set(findings.due_calendar(result)["key"]) >= set(proposed["action_id"])
    assert findings.due_calendar(result)["key"].is_unique


def test_the_checks_of_logs_stand_in_the_calendar_of_the_supervisor(tmp_path):
    rows = findings.due_calendar(_measure(small_frames(4), tmp_path / "book"))
    is_check = rows["group"] == "logs"
    assert set(rows.loc[is_check, "calendar"]) <= {"supervisor"}
    assert "supervisor" not in set(rows.loc[~is_check, "calendar"])
