"""A check says what is wrong with a book, in how many rows, which, and what to do, on any engine."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from kamlib import open_book
from kamlib.book.check import check

from books import SETTINGS, small_frames, write_duckdb, write_folder, write_postgres

TODAY = dt.date(2026, 10, 1)


def checked(frames, folder, settings=None):
    with open_book(write_folder(frames, folder / "book", settings)) as book:
        return check(book, today=TODAY)


@pytest.fixture
def frames():
    """A sound book: its accounts were opened before anything happened."""
    made = small_frames(seed=3)
    made["accounts"]["opened_on"] = pd.Timestamp("2020-01-01").as_unit("s")
    return made


def only(frames, *tables):
    """The required tables and those named: a check of all nineteen takes a second."""
    return {name: frame for name, frame in frames.items() if name in {"accounts", "orders", "products", *tables}}


def found(report, table, what):
    """The one violation of a table that says so."""
    (violation,) = [v for v in report.violations if v.table == table and what in v.what]
    return violation


def test_a_sound_book_has_no_violation(frames, tmp_path):
    report = checked(frames, tmp_path)
    assert report.ok and report.violations == ()
    assert report.lines()[-1] == "Small book: 0 errors, 0 warnings"


def test_each_table_is_summed_up_in_rows_span_and_gaps(frames, tmp_path):
    orders = frames["orders"]
    summary = next(t for t in checked(only(frames), tmp_path).tables if t.table == "orders")
    assert summary.rows == len(orders)
    assert (summary.first, summary.last) == (orders.order_date.min().date(), orders.order_date.max().date())
    assert summary.missing["cost"] == pytest.approx(orders.cost.isna().mean())
    assert f"cost {orders.cost.isna().mean():.1%}" in summary.line()


def test_a_roster_in_words_is_an_error_and_one_in_ones_and_zeros_a_warning(frames, tmp_path):
    accounts = frames["accounts"]
    for column, severity in ((["Y"] * len(accounts), "error"), ([1] * len(accounts), "warning")):
        frames["accounts"] = accounts.assign(is_key_account=column)
        violation = found(checked(only(frames), tmp_path / severity), "accounts", "where the contract has boolean")
        assert violation.severity == severity and violation.what.startswith("is_key_account is ")


def spoil(column, value, row=0):
    def change(frame):
        frame[column] = frame[column].astype(object)
        frame.loc[row, column] = value

    return change


CASES = [
    ("orders", spoil("account_id", None), "account_id is missing", "error"),
    ("orders", spoil("account_id", "  "), "account_id is missing", "error"),
    ("orders", spoil("account_id", "0099"), "account_id is not among the accounts", "error"),
    ("orders", spoil("product_id", "P9"), "product_id is not among the products", "error"),
    ("orders", spoil("revenue", np.inf), "revenue is not a finite number", "error"),
    ("orders", spoil("order_date", dt.date(2027, 1, 1)), "order_date lies after today, 2026-10-01", "warning"),
    ("orders", spoil("quantity", -99.0), "revenue and quantity have different signs", "warning"),
    ("accounts", spoil("lifecycle", "kunde"), "lifecycle is not an allowed value", "error"),
    ("accounts", spoil("annual_potential", -1.0), "annual_potential is below 0", "error"),
    ("accounts", spoil("parent_id", "0001"), "parent_id is the account itself", "error"),
    ("accounts", spoil("opened_on", dt.date(2026, 9, 30)), "order_date lies before the account was opened", "warning"),
    ("contacts", spoil("level", 5), "level is above 4", "error"),
    ("assignments", spoil("to_date", dt.date(2001, 1, 1)), "to_date lies before from_date", "error"),
    ("contracts", spoil("ends_on", dt.date(2001, 1, 1)), "ends_on lies before starts_on", "error"),
    ("cases", spoil("closed_on", dt.date(2001, 1, 1)), "closed_on lies before opened_on", "error"),
    ("visits", spoil("logged_on", dt.date(2001, 1, 1)), "logged_on lies before visit_date", "warning"),
    ("targets", spoil("period", "Q3 2026"), "period is not a period", "error"),
    ("deliveries", spoil("line_no", 99), "line_no is not among the orders of its order_id", "error"),
    ("deliveries", spoil("order_id", "S9"), "order_id is not among the orders", "error"),
]


@pytest.mark.parametrize(("table", "change", "what", "severity"), CASES, ids=[f"{c[0]}-{c[2]}" for c in CASES])
def test_a_spoiled_row_is_found(frames, tmp_path, table, change, what, severity):
    if what.startswith("revenue and quantity"):
        frames["orders"].loc[0, "revenue"] = 5.0
    change(frames[table])
    report = checked(only(frames, table), tmp_path)
    rule = "orders" if "account was opened" in what else table
    violation = found(report, rule, what)
    assert violation.severity == severity and violation.count >= 1 and violation.sample
    assert report.ok == (severity == "warning")


def test_a_violation_says_what_how_many_which_and_what_to_do(frames, tmp_path):
    frames["orders"].loc[[0, 1], "account_id"] = ["0098", "0099"]
    first, second = (f"{r.order_id}/{r.line_no}" for r in frames["orders"].iloc[:2].itertuples())
    assert found(checked(only(frames), tmp_path), "orders", "not among").line() == (
        f"error: orders: 2 rows: account_id is not among the accounts ({first} with account_id 0098, "
        f"{second} with account_id 0099); add them to accounts, correct the source, or declare an alias"
    )


def test_repeated_keys_are_counted_and_shown(frames, tmp_path):
    frames["products"] = pd.concat([frames["products"], frames["products"].iloc[[0, 0, 1]]])
    violation = found(checked(only(frames), tmp_path), "products", "several rows have the same product_id")
    assert (violation.count, violation.sample) == (5, ("P1 3 times", "P2 2 times"))


def test_lines_that_equal_another_of_their_order_are_a_warning(frames, tmp_path):
    orders = frames["orders"]
    copies = orders.head(2).assign(line_no=[901, 902])
    frames["orders"] = pd.concat([orders, copies, copies.head(1).assign(line_no=903)], ignore_index=True)
    violation = found(checked(only(frames), tmp_path), "orders", "equal another line of their order")
    assert (violation.count, violation.severity) == (3, "warning")
    assert violation.sample[0] == f"order {orders.order_id[0]} has one 3 times"


def test_accounts_that_own_each_other_in_a_circle_are_found(frames, tmp_path):
    frames["accounts"]["parent_id"] = frames["accounts"].account_id.map(
        {"0001": "0002", "0002": "0003", "0003": "0001", "0004": "0001"}
    )
    violation = found(checked(only(frames), tmp_path), "accounts", "own each other in a circle")
    assert (violation.count, violation.sample) == (3, ("0001 → 0002 → 0003 → 0001",))


def test_two_managers_at_a_time_are_found(frames, tmp_path):
    spells = frames["assignments"]
    account = spells[spells.account_id.duplicated()].account_id.iloc[0]
    spells.loc[spells.account_id == account, "to_date"] = pd.NaT
    violation = found(checked(only(frames, "assignments"), tmp_path), "assignments", "two managers at a time")
    assert violation.count == 1 and violation.sample[0].startswith(f"{account} from ")


def test_a_sample_has_at_most_five_rows(frames, tmp_path):
    frames["orders"]["channel"] = "x"
    frames["orders"]["account_id"] = "0099"
    violation = found(checked(only(frames), tmp_path), "orders", "not among the accounts")
    assert violation.count == len(frames["orders"]) and len(violation.sample) == 5
    assert ", …)" in violation.line()


def test_settings_that_nothing_reads_and_an_absent_currency_are_warnings(frames, tmp_path):
    report = checked(only(frames), tmp_path, {"name": "Small", "curency": "TWD"})
    said = [v.line() for v in report.violations]
    assert said == [
        "warning: book.yml has a setting 'curency' that nothing reads; correct its name in book.yml, or take it out",
        "warning: no currency is declared; write 'currency: TWD' (or yours) in book.yml",
    ]
    assert report.ok


def test_a_fiscal_year_of_its_own_is_told_what_periods_are(frames, tmp_path):
    report = checked(only(frames), tmp_path, {"currency": "TWD", "fiscal_year_start": 4})
    assert ["starts in month 4, and periods are of the calendar year" in v.line() for v in report.violations] == [True]


def test_numbers_where_the_contract_has_names_are_read_and_named(frames, tmp_path):
    folder = write_folder(only(frames), tmp_path / "book")
    frames["orders"].assign(order_id=range(len(frames["orders"]))).to_parquet(folder / "orders.parquet")
    with open_book(folder) as book:
        report = check(book, today=TODAY)
    violation = found(report, "orders", "order_id is int64 where the contract has string")
    assert (violation.severity, report.ok) == ("warning", True)


def test_a_book_without_a_row_of_orders_is_an_error(frames, tmp_path):
    frames = {"accounts": frames["accounts"], "orders": frames["orders"].iloc[:0]}
    report = checked(frames, tmp_path)
    assert "error: orders: there is no row; ingest one that has accounts and orders" in report.lines()


def test_a_book_in_which_nothing_was_sold_is_a_warning(frames, tmp_path):
    frames["orders"]["revenue"] = 0.0
    assert "revenue is 0 in every row" in found(checked(only(frames), tmp_path), "orders", "revenue is 0").line()


def test_text_where_the_contract_has_a_date_is_an_error_that_names_the_remedy(frames, tmp_path):
    folder = write_folder(only(frames), tmp_path / "book")
    orders = frames["orders"].assign(order_date=frames["orders"].order_date.astype(str))
    orders.to_parquet(folder / "orders.parquet")
    with open_book(folder) as book:
        report = check(book, today=TODAY)
    line = "error: orders: order_date is string where the contract has date; ingest it with a mapping, which reads text"
    assert any(said.startswith(line) for said in report.lines())


def test_a_required_column_that_is_not_there_is_an_error(frames, tmp_path):
    folder = write_folder(only(frames), tmp_path / "book")
    frames["orders"].drop(columns="revenue").to_parquet(folder / "orders.parquet")
    with open_book(folder) as book:
        report = check(book, today=TODAY)
    assert found(report, "orders", "required columns are not there: revenue").severity == "error"


def test_optional_columns_and_tables_may_be_absent(frames, tmp_path):
    few = {name: frames[name].dropna(axis=1) for name in ("accounts", "orders")}
    few["orders"] = few["orders"].drop(columns="product_id", errors="ignore")
    report = checked(few, tmp_path)
    assert report.ok and "visits" in report.absent


def test_a_target_of_nobody_is_found_where_the_book_has_no_targets_of_managers(frames, tmp_path):
    folder = write_folder(only(frames, "targets"), tmp_path / "book")
    targets = frames["targets"].drop(columns="manager_id")
    targets.to_parquet(folder / "targets.parquet")
    with open_book(folder) as book:
        violation = found(check(book, today=TODAY), "targets", "neither account_id nor manager_id is given")
    assert violation.count == targets.account_id.isna().sum() > 0


def test_an_optional_column_without_any_value_is_no_violation(frames, tmp_path):
    folder = write_folder(only(frames), tmp_path / "book")
    empty = frames["orders"].assign(channel=None, cost=None, order_date=frames["orders"].order_date.dt.date)
    empty.to_parquet(folder / "orders.parquet")
    with open_book(folder) as book:
        assert check(book, today=TODAY).violations == ()


def lines(place):
    with open_book(place) as book:
        return check(book, today=TODAY).lines()


def test_the_check_is_the_same_on_parquet_duckdb_and_postgresql(frames, tmp_path, postgres_url, monkeypatch):
    frames["orders"].loc[0, "account_id"] = "0099"
    frames["accounts"].loc[0, "lifecycle"] = "kunde"
    write_postgres(frames, postgres_url)
    monkeypatch.setenv("CHECKED", postgres_url)
    on_parquet = lines(write_folder(frames, tmp_path / "book"))
    assert lines(write_duckdb(frames, tmp_path / "book.duckdb")) == on_parquet
    on_postgres = [line.replace("CHECKED", SETTINGS["name"]) for line in lines("CHECKED")]
    assert [line for line in on_postgres if "currency" not in line][:-1] == on_parquet[:-1]
