"""Which accounts changed class or segment since the last period, and why: each move told as exact steps.

A class follows from a value and two floors. Walking from what was known then to what is known now, one thing is
changed at a time and the class looked at after each step, so that the causes add up to the move:

1. *data revised*: the value of then as it was reported then → the same as the book has it now;
2. *spend*: the value of then → the value of now, at the floors of then;
3. *threshold*: the floors of then → those that the cuts of then draw among the values of now: other accounts moved;
4. *cuts declared anew*: the cuts of then → the cuts of now.

For the RFM segment the steps are spend (money and active months), recency, threshold (the money cut points follow
the mean account). A step that changes nothing is no cause. Without the last report the first step and the last one
are left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from kamlib.book.periods import day
from kamlib.studies.classes import FIRM, LETTERS, floor_values, letters
from kamlib.studies.segmentation.rfm import CutPoints, rfm

REVISED, SPEND, RECENCY, THRESHOLD, CUTS = "data revised", "spend", "recency", "threshold", "cuts declared anew"


def class_moves(then: pd.Series, now: pd.Series, cuts: Sequence[float], said: pd.DataFrame | None) -> pd.DataFrame:
    """The ABC move of each account between two days.

    Parameters
    ----------
    then, now
        Value of each account on the earlier and the later day, the earlier one as the book has it now.
    cuts
        The ABC cuts of the later day.
    said
        Columns value and abc by account as the last report had them, and the cuts it used as cut_a and cut_b, which
        are taken to be the same where they are not there; ``None`` without one.

    Returns
    -------
    By account of *now*: previous (class as reported, or as recomputed), abc, cause (steps joined by " + ", empty
    where nothing moved), is_new (not in the book then).
    """
    known = then.reindex(now.index)
    before, after, is_new = known.fillna(0.0).to_numpy(), now.to_numpy(), known.isna().to_numpy()
    floors = floor_values(after, cuts)
    if said is None:
        old = floor_values(then.to_numpy(), cuts)
        path = [(SPEND, letters(before, old)), (SPEND, letters(after, old))]
    else:
        old = _floors_said(said)
        told = said["value"].reindex(now.index).fillna(0.0).to_numpy()
        path = [(REVISED, letters(told, old)), (REVISED, letters(before, old)), (SPEND, letters(after, old))]
    path.append((THRESHOLD, letters(after, floor_values(after, _cuts_said(said, cuts)))))
    path.append((CUTS, letters(after, floors)))
    return pd.DataFrame(
        {"previous": path[0][1], "abc": path[-1][1], "cause": _causes(path), "is_new": is_new}, index=now.index
    )


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
    spent = after.assign(recency_days=before["recency_days"].where(after["recency_days"].notna()))
    path = [
        (SPEND, rfm(before, old)["rfm_segment"].to_numpy()),
        (SPEND, rfm(spent, old)["rfm_segment"].to_numpy()),
        (RECENCY, rfm(after, old)["rfm_segment"].to_numpy()),
        (THRESHOLD, rfm(after, new)["rfm_segment"].to_numpy()),
    ]
    return pd.DataFrame({"rfm_previous": path[0][1], "rfm_cause": _causes(path)}, index=now.index)


def _causes(path: list[tuple[str, np.ndarray]]) -> np.ndarray:
    """The steps at which each account's label changed, joined; a move that was undone again keeps both causes."""
    text = np.full(len(path[0][1]), "", dtype=object)
    has_moved = path[0][1] != path[-1][1]
    for (_, before), (cause, after) in itertools.pairwise(path):
        changed = has_moved & (before != after)
        text[changed & (text != "")] += " + "
        text[changed] += cause
    return text


def crossing(moves: pd.DataFrame) -> pd.DataFrame:
    """How many accounts went from each class (rows) to each class (columns), all nine."""
    counts = pd.crosstab(moves["previous"], moves["abc"])
    return counts.reindex(index=LETTERS, columns=LETTERS, fill_value=0)


def regression_to_mean(before: pd.Series, after: pd.Series, cuts: Sequence[float]) -> pd.DataFrame:
    """What accounts bought in two windows that do not overlap, sorted by either window.

    Accounts that stood high in one window owe part of it to luck, so they stand lower in the other, whichever came
    first. Shown both ways: sorted by the earlier window the top class falls; sorted by the later one, it rises.

    Returns
    -------
    A frame with sorted_by (``before`` or ``after``), abc, accounts, revenue_before, revenue_after, change.
    """
    rows = []
    for name, values in (("before", before), ("after", after)):
        classes = letters(values.to_numpy(), floor_values(values.to_numpy(), cuts))
        for letter in LETTERS:
            mine = classes == letter
            rows.append((name, letter, int(mine.sum()), before[mine].sum(), after[mine].sum()))
    frame = pd.DataFrame(rows, columns=["sorted_by", "abc", "accounts", "revenue_before", "revenue_after"])
    change = frame["revenue_after"] / frame["revenue_before"].where(frame["revenue_before"] > 0) - 1
    return frame.assign(change=change)


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
    bought = then[then["has_bought"].astype(bool)]
    both = bought[["abc", "kept_share"]].join(accounts["abc"].rename("now"), how="inner").dropna()
    firmness = np.where(both["kept_share"] >= FIRM, "firm", "borderline")
    rows = (both["abc"] == both["now"]).groupby(firmness).agg(["size", "sum"])
    rows = rows.reindex(["firm", "borderline"], fill_value=0).rename_axis("firmness").reset_index()
    return rows.rename(columns={"size": "accounts", "sum": "kept"})
