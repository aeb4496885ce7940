"""Call planning at size: 2,000 accounts of 20 managers, solved for several shapes of response; seconds and gap.

Run ``python bench/allocation.py``; wanted: exact, or within a stated gap, in at most 20 seconds a row.
"""

import time

import numpy as np
import pandas as pd

from kamlib.studies.allocation import Adbudg, Power, SalesResponse, plan_calls

ACCOUNTS, MANAGERS, HOURS_PER_MANAGER, MOST_CALLS = 2_000, 20, 400.0, 30
MARGIN, COST_PER_CALL = 0.3, 50.0


def power(rng: np.random.Generator) -> Power:
    sales, calls, elasticity = rng.lognormal(10, 1.2), rng.uniform(2, 8), rng.uniform(0.1, 0.5)
    return Power(sales / calls**elasticity, elasticity)


def s_shaped(rng: np.random.Generator) -> SalesResponse:
    index = Adbudg(rng.uniform(0.1, 0.6), rng.uniform(1.1, 1.6), rng.uniform(1.2, 4), rng.uniform(0.2, 1))
    return index.scaled(rng.lognormal(10, 1.2), rng.uniform(2, 8))


def territory(shape: str, seed: int) -> dict[str, Power | SalesResponse]:
    rng = np.random.default_rng(seed)
    makers = {"concave": [power], "S-shaped": [s_shaped], "mixed": [power, s_shaped]}[shape]
    return {f"A{i:04d}": makers[i % len(makers)](rng) for i in range(ACCOUNTS)}


def row(shape: str, hours: str, pool: str, integer: bool = True, seed: int = 1) -> dict:
    """One plan, against the same hours shared out equally."""
    curves = territory(shape, seed)
    managers = {account: f"M{i % MANAGERS:02d}" for i, account in enumerate(curves)}
    draws = np.random.default_rng(seed).choice([1.0, 1.5, 2.25], size=ACCOUNTS)
    options = {"hours_per_call": draws if hours == "1 to 2.25" else 1.0}
    budget: float | dict[str, float] = HOURS_PER_MANAGER * MANAGERS
    if pool == "by manager":
        budget, options["groups"] = dict.fromkeys(managers.values(), HOURS_PER_MANAGER), managers
    began = time.perf_counter()
    plan = plan_calls(curves, MARGIN, COST_PER_CALL, budget, 0, MOST_CALLS, integer, **options)
    seconds = time.perf_counter() - began
    equal = HOURS_PER_MANAGER * MANAGERS / np.broadcast_to(options["hours_per_call"], ACCOUNTS).sum()
    figures = {"seconds": round(seconds, 1), "gap": f"{plan.gap:.1e}", "over_equal_calls": plan.gain(equal).share}
    return {"curves": shape, "budget": pool, "hours": hours, "calls": "whole" if integer else "fractions"} | figures


def main() -> None:
    rows = [row(shape, "1", "by manager") for shape in ("concave", "S-shaped", "mixed")]
    rows += [row(shape, "1 to 2.25", "by manager") for shape in ("concave", "S-shaped", "mixed")]
    rows += [row(shape, "1", "one pool") for shape in ("concave", "S-shaped", "mixed")]
    rows += [row(shape, "1", "by manager", integer=False) for shape in ("concave", "S-shaped", "mixed")]
    print(f"{ACCOUNTS:,} accounts, {MANAGERS} managers, {HOURS_PER_MANAGER:g} hours each, 0 to {MOST_CALLS} calls")
    print(pd.DataFrame(rows).to_string(index=False, formatters={"over_equal_calls": "{:+.1%}".format}))


if __name__ == "__main__":
    main()
