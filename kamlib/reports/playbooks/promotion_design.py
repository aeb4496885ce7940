"""What the playbook of promotions says: net effect, rebates that bend orders, the calendar, the template, training."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.playbooks.said import of_year, said
from kamlib.reports.sentences import say
from kamlib.studies import promotion_effects as effects
from kamlib.studies import shares
from kamlib.studies.plans.promotion_design import PromotionPlan
from kamlib.studies.portfolio import with_managers

STEP_COLUMNS = ["month_said", "effect_share", "effect_low", "effect_high"]
KIND_COLUMNS = ["kind_said", "promotions", "promotion_cost", "promoted_revenue", "cost_share"]
REBATE_COLUMNS = ["name", "starts_on", "ends_on", "threshold_amount", "bought_amount", "reach", "last_share"]
CALENDAR_COLUMNS = ["name", "manager", "kind_said", "category", "ran_on", "again_on"]
TEMPLATE_COLUMNS = ["topic", "on_file", "to_agree"]
CATEGORY_COLUMNS = ["category", "revenue_of_year", "revenue_previous", "promoted_on"]
UNTRAINED_COLUMNS = ["name", "manager"]
CERTAIN = 0.05
FEWEST_NEAR = 20


def net_effect(result: PromotionPlan) -> Finding:
    """What a promotion brings over its month and the next, and whether it pays."""
    practices = ("K054", "K055")
    found = result.uplift
    if found is None:
        key = "effect_few" if result.has_promotions else "effect_absent"
        return said(f"promotion_design.{key}", practices=practices, verdict=Verdict.NO_CONCLUSION)
    by = found.steps.set_index("step")
    branch = "more" if found.net_low > 0 else "less" if found.net_high < 0 else "unclear"
    values = {"now": by.loc["now", "effect"], "after": by.loc["after", "effect"], "net": found.net}
    values |= {"low": found.net_low, "high": found.net_high, "accounts": found.accounts, "practices": practices}
    do = f"promotion_design.do_effect_{branch}"
    made = said(f"promotion_design.effect_{branch}", found.net, "share of a month's revenue", found.n, do, **values)
    is_clean = by.loc["before", "low"] <= 0 <= by.loc["before", "high"]
    aimed = say("promotion_design.effect_aimed", before=by.loc["before", "effect"])
    unclear = say("promotion_design.effect_wide")
    verdict, reason = judge(
        Gate(is_clean, Verdict.NO_CONCLUSION, aimed), Gate(branch != "unclear", Verdict.CAUTION, unclear)
    )
    interval = (found.net_low, found.net_high)
    return replace(made, interval=interval, level=effects.LEVEL, verdict=verdict, reason=reason)


def step_table(result: PromotionPlan) -> pd.DataFrame:
    """The month before (a placebo), of and after a promotion."""
    if result.uplift is None:
        return pd.DataFrame(columns=STEP_COLUMNS)
    rows = result.uplift.steps.rename(columns={"effect": "effect_share", "low": "effect_low", "high": "effect_high"})
    return rows.assign(month_said=[say(f"promotion_design.month_{step}") for step in rows["step"]])


def pays(result: PromotionPlan) -> Finding:
    """Whether the margin of a promotion covers its cost."""
    practices, found = ("K055",), result.uplift
    if found is None or pd.isna(found.cost) or pd.isna(found.gain):
        return said("promotion_design.pays_unknown", practices=practices, verdict=Verdict.NO_CONCLUSION)
    branch = "yes" if found.gain_low > found.cost else "no" if found.gain_high < found.cost else "unclear"
    values = {"gain": found.gain, "low": found.gain_low, "high": found.gain_high, "cost": found.cost}
    made = said(
        f"promotion_design.pays_{branch}",
        found.gain - found.cost,
        "money a promotion",
        found.n,
        f"promotion_design.do_pays_{branch}",
        practices,
        **values,
    )
    by = found.steps.set_index("step")
    is_clean = by.loc["before", "low"] <= 0 <= by.loc["before", "high"]
    aimed = say("promotion_design.effect_aimed", before=by.loc["before", "effect"])
    wide = say("promotion_design.pays_wide")
    verdict, reason = judge(
        Gate(is_clean, Verdict.NO_CONCLUSION, aimed), Gate(branch != "unclear", Verdict.CAUTION, wide)
    )
    interval = (found.gain_low - found.cost, found.gain_high - found.cost)
    return replace(made, interval=interval, level=effects.LEVEL, verdict=verdict, reason=reason)


def kind_table(result: PromotionPlan) -> pd.DataFrame:
    """What each kind cost in twelve months."""
    renamed = {"n": "promotions", "cost": "promotion_cost", "revenue": "promoted_revenue"}
    rows = result.kinds.rename(columns=renamed)
    return rows.assign(kind_said=_kinds(rows["kind"]))


def bunching(result: PromotionPlan) -> Finding:
    """Whether purchases are bent to reach the thresholds of rebates."""
    practices, found = ("K055",), result.rebates
    if found is None:
        return said("promotion_design.rebates_absent", practices=practices, verdict=Verdict.NO_CONCLUSION)
    near, n = found.above + found.below, len(found.rows)
    if near < FEWEST_NEAR:
        few = {"near": near, "practices": practices, "verdict": Verdict.NO_CONCLUSION}
        return said("promotion_design.rebates_few", n=n, **few)
    branch = "bent" if found.chance < CERTAIN else "straight"
    values = {"above": found.above, "below": found.below, "near": near, "reached": found.reached}
    values |= {"loading": found.loading_near, "usual": found.loading_other, "practices": practices}
    share = shares.of(found.above, near)
    do = f"promotion_design.do_rebates_{branch}"
    made = said(f"promotion_design.rebates_{branch}", share.value, "share of those near it", n, do, **values)
    return replace(made, interval=(share.low, share.high), level=shares.LEVEL)


def rebate_table(result: PromotionPlan) -> pd.DataFrame:
    """The last rebates, with how far each was reached."""
    if result.rebates is None:
        return pd.DataFrame(columns=REBATE_COLUMNS)
    rows = result.rebates.rows.sort_values(["ends_on", "reach"], ascending=False, ignore_index=True)
    rows["name"] = rows["account_id"].map(result.account_names)
    renamed = {"threshold": "threshold_amount", "bought": "bought_amount"}
    return rows.rename(columns=renamed)


def ahead(result: PromotionPlan) -> Finding:
    """Promotions of key accounts that ran at this time last year."""
    n, practices = len(result.calendar), ("K053",)
    if not result.has_promotions:
        return said("promotion_design.ahead_absent", practices=practices, verdict=Verdict.NO_CONCLUSION)
    if not n:
        return said("promotion_design.ahead_none", 0, "promotions", practices=practices)
    first = result.calendar.iloc[0]
    values = {"accounts": result.calendar["account_id"].nunique(), "name": first["name"], "day": first["ran_on"]}
    branch = "one" if n == 1 else "some"
    return said(
        f"promotion_design.ahead_{branch}", n, "promotions", n, "promotion_design.do_ahead", practices, **values
    )


def calendar_table(result: PromotionPlan) -> pd.DataFrame:
    """Last year's promotions in the time ahead."""
    rows = with_managers(result.calendar, result.names.managers).rename(columns={"due_on": "again_on"})
    return rows.assign(kind_said=_kinds(rows["kind"]))


