"""Results in, Axes out: one idea to a figure, with title, units, interval and n."""

from kamlib.reports.figures.churn import draw_calibration, draw_risk
from kamlib.reports.figures.segmentation import draw_concentration, draw_crossing, draw_quarters
from kamlib.reports.figures.style import use_style

__all__ = [
    "draw_calibration",
    "draw_concentration",
    "draw_crossing",
    "draw_quarters",
    "draw_risk",
    "use_style",
]

use_style()
