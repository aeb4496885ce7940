"""New products: when each came, who took it up and when, and the trials held of it."""

from __future__ import annotations

import pandas as pd

from kamlib.book.store import Book
from kamlib.studies.portfolio import day_of

SETTLE_DAYS = 183


def new_products(book: Book) -> pd.DataFrame | None:
    """Products that came while the book was kept, the newest first; None where no line names its product.

    Returns
    -------
    product_id, product (its name, else the identifier), category, launched_on, basis (``file``: the day on file;
    ``first sale``: its first sale, at least half a year after the book begins, where no day is on file).

    Examples
    --------
    >>> new_products(book)["launched_on"].is_monotonic_decreasing  # doctest: +SKIP
    True
    """
    if not book.has("orders", "product_id"):
        return None
    first = pd.Timestamp(book.span()[0])
    sold = first_purchases(book).groupby("product_id")["day"].min()
    wanted = [c for c in ("name", "category", "launched_on") if book.has("products", c)]
    listed = book.collect(book.table("products", "product_id", *wanted)) if wanted else None
    rows = sold.rename("sold_on").reset_index()
    rows = rows.merge(listed, on="product_id", how="outer") if listed is not None else rows
    rows = rows.reindex(columns=["product_id", "name", "category", "launched_on", "sold_on"])
    rows["name"] = rows["name"].astype("object")
    on_file = rows["launched_on"].notna().any()
    late = rows["sold_on"].where(rows["sold_on"] > first + pd.Timedelta(days=SETTLE_DAYS))
    launched = (rows["launched_on"] if on_file else late).astype("datetime64[s]")
    rows = rows.assign(launched_on=launched, basis="file" if on_file else "first sale")
    rows = rows.assign(product=rows["name"].fillna(rows["product_id"]))
    rows = rows[(launched > first) & (launched <= day_of(book))]
    columns = ["product_id", "product", "category", "launched_on", "basis"]
    return rows.sort_values(["launched_on", "product_id"], ascending=[False, True], ignore_index=True)[columns]


def first_purchases(book: Book) -> pd.DataFrame:
    """The first day on which each account bought each product: account_id, product_id, day."""
    lines = book.table("orders", "account_id", "product_id", "order_date", "revenue")
    lines = lines.filter(lines.revenue > 0, lines.product_id.notnull())
    return book.collect(lines.group_by("account_id", "product_id").aggregate(day=lines.order_date.min()))


def trials(book: Book, products: pd.DataFrame, within_days: int) -> pd.DataFrame | None:
    """Who was asked to a trial, came, and bought the product afterwards; None without a table of events.

    A trial is of the product launched last before it, within half a year; who had bought it before does not count.

    Returns
    -------
    account_id, event_date, product_id, has_attended, bought_on (missing where never), has_bought (within *within_days*
    of the trial; missing where those days are not over, since by then only those who bought would be known).
    """
    if not book.has("events"):
        return None
    rows = book.frame("events")
    rows = rows[rows["kind"] == "trial"].sort_values("event_date")
    ages = products[["product_id", "launched_on"]].sort_values("launched_on")
    reach = pd.Timedelta(days=SETTLE_DAYS)
    matched = pd.merge_asof(rows, ages, left_on="event_date", right_on="launched_on", tolerance=reach)
    matched = matched.dropna(subset=["product_id"])
    bought = first_purchases(book).rename(columns={"day": "bought_on"})
    both = matched.merge(bought, on=["account_id", "product_id"], how="left")
    both = both[~(both["bought_on"] <= both["event_date"])]
    columns = ["account_id", "event_date", "product_id", "has_attended", "bought_on"]
    return with_outcome(both[columns], "event_date", within_days, day_of(book))


def with_outcome(rows: pd.DataFrame, start: str, within_days: int, as_of: pd.Timestamp) -> pd.DataFrame:
    """The rows with ``has_bought``: whether ``bought_on`` lies within some days of *start*."""
    limit = rows[start] + pd.Timedelta(days=within_days)
    bought = (rows["bought_on"] <= limit).astype("object")
    return rows.assign(has_bought=bought.where(limit <= as_of, None)).reset_index(drop=True)
