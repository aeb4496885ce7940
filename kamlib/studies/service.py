"""Service of deliveries: on time, in full, by whom and when it was not."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import binom
from statsmodels.stats.multitest import multipletests

from kamlib.book.store import Book
from kamlib.studies.portfolio import day_of

FEWEST_LINES = 10
ERROR_RATE = 0.01


def delivered_lines(book: Book, since: pd.Timestamp) -> pd.DataFrame | None:
    """The order lines promised from *since* up to the day of the book; None where the book tells of no deliveries.

    Returns
    -------
    order_id, line_no, account_id, order_date, category (missing where unknown), promised_on, delivered_on, days_late
    (of what came; days since promised of what has not), is_on_time, is_in_full (missing where not known), is_open,
    month (of the order).
    """
    if not book.has("deliveries", "promised_on"):
        return None
    today = day_of(book)
    sent = book.table("deliveries", "order_id", "line_no", "promised_on", "delivered_on", "quantity_delivered")
    sent = sent.filter(sent.promised_on >= since.date(), sent.promised_on <= today.date())
    lines = book.table("orders", "order_id", "line_no", "account_id", "order_date", "product_id", "quantity", "revenue")
    lines = lines.filter(lines.revenue > 0).drop("revenue")
    both = book.collect(sent.join(lines, ["order_id", "line_no"]), ["order_id", "line_no"])
    both = both.assign(category=_categories(book, both["product_id"]), is_open=both["delivered_on"].isna())
    both["days_late"] = (both["delivered_on"].fillna(today) - both["promised_on"]).dt.days
    both["is_on_time"] = both["days_late"] <= 0
    known = both["quantity"].notna() & both["quantity_delivered"].notna()
    both["is_in_full"] = (both["quantity_delivered"] >= both["quantity"]).astype("object").where(known, None)
    both["month"] = both["order_date"].dt.to_period("M").dt.start_time.astype("datetime64[s]")
    return both


def _categories(book: Book, product_ids: pd.Series) -> pd.Series:
    if not book.has("products", "category"):
        return pd.Series(np.nan, product_ids.index, dtype="object")
    known = book.collect(book.table("products", "product_id", "category")).set_index("product_id")["category"]
    return product_ids.map(known)


def shortages(lines: pd.DataFrame) -> pd.DataFrame:
    """Categories and months in which fewer lines came on time and in full than chance allows, the worst first.

    A month of a category with ten lines or more is held against the share of all lines that came well; of the months
    named at most one in a hundred is expected to be named by chance (Benjamini and Hochberg).

    Returns
    -------
    category, month, lines, came_well (share), expected (share of all lines).
    """
    judged = lines.dropna(subset=["category"]).assign(well=_came_well(lines))
    cells = judged.groupby(["category", "month"])["well"].agg(["size", "sum"]).reset_index()
    cells = cells[cells["size"] >= FEWEST_LINES]
    columns = ["category", "month", "lines", "came_well", "expected"]
    if cells.empty:
        return pd.DataFrame(columns=columns)
    usual = float(judged["well"].mean())
    chance = binom.cdf(cells["sum"], cells["size"], usual)
    named = multipletests(chance, alpha=ERROR_RATE, method="fdr_bh")[0]
    found = cells.assign(lines=cells["size"], came_well=cells["sum"] / cells["size"], expected=usual)[named]
    return found.sort_values(["came_well", "category"], ignore_index=True)[columns]


def months_judged(lines: pd.DataFrame) -> int:
    """How many months of categories have the ten lines it takes to judge them."""
    return int((lines.dropna(subset=["category"]).groupby(["category", "month"]).size() >= FEWEST_LINES).sum())


def _came_well(lines: pd.DataFrame) -> pd.Series:
    return lines["is_on_time"] & (lines["is_in_full"] != False)  # noqa: E712  (missing is neither)
