"""The week's sales of each manager: against target, week and quarter to date, orders late, contacts not logged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from kamlib.book.coverage import covered_until
from kamlib.book.features import exact
from kamlib.book.periods import Period, add_months
from kamlib.book.store import Book
from kamlib.errors import RequestError
from kamlib.studies.portfolio import manager_names
from kamlib.studies.weekly.target_parts import WorkingDays, target_for

SPANS = ("week", "quarter")
NOBODY = "–"
SWING_WEEKS = 26


@dataclass(frozen=True, eq=False)
class Weekly:
    """What :func:`measure` found.

    Attributes
    ----------
    as_of : day read as of. week, quarter : the periods reported; both are cut off at ``as_of``,
        and at the last order where orders do not cover the days after it.
    spans : two rows (week, quarter): span, from_day, to_day, revenue, revenue_previous (the same weekdays, or days,
        a year before; missing where the book does not reach back), target, reached (revenue over target; missing
        without a target), usual (mean of the four weeks before; weeks only), swing (what the sum moves by chance:
        1.64 standard deviations of the last weeks, times the square root of the weeks in the span).
    managers : one row each, the largest shortfall first: manager_id, name, accounts, and for each span
        revenue_<span>, target_<span>, reached_<span>; revenue_quarter_previous, gap_quarter (revenue less target),
        late_lines, unlogged. Accounts without a manager stand under "–".
    late : order lines promised before the day that have not come: manager_id, account_id, name, order_id,
        promised_on, days_late; None where the book has no deliveries.
    unlogged : contacts of the quarter that nobody wrote down within the days allowed: manager_id, account_id,
        name, visit_date, channel; None where the book has no log days.
    log_days : days within which a contact is to be written down.
    target_source : ``manager``, ``account`` (summed over a manager's accounts) or nothing.
    countries : whose public holidays are no working days.
    record : from_day, to_day, said and now of the last report's week; None without one.
    last_order : day of the last order, None without any. is_covered : whether orders cover the days asked for (see
        :func:`kamlib.book.coverage.covered_until`).
    """

    as_of: pd.Timestamp
    week: Period
    quarter: Period
    spans: pd.DataFrame
    managers: pd.DataFrame
    late: pd.DataFrame | None
    unlogged: pd.DataFrame | None
    log_days: float
    target_source: str
    countries: tuple[str, ...]
    record: pd.Series | None
    last_order: pd.Timestamp | None
    is_covered: bool


def measure(book: Book, period: str, previous: str = "") -> Weekly:
    """Measure the week that a period is, or the last one of a longer period, and its quarter to date.

    Parameters
    ----------
    book : the book as of the day to report.
    period : a week such as ``2026-W39``; of any longer period the last week that has begun is taken.
    previous : folder of the last report, to compare what it said of its week.

    Raises
    ------
    RequestError
        When the period begins after the book's day.

    Examples
    --------
    >>> measure(book, "2026-W39").managers.head()  # doctest: +SKIP
    """
    end = book.as_of or book.span()[1]
    asked = Period.parse(period)
    if asked.start > end:
        raise RequestError(f"period {period} begins after {end}, the day the book is read as of")
    until = min(asked.end, end)
    covered = covered_until(book, until)
    last = covered if covered and covered >= asked.start else until
    week, quarter = Period.containing(last, "week"), Period.containing(last, "quarter")
    days = {"week": (week.start, last), "quarter": (quarter.start, last)}
    working = WorkingDays(book.settings.countries)
    accounts = _accounts(book)
    sums = _sums(book, accounts, days)
    targets, source = _targets(book, accounts, days, working)
    late, unlogged = _late(book, accounts, last), _unlogged(book, accounts, quarter.start, last)
    managers = _managers(book, accounts, sums, targets, late, unlogged)
    return Weekly(
        pd.Timestamp(end).as_unit("s"),
        week,
        quarter,
        _spans(book, days, sums, managers),
        managers,
        late,
        unlogged,
        book.settings.value("log_check_days"),
        source,
        working.countries,
        _record(book, previous),
        _last_order(book),
        covered == until,
    )


def _accounts(book: Book) -> pd.DataFrame:
    frame = book.collect(book.table("accounts", "account_id", "name", "manager_id"), ["account_id"])
    return frame.assign(manager_id=frame["manager_id"].fillna(NOBODY))


def _year_before(name: str, first: date, last: date) -> tuple[date, date]:
    """The same days a year before: the same weekdays for a week, the same days of the month for a quarter."""
    if name == "week":
        return first - timedelta(days=364), last - timedelta(days=364)
    return add_months(first, -12), add_months(last + timedelta(days=1), -12) - timedelta(days=1)


def _sums(book: Book, accounts: pd.DataFrame, days: dict) -> pd.DataFrame:
    """Revenue by account in each span, and a year before it."""
    windows = days | {f"{name}_previous": _year_before(name, *span) for name, span in days.items()}
    start = days["week"][0]
    windows["four_weeks"] = (start - timedelta(days=28), start - timedelta(days=1))
    orders = book.table("orders", "account_id", "order_date", "revenue")
    orders = orders.filter(orders.order_date >= min(first for first, _ in windows.values()))
    inside = {name: orders.order_date.between(*span) for name, span in windows.items()}
    sums = {name: exact(orders.revenue).sum(where=where).cast("float64") for name, where in inside.items()}
    frame = book.collect(orders.group_by("account_id").aggregate(**sums), ["account_id"])
    return accounts[["account_id"]].merge(frame, on="account_id", how="left").fillna(0.0).set_index("account_id")


def _targets(book: Book, accounts: pd.DataFrame, days: dict, working: WorkingDays) -> tuple[pd.DataFrame, str]:
    """Targets by manager for each span: their own, or the sum of their accounts' where they have none."""
    names = pd.Index(sorted(accounts["manager_id"].unique()), name="manager_id")
    if not book.has("targets"):
        return pd.DataFrame(np.nan, index=names, columns=SPANS), ""
    rows = book.collect(book.table("targets", "account_id", "manager_id", "period", "revenue"))
    own = rows[rows["account_id"].isna()]
    by_account = rows[rows["account_id"].notna()].drop(columns="manager_id")
    found, sources = {}, set()
    for name, span in days.items():
        mine = target_for(own, "manager_id", *span, working).reindex(names)
        parts = target_for(by_account, "account_id", *span, working).rename("part")
        theirs = accounts.join(parts, on="account_id").groupby("manager_id")["part"].sum(min_count=1).reindex(names)
        sources |= {"manager"} if mine.notna().any() else {"account"} if theirs.notna().any() else set()
        found[name] = mine.fillna(theirs)
    return pd.DataFrame(found), "manager" if "manager" in sources else "account" if sources else ""


def _managers(book, accounts, sums, targets, late, unlogged) -> pd.DataFrame:
    by = accounts.set_index("account_id")["manager_id"]
    frame = pd.DataFrame({"accounts": by.value_counts()}).rename_axis("manager_id")
    money = sums[["week", "quarter", "quarter_previous"]].groupby(by).sum().add_prefix("revenue_")
    frame = frame.join(money).join(targets.add_prefix("target_"))
    for name in SPANS:
        target = frame[f"target_{name}"]
        frame[f"reached_{name}"] = frame[f"revenue_{name}"] / target.where(target > 0)
    frame["gap_quarter"] = frame["revenue_quarter"] - frame["target_quarter"]
    frame["late_lines"] = np.nan if late is None else late["manager_id"].value_counts().reindex(frame.index).fillna(0)
    missing = None if unlogged is None else unlogged["manager_id"].value_counts()
    frame["unlogged"] = np.nan if missing is None else missing.reindex(frame.index).fillna(0)
    frame.insert(0, "name", manager_names(book).reindex(frame.index))
    frame = frame.reset_index().sort_values("manager_id")
    return frame.sort_values(
        ["gap_quarter", "revenue_quarter"], ascending=[True, False], ignore_index=True, kind="stable"
    )


def _spans(book: Book, days: dict, sums: pd.DataFrame, managers: pd.DataFrame) -> pd.DataFrame:
    first = book.collect(book.table("orders", "order_date").aggregate(lambda t: t.order_date.min())).iloc[0, 0]
    weeks = _weeks(book, days["week"][0])
    found = []
    for name, (start, last) in days.items():
        reaches = pd.notna(first) and first <= pd.Timestamp(add_months(_year_before(name, start, last)[0], 1))
        covered = managers[managers[f"target_{name}"].notna()]
        target = covered[f"target_{name}"].sum(min_count=1)
        found.append(
            {
                "span": name,
                "from_day": pd.Timestamp(start).as_unit("s"),
                "to_day": pd.Timestamp(last).as_unit("s"),
                "revenue": sums[name].sum(),
                "revenue_previous": sums[f"{name}_previous"].sum() if reaches else np.nan,
                "target": target,
                "reached": covered[f"revenue_{name}"].sum() / target if target > 0 else np.nan,
                "gap": covered[f"revenue_{name}"].sum() - target,
                "usual": sums["four_weeks"].sum() / 4 if name == "week" and len(weeks) >= 4 else np.nan,
                "swing": 1.645 * weeks.std() * (((last - start).days + 1) / 7) ** 0.5 if len(weeks) > 7 else np.nan,
            }
        )
    return pd.DataFrame(found)


def _weeks(book: Book, start: date) -> pd.Series:
    """Revenue of the whole weeks before a Monday, at most half a year of them, from the first with an order."""
    orders = book.table("orders", "order_date", "revenue")
    since = start - timedelta(days=7 * SWING_WEEKS)
    orders = orders.filter(orders.order_date.between(since, start - timedelta(days=1)))
    weeks = orders.group_by(day=orders.order_date.truncate("W")).aggregate(
        net=exact(orders.revenue).sum().cast("float64")
    )
    found = book.collect(weeks, ["day"])
    if found.empty:
        return pd.Series(dtype="float64")
    found = found.set_index(pd.to_datetime(found["day"]))["net"]
    return found.reindex(pd.date_range(found.index.min(), start - timedelta(days=7), freq="7D"), fill_value=0.0)


def _late(book: Book, accounts: pd.DataFrame, last: date) -> pd.DataFrame | None:
    if not book.has("deliveries"):
        return None
    waiting = book.table("deliveries", "order_id", "line_no", "promised_on", "delivered_on")
    waiting = waiting.filter(waiting.delivered_on.isnull(), waiting.promised_on < last)
    orders = book.table("orders", "order_id", "line_no", "account_id")
    frame = book.collect(waiting.inner_join(orders, ["order_id", "line_no"]), ["promised_on", "order_id", "line_no"])
    frame = frame.merge(accounts, on="account_id")
    days = (pd.Timestamp(last) - frame["promised_on"]).dt.days
    columns = ["manager_id", "account_id", "name", "order_id", "line_no", "promised_on"]
    return frame[columns].assign(days_late=days)


def _unlogged(book: Book, accounts: pd.DataFrame, first: date, last: date) -> pd.DataFrame | None:
    """Contacts of the span that should have been written down by now and were not."""
    if not book.has("visits", "logged_on"):
        return None
    latest = last - timedelta(days=book.settings.value("log_check_days"))
    visits = book.table("visits", "visit_id", "account_id", "manager_id", "visit_date", "channel", "logged_on")
    visits = visits.filter(visits.logged_on.isnull(), visits.visit_date.between(first, latest))
    frame = book.collect(visits, ["visit_date", "visit_id"])
    frame = frame.merge(accounts, on="account_id", suffixes=("", "_now"))
    frame["manager_id"] = frame["manager_id"].fillna(frame["manager_id_now"])
    return frame[["manager_id", "account_id", "name", "visit_date", "channel"]]


def _record(book: Book, previous: str) -> pd.Series | None:
    """What the last report said of its week, and what the book says of the same days now."""
    path = Path(previous) / "tables" / "spans.parquet"
    if not previous or not path.is_file():
        return None
    said = pd.read_parquet(path).set_index("code").loc["week"]
    orders = book.table("orders", "order_date", "revenue")
    orders = orders.filter(orders.order_date.between(said["from_day"].date(), said["to_day"].date()))
    now = book.collect(orders.aggregate(net=exact(orders.revenue).sum().cast("float64")))["net"].iloc[0]
    values = {"from_day": said["from_day"], "to_day": said["to_day"], "said": said["revenue"], "now": now}
    return pd.Series({**values, "now": 0.0 if pd.isna(now) else now}, dtype="object")


def _last_order(book: Book) -> pd.Timestamp | None:
    last = book.collect(book.table("orders", "order_date").aggregate(lambda t: t.order_date.max())).iloc[0, 0]
    return None if pd.isna(last) else last
