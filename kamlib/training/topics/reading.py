"""Exercises on reading a report critically: what a number allows to be said, and what it does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import ttest_ind

from kamlib.training.exercises import Deal, Draft, exercise

LETTERS = ("first", "second", "third")
LEVEL = 0.95


@exercise("reading.regression")
def regression(deal: Deal) -> Draft:
    """What the fastest growers of a quarter do in the next: a case is drawn that goes as most do."""
    company = deal.company
    months = company.months
    quarters = months.T.groupby(np.arange(months.shape[1]) // 3).sum().T
    count = months.shape[1] // 3

    def draw() -> tuple[pd.DataFrame, float]:
        at = int(deal.rng.integers(1, count - 1))
        size = deal.one([6, 8, 10])
        some = quarters.loc[deal.pick(quarters.index, 120 if len(quarters) >= 150 else len(quarters) * 3 // 4)]
        some = some[(some[at - 1] > 30_000) & (some[at] > 0)]
        top = (some[at] / some[at - 1]).nlargest(size).index
        rows = pd.DataFrame({"quarter_before": some.loc[top, at - 1], "quarter": some.loc[top, at]})
        return rows, float(some.loc[top, at + 1].sum())

    def guesses(rows: pd.DataFrame) -> dict[str, float]:
        before, now = rows["quarter_before"].sum(), rows["quarter"].sum()
        return {"back": (before + now) / 2, "hold": now, "on": now + (now - before)}

    def is_clear(drawn) -> bool:
        rows, after = drawn
        away = {key: abs(guess - after) for key, guess in guesses(rows).items()}
        return len(rows) >= 5 and min(away["hold"], away["on"]) >= 2 * away["back"]

    rows, after = deal.until(draw, is_clear)
    expected = guesses(rows)
    order = deal.pick(expected, 3)
    options = {letter: f"{expected[key]:,.0f} TWD" for letter, key in zip(LETTERS, order, strict=True)}
    before, now = rows["quarter_before"].sum(), rows["quarter"].sum()
    values = {"n": len(rows), "before": before, "now": now, "after": after}
    shown = rows.assign(label=company.accounts["label"]).loc[:, ["label", "quarter_before", "quarter"]]
    wrong = {letter: {"reason": key} for letter, key in zip(LETTERS, order, strict=True)}
    return Draft(LETTERS[order.index("back")], values, shown, options=options, wrong=wrong)


@exercise("reading.verdict")
def verdict(deal: Deal) -> Draft:
    """Whether a difference is usable, to be used with caution, or allows no conclusion."""
    company = deal.company
    half = company.months.shape[1] - 6
    before, after = company.months.iloc[:, half - 6 : half].sum(axis=1), company.months.iloc[:, half:].sum(axis=1)
    enough = company.buyers.index[(before[company.buyers.index] > 20_000) & (after[company.buyers.index] > 20_000)]
    change = np.log1p(after[enough]) - np.log1p(before[enough])
    frame = company.buyers.loc[enough].assign(change=change)[["change", "elasticity"]]
    wanted = deal.one(["usable", "caution", "none"])

    def draw() -> dict:
        by_lot = bool(deal.rng.integers(2))
        chosen = frame.loc[deal.pick(frame.index, int(deal.rng.integers(10, min(len(frame), 180) + 1)))]
        lot = deal.rng.random(len(chosen)) < 0.5
        aimed = chosen["change"].rank(pct=True) + 0.8 * deal.rng.random(len(chosen)) > 0.9
        treated = np.asarray(lot if by_lot else aimed)
        change = chosen["change"] + treated * chosen["elasticity"] * (np.log(2) if by_lot else 0.0)
        if treated.sum() < 4 or (~treated).sum() < 4:
            return {"answer": ""}
        interval = ttest_ind(change[treated], change[~treated], equal_var=False).confidence_interval(LEVEL)
        sure = interval.low > 0 or interval.high < 0
        return {
            "answer": "none" if not sure else "usable" if by_lot else "caution",
            "by_lot": "lot" if by_lot else "aimed",
            "treated": int(treated.sum()),
            "others": int((~treated).sum()),
            "effect": float(np.expm1(change[treated].mean() - change[~treated].mean())),
            "low": float(np.expm1(interval.low)),
            "high": float(np.expm1(interval.high)),
        }

    told = deal.until(draw, lambda drawn: drawn["answer"] == wanted)
    rows = pd.DataFrame([{k: told[k] for k in ("by_lot", "treated", "others", "effect")}])
    rows = rows.assign(effect_low=told["low"], effect_high=told["high"])
    wrong = {
        "usable": {"reason": "usable_aimed" if wanted == "caution" else "usable_unsure"},
        "caution": {"reason": "caution_lot" if wanted == "usable" else "caution_unsure"},
        "none": {"reason": "none"},
    }
    return Draft(wanted, told, rows, wrong=wrong)


@exercise("reading.expected")
def expected(deal: Deal) -> Draft:
    """How many of a list at risk will truly leave, told their chances."""
    company = deal.company
    chance = (1 - (1 - company.expected["churn_probability"]) ** 3).reindex(company.buyers.index).dropna()
    n = int(deal.rng.integers(15, 41))
    some = chance.loc[deal.pick(chance.index, min(len(chance), 200))].nlargest(n)
    rows = pd.DataFrame(
        {
            "listed": ["upper", "lower"],
            "accounts": [n // 2, n - n // 2],
            "chance": [some[: n // 2].mean(), some[n // 2 :].mean()],
        }
    )
    values = {"n": n, "leave": some.sum(), "stay": n - some.sum()}
    return Draft(float(some.sum()), values, rows, tolerance=0.5, span=(0, 20, 0.5))


@exercise("reading.leak")
def leak(deal: Deal) -> Draft:
    """Which of three risk scores may be used: one of them knew the future, one is mere form."""
    company = deal.company

    def is_tempting(drawn) -> bool:
        lift = drawn[1]
        return lift["leaky"] >= 1.1 * lift["honest"] and lift["honest"] > max(1.2, 1.1 * lift["form"])

    cut, lift = deal.until(lambda: _back_test(deal, int(deal.rng.integers(50, 130))), is_tempting)
    read_on = {"honest": cut, "leaky": company.as_of, "form": cut}
    order = deal.pick(lift, 3)
    columns = {"read_on": [read_on[name] for name in order], "lift": [lift[name] for name in order]}
    rows = pd.DataFrame({"score": [letter.capitalize() for letter in LETTERS], "made_of": order, **columns})
    options = dict(zip(LETTERS, rows["score"], strict=True))
    values = {"cut": cut, "until": company.as_of, "lift": lift["honest"], "leaky": lift["leaky"], "form": lift["form"]}
    wrong = {letter: {"reason": name} for letter, name in zip(LETTERS, order, strict=True)}
    return Draft(LETTERS[order.index("honest")], values, rows, options=options, wrong=wrong)


def _back_test(deal: Deal, days: int) -> tuple[pd.Timestamp, dict[str, float]]:
    """The day so many days back, and how well each score tells who was silent since."""
    company = deal.company
    cut = company.as_of - pd.Timedelta(days=days)
    orders = company.lines[["account_id", "order_date"]].drop_duplicates()
    known = orders[orders["order_date"] <= cut].sort_values("order_date")
    gap = known.groupby("account_id")["order_date"].diff().dt.days.groupby(known["account_id"]).median()
    gap = gap[gap > 0]
    last_then = known.groupby("account_id")["order_date"].max().reindex(gap.index)
    last_now = orders.groupby("account_id")["order_date"].max().reindex(gap.index)
    usual = (cut - last_then).dt.days < 365
    silent = (last_now <= cut)[usual]
    unfilled = company.accounts["annual_potential"].isna().reindex(silent.index)
    scores = {
        "honest": ((cut - last_then).dt.days / gap)[usual],
        "leaky": ((company.as_of - last_now).dt.days / gap)[usual],
        "form": unfilled + pd.Series(deal.rng.random(len(silent)), silent.index) / 2,
    }
    tenth = max(1, len(silent) // 10)
    return cut, {name: silent.loc[s.nlargest(tenth).index].mean() / silent.mean() for name, s in scores.items()}


@exercise("reading.off_season")
def off_season(deal: Deal) -> Draft:
    """Whether an account that has gone quiet has left or is between seasons, by the truth."""
    company = deal.company
    months, frame = company.months, company.accounts
    wanted = deal.one(["left", "season"])
    seasonal = frame.index[frame["is_seasonal"] & ~frame["has_left"] & (frame["revenue"] > 0)]
    gone = frame.index[frame["has_left"] & ~frame["is_seasonal"]]

    def draw() -> tuple[str, int]:
        account = deal.one(seasonal if wanted == "season" else gone)
        return account, int(deal.rng.integers(20, months.shape[1]))

    def is_quiet(drawn: tuple[str, int]) -> bool:
        account, end = drawn
        row = months.loc[account].to_numpy()
        quiet = row[end - 2 : end + 1].sum() <= 0.12 * np.median(row[max(0, end - 24) : end - 2]) * 3
        if wanted == "season":
            year = row[end - 14 : end - 11].sum() <= 0.7 * row[end - 14 : end - 2].sum() * 3 / 12
            return quiet and year and row[end + 1 :].sum() > 0
        left_at = months.columns.get_indexer([frame.at[account, "churn_date"].to_period("M")])[0]
        return quiet and left_at >= 15 and left_at <= end - 2 <= left_at + 3 and (row[:left_at] > 0).mean() > 0.7

    account, end = deal.until(draw, is_quiet)
    series = months.loc[account].iloc[: end + 1].rename(company.name_of(account))
    return Draft(wanted, {"account": company.name_of(account), "until": series.index[-1]}, series=series)


@exercise("reading.missing")
def missing(deal: Deal) -> Draft:
    """Of which accounts a report may not say that they are disloyal, because nobody asked them."""
    company = deal.company
    surveys = company.frame("surveys").sort_values("surveyed_on")
    share = surveys.dropna(subset=["wallet_share"]).groupby("account_id")["wallet_share"].last()
    frame = company.buyers[["label", "revenue"]].join(share)
    limit = company.book.settings.value("unattached_wallet_share")
    known_low = frame["wallet_share"] <= max(limit, float(share.quantile(0.2)))
    unknown = frame["wallet_share"].isna()
    low = deal.pick(frame.index[known_low], 2)
    high = deal.pick(frame.index[~known_low & ~unknown], 2)
    dark = deal.pick(frame.index[unknown], int(deal.rng.integers(1, 4)))
    chosen = deal.pick([*low, *high, *dark], 4 + len(dark))
    rows = frame.loc[chosen, ["label", "revenue", "wallet_share"]]
    return Draft(frozenset(dark), {"n": len(dark)}, rows)


@exercise("reading.ranking")
def ranking(deal: Deal) -> Draft:
    """Whether one manager is better than another, or the difference may be chance."""
    company = deal.company
    measure = deal.one(["growth", "score"])
    surveys = (
        company.frame("surveys").dropna(subset=["manager_score"]).join(company.accounts["manager_id"], on="account_id")
    )
    grown = company.buyers[company.buyers["revenue_previous"] > 20_000]
    growth = 100 * (grown["revenue"] / grown["revenue_previous"] - 1)
    by = {
        "score": {m: part["manager_score"].to_numpy() for m, part in surveys.groupby("manager_id") if len(part) >= 8},
        "growth": {
            m: growth[part.index].clip(-100, 300).to_numpy()
            for m, part in grown.groupby("manager_id")
            if len(part) >= 8
        },
    }[measure]
    names = company.frame("managers").set_index("manager_id")["name"]
    wanted = deal.one(["better", "open"])

    def draw() -> dict:
        one, other = deal.pick(by, 2)
        if by[one].mean() < by[other].mean():
            one, other = other, one
        interval = ttest_ind(by[one], by[other], equal_var=False).confidence_interval(LEVEL)
        # As printed, to one decimal: means that differ, and an interval of which it can be read whether it holds zero.
        shows = f"{by[one].mean():.1f}" != f"{by[other].mean():.1f}" and abs(interval.low) >= 0.05
        ends = {"low": interval.low, "high": interval.high}
        return {"one": one, "other": other, **ends, "is_sure": interval.low > 0, "is_told_apart": shows}

    if not any(_sure(a, b) for a in by.values() for b in by.values()):
        wanted = "open"
    told = deal.until(draw, lambda drawn: drawn["is_sure"] == (wanted == "better") and drawn["is_told_apart"])
    pair = [told["one"], told["other"]]
    rows = pd.DataFrame(
        {
            "manager": names[pair].to_numpy(),
            "accounts": [len(by[m]) for m in pair],
            "mean": [by[m].mean() for m in pair],
        }
    )
    values = {
        "one": names[pair[0]],
        "other": names[pair[1]],
        "gap": by[pair[0]].mean() - by[pair[1]].mean(),
        "low": told["low"],
        "high": told["high"],
    }
    return Draft(wanted, values, rows.rename(columns={"mean": f"mean_{measure}"}), case=f"{wanted}_{measure}")


def _sure(a: np.ndarray, b: np.ndarray) -> bool:
    return ttest_ind(a, b, equal_var=False).confidence_interval(LEVEL).low > 0
