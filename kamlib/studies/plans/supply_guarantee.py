"""Supply before the peak: what key accounts will need, what lies on their shelves, what came late or short."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from kamlib.book.periods import month_starts, months_before
from kamlib.book.store import Book
from kamlib.studies import actions, peaks, service, shares
from kamlib.studies.portfolio import day_of, portfolio
from kamlib.studies.stock_cover import stock_cover

PEAK_INDEX = 1.2
ALL, NO_CATEGORY = "all products", "in no category"


@dataclass(frozen=True, eq=False)
class SupplyPlan:
    """What :func:`measure` found; frames are None where the book lacks the table.

    Attributes
    ----------
    as_of : day the book is read as of.
    n_keys : key accounts (class A among the accounts in scope).
    unit : what needs are counted in, ``quantity`` or ``revenue``.
    months_known : complete months of orders before as_of.
    need : :class:`kamlib.studies.peaks.Need` of the key accounts by category.
    peaks : for each category its highest month ahead, where that is a fifth above its mean month: category, month,
        index, need, need_low, need_high, order_by.
    needs : who buys in those peaks: account_id, manager_id, name, category, month, bought (a year before), need.
    holidays : as :func:`kamlib.studies.peaks.moved_holidays` gives them.
    cover : the counts of key accounts (:func:`kamlib.studies.stock_cover.stock_cover`), with manager_id,
        name and product.
    key_service, other_service : :class:`kamlib.studies.shares.Share` of lines on time, of key and of other accounts.
    service : on time and in full by category: category, n, share, share_low, share_high, in_full.
    shortages : as :func:`kamlib.studies.service.shortages`. months_judged : of how many months of categories.
    late : accounts with lines that are late now: account_id, manager_id, name, late_lines, promised_on (the earliest).
    actions, names : the actions, and the names in them.
    """

    as_of: pd.Timestamp
    n_keys: int
    unit: str
    months_known: int
    need: peaks.Need
    peaks: pd.DataFrame
    needs: pd.DataFrame
    holidays: pd.DataFrame
    cover: pd.DataFrame | None
    key_service: shares.Share | None
    other_service: shares.Share | None
    service: pd.DataFrame | None
    shortages: pd.DataFrame | None
    months_judged: int
    late: pd.DataFrame | None
    actions: pd.DataFrame
    names: actions.Names


def measure(
    book: Book, horizon_days: int = 180, lead_days: int = 30, accounts_at_most: int = 20, keys=None
) -> SupplyPlan:
    """Plan the supply of the key accounts.

    Parameters
    ----------
    book : the book as of its day.
    horizon_days : how far ahead peaks are looked for. lead_days : how long production and transport need.
    accounts_at_most : with how many accounts at most the peak is agreed, those that need most first.
    keys : identifiers of the key accounts, as :func:`kamlib.studies.portfolio.key_accounts` names them; class A where
        none are given.

    Examples
    --------
    >>> measure(book).peaks[["category", "month", "order_by"]]  # doctest: +SKIP
    """
    as_of = day_of(book)
    people = portfolio(book)
    is_named = people["is_key"] if keys is None else people["account_id"].isin(keys)
    keys = people.loc[is_named, ["account_id", "manager_id", "name"]]
    monthly, unit = _monthly(book, keys, as_of)
    wide = _complete(monthly, as_of)
    until = as_of + pd.Timedelta(days=horizon_days)
    ahead = [month for month in month_starts(as_of.date(), until.date()) if month > as_of][:12]
    need = peaks.foresee(wide, ahead)
    tops = _peaks(need.rows, lead_days)
    needs = _needs(monthly, keys, tops, need.growth)
    lines = service.delivered_lines(book, pd.Timestamp(months_before(as_of.date(), 12)))
    cover, late = _cover(book, keys), _late(lines, keys)
    short = None if lines is None else service.shortages(lines)
    parts = [
        *_peak_actions(tops, needs.head(accounts_at_most), as_of),
        *_stock_actions(cover, as_of, lead_days),
        _late_actions(late, as_of),
    ]
    if short is not None and len(short):
        parts.append(actions.step("supply_guarantee.review", as_of, 5, "K057", "supply"))
    rows = actions.gather([part for part in parts if part is not None], as_of)
    is_key = None if lines is None else lines["account_id"].isin(keys["account_id"])
    return SupplyPlan(
        as_of,
        len(keys),
        unit,
        len(wide),
        need,
        tops,
        needs,
        peaks.moved_holidays(book.settings.countries, as_of.date(), until.date()),
        cover,
        None if lines is None else shares.share(lines.loc[is_key, "is_on_time"]),
        None if lines is None else shares.share(lines.loc[~is_key, "is_on_time"]),
        None if lines is None else _service(lines[is_key]),
        short,
        0 if lines is None else service.months_judged(lines),
        late,
        rows,
        replace(actions.names(book, rows), details=_product_names(cover)),
    )


def _monthly(book: Book, keys: pd.DataFrame, as_of: pd.Timestamp) -> tuple[pd.DataFrame, str]:
    """What each key account bought of each category in each month: account_id, category, month, amount."""
    unit = "quantity" if book.has("orders", "quantity") else "revenue"
    lines = book.table("orders", "account_id", "product_id", "order_date", unit)
    lines = lines.filter(lines.account_id.isin(keys["account_id"].tolist()), lines[unit].notnull())
    lines = lines.mutate(month=lines.order_date.truncate("M"))
    by = ["account_id", "month"]
    if book.has("products", "category") and book.has("orders", "product_id"):
        lines = lines.left_join(book.table("products", "product_id", "category"), "product_id")
        by.append("category")
    frame = book.collect(lines.group_by(by).aggregate(amount=lines[unit].sum()))
    if "category" not in frame:
        frame["category"] = ALL
    return frame.dropna(subset=["category"]), unit


def _complete(monthly: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Months by category without holes, up to the last complete month."""
    last = (as_of + pd.Timedelta(days=1)).to_period("M").start_time - pd.DateOffset(months=1)
    known = monthly[monthly["month"] <= last]
    if known.empty:
        return pd.DataFrame(index=pd.DatetimeIndex([]))
    months = month_starts(known["month"].min().date(), last.date())
    wide = known.pivot_table(index="month", columns="category", values="amount", aggfunc="sum")
    return wide.reindex(months).fillna(0.0).clip(lower=0)


