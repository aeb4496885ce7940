"""The contract in plain values, drawn from the models of its tables: what the store, the check and the ingest go by."""

from __future__ import annotations

from dataclasses import dataclass, field

import ibis.expr.datatypes as dt

from kamlib.book.tables import MODELS
from kamlib.errors import RequestError


@dataclass(frozen=True)
class Column:
    """One column of the contract: its Ibis type, meaning, unit and limits."""

    name: str
    dtype: dt.DataType
    meaning: str
    unit: str
    optional: bool
    personal: bool
    refers: str
    limits: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """One table of the contract; ``own`` are columns it does not list, which are understood where a book has them."""

    name: str
    meaning: str
    columns: dict[str, Column]
    key: tuple[str, ...]
    dated: tuple[str, ...]
    later: dict[str, dict]
    period: str
    through: str
    own: dict[str, Column] = field(default_factory=dict)

    @property
    def required(self) -> list[str]:
        """Columns that must be there."""
        return [c.name for c in self.columns.values() if not c.optional]


_OWN = {
    "accounts": [
        Column("is_key_account", dt.boolean, "on the firm's own list of key accounts", "", True, False, ""),
    ]
}


def _limits(schema_column) -> dict:
    known = {
        "isin": "allowed_values",
        "greater_than_or_equal_to": "min_value",
        "less_than_or_equal_to": "max_value",
    }
    return {check.name: check.statistics[known[check.name]] for check in schema_column.checks}


def _column(name: str, spec) -> Column:
    note = spec.metadata
    return Column(
        name,
        dt.dtype(spec.dtype.type),
        spec.description,
        note["unit"],
        spec.nullable,
        note["personal"],
        note["refers"],
        _limits(spec),
    )


def _table(name: str, model) -> Table:
    note = model.Config.metadata
    specs = model.to_schema().columns
    return Table(
        name,
        model.__doc__,
        {n: _column(n, s) for n, s in specs.items()},
        tuple(note["key"]),
        tuple(note["dated"]),
        note.get("later", {}),
        note.get("period", ""),
        note.get("through", ""),
        {c.name: c for c in _OWN.get(name, ())},
    )


TABLES: dict[str, Table] = {name: _table(name, model) for name, model in MODELS.items()}


def contract(name: str) -> Table:
    """The contract of one table.

    Raises
    ------
    RequestError
        When the contract has no table of that name.

    Examples
    --------
    >>> contract("orders").key
    ('order_id', 'line_no')
    """
    if name not in TABLES:
        raise RequestError(f"no table {name!r} in the contract; its {len(TABLES)} tables are {', '.join(TABLES)}")
    return TABLES[name]
