"""Exercises on the role: one face to the account, two-way news, what comes first, whom to bring along."""

from __future__ import annotations

import pandas as pd

from kamlib.book.company.process import CLASSES
from kamlib.training.exercises import Deal, Draft, exercise

DEPARTMENT_OF = {
    "late delivery": "transport",
    "short delivery": "transport",
    "damaged goods": "transport",
    "cold chain": "cold_store",
    "product quality": "quality",
    "invoicing": "finance",
    "service": "service",
}

DEPARTMENTS = sorted(set(DEPARTMENT_OF.values()))


@exercise("role.whose_account")
def whose_account(deal: Deal) -> Draft:
    """Who answered for an account on a day, told from its assignments."""
    spells = deal.company.frame("assignments")
    account = deal.one(spells.loc[spells["to_date"].notna(), "account_id"].unique())
    own = spells[spells["account_id"] == account].sort_values("from_date")
    spell = own.iloc[int(deal.rng.integers(len(own)))]
    last = spell["to_date"] if pd.notna(spell["to_date"]) else deal.company.as_of
    first = max(spell["from_date"], last - pd.Timedelta(days=400))
    day = first + pd.Timedelta(days=int(deal.rng.integers((last - first).days + 1)))
    managers = deal.company.frame("managers").set_index("manager_id")["name"]
    others = deal.pick(managers.index.difference(own["manager_id"]), max(0, 4 - own["manager_id"].nunique()))
    keys = sorted({*own["manager_id"], *others})
    rows = own.assign(manager=own["manager_id"].map(managers))[["manager", "from_date", "to_date"]]
    return Draft(
        spell["manager_id"],
        {"account": deal.company.name_of(account), "day": day, "manager": managers[spell["manager_id"]]},
        rows,
        options={key: managers[key] for key in keys},
        wrong={key: {"reason": "other_spell" if key in set(own["manager_id"]) else "never"} for key in keys},
    )


@exercise("role.overdue")
def overdue(deal: Deal) -> Draft:
    """Whom the contact rule calls overdue: prospects weekly, customers monthly."""
    company, settings = deal.company, deal.company.book.settings
    last = company.frame("visits").groupby("account_id")["visit_date"].max()
    days = (company.as_of - last).dt.days.rename("days_since_contact")
    frame = company.accounts[~company.accounts["has_left"]].join(days, how="inner")
    is_customer = frame["lifecycle"] == "customer"
    allowed = is_customer.map(
        {True: settings.value("customer_contact_days"), False: settings.value("prospect_contact_days")}
    )
    late = frame["days_since_contact"] > allowed
    near = frame[frame["days_since_contact"].between(2, 90)]
    prospects = near.index[near["lifecycle"] != "customer"]
    customers = near.index[near["lifecycle"] == "customer"]
    few = min(3, len(prospects))

    def draw() -> list:
        return deal.pick([*deal.pick(prospects, few), *deal.pick(customers, 7 - few)], 7)

    chosen = deal.until(draw, lambda drawn: 2 <= late[drawn].sum() <= len(drawn) - 2)
    values = {
        "customer_days": settings.value("customer_contact_days"),
        "prospect_days": settings.value("prospect_contact_days"),
        "n": int(late[chosen].sum()),
    }
    rows = frame.loc[chosen, ["label", "lifecycle", "days_since_contact"]]
    return Draft(frozenset(a for a in chosen if late[a]), values, rows)


