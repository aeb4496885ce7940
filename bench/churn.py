"""How long the churn study takes, and how well it recovers the truth of the sample company over many seeds.

python bench/churn.py time  [--accounts 10000] [--boosting]
python bench/churn.py truth [--seeds 20] [--accounts 300]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from kamlib import open_book
from kamlib.book.sample import read_truth, write_sample
from kamlib.studies import churn
from kamlib.studies.churn.covariates import read_facts
from kamlib.studies.churn.drivers import drivers
from kamlib.studies.churn.labels import standing
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
        for who in ("off_season", "first_year", "others"):
            called, there = rows[f"{who}_silent"].sum(), rows[who].sum()
            print(f"called silent though still customers, {who}: {called} of {there} ({called / there:.1%})")
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
            if drivers_only:
                return row
            row |= _off_season(read_sales(book), truth)
            return row | _labels(churn.measure(book, draws=20), truth["accounts"])


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


def _off_season(sales, truth: dict) -> dict:
    """Customers called silent at the twelve last ends of months: out of season, in a first year so, and the others."""
    orders = truth["months"].assign(month=pd.to_datetime(truth["months"]["month"]))
    left = pd.to_datetime(truth["accounts"].set_index("account_id")["churn_date"])
    stood = []
    for day in pd.date_range(end=AS_OF, periods=12, freq="ME"):
        number = (day - pd.Timestamp(0)).days
        now = standing(sales, number, horizon_days=90)
        now.index = sales.accounts[now.index]
        due = orders[orders["month"] == day.replace(day=1)].set_index("account_id")["expected_orders"]
        is_customer = left.reindex(now.index).isna() | (left.reindex(now.index) > day)
        now = now[is_customer & (now["purchases"] > 1)]
        is_out, is_first = due.reindex(now.index) == 0, number - now["first"] <= 365
        who = np.select([is_out & is_first, is_out], ["first_year", "off_season"], "others")
        stood.append(pd.DataFrame({"who": who, "is_silent": now["status"] == "silent"}))
    counts = pd.concat(stood).groupby("who")["is_silent"].agg(["size", "sum"])
    counts = counts.reindex(["off_season", "first_year", "others"], fill_value=0)
    return counts["size"].to_dict() | counts["sum"].add_suffix("_silent").to_dict()


def _labels(result: churn.Churn, truth: pd.DataFrame) -> dict:
    rows = result.accounts.join(truth.set_index("account_id").drop(columns="wallet_share"), on="account_id")
    began = pd.to_datetime(rows["partial_defection_date"])
    there = began.between(AS_OF - pd.Timedelta(days=5 * SEEN_DAYS), AS_OF - pd.Timedelta(days=SEEN_DAYS))
    there &= ~rows["is_silent"]
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
    }


if __name__ == "__main__":
    main()
