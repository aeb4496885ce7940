"""The picture of the weekly sales report: how far each manager has come on the way to the target."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from kamlib.reports.figures.style import ACCENT, SOFT, WARM, axes, footnote
from kamlib.studies.weekly import Weekly

LONGEST = 30
MOST = 30
FULL_BARS = 2.0


def draw_reached(result: Weekly) -> Axes:
    """The quarter to date as a share of its target, one bar for each manager with a target."""
    rows = result.managers[result.managers["reached_quarter"].notna()]
    shown = rows.head(MOST).iloc[::-1]
    drawn = axes(
        "Who has come how far",
        "share of the target for the quarter to date",
        height=1.3 + 0.26 * max(len(shown), 1),
    )
    names = shown["name"].fillna(shown["manager_id"]).astype(str)
    labels = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in names]
    reached = shown["reached_quarter"].to_numpy(dtype=float)
    bars = drawn.barh(range(len(shown)), np.clip(reached, 0, FULL_BARS), color=np.where(reached < 1, WARM, ACCENT))
    drawn.bar_label(bars, [f"{share:.0%}" for share in reached], padding=3, fontsize=8, color=SOFT)
    drawn.axvline(1, color=SOFT, linewidth=1)
    drawn.set_yticks(range(len(shown)), labels)
    drawn.set_xlim(0, FULL_BARS * 1.1)
    drawn.xaxis.set_major_formatter(PercentFormatter(1))
    drawn.grid(axis="y", visible=False)
    cut = f"; {len(rows) - len(shown):,} more are not drawn" if len(rows) > len(shown) else ""
    footnote(drawn, f"n = {len(rows):,} managers with a target{cut}; line: target; bars end at {FULL_BARS:.0%}")
    return drawn
