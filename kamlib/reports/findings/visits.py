"""What the visit study says of the effect: the answer, what could have been seen, placebos, who responds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.sentences import say
from kamlib.studies.effects.carryover import HIGHEST_LAMBDA
from kamlib.studies.visits import Visits
from kamlib.studies.visits.evidence import (
    LEAD_ALPHA,
    LEAST_ACCOUNTS,
    LEAST_MONTHS,
    PEER_ALPHA,
    TARGETING_ALPHA,
    Evidence,
)

STALE_DAYS = 45
LITERATURE = {"albers": 0.34, "detailing": 0.245}  # mean elasticities: Albers et al. (2010), and for detailing
POWER_NEEDED = LITERATURE["albers"]
ALPHA = 0.05
TESTS = ("lead", "targeting", "permuted", "peers")
ERRORS = ("few_accounts", "few_months", "permuted")  # gates without which the error of an estimate is not known either
LADDER = ["method", "elasticity", "low", "high", "account_months", "n_accounts", "reason"]
CLASSES = ["opening_size", "n_accounts", "estimate", "pooled_estimate", "pooled_low", "pooled_high", "reason"]
LEVELS = ["visitor", "visits", "against_first", "against_low", "against_high"]
CHANNELS = ["contact_channel", "contacts", "against_first", "against_low", "against_high"]
QUARTERS = ["quarters_since", "lift_since", "lift_since_low", "lift_since_high"]
LEAST_COMPARED = 10


def visit_effect(result: Visits) -> Finding:
    """Whether visits sell: the answer of the whole study, or why there is none."""
    evidence = result.evidence
    if evidence is None:
        return absent(result, "visits.effect", ("K082",))
    estimate, low, high = evidence.long_run
    verdict, reason = judge(*effect_gates(result))
    values = {"lift": 10 * estimate, "low": 10 * low, "high": 10 * high} | _gate_values(evidence)
    branch = _branch(evidence, low, high)
    if evidence.carry:
        values["kept"] = evidence.carry.diagnostics["lambda"]
    can_claim = verdict is not Verdict.NO_CONCLUSION
    return Finding(
        "visits.effect",
        say(f"visits.effect_{branch}", **values),
        estimate if evidence.carry else None,
        "percent of revenue per percent of visits",
        (low, high) if evidence.carry else None,
        result.level if evidence.carry else None,
        evidence.carry.n_accounts if evidence.carry else 0,
        verdict,
        reason,
        _decision(result, can_claim and low > 0),
        ("K082", "K084"),
    )


def _decision(result: Visits, can_claim: bool) -> str:
    """What to do: move visits or wait, and learn by an experiment only where one can tell."""
    can_try = result.design is not None and result.design.can_tell
    if not can_claim and result.plan is not None:
        return say("visits.effect_wait_judged")
    if not can_claim and not can_try and result.evidence.failed == ("few_accounts",):
        return say("visits.effect_wait_few")  # the report of one manager or region, where that of all may tell
    branch = "_try" if can_try else "_none" if not can_claim and result.design is None else ""
    return say(f"visits.effect_{'decision' if can_claim else 'wait'}{branch}")


def _branch(evidence: Evidence, low: float, high: float) -> str:
    if evidence.failed:
        return evidence.failed[0]
    return "clear" if low > 0 else "negative" if high < 0 else "unclear"


def visit_power(result: Visits) -> Finding:
    """The smallest lasting effect this book could have shown, of which the answer's interval speaks."""
    if result.evidence is None:
        return absent(result, "visits.power")
    seen = result.detectable
    if seen is None or not np.isfinite(seen.elasticity):
        return nothing("visits.power", say("visits.power_none" if seen is None else "visits.power_blind"))
    is_fine = seen.elasticity <= POWER_NEEDED
    values = {"smallest": 10 * seen.elasticity, "power": seen.power, "usual": 10 * POWER_NEEDED}
    values |= {"reach": 10 * seen.reach, "worth": seen.freedom + 1}
    untold = _reasons(result.evidence, [name for name in ERRORS if name in result.evidence.failed])
    gates = (Gate(False, Verdict.NO_CONCLUSION, why) for why in untold)
    verdict, reason = judge(*gates, Gate(is_fine, Verdict.CAUTION, say("visits.power_weak", **values)))
    return Finding(
        "visits.power",
        say("visits.power_fine" if is_fine else "visits.power_poor", **values),
        seen.elasticity,
        "percent of revenue per percent of visits, kept up",
        n=seen.n_accounts,
        verdict=verdict,
        reason=reason,
    )


