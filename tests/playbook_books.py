"""Books that the tests of the playbooks share: the sample company with its truth, and small or hostile ones."""

import tempfile
from functools import cache
from pathlib import Path

import pandas as pd
import yaml

from kamlib import open_book
from kamlib.book.sample import write_sample
from kamlib.book.store import Book

from books import small_frames, write_folder

HOSTILE = ["=cmd|x", "<script>alert(1)</script>", "{name} {0}", "$x$ %s", None]


@cache
def sample_place() -> Path:
    """The sample company as ``kam sample`` makes it, once for the session."""
    return write_sample(Path(tempfile.mkdtemp(prefix="kam-playbooks-")) / "book").place


@cache
def sample() -> Book:
    """The sample company at the end of its book."""
    return open_book(sample_place(), as_of="2026-09-30")


def process() -> dict:
    """What was planted in the sample company."""
    return yaml.safe_load((sample_place() / "truth" / "process.yml").read_text(encoding="utf-8"))


def truth(table: str):
    """A table of the truth of the sample company."""
    return pd.read_parquet(sample_place() / "truth" / f"{table}.parquet")


def one_account(account_id: str = "C0001") -> Book:
    """One account of the sample company alone."""
    return open_book(sample_place(), as_of="2026-09-30", scope={"account_id": account_id})


def before_orders() -> Book:
    """The sample company as of a day before its first order."""
    return open_book(sample_place(), as_of="2023-09-01")


def small(folder: Path, *without: str, names: list | None = None) -> Book:
    """A small book without some tables; the names of its first accounts may be given."""
    frames = {name: frame for name, frame in small_frames().items() if name not in without}
    if names:
        frames["accounts"]["name"] = names + frames["accounts"]["name"].tolist()[len(names) :]
    return open_book(write_folder(frames, folder / "book"), as_of="2026-09-30")


def bare(folder: Path) -> Book:
    """A small book of accounts and orders only."""
    frames = {name: frame for name, frame in small_frames().items() if name in {"accounts", "orders"}}
    return open_book(write_folder(frames, folder / "bare"), as_of="2026-09-30")
