"""Tables that the other reports of a period have published, for a study that takes over what they say."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pandas as pd


def period_table(tables: str, study: str, name: str, day: date) -> pd.DataFrame | None:
    """A table of another study's report of this period; None where there is none, or it was made as of another day.

    Parameters
    ----------
    tables : folder of the period's reports; may be empty. study : the report. name : the table, without its ending.
    day : day the asking study reads the book as of.

    Examples
    --------
    >>> period_table("", "churn", "agenda", pd.Timestamp("2026-09-30")) is None
    True
    """
    path, _ = find_table(tables, study, name, day)
    return None if path is None else pd.read_parquet(path)


def find_table(tables: str, study: str, name: str, day: date | None) -> tuple[Path | None, str]:
    """Where such a table lies, or None and why not: ``absent``, or ``other_day`` where it was made as of another."""
    folder = Path(tables) / study
    path, manifest = folder / "tables" / f"{name}.parquet", folder / "manifest.json"
    if not tables or not path.is_file():
        return None, "absent"
    made = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
    return (path, "") if day is None or made.get("as_of") in {None, f"{day:%Y-%m-%d}"} else (None, "other_day")
