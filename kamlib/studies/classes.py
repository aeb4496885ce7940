"""ABC classes of accounts by cumulative share of value, and how firmly each account holds its class.

Declared rules:

* accounts stand in descending order of value; an account belongs to the class in which it *starts*: A where the
  share of all accounts above it is below the first cut, B below the second, else C. So the largest account is
  always A, and an account that crosses a cut belongs to the better class;
* equal values get equal classes: a group of ties starts where its first account starts;
* zero and negative accounts are C, and a negative value takes nothing from the total.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kamlib.errors import RequestError
from kamlib.studies.concentration import money

CUTS = (0.80, 0.95)
FIRM = 0.80  # a class that holds in fewer bootstrap samples than this is borderline
LETTERS = np.array(["A", "B", "C"])
_BAND = 1.1  # how many times more or less than guessed a floor is looked for first
_REACHED = 1e-9  # a share this close to a cut has reached it: the sum of shares is rounded


def abc(values, cuts: Sequence[float] = CUTS) -> pd.Series:
    """The ABC class of each account.

    Parameters
    ----------
    values
        Series by account (or any sequence) of value over the window, in money, net of returns.
    cuts
        The two cumulative shares at which A and B end, 0 < first <= second <= 1.

    Returns
    -------
    Series of "A", "B" and "C" with the index of *values*.

    Raises
    ------
    RequestError
        When a value is missing, or the cuts are not two ascending shares.

    Examples
    --------
    >>> abc(pd.Series({"x": 70.0, "y": 20.0, "z": 10.0})).to_dict()
    {'x': 'A', 'y': 'A', 'z': 'B'}
    """
    index = values.index if isinstance(values, pd.Series) else None
    amounts = money(values)
    floors = floor_values(amounts, cuts)
    return pd.Series(letters(amounts, floors), index=index, name="abc", dtype="object")


def check_cuts(cuts: Sequence[float]) -> tuple[float, float]:
    """The two cuts as floats; RequestError when they are not two ascending shares."""
    try:
        wanted = tuple(float(cut) for cut in cuts)
    except (TypeError, ValueError):
        wanted = ()
    if len(wanted) != 2 or not 0 < wanted[0] <= wanted[1] <= 1:
        raise RequestError(f"ABC cuts must be two ascending shares above 0 and up to 1 (0.80, 0.95), not {cuts}")
    return wanted


def floor_values(
    amounts: np.ndarray, cuts: Sequence[float] = CUTS, guesses: tuple[float, float] = (0.0, 0.0)
) -> tuple[float, float]:
    """The smallest value that is A and the smallest that is A or B; infinite where no account is.

    These are what the cuts mean in money for one set of accounts. Where guesses are given, as shares of all value, only
    the amounts about them are sorted, unless a guess turns out wrong; the result is the same.
    """
    cuts = check_cuts(cuts)
    above = amounts[amounts > 0]
    if not len(above):
        return np.inf, np.inf
    total = above.sum()
    a, b = (_floor(above, total, cut - _REACHED, guess) for cut, guess in zip(cuts, guesses, strict=True))
    return a, b


def _floor(above: np.ndarray, total: float, cut: float, guess: float) -> float:
    """The value of the last account that starts below a cut."""
    head, band = 0.0, above
    if guess > 0:
        larger = above[above > total * guess / _BAND]
        is_over = larger >= total * guess * _BAND
        higher, near = larger[is_over].sum() / total, larger[~is_over]
        if higher < cut <= higher + near.sum() / total:
            head, band = higher, near
    descending = np.sort(band)[::-1]
    before = head + np.concatenate([[0.0], np.cumsum(descending / total)[:-1]])
    return float(descending[np.searchsorted(before, cut) - 1])


def letters(amounts: np.ndarray, floors: tuple[float, float]) -> np.ndarray:
    """The class of each amount, given the smallest amounts that are A and that are A or B."""
    return LETTERS[2 - _steps(amounts, floors)]


def _steps(amounts: np.ndarray, floors: tuple[float, float]) -> np.ndarray:
    """How many of the two floors each amount reaches."""
    return (amounts >= floors[0]).astype(np.int8) + (amounts >= floors[1])


def keep_share(by_month: np.ndarray, cuts: Sequence[float] = CUTS, draws: int = 200, seed: int = 0) -> np.ndarray:
    """In what share of bootstrap samples each account keeps the class it has.

    Parameters
    ----------
    by_month
        (accounts, months) value of each account in each month of the window; zero in months without orders.
    cuts, draws, seed
        The ABC cuts, the number of samples, and where the random numbers start.

    Notes
    -----
    What is drawn again are the *months* of the window, with replacement and for all accounts together: another
    window as long as this one, made of months like these. An account whose value rests on few months loses its
    class often; one that buys the same each month never does. Months are drawn for all accounts together, so
    that a season the whole book shares moves every account alike and no class; each account's own spread is the
    same as if they were drawn apart.

    Examples
    --------
    >>> keep_share(np.array([[5.0] * 12, [1.0] * 12, [0.2] * 12]), draws=50).tolist()
    [1.0, 1.0, 1.0]
    """
    accounts, months = by_month.shape
    if not accounts or not months:
        return np.full(accounts, np.nan)
    has_value = by_month.any(axis=1)
    drawn_from, kept = by_month[has_value], np.zeros(has_value.sum(), dtype=np.int64)
    observed = drawn_from.sum(axis=1)
    floors = floor_values(observed, cuts)
    own, likely = _steps(observed, floors), tuple(np.array(floors) / observed[observed > 0].sum())
    for drawn in np.random.default_rng(seed).multinomial(months, np.full(months, 1 / months), size=draws):
        sampled = np.einsum("am,m->a", drawn_from, drawn.astype(float))
        kept += _steps(sampled, floor_values(sampled, cuts, likely)) == own
    share = np.ones(accounts)  # without value in any month an account is class C whatever is drawn
    share[has_value] = kept / draws
    return share


def near_cut(values, cuts: Sequence[float] = CUTS, within: float = 0.05) -> pd.Series:
    """Whether the value of each account lies within a share of the smallest value of class A or B.

    Examples
    --------
    >>> near_cut(pd.Series({"x": 70.0, "y": 20.0, "z": 10.0, "w": 9.8})).to_dict()
    {'x': False, 'y': True, 'z': True, 'w': True}
    """
    index = values.index if isinstance(values, pd.Series) else None
    amounts = money(values)
    floors = [floor for floor in floor_values(amounts, cuts) if np.isfinite(floor)]
    near = np.zeros(len(amounts), dtype=bool)
    for floor in floors:
        near |= np.abs(amounts - floor) <= within * floor
    return pd.Series(near, index=index, name="near_cut")
