"""Every playbook is filled from any book, proposes actions that hold, and follows up its own."""

import json

import pandas as pd
import pytest

from kamlib.studies.actions import COLUMNS

from playbook_runs import PLAYBOOKS, REQUIRED, book_of, run

playbook = pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)


def test_there_are_playbooks():
    assert PLAYBOOKS


@playbook
def test_it_has_15_to_30_cells(path):
    assert 15 <= len(json.loads(path.read_text(encoding="utf-8"))["cells"]) <= 30


@playbook
def test_its_actions_have_owner_day_reason_and_measure_and_are_followed_up(path, tmp_path, monkeypatch):
    first = run(path, book_of(tmp_path / "book"), tmp_path / "q2", monkeypatch, as_of="2026-06-30", period="2026-Q2")
    made = first.table("actions")
    assert set(COLUMNS) <= set(made)
    assert made["action_id"].is_unique
    assert (made["due_on"] > pd.Timestamp("2026-06-30")).all()
    assert not made[["owner", "what", "why", "measure", "practice"]].isin(["", "nan"]).to_numpy().any()
    then = run(path, tmp_path / "book", tmp_path / "q3", monkeypatch, previous=str(tmp_path / "q2"))
    assert then.findings[f"{path.stem}.follow_up"]["n"] == (len(made) or None)


@playbook
def test_with_one_account_and_its_orders_alone_it_does_not_fail(path, tmp_path, monkeypatch):
    book = book_of(tmp_path / "book", REQUIRED, accounts=1)
    done = run(path, book, tmp_path / "out", monkeypatch, **_account(path, "00012-A"))
    assert (tmp_path / "out" / "tables" / "actions.csv").is_file()
    assert "nan" not in done.text.split()


def _account(path, account_id: str) -> dict:
    return {"account_id": account_id} if "account_id:" in path.read_text(encoding="utf-8") else {}


@pytest.mark.parametrize(
    "path", [path for path in PLAYBOOKS if "key_accounts(" in path.read_text(encoding="utf-8")], ids=lambda p: p.stem
)
def test_key_accounts_are_those_the_segmentation_of_this_period_names(path, tmp_path, monkeypatch):
    named = tmp_path / "reports" / "segmentation" / "tables"
    named.mkdir(parents=True)
    pd.DataFrame({"account_id": ["0001", "0002"], "is_key": [False, True]}).to_parquet(named / "accounts.parquet")
    book, given = book_of(tmp_path / "book"), {"tables": str(tmp_path / "reports")}
    with_report = run(path, book, tmp_path / "out", monkeypatch, **given)
    assert "Key accounts are those that the segmentation report of this period names." in with_report.shown
    alone = run(path, book, tmp_path / "alone", monkeypatch)
    assert any(text.startswith("Key accounts are those named strategic and those in class A") for text in alone.shown)
    assert with_report.names["named"].tolist() == ["0002"]
