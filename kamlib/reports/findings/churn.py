"""What the churn study says about its own word: the track record, the method, its calibration, value at risk, calls."""

from __future__ import annotations

import numpy as np

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.sentences import say
from kamlib.studies.churn import Churn
from kamlib.studies.churn.agenda import SIGNS
from kamlib.studies.churn.record import Record
from kamlib.studies.churn.reliability import Reliability

POOLED_BELOW = 200
EVENTS_NEEDED = 30
STALE_DAYS = 45
SLOPE_RIGHT = (0.8, 1.2)
SLOPE_NEAR = (0.9, 1.1)
LEVEL_RIGHT = 0.10
WINDOWS_NEEDED = 3
AGENDA_TOP = 10
YEAR_DAYS = 365


def churn_record(result: Churn) -> Finding:
    """How many were said to fall silent, and how many did."""
    record = result.record
    if record is None or not len(record.rows):
        return nothing("churn.track_record", say("churn.record_none", horizon=result.horizon_days))
    graded = record.graded
    if not len(graded):
        sentence = say("churn.record_open", n=len(record.rows), said_on=record.said_on)
        return nothing("churn.track_record", sentence, len(record.rows))
    expected, happened = float(graded["said"].sum()), int(graded["is_silent"].sum())
    low, high = _by_chance(record)
    branch = record_branch(record)
    verdict, reason = judge(
        Gate(not record.is_recomputed, Verdict.CAUTION, say("churn.record_recomputed", said_on=record.said_on)),
        Gate(not record.open, Verdict.CAUTION, say("churn.record_partly_open", open=record.open)),
    )
    worth = graded["margin_expected"].to_numpy()
    least, most = _by_chance(record, worth)
    is_fair = least <= float(graded["is_silent"] @ worth) <= most and all(gate.is_met for gate in calibrated(result))
    auc, p = record.order
    fair = "fair" if is_fair else "order" if p < 0.05 else "count"
    decisions = {"more": "low", "fewer": "high", "fair": fair}
    values = {"said_on": record.said_on, "expected": expected, "happened": happened, "low": low, "high": high}
    key = f"record_{branch}" if len(graded) > 1 else "record_one_silent" if happened else "record_one_bought"
    return Finding(
        "churn.track_record",
        say(f"churn.{key}", n=len(graded), **values),
        happened,
        "accounts",
        (low, high),
        0.9,
        len(graded),
        verdict,
        reason,
        say(f"churn.record_decision_{decisions[branch]}", **({"pairs": auc} if decisions[branch] == "order" else {})),
        ("K092",),
    )


def churn_record_money(result: Churn) -> Finding:
    """How much money the risks of the record expected to be missed, and how much was."""
    graded = result.record.graded if result.record is not None else ()
    if not len(graded):
        return nothing("churn.track_record_money", say("churn.record_money_none"))
    money = graded["margin_expected"].to_numpy()
    expected, missed = float(graded["said"] @ money), float(graded["is_silent"] @ money)
    low, high = _by_chance(result.record, money)
    fair = Gate(low <= missed <= high, Verdict.CAUTION, say("churn.record_money_off"))
    few = Gate(bool(graded["is_silent"].sum() >= EVENTS_NEEDED), Verdict.CAUTION, say("churn.record_money_few"))
    verdict, reason = judge(fair, few)
    sentence = say("churn.record_money", expected=expected, missed=missed, low=low, high=high, what=what(result))
    return Finding("churn.track_record_money", sentence, missed, "money", (low, high), 0.9, len(graded), verdict,
                   reason, practices=("K092",))  # fmt: skip


