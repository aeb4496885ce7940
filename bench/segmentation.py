"""How long the segmentation study takes, and how well it recovers the truth of the sample company over many seeds.

python bench/segmentation.py time  [--accounts 100000] [--place FOLDER]
python bench/segmentation.py truth [--seeds 10] [--accounts 300]
python bench/segmentation.py coverage [--samples 300]

``time`` is asked to stay within 10 seconds by the clock on two idle cores for 100,000 accounts, bootstrap included;
``processor_seconds`` is what it cost whatever else the machine was doing. ``coverage`` is how often the 90 % intervals
of concentration hold the truth on log-normal accounts; sigma 1.8 is as uneven as the sample company.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.metrics import cohen_kappa_score

from kamlib import open_book
from kamlib.book.sample import read_truth, write_sample
from kamlib.studies import segmentation
from kamlib.studies.concentration import intervals

AS_OF = "2026-09-30"
QUARTERS = ("2025-12-31", "2026-03-31", "2026-06-30", "2026-09-30")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="time", choices=("time", "truth", "coverage"))
    parser.add_argument("--accounts", type=int)
    parser.add_argument("--place", help="an existing book to time, in place of a sample company")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--samples", type=int, default=300)
    asked = parser.parse_args()
    if asked.what == "truth":
        report(asked.seeds, asked.accounts or 300)
    elif asked.what == "coverage":
        rows = [covered(sigma, n, asked.samples) for sigma in (1.0, 1.8) for n in (100, 300, 1_000)]
        print(pd.DataFrame(rows).round(3).to_string())
    elif asked.place:
        print(timed(asked.place).to_string())
    else:
        with tempfile.TemporaryDirectory() as folder:
            tables = ("accounts", "orders")
            place = write_sample(Path(folder) / "book", asked.accounts or 100_000, only=tables).place
            print(timed(place).to_string())


def covered(sigma: float, accounts: int, samples: int) -> dict:
    """In what share of samples of log-normal accounts each 90 % interval holds the truth."""
    rng, found = np.random.default_rng(1), []
    top, gini = norm.cdf(sigma - norm.ppf(0.8)), 2 * norm.cdf(sigma / np.sqrt(2)) - 1
    truth = {"gini": gini, "herfindahl": np.exp(sigma**2) / accounts, "top20_share": top}
    for seed in range(samples):
        ends = intervals(rng.lognormal(0, sigma, accounts), 0, 0.9, seed)
        found.append({name: ends[name].lower <= value <= ends[name].upper for name, value in truth.items()})
    return {"sigma": sigma, "accounts": accounts, **pd.DataFrame(found).mean()}


def timed(place) -> pd.Series:
    """Seconds, by the clock and of the processor, to measure a book."""
    with open_book(place, as_of=AS_OF) as book:
        lines = int(book.orders.count().to_pyarrow().as_py())
        clock, processor = time.perf_counter(), time.process_time()
        result = segmentation.measure(book)
        spent = time.perf_counter() - clock, time.process_time() - processor
    sizes = {"accounts": len(result.accounts), "order_lines": lines}
    return pd.Series(sizes | {"seconds": round(spent[0], 2), "processor_seconds": round(spent[1], 2)})


def report(seeds: int, accounts: int) -> None:
    """Print the truth recovered, seed by seed and on the whole."""
    rows = pd.DataFrame([recovered(seed, accounts) for seed in range(seeds)])
    print(rows.round(3).to_string())
    print(rows.mean(numeric_only=True).round(3).to_string())


def recovered(seed: int, accounts: int) -> dict:
    """Agreement of classes and selection with the truth of one sample company, at the last of four quarters."""
    with tempfile.TemporaryDirectory() as folder:
        place = write_sample(Path(folder) / "book", accounts, seed=seed).place
        truth = read_truth(place)["accounts"].set_index("account_id")
        found = []
        for day in QUARTERS:
            with open_book(place, as_of=day) as book:
                found.append(segmentation.measure(book, draws=100).accounts)
    last = found[-1].join(truth["segment"].rename("truth"))
    bought = last[last["has_bought"]]
    grower, giant = (truth.index[truth[name]] for name in ("is_fast_grower", "is_giant_one_off"))
    path = [rows.loc[grower[0]] for rows in found]
    large = next((place for place, row in enumerate(path) if row["abc"] == "A"), None)
    promoted = next((place for place, row in enumerate(path) if row["is_key"]), None)
    return {
        "seed": seed,
        "kappa": cohen_kappa_score(bought["abc"], bought["truth"], weights="quadratic"),
        "same_class": float((bought["abc"] == bought["truth"]).mean()),
        "key_accounts": int(last["is_key"].sum()),
        "key_of_class_a": float((last.loc[last["is_key"], "truth"] == "A").mean()),
        "giant_selected": bool(any(rows.reindex(giant)["is_key"].any() for rows in found)),
        "grower_large_in": large,
        "grower_key_in": promoted,
    }


if __name__ == "__main__":
    main()
