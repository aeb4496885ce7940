"""The figures of exercises: months of an account as bars, in SVG whose text stays text."""

from __future__ import annotations

import io
from functools import cache

import matplotlib as mpl
import pandas as pd
from matplotlib import font_manager
from matplotlib.figure import Figure

COLOUR = "#2f6690"
_FONTS = ("DejaVu Sans", "Noto Sans CJK TC", "Noto Sans CJK SC", "WenQuanYi Zen Hei")


def draw_months(series: pd.Series, unit: str = "thousand TWD") -> str:
    """Bars of an amount by month, as SVG markup.

    Parameters
    ----------
    series
        Amounts in TWD indexed by monthly period; its name is the title.
    unit
        What the upright axis says; amounts are shown in thousands.

    Examples
    --------
    >>> draw_months(pd.Series([1e3], pd.period_range("2026-09", periods=1, freq="M"), name="x"))[:4]
    '<svg'
    """
    style = {"svg.fonttype": "none", "svg.hashsalt": str(series.name), "font.family": _fonts(), "font.size": 9}
    with mpl.rc_context(style):
        axes = Figure(figsize=(7.2, 2.4), layout="constrained").add_subplot()
        axes.bar(range(len(series)), series.to_numpy() / 1e3, color=COLOUR, width=0.8)
        january = [i for i, month in enumerate(series.index) if month.month in (1, 7)]
        axes.set_xticks(january, [f"{series.index[i]:%Y-%m}" for i in january])
        axes.set_title(str(series.name).replace("$", r"\$"), loc="left", fontsize=10)
        axes.set_ylabel(unit)
        axes.spines[["top", "right"]].set_visible(False)
        return _svg(axes.figure)


def _svg(figure: Figure) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]


@cache
def _fonts() -> list[str]:
    """Those of our fonts that are installed: each that is not would be complained of at each lettering."""
    there = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in _FONTS if name in there]
