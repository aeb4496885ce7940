"""Exercises on recommending products: to whom, with what proof, on which terms, and when not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.training.exercises import Deal, Draft, exercise


@exercise("recommendation.trial")
def trial(deal: Deal) -> Draft:
    """Which account to ask first to try a new product: it buys the category, is open to new things, and is content."""
    company = deal.company
    category = deal.one(sorted(company.recent["category"].dropna().unique()))
    spend = company.recent[company.recent["category"] == category].groupby("account_id")["revenue"].sum()
    ratings = company.frame("ratings")
    open_to = ratings[ratings["criterion"] == "innovation"].groupby("account_id")["score"].mean()
    waits = _open_complaints(deal)
    frame = company.buyers.join(spend.rename("spend_category")).join(open_to.rename("innovation"), how="inner")
    frame["spend_category"] = frame["spend_category"].fillna(0.0)
    frame = frame.assign(open_complaints=waits.reindex(frame.index).fillna(0))
    fits = (frame["spend_category"] > 0) & (frame["open_complaints"] == 0)

    def draw() -> pd.DataFrame:
        return frame.loc[deal.pick([*deal.pick(frame.index[fits], 2), *deal.pick(frame.index[~fits], 2)], 4)]

    def is_clear(drawn: pd.DataFrame) -> bool:
        first, second = drawn.loc[fits[drawn.index], "innovation"].nlargest(2)
        return first >= second + 0.5 and drawn["innovation"].max() > first

    drawn = deal.until(draw, is_clear)
    best = drawn.loc[fits[drawn.index], "innovation"].idxmax()
    rows = drawn[["label", "spend_category", "innovation", "open_complaints"]]
    values = {
        "category": category,
        "account": company.name_of(best),
        "newest": company.name_of(drawn["innovation"].idxmax()),
    }
    wrong = {row.Index: {"reason": _against_trial(row), "own": row.innovation} for row in rows.itertuples()}
    return Draft(best, values, rows, options=rows["label"].to_dict(), wrong=wrong)


def _against_trial(row) -> str:
    """What speaks against asking an account to try, the gravest first."""
    if row.open_complaints:
        return "waits"
    return "less_open" if row.spend_category > 0 else "other_goods"


def _open_complaints(deal: Deal) -> pd.Series:
    cases = deal.company.frame("cases")
    return cases[cases["closed_on"].isna()].groupby("account_id").size()


@exercise("recommendation.adopters")
def adopters(deal: Deal) -> Draft:
    """How many more accounts take up a product because they tried it, by the true odds."""
    process = deal.company.process
    months, n = int(deal.rng.integers(4, 10)), int(deal.rng.integers(3, 9)) * 10
    monthly = process["adoption_rate"]
    tried_odds = process["odds_trial"] * monthly / (1 - monthly)
    tried = tried_odds / (1 + tried_odds)
    without, after = 1 - (1 - monthly) ** months, 1 - (1 - tried) ** months
    rows = pd.DataFrame({"group": ["no_trial", "trial"], "accounts": [n, n], "adopted_share": [without, after]})
    more = n * (after - without)
    values = {"months": months, "n": n, "more": more, "without": without, "after": after}
    return Draft(float(more), values, rows, tolerance=1.5, span=(0, 80, 1))


@exercise("recommendation.promotion")
def promotion(deal: Deal) -> Draft:
    """Whether a promotion pays once what is bought earlier is missing later, by the true response."""
    company, process = deal.company, deal.company.process
    good = company.buyers[(company.buyers["revenue"] > 200_000) & (company.buyers["margin_rate"] > 0.08)]

    def draw() -> tuple[str, float]:
        return deal.one(good.index), float(deal.rng.uniform(0.01, 0.12))

    def gain(drawn: tuple[str, float]) -> tuple[float, float, float]:
        month = good.at[drawn[0], "revenue"] / 12
        rise, dip = month * np.expm1(process["promotion_uplift"]), month * -np.expm1(-process["promotion_dip"])
        return rise, dip, (rise - dip) * good.at[drawn[0], "margin_rate"] - drawn[1] * month

    wanted = deal.one([True, False])
    is_clear = lambda drawn: (gain(drawn)[2] > 0) == wanted and abs(gain(drawn)[2]) > 300  # noqa: E731
    drawn = deal.until(draw, is_clear)
    rise, dip, net = gain(drawn)
    account, month = drawn[0], good.at[drawn[0], "revenue"] / 12
    cost = drawn[1] * month
    rows = pd.DataFrame(
        {
            "revenue_month": [month],
            "rise": [rise],
            "dip": [dip],
            "margin_rate": [good.at[account, "margin_rate"]],
            "promotion_cost": [cost],
        }
    )
    without_dip = rise * good.at[account, "margin_rate"] - cost
    answer = "run" if net > 0 else "leave"
    case = "tempting" if net < 0 < without_dip else answer
    values = {"account": company.name_of(account), "net": net, "without_dip": without_dip}
    return Draft(
        answer, values, rows, case=case, wrong={"run": {"reason": "tempting" if case == "tempting" else "run"}}
    )


@exercise("recommendation.rebate")
def rebate(deal: Deal) -> Draft:
    """Who is near enough to a rebate's threshold to order early for it."""
    company = deal.company
    terms = company.frame("promotions")
    terms = terms[(terms["kind"] == "rebate") & terms["threshold"].notna() & (terms["ends_on"] <= company.as_of)]
    terms = terms[terms["ends_on"] > company.as_of - pd.DateOffset(months=18)]
    when = company.lines[["account_id", "order_date", "revenue"]]
    both = terms.merge(when, on="account_id")
    stop = both["ends_on"] - pd.Timedelta(days=30)
    inside = both[(both["order_date"] >= both["starts_on"]) & (both["order_date"] <= stop)]
    bought = inside.groupby("promotion_id")["revenue"].sum()
    frame = terms.set_index("promotion_id").assign(bought=bought).dropna(subset=["bought"])
    frame = frame[frame["bought"] > 0]
    frame["reached"] = frame["bought"] / frame["threshold"]
    frame["label"] = frame["account_id"].map(company.accounts["label"])
    clear = ((frame["reached"] - 0.8).abs() > 0.02) & ((frame["reached"] - 1).abs() > 0.02)
    near = (frame["reached"] >= 0.8) & (frame["reached"] < 1)
    frame, near = frame[clear].drop_duplicates("account_id"), near[clear]
    near = near[frame.index]
    chosen = deal.mixed(near, 6)
    rows = frame.loc[chosen, ["label", "threshold", "bought"]]
    return Draft(frozenset(p for p in chosen if near[p]), {"n": int(near[chosen].sum())}, rows)


