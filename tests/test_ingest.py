"""What real exports do, and what becomes of each row; every source row is accepted, rejected or dropped by rule."""

import copy
import csv
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import duckdb
import ibis
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kamlib import open_book
from kamlib.book.check import check
from kamlib.book.ingest import ingest
from kamlib.book.ingest.mapping import read_mapping
from kamlib.errors import RequestError

CUSTOMERS = "no,name,parent\n0007,Acme,\n00012-A,Globex,0007\n7,Initech,\n"
ORDERS = "order,customer,day,amount\nO1,0007,2026-09-01,10.5\nO2,00012-A,2026-09-02,-3\nO3,7,2026-09-03,4\n"
MAPPING = {
    "book": {"name": "Test", "currency": "TWD", "timezone": "Asia/Taipei"},
    "files": {"customers": {"path": "customers.csv"}, "orders": {"path": "orders.csv"}},
    "tables": {
        "accounts": {"from": "customers", "columns": {"account_id": "no", "name": "name"}},
        "orders": {
            "from": "orders",
            "columns": {
                "order_id": "order",
                "line_no": {"value": 1},
                "account_id": "customer",
                "order_date": "day",
                "revenue": "amount",
            },
        },
    },
}


@pytest.fixture
def export(tmp_path):
    """An export that can be changed, and the book it makes."""
    return Export(tmp_path)


class Export:
    def __init__(self, folder):
        self.source, self.out = folder / "exports", folder / "book"
        self.source.mkdir()
        self.mapping = copy.deepcopy(MAPPING)
        self.orders, self.accounts = self.mapping["tables"]["orders"], self.mapping["tables"]["accounts"]
        self.columns = self.orders["columns"]
        self.write("customers.csv", CUSTOMERS)
        self.write("orders.csv", ORDERS)

    def write(self, name, content, encoding="utf-8"):
        data = content if isinstance(content, bytes) else content.encode(encoding)
        (self.source / name).write_bytes(data)

    def order_lines(self, *lines):
        """Order lines of account 0007: text after the order number and the account."""
        self.write("orders.csv", "\n".join(["order,customer,day,amount", *lines, ""]))

    def ingest(self):
        report = ingest(read_mapping(self.mapping, "test.yml"), self.source, self.out)
        assert all(f.is_balanced for f in report.files)
        return report

    def refusal(self):
        with pytest.raises(RequestError) as error:
            self.ingest()
        assert not self.out.exists()
        assert [p.name for p in self.out.parent.iterdir()] == ["exports"]
        return str(error.value)

    def table(self, name):
        return pq.read_table(self.out / f"{name}.parquet").to_pylist()

    def rejects(self, name="orders"):
        path = self.out / "rejects" / f"{name}.parquet"
        return pq.read_table(path).to_pylist() if path.exists() else []

    def values(self, name, column):
        return [row[column] for row in self.table(name)]


def why(reject):
    return reject["source_row"], reject["column"], reject["value"], reject["reason"]


# Identifiers


def test_identifiers_stay_strings(export):
    export.ingest()
    assert export.values("accounts", "account_id") == ["00012-A", "0007", "7"]
    with open_book(export.out) as book:
        assert dict(zip(book.frame("orders").account_id, book.frame("orders").revenue, strict=True)) == {
            "0007": 10.5,
            "00012-A": -3.0,
            "7": 4.0,
        }


def test_number_cells_of_a_spreadsheet_lose_their_decimal_point_and_are_reported(export):
    sheet = openpyxl.Workbook()
    for row in [["no", "name"], ["0007", "Acme"], ["00012-A", "Globex"], [7.0, "Initech"], [None, None]]:
        sheet.active.append(row)
    sheet.save(export.source / "customers.xlsx")
    export.mapping["files"]["customers"] = {"path": "customers.xlsx"}
    report = export.ingest()
    assert export.values("accounts", "account_id") == ["00012-A", "0007", "7"]
    assert "accounts.account_id: no holds numbers in 1 cell of the spreadsheet; leading zeros" in "\n".join(
        report.notes
    )


def test_whole_floats_of_parquet_are_identifiers_without_a_point(export):
    frame = pd.DataFrame({"no": [7.0, 12.0, None], "name": ["A", "B", "C"]})
    frame.to_parquet(export.source / "customers.parquet")
    export.mapping["files"]["customers"] = {"path": "customers.parquet"}
    export.ingest()
    assert export.values("accounts", "account_id") == ["12", "7"]
    assert why(export.rejects("accounts")[0]) == (3, "account_id", None, "required and missing")


# Numbers and dates


def test_amounts_are_read_in_the_declared_format_and_others_rejected_with_row_column_and_value(export):
    export.orders["number"] = {
        "thousands": ",", "currency": "NT$", "multipliers": ["萬", "億"], "parentheses": True, "full_width": True,
    }  # fmt: skip
    texts = ['"1,234.50"', '"(1,234.50)"', '"NT$1,234"', "１２３４", "1.2萬", "3億", '"1.234,50"', "about 5"]
    export.order_lines(*[f"O{i},0007,2026-09-01,{text}" for i, text in enumerate(texts)])
    report = export.ingest()
    assert export.values("orders", "revenue") == [1234.5, -1234.5, 1234, 1234, 12_000, 300_000_000]
    told = "amount: not a number written as 1,234.50 (NT$; 萬, 億; parentheses; full width)"
    assert [why(r) for r in export.rejects()] == [(8, "revenue", "1.234,50", told), (9, "revenue", "about 5", told)]
    assert f"rejected from orders: 2 rows, revenue: {told}" in report.lines()


@pytest.mark.parametrize(
    ("form", "text"), [("%Y/%m/%d", "2026/9/3"), ("%d.%m.%Y", "03.09.2026"), ("roc", "115/09/03"), ("excel", "46268")]
)
def test_dates_are_read_in_the_declared_format(export, form, text):
    export.orders["date"] = form
    export.order_lines(f"O1,0007,{text},1", "O2,0007,2026-09-03,1")
    export.ingest()
    assert export.values("orders", "order_date") == [date(2026, 9, 3)]
    assert why(export.rejects()[0]) == (3, "order_date", "2026-09-03", f"day: not a date written as {form}")


def test_an_undeclared_date_is_never_guessed(export):
    export.order_lines("O1,0007,03/09/2026,1", "O2,0007,2026-09-03,1")
    export.ingest()
    assert why(export.rejects()[0]) == (2, "order_date", "03/09/2026", "day: not a date written as iso")


