"""Pictures of the visit study: the ladder, the leads, carry-over, and who responds."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from kamlib.reports.figures.style import ACCENT, GREY, SOFT, WARM, axes, blank, footnote
from kamlib.reports.findings.visits import (
    channel_table,
    class_table,
    ladder_table,
    level_table,
    programme_table,
)
from kamlib.reports.sentences import p_value
from kamlib.studies.visits import Visits

_AGAINST = ["against_first", "against_low", "against_high"]
ELASTICITY = "percent more revenue for one percent more visits"


def draw_ladder(result: Visits) -> Axes:
    """Every method's elasticity with its interval, and the literature's."""
    table, title = ladder_table(result), "The same question, asked better each time"
    if not len(table):
        return blank(title)
    drawn = axes(title, ELASTICITY, height=4.4)
    colours = [WARM, *[ACCENT] * (len(table) - 3), GREY, GREY]
    labels = [textwrap.fill(method, 38) for method in table["method"]]
    _bars(drawn, labels, table["elasticity"], table["low"], table["high"], colours)
    evidence = result.evidence
    n, months = evidence.accounts, evidence.months
    footnote(drawn, f"n = {n:,} accounts × {months:,} months; bars: {result.level:.0%} intervals")
    return drawn


def draw_leads(result: Visits) -> Axes:
    """The effect that visits yet to come seem to have on sales today; all should be zero."""
    title, lead = "Visits yet to come must not explain sales today", result.evidence and result.evidence.lead
    if not lead:
        return blank(title)
    drawn = axes(title, "months ahead", "coefficient of future visits")
    drawn.axhline(0, color=GREY, linewidth=1)
    frame, colour = lead.estimates, ACCENT if lead.passed else WARM
    spread = [frame["estimate"] - frame["low"], frame["high"] - frame["estimate"]]
    drawn.errorbar(frame["lead"], frame["estimate"], yerr=spread, fmt="o", color=colour, capsize=3)
    drawn.set_xticks(frame["lead"])
    footnote(drawn, f"n = {lead.n_accounts:,} accounts; {lead.level:.0%} intervals; {p_value(lead.p_value)}")
    return drawn


def draw_carry_over(result: Visits, months: int = 9) -> Axes:
    """How much of a visit's effect is left month by month."""
    title, carry = "How long a visit works on", result.evidence and result.evidence.carry
    if not carry:
        return blank(title)
    drawn = axes(title, "months after the visit", "effect left")
    after, kept = np.arange(months + 1), carry.diagnostics["lambda"]
    low, high = carry.diagnostics["lambda_interval"]
    drawn.fill_between(after, low**after, high**after, color=ACCENT, alpha=0.18, linewidth=0)
    drawn.plot(after, kept**after, color=ACCENT, marker="o")
    drawn.yaxis.set_major_formatter(PercentFormatter(1))
    drawn.set(ylim=(0, 1.03))
    text = f"n = {carry.n_accounts:,} accounts; carry-over {kept:.2f} a month, profile interval {low:.2f} to {high:.2f}"
    footnote(drawn, text)
    return drawn


def draw_class_effects(result: Visits) -> Axes:
    """The long-run coefficient by class: alone, and drawn towards the mean."""
    table = class_table(result)
    if not len(table):
        return blank("Who responds")
    drawn = axes("Who responds", "effect of visits, coefficient of log(1 + visits a month)", height=2.8)
    rows = np.arange(len(table))[::-1]
    drawn.scatter(table["estimate"], rows + 0.12, facecolors="none", edgecolors=GREY, label="alone")
    _bars(drawn, table["opening_size"], table["pooled_estimate"], table["pooled_low"], table["pooled_high"], [ACCENT])
    drawn.legend(frameon=False, fontsize=8)
    n = int(table["n_accounts"].sum())
    footnote(drawn, f"n = {n:,} accounts; bars: {result.level:.0%} intervals, drawn towards the mean of all")
    return drawn


def draw_level_effects(result: Visits) -> Axes:
    """How visits differ by who makes them, at the same number of visits."""
    return _draw_kinds(result, level_table(result), "Whose visit brings more", "visits")


def draw_channel_effects(result: Visits) -> Axes:
    """How contacts differ by the way they are made, at the same number of contacts."""
    return _draw_kinds(result, channel_table(result), "Which way of contact brings more", "contacts")


def _draw_kinds(result: Visits, table: pd.DataFrame, title: str, counted: str) -> Axes:
    known = table.dropna(subset=["against_first"])
    if not len(known):
        return blank(title)
    first = table.iloc[0, 0]
    label = f"more revenue for one {counted[:-1]} a month than for one of: {first}"
    drawn = axes(title, label, height=1.6 + 0.4 * len(known))
    _bars(drawn, known.iloc[:, 0], *(known[column] for column in _AGAINST), [ACCENT])
    drawn.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    n = int(table[counted].sum())
    footnote(drawn, f"n = {n:,} {counted}; bars: {result.level:.0%} intervals for all at once, at the same number")
    return drawn


def draw_programme(result: Visits) -> Axes:
    """Revenue against accounts that had not begun, by quarters since the beginning."""
    title, table = "Before and after a beginning", programme_table(result)
    if not len(table):
        return blank(title)
    drawn = axes(title, "quarters since the beginning", "change of revenue")
    drawn.axhline(0, color=GREY, linewidth=1)
    drawn.axvline(-0.5, color=GREY, linewidth=1, linestyle=":")
    for part, colour in ((table["quarters_since"] < 0, GREY), (table["quarters_since"] >= 0, ACCENT)):
        rows = table[part]
        spread = [rows["lift_since"] - rows["lift_since_low"], rows["lift_since_high"] - rows["lift_since"]]
        drawn.errorbar(rows["quarters_since"], rows["lift_since"], yerr=spread, fmt="o", color=colour, capsize=3)
    drawn.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    drawn.set_xticks(table["quarters_since"])
    found = result.programme
    text = f"n = {found.n_compared:,} accounts, {found.n_began:,} of them began; {result.level:.0%} intervals; "
    footnote(drawn, text + "grey: before, each quarter against the one before it")
    return drawn


def _bars(drawn: Axes, labels, values: pd.Series, low: pd.Series, high: pd.Series, colours: list[str]) -> None:
    """One line per label from the top: a dot with its interval; missing values leave the line empty."""
    rows = np.arange(len(labels))[::-1]
    colours = colours * len(labels) if len(colours) == 1 else colours
    for row, value, lower, upper, colour in zip(rows, values, low, high, colours, strict=True):
        drawn.plot([lower, upper], [row, row], color=colour, linewidth=2, solid_capstyle="butt")
        drawn.plot(value, row, "o", color=colour)
    drawn.axvline(0, color=SOFT, linewidth=1)
    drawn.set_yticks(rows, labels)
    drawn.set(ylim=(-0.6, len(labels) - 0.4))
    drawn.grid(axis="y", visible=False)
