"""What this period's reports say of one account, read from the tables they published and never computed again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd

from kamlib.studies.period_tables import find_table


@dataclass(frozen=True, eq=False)
class Published:
    """One study's word on one account.

    Attributes
    ----------
    study : the report it comes from.
    row : its row of that report's table of accounts; empty where there is none.
    place, of : its rank by the column asked for (1 is the largest) among how many; None where it cannot be told.
    reason : why there is nothing: ``absent`` (no such report), ``other_day`` (made as of another day), ``no_row``;
        empty otherwise.
    findings : the report's findings by their id, as ``findings.json`` holds them.
    """

    study: str
    row: Mapping = field(default_factory=dict)
    place: int | None = None
    of: int | None = None
    reason: str = ""
    findings: Mapping[str, Mapping] = field(default_factory=dict)

    def get(self, column: str, otherwise=None):
        """A value of the row, *otherwise* where it is not there or missing."""
        value = self.row.get(column)
        is_missing = value is None or (not isinstance(value, (list, tuple)) and not hasattr(value, "__len__"))
        return otherwise if value is None or (is_missing and pd.isna(value)) else value


def read_published(
    tables: str, study: str, account_id: str, as_of: date | None, scope: Mapping, by: str = ""
) -> Published:
    """Read what a study's report of this period says of an account.

    Only the account's own row is read; its rank is told where the report was made for the same scope, since
    otherwise accounts outside the scope would be counted.

    Parameters
    ----------
    tables : folder of the period's reports; may be empty.
    by : column to rank by, the largest first.
    """
    path, reason = find_table(tables, study, "accounts", as_of)
    if path is None:
        return Published(study, reason=reason)
    own = pd.read_parquet(path, filters=[("account_id", "==", account_id)])
    if own.empty:
        return Published(study, reason="no_row")
    folder = Path(tables) / study
    manifest, found = (json.loads((folder / f"{n}.json").read_text(encoding="utf-8")) for n in ("manifest", "findings"))
    same_scope = dict(manifest["parameters"].get("scope") or {}) == dict(scope)
    place, of = _rank(path, own, by) if same_scope and by in own else (None, None)
    return Published(study, own.iloc[0].to_dict(), place, of, findings={row["id"]: row for row in found})


def _rank(path: Path, own: pd.DataFrame, by: str) -> tuple[int | None, int | None]:
    values = pd.read_parquet(path, columns=[by])[by].dropna()
    mine = own[by].iloc[0]
    return (None, None) if pd.isna(mine) else (int((values > mine).sum()) + 1, len(values))
