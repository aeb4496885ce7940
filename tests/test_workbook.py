"""A report as an Excel workbook."""

import json

import openpyxl
import pandas as pd
import pytest
from payloads import PAYLOADS

from kamlib.reports.workbook import write_workbook


@pytest.fixture(scope="module")
def workbook(tmp_path_factory):
    report = tmp_path_factory.mktemp("report")
    (report / "tables").mkdir()
    names = [text.replace("\x00", "") for text in PAYLOADS]
    frame = pd.DataFrame({"name": names, "revenue": 1234.5, "opened_on": pd.Timestamp("2026-01-02")})
    frame.loc[0, ["revenue"]] = None
    frame.to_parquet(report / "tables" / "accounts.parquet")
    finding = {"id": "a.b", "sentence": "=1+1", "value": 1.5, "interval": [1.0, 2.0], "verdict": "usable"}
    (report / "findings.json").write_text(json.dumps([finding]))
    return openpyxl.load_workbook(write_workbook(report))


def test_no_cell_is_a_formula(workbook):
    kinds = {cell.data_type for sheet in workbook for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds


def test_numbers_are_numbers_dates_are_dates_and_missing_is_empty(workbook):
    row = [cell.value for cell in workbook["accounts"][3]]
    assert row[1:] == [1234.5, pd.Timestamp("2026-01-02")]
    assert workbook["accounts"]["B2"].value is None


def test_the_header_is_frozen_and_can_be_filtered(workbook):
    sheet = workbook["accounts"]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == f"A1:C{len(PAYLOADS) + 1}"


def test_the_findings_have_a_sheet_with_their_intervals(workbook):
    header, found = ([cell.value for cell in row] for row in workbook["findings"].iter_rows())
    assert dict(zip(header, found, strict=True))["upper"] == 2.0


def test_sentences_wrap_and_columns_are_as_wide_as_what_they_show(tmp_path):
    (tmp_path / "tables").mkdir()
    frame = pd.DataFrame({"account_id": ["0007"], "share_of_wallet": [0.123456789012345], "why": ["A sentence. " * 20]})
    frame.to_parquet(tmp_path / "tables" / "accounts.parquet")
    (tmp_path / "findings.json").write_text("[]")
    sheet = openpyxl.load_workbook(write_workbook(tmp_path))["accounts"]
    assert [bool(cell.alignment.wrap_text) for cell in sheet[2]] == [False, False, True]
    assert [sheet.column_dimensions[letter].width for letter in "ABC"] == [11, 19, 60]


def test_a_workbook_says_what_it_is_of_and_names_columns_as_the_page_does(tmp_path):
    (tmp_path / "tables").mkdir()
    frame = pd.DataFrame({"days_overdue": [3], "manager": ["Lin"], "manager_id": ["M1"]})
    frame.to_parquet(tmp_path / "tables" / "due.parquet")
    shares = [
        {"id": f"x.{v}", "sentence": "S.", "value": v, "interval": None, "verdict": "usable"} for v in (0.034, 2e6)
    ]
    (tmp_path / "findings.json").write_text(json.dumps(shares))
    workbook = openpyxl.load_workbook(write_workbook(tmp_path, {"book": "=Firm", "as_of": "2026-09-30"}))
    assert [[cell.value for cell in row] for row in workbook["about"]["A2:B3"]] == [
        ["book", "=Firm"],
        ["as_of", "2026-09-30"],
    ]
    heads = [cell.value for cell in workbook["due"][1]]
    assert heads == ["Overdue (days)", "Manager", "Manager [manager_id]"]
    assert [cell.number_format for (cell,) in workbook["findings"]["C2:C3"]] == ["#,##0.000", "#,##0"]


def test_chinese_is_kept(workbook):
    assert any("大客戶" in str(cell.value) for cell in workbook["accounts"]["A"])