def category_table(result: PromotionPlan) -> pd.DataFrame:
    """What the account buys by category, this year and the year before."""
    return of_year(result.categories)


def template(result: PromotionPlan) -> pd.DataFrame:
    """The joint template for one account: what is on file, and what is to be agreed with it."""
    account, known = result.account, result.categories
    grown = known[known["revenue"] < known["revenue_previous"]]
    entries = {
        "place": " · ".join(str(account[c]) for c in ("industry", "region") if pd.notna(account.get(c))),
        "strong": ", ".join(known["category"].head(3)),
        "falling": ", ".join(grown["category"].head(3)),
        "last": _last(result),
        "worth": _worth(result),
        "share": "",
        "stop": "",
    }
    rows = [
        (
            say(f"promotion_design.topic_{key}"),
            entry or say("promotion_design.on_nothing"),
            say(f"promotion_design.agree_{key}"),
        )
        for key, entry in entries.items()
    ]
    return pd.DataFrame(rows, columns=TEMPLATE_COLUMNS)


def _last(result: PromotionPlan) -> str:
    if result.past.empty:
        return ""
    last = result.past.iloc[0]
    return say("promotion_design.on_last", kind=_kinds([last["kind"]])[0], day=last["starts_on"])


def _worth(result: PromotionPlan) -> str:
    found = result.uplift
    return "" if found is None else say("promotion_design.on_worth", low=found.net_low, high=found.net_high)


def training(result: PromotionPlan) -> Finding:
    """How many key accounts have sellers and users who were trained on our goods."""
    practices, found = ("K056",), result.trained
    if found is None:
        return said("promotion_design.training_absent", practices=practices, verdict=Verdict.NO_CONCLUSION)
    if not found.n:
        return said("promotion_design.training_nobody", practices=practices, verdict=Verdict.NO_CONCLUSION)
    do = "promotion_design.do_training" if found.hits < found.n else ""
    values = {"hits": found.hits, "practices": practices}
    return said("promotion_design.training_some", found.value, "share of key accounts", found.n, do, **values)


def _kinds(kinds) -> list[str]:
    return [say(f"promotion_design.kind_{kind}") for kind in kinds]


def untrained_table(result: PromotionPlan) -> pd.DataFrame:
    """The key accounts whose people came to no training."""
    return with_managers(result.untrained, result.names.managers)
