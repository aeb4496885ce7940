"""Actions in words: what is to be done and why, who owns it, and what will show that it worked."""

from __future__ import annotations

import pandas as pd

from kamlib.reports.sentences import keys, placeholders, say

SHOWN = ["what", "why", "owner", "due_on", "measure"]
NOBODY, SUPERVISOR = "nobody", "supervisor"  # names of calendars, beside those of managers and roles


def in_words(rows: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    """The actions with ``name``, ``what``, ``why``, ``owner`` and ``measure``, and what calendars need.

    ``calendar`` names whose calendar an action belongs in: the manager's identifier, or the role that owns it.

    Parameters
    ----------
    rows
        As :func:`kamlib.studies.actions.gather` returns them. The sentence of a topic ``selection.rate`` is
        ``selection.rate`` and its reason ``selection.rate_why``; both may name name, detail, since and count. Where
        ``since`` is missing, ``selection.rate_never_why`` stands in if there is one.
    names
        Names by account_id and manager_id; the identifier stands in where there is none.
    """
    called = rows["account_id"].where(rows["account_id"].astype(bool), rows["manager_id"])
    called = [str(names.get(key, key)) if isinstance(key, str) else "" for key in called]
    said = [_said(row, name) for row, name in zip(rows.to_dict("records"), called, strict=True)]
    owners = [_owner(row["role"], row["manager_id"], names) for row in rows.to_dict("records")]
    measures = [say(f"actions.measure_{kind}") for kind in rows["kind"]]
    words = pd.DataFrame(said, columns=["what", "why"]).assign(name=called, owner=owners)
    words = words.set_axis(rows.index).astype("str")
    worded = pd.concat([rows, words], axis=1).assign(measure=measures)
    mine = worded["manager_id"].fillna(NOBODY).where(worded["role"] == "manager", worded["role"])
    return worded.assign(key=worded["action_id"], summary=worded["what"], description=worded["why"], calendar=mine)


def _said(row: dict, name: str) -> tuple[str, str]:
    why = f"{row['topic']}_why"
    instead = f"{row['topic']}_never_why"
    if pd.isna(row["since"]) and "since" in placeholders(why) and instead in set(keys()):
        why = instead
    values = {"name": name, "detail": row["detail"], "since": row["since"], "count": row["count"]}
    return say(row["topic"], **values), say(why, **values)


def _owner(role: str, manager_id, names: pd.Series) -> str:
    if role != "manager":
        return say(f"actions.owner_{role}")
    if pd.isna(manager_id):
        return say("actions.owner_nobody")
    name = names.get(manager_id)
    return say("actions.owner_manager", name=name) if isinstance(name, str) else str(manager_id)
