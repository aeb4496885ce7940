"""Fixtures that several test modules share."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data, which is not part of this repository; its tests are skipped without it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder of real data (../shared/data) is not here")
    return SHARED_DATA
