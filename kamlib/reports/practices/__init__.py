"""The practices of key account management, and where each is treated: notebook and cell, test, page."""

from kamlib.reports.practices.catalogue import Practice, practices
from kamlib.reports.practices.coverage import Coverage, Treatment, coverage, lines

__all__ = ["Coverage", "Practice", "Treatment", "coverage", "lines", "practices"]
