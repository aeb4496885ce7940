"""Pictures of the churn study: calibration, candidates, and value at risk by account."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from kamlib.reports.figures.style import ACCENT, GREY, SOFT, WARM, axes, footnote
from kamlib.studies.churn import Churn


def draw_calibration(result: Churn) -> Axes:
    """What was said against what happened, in groups of equal size."""
    curve = result.curve
    drawn = axes("Did it happen as often as was said?", "risk said", "share that fell silent")
    top = max([0.1, *curve["high"], *curve["predicted"]]) if len(curve) else 1.0
    drawn.plot([0, top], [0, top], color=GREY, linewidth=1)
    if len(curve):
        spread = [curve["observed"] - curve["low"], curve["high"] - curve["observed"]]
        drawn.errorbar(curve["predicted"], curve["observed"], yerr=spread, fmt="o", color=ACCENT, capsize=3)
    drawn.set(xlim=(0, top), ylim=(0, top))
    drawn.xaxis.set_major_formatter(PercentFormatter(1))
    drawn.yaxis.set_major_formatter(PercentFormatter(1))
    days = ", ".join(f"{day:%Y-%m-%d}" for day in sorted(result.cutoffs))
    footnote(
        drawn, f"n = {result.rows:,} account-days; {result.level:.0%} intervals; grey: exact\ncut-offs {days}"
    )
    return drawn


def draw_risk(result: Churn, rows: int = 15) -> Axes:
    """The accounts with most to lose, their risk beside the bar."""
    shown = result.judged[result.judged["value_at_risk"] > 0].head(rows).iloc[::-1]
    height = 1.2 + 0.26 * max(len(shown), 1)
    drawn = axes("Where the money at risk lies", "expected loss over the horizon", height=height)
    labels = [_short(name) for name in shown["name"].fillna(shown["account_id"])]
    colours = [WARM if action == "call" else GREY for action in shown["action"]]
    bars = drawn.barh(range(len(shown)), shown["value_at_risk"], color=colours)
    drawn.bar_label(bars, [f"{risk:.0%}" for risk in shown["risk"]], padding=3, fontsize=8, color=SOFT)
    drawn.set_yticks(range(len(shown)), labels)
    drawn.grid(axis="y", visible=False)
    drawn.xaxis.set_major_formatter("{x:,.0f}")
    footnote(drawn, f"n = {len(result.judged):,} accounts judged; the figure beside a bar is the risk; coloured: call")
    return drawn


def _short(name: str, longest: int = 34) -> str:
    return name if len(name) <= longest else name[: longest - 1] + "…"
