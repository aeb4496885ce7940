"""A dense grid of accounts and calendar months, onto which counts and sums per account-month are spread.

Months are numbers that grow by one from month to month: ``12 * year + month``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Grid:
    """Every account with its months, from its own first month to the last month of all.

    Attributes
    ----------
    accounts : (n,) identifiers, sorted
    starts : (n,) number of the first month of each account; ``last + 1`` for an account without months
    last : number of the last month, the same for all

    Examples
    --------
    >>> grid = Grid(pd.Series(["A", "B", "C"]), np.array([24301, 24303, 24304]), 24303)
    >>> grid.account_ids().tolist(), grid.months().tolist()
    (['A', 'A', 'A', 'B'], [24301, 24302, 24303, 24303])
    """

    accounts: pd.Series
    starts: np.ndarray
    last: int

    @property
    def lengths(self) -> np.ndarray:
        """Months of each account."""
        return self.last - self.starts + 1

    @property
    def offsets(self) -> np.ndarray:
        """Row at which each account begins."""
        return np.cumsum(self.lengths) - self.lengths

    def __len__(self) -> int:
        return int(self.lengths.sum())

    def account_ids(self) -> pd.api.extensions.ExtensionArray:
        """The account of each row."""
        return self.accounts.array.repeat(self.lengths)

    def months(self) -> np.ndarray:
        """The month of each row."""
        return np.arange(len(self)) - np.repeat(self.offsets - self.starts, self.lengths)

    def timestamps(self) -> np.ndarray:
        """The first day of the month of each row."""
        return (self.months() - (1970 * 12 + 1)).astype("datetime64[M]").astype("datetime64[s]")

    def rows(self, account_ids: pd.Series, months: pd.Series) -> np.ndarray:
        """The row of each account and month, −1 where the grid has none."""
        code = codes(self.accounts, account_ids)
        step = months.to_numpy() - self.starts[code]
        is_inside = (code >= 0) & (step >= 0) & (months.to_numpy() <= self.last)
        return np.where(is_inside, self.offsets[code] + step, -1)

    def spread(self, rows: np.ndarray, values: pd.Series, empty=0) -> np.ndarray:
        """The values at their rows, in the type of the values, and *empty* elsewhere."""
        dense = np.full(len(self), empty, dtype=values.dtype)
        dense[rows[rows >= 0]] = values.to_numpy()[rows >= 0]
        return dense

    def covered(self, account_ids: pd.Series, first: pd.Series, last: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Rows that spells cover, and the number of the spell for each: spells run from month to month inclusive."""
        code = codes(self.accounts, account_ids)
        begin = np.maximum(first.to_numpy("int64"), self.starts[code])
        length = np.where(code >= 0, np.minimum(last.to_numpy("int64"), self.last) - begin + 1, 0).clip(0)
        spell = np.repeat(np.arange(len(code)), length)
        step = np.arange(len(spell)) - np.repeat(np.cumsum(length) - length, length)
        return (self.offsets[code] + begin - self.starts[code])[spell] + step, spell


def codes(accounts: pd.Series | pd.Index, account_ids: pd.Series | pa.ChunkedArray) -> np.ndarray:
    """The place of each identifier among the accounts, −1 where it is none of them."""
    if isinstance(account_ids, pa.ChunkedArray):
        wanted = account_ids.combine_chunks().cast(pa.large_string())
    else:
        wanted = pa.array(account_ids, pa.large_string())
    places = pc.index_in(wanted, pa.array(accounts, pa.large_string()))
    return places.fill_null(-1).to_numpy(zero_copy_only=False)
