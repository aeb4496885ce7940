"""Where a book lies: a folder of Parquet, a DuckDB file, or a database named in books.yml or the environment."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import ibis
import ibis.expr.datatypes as dt
import yaml
from ibis.common.exceptions import TableNotFound

from kamlib.book.contract import TABLES
from kamlib.errors import RequestError

MEMORY_LIMIT = "2GB"  # for the engine; the frames it hands over come on top of it
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C, where there is one, takes a tenth of the time

# Up to the last @ of the word: a password may hold an @ or a / that its owner forgot to escape.
_SECRET = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*://)[^\s'\"]*@")
_SECRET_SETTING = re.compile(r"((?:password|passwd|pwd|token|secret)=)[^\s&'\"]+", re.IGNORECASE)


def mask(text: str) -> str:
    """The text with user and password of every URL in it, and passwords written as settings, replaced by ``***``.

    Examples
    --------
    >>> mask("could not reach postgresql://eva:s3cret@db/kam")
    'could not reach postgresql://***@db/kam'
    """
    return _SECRET_SETTING.sub(r"\1***", _SECRET.sub(r"\1***@", text))


@dataclass(frozen=True)
class Place:
    """A connected place: the tables found there, its settings, and what tells its content apart."""

    name: str
    connection: ibis.BaseBackend
    sources: Mapping[str, ibis.Table]
    settings: dict
    path: Path | None = None
    files: dict[str, list[Path]] = field(default_factory=dict)


class _Folder(Mapping):
    """The tables of a folder, each opened when it is first asked for: a page of one account opens few or none."""

    def __init__(self, connection: ibis.BaseBackend, files: dict[str, list[Path]]) -> None:
        self._connection, self._files = connection, files
        self._opened: dict[str, ibis.Table] = {}

    def __getitem__(self, name: str) -> ibis.Table:
        if name not in self._opened:
            self._opened[name] = _parquet(self._connection, name, self._files[name])
        return self._opened[name]

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def connect(place: str | os.PathLike) -> Place:
    """Connect to a place.

    Parameters
    ----------
    place
        A folder of ``<table>.parquet`` files (or ``<table>/*.parquet``), a ``.duckdb`` file, or a name whose
        database URL stands in ``books.yml`` or in the environment.

    Raises
    ------
    RequestError
        When there is nothing there, or when a URL was given instead of its name.

    Examples
    --------
    >>> connect("data/sample")  # doctest: +SKIP
    """
    text = os.fspath(place)
    if "://" in text:
        raise RequestError(
            "a database URL was given as the place; put it under a name in books.yml or in an environment "
            "variable and give that name, so that no password reaches a parameter or a report"
        )
    path = Path(text)
    if path.is_dir():
        return _folder(path)
    if path.is_file():
        return _duckdb_file(path)
    return _named(text)


def read_settings(path: Path) -> dict:
    """The settings in a ``book.yml``, or none when there is no such file."""
    if not path.is_file():
        return {}
    try:
        settings = yaml.load(path.read_text(encoding="utf-8"), Loader=_YAML) or {}
    except yaml.YAMLError as error:
        raise RequestError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(settings, dict):
        raise RequestError(f"{path} must hold named settings, not a {type(settings).__name__}")
    return settings


def _folder(path: Path) -> Place:
    files = {name: _parquet_files(path, name) for name in TABLES}
    files = {name: found for name, found in files.items() if found}
    if not files:
        raise RequestError(
            f"{path} is not a book: it holds none of the {len(TABLES)} tables of the contract as Parquet; "
            f"make one with 'kam sample' or 'kam ingest'"
        )
    connection = _frugal(ibis.duckdb.connect())
    sources = _Folder(connection, files)
    return Place(path.resolve().name, connection, sources, read_settings(path / "book.yml"), path, files)


def _frugal(connection: ibis.BaseBackend) -> ibis.BaseBackend:
    """DuckDB within bounds: what does not fit in its share of memory spills into a temporary folder."""
    limit = os.environ.get("KAM_MEMORY_LIMIT", MEMORY_LIMIT)
    spill = Path(tempfile.gettempdir()) / f"kam-spill-{os.getpid()}"
    # No progress bar in reports, and file order is of no use to any reader: both cost memory and lines.
    for setting in (
        "enable_progress_bar = false",
        "preserve_insertion_order = false",
        f"memory_limit = '{limit}'",
        f"temp_directory = '{spill}'",
    ):
        connection.raw_sql(f"SET {setting}")
    return connection


def _parquet(connection: ibis.BaseBackend, name: str, files: list[Path]) -> ibis.Table:
    try:
        # By name: a chunk in which an optional column is empty may type it otherwise, or lack it.
        return connection.read_parquet([literal_path(f) for f in files], table_name=name, union_by_name=len(files) > 1)
    except Exception as error:  # DuckDB raises classes of its own
        raise RequestError(f"table {name!r} cannot be read as Parquet from {files[0].parent}: {error}") from None


def literal_path(path: Path) -> str:
    """A path in which DuckDB finds no pattern: ``*``, ``?`` and ``[`` stand for themselves."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))


def _parquet_files(path: Path, name: str) -> list[Path]:
    single = path / f"{name}.parquet"
    return [single] if single.is_file() else sorted((path / name).glob("*.parquet"))


def _duckdb_file(path: Path) -> Place:
    try:
        connection = _frugal(ibis.duckdb.connect(path, read_only=True))
    except Exception as error:
        raise RequestError(
            f"{path} cannot be opened as a DuckDB file ({error}); a book is a folder of Parquet "
            f"tables, a .duckdb file, or a name in books.yml"
        ) from None
    settings = read_settings(path.with_suffix(".yml")) or read_settings(path.with_name("book.yml"))
    files = {"all": [path]}
    return Place(path.stem, connection, _tables_of(connection, str(path)), settings, path, files)


def _tables_of(connection: ibis.BaseBackend, where: str, database: str | None = None) -> dict[str, ibis.Table]:
    found = {}
    for name in TABLES:
        # Asked for one by one: listing tables does not work in Ibis 12 with DuckDB 2.
        with contextlib.suppress(TableNotFound):
            found[name] = connection.table(name, database=database)
    if not found:
        raise RequestError(f"{where} holds none of the {len(TABLES)} tables of the contract")
    return found


def _named(name: str) -> Place:
    entry = look_up(name)
    url = entry["url"]
    if "://" not in url:
        return _path_named(name, Path(url).expanduser())
    try:
        connection = ibis.connect(url)
        sources = _tables_of(connection, f"the database of book {name!r}", entry.get("schema"))
        sources = {name: without_money(table) for name, table in sources.items()}
    except RequestError:
        raise
    except Exception as error:  # drivers raise classes of their own; each may quote the URL
        host = urlsplit(url).hostname or "its host"
        raise RequestError(
            f"book {name!r}: the database at {host} cannot be reached ({mask(str(error)).strip()}); check that "
            f"it runs and that its driver is installed"
        ) from None
    return Place(name, connection, sources, entry.get("settings") or {})


def without_money(table: ibis.Table) -> ibis.Table:
    """The table with PostgreSQL's ``money``, which Ibis takes for decimals of this size, turned into decimals."""
    money = [name for name, dtype in table.schema().items() if dtype == dt.Decimal(19, 4, nullable=dtype.nullable)]
    return table.mutate(**{name: table[name].cast("decimal(38, 9)") for name in money}) if money else table


def _path_named(name: str, path: Path) -> Place:
    if path.is_dir() or path.is_file():
        return _folder(path) if path.is_dir() else _duckdb_file(path)
    # What an environment variable holds may be anything: it is not repeated in the message.
    raise RequestError(f"the name {name!r} is set to neither a database URL nor a folder or .duckdb file that exists")


def look_up(name: str) -> dict:
    """What ``books.yml`` or the environment says of a book: at least its ``url``.

    Raises
    ------
    RequestError
        Neither knows the name; the nearest one in ``books.yml`` is proposed.
    """
    named = _books_file()
    entry = named.get(name) or os.environ.get(name) or os.environ.get(f"KAM_BOOK_{name.upper()}")
    if not entry:
        close = difflib.get_close_matches(name, named, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise RequestError(
            f"there is no book at {name!r}: no such folder or .duckdb file, and no such name in books.yml "
            f"or in the environment{hint}"
        )
    entry = {"url": entry} if isinstance(entry, str) else dict(entry)
    if "url" not in entry:
        raise RequestError(f"book {name!r} in books.yml has no url")
    return entry | {"url": os.path.expandvars(entry["url"])}


def _books_file() -> dict:
    return read_settings(Path(os.environ.get("KAM_BOOKS", "books.yml")))


def fingerprint(place: Place) -> str:
    """A digest of the content of a place: of the bytes of its files, or of counts and sums in a database."""
    digest = hashlib.blake2b(digest_size=16)
    for name, paths in sorted(place.files.items()):
        digest.update(name.encode())
        for path in paths:
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).digest())
    if not place.files:
        for name, table in sorted(place.sources.items()):
            digest.update(f"{name}{tally(table)}".encode())
    digest.update(repr(sorted(place.settings.items(), key=str)).encode())
    return digest.hexdigest()


def tally(table: ibis.Table) -> dict:
    """Rows of a table, the sum of each numeric column and the largest value of each other one."""
    sums = {
        # Summed as decimals, which add up to the same in whatever order the engine takes them.
        column: table[column].cast("decimal(38, 9)").sum() if dtype.is_numeric() else table[column].max()
        for column, dtype in table.schema().items()
        if dtype.is_numeric() or dtype.is_temporal() or dtype.is_string()
    }
    return table.aggregate(row_count=table.count(), **sums).to_pyarrow().to_pylist()[0]
