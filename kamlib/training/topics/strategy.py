"""Exercises on strategy: where the money is at stake, what to invest in, and what the tail is worth."""

from __future__ import annotations

import pandas as pd

from kamlib.training.exercises import Deal, Draft, exercise
from kamlib.training.topics.role import signs


@exercise("strategy.at_stake")
def at_stake(deal: Deal) -> Draft:
    """In what order accounts have revenue at stake, told their true chances to leave."""
    company = deal.company
    drawn = deal.until(
        lambda: deal.spread(company.stake(), 4, 1.35, within=60),
        lambda stake: company.buyers.loc[stake.index, "revenue"].idxmax() != stake.idxmax(),
    )
    order = tuple(drawn.sort_values(ascending=False).index)
    quarter = drawn / company.buyers.loc[drawn.index, "revenue"]
    rows = company.buyers.loc[drawn.index, ["label", "revenue"]].assign(leaving=quarter)
    values = {"first": company.name_of(order[0]), "stake": drawn[order[0]], "last": company.name_of(order[-1])}
    return Draft(order, values, rows)


@exercise("strategy.quadrant")
def quadrant(deal: Deal) -> Draft:
    """Where an account stands: attractive or not, and we strong in its eyes or not."""
    company = deal.company
    surveys = company.frame("surveys").dropna(subset=["wallet_share"]).sort_values("surveyed_on")
    share = surveys.groupby("account_id")["wallet_share"].last()
    frame = company.buyers.join(share, how="inner").dropna(subset=["annual_potential"])
    cut = {"potential": frame["annual_potential"].median(), "share": 0.5}
    frame = frame[(frame["wallet_share"] - 0.5).abs() > 0.05]
    frame = frame[(frame["annual_potential"] / cut["potential"]).sub(1).abs() > 0.15]
    is_large, is_strong = frame["annual_potential"] > cut["potential"], frame["wallet_share"] > cut["share"]
    place = is_large.map({True: "attractive", False: "modest"}) + is_strong.map({True: "_strong", False: "_weak"})
    account = deal.one(place.index[place == deal.one(sorted(place.unique()))])
    rows = frame.loc[[account], ["label", "annual_potential", "wallet_share", "margin_rate"]]
    own = {"own_potential": frame.at[account, "annual_potential"], "own_share": frame.at[account, "wallet_share"]}
    values = {"account": company.name_of(account), **cut, **own}
    return Draft(place[account], values, rows, wrong=_wrong_sides(place[account]))


def _wrong_sides(answer: str) -> dict[str, dict[str, str]]:
    """For each other quadrant, which of its two sides is the wrong one."""
    size, strength = answer.split("_")
    reasons = {(False, True): "potential", (True, False): "share", (False, False): "both"}
    others = [(a, b) for a in ("attractive", "modest") for b in ("strong", "weak") if (a, b) != (size, strength)]
    return {f"{a}_{b}": {"reason": reasons[a == size, b == strength]} for a, b in others}


@exercise("strategy.executive")
def executive(deal: Deal) -> Draft:
    """Which account an executive sees first: much at stake, and no executive there for half a year."""
    company, settings = deal.company, deal.company.book.settings
    visits = company.frame("visits")
    last = visits[visits["level"] == "executive"].groupby("account_id")["visit_date"].max()
    days = (company.as_of - last).dt.days.rename("days_since_executive")
    frame = company.buyers[company.buyers["segment"] != "C"].join(days)
    overdue = frame["days_since_executive"].isna() | (frame["days_since_executive"] > _half_year(settings))
    due, seen = frame.index[overdue], frame.index[~overdue]

    def draw() -> pd.DataFrame:
        return frame.loc[deal.pick([*deal.pick(due, 2), *deal.pick(seen, 2)], 4)]

    def is_clear(drawn: pd.DataFrame) -> bool:
        first, second = drawn.loc[drawn.index.intersection(due), "revenue"].nlargest(2)
        return first >= 1.3 * second and drawn["revenue"].idxmax() in seen

    drawn = deal.until(draw, is_clear)
    best = drawn.loc[drawn.index.intersection(due), "revenue"].idxmax()
    rows = drawn[["label", "revenue", "days_since_executive"]]
    values = {
        "account": company.name_of(best),
        "days": _half_year(settings),
        "largest": company.name_of(rows["revenue"].idxmax()),
    }
    wrong = {
        row.Index: {"reason": "seen", "own": row.days_since_executive}
        if row.Index in seen
        else {"reason": "smaller", "own": row.revenue}
        for row in rows.itertuples()
    }
    return Draft(best, values, rows, options=rows["label"].to_dict(), wrong=wrong)


def _half_year(settings) -> float:
    return settings.value("executive_contact_days")


@exercise("strategy.tail")
def tail(deal: Deal) -> Draft:
    """What costs more: losing a large account, or part of the tail."""
    company = deal.company
    small = company.buyers[company.buyers["segment"] != "A"]["margin"]
    large = company.buyers[company.buyers["segment"] == "A"]
    wanted = deal.one(["accounts", "tail"])

    def draw() -> tuple[list[str], float]:
        return deal.pick(large.index, int(deal.rng.integers(1, 5))), float(deal.rng.integers(1, 9) / 20)

    def is_clear(drawn: tuple[list[str], float]) -> bool:
        ratio = large.loc[drawn[0], "margin"].sum() / (drawn[1] * small.sum())
        return 1.35 < ratio < 4 if wanted == "accounts" else 0.25 < ratio < 0.74

    chosen, part = deal.until(draw, is_clear)
    margins = [*large.loc[chosen, "margin"], small.sum()]
    labels = [*company.buyers.loc[chosen, "label"], "tail"]
    rows = pd.DataFrame({"what": labels, "accounts": [*[1] * len(chosen), len(small)], "margin": margins})
    values = {"n": len(chosen), "part": part, "lost": part * small.sum(), "margin": large.loc[chosen, "margin"].sum()}
    return Draft(wanted, values, rows)


