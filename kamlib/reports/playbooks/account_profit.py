"""What the playbook of profit says: who leaves what, the whale curve, exceptions, what came back, cheaper trade."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.playbooks.said import of_year, said
from kamlib.reports.sentences import say
from kamlib.studies import shares
from kamlib.studies.plans.account_profit import ProfitPlan

ACCOUNT_COLUMNS = [
    "name",
    "abc",
    "revenue_of_year",
    "margin",
    "visit_cost",
    "service_cost",
    "promotion_cost",
    "left_over",
]
LOSER_COLUMNS = ["name", "abc", "margin", "left_over", "left_three_years", "verdict_said"]
SPENT_COLUMNS = ["name", "invested_before", "margin_since", "is_back"]
TRADE_COLUMNS = ["class", "year_said", "orders", "revenue_per_order", "cost_per_order", "cost_of_revenue"]
COVERED, FEWEST = 0.9, 10
_NONE = Verdict.NO_CONCLUSION


def left(result: ProfitPlan) -> Finding:
    """What the accounts leave together, and how much the losing ones take away."""
    practices = ("K026", "K030")
    rows = result.accounts.dropna(subset=["left"])
    if rows.empty or not result.coverage > 0:
        return said("account_profit.left_unknown", practices=practices, verdict=_NONE)
    losing = rows[rows["left"] < 0]
    listed = sorted(result.known, key=lambda cost: cost == "service_cost")  # last, since it reads "... and service"
    costs = ", ".join(say(f"account_profit.cost_{cost}") for cost in listed)
    values = {"total": abs(rows["left"].sum()), "losing": len(losing), "lost": -losing["left"].sum(), "costs": costs}
    values |= {"peak": result.peak, "peak_share": result.peak_share, "practices": practices}
    branch = "bare" if not result.known else "all" if losing.empty else "some" if result.peak > 0 else "down"
    do = "account_profit.do_left" if branch in {"some", "down"} else ""
    made = said(f"account_profit.left_{branch}", float(rows["left"].sum()), "money a year", len(rows), do, **values)
    thin = say("account_profit.left_thin", coverage=result.coverage)
    few = say("account_profit.left_costs")
    verdict, reason = judge(
        Gate(result.coverage >= COVERED, Verdict.CAUTION, thin), Gate(len(result.known) == 3, Verdict.CAUTION, few)
    )
    return replace(made, verdict=verdict, reason=reason)


def account_table(result: ProfitPlan) -> pd.DataFrame:
    """The accounts, those that leave most first."""
    return of_year(result.accounts).rename(columns={"left": "left_over"})


def exceptions(result: ProfitPlan) -> Finding:
    """Accounts that lose this year: kept by exception, or with terms to be gone through."""
    practices, rows = ("K027",), result.accounts
    if rows["left"].isna().all() or not result.known:
        return said("account_profit.exceptions_unknown", practices=practices, verdict=_NONE)
    counts = rows["verdict"].value_counts()
    kept, terms = int(counts.get("exception", 0)), int(counts.get("terms", 0))
    values = {"kept": kept, "terms": terms, "practices": practices}
    if not kept + terms:
        return said("account_profit.exceptions_none", 0, "accounts", len(rows), **values)
    do = "account_profit.do_exceptions"
    return said("account_profit.exceptions_some", kept + terms, "accounts", len(rows), do, **values)


def courting(result: ProfitPlan) -> list[str]:
    """What was spent on accounts that have not bought, as one sentence; none where nothing was."""
    if not result.prospects_cost:
        return []
    return [say("account_profit.courting", cost=result.prospects_cost)]


def loser_table(result: ProfitPlan) -> pd.DataFrame:
    """The accounts that lose, the worst first."""
    rows = result.accounts[result.accounts["verdict"].isin(["terms", "exception"])].iloc[::-1]
    told = [say(f"account_profit.verdict_{one}") for one in rows["verdict"]]
    return rows.rename(columns={"left": "left_over"}).assign(verdict_said=told).reset_index(drop=True)


def returned(result: ProfitPlan) -> Finding:
    """On how many accounts the money spent was earned as margin in the year after."""
    practices, rows = ("K029",), result.spent
    if rows.empty:
        return said("account_profit.returned_absent", practices=practices, verdict=_NONE)
    back = shares.share(rows["is_back"])
    values = {"hits": back.hits, "invested": rows["invested"].sum(), "since": rows["margin_since"].sum()}
    values |= {"low": back.low, "high": back.high, "practices": practices}
    made = said("account_profit.returned_some", back.value, "share of accounts", back.n, **values)
    verdict, reason = judge(
        Gate(False, Verdict.CAUTION, say("account_profit.returned_anyway")),
        Gate(back.n >= FEWEST, _NONE, say("findings.too_few_accounts", n=back.n, needed=FEWEST)),
    )
    return replace(made, interval=(back.low, back.high), level=shares.LEVEL, verdict=verdict, reason=reason)


def spent_table(result: ProfitPlan) -> pd.DataFrame:
    """What was spent the year before last, and the margin of the year after."""
    return result.spent.rename(columns={"invested": "invested_before"})


def cheaper(result: ProfitPlan) -> Finding:
    """Whether large accounts cost less for each unit of revenue than small ones, and whether trade became cheaper."""
    practices = ("K032",)
    by = result.trade.set_index(["abc", "year"])["cost_share"]
    large, small = by.get(("A", "now")), by.get(("C", "now"))
    if not result.known or large is None or small is None or pd.isna(large) or pd.isna(small):
        return said("account_profit.cheaper_unknown", practices=practices, verdict=_NONE)
    before = by.get(("A", "before"), float("nan"))
    branch = "yes" if large < small else "no"
    values = {"large": large, "small": small, "practices": practices}
    made = said(f"account_profit.cheaper_{branch}", float(large), "cost of revenue", None, **values)
    if pd.isna(before):
        return made
    moved = say(f"account_profit.moved_{'down' if large < before else 'up'}", before=before, large=large)
    return replace(made, decision=moved)


def trade_table(result: ProfitPlan) -> pd.DataFrame:
    """Orders and their cost by class, this year and the year before."""
    years = [say(f"account_profit.year_{year}") for year in result.trade["year"]]
    return result.trade.rename(columns={"abc": "class", "cost_share": "cost_of_revenue"}).assign(year_said=years)