def test_spreadsheet_cells_that_are_dates_and_numbers_need_no_format(export):
    sheet = openpyxl.Workbook()
    rows = [
        ["order", "customer", "day", "amount"],
        ["O1", "0007", datetime(2026, 9, 3), 1234.5],
        ["O2", "0007", "03.09.2026", "1.234,5"],
        ["O3", "0007", 46268, True],
    ]
    for row in rows:
        sheet.active.append(row)
    sheet.save(export.source / "orders.xlsx")
    export.mapping["files"]["orders"] = {"path": "orders.xlsx", "number": "1.234,50", "date": ["%d.%m.%Y", "excel"]}
    export.ingest()
    assert export.values("orders", "revenue") == [1234.5, 1234.5]
    assert export.values("orders", "order_date") == [date(2026, 9, 3)] * 2
    assert why(export.rejects()[0]) == (4, "revenue", "true", "amount: not a number written as 1.234,50")


def test_times_with_a_timezone_become_days_of_the_book(export):
    days = pa.array([datetime(2026, 9, 2, 23, 0)], pa.timestamp("us", tz="UTC"))
    table = pa.table({"order": ["O1"], "customer": ["0007"], "day": days, "amount": [1]})
    pq.write_table(table, export.source / "orders.parquet")
    export.mapping["files"]["orders"] = {"path": "orders.parquet"}
    export.ingest()
    assert export.values("orders", "order_date") == [date(2026, 9, 3)]


def test_words_declared_to_mean_missing_are_missing(export):
    export.mapping["formats"] = {"missing": ["N/A", "-"]}
    export.columns["quantity"] = "amount"
    export.columns["revenue"] = {"column": "amount", "default": 0}
    export.order_lines("O1,0007,2026-09-01,N/A", "O2,0007,2026-09-01,-", "O3,-,2026-09-01,1")
    export.ingest()
    assert export.values("orders", "quantity") == [None, None]
    assert export.values("orders", "revenue") == [0, 0]
    assert why(export.rejects()[0]) == (4, "account_id", None, "required and missing")


def test_line_numbers_are_whole(export):
    export.columns["line_no"] = "amount"
    export.order_lines("O1,0007,2026-09-01,2.0", "O2,0007,2026-09-01,2.5")
    export.ingest()
    assert export.values("orders", "line_no") == [2]
    assert why(export.rejects()[0]) == (3, "line_no", "2.5", "not a whole number")


def test_values_outside_the_contract_are_rejected_with_what_is_allowed(export):
    export.write("customers.csv", "no,name,stage,spend\n0007,A,Kunde,5\n8,B,unknown,5\n9,C,lead,-1\n")
    export.accounts["columns"] |= {
        "lifecycle": {"column": "stage", "values": {"Kunde": "customer"}},
        "annual_potential": "spend",
    }
    export.ingest()
    assert export.values("accounts", "lifecycle") == ["customer"]
    first, second = (why(r) for r in export.rejects("accounts"))
    assert first[:3] == (3, "lifecycle", "unknown") and first[3].startswith("not one of lead, opportunity, customer")
    assert second == (4, "annual_potential", "-1", "below 0")


@pytest.mark.parametrize("column", ["quantity", "line_no", "revenue"])
@pytest.mark.parametrize("text", ["99999999999999999999", "-1e300", "nan"])
def test_a_number_too_large_to_count_with_rejects_its_row_alone(export, column, text):
    export.columns[column] = "number(_.amount).round()" if column == "quantity" else "amount"
    export.columns["channel"] = "add_days(_.day, _.amount)"
    export.orders["number"] = {"exponent": True}
    export.order_lines(f"O1,0007,2026-09-01,{text}", "O2,0007,2026-09-01,5")
    export.ingest()
    assert export.values("orders", "channel")[-1] == "2026-09-06"


def test_a_row_whose_number_is_infinite_is_rejected_after_arithmetic_too(export):
    frame = pd.DataFrame({"order": ["O1", "O2"], "customer": "0007", "day": "2026-09-01", "amount": [1e308, 5]})
    frame.to_parquet(export.source / "orders.parquet")
    export.mapping["files"]["orders"]["path"] = "orders.parquet"
    export.columns["revenue"] = "_.amount * 10"
    export.ingest()
    assert export.values("orders", "revenue") == [50]
    assert why(export.rejects()[0]) == (1, "revenue", "inf", "not a finite number")


def test_a_day_before_the_year_1_is_rejected(export):
    export.orders["date"] = "%d.%m.%Y"
    export.order_lines("O1,0007,01.01.0000,1", "O2,0007,01.01.0001,1")
    export.ingest()
    assert why(export.rejects()[0]) == (2, "order_date", "01.01.0000", "before the year 1 or after 9999")


def test_constants_of_a_translation_are_numbers_whatever_mark_the_cells_have(export):
    export.mapping["formats"] = {"number": "1.234,50"}
    export.columns["revenue"] = {"column": "amount", "values": {"high": 0.125}}
    export.order_lines("O1,0007,2026-09-01,high", 'O2,0007,2026-09-01,"1.234,5"')
    export.ingest()
    assert export.values("orders", "revenue") == [0.125, 1234.5]


def test_missing_cells_of_a_column_of_our_own_are_filled_where_declared(export):
    export.order_lines("O1,0007,2026-09-01,1", "O2,0007,2026-09-01,2")
    export.orders["also"] = {"sheet": {"column": "rank", "default": 0}}
    export.write("orders.csv", ORDERS.replace("amount", "amount,rank").replace("10.5", "10.5,7").replace("-3", "-3,"))
    export.mapping["files"]["orders"]["short_rows"] = "missing"
    export.ingest()
    assert export.values("orders", "sheet") == ["7", "0", "0"]


# Duplicates and orphans


def test_identical_rows_are_kept_once_and_counted(export):
    export.order_lines(*["O1,0007,2026-09-01,5"] * 3, "O2,0007,2026-09-01,5")
    report = export.ingest()
    assert export.values("orders", "order_id") == ["O1", "O2"]
    assert report.of("orders").dropped == {"identical duplicate": 2}
    assert export.rejects() == []


def test_conflicting_rows_are_all_rejected(export):
    export.order_lines("O1,0007,2026-09-01,5", "O1,0007,2026-09-01,6", "O1,0007,2026-09-01,5", "O2,7,2026-09-01,1")
    export.ingest()
    assert export.values("orders", "order_id") == ["O2"]
    reason = "conflicts: 2 different rows have this key"
    assert [why(r) for r in export.rejects()] == [(n, "order_id + line_no", "O1 / 1", reason) for n in (2, 3, 4)]


def test_keys_with_missing_parts_are_compared_too(export):
    export.write(
        "targets.csv", "account,manager,quarter,amount\n0007,,2026-Q1,5\n0007,,2026-Q1,6\n,,2026-Q1,7\n7,,Q1,1\n"
    )
    columns = {"account_id": "account", "manager_id": "manager", "period": "quarter", "revenue": "amount"}
    export.mapping["tables"]["targets"] = {"from": "targets.csv", "columns": columns}
    export.ingest()
    reasons = [why(r)[3].split(":")[0] for r in export.rejects("targets")]
    assert reasons == ["conflicts", "conflicts", "neither account_id nor manager_id", "not a period"]


