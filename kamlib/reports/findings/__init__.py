"""Results in, findings out: each function owns its sentence and every branch of it."""

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.findings.churn import churn_model, churn_record, value_at_risk

__all__ = ["Finding", "Gate", "Verdict", "churn_model", "churn_record", "judge", "value_at_risk"]
