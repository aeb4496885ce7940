"""Contact against the declared rhythm, on a book small enough to count by hand."""

import pandas as pd
import pytest

from kamlib import open_book
from kamlib.studies.cadence import keep_rhythm

from books import write_folder

TODAY = pd.Timestamp("2026-09-30")


def _book(folder, **tables):
    day = pd.to_datetime
    accounts = pd.DataFrame(
        {
            "account_id": ["big", "small", "lead", "gone", "never"],
            "name": ["Big", "Small", "Lead", "Gone", "Never"],
            "manager_id": ["M1", "M1", "M2", "M2", "M2"],
            "lifecycle": ["customer", "customer", "lead", "customer", "opportunity"],
        }
    )
    orders = pd.DataFrame(
        {
            "order_id": ["1", "2", "3"],
            "line_no": [1, 1, 1],
            "account_id": ["big", "small", "gone"],
            "order_date": day(["2026-09-01", "2026-08-01", "2024-01-01"]),
            "revenue": [900.0, 10.0, 50.0],
        }
    )
    visits = pd.DataFrame(
        {
            "visit_id": ["a", "b", "c", "d"],
            "account_id": ["big", "small", "lead", "gone"],
            "visit_date": day(["2026-08-30", "2026-08-29", "2026-09-23", "2024-01-01"]),
            "channel": ["visit", "call", "email", "visit"],
            "level": ["executive", "rep", "rep", "rep"],
            "hours": [1.0, 0.5, None, 2.0],
            "contact_id": ["p1", None, None, None],
            "logged_on": day(["2026-08-31", "2026-09-28", None, "2024-01-01"]),
        }
    )
    contacts = pd.DataFrame(
        {"contact_id": ["p1", "p2"], "account_id": ["big", "big"], "name": ["x", "y"], "level": [3, 1]}
    )
    frames = {"accounts": accounts, "orders": orders, "visits": visits, "contacts": contacts} | tables
    frames = {name: frame for name, frame in frames.items() if frame is not None}
    return open_book(write_folder(frames, folder), as_of="2026-09-30")


@pytest.fixture(scope="module")
def cadence(tmp_path_factory):
    return keep_rhythm(_book(tmp_path_factory.mktemp("book") / "b"), TODAY, ("visit",))


def test_a_customer_is_overdue_on_the_thirty_second_day(cadence):
    rows = cadence.accounts.set_index("account_id")
    assert rows.loc["big", ["since_days", "overdue_days"]].tolist() == [31, 0]
    assert rows.loc["small", ["since_days", "overdue_days"]].tolist() == [32, 1]
    assert not rows.loc["big", "is_overdue"] and rows.loc["small", "is_overdue"]


def test_a_prospect_is_to_be_contacted_weekly(cadence):
    rows = cadence.accounts.set_index("account_id")
    assert rows.loc["lead", "stage"] == "prospect" and not rows.loc["lead", "is_overdue"]


def test_an_account_without_any_contact_is_overdue_without_a_number_of_days(cadence):
    row = cadence.accounts.set_index("account_id").loc["never"]
    assert row["is_overdue"] and pd.isna(row["overdue_days"])


def test_an_account_that_has_not_bought_for_a_year_has_no_rhythm(cadence):
    row = cadence.accounts.set_index("account_id").loc["gone"]
    assert row["stage"] == "lapsed" and not row["is_overdue"]


def test_the_account_that_brings_most_stands_first(cadence):
    assert cadence.overdue["account_id"].tolist() == ["small", "never"]


def test_the_share_logged_late_counts_only_contacts_with_both_dates(cadence):
    assert (cadence.logged, cadence.log_delay_days, cadence.logged_late_share) == (2, 15.5, 0.5)


def test_executives_share_is_of_the_hours_of_visits_alone(cadence):
    assert (cadence.executive_share, cadence.executive_basis, cadence.executive_n) == (1.0, "hours", 1)


def test_levels_known_and_met(cadence):
    assert cadence.levels.to_dict("records") == [{"account_id": "big", "known": 2, "reached": 1, "top": 3.0}]


def test_the_symposium_of_the_last_year(tmp_path):
    events = pd.DataFrame(
        {
            "event_id": ["s", "s"],
            "account_id": ["big", "small"],
            "kind": "symposium",
            "event_date": pd.to_datetime(["2025-11-14"] * 2),
            "has_attended": [True, False],
        }
    )
    found = keep_rhythm(_book(tmp_path / "b", events=events), TODAY, ("visit",))
    assert (found.symposia, found.attended_share) == (1, 0.5)


def test_without_a_visits_table_there_is_no_cadence(tmp_path):
    assert keep_rhythm(_book(tmp_path / "b", visits=None), TODAY, ("visit",)) is None
