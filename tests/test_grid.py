"""The grid of accounts and months: where each row lies, and what spells cover."""

import numpy as np
import pandas as pd
import pytest

from kamlib.book.grid import Grid, codes


@pytest.fixture
def grid():
    """A with three months, B with one, C with none; months 24301 to 24303 are January to March 2025."""
    return Grid(pd.Series(["A", "B", "C"]), np.array([24301, 24303, 24304]), 24303)


def test_rows_run_by_account_and_month(grid):
    assert grid.account_ids().tolist() == ["A", "A", "A", "B"]
    assert grid.months().tolist() == [24301, 24302, 24303, 24303]
    assert len(grid) == 4


def test_months_are_first_days(grid):
    assert pd.Series(grid.timestamps()).dt.strftime("%Y-%m-%d").tolist()[:2] == ["2025-01-01", "2025-02-01"]


def test_rows_outside_the_grid_are_minus_one(grid):
    accounts = pd.Series(["A", "A", "A", "B", "B", "C", "Z"])
    months = pd.Series([24300, 24302, 24304, 24303, 24302, 24303, 24303])
    assert grid.rows(accounts, months).tolist() == [-1, 1, -1, 3, -1, -1, -1]


def test_values_are_spread_and_the_rest_is_empty(grid):
    assert grid.spread(np.array([2, -1, 3]), pd.Series([5, 9, 7])).tolist() == [0, 0, 5, 7]
    assert np.isnan(grid.spread(np.array([0]), pd.Series([1.5]), np.nan)[1:]).all()


def test_a_spell_covers_its_months_within_the_grid(grid):
    accounts = pd.Series(["A", "A", "B", "Z", "A"])
    first, last = pd.Series([24290, 24303, 24301, 24301, 24303]), pd.Series([24302, 24400, 24303, 24303, 24302])
    rows, spell = grid.covered(accounts, first, last)
    assert list(zip(rows.tolist(), spell.tolist(), strict=True)) == [(0, 0), (1, 0), (2, 1), (3, 2)]


def test_codes_are_places_among_the_accounts():
    assert codes(pd.Series(["A", "B"]), pd.Series(["B", "Z", None, "A"])).tolist() == [1, -1, -1, 0]


def test_a_grid_without_accounts_is_empty():
    none = Grid(pd.Series([], dtype="str"), np.array([], dtype="int64"), 24303)
    assert (len(none), none.months().size, none.account_ids().size) == (0, 0, 0)
