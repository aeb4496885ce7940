"""Pictures of the churn study: risk, calibration, methods, season, drivers, renewals and moves."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, PercentFormatter

from kamlib.reports.figures.style import ACCENT, GREY, PALETTE, SOFT, WARM, axes, blank, footnote
from kamlib.reports.sentences import say
from kamlib.studies.churn import Churn

LONGEST_NAME = 34
MOST_TICKS = 7
MEASURE_NAMES = {"brier": "Brier score", "lift": "lift", "pr_auc": "PR-AUC", "empc": "expected profit"}


def draw_risk(result: Churn, rows: int = 15) -> Axes:
    """The accounts with most to lose, their risk beside the bar."""
    shown = result.judged[result.judged["value_at_risk"] > 0].head(rows).iloc[::-1]
    if not len(shown):
        return blank("Where the money at risk lies")
    drawn = axes("Where the money at risk lies", "expected loss over the horizon", height=_height(len(shown)))
    colours = [WARM if action == "call" else GREY for action in shown["action"]]
    bars = drawn.barh(range(len(shown)), shown["value_at_risk"], color=colours)
    drawn.bar_label(bars, [f"{risk:.0%}" for risk in shown["risk"]], padding=3, fontsize=8, color=SOFT)
    drawn.set_yticks(range(len(shown)), [_short(n) for n in shown["name"].fillna(shown["account_id"])])
    drawn.grid(axis="y", visible=False)
    drawn.xaxis.set_major_formatter("{x:,.0f}")
    footnote(drawn, f"n = {len(result.judged):,} accounts judged; beside each bar the risk; coloured: to be called")
    return drawn


def draw_calibration(result: Churn) -> Axes:
    """What was said against what happened, in groups of equal size."""
    curve = result.curve
    if not len(curve):
        return blank("Did it happen as often as was said?")
    drawn = axes("Did it happen as often as was said?", "risk said", "share that fell silent")
    top = min(max([0.1, *curve["high"], *curve["predicted"]]) * 1.05, 1.0)
    drawn.plot([0, top], [0, top], color=GREY, linewidth=1)
    spread = [curve["observed"] - curve["low"], curve["high"] - curve["observed"]]
    drawn.errorbar(curve["predicted"], curve["observed"], yerr=spread, fmt="o", color=ACCENT, capsize=3)
    drawn.set(xlim=(0, top), ylim=(0, top))
    drawn.xaxis.set_major_formatter(PercentFormatter(1))
    drawn.yaxis.set_major_formatter(PercentFormatter(1))
    days = ", ".join(f"{day:%Y-%m-%d}" for day in sorted(result.cutoffs))
    footnote(drawn, f"n = {result.rows:,} cases; {result.level:.0%} intervals; grey: exact; days tested: {days}")
    return drawn


def draw_methods(result: Churn) -> Axes:
    """How much better each method was than the plain rule."""
    rows = result.candidates
    if not len(rows):
        return blank("Which methods beat the plain rule?")
    rows = rows[rows["gain"].notna()].sort_values("gain")
    drawn = axes(
        "Which methods beat the plain rule?",
        f"gain in {MEASURE_NAMES[result.decide_by]} over the plain rule",
        height=_height(len(rows)),
    )
    for place, (name, row) in enumerate(rows.iterrows()):
        colour = ACCENT if name == result.winner else GREY
        drawn.plot([row["gain_low"], row["gain_high"]], [place, place], color=colour, linewidth=2)
        drawn.plot([row["gain"]], [place], "o", color=colour)
    drawn.axvline(0, color=SOFT, linewidth=1)
    drawn.xaxis.set_major_locator(MaxNLocator(5))
    drawn.set_yticks(range(len(rows)), list(rows.index))
    footnote(
        drawn, f"n = {result.rows:,} cases; {result.level:.0%} intervals over accounts; coloured: writes the report"
    )
    return drawn


def draw_season(result: Churn) -> Axes:
    """Purchase days counted and expected, month by month."""
    rows = result.purchases_by_month
    if not len(rows):
        return blank("Orders, and what the season lets expect")
    drawn = axes("Orders, and what the season lets expect", "month", "order days of all accounts")
    drawn.plot(rows["month"], rows["purchases"], "o-", color=GREY, markersize=3, label="counted")
    drawn.plot(rows["month"], rows["expected"], color=ACCENT, label="expected")
    drawn.set_ylim(bottom=0)
    drawn.legend(frameon=False)
    marked = rows["month"].iloc[:: -(-len(rows) // MOST_TICKS)]
    drawn.set_xticks(marked, [f"{month:%Y-%m}" for month in marked])
    names = ", ".join(result.season.rises.index) if len(result.season.rises) else "none"
    footnote(drawn, f"n = {int(rows['purchases'].sum()):,} order days; moving holidays in the expectation: {names}")
    return drawn


def draw_drivers(result: Churn) -> Axes:
    """Odds ratios of leaving in a month, on a log scale."""
    odds = result.drivers.odds
    if not len(odds):
        return blank("What goes before leaving")
    odds = odds.sort_values("odds_ratio")
    drawn = axes("What goes before leaving", "odds of leaving, times as high", height=_height(len(odds)))
    for place, (_, row) in enumerate(odds.iterrows()):
        is_clear = row["low"] > 1 or row["high"] < 1
        colour = WARM if is_clear else GREY
        drawn.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=2)
        drawn.plot([row["odds_ratio"]], [place], "o", color=colour)
    drawn.axvline(1, color=SOFT, linewidth=1)
    drawn.set_xscale("log")
    reach = np.log([odds["low"].min(), odds["high"].max(), 0.8, 1.25])
    ticks = [t for t in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if reach.min() <= np.log(t) <= reach.max()]
    drawn.xaxis.set_major_locator(FixedLocator(ticks))
    drawn.xaxis.set_major_formatter("{x:g}")
    drawn.minorticks_off()
    drawn.set_yticks(range(len(odds)), [say(f"churn.driver_{name}") for name in odds.index])
    found = result.drivers
    footnote(
        drawn,
        f"n = {found.accounts:,} accounts, {found.months:,} account-months, {found.events:,} left; "
        f"{found.level:.0%} intervals; coloured: clear of 1",
    )
    return drawn


def draw_renewals(result: Churn) -> Axes:
    """How long relationships under contract last."""
    if result.renewals is None or not len(result.renewals.survival):
        return blank("How long relationships under contract last")
    drawn = axes("How long relationships under contract last", "years since the first contract", "share still there")
    curve = result.renewals.survival
    years = np.r_[0, curve["days"] / 365.25]
    drawn.step(years, np.r_[1, curve["survival"]], where="post", color=ACCENT)
    low, high = np.r_[1, curve["low"]], np.r_[1, curve["high"]]
    drawn.fill_between(years, low, high, step="post", color=ACCENT, alpha=0.15)
    drawn.set_ylim(0, 1.02)
    drawn.yaxis.set_major_formatter(PercentFormatter(1))
    n, lapsed = result.renewals.relationships, result.renewals.lapsed
    footnote(drawn, f"n = {n:,} relationships, {lapsed:,} lapsed; Kaplan–Meier with {result.level:.0%} band")
    return drawn


def draw_moves(result: Churn) -> Axes:
    """Today's accounts by class over the years ahead, if the moves of the last year go on."""
    if result.equity is None:
        return blank("Today's accounts, if the moves of the last year go on")
    drawn = axes("Today's accounts, if the moves of the last year go on", "years ahead", "accounts")
    for colour, name in zip(PALETTE, result.equity.projected.columns, strict=False):
        drawn.plot(result.equity.projected.index, result.equity.projected[name], "o-", color=colour, label=name)
    drawn.legend(frameon=False)
    drawn.set_ylim(bottom=0)
    drawn.xaxis.set_major_locator(FixedLocator(range(len(result.equity.projected))))
    footnote(drawn, f"n = {int(result.equity.now.sum()):,} accounts; no new accounts are counted in")
    return drawn


def _height(bars: int) -> float:
    return 1.3 + 0.26 * max(bars, 2)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
