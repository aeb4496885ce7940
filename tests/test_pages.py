"""The real pages of a book in which every name is hostile, in a real browser."""

import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from payloads import MARKUP, PAYLOADS

from kamlib.reports.pdf import chromium
from kamlib.reports.render import Request, render

from books import small_frames, write_folder

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        chromium() is None, reason="Chromium is not installed here; on Debian: apt-get install chromium"
    ),
]
ACCOUNT_PAGES = ("accounts/dossier", "accounts/visit_brief", "studies/due_list")
HOSTILE = ("dossier/0001", "visit_brief/0001", "due_list")
LABELS = {
    "accounts": ("name", "region", "industry"), "products": ("name", "category"), "managers": ("name", "team"),
    "cases": ("category",), "surveys": ("main_competitor",), "visits": ("purpose",), "orders": ("buying_centre", "channel"),
    "opportunities": ("competitor",), "ratings": ("criterion", "evidence"), "contacts": ("name",),
}  # fmt: skip
IDENTIFIERS = {"case_id": "cases", "contract_id": "contracts", "contact_id": "contacts", "product_id": "products"}


def _hostile_frames() -> dict[str, pd.DataFrame]:
    """A book of which every label is made of several hostile texts, and of which identifiers are hostile too."""
    frames = small_frames(accounts=4)
    texts = [text.replace("\x00", "\ufffd") for text in PAYLOADS]
    for table, columns in LABELS.items():
        for column in columns:
            count = len(frames[table])
            frames[table][column] = [
                " ".join(texts[i::count][:12]) if i < len(texts) else texts[0] for i in range(count)
            ]
    frames["accounts"]["name"] = [" ".join(texts[i :: len(frames["accounts"])]) for i in range(len(frames["accounts"]))]
    for column, owner in IDENTIFIERS.items():
        known = {old: f"{texts[i % len(texts)]}{i}" for i, old in enumerate(frames[owner][column])}
        for frame in frames.values():
            if column in frame:
                frame[column] = frame[column].map(known)
    return frames


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    """The pages of an account and the due list, in all formats, from the hostile book."""
    home = tmp_path_factory.mktemp("hostile")
    place = write_folder(_hostile_frames(), home / "book", {"name": MARKUP[0], "currency": MARKUP[3]})
    formats, given = ("html", "pdf", "xlsx"), {"account_id": "0001"}
    summary = render(Request(ACCOUNT_PAGES, str(place), "2026-Q3", out=home / "out", formats=formats, parameters=given))
    assert not summary.failed, summary.failed
    return summary.folder


@pytest.mark.parametrize("name", [*(f"{name}/report.html" for name in HOSTILE), "index.html"])
def test_no_hostile_name_runs_or_asks_for_anything_on_an_account_page(seen, hostile, name):
    page, asked, said = seen(hostile / name)
    page.eval_on_selector_all("details", "all => all.forEach(d => d.open = true)")
    page.wait_for_timeout(200)
    assert page.evaluate("window.hit") is None
    assert asked == [(hostile / name).resolve().as_uri()]
    assert said == []


@pytest.mark.parametrize("name", ["dossier/0001/report.html", "visit_brief/0001/report.html", "index.html"])
@pytest.mark.parametrize("width", [360, 1280])
def test_no_hostile_name_makes_a_page_scroll_sideways(seen, hostile, name, width):
    page, _, _ = seen(hostile / name, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_hostile_name_is_there_as_text(seen, hostile):
    page, _, _ = seen(hostile / "dossier" / "0001" / "report.html")
    text = page.inner_text("body")
    assert "<script>window.hit=1</script>" in text
    assert "=cmd|" in text


def test_a_title_names_the_account_and_no_character_of_the_name_turns_or_breaks_it(seen, hostile):
    page, _, _ = seen(hostile / "dossier" / "0001" / "report.html")
    heading = page.inner_text("h1")
    assert " (0001): " in heading
    assert heading in page.title()
    assert not [char for char in heading if unicodedata.category(char)[0] == "C"]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_cell_of_a_workbook_is_a_formula(hostile, name):
    book = openpyxl.load_workbook(hostile / name / "report.xlsx")
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "n", "d", "b"}
    assert not any(cell.hyperlink for cell in cells)


def test_no_cell_of_a_csv_starts_like_a_formula(hostile):
    tables = list(hostile.rglob("tables/*.csv"))
    assert len(tables) > 10
    for path in tables:
        cells = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig").to_numpy().ravel()
        wrong = [c for c in cells if re.match(r"[=+\-@\t\r]", c) and not re.fullmatch(r"[+-]?[\d.e+-]+", c)]
        assert not wrong, f"{path.name}: {wrong[:3]}"


def test_every_line_of_a_calendar_is_folded_and_every_name_stays_in_its_property(hostile):
    files = list(hostile.rglob("*.ics"))
    assert files
    for path in files:
        content = path.read_bytes()
        lines = content.split(b"\r\n")
        assert max(map(len, lines)) <= 75
        assert b"\n" not in content.replace(b"\r\n", b"")
        names = {re.split(rb"[:;]", line)[0] for line in content.replace(b"\r\n ", b"").split(b"\r\n")}
        assert names <= {
            b"BEGIN", b"END", b"VERSION", b"PRODID", b"X-WR-CALNAME", b"UID", b"DTSTAMP", b"DTSTART", b"DTEND",
            b"SUMMARY", b"DESCRIPTION", b"TRANSP", b"",
        }  # fmt: skip


def test_a_hostile_name_puts_no_action_into_the_printed_report(hostile):
    for path in hostile.rglob("report.pdf"):
        printed = path.read_bytes()
        assert printed.startswith(b"%PDF")
        assert not re.search(rb"/(JavaScript|JS|Launch|OpenAction|URI)\b", printed), path


@pytest.mark.skipif(
    shutil.which("pdftotext") is None, reason="pdftotext is not installed here; on Debian: poppler-utils"
)
@pytest.mark.parametrize("name", HOSTILE)
def test_every_sheet_of_a_printed_report_has_its_number_and_something_on_it(hostile, name):
    command = ["pdftotext", "-layout", str(hostile / name / "report.pdf"), "-"]
    sheets = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\f")[:-1]
    for number, sheet in enumerate(sheets, 1):
        *above, last = sheet.strip().splitlines()
        assert last.replace(" ", "") == f"{number}/{len(sheets)}"
        assert any(line.strip() for line in above), f"sheet {number} is blank"


def test_the_index_leads_to_the_other_formats(hostile):
    links = set(re.findall(r'href="([^"]+)"', (hostile / "index.html").read_text()))
    assert {f"dossier/0001/report.{ending}" for ending in ("html", "pdf", "xlsx")} <= links
    assert all((hostile / link).exists() for link in links if not link.startswith("#") and "#" not in link)


def test_no_file_name_is_taken_from_a_name(hostile):
    names = [part for path in hostile.rglob("*") for part in path.relative_to(hostile).parts]
    assert all(re.fullmatch(r"[\w\-]+(\.\w+)?|\.lock", name) for name in names), names
