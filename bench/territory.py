"""The territory under six policies over 100 seeds: what each earns, and what the call plan earns beyond the others.

Run ``python bench/territory.py [seeds]``. Wanted: the call plan, which knows only what a manager sees, earns more than
every naive policy, with an interval that leaves zero out; one play takes well under a second.

All policies live through the same luck of a seed, and answer every complaint, so they differ in visits alone. Profit
is the margin to be expected while an account is there, less all costs, over eight quarters. Intervals are 95 % from
the bootstrap over seeds.
"""

import sys
import time

import numpy as np
import pandas as pd
from scipy.stats import bootstrap

from kamlib.training.territory import play_out, policies

POLICIES = {"do nothing": policies.do_nothing, **policies.NAIVE, "call plan": policies.call_plan}
TOLD = 20


def played(seed: int) -> dict:
    """Profit of each policy on one seed, and the seconds that the play took."""
    row = {"seed": seed}
    for name, policy in POLICIES.items():
        began = time.perf_counter()
        territory = play_out(seed, policy)
        row[f"{name} seconds"] = time.perf_counter() - began
        row[name] = territory._course.profit.sum()
    return row


def interval(values: np.ndarray) -> tuple[float, float]:
    """95 % of the mean, by bootstrap over seeds."""
    found = bootstrap((values,), np.mean, rng=np.random.default_rng(0), n_resamples=5_000, method="percentile")
    return tuple(found.confidence_interval)


def beyond(rows: pd.DataFrame, name: str) -> dict:
    """The call plan against one policy: money a game, share of what that policy earns, and how often it wins."""
    gain = (rows["call plan"] - rows[name]).to_numpy()
    low, high = interval(gain)
    share = interval((gain / rows[name]).to_numpy())
    return {
        "policy": name,
        "earns": f"{rows[name].mean():,.0f}",
        "plan earns more by": f"{gain.mean():+,.0f}",
        "95 %": f"{low:+,.0f} to {high:+,.0f}",
        "share": f"{(gain / rows[name]).mean():+.1%} ({share[0]:+.1%} to {share[1]:+.1%})",
        "wins": f"{(gain > 0).sum()} of {len(gain)}",
        "seconds": round(rows[f"{name} seconds"].median(), 2),
    }


def yardstick(seeds: int) -> pd.DataFrame:
    """The best plan of a few seeds: the call plan's score, and what the best plan may lack."""
    found = []
    for seed in range(1, seeds + 1):
        began = time.perf_counter()
        debrief = play_out(seed, policies.call_plan).debrief()
        seconds = time.perf_counter() - began
        found.append({"score": debrief.score, "gap": debrief.gap, "seconds": seconds})
    return pd.DataFrame(found)


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    rows = pd.DataFrame([played(seed) for seed in range(1, seeds + 1)])
    print(f"{seeds} seeds; the call plan earns {rows['call plan'].mean():,.0f} TWD a game,", end=" ")
    print(f"{rows['call plan seconds'].median():.2f} s a play")
    print(pd.DataFrame([beyond(rows, name) for name in POLICIES if name != "call plan"]).to_string(index=False))
    best = yardstick(min(seeds, TOLD))
    low, high = interval(best["score"].to_numpy())
    print(f"score of the call plan, {len(best)} seeds: {best['score'].mean():.2f} ({low:.2f} to {high:.2f});", end=" ")
    print(f"gap of the best plan {best['gap'].mean():.2%}, at most {best['gap'].max():.2%};", end=" ")
    print(f"{best['seconds'].median():.1f} s for a play and its debrief")


if __name__ == "__main__":
    main()
