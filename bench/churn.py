"""How long the churn study takes, and how well it recovers the truth of the sample company over many seeds.

python bench/churn.py time  [--accounts 10000] [--boosting]
python bench/churn.py truth [--seeds 20] [--accounts 300]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import pandas as pd

from kamlib import open_book
from kamlib.book.sample import read_truth, write_sample
from kamlib.studies import churn
from kamlib.studies.churn.covariates import read_facts
from kamlib.studies.churn.drivers import drivers
from kamlib.studies.churn.timelines import read_sales

AS_OF = pd.Timestamp("2026-09-30")
SEEN_DAYS = 180  # a partial defection is looked for between half a year and two and a half years after it began


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="time", choices=("time", "truth"))
    parser.add_argument("--accounts", type=int)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--drivers-only", action="store_true")
    parser.add_argument("--boosting", action="store_true")
    asked = parser.parse_args()
    if asked.what == "time":
        print(timed(asked.accounts or 10_000, asked.boosting).to_string())
    else:
        report(asked.seeds, asked.accounts or 300, asked.drivers_only)


def timed(accounts: int, boosting: bool) -> pd.Series:
    """Seconds, by the clock and of the processor, to measure a book of 36 months with all candidates."""
    with tempfile.TemporaryDirectory() as folder:
        place = write_sample(Path(folder) / "sample", accounts, 36, 11).place
        with open_book(place, as_of=AS_OF.date()) as book:
            clock, processor = time.perf_counter(), time.process_time()
            result = churn.measure(book, with_boosting=boosting)
            spent = time.perf_counter() - clock, time.process_time() - processor
    return pd.Series({"accounts": len(result.accounts), "seconds": spent[0], "processor_seconds": spent[1]})


def report(seeds: int, accounts: int, drivers_only: bool) -> None:
    """Print the truth recovered, seed by seed and on the whole."""
    rows = pd.DataFrame([recovered(seed, accounts, drivers_only) for seed in range(seeds)])
    print(rows.round(3).to_string())
    print("complaint effect covered in", int(rows["complaint_covered"].sum()), "of", len(rows))
    if not drivers_only:
        found, there, right = rows[["partial_found", "partial_there", "partial_called"]].sum()
        print(f"partial defection: recall {found / there:.2f}, precision {rows['partial_right'].sum() / right:.2f}")
        print(f"off-season buyers called silent: {rows['seasonal_silent'].sum()} of {rows['seasonal'].sum()}")
        print("calibration slope within 0.8 to 1.2 in", int(rows["slope"].between(0.8, 1.2).sum()), "of", len(rows))
        print(
            "lift at least that of the plain rule in", int((rows["lift"] >= rows["plain_lift"]).sum()), "of", len(rows)
        )


def recovered(seed: int, accounts: int, drivers_only: bool) -> dict:
    """What the study finds in one sample company, beside what is true."""
    with tempfile.TemporaryDirectory() as folder:
        place = write_sample(Path(folder) / "sample", accounts, 36, 1000 + seed).place
        truth = read_truth(place)
        with open_book(place, as_of=AS_OF.date()) as book:
            row = {"seed": seed} | _complaints(book, truth["process"])
            return row if drivers_only else row | _labels(churn.measure(book, draws=20), truth["accounts"])


def _complaints(book, process: dict) -> dict:
    found = drivers(read_facts(book, read_sales(book)))
    true = process["process"]["odds_complaint"]
    if "complaint" not in found.odds.index:
        return {"events": found.events, "complaint_odds": None, "complaint_covered": False}
    odds = found.odds.loc["complaint"]
    return {
        "events": found.events,
        "complaint_odds": odds["odds_ratio"],
        "complaint_covered": odds["low"] <= true <= odds["high"],
    }


def _labels(result: churn.Churn, truth: pd.DataFrame) -> dict:
    rows = result.accounts.join(truth.set_index("account_id").drop(columns="wallet_share"), on="account_id")
    began = pd.to_datetime(rows["partial_defection_date"])
    there = began.between(AS_OF - pd.Timedelta(days=5 * SEEN_DAYS), AS_OF - pd.Timedelta(days=SEEN_DAYS))
    there &= ~rows["is_silent"]
    seasonal = rows["is_seasonal"] & rows["churn_date"].isna() & rows["has_history"]
    winner = result.candidates.loc[result.winner]
    return {
        "winner": result.winner,
        "slope": winner["calibration_slope"],
        "lift": winner["lift"],
        "plain_lift": result.candidates.loc[result.baseline, "lift"],
        "partial_called": int(rows["is_partial"].sum()),
        "partial_right": int((rows["is_partial"] & began.notna()).sum()),
        "partial_there": int(there.sum()),
        "partial_found": int((rows["is_partial"] & there).sum()),
        "seasonal": int(seasonal.sum()),
        "seasonal_silent": int((seasonal & rows["is_silent"]).sum()),
    }


if __name__ == "__main__":
    main()
