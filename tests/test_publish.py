"""What a notebook hands to its report is text, numbers with units, and harmless files."""

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from kamlib.errors import RequestError
from kamlib.reports import publish
from kamlib.reports.figures import style
from kamlib.reports.finding import Finding

HOSTILE = "<script>alert(1)</script>=cmd|' /C calc'!A0 $x$ 大客戶"


@pytest.fixture
def shown(monkeypatch):
    bundles = []
    monkeypatch.setattr(publish, "display", lambda bundle, raw: bundles.append(bundle))
    return bundles


@pytest.fixture
def output(tmp_path, monkeypatch):
    monkeypatch.setenv("KAM_OUTPUT", str(tmp_path))
    return tmp_path


def _soup(bundle) -> BeautifulSoup:
    return BeautifulSoup(bundle["text/html"], "html.parser")


def test_a_finding_shows_its_sentence_as_text(shown):
    publish.finding(Finding("a.b", HOSTILE, reason="", decision=HOSTILE))
    page = _soup(shown[0])
    assert page.find("script") is None
    assert page.find(class_="kam-sentence").text == HOSTILE


def test_a_table_shows_names_as_text_and_numbers_with_separators(shown, output):
    publish.table("t", pd.DataFrame({"name": [HOSTILE], "revenue": [-1234567.0], "share": [0.123]}))
    page = _soup(shown[0])
    assert page.find("script") is None
    assert [cell.text for cell in page.find_all("td")] == [HOSTILE, "−1,234,567", "12.3%"]


def test_a_missing_value_is_a_dash_and_never_a_zero(shown, output):
    publish.table("t", pd.DataFrame({"margin": [None, 0.0], "day": [pd.NaT, pd.Timestamp("2026-01-02")]}))
    assert [cell.text for cell in _soup(shown[0]).find_all("td")] == ["–", "–", "0", "2026-01-02"]


def test_a_table_is_written_whole_as_parquet_and_csv(shown, output):
    frame = pd.DataFrame({"account_id": ["0007", "8"], "revenue": [1.5, 2.5]})
    publish.table("accounts", frame, columns=["account_id"])
    pd.testing.assert_frame_equal(pd.read_parquet(output / "tables" / "accounts.parquet"), frame)
    assert (output / "tables" / "accounts.csv").read_text("utf-8-sig").splitlines()[1] == "0007,1.5"


def test_the_columns_a_page_shows_lead_in_the_files_and_the_rest_follows(shown, output):
    frame = pd.DataFrame({"rate": [0.1], "name": ["Firm"], "class": ["A"], "account_id": ["0007"]})
    publish.table("t", frame, ["account_id", "name"])
    assert list(pd.read_parquet(output / "tables" / "t.parquet")) == ["account_id", "name", "rate", "class"]
    assert list(pd.read_csv(output / "tables" / "t.csv")) == ["account_id", "name", "rate", "class"]


def test_a_table_seen_by_hand_shows_the_rows_it_promises_and_promises_no_file(shown, monkeypatch):
    monkeypatch.delenv("KAM_OUTPUT", raising=False)
    publish.table("t", pd.DataFrame({"revenue": range(9)}), rows=5)
    page = _soup(shown[0])
    assert len(page.find_all("td")) == 5
    assert page.find(class_="kam-count").text == "5 of 9 rows shown."


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_no_spreadsheet_runs_a_cell_of_the_csv(text):
    assert publish.harmless(pd.DataFrame({"name": [text]})).name[0] == f"'{text}"


def test_a_negative_number_stays_a_number_in_the_csv():
    assert publish.harmless(pd.DataFrame({"x": [-1.5]})).x[0] == -1.5


@pytest.mark.parametrize("name", ["../x", "A b", "", "x.csv"])
def test_a_table_needs_a_plain_file_name(name):
    with pytest.raises(RequestError, match="cannot name a table; use small letters, digits, - and _"):
        publish.table(name, pd.DataFrame({"a": [1]}))


def test_predictions_lacking_a_column_are_refused(output):
    with pytest.raises(RequestError, match="predictions lack 3 columns: horizon_days, lower, upper"):
        publish.predictions(pd.DataFrame({"account_id": [], "quantity": [], "value": []}))


def test_run_by_hand_nothing_is_written(shown, tmp_path, monkeypatch):
    monkeypatch.delenv("KAM_OUTPUT", raising=False)
    monkeypatch.chdir(tmp_path)
    publish.table("t", pd.DataFrame({"a": [1]}))
    assert list(tmp_path.iterdir()) == []


def _figure(title):
    drawn = style.axes(title, "months", "revenue, TWD")
    drawn.plot([1, 2, 3])
    return drawn


def test_a_figure_keeps_its_text_as_text_and_is_described(shown):
    publish.figure(_figure(HOSTILE))
    page = _soup(shown[0])
    assert page.find("figure")["aria-label"] == HOSTILE
    assert HOSTILE in page.find("svg").text
    assert page.find("script") is None


def test_equal_figures_are_equal_to_the_byte_and_two_figures_share_no_identifier(shown):
    for title in ("A", "A", "B"):
        publish.figure(_figure(title))
    first, again, other = (bundle["text/html"] for bundle in shown)
    assert first == again
    identifiers = [{tag["id"] for tag in _soup(bundle).find_all(id=True)} for bundle in (shown[0], shown[2])]
    assert not identifiers[0] & identifiers[1]
    assert other != first


def test_chinese_is_drawn_without_a_missing_glyph(recwarn, shown):
    if not any(name in style.mpl.rcParams["font.family"] for name in style.CHINESE_FONTS):
        pytest.skip("no Chinese font is installed here; on Debian: apt-get install fonts-noto-cjk")
    publish.figure(_figure("大客戶 集團"))
    assert not [w for w in recwarn if "Glyph" in str(w.message)]


def test_a_table_without_rows_says_of_what_there_is_nothing(shown, output):
    publish.table("complaints", pd.DataFrame({"case_id": []}))
    publish.table("odd_ones", pd.DataFrame({"case_id": []}))
    assert [_soup(bundle).text.strip() for bundle in shown] == [
        "There is no complaint to list.",
        "There is nothing to list here: the table of odd ones is empty.",
    ]


def test_a_table_of_two_columns_stays_a_table_on_a_phone(shown, output):
    publish.table("two", pd.DataFrame({"field": ["Name"], "entry": ["Firm"]}))
    publish.table("three", pd.DataFrame({"a": [1], "b": [2], "c": [3]}))
    assert ["kam-wide" in _soup(bundle).div["class"] for bundle in shown] == [False, True]
