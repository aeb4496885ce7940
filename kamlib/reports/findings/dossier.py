"""What the dossier says of one account: trade, rhythm, white space, care, complaints, contract, risk, place, next."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.reminders import in_words
from kamlib.reports.sentences import keys, say
from kamlib.studies.dossier import Dossier

STALE_DAYS = 45
FEWEST_DAYS = 6
ABOUT_THE_SAME = 0.02
SMALL_RISK = 0.01
WORTH_A_TALK = 0.10  # of last year's revenue that is not bought any more


def account_trade(result: Dossier) -> Finding:
    """What it bought in twelve months against the twelve before, and in this period."""
    year, period = (result.sales.set_index("span").loc[span] for span in ("year", "period"))
    now, before = year["revenue"], year["revenue_previous"]
    branch = _trade_branch(now, before)
    change = now / before - 1 if before > 0 else np.nan
    values = {
        "name": result.card["name"],
        "as_of": result.as_of,
        "revenue": now,
        "before": before,
        "period": period["revenue"],
    }
    days = int(np.nansum([year["order_days"], year["order_days_previous"]]))
    verdict, reason = judge(
        # That nothing was bought needs no number of purchases to be told.
        _fresh(result),
        Gate(not days or days >= FEWEST_DAYS, Verdict.CAUTION, say("dossier.trade_few", days=days)),
    )
    is_down = change <= -WORTH_A_TALK and verdict is Verdict.USABLE
    return Finding(
        "dossier.trade",
        say(f"dossier.trade_{branch}", change=abs(change), **values),
        None if np.isnan(change) else change,
        "share of last year's revenue",
        n=int(year["orders"]),
        verdict=verdict,
        reason=reason,
        decision=say("dossier.trade_decision") if is_down else "",
        practices=("K042",),
    )


def _trade_branch(now: float, before: float) -> str:
    if now < 0:
        return "returns"
    if now == 0:
        return "stopped" if before > 0 else "none"
    if not before > 0:
        return "new"
    change = now / before - 1
    return "same" if abs(change) < ABOUT_THE_SAME else "up" if change > 0 else "down"


def account_margin(result: Dossier) -> str:
    """Its margin over twelve months as one sentence."""
    year = result.sales.set_index("span").loc["year"]
    if not year["order_days"] and year["revenue"] == 0:
        return say("dossier.margin_nothing")
    if pd.isna(year["margin"]) or year["revenue"] <= 0:
        return say("dossier.margin_unknown")
    before = year["margin_previous"] / year["revenue_previous"] if year["revenue_previous"] > 0 else np.nan
    branch = "only" if np.isnan(before) else "known"
    rate = year["margin"] / year["revenue"]
    return say(f"dossier.margin_{branch}", margin=year["margin"], rate=rate, before_rate=before)


def account_rhythm(result: Dossier) -> Finding:
    """Whether its next order is late by its own habit."""
    found, name = result.rhythm, result.card["name"]
    days, expected = int(found["order_days"]), found["expected_on"]
    if not days:
        return _plain("rhythm", say("dossier.rhythm_never", name=name), verdict=Verdict.NO_CONCLUSION)
    recency = int(found["recency_days"])
    if pd.isna(expected):
        sentence = say("dossier.rhythm_short", name=name, last=found["last_order"], days=days)
        return _plain("rhythm", sentence, value=recency, unit="days", n=days, verdict=Verdict.NO_CONCLUSION)
    is_late = found["late_on"] < result.as_of
    branch = "late" if is_late else "time" if expected >= result.as_of else "soon"
    values = {"name": name, "last": found["last_order"], "gap": round(found["gap_median_days"]), "expected": expected}
    values |= {"long": round(found["gap_long_days"]), "late": found["late_on"]}
    verdict, reason = judge(_fresh(result))
    return Finding(
        "dossier.rhythm",
        say(f"dossier.rhythm_{branch}", **values),
        found["late_gaps"],
        "usual gaps since the last order",
        n=days,
        verdict=verdict,
        reason=reason,
        decision=say("dossier.rhythm_decision") if is_late else "",
        practices=("K042",),
    )


def account_space(result: Dossier) -> Finding:
    """What similar accounts buy and this one does not."""
    found = result.white_space
    if found.reason:
        sentence = say(f"dossier.space_{found.reason}", similar=found.similar)
        return _plain("space", sentence, n=found.similar, verdict=Verdict.NO_CONCLUSION)
    open_ones = found.categories[found.categories["is_white_space"]]
    if open_ones.empty:
        return _plain("space", say("dossier.space_none", similar=found.similar), value=0, n=found.similar)
    first = open_ones.iloc[0]
    values = {"similar": found.similar, "category": first["category"], "estimate": first["year_estimate"]}
    branch = "one" if len(open_ones) == 1 else "some"
    return Finding(
        "dossier.space",
        say(f"dossier.space_{branch}", n=len(open_ones), **values),
        first["year_estimate"],
        "money a year",
        n=found.similar,
        verdict=Verdict.CAUTION,
        reason=say("dossier.space_reason"),
        practices=("K042",),
    )


def account_care(result: Dossier) -> Finding:
    """Whether the last contact keeps to the rule."""
    found, practices = result.contacted, ("K075", "K077")
    if "visits" not in result.has:
        return _plain("care", say("dossier.care_absent"), verdict=Verdict.NO_CONCLUSION, practices=practices)
    if pd.isna(found["last"]):
        decision = say("dossier.care_decision") if pd.notna(found["allowed_days"]) else ""
        return _plain("care", say("dossier.care_never"), value=0, decision=decision, practices=practices)
    days = (result.as_of - found["last"]).days
    if pd.isna(found["allowed_days"]):
        sentence = say("dossier.care_lapsed", last=found["last"], contacts=found["contacts"])
        decision = say("dossier.care_decision_lapsed") if found["contacts"] else ""
        return _plain("care", sentence, days, "days", found["contacts"], decision=decision, practices=practices)
    is_late = days > found["allowed_days"]
    values = {"last": found["last"], "allowed": found["allowed_days"], "contacts": found["contacts"]}
    decision = say("dossier.care_decision") if is_late else ""
    sentence = say(f"dossier.care_{'late' if is_late else 'kept'}", **values)
    return _plain("care", sentence, days, "days", found["contacts"], decision=decision, practices=practices)


def account_complaints(result: Dossier) -> Finding:
    """Complaints that are open, and those of the last year."""
    if "cases" not in result.has:
        return _plain("complaints", say("dossier.complaints_absent"), verdict=Verdict.NO_CONCLUSION)
    cases = result.file.rows("cases")
    year = int((cases["opened_on"] > result.as_of - pd.DateOffset(years=1)).sum())
    still = cases[cases["closed_on"].isna()]
    if still.empty:
        sentence = say("dossier.complaints_closed" if year else "dossier.complaints_none", year=year)
        return _plain("complaints", sentence, value=0, unit="open complaints", n=year)
    branch = "open_one" if len(still) == 1 else "open"
    sentence = say(f"dossier.complaints_{branch}", open=len(still), oldest=still["opened_on"].min(), year=year)
    decision = say("dossier.complaints_decision")
    return _plain("complaints", sentence, len(still), "open complaints", year, decision=decision)


def account_contract(result: Dossier) -> Finding:
    """When the last contract on file ends."""
    practices = ("K043", "K081")
    if "contracts" not in result.has:
        return _plain("contract", say("dossier.contract_absent"), verdict=Verdict.NO_CONCLUSION, practices=practices)
    contracts = result.file.rows("contracts")
    if contracts.empty:
        return _plain("contract", say("dossier.contract_none"), practices=practices)
    last = contracts.sort_values(["ends_on", "contract_id"]).iloc[-1]
    days = (last["ends_on"] - result.as_of).days
    branch = "ended" if days < 0 else "ending" if days <= result.rules["contract_notice_days"] else "runs"
    is_near = abs(days) <= result.rules["contract_notice_days"]
    sentence = say(f"dossier.contract_{branch}", contract=last["contract_id"], ends=last["ends_on"], days=days)
    decision = say("dossier.contract_decision") if is_near else ""
    return _plain("contract", sentence, days, "days", len(contracts), decision=decision, practices=practices)


def account_risk(result: Dossier) -> Finding:
    """The risk that this period's churn report gives the account, with its reasons."""
    said, practices = result.churn, ("K042", "K090")
    if said.reason:
        sentence = say(f"dossier.risk_{said.reason}")
        return _plain("risk", sentence, verdict=Verdict.NO_CONCLUSION, practices=practices)
    risk, status = said.get("risk"), said.get("status", "active")
    if risk is None:
        branch = status if status in {"silent", "off_season"} else "unjudged"
        sentence = say(f"dossier.risk_{branch}", name=result.card["name"])
        return _plain("risk", sentence, verdict=Verdict.NO_CONCLUSION, practices=practices)
    low, high, horizon = said.get("risk_low"), said.get("risk_high"), said.get("window_days")
    is_whole = None not in (low, high, horizon)
    values = {"name": result.card["name"], "risk": risk, "low": low, "high": high, "horizon": int(horizon or 0)}
    branch = "judged_small" if is_whole and high < SMALL_RISK else "judged" if is_whole else "judged_alone"
    # One account's risk is worth no more than the churn report says of all of them.
    of_all = said.findings.get("churn.value_at_risk", {"verdict": Verdict.USABLE, "reason": ""})
    return Finding(
        "dossier.risk",
        say(f"dossier.risk_{branch}", small=SMALL_RISK, **values),
        risk,
        "probability",
        (low, high) if is_whole else None,
        0.9 if is_whole else None,
        verdict=Verdict(of_all["verdict"]),
        reason=of_all["reason"],
        practices=practices,
    )


