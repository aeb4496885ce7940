"""The expression language of mappings: what it computes, and that it holds nothing dangerous."""

from datetime import date

import ibis
import pytest

from kamlib.book.ingest.cells import Cell
from kamlib.book.ingest.expressions import Evaluator
from kamlib.book.ingest.formats import DateFormat, NumberFormat
from kamlib.book.ingest.grammar import columns_of, is_expression, parse
from kamlib.book.ingest.specs import Formats
from kamlib.errors import RequestError

TEXT = {
    "Menge": ["2", "1.234", "x", ""],
    "Preis": ["1,50", "2", "1", "1"],
    "Tag": ["03.09.2026", "31.01.2026", "1.1.2026", "?"],
    "Order Name": ["SO-1", "CN-2", " so-3", "0007"],
    "客戶": ["甲", "乙", "甲", "丙"],
}
TYPED = {"n": [2, 3, 4, 5], "m": [0.5, 0.0, 2.0, 1.0], "day": [date(2026, 1, d) for d in (1, 2, 3, 4)]}
FORMATS = Formats(NumberFormat(decimal=",", thousands="."), DateFormat(("%d.%m.%Y",)))


@pytest.fixture(scope="module")
def connection():
    made = ibis.duckdb.connect(threads=1)
    yield made
    made.disconnect()


def evaluator(keys=()):
    table = ibis.memtable({**TEXT, **TYPED, "row": [0, 1, 2, 3]}, schema={
        **dict.fromkeys(TEXT, "string"), "n": "int64", "m": "float64", "day": "date", "row": "int64",
    })  # fmt: skip
    cells = {name: Cell.of(name, table[name]) for name in (*TEXT, *TYPED)}
    return table, Evaluator(cells, FORMATS, "orders.x", tuple(table[k] for k in keys), (table.row,))


def values(connection, text, keys=()):
    table, run = evaluator(keys)
    found = run.value(text)
    found = found if not isinstance(found, Cell) else found.text
    return connection.to_pyarrow(table.mutate(value=found).order_by("row").select("value"))["value"].to_pylist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("_.n * _.m", [1.0, 0.0, 8.0, 5.0]),
        ("_.n / _.m", [4.0, None, 2.0, 5.0]),
        ("-_.n + 1", [-1, -2, -3, -4]),
        ("_.Menge * _.Preis", [3.0, 2468.0, None, None]),
        ("number(_.Preis) + 1", [2.5, 3.0, 2.0, 2.0]),
        ("_.n > 2 and not _.n == 4", [False, True, False, True]),
        ("_.Menge == 1234", [False, True, None, None]),
        ("_.客戶.nullif('甲') == None", [True, False, True, False]),
        ('_["Order Name"].substr(-2)', ["-1", "-2", "-3", "07"]),
        ("2 < _.n <= 4", [False, True, True, False]),
        ('_["Order Name"].strip().upper()', ["SO-1", "CN-2", "SO-3", "0007"]),
        ('_["Order Name"].startswith("CN")', [False, True, False, False]),
        ('_["Order Name"].re_extract("([0-9]+)", 1)', ["1", "2", "3", "0007"]),
        ('_.客戶 == "甲"', [True, False, True, False]),
        ('concat(_.n, "-", _.客戶)', ["2-甲", "3-乙", "4-甲", "5-丙"]),
        ('_.客戶 + "!"', ["甲!", "乙!", "甲!", "丙!"]),
        ('ifelse(_.n == 2, None, text(_.n))', [None, "3", "4", "5"]),
        ('"low" if _.n < 4 else "high"', ["low", "low", "high", "high"]),
        ("coalesce(_.Menge, _.Preis)", ["2", "1.234", "x", "1"]),
        ("_.Menge.fill_null(0)", [2.0, 1234.0, 0.0, 0.0]),
        ('_.客戶.isin(["甲", "丙"])', [True, False, True, True]),
        ("_.n.isin([2, 5])", [True, False, False, True]),
        ("_.n.between(3, 4)", [False, True, True, False]),
        ("_.Menge.isnull()", [False, False, False, True]),
        ("_.Menge == None", [False, False, False, True]),
        ("add_days(_.Tag, 1)", [date(2026, 9, 4), date(2026, 2, 1), date(2026, 1, 2), None]),
        ("add_months(_.Tag, 1)", [date(2026, 10, 3), date(2026, 2, 28), date(2026, 2, 1), None]),
        ('add_months(date("2000-01-01"), _.n)', [date(2000, m, 1) for m in (3, 4, 5, 6)]),
        ('period(_.Tag, "quarter")', ["2026-Q3", "2026-Q1", "2026-Q1", None]),
        ('_.Tag >= "2026-01-31"', None),
        ('date(_.Tag) >= "2026-01-31"', [True, True, False, None]),
        ('_.day >= "2026-01-03"', [False, False, True, True]),
        ("_.Tag.month()", [9, 1, 1, None]),
        ("_.m.round()", [1, 0, 2, 1]),
        ('_.n.cast("string").lpad(4, "0")', ["0002", "0003", "0004", "0005"]),
    ],
)  # fmt: skip
def test_an_expression_computes(connection, text, expected):
    if expected is None:  # dates of text compare as text unless date(…) says otherwise
        expected = [v >= "2026-01-31" for v in TEXT["Tag"]]
    assert values(connection, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("_.n.sum()", [6, 3, 6, 5]),
        ("_.day.min()", [date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 1), date(2026, 1, 4)]),
        ("_.n.last()", [4, 3, 4, 5]),
        ("_.n.count()", [2, 1, 2, 1]),
        ("most_frequent(_.客戶)", ["甲", "乙", "甲", "丙"]),
    ],
)
def test_an_aggregate_runs_over_the_rows_with_the_same_key(connection, text, expected):
    assert values(connection, text, keys=["客戶"]) == expected


