"""Every playbook is filled from any book, proposes actions that hold, and follows up its own."""

import json
from functools import cache

import pandas as pd
import pytest

from kamlib.studies.actions import COLUMNS

from playbook_runs import PLAYBOOKS, REQUIRED, book_of, run

playbook = pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)


def test_there_are_playbooks():
    assert PLAYBOOKS


@playbook
def test_it_has_15_to_25_cells(path):
    assert 15 <= len(json.loads(path.read_text(encoding="utf-8"))["cells"]) <= 25


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return book_of(tmp_path_factory.mktemp("playbooks") / "book")


@pytest.fixture(scope="module")
def two_quarters(book, tmp_path_factory):
    """A playbook run at the end of one quarter and of the next, once for all tests that ask."""
    home = tmp_path_factory.mktemp("quarters")

    @cache
    def ran(path):
        earlier, later = home / path.stem / "q2", home / path.stem / "q3"
        with pytest.MonkeyPatch.context() as patch:
            first = run(path, book, earlier, patch, as_of="2026-06-30", period="2026-Q2")
            return first, run(path, book, later, patch, previous=str(earlier))

    return ran


@playbook
def test_its_actions_have_owner_day_reason_and_measure_and_are_followed_up(path, two_quarters):
    first, then = two_quarters(path)
    made = first.table("actions")
    assert set(COLUMNS) <= set(made)
    assert len(made) and made["action_id"].is_unique
    assert (made["due_on"] > pd.Timestamp("2026-06-30")).all()
    assert not made[["owner", "what", "why", "measure", "practice"]].isin(["", "nan"]).to_numpy().any()
    assert then.findings[f"{path.stem}.follow_up"]["n"] == len(made)


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
def test_key_accounts_are_those_the_segmentation_of_this_period_names(path, book, two_quarters, tmp_path, monkeypatch):
    named = tmp_path / "reports" / "segmentation" / "tables"
    named.mkdir(parents=True)
    pd.DataFrame({"account_id": ["0001", "0002"], "is_key": [False, True]}).to_parquet(named / "accounts.parquet")
    with_report = run(path, book, tmp_path / "out", monkeypatch, tables=str(tmp_path / "reports"))
    assert "Key accounts are those that the segmentation report of this period names." in with_report.shown
    _, alone = two_quarters(path)
    assert any(text.startswith("Key accounts are those named strategic and those in class A") for text in alone.shown)
    assert with_report.names["named"].tolist() == ["0002"]
