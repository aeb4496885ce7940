"""A backup is a whole, verified book that opens in place of the one it was made from."""

import datetime as dt

import pandas as pd
import pytest

from kamlib import open_book
from kamlib.book import backup as module
from kamlib.book.backup import backup
from kamlib.errors import RequestError

from books import small_book, small_frames, write_duckdb

DAY = dt.date(2026, 10, 3)


@pytest.fixture(params=["folder", "duckdb"])
def place(request, tmp_path):
    return (
        small_book(tmp_path / "small")
        if request.param == "folder"
        else write_duckdb(small_frames(), tmp_path / "small.duckdb")
    )


def test_a_restored_book_reads_like_the_one_it_was_made_from(place, tmp_path):
    made = backup(place, tmp_path / "backups", DAY)
    assert made.path.name == "small-2026-10-03"
    with open_book(place) as before, open_book(made.path) as after:
        assert after.tables == before.tables
        for name in before.tables:
            pd.testing.assert_frame_equal(after.frame(name, True), before.frame(name, True))


def test_a_backup_counts_its_rows(place, tmp_path):
    made = backup(place, tmp_path / "backups", DAY)
    assert made.rows["accounts"] == 8
    assert len(made.fingerprint) == 32


def test_a_second_backup_of_the_day_leaves_the_first_alone(place, tmp_path):
    backup(place, tmp_path / "backups", DAY)
    with pytest.raises(RequestError, match="there is a backup of that day at .*small-2026-10-03 already"):
        backup(place, tmp_path / "backups", DAY)


def test_a_copy_that_differs_is_not_kept(tmp_path, monkeypatch):
    place = small_book(tmp_path / "small")
    copy_files = module._copy_files

    def careless(source, building):
        copy_files(source, building)
        pd.read_parquet(building / "orders.parquet").iloc[1:].to_parquet(building / "orders.parquet")

    monkeypatch.setattr(module, "_copy_files", careless)
    with pytest.raises(RequestError, match="the copy of 'small' differs from it"):
        backup(place, tmp_path / "backups", DAY)
    assert list((tmp_path / "backups").iterdir()) == []
