"""What is due, in words: a table for the page and a calendar for the desk, from the rows a study gives."""

from __future__ import annotations

import pandas as pd

from kamlib.reports.sentences import placeholders, say
from kamlib.studies.actions import KINDS_OF_DUES, Names, identity

SHOWN = ("due_on", "days_overdue", "what", "why")


def in_words(rows: pd.DataFrame, names: Names) -> pd.DataFrame:
    """The rows with ``what`` is to be done and ``why``, and what a calendar needs: key, summary, description.

    The key is that of the same thing among the actions of the playbooks, so that importing both doubles nothing.

    Parameters
    ----------
    rows
        As :func:`kamlib.studies.dues.gather` returns them.
    names
        Names of accounts and, for ``log`` rows, of managers; the identifier stands in where there is none.
    """
    is_account = rows["account_id"] != ""
    owner = rows["account_id"].where(is_account, rows["manager_id"])
    called = owner.map(names.accounts).where(is_account, owner.map(names.managers)).fillna(owner)
    said = [_said(row, name) for row, name in zip(rows.to_dict("records"), called, strict=True)]
    words = pd.DataFrame(said, columns=["what", "why"], index=rows.index).astype("str")
    marks = rows.assign(kind=rows["kind"].replace(KINDS_OF_DUES))[["kind", "account_id", "manager_id", "detail"]]
    keys = pd.Series([identity(*mark) for mark in marks.to_numpy()], rows.index, dtype="str")
    return rows.assign(name=called, **words, key=keys, summary=words["what"], description=words["why"])


def _said(row: dict, name: str) -> tuple[str, str]:
    kind = row["kind"]
    why = f"dues.{kind}_why"
    if "since" in placeholders(why) and pd.isna(row["since"]):
        why = f"dues.{kind}_never_why"
    values = {"name": name, "detail": row["detail"], "since": row["since"], "count": row["count"]}
    return say(f"dues.{kind}", **values), say(why, **values)
