"""Accounts rolled up to the firms that own them: each account counted once, in the group at the top of its line."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.book.grid import codes
from kamlib.studies.classes import LETTERS, abc


def roots(parents: pd.Series) -> pd.Series:
    """The account at the top of each account's line of owners; where the owners run in a ring, the account itself.

    Parameters
    ----------
    parents
        The owner of each account, missing where it has none or the owner is not in the book.

    Examples
    --------
    >>> roots(pd.Series({"a": None, "b": "a", "c": "b"})).to_dict()
    {'a': 'a', 'b': 'a', 'c': 'a'}
    """
    return pd.Series(parents.index.to_numpy()[_tops(parents)], index=parents.index, name="root_id")


def _tops(parents: pd.Series) -> np.ndarray:
    """The place of the account at the top of each account's line."""
    own = np.arange(len(parents))
    owner = np.full(len(parents), -1)
    has_owner = parents.notna().to_numpy()
    owner[has_owner] = codes(parents.index, parents[has_owner])
    owner = np.where(owner >= 0, owner, own)
    top = owner
    for _ in range(len(parents).bit_length()):  # each round doubles how far up the line is followed
        top = top[top]
    return np.where(owner[top] == top, top, own)


def roll_up(accounts: pd.DataFrame, cuts) -> pd.DataFrame:
    """Groups of more than one account, with the class the group would have if it were one account.

    Parameters
    ----------
    accounts
        parent_id, name, revenue, value, abc by account.
    cuts
        The ABC cuts.

    Returns
    -------
    By value, largest first: root_id, name, accounts, revenue, value, abc_group, abc_best (of its accounts alone),
    is_raised (the group stands higher than any of its accounts). The totals over groups and single accounts are those
    over accounts.
    """
    top = _tops(accounts["parent_id"])
    sums = accounts.groupby(top).agg(accounts=("value", "size"), revenue=("revenue", "sum"), value=("value", "sum"))
    sums["abc_group"] = abc(sums["value"], cuts)
    ranks = pd.Series(np.searchsorted(LETTERS, accounts["abc"].to_numpy(dtype=str)))
    sums["abc_best"] = LETTERS[ranks.groupby(top).min()]
    groups = sums[sums["accounts"] > 1]
    groups.index = accounts.index[groups.index].rename("root_id")
    groups = groups.assign(
        name=accounts["name"].reindex(groups.index), is_raised=groups["abc_group"] < groups["abc_best"]
    )
    order = ["name", "accounts", "revenue", "value", "abc_group", "abc_best", "is_raised"]
    return groups.sort_values("value", ascending=False, kind="stable")[order].reset_index()
