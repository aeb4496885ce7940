"""A mapping is typed and closed: whatever it does not know is an error that says where and what was meant."""

import copy
from pathlib import Path

import pytest
import yaml

from kamlib.book.ingest.formats import NumberFormat
from kamlib.book.ingest.mapping import load_mapping, read_mapping
from kamlib.errors import RequestError

MAPPINGS = Path(__file__).parents[1] / "data" / "mappings"
SMALL = {
    "book": {"name": "Small", "currency": "TWD"},
    "files": {"orders": {"path": "orders.csv"}},
    "tables": {
        "accounts": {"from": "customers.csv", "columns": {"account_id": "No", "name": "Name"}},
        "orders": {
            "from": "orders",
            "columns": {
                "order_id": "Order",
                "line_no": {"value": 1},
                "account_id": "No",
                "order_date": "Day",
                "revenue": "_.Quantity * _.Price",
            },
        },
    },
}


def changed(path, value):
    """The small mapping with one entry set."""
    content = copy.deepcopy(SMALL)
    *sections, name = path
    place = content
    for section in sections:
        place = place.setdefault(section, {})
    place[name] = value
    return content


def refusal(path, value):
    with pytest.raises(RequestError) as error:
        read_mapping(changed(path, value), "small.yml")
    return str(error.value)


def test_a_small_mapping_is_read_into_typed_values():
    mapping = read_mapping(SMALL)
    assert mapping.settings.currency == "TWD"
    assert mapping.tables["orders"][0].columns["revenue"].expression == "_.Quantity * _.Price"
    assert mapping.tables["orders"][0].columns["line_no"].value == 1
    assert mapping.files["customers.csv"].path == "customers.csv"


ORDERS = ("tables", "orders")
COLUMNS = (*ORDERS, "columns")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("tabels",), {}, "small.yml has no key 'tabels'; did you mean 'tables'?"),
        (("book", "curency"), "TWD", "book has no setting 'curency'; did you mean 'currency'?"),
        (("book", "thresholds"), {"vip_month": 5}, "no threshold 'vip_month'"),
        (("tables", "order"), {}, "tables has no table 'order'; did you mean 'orders'?"),
        ((*COLUMNS, "acount_id"), "No", "table orders has no column 'acount_id'; did you mean 'account_id'?"),
        ((*ORDERS, "colums"), {}, "tables.orders has no key 'colums'; did you mean 'columns'?"),
        ((*ORDERS, "from"), "invoices", "tables.orders.from: no file 'invoices' is declared"),
        ((*ORDERS, "columns"), {"order_id": "Order"}, "lacks 4 required: line_no, account_id, order_date, revenue"),
        ((*COLUMNS, "revenue"), {"colum": "R"}, "columns.revenue has no key 'colum'; did you mean 'column'?"),
        (
            (*COLUMNS, "revenue"),
            {"number": "1,234.50"},
            "needs exactly one of column, expression, value, position_within",
        ),
        ((*COLUMNS, "revenue"), 5, "columns.revenue is 5; write a source column, an expression, or {value: …}"),
        ((*COLUMNS, "account_id"), {"value": 7}, "an identifier is text; write '7' in quotes"),
        ((*COLUMNS, "account_id"), {"column": "No", "alias": "names"}, "there is no alias table 'names'"),
        ((*COLUMNS, "account_id"), {"column": "No", "unknown": "missing"}, "is for optional references"),
        ((*ORDERS, "also"), {"revenue": "R"}, "'revenue' cannot name an extra column; the contract has it"),
        ((*ORDERS, "also"), {"Net": "R", "net": "R"}, "two names differ only in case"),
        ((*ORDERS, "one_per"), "product_id", "one_per names columns of the contract table that are mapped"),
        ((*ORDERS, "changes"), {"of": "acount_id"}, "table orders has no column 'acount_id'"),
        ((*ORDERS, "lookups"), [{"file": "orders", "on": "No"}], "needs 'on' (our column: theirs) and 'take'"),
        ((*ORDERS, "lookups"), {"file": "orders"}, "lookups must be a list"),
        ((*ORDERS, "drop"), {"totals": "Total"}, "names 'Total'; a column is written _.Total"),
        ((*ORDERS, "date"), "dd.mm.yyyy", "must name the year once"),
        (("files", "orders", "path"), "../secret.csv", "the path '../secret.csv' leaves the source folder"),
        (("files", "orders", "path"), "/etc/passwd", "the path '/etc/passwd' leaves the source folder"),
        (("files", "orders", "path"), "C:\\data\\x.csv", "leaves the source folder"),
        (("files", "orders", "book"), "crm", "needs either a path below the source folder or the book of a database"),
        (("files", "orders", "path"), "a\x00b.csv", "holds control characters"),
        (("files", "orders", "header"), "first", "header is the number of the row with column names, not 'first'"),
        (("files", "orders", "quote"), "«", "quote is one of"),
        (("formats",), {"trim": "yes"}, "formats: trim is true or false, not 'yes'"),
        (("formats",), {"numbers": "plain"}, "formats has no key 'numbers'; did you mean 'number'?"),
        (("aliases",), {"a": {"X": ["x"], "Y": ["x"]}}, "'x' stands for both 'X' and 'Y'"),
        (("tables", "accounts"), None, "from is missing"),
    ],
)
def test_each_wrong_entry_is_refused_with_its_place_and_a_suggestion(path, value, message):
    assert message in refusal(path, value)


