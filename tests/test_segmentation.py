"""The segmentation study on small books and on the sample company."""

import pandas as pd
import pytest

from kamlib import open_book
from kamlib.book.sample import write_sample
from kamlib.studies import segmentation


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The sample company of 300 accounts, and its truth by account."""
    written = write_sample(tmp_path_factory.mktemp("sample") / "book")
    return written.place, pd.read_parquet(written.truth / "accounts.parquet").set_index("account_id")


@pytest.fixture(scope="module")
def result(sample):
    with open_book(sample[0], as_of="2026-09-30") as book:
        return segmentation.measure(book, period="2026-Q3")


def test_classes_and_segments_partition_the_accounts(result):
    n = len(result.accounts)
    assert result.classes["accounts"].sum() == n
    assert result.rfm["accounts"].sum() == n
    assert result.crossing.to_numpy().sum() == n


def test_the_one_off_giant_is_never_selected(result, sample):
    giants = sample[1].index[sample[1]["is_giant_one_off"]]
    assert len(giants)
    assert not result.accounts.loc[giants, "is_key"].any()
    assert "promote" not in set(result.accounts.loc[giants, "decision"])


def test_every_move_has_a_cause_and_nothing_else_has(result):
    has_moved = result.accounts["previous"] != result.accounts["abc"]
    assert (has_moved == (result.accounts["cause"] != "")).all()
