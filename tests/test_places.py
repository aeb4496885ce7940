"""A book is found in a folder, a file or a named database; nothing secret is ever repeated."""

from __future__ import annotations

import shutil

import ibis
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamlib import open_book
from kamlib.book.places import connect, fingerprint, mask, read_settings
from kamlib.errors import RequestError

from books import small_book, small_frames, write_duckdb, write_folder, write_postgres


@pytest.fixture
def folder(tmp_path):
    return small_book(tmp_path / "book", seed=1)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder without any book named in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KAM_BOOKS", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("could not reach postgresql://eva:s3cret@db/kam", "could not reach postgresql://***@db/kam"),
        ("postgresql://eva:p@ss/w@rd@db:5432/kam", "postgresql://***@db:5432/kam"),
        (
            "postgresql://db/kam?user=eva&password=s3cret&sslmode=on",
            "postgresql://db/kam?user=eva&password=***&sslmode=on",
        ),
        ("two: a://u:p@x and b://v:q@y", "two: a://***@x and b://***@y"),
        ("no secret at all: eva@example.com", "no secret at all: eva@example.com"),
    ],
)
def test_users_and_passwords_are_masked(text, masked):
    assert mask(text) == masked


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs"], exclude_characters="'\""), min_size=6))
def test_no_password_survives_the_mask(password):
    assert password not in mask(f"x://eva:{password}@db/kam").replace("***", "")


def test_a_url_is_refused_as_a_place_and_not_repeated():
    with pytest.raises(RequestError) as error:
        connect("postgresql://eva:s3cret@db/kam")
    assert "put it under a name in books.yml" in str(error.value)
    assert "s3cret" not in str(error.value)


def test_a_folder_a_file_and_a_name_are_found(here, folder):
    file = write_duckdb(small_frames(seed=1), here / "sales.duckdb")
    (here / "books.yml").write_text(f"acme: {file}\nshop:\n  url: {folder}\n")
    assert [connect(place).name for place in (folder, file, "acme", "shop")] == ["book", "sales", "sales", "book"]
    assert connect(str(folder)).sources.keys() == connect("acme").sources.keys()


def test_a_database_is_found_by_its_name_with_its_settings(here, postgres_url, monkeypatch):
    write_postgres(small_frames(seed=1), postgres_url)
    monkeypatch.setenv("KAM_TEST_URL", postgres_url)
    (here / "books.yml").write_text("acme:\n  url: ${KAM_TEST_URL}\n  settings: {currency: TWD, name: Acme}\n")
    with open_book("acme") as book:
        assert (book.name, book.settings.currency, len(book.tables)) == ("Acme", "TWD", 19)


def test_a_schema_of_a_database_is_a_book(here, postgres_url):
    connection = ibis.connect(postgres_url)
    with connection.begin() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS north CASCADE")
        cursor.execute("CREATE SCHEMA north")
        cursor.execute("CREATE TABLE north.accounts AS SELECT '1' AS account_id, 'One' AS name")
        cursor.execute(
            "CREATE TABLE north.orders (order_id text, line_no int, account_id text, order_date date, revenue numeric)"
        )
        cursor.execute("INSERT INTO north.orders VALUES ('S1', 1, '1', '2026-01-31', 12.50)")
    connection.disconnect()
    (here / "books.yml").write_text(f"north:\n  url: {postgres_url}\n  schema: north\n")
    with open_book("north", "2026-01-31") as book:
        assert book.tables == ["accounts", "orders"]
        assert book.frame("orders")["revenue"].tolist() == [12.5]


def test_a_database_that_does_not_answer_is_named_without_its_password(here, monkeypatch):
    monkeypatch.setenv("KAM_BOOK_GONE", "postgresql://eva:s3cret@127.0.0.1:1/kam")
    with pytest.raises(RequestError) as error:
        connect("gone")
    assert "book 'gone': the database at 127.0.0.1 cannot be reached" in str(error.value)
    assert "s3cret" not in str(error.value)


