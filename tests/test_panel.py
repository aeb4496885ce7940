"""The account-month panel: counted by hand, dense, and unmoved by the order of rows and by the future."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from kamlib import open_book
from kamlib.book.panel import account_features, account_months
from kamlib.errors import RequestError

from books import random_frames, small_frames, write_folder, write_postgres
from future import plant_future

LINES = [
    ("S1", 1, "A", "2026-05-31", 100, 60),
    ("S2", 1, "A", "2026-05-31", 50, None),
    ("S3", 1, "A", "2026-07-01", 30, None),
    ("C3", 1, "A", "2026-07-01", -30, None),
    ("S4", 1, "B", "2026-06-10", 40, 10),
    ("S5", 1, "B", "2026-08-10", 70, 10),
]


def tiny(folder, as_of="2026-07-31", lines=LINES, accounts=None, **tables):
    columns = ["order_id", "line_no", "account_id", "order_date", "revenue", "cost"]
    orders = pd.DataFrame(lines, columns=columns).astype({"revenue": float, "cost": float})
    orders["order_date"] = pd.to_datetime(orders["order_date"])
    named = {"account_id": ["A", "B", "C"], "name": "x", "manager_id": ["M1", "M2", "M3"]} | (accounts or {})
    return open_book(write_folder({"accounts": pd.DataFrame(named), "orders": orders} | tables, folder / "b"), as_of)


def rows(frame, *columns):
    """The panel as tuples of account, month and what is asked for."""
    labels = frame["account_id"] + " " + frame["month"].dt.strftime("%Y-%m")
    return list(zip(labels, *(frame[c] for c in columns), strict=True))


def days(*texts):
    return pd.to_datetime(list(texts))


def test_the_tiny_book_counted_by_hand(tmp_path):
    panel = account_months(tiny(tmp_path))
    assert rows(panel, "revenue", "orders", "order_days") == [
        ("A 2026-05", 150.0, 2, 1),
        ("A 2026-06", 0.0, 0, 0),
        ("A 2026-07", 0.0, 1, 0),
        ("B 2026-06", 40.0, 1, 1),
        ("B 2026-07", 0.0, 0, 0),
    ]
    assert panel["margin"].fillna(-1).tolist() == [40.0, 0.0, -1, 30.0, 0.0]


def test_absent_tables_give_no_columns(tmp_path):
    columns = ["account_id", "month", "manager_id", "revenue", "margin", "orders", "order_days"]
    assert account_months(tiny(tmp_path)).columns.tolist() == columns


def test_types_are_those_of_a_panel(tmp_path):
    panel = account_months(tiny(tmp_path))
    assert panel.dtypes.astype(str).tolist() == ["str", "datetime64[s]", "str", "float64", "float64", "int64", "int64"]


@pytest.mark.parametrize(("as_of", "last"), [("2026-07-30", "2026-06"), ("2026-07-31", "2026-07"), (None, "2026-07")])
def test_a_month_that_is_not_over_is_left_out(tmp_path, as_of, last):
    # Without a day the book ends with its last order, on 10 August.
    assert account_months(tiny(tmp_path, as_of))["month"].max() == pd.Timestamp(last)


def test_without_any_known_cost_there_is_no_margin(tmp_path):
    lines = [(*line[:5], None) for line in LINES]
    assert account_months(tiny(tmp_path, lines=lines))["margin"].isna().all()


def test_an_account_begins_with_its_opening_but_not_before_the_book(tmp_path):
    opened = {"opened_on": days("1999-01-01", "2026-07-15", "2026-06-15")}
    panel = account_months(tiny(tmp_path, accounts=opened))
    # B ordered before it was opened in the records; on the day of the book both are known.
    assert panel.groupby("account_id")["month"].min().dt.month.to_dict() == {"A": 5, "B": 6, "C": 6}


def visits_of(**columns):
    visits = pd.DataFrame({"visit_id": ["1", "2", "3"], "account_id": ["B", "B", "C"], "channel": "visit"} | columns)
    return visits.assign(visit_date=days("2026-06-02", "2026-06-03", "2026-07-05"))


def test_visits_are_counted_by_level_with_their_hours(tmp_path):
    visits = visits_of(level=["kam", None, "rep"], hours=[1.5, None, None])
    panel = account_months(tiny(tmp_path, visits=visits))
    seen = panel[panel["visits"] > 0]
    assert rows(seen, "visits", "visits_rep", "visits_kam", "visits_executive") == [
        ("B 2026-06", 2.0, 0.0, 1.0, 0.0),
        ("C 2026-07", 1.0, 1.0, 0.0, 0.0),
    ]
    assert seen["visit_hours"].tolist()[0] == 1.5
    assert np.isnan(seen["visit_hours"].tolist()[1])


def test_before_the_first_visit_on_record_visits_are_missing(tmp_path):
    panel = account_months(tiny(tmp_path, visits=visits_of()))
    assert rows(panel.query("account_id == 'A'"), "visits")[1:] == [("A 2026-06", 0.0), ("A 2026-07", 0.0)]
    assert panel.loc[panel["month"] == "2026-05-01", "visits"].isna().all()


def test_levels_and_hours_that_nobody_noted_give_no_columns(tmp_path):
    panel = account_months(tiny(tmp_path, visits=visits_of()))
    assert [c for c in panel if c.startswith("visit")] == ["visits"]


def test_only_the_channels_asked_for_are_counted(tmp_path):
    book = tiny(tmp_path, visits=visits_of(channel=["visit", "email", "call"]))
    assert account_months(book, channels=("visit", "call"))["visits"].sum() == 2


def test_an_account_that_was_only_visited_begins_with_its_first_visit(tmp_path):
    panel = account_months(tiny(tmp_path, visits=visits_of()))
    assert rows(panel.query("account_id == 'C'"), "visits") == [("C 2026-07", 1.0)]


def test_cases_and_promotions_are_counted_by_month(tmp_path):
    cases = pd.DataFrame({"case_id": ["1", "2"], "account_id": "A", "opened_on": days("2026-06-01", "2026-06-30")})
    promotions = pd.DataFrame({"promotion_id": ["1", "2"], "account_id": "A", "kind": "rebate"})
    promotions = promotions.assign(starts_on=days("2026-05-31", "2026-07-31"), ends_on=days("2026-07-01", "2026-12-31"))
    panel = account_months(tiny(tmp_path, cases=cases, promotions=promotions)).query("account_id == 'A'")
    assert panel["cases_opened"].tolist() == [0, 2, 0]
    assert panel["promotions_active"].tolist() == [1, 1, 2]


def test_the_manager_is_the_one_at_the_end_of_each_month(tmp_path):
    assignments = pd.DataFrame({"account_id": ["A", "A"], "manager_id": ["M7", "M8"]})
    assignments = assignments.assign(from_date=days("2026-05-01", "2026-07-01"), to_date=[*days("2026-06-29"), pd.NaT])
    panel = account_months(tiny(tmp_path, assignments=assignments))
    assert panel["manager_id"].fillna("nobody").tolist() == ["M7", "nobody", "M8", "M2", "M2"]


def test_first_and_last_cut_the_panel(tmp_path):
    panel = account_months(tiny(tmp_path), first="2026-06-20", last="2026-06-01")
    assert rows(panel, "revenue") == [("A 2026-06", 0.0), ("B 2026-06", 40.0)]


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        (None, "2026-08-31", "the month of 2026-08-31 is not complete on 2026-07-31"),
        ("2026-07-01", "2026-06-01", "no month lies between 2026-07-01 and 2026-06-01"),
        ("2026-08-01", None, "no month lies between 2026-08-01 and the last complete one"),
    ],
)
def test_months_that_cannot_be_had_are_refused(tmp_path, first, last, message):
    with pytest.raises(RequestError, match=message):
        account_months(tiny(tmp_path), first, last)


def test_before_the_first_order_the_panel_is_empty(tmp_path):
    panel = account_months(tiny(tmp_path, "2026-01-31", accounts={"opened_on": days(*["2025-01-01"] * 3)}))
    assert (len(panel), "revenue" in panel) == (0, True)


def panel_of(frames, folder, as_of="2026-06-15"):
    with open_book(write_folder(frames, folder), as_of) as book:
        return account_months(book)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=6, deadline=None)
def test_every_account_has_every_month_up_to_the_last(tmp_path_factory, seed):
    frames = small_frames(seed)
    panel = panel_of(frames, tmp_path_factory.mktemp("dense") / "b")
    steps = panel.groupby("account_id")["month"].agg(["min", "max", "size"])
    months = (steps["max"].dt.year - steps["min"].dt.year) * 12 + steps["max"].dt.month - steps["min"].dt.month + 1
    assert (steps["size"] == months).all()
    assert (steps["max"] == pd.Timestamp("2026-05-01")).all()
    lines = frames["orders"].query("order_date < '2026-06-01'")
    assert panel["revenue"].sum() == pytest.approx(lines["revenue"].sum(), rel=1e-12)
    assert panel["visits"].sum() <= (frames["visits"]["visit_date"] < "2026-06-01").sum()


@given(seed=st.integers(0, 10_000))
@settings(max_examples=4, deadline=None)
def test_neither_shuffling_nor_the_future_changes_the_panel(tmp_path_factory, seed):
    frames, folder = small_frames(seed), tmp_path_factory.mktemp("same")
    expected = panel_of(frames, folder / "a")
    shuffled = {name: frame.sample(frac=1, random_state=seed) for name, frame in frames.items()}
    assert_frame_equal(panel_of(shuffled, folder / "b"), expected, check_exact=True)
    assert_frame_equal(panel_of(plant_future(frames, "2026-06-15", seed), folder / "c"), expected, check_exact=True)


def test_the_panel_adds_up_to_the_features(tmp_path):
    book = open_book(write_folder(small_frames(seed=9), tmp_path / "b"), "2026-06-30")
    year = account_months(book, first="2025-07-01").groupby("account_id")[["revenue", "order_days"]].sum()
    whole = account_features(book).set_index("account_id").loc[year.index, ["revenue", "order_days"]]
    assert_frame_equal(year, whole, rtol=1e-12)


def test_a_database_gives_the_same_panel(tmp_path, postgres_url, monkeypatch):
    frames = small_frames(seed=6)
    monkeypatch.setenv("KAM_BOOK_PANEL", write_postgres(frames, postgres_url))
    with open_book("panel", "2026-06-15") as book:
        assert_frame_equal(account_months(book), panel_of(frames, tmp_path / "a"), rtol=1e-15)


@given(frames=random_frames(), as_of=st.none() | st.dates(dt.date(2023, 1, 1), dt.date(2026, 12, 31)))
@settings(max_examples=10)
def test_any_choice_of_tables_and_any_day_gives_both_frames(tmp_path_factory, frames, as_of):
    with open_book(write_folder(frames, tmp_path_factory.mktemp("any") / "b"), as_of) as book:
        features, panel = account_features(book), account_months(book)
        assert features["account_id"].tolist() == book.frame("accounts")["account_id"].tolist()
    assert set(panel["account_id"]) <= set(features["account_id"])
    assert ("visits" in panel, "cases_opened" in panel) == ("visits" in frames, "cases" in frames)
    assert not panel.duplicated(["account_id", "month"]).any()
