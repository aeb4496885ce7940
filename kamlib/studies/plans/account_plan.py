"""A plan for one account: what speaks for and against us, who competes, what to reach by when, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.periods import Period, add_months, months_before
from kamlib.book.store import Book
from kamlib.studies import actions

MONTHS = 12
SAME = 0.02
KINDS = ("strength", "weakness", "opportunity", "threat")
CONTENT, DISCONTENT = 8.0, 6.0
FEWEST_PEERS = 5
LATE_BEGIN_DAYS = 31
COMPETITOR_COLUMNS = ["competitor", "named", "last_named", "deals_lost", "deals_won", "lost_value"]


@dataclass(frozen=True, eq=False)
class AccountPlan:
    """What :func:`measure` found.

    Attributes
    ----------
    as_of, account_id, name : the day the book is read as of, and the account.
    evidence : what speaks for and against us: kind (strength, weakness, opportunity, threat), topic (its sentence),
        value and text that the sentence names.
    competitors : who else sells to it, as answers and deals name them: competitor, named (answers), last_named,
        deals_lost, deals_won, lost_value; the one named most first. None where the book has neither.
    goals : the next four quarters: quarter, revenue_previous and target_previous (of the same quarter a year before;
        targets ahead are hidden by their day, and one that is not on file is missing), goal; they add up to ``goal``.
    revenue, goal : revenue of twelve months, and what is to be reached in the next four quarters.
    market : revenue of the other accounts of its industry, of twelve months over the twelve before, and how many they
        are; missing where there are too few.
    actions, names : the actions, and the names in them.
    revenue_previous : revenue of the twelve months before those; missing where the book does not reach back to them.
    """

    as_of: pd.Timestamp
    account_id: str
    name: str
    evidence: pd.DataFrame
    competitors: pd.DataFrame | None
    goals: pd.DataFrame
    revenue: float
    goal: float
    market: tuple[float, int]
    actions: pd.DataFrame
    names: actions.Names
    revenue_previous: float = np.nan


def measure(book: Book, account, growth: float = 0.05) -> AccountPlan:
    """Plan for one account.

    Parameters
    ----------
    book : the book as of its day.
    account : the account's file, as :func:`kamlib.studies.dossier.measure` gathers it.
    growth : by what share its revenue is to grow in the next four quarters.

    Examples
    --------
    >>> measure(book, dossier.measure(book, "0007", "2026-Q3")).goal  # doctest: +SKIP
    """
    year = account.sales.set_index("span").loc["year"]
    goals = _goals(book, account, growth)
    competitors = _competitors(account)
    market = _market(book, account)
    evidence = _evidence(account, year, competitors, market)
    rows = actions.gather(_proposed(account, competitors, goals), account.as_of)
    return AccountPlan(
        account.as_of,
        account.account_id,
        account.card["name"],
        evidence,
        competitors,
        goals,
        float(year["revenue"]),
        float(goals["goal"].sum()),
        market,
        rows,
        actions.names(book, rows),
        float(year["revenue_previous"]),
    )


def _goals(book: Book, account, growth: float) -> pd.DataFrame:
    """The next four quarters, each its own quarter a year before and the growth wanted."""
    quarter, rows = Period.containing(account.as_of.date() + pd.Timedelta(days=1)), []
    lines, targets = account.file.lines, _targets(book, account.account_id)
    for _ in range(4):
        start, end = add_months(quarter.start, -MONTHS), add_months(quarter.next().start, -MONTHS)
        days = lines["order_date"]
        before = lines.loc[(days >= pd.Timestamp(start)) & (days < pd.Timestamp(end)), "revenue"].sum()
        goal = max(before, 0.0) * (1 + growth)
        aimed = targets.get(Period.containing(start).label, np.nan)
        rows.append({"quarter": quarter.label, "revenue_previous": before, "target_previous": aimed, "goal": goal})
        quarter = quarter.next()
    return pd.DataFrame(rows)


def _targets(book: Book, account_id: str) -> dict[str, float]:
    if not book.has("targets", "account_id"):
        return {}
    rows = book.frame("targets")
    own = rows[rows["account_id"] == account_id]
    return own.groupby("period")["revenue"].sum().to_dict()


def _competitors(account) -> pd.DataFrame | None:
    if not {"surveys", "opportunities"} & account.has:
        return None
    answers = account.file.rows("surveys").dropna(subset=["main_competitor"])
    deals = account.file.rows("opportunities").dropna(subset=["competitor"])
    named = answers.groupby("main_competitor")["surveyed_on"].agg(named="size", last_named="max")
    value = pd.to_numeric(deals["value"])
    counts = {
        "deals_lost": deals[deals["stage"] == "lost"].groupby("competitor").size(),
        "deals_won": deals[deals["stage"] == "won"].groupby("competitor").size(),
        "lost_value": value[deals["stage"] == "lost"].groupby(deals["competitor"]).sum(min_count=1),
    }
    frame = pd.concat([named, *(part.rename(name) for name, part in counts.items())], axis=1)
    frame = frame.rename_axis("competitor").reset_index()
    whole = ["named", "deals_lost", "deals_won"]
    frame[whole] = frame[whole].fillna(0).astype("int64")
    order = ["named", "deals_lost", "competitor"]
    return frame.sort_values(order, ascending=[False, False, True], ignore_index=True)[COMPETITOR_COLUMNS]


def _market(book: Book, account) -> tuple[float, int]:
    """How the other accounts of its industry moved; without its own sales, which would answer for themselves."""
    industry = account.card["industry"]
    if pd.isna(industry):
        return np.nan, 0
    accounts, lines = (
        book.table("accounts", "account_id", "industry"),
        book.table("orders", "account_id", "order_date", "revenue"),
    )
    peers = accounts.filter(accounts.industry == industry, accounts.account_id != account.account_id)
    now, before = (months_before(account.as_of.date(), months) for months in (MONTHS, 2 * MONTHS))
    recent = lines.filter(lines.order_date >= before).join(peers.select("account_id"), "account_id")
    money, is_now = recent.revenue, recent.order_date >= now
    spans = {"now": money.sum(where=is_now), "before": money.sum(where=~is_now)}
    sums = book.collect(recent.group_by("account_id").aggregate(**spans))
    total = sums["before"].fillna(0).sum()
    if len(sums) < FEWEST_PEERS or total <= 0 or not _reaches_back(book, before):
        return np.nan, len(sums)
    return float(sums["now"].fillna(0).sum() / total - 1), len(sums)


def _reaches_back(book: Book, start) -> bool:
    """Whether the book begins with the year before; a part of a year would look like growth."""
    return pd.Timestamp(book.span()[0]) <= pd.Timestamp(start) + pd.Timedelta(days=LATE_BEGIN_DAYS)


def _evidence(account, year: pd.Series, competitors: pd.DataFrame | None, market: tuple[float, int]) -> pd.DataFrame:
    found = [*_trade(account, year), *_people(account), *_care(account), *_outside(account, year, competitors, market)]
    frame = pd.DataFrame(found, columns=["kind", "topic", "value", "text"])
    return frame.sort_values("kind", key=lambda kind: kind.map(KINDS.index), kind="stable", ignore_index=True)


def _trade(account, year: pd.Series) -> list[tuple]:
    found, before = [], year["revenue_previous"]
    change = year["revenue"] / before - 1 if before > 0 else np.nan
    if change > SAME:
        found.append(("strength", "grows", change, ""))
    if change < -SAME:
        found.append(("weakness", "shrinks", -change, ""))
    gone = account.churn.get("partial_gone")
    if account.churn.get("is_partial", False) and gone is not None:
        found.append(("weakness", "partial", float(gone), ""))
    late_on = account.rhythm["late_on"]
    if pd.notna(late_on) and late_on < account.as_of:
        found.append(("threat", "order_late", account.rhythm["recency_days"], ""))
    return found


def _people(account) -> list[tuple]:
    levels = account.file.rows("contacts")["level"].dropna()
    if "contacts" not in account.has or levels.empty:
        return []
    known = levels.nunique()
    return (
        [("strength", "levels", known, "")]
        if known >= 3
        else [("weakness", "one_level", known, "")]
        if known == 1
        else []
    )


def _care(account) -> list[tuple]:
    found = []
    cases = account.file.rows("cases")
    if still := int(cases["closed_on"].isna().sum()):
        found.append(("weakness", "complaints", still, ""))
    answers = account.file.rows("surveys").dropna(subset=["satisfaction"]).sort_values("surveyed_on")
    if len(answers):
        score = float(answers["satisfaction"].iloc[-1])
        if score >= CONTENT:
            found.append(("strength", "content", score, ""))
        if score <= DISCONTENT:
            found.append(("weakness", "discontent", score, ""))
    last, allowed = account.contacted["last"], account.contacted["allowed_days"]
    if pd.notna(last) and pd.notna(allowed) and (account.as_of - last).days > allowed:
        found.append(("weakness", "unheard", (account.as_of - last).days, ""))
    return found


def _outside(account, year: pd.Series, competitors: pd.DataFrame | None, market: tuple[float, int]) -> list[tuple]:
    found = []
    spaces = account.white_space.categories
    open_ones = spaces[spaces["is_white_space"].astype(bool)] if len(spaces) else spaces
    if len(open_ones):
        found.append(("opportunity", "space", open_ones.iloc[0]["year_estimate"], open_ones.iloc[0]["category"]))
    potential = account.card["annual_potential"]
    if pd.notna(potential) and potential > year["revenue"] > 0:
        found.append(("opportunity", "potential", potential - year["revenue"], ""))
    if market[0] > SAME:
        found.append(("opportunity", "market_grows", market[0], account.card["industry"]))
    if market[0] < -SAME:
        found.append(("threat", "market_shrinks", -market[0], account.card["industry"]))
    if competitors is not None and len(competitors):
        first = competitors.iloc[0]
        found.append(("threat", "competitor", first["named"] + first["deals_lost"], first["competitor"]))
    ends = account.file.rows("contracts")["ends_on"].max()
    if pd.notna(ends) and 0 <= (ends - account.as_of).days <= account.rules["contract_notice_days"]:
        found.append(("threat", "contract_ends", (ends - account.as_of).days, ""))
    return found


def _proposed(account, competitors: pd.DataFrame | None, goals: pd.DataFrame) -> list[pd.DataFrame]:
    one = account.card.to_frame().T[["account_id", "manager_id"]]
    own, as_of, topic = {"manager_id": account.card["manager_id"]}, account.as_of, "account_plan"
    days = {name: as_of + pd.Timedelta(days=n) for name, n in (("soon", 14), ("month", 30), ("quarter", 90))}
    parts = [actions.from_dues(account.actions, "K097")]
    for field in ("industry", "annual_potential"):
        if pd.isna(account.card[field]):
            parts.append(actions.propose("field", f"{topic}.fill_{field}", one, days["month"], "K094", detail=field))
    levels = account.file.rows("contacts")["level"]
    if "contacts" in account.has and not (levels == 4).any():
        parts.append(actions.propose("person", f"{topic}.sponsor", one, days["quarter"], "K094", detail="4"))
    if competitors is not None and len(competitors):
        named = competitors["competitor"].iloc[0]
        parts.append(actions.propose("step", f"{topic}.competitor", one, days["month"], "K096", detail=named))
    if "surveys" in account.has:
        parts.append(actions.propose("survey", f"{topic}.ask", one, days["quarter"], "K094"))
    total = float(goals["goal"].sum())
    parts.append(actions.propose("step", f"{topic}.goal", one, days["soon"], "K095", detail="goal", count=total))
    parts.append(actions.step(f"{topic}.decide", as_of, 30, "K093", "director", own["manager_id"]))
    parts.append(actions.step(f"{topic}.review", as_of, 90, "K093", "director", own["manager_id"]))
    return parts
