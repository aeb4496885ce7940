"""Exercises on closing: what the open deals are worth, what a yes may cost, and which papers it needs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.book.company.process import CLASSES, Process, leaving_probability
from kamlib.training.exercises import Deal, Draft, exercise


def decided(deal: Deal) -> pd.DataFrame:
    """Deals that were won or lost, with the days they took."""
    deals = deal.company.frame("opportunities")
    deals = deals[deals["stage"].isin(["won", "lost"]) & deals["closed_on"].notna()]
    return deals.assign(days=(deals["closed_on"] - deals["opened_on"]).dt.days)


@exercise("closing.forecast")
def forecast(deal: Deal) -> Draft:
    """What open deals are worth, at the rate deals are truly won."""
    company = deal.company
    past, deals = decided(deal), company.frame("opportunities")
    running = deals[(deals["stage"] == "open") & deals["value"].notna()]
    chosen = running.loc[deal.pick(running.index, 5)]
    rate = float((past["stage"] == "won").mean())
    total = chosen["value"].sum()
    rows = chosen.assign(label=chosen["account_id"].map(company.accounts["label"]))[["label", "opened_on", "value"]]
    worth = rate * total / 1e3
    values = {
        "decided": len(past),
        "won": int((past["stage"] == "won").sum()),
        "rate": rate,
        "total": total,
        "worth": worth,
    }
    highest = float(np.ceil(total / 1e3 / 50) * 50)
    return Draft(float(worth), values, rows, tolerance=max(0.08 * worth, 5.0), span=(0, highest, 5))


@exercise("closing.dates")
def dates(deal: Deal) -> Draft:
    """In what order contracts are talked about: the one that ends first, first."""
    company = deal.company
    ends = company.frame("contracts").groupby("account_id")[["ends_on", "annual_value"]].last()
    ends = ends[(ends["ends_on"] > company.as_of)].join(company.accounts["label"])

    def is_fit(drawn: pd.DataFrame) -> bool:
        gaps = drawn["ends_on"].sort_values().diff().dropna().dt.days
        return gaps.min() >= 5 and drawn["annual_value"].idxmax() != drawn["ends_on"].idxmin()

    drawn = deal.until(lambda: ends.loc[deal.pick(ends.index, 4)], is_fit)
    right = tuple(drawn.sort_values("ends_on").index)
    notice = company.book.settings.value("contract_notice_days")
    inside = int((drawn["ends_on"] <= company.as_of + pd.Timedelta(days=notice)).sum())
    values = {"first": drawn.at[right[0], "label"], "notice": notice, "inside": inside, "today": company.as_of}
    return Draft(right, values, drawn[["label", "ends_on", "annual_value"]])


@exercise("closing.papers")
def papers(deal: Deal) -> Draft:
    """Which contracts cannot be relied on: not signed, or run out and not renewed."""
    company = deal.company
    last = company.frame("contracts").sort_values("ends_on").groupby("account_id").last()
    last = last.join(company.buyers["label"], how="inner")
    faulty = last["signed_on"].isna() | (last["ends_on"] < company.as_of)
    chosen = deal.mixed(faulty, 6)
    rows = last.loc[chosen, ["label", "starts_on", "ends_on", "signed_on"]]
    unsigned = int(rows["signed_on"].isna().sum())
    values = {"today": company.as_of, "n": int(faulty[chosen].sum()), "unsigned": unsigned}
    return Draft(frozenset(a for a in chosen if faulty[a]), values, rows)


@exercise("closing.lapse")
def lapse(deal: Deal) -> Draft:
    """How the chance to leave changes in the month a contract ends, by the true odds."""
    process = Process(**_as_tuples(deal.company.process))
    klass, complaint = int(deal.rng.integers(3)), bool(deal.rng.integers(2))
    flags = {"complaint": complaint, "under_contract": True}
    calm = float(leaving_probability(process, klass, **flags))
    ends = float(leaving_probability(process, klass, **flags, contract_ends=True))
    n = int(deal.rng.integers(4, 21)) * 10
    rows = pd.DataFrame({"when": ["calm", "ends"], "chance_month": [calm, ends], "accounts": [n, n]})
    values = {"n": n, "segment": CLASSES[klass], "more": n * (ends - calm), "calm": calm, "ends": ends}
    return Draft(
        float(n * (ends - calm)), values, rows, tolerance=max(0.3, 0.12 * n * (ends - calm)), span=(0, 20, 0.1)
    )


def _as_tuples(mapping: dict) -> dict:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in mapping.items()}


@exercise("closing.discount")
def discount(deal: Deal) -> Draft:
    """How far the price may fall before the margin falls below the floor."""
    products = deal.company.frame("products").dropna(subset=["list_price", "unit_cost"])
    floor = float(deal.rng.integers(8, 19)) / 100
    limit = 100 * (1 - products["unit_cost"] / (1 - floor) / products["list_price"])
    product = products.loc[deal.one(limit.index[limit.between(3, 30)])]
    rows = pd.DataFrame(
        {"product": [product["name"]], "list_price": [product["list_price"]], "unit_cost": [product["unit_cost"]]}
    )
    right = float(limit[product.name])
    values = {"floor": floor, "limit": right, "lowest": product["list_price"] * (1 - right / 100)}
    return Draft(right, values, rows, tolerance=1.0, span=(0, 40, 0.5))


@exercise("closing.give_up")
def give_up(deal: Deal) -> Draft:
    """Which open deal is older than nearly all that were ever decided."""
    company = deal.company
    past = decided(deal)
    limit, usual = float(past["days"].quantile(0.9)), float(past["days"].median())
    deals = company.frame("opportunities")

    def draw() -> tuple[pd.Timestamp, pd.DataFrame]:
        day = company.as_of - pd.Timedelta(days=int(deal.rng.integers(0, 360)))
        running = deals[(deals["opened_on"] <= day) & (deals["closed_on"].isna() | (deals["closed_on"] > day))]
        running = running.assign(days_open=(day - running["opened_on"]).dt.days)
        return day, running.drop_duplicates("account_id").dropna(subset=["value"])

    def is_fit(drawn: tuple[pd.Timestamp, pd.DataFrame]) -> bool:
        days = drawn[1]["days_open"]
        return (days > limit).any() and (days < 0.85 * limit).sum() >= 3

    day, running = deal.until(draw, is_fit)
    old, young = running[running["days_open"] > limit], running[running["days_open"] < 0.85 * limit]
    stale = deal.one(old.index)
    chosen = deal.pick([stale, *deal.pick(young.index, 3)], 4)
    rows = (
        running.loc[chosen]
        .assign(label=lambda f: f["account_id"].map(company.accounts["label"]))
        .set_index("account_id")
    )
    best = running.at[stale, "account_id"]
    values = {
        "account": company.name_of(best),
        "limit": limit,
        "usual": usual,
        "days": running.at[stale, "days_open"],
        "day": day,
    }
    wrong = {key: {"own": days} for key, days in rows["days_open"].items()}
    return Draft(best, values, rows[["label", "days_open", "value"]], options=rows["label"].to_dict(), wrong=wrong)


@exercise("closing.concession")
def concession(deal: Deal) -> Draft:
    """Which concession costs us least for a year."""
    company = deal.company
    good = company.buyers[company.buyers["revenue"].between(300_000, 6_000_000)]
    cost = company.book.settings.value("visit_cost")

    def draw() -> tuple[str, float, int, float, pd.Series]:
        account = deal.one(good.index)
        share, visits = float(deal.rng.choice([0.005, 0.01, 0.02, 0.03])), int(deal.rng.integers(1, 4))
        days = float(deal.rng.choice([15, 30, 60, 90, 120]))
        revenue = good.at[account, "revenue"]
        costs = pd.Series(
            {"discount": share * revenue, "visits": 12 * visits * cost, "credit": revenue * 0.06 * days / 365}
        )
        return account, share, visits, days, costs

    wanted = deal.one(["discount", "visits", "credit"])
    drawn = deal.until(draw, lambda d: d[4].idxmin() == wanted and d[4].nsmallest(2).iloc[1] >= 1.3 * d[4].min())
    account, share, visits, days, costs = drawn
    rows = good.loc[[account], ["label", "revenue"]].assign(visit_cost=cost)
    values = {
        "account": company.name_of(account),
        "share": share,
        "visits": visits,
        "days": days,
        **{f"{k}_cost": v for k, v in costs.items()},
        "revenue": good.at[account, "revenue"],
        "visit_cost": cost,
    }
    return Draft(str(costs.idxmin()), values, rows)
