"""What the churn study says about accounts: silent, out of season, partly gone, under contract, and what drives it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.findings.churn import EVENTS_NEEDED, YEAR_DAYS, fresh, gates, nothing, what
from kamlib.reports.sentences import say
from kamlib.studies.churn import Churn
from kamlib.studies.churn.equity import YEARS_AHEAD
from kamlib.studies.churn.lapses import BY_DAYS, BY_SIGNS, LAPSES_A_SIGN, PLAIN
from kamlib.studies.churn.purchase_models import MOST_PERIODS, PERIOD_DAYS

CONTRACTS_NEEDED = 30
OLD_DAYS = 30
FESTIVALS_NEEDED = 5
WALLET_LEVEL = 0.05
POOLED_SHARE = 0.1  # of the silent, measured by the gap of all accounts
DRIVERS = {  # driver: (topic, the table it needs, practice, the direction that calls for something)
    "complaint": ("complaints", "cases", "K088", "up"),
    "threads": ("threads", "visits", "K085", "down"),
    "executive": ("executive", "visits", "K091", ""),
    "new_manager": ("new_manager", "assignments", "K091", "up"),
}


def silent_accounts(result: Churn) -> Finding:
    """Accounts that have gone several of their own gaps without an order."""
    silent = result.accounts[result.accounts["is_silent"]]
    values = {"n": len(silent), "all": len(result.accounts), "gaps": result.silence_gaps, "what": what(result)}
    once = int((silent["gaps"] == 0).sum())
    pooled = Gate(
        once <= POOLED_SHARE * len(silent), Verdict.CAUTION, say("churn.silent_once", n=once, all=len(silent))
    )
    branch = {0: "silent_none", 1: "silent_one"}.get(len(silent), "silent")
    days = (result.as_of - result.first_order).days + 1
    short = Gate(days > YEAR_DAYS, Verdict.CAUTION, say("churn.short_book", days=days))
    verdict, reason = judge(short, pooled, fresh(result))
    sentence = say(f"churn.{branch}", margin=float(silent["margin_lost"].sum()), **values)
    if len(silent) > 1 and silent["margin_lost"].max() > 0:
        largest = silent.loc[silent["margin_lost"].idxmax()]
        first = largest["account_id"] if pd.isna(largest["name"]) else largest["name"]
        sentence = " ".join([sentence, say("churn.silent_first", first=first, most=largest["margin_lost"])])
    return Finding("churn.silent", sentence, len(silent), "accounts", n=len(result.accounts), verdict=verdict,
                   reason=reason, decision=say("churn.silent_decision") if len(silent) > 1 else "",
                   practices=("K090",))  # fmt: skip


def off_season(result: Churn) -> Finding:
    """Accounts that are quiet because they always are at this time."""
    resting = result.accounts[result.accounts["status"] == "off_season"]
    n, day = len(resting), (result.as_of - pd.Timestamp(0)).days
    once = int((resting["first"] > day - 2 * YEAR_DAYS).sum())
    days = (result.as_of - result.first_order).days + 1
    if not result.accounts["has_history"].any():
        return nothing("churn.off_season", say("churn.off_season_unknown", days=days), 0, ("K090",))
    branch = {0: "off_season_none", 1: "off_season_one"}.get(n, "off_season")
    sentence = say(f"churn.{branch}", n=n)
    verdict, reason = judge(Gate(not once, Verdict.CAUTION, say("churn.off_season_once", n=once, all=n)))
    return Finding("churn.off_season", sentence, n, "accounts", n=len(result.accounts), verdict=verdict, reason=reason,
                   practices=("K090",))  # fmt: skip


def partial_defection(result: Churn) -> Finding:
    """Accounts that still order, but less than they should."""
    buying = result.accounts[~result.accounts["is_silent"]]
    judged = int(buying["has_history"].sum())
    if not judged:
        return nothing("churn.partial_defection", say("churn.partial_unknown"), len(buying), ("K090",))
    partial = buying[buying["is_partial"]]
    spent = partial["partial_gone"] * partial["partial_ratio"] / (1 - partial["partial_ratio"])
    gone = float(partial["partial_gone"].sum())
    ratio = float(spent.sum() / (spent.sum() + gone)) if len(partial) else np.nan
    branch = {0: "partial_none", 1: "partial_one"}.get(len(partial), "partial")
    verdict, reason = judge(Gate(False, Verdict.CAUTION, say("churn.partial_caution")), fresh(result))
    return Finding(
        "churn.partial_defection",
        say(f"churn.{branch}", n=len(partial), ratio=ratio, gone=gone, judged=judged),
        len(partial),
        "accounts",
        n=judged,
        verdict=verdict,
        reason=reason,
        decision=say("churn.partial_decision") if len(partial) else "",
        practices=("K090",),
    )


def wallet_loss(result: Churn) -> Finding:
    """Accounts that say they buy more elsewhere than they did."""
    if "surveys" not in result.has:
        return _absent("churn.wallet_loss", "surveys", "wallet_absent", ("K091",))
    asked = int(result.accounts["wallet_before"].notna().sum())
    if not asked:
        return nothing("churn.wallet_loss", say("churn.wallet_unasked"), 0, ("K091",))
    n = int(result.accounts["is_wallet_loss"].sum())
    values = {"n": n, "asked": asked, "chance": WALLET_LEVEL * asked}
    beyond = n > values["chance"] + 2 * np.sqrt(values["chance"])
    branch = "wallet_none" if not n else "wallet" if beyond else "wallet_as_chance"
    sentence = say(f"churn.{branch}", **values)
    level = Verdict.CAUTION if beyond else Verdict.NO_CONCLUSION
    verdict, reason = judge(Gate(not n, level, say("churn.wallet_chance", **values)))
    return Finding("churn.wallet_loss", sentence, n, "accounts", n=asked, verdict=verdict, reason=reason,
                   practices=("K091",))  # fmt: skip


def order_season(result: Churn) -> Finding:
    """How orders follow the year, and the holiday that moves them most."""
    season, practices = result.season, ("K090",)
    if (name := _clearest_holiday(season.rises)) is not None:
        row = season.rises.loc[name]
        seen = int(row["festivals"])
        sentence = say("churn.season_moving", before=row["before"], after=row["after"], holiday=name, seen=seen)
        few = say("churn.season_few", seen=seen, low=row["after_low"], high=row["after_high"])
        verdict, reason = judge(Gate(seen >= FESTIVALS_NEEDED, Verdict.CAUTION, few))
        return Finding("churn.season", sentence, float(row["after"]), "times the year's mean pace", n=seen,
                       verdict=verdict, reason=reason, practices=practices)  # fmt: skip
    if not season.has_months:
        return nothing("churn.season", say("churn.season_none"), 0, practices)
    by_month = result.purchases_by_month.tail(12)
    pace = (by_month["expected"] / by_month["expected"].mean()).set_axis(by_month["month"].dt.strftime("%B"))
    values = {"low": pace.min(), "low_month": pace.idxmin(), "high": pace.max(), "high_month": pace.idxmax()}
    return Finding("churn.season", say("churn.season_months", **values), practices=practices)


def _clearest_holiday(rises: pd.DataFrame) -> str | None:
    """The moving holiday that orders swing around most, of those whose swing is beyond chance."""
    if not len(rises) or not rises["swing"].any():
        return None
    return rises["swing"].idxmax()


def contracts_ending(result: Churn) -> Finding:
    """Contracts that end within the horizon, and how often such contracts were renewed."""
    contracts, practices = result.renewals, ("K090", "K091")
    if contracts is None:
        return _absent("churn.contracts", "contracts", "contracts_absent", practices)
    ending = len(contracts.ending)
    branch = f"contracts_{'' if ending else 'none_'}ending{'' if contracts.due else '_first'}"
    values = {"ending": ending, "under": contracts.under_contract, "horizon": result.horizon_days}
    values["value"] = float(contracts.ending["annual_value"].sum())
    rates = {"rate": contracts.rate, "low": contracts.low, "high": contracts.high, "due": contracts.due}
    few = Gate(contracts.due >= CONTRACTS_NEEDED, Verdict.CAUTION, say("churn.contracts_few", n=contracts.due))
    verdict, reason = judge(few)
    return Finding(
        "churn.contracts",
        say(f"churn.{branch}", **values, **rates),
        contracts.rate if contracts.due else None,
        "share renewed" if contracts.due else "",
        (contracts.low, contracts.high) if contracts.due else None,
        result.level if contracts.due else None,
        contracts.due,
        verdict,
        reason,
        say("churn.contracts_decision") if ending else "",
        practices,
    )


def renewal_model(result: Churn) -> Finding:
    """How likely the contracts that end are to lapse, by what that is told, and how it did on earlier days."""
    found, practices = result.lapses, ("K090", "K091")
    if found is None:
        return _absent("churn.renewal_model", "contracts", "contracts_absent", practices)
    if not len(found.methods):
        sentence = say("churn.lapses_untested", n=found.lapsed, needed=LAPSES_A_SIGN)
        return nothing("churn.renewal_model", sentence, found.lapsed, practices)
    scores, lead = found.methods["brier"], found.methods.loc[BY_SIGNS]
    branch = "lapses_by_signs" if found.winner == BY_SIGNS else "lapses_by_days"
    tested = {"tested": found.tested, "lapsed": found.tested_lapsed}
    tested |= {"plain": scores[PLAIN], "days": scores[BY_DAYS], "signs": scores[BY_SIGNS]}
    named = ", ".join(say(f"churn.lapse_sign_{sign}") for sign in found.signs)
    chance = say("churn.lapses_by_chance", low=lead["gain_low"], high=lead["gain_high"])
    verdict, reason = judge(
        Gate(lead["gain_low"] > 0 or found.winner != BY_SIGNS, Verdict.CAUTION, chance),
        Gate(found.tested_lapsed >= EVENTS_NEEDED, Verdict.CAUTION, say("churn.lapses_few", n=found.tested_lapsed)),
    )
    return Finding(
        "churn.renewal_model",
        say(f"churn.{branch}", named=named, **tested),
        float(lead["gain"]),
        "Brier score over the share by days left",
        (float(lead["gain_low"]), float(lead["gain_high"])),
        result.level,
        found.tested,
        verdict,
        reason,
        say("churn.lapses_decision", days=found.lead_days) if found.lead_days > 0 else "",
        practices,
    )


def driver_effect(result: Churn, name: str) -> Finding:
    """What a driver of :data:`DRIVERS` does to the odds of leaving."""
    topic, table, practice, unwanted = DRIVERS[name]
    if table not in result.has:
        return _absent(f"churn.{topic}", table, f"{name}_absent", (practice,))
    found = result.drivers
    few = Gate(found.events >= EVENTS_NEEDED, Verdict.NO_CONCLUSION,
               say("churn.few_leavings", n=found.events, needed=EVENTS_NEEDED))  # fmt: skip
    if name not in found.odds.index:
        sentence = say(f"churn.{name}_unfitted") if few.is_met else few.reason
        return nothing(f"churn.{topic}", sentence, found.accounts, (practice,))
    odds, low, high = (float(found.odds.loc[name, column]) for column in ("odds_ratio", "low", "high"))
    branch = "up" if low > 1 else "down" if high < 1 else "unclear"
    clear = Gate(branch != "unclear", Verdict.NO_CONCLUSION, say("churn.includes_one"))
    biased = Gate(False, Verdict.CAUTION, say("churn.drivers_bias"))
    verdict, reason = judge(few, clear, biased)
    return Finding(
        f"churn.{topic}",
        say(f"churn.{name}_{branch}", odds=odds, low=low, high=high, lower=1 - odds, least=1 - high, most=1 - low),
        odds,
        "odds ratio",
        (low, high),
        found.level,
        found.accounts,
        verdict,
        reason,
        say(f"churn.{name}_decision") if branch == unwanted else "",
        (practice,),
    )


def complaint_ageing(result: Churn) -> Finding:
    """How many complaints are open, and how old they are (K088)."""
    if result.open_complaints is None:
        return _absent("churn.complaint_ageing", "cases", "ageing_absent", ("K088",))
    rows = result.open_complaints
    if not len(rows):
        return Finding("churn.complaint_ageing", say("churn.ageing_none"), 0, "complaints", practices=("K088",))
    old, oldest = int((rows["age_days"] > OLD_DAYS).sum()), int(rows["age_days"].max())
    sentence = say("churn.ageing", open=len(rows), old=old, days=oldest)
    decision = say("churn.ageing_decision", old=old) if old else ""
    return Finding("churn.complaint_ageing", sentence, old, "complaints", n=len(rows), decision=decision,
                   practices=("K088",))  # fmt: skip


def concentration_stress(result: Churn) -> Finding:
    """What the loss of the largest accounts would take."""
    stress = result.stress
    if np.isnan(stress.share):
        return nothing("churn.concentration", say("churn.stress_none", what=what(result)), 0, ("K033",))
    values = {"n": len(stress.largest), "share": stress.share, "equal": stress.equal_share, "what": what(result)}
    costs = {"n": stress.earning, "earned": stress.earned, "lost": -stress.lost, "what": what(result)}
    losses = (Gate(stress.lost == 0, Verdict.CAUTION, say("churn.stress_losses", **costs)),)
    if np.isnan(stress.chance):
        verdict, reason = judge(*losses)
        sentence = say("churn.stress_unjudged", **values)
    else:
        alone = Gate(False, Verdict.CAUTION, say("churn.stress_alone"))
        verdict, reason = judge(*gates(result), *losses, alone)
        sentence = say("churn.stress", chance=stress.chance, **values)
    return Finding("churn.concentration", sentence, stress.share, "share", n=len(result.accounts), verdict=verdict,
                   reason=reason, practices=("K033",))  # fmt: skip


def customer_equity(result: Churn) -> Finding:
    """What today's accounts are worth over the years ahead."""
    worth = result.equity
    if worth is None:
        return nothing("churn.equity", say("churn.equity_none"), len(result.accounts), ("K100",))
    test = worth.homogeneity
    p = float(test.p_value_simulated) if test is not None else np.nan
    moves = "unknown" if test is None else "differ" if p < 0.05 else "same"
    sentence = say(
        "churn.equity",
        equity=worth.equity,
        what=what(result),
        years=YEARS_AHEAD,
        discount=worth.discount,
        low=worth.low,
        high=worth.high,
        now=float(worth.revenue.iloc[0]),
        later=float(worth.revenue.iloc[-1]),
    )
    verdict, reason = judge(
        Gate(moves == "same", Verdict.CAUTION, say(f"churn.moves_{moves}", p=p)),
        Gate(False, Verdict.CAUTION, say("churn.equity_caution")),
    )
    return Finding("churn.equity", sentence, worth.equity, "money", (worth.low, worth.high), result.level,
                   int(worth.now.sum()), verdict, reason, practices=("K100",))  # fmt: skip


