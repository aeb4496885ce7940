"""Pictures of the segmentation study: concentration, moves, the portfolio, and how far the weights decide."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from kamlib.reports.figures.style import ACCENT, GREY, INK, SOFT, WARM, axes, blank, footnote
from kamlib.reports.sentences import say
from kamlib.studies.segmentation import Segmentation
from kamlib.studies.segmentation.portfolio import MIDDLE_SCORE, MIDDLE_STRENGTH

MOST_ROWS = 15
LONGEST_NAME = 30


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
    _percent(drawn, "both")
    n = len(curve) - 1
    footnote(drawn, f"n = {n:,} accounts that bought; bar: {top.level:.0%} studentised interval; grey: all equal")
    return drawn


def draw_quarters(result: Segmentation) -> Axes:
    """The share of the top fifth quarter by quarter, with its interval."""
    frame, title = result.quarters, "Is the business leaning on fewer accounts?"
    if frame.empty:
        return blank(title)
    drawn = axes(title, "quarter closing in", "share of the top 20%")
    places, ends = range(len(frame)), (frame["top20_share_lower"], frame["top20_share_upper"])
    drawn.fill_between(places, *ends, color=ACCENT, alpha=0.18)
    drawn.plot(places, frame["top20_share"], marker="o", color=ACCENT)
    drawn.set_xticks(places, [f"{day:%b %Y}" for day in frame["closes_on"]], rotation=30, ha="right")
    _percent(drawn, "y")
    buyers = f"{frame['accounts'].min():,} to {frame['accounts'].max():,}"
    footnote(drawn, f"n = {buyers} accounts that bought in a quarter; band: {result.level:.0%} bootstrap interval")
    return drawn


def draw_crossing(result: Segmentation) -> Axes:
    """How many accounts went from which class to which."""
    counts = result.crossing
    drawn = axes("Who changed class", f"class now, by {result.basis}", f"class before, by {result.basis}", height=3.0)
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    drawn.imshow(shares, cmap="BuGn", vmin=0, vmax=1.4, aspect="auto")
    for row, was in enumerate(counts.index):
        for column, now in enumerate(counts.columns):
            drawn.text(column, row, f"{counts.loc[was, now]:,}", ha="center", va="center", color=INK)
    drawn.set_xticks(range(len(counts.columns)), counts.columns)
    drawn.set_yticks(range(len(counts.index)), counts.index)
    drawn.grid(visible=False)
    total = int(counts.to_numpy().sum())
    footnote(drawn, f"n = {total:,} accounts that had ordered by {result.then}; shade: share of the class before")
    return drawn


def draw_regression(result: Segmentation) -> Axes:
    """Growth by class against all that bought, the classes taken once from the earlier window and once from the later.

    Bars reach the measured figure, whiskers the ends of its interval.
    """
    rows, title = result.regression.dropna(subset="change"), "Do large accounts fall back of their own accord?"
    rows = rows[rows["abc"] != "C"].iloc[::-1]
    if rows.empty:
        return blank(title)
    drawn = axes(title, "growth against all that bought", height=2.8)
    named = {"before": "classes of the earlier window", "after": "classes of the later window"}
    labels = [f"{letter}, {named[by]}" for by, letter in zip(rows["sorted_by"], rows["abc"], strict=True)]
    colours = [ACCENT if by == "before" else WARM for by in rows["sorted_by"]]
    spread = [rows["change"] - rows["change_lower"], rows["change_upper"] - rows["change"]]
    bars = drawn.barh(range(len(rows)), rows["change"], xerr=spread, color=colours, ecolor=SOFT, capsize=3)
    changes = [say("page.figure_change", change=change) for change in rows["change"]]
    drawn.bar_label(bars, changes, padding=3, fontsize=8, color=SOFT)
    drawn.set_yticks(range(len(rows)), labels)
    drawn.axvline(0, color=SOFT, linewidth=1)
    drawn.margins(x=0.15)
    drawn.grid(axis="y", visible=False)
    _percent(drawn, "x")
    n = ", ".join(f"{count:,}" for count in rows["accounts"].iloc[::-1])
    footnote(drawn, f"n = {n} accounts, from the top, none owing its size to one order; {result.level:.0%} intervals")
    return drawn


def draw_portfolio(result: Segmentation) -> Axes:
    """Attractive to us against strong in their eyes; the colour is the margin rate."""
    rows = result.matrix
    if rows.empty:
        return blank("Where we should be stronger")
    drawn = axes("Where we should be stronger", "our strength in their eyes, 0 to 1", "attractiveness, 1 to 5", 4.6)
    drawn.axvline(MIDDLE_STRENGTH, color=GREY, linewidth=1)
    drawn.axhline(MIDDLE_SCORE, color=GREY, linewidth=1)
    corners = {"invest": (0.02, 4.9), "defend": (0.98, 4.9), "economise": (0.02, 1.1), "maintain": (0.98, 1.1)}
    for name, (x, y) in corners.items():
        drawn.text(x, y, name, color=SOFT, ha="left" if x < 0.5 else "right", va="top" if y > 3 else "bottom")
    known = rows["margin_rate"].fillna(rows["margin_rate"].median()).fillna(0.0)
    dots = drawn.scatter(rows["strength"], rows["attractiveness"], c=known, cmap="viridis", edgecolor="white", zorder=3)
    drawn.figure.colorbar(dots, ax=drawn, label="margin rate", format=PercentFormatter(1, decimals=0))
    drawn.set(xlim=(0, 1), ylim=(1, 5))
    footnote(drawn, f"n = {len(rows):,} accounts with a rating or potential; strength: the weaker of their two answers")
    return drawn


def draw_selected_share(result: Segmentation) -> Axes:
    """In what share of random weightings each of the best rated accounts is selected."""
    card, title = result.card, "Would other weights choose the same accounts?"
    if card is None:
        return blank(title)
    shown = card.selected_share.reindex(card.overall.nlargest(MOST_ROWS).index).iloc[::-1]
    drawn = axes(title, "share of random weightings", height=1.2 + 0.26 * len(shown))
    drawn.barh(range(len(shown)), shown, color=[ACCENT if held >= 0.9 else GREY for held in shown])
    drawn.set_yticks(range(len(shown)), _names(result.accounts, shown.index))
    drawn.axvline(0.9, color=SOFT, linewidth=1, linestyle="--")
    drawn.set(xlim=(0, 1))
    drawn.grid(axis="y", visible=False)
    _percent(drawn, "x")
    told = f"n = {len(card.overall):,} rated accounts, {card.places:,} places"
    footnote(drawn, f"{told}; coloured: selected in nine of ten weightings")
    return drawn


def draw_mixed_books(result: Segmentation) -> Axes:
    """Key accounts and small ones in each manager's book."""
    rows, title = result.coverage.head(MOST_ROWS).iloc[::-1], "Who looks after both large and small accounts"
    if rows.empty:
        return blank(title)
    drawn = axes(title, "accounts", height=1.2 + 0.26 * len(rows))
    places = range(len(rows))
    drawn.barh(places, rows["key_accounts"], color=ACCENT, label="key accounts")
    drawn.barh(places, rows["small_accounts"], left=rows["key_accounts"], color=GREY, label="small accounts (class C)")
    drawn.set_yticks(places, [_short(name) for name in rows["manager"].fillna(rows["manager_id"]).astype(str)])
    drawn.grid(axis="y", visible=False)
    drawn.figure.legend(loc="outside lower right", frameon=False, ncols=2, fontsize=8)
    footnote(drawn, f"n = {len(result.coverage):,} managers, {len(rows):,} shown")
    return drawn


def _percent(drawn: Axes, which: str) -> None:
    for axis in (drawn.xaxis,) * (which != "y") + (drawn.yaxis,) * (which != "x"):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))


def _names(accounts: pd.DataFrame, index: pd.Index) -> list[str]:
    """Names short enough for an axis; the account's number where it has none."""
    names = accounts["name"].reindex(index).fillna(pd.Series(index, index=index)).astype(str)
    return [_short(name) for name in names]


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