@exercise("role.first_call")
def first_call(deal: Deal) -> Draft:
    """Which of four accounts has most at stake this quarter, by the true chance to leave."""
    company = deal.company
    stake, revenue = company.stake(), company.buyers["revenue"]
    seen = signs(deal, stake.index).set_index("account_id")
    guess = seen["revenue"] * _odds_by_rule(deal, seen)
    troubled = stake.index[stake / revenue > (stake / revenue).median() * 1.5]

    def is_fair(drawn: list) -> bool:
        """Whether what is shown leads to what is true."""
        sizes, (first, second) = revenue[drawn], stake[drawn].nlargest(2)
        by_rule = guess[drawn].nlargest(2)
        is_told = by_rule.index[0] == stake[drawn].idxmax() and by_rule.iloc[0] >= 1.2 * by_rule.iloc[1]
        return is_told and first >= 1.4 * second and sizes.max() <= 12 * sizes.min()

    draw = lambda: deal.pick([*deal.pick(troubled, 2), *deal.pick(stake.index.difference(troubled), 2)], 4)  # noqa: E731
    stake = stake[deal.until(draw, is_fair)]
    rows = seen.loc[stake.index]
    best = stake.idxmax()
    process = company.process
    values = {
        "small": process["leaving_rate"][-1] / process["leaving_rate"][0],
        "complaint": process["odds_complaint"],
        "new": process["odds_new_manager"],
        "runs": process["odds_under_contract"],
        "account": company.name_of(best),
        "stake": stake[best],
        "next": stake.drop(best).max(),
        "leaving": stake[best] / company.buyers.at[best, "revenue"],
        "revenue": company.buyers.at[best, "revenue"],
    }
    wrong = {key: {"own": revenue[key], "own_leaving": stake[key] / revenue[key]} for key in stake.index}
    return Draft(best, values, rows, options=rows["label"].to_dict(), wrong=wrong)


def _odds_by_rule(deal: Deal, seen: pd.DataFrame) -> pd.Series:
    """The odds to leave by the rule that the question tells, of accounts with the columns of :func:`signs`."""
    process = deal.company.process
    rate = seen["segment"].map(dict(zip(CLASSES, process["leaving_rate"], strict=True)))
    factors = {
        "odds_complaint": seen["complaints_half_year"] > 0,
        "odds_new_manager": seen["has_new_manager"],
        "odds_under_contract": seen["contract_ends"] > deal.company.as_of,
    }
    for name, is_so in factors.items():
        rate = rate * is_so.map({True: process[name], False: 1.0})
    return rate


def signs(deal: Deal, accounts) -> pd.DataFrame:
    """What an account manager can see of accounts: class, revenue, fresh complaints, contract, a new manager."""
    company = deal.company
    half_year = company.as_of - pd.DateOffset(months=6)
    cases, contracts = company.frame("cases"), company.frame("contracts")
    fresh = cases[cases["opened_on"] > half_year].groupby("account_id").size()
    ends = contracts.groupby("account_id")["ends_on"].max()
    spells = company.frame("assignments")
    new = set(spells.loc[spells["from_date"] > company.as_of - pd.DateOffset(months=3), "account_id"])
    shown = company.accounts.loc[list(accounts)].reset_index()
    return pd.DataFrame(
        {
            "account_id": shown["account_id"],
            "label": shown["label"],
            "segment": shown["segment"],
            "revenue": shown["revenue"],
            "complaints_half_year": shown["account_id"].map(fresh).fillna(0),
            "contract_ends": pd.to_datetime(shown["account_id"].map(ends.astype(object))),
            "has_new_manager": shown["account_id"].isin(new),
        }
    )


@exercise("role.hours")
def hours(deal: Deal) -> Draft:
    """Which account of a manager takes most hours for what it buys."""
    company, since = deal.company, deal.company.as_of - pd.DateOffset(months=12)
    visits = company.frame("visits")
    spent = visits[visits["visit_date"] > since].groupby("account_id")["hours"].sum()
    frame = company.buyers.join(spent.rename("hours"), how="inner")
    frame = frame[frame["hours"] > 0]
    cost = frame["hours"] / frame["revenue"]
    manager = deal.one(frame["manager_id"].value_counts().loc[lambda n: n >= 8].index)
    own = cost[frame["manager_id"] == manager]
    chosen = deal.clear_best(own, 5, 1.4)
    rows = frame.loc[chosen.index, ["label", "segment", "hours", "revenue"]]
    worst = chosen.idxmax()
    values = {"account": company.name_of(worst), "per_hour": 1 / cost[worst], "usual": 1 / own.median()}
    wrong = {key: {"own": 1 / cost[key]} for key in rows.index}
    return Draft(worst, values, rows, options=rows["label"].to_dict(), wrong=wrong)