def moves_pattern(result: Churn) -> str:
    """Whether the moves between classes hold from year to year, in one sentence."""
    test = result.equity.homogeneity if result.equity is not None else None
    if test is None:
        return say("churn.moves_unknown")
    p = float(test.p_value_simulated)
    return say("churn.moves_differ" if p < 0.05 else "churn.moves_same", p=p)


def lapse_notes(result: Churn) -> list[str]:
    """What an account still brings after its contract lapsed, and so what of it is at stake; empty without any."""
    found = result.lapses
    if found is None or not len(found.ending):
        return []
    if not found.is_followed:
        return [say("churn.lapse_all", n=found.followed)]
    kept = {"lapsed": found.kept_lapsed, "renewed": found.kept_renewed, "lost": found.lost_share}
    return [say("churn.lapse_part", n=found.followed, what=what(result), **kept)]


def _absent(name: str, table: str, consequence: str, practices: tuple[str, ...]) -> Finding:
    sentence = say("findings.table_absent", table=table, consequence=say(f"churn.{consequence}"))
    return nothing(name, sentence, 0, practices)


def churn_notes(result: Churn) -> list[str]:
    """Whole sentences about how the methods fared: days tested, regularity, models without a fit, the shuffle."""
    notes = [_tested(result), _regularity(result)]
    lost = result.candidates.index[~result.candidates["can_win"]] if len(result.candidates) else pd.Index([])
    if len(lost):
        notes.append(say("churn.not_fitted", names=", ".join(lost)))
    if len(result.shuffled):
        low, high = np.quantile(result.shuffled, [0.05, 0.95])
        values = {"mean": float(result.shuffled.mean()), "low": float(low), "high": float(high)}
        notes.append(say("churn.shuffled", times=len(result.shuffled), **values))
    return notes


def stop_note(result: Churn) -> str:
    """For how many silent accounts a contact still pays, and by what that is judged."""
    silent = result.accounts[result.accounts["is_silent"]]
    if not len(silent):
        return say("churn.stop_none")
    if not result.policy.contact_cost:
        return say("churn.stop_unpriced", silent=len(silent))
    pays = int((silent["action"] == "win_back").sum())
    days = MOST_PERIODS * PERIOD_DAYS
    return say("churn.stop_rule", pays=pays, silent=len(silent), cost=result.policy.contact_cost, days=days)


def _tested(result: Churn) -> str:
    if not result.cutoffs:
        return say("churn.tested_none")
    days = {"first": min(result.cutoffs), "last": max(result.cutoffs), "cutoffs": len(result.cutoffs)}
    return say("churn.tested", rows=result.rows, events=result.events, **days)


def _regularity(result: Churn) -> str:
    if result.regularity is None:
        return say("churn.regularity_none")
    low, high = result.regularity.interval
    return say("churn.regularity", k=float(result.regularity), low=low, high=high)