def test_a_mapping_without_orders_is_no_book():
    content = copy.deepcopy(SMALL)
    del content["tables"]["orders"]
    with pytest.raises(RequestError, match="lacks orders: a book needs accounts and orders"):
        read_mapping(content)


def test_a_target_must_be_somebodys():
    with pytest.raises(RequestError, match="lacks account_id or manager_id: a target is somebody's"):
        read_mapping(changed(("tables", "targets"), {"from": "orders", "columns": {"period": "P", "revenue": "R"}}))


def test_formats_are_inherited_from_mapping_to_file_to_table_to_column():
    content = changed(("formats",), {"number": "1.234,50", "missing": ["-"]})
    content["files"]["orders"]["date"] = "roc"
    content["tables"]["orders"]["columns"]["revenue"] = {"column": "R", "number": "1,234.50"}
    columns = read_mapping(content).tables["orders"][0].columns
    assert columns["revenue"].formats.number == NumberFormat(thousands=",")
    assert columns["revenue"].formats.date.forms == ("roc",)
    assert columns["order_id"].formats.number == NumberFormat(decimal=",", thousands=".")
    assert columns["order_id"].formats.missing == ("-",)


def written(tmp_path, text):
    path = tmp_path / "m.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_words_that_yaml_takes_for_something_else_stay_text(tmp_path):
    text = yaml.safe_dump(changed(("book", "countries"), ["NO_"])).replace("NO_", "NO")
    text = text.replace("name: Small", "name: 0007")
    mapping = load_mapping(written(tmp_path, text))
    assert mapping.settings.countries == ("NO",)
    assert mapping.settings.name == "0007"


def test_a_key_written_twice_is_an_error(tmp_path):
    with pytest.raises(RequestError, match="the key 'name' is written twice, again on line 3"):
        load_mapping(written(tmp_path, "book:\n  name: A\n  name: B\n"))


def test_python_objects_in_yaml_are_refused(tmp_path):
    with pytest.raises(RequestError, match="is not valid YAML"):
        load_mapping(written(tmp_path, "book: !!python/object/apply:os.system ['true']\n"))


@pytest.mark.parametrize(("text", "message"), [("book: [", "is not valid YAML"), ("- a\n", "must hold named entries")])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text, message):
    with pytest.raises(RequestError, match=message):
        load_mapping(written(tmp_path, text))


def test_an_absent_mapping_says_where_to_learn_to_write_one(tmp_path):
    with pytest.raises(RequestError, match=r"no mapping file at .*data/mappings/README.md"):
        load_mapping(tmp_path / "none.yml")


@pytest.mark.parametrize("path", sorted(MAPPINGS.glob("*.yml")), ids=lambda p: p.stem)
def test_each_committed_mapping_is_valid(path):
    mapping = load_mapping(path)
    assert {"accounts", "orders"} <= set(mapping.tables)
    assert mapping.settings.currency
