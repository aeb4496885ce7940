"""Pictures of the call plan: response curves, who gains and loses visits, flatness, and days since contact."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter

from kamlib.reports.figures.style import ACCENT, PALETTE, SOFT, WARM, axes, blank, footnote
from kamlib.reports.findings.visits import size_label
from kamlib.reports.sentences import money
from kamlib.studies.visits import Visits

LONGEST_NAME = 34


def draw_response_curves(result: Visits) -> Axes:
    """Sales by visits a month in each class: estimated with interval, judged beside it."""
    if result.plan is None:
        return blank("How sales answer to visits")
    drawn = axes("How sales answer to visits", "visits a month", "sales (today = 1)")
    curves = result.plan.curves
    for colour, (name, part) in zip(PALETTE, curves.groupby("class"), strict=False):
        if result.plan.basis != "judgement":
            drawn.plot(part["visits_a_month"], part["estimated"], color=colour, label=size_label(name))
            drawn.fill_between(part["visits_a_month"], part["low"], part["high"], color=colour, alpha=0.1, linewidth=0)
        drawn.plot(part["visits_a_month"], part["judged"], color=colour, linestyle="--", linewidth=1)
        drawn.plot(part["today"].iloc[0], 1, "o", color=colour)
    drawn.legend(frameon=False, fontsize=8)
    drawn.set(ylim=(0, None))
    n = len(result.plan.accounts)
    footnote(
        drawn, f"n = {n:,} accounts; bands: {result.level:.0%} intervals; dots: today; dashed: judgement, if given"
    )
    return drawn


def draw_visit_moves(result: Visits, rows: int = 10) -> Axes:
    """The accounts that gain and lose most visits."""
    if result.plan is None:
        return blank("Who gains visits, and who gives them")
    accounts = result.plan.accounts
    moved = accounts[accounts["change"].abs() >= 1]
    height = 1.3 + 0.26 * min(2 * rows, max(len(moved), 1))
    drawn = axes("Who gains visits, and who gives them", "visits next quarter against today", height=height)
    if len(moved):
        ranked = moved.sort_values("change", kind="stable")
        shown = ranked if len(ranked) <= 2 * rows else ranked.iloc[[*range(rows), *range(-rows, 0)]]
        colours = [ACCENT if change > 0 else WARM for change in shown["change"]]
        drawn.barh(range(len(shown)), shown["change"], color=colours)
        labels = [_short(name) for name in shown["name"].fillna(shown["account_id"])]
        drawn.set_yticks(range(len(shown)), labels)
        drawn.axvline(0, color=SOFT, linewidth=1)
        drawn.grid(axis="y", visible=False)
    terms, n = result.plan.terms, len(accounts)
    text = f"n = {n:,} accounts in the plan, {len(moved):,} moved by a visit or more; bounds: {terms.most_change:.0%} "
    footnote(drawn, text + f"up or down, {terms.minimum:,} a quarter at least")
    return drawn


def draw_visit_flatness(result: Visits) -> Axes:
    """What the best plans under fewer and more hours earn beyond today's visits."""
    if result.plan is None:
        return blank("How much hangs on the number of visits")
    title, label = "How much hangs on the number of visits", "profit beyond today's"
    drawn, frame = axes(title, "hours for visits", label, height=2.8), result.plan.flatness.dropna(subset=["profit"])
    planned = frame.loc[frame["budget_share"] == 1, "profit"].sum()
    drawn.plot(frame["budget_share"], result.plan.gain + frame["profit"] - planned, color=ACCENT, marker="o")
    drawn.axhline(0, color=SOFT, linewidth=1)
    drawn.set_xticks(frame["budget_share"])
    drawn.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    drawn.yaxis.set_major_formatter(FuncFormatter(lambda value, _: money(value)))
    footnote(drawn, f"n = {len(result.plan.accounts):,} accounts; profit of a quarter; 100 %: the plan of this report")
    return drawn


def draw_contact_age(result: Visits) -> Axes:
    """Days since the last contact, prospects and customers, beside what is declared."""
    cadence, title = result.cadence, "How long ago was the last contact?"
    accounts = cadence.accounts.dropna(subset=["since_days", "allowed_days"]) if cadence else []
    if not len(accounts):
        return blank(title)
    drawn = axes(title, "days since contact", "accounts", height=3.0)
    edges = np.linspace(0, max(60.0, float(accounts["since_days"].quantile(0.98))), 25)
    for stage, colour in (("prospect", WARM), ("customer", ACCENT)):
        part = accounts[accounts["stage"] == stage]
        if len(part):
            days = part["since_days"].clip(upper=edges[-1])
            drawn.hist(days, bins=edges, color=colour, alpha=0.65, label=f"{stage}s")
            drawn.axvline(part["allowed_days"].iloc[0], color=colour, linestyle="--", linewidth=1)
    drawn.legend(frameon=False, fontsize=8)
    footnote(drawn, f"n = {len(accounts):,} accounts; dashed: longest gap declared; the last bar holds all beyond")
    return drawn


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
