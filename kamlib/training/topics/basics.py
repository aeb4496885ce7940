"""Exercises on the basics: what makes a key account, and what only looks like one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.training.exercises import Deal, Draft, exercise


@exercise("basics.four_tests")
def four_tests(deal: Deal) -> Draft:
    """Which accounts pass three of the four tests: frequency, volume, margin and influence."""
    company, settings = deal.company, deal.company.book.settings
    frame = company.buyers
    total, rate = frame["revenue"].sum(), frame["margin"].sum() / frame["revenue"].sum()
    cuts = {
        "months": settings.value("rfm_active_months")[2],
        "volume": settings.value("rfm_money_multiples")[2] * total / len(frame),
        "margin": rate,
        "influence": settings.value("influence_share"),
    }
    shown = frame.assign(share_of_all=frame["revenue"] / total)
    passed = (
        (shown["active_months"] >= cuts["months"]).astype(int)
        + (shown["revenue"] >= cuts["volume"])
        + (shown["margin_rate"] >= cuts["margin"])
        + (shown["share_of_all"] >= cuts["influence"])
    )
    needed = int(settings.value("key_account_tests"))
    clear = (shown["margin_rate"] - rate).abs() > 0.01
    near = clear & passed.between(1, 4)
    chosen = deal.mixed((passed >= needed)[near], 6)
    right = frozenset(a for a in chosen if passed[a] >= needed)
    rows = shown.loc[chosen, ["label", "active_months", "revenue", "margin_rate", "share_of_all"]]
    largest = rows["revenue"].drop(list(right)).idxmax()
    is_large = rows.at[largest, "revenue"] >= cuts["volume"]
    values = {**cuts, "needed": needed, "n": len(right), "largest": company.name_of(largest), "passed": passed[largest]}
    return Draft(right, values, rows, case="large" if is_large else "small")


@exercise("basics.one_off")
def one_off(deal: Deal) -> Draft:
    """Which of four accounts that grew owes its growth to a single order."""
    company = deal.company
    orders = company.recent.groupby(["account_id", "order_id"])["revenue"].sum()
    frame = company.buyers.assign(largest_order=orders.groupby("account_id").max())
    frame = frame[(frame["revenue"] >= 1.2 * frame["revenue_previous"].fillna(0)) & (frame["revenue"] > 10_000)]
    share = frame["largest_order"] / frame["revenue"]
    single, steady = frame.index[share >= 0.25], frame.index[share <= 0.12]
    once = deal.one(single)
    chosen = deal.pick([once, *deal.pick(steady, 3)], 4)
    rows = frame.loc[chosen, ["label", "revenue_previous", "revenue", "active_months", "largest_order"]]
    rest = frame.at[once, "revenue"] - frame.at[once, "largest_order"]
    values = {"account": company.name_of(once), "share": share[once], "rest": rest}
    wrong = {key: {"own": share[key], "months": frame.at[key, "active_months"]} for key in chosen}
    return Draft(once, values, rows, options=rows["label"].to_dict(), wrong=wrong)


@exercise("basics.vip")
def vip(deal: Deal) -> Draft:
    """Who reaches the VIP line in a month: middle and high tier, net of returns, limits included."""
    company, settings = deal.company, deal.company.book.settings
    single, month = settings.value("vip_single_purchase"), settings.value("vip_month_purchase")
    lines = company.recent.assign(month=company.recent["order_date"].dt.to_period("M"))
    lines = lines[lines["month"] == deal.one(sorted(lines["month"].unique()))]
    counted = lines[lines["tier"].isin(["mid", "high"]) & (lines["revenue"] > 0)]
    back = lines[lines["tier"].isin(["mid", "high"]) & (lines["revenue"] < 0)]
    frame = pd.DataFrame(
        {
            "largest_purchase": counted.groupby(["account_id", "order_id"])["revenue"]
            .sum()
            .groupby("account_id")
            .max(),
            "mid_high": counted.groupby("account_id")["revenue"].sum(),
            "low_tier": lines[lines["tier"] == "low"].groupby("account_id")["revenue"].sum(),
            "returned": back.groupby("account_id")["revenue"].sum(),
        }
    ).fillna(0.0)
    near = frame[(frame["mid_high"] + frame["low_tier"]).between(0.4 * month, 2.5 * month) & (frame["returned"] == 0)]
    near = near.assign(label=company.accounts["label"])
    reached = (near["largest_purchase"] >= single) | (near["mid_high"] >= month)
    chosen = deal.mixed(reached, 6)
    values = {"single": single, "month": month, "when": lines["month"].iloc[0], "n": int(reached[chosen].sum())}
    rows = near.loc[chosen, ["label", "largest_purchase", "mid_high", "low_tier"]]
    return Draft(frozenset(a for a in chosen if reached[a]), values, rows)


@exercise("basics.pareto")
def pareto(deal: Deal) -> Draft:
    """What share of the revenue the top fifth of a region's accounts brings."""
    company = deal.company
    parts = [(by, value) for by in ("region", "industry") for value in _large(company.buyers[by])]
    by, part = deal.one(parts)
    first = int(deal.rng.integers(company.months.shape[1] - 11))
    year = company.months.iloc[:, first : first + 12]
    revenue = year.sum(axis=1)[company.accounts[by] == part]
    revenue = revenue[revenue > 0].sort_values(ascending=False)
    fifths = np.array_split(revenue.to_numpy(), 5)
    rows = pd.DataFrame(
        {
            "fifth": ["1", "2", "3", "4", "5"],
            "accounts": [len(part) for part in fifths],
            "revenue": [part.sum() for part in fifths],
        }
    )
    share = 100 * fifths[0].sum() / revenue.sum()
    case = "as_told" if abs(share - 80) <= 5 else "less" if share < 80 else "more"
    values = {"part": part, "share": share, "from": year.columns[0], "to": year.columns[-1]}
    return Draft(float(share), values, rows, case=case, tolerance=4, span=(0, 100, 1))


