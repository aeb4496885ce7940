"""Exercises on visits: where one more pays, how many are enough, and why visited accounts buy more."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.training.company import Company
from kamlib.training.exercises import Deal, Draft, exercise


def visited(company: Company) -> pd.DataFrame:
    """Accounts that are still there, with their present visits a month and what response truly governs them."""
    now = company.expected[["carried_visits", "expected_revenue_unvisited"]]
    frame = company.buyers.join(now, how="inner")
    frame = frame[(frame["margin_rate"] > 0.05) & (frame["expected_revenue_unvisited"] > 0)]
    return frame.rename(columns={"carried_visits": "present_visits"})


def margin_at(row: pd.Series, visits) -> np.ndarray:
    """True monthly margin of an account at so many visits a month for good."""
    return row["expected_revenue_unvisited"] * row["margin_rate"] * (1 + np.asarray(visits)) ** row["elasticity"]


@exercise("visits.where_next")
def where_next(deal: Deal) -> Draft:
    """Where one more visit a month brings most margin."""
    company = deal.company
    gain, frame = company.visit_gain(), visited(company)
    gain = gain[gain.index.intersection(frame.index)]
    visits, year = frame["present_visits"], frame["revenue"] * frame["margin_rate"]
    guess = year * (((2 + visits) / (1 + visits)) ** frame["elasticity"] - 1)  # as the columns shown have it

    def is_fair(drawn: pd.Series) -> bool:
        (first, second), by_table = drawn.nlargest(2), guess[drawn.index].nlargest(2)
        sizes = frame.loc[drawn.index, "revenue"]
        is_told = by_table.index[0] == drawn.idxmax() and by_table.iloc[0] >= 1.2 * by_table.iloc[1]
        return (is_told and 1.4 <= first / second <= 6) and (
            sizes.idxmax() != drawn.idxmax() or sizes.max() < 3 * sizes.nlargest(2).iloc[1]
        )

    drawn = deal.until(lambda: gain.loc[deal.pick(gain[gain > 500].index, 4)], is_fair)
    best, largest = drawn.idxmax(), frame.loc[drawn.index, "revenue"].idxmax()
    rows = frame.loc[drawn.index, ["label", "segment", "revenue", "margin_rate", "present_visits"]]
    values = {
        "account": company.name_of(best),
        "gain": drawn[best],
        "next": drawn.nlargest(2).iloc[1],
        "largest": company.name_of(largest),
    }
    wrong = {key: {"reason": "largest" if key == largest else "less", "own": drawn[key]} for key in drawn.index}
    case = "same" if best == largest else "other"
    return Draft(best, values, rows, options=rows["label"].to_dict(), case=case, wrong=wrong)


@exercise("visits.how_many")
def how_many(deal: Deal) -> Draft:
    """How many visits a month leave most margin after their cost."""
    company, cost = deal.company, deal.company.book.settings.value("visit_cost")
    frame = visited(company)
    counts = np.arange(0, 11)
    profit = {a: margin_at(row, counts) - cost * counts for a, row in frame.iterrows()}
    best = pd.Series({a: int(values.argmax()) for a, values in profit.items()})
    account = deal.one(best.index[best == deal.one(sorted(set(best[best.between(1, 8)])))])
    margin = margin_at(frame.loc[account], counts)
    rows = pd.DataFrame({"visits_month": counts, "margin_month": margin, "cost_month": cost * counts})
    values = {
        "account": company.name_of(account),
        "best": best[account],
        "profit": profit[account].max(),
        "less": profit[account].max() - profit[account][best[account] - 1],
    }
    return Draft(float(best[account]), values, rows, tolerance=0, span=(0, 10, 1))


@exercise("visits.too_many")
def too_many(deal: Deal) -> Draft:
    """Where the last visit costs more than it brings."""
    company, cost = deal.company, deal.company.book.settings.value("visit_cost")
    frame = visited(company)
    frame = frame[frame["present_visits"] >= 0.8]
    gain = pd.Series(
        {
            a: float(np.diff(margin_at(row, [row["present_visits"] - 0.8, row["present_visits"]]))[0] / 0.8)
            for a, row in frame.iterrows()
        }
    )
    clear = (gain / cost).sub(1).abs() > 0.2
    chosen = deal.mixed((gain < cost)[clear], 6)
    rows = frame.loc[chosen, ["label", "revenue", "present_visits"]].assign(gain_month=gain[chosen])
    right = frozenset(a for a in chosen if gain[a] < cost)
    return Draft(right, {"cost": cost, "n": len(right), "saved": sum(cost - gain[a] for a in right)}, rows)


@exercise("visits.trap")
def trap(deal: Deal) -> Draft:
    """What more visits would bring, when the large accounts are the visited ones."""
    company = deal.company
    frame = visited(company)
    parts = [(by, part) for by in ("industry", "region") for part, n in frame[by].value_counts().items() if n >= 20]

    def draw() -> tuple[str, pd.DataFrame, float, float]:
        by, part = deal.one(sorted(parts))
        own = frame[frame[by] == part]
        rows = _in_four_groups(own)
        slope = np.polyfit(np.log1p(rows["mean_visits"]), np.log(rows["mean_revenue"]), 1)[0]
        return part, rows, 2.0**slope - 1, 2.0 ** float(own["elasticity"].mean()) - 1

    is_fit = lambda drawn: len({f"{rise:.0%}" for rise in (0.0, *drawn[2:])}) == 3  # noqa: E731
    part, rows, naive, actual = deal.until(draw, is_fit)
    rises = deal.pick([0.0, actual, naive], 3)
    keys = ["first", "second", "third"]
    shown = rows.rename_axis("group").reset_index()
    case = "misled" if naive > 1.3 * actual else "lucky"
    options = {key: f"{rise:.0%}" for key, rise in zip(keys, rises, strict=True)}
    wrong = {key: {"reason": "groups" if rise else "nothing"} for key, rise in zip(keys, rises, strict=True)}
    values = {"part": part, "naive": naive, "actual": actual}
    return Draft(keys[rises.index(actual)], values, shown, options=options, case=case, wrong=wrong)


def _in_four_groups(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean visits and revenue a month of four groups of the same size, from the least visited to the most."""
    group = pd.qcut(frame["present_visits"].rank(method="first"), 4, labels=["1", "2", "3", "4"])
    by_group = frame.assign(month=frame["revenue"] / 12).groupby(group, observed=True)
    return by_group.agg(mean_visits=("present_visits", "mean"), mean_revenue=("month", "mean"))


