"""Exercises on objections: look whether the customer is right before answering."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from kamlib.training.exercises import Deal, Draft, exercise


@exercise("objections.price")
def price(deal: Deal) -> Draft:
    """'You are too expensive': what this account pays of list, against what its class pays."""
    company = deal.company
    lines = company.recent[(company.recent["revenue"] > 0) & (company.recent["quantity"] > 0)]
    lines = lines.assign(listed=lines["list_price"] * lines["quantity"]).dropna(subset=["listed"])
    paid = lines.groupby("account_id")[["revenue", "listed"]].sum()
    frame = company.buyers.join((paid["revenue"] / paid["listed"]).rename("of_list"), how="inner")
    typical = frame.groupby("segment")["of_list"].median()
    gap = frame["of_list"] - frame["segment"].map(typical)
    kind = gap.map(lambda g: "more" if g > 0.02 else "less" if g < -0.02 else "alike" if abs(g) < 0.01 else "near")
    account = deal.one(kind.index[kind == deal.one(sorted(set(kind) - {"near"}))])
    values = {
        "account": company.name_of(account),
        "paid": frame.at[account, "of_list"],
        "typical": typical[frame.at[account, "segment"]],
    }
    rows = frame.loc[[account], ["label", "segment", "of_list"]].assign(typical_of_list=values["typical"])
    return Draft(kind[account], values, rows)


@exercise("objections.late")
def late(deal: Deal) -> Draft:
    """'You are always late': the record of deliveries against that of all."""
    company = deal.company
    shipped = company.frame("deliveries").dropna(subset=["delivered_on", "promised_on"])
    owner = company.lines[["order_id", "line_no", "account_id"]].drop_duplicates(["order_id", "line_no"])
    shipped = shipped[shipped["promised_on"] > company.as_of - pd.DateOffset(months=12)].merge(
        owner, on=["order_id", "line_no"]
    )
    is_late = shipped["delivered_on"] > shipped["promised_on"]
    table = is_late.groupby(shipped["account_id"]).agg(["size", "sum"])
    table.columns = ["deliveries", "late"]
    usual = float(is_late.mean())
    table = table[(table["deliveries"] >= 30) & table.index.isin(company.buyers.index)]
    gap = table["late"] / table["deliveries"] - usual
    kind = gap.map(lambda g: "worse" if g > 0.03 else "better" if g < -0.03 else "alike" if abs(g) < 0.015 else "near")
    account = deal.one(kind.index[kind == deal.one(sorted(set(kind) - {"near"}))])
    share = table.at[account, "late"] / table.at[account, "deliveries"]
    rows = table.loc[[account]].assign(late_share=share, usual_share=usual)
    values = {"account": company.name_of(account), "share": share, "usual": usual, "late": table.at[account, "late"]}
    return Draft(kind[account], values, rows)


@exercise("objections.competitor")
def competitor(deal: Deal) -> Draft:
    """'The others do it better': what our record against a competitor allows to be said."""
    company = deal.company
    deals = company.frame("opportunities")
    deals = deals[deals["stage"].isin(["won", "lost"])].dropna(subset=["competitor"])
    deals = deals.join(company.accounts[["industry", "region"]], on="account_id")
    parts = [("all", None), *[("industry", v) for v in sorted(deals["industry"].dropna().unique())]]
    table = []
    for by, part in parts:
        own = deals if part is None else deals[deals[by] == part]
        for name, n in own.groupby("competitor").size().items():
            won = int((own.loc[own["competitor"] == name, "stage"] == "won").sum())
            low, high = binomtest(won, int(n)).proportion_ci(0.90, "wilson")
            answer = "lose" if high < 0.5 else "win" if low > 0.5 else "open"
            table.append((name, part or "all industries", int(n), won, low, high, answer))
    frame = pd.DataFrame(table, columns=["competitor", "part", "n", "won", "low", "high", "answer"])
    row = frame.loc[deal.one(frame.index[frame["answer"] == deal.one(sorted(frame["answer"].unique()))])]
    rows = pd.DataFrame({"competitor": [row["competitor"]], "deals_decided": [row["n"]], "deals_won": [row["won"]]})
    values = {key: row[key] for key in ("competitor", "part", "n", "won", "low", "high")}
    return Draft(row["answer"], values, rows.assign(low=row["low"], high=row["high"]))


@exercise("objections.stock")
def stock(deal: Deal) -> Draft:
    """'You could not deliver': whether supply was short then, by the truth."""
    company = deal.company
    shortages = company.truth["process"]["stock_outs"]
    since = (company.as_of - pd.DateOffset(months=24)).strftime("%Y-%m")
    shortages = [s for s in shortages if since <= s["month"] <= company.as_of.strftime("%Y-%m")]
    told = pd.DataFrame(shortages)[["category", "month", "severity"]]
    case = deal.one(["true", "other_month", "other_goods"])
    chosen = told.loc[deal.one(told.index)]
    month, category = chosen["month"], chosen["category"]
    hit = set(zip(told["category"], told["month"], strict=True))
    if case == "other_month":
        months = [str(m) for m in company.months.columns[-24:] if (category, str(m)) not in hit]
        month = deal.one(months)
    if case == "other_goods":
        every = sorted(set(company.lines["category"].dropna()) - set(told.loc[told["month"] == month, "category"]))
        category = deal.one(every)
    answer = "short" if case == "true" else "not_short"
    account = deal.one(company.buyers.index)
    rows = told.sort_values("month").rename(columns={"severity": "shortfall"})
    rows = rows.assign(shortfall=rows["shortfall"].astype(float)).reset_index(drop=True)
    return Draft(answer, {"account": company.name_of(account), "category": category, "month": month}, rows)


@exercise("objections.silent")
def silent(deal: Deal) -> Draft:
    """Who is discontent and has never said so."""
    company = deal.company
    surveys = company.frame("surveys").dropna(subset=["satisfaction"]).sort_values("surveyed_on")
    content = surveys.groupby("account_id")["satisfaction"].last()
    cases = company.frame("cases")
    said = cases[cases["opened_on"] > company.as_of - pd.DateOffset(months=12)].groupby("account_id").size()
    frame = company.buyers.join(content, how="inner")
    frame = frame.assign(complaints_year=said.reindex(frame.index).fillna(0))
    quiet = (frame["satisfaction"] <= 6) & (frame["complaints_year"] == 0)
    chosen = deal.mixed(quiet, 6)
    rows = frame.loc[chosen, ["label", "satisfaction", "complaints_year", "revenue"]]
    return Draft(frozenset(a for a in chosen if quiet[a]), {"n": int(quiet[chosen].sum())}, rows)


@exercise("objections.order")
def order(deal: Deal) -> Draft:
    """In what order open complaints are answered: the most severe first, then the longest waiting."""
    company = deal.company
    cases = company.frame("cases").dropna(subset=["severity", "category"])

    def draw() -> tuple[pd.Timestamp, pd.DataFrame]:
        day = company.as_of - pd.Timedelta(days=int(deal.rng.integers(0, 500)))
        waiting = cases[(cases["opened_on"] <= day) & (cases["closed_on"].isna() | (cases["closed_on"] > day))]
        waiting = waiting[waiting["opened_on"] > day - pd.Timedelta(days=120)].drop_duplicates("account_id")
        return day, waiting.loc[deal.pick(waiting.index, min(5, len(waiting)))]

    def is_fit(drawn) -> bool:
        rows = drawn[1]
        return (
            len(rows) == 5 and rows["severity"].nunique() >= 3 and not rows.duplicated(["severity", "opened_on"]).any()
        )

    day, drawn = deal.until(draw, is_fit)
    drawn = drawn.assign(
        label=drawn["account_id"].map(company.accounts["label"]), waits_days=(day - drawn["opened_on"]).dt.days
    )
    drawn.index = drawn["case_id"].tolist()
    right = tuple(drawn.sort_values(["severity", "opened_on"], ascending=[False, True]).index)
    rows = drawn[["label", "category", "severity", "waits_days"]]
    values = {"day": day, "first": rows.at[right[0], "label"], "oldest": int(rows["waits_days"].max())}
    return Draft(right, values, rows)


@exercise("objections.first")
def first(deal: Deal) -> Draft:
    """Whether to sell, to settle first, or to ask: what is on file before the visit."""
    company = deal.company
    cases = company.frame("cases")
    waits = cases[cases["closed_on"].isna()].groupby("account_id").size()
    year = cases[cases["opened_on"] > company.as_of - pd.DateOffset(months=6)].groupby("account_id").size()
    frame = company.buyers[["label", "revenue", "revenue_previous"]]
    frame = frame.assign(
        open_complaints=waits.reindex(frame.index).fillna(0),
        complaints_half_year=year.reindex(frame.index).fillna(0),
        change=np.where(frame["revenue_previous"] > 0, frame["revenue"] / frame["revenue_previous"] - 1, np.nan),
    ).dropna(subset=["change"])
    kind = pd.Series("sell", frame.index)
    kind[(frame["open_complaints"] == 0) & (frame["change"] < -0.25)] = "ask"
    kind[frame["open_complaints"] > 0] = "settle"
    clear = (frame["change"] + 0.25).abs() > 0.05
    account = deal.one(frame.index[clear & (kind == deal.one(sorted(kind.unique())))])
    rows = frame.loc[[account], ["label", "revenue", "change", "complaints_half_year", "open_complaints"]]
    values = {"account": company.name_of(account), "change": frame.at[account, "change"]}
    wrong = {
        "sell": {"reason": "sell_open" if kind[account] == "settle" else "sell_fallen"},
        "ask": {"reason": "ask_open" if kind[account] == "settle" else "ask_steady"},
    }
    return Draft(kind[account], values, rows, wrong=wrong)
