"""The customer file: counted fields and documents, an age of the backup, and a lookup that forgives spelling."""

import pandas as pd
import pytest

from kamlib import open_book
from kamlib.reports.playbooks import customer_file as words
from kamlib.studies import departments
from kamlib.studies.plans import customer_file as plan

from books import small_frames, write_folder

NAMES = pd.DataFrame({"account_id": ["1", "2", "3"], "name": ["Acme Trading", "鼎庭餐廳 台中店", "Bolt & Co."]})


def _plan(tmp_path, drop=(), backups="", find="", **changed) -> plan.FileReview:
    frames = {name: frame for name, frame in small_frames().items() if name not in drop}
    frames["accounts"] = frames["accounts"].assign(**changed)
    book = open_book(write_folder(frames, tmp_path / "book"), as_of="2026-09-30")
    return plan.measure(book, find, backups)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("ＡＣＭＥ", ["1"]),
        ("acme tradng", ["1"]),
        ("台中店", ["2"]),
        ("bolt and co", ["3"]),
        ("cme trad", ["1"]),
        ("zzzz", []),
        ("", []),
    ],
)
def test_a_name_is_found_however_it_is_spelt(asked, found):
    assert plan.look_up(asked, NAMES)["account_id"].tolist() == found


def test_the_share_of_fields_filled_is_counted(tmp_path):
    full = {"industry": "food", "region": "North", "opened_on": pd.Timestamp("2024-01-01"), "annual_potential": 5.0}
    result = _plan(tmp_path, **full)
    assert result.fields["share"].tolist() == [1.0] * 7
    assert result.gaps.empty


def test_a_field_nobody_fills_is_asked_of_nobody(tmp_path):
    assert "annual_potential" not in set(_plan(tmp_path, annual_potential=None).gaps["missing"])


def test_a_stage_that_orders_contradict_is_not_accurate(tmp_path):
    result = _plan(tmp_path, lifecycle="lead").principles.set_index("principle")
    assert result.loc["accurate", "share"] < 0.2


@pytest.mark.parametrize(
    ("day", "says"),
    [("2026-09-25", "5 days old, within the 7 days allowed."), ("2026-09-01", "29 days old; one is due every 7 days.")],
)
def test_the_age_of_the_backup_is_told(tmp_path, day, says):
    (tmp_path / "backups" / f"small-{day}").mkdir(parents=True)
    (tmp_path / "backups" / "small-2026-12-01").mkdir()
    found = words.backup(_plan(tmp_path, backups=str(tmp_path / "backups")))
    assert found.sentence.endswith(says)


def test_without_a_backup_one_is_asked_for(tmp_path):
    result = _plan(tmp_path)
    assert words.backup(result).decision.startswith("Make one now with kam backup")
    assert "customer_file.backup" in result.actions["topic"].tolist()


def test_absent_tables_leave_their_documents_unknown_and_say_so(tmp_path):
    result = _plan(tmp_path, drop=("contracts", "visits", "stock", "surveys", "targets"))
    assert len(words.document_notes(result)) == 2
    assert words.contracts(result).verdict == words.register(result).verdict == "no conclusion"
    assert result.purposes.set_index("purpose")["accounts"].isna().to_dict() == {
        "stock": True, "targets": True, "managers": True, "forecast": False, "planning": False,
    }  # fmt: skip


def test_contacts_that_are_not_logged_are_counted_and_asked_for(tmp_path):
    result = _plan(tmp_path)
    missing = int(small_frames()["visits"]["logged_on"].isna().sum())
    assert ("none lacks its day of logging" in words.register(result).sentence) == (not missing)
    assert ("log" in set(result.actions["kind"])) == bool(missing)


def test_the_lookup_says_what_it_found(tmp_path):
    assert words.lookup_note(_plan(tmp_path / "a", find="大客戶"), "大客戶").startswith("8 accounts have a name like")
    assert words.lookup_note(_plan(tmp_path / "b", find="xyzzy"), "xyzzy") == "No account has a name like xyzzy."
    assert words.lookup_note(_plan(tmp_path / "c"), "").startswith("No name was asked for")


def _feeds(**changed) -> pd.DataFrame:
    rows = {"department": "service", "table": ["cases", "surveys"], "is_there": True, "rows": 3, "is_stale": False}
    return pd.DataFrame(rows | changed)


def test_a_table_without_new_rows_is_stale_and_an_absent_one_is_not(tmp_path):
    frames = {name: frame for name, frame in small_frames().items() if name != "stock"}
    frames["cases"] = frames["cases"].assign(opened_on=pd.Timestamp("2026-01-05"), closed_on=pd.NaT)
    book = open_book(write_folder(frames, tmp_path / "book"), as_of="2026-09-30")
    feeds = departments.feeds(book, pd.Timestamp("2026-09-30")).set_index("table")
    assert feeds.loc["cases", ["is_there", "is_stale"]].tolist() == [True, True]
    assert not feeds.loc["stock", "is_there"] and pd.isna(feeds.loc["stock", "is_stale"])


def test_what_departments_share_is_counted_and_what_stands_still_is_named():
    assert words.shared(_feeds(is_stale=[True, False])).sentence.endswith("for 45 days: 1 of them, first complaints.")
    assert words.shared(_feeds()).decision == ""


@pytest.mark.parametrize(
    ("there", "said"),
    [([True, True], "No question"), ([True, False], "One question waits"), ([False, False], "2 questions wait")],
)
def test_a_system_is_asked_for_only_where_a_question_waits(there, said):
    found = words.needed(_feeds(is_there=there))
    assert found.sentence.startswith(said)
    assert bool(found.decision) is not all(there)
