"""What the churn study says: track record, value at risk, which method won, who to call, and what drives it."""

from __future__ import annotations

import numpy as np

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.sentences import say
from kamlib.studies.churn import Churn
from kamlib.studies.record import Record

POOLED_BELOW = 200
EVENTS_NEEDED = 30
STALE_DAYS = 45


def value_at_risk(result: Churn) -> Finding:
    """Expected loss over the horizon, with the interval of what may really come."""
    judged, horizon = len(result.judged), result.horizon_days
    if not judged:
        return _nothing("churn.value_at_risk", say("churn.at_risk_empty", horizon=horizon), 0)
    if np.isnan(result.at_risk):
        return _nothing("churn.value_at_risk", say("churn.at_risk_unknown", judged=judged, horizon=horizon), judged)
    what = say("churn.what_margin" if result.has_cost else "churn.what_revenue")
    sentence = say(
        "churn.at_risk",
        judged=judged,
        expected=result.judged["risk"].sum(),
        at_risk=result.at_risk,
        what=what,
        horizon=horizon,
        low=result.at_risk_low,
        high=result.at_risk_high,
    )
    verdict, reason = judge(*_gates(result))
    calls = int((result.accounts["action"] == "call").sum())
    decision = say("churn.at_risk_decision", calls=calls) if calls and verdict is not Verdict.NO_CONCLUSION else ""
    return Finding(
        "churn.value_at_risk",
        sentence,
        result.at_risk,
        "money",
        (result.at_risk_low, result.at_risk_high),
        result.level,
        judged,
        verdict,
        reason,
        decision,
        ("K033", "K090"),
    )


def churn_record(result: Churn) -> Finding:
    """How many were said to fall silent, and how many did."""
    record = result.record
    if record is None:
        return _nothing("churn.track_record", say("churn.record_none", horizon=result.horizon_days), 0)
    graded = record.graded
    if not len(graded):
        sentence = say("churn.record_open", n=len(record.rows), said_on=record.said_on)
        return _nothing("churn.track_record", sentence, len(record.rows))
    expected, happened = float(graded["said"].sum()), int(graded["is_silent"].sum())
    low, high = _by_chance(record)
    branch = "more" if happened > high else "fewer" if happened < low else "fair"
    values = {"said_on": record.said_on, "expected": expected, "happened": happened, "low": low, "high": high}
    verdict, reason = judge(
        Gate(not record.is_recomputed, Verdict.CAUTION, say("churn.record_recomputed", said_on=record.said_on)),
    )
    return Finding(
        "churn.track_record",
        say(f"churn.record_{branch}", n=len(graded), **values),
        happened - expected,
        "accounts",
        (low - expected, high - expected),
        0.9,
        len(graded),
        verdict,
        reason,
        practices=("K092",),
    )


def churn_model(result: Churn) -> Finding:
    """Which candidate writes the report, and whether it beat the plain rule."""
    if not len(result.candidates):
        return _nothing(
            "churn.model_choice", say("churn.winner_none", events=result.events, rows=result.rows), result.rows
        )
    lead = result.gains.loc[result.winner]
    branch = "baseline" if result.winner == result.baseline else "clear" if lead["low"] > 0 else "unclear"
    named = {"winner": result.winner, "baseline": result.baseline, "measure": say(f"churn.by_{result.decide_by}")}
    verdict, reason = judge(_enough_events(result))
    return Finding(
        "churn.model_choice",
        say(f"churn.winner_{branch}", cutoffs=len(result.cutoffs), **named),
        float(lead["gain"]),
        result.decide_by,
        (float(lead["low"]), float(lead["high"])),
        result.level,
        result.rows,
        verdict,
        reason,
        practices=("K091", "K100"),
    )


def _by_chance(record: Record, draws: int = 4000) -> tuple[float, float]:
    """90 % interval of how many fall silent if the risks said were right."""
    said = record.graded["said"].to_numpy()
    counts = (np.random.default_rng(0).random((draws, len(said))) < said).sum(axis=1)
    return float(np.quantile(counts, 0.05)), float(np.quantile(counts, 0.95))


def _gates(result: Churn) -> tuple[Gate, ...]:
    judged, stale = len(result.judged), (result.as_of - result.last_order).days
    return (
        _enough_events(result),
        Gate(judged >= POOLED_BELOW, Verdict.CAUTION, say("churn.pooled", n=judged, needed=POOLED_BELOW)),
        Gate(stale <= STALE_DAYS, Verdict.CAUTION, say("findings.stale", days=stale)),
    )


def _enough_events(result: Churn) -> Gate:
    reason = say("churn.few_events", n=result.events, needed=EVENTS_NEEDED)
    return Gate(result.events >= EVENTS_NEEDED, Verdict.NO_CONCLUSION, reason)


def _nothing(name: str, sentence: str, n: int) -> Finding:
    return Finding(name, sentence, n=n, verdict=Verdict.NO_CONCLUSION, reason=sentence)