def account_reasons(result: Dossier) -> list[str]:
    """What the churn report says speaks for the risk, as sentences; none where it says nothing."""
    reasons = str(result.churn.get("why", ""))
    return [say("dossier.risk_reasons", reasons=reasons)] if reasons not in {"", say("churn.reason_none")} else []


def account_place(result: Dossier) -> Finding:
    """The class and rank that this period's segmentation report gives the account, and what it proposes."""
    said, practices = result.segmentation, ("K014", "K042")
    if said.reason:
        sentence = say(f"dossier.place_{said.reason}")
        return _plain("place", sentence, verdict=Verdict.NO_CONCLUSION, practices=practices)
    name = said.get("abc") or said.get("class")
    if not name:
        return _plain("place", say("dossier.place_unclassed"), verdict=Verdict.NO_CONCLUSION, practices=practices)
    has_value = said.get("value") is None or said.get("value") > 0
    branch = "alone" if said.place is None else "ranked" if has_value else "valueless"
    values = {
        "name": result.card["name"],
        "class_name": name,
        "place": said.place,
        "of": said.of,
        "value": said.get("value"),
    }
    proposed = f"dossier.place_decision_{said.get('decision', '')}"
    decision = say(proposed, reason=said.get("reason", "")) if proposed in set(keys()) else ""
    sentence = say(f"dossier.place_{branch}", **values)
    return _plain("place", sentence, said.place, "place", said.of, decision=decision.strip(), practices=practices)