def _peaks(rows: pd.DataFrame, lead_days: int) -> pd.DataFrame:
    high = rows[rows["index"] >= PEAK_INDEX].sort_values(["index", "series"], ascending=[False, True])
    tops = high.drop_duplicates("series").rename(columns={"series": "category"})
    order_by = tops["month"] - pd.Timedelta(days=lead_days)
    tops = tops.assign(order_by=order_by.astype("datetime64[s]"))
    return tops.sort_values(["order_by", "category"], ignore_index=True)


def _needs(monthly: pd.DataFrame, keys: pd.DataFrame, tops: pd.DataFrame, growth: float) -> pd.DataFrame:
    """Who bought in the same month a year before, those that need most beyond their share first."""
    then = tops[["category", "month", "order_by"]].assign(then=tops["month"] - pd.DateOffset(years=1))
    both = monthly.rename(columns={"month": "then"}).merge(then, on=["category", "then"]).merge(keys, on="account_id")
    both = both[both["amount"] > 0].assign(need=both["amount"] * growth).rename(columns={"amount": "bought"})
    columns = ["account_id", "manager_id", "name", "category", "month", "order_by", "bought", "need"]
    return both.sort_values(["need", "account_id"], ascending=[False, True], ignore_index=True)[columns]


def _cover(book: Book, keys: pd.DataFrame) -> pd.DataFrame | None:
    cover = stock_cover(book)
    if cover is None:
        return None
    cover = cover.merge(keys, on="account_id")
    named = book.has("products", "name")
    products = book.collect(book.table("products", "product_id", "name")) if named else cover[["product_id"]].head(0)
    by_id = products.set_index("product_id").get("name", pd.Series(dtype="str"))
    cover["product"] = cover["product_id"].map(by_id).fillna(cover["product_id"])
    return cover.sort_values(["is_stale", "runs_out_on", "account_id", "product_id"], ignore_index=True)


def _product_names(cover: pd.DataFrame | None) -> dict[str, str]:
    return {} if cover is None else dict(zip(cover["product_id"], cover["product"], strict=True))


def _service(lines: pd.DataFrame) -> pd.DataFrame:
    told = lines.assign(category=lines["category"].fillna(NO_CATEGORY))
    on_time = shares.by_group(told, "category", "is_on_time")
    in_full = shares.by_group(told, "category", "is_in_full").rename(columns={"share": "in_full"})
    both = on_time.merge(in_full[["category", "in_full"]], on="category", how="left")
    return both.sort_values(["share", "category"], ignore_index=True)


def _late(lines: pd.DataFrame | None, keys: pd.DataFrame) -> pd.DataFrame | None:
    if lines is None:
        return None
    late = lines[lines["is_open"] & (lines["days_late"] > 0)]
    by = late.groupby("account_id").agg(late_lines=("line_no", "size"), promised_on=("promised_on", "min"))
    found = keys.merge(by.reset_index(), on="account_id")
    return found.sort_values(["promised_on", "account_id"], ignore_index=True)


def _peak_actions(tops: pd.DataFrame, needs: pd.DataFrame, as_of: pd.Timestamp) -> list[pd.DataFrame]:
    """One talk with each account, on the category it needs most of; one order of goods for each category."""
    goods = tops.assign(account_id="", manager_id=None)
    talks = needs.drop_duplicates("account_id")
    a_week_before = talks["order_by"] - pd.Timedelta(days=7)
    said = {"since": talks["month"], "detail": talks["category"], "count": talks["need"]}
    booked = {"since": goods["month"], "detail": goods["category"], "count": goods["need"]}
    return [
        actions.propose("contact", "supply_guarantee.agree", talks, a_week_before, "K051", **said),
        actions.propose("step", "supply_guarantee.book", goods, goods["order_by"], "K057", "supply", **booked),
    ]


def _stock_actions(cover: pd.DataFrame | None, as_of: pd.Timestamp, lead_days: int) -> list[pd.DataFrame]:
    if cover is None:
        return []
    counted = cover.sort_values("counted_on").drop_duplicates("account_id", keep="last")
    stale = counted[counted["is_stale"]]
    soon = cover["runs_out_on"].between(as_of, as_of + pd.Timedelta(days=lead_days)) & ~cover["is_stale"]
    low = cover[soon].drop_duplicates("account_id")
    refill = {"since": low["runs_out_on"], "detail": low["product_id"], "count": low["on_hand"]}
    count_by = as_of + pd.offsets.BDay(10)
    return [
        actions.propose("product", "supply_guarantee.refill", low, low["runs_out_on"], "K039", **refill),
        actions.propose("stock", "supply_guarantee.count", stale, count_by, "K039", since=stale["counted_on"]),
    ]


def _late_actions(late: pd.DataFrame | None, as_of: pd.Timestamp) -> pd.DataFrame | None:
    if late is None:
        return None
    said = {"since": late["promised_on"], "count": late["late_lines"], "detail": "late lines"}
    return actions.propose("contact", "supply_guarantee.tell", late, as_of, "K057", **said)
