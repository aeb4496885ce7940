"""A book opens on three engines alike, and nothing later than its day or outside its scope can be read."""

from __future__ import annotations

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from kamlib import open_book
from kamlib.book import store
from kamlib.book.contract import TABLES
from kamlib.errors import RequestError

from books import arrow, small_book, small_frames, write_duckdb, write_folder, write_postgres
from future import OWN_ID, plant_future

MIDDLE = "2026-03-31"
MINE = {"manager_id": "M01"}


@pytest.fixture(scope="module")
def frames():
    return small_frames(seed=5)


@pytest.fixture(scope="module")
def folder(frames, tmp_path_factory):
    return write_folder(frames, tmp_path_factory.mktemp("place") / "book")


@pytest.fixture(scope="module")
def places(frames, folder, postgres_url):
    """The same book in three places: the folder, the DuckDB file, and the name of the PostgreSQL database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KAM_BOOK_SMALL", write_postgres(frames, postgres_url))
        yield {"folder": folder, "file": write_duckdb(frames, folder / "book.duckdb"), "database": "small"}


@pytest.fixture(scope="module", params=[(None, None), (MIDDLE, None), (MIDDLE, MINE)], ids=["all", "as_of", "scope"])
def trio(request, places):
    """The three books, opened alike."""
    books = {name: open_book(place, *request.param) for name, place in places.items()}
    yield books
    for book in books.values():
        book.close()


@pytest.mark.parametrize("name", TABLES)
def test_three_places_give_the_same_frame(trio, name):
    expected = trio["folder"].frame(name, with_personal=True)
    for place in ("file", "database"):
        assert_frame_equal(trio[place].frame(name, with_personal=True), expected, check_exact=True)


@pytest.mark.parametrize("name", TABLES)
def test_a_book_without_a_day_gives_back_what_was_written(folder, frames, name):
    frame = open_book(folder).frame(name, with_personal=True)
    assert_frame_equal(frame, frames[name], check_dtype=False, check_exact=True)


def test_identifiers_stay_strings_and_dates_become_timestamps(folder):
    orders = open_book(folder).frame("orders")
    assert orders["account_id"].iloc[0] == "0001"
    assert orders.dtypes[["account_id", "line_no", "order_date", "revenue"]].astype(str).tolist() == [
        "str",
        "int64",
        "datetime64[s]",
        "float64",
    ]


def test_missing_values_stay_missing(folder, frames):
    book = open_book(folder)
    for name, frame in frames.items():
        shown = book.frame(name, with_personal=True)
        assert shown.isna().sum().to_dict() == frame.isna().sum().to_dict()


def test_personal_columns_are_left_out_unless_asked_for(folder):
    book = open_book(folder)
    assert not {"name", "birthday"} & set(book.frame("contacts"))
    assert {"name", "birthday"} <= set(book.frame("contacts", with_personal=True))


def test_columns_that_are_not_listed_travel_along(tmp_path, frames):
    own = frames["accounts"].assign(vat_no="123", checked_at=pd.Timestamp("2026-01-01 10:30", tz="Asia/Taipei"))
    book = open_book(write_folder({**frames, "accounts": own}, tmp_path / "own"), MIDDLE, MINE)
    assert book.frame("accounts")["vat_no"].eq("123").all()
    assert str(book.frame("accounts")["checked_at"].iloc[0].tz_convert("Asia/Taipei")) == "2026-01-01 10:30:00+08:00"


def test_identifiers_that_one_file_holds_as_numbers_are_those_of_the_other(tmp_path, frames):
    accounts = frames["accounts"].assign(account_id=[str(i) for i in range(len(frames["accounts"]))])
    folder = write_folder({"accounts": accounts, "orders": frames["orders"]}, tmp_path / "floats")
    orders = frames["orders"].assign(account_id=[None, *[7.0] * (len(frames["orders"]) - 1)])
    orders.to_parquet(folder / "orders.parquet")
    assert open_book(folder).frame("orders")["account_id"].dropna().unique().tolist() == ["7"]


@pytest.mark.parametrize("place", ["folder", "database"])
def test_a_moment_is_a_day_in_the_timezone_of_the_book(tmp_path, frames, postgres_url, monkeypatch, place):
    folder = write_folder({"accounts": frames["accounts"]}, tmp_path / "zoned")
    orders = arrow(frames["orders"], "orders").drop_columns("order_date")
    evening = pa.array([dt.datetime(2026, 3, 31, 23)] * orders.num_rows, pa.timestamp("us", tz="UTC"))
    pq.write_table(orders.append_column("order_date", evening), folder / "orders.parquet")
    if place == "database":
        monkeypatch.chdir(tmp_path)
        connection = ibis.connect(postgres_url)
        with connection.begin() as cursor:
            cursor.execute("DROP SCHEMA IF EXISTS zoned CASCADE; CREATE SCHEMA zoned")
        for name in ("accounts", "orders"):
            connection.create_table(name, pq.read_table(folder / f"{name}.parquet"), database="zoned")
        connection.disconnect()
        entry = {"url": postgres_url, "schema": "zoned", "settings": {"timezone": "Asia/Taipei"}}
        (tmp_path / "books.yml").write_text(yaml.safe_dump({"zoned-book": entry}))
    asked = folder if place == "folder" else "zoned-book"
    with open_book(asked) as book:
        assert book.span() == (dt.date(2026, 4, 1), dt.date(2026, 4, 1))
    with open_book(asked, MIDDLE) as book:
        assert not book.has("orders")


def test_a_timezone_that_does_not_exist_is_refused(tmp_path, frames):
    with pytest.raises(RequestError, match="there is no timezone 'Asia/Tapei'; write one such as Asia/Taipei or UTC"):
        open_book(write_folder(frames, tmp_path / "odd", {"timezone": "Asia/Tapei"}))


def test_a_table_in_chunks_reads_as_one(tmp_path, frames):
    folder = write_folder(frames, tmp_path / "whole")
    chunks = tmp_path / "chunks" / "orders"
    chunks.mkdir(parents=True)
    (tmp_path / "chunks" / "accounts.parquet").write_bytes((folder / "accounts.parquet").read_bytes())
    orders = frames["orders"]
    # The first chunk has no promotion at all: its column comes without a type.
    orders[:5].assign(promotion_id=None).to_parquet(chunks / "0.parquet")
    orders[5:].to_parquet(chunks / "1.parquet")
    shown = open_book(tmp_path / "chunks").frame("orders")
    assert shown["promotion_id"].notna().sum() == orders["promotion_id"][5:].notna().sum()
    assert len(shown) == len(orders)


def test_an_optional_column_that_is_absent_reads_as_missing(tmp_path, frames):
    slim = {**frames, "orders": frames["orders"].drop(columns=["cost", "promotion_id"])}
    book = open_book(write_folder(slim, tmp_path / "slim"))
    assert book.frame("orders")["cost"].isna().all()
    assert not book.has("orders", "cost")
    assert book.has("orders", "revenue")


def test_nan_reads_as_missing(tmp_path, frames):
    folder = write_folder(frames, tmp_path / "nan")
    orders = pq.read_table(folder / "orders.parquet")
    no_numbers = pa.array(np.full(len(orders), np.nan), from_pandas=False)
    pq.write_table(orders.set_column(orders.column_names.index("cost"), "cost", no_numbers), folder / "orders.parquet")
    assert not open_book(folder).has("orders", "cost")


def test_identifiers_written_as_numbers_read_as_strings(tmp_path, frames):
    folder = write_folder(frames, tmp_path / "numbers")
    accounts, orders = frames["accounts"], frames["orders"]
    number = {a: i for i, a in enumerate(accounts["account_id"])}
    accounts.assign(account_id=accounts["account_id"].map(number)).to_parquet(folder / "accounts.parquet")
    orders.assign(account_id=orders["account_id"].map(number)).to_parquet(folder / "orders.parquet")
    assert set(open_book(folder).frame("orders")["account_id"]) <= {str(n) for n in number.values()}


# ---- as of a date ----------------------------------------------------------------------------------------


def at_edges(tmp_path, name, as_of, **columns):
    """The only row of one table, read as of a day."""
    frames = small_frames(seed=5)
    keys = {k: v for k, v in frames[name].iloc[0].items() if k not in columns}
    frames[name] = pd.DataFrame([keys | columns])
    return open_book(write_folder(frames, tmp_path / "edge"), as_of).frame(name)


def test_the_day_itself_is_visible_and_the_next_is_not(tmp_path):
    assert len(at_edges(tmp_path, "visits", "2026-03-31", visit_date=pd.Timestamp("2026-03-31"))) == 1
    assert len(at_edges(tmp_path, "visits", "2026-03-30", visit_date=pd.Timestamp("2026-03-31"))) == 0


def test_a_case_closed_later_is_open(tmp_path):
    days = {"opened_on": pd.Timestamp("2026-03-01"), "closed_on": pd.Timestamp("2026-04-02")}
    assert at_edges(tmp_path, "cases", "2026-04-01", **days)["closed_on"].isna().all()
    assert at_edges(tmp_path, "cases", "2026-04-02", **days)["closed_on"].notna().all()


def test_a_deal_won_later_is_open_and_its_value_stays(tmp_path):
    row = {"opened_on": pd.Timestamp("2026-03-01"), "closed_on": pd.Timestamp("2026-04-02"), "stage": "won"}
    assert at_edges(tmp_path, "opportunities", "2026-04-01", **row)["stage"].tolist() == ["open"]
    assert at_edges(tmp_path, "opportunities", "2026-04-02", **row)["stage"].tolist() == ["won"]


def test_a_delivery_made_later_has_neither_day_nor_quantity(folder, frames):
    made = frames["deliveries"].merge(frames["orders"][["order_id", "line_no", "order_date"]])
    later = made[(made["order_date"] <= MIDDLE) & (made["delivered_on"] > MIDDLE)]
    assert len(later)
    shown = open_book(folder, MIDDLE).frame("deliveries").merge(later[["order_id", "line_no"]])
    assert len(shown) == len(later)
    assert shown[["delivered_on", "quantity_delivered"]].isna().all(axis=None)


def test_a_delivery_of_a_later_line_of_an_earlier_order_is_hidden(tmp_path, frames):
    first = frames["orders"].iloc[[0]].assign(order_date=pd.Timestamp("2026-01-01"))
    second = first.assign(line_no=99, order_date=pd.Timestamp("2026-06-01"))
    orders = pd.concat([first, second])
    deliveries = orders[["order_id", "line_no"]].assign(promised_on=pd.Timestamp("2026-06-10"))
    book = open_book(write_folder({**frames, "orders": orders, "deliveries": deliveries}, tmp_path / "b"), MIDDLE)
    assert book.frame("deliveries")["line_no"].tolist() == [first["line_no"].item()]


def test_a_contract_exists_from_the_day_it_is_signed(tmp_path):
    signed = {"signed_on": pd.Timestamp("2026-03-01"), "starts_on": pd.Timestamp("2026-07-01")}
    assert len(at_edges(tmp_path, "contracts", "2026-03-01", **signed)) == 1
    assert len(at_edges(tmp_path, "contracts", "2026-02-28", **signed)) == 0
    assert len(at_edges(tmp_path, "contracts", "2026-06-30", **signed | {"signed_on": pd.NaT})) == 0


@pytest.mark.parametrize(
    ("period", "first_day"),
    [
        ("2026", "2026-01-01"),
        ("2026-H2", "2026-07-01"),
        ("2026-Q3", "2026-07-01"),
        ("2026-09", "2026-09-01"),
        ("2026-W40", "2026-09-28"),
        ("2027-W01", "2027-01-04"),
    ],
)
def test_a_target_is_visible_from_the_first_day_of_its_period(tmp_path, period, first_day):
    eve = dt.date.fromisoformat(first_day) - dt.timedelta(days=1)
    assert len(at_edges(tmp_path, "targets", first_day, period=period)) == 1
    assert len(at_edges(tmp_path, "targets", eve, period=period)) == 0


def test_the_manager_is_the_one_of_the_day(folder, frames):
    moved = frames["assignments"][frames["assignments"]["account_id"] == "0001"]
    day = moved["to_date"].dropna().item()
    before = open_book(folder, day).frame("accounts").set_index("account_id")["manager_id"]["0001"]
    after = open_book(folder, day + pd.Timedelta(days=1)).frame("accounts").set_index("account_id")
    assert [before, after["manager_id"]["0001"]] == moved["manager_id"].tolist()


def test_an_account_whose_assignment_has_ended_has_no_manager(tmp_path, frames):
    ended = frames["assignments"].query("account_id != '0002'")
    own = pd.DataFrame({"account_id": ["0002"], "manager_id": ["M03"]})
    own = own.assign(from_date=pd.Timestamp("2025-01-01"), to_date=pd.Timestamp("2025-06-30"))
    book = open_book(write_folder({**frames, "assignments": pd.concat([ended, own])}, tmp_path / "b"), MIDDLE)
    assert book.frame("accounts").set_index("account_id")["manager_id"].isna()["0002"]


def test_an_account_without_assignments_keeps_the_manager_of_the_export(tmp_path, frames):
    others = frames["assignments"].query("account_id != '0002'")
    book = open_book(write_folder({**frames, "assignments": others}, tmp_path / "b"), MIDDLE)
    expected = frames["accounts"].set_index("account_id")["manager_id"]["0002"]
    assert book.frame("accounts").set_index("account_id")["manager_id"]["0002"] == expected


def test_contacts_and_targets_of_an_account_opened_later_are_hidden(tmp_path, frames):
    accounts = frames["accounts"].copy()
    accounts.loc[accounts["account_id"] == "0003", "opened_on"] = pd.Timestamp("2026-04-01")
    book = open_book(write_folder({**frames, "accounts": accounts}, tmp_path / "b"), MIDDLE)
    for name in ("accounts", "contacts", "targets"):
        assert "0003" not in set(book.frame(name)["account_id"].dropna())
    assert book.frame("targets")["account_id"].isna().sum() == 0  # the targets of 2026-Q3 have not begun


def test_an_account_without_a_number_that_opens_later_hides_no_row_of_the_others(tmp_path, frames):
    nobody = frames["accounts"].iloc[[0]].assign(account_id=None, opened_on=pd.Timestamp("2026-04-01"))
    book = open_book(write_folder({**frames, "accounts": pd.concat([frames["accounts"], nobody])}, tmp_path / "b"))
    assert len(book.at(MIDDLE).frame("contacts")) == len(frames["contacts"])


def test_a_promotion_and_an_owner_of_later_days_are_not_named(tmp_path, frames):
    promotions = frames["promotions"].assign(starts_on=pd.Timestamp("2026-04-01"))
    accounts = frames["accounts"].copy()
    accounts.loc[accounts["account_id"] == "0001", "opened_on"] = pd.Timestamp("2026-04-01")
    later = {**frames, "promotions": promotions, "accounts": accounts}
    book = open_book(write_folder(later, tmp_path / "b"), MIDDLE)
    assert book.frame("orders")["promotion_id"].isna().all()
    assert book.frame("accounts")["parent_id"].isna().all()


def test_an_earlier_book_is_read_from_a_later_one_and_never_the_other_way(folder):
    book = open_book(folder, MIDDLE)
    assert book.at("2025-06-30").as_of == dt.date(2025, 6, 30)
    with pytest.raises(RequestError, match="as of 2026-03-31 cannot be read as of the later 2026-04-01"):
        book.at("2026-04-01")


@given(seed=st.integers(0, 1000), as_of=st.dates(dt.date(2025, 6, 1), dt.date(2026, 9, 29)), data=st.data())
@settings(max_examples=8, deadline=None)
def test_planted_later_rows_and_facts_change_no_frame(tmp_path_factory, seed, as_of, data):
    frames = small_frames(seed)
    planted = plant_future(frames, as_of, seed=data.draw(st.integers(0, 1000)))
    scope = data.draw(st.sampled_from([{}, {"account_id": "0001"}, {"region": "North"}]))
    folder = tmp_path_factory.mktemp("plant")
    with open_book(write_folder(frames, folder / "before"), as_of, scope) as book:
        before = {name: book.frame(name, with_personal=True) for name in TABLES}
    with open_book(write_folder(planted, folder / "after"), as_of, scope) as book:
        for name in TABLES:
            after = book.frame(name, with_personal=True)
            assert_frame_equal(after, before[name], check_exact=True, obj=name)


def test_what_is_planted_shows_in_every_table_once_its_day_has_come(tmp_path, frames):
    planted = open_book(write_folder(plant_future(frames, MIDDLE), tmp_path / "b"))
    for name in TABLES:
        grown = len(planted.frame(name)) - len(frames[name])
        assert grown > 0 or name == "managers", name


# ---- within a scope --------------------------------------------------------------------------------------


def identifiers(frames, accounts):
    """All identifiers in rows of these accounts: of the account, its orders, contacts, visits…"""
    found = set(accounts)
    for name, frame in frames.items():
        if name != "products" and name in OWN_ID and "account_id" in frame and name != "events":
            found |= set(frame.loc[frame["account_id"].isin(accounts), OWN_ID[name]])
    return found | set(frames["accounts"].loc[frames["accounts"]["account_id"].isin(accounts), "name"])


def cells(frame):
    return {value for column in frame.select_dtypes("str") for value in frame[column].dropna()}


@given(
    seed=st.integers(0, 1000),
    as_of=st.none() | st.dates(dt.date(2025, 6, 1), dt.date(2026, 9, 30)),
    data=st.data(),
)
@settings(max_examples=8, deadline=None)
def test_no_identifier_of_another_account_is_in_any_frame(tmp_path_factory, seed, as_of, data):
    frames = tangled(small_frames(seed))
    folder = write_folder(frames, tmp_path_factory.mktemp("scope") / "book")
    accounts = set(frames["accounts"]["account_id"])
    mine = data.draw(st.sets(st.sampled_from(sorted(accounts)), min_size=1, max_size=4))
    others = identifiers(frames, accounts - mine)
    assert others
    with open_book(folder, as_of, {"account_id": mine}) as book:
        for name in TABLES:
            assert not others & cells(book.frame(name, with_personal=True)), name


def tangled(frames):
    """A book in which every row points at somebody else where it can: owners, promotions, contacts, references."""
    accounts, orders, visits = frames["accounts"], frames["orders"], frames["visits"]
    return frames | {
        "accounts": accounts.assign(parent_id=np.roll(accounts["account_id"], 1)),
        "orders": orders.assign(promotion_id=np.roll(frames["promotions"]["promotion_id"], 1)[orders.index % 7]),
        "visits": visits.assign(contact_id=np.roll(visits["contact_id"], 1)),
    }


def test_a_scope_takes_one_value_several_or_a_flag(folder, frames):
    accounts = frames["accounts"]
    assert len(open_book(folder, scope={"region": ["North", "South"]}).frame("accounts")) == len(accounts)
    official = open_book(folder, scope={"is_official": False}).frame("accounts")
    assert len(official) == (~accounts["is_official"].astype(bool)).sum()


def test_a_large_scope_reads_like_a_small_one(folder, monkeypatch):
    small = open_book(folder, MIDDLE, MINE)
    monkeypatch.setattr(store, "_NAMED_ACCOUNTS", 1)
    large = open_book(folder, MIDDLE, MINE)
    assert (large.inside, len(small.inside) > 1) == (None, True)
    for name in ("accounts", "orders", "targets", "references"):
        assert_frame_equal(large.frame(name), small.frame(name))
        assert_frame_equal(large.at("2025-12-31").frame(name), small.at("2025-12-31").frame(name))


def test_an_earlier_day_keeps_to_the_accounts_of_the_scope(folder, frames):
    moved = frames["assignments"][frames["assignments"]["account_id"] == "0001"]
    before, after = moved["manager_id"]
    day = moved["to_date"].dropna().item()
    then = open_book(folder, "2026-09-30", {"manager_id": after}).at(day).frame("accounts").set_index("account_id")
    assert then["manager_id"]["0001"] == before
    gone = open_book(folder, "2026-09-30", {"manager_id": before}).at(day).frame("accounts")
    assert "0001" not in set(gone["account_id"])


def test_targets_of_a_manager_are_in_the_scope_of_that_manager_only(folder):
    mine = open_book(folder, scope=MINE).frame("targets")
    assert mine["manager_id"].dropna().tolist() == ["M01"]
    assert open_book(folder, scope={"account_id": "0001"}).frame("targets")["manager_id"].isna().all()


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        ({"manager": "M01"}, "accounts have no column 'manager' to scope by; did you mean 'manager_id'?"),
        ({"manager_id": "M99"}, "the scope manager_id=M99 matches no account of book 'Small book'"),
        ({"account_id": 1}, "the scope account_id=1 matches no account"),
    ],
)
def test_a_scope_that_is_wrong_or_empty_is_refused(folder, scope, message):
    with pytest.raises(RequestError) as error:
        open_book(folder, scope=scope)
    assert message in str(error.value)


# ---- the book itself -------------------------------------------------------------------------------------


def test_tables_are_attributes_and_a_wrong_name_lists_them(folder):
    book = open_book(folder)
    assert isinstance(book.orders, ibis.Table)
    with pytest.raises(AttributeError, match="a book has no 'order'; its tables are accounts, orders"):
        _ = book.order


def test_columns_named_are_the_only_ones_read(folder):
    assert open_book(folder, MIDDLE).table("orders", "account_id", "revenue").columns == ("account_id", "revenue")


def test_an_absent_table_is_named_and_has_says_so(tmp_path, frames):
    book = open_book(write_folder({n: frames[n] for n in ("accounts", "orders")}, tmp_path / "two"))
    assert (book.tables, book.has("visits"), len(book.absent)) == (["accounts", "orders"], False, 17)
    with pytest.raises(RequestError, match="book 'Small book' has no table 'visits'; it has accounts, orders"):
        book.frame("visits")


def test_has_asks_for_visible_rows_and_values(folder):
    book = open_book(folder, "2024-09-30")
    assert not book.has("orders")
    assert open_book(folder).has("orders", "cost", "promotion_id")
    assert not open_book(folder).has("orders", "colour")
    with pytest.raises(RequestError, match="no table 'order' in the contract"):
        book.has("order")


def test_a_book_without_orders_or_accounts_is_refused(tmp_path, frames):
    folder = write_folder({"orders": frames["orders"]}, tmp_path / "one")
    with pytest.raises(RequestError, match=r"book 'one' lacks 1 of the 2 required tables: accounts"):
        open_book(folder)


def test_a_required_column_that_is_absent_is_named(tmp_path, frames):
    bare = {**frames, "orders": frames["orders"].drop(columns="revenue")}
    book = open_book(write_folder(bare, tmp_path / "bare"))
    with pytest.raises(RequestError, match="table 'orders' lacks 1 required columns: revenue; it has order_id"):
        book.frame("orders")


def test_span_is_the_first_and_last_visible_order_day(folder, frames):
    days = frames["orders"]["order_date"].loc[lambda d: d <= MIDDLE]
    assert open_book(folder, MIDDLE).span() == (days.min().date(), days.max().date())
    with pytest.raises(RequestError, match="has no order on or before 2024-01-01; choose a later period"):
        open_book(folder, "2024-01-01").span()


def test_the_name_is_declared_or_that_of_the_place(folder, tmp_path, frames):
    assert open_book(folder).name == "Small book"
    assert open_book(write_folder(frames, tmp_path / "acme", settings={})).name == "acme"


def test_the_fingerprint_tells_content_apart_and_not_the_place(tmp_path, folder, frames):
    same = open_book(small_book(tmp_path / "same", seed=5)).fingerprint()
    other = open_book(small_book(tmp_path / "other", seed=6)).fingerprint()
    assert (open_book(folder).fingerprint() == same, other == same) == (True, False)


def test_the_fingerprint_of_a_database_follows_its_rows(places, frames, postgres_url):
    before = open_book("small").fingerprint()
    assert open_book("small").fingerprint() == before
    changed = frames["visits"].assign(hours=frames["visits"]["hours"].fillna(0.5))
    write_postgres({"visits": changed}, postgres_url)
    try:
        assert open_book("small").fingerprint() != before
    finally:
        write_postgres({"visits": frames["visits"]}, postgres_url)
