"""Exercises on purchasing needs: what an account buys, when, how much of it from us, and who decides."""

from __future__ import annotations

import pandas as pd

from kamlib.training.company import Company
from kamlib.training.exercises import Deal, Draft, exercise

ROLES = ("decision_maker", "buyer", "user", "influencer", "sponsor")
COVER_DAYS = 14


@exercise("needs.white_space")
def white_space(deal: Deal) -> Draft:
    """Which category to ask about first: similar accounts buy it and this one does not."""
    company = deal.company
    spend = company.recent.groupby(["account_id", "category"])["revenue"].sum().unstack(fill_value=0.0)
    spend = spend.loc[spend.index.intersection(company.buyers.index)]
    industry = company.accounts["industry"]
    peers = industry[spend.index].value_counts()
    pool = [a for a in spend.index if peers.get(industry[a], 0) >= 12 and 2 <= (spend.loc[a] <= 0).sum() <= 6]

    def draw():
        account = deal.one(pool)
        like = spend[(industry[spend.index] == industry[account]) & (spend.index != account)]
        share = (like > 0).mean()
        size = company.buyers.at[account, "revenue"] / like.sum(axis=1)
        typical = like.where(like > 0).mul(size, axis=0).median()
        lacking = spend.columns[spend.loc[account] <= 0]
        return account, pd.DataFrame({"peer_share": share, "typical_spend": typical}).loc[lacking].dropna()

    def is_clear(drawn) -> bool:
        worth = (drawn[1]["peer_share"] * drawn[1]["typical_spend"]).nlargest(2)
        return len(worth) == 2 and worth.iloc[0] >= 1.25 * worth.iloc[1]

    account, rows = deal.until(draw, is_clear)
    worth = rows["peer_share"] * rows["typical_spend"]
    best = worth.idxmax()
    rows = rows.rename_axis("category").reset_index()
    values = {
        "account": company.name_of(account),
        "industry": industry[account],
        "category": best,
        "share": rows.set_index("category").at[best, "peer_share"],
        "worth": worth[best],
    }
    wrong = {name: {"own": worth[name]} for name in rows["category"]}
    return Draft(best, values, rows, options={name: name for name in rows["category"]}, wrong=wrong)


@exercise("needs.unmet")
def unmet(deal: Deal) -> Draft:
    """In what order accounts leave most of their potential with others."""
    frame = deal.company.buyers
    gap = (frame["annual_potential"] - frame["revenue"]).dropna()
    drawn = deal.spread(gap, 4, 1.25, within=8)
    order = tuple(drawn.sort_values(ascending=False).index)
    rows = frame.loc[drawn.index, ["label", "annual_potential", "revenue"]]
    largest = rows["annual_potential"].idxmax()
    values = {
        "first": deal.company.name_of(order[0]),
        "gap": gap[order[0]],
        "largest": deal.company.name_of(largest),
    }
    return Draft(order, values, rows, case="same" if largest == order[0] else "other")


SEASONS = {
    "mooncake season": "autumn",
    "new-year gifts": "new_year",
    "hot-spring season": "winter",
    "beach season": "summer",
    "school terms": "school",
    "steady": "steady",
}


