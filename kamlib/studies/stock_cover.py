"""Stock at the customer: how fast it goes, and until when the last count lasts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.studies.portfolio import day_of

LOOK_BACK_DAYS = 91
STALE_DAYS = 92


def stock_cover(book: Book) -> pd.DataFrame | None:
    """The last count of each product at each account; None where the book has no counts.

    Returns
    -------
    account_id, product_id, counted_on, on_hand, per_day (units used a day), basis (``counts``: the count before, plus
    what was bought since, less what is left; ``purchases``: what was bought in 91 days, where there is no such pair or
    it makes no sense), cover_days (from the count), runs_out_on (missing where nothing is used), is_stale (counted
    more than 92 days ago).

    Examples
    --------
    >>> stock_cover(book)[["account_id", "product_id", "runs_out_on"]]  # doctest: +SKIP
    """
    if not book.has("stock"):
        return None
    counts = book.frame("stock").dropna(subset=["on_hand"]).sort_values(["account_id", "product_id", "counted_on"])
    counts["before"] = counts.groupby(["account_id", "product_id"])["on_hand"].shift()
    counts["before_on"] = counts.groupby(["account_id", "product_id"])["counted_on"].shift()
    last = counts.drop_duplicates(["account_id", "product_id"], keep="last").reset_index(drop=True)
    bought = _bought(book, last)
    recent = last["counted_on"] - pd.Timedelta(days=LOOK_BACK_DAYS)
    proxy = _between(bought, last, recent) / LOOK_BACK_DAYS
    days = (last["counted_on"] - last["before_on"]).dt.days
    used = (last["before"] + _between(bought, last, last["before_on"]) - last["on_hand"]) / days
    by_counts = used > 0
    last["basis"] = np.where(by_counts, "counts", "purchases")
    last["per_day"] = used.where(by_counts, proxy)
    last["cover_days"] = (last["on_hand"] / last["per_day"]).where(last["per_day"] > 0)
    whole_days = pd.to_timedelta(last["cover_days"].clip(upper=3650).round(), unit="D")
    last["runs_out_on"] = (last["counted_on"] + whole_days).astype("datetime64[s]")
    last["is_stale"] = (day_of(book) - last["counted_on"]).dt.days > STALE_DAYS
    return last.drop(columns=["before", "before_on"])


def _bought(book: Book, wanted: pd.DataFrame) -> pd.DataFrame:
    lines = book.table("orders", "account_id", "product_id", "order_date", "quantity")
    lines = lines.filter(lines.account_id.isin(wanted["account_id"].unique().tolist()), lines.quantity.notnull())
    days = lines.group_by("account_id", "product_id", "order_date").aggregate(quantity=lines.quantity.sum())
    return book.collect(days)


def _between(bought: pd.DataFrame, last: pd.DataFrame, start: pd.Series) -> pd.Series:
    """What each pair bought after *start* up to its last count."""
    spans = last[["account_id", "product_id", "counted_on"]].assign(start=start).reset_index(names="row")
    both = spans.merge(bought, on=["account_id", "product_id"])
    inside = both[(both["order_date"] > both["start"]) & (both["order_date"] <= both["counted_on"])]
    return inside.groupby("row")["quantity"].sum().reindex(last.index, fill_value=0.0)