@exercise("visits.brief")
def brief(deal: Deal) -> Draft:
    """Which facts belong to the purpose of a visit: what is open or near, and nothing private."""
    company = deal.company
    cases, contracts, visits = company.frame("cases"), company.frame("contracts"), company.frame("visits")
    waits = cases[cases["closed_on"].isna()].groupby("account_id")["opened_on"].min()
    ends = contracts.groupby("account_id")["ends_on"].max()
    seen = visits[visits["level"] == "executive"].groupby("account_id")["visit_date"].max()
    soon = company.as_of + pd.Timedelta(days=company.book.settings.value("contract_notice_days"))
    frame = company.buyers[company.buyers["gap_median_days"] > 3]
    pool = frame.index.intersection(ends[ends >= company.as_of].index).intersection(seen.index)
    open_now = pool.intersection(waits.index)
    half_year = company.as_of - pd.Timedelta(days=company.book.settings.value("executive_contact_days"))

    def draw() -> dict[str, tuple]:
        account = deal.one(open_now if len(open_now) and deal.rng.random() < 0.5 else pool)
        due = frame.at[account, "last_order"] + pd.Timedelta(days=float(frame.at[account, "gap_median_days"]))
        is_late = due < company.as_of
        born = company.as_of - pd.DateOffset(years=int(deal.rng.integers(30, 60)), days=int(deal.rng.integers(300)))
        facts = {
            "account": (account, False),
            "contract": (ends[account], ends[account] <= soon),
            "executive": (seen[account], seen[account] < half_year),
            "birthday": (born, False),
            "late_order" if is_late else "last_order": (due if is_late else frame.at[account, "last_order"], is_late),
        }
        return facts | ({"complaint": (waits[account], True)} if account in waits.index else {})

    facts = deal.until(draw, lambda drawn: sum(bool(on_list) for _, on_list in drawn.values()) >= 2)
    account = facts.pop("account")[0]
    keys = deal.pick(facts, len(facts))
    rows = pd.DataFrame({"topic": keys, "date": [facts[key][0] for key in keys]}, index=keys)
    values = {
        "account": company.name_of(account),
        "today": company.as_of,
        "days": company.book.settings.value("contract_notice_days"),
    }
    return Draft(frozenset(key for key in keys if facts[key][1]), values, rows)


@exercise("visits.cadence")
def cadence(deal: Deal) -> Draft:
    """How many contacts a quarter the rhythm alone asks of a manager."""
    company, settings = deal.company, deal.company.book.settings
    frame = company.accounts[~company.accounts["has_left"]]
    manager = deal.one(frame["manager_id"].value_counts().loc[lambda n: n >= 5].index)
    customers = int((frame.loc[frame["manager_id"] == manager, "lifecycle"] == "customer").sum())
    prospects = int((frame["manager_id"] == manager).sum()) - customers + int(deal.rng.integers(0, 5))
    contacts = 3 * customers + 13 * prospects
    rows = pd.DataFrame({"customers": [customers], "prospects": [prospects]})
    values = {
        "customers": customers,
        "prospects": prospects,
        "contacts": contacts,
        "week": contacts / 13,
        "per_prospect": settings.value("prospect_contact_days"),
    }
    return Draft(float(contacts), values, rows, tolerance=max(3.0, 0.06 * contacts), span=(0, 300, 1))


@exercise("visits.gone")
def gone(deal: Deal) -> Draft:
    """Which account has left without a word and is still being visited."""
    company = deal.company
    visits = company.frame("visits")
    quarter = visits[visits["visit_date"] > company.as_of - pd.DateOffset(months=3)].groupby("account_id").size()
    frame = company.accounts.join(quarter.rename("visits_quarter"), how="inner").dropna(subset=["gap_median_days"])
    days = (company.as_of - frame["last_order"]).dt.days
    ratio = days / frame["gap_median_days"].clip(lower=1)
    left = frame.index[frame["has_left"] & (ratio > 3) & (days > 45)]
    here = frame.index[~frame["has_left"] & (ratio < 2) & ~frame["is_seasonal"]]
    lost = deal.one(left)
    slow = here.intersection(days.index[days > 20])
    chosen = deal.pick([lost, *deal.pick(slow if len(slow) >= 3 else here, 3)], 4)
    rows = frame.loc[chosen, ["label", "last_order", "visits_quarter"]].assign(
        gap_days=frame.loc[chosen, "gap_median_days"].round()
    )
    values = {
        "account": company.name_of(lost),
        "days": days[lost],
        "gap": frame.at[lost, "gap_median_days"],
        "ratio": ratio[lost],
        "today": company.as_of,
    }
    shown = rows[["label", "last_order", "gap_days", "visits_quarter"]]
    wrong = {key: {"own": days[key], "own_gap": max(frame.at[key, "gap_median_days"], 1)} for key in chosen}
    return Draft(lost, values, shown, options=rows["label"].to_dict(), wrong=wrong)
