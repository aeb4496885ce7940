"""Results in, findings out: each function owns its sentence and every branch of it."""

from kamlib.reports.finding import Finding, Gate, Verdict, judge

__all__ = ["Finding", "Gate", "Verdict", "judge"]