@exercise("strategy.targets")
def targets(deal: Deal) -> Draft:
    """Whether the targets of the accounts add up to the target of their manager."""
    company = deal.company
    frame = company.frame("targets")
    own = frame.dropna(subset=["account_id"]).join(company.accounts["manager_id"].rename("held_by"), on="account_id")
    parts = own.groupby(["held_by", "period"])["revenue"].agg(["sum", "size"])
    whole = frame[frame["account_id"].isna()].set_index(["manager_id", "period"])["revenue"]
    both = parts.join(whole.rename("whole").rename_axis(["held_by", "period"]), how="inner")
    ratio = both["sum"] / both["whole"]
    kind = ratio.map(
        lambda r: "short" if r < 0.92 else "over" if r > 1.08 else "fits" if abs(r - 1) <= 0.05 else "near"
    )
    key = deal.one(kind.index[kind == deal.one(sorted(set(kind) - {"near"}))])
    row = both.loc[key]
    rows = pd.DataFrame(
        {"accounts": [int(row["size"])], "accounts_target": [row["sum"]], "manager_target": [row["whole"]]}
    )
    manager = company.frame("managers").set_index("manager_id").at[key[0], "name"]
    return Draft(kind[key], {"manager": manager, "period": key[1], "ratio": ratio[key]}, rows)


@exercise("strategy.competitor")
def competitor(deal: Deal) -> Draft:
    """Which competitor to study first, by what was lost to whom rather than by who is talked about."""
    company = deal.company
    surveys = company.frame("surveys").dropna(subset=["main_competitor"])
    deals = company.frame("opportunities")
    lost = deals[(deals["stage"] == "lost")].dropna(subset=["competitor", "value"])
    lost = lost.join(company.accounts["industry"], on="account_id")
    named = surveys.join(company.accounts["industry"], on="account_id")

    def draw():
        chosen = deal.pick(sorted(lost["industry"].dropna().unique()), 2)
        amount = lost[lost["industry"].isin(chosen)].groupby("competitor")["value"].agg(["sum", "size"])
        count = named[named["industry"].isin(chosen)].groupby("main_competitor").size()
        table = amount.rename(columns={"sum": "value_lost", "size": "deals_lost"}).join(count.rename("named"))
        return chosen, table.fillna(0)

    def is_clear(drawn) -> bool:
        table = drawn[1]
        if len(table) < 3:
            return False
        top = table["value_lost"].nlargest(2)
        return top.iloc[0] >= 1.3 * top.iloc[1] and table.at[top.index[0], "named"] < table["named"].max()

    chosen, table = deal.until(draw, is_clear)
    best = table["value_lost"].idxmax()
    rows = table.rename_axis("competitor").reset_index()[["competitor", "named", "deals_lost", "value_lost"]]
    values = {
        "industries": " / ".join(chosen),
        "best": best,
        "value": table.at[best, "value_lost"],
        "named": table["named"].idxmax(),
    }
    most = table["named"].max()
    wrong = {
        name: {"reason": "talked_about" if row["named"] == most else "less", "own": row["value_lost"]}
        for name, row in table.iterrows()
    }
    return Draft(best, values, rows, options={name: name for name in rows["competitor"]}, wrong=wrong)


@exercise("strategy.stage")
def stage(deal: Deal) -> Draft:
    """What an account asks for by the stage of its relationship, unless something serious is open."""
    company, (young, grown) = deal.company, deal.company.book.settings.value("relationship_months")
    frame, cases = company.buyers, company.frame("cases")
    begun = frame[["first_order", "opened_on"]].min(axis=1)
    months = (company.as_of - begun).dt.days / 30.44
    kind = months.map(lambda m: "build" if m < young else "stabilise" if m < grown else "strengthen")
    waits = cases[cases["closed_on"].isna() & (cases["severity"] >= 3)].groupby("account_id").size()
    waits = waits.reindex(frame.index).fillna(0)
    stages = kind.where(waits == 0, "stabilise")
    clear = ((months - young).abs() > 1) & ((months - grown).abs() > 1)
    pools = {
        "build": clear & (stages == "build"),
        "stabilise": clear & (kind == "stabilise"),
        "strengthen": clear & (stages == "strengthen"),
        "serious": clear & (waits > 0) & (kind != "stabilise"),
    }
    wanted = deal.one(sorted(name for name, pool in pools.items() if pool.any()))
    account = deal.one(frame.index[pools[wanted]])
    rows = signs(deal, [account])[["label", "revenue", "contract_ends"]]
    rows = rows.assign(begun=begun[account], open_serious=waits[account])
    values = {"account": company.name_of(account), "months": months[account], "young": young, "grown": grown}
    is_serious = bool(waits[account])
    wrong = {name: {"reason": "serious"} for name in ("build", "strengthen")} if is_serious else {}
    return Draft(stages[account], values, rows, case="serious" if is_serious else kind[account], wrong=wrong)
