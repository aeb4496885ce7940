"""What the book knows about each account beyond what it bought: contracts, ratings, references, surveys, products.

Everything is read as of each closing day. What a book does not record stays missing: a book without contracts
leaves ``contract_years`` missing, one with contracts gives 0 to an account that has none. Ratings on a criterion on
which raters agree too little (see :func:`~kamlib.studies.segmentation.ratings.disputed`) are left out: such scores
say more about the rater than about the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import ibis
import numpy as np
import pandas as pd

from kamlib.book.contract import contract
from kamlib.book.features import exact
from kamlib.book.grid import codes
from kamlib.book.periods import DAYS_PER_YEAR, months_before
from kamlib.book.store import Book
from kamlib.studies.segmentation.ratings import latest_ratings

LOOK_BACK_MONTHS = 36
SURVEY_MONTHS = 24
CHAIN_GAP_DAYS = 31
TABLES = {
    "contracts": ("account_id", "signed_on", "starts_on", "ends_on"),
    "references": ("account_id", "referred_on"),
    "events": ("account_id", "event_date", "kind", "has_attended"),
    "surveys": ("survey_id", "account_id", "surveyed_on", "satisfaction", "wallet_share"),
}
ORDER = {"surveys": ["surveyed_on", "survey_id"]}
COUNTED = ("contract_years", "references_made", "trials", "new_products", "categories")
DAYS = ("contract_until", "surveyed_on")
RATED = {
    "reputation_score": ("reputation", "image", "信譽", "形象"),
    "innovation_score": ("innovation", "technology", "創新"),
    "market_score": ("growth", "market", "市場"),
    "fit_score": ("product", "適合"),
}


def read_facts(book: Book, windows: Sequence[tuple[date, date]]) -> dict[str, pd.DataFrame | None]:
    """What :func:`evidence` needs of a book; ``None`` for a table it has not."""
    tables = {name: _read(book, name, columns) for name, columns in TABLES.items()}
    return tables | {
        "products": _new_products(book, book.settings.value("new_product_days")),
        "categories": _categories(book, windows),
        "centres": _centralised(book, windows),
    }


def evidence(
    facts: dict[str, pd.DataFrame | None],
    windows: Sequence[tuple[date, date]],
    index: pd.Index,
    ratings: pd.DataFrame | None = None,
) -> list[pd.DataFrame]:
    """Evidence by account for each window, as of its last day.

    Parameters
    ----------
    facts, windows
        What :func:`read_facts` found, and the first and last day of each trailing window it was asked for.
    index
        The accounts wanted.
    ratings
        What :func:`~kamlib.studies.segmentation.ratings.read_ratings` found, less the disputed criteria.

    Returns
    -------
    A frame for each window with, missing where the book cannot tell: contract_years (how long the unbroken chain of
    contracts that runs on the day had run by then) and contract_until (the day it is agreed to), reputation_score,
    innovation_score, market_score and fit_score (mean of the latest rating of each rater, 1 to 5), references_made,
    trials, wallet_share, wallet_change, satisfaction and surveyed_on (last answer within two years), new_products
    (bought soon after launch), categories, centralised_share.

    Examples
    --------
    >>> windows = [(date(2025, 10, 1), date(2026, 9, 30))]
    >>> evidence(read_facts(book, windows), windows, accounts.index)  # doctest: +SKIP
    """
    tables = {name: _by_row(frame, index) for name, frame in (facts | {"ratings": ratings}).items()}
    found = []
    for place, (_, day) in enumerate(windows):
        then = {name: _known_by(tables[name], name, day) for name in (*TABLES, "ratings")}
        columns = {
            **_contracts(then["contracts"], day),
            **_ratings(then["ratings"]),
            "references_made": _references(then["references"], day),
            "trials": _trials(then["events"], day),
            **_surveys(then["surveys"], day),
            "new_products": _adopted(tables["products"], day),
            "categories": _in_window(tables["categories"], place),
            "centralised_share": _in_window(tables["centres"], place),
        }
        rows = pd.RangeIndex(len(index))
        placed = pd.DataFrame({name: _placed(name, column, rows) for name, column in columns.items()}, index=rows)
        found.append(placed.set_axis(index, axis="index"))
    return found


def _read(book: Book, name: str, columns: tuple[str, ...]) -> pd.DataFrame | None:
    """The columns of a table, sorted where the order of its rows matters; ``None`` where the book has none."""
    return book.collect(book.table(name, *columns), ORDER.get(name)) if name in book.tables else None


def _by_row(frame: pd.DataFrame | None, index: pd.Index) -> pd.DataFrame | None:
    """A table with the row of each account in the index for its identifier; other accounts are left out."""
    if frame is None:
        return None
    named = frame["account_id"]
    if isinstance(named.dtype, pd.CategoricalDtype):
        rows = codes(index, named.cat.categories)[named.cat.codes]
    else:
        rows = codes(index, named)
    return frame.assign(account_id=rows)[rows >= 0]


def _placed(name: str, column: pd.Series | None, rows: pd.RangeIndex) -> pd.Series:
    """A column on the accounts wanted; missing throughout where the book has no such table."""
    if column is None:
        return pd.Series(pd.NaT if name in DAYS else np.nan, index=rows)
    return column.reindex(rows, fill_value=0.0) if name in COUNTED else column.reindex(rows)


def _known_by(frame: pd.DataFrame | None, name: str, day: date) -> pd.DataFrame | None:
    """The rows that were there on an earlier day, by the contract's rule: the first of its dates that is known."""
    if frame is None:
        return None
    first, *others = contract(name).dated
    when = frame[first]
    for other in others:
        when = when.fillna(frame[other])
    return frame[when.isna() | (when <= pd.Timestamp(day))]


