"""What an earlier report said about an account, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu, norm

from kamlib.errors import RequestError
from kamlib.studies.churn.reliability import slope_of
from kamlib.studies.churn.timelines import Sales, day_number, to_dates
from kamlib.studies.scoring import auc

QUANTITY = "silent"
YEAR_DAYS = 365
PREDICTIONS, MANIFEST = "predictions.parquet", "manifest.json"


@dataclass(frozen=True, eq=False)
class Record:
    """Predictions and their outcomes.

    ``rows``: account_id, said (probability), lower, upper, due (date), is_silent (1, 0, NaN while the window is
    open), margin_expected (money the window would bring at the pace of the year before). ``said_on``: the day they were
    made. ``is_recomputed``: no earlier report was there, and this is what today's method would have said on that day.
    """

    rows: pd.DataFrame
    said_on: pd.Timestamp
    is_recomputed: bool

    @property
    def graded(self) -> pd.DataFrame:
        """The rows whose window has closed."""
        return self.rows[self.rows["is_silent"].notna()]

    @property
    def order(self) -> tuple[float, float]:
        """How often, of one that fell silent and one that ordered, the first had the higher risk, and its p-value.

        One half and 1.0 where all did the same (Mann and Whitney, one-sided).
        """
        silent = self.graded["is_silent"] == 1
        if silent.all() or not silent.any():
            return 0.5, 1.0
        said = self.graded["said"]
        test = mannwhitneyu(said[silent], said[~silent], alternative="greater")
        return float(auc(said, silent)), float(test.pvalue)

    def slope(self, level: float) -> tuple[float, float, float] | None:
        """Calibration slope of the risks graded, with its interval; None where nothing tells it."""
        rows = self.graded
        found = slope_of(rows["said"].to_numpy(), rows["is_silent"].to_numpy(), rows["account_id"])
        reach = norm.ppf((1 + level) / 2)
        return (found[0], found[0] - reach * found[1], found[0] + reach * found[1]) if found else None

    @property
    def open(self) -> int:
        """How many rows cannot be graded yet."""
        return int(self.rows["is_silent"].isna().sum())


def read_record(previous: str | Path, sales: Sales) -> Record | None:
    """The predictions of an earlier report, graded with what is known now; None where it made none.

    Where none of them can be graded yet, the report before that is graded, and so on: a window longer than the
    time between two reports closes later than the next one.

    Raises
    ------
    RequestError
        When the folder is not a report, or lies in the future of the day read as of.
    """
    record = _read(Path(previous), sales)
    earlier = _before(Path(previous))
    while record is not None and not len(record.graded) and earlier is not None:
        folder, earlier = earlier, _before(earlier)
        older = _read(folder, sales)
        record = older if older is not None and len(older.graded) else record
    return record


def _before(folder: Path) -> Path | None:
    """The report that a report was compared with, where it is still there."""
    made = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    told = made.get("parameters", {}).get("previous")
    before = Path(told) if told else None
    return before if before is not None and before != folder and (before / MANIFEST).is_file() else None


def _read(folder: Path, sales: Sales) -> Record | None:
    if not (folder / MANIFEST).is_file():
        raise RequestError(f"{folder} holds no report: there is no {MANIFEST}; give the folder of an earlier report")
    said_on = day_number(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["as_of"])
    if said_on > sales.as_of:
        raise RequestError(
            f"the report in {folder} was made as of {to_dates([said_on])[0]:%Y-%m-%d}, after the day read as of; "
            "give an earlier one"
        )
    if not (folder / PREDICTIONS).is_file():
        return None
    said = pd.read_parquet(folder / PREDICTIONS)
    # Accounts out of scope, or no longer in the book, have no orders here, which is no silence of theirs.
    is_here = said["account_id"].isin(sales.accounts)
    said = said[(said["quantity"] == QUANTITY) & said["value"].notna() & is_here]
    return grade(said, said_on, sales) if len(said) else None


def grade(said: pd.DataFrame, said_on: int, sales: Sales) -> Record:
    """Predictions (account_id, horizon_days, value, lower, upper) against the orders seen by now."""
    code = sales.number(said["account_id"])
    due = said_on + said["horizon_days"].to_numpy(float)
    upto = np.full(sales.purchases.size, float(said_on))
    upto[code[code >= 0]] = due[code >= 0]
    bought = np.where(code >= 0, sales.purchases.count(said_on, upto)[code], 0)
    rows = pd.DataFrame(
        {
            "account_id": said["account_id"].to_numpy(),
            "said": said["value"].to_numpy(float),
            "lower": said["lower"].to_numpy(float),
            "upper": said["upper"].to_numpy(float),
            "due": to_dates(due),
            "is_silent": np.where(due <= sales.as_of, (bought == 0).astype(float), np.nan),
            "margin_expected": _margin(sales, code, said_on, due),
        }
    )
    return Record(rows, to_dates([said_on])[0], is_recomputed=False)


def _margin(sales: Sales, code: np.ndarray, said_on: int, due: np.ndarray) -> np.ndarray:
    """(n,) margin from a day to the end of each window, at the pace of the year before it; nothing below zero."""
    earned = np.maximum(sales.margin.total(said_on - YEAR_DAYS, said_on), 0.0)[code]
    days = due - said_on
    tenure = np.clip(said_on - sales.purchases.first()[code] + 1, days, np.maximum(days, YEAR_DAYS))
    return np.where(code >= 0, earned / tenure * days, 0.0)


def recomputed(sales: Sales, said: pd.DataFrame, cutoffs: Sequence[int], candidate: str) -> Record:
    """What a candidate said in the back-test on the last cut-off, as a record of its own."""
    rows = said[said["moment"] == cutoffs[0]]
    frame = pd.DataFrame(
        {
            "account_id": sales.accounts[rows["account"].astype(int)],
            "said": rows[candidate].to_numpy(float),
            "lower": np.nan,
            "upper": np.nan,
            "due": to_dates(rows["due"]),
            "is_silent": rows["is_silent"].to_numpy(float),
            "margin_expected": _margin(sales, rows["account"].to_numpy(int), cutoffs[0], rows["due"].to_numpy(float)),
        }
    )
    return Record(frame, to_dates([cutoffs[0]])[0], is_recomputed=True)
