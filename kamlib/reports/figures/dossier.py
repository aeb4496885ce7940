"""Pictures of the dossier: what the account bought month by month, and when it was spoken to."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from kamlib.reports.figures.style import ACCENT, GREY, SOFT, WARM, axes, footnote
from kamlib.studies.dossier import Dossier


def draw_account_months(result: Dossier) -> Axes:
    """Revenue of the last twelve whole months beside the same months a year before, and the contacts below."""
    drawn = axes("What it bought, beside a year before", "", "revenue a month", height=3.0)
    months, before = result.months.tail(12), result.months.head(12)
    places = np.arange(12)
    drawn.bar(places - 0.2, before["revenue"].fillna(0), width=0.38, color=GREY, label="a year before")
    drawn.bar(places + 0.2, months["revenue"].fillna(0), width=0.38, color=ACCENT, label="last twelve months")
    _mark_contacts(drawn, result, months)
    drawn.axhline(0, color=SOFT, linewidth=0.8)
    drawn.set_xticks(
        places, [f"{day:%b\n%Y}" if n in (0, 11) else f"{day:%b}" for n, day in enumerate(months["month"])]
    )
    drawn.grid(axis="x", visible=False)
    drawn.yaxis.set_major_formatter("{x:,.0f}")
    drawn.margins(y=0.22)
    if not result.months["revenue"].fillna(0).any():
        drawn.set_yticks([0])  # nothing was bought: an axis of zeros says no more than one of them
    drawn.legend(loc="upper left", fontsize=8, frameon=False, ncols=3)
    visits = result.contacted["contacts"] if "visits" in result.has else 0
    footnote(drawn, f"n = {result.rhythm['order_days']:,} purchase days ever, {visits:,} contacts in twelve months")
    return drawn


def _mark_contacts(drawn: Axes, result: Dossier, months: pd.DataFrame) -> None:
    """A tick under each month with a contact: the month is the place, the day the place within it."""
    days = result.file.rows("visits")["visit_date"]
    days = days[days >= months["month"].iloc[0]]
    place = (days.dt.year - months["month"].iloc[0].year) * 12 + days.dt.month - months["month"].iloc[0].month
    within = (days.dt.day - 0.5) / days.dt.days_in_month - 0.5
    place = (place + within)[place < 12]
    if len(place):
        drawn.plot(place, np.zeros(len(place)), "|", color=WARM, markersize=9, label="contacts", clip_on=False)