def churn_model(result: Churn) -> Finding:
    """Which candidate writes the report, and whether it beat the plain rule."""
    if not len(result.candidates):
        sentence = say("churn.winner_none", events=result.events, rows=result.rows)
        return nothing("churn.model_choice", sentence, result.rows, ("K091",))
    lead, level = result.candidates.loc[result.winner], result.candidates.index[result.candidates["is_level"]]
    branch = "baseline" if result.winner == result.baseline else "clear" if lead["gain_low"] > 0 else "unclear"
    named = {"winner": result.winner, "baseline": result.baseline, "measure": say(f"churn.by_{result.decide_by}")}
    tied = say("churn.winner_tied", names="; ".join(level))
    verdict, reason = judge(
        enough_events(result), Gate(not len(level), Verdict.CAUTION, tied), *apart(result), fresh(result)
    )
    return Finding(
        "churn.model_choice",
        say(f"churn.winner_{branch}", cutoffs=len(result.cutoffs), **named),
        float(lead["gain"]),
        f"{result.decide_by} against the plain rule",
        (float(lead["gain_low"]), float(lead["gain_high"])),
        float(lead["gain_level"]),
        result.rows,
        verdict,
        reason,
        practices=("K091", "K100"),
    )


def churn_calibration(result: Churn) -> Finding:
    """Whether a risk said can be taken at its word."""
    held = result.reliability
    if held is None or np.isnan(held.slope):
        return nothing("churn.calibration", say("churn.slope_none"), result.rows, ("K092",))
    slope, low, high = held.slope, held.slope_low, held.slope_high
    verdict, reason = judge(enough_events(result), *calibrated(result), *apart(result))
    return Finding(
        "churn.calibration",
        say(f"churn.slope_{_slope_branch(held)}", slope=slope, low=low, high=high, said=held.said, came=held.came),
        slope,
        "calibration slope",
        (low, high),
        result.level,
        result.rows,
        verdict,
        reason,
        practices=("K092",),
    )


def value_at_risk(result: Churn) -> Finding:
    """Expected loss over the horizon, with the interval of what may really come."""
    judged, horizon = len(result.judged), result.horizon_days
    if not judged:
        return nothing("churn.value_at_risk", say("churn.at_risk_empty", horizon=horizon), 0, ("K090",))
    if np.isnan(result.at_risk):
        key = "at_risk_unknown" if judged > 1 else "at_risk_unknown_one"
        sentence = say(f"churn.{key}", judged=judged, horizon=horizon)
        return nothing("churn.value_at_risk", sentence, judged, ("K090",))
    low, high = result.at_risk_low, result.at_risk_high
    sentence = say(
        "churn.at_risk" if judged > 1 else "churn.at_risk_one",
        judged=judged,
        expected=result.judged["risk"].sum(),
        at_risk=result.at_risk,
        what=what(result),
        horizon=horizon,
        low=low,
        high=high,
    )
    longer = int((result.judged["window_days"] > horizon).sum())
    windows = Gate(not longer, Verdict.CAUTION, say("churn.longer_windows", n=longer, judged=judged, horizon=horizon))
    barren = int((result.judged["margin_expected"] <= 0).sum())
    zeros = Gate(not barren, Verdict.CAUTION, say("churn.at_risk_zeros", n=barren, judged=judged, what=what(result)))
    verdict, reason = judge(*gates(result), windows, zeros)
    return Finding(
        "churn.value_at_risk",
        sentence,
        result.at_risk,
        "money",
        (low, high),
        result.level,
        judged,
        verdict,
        reason,
        "" if verdict is Verdict.NO_CONCLUSION else say("churn.at_risk_decision"),
        ("K033", "K090"),
    )


def month_agenda(result: Churn) -> Finding:
    """What wants doing now, all kinds in one list, and the money a year that stands behind it."""
    rows = result.agenda
    if not len(rows):
        sentence = say("churn.agenda_none", horizon=result.horizon_days)
        judged = Gate(bool(result.judged["risk"].notna().any()), Verdict.CAUTION, say("churn.no_test"))
        verdict, reason = judge(judged, fresh(result))
        return Finding("churn.agenda", sentence, 0, "accounts", n=len(result.accounts), verdict=verdict,
                       reason=reason, practices=("K090",))  # fmt: skip
    counts = {sign: int(rows["signs"].map(lambda signs, sign=sign: sign in signs).sum()) for sign in SIGNS}
    stake, top = float(rows["at_stake"].sum()), float(rows["at_stake"].head(AGENDA_TOP).sum())
    doubled = int((rows["signs"].map(len) > 1).sum())
    mixed = Gate(False, Verdict.CAUTION, say("churn.agenda_mixed"))
    # A list of nothing but calls is worth what the ranking of risks is worth.
    ranked = (enough_events(result),) if counts["call"] == len(rows) and doubled == 0 else ()
    verdict, reason = judge(*ranked, mixed, fresh(result))
    sentence = say(
        "churn.agenda" if len(rows) > AGENDA_TOP and stake else "churn.agenda_few",
        n=len(rows),
        stake=stake,
        what=what(result),
        renewals=counts["renewal"],
        silent=counts["silent"],
        partial=counts["partial"],
        calls=counts["call"],
        doubled=doubled,
        horizon=result.horizon_days,
        top=AGENDA_TOP,
        share=top / stake if stake else np.nan,
    )
    return Finding("churn.agenda", sentence, stake, "money a year", n=len(rows), verdict=verdict, reason=reason,
                   decision=say("churn.agenda_decision"), practices=("K090",))  # fmt: skip


