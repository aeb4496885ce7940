"""Which accounts changed class or segment since the last period, and why: each move told as exact steps.

A class follows from a value and two floors. Walking from what was known then to what is known now, one thing is
changed at a time and the class looked at after each step:

*data revised*        the value of then as it was reported then → the same as the book has it now;
*spend*               the value of then → the value of now;
*threshold*           the floors of then → those that the cuts of then draw among the values of now: others moved;
*cuts declared anew*  the cuts of then → the cuts of now.

Data comes first and declared cuts come last. Between them there is no natural order, so spend and threshold are walked
both ways round: a step is a cause where it changes the class in either order. An account with one cause would have
moved by that alone; with both, either would have done, or it took the two together. For the RFM segment the steps are
spend (money and active months), recency and threshold (the money cut points follow the mean account), in all six
orders. Without the last report data and cuts are left out.

An account without an order by then has not moved by anything told here: its cause is its *first order*.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from kamlib.book.periods import day
from kamlib.book.settings import Settings
from kamlib.studies.classes import FIRM, LETTERS, floor_values, letters
from kamlib.studies.segmentation.rfm import SEGMENTS, CutPoints, cut_points, places, rfm
from kamlib.studies.segmentation.standing import Standing

REVISED, SPEND, RECENCY, THRESHOLD, CUTS = "data revised", "spend", "recency", "threshold", "cuts declared anew"
FIRST = "first order"


def moves(
    settings: Settings, then: Standing, now: Standing, cuts: Sequence[float], said: pd.DataFrame | None
) -> pd.DataFrame:
    """RFM of each account of today, its class and RFM segment before, and why they changed.

    Returns
    -------
    By account: what :func:`~kamlib.studies.segmentation.rfm.rfm`, :func:`class_moves` (less ``abc``) and
    :func:`segment_moves` say, and value_before.
    """
    old, new = (cut_points(settings, standing.spent, standing.months) for standing in (then, now))
    had_ordered = then.accounts.loc[then.accounts["orders_ever"] > 0, "value"]
    by_class = class_moves(had_ordered, now.accounts["value"], cuts, said).drop(columns="abc")
    by_class["value_before"] = then.accounts["value"].reindex(by_class.index)
    return rfm(now.accounts, new).join(by_class).join(segment_moves(then.accounts, now.accounts, old, new))


def class_moves(then: pd.Series, now: pd.Series, cuts: Sequence[float], said: pd.DataFrame | None) -> pd.DataFrame:
    """The ABC move of each account between two days.

    Parameters
    ----------
    then, now
        Value of each account on the earlier and the later day, the earlier one as the book has it now and without the
        accounts that had not ordered by then.
    cuts
        The ABC cuts of the later day.
    said
        Columns value and abc by account as the last report had them, and the cuts it used as cut_a and cut_b, which
        are taken to be the same where they are not there; ``None`` without one.

    Returns
    -------
    By account of *now*: previous (class as reported, or as recomputed), abc, cause (steps joined by " + ", empty
    where nothing moved), is_new (without an order by then).
    """
    known = then.reindex(now.index)
    before, after, is_new = known.fillna(0.0).to_numpy(), now.to_numpy(), known.isna().to_numpy()
    old, told = floor_values(then.to_numpy(), cuts), before
    if said is not None:
        old, told = _floors_said(said), said["value"].reindex(now.index).fillna(0.0).to_numpy()
        is_new = is_new & (told == 0)
    shifted, floors = floor_values(after, _cuts_said(said, cuts)), floor_values(after, cuts)
    first, last = [(REVISED, letters(told, old)), (REVISED, letters(before, old))], [(CUTS, letters(after, floors))]
    reached = (THRESHOLD, letters(after, shifted))
    by_spend = [*first, (SPEND, letters(after, old)), reached, *last]
    by_floors = [*first, (THRESHOLD, letters(before, shifted)), (SPEND, reached[1]), *last]
    cause = _causes([by_spend, by_floors], is_new)
    return pd.DataFrame({"previous": first[0][1], "abc": last[0][1], "cause": cause, "is_new": is_new}, index=now.index)


def _cuts_said(said: pd.DataFrame | None, cuts: Sequence[float]) -> Sequence[float]:
    if said is None or not {"cut_a", "cut_b"} <= set(said.columns) or said.empty:
        return cuts
    return tuple(float(share) for share in said[["cut_a", "cut_b"]].iloc[0])


def _floors_said(said: pd.DataFrame) -> tuple[float, float]:
    """The least values that were A, and A or B, in the last report."""
    values = said["value"][said["value"] > 0]
    named = said["abc"].reindex(values.index)
    a, b = values[named == LETTERS[0]], values[named.isin(LETTERS[:2])]
    return (float(a.min()) if len(a) else np.inf), (float(b.min()) if len(b) else np.inf)


def segment_moves(then: pd.DataFrame, now: pd.DataFrame, old: CutPoints, new: CutPoints) -> pd.DataFrame:
    """The RFM move of each account: rfm_previous and rfm_cause, by account of *now*.

    Parameters
    ----------
    then, now
        recency_days, active_months and revenue by account on both days.
    old, new
        The cut points of both days.
    """
    columns = ["recency_days", "active_months", "revenue"]
    before, after = then[columns].reindex(now.index), now[columns]
    before["active_months"], before["revenue"] = before["active_months"].fillna(0), before["revenue"].fillna(0.0)
    is_new = before["recency_days"].isna().to_numpy()

    @cache
    def after_steps(done: frozenset[str]) -> np.ndarray:
        spent, points = (after if SPEND in done else before), (new if THRESHOLD in done else old)
        mixed = spent.assign(recency_days=(after if RECENCY in done else before)["recency_days"])
        return places(mixed, points)

    paths = [
        [("", after_steps(frozenset()))] + [(order[i], after_steps(frozenset(order[: i + 1]))) for i in range(3)]
        for order in itertools.permutations((SPEND, RECENCY, THRESHOLD))
    ]
    previous = np.array(SEGMENTS)[paths[0][0][1]]
    return pd.DataFrame({"rfm_previous": previous, "rfm_cause": _causes(paths, is_new)}, index=now.index)


def _causes(paths: list[list[tuple[str, np.ndarray]]], is_new: np.ndarray) -> np.ndarray:
    """The steps at which each account's label changed on any of the paths, joined in the order of the first path.

    All paths begin and end alike. A move that was undone again on the way keeps both causes.
    """
    text = np.full(len(is_new), "", dtype=object)
    has_moved = paths[0][0][1] != paths[0][-1][1]
    text[has_moved & is_new] = FIRST
    for cause in dict.fromkeys(cause for cause, _ in paths[0][1:]):
        steps = (pair for path in paths for pair in itertools.pairwise(path) if pair[1][0] == cause)
        changed = has_moved & ~is_new & np.any([before != after for (_, before), (_, after) in steps], axis=0)
        text[changed & (text != "")] += " + "
        text[changed] += cause
    return text


def crossing(moves: pd.DataFrame) -> pd.DataFrame:
    """How many accounts with an order by then went from each class (rows) to each class (columns), all nine."""
    moves = moves.loc[~moves["is_new"], ["previous", "abc"]]
    counts = pd.crosstab(moves["previous"], moves["abc"])
    return counts.reindex(index=LETTERS, columns=LETTERS, fill_value=0)


def regression_to_mean(accounts: pd.DataFrame, cuts: Sequence[float], level: float = 0.90) -> pd.DataFrame:
    """What each class bought in two windows that do not overlap, against the book, classed by either window.

    Accounts that stood high in one window owe part of it to luck, so they stand lower in the other, whichever came
    first. Shown both ways: classed by the earlier window the top class falls behind the others; classed by the later
    one, it had run ahead of them. What all accounts that bought in the window of the classes did alike is taken out.

    Parameters
    ----------
    accounts
        value_earlier and value (what classes go by, in the two windows), revenue_before and revenue; accounts whose
        size is one order should be left out.
    cuts, level
        The ABC cuts, and the probability of the intervals.

    Returns
    -------
    A frame with sorted_by (``before`` or ``after``), abc, accounts, revenue_before, revenue_after, and change: the
    growth of the class over that of all accounts that bought in the window of the classes, less one, with
    change_lower and change_upper (normal approximation on the logarithm, linearised, classes taken as they are);
    missing where a sum is not above zero.
    """
    both = accounts[["revenue_before", "revenue"]].fillna(0.0).to_numpy()
    rows = []
    for place, (name, column) in enumerate((("before", "value_earlier"), ("after", "value"))):
        bought = both[:, place] > 0
        counted, values = both[bought], accounts[column].fillna(0.0).to_numpy()[bought]
        classes = letters(values, floor_values(values, cuts))
        for letter in LETTERS:
            mine = classes == letter
            sums = counted[mine].sum(axis=0)
            rows.append((name, letter, int(mine.sum()), *sums, *_against_all(counted, mine, level)))
    columns = ["sorted_by", "abc", "accounts", "revenue_before", "revenue_after"]
    return pd.DataFrame(rows, columns=[*columns, "change", "change_lower", "change_upper"])


def _against_all(both: np.ndarray, mine: np.ndarray, level: float) -> tuple[float, float, float]:
    """Growth of some accounts over that of all, less one, and its ends: a ratio of four sums, linearised."""
    part, whole = both[mine].sum(axis=0), both.sum(axis=0)
    if not (part > 0).all() or not (whole > 0).all():
        return (np.nan,) * 3
    parts, wholes = both * mine[:, None] / part, both / whole
    moved = (parts[:, 1] - parts[:, 0]) - (wholes[:, 1] - wholes[:, 0])
    middle = np.log(part[1] / part[0]) - np.log(whole[1] / whole[0])
    half = norm.ppf((1 + level) / 2) * np.sqrt((moved**2).sum())
    return tuple(float(np.expm1(middle + side * half)) for side in (0, -1, 1))


def read_said(previous, basis: str, then: date) -> pd.DataFrame | None:
    """What the last report said of each account, where there is one of that day and of the same kind of value.

    Parameters
    ----------
    previous
        The folder of the last report, or its accounts table.
    basis
        What value means today; a report in another kind of value is not comparable.
    then
        The closing day a period before; a report of another day is not comparable.

    Returns
    -------
    By account: what its accounts table holds, with abc and kept_share; ``None`` where nothing comparable is there.
    """
    if isinstance(previous, (str, Path)):
        path = Path(previous) / "tables" / "accounts.parquet"
        if not str(previous) or not path.is_file():
            return None
        previous = pd.read_parquet(path)
    said = previous.set_index("account_id") if "account_id" in previous else previous
    if said.empty or not {"value", "class", "basis", "as_of", "borderline_share", "is_key", "has_bought"} <= set(
        said.columns
    ):
        return None
    if said["basis"].iloc[0] != basis or day(said["as_of"].iloc[0]) != then:
        return None
    return said.assign(abc=said["class"], kept_share=1 - said["borderline_share"])


def keep_record(accounts: pd.DataFrame, then: pd.DataFrame) -> pd.DataFrame:
    """How many accounts that were called firm, and how many called borderline, kept their class.

    Only accounts that had bought are counted: the others are class C for want of anything else.

    Parameters
    ----------
    accounts
        abc by account, now.
    then
        abc, kept_share and has_bought by account, as they stood a period before.

    Returns
    -------
    One row for firm and one for borderline: firmness, accounts, kept.
    """
    bought = then.loc[then["has_bought"].astype(bool), ["abc", "kept_share"]]
    both = bought.join(accounts["abc"].rename("now"), how="inner").dropna()
    firmness = np.where(both["kept_share"] >= FIRM, "firm", "borderline")
    rows = (both["abc"] == both["now"]).groupby(firmness).agg(["size", "sum"])
    rows = rows.reindex(["firm", "borderline"], fill_value=0).rename_axis("firmness").reset_index()
    return rows.rename(columns={"size": "accounts", "sum": "kept"})
