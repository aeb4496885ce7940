"""A page leads with what the book can tell; chapters it has nothing for stand folded at the end, named."""

import pytest
from bs4 import BeautifulSoup

from kamlib.reports.finding import headlines_first
from kamlib.reports.render import Request, render

from books import small_book
from toy_notebooks import write_notebook

NOTHING = 'Finding("toy.{0}", "No {0} on record.", n=0, verdict=Verdict.NO_CONCLUSION, reason="Nothing to go by.")'
CHAPTERS = [
    "publish.begin()\nbook = open_book(place, as_of=as_of, scope=scope)",
    "publish.finding(" + NOTHING.format("visits") + ")",
    "## Complaints & cases",
    "publish.finding(" + NOTHING.format("complaints") + ")\npublish.table('complaints', pd.DataFrame({'case_id': []}))",
    "## A figure of nothing",
    "from kamlib.reports.figures import style\npublish.figure(style.blank('How visits sell'))",
    "## Orders",
    'publish.finding(Finding("toy.orders", "There are orders.", n=5))',
    "## Caveats\n\nProse alone is never folded; [another notebook](02_basics.ipynb) is not beside the page.",
]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> BeautifulSoup:
    home = tmp_path_factory.mktemp("page")
    path = write_notebook(home / "toy.ipynb", CHAPTERS)
    summary = render(Request((str(path),), str(small_book(home / "book")), "2026-Q3", out=home / "out"))
    assert not summary.failed, summary.failed
    return BeautifulSoup((summary.folder / "toy" / "report.html").read_text(encoding="utf-8"), "html.parser")


def test_chapters_without_anything_are_folded_at_the_end_and_named(page):
    fold = page.find("main").find("details", class_="bare")
    assert fold.find("summary").get_text() == (
        "This book has nothing for 2 more chapters: Complaints & cases · A figure of nothing"
    )
    assert fold.find(id="finding-toy.complaints") and fold.find("figure")


def test_the_first_chapter_stays_and_says_what_is_absent(page):
    assert page.find(id="finding-toy.visits").find_parent("details") is None


def test_chapters_with_something_and_prose_stay_in_their_place(page):
    headings = [head.get_text() for head in page.find("main").find_all("h2") if not head.find_parent("details")]
    assert headings == ["What there is", "Orders", "Caveats"]


def test_the_contents_list_only_what_stands_open(page):
    assert [entry.get_text() for entry in page.select("nav.contents li")] == ["What there is", "Orders", "Caveats"]


def test_a_link_to_a_notebook_is_only_its_words(page):
    assert page.find("a", href="02_basics.ipynb") is None
    assert "another notebook is not beside the page" in page.get_text()


def test_headlines_begin_with_what_the_book_can_tell(page):
    shown = [entry.a.get_text() for entry in page.select(".summary > ol > li")]
    assert shown == ["There are orders."]
    assert len(page.select(".summary details li")) == 2


def test_a_decision_comes_before_a_finding_without_one_and_nothing_comes_last():
    found = [
        {"id": "a", "verdict": "no conclusion", "n": 0, "decision": ""},
        {"id": "b", "verdict": "no conclusion", "n": 12, "decision": ""},
        {"id": "c", "verdict": "usable", "n": 12, "decision": "Call."},
    ]
    assert [finding["id"] for finding in headlines_first(found)] == ["c", "b", "a"]