def test_an_unknown_place_is_refused_with_the_nearest_name(here):
    (here / "books.yml").write_text("acme: nowhere\n")
    with pytest.raises(RequestError, match=r"no such name in books.yml or in the environment; did you mean 'acme'\?"):
        connect("acmee")


def test_the_value_of_a_variable_that_is_no_book_is_not_repeated(here, monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "s3cret")
    with pytest.raises(RequestError) as error:
        connect("SOME_TOKEN")
    assert "the name 'SOME_TOKEN' is set to neither a database URL nor a folder or .duckdb file" in str(error.value)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("name", ["Q3 [final]", "what?", "all * books", "a{b}"])
def test_a_folder_whose_name_looks_like_a_pattern_is_only_itself(folder, tmp_path, name):
    shutil.copytree(folder, tmp_path / name)
    with open_book(tmp_path / name) as odd, open_book(folder) as plain:
        pd.testing.assert_frame_equal(odd.frame("orders"), plain.frame("orders"))


def test_a_folder_without_tables_is_not_a_book(tmp_path):
    with pytest.raises(
        RequestError, match="is not a book: it holds none of the 19 tables .* make one with 'kam sample'"
    ):
        connect(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "x.duckdb").write_text("not a database at all, only some text that is long enough to be a header")
    with pytest.raises(RequestError, match=r"x\.duckdb cannot be opened as a DuckDB file"):
        connect(tmp_path / "x.duckdb")


def test_a_database_file_without_tables_is_refused(tmp_path):
    with pytest.raises(RequestError, match=r"empty\.duckdb holds none of the 19 tables"):
        connect(write_duckdb({}, tmp_path / "empty.duckdb"))


def test_a_table_that_is_no_parquet_is_named_when_it_is_read_and_keeps_no_other_from_being_read(folder):
    (folder / "visits.parquet").write_bytes(b"half a file")
    with open_book(folder) as book:
        assert len(book.frame("orders")) > 0
        with pytest.raises(RequestError, match="table 'visits' cannot be read as Parquet from"):
            book.frame("visits")


@pytest.mark.parametrize(
    ("content", "message"),
    [("name: [", "book.yml is not valid YAML"), ("- a\n- b\n", "must hold named settings, not a list")],
)
def test_settings_that_cannot_be_read_are_refused(tmp_path, content, message):
    (tmp_path / "book.yml").write_text(content)
    with pytest.raises(RequestError, match=message):
        read_settings(tmp_path / "book.yml")


def test_no_settings_are_no_settings(tmp_path):
    assert read_settings(tmp_path / "book.yml") == {}
    (tmp_path / "book.yml").write_text("# nothing yet\n")
    assert read_settings(tmp_path / "book.yml") == {}


def test_the_fingerprint_follows_settings_and_content(tmp_path):
    frames = small_frames(seed=1)
    plain = fingerprint(connect(write_folder(frames, tmp_path / "a")))
    assert fingerprint(connect(write_folder(frames, tmp_path / "b"))) == plain
    assert fingerprint(connect(write_folder(frames, tmp_path / "c", settings={"name": "Other"}))) != plain
    assert fingerprint(connect(write_folder({**frames, "visits": frames["visits"][1:]}, tmp_path / "d"))) != plain


def test_a_book_opened_elsewhere_leaves_nothing_behind(here, folder):
    before = sorted(p.name for p in here.rglob("*"))
    with open_book(folder, "2026-03-31") as book:
        book.frame("orders")
    assert sorted(p.name for p in here.rglob("*")) == before


def test_the_share_of_memory_can_be_set(folder, monkeypatch):
    monkeypatch.setenv("KAM_MEMORY_LIMIT", "512MB")
    limit = connect(folder).connection.raw_sql("SELECT current_setting('memory_limit')").fetchone()[0]
    assert limit.startswith("488")  # MiB
