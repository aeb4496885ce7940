"""The contract in plain values says what the store, the check and the ingest go by."""

import pytest

from kamlib.book.contract import TABLES, contract
from kamlib.book.tables import REQUIRED
from kamlib.errors import RequestError

from books import small_frames

KEYS = {
    "accounts": ("account_id",),
    "orders": ("order_id", "line_no"),
    "assignments": ("account_id", "from_date"),
    "deliveries": ("order_id", "line_no"),
    "stock": ("account_id", "product_id", "counted_on"),
    "targets": ("account_id", "manager_id", "period"),
    "ratings": ("account_id", "rater_id", "criterion", "rated_on"),
    "events": ("event_id", "account_id"),
    "references": ("account_id", "referred_account_id"),
}


def columns():
    return [(t, c) for t in TABLES.values() for c in t.columns.values()]


def test_there_are_nineteen_tables_of_which_two_are_required():
    assert (len(TABLES), REQUIRED) == (19, ("accounts", "orders"))


@pytest.mark.parametrize(("name", "key"), KEYS.items())
def test_the_keys_are_those_of_the_contract(name, key):
    assert contract(name).key == key


def test_keys_are_columns_that_must_be_there_except_in_targets():
    for table in TABLES.values():
        assert set(table.key) <= set(table.columns)
        assert table.name == "targets" or set(table.key) <= set(table.required), table.name


def test_identifiers_are_strings():
    for table, column in columns():
        assert not column.name.endswith("_id") or column.dtype.is_string(), (table.name, column.name)


def test_references_lead_to_tables_with_that_key():
    for table, column in columns():
        if column.refers:
            key = contract(column.refers).key[0]
            assert column.name == key or column.name in ("parent_id", "referred_account_id"), table.name


def test_every_date_either_dates_the_row_or_is_known_beforehand():
    # Dates that a row may carry although they lie ahead: what was agreed or planned when it was written.
    ahead = {"ends_on", "starts_on", "promised_on", "birthday"}
    for table, column in columns():
        if column.dtype.is_date():
            is_read = column.name in table.dated or column.name in table.later
            assert is_read or column.name in ahead, (table.name, column.name)


def test_later_facts_are_optional_columns():
    for table in TABLES.values():
        for moment in table.later:
            assert table.columns[moment].optional, table.name


def test_every_column_says_what_it_means_and_numbers_have_units():
    for table, column in columns():
        assert column.meaning, (table.name, column.name)
        counts = column.name in ("line_no", "level", "severity")
        assert counts or not column.dtype.is_floating() or column.unit, (table.name, column.name)


def test_personal_data_are_names_and_birthdays_of_contacts():
    marked = [(table.name, column.name) for table, column in columns() if column.personal]
    assert marked == [("contacts", "name"), ("contacts", "birthday")]


def test_limits_are_plain_values():
    assert contract("visits").columns["level"].limits == {"isin": ["rep", "kam", "executive"]}
    assert contract("surveys").columns["satisfaction"].limits == {
        "greater_than_or_equal_to": 0,
        "less_than_or_equal_to": 10,
    }


def test_an_unknown_table_is_refused_with_all_names():
    with pytest.raises(RequestError, match="no table 'order' in the contract; its 19 tables are accounts, orders"):
        contract("order")


def test_the_small_book_keeps_the_contract():
    frames = small_frames(seed=2)
    for name, frame in frames.items():
        spec = contract(name)
        assert list(frame) == list(spec.columns), name
        assert len(frame) and frame[spec.required].notna().all(axis=None), name
        assert not frame.duplicated(list(spec.key)).any(), name
        for column in spec.columns.values():
            known = set(frame[column.name].dropna())
            assert known <= set(column.limits.get("isin", known)), (name, column.name)
            if column.refers in KEYS or column.refers in ("managers", "products", "contacts", "promotions"):
                there = set(frames[column.refers][contract(column.refers).key[0]])
                assert known <= there, (name, column.name)
