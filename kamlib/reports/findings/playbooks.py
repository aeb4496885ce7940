"""What every playbook says: what became of the last one's actions, and what is flagged for a person's review."""

from __future__ import annotations

import pandas as pd

from kamlib.errors import RequestError
from kamlib.reports.finding import Finding, Verdict
from kamlib.reports.sentences import keys, say
from kamlib.studies.follow_up import DONE, OPEN, OVERDUE, UNSEEN, FollowUp

FOLLOW_COLUMNS = ["what", "owner", "due_on", "status_said", "done_on"]
_NAMED = 5


def action_record(result: FollowUp, playbook: str) -> Finding:
    """What the book shows of the actions of the last report of this kind."""
    identifier = f"{playbook}.follow_up"
    if result.rows is None:
        reason = say("actions.follow_first")
        return Finding(identifier, say("actions.follow_none"), n=0, verdict=Verdict.NO_CONCLUSION, reason=reason)
    counts = {status: result.count(status) for status in (DONE, OPEN, OVERDUE, UNSEEN)}
    n = len(result.rows)
    only = next((status for status, count in counts.items() if count == n == 1), "")
    sentence = say(f"actions.follow_one_{only}") if only else say("actions.follow_counts", n=n, **counts)
    seen = n - counts[UNSEEN]
    reason = "" if seen else say("actions.follow_blind")
    return Finding(
        identifier,
        sentence,
        counts[DONE] / seen if seen else None,
        "share of the actions the book can show",
        n=n,
        verdict=Verdict.USABLE if seen else Verdict.NO_CONCLUSION,
        reason=reason,
        decision=say("actions.follow_decision") if counts[OVERDUE] else "",
    )


def action_states(result: FollowUp) -> pd.DataFrame:
    """The earlier actions with their state in words, the overdue ones first."""
    if result.rows is None:
        return pd.DataFrame(columns=FOLLOW_COLUMNS)
    order = {OVERDUE: 0, OPEN: 1, UNSEEN: 2, DONE: 3}
    said = result.rows["status"].map(lambda status: say(f"actions.status_{status}"))
    rows = result.rows.assign(status_said=said, place=result.rows["status"].map(order))
    return rows.sort_values(["place", "due_on", "action_id"], ignore_index=True).drop(columns="place")


def action_blind_spots(result: FollowUp) -> list[str]:
    """The tables whose absence leaves actions unseen, as one sentence; none where all are there."""
    return [say("actions.follow_absent", tables=", ".join(result.absent))] if result.absent else []


def flag(practice: str, accounts: pd.Series | None = None) -> Finding:
    """A practice that carries a legal or ethical risk: what is not done, why, and who reviews it.

    Parameters
    ----------
    practice : ``K036`` and the like.
    accounts : names of the accounts concerned; None where that cannot be told.

    Raises
    ------
    RequestError
        When the practice is none that is flagged.
    """
    if f"flags.{practice}" not in set(keys()):
        flagged = [key.split(".")[1] for key in keys() if key.startswith("flags.K") and "_" not in key]
        raise RequestError(f"practice {practice!r} is not flagged; flagged are {', '.join(flagged)}")
    reason = say(f"flags.{practice}_reason")
    if accounts is not None and len(accounts):
        named = ", ".join(map(str, accounts.iloc[:_NAMED]))
        seen = "seen_one" if len(accounts) == 1 else "seen"
        reason = f"{reason} {say(f'flags.{seen}', n=len(accounts), accounts=named)}"
    return Finding(
        f"flag.{practice}",
        say(f"flags.{practice}"),
        None if accounts is None else len(accounts),
        "accounts concerned",
        verdict=Verdict.CAUTION,
        reason=reason,
        decision=say(f"flags.{practice}_review"),
        practices=(practice,),
    )
