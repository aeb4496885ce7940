"""Arrow columns of the sample company's tables: identifiers, days, words, and values that may be missing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kamlib.book.company.calendar import Calendar
from kamlib.book.contract import contract


def make_table(name: str, columns: dict) -> pa.Table:
    """A table of the contract: its columns first, in its types, then whatever travels along."""
    spec = contract(name)
    ordered = {column: columns[column] for column in spec.columns}
    ordered |= {column: values for column, values in columns.items() if column not in ordered}
    types = {column: spec.columns[column].dtype.to_pyarrow() for column in spec.columns}
    return pa.table({c: _typed(values, types.get(c)) for c, values in ordered.items()})


def _typed(values, dtype: pa.DataType | None) -> pa.Array:
    array = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values)
    return array if dtype is None or array.type == dtype else array.cast(dtype)


def missing(rng: np.random.Generator, rows: int, share: float) -> np.ndarray:
    """Flags of values that nobody filled in."""
    return rng.random(rows) < share


def numbers(values: np.ndarray, absent: np.ndarray | None = None) -> pa.Array:
    """Numbers or flags, some of them absent."""
    return pa.array(values, mask=absent)


def days(calendar: Calendar, day: np.ndarray, absent: np.ndarray | None = None) -> pa.Array:
    """Calendar dates of days counted from the first of the window."""
    epoch = np.datetime64(calendar.first).astype("datetime64[D]").astype(int)
    return pa.array((np.asarray(day) + epoch).astype("int32"), mask=absent).cast(pa.date32())


def words(choices, codes: np.ndarray, absent: np.ndarray | None = None) -> pa.Array:
    """The word of each code."""
    indices = pa.array(np.asarray(codes, dtype="int32"), mask=absent)
    return pa.DictionaryArray.from_arrays(indices, pa.array(choices, pa.string())).dictionary_decode()


def identifiers(prefix: str | pa.Array, number: np.ndarray, width: int = 7) -> pa.Array:
    """Identifiers such as V0000012."""
    digits = pc.utf8_lpad(pa.array(number).cast(pa.string()), width, "0")
    return pc.binary_join_element_wise(prefix, digits, "")


class Numbering:
    """Running numbers of each kind of document, through all blocks of the company."""

    def __init__(self) -> None:
        self.used: dict[str, int] = {}

    def next(self, kind: str, count: int) -> int:
        """The first of *count* new numbers."""
        first = self.used.get(kind, 0) + 1
        self.used[kind] = first + count - 1
        return first

    def label(self, kind: str, count: int) -> pa.Array:
        """*count* new identifiers of a kind, which is also their prefix."""
        first = self.next(kind, count)
        return identifiers(kind, np.arange(first, first + count))