@exercise("needs.season")
def season(deal: Deal) -> Draft:
    """When an account's need peaks, read off three years of months."""
    company = deal.company
    frame = company.buyers[company.buyers["active_months"] >= 6]
    kind = deal.one(sorted(frame["season"].unique()))
    pool = frame[frame["season"] == kind]
    account = deal.one(pool["revenue"].nlargest(max(3, len(pool) // 3)).index)
    series = company.months.loc[account].rename(company.name_of(account))
    return Draft(SEASONS[kind], {"account": company.name_of(account)}, series=series)


@exercise("needs.cover")
def cover(deal: Deal) -> Draft:
    """Which products at the customer run out before the next delivery can be there."""
    company = deal.company
    frame = _stock_and_use(company)
    frame["days"] = 30.4 * frame["on_hand"] / frame["used_month"]
    frame = frame[((frame["days"] - COVER_DAYS).abs() > 2) & (frame["days"] < 200)]
    frame = frame.join(company.frame("products").set_index("product_id")["name"].rename("product"), on="product_id")
    frame = frame.join(company.accounts["label"], on="account_id")
    short = frame["days"] < COVER_DAYS
    # A row is named by its product, so no product stands in it twice.
    chosen = deal.until(lambda: deal.mixed(short, 6), lambda drawn: frame.loc[drawn, "product"].is_unique)
    rows = frame.loc[chosen, ["product", "label", "on_hand", "used_month"]]
    rows.index = rows.index.astype(str)
    values = {"days": COVER_DAYS, "n": int(short[chosen].sum())}
    return Draft(frozenset(str(i) for i in chosen if short[i]), values, rows)


@exercise("needs.roles")
def roles(deal: Deal) -> Draft:
    """Which roles in the buying centre nobody of ours knows yet."""
    company = deal.company
    people = company.frame("contacts").dropna(subset=["role"])
    known = people.groupby("account_id")["role"].agg(set)
    pool = known[known.map(lambda own: 2 <= len(own & set(ROLES)) < len(ROLES))]
    account = deal.one(pool.index)
    rows = pd.DataFrame({"role": deal.pick(ROLES, len(ROLES))}, index=None)
    rows.index = rows["role"].tolist()
    right = frozenset(set(ROLES) - known[account])
    values = {"account": company.name_of(account), "known": ", ".join(_worded(r) for r in sorted(known[account]))}
    return Draft(right, values, rows)


def _worded(role: str) -> str:
    return role.replace("_", " ")


@exercise("needs.cause")
def cause(deal: Deal) -> Draft:
    """Which cause of complaints in a region weighs most, counted by severity and not by number alone."""
    company = deal.company
    cases = company.frame("cases").dropna(subset=["category", "severity"])
    cases = cases.join(company.accounts[["region"]], on="account_id")
    months = cases["opened_on"].dt.to_period("M")
    ends = pd.period_range(months.min() + 11, months.max(), freq="M")

    def draw() -> pd.DataFrame:
        region, until = deal.one(cases["region"].dropna().unique()), deal.one(ends)
        own = cases[(cases["region"] == region) & months.between(until - 11, until)]
        serious = own["severity"] >= 3
        table = (
            own.assign(serious=serious)
            .groupby("category")
            .agg(complaints=("severity", "size"), serious=("serious", "sum"))
        )
        return table.assign(region=region, until=until).nlargest(5, "complaints")

    def is_clear(table: pd.DataFrame) -> bool:
        top = table["serious"].nlargest(2)
        return len(top) == 2 and top.iloc[0] >= 3 and top.iloc[0] > top.iloc[1]

    table = deal.until(draw, is_clear)
    worst, loudest = table["serious"].idxmax(), table["complaints"].idxmax()
    values = {
        "region": table["region"].iloc[0],
        "from": table["until"].iloc[0] - 11,
        "to": table["until"].iloc[0],
        "cause": worst,
        "n": table.at[worst, "serious"],
    }
    rows = table[["complaints", "serious"]].reset_index()
    case = "same" if table.at[worst, "complaints"] == table["complaints"].max() else "other"
    values |= {"loudest": loudest}
    wrong = {r.Index: {"own": r.serious, "all_of_it": r.complaints} for r in table.itertuples()}
    return Draft(worst, values, rows, options={c: c for c in rows["category"]}, case=case, wrong=wrong)


@exercise("needs.order_by")
def order_by(deal: Deal) -> Draft:
    """How many days an account may wait before it must order again, so as not to run out."""
    company = deal.company
    frame = _stock_and_use(company)
    lead = int(deal.rng.integers(5, 15))
    frame["wait"] = 30.4 * frame["on_hand"] / frame["used_month"] - lead
    row = frame.loc[deal.one(frame.index[frame["wait"].between(2, 60)])]
    name = company.frame("products").set_index("product_id").at[row["product_id"], "name"]
    values = {
        "account": company.name_of(row["account_id"]),
        "product": name,
        "lead": lead,
        "cover": row["wait"] + lead,
        "wait": row["wait"],
    }
    rows = pd.DataFrame(
        {"product": [name], "on_hand": [row["on_hand"]], "used_month": [row["used_month"]], "lead_days": [lead]}
    )
    return Draft(float(row["wait"]), values, rows, tolerance=max(2.0, 0.1 * row["wait"]), span=(0, 90, 1))


def _stock_and_use(company: Company) -> pd.DataFrame:
    """What lay at the customers at the last count, with ``used_month``: what half a year's orders say they use."""
    stock = company.frame("stock")
    stock = stock[stock["counted_on"] == stock["counted_on"].max()].dropna(subset=["on_hand"])
    used = company.lines[company.lines["order_date"] > company.as_of - pd.DateOffset(months=6)]
    used = used.groupby(["account_id", "product_id"])["quantity"].sum().rename("used_month") / 6
    return stock.join(used[used > 0], on=["account_id", "product_id"], how="inner")