def visit_placebos(result: Visits) -> Finding:
    """Whether the estimator is silent where there is nothing to find."""
    evidence = result.evidence
    if evidence is None:
        return absent(result, "visits.placebos")
    if evidence.lead is None or evidence.targeting is None:
        return nothing("visits.placebos", say("visits.placebos_none"))
    failed = [name for name in TESTS if name in evidence.failed]
    made = [name for name in TESTS if name not in evidence.untested]
    made = ["lead_unmeasured" if name == "lead" and np.isnan(evidence.lead_seen) else name for name in made]
    gates = [gate for gate in effect_gates(result) if gate.reason in _reasons(evidence, failed)]
    verdict, reason = judge(*gates, *_test_gates(evidence))
    said = "; ".join(say(f"visits.test_{name}", **_gate_values(evidence)) for name in made)
    return Finding(
        "visits.placebos",
        say(f"visits.placebos_{'failed' if failed else 'passed'}", failed=len(failed), n=len(made), said=said),
        evidence.lead.p_value,
        "p-value of future visits",
        n=evidence.lead.n_accounts,
        verdict=verdict,
        reason=reason,
    )


def _test_gates(evidence: Evidence) -> tuple[Gate, ...]:
    """Tests that were not made, or could hardly have seen anything, pass nothing."""
    values = _gate_values(evidence)
    is_blind = evidence.lead_seen > abs(evidence.long_run[0])
    return (
        *(Gate(False, Verdict.CAUTION, say(f"visits.gate_{name}_untested")) for name in evidence.untested),
        Gate(not is_blind, Verdict.CAUTION, say("visits.gate_lead_blind", **values)),
    )


def visit_classes(result: Visits) -> Finding:
    """Which accounts respond most by their size at the start, where sizes differ at all."""
    evidence = result.evidence
    if evidence is None:
        return absent(result, "visits.classes")
    if evidence.classes is None:
        return nothing("visits.classes", say("visits.classes_none"))
    known = evidence.classes.classes.dropna(subset=["estimate"])
    top = known.loc[known["pooled_estimate"].idxmax()]
    p = evidence.classes.heterogeneity_p
    branch = "alike" if len(known) < 2 or p >= ALPHA else "differ"
    verdict, reason = judge(*effect_gates(result))
    return Finding(
        "visits.classes",
        say(f"visits.classes_{branch}", classes=len(known), p=p, top=size_label(top["class"])),
        p,
        "p-value that all classes respond alike",
        n=int(known["n_accounts"].sum()),
        verdict=verdict,
        reason=reason,
        practices=("K014", "K084"),
    )


def visit_levels(result: Visits) -> Finding:
    """Whether visits bring more by who makes them, at the same number of visits."""
    return _kinds(result, "visitor", result.evidence and result.evidence.levels)


def visit_channels(result: Visits) -> Finding:
    """Whether contacts bring more by the way they are made, at the same number of contacts."""
    return _kinds(result, "channel", result.evidence and result.evidence.channels)


def _kinds(result: Visits, topic: str, frame: pd.DataFrame | None) -> Finding:
    name = f"visits.{topic}s"
    if frame is None:
        return absent(result, name)
    if not len(frame):
        return nothing(name, say(f"visits.{topic}s_effect_none"))
    clear = frame[frame["p_value"] < 1 - result.level]
    more, less = (_kind_names(topic, clear[clear["difference"] * sign > 0]) for sign in (1, -1))
    branch = "both" if more and less else "more" if more else "less" if less else "alike"
    first = say(f"visits.{topic}_{frame['kind'].iloc[0]}")
    verdict, reason = judge(*effect_gates(result))
    return Finding(
        name,
        say(f"visits.{topic}s_effect_{branch}", more=more, less=less, first=first),
        n=int(frame["contacts"].sum()),
        verdict=verdict,
        reason=reason,
        practices=("K084",),
    )


def _kind_names(topic: str, frame: pd.DataFrame) -> str:
    return ", ".join(say(f"visits.{topic}_{kind or 'unknown'}") for kind in frame["kind"])