def account_next(result: Dossier, horizon_days: int) -> Finding:
    """How much is due, and what comes first."""
    rows, practices = result.actions, ("K042", "K081")
    if rows.empty:
        return _plain("next", say("dossier.next_none", horizon=horizon_days), value=0, practices=practices)
    first = in_words(rows.head(1), result.names).iloc[0]
    late = int((rows["days_overdue"] > 0).sum())
    values = {"n": len(rows), "horizon": horizon_days, "late": late, "first": first["what"], "when": first["due_on"]}
    sentence = say("dossier.next_overdue" if late else "dossier.next_ahead", **values)
    return _plain("next", sentence, len(rows), "things due", len(rows), practices=practices)


def _fresh(result: Dossier) -> Gate:
    days = (result.as_of - result.last_entry).days if result.last_entry is not None else 0
    return Gate(days <= STALE_DAYS, Verdict.CAUTION, say("findings.stale", days=days))


def _plain(
    topic: str,
    sentence: str,
    value: float | None = None,
    unit: str = "",
    n: int | None = None,
    verdict: Verdict = Verdict.USABLE,
    decision: str = "",
    practices: tuple[str, ...] = ("K042",),
) -> Finding:
    """A finding that counts what is on file; where nothing can be said, the sentence is also the reason."""
    reason = sentence if verdict is not Verdict.USABLE else ""
    return Finding(
        f"dossier.{topic}",
        sentence,
        value,
        unit,
        n=n,
        verdict=verdict,
        reason=reason,
        decision=decision,
        practices=practices,
    )
