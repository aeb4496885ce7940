"""What the book shows of the actions a playbook proposed: done, open, overdue, or nothing it could show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from kamlib.book.store import Book
from kamlib.studies.actions import read_earlier

DONE, OPEN, OVERDUE, UNSEEN = "done", "open", "overdue", "unseen"


@dataclass(frozen=True)
class Sign:
    """Where the book shows that a kind of action was done: a row of *table* dated after it was asked for.

    Parameters
    ----------
    table, day : the table, and the column that dates the row.
    match : the column that must hold the action's detail; none where any row of the account will do.
    where : columns and the value each must have.
    """

    table: str
    day: str
    match: str = ""
    where: Mapping[str, str] = field(default_factory=dict)


SIGNS: Mapping[str, Sign] = {
    "contact": Sign("visits", "visit_date"),
    "visit": Sign("visits", "visit_date", where={"channel": "visit"}),
    "executive": Sign("visits", "visit_date", where={"level": "executive"}),
    "complaint": Sign("cases", "closed_on", match="case_id"),
    "contract": Sign("contracts", "signed_on"),
    "order": Sign("orders", "order_date"),
    "product": Sign("orders", "order_date", match="product_id"),
    "survey": Sign("surveys", "surveyed_on"),
    "rating": Sign("ratings", "rated_on"),
    "event": Sign("events", "event_date", match="kind"),
    "reference": Sign("references", "referred_on"),
    "stock": Sign("stock", "counted_on"),
    "promotion": Sign("promotions", "starts_on"),
    "deal": Sign("opportunities", "closed_on", match="opportunity_id"),
    "handover": Sign("assignments", "from_date"),
    "investment": Sign("investments", "spent_on"),
}
STATES = {"field": "accounts", "person": "contacts", "signature": "contracts", "log": "visits", "offer": "products"}


@dataclass(frozen=True, eq=False)
class FollowUp:
    """What :func:`follow_up` found.

    Attributes
    ----------
    rows : the earlier actions with ``status`` (done, open, overdue, unseen) and ``done_on`` (the first day the book
        shows it; missing for what has no day); None without an earlier report.
    as_of : the day the book is read as of.
    absent : tables that would have shown some of them and that the book has not.
    """

    rows: pd.DataFrame | None
    as_of: pd.Timestamp
    absent: tuple[str, ...] = ()

    def count(self, status: str) -> int:
        """How many actions have a status."""
        return 0 if self.rows is None else int((self.rows["status"] == status).sum())


def follow_up(book: Book, previous: str) -> FollowUp:
    """Look for each action of the last report in the book.

    That a thing is seen after it was asked for does not say that it was done because it was asked for.

    Parameters
    ----------
    book : the book as of the day of the new report.
    previous : folder of the last report of this kind; may be empty.

    Examples
    --------
    >>> follow_up(book, "reports/rendered/sample/2026-Q2/contact_cadence").count("done")  # doctest: +SKIP
    """
    as_of = pd.Timestamp(book.as_of or book.span()[1]).as_unit("s")
    earlier = read_earlier(previous)
    if earlier is None:
        return FollowUp(None, as_of)
    parts = [_judged(book, kind, part, as_of) for kind, part in earlier.groupby("kind")]
    wanted = {table_of(kind) for kind in earlier["kind"].unique()} - {""}
    absent = tuple(sorted(table for table in wanted if table not in book.tables))
    rows = pd.concat(parts).sort_values(["due_on", "account_id", "action_id"], ignore_index=True)
    return FollowUp(rows, as_of, absent)


def table_of(kind: str) -> str:
    """The table that shows a kind of action; empty where none does."""
    return SIGNS[kind].table if kind in SIGNS else STATES.get(kind, "")


def _judged(book: Book, kind: str, part: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    table = table_of(kind)
    if not table or table not in book.tables:
        return part.assign(done_on=pd.Series(pd.NaT, part.index, dtype="datetime64[s]"), status=UNSEEN)
    done_on, is_done = _shown(book, SIGNS[kind], part) if kind in SIGNS else _stands(book, kind, part)
    status = pd.Series(OPEN, part.index, dtype="object").mask(part["due_on"] < as_of, OVERDUE).mask(is_done, DONE)
    return part.assign(done_on=done_on.astype("datetime64[s]"), status=status)


def _shown(book: Book, sign: Sign, part: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The first day after it was asked for on which each action is shown."""
    match = [sign.match] if sign.match else []
    more = {"contracts": ["starts_on"], "orders": ["revenue"]}.get(sign.table, [])
    rows = book.table(sign.table, *dict.fromkeys(["account_id", sign.day, *match, *sign.where, *more]))
    if sign.table == "contracts":  # the rule of the data contract: a missing day of signing is the first day
        rows = rows.mutate(signed_on=rows.signed_on.coalesce(rows.starts_on))
    if sign.table == "orders":
        rows = rows.filter(rows.revenue > 0)
    rows = rows.filter(rows.account_id.isin(part["account_id"].unique().tolist()), rows[sign.day].notnull())
    rows = rows.filter(rows[sign.day] > part["asked_on"].min().date())
    for column, value in sign.where.items():
        rows = rows.filter(rows[column] == value)
    seen = book.collect(rows.select("account_id", *match, shown_on=rows[sign.day]).distinct())
    keys = ["account_id", *match]
    asked = part[["account_id", "asked_on"]].assign(**{sign.match: part["detail"]} if match else {})
    both = asked.reset_index(names="row").merge(seen, on=keys)
    first = both[both["shown_on"] > both["asked_on"]].groupby("row")["shown_on"].min()
    done_on = first.reindex(part.index)
    return done_on, done_on.notna()


