"""The data dictionary, ``data/README.md``, written from the contract; run ``python -m kamlib.book.dictionary``."""

from __future__ import annotations

from pathlib import Path

from kamlib.book.contract import TABLES, Column, Table
from kamlib.book.tables import REQUIRED

PATH = Path(__file__).resolve().parents[2] / "data" / "README.md"
COMMAND = "python -m kamlib.book.dictionary"

_HEAD = f"""# The data dictionary

*Generated from `kamlib/book/tables.py` by `{COMMAND}`; change the contract there, not here.*

A book of business is one place (a folder of Parquet, a `.duckdb` file, a database) with these tables.
Only {" and ".join(f"**{name}**" for name in REQUIRED)} are required.
A report that needs an absent table says so, and shows what it can without it.

- Dates are calendar dates in the book's timezone. Money is in the book's one reporting currency, without sales tax.
- Identifiers are text: `0007` is not `7`.
- Columns that are not listed travel along untouched. One of them is understood: `is_key_account` (true or false) of
  accounts is the firm's own list of key accounts, against which the segmentation promotes and demotes.
- ★ key · ? may be missing, and stays missing: never zero · ⚑ personal data, left out of reports unless asked for.
- Every table is read *as of* a day: what is dated later is not there, and what happened later inside a row has not
  happened yet. Each table says below which column dates it.

How to bring your own data: [mappings/README.md](mappings/README.md). What a book declares about itself (currency,
calendar, thresholds and their reasons) stands in its `book.yml`.
"""


def dictionary() -> str:
    """The whole dictionary as Markdown.

    Examples
    --------
    >>> dictionary().splitlines()[0]
    '# The data dictionary'
    """
    listed = "\n".join(f"- [{name}](#{name}): {_first_sentence(spec.meaning)}" for name, spec in TABLES.items())
    return "\n".join([_HEAD, "## Tables", "", listed, "", *(_section(spec) for spec in TABLES.values())])


def write_dictionary(path: Path = PATH) -> Path:
    """Write the dictionary and return where it is."""
    path.write_text(dictionary(), encoding="utf-8")
    return path


def _section(spec: Table) -> str:
    rows = [_row(spec, column) for column in spec.columns.values()]
    head = ["| column | type | meaning | unit or allowed values | found in |", "|---|---|---|---|---|"]
    said = spec.meaning + ("" if spec.name in REQUIRED else " Optional.")
    return "\n".join([f"## {spec.name}", "", said, "", *head, *rows, "", as_of_rule(spec), ""])


def _row(spec: Table, column: Column) -> str:
    signs = (
        ("★" if column.name in spec.key else "") + ("?" if column.optional else "") + ("⚑" if column.personal else "")
    )
    kind = {"string": "text", "int64": "whole number", "float64": "number", "boolean": "true or false"}
    name = f"`{column.name}`" + (f" {signs}" if signs else "")
    cells = [name, kind.get(str(column.dtype).lstrip("!"), "date"), column.meaning, _values(column), column.refers]
    return f"| {' | '.join(cells)} |"


def _values(column: Column) -> str:
    limits = column.limits
    if "isin" in limits:
        return ", ".join(f"`{value}`" for value in limits["isin"])
    low, high = limits.get("greater_than_or_equal_to"), limits.get("less_than_or_equal_to")
    if low is None or " to " in column.unit:
        return column.unit
    span = f"{low} to {high}" if high is not None else f"{low} or more"
    return f"{column.unit}, {span}" if column.unit else span


def as_of_rule(spec: Table) -> str:
    """When a row of the table, and each fact in it, is there, in words.

    Examples
    --------
    >>> as_of_rule(TABLES["cases"])
    '*As of a day:* a row is there from `opened_on` on; until `closed_on` comes, it is missing.'
    """
    parts = [_row_rule(spec)]
    for moment, outcomes in spec.later.items():
        then = [f"`{c}` is {'missing' if v is None else f'`{v}`'}" for c, v in outcomes.items()]
        parts.append(f"until `{moment}` comes, it is missing" + (f" and {' and '.join(then)}" if then else ""))
    return f"*As of a day:* {'; '.join(parts)}."


def _row_rule(spec: Table) -> str:
    if spec.period:
        return f"a row is there from the first day of its `{spec.period}` on"
    if spec.through:
        return f"a row is there when its row of {spec.through} is"
    if not spec.dated:
        return "every row is there, since none is dated"
    dated = ", or where that is missing ".join(f"`{name}`" for name in spec.dated)
    optional = all(spec.columns[name].optional for name in spec.dated)
    return f"a row is there from {dated} on" + ("; without a date it is always there" if optional else "")


def _first_sentence(text: str) -> str:
    return text.split(". ")[0].rstrip(".")


if __name__ == "__main__":
    print(f"wrote {write_dictionary()}")
