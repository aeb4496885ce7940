"""Who becomes a key account, who stops being one, and who needs a person's judgement: lists with reason codes.

The rule, applied to the last three closing days so that nobody goes in and out with the noise:

* an account *meets* the rule on a day when it qualifies and is among the ``cap`` largest by value that do;
* it enters when it meets the rule and its class is firm, or when it meets it for the second time running;
* it leaves when it fails the rule twice running, or at once when it bought nothing in the window;
* what the rule may not settle goes to review: a first time below the line, a class that is not firm, an account whose
  size is one order, an official (never admitted by rule), one that qualifies beyond the cap.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

PROMOTE, DEMOTE, REVIEW, KEEP, NONE = "promote", "demote", "review", "keep", ""
DECISIONS = (PROMOTE, DEMOTE, REVIEW, KEEP)
FIRM = 0.80


def meets(accounts: pd.DataFrame, cap: int) -> pd.Series:
    """Which accounts meet the rule on one day.

    Parameters
    ----------
    accounts
        qualifies (flag) and value by account.
    cap
        How many key accounts there may be.
    """
    value = accounts["value"].where(accounts["qualifies"])
    return value.rank(ascending=False, method="min").le(cap)


def decide(now: pd.DataFrame, then: pd.DataFrame, earlier: pd.DataFrame, cap: int, was_key=None) -> pd.DataFrame:
    """The decision on each account and the reason for it.

    Parameters
    ----------
    now, then, earlier
        qualifies, value, has_bought by account on three closing days; *now* also kept_share (in what share of
        bootstrap samples the class holds), is_one_off, is_official and qualifies_but_official.
    cap
        How many key accounts there may be.
    was_key
        Flags by account: who was a key account by the last report; by the rule's own earlier days where not given.

    Returns
    -------
    By account of *now*: was_key, meets_now, is_key (after the decision), decision, reason.
    """
    today = meets(now, cap)
    before, first = (meets(day, cap).reindex(now.index, fill_value=False) for day in (then, earlier))
    key = (before | first) if was_key is None else was_key.reindex(now.index, fill_value=False).astype(bool)
    is_firm = now["kept_share"].fillna(0) >= FIRM
    choices = [
        (key & now["is_official"], REVIEW, "official"),
        (key & ~now["has_bought"], DEMOTE, "silent"),
        (key & ~today & ~before, DEMOTE, "below twice"),
        (key & ~today, REVIEW, "below once"),
        (key, KEEP, "holds"),
        (now["qualifies_but_official"], REVIEW, "official"),
        (today & is_firm, PROMOTE, "entered"),
        (today & before, PROMOTE, "met twice"),
        (today, REVIEW, "not firm"),
        (now["qualifies"], REVIEW, "over the cap"),
        (now["is_one_off"], REVIEW, "one order"),
    ]
    held = [flag.to_numpy(dtype=bool) for flag, _, _ in choices]
    decision = np.select(held, [choice for _, choice, _ in choices], NONE)
    reason = np.select(held, [code for _, _, code in choices], "")
    is_key = np.isin(decision, [PROMOTE, KEEP]) | (key.to_numpy() & (decision == REVIEW))
    return pd.DataFrame(
        {"was_key": key, "meets_now": today, "is_key": is_key, "decision": decision, "reason": reason}, index=now.index
    )
