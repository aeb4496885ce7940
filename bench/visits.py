"""The visit study on a company of 10,000 accounts × 36 months, and how it says no under four ways of aiming visits.

    python bench/visits.py                                    time of measure on 300 and 10,000 accounts
    python bench/visits.py --seeds 0:50 --out found.csv       a run for each way of aiming, added to the file
    python bench/visits.py --read found.csv                   coverage of the truth, and refusals

A run writes a company, takes the steps of the evidence that the gates need, and asks whether the interval holds the
elasticity that the company was made with, weighted by revenue. The verdict refuses when a gate of the evidence fails.
Runs add their line as they finish, so that a bench can be stopped and taken up again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from kamlib import open_book
from kamlib.book.sample import write_sample
from kamlib.studies import visits
from kamlib.studies.visits.evidence import weigh

TARGETING = ("none", "level", "trend", "response")


def synthetic(folder: Path, accounts: int, months: int = 36, seed: int = 0) -> Path:
    """A book of one order line per account-month with sales, without going through the sample company."""
    rng = np.random.default_rng(seed)
    days = pd.date_range("2023-10-15", periods=months, freq=pd.DateOffset(months=1))
    names = np.array([f"A{i:06d}" for i in range(accounts)])
    size = rng.lognormal(0, 1.2, accounts)
    counts = rng.poisson(np.clip(1.5 * size**0.4, 0.1, 9)[:, None], (accounts, months))
    stock = counts.astype(float)
    for month in range(1, months):
        stock[:, month] += 0.45 * stock[:, month - 1]
    sales = rng.poisson(8 * size[:, None] * (1 + stock) ** 0.3) * 1000.0
    account, month = np.nonzero(sales)
    folder.mkdir(parents=True)
    orders = pd.DataFrame({"account_id": names[account], "order_date": days[month], "revenue": sales[account, month]})
    orders = orders.assign(order_id=[f"O{i}" for i in range(len(orders))], line_no=1, cost=0.7 * orders["revenue"])
    managers = np.array([f"M{i:04d}" for i in range(max(accounts // 25, 1))])
    held = managers[np.arange(accounts) % len(managers)]
    pd.DataFrame({"account_id": names, "name": names, "manager_id": held}).to_parquet(folder / "accounts.parquet")
    orders.to_parquet(folder / "orders.parquet")
    account, month = (index.repeat(counts.ravel()) for index in np.divmod(np.arange(counts.size), months))
    rows = pd.DataFrame({"account_id": names[account], "visit_date": days[month], "channel": "visit", "hours": 2.0})
    rows.assign(visit_id=[f"V{i}" for i in range(len(rows))], cost=1500.0).to_parquet(folder / "visits.parquet")
    return folder


def timed(accounts: int) -> None:
    with tempfile.TemporaryDirectory() as home:
        place = synthetic(Path(home) / "book", accounts)
        started, worked = time.perf_counter(), time.process_time()
        result = visits.measure(open_book(place, as_of="2026-09-30"))
        took, work = time.perf_counter() - started, time.process_time() - worked
    estimate, low, high = result.evidence.long_run
    planned = int(result.plan.accounts["plan"].sum()) if result.plan else 0
    print(f"{accounts:>7,} accounts: {took:6.1f} s ({work:.1f} s of processor), plan of {planned:,} visits")
    print(f"        long run {estimate:.3f} ({low:.3f} to {high:.3f})")


def truth(place: Path) -> float:
    """The elasticity of a lasting change of visits, weighted by revenue."""
    months = pd.read_parquet(place / "truth" / "months.parquet")
    accounts = pd.read_parquet(place / "truth" / "accounts.parquet")[["account_id", "elasticity"]]
    months = months.merge(accounts)
    stock = months["carried_visits"]
    return float(np.average(months["elasticity"] * stock / (1 + stock), weights=months["expected_revenue"]))


def run(targeting: str, seed: int) -> dict:
    """One company: what was estimated, what is true, and which gates failed."""
    with tempfile.TemporaryDirectory() as home:
        place = Path(home) / "book"
        write_sample(place, seed=seed, targeting=targeting)
        evidence = weigh(visits.panel(open_book(place, as_of="2026-09-30")), further=())
        known = truth(place)
    estimate, low, high = evidence.long_run
    row = {"targeting": targeting, "seed": seed, "truth": known, "estimate": estimate, "low": low, "high": high}
    tested = {"lead_p": evidence.lead.p_value, "targeting_p": evidence.targeting.p_value}
    return row | tested | {"peer_p": evidence.peer_p, "failed": " ".join(evidence.failed)}


def run_all(seeds: range, regimes: list[str], out: Path) -> None:
    done = set(pd.read_csv(out)[["targeting", "seed"]].itertuples(index=False, name=None)) if out.exists() else set()
    for seed in seeds:
        for targeting in regimes:
            if (targeting, seed) not in done:
                pd.DataFrame([run(targeting, seed)]).to_csv(out, mode="a", header=not out.exists(), index=False)


def read(out: Path) -> None:
    """Coverage over all runs, and over those whose gates passed: only these are ever claimed."""
    rows = pd.read_csv(out).assign(failed=lambda r: r["failed"].fillna(""))
    rows["covers"] = rows["truth"].between(rows["low"], rows["high"])
    rows["error"], rows["refused"] = rows["estimate"] - rows["truth"], rows["failed"] != ""
    for targeting, part in rows.groupby("targeting", sort=False):
        claimed, gates = part[~part["refused"]], part["failed"].str.split().explode().value_counts().to_dict()
        print(
            f"{targeting:>9}: {len(part)} seeds; covered {share(part['covers'])}, of those claimed "
            f"{share(claimed['covers'])}; too low {(part['high'] < part['truth']).mean():.1%}, too high "
            f"{(part['low'] > part['truth']).mean():.1%}; refused {share(part['refused'])} {gates}; median error "
            f"{part['error'].median():+.4f} of {part['truth'].mean():.3f}, interval half as wide as "
            f"{(part['high'] - part['low']).median() / 2:.3f}"
        )


def share(happened: pd.Series) -> str:
    """A share with its 95 % interval (Wilson)."""
    if happened.empty:
        return "–"
    low, high = stats.binomtest(int(happened.sum()), len(happened)).proportion_ci(method="wilson")
    return f"{happened.mean():.1%} ({low:.0%}–{high:.0%})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="", help="first:last, the last left out")
    parser.add_argument("--targeting", nargs="+", default=TARGETING, choices=TARGETING)
    parser.add_argument("--out", type=Path, default=Path("visits.csv"))
    parser.add_argument("--read", type=Path)
    given = parser.parse_args()
    if given.read:
        read(given.read)
    elif given.seeds:
        run_all(range(*map(int, given.seeds.split(":"))), given.targeting, given.out)
        read(given.out)
    else:
        for accounts in (300, 10_000):
            timed(accounts)
