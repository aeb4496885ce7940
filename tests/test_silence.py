"""An account is silent by its own habit; a season that is over and an account that lapsed are none."""

import pandas as pd
import pytest

from kamlib import open_book
from kamlib.reports import findings
from kamlib.studies import due_list
from kamlib.studies.portfolio import key_accounts
from kamlib.studies.silence import silent

from books import small_frames, write_folder

AS_OF = pd.Timestamp("2026-09-30")


def _book(tmp_path, days, **frames):
    lines = [
        {"order_id": str(i), "line_no": 1, "account_id": "0001", "order_date": pd.Timestamp(day), "revenue": 100.0}
        for i, day in enumerate(days)
    ]
    small = small_frames(accounts=2)
    orders = pd.DataFrame(lines).reindex(columns=small["orders"].columns)
    frames = {"accounts": small["accounts"], "orders": orders, **frames}
    return open_book(write_folder(frames, tmp_path / "book"), as_of="2026-09-30")


def _weekly(first, last) -> list:
    return list(pd.date_range(first, last, freq="7D"))


@pytest.mark.parametrize(
    ("days", "silent_days"),
    [
        (_weekly("2025-01-01", "2026-08-30"), [35.0]),  # more than three weeks, and more than 30 days
        (_weekly("2025-01-01", "2026-09-02"), []),  # 28 days
        (_weekly("2025-01-01", "2025-09-10"), []),  # lapsed
        (["2026-01-01", "2026-01-08", "2026-01-15"], []),  # no habit yet
        (_weekly("2025-02-01", "2025-04-30") + _weekly("2026-02-01", "2026-04-30"), []),  # out of season
        (_weekly("2025-02-01", "2025-04-30") + _weekly("2026-02-01", "2026-04-08"), []),  # its season ended earlier
        (_weekly("2025-02-01", "2025-05-31") + _weekly("2026-02-01", "2026-03-31"), [185.0]),  # left within its season
    ],
)
def test_silence_is_measured_against_the_habit_of_the_account(tmp_path, days, silent_days):
    found = silent(_book(tmp_path, days), AS_OF)["silent_days"]
    assert found.tolist() == silent_days


def test_nobody_is_silent_before_the_first_order(tmp_path):
    with open_book(write_folder(small_frames(), tmp_path / "book"), as_of="2001-01-01") as book:
        assert silent(book, pd.Timestamp("2001-01-01")).empty


def test_the_line_of_a_silent_account_says_so_since_the_order_it_missed(tmp_path):
    visit = small_frames()["visits"].head(1).assign(account_id="0001", visit_date=pd.Timestamp("2026-09-29"))
    book = _book(tmp_path, _weekly("2025-01-01", "2026-06-25"), visits=visit)
    table = findings.due_table(due_list.measure(book, "2026-Q3", 31), "contacts").set_index("account_id").loc["0001"]
    assert table["due_on"] == pd.Timestamp("2026-07-01")
    assert table["days_overdue"] == 91
    assert table["what"].endswith("which has stopped ordering")
    assert table["why"].startswith("Its last order was on 24 June 2026, though it usually orders every 7 days")


def test_the_segmentation_of_this_day_names_the_key_accounts_and_nothing_else_does(tmp_path):
    book, tables = _book(tmp_path, ["2026-09-01"]), tmp_path / "segmentation" / "tables"
    assert key_accounts(book, str(tmp_path))[1] == "book"
    tables.mkdir(parents=True)
    pd.DataFrame({"account_id": ["0001", "0002"], "is_key": [False, True]}).to_parquet(tables / "accounts.parquet")
    named, source = key_accounts(book, str(tmp_path))
    assert (named.tolist(), source) == (["0002"], "segmentation")
    (tables.parent / "manifest.json").write_text('{"as_of": "2026-06-30"}')
    assert key_accounts(book, str(tmp_path))[1] == "book"


def test_without_segmentation_strategic_and_class_a_accounts_are_key(tmp_path):
    accounts = small_frames(accounts=2)["accounts"].assign(is_strategic=[False, True])
    named, source = key_accounts(_book(tmp_path, ["2026-09-01"], accounts=accounts))
    assert (sorted(named), source) == (sorted(accounts["account_id"]), "book")
