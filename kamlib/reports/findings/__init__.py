"""Results in, findings out: each function owns its sentence and every branch of it."""

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.findings.churn import churn_model, churn_record, value_at_risk
from kamlib.reports.findings.segmentation import class_moves, concentration, key_account_changes

__all__ = [
    "Finding",
    "Gate",
    "Verdict",
    "churn_model",
    "churn_record",
    "class_moves",
    "concentration",
    "judge",
    "key_account_changes",
    "value_at_risk",
]