def visit_programme(result: Visits) -> Finding:
    """What accounts did in the first year after an executive first came to them, or after a programme began."""
    if result.evidence is None:
        return absent(result, "visits.programme")
    found = result.programme
    if found is None:
        return nothing("visits.programme", say("visits.programme_none"))
    what = say(f"visits.programme_{found.name}")
    values = {"what": what, "n": found.n_began, "lift": found.lift, "low": found.low, "high": found.high}
    values |= {"p": found.before_p, "never": found.n_never, "dropped": found.n_dropped, "compared": found.n_compared}
    values |= {"joint": found.joint_p, "seen": found.before_seen}
    is_tested, moved_before = bool(np.isfinite(found.before_p)), found.before_p < ALPHA
    is_clear, is_seen = not found.low <= 0 <= found.high, found.before_seen <= abs(found.lift)
    branch = "before" if moved_before else "up" if found.low > 0 else "down" if found.high < 0 else "unclear"
    verdict, reason = judge(
        Gate(not moved_before, Verdict.NO_CONCLUSION, say("visits.gate_programme_before", **values)),
        Gate(is_tested, Verdict.NO_CONCLUSION, say("visits.gate_programme_untested", **values)),
        Gate(is_seen or moved_before or not is_tested, Verdict.CAUTION, say("visits.gate_programme_weak", **values)),
        Gate(not found.joint_p < ALPHA, Verdict.CAUTION, say("visits.gate_programme_joint", **values)),
        Gate(is_clear, Verdict.CAUTION, say("visits.gate_zero")),
        Gate(found.n_never >= LEAST_COMPARED, Verdict.CAUTION, say("visits.gate_programme_few", **values)),
    )
    return Finding(
        "visits.programme",
        say(f"visits.programme_{branch}", **values),
        found.lift,
        "share of quarterly revenue",
        (found.low, found.high),
        result.level,
        found.n_compared,
        verdict,
        reason,
        practices=("K082", "K084"),
    )


def ladder_table(result: Visits) -> pd.DataFrame:
    """The ladder with its rungs named in words, and the literature beneath; empty without an estimate."""
    if result.evidence is None:
        return pd.DataFrame(columns=LADDER)
    ladder = result.evidence.ladder
    named = ladder.assign(method=[say(f"visits.method_{method}") for method in ladder["method"]])
    known = [{"method": say(f"visits.known_{name}"), "elasticity": value} for name, value in LITERATURE.items()]
    table = pd.concat([named, pd.DataFrame(known)], ignore_index=True)
    whole = {"n": "Int64", "n_accounts": "Int64"}
    return table.assign(reason=table["reason"].fillna("")).astype(whole).rename(columns={"n": "account_months"})[LADDER]


def class_table(result: Visits) -> pd.DataFrame:
    """The effect by size at the start, drawn towards the mean, and alone."""
    if result.evidence is None or result.evidence.classes is None:
        return pd.DataFrame(columns=CLASSES)
    return sized(result.evidence.classes.classes)[CLASSES]


def level_table(result: Visits) -> pd.DataFrame:
    """How visits differ by who makes them, from those of the most frequent visitor."""
    return _kind_table(result.evidence and result.evidence.levels, "visitor", LEVELS)


def channel_table(result: Visits) -> pd.DataFrame:
    """How contacts differ by the way they are made, from the most frequent one."""
    return _kind_table(result.evidence and result.evidence.channels, "channel", CHANNELS)


def _kind_table(frame: pd.DataFrame | None, topic: str, columns: list[str]) -> pd.DataFrame:
    if frame is None or not len(frame):
        return pd.DataFrame(columns=columns)
    named = [say(f"visits.{topic}_{kind or 'unknown'}") for kind in frame["kind"]]
    return frame[["kind", "contacts", "difference", "low", "high"]].assign(kind=named).set_axis(columns, axis=1)


def programme_table(result: Visits) -> pd.DataFrame:
    """Change of revenue by quarters since the beginning, the year before it and the first two since."""
    if result.programme is None:
        return pd.DataFrame(columns=QUARTERS)
    frame = result.programme.fit.dynamic.by
    frame = frame[frame["event_time"].between(-4, 7)]
    values = np.expm1(frame[["estimate", "low", "high"]]).set_axis(QUARTERS[1:], axis=1)
    return values.assign(quarters_since=frame["event_time"])[QUARTERS].reset_index(drop=True)


def read_table(result: Visits) -> pd.DataFrame:
    """What was read, and what was left out or changed."""
    evidence = result.evidence
    counts = {"visits": result.visits}
    if evidence is not None:
        counts |= {"accounts": evidence.accounts, "months": evidence.months, "clipped": evidence.clipped}
        used = evidence.carry.n_accounts if evidence.carry else 0
        counts |= {"left_out": evidence.accounts - used, "used": used}
    rows = [{"what": say(f"visits.read_{name}"), "count": count} for name, count in counts.items()]
    return pd.DataFrame(rows, columns=["what", "count"])


