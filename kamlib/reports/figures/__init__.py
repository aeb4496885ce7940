"""Results in, Axes out: one idea to a figure, with title, units, interval and n."""

from kamlib.reports.figures.style import use_style

use_style()