def test_an_order_of_an_unknown_account_is_rejected_and_listed_with_the_nearest_known(export):
    export.order_lines("O1,07,2026-09-01,5", "O2,07,2026-09-01,6", "O3,0007,2026-09-01,1")
    report = export.ingest()
    assert [why(r) for r in export.rejects()] == [
        (n, "account_id", "07", "not among the accounts of this book") for n in (2, 3)
    ]
    assert "orders.account_id: 1 value not among the accounts: '07' (2 rows, nearest '0007')" in report.notes


def test_orders_of_an_account_that_was_refused_itself_say_so_instead_of_a_near_spelling(export):
    export.write("customers.csv", CUSTOMERS + "07,Initech B,\n07,Initech C,\n")
    export.order_lines("O1,07,2026-09-01,5", "O3,0007,2026-09-01,1")
    note = (
        "orders.account_id: 1 value not among the accounts: '07' (1 row, refused itself in accounts: account_id, "
        "conflicts: 2 different rows have this key)"
    )
    assert note in export.ingest().notes
    with open_book(export.out) as book:
        lines = check(book, today=date(2026, 10, 1)).lines()
    told = "they were refused by the ingest and are not in the book; look in rejects/{}.csv for why"
    assert "warning: accounts: 2 rows: " + told.format("accounts") in lines
    assert "warning: orders: 1 row: " + told.format("orders") in lines


def test_the_firms_own_roster_is_read_as_yes_and_no_and_refused_where_it_is_neither(export):
    export.accounts["also"] = {"is_key_account": "parent"}
    export.write("customers.csv", "no,name,parent\n0007,Acme,Y\n00012-A,Globex,否\n7,Initech,\n8,Other,maybe\n")
    export.ingest()
    assert export.values("accounts", "is_key_account") == [False, True, None]
    assert [why(r) for r in export.rejects("accounts")] == [
        (5, "is_key_account", "maybe", "parent: neither true nor false")
    ]


def test_products_are_asked_for_only_where_the_book_has_them(export):
    export.columns["product_id"] = "amount"
    assert export.ingest().of("orders").rejected == 0
    products = {"from": "customers", "columns": {"product_id": "no", "name": "name"}}
    export.mapping["tables"]["products"] = products
    assert export.ingest().of("orders").rejected == 3


def test_an_unknown_optional_reference_becomes_missing_where_declared(export):
    export.accounts["columns"]["parent_id"] = {"column": "parent", "unknown": "missing"}
    export.write("customers.csv", CUSTOMERS.replace("Initech,", "Initech,HOLDING"))
    report = export.ingest()
    assert export.values("accounts", "parent_id") == ["0007", None, None]
    assert any("'HOLDING' (1 row" in note for note in report.notes)


def test_an_account_whose_owner_was_rejected_goes_with_it(export):
    export.accounts["columns"]["parent_id"] = "parent"
    export.write("customers.csv", "no,name,parent\nA,Top,Z\nB,Middle,A\nC,Leaf,B\n7,Other,\n")
    report = export.ingest()
    assert export.values("accounts", "account_id") == ["7"]
    assert report.of("accounts").rejected == 3


# Returns, names, and rows that are no rows


def test_a_credit_note_is_negative_and_linked_to_its_order_where_the_mapping_says_how(export):
    export.write("credits.csv", "credit,original,customer,day,amount\nC9,O1,0007,2026-09-05,2.5\n")
    credits = copy.deepcopy(export.orders)
    credits["from"] = "credits.csv"
    credits["columns"] |= {"order_id": "original", "line_no": {"value": 9001}, "revenue": "-number(_.amount)"}
    credits["also"] = {"credit_note": "credit"}
    export.mapping["tables"]["orders"] = [export.orders, credits]
    report = export.ingest()
    first = [r for r in export.table("orders") if r["order_id"] == "O1"]
    assert [(r["line_no"], r["revenue"], r["credit_note"]) for r in first] == [(1, 10.5, None), (9001, -2.5, "C9")]
    assert [f.file for f in report.files if f.table == "orders"] == ["orders.csv", "credits.csv"]


def test_names_are_matched_by_a_declared_alias_table_and_never_silently(export):
    export.mapping["aliases"] = {"names": {"GTX Pro": ["GTXPro"], "Acme": []}}
    name = {"column": "customer", "alias": "names"}
    export.accounts |= {"from": "orders", "one_per": "account_id", "columns": {"account_id": name, "name": name}}
    export.columns["account_id"] = name
    lines = ["GTX Pro", "GTXPro", "gtx pro", "Acme"]
    export.order_lines(*[f"O{i},{name},2026-09-01,1" for i, name in enumerate(lines)])
    report = export.ingest()
    assert export.values("accounts", "account_id") == ["Acme", "GTX Pro", "gtx pro"]
    notes = "\n".join(report.notes)
    assert "accounts.account_id: 1 name not in the alias table 'names': 'gtx pro' (1 row, nearest 'GTX Pro')" in notes
    assert (
        "accounts.account_id: 'GTX Pro', 'gtx pro' differ only in case, spacing or punctuation and are kept apart"
        in notes
    )


def test_spaces_at_the_edges_are_taken_off_only_where_declared(export):
    export.order_lines("O1,0007 ,2026-09-01,5")
    assert "'0007 ' (1 row, nearest '0007')" in "\n".join(export.ingest().notes)
    export.mapping["formats"] = {"trim": True}
    assert export.ingest().of("orders").accepted == 1


def test_subtotals_blank_rows_and_repeated_headers_go_by_declared_rules(export):
    export.orders["drop"] = {
        "blank rows": "blank", "repeated header": "header", "subtotal": '_.order.startswith("Total")',
    }  # fmt: skip
    lines = ["O1,0007,2026-09-01,5", ",,,", "", "order,customer,day,amount", "Total,,,5", "O2,7,2026-09-01,1"]
    export.order_lines(*lines)
    report = export.ingest()
    assert report.of("orders").dropped == {"blank rows": 2, "repeated header": 1, "subtotal": 1}
    line = "orders from orders.csv: 6 rows in = 2 accepted + 0 rejected + 4 dropped "
    assert line + "(blank rows: 2, repeated header: 1, subtotal: 1)" in report.lines()


def test_undeclared_subtotals_are_rejected_not_dropped(export):
    export.order_lines("O1,0007,2026-09-01,5", "Total,,,5")
    report = export.ingest()
    assert (report.of("orders").rejected, report.of("orders").dropped) == (1, {})