def _contracts(rows: pd.DataFrame | None, day: date) -> dict[str, pd.Series | None]:
    """Years the running chain of contracts of each account had run by the day, and the day it is agreed to.

    What is agreed beyond the day is no evidence yet: a contract signed yesterday has run for a day, whatever its term.
    """
    if rows is None:
        return dict.fromkeys(("contract_years", "contract_until"))
    rows = rows.sort_values(["account_id", "starts_on", "ends_on"])
    reached = rows.groupby("account_id")["ends_on"].cummax().groupby(rows["account_id"]).shift()
    is_new = reached.isna() | (rows["starts_on"] > reached + pd.Timedelta(days=CHAIN_GAP_DAYS))
    chains = rows.groupby(["account_id", is_new.cumsum().rename("chain")]).agg(
        starts_on=("starts_on", "min"), ends_on=("ends_on", "max")
    )
    running = chains[(chains["starts_on"] <= pd.Timestamp(day)) & (chains["ends_on"] >= pd.Timestamp(day))]
    years = ((pd.Timestamp(day) - running["starts_on"]).dt.days + 1) / DAYS_PER_YEAR
    return {
        "contract_years": years.groupby("account_id").max(),
        "contract_until": running["ends_on"].groupby("account_id").max(),
    }


def _ratings(rows: pd.DataFrame | None) -> dict[str, pd.Series | None]:
    if rows is None:
        return dict.fromkeys(RATED)
    scores, criteria, found = latest_ratings(rows), rows["criterion"].unique(), {}
    for column, words in RATED.items():
        named = [name for name in criteria if any(word in name.lower() for word in words)]
        found[column] = scores[scores["criterion"].isin(named)].groupby("account_id")["score"].mean()
    return found


def _recent(frame: pd.DataFrame, column: str, day: date, months: int = LOOK_BACK_MONTHS) -> pd.DataFrame:
    return frame[frame[column] >= pd.Timestamp(months_before(day, months))]


def _references(rows: pd.DataFrame | None, day: date) -> pd.Series | None:
    return None if rows is None else _recent(rows, "referred_on", day).groupby("account_id").size()


def _trials(rows: pd.DataFrame | None, day: date) -> pd.Series | None:
    if rows is None:
        return None
    rows = _recent(rows, "event_date", day)
    attended = rows["has_attended"].fillna(False).astype(bool)
    return rows[(rows["kind"] == "trial") & attended].groupby("account_id").size()


