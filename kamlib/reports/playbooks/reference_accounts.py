"""What the playbook of references says: their yield, whom to ask, benchmarks, word of mouth, and the club's use."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.playbooks.said import of_year, said
from kamlib.reports.sentences import say
from kamlib.studies import shares
from kamlib.studies.diffusion import FEWEST_FOLLOWED
from kamlib.studies.plans.reference_accounts import ACTIVE_DAYS, ReferencePlan
from kamlib.studies.portfolio import with_managers

BROUGHT_COLUMNS = ["name", "referred_name", "referred_on", "has_bought", "revenue_of_year"]
ASK_COLUMNS = ["name", "manager", "industry", "last_satisfaction", "prospects"]
BENCHMARK_COLUMNS = ["industry", "customers", "prospects", "references", "benchmark", "last_satisfaction"]
CLUB_COLUMNS = ["benefit_said", "accounts_asked", "invitations", "came_share", "came_low", "came_high"]
CERTAIN, FEWEST = 0.05, 20
LITTLE_USED = 0.3
_NONE = Verdict.NO_CONCLUSION


def yields(result: ReferencePlan) -> Finding:
    """What references brought in twelve months, and whether those who came by one stay."""
    practices = ("K080", "K107")
    if result.brought is None:
        return said("reference_accounts.yields_absent", practices=practices, verdict=_NONE)
    rows = result.brought
    values = {"givers": rows["account_id"].nunique(), "buyers": int(rows["has_bought"].sum())}
    values |= {"revenue": float(rows["revenue"].sum()), "practices": practices}
    return said("reference_accounts.yields_some", values["revenue"], "money a year", len(rows), **values)


def staying(result: ReferencePlan) -> Finding:
    """Whether accounts that came by reference are still buying more often than other new ones."""
    practices = ("K107",)
    one, other = result.referred_active, result.other_active
    if one is None or not one.n or not other.n:
        return said("reference_accounts.staying_unknown", practices=practices, verdict=_NONE)
    gap, low, high = shares.difference(one, other)
    branch = "more" if low > 0 else "less" if high < 0 else "unclear"
    values = {"one": one.value, "other": other.value, "n_one": one.n, "n_other": other.n, "low": low, "high": high}
    values |= {"days": ACTIVE_DAYS, "practices": practices}
    made = said(f"reference_accounts.staying_{branch}", gap, "share of accounts", one.n + other.n, **values)
    verdict, reason = judge(
        Gate(False, Verdict.CAUTION, say("reference_accounts.staying_chosen")),
        Gate(min(one.n, other.n) >= FEWEST, _NONE, say("reference_accounts.staying_few", least=FEWEST)),
    )
    return replace(made, interval=(low, high), level=shares.LEVEL, verdict=verdict, reason=reason)


def brought_table(result: ReferencePlan) -> pd.DataFrame:
    """The references on file, those that brought most first."""
    return pd.DataFrame(columns=BROUGHT_COLUMNS) if result.brought is None else of_year(result.brought)


def asking(result: ReferencePlan) -> Finding:
    """Whom to ask for a reference."""
    practices, n = ("K080",), len(result.askable)
    if not result.has_surveys:
        return said("reference_accounts.asking_absent", practices=practices, verdict=_NONE)
    values = {"least": result.least, "practices": practices}
    if not n:
        return said("reference_accounts.asking_none", 0, "accounts", **values)
    first = result.askable.iloc[0]
    values |= {"name": first["name"], "prospects": int(first["prospects"])}
    branch = "one" if n == 1 else "some"
    return said(f"reference_accounts.asking_{branch}", n, "accounts", n, "reference_accounts.do_asking", **values)


def ask_table(result: ReferencePlan) -> pd.DataFrame:
    """Whom to ask, key accounts with prospects in their trade first."""
    rows = with_managers(result.askable, result.names.managers)
    return rows.rename(columns={"satisfaction": "last_satisfaction"})


def benchmarks(result: ReferencePlan) -> Finding:
    """For how many trades a content key account can stand as benchmark."""
    practices, rows = ("K107",), result.benchmarks
    if rows.empty:
        return said("reference_accounts.benchmarks_absent", practices=practices, verdict=_NONE)
    if not result.has_surveys:
        return said(
            "reference_accounts.benchmarks_unheard", len(rows), "industries", practices=practices, verdict=_NONE
        )
    known = rows.dropna(subset=["account_id"])
    lacking = rows[rows["account_id"].isna() & (rows["prospects"] > 0)]
    values = {"known": len(known), "lacking": len(lacking), "prospects": int(lacking["prospects"].sum())}
    do = "reference_accounts.do_benchmarks" if len(lacking) else ""
    return said("reference_accounts.benchmarks_some", len(known), "industries", len(rows), do, practices, **values)


def benchmark_table(result: ReferencePlan) -> pd.DataFrame:
    """The trades, those with most prospects first."""
    return result.benchmarks.rename(columns={"name": "benchmark", "satisfaction": "last_satisfaction"})


def word_of_mouth(result: ReferencePlan) -> Finding:
    """Whether new products pass between accounts that know each other."""
    practices, found = ("K107",), result.word
    if found is None:
        return said("reference_accounts.word_absent", practices=practices, verdict=_NONE)
    values = {name: getattr(found, name) for name in ("links", "followed", "expected", "low", "high", "products")}
    branch, n = "more" if found.chance < CERTAIN else "alike", found.links
    made = said(f"reference_accounts.word_{branch}", found.followed, "purchases", n, practices=practices, **values)
    few = say("reference_accounts.word_few", least=FEWEST_FOLLOWED)
    verdict, reason = judge(
        Gate(found.followed >= FEWEST_FOLLOWED, _NONE, few),
        Gate(False, Verdict.CAUTION, say("reference_accounts.word_alike_anyway")),
    )
    return replace(made, verdict=verdict, reason=reason)


def club(result: ReferencePlan) -> Finding:
    """Which benefits for key accounts are used."""
    practices = ("K108",)
    if result.club is None or result.club.empty:
        return said("reference_accounts.club_absent", practices=practices, verdict=_NONE)
    best, least = result.club.iloc[0], result.club.iloc[-1]
    unused = int((result.club["share_high"] < LITTLE_USED).sum())
    values = {
        "best": say(f"reference_accounts.benefit_{best['benefit']}"),
        "best_share": best["share"],
        "unused": unused,
    }
    values |= {"least": say(f"reference_accounts.benefit_{least['benefit']}"), "least_share": least["share"]}
    do = "reference_accounts.do_club" if unused else ""
    branch = "one" if len(result.club) == 1 else "some"
    n = int(result.club["n"].sum())
    return said(f"reference_accounts.club_{branch}", best["share"], "share of invitations", n, do, practices, **values)


def club_table(result: ReferencePlan) -> pd.DataFrame:
    """The benefits and their use by key accounts."""
    if result.club is None or result.club.empty:
        return pd.DataFrame(columns=CLUB_COLUMNS)
    renamed = {"asked": "accounts_asked", "n": "invitations", "share": "came_share"}
    renamed |= {"share_low": "came_low", "share_high": "came_high"}
    told = [say(f"reference_accounts.benefit_{one}") for one in result.club["benefit"]]
    return result.club.rename(columns=renamed).assign(benefit_said=told)