def calls_to_make(result: Churn) -> Finding:
    """How many calls pay for themselves, and what they may save."""
    called = result.accounts[result.accounts["action"] == "call"]
    policy, judged = result.policy, len(result.judged)
    if not result.judged["risk"].notna().any():
        return nothing("churn.calls", say("churn.calls_unknown"), judged, ("K090",))
    cost = policy.contact_cost * len(called)
    saved = float(called["gain_of_call"].sum() + cost)
    values = {"calls": len(called), "saved": saved, "cost": cost or policy.contact_cost, "what": what(result)}
    values["net"] = saved - cost
    paying = result.accounts.loc[result.accounts["gain_of_call"] > 0, "is_slipping"]
    several = "calls_best" if paying.sum() > len(called) else "calls"
    branch = "calls_none" if not len(called) else "calls_one" if len(called) == 1 else several
    free = "_free" if len(called) and not policy.contact_cost else ""
    said = [say(f"churn.{branch}{free}", paying=int(paying.sum()), **values)]
    said += [say("churn.calls_by_size", n=int((~paying).sum()))] if policy.contact_cost and not paying.all() else []
    once = int((called["purchases"] == 1).sum())
    declared = Gate(False, Verdict.CAUTION, say("churn.calls_declared", kept=policy.kept_share))
    back = say(
        "churn.calls_return", back=1 - result.returns.lasting, n=result.returns.silences, days=result.returns.days
    )
    back = back if result.returns.is_known else say("churn.calls_return_unknown")
    guessed = Gate(not once, Verdict.CAUTION, say("churn.calls_once", n=once, all=len(called)))
    verdict, reason = judge(*gates(result), declared, Gate(False, Verdict.CAUTION, back), guessed)
    decided = bool(len(called)) and verdict is not Verdict.NO_CONCLUSION
    return Finding(
        "churn.calls",
        " ".join(said),
        len(called),
        "calls",
        n=judged,
        verdict=verdict,
        reason=reason,
        decision=say("churn.calls_decision") if decided else "",
        practices=("K090", "K091"),
    )


def what(result: Churn) -> str:
    """What the money of this book is."""
    return say("churn.what_margin" if result.has_cost else "churn.what_revenue")


def gates(result: Churn) -> tuple[Gate, ...]:
    """The gates of all that rests on single risks; why these are uncertain is told once, where they are tested."""
    judged = len(result.judged)
    pooled = say("churn.pooled", n=judged, needed=POOLED_BELOW)
    is_sure = all(gate.is_met for gate in (*calibrated(result), *apart(result)))
    return (
        enough_events(result),
        Gate(judged >= POOLED_BELOW, Verdict.CAUTION, pooled),
        Gate(not result.is_part, Verdict.CAUTION, say("churn.part")),
        Gate(is_sure, Verdict.CAUTION, say("churn.risks_unsure")),
        fresh(result),
    )


def enough_events(result: Churn) -> Gate:
    """Enough cases of silence in the back-test to trust a ranking."""
    if not result.cutoffs:
        return Gate(False, Verdict.NO_CONCLUSION, say("churn.no_test"))
    reason = say("churn.few_events", n=result.events, needed=EVENTS_NEEDED)
    return Gate(result.events >= EVENTS_NEEDED, Verdict.NO_CONCLUSION, reason)


