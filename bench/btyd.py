"""How long the buy-till-you-die models take to fit, against the package lifetimes at the same log-likelihood.

Data: CDNOW (2,357 accounts, times to two decimals, from lifetimes) and accounts simulated from MBG/NBD with CDNOW's
parameters, one to two years old, dates whole days, time in weeks. Seconds are the best of three fits after a
warm-up; the log-likelihoods are sums over accounts. lifetimes' Pareto/NBD takes minutes on the large data: only
with --slow.
Run: python bench/btyd.py --accounts 100000
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter
from lifetimes.datasets import load_cdnow_summary

from kamlib.studies.btyd import BetaGeoNBD, ModifiedBetaGeoNBD, ParetoNBD
from kamlib.studies.btyd.fit import grouped

PAIRS = [(BetaGeoNBD, BetaGeoFitter), (ModifiedBetaGeoNBD, ModifiedBetaGeoFitter), (ParetoNBD, ParetoNBDFitter)]


def simulate(accounts: int, seed: int = 0) -> pd.DataFrame:
    """Histories of accounts that buy and leave as MBG/NBD says, dates rounded to days."""
    rng = np.random.default_rng(seed)
    rate, p = rng.gamma(0.525, 1 / 6.183, accounts), rng.beta(0.891, 1.614, accounts)
    age = rng.integers(364, 729, accounts) / 7
    now, frequency, recency = np.zeros((3, accounts))
    live = rng.random(accounts) > p
    while live.any():
        now = np.where(live, now + rng.exponential(1 / rate), np.inf)
        seen = now <= age
        frequency, recency = frequency + seen, np.where(seen, now, recency)
        live = seen & (rng.random(accounts) > p)
    recency = np.minimum(np.ceil(recency * 7) / 7, age)
    return pd.DataFrame({"frequency": frequency, "recency": recency, "T": age})


def seconds(fit):
    """The fitted model and how long fitting took, at best of three."""
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        model = fit()
        taken.append(time.perf_counter() - start)
    return model, min(taken)


def compare(data: pd.DataFrame, ours, theirs) -> dict:
    """One row of the table: times, ratio and log-likelihoods of one model on one set of accounts."""
    columns = data.frequency, data.recency, data["T"]
    model, our_seconds = seconds(lambda: ours().fit(*columns))
    row = {"model": ours.__name__, "accounts": len(data), "seconds": our_seconds, "LL": model.log_likelihood}
    if theirs is None:
        return row
    with warnings.catch_warnings():  # lifetimes meets logarithms of zero on its way
        warnings.simplefilter("ignore", RuntimeWarning)
        fitter, their_seconds = seconds(lambda: theirs().fit(*columns))
    # lifetimes keeps a mean or a sum, of rescaled times: its parameters are judged by the same function as ours
    rows = grouped([np.asarray(column, float) for column in columns], np.ones(len(data)))
    their_ll, _ = model._objective(np.log([fitter.params_[name] for name in model.names]), rows)
    return row | {"lifetimes s": their_seconds, "lifetimes LL": their_ll, "ratio": their_seconds / our_seconds}


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--slow", action="store_true", help="lifetimes' Pareto/NBD on the large data too")
    args = parser.parse_args()
    small, large = load_cdnow_summary(), simulate(args.accounts)
    ParetoNBD().fit(small.frequency, small.recency, small["T"])
    rows = [compare(small, *pair) for pair in PAIRS]
    rows += [compare(large, ours, None if ours is ParetoNBD and not args.slow else theirs) for ours, theirs in PAIRS]
    print(pd.DataFrame(rows).round(3).to_string(index=False, na_rep="not run"))


if __name__ == "__main__":
    main()
