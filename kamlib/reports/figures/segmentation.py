"""Pictures of the segmentation study: concentration, its trend, classes, and moves between them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from kamlib.reports.figures.style import ACCENT, GREY, INK, SOFT, WARM, axes, footnote
from kamlib.studies.segmentation import Segmentation


def draw_concentration(result: Segmentation) -> Axes:
    """Cumulative share of revenue from the largest account down, beside 80/20."""
    drawn = axes("How few accounts bring how much", "share of accounts, largest first", "share of revenue")
    curve, top = result.lorenz, result.concentration["top20_share"]
    drawn.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    drawn.plot(curve["accounts_share"], curve["value_share"], color=ACCENT, linewidth=2)
    drawn.plot(0.2, 0.8, marker="x", color=SOFT, markersize=8, linestyle="none")
    drawn.annotate("80/20", (0.2, 0.8), (-8, 4), textcoords="offset points", ha="right", color=SOFT)
    if np.isfinite(top.value):
        spread = np.nan_to_num([[top.value - top.lower], [top.upper - top.value]])
        drawn.errorbar(0.2, top.value, yerr=spread, fmt="o", color=WARM, capsize=4)
        drawn.annotate(f"{top.value:.0%}", (0.2, top.value), (10, -14), textcoords="offset points", color=INK)
    drawn.set(xlim=(0, 1), ylim=(0, 1.02))
    drawn.xaxis.set_major_formatter(PercentFormatter(1))
    drawn.yaxis.set_major_formatter(PercentFormatter(1))
    n = len(curve) - 1
    footnote(
        drawn, f"n = {n:,} accounts that bought; bar: {top.level:.0%} bootstrap interval; grey: all accounts equal"
    )
    return drawn


def draw_quarters(result: Segmentation) -> Axes:
    """The share of the top fifth quarter by quarter, with its interval."""
    frame = result.quarters
    drawn = axes("Is the business getting more concentrated?", "quarter closing on", "revenue share of the top 20 %")
    if len(frame):
        drawn.fill_between(
            frame["closes_on"], frame["top20_share_lower"], frame["top20_share_upper"], color=ACCENT, alpha=0.18
        )
        drawn.plot(frame["closes_on"], frame["top20_share"], marker="o", color=ACCENT)
        drawn.set_xticks(frame["closes_on"], [f"{day:%b %Y}" for day in frame["closes_on"]], rotation=30)
    drawn.yaxis.set_major_formatter(PercentFormatter(1))
    buyers = ", ".join(f"{n:,}" for n in frame["accounts"]) or "0"
    footnote(drawn, f"n = {buyers} accounts that bought in each quarter; band: {result.level:.0%} bootstrap interval")
    return drawn


def draw_crossing(result: Segmentation) -> Axes:
    """How many accounts went from which class to which."""
    counts = result.crossing
    drawn = axes("Who changed class", "class now", "class before", height=3.0)
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    drawn.imshow(shares, cmap="BuGn", vmin=0, vmax=1.3, aspect="auto")
    for row, was in enumerate(counts.index):
        for column, now in enumerate(counts.columns):
            drawn.text(column, row, f"{counts.loc[was, now]:,}", ha="center", va="center", color=INK)
    drawn.set_xticks(range(len(counts.columns)), counts.columns)
    drawn.set_yticks(range(len(counts.index)), counts.index)
    drawn.grid(visible=False)
    footnote(drawn, f"n = {int(counts.to_numpy().sum()):,} accounts; shade: share of the class before")
    return drawn