def sized(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with ``opening_size`` in words in the place of ``class``: the segmentation's classes are others."""
    sizes = [size_label(name) for name in frame["class"]]
    return frame.assign(**{"class": sizes}).rename(columns={"class": "opening_size"})


def size_label(name: str) -> str:
    """The size of an account in its first year on record; new accounts have none."""
    return say(f"visits.size_{name}")


def effect_gates(result: Visits) -> tuple[Gate, ...]:
    """All that must hold before an effect is claimed, each with its reason."""
    evidence = result.evidence
    stale = (result.as_of - result.last_order).days if result.last_order is not None else 0
    low, high = evidence.long_run[1:]
    is_seen = bool(evidence.failed) or not (low <= 0 <= high)
    return (
        *(Gate(False, Verdict.NO_CONCLUSION, reason) for reason in failed_reasons(evidence)),
        Gate(is_seen, Verdict.CAUTION, say("visits.gate_zero")),
        Gate(_is_carry_known(evidence), Verdict.CAUTION, say("visits.gate_carry")),
        *(() if evidence.failed else _test_gates(evidence)),
        *_trial_gates(result),
        Gate(stale <= STALE_DAYS, Verdict.CAUTION, say("findings.stale", days=stale)),
    )


def _trial_gates(result: Visits) -> tuple[Gate, ...]:
    """Only an experiment that was carried out and agrees lifts the doubt; one that denies the records refuses them."""
    said = result.trial.verdict if result.trial else "none"
    if said == "contradicts":
        values = {"name": result.trial.name, "low": result.trial.low, "high": result.trial.high}
        return (Gate(False, Verdict.NO_CONCLUSION, say("visits.gate_contradicted", **values)),)
    is_met = said == "agrees" or bool(result.evidence.failed)  # where nothing is claimed there is nothing to doubt
    return (Gate(is_met, Verdict.CAUTION, say("visits.gate_observed")),)


def _is_carry_known(evidence: Evidence) -> bool:
    """Whether the data bound the carry-over from above; at the end of its range the long run grows without limit."""
    return evidence.carry is None or evidence.carry.diagnostics["lambda_interval"][1] < HIGHEST_LAMBDA


def failed_reasons(evidence: Evidence) -> list[str]:
    """Why nothing may be claimed, one sentence for each gate that is not passed."""
    return _reasons(evidence, evidence.failed)


def _reasons(evidence: Evidence, failed) -> list[str]:
    values = _gate_values(evidence)
    return [say(f"visits.gate_{name}", **values) for name in failed]


def _gate_values(evidence: Evidence) -> dict:
    return {
        "n_used": evidence.carry.n_accounts if evidence.carry else 0,
        "accounts": LEAST_ACCOUNTS,
        "months": evidence.months,
        "least_months": LEAST_MONTHS,
        "p": evidence.lead.p_value if evidence.lead else np.nan,
        "targeting_p": evidence.targeting.p_value if evidence.targeting else np.nan,
        "off": evidence.permuted.false_positive_share * evidence.permuted.draws if evidence.permuted else np.nan,
        "draws": evidence.permuted.draws if evidence.permuted else 0,
        "most": evidence.permuted.most_off if evidence.permuted else 0,
        "lead_alpha": LEAD_ALPHA,
        "targeting_alpha": TARGETING_ALPHA,
        "peer_alpha": PEER_ALPHA,
        "seen": 10 * evidence.lead_seen,
        "lasting": 10 * abs(evidence.long_run[0]),
        "peer_p": evidence.peer_p,
    }


def absent(result: Visits, name: str, practices: tuple[str, ...] = ()) -> Finding:
    """No visits, or no orders to set them against: the answer says so in full, each chapter for itself."""
    topic = name.removeprefix("visits.")
    if topic != "effect":
        return nothing(name, say(f"visits.absent_{topic}"), practices)
    if result.visits:
        return nothing(name, say("visits.no_orders"), practices)
    none = nothing(name, say("visits.no_visits", channels=", ".join(result.channels)), practices)
    return replace(none, decision=say("visits.no_visits_decision", months=LEAST_MONTHS))


def nothing(name: str, sentence: str, practices: tuple[str, ...] = ()) -> Finding:
    """A finding that says only why there is none."""
    reason = say("visits.reason_absent")
    return Finding(name, sentence, n=0, verdict=Verdict.NO_CONCLUSION, reason=reason, practices=practices)
