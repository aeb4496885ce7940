"""Account features: counted by hand, and unmoved by the order of rows, by splitting lines, and by the future."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from kamlib import open_book
from kamlib.book.check import check
from kamlib.book.panel import account_features
from kamlib.errors import RequestError

from books import small_book, small_frames, write_folder, write_postgres
from future import plant_future

MONEY = ["revenue", "revenue_previous", "returns", "margin"]


def tiny(folder, lines, accounts=("A", "B", "C", "D"), **tables):
    """A folder with a book of a few order lines: (order, line, account, day, revenue, cost, product)."""
    columns = ["order_id", "line_no", "account_id", "order_date", "revenue", "cost", "product_id"]
    orders = pd.DataFrame(lines, columns=columns).astype({"revenue": float, "cost": float})
    orders["order_date"] = pd.to_datetime(orders["order_date"])
    named = pd.DataFrame({"account_id": accounts, "name": [f"Account {a}" for a in accounts]})
    return write_folder({"accounts": named, "orders": orders} | tables, folder / "tiny")


LINES = [
    ("S0", 1, "D", "2024-10-20", 5, None, None),  # the book reaches back to here
    ("S1", 1, "A", "2025-09-30", 70, 50, "P1"),  # the window before
    ("S2", 1, "A", "2025-10-01", 100, 60, "P1"),
    ("S2", 2, "A", "2025-10-01", 50, None, "P2"),
    ("S3", 1, "A", "2025-10-11", 30, 20, "P2"),
    ("C3", 1, "A", "2025-10-11", -10, -5, "P2"),  # returned on the day of an order
    ("C2", 1, "A", "2025-11-20", -20, None, "P3"),  # a day of returns alone
    ("S4", 1, "A", "2026-09-30", 150, None, None),
    ("S9", 1, "A", "2026-10-01", 999, 1, "P9"),  # after the day
    ("S5", 1, "B", "2026-01-05", 40, None, None),
]


@pytest.fixture
def features(tmp_path):
    products = pd.DataFrame({"product_id": ["P1", "P2", "P3"], "name": "x", "category": ["k", "k", "l"]})
    book = open_book(tiny(tmp_path, LINES, products=products), "2026-09-30")
    return account_features(book).set_index("account_id")


@pytest.mark.parametrize(
    ("column", "by_hand"),
    [
        ("name", "Account A"),
        ("first_order", pd.Timestamp("2025-09-30")),
        ("last_order", pd.Timestamp("2026-09-30")),
        ("recency_days", 0),
        ("order_days", 3),
        ("active_months", 2),
        ("orders", 3),
        ("lines", 6),
        ("revenue", 300.0),
        ("revenue_previous", 70.0),
        ("returns", -30.0),
        ("margin", 100 - 60 + 30 - 20 - 10 + 5),
        ("margin_coverage", 140 / 360),
        ("products", 2),
        ("categories", 1),
        ("gap_median_days", 10),
        ("gap_mean_days", 365 / 3),
        ("largest_order_share", 150 / 330),
    ],
)
def test_the_tiny_book_counted_by_hand(features, column, by_hand):
    assert features.loc["A", column] == by_hand


def test_an_account_without_orders_has_zero_counts_and_missing_days(features):
    nothing = features.loc["C"]
    assert nothing[["order_days", "active_months", "orders", "lines", "products"]].eq(0).all()
    assert nothing[["revenue", "returns"]].eq(0).all()
    assert nothing[["first_order", "recency_days", "margin", "margin_coverage", "gap_median_days"]].isna().all()


def test_what_the_lines_do_not_name_is_missing_and_not_zero(features):
    assert features.loc["B", ["margin", "products", "categories", "gap_median_days"]].isna().all()
    assert features.loc["B", "margin_coverage"] == 0
    assert features.loc["B", "recency_days"] == 268


def test_one_row_per_account_in_their_order(features):
    assert features.index.tolist() == ["A", "B", "C", "D"]


def test_no_categories_without_products(tmp_path):
    assert "categories" not in account_features(open_book(tiny(tmp_path, LINES), "2026-09-30"))


def test_without_a_day_the_window_ends_with_the_last_order(tmp_path):
    frame = account_features(open_book(tiny(tmp_path, LINES))).set_index("account_id")
    assert (frame.loc["A", "last_order"], frame.loc["A", "recency_days"]) == (pd.Timestamp("2026-10-01"), 0)


def test_the_window_before_is_unknown_where_the_book_does_not_reach_back(tmp_path):
    book = open_book(tiny(tmp_path, LINES), "2026-09-30")
    assert account_features(book, months=24)["revenue_previous"].isna().all()
    assert account_features(book, months=6)["revenue_previous"].tolist() == [150.0, 40.0, 0.0, 0.0]


def test_an_active_month_is_counted_from_the_first_day_of_the_window(tmp_path):
    days = ["2025-09-16", "2025-10-15", "2025-10-16", "2026-09-15"]
    lines = [(f"S{i}", 1, "A", day, 10, None, None) for i, day in enumerate(days)]
    frame = account_features(open_book(tiny(tmp_path, lines), "2026-09-15"))
    assert (frame.loc[0, "order_days"], frame.loc[0, "active_months"]) == (4, 3)


def test_an_order_that_is_cancelled_in_full_leaves_nothing(tmp_path):
    # 0.1 + 0.2 - 0.3 is more than zero in floating point.
    lines = [("S1", i, "A", "2026-09-01", amount, None, None) for i, amount in enumerate([0.1, 0.2, -0.3])]
    frame = account_features(open_book(tiny(tmp_path, lines), "2026-09-30"))
    assert frame.loc[0, ["orders", "order_days", "revenue"]].tolist() == [0, 0, 0.0]
    assert pd.isna(frame.loc[0, "recency_days"])


def test_before_the_first_order_there_is_nothing_but_accounts(tmp_path):
    frame = account_features(open_book(tiny(tmp_path, LINES), "2020-01-31"))
    assert (len(frame), frame["lines"].sum(), frame["recency_days"].isna().all()) == (4, 0, True)


def test_an_empty_window_is_refused(tmp_path):
    with pytest.raises(RequestError, match="a window of 0 months is empty; ask for at least 1"):
        account_features(open_book(tiny(tmp_path, LINES)), months=0)


def features_of(frames, folder, as_of="2026-06-15", **scope):
    with open_book(write_folder(frames, folder), as_of, scope) as book:
        return account_features(book)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=6, deadline=None)
def test_shuffling_rows_changes_nothing(tmp_path_factory, seed):
    frames, folder = small_frames(seed), tmp_path_factory.mktemp("shuffle")
    shuffled = {name: frame.sample(frac=1, random_state=seed) for name, frame in frames.items()}
    assert_frame_equal(features_of(frames, folder / "a"), features_of(shuffled, folder / "b"), check_exact=True)


@given(seed=st.integers(0, 10_000), share=st.floats(0.01, 0.99))
@settings(max_examples=6, deadline=None)
def test_splitting_a_line_in_two_changes_only_the_count_of_lines(tmp_path_factory, seed, share):
    frames, folder = small_frames(seed), tmp_path_factory.mktemp("split")
    orders, money = frames["orders"], ["revenue", "cost"]
    part = orders.assign(**{m: (orders[m] * share).round(2) for m in money}, line_no=orders["line_no"] + 100)
    rest = orders.assign(**{m: orders[m] - part[m] for m in money})
    split_frames = frames | {"orders": pd.concat([part, rest])}
    whole, split = features_of(frames, folder / "a"), features_of(split_frames, folder / "b")
    assert split["lines"].tolist() == (2 * whole["lines"]).tolist()
    assert_frame_equal(split.drop(columns="lines"), whole.drop(columns="lines"), rtol=1e-12)


@given(seed=st.integers(0, 10_000), factor=st.sampled_from([0.001, 0.5, 7.0, 1e4]))
@settings(max_examples=6, deadline=None)
def test_money_times_k_scales_money_and_nothing_else(tmp_path_factory, seed, factor):
    frames, folder = small_frames(seed), tmp_path_factory.mktemp("scale")
    orders = frames["orders"]
    scaled = orders.assign(revenue=orders["revenue"] * factor, cost=orders["cost"] * factor)
    before, after = features_of(frames, folder / "a"), features_of(frames | {"orders": scaled}, folder / "b")
    before[MONEY] *= factor
    assert_frame_equal(after, before, rtol=1e-9)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=6, deadline=None)
def test_planted_later_rows_change_no_feature(tmp_path_factory, seed):
    frames, folder = small_frames(seed), tmp_path_factory.mktemp("future")
    planted = plant_future(frames, "2026-06-15", seed)
    assert_frame_equal(features_of(frames, folder / "a"), features_of(planted, folder / "b"), check_exact=True)


def test_the_revenue_of_all_accounts_is_that_of_the_orders(tmp_path):
    book = open_book(small_book(tmp_path / "b", seed=3), "2026-06-15")
    lines = book.frame("orders").query("order_date > '2025-06-15'")
    frame = account_features(book)
    assert frame["revenue"].sum() == pytest.approx(lines["revenue"].sum(), rel=1e-12)
    assert frame["lines"].sum() == len(lines)


def test_a_scope_gives_the_rows_of_the_whole(tmp_path):
    frames = small_frames(seed=4)
    whole = features_of(frames, tmp_path / "a").set_index("account_id")
    mine = features_of(frames, tmp_path / "b", account_id=["0002", "0003"]).set_index("account_id")
    columns = ["first_order", "last_order", "orders", "revenue", "margin", "gap_median_days", "largest_order_share"]
    assert_frame_equal(mine[columns], whole.loc[mine.index, columns], check_exact=True)


def test_a_database_gives_the_same_features(tmp_path, postgres_url, monkeypatch):
    frames = small_frames(seed=6)
    monkeypatch.setenv("KAM_BOOK_FEATURES", write_postgres(frames, postgres_url))
    with open_book("features", "2026-06-15") as book:
        assert_frame_equal(account_features(book), features_of(frames, tmp_path / "a"), rtol=1e-15)


def test_a_database_may_hold_money_as_money(tmp_path, postgres_url, monkeypatch):
    frames = small_frames(seed=6)
    frames["orders"]["revenue"] = frames["orders"]["revenue"].round(2)
    connection = ibis.connect(write_postgres(frames, postgres_url))
    with connection.begin() as cursor:
        cursor.execute("ALTER TABLE orders ALTER COLUMN revenue TYPE money USING revenue::numeric::money")
    connection.disconnect()
    monkeypatch.setenv("KAM_BOOK_FEATURES", postgres_url)
    with open_book("features", "2026-06-15") as book:
        assert check(book).ok
        assert_frame_equal(account_features(book), features_of(frames, tmp_path / "a"), rtol=1e-15)


# ---- beside SQL and pandas -------------------------------------------------------------------------------


def load_bench():
    path = Path(__file__).resolve().parents[1] / "bench" / "features.py"
    spec = importlib.util.spec_from_file_location("bench_features", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bench():
    return load_bench()


@pytest.fixture(scope="module")
def bench_book(bench, tmp_path_factory):
    return bench.generate(tmp_path_factory.mktemp("bench") / "book", 40_000)


@pytest.mark.parametrize("what", ["features", "months"])
@pytest.mark.parametrize("who", ["sql", "pandas"])
def test_the_benchmark_contenders_do_the_same_work(bench, bench_book, who, what):
    ours, theirs = bench.WORK[f"kamlib_{what}"](bench_book), bench.WORK[f"{who}_{what}"](bench_book)
    keys = ["account_id", "month"] if what == "months" else ["account_id"]
    ours = ours.dropna(axis=1, how="all")[lambda f: [c for c in f if c in theirs or f[c].notna().any()]]
    theirs = theirs[ours.columns].sort_values(keys, ignore_index=True)
    assert len(ours) > 100
    for column in ours:
        assert_column(ours[column], theirs[column])


def assert_column(ours, theirs):
    if pd.api.types.is_numeric_dtype(ours):
        np.testing.assert_allclose(theirs.to_numpy(float), ours.to_numpy(float), rtol=1e-9, atol=1e-6)
    else:
        assert (theirs.astype(str) == ours.astype(str)).all(), ours.name