def test_a_row_with_too_few_cells_is_rejected_and_trailing_commas_are_not(export):
    export.order_lines("O1,0007,2026-09-01", "O2,0007,2026-09-01,5,,", "O3,0007,2026-09-01,5,x")
    export.ingest()
    assert export.values("orders", "order_id") == ["O2"]
    reasons = [(r["source_row"], r["reason"]) for r in export.rejects()]
    assert reasons == [(2, "3 cells where the header has 4"), (4, "5 cells where the header has 4")]


# Shaping


def test_rows_explode_into_one_per_call_and_a_source_row_counts_once(export):
    export.write(
        "calls.csv", "account,month,calls\n0007,2026-01-31,3\n7,2026-01-31,0\n7,2026-02-28,-1\n9,2026-01-31,2\n"
    )
    export.mapping["tables"]["visits"] = {
        "from": "calls.csv",
        "explode": {"times": "calls", "as": "call"},
        "columns": {
            "visit_id": 'concat(_.account, "-", _.call)',
            "account_id": "account",
            "visit_date": "month",
            "channel": {"value": "call"},
        },
    }
    report = export.ingest()
    assert export.values("visits", "visit_id") == ["0007-1", "0007-2", "0007-3"]
    assert (report.of("visits").accepted, report.of("visits").rejected) == (1, 2)
    assert report.of("visits").dropped == {"nothing to explode": 1}
    assert [why(r)[1:3] for r in export.rejects("visits")] == [("calls", "-1"), ("account_id", "9")]
    assert report.rows["visits"] == 3


def test_accounts_come_from_order_lines_one_row_each(export):
    export.accounts |= {"from": "orders", "one_per": "account_id"}
    export.accounts["columns"] = {"account_id": "customer", "name": "customer", "opened_on": "date(_.day).min()"}
    export.order_lines("O1,A,2026-09-05,5", "O2,A,2026-09-01,5", "O3,B,2026-09-03,1")
    report = export.ingest()
    assert export.values("accounts", "opened_on") == [date(2026, 9, 1), date(2026, 9, 3)]
    assert report.of("accounts").dropped == {"same account_id already read": 1}


def test_the_last_row_counts_where_the_mapping_says_so(export):
    export.write("customers.csv", "no,name,since\n0007,Old,2020-01-01\n0007,New,2024-01-01\n0007,Middle,2022-01-01\n")
    export.accounts["one_per"] = {"columns": "account_id", "order_by": "since", "keep": "last"}
    export.ingest()
    assert export.values("accounts", "name") == ["New"]


def test_assignments_are_the_changes_of_manager(export):
    export.write(
        "sales.csv", "account,day,rep\n0007,2026-01-05,R1\n0007,2026-02-05,R1\n0007,2026-03-05,R2\n0007,2026-04-05,R1\n"
    )
    export.mapping["tables"]["assignments"] = {
        "from": "sales.csv",
        "changes": {"of": "manager_id", "within": "account_id", "at": "from_date", "until": "to_date"},
        "columns": {"account_id": "account", "from_date": "day", "manager_id": "rep"},
    }
    report = export.ingest()
    rows = [(r["manager_id"], r["from_date"], r["to_date"]) for r in export.table("assignments")]
    assert rows == [
        ("R1", date(2026, 1, 5), date(2026, 3, 4)),
        ("R2", date(2026, 3, 5), date(2026, 4, 4)),
        ("R1", date(2026, 4, 5), None),
    ]
    assert report.of("assignments").dropped == {"manager_id unchanged": 1}


def test_columns_are_looked_up_in_another_file(export):
    export.write("regions.csv", "code,region\n0007,North\n7,South\n")
    export.accounts["lookups"] = [{"file": "regions.csv", "on": {"no": "code"}, "take": {"area": "region"}}]
    export.accounts["columns"]["region"] = "area"
    report = export.ingest()
    assert export.values("accounts", "region") == [None, "North", "South"]
    assert "accounts: 1 row without a match in regions.csv by code ('00012-A')" in report.notes[0]


def test_a_look_up_with_several_rows_for_a_key_must_say_which_counts(export):
    export.write("regions.csv", "code,region,since\n7,North,2020-01-01\n7,South,2024-01-01\n")
    lookup = {"file": "regions.csv", "on": {"no": "code"}, "take": {"area": "region"}}
    export.accounts["lookups"] = [lookup]
    export.accounts["columns"]["region"] = "area"
    message = export.refusal()
    assert "1 key with several rows, such as code = '7'; say which row counts with first_by or last_by" in message
    lookup["last_by"] = "since"
    export.ingest()
    assert export.values("accounts", "region")[-1] == "South"


def test_a_cell_that_a_look_up_cannot_read_rejects_the_rows_that_take_it(export):
    export.write("prices.csv", "order,price\nO1,5\nO2,cheap\n")
    price = {"file": "prices.csv", "on": "order", "take": {"price": "number(_.price)"}}
    export.orders["lookups"] = [price]
    export.columns["revenue"] = "_.price * 2"
    export.order_lines("O1,0007,2026-09-01,1", "O2,0007,2026-09-01,1", "O3,0007,2026-09-01,1")
    export.ingest()
    assert export.values("orders", "revenue") == [10.0]
    told = [why(r) for r in export.rejects()]
    assert told[0] == (3, "price", "cheap", "not a number written as 1234.50")
    assert told[1] == (4, "revenue", None, "required and missing")


def test_line_numbers_are_places_within_the_order(export):
    export.columns["line_no"] = {"position_within": "order"}
    export.order_lines("O1,0007,2026-09-01,5", "O2,0007,2026-09-01,5", "O1,0007,2026-09-01,5")
    export.ingest()
    assert [(r["order_id"], r["line_no"]) for r in export.table("orders")] == [("O1", 1), ("O1", 2), ("O2", 1)]


def test_files_of_one_pattern_are_read_as_one_and_counted_apart(export):
    export.write("orders-2025.csv", ORDERS)
    export.write("orders-2026.csv", "amount,order,customer,day\n7,O9,0007,2026-10-01\n")
    export.mapping["files"]["orders"]["path"] = "orders-*.csv"
    report = export.ingest()
    assert [(f.file, f.accepted) for f in report.files[1:]] == [("orders-2025.csv", 3), ("orders-2026.csv", 1)]
    assert export.values("orders", "revenue")[-1] == 7.0


def test_files_of_one_name_in_several_folders_are_told_apart(export):
    for year in ("2025", "2026"):
        (export.source / year).mkdir()
        export.write(f"{year}/orders.csv", ORDERS.replace("O", f"{year}-"))
    export.mapping["files"]["orders"]["path"] = "*/orders.csv"
    assert [f.file for f in export.ingest().files[1:]] == ["2025/orders.csv", "2026/orders.csv"]