def _surveys(rows: pd.DataFrame | None, day: date) -> dict[str, pd.Series | None]:
    if rows is None:
        return dict.fromkeys(("wallet_share", "wallet_change", "satisfaction", "surveyed_on"))
    rows = _recent(rows, "surveyed_on", day, SURVEY_MONTHS)
    asked = rows.dropna(subset="wallet_share")
    shares = asked.groupby("account_id")["wallet_share"]
    change = asked["wallet_share"] - shares.shift()
    return {
        "wallet_share": shares.last(),
        "wallet_change": change.groupby(asked["account_id"]).last(),
        "satisfaction": rows.dropna(subset="satisfaction").groupby("account_id")["satisfaction"].last(),
        "surveyed_on": asked.groupby("account_id")["surveyed_on"].last(),
    }


def _new_products(book: Book, days: int) -> pd.DataFrame | None:
    """The day each account first bought each product within so many days of its launch."""
    if not book.has("products", "launched_on"):
        return None
    products = book.table("products", "product_id", "launched_on")
    products = products.filter(products.launched_on.notnull())
    lines = book.table("orders", "account_id", "product_id", "order_date", "revenue")
    sold = lines.filter(lines.revenue > 0).inner_join(products, "product_id")
    early = sold.filter(
        sold.order_date >= sold.launched_on, sold.order_date <= sold.launched_on + ibis.interval(days=days)
    )
    first = early.group_by("account_id", "product_id").aggregate(first=early.order_date.min())
    return book.collect(first, ["account_id", "product_id"])


def _adopted(early: pd.DataFrame | None, day: date) -> pd.Series | None:
    if early is None:
        return None
    since = pd.Timestamp(months_before(day, LOOK_BACK_MONTHS))
    return early[early["first"].between(since, pd.Timestamp(day))].groupby("account_id").size()


def _within(day: ibis.Value, window: tuple[date, date]) -> ibis.Value:
    return (day >= ibis.literal(window[0])) & (day <= ibis.literal(window[1]))


def _in_window(frame: pd.DataFrame | None, place: int) -> pd.Series | None:
    return None if frame is None else frame.set_index("account_id")[f"w{place}"].astype(float)


def _categories(book: Book, windows: Sequence[tuple[date, date]]) -> pd.DataFrame | None:
    """How many categories each account bought from in each window: account_id, w0, w1 and so on."""
    if not book.has("products", "category"):
        return None
    lines = book.table("orders", "account_id", "product_id", "order_date", "revenue")
    lines = lines.filter(lines.revenue > 0, lines.order_date >= ibis.literal(min(start for start, _ in windows)))
    sold = lines.inner_join(book.table("products", "product_id", "category"), "product_id")
    sold = sold.filter(sold.category.notnull())
    flags = {f"w{i}": _within(sold.order_date, window).any() for i, window in enumerate(windows)}
    by_category = sold.group_by("account_id", "category").aggregate(**flags)
    counts = by_category.group_by("account_id").aggregate(**{name: by_category[name].sum() for name in flags})
    return book.collect(counts)


def _centralised(book: Book, windows: Sequence[tuple[date, date]]) -> pd.DataFrame:
    """Share of each account's spend that went through its largest buying centre: account_id, w0, w1 and so on."""
    lines = book.table("orders", "account_id", "order_date", "revenue", "buying_centre")
    lines = lines.filter(lines.buying_centre.notnull(), lines.order_date >= ibis.literal(min(s for s, _ in windows)))
    sums = {
        f"w{i}": exact(lines.revenue).sum(where=_within(lines.order_date, window)).cast("float64")
        for i, window in enumerate(windows)
    }
    spend = lines.group_by("account_id", "buying_centre").aggregate(**sums)
    spend = spend.mutate(**{name: ibis.greatest(spend[name].fill_null(0.0), 0.0) for name in sums})
    shares = {name: spend[name].max() / spend[name].sum().nullif(0.0) for name in sums}
    return book.collect(spend.group_by("account_id").aggregate(**shares))