def _stands(book: Book, kind: str, part: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Whether what was lacking is there now, for what has no day of its own."""
    never = pd.Series(pd.NaT, part.index, dtype="datetime64[s]")
    if kind == "offer":
        return _bought(book, part)
    if kind == "log":
        return never, ~part["manager_id"].isin(_unlogged(book, part))
    ids = part["account_id"].unique().tolist()
    rows = book.table(STATES[kind]).filter(lambda t: t.account_id.isin(ids))
    frame = book.collect(rows).set_index("account_id")
    there = [_has(frame, kind, *row) for row in part[["account_id", "detail"]].to_numpy()]
    return never, pd.Series(there, part.index)


def _has(frame: pd.DataFrame, kind: str, account_id: str, detail: str) -> bool:
    """A field filled, a contract signed, a person of a role (``decision_maker``), a level (``4``) or any at all."""
    mine = frame[frame.index == account_id]
    if kind == "signature":
        return bool(mine.loc[mine["contract_id"] == detail, "signed_on"].notna().any())
    if kind == "field":
        return bool(len(mine) and detail in mine and mine[detail].notna().any())
    if detail.isdigit():
        return bool((mine["level"] >= int(detail)).any())
    return bool((mine["role"] == detail).any()) if detail else bool(len(mine))


def _bought(book: Book, part: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The first day on which the category offered was bought."""
    lines = book.table("orders", "account_id", "order_date", "product_id", "revenue")
    products = book.table("products", "product_id", "category")
    lines = lines.filter(lines.account_id.isin(part["account_id"].unique().tolist()), lines.revenue > 0)
    lines = lines.filter(lines.order_date > part["asked_on"].min().date()).join(products, "product_id")
    seen = book.collect(lines.select("account_id", "category", "order_date").distinct())
    both = part.reset_index().merge(seen, left_on=["account_id", "detail"], right_on=["account_id", "category"])
    first = both[both["order_date"] > both["asked_on"]].groupby("index")["order_date"].min().reindex(part.index)
    return first, first.notna()


def _unlogged(book: Book, part: pd.DataFrame) -> list[str]:
    """Managers who still have contacts from before they were asked that are not in the log."""
    visits = book.table("visits", "manager_id", "visit_date", "logged_on")
    open_ones = visits.filter(visits.logged_on.isnull(), visits.visit_date <= part["asked_on"].max().date())
    return book.collect(open_ones.select("manager_id").distinct())["manager_id"].dropna().tolist()
