"""Who becomes a key account, who stops being one, and who needs a person's judgement: lists with reason codes.

The rule is applied to the last three closing days, so that nobody goes in and out with the noise:

* an account *meets* the rule on a day when it qualifies and is among the ``cap`` largest by value that do;
* it enters when it meets the rule and its class is firm, or when it meets the rule for the second time running;
* it leaves when it fails the rule twice running, or at once when it bought nothing in the window;
* what the rule may not settle goes to review: a first time below the line, a class that is not firm, an official
  (never admitted by rule), an account for which the book can tell none of the criteria; and, if they are among the
  ``cap`` largest of all, an account whose size is one order and one that lacks nothing but a gate.

An account that qualifies beyond the cap waits: it is shown, and nothing is decided about it. Where no report says who
was a key account, the rule is taken to have been in force since the first of the three days: such a roster is a
replay, not a record, and it judges the earlier days by what the accounts table says today (strategic, potential,
official).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.errors import RequestError
from kamlib.studies.classes import FIRM

BOOK, REPORT, REPLAY, INHERITED = "book", "report", "replay", "inherited"
PROMOTE, DEMOTE, REVIEW, KEEP, NONE = "promote", "demote", "review", "keep", ""
DECISIONS = (PROMOTE, DEMOTE, REVIEW, KEEP)
REASONS = (
    "official",
    "silent",
    "failed_twice",
    "failed_once",
    "holds",
    "entered",
    "met_twice",
    "not_firm",
    "one_order",
    "gate",
    "no_evidence",
    "over_cap",
)


def meets(accounts: pd.DataFrame, cap: int) -> pd.Series:
    """Which accounts meet the rule on one day: those that qualify and are among the largest ``cap`` that do.

    Accounts of equal value at the last place all meet it.

    Examples
    --------
    >>> day = pd.DataFrame({"qualifies": [True, True, False], "value": [5.0, 3.0, 9.0]})
    >>> meets(day, 1).tolist()
    [True, False, False]
    """
    value = accounts["value"].where(accounts["qualifies"])
    return value.rank(ascending=False, method="min").le(cap)


def decide(now: pd.DataFrame, then: pd.DataFrame, earlier: pd.DataFrame, cap: int, was_key=None) -> pd.DataFrame:
    """The decision on each account and the reason for it.

    Parameters
    ----------
    now, then, earlier
        qualifies, value and has_bought by account on three closing days; *now* and *then* also kept_share (in what
        share of bootstrap samples the class holds); *now* also lacks, is_one_off, is_official and
        qualifies_but_official; all three criteria_met.
    cap
        How many key accounts there may be.
    was_key
        Flags by account: who was a key account by the last report; by the rule's own earlier days where not given.

    Returns
    -------
    By account of *now*: was_key, meets_now, is_key (once the decisions are carried out; an account under review
    stays what it was), decision (promote, demote, review, keep or empty), reason (one of ``REASONS`` or empty).
    """
    today, before = meets(now, cap), meets(then, cap).reindex(now.index, fill_value=False)
    told = _since_first(meets(earlier, cap) & _has_evidence(earlier), then, cap) if was_key is None else was_key
    key = told.reindex(now.index).fillna(False).astype(bool)
    is_firm, is_top = now["kept_share"] >= FIRM, now["value"].rank(ascending=False, method="min") <= cap
    choices = [
        (key & ~now["has_bought"], DEMOTE, "silent"),
        (key & now["is_official"], REVIEW, "official"),
        (key & ~today & ~before, DEMOTE, "failed_twice"),
        (key & ~today, REVIEW, "failed_once"),
        (key, KEEP, "holds"),
        (now["qualifies_but_official"], REVIEW, "official"),
        (today & ~_has_evidence(now), REVIEW, "no_evidence"),
        (today & is_firm, PROMOTE, "entered"),
        (today & before, PROMOTE, "met_twice"),
        (today, REVIEW, "not_firm"),
        (is_top & now["is_one_off"], REVIEW, "one_order"),
        (is_top & (now["lacks"] == "gates"), REVIEW, "gate"),
        (now["qualifies"], NONE, "over_cap"),
    ]
    held = [flag.to_numpy(dtype=bool) for flag, _, _ in choices]
    decision = np.select(held, [choice for _, choice, _ in choices], NONE)
    reason = np.select(held, [code for _, _, code in choices], "")
    is_key = np.isin(decision, [PROMOTE, KEEP]) | (key.to_numpy() & (decision == REVIEW))
    columns = {"was_key": key, "meets_now": today, "is_key": is_key, "decision": decision, "reason": reason}
    return pd.DataFrame(columns, index=now.index).astype({"decision": object, "reason": object})


def roster(
    accounts: pd.DataFrame, said: pd.DataFrame | None, is_accepted: bool = False
) -> tuple[pd.Series | None, str]:
    """Who was a key account before this report, and where that comes from.

    The firm's own roster, a column ``is_key_account`` of its accounts, comes before the last report, since people
    may have decided otherwise; without either nothing is known, and the rule is replayed. A report that follows a
    replay inherits its roster, and so does each one after it, until somebody has accepted it.

    Returns
    -------
    Flags by account and ``book``, ``report`` or ``inherited``; ``None`` and ``replay``.

    Raises
    ------
    RequestError
        When the book's own roster holds anything but true and false: nobody may silently be none.

    Examples
    --------
    >>> roster(pd.DataFrame({"is_key_account": [True, None]}, index=["a", "b"]), None)[1]
    'book'
    """
    marks = accounts["is_key_account"].dropna() if "is_key_account" in accounts else pd.Series(dtype=object)
    strange = marks[~marks.isin([True, False])]
    if len(strange):
        raise RequestError(
            f"who is a key account cannot be read: {len(strange):,} of {len(marks):,} marks in is_key_account of the "
            f"accounts are neither true nor false, such as {strange.iloc[0]!r}; ingest again, which reads yes and no"
        )
    if len(marks):
        return accounts["is_key_account"].eq(True).fillna(False).astype(bool), BOOK
    if said is None:
        return None, REPLAY
    is_replayed = "roster" in said and said["roster"].isin([REPLAY, INHERITED]).any()
    return said["is_key"], INHERITED if is_replayed and not is_accepted else REPORT


def _has_evidence(day: pd.DataFrame) -> pd.Series:
    return day["criteria_met"] != ""


def _since_first(first: pd.Series, then: pd.DataFrame, cap: int) -> pd.Series:
    """Who was a key account after the second day, had the rule been in force since the first."""
    entered = meets(then, cap) & _has_evidence(then) & (then["kept_share"] >= FIRM)
    return (first.reindex(then.index, fill_value=False) & then["has_bought"]) | entered