def fresh(result: Churn) -> Gate:
    """The book's last order is not far behind the day of the report."""
    stale = (result.as_of - result.last_order).days
    return Gate(stale <= STALE_DAYS, Verdict.CAUTION, say("findings.stale", days=stale))


def nothing(name: str, sentence: str, n: int = 0, practices: tuple[str, ...] = ()) -> Finding:
    """A finding that says why there is none."""
    reason = say("churn.no_basis")
    return Finding(name, sentence, n=n, verdict=Verdict.NO_CONCLUSION, reason=reason, practices=practices)


def calibrated(result: Churn) -> tuple[Gate, ...]:
    """The risks of earlier days came true as steeply, and as often, as they were said; so did those of the record."""
    held, record = result.reliability, result.record
    graded = record.graded if record is not None else ()
    off = {"expected": float(graded["said"].sum()), "happened": int(graded["is_silent"].sum())} if len(graded) else {}
    is_fair = not off or record_branch(record) == "fair"
    told = () if is_fair else (Gate(False, Verdict.CAUTION, say("churn.record_off", said_on=record.said_on, **off)),)
    told += _steep(record, result.level) if len(graded) else ()
    if held is None:
        return told
    steep = np.isnan(held.slope) or _slope_branch(held) in ("right", "level")
    return (
        Gate(bool(steep), Verdict.CAUTION, say("churn.poor_slope", slope=held.slope)),
        Gate(_is_level(held), Verdict.CAUTION, say("churn.off_level", said=held.said, came=held.came)),
        *_by_day(held),
        *told,
    )


def _steep(record: Record, level: float) -> tuple[Gate, ...]:
    """The risks of the record were told neither too far apart nor too close together."""
    found = record.slope(level)
    if found is None:
        return ()
    slope, low, high = found
    told = say("churn.record_slope", said_on=record.said_on, slope=slope, low=low, high=high)
    return (Gate(low <= 1 <= high, Verdict.CAUTION, told),)


def _by_day(held: Reliability) -> tuple[Gate, ...]:
    """The days tested tell of one and the same calibration."""
    if np.isnan(held.days_agree):
        return ()
    told = say("churn.slope_days", low=min(held.day_slopes), high=max(held.day_slopes))
    return (Gate(held.days_agree >= 0.1, Verdict.CAUTION, told),)


def apart(result: Churn) -> tuple[Gate, ...]:
    """The days tested are tests apart, not one stretch of days looked at again and again."""
    held = result.reliability
    if held is None:
        return ()
    reason = say("churn.windows_shared", days=held.days, windows=held.windows, needed=WINDOWS_NEEDED)
    return (Gate(held.windows >= WINDOWS_NEEDED, Verdict.CAUTION, reason),)


def record_branch(record: Record) -> str:
    """Whether more or fewer fell silent than the risks of the record allow, or about as many."""
    low, high = _by_chance(record)
    happened = int(record.graded["is_silent"].sum())
    return "more" if happened > high else "fewer" if happened < low else "fair"


def _slope_branch(held: Reliability) -> str:
    """What the calibration slope says: its interval decides, and beyond the bounds the value itself warns."""
    if held.slope_high < 1 and held.slope < SLOPE_NEAR[0]:
        return "sure"
    if held.slope_low > 1 and held.slope > SLOPE_NEAR[1]:
        return "timid"
    if not SLOPE_RIGHT[0] <= held.slope <= SLOPE_RIGHT[1]:
        return "maybe_sure" if held.slope < 1 else "maybe_timid"
    return "right" if _is_level(held) else "level"


def _is_level(held: Reliability) -> bool:
    """Whether as many fell silent as were expected: within a tenth, or within what accounts and days allow."""
    return abs(held.gap) <= LEVEL_RIGHT * held.came or held.gap_low <= 0 <= held.gap_high


def _by_chance(record: Record, weights: float | np.ndarray = 1.0, draws: int = 4000) -> tuple[float, float]:
    """90 % interval of how many fall silent, or of what they are worth, if the risks said were right."""
    said = record.graded["said"].to_numpy()
    worth = np.broadcast_to(weights, said.shape).astype(float)
    totals = (np.random.default_rng(0).random((draws, len(said))) < said) @ worth
    return float(np.quantile(totals, 0.05)), float(np.quantile(totals, 0.95))
