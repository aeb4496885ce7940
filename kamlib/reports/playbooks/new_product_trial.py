"""What the playbook of trials says: the product and its uptake, earlier trials, whom to ask, and when to stop."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.playbooks.said import said
from kamlib.reports.sentences import say
from kamlib.studies import shares
from kamlib.studies.plans.new_product_trial import TrialPlan
from kamlib.studies.portfolio import with_managers

UPTAKE_COLUMNS = ["until", "buyers", "uptake"]
CANDIDATE_COLUMNS = ["pair", "arm_said", "name", "manager", "category_revenue", "taken_early"]
REFUSED_COLUMNS = ["name", "why_not"]
PRODUCT_COLUMNS = ["product_id", "product", "category", "launched_on", "launch_basis"]
FEWEST, BLUNT = 10, 0.25
_PRACTICES = ("K052",)
_NONE = Verdict.NO_CONCLUSION


def uptake(result: TrialPlan) -> Finding:
    """How far the product has spread by itself."""
    if result.product is None:
        key = "uptake_unnamed" if result.products is None else "uptake_none"
        return said(f"new_product_trial.{key}", practices=_PRACTICES, verdict=_NONE)
    reach = result.reach
    values = {"product": result.product["product"], "launched_on": result.product["launched_on"]}
    if not reach.n:
        return said("new_product_trial.uptake_nobody", practices=_PRACTICES, verdict=_NONE, **values)
    values |= {"buyers": reach.hits, "low": reach.low, "high": reach.high, "practices": _PRACTICES}
    key = f"new_product_trial.uptake_{'file' if result.product['basis'] == 'file' else 'sold'}"
    made = said(key, reach.value, "share of accounts", reach.n, topic="uptake", **values)
    few = say("findings.few_accounts", n=reach.n, needed=FEWEST)
    verdict, reason = judge(Gate(reach.n >= FEWEST, Verdict.CAUTION, few))
    return replace(made, interval=(reach.low, reach.high), level=shares.LEVEL, verdict=verdict, reason=reason)


def uptake_table(result: TrialPlan) -> pd.DataFrame:
    """The months since the launch, with how many had bought by their end."""
    if result.uptake.empty:
        return pd.DataFrame(columns=UPTAKE_COLUMNS)
    return result.uptake.rename(columns={"share": "uptake"})


def earlier(result: TrialPlan) -> Finding:
    """Whether those who came to earlier trials bought more often than those who were asked and did not come."""
    if result.came is None:
        return said("new_product_trial.earlier_none", practices=_PRACTICES, verdict=_NONE)
    came, absent = result.came, result.absent
    if not came.n or not absent.n:
        return said("new_product_trial.earlier_few", practices=_PRACTICES, verdict=_NONE, asked=came.n + absent.n)
    gap, low, high = shares.difference(came, absent)
    branch = "more" if low > 0 else "less" if high < 0 else "unclear"
    values = {"came": came.value, "absent": absent.value, "n_came": came.n, "n_absent": absent.n}
    values |= {"low": low, "high": high, "days": result.trial_days, "practices": _PRACTICES}
    made = said(f"new_product_trial.earlier_{branch}", gap, "share of accounts", came.n + absent.n, **values)
    few = say("new_product_trial.earlier_thin", least=FEWEST)
    verdict, reason = judge(
        Gate(False, Verdict.CAUTION, say("new_product_trial.earlier_chosen")),
        Gate(min(came.n, absent.n) >= FEWEST, _NONE, few),
    )
    return replace(made, interval=(low, high), level=shares.LEVEL, verdict=verdict, reason=reason)


def design(result: TrialPlan) -> Finding:
    """Whom to ask first, and what a trial of this size can show."""
    arm = int((result.candidates["arm"] == "trial").sum())
    if result.product is None or not arm:
        return said("new_product_trial.design_none", practices=_PRACTICES, verdict=_NONE)
    values = {"product": result.product["product"], "base": result.base.value, "base_n": result.base.n}
    values |= {"smallest": result.smallest, "needed": result.needed, "chance": result.chance, "practices": _PRACTICES}
    values |= {"days": result.trial_days}
    if pd.isna(result.smallest):
        return said("new_product_trial.design_blind", arm, "accounts", arm, verdict=Verdict.CAUTION, **values)
    do = "new_product_trial.do_design"
    made = said("new_product_trial.design_clear", result.smallest, "share of accounts", arm, do, **values)
    blunt = say("new_product_trial.design_blunt")
    verdict, reason = judge(Gate(result.smallest - result.base.value <= BLUNT, Verdict.CAUTION, blunt))
    return replace(made, verdict=verdict, reason=reason)


def candidate_table(result: TrialPlan) -> pd.DataFrame:
    """The pairs, and which of the two is asked first."""
    if result.candidates.empty:
        return pd.DataFrame(columns=CANDIDATE_COLUMNS)
    rows = with_managers(result.candidates, result.names.managers)
    return rows.assign(arm_said=[say(f"new_product_trial.arm_{a}") for a in rows["arm"]])


def refused_table(result: TrialPlan) -> pd.DataFrame:
    """Key accounts that are not asked, and why."""
    if result.refused.empty:
        return pd.DataFrame(columns=REFUSED_COLUMNS)
    return result.refused.assign(why_not=[say(f"new_product_trial.why_{why}") for why in result.refused["why"]])


def product_table(result: TrialPlan) -> pd.DataFrame:
    """The new products of the book, the newest first."""
    if result.products is None or result.products.empty:
        return pd.DataFrame(columns=PRODUCT_COLUMNS)
    basis = result.products["basis"].map(lambda b: say(f"new_product_trial.basis_{'file' if b == 'file' else 'sale'}"))
    return result.products.assign(launch_basis=basis)
