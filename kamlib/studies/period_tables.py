"""Tables that the other reports of a period have published, for a study that takes over what they say."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd


def period_table(tables: str, study: str, name: str, day: pd.Timestamp) -> pd.DataFrame | None:
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
    folder = Path(tables) / study
    path, manifest = folder / "tables" / f"{name}.parquet", folder / "manifest.json"
    if not tables or not path.is_file():
        return None
    if manifest.is_file() and json.loads(manifest.read_text(encoding="utf-8"))["as_of"] != str(day.date()):
        return None
    return pd.read_parquet(path)
