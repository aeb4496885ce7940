"""The sample book: reproducible, whole, within the contract, believable, and true to its written-down process."""

import hashlib
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from kamlib import open_book
from kamlib.book import sample
from kamlib.book.contract import TABLES
from kamlib.book.periods import Period
from kamlib.book.sample import read_truth, write_sample
from kamlib.errors import RequestError

END = pd.Timestamp("2026-09-30")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return write_sample(tmp_path_factory.mktemp("sample") / "book").place


@pytest.fixture(scope="module")
def frames(place) -> dict[str, pd.DataFrame]:
    with open_book(place) as book:
        return {name: book.frame(name, with_personal=True) for name in book.tables}


@pytest.fixture(scope="module")
def truth(place) -> dict:
    return read_truth(place)


@pytest.fixture(scope="module")
def true_accounts(truth) -> pd.DataFrame:
    return truth["accounts"].set_index("account_id")


def digests(place: Path) -> dict[str, str]:
    files = sorted(p for p in place.rglob("*") if p.is_file())
    return {str(p.relative_to(place)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def planted(true_accounts: pd.DataFrame, name: str) -> str:
    return true_accounts.index[true_accounts.planted == name][0]


# Reproducible


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    first, second = (write_sample(tmp_path / n, accounts=60, months=12).place for n in ("one", "two"))
    assert digests(first) == digests(second)
    assert len(digests(first)) == len(TABLES) + 6


def test_another_seed_gives_another_company(tmp_path):
    first, second = (write_sample(tmp_path / str(s), accounts=20, months=6, seed=s).place for s in (1, 2))
    assert digests(first)["orders.parquet"] != digests(second)["orders.parquet"]


def test_blocks_join_into_one_company(tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "BLOCK", 16)
    place = write_sample(tmp_path / "book", accounts=50, months=12).place
    for name, spec in TABLES.items():
        keys = pq.read_table(place / f"{name}.parquet").to_pandas()[list(spec.key)]
        assert not keys.duplicated().any(), name


# Whole, and within the contract


def test_every_table_is_filled(frames):
    assert set(frames) == set(TABLES)
    assert [name for name, frame in frames.items() if frame.empty] == []


@pytest.mark.parametrize("name", TABLES)
def test_columns_have_the_types_of_the_contract(place, name):
    schema = pq.read_schema(place / f"{name}.parquet")
    for column, spec in TABLES[name].columns.items():
        assert schema.field(column).type == spec.dtype.to_pyarrow(), column


@pytest.mark.parametrize("name", TABLES)
def test_keys_are_unique_and_what_is_required_is_there(frames, name):
    spec, frame = TABLES[name], frames[name]
    assert not frame.duplicated(list(spec.key)).any()
    assert frame[spec.required].notna().all(axis=None)


@pytest.mark.parametrize("name", TABLES)
def test_values_are_allowed(frames, name):
    for column, spec in TABLES[name].columns.items():
        values = pd.Series(frames[name][column].dropna().unique())
        if "isin" in spec.limits:
            assert set(values) <= set(spec.limits["isin"]), column
        assert not (values < spec.limits["ge"]).any() if "ge" in spec.limits else True, column
        assert not (values > spec.limits["le"]).any() if "le" in spec.limits else True, column


@pytest.mark.parametrize("name", TABLES)
def test_references_resolve(frames, name):
    for column, spec in TABLES[name].columns.items():
        if spec.refers:
            key = TABLES[spec.refers].key[0]
            known = set(frames[spec.refers][key])
            assert set(frames[name][column].dropna()) <= known, column


@pytest.mark.parametrize("name", TABLES)
def test_nothing_is_dated_after_the_end(frames, name):
    spec, frame = TABLES[name], frames[name]
    if spec.dated:
        assert frame[list(spec.dated)].bfill(axis=1).iloc[:, 0].max() <= END
    for column in spec.later:
        assert frame[column].max() <= END
    if spec.period:
        assert max(Period.parse(label).start for label in frame[spec.period]) <= END.date()


def test_reading_as_of_the_end_hides_nothing(place, frames):
    with open_book(place, as_of="2026-09-30") as book:
        for name, frame in frames.items():
            pd.testing.assert_frame_equal(book.frame(name, with_personal=True), frame)


def test_optional_values_are_missing_here_and_there(frames):
    shares = frames["accounts"][["industry", "annual_potential", "is_official"]].isna().mean()
    assert shares.between(0.001, 0.3).all()


# At the edges


@pytest.mark.parametrize(("accounts", "months"), [(1, 36), (3, 6), (30, 7)])
def test_a_tiny_company_is_a_whole_book(tmp_path, accounts, months):
    place = write_sample(tmp_path / "book", accounts=accounts, months=months).place
    with open_book(place, as_of="2026-09-30") as book:
        assert book.absent == [] and len(book.frame("accounts")) == accounts
        assert len(book.frame("orders")) > 0
        assert all(len(book.frame(name)) >= 0 for name in book.tables)


def test_more_lines_to_an_order_on_request(tmp_path):
    few, many = (
        write_sample(tmp_path / str(n), accounts=40, lines_per_order=n, only=["orders"]).rows["orders"] for n in (1, 6)
    )
    assert many > 3 * few


def test_progress_is_told_by_block(tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "BLOCK", 20)
    told = []
    write_sample(tmp_path / "book", accounts=50, months=6, only=["orders"], progress=lambda *at: told.append(at))
    assert told == [(20, 50), (40, 50), (50, 50)]


def test_only_what_is_asked_for_is_written(tmp_path):
    place = write_sample(tmp_path / "book", accounts=20, months=6, only=["orders"]).place
    assert sorted(p.name for p in place.glob("*.parquet")) == ["accounts.parquet", "orders.parquet"]
    assert set(read_truth(place)) == {"process"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"accounts": 0}, "at least 1 account, not 0"),
        ({"months": 5}, "at least 6 months, not 5"),
        ({"targeting": "luck"}, "no targeting 'luck'; there are none, level, trend, response"),
        ({"lines_per_order": 0.5}, "at least 1 line; lines_per_order is 0.5"),
        ({"only": ["order"]}, "the contract has no table order; it has accounts, orders"),
        ({"end": "2026-09-15"}, "2026-09-15 is not one, 2026-09-30 is"),
    ],
)
def test_wrong_requests_are_refused_and_nothing_is_written(tmp_path, arguments, message):
    with pytest.raises(RequestError, match=message):
        write_sample(tmp_path / "book", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_sample_is_left_alone(tmp_path):
    (tmp_path / "letters.txt").write_text("dear customer")
    with pytest.raises(RequestError, match="is there and is not a sample book; remove it or choose another folder"):
        write_sample(tmp_path, accounts=5)
    assert [p.name for p in tmp_path.iterdir()] == ["letters.txt"]


def test_an_earlier_sample_is_replaced_as_a_whole(tmp_path):
    write_sample(tmp_path / "book", accounts=20, months=6)
    place = write_sample(tmp_path / "book", accounts=10, months=6, only=["orders"]).place
    assert pq.read_metadata(place / "accounts.parquet").num_rows == 10
    assert not (place / "visits.parquet").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["book"]


def test_a_failed_run_leaves_the_earlier_sample_untouched(tmp_path, monkeypatch):
    place = write_sample(tmp_path / "book", accounts=10, months=6).place
    before = digests(place)
    monkeypatch.setattr(sample.goods, "stock", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_sample(tmp_path / "book", accounts=20, months=6)
    assert digests(place) == before and [p.name for p in tmp_path.iterdir()] == ["book"]


def test_a_book_without_truth_says_so(tmp_path):
    with pytest.raises(RequestError, match="it is not a sample book; make one with 'kam sample'"):
        read_truth(tmp_path)
