"""Results in, Axes out: one idea to a figure, with title, units, interval and n."""

from kamlib.reports.figures.callplan import (
    draw_contact_age,
    draw_response_curves,
    draw_visit_flatness,
    draw_visit_moves,
)
from kamlib.reports.figures.churn import (
    draw_calibration,
    draw_drivers,
    draw_methods,
    draw_moves,
    draw_renewals,
    draw_risk,
    draw_season,
)
from kamlib.reports.figures.dossier import (
    draw_account_months,
)
from kamlib.reports.figures.segmentation import (
    draw_concentration,
    draw_crossing,
    draw_mixed_books,
    draw_portfolio,
    draw_quarters,
    draw_regression,
    draw_selected_share,
)
from kamlib.reports.figures.style import use_style
from kamlib.reports.figures.visits import (
    draw_carry_over,
    draw_channel_effects,
    draw_class_effects,
    draw_ladder,
    draw_leads,
    draw_level_effects,
    draw_programme,
)
from kamlib.reports.figures.weekly import (
    draw_reached,
)

__all__ = [
    "draw_account_months",
    "draw_calibration",
    "draw_carry_over",
    "draw_channel_effects",
    "draw_class_effects",
    "draw_concentration",
    "draw_contact_age",
    "draw_crossing",
    "draw_drivers",
    "draw_ladder",
    "draw_leads",
    "draw_level_effects",
    "draw_methods",
    "draw_mixed_books",
    "draw_moves",
    "draw_portfolio",
    "draw_programme",
    "draw_quarters",
    "draw_reached",
    "draw_regression",
    "draw_renewals",
    "draw_response_curves",
    "draw_risk",
    "draw_season",
    "draw_selected_share",
    "draw_visit_flatness",
    "draw_visit_moves",
    "use_style",
]

use_style()
