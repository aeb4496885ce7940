"""Numbers, dates and truth values as exports write them."""

from datetime import date

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kamlib.book.ingest.formats import DateFormat, NumberFormat, read_truth
from kamlib.errors import RequestError


class Reader:
    """Reads texts with a format; each format is compiled once, since that takes longer than the reading."""

    def __init__(self):
        self.connection = ibis.duckdb.connect(threads=1)
        self.connection.raw_sql("SET TimeZone = 'Asia/Taipei'")
        self.texts = ibis.table({"text": "string"}, name="texts")
        self.compiled = {}

    def __call__(self, form, texts):
        parse = form if callable(form) else form.read
        if parse not in self.compiled:
            self.compiled[parse] = self.connection.compile(self.texts.select(value=parse(self.texts.text)))
        database = self.connection.con
        database.register("texts", pa.table({"text": pa.array(list(texts), pa.string())}))
        return [row[0] for row in database.execute(self.compiled[parse]).fetchall()]


@pytest.fixture(scope="module")
def read():
    return Reader()


TAIWAN = NumberFormat(
    thousands=",", currency=("NT$", "TWD"), multipliers=("萬", "億"), parentheses=True, full_width=True
)
GERMAN = NumberFormat(decimal=",", thousands=".", trailing_minus=True)


def test_numbers_of_a_taiwanese_export(read):
    texts = {
        "1,234.50": 1234.5,
        "(1,234.50)": -1234.5,
        "NT$1,234": 1234.0,
        "-NT$5": -5.0,
        "NT$-5": -5.0,
        "500 TWD": 500.0,
        "１２３４": 1234.0,
        "ＮＴ＄１，２３４": 1234.0,
        "1.2萬": 12_000.0,
        "3億": 300_000_000.0,
        "2.3億": 230_000_000.0,
        " 7 ": 7.0,
        "\u3000７\u3000": 7.0,
    }
    assert read(TAIWAN, texts) == list(texts.values())


def test_numbers_of_a_german_export(read):
    texts = {"1.234,50": 1234.5, "1234,5": 1234.5, "-3": -3.0, "12,00-": -12.0}
    assert read(GERMAN, texts) == list(texts.values())


def test_what_the_format_does_not_declare_is_not_a_number(read):
    texts = [
        "1,234",
        "(5)",
        "NT$5",
        "１",
        "1.2萬",
        "5-",
        "1e5",
        "nan",
        "inf",
        "0x10",
        "1_000",
        "--1",
        "",
        "-",
        ".",
        "7 8",
    ]
    assert read(NumberFormat(), texts) == [None] * len(texts)


def test_thousands_come_in_groups_of_three(read):
    assert read(TAIWAN, ["1,23", "12,34,567", "1234,567", ",123", "1,,234"]) == [None] * 5


def test_brackets_signs_and_symbols_are_not_mixed(read):
    assert read(TAIWAN, ["(-5)", "(5", "5)", "-NT$-5", "NT$5NT$", "-(5)", "萬", "1萬億"]) == [None] * 8


def test_an_exponent_is_read_only_when_declared(read):
    assert read(NumberFormat(exponent=True), ["1e+05", "2E-3", "5", "1e400"]) == [100_000, 0.002, 5, None]


def test_narrow_and_no_break_spaces_group_thousands_like_a_space(read):
    french = NumberFormat.declared("1 234,50", "m")
    assert read(french, ["1 234,5", "1\u00a0234,5", "1\u202f234,5"]) == [1234.5] * 3


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e12, 1e12).map(lambda x: round(x, 4)), min_size=1, max_size=30))
def test_any_number_written_in_a_format_is_read_back(read, numbers):
    german = [f"{n:,.4f}".translate(str.maketrans(",.", ".,")) for n in numbers]
    assert read(GERMAN, german) == numbers
    assert read(TAIWAN, [f"NT${n:,.4f}" if n >= 0 else f"({-n:,.4f})" for n in numbers]) == numbers


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), min_size=1, max_size=30))
def test_any_text_is_read_or_missing_but_never_fails(read, texts):
    for form in (TAIWAN, GERMAN, DateFormat(("iso", "%d.%m.%y")), DateFormat(("roc", "excel")), read_truth):
        assert len(read(form, texts)) == len(texts)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("1.234.50", "'1.234.50' is not a number format; write one of 'plain'"),
        ({"decimal": ";"}, "the decimal mark is '.' or ',', not ';'"),
        ({"thousands": "."}, "not the decimal mark; it is '.'"),
        ({"multipliers": ["dozen"]}, "no multiplier 'dozen'; there are 千"),
        ({"currency": ["5"]}, "a currency symbol has no digit"),
        ({"thousand": ","}, "has no setting 'thousand'"),
        ({"parentheses": "yes"}, "parentheses is true or false, not 'yes'"),
    ],
)
def test_a_contradictory_number_format_is_refused(declared, message):
    with pytest.raises(RequestError) as error:
        NumberFormat.declared(declared, "m")
    assert message in str(error.value)