@exercise("recommendation.reference")
def reference(deal: Deal) -> Draft:
    """Whom to name as a reference: same trade, very content, still there, and nothing open."""
    company, least = deal.company, deal.company.book.settings.value("referral_satisfaction")
    surveys = company.frame("surveys").dropna(subset=["satisfaction"]).sort_values("surveyed_on")
    content = surveys.groupby("account_id")["satisfaction"].last()
    waits = _open_complaints(deal)
    frame = company.buyers.join(content, how="inner")
    frame = frame.assign(open_complaints=waits.reindex(frame.index).fillna(0))
    good = (frame["satisfaction"] >= least) & (frame["open_complaints"] == 0)
    best = deal.one(good.index[good])
    industry = frame.at[best, "industry"]
    same = frame["industry"] == industry
    pools = [
        frame.index[same & ~good & (frame["revenue"] > frame.at[best, "revenue"])],
        frame.index[same & ~good],
        frame.index[~same & good],
        frame.index[~same & ~good],
    ]
    others: list[str] = []
    for pool in pools:
        left = pool.difference([*others, best])
        others += deal.pick(left, 1) if len(left) and len(others) < 3 else []
    chosen = deal.pick([best, *others], 1 + len(others))
    rows = frame.loc[chosen, ["label", "industry", "satisfaction", "open_complaints", "revenue"]]
    values = {"industry": industry, "account": company.name_of(best), "least": least}
    wrong = {row.Index: _against_reference(row, industry) for row in rows.itertuples()}
    return Draft(best, values, rows, options=rows["label"].to_dict(), wrong=wrong)


