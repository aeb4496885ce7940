"""Actions in words: what is to be done and why, who owns it, and what will show that it worked."""

from __future__ import annotations

import pandas as pd

from kamlib.reports.sentences import keys, placeholders, say
from kamlib.studies.actions import Names
from kamlib.studies.portfolio import with_managers

SHOWN = ["what", "why", "owner", "due_on", "measure"]
NOBODY, SUPERVISOR = "nobody", "supervisor"  # names of calendars, beside those of managers and roles


def in_words(rows: pd.DataFrame, names: Names) -> pd.DataFrame:
    """The actions with ``name``, ``what``, ``why``, ``owner`` and ``measure``, and what calendars need.

    ``calendar`` names whose calendar an action belongs in: the manager's identifier, or the role that owns it.

    Parameters
    ----------
    rows
        As :func:`kamlib.studies.actions.gather` returns them. The sentence of a topic ``selection.rate`` is
        ``selection.rate`` and its reason ``selection.rate_why``; both may name name, detail, since and count. Where
        ``since`` is missing, ``selection.rate_never_why`` stands in if there is one.
    names
        As :func:`kamlib.studies.actions.names` returns them; the identifier stands in where there is no name.
    """
    accounts = rows["account_id"].map(names.accounts).astype("object").fillna(rows["account_id"])
    managers = with_managers(rows, names.managers)["manager"].fillna("")
    called = accounts.where(accounts.astype(bool), managers).astype("str").tolist()
    said = [_said(row, name, names) for row, name in zip(rows.to_dict("records"), called, strict=True)]
    owners = [_owner(role, manager) for role, manager in zip(rows["role"], managers, strict=True)]
    measures = [say(f"actions.measure_{kind}") for kind in rows["kind"]]
    words = pd.DataFrame(said, columns=["what", "why"]).assign(name=called, owner=owners)
    words = words.set_axis(rows.index).astype("str")
    worded = pd.concat([rows, words], axis=1).assign(measure=measures)
    mine = worded["manager_id"].fillna(NOBODY).where(worded["role"] == "manager", worded["role"])
    return worded.assign(key=worded["action_id"], summary=worded["what"], description=worded["why"], calendar=mine)


def _said(row: dict, name: str, names: Names) -> tuple[str, str]:
    why = f"{row['topic']}_why"
    instead = f"{row['topic']}_never_why"
    if pd.isna(row["since"]) and "since" in placeholders(why) and instead in set(keys()):
        why = instead
    values = {
        "name": name,
        "detail": names.details.get(row["detail"], row["detail"]),
        "since": row["since"],
        "count": row["count"],
    }
    return say(row["topic"], **values), say(why, **values)


def _owner(role: str, manager: str) -> str:
    if role != "manager":
        return say(f"actions.owner_{role}")
    return say("actions.owner_manager", name=manager) if manager else say("actions.owner_nobody")
