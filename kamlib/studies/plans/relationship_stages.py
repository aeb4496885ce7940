"""Relationships by stage: what each takes, how deep each relationship goes, and whether depth has kept accounts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.studies import actions, shares
from kamlib.studies.portfolio import day_of, portfolio

STAGES = ("build", "stable", "strengthen", "lapsed", "prospect")
SIGNS = ("contract", "executive", "levels", "centres", "together", "stock", "service", "reference")
KEPT = 0.8
FEWEST_SIGNS = 3
MOST_EXECUTIVES = 10


@dataclass(frozen=True, eq=False)
class StagePlan:
    """What :func:`measure` found. Spans are the last twelve months; missing is what the book cannot tell.

    Attributes
    ----------
    as_of : day the book is read as of.
    stages : one row per stage that has accounts: stage, accounts, key_accounts (class A), revenue, and for each account
        of it hours_each (of contact), cases_each (complaints) and depth (share of the signs it shows).
    signs : one row per sign of depth: sign, share (of key accounts that show it), n; missing where no table tells.
    deepest : key accounts: account_id, manager_id, name, stage, revenue, shown, tellable, the deepest first.
    kept_deep, kept_shallow, gap : of the accounts that were in class A a year before, the share that bought at least
        four fifths as much in the year since, for the deeper half as of then and for the others; the difference with
        the ends of its interval.
    unsettled : complaints of established key accounts open beyond the time allowed: account_id, manager_id, name,
        stage, case_id, opened_on.
    actions, names : the actions, and the names in them.
    """

    as_of: pd.Timestamp
    stages: pd.DataFrame
    signs: pd.DataFrame
    deepest: pd.DataFrame
    kept_deep: shares.Share
    kept_shallow: shares.Share
    gap: tuple[float, float, float]
    unsettled: pd.DataFrame
    actions: pd.DataFrame
    names: actions.Names


def measure(book: Book, accounts: pd.DataFrame, keys=None) -> StagePlan:
    """Plan the relationships of a portfolio by their stage.

    Parameters
    ----------
    book : the book as of its day.
    accounts : by account_id: manager_id, name, abc, revenue and stage, as the segmentation of the same book gives them.
    keys : identifiers of the key accounts, as :func:`kamlib.studies.portfolio.key_accounts` names them; class A where
        none are given.

    Examples
    --------
    >>> measure(book, segmentation.measure(book, "2026-Q3").accounts).stages  # doctest: +SKIP
    """
    as_of = day_of(book)
    rows = accounts.rename_axis("account_id").reset_index()
    is_key = rows["abc"].eq("A") if keys is None else rows["account_id"].isin(keys)
    rows = rows.assign(name=rows["name"].fillna(rows["account_id"]), is_key=is_key)
    signs = depth(book, rows["account_id"], as_of)
    rows["shown"], rows["tellable"] = signs.sum(axis=1).to_numpy(), int(signs.notna().any().sum())
    keys = rows[rows["is_key"]]
    deep, shallow = _kept(book, as_of)
    unsettled = _unsettled(book, keys[keys["stage"].isin(["stable", "strengthen"])], as_of)
    made = actions.gather(_actions(book, keys, signs, unsettled, as_of), as_of)
    order = keys.sort_values(["shown", "revenue", "account_id"], ascending=[False, False, True], ignore_index=True)
    columns = ["account_id", "manager_id", "name", "stage", "revenue", "shown", "tellable"]
    return StagePlan(
        as_of,
        _stages(book, rows, as_of),
        _signs(signs[rows["is_key"].to_numpy()]),
        order[columns],
        deep,
        shallow,
        shares.difference(deep, shallow),
        unsettled,
        made,
        actions.names(book, made),
    )


def depth(book: Book, accounts: pd.Series, as_of: pd.Timestamp) -> pd.DataFrame:
    """Which signs of depth each account shows; missing where no table of the book tells.

    *contract*: one in force; *executive*: met within the days declared; *levels*: people known on two levels or more;
    *centres*: two buying centres or more ordered; *together*: a promotion made together, or an event or trial attended;
    *stock*: its stock is counted with us; *service*: we spent on service there; *reference*: it referred another.

    Returns
    -------
    By account, one column for each of :data:`SIGNS`: 1, 0 or missing.
    """
    year = as_of - pd.DateOffset(years=1)
    lately = as_of - pd.Timedelta(days=int(book.settings.value("executive_contact_days")))
    found = {
        "contract": _who(
            book, "contracts", ("ends_on",), lambda r: (r["starts_on"] <= as_of) & (r["ends_on"] >= as_of)
        ),
        "executive": _who(
            book, "visits", ("level",), lambda r: r["level"].eq("executive") & (r["visit_date"] > lately)
        ),
        "levels": _several(book, "contacts", "level"),
        "centres": _several(book, "orders", "buying_centre", "order_date", year),
        "together": _together(book, year),
        "stock": _who(book, "stock", (), lambda r: r["counted_on"] > year),
        "service": _who(book, "investments", ("kind",), lambda r: r["kind"].eq("service") & (r["spent_on"] > year)),
        "reference": _who(book, "references", (), lambda r: r["referred_on"].notna()),
    }
    index = pd.Index(accounts, name="account_id")
    columns = {name: np.nan if who is None else index.isin(who).astype(float) for name, who in found.items()}
    return pd.DataFrame(columns, index=index, columns=list(SIGNS))


def _who(book: Book, table: str, columns: tuple[str, ...], flag) -> set | None:
    if not book.has(table, *columns):
        return None
    rows = book.frame(table)
    return set(rows.loc[flag(rows), "account_id"])


def _several(book: Book, table: str, column: str, day: str = "", since=None) -> set | None:
    """The accounts with two values or more in a column."""
    if not book.has(table, column):
        return None
    rows = book.frame(table)
    rows = rows[rows[day] > since] if day else rows
    counts = rows.groupby("account_id")[column].nunique()
    return set(counts.index[counts >= 2])


def _together(book: Book, since: pd.Timestamp) -> set | None:
    promoted = _who(book, "promotions", ("kind",), lambda r: r["kind"].eq("co_promotion") & (r["starts_on"] > since))
    came = _who(book, "events", ("has_attended",), lambda r: r["has_attended"].eq(True) & (r["event_date"] > since))
    return None if promoted is None and came is None else (promoted or set()) | (came or set())


def _signs(signs: pd.DataFrame) -> pd.DataFrame:
    counts = signs.count()
    return pd.DataFrame({"share": signs.mean(), "n": counts.where(counts > 0)}).rename_axis("sign").reset_index()


def _stages(book: Book, rows: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    year = as_of - pd.DateOffset(years=1)
    rows = rows.assign(
        hours=_each(book, rows, "visits", "visit_date", year, "hours"),
        cases=_each(book, rows, "cases", "opened_on", year),
        depth=rows["shown"] / rows["tellable"].where(rows["tellable"] > 0),
    )
    by = rows.groupby("stage").agg(
        accounts=("account_id", "size"),
        key_accounts=("is_key", "sum"),
        revenue=("revenue", "sum"),
        hours_each=("hours", "mean"),
        cases_each=("cases", "mean"),
        depth=("depth", "mean"),
    )
    return by.reindex([stage for stage in STAGES if stage in by.index]).reset_index()


def _each(book: Book, rows: pd.DataFrame, table: str, day: str, since: pd.Timestamp, column: str = "") -> pd.Series:
    """Rows of a table, or the sum of a column, for each account since a day; missing without the table."""
    if not book.has(table, *([column] if column else [])):
        return pd.Series(np.nan, index=rows.index)
    found = book.frame(table)
    recent = found[found[day] > since].groupby("account_id")
    return rows["account_id"].map(recent[column].sum() if column else recent.size()).fillna(0.0)


def _kept(book: Book, as_of: pd.Timestamp) -> tuple[shares.Share, shares.Share]:
    """Whether the accounts of class A a year before kept buying: the deeper half as of then, and the others."""
    then = as_of - pd.DateOffset(years=1)
    if then.date() <= book.span()[0]:
        return shares.of(0, 0), shares.of(0, 0)
    earlier = book.at(then.date())
    before = portfolio(earlier).query("is_key")
    signs = depth(earlier, before["account_id"], then)
    if signs.notna().any().sum() < FEWEST_SIGNS:
        return shares.of(0, 0), shares.of(0, 0)
    shown = signs.sum(axis=1).to_numpy()
    since = portfolio(book).set_index("account_id")["revenue"]
    kept = before["account_id"].map(since).fillna(0.0).to_numpy() >= KEPT * before["revenue"].to_numpy()
    is_deep = shown > np.median(shown)
    return shares.share(kept[is_deep]), shares.share(kept[~is_deep])


def _unsettled(book: Book, keys: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    columns = ["account_id", "manager_id", "name", "stage"]
    if not book.has("cases"):
        return keys[columns].head(0).assign(case_id="", opened_on=pd.NaT)
    rows = book.frame("cases")
    allowed = pd.Timedelta(days=int(book.settings.value("case_answer_days")))
    late = rows[rows["closed_on"].isna() & (as_of - rows["opened_on"] > allowed)]
    found = keys[columns].merge(late[["account_id", "case_id", "opened_on"]], on="account_id")
    return found.sort_values(["opened_on", "case_id"], ignore_index=True)


def _actions(book: Book, keys: pd.DataFrame, signs: pd.DataFrame, unsettled, as_of: pd.Timestamp) -> list[pd.DataFrame]:
    topic, shows = "relationship_stages", signs.reindex(keys["account_id"]).set_index(keys.index)
    building, grown = keys["stage"] == "build", keys["stage"].isin(["stable", "strengthen"])
    unmet = keys[grown & shows["executive"].eq(0)].sort_values("revenue", ascending=False).head(MOST_EXECUTIVES)
    unsigned = keys[(keys["stage"] == "strengthen") & shows["contract"].eq(0)]
    unasked = keys[building & ~keys["account_id"].isin(_asked(book, as_of))]
    month, quarter = as_of + pd.offsets.BDay(20), as_of + pd.offsets.BDay(60)
    late = {"since": unsettled["opened_on"], "detail": unsettled["case_id"]}
    return [
        actions.propose("survey", f"{topic}.trust", unasked, month, "K023"),
        actions.propose("complaint", f"{topic}.mend", unsettled, as_of + pd.offsets.BDay(5), "K023", "service", **late),
        actions.propose("executive", f"{topic}.tops", unmet, quarter, "K023", "executive"),
        actions.propose("contract", f"{topic}.frame", unsigned, quarter, "K098"),
        actions.step(f"{topic}.procedure", as_of, 45, "K023", "service"),
        actions.step(f"{topic}.boards", as_of, 30, "K098", "legal"),
        actions.step(f"{topic}.purchases", as_of, 30, "K058", "legal"),
    ]


def _asked(book: Book, as_of: pd.Timestamp) -> set:
    """The accounts whose answer of twelve months is on record; none where nobody is asked."""
    return _who(book, "surveys", (), lambda r: r["surveyed_on"] > as_of - pd.DateOffset(years=1)) or set()