@exercise("role.news")
def news(deal: Deal) -> Draft:
    """Which news of our own house to carry to an account: what it buys, and nothing of another customer."""
    company = deal.company
    bought = company.recent.groupby("account_id")["category"].agg(lambda names: set(names.dropna()))
    account = deal.one(bought[bought.map(len).between(4, 8) & bought.index.isin(company.buyers.index)].index)
    every = set(company.lines["category"].dropna())
    inside = deal.pick(sorted(bought[account]), int(deal.rng.integers(2, 5)))
    outside = deal.pick(sorted(every - bought[account]), 6 - len(inside))
    other = company.name_of(deal.one(company.buyers.index.difference([account])))
    about = [(category, deal.one(["shortage", "new_product", "price_change"])) for category in [*inside, *outside]]
    items = [(f"n{i}", category, kind, category in inside) for i, (category, kind) in enumerate(about)]
    items.append(("n9", other, "other_customer", False))
    items = deal.pick(items, len(items))
    rows = pd.DataFrame(items, columns=["key", "subject", "news", "is_right"]).set_index("key")
    right = frozenset(rows.index[rows["is_right"]])
    values = {"account": company.name_of(account), "bought": "; ".join(sorted(bought[account]))}
    return Draft(right, values, rows.drop(columns="is_right"))


@exercise("role.expert")
def expert(deal: Deal) -> Draft:
    """Which department's expert to bring along, told from what the account complained about."""
    company = deal.company
    cases = company.frame("cases").dropna(subset=["category"])
    cases = cases.assign(department=cases["category"].map(DEPARTMENT_OF)).dropna(subset=["department"])
    counts = cases.groupby(["account_id", "department"]).size().unstack(fill_value=0)
    top = counts.apply(lambda row: row.nlargest(2).to_list(), axis=1)
    clear = counts[top.map(lambda pair: pair[0] >= 2 and pair[0] > pair[1])].idxmax(axis=1)
    account = deal.one(clear.index[clear == deal.one(clear.unique())])
    rows = cases[cases["account_id"] == account][["opened_on", "category", "severity", "closed_on"]]
    own = counts.loc[account]
    values = {"account": company.name_of(account), "n": int(own.max())}
    mended = {name: own.get(name, 0) for name in DEPARTMENTS}
    wrong = {name: {"reason": "some" if n else "nothing", "own": n} for name, n in mended.items()}
    return Draft(own.idxmax(), values, rows, case="deliveries" if own.get("transport", 0) else "none", wrong=wrong)


@exercise("role.gift")
def gift(deal: Deal) -> Draft:
    """What may be offered to whom: official buyers go to compliance, contacts are asked only when they agreed."""
    company = deal.company
    people = company.frame("contacts").join(company.accounts[["label", "is_official", "industry"]], on="account_id")
    people = people[people["has_consent"].notna()]
    wanted = deal.one(["official", "consent", "no_consent"])
    pools = {
        "official": people[people["is_official"].fillna(False).astype(bool)],
        "consent": people[~people["is_official"].fillna(False).astype(bool) & people["has_consent"].astype(bool)],
        "no_consent": people[~people["is_official"].fillna(False).astype(bool) & ~people["has_consent"].astype(bool)],
    }
    person = deal.one(pools[wanted].index if len(pools[wanted]) else pools["consent"].index)
    row = people.loc[[person], ["label", "industry", "role", "is_official", "has_consent"]]
    is_official, agreed = bool(row["is_official"].iloc[0]), bool(row["has_consent"].iloc[0])
    answer = "official" if is_official else "consent" if agreed else "no_consent"
    return Draft(answer, {"account": row["label"].iloc[0]}, row)