def parquet_years(export, *years):
    for i, columns in enumerate(years):
        frame = pd.DataFrame({"order": f"O{i}", "customer": "0007", "day": "2026-09-01", "amount": 1} | columns)
        frame.to_parquet(export.source / f"orders-{i}.parquet")
    export.mapping["files"]["orders"]["path"] = "orders-*.parquet"


def test_numbers_of_typed_files_stay_numbers_where_one_has_whole_ones(export):
    export.mapping["formats"] = {"number": "1.234,50"}
    export.columns["quantity"] = "_.amount + _.amount"
    parquet_years(export, {"amount": [5]}, {"amount": [1.234]})
    export.ingest()
    assert export.values("orders", "revenue") == [5, 1.234]
    assert export.values("orders", "quantity") == [10, 2.468]


def test_identifiers_of_typed_files_keep_every_digit_where_one_has_missing_ones(export):
    export.write("customers.csv", "no,name\n9007199254740993,Acme\n7,Initech\n")
    parquet_years(export, {"customer": [9007199254740993]}, {"order": ["O1", "O2"], "customer": [7.0, None]})
    export.ingest()
    assert export.values("orders", "account_id") == ["9007199254740993", "7"]


def test_days_of_typed_files_stay_days_where_one_has_times(export):
    export.mapping["formats"] = {"date": "%d.%m.%Y"}
    parquet_years(export, {"day": [date(2026, 9, 1)]}, {"day": [datetime(2026, 9, 2, 12)]}, {"day": ["03.09.2026"]})
    export.ingest()
    assert export.values("orders", "order_date") == [date(2026, 9, day) for day in (1, 2, 3)]


def test_a_column_that_one_of_the_files_leaves_empty_has_the_type_of_the_others(export):
    export.mapping["formats"] = {"number": "1.234,50"}
    export.columns["quantity"] = "_.amount + 1"
    parquet_years(export, {"amount": [None]}, {"amount": [1.5]})
    export.columns["revenue"] = {"column": "amount", "default": 0}
    export.ingest()
    assert export.values("orders", "quantity") == [None, 2.5]


def test_a_csv_file_and_a_workbook_are_read_as_one(export):
    sheet = openpyxl.Workbook()
    for row in [["order", "customer", "day", "amount"], ["O9", "0007", datetime(2026, 9, 4), 7]]:
        sheet.active.append(row)
    sheet.save(export.source / "orders.xlsx")
    export.mapping["files"]["orders"]["path"] = "orders.*"
    export.ingest()
    assert export.values("orders", "revenue") == [10.5, -3, 4, 7]


def test_rejects_hold_every_source_column_as_text_and_where_it_stood(export):
    export.write("orders.csv", "order,customer,day,amount,reason,Value\nO1,0007,2026-09-01,x,late,9\n")
    export.ingest()
    (reject,) = export.rejects()
    assert reject == {
        "source_file": "orders.csv", "source_row": 2, "column": "revenue", "value": "x",
        "reason": "amount: not a number written as 1234.50", "order": "O1", "customer": "0007",
        "day": "2026-09-01", "amount": "x", "reason (source)": "late", "Value (source)": "9",
    }  # fmt: skip


def test_rejects_open_in_a_spreadsheet_without_running_anything(export):
    export.write("orders.csv", "order,customer,day,amount,=note\n=1+1,0007,2026-09-01,x,台灣\nO2,0007,x,-5,-2+3\n")
    export.ingest()
    text = (export.out / "rejects" / "orders.csv").read_bytes().decode("utf-8-sig")
    told = [tuple(row.values())[1:] for row in csv.DictReader(text.splitlines())]
    late = "day: not a date written as iso"
    assert told == [
        ("2", "revenue", "x", "amount: not a number written as 1234.50", "'=1+1", "0007", "2026-09-01", "x", "台灣"),
        ("3", "order_date", "x", late, "O2", "0007", "x", "-5", "'-2+3"),
    ]
    assert text.splitlines()[0].endswith(",'=note")
    assert len(export.rejects()) == 2


# Encodings and names


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "big5", "gb18030"])
def test_chinese_files_columns_and_names_in_any_declared_encoding(export, encoding):
    text = "編號,客戶名稱\n0007,台灣積體電路\n7,金額｜統一\n"
    text = text if encoding != "big5" else text.replace("｜", "")
    export.write("客戶名單.csv", text, encoding)
    file = {"path": "客戶名單.csv"}
    export.mapping["files"]["customers"] = file if "utf" in encoding else {**file, "encoding": encoding}
    export.accounts["columns"] = {"account_id": "編號", "name": "_.客戶名稱.strip()"}
    export.ingest()
    assert export.values("accounts", "name")[0] == "台灣積體電路"


def test_big5_holds_what_windows_writes_as_big5(export):
    export.write("customers.csv", "no,name\n0007,宏碁\n", "cp950")
    export.mapping["files"]["customers"]["encoding"] = "big5"
    export.ingest()
    assert export.values("accounts", "name") == ["宏碁"]


HOSTILE = [
    "=1+1",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "a\tb",
    "a\nb",
    "\x01\x00x",
    "'; DROP TABLE x;--",
    "{{ 7*7 }}",
]


def test_hostile_names_arrive_as_they_are(export):
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([["no", "name"], *[[f"A{i}", name] for i, name in enumerate(HOSTILE)]])
    export.write("customers.csv", stream.getvalue())
    export.ingest()
    assert export.values("accounts", "name") == HOSTILE


def test_hostile_column_names_can_be_mapped(export):
    names = ['a"b', "a'; --", "=x", "A", "a", " ", "_"]
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([names, ["1", "N", "3", "4", "5", "6", "7"]])
    export.write("customers.csv", stream.getvalue())
    export.accounts["columns"] = {"account_id": 'a"b', "name": "a'; --", "region": "A", "industry": '_["a"].lower()'}
    export.ingest()
    row = export.table("accounts")[0]
    assert (row["account_id"], row["name"], row["region"], row["industry"]) == ("1", "N", "4", "5")


def test_columns_of_our_own_may_have_any_name(export):
    names = ["c0", "C1", "n2", "source_row", "客戶", 'x "y"']
    export.orders["also"] = dict.fromkeys(names, "day")
    export.ingest()
    row = export.table("orders")[0]
    assert [row[name] for name in names] == ["2026-09-01"] * 6 and row["revenue"] == 10.5


def test_file_names_with_wildcard_characters_are_read(export):
    pd.DataFrame({"no": ["A"], "name": ["N"]}).to_parquet(export.source / "cust[1].parquet")
    export.write("cust1.parquet", b"not this one")
    export.mapping["files"]["customers"]["path"] = "cust[1].parquet"
    export.ingest()
    assert export.values("accounts", "account_id") == ["A"]


