"""What the visit study says of its own past: what became of the last plan, or what it would have said before."""

from __future__ import annotations

import numpy as np

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.findings.visits import absent, effect_gates, failed_reasons, nothing
from kamlib.reports.sentences import say
from kamlib.studies.visits import Visits
from kamlib.studies.visits.record import Earlier

PRACTICES = ("K084",)


def plan_record(result: Visits) -> Finding:
    """What became of the last plan; without one, what the effect would have been said to be a quarter ago."""
    if result.evidence is None:
        return absent(result, "visits.track_record", PRACTICES)
    record = result.record
    if record is None:
        return _recomputed(result)
    values = {"said_on": record.said_on, "n": len(record.accounts), "months": record.months}
    if record.is_open:
        return nothing("visits.track_record", say("visits.record_open", **values), PRACTICES)
    values |= {"followed": record.followed, "lift": record.lift, "low": record.low, "high": record.high}
    is_known = np.isfinite(record.lift) and np.isfinite(record.low)
    branch = "ungraded" if not is_known else "better" if record.low > 0 else "worse" if record.high < 0 else "unclear"
    verdict, reason = judge(
        Gate(is_known, Verdict.NO_CONCLUSION, say("visits.record_cannot")),
        Gate(not record.followed < 0.6, Verdict.CAUTION, say("visits.record_unfollowed", **values)),
    )
    return Finding(
        "visits.track_record",
        say(f"visits.record_{branch}", **values),
        record.lift if is_known else None,
        "growth of the raised over the lowered",
        (record.low, record.high) if is_known else None,
        0.9 if is_known else None,
        len(record.accounts),
        verdict,
        reason,
        practices=PRACTICES,
    )


def _recomputed(result: Visits) -> Finding:
    """What the same method would have said a quarter ago, which shares most of its months with today's answer."""
    now, earlier = result.evidence.long_run, result.earlier
    if earlier is None or np.isnan(now[0]) or np.isnan(earlier.evidence.long_run[0]):
        return nothing("visits.track_record", say("visits.record_none"), PRACTICES)
    then, low, high = earlier.evidence.long_run
    failed = result.evidence.failed or earlier.evidence.failed
    branch = "refused" if failed else "same" if low <= now[0] <= high else "moved"
    values = {"then": 10 * then, "low": 10 * low, "high": 10 * high, "now": 10 * now[0], "day": earlier.day}
    months = {"shared": earlier.shared_months, "months": result.evidence.months}
    verdict, reason = judge(
        *(gate for gate in (*effect_gates(result), *_gates_then(earlier)) if gate.otherwise is Verdict.NO_CONCLUSION),
        Gate(False, Verdict.CAUTION, say("visits.record_recomputed", **months)),
    )
    return Finding(
        "visits.track_record",
        say(f"visits.record_{branch}", **values),
        None if failed else then,
        "" if failed else "percent of revenue per percent of visits",
        None if failed else (low, high),
        None if failed else result.level,
        earlier.evidence.carry.n_accounts,
        verdict,
        reason,
        practices=PRACTICES,
    )


def _gates_then(earlier: Earlier) -> tuple[Gate, ...]:
    """The gates of the earlier day that were not passed."""
    return tuple(
        Gate(False, Verdict.NO_CONCLUSION, say("visits.record_gate", day=earlier.day, reason=reason))
        for reason in failed_reasons(earlier.evidence)
    )