def _large(column: pd.Series) -> list[str]:
    counts = column.value_counts()
    return sorted(counts.index[counts >= 20])


@exercise("basics.groups")
def groups(deal: Deal) -> Draft:
    """How many customers there are, when a group with its branches counts once."""
    frame = deal.company.accounts
    families = frame["parent_id"].dropna()
    parents = deal.pick(families.unique(), int(deal.rng.integers(1, 4)))
    members = [a for p in parents for a in [*families.index[families == p][: int(deal.rng.integers(1, 4))], p]]
    members = [account for account in members if account in frame.index]
    single = frame.index[frame["parent_id"].isna() & ~frame.index.isin(families)]
    chosen = [*members, *deal.pick(single, int(deal.rng.integers(1, 5)))]
    chosen = deal.pick(chosen, len(chosen))
    rows = frame.loc[chosen, ["label", "parent_id", "revenue"]]
    count = len({parent if isinstance(parent, str) else account for account, parent in rows["parent_id"].items()})
    values = {"n": len(chosen), "count": count}
    return Draft(float(count), values, rows, span=(1, 15, 1))


@exercise("basics.payback")
def payback(deal: Deal) -> Draft:
    """After how many years the cost of winning an account is earned back."""
    company = deal.company
    good = company.buyers[(company.buyers["revenue"] > 300_000) & (company.buyers["margin_rate"] > 0.1)]
    account = deal.one(good.index)
    margin = float(good.at[account, "margin"])
    upkeep = round(margin * deal.rng.uniform(0.1, 0.3), -3)
    invested = round((margin - upkeep) * deal.rng.uniform(0.8, 4.0), -4)
    years = invested / (margin - upkeep)
    rows = pd.DataFrame({"invested": [invested], "margin_year": [margin], "upkeep_year": [upkeep]})
    values = {
        "account": company.name_of(account),
        "left": margin - upkeep,
        "years": years,
        "first": (invested + upkeep) / margin,
        "three": (invested + 3 * upkeep) / (3 * margin),
    }
    return Draft(float(years), values, rows, tolerance=0.3, span=(0, 8, 0.1))


@exercise("basics.central")
def central(deal: Deal) -> Draft:
    """Which account buys through one centre, so that one relationship reaches the whole of it."""
    company = deal.company
    spend = company.recent.dropna(subset=["buying_centre"])
    spend = spend.groupby(["account_id", "buying_centre"])["revenue"].sum()
    spend = spend[spend > 0]
    total = spend.groupby("account_id").sum()
    frame = pd.DataFrame(
        {"top_centre": spend.groupby("account_id").max() / total, "centres": spend.groupby("account_id").size()}
    )
    frame = frame.join(company.buyers[["label", "revenue"]], how="inner")
    frame = frame[(frame["centres"] >= 2) & (frame["revenue"] > frame["revenue"].median())]
    drawn = deal.clear_best(frame["top_centre"], 4, 1.25)
    best = drawn.idxmax()
    rows = frame.loc[drawn.index, ["label", "revenue", "centres", "top_centre"]]
    values = {"account": company.name_of(best), "share": drawn[best], "next": drawn.drop(best).max()}
    wrong = {key: {"own": drawn[key]} for key in drawn.index}
    return Draft(best, values, rows, options=rows["label"].to_dict(), wrong=wrong)