# Files


def test_titles_above_the_header_and_other_delimiters_are_declared(export):
    export.write("customers.csv", "Customer list;\nprinted 2026-09-30;\nno;name;\n0007;Acme;\n")
    export.mapping["files"]["customers"] |= {"delimiter": ";", "header": 3}
    export.order_lines("O1,99,2026-09-01,5")
    export.ingest()
    assert export.values("accounts", "name") == ["Acme"]


def test_a_file_without_a_header_is_given_names(export):
    export.write("customers.csv", "0007,Acme\n7,Initech\n")
    export.mapping["files"]["customers"]["names"] = ["no", "name"]
    assert export.ingest().of("accounts").rows_in == 2


def test_repeated_column_names_are_given_other_names(export):
    export.write("customers.csv", "no,name,name\n0007,Acme,Acme Ltd\n")
    export.mapping["files"]["customers"] |= {"names": ["no", "short", "name"], "header": 1}
    export.ingest()
    assert export.values("accounts", "name") == ["Acme Ltd"]


def test_short_rows_are_filled_up_where_declared(export):
    export.columns["quantity"] = "extra"
    export.write("orders.csv", ORDERS.replace("amount", "amount,extra"))
    assert export.ingest().of("orders").rejected == 3
    export.mapping["files"]["orders"]["short_rows"] = "missing"
    assert export.ingest().of("orders").accepted == 3


def test_quotation_marks_that_mean_nothing_are_declared(export):
    export.write("customers.csv", 'no,name\n0007,"5" pipes\n')
    assert "a quotation mark is not closed or not doubled" in export.refusal()
    export.mapping["files"]["customers"]["quote"] = "none"
    export.ingest()
    assert export.values("accounts", "name") == ['"5" pipes']


@pytest.fixture
def crm(export, tmp_path_factory, monkeypatch):
    """A database of customers that goes by the name *crm* in books.yml."""
    folder = tmp_path_factory.mktemp("crm")
    with duckdb.connect(folder / "crm.duckdb") as database:
        database.execute("CREATE TABLE customers AS SELECT * FROM (VALUES (7, 'Initech'), (12, 'Acme')) t(no, name)")
    (folder / "books.yml").write_text(f"crm: {{url: 'duckdb://{folder / 'crm.duckdb'}'}}\n", encoding="utf-8")
    monkeypatch.setenv("KAM_BOOKS", str(folder / "books.yml"))
    export.order_lines("O1,7,2026-09-01,5")
    return export


@pytest.mark.parametrize("asked", [{"table": "customers"}, {"query": "SELECT no, upper(name) AS name FROM customers"}])
def test_a_database_is_read_by_its_name(crm, asked):
    crm.mapping["files"]["customers"] = {"book": "crm", **asked}
    report = crm.ingest()
    assert crm.values("accounts", "account_id") == ["12", "7"]
    assert report.files[0].file == f"crm:{'customers' if 'table' in asked else 'query'}"


def test_an_absent_table_of_a_database_is_one_clear_error(crm):
    crm.mapping["files"]["customers"] = {"book": "crm", "table": "custommers"}
    assert "crm:custommers: the database 'crm' could not be read" in crm.refusal()


@pytest.mark.parametrize("asked", [{"table": "erp"}, {"query": "SELECT no, name FROM erp WHERE no <> 'x'"}])
def test_a_postgresql_database_is_read_by_its_name(export, postgres_url, monkeypatch, asked):
    connection = ibis.connect(postgres_url)
    with connection.begin() as cursor:
        cursor.execute("DROP TABLE IF EXISTS erp")
        cursor.execute("CREATE TABLE erp AS SELECT * FROM (VALUES ('8', NULL), ('0007', 'Acme')) t(no, name)")
    connection.disconnect()
    monkeypatch.setenv("ERP", postgres_url)
    export.mapping["files"]["customers"] = {"book": "ERP", **asked}
    export.order_lines("O1,0007,2026-09-01,5")
    report = export.ingest()
    assert export.values("accounts", "account_id") == ["0007"]
    assert [why(r) for r in export.rejects("accounts")] == [(2, "name", None, "required and missing")]
    assert report.of("orders").accepted == 1


def test_money_of_postgresql_is_read(export, postgres_url, monkeypatch):
    connection = ibis.connect(postgres_url)
    with connection.begin() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bills")
        cursor.execute(
            "CREATE TABLE bills AS SELECT 'O1' AS order, '0007' AS customer, '2026-09-01' AS day, v::money AS amount "
            "FROM (VALUES ('-1,002.50')) t(v)"
        )
    connection.disconnect()
    monkeypatch.setenv("ERP", postgres_url)
    export.mapping["files"]["orders"] = {"book": "ERP", "table": "bills"}
    export.ingest()
    assert export.values("orders", "revenue") == [-1002.5]


# Wrong requests: one clear error, nothing written


def test_a_missing_column_is_named_with_its_file_and_the_nearest_one(export):
    export.columns["revenue"] = "amuont"
    message = "test.yml: tables.orders.columns.revenue: orders.csv has no column 'amuont'; did you mean 'amount'?"
    assert export.refusal() == message


def test_a_column_that_is_there_twice_is_not_guessed(export):
    export.write("customers.csv", "no,name,name\n1,a,b\n")
    assert "customers.csv has the column 'name' more than once" in export.refusal()


def test_a_wrong_delimiter_is_recognised(export):
    export.write("customers.csv", CUSTOMERS.replace(",", ";"))
    assert "its only column is 'no;name;parent': declare the 'delimiter' under files" in export.refusal()


def test_a_wrong_encoding_names_the_byte_the_line_and_the_remedy(export):
    export.write("customers.csv", "no,name\n1,Acme\n2,金山\n", "big5")
    message = export.refusal()
    assert "customers.csv is not in utf-8: byte 0xAA at offset 17 (line 3) cannot be read" in message
    assert "can be read as big5, gb18030" in message and "'encoding: big5'" in message


@pytest.mark.parametrize("mark", ["\\t", "\n", '"'])
def test_a_delimiter_that_is_none_is_refused(export, mark):
    export.mapping["files"]["orders"]["delimiter"] = mark
    assert 'a tab is "\\t" in double quotes' in export.refusal()


def test_a_default_of_another_kind_than_its_column_is_refused(export):
    parquet_years(export, {"amount": [5]})
    export.orders["also"] = {"sheet": {"column": "amount", "default": "none"}}
    assert "tables.orders.also.sheet: the default 'none' does not fit its column, int64" in export.refusal()


@pytest.mark.parametrize("given", [{"value": "soon"}, {"column": "day", "default": "soon"}])
def test_a_constant_that_is_no_date_is_named_with_its_place(export, given):
    export.columns["order_date"] = given
    assert export.refusal().startswith("test.yml: tables.orders.columns.order_date: 'soon' is not a date; write it as")