def _against_reference(row, industry: str) -> dict:
    """What speaks against naming an account, what shows at once first."""
    if row.industry != industry:
        return {"reason": "other_trade", "own": row.industry}
    return {"reason": "waits" if row.open_complaints else "discontent", "own": row.satisfaction}


@exercise("recommendation.fit")
def fit(deal: Deal) -> Draft:
    """Whom not to recommend a product to, because nothing shows that it would be of use there."""
    company = deal.company
    sold = company.frame("products").dropna(subset=["category"])

    def draw() -> tuple[pd.Series, pd.DataFrame, pd.Series]:
        product = sold.loc[deal.one(sold.index)]
        lines = company.recent[company.recent["category"] == product["category"]]
        buys = pd.Series(company.buyers.index.isin(lines["account_id"]), company.buyers.index)
        peers = company.buyers["industry"].map(buys.groupby(company.buyers["industry"]).mean())
        frame = company.buyers.assign(buys_category=buys, peer_share=peers)
        frame = frame[buys | ((peers - 0.5).abs() > 0.04)]
        return product, frame, ~frame["buys_category"] & (frame["peer_share"] < 0.5)

    product, frame, useless = deal.until(draw, lambda drawn: drawn[2].sum() >= 2)
    chosen = deal.mixed(useless, 6)
    rows = frame.loc[chosen, ["label", "industry", "buys_category", "peer_share"]]
    right = frozenset(a for a in chosen if useless[a])
    return Draft(right, {"product": product["name"], "category": product["category"], "n": len(right)}, rows)


@exercise("recommendation.offer")
def offer(deal: Deal) -> Draft:
    """Which of three offers leaves us most, price and cost and quantity together."""
    sold = deal.company.frame("products").dropna(subset=["list_price", "unit_cost", "tier"])
    sold = sold[sold["list_price"] > sold["unit_cost"]]

    def draw() -> pd.DataFrame:
        chosen = sold.loc[deal.pick(sold.index, 3)]
        budget = 60_000.0
        discount = deal.rng.choice([0.0, 0.05, 0.08, 0.1, 0.12, 0.15], 3)
        price = chosen["list_price"].to_numpy() * (1 - discount)
        return pd.DataFrame(
            {
                "product": chosen["name"].to_numpy(),
                "discount": discount,
                "price": price,
                "unit_cost": chosen["unit_cost"].to_numpy(),
                "spend_year": budget * deal.rng.uniform(0.6, 1.4, 3).round(1),
            },
            index=["a", "b", "c"],
        )

    left = lambda rows: rows["spend_year"] * (1 - rows["unit_cost"] / rows["price"])  # noqa: E731

    def is_clear(rows: pd.DataFrame) -> bool:
        worth = left(rows).nlargest(2)
        return (
            worth.iloc[1] > 0
            and worth.iloc[0] >= 1.25 * worth.iloc[1]
            and rows["spend_year"].idxmax() != worth.index[0]
        )

    rows = deal.until(draw, is_clear)
    best, most = left(rows).idxmax(), rows["spend_year"].idxmax()
    values = {
        "product": rows.at[best, "product"],
        "left": left(rows)[best],
        "largest": rows.at[most, "product"],
        "left_largest": left(rows)[most],
    }
    worth = left(rows)
    wrong = {key: {"reason": "left" if worth[key] > 0 else "loss", "own": abs(worth[key])} for key in rows.index}
    return Draft(best, values, rows, options=rows["product"].to_dict(), wrong=wrong)