def test_iso_dates_are_strict(read):
    texts = ["2026-09-03", "2026-09-03 08:26:00", "2026-9-3", "2026-02-30", "2026/09/03", "26-09-03", "20260903", "x"]
    assert read(DateFormat(), texts) == [date(2026, 9, 3)] * 2 + [None] * 6


def test_a_time_with_an_offset_is_moved_to_the_timezone_of_the_book(read):
    texts = ["2026-09-03T23:26:00.000+0000", "2026-09-03T23:26:00Z", "2026-09-03 23:26:00+08:00"]
    days = [date(2026, 9, 4), date(2026, 9, 4), date(2026, 9, 3)]
    assert read(DateFormat(timezone="Asia/Taipei"), texts) == days


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%Y/%m/%d", "2026/9/3"),
        ("%d.%m.%Y", "03.09.2026"),
        ("roc", "115/09/03"),
        ("roc", "115.9.3"),
        ("roc", "１１５／０９／０３"),
        ("roc:%Y%m%d", "1150903"),
        ("roc:民國%Y年%m月%d日", "民國115年9月3日"),
        ("excel", "46268"),
        ("excel", "46268.75"),
        ("%Y%m%d", "20260903"),
        ("%d-%b-%y", "03-SEP-26"),
        ("%B %d, %Y %I:%M %p", "September 3, 2026 5:04 PM"),
    ],
)
def test_a_declared_form_reads_its_date(read, form, text):
    assert read(DateFormat.declared(form, "m"), [text]) == [date(2026, 9, 3)]


def test_a_year_of_the_republic_below_100_is_read(read):
    assert read(DateFormat(("roc",)), ["99-01-31", "2026/1/1", "115/13/01"]) == [
        date(2010, 1, 31),
        None,
        None,
    ]


def test_excel_serials_around_the_leap_day_that_never_was(read):
    days = [date(1900, 1, 1), date(1900, 2, 28), None, date(1900, 3, 1), None]
    assert read(DateFormat(("excel",)), ["1", "59", "60", "61", "0"]) == days


def test_a_text_that_two_forms_read_as_different_days_stays_unread(read):
    either = DateFormat.declared(["%d/%m/%Y", "%m/%d/%Y"], "m")
    assert read(either, ["03/09/2026", "13/09/2026", "05/05/2026"]) == [
        None,
        date(2026, 9, 13),
        date(2026, 5, 5),
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.dates(date(1912, 1, 1), date(2910, 12, 31)), min_size=1, max_size=20))
def test_any_day_written_in_a_form_is_read_back(read, days):
    assert read(DateFormat(), [d.isoformat() for d in days]) == days
    assert read(DateFormat(("%d.%m.%Y",)), [f"{d.day}.{d.month}.{d.year}" for d in days]) == days
    assert read(DateFormat(("roc",)), [f"{d.year - 1911:02d}/{d.month}/{d.day}" for d in days]) == days


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("%d.%m", "must name the year once"),
        ("%Y-%j", "has %j; known are"),
        ("american", "must name the year once; write iso, roc, excel or a pattern"),
        ([], "no date format is given"),
    ],
)
def test_a_date_format_that_names_no_day_is_refused(form, message):
    with pytest.raises(RequestError, match=None) as error:
        DateFormat.declared(form, "m")
    assert message in str(error.value)


def test_truth_values(read):
    texts = ["TRUE", "yes", "1", "是", "n", "False", "否", "maybe", "有"]
    assert read(read_truth, texts) == [*[True] * 4, *[False] * 3, None, None]