def test_a_byte_order_mark_must_agree_with_the_mapping(export):
    export.write("customers.csv", CUSTOMERS, "utf-8-sig")
    export.mapping["files"]["customers"]["encoding"] = "big5"
    assert "begins with the byte order mark of utf-8, and the mapping says big5" in export.refusal()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("customers.csv", b"", "customers.csv is empty (0 bytes); export it again"),
        ("customers.csv", b"\n\n", "has no column names in row 1"),
        ("customers.csv", b"no,name\n1,Acme\n2", "is truncated: its last row, 3, has 1 of 2 cells and no line end"),
        ("customers.csv", b'no,name\n1,"Acme\n2,B\n', "a quotation mark is not closed or not doubled"),
        ("customers.xlsx", b"PK\x03\x04half", "customers.xlsx cannot be read as Excel"),
        ("customers.parquet", b"PAR1half", "customers.parquet cannot be read as Parquet"),
        (
            "customers.xls",
            b"\xd0\xcf\x11\xe0",
            "customers.xls is none of .csv, .tsv, .txt, .xlsx, .xlsm, .parquet (save it as",
        ),
    ],
)
def test_a_file_that_is_not_what_it_is_said_to_be(export, name, content, message):
    export.write(name, content)
    export.mapping["files"]["customers"]["path"] = name
    assert message in export.refusal()


