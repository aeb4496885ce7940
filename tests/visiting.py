"""Simulated visiting for the tests of the visit effect; the process of the bench, at any size."""

import runpy
from pathlib import Path

import numpy as np
import pandas as pd

BENCH = Path(__file__).resolve().parents[1] / "bench" / "effects.py"
simulate_regime = runpy.run_path(str(BENCH))["simulate"]


def simulate(
    seed=0, accounts=60, months=24, elasticity=0.31, targeting=0.6, noise=0.3, size_spread=1.0
) -> pd.DataFrame:
    """Sales that respond to visiting hours with one elasticity, hours that follow the size of the account."""
    generator = np.random.default_rng(seed)
    shape = (accounts, months)
    size = size_spread * generator.normal(size=(accounts, 1))
    hours = np.exp(1.0 + targeting * size + 0.45 * generator.normal(size=shape))
    sales = np.exp(5 + size + 0.1 * generator.normal(size=(1, months)) + noise * generator.normal(size=shape))
    return frame(shape, revenue=sales * hours**elasticity, visits=hours)


def frame(shape, **columns) -> pd.DataFrame:
    """An account × month frame of (accounts, months) arrays."""
    accounts, months = shape
    names = np.repeat([f"A{i:03}" for i in range(accounts)], months)
    when = np.tile(pd.period_range("2024-01", periods=months, freq="M"), accounts)
    return pd.DataFrame({"account_id": names, "month": when} | {key: v.ravel() for key, v in columns.items()})