def test_an_aggregate_without_a_key_is_refused():
    with pytest.raises(RequestError, match="uses an aggregate, which needs 'one_per'"):
        evaluator()[1].value("_.n.sum()")


def test_each_cell_that_is_not_a_number_is_noted_with_its_column():
    _table, run = evaluator()
    run.value("_.Menge * _.Preis")
    assert [f.column for f in run.failures] == ["Menge", "Preis"]
    assert run.failures[0].reason == "not a number written as 1.234,50"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("__import__('os').system('true')", "uses 'system', which is not a method"),
        ("_.n.__class__", "holds '_.n.__class__', which the language does not have"),
        ("().__class__.__bases__", "which the language does not have"),
        ("open('/etc/passwd')", "uses 'open', which is not a function of expressions"),
        ("(lambda: 1)()", "calls 'lambda: 1', which is not a function"),
        ("[x for x in _.n]", "which the language does not have"),
        ("f'{_.n}'", "which the language does not have"),
        ("_.n ** 9", "which the language does not have"),
        ("10 ** 10 ** 10", "which the language does not have"),
        ("_.n.pipe(exec)", "uses 'pipe', which is not a method"),
        ("_.n.sum(where=True)", "passes arguments by name"),
        ("concat(*_.n)", "passes arguments by name or with *"),
        ("b'x'", "constants are texts, numbers"),
        ("n + 1", "names 'n'; a column is written _.n"),
        ("_.n +", "is not an expression"),
        ("_.n.strp()", "uses 'strp', which is not a method of expressions; did you mean 'strip'?"),
        ("+1" * 300, "is too long"),
        ("x" * 3000, "has at most 2,000 characters"),
        ("(" * 300 + "1" + ")" * 300, "is not an expression"),
        ("_.n if _.n else (yield)", "which the language does not have"),
    ],
)
def test_what_the_language_does_not_have_is_refused(text, message):
    with pytest.raises(RequestError) as error:
        parse(text, "orders.x")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("_.Mange + 1", "has no column 'Mange'; did you mean 'Menge'?"),
        ('_.客戶.lpad(1000000000, "x")', "needs a whole number of at most 100 as width"),
        ("_.客戶.left(-1)", "needs a whole number of at most 1,000,000 as length, at least 0, not -1"),
        ("_.n < None", "asks whether something is more or less than None; missing is == None"),
        ("_.day + 1", "day is date, not a number; for dates there is add_days(date, days)"),
        ("_.n and _.m", "joins with and, or, not a value that is no condition: int64"),
        ('date("2026-13-01")', "holds '2026-13-01', which is not a date"),
        ("_.客戶.startswith(_.Tag)", "needs a text in quotes as text"),
        ("_.n.strip(1, 2)", "calls strip with 2 arguments; it takes 0"),
        ("ifelse(_.n)", "calls ifelse with arguments that do not fit it"),
        ('period(_.day, "month of May")', "there are year, half, quarter, month"),
        ('_.n.cast("binary")', "casts to 'binary'; there are string, float64, int64, date"),
    ],
)
def test_an_expression_that_does_not_fit_its_columns_is_refused(text, message):
    with pytest.raises(RequestError) as error:
        evaluator()[1].expression(text)
    assert message in str(error.value)


def test_a_column_name_is_told_from_an_expression():
    assert is_expression("_.Betrag") and is_expression('_["Net amount"].strip()')
    assert not is_expression("Net amount (EUR)") and not is_expression("cost_.eur")


def test_the_columns_of_an_expression_are_known_in_order():
    assert columns_of('_.b * _["a c"] + _.b', "x") == ["b", "a c"]