@pytest.mark.parametrize("suffix", ["xlsx", "parquet"])
def test_a_truncated_workbook_or_parquet_file_is_one_clear_error(export, suffix):
    frame = pd.DataFrame({"no": [str(i) for i in range(5000)], "name": [f"N{i}" for i in range(5000)]})
    path = export.source / f"customers.{suffix}"
    frame.to_excel(path, index=False) if suffix == "xlsx" else frame.to_parquet(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    export.mapping["files"]["customers"]["path"] = path.name
    assert f"customers.{suffix} cannot be read as" in export.refusal()


def test_a_damaged_parquet_page_is_one_clear_error(export):
    path = export.source / "customers.parquet"
    pd.DataFrame({"no": [f"{i:09d}" for i in range(9999)], "name": ["N"] * 9999}).to_parquet(path, compression="gzip")
    data = bytearray(path.read_bytes())
    data[200:5000] = os.urandom(4800)
    path.write_bytes(bytes(data))
    export.mapping["files"]["customers"]["path"] = path.name
    assert "tables.accounts could not be computed" in export.refusal()


def test_a_folder_where_a_file_should_be(export):
    (export.source / "orders.csv").unlink()
    (export.source / "orders.csv").mkdir()
    assert "orders.csv is a folder where a file should be" in export.refusal()


def test_an_absent_file_names_the_nearest_one(export):
    export.mapping["files"]["orders"]["path"] = "order.csv"
    assert "there is no file 'order.csv'" in export.refusal()
    assert "did you mean 'orders.csv'?" in export.refusal()


def test_a_workbook_with_several_sheets_must_name_one(export):
    book = openpyxl.Workbook()
    book.create_sheet("Kunden")
    book.save(export.source / "customers.xlsx")
    export.mapping["files"]["customers"]["path"] = "customers.xlsx"
    assert "has 2 sheets (Sheet, Kunden); declare 'sheet: <name>'" in export.refusal()
    export.mapping["files"]["customers"]["sheet"] = "Kunde"
    assert "has no sheet 'Kunde'; it has Sheet, Kunden" in export.refusal()


def test_a_workbook_whose_formulas_were_never_worked_out_is_refused(export):
    book = openpyxl.Workbook()
    for row in (["order", "customer", "day", "amount", "remark"], ["O1", "0007", "2026-09-01", "=2*3", None]):
        book.active.append(row)
    book.save(export.source / "orders.xlsx")
    export.mapping["files"]["orders"]["path"] = "orders.xlsx"
    said = "orders.xlsx: the results of the formulas in 1 column ('amount') were never stored; open the file in a"
    assert said in export.refusal()


def test_an_unknown_timezone_is_refused(export):
    export.mapping["book"]["timezone"] = "Asia/Tapei"
    assert "there is no timezone 'Asia/Tapei'" in export.refusal()


def test_the_source_must_be_a_folder(export):
    with pytest.raises(RequestError, match="does not exist; give the folder"):
        ingest(read_mapping(MAPPING), export.source / "none", export.out)


def test_a_database_that_is_not_named_anywhere_is_refused(export):
    export.mapping["files"]["customers"] = {"book": "no_such_crm", "table": "customers"}
    assert "there is no book at 'no_such_crm'" in export.refusal()


# The book as a whole


def test_the_same_export_makes_the_same_bytes(export):
    export.order_lines("O2,0007,2026-09-01,5", "O1,7,2026-09-01,x", "O1,7,2026-09-01,1")
    export.ingest()
    before = {p.relative_to(export.out): p.read_bytes() for p in export.out.rglob("*") if p.is_file()}
    shutil.move(export.out, export.out.with_name("first"))
    export.ingest()
    export.ingest()
    after = {p.relative_to(export.out): p.read_bytes() for p in export.out.rglob("*") if p.is_file()}
    assert before == after and len(before) == 5


def test_a_book_is_written_in_order_of_date_and_then_of_key(export):
    export.order_lines("O1,0007,2026-09-03,5", "O9,7,2026-09-01,1", "O2,7,2026-09-03,2", "O8,7,2026-09-01,1")
    export.ingest()
    assert export.values("orders", "order_id") == ["O8", "O9", "O1", "O2"]


def test_a_failed_ingest_leaves_the_earlier_book_untouched(export):
    export.ingest()
    before = {p.name: p.read_bytes() for p in export.out.iterdir()}
    export.columns["revenue"] = "nothing"
    with pytest.raises(RequestError):
        export.ingest()
    assert {p.name: p.read_bytes() for p in export.out.iterdir()} == before
    assert sorted(p.name for p in export.out.parent.iterdir()) == ["book", "exports"]


def test_an_interrupted_ingest_leaves_the_earlier_book_untouched(export, monkeypatch):
    export.ingest()
    before = {p.name: p.read_bytes() for p in export.out.iterdir()}

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("kamlib.book.ingest._write_settings", interrupt)
    with pytest.raises(KeyboardInterrupt):
        export.ingest()
    assert {p.name: p.read_bytes() for p in export.out.iterdir()} == before
    assert sorted(p.name for p in export.out.parent.iterdir()) == ["book", "exports"]


def test_an_ingest_killed_between_its_two_renames_is_put_right_by_the_next(export):
    export.ingest()
    export.out.rename(export.out.with_name(".book.earlier"))
    export.columns["revenue"] = "nothing"
    with pytest.raises(RequestError):
        export.ingest()
    assert export.values("orders", "order_id") == ["O1", "O2", "O3"]


def test_a_killed_ingest_leaves_the_earlier_book_untouched(export):
    export.ingest()
    before = {p.name: p.read_bytes() for p in export.out.iterdir()}
    export.write("orders.csv", ORDERS + "".join(f"X{i},0007,2026-09-01,{i}\n" for i in range(100_000)))
    (export.source.parent / "m.yml").write_text(yaml.safe_dump(export.mapping), encoding="utf-8")
    call = "import sys; from kamlib.book.ingest import ingest; ingest(*sys.argv[1:])"
    paths = [str(export.source.parent / "m.yml"), str(export.source), str(export.out)]
    process = subprocess.Popen([sys.executable, "-c", call, *paths])
    while process.poll() is None and not list(export.out.parent.glob(".book.partial-*/book/accounts.parquet")):
        if list(export.out.parent.glob(".book.partial-*/*/source1.parquet")):
            process.kill()
    assert process.wait() == -signal.SIGKILL
    assert {p.name: p.read_bytes() for p in export.out.iterdir()} == before


def test_a_folder_with_other_things_in_it_is_never_replaced(export):
    export.out.mkdir()
    (export.out / "thesis.docx").write_text("years of work")
    with pytest.raises(RequestError, match=r"holds 1 thing that no ingest wrote \(thesis.docx\)"):
        export.ingest()
    with pytest.raises(RequestError, match="the book would replace the source folder"):
        ingest(read_mapping(export.mapping), export.source, export.source)


def test_the_settings_of_the_mapping_become_those_of_the_book(export):
    export.mapping["book"]["thresholds"] = {"vip_single_purchase": {"value": 5000, "reason": "board, 2026-01"}}
    export.ingest()
    with open_book(export.out) as book:
        assert (book.name, book.settings.currency, book.settings.timezone) == ("Test", "TWD", "Asia/Taipei")
        assert book.settings.threshold("vip_single_purchase").reason == "board, 2026-01"


def test_each_step_is_told(export):
    told = []
    ingest(read_mapping(export.mapping), export.source, export.out, told.append)
    assert told == ["reading accounts", "reading orders", "writing the book"]


def _readme_example(folder):
    """The files of the README's example; the orders' file and the mapping as text."""
    text = (Path(__file__).parents[1] / "data" / "mappings" / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:yaml)?\n(.*?)```", text, re.DOTALL)
    customers, invoices, mapping = (
        next(b for b in blocks if b.startswith(start)) for start in ("客戶編號", "發票號碼", "book:")
    )
    (folder / "customers.csv").write_text(customers, encoding="cp950")
    return text, invoices, mapping


def _ingest_readme_example(folder, invoices, mapping):
    (folder / "invoices.csv").write_text(invoices, encoding="utf-8")
    (folder / "m.yml").write_text(mapping, encoding="utf-8")
    report = ingest(folder / "m.yml", folder, folder / "book")
    with open_book(folder / "book") as book:
        return report, book.frame("orders"), book.frame("accounts")


@pytest.fixture
def visits(export):
    """The recipe of the README, on three rows of one account and one day."""
    text = (Path(__file__).parents[1] / "data" / "mappings" / "README.md").read_text(encoding="utf-8")
    recipe = next(block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "visits:" in block)
    export.mapping["tables"] |= yaml.safe_load(recipe)
    export.mapping["files"]["visits"] = {"path": "visits.csv"}
    day = "7,2026-09-01"
    export.write("visits.csv", f"Customer,Date,How,Hours\n{day},Visit,1\n{day},Visit,2\n{day},Phone,0.5\n")
    return export.mapping["tables"]["visits"]


def test_the_recipe_for_visits_without_a_number_makes_one_of_those_that_agree(export, visits):
    export.ingest()
    assert [(v["visit_id"], v["hours"]) for v in export.table("visits")] == [
        ("7-2026-09-01-Phone", 0.5),
        ("7-2026-09-01-Visit", 3.0),
    ]


def test_visits_that_nothing_tells_apart_are_numbered_by_their_rows(export, visits):
    del visits["one_per"]
    visits["columns"] |= {"visit_id": {"position_within": "_.Customer.isnull()"}, "hours": "Hours"}
    export.ingest()
    assert [v["visit_id"] for v in export.table("visits")] == ["1", "2", "3"]


def test_the_example_in_the_readme_works(tmp_path):
    _, invoices, mapping = _readme_example(tmp_path)
    report, orders, accounts = _ingest_readme_example(tmp_path, invoices, mapping)
    assert orders.revenue.tolist() == [12_000, -1_500, 12_000]
    assert orders.quantity.tolist() == [2, -1, 10]
    assert dict(zip(accounts.account_id, accounts.manager_id, strict=True)) == {"0007": "M01", "00012-A": "M02"}
    assert report.of("orders").dropped == {"blank rows": 1, "repeated header": 1, "subtotal": 1}
    assert report.rejected == 0


def test_the_recipe_in_the_readme_drops_lines_that_the_export_holds_twice(tmp_path):
    text, invoices, mapping = _readme_example(tmp_path)
    head, first, *rest = invoices.splitlines(keepends=True)
    twice = "".join([head, first, first, *rest])
    recipe = re.search(r"\n    (one_per: .*)\n", text)[1]
    once = mapping.replace("from: invoices\n    columns", f"from: invoices\n    {recipe}\n    columns")
    assert len(_ingest_readme_example(tmp_path, twice, mapping)[1]) == 4
    report, orders, _ = _ingest_readme_example(tmp_path, twice, once)
    assert orders.revenue.tolist() == [12_000, -1_500, 12_000]
    assert sum(report.of("orders").dropped.values()) == 4


cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["0007", "7", "O1", "2026-09-01", "5", "-1.5", "order", "customer", "day", "amount", "Total", " ", "1e9"]
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(cells, min_size=0, max_size=5), max_size=25),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_rows_in_are_accepted_rejected_or_dropped_whatever_the_file_holds(tmp_path_factory, rows, quoting):
    export = Export(tmp_path_factory.mktemp("any"))
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=quoting).writerows([["order", "customer", "day", "amount"], *rows])
    export.write("orders.csv", stream.getvalue())
    export.orders["drop"] = {"blank": "blank", "header": "header", "total": '_.order == "Total"'}
    counted = len(list(csv.reader(io.StringIO(stream.getvalue(), newline="")))) - 1
    report = export.ingest()
    orders = report.of("orders")
    assert orders.rows_in == counted == orders.accepted + orders.rejected + sum(orders.dropped.values())
    assert len(export.rejects()) == orders.rejected
    assert len(export.table("orders")) == orders.accepted == report.rows["orders"]
