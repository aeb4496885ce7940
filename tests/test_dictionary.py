"""The committed data dictionary is the one the contract makes."""

import pytest

from kamlib.book.contract import TABLES
from kamlib.book.dictionary import COMMAND, PATH, as_of_rule, dictionary, write_dictionary


def test_the_committed_dictionary_is_current():
    current = PATH.read_text(encoding="utf-8") if PATH.exists() else ""
    assert current == dictionary(), f"data/README.md is not what the contract says; run: {COMMAND}"


@pytest.mark.parametrize("name", TABLES)
def test_every_column_has_its_row(name):
    section = dictionary().split(f"\n## {name}\n")[1].split("\n## ")[0]
    assert section.count("\n| `") == len(TABLES[name].columns)


def test_signs_units_values_and_references_are_told():
    lines = dictionary().splitlines()
    assert "| `account_id` ★ | text | identifier of the account |  |  |" in lines
    assert "| `birthday` ?⚑ | date | birthday |  |  |" in lines
    assert "| `tier` ? | text | grade of the product | `low`, `mid`, `high` |  |" in lines
    assert "| `line_no` ★ | whole number | line within the order |  |  |" in lines
    assert any(line.startswith("| `revenue` | number | net sales value") and "| money |" in line for line in lines)
    assert "| `product_id` ? | text | product |  | products |" in lines


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("managers", "every row is there, since none is dated"),
        ("accounts", "a row is there from `opened_on` on; without a date it is always there"),
        ("contracts", "a row is there from `signed_on`, or where that is missing `starts_on` on"),
        ("opportunities", "until `closed_on` comes, it is missing and `stage` is `open`"),
        ("targets", "a row is there from the first day of its `period` on"),
        ("deliveries", "until `delivered_on` comes, it is missing and `quantity_delivered` is missing"),
    ],
)
def test_the_rule_of_reading_is_told_in_words(table, words):
    assert words in as_of_rule(TABLES[table])


def test_a_pipe_or_a_line_break_in_the_contract_would_break_a_table():
    for spec in TABLES.values():
        for column in spec.columns.values():
            assert not set("|\n") & set(column.meaning + column.unit)


def test_writing_it_makes_it_current(tmp_path):
    assert write_dictionary(tmp_path / "README.md").read_text(encoding="utf-8") == dictionary()
