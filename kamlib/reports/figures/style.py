"""How figures look: colours, sizes, fonts that hold Chinese, and text that stays text."""

from __future__ import annotations

import matplotlib as mpl
import seaborn as sns
from matplotlib import font_manager, pyplot
from matplotlib.transforms import ScaledTranslation, blended_transform_factory

from kamlib.reports.sentences import say

INK, SOFT, ACCENT, WARM, GREY = "#1d2733", "#5b6875", "#0b6e75", "#c2571a", "#9aa5b1"
PALETTE = [ACCENT, WARM, "#5b4b9a", "#8a9a1f", "#b23a6b", GREY]
CHINESE_FONTS = (
    "Noto Sans CJK TC",
    "Noto Sans TC",
    "Noto Sans CJK SC",
    "Source Han Sans TC",
    "PingFang TC",
    "Microsoft JhengHei",
    "WenQuanYi Zen Hei",
    "Noto Serif CJK TC",
)
# Narrow, so that lettering can still be read where a phone shrinks the figure to its screen.
WIDTH, HEIGHT = 5.8, 3.4
TITLE_GAP_INCHES = 0.09
BLANK = "nothing-to-draw"


def use_style() -> None:
    """Set the style for all figures that follow."""
    there = {font.name for font in font_manager.fontManager.ttflist}
    fonts = ["DejaVu Sans", *(name for name in CHINESE_FONTS if name in there)]
    sns.set_theme(style="whitegrid", palette=PALETTE, font="sans-serif")
    mpl.rcParams.update(
        {
            "font.family": fonts,
            "svg.fonttype": "none",  # text stays text: it can be searched and drawn in the reader's own font
            "svg.hashsalt": "kamlib",
            "text.parse_math": False,  # a name with two dollar signs is a name
            "axes.edgecolor": SOFT,
            "axes.labelcolor": INK,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "axes.titlesize": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "font.size": 9.5,
            "grid.color": "#e6eaee",
            "figure.figsize": (WIDTH, HEIGHT),
            "axes.formatter.useoffset": False,
        }
    )


def axes(title: str, x: str = "", y: str = "", height: float = HEIGHT):
    """An empty Axes with its title and axis labels; units belong in the labels."""
    figure, drawn = pyplot.subplots(figsize=(WIDTH, height), layout="constrained")
    drawn.set(xlabel=x, ylabel=y)
    # From the left edge of the figure, so that long labels of rows do not push a title off the right one.
    above = ScaledTranslation(0, TITLE_GAP_INCHES, figure.dpi_scale_trans)
    drawn.set_title(title, x=0.01, transform=blended_transform_factory(figure.transFigure, drawn.transAxes) + above)
    return drawn


def blank(title: str):
    """Axes that say there is nothing to draw, and take little room; their figure is marked as :data:`BLANK`."""
    drawn = axes(title, height=0.75)
    drawn.set_axis_off()
    drawn.text(0, 0.4, say("page.figure_empty"), color=SOFT, transform=drawn.transAxes)
    drawn.figure.set_gid(BLANK)
    return drawn


def footnote(drawn, text: str) -> None:
    """A line below the figure: n, interval level, source."""
    drawn.figure.supxlabel(text, fontsize=8, color=SOFT, ha="left", x=0.01)
