"""What a manager answers in a playbook survives, appears in the next period, and stays text."""

import pandas as pd
import pytest

from kamlib import open_book
from kamlib.errors import RequestError
from kamlib.reports import publish
from kamlib.reports.playbooks import answers
from kamlib.reports.playbooks.answer_form import form
from kamlib.reports.render import Request, render

from playbook_runs import FOLDER, book_of, run
from toy_notebooks import GOOD, PARAMETERS, write_notebook

QUESTIONS = pd.DataFrame(
    {"question": ["who", "why"], "what": ["Who decides?", "Why us?"], "why": ["It is not on file.", "Price is none."]}
)
HOSTILE = "<script>alert(1)</script>\n=1+1 大客戶, \"so\" 'they' say"


@pytest.fixture
def place(tmp_path):
    return book_of(tmp_path / "data" / "book")


def _open(place, as_of="2026-09-30", account="0001"):
    return answers.open_answers(open_book(place, as_of=as_of), "account_plan", account)


def _page(found, folder, monkeypatch) -> str:
    pages = []
    monkeypatch.setenv("KAM_OUTPUT", str(folder))
    monkeypatch.setattr(publish, "display", lambda bundle, raw: pages.append(bundle["text/html"]))
    answers.show(found, QUESTIONS)
    return pages[0]


def test_answers_lie_beside_the_book_and_one_account_does_not_see_those_of_another(place):
    _open(place).write("who", "Who decides?", "Mrs Lin")
    assert _open(place).file == place.parent / "answers" / "book" / "account_plan" / "0001.csv"
    assert _open(place).shown_file == "answers/book/account_plan/0001.csv"
    assert _open(place, account="00012-A").current().empty


def test_a_folder_of_their_own_can_be_named(place, tmp_path, monkeypatch):
    monkeypatch.setenv("KAM_ANSWERS", str(tmp_path / "kept"))
    assert _open(place).file.is_relative_to(tmp_path / "kept")


@pytest.mark.parametrize("text", [HOSTILE, "'=1", "=cmd()", "+8 %", "''-x", "a\nb", "- first\n- second"])
def test_what_was_written_is_read_back_as_it_was(place, text):
    _open(place).write("who", "Who decides?", text)
    assert _open(place).current().at["who", "answer"] == text


def test_no_spreadsheet_finds_a_formula_in_the_file(place):
    _open(place).write("who", "Who decides?", "=HYPERLINK(1)")
    assert ",'=HYPERLINK(1)" in _open(place).file.read_text(encoding="utf-8-sig")


def test_an_answer_stands_in_the_next_period_and_not_in_the_one_before(place):
    _open(place, "2026-06-30").write("who", "Who decides?", "Mrs Lin")
    assert _open(place, "2026-09-30").current().at["who", "answer"] == "Mrs Lin"
    assert _open(place, "2026-03-31").current().empty


def test_a_new_answer_replaces_the_old_one_from_its_day_on(place):
    _open(place, "2026-06-30").write("who", "Who decides?", "Mrs Lin")
    _open(place, "2026-09-30").write("who", "Who decides?", "Mr Wu")
    assert [_open(place, day).current().at["who", "answer"] for day in ("2026-06-30", "2026-09-30")] == [
        "Mrs Lin",
        "Mr Wu",
    ]


def test_an_answer_that_was_taken_back_is_open_again(place):
    _open(place, "2026-06-30").write("who", "Who decides?", "Mrs Lin")
    _open(place, "2026-09-30").write("who", "Who decides?", "")
    assert _open(place, "2026-09-30").current().empty
    assert not _open(place, "2026-06-30").current().empty


def test_hostile_answers_are_text_on_the_page(place, tmp_path, monkeypatch):
    _open(place).write("who", "Who decides?", HOSTILE)
    page = _page(_open(place), tmp_path, monkeypatch)
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "Written for 30 September 2026." in page
    assert "Not answered yet." in page


def test_an_answer_to_a_question_that_has_changed_says_what_was_asked(place, tmp_path, monkeypatch):
    _open(place).write("who", "Who decides at Rival?", "Mrs Lin")
    assert "when the question was: Who decides at Rival?" in _page(_open(place), tmp_path, monkeypatch)


def test_where_names_are_hidden_free_text_is_too(place, tmp_path, monkeypatch):
    _open(place).write("who", "Who decides?", "Mrs Lin")
    monkeypatch.setenv("KAM_NAMES", "pseudonyms")
    monkeypatch.setenv("KAM_REDACT_KEY", "k")
    assert "Mrs Lin" not in _page(_open(place), tmp_path, monkeypatch)
    assert answers.standing(_open(place), QUESTIONS, ("K093",)).verdict == "no conclusion"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "None of the 2 questions of this plan is answered yet."),
        (
            ["why"],
            "Of the 2 questions of this plan one is answered, the last for 30 September 2026; still open, first: ",
        ),
        (["who", "why"], "All 2 questions of this plan are answered, the last for 30 September 2026."),
    ],
)
def test_the_standing_has_a_sentence_for_none_some_and_all(place, given, said):
    for question in given:
        _open(place).write(question, "", "x")
    assert answers.standing(_open(place), QUESTIONS, ()).sentence.startswith(said)


def test_the_sheet_filled_in_by_hand_is_read_as_answers(place):
    found = _open(place)
    made = answers.sheet(found, QUESTIONS).assign(answer=["Mrs Lin", ""])
    found.file.parent.mkdir(parents=True)
    made.to_csv(found.file, index=False, encoding="utf-8-sig")
    assert found.current()["answer"].to_dict() == {"who": "Mrs Lin"}
    assert found.current().at["who", "as_of"] == pd.Timestamp("2026-09-30")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"question,as_of,answer\nwho,soon,x\n", r"0001.csv, row 2: 'soon' is no day; write it as 2026-09-30"),
        (
            b"question\nwho\n",
            "0001.csv lacks the column answer; its columns are question, asked, as_of, answer",
        ),
        ("question,answer\nwho,大客戶\n".encode("big5"), "0001.csv is not UTF-8; save it again as 'CSV UTF-8'"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(place, content, says):
    found = _open(place)
    found.file.parent.mkdir(parents=True)
    found.file.write_bytes(content)
    with pytest.raises(RequestError, match=says):
        found.current()


def test_a_box_saves_what_is_written_and_opens_with_it_again(place):
    box = form(_open(place), QUESTIONS).children[0]
    box.children[1].value = HOSTILE
    assert "later pages will show it" in box.children[2].children[1].value
    assert form(_open(place), QUESTIONS).children[0].children[1].value == HOSTILE


def test_a_box_that_cannot_be_saved_says_so(place):
    found = _open(place)
    found.file.parent.parent.parent.mkdir(parents=True)
    found.file.parent.parent.write_text("in the way", encoding="utf-8")
    box = form(found, QUESTIONS).children[0]
    box.children[1].value = "Mrs Lin"
    assert "This answer is not saved" in box.children[2].children[1].value


def test_the_account_plan_shows_an_answer_of_the_period_before(place, tmp_path, monkeypatch):
    _open(place, "2026-06-30").write("step_mission", "", "First call for every new kitchen")
    done = run(FOLDER / "account_plan.ipynb", place, tmp_path / "out", monkeypatch)
    assert "First call for every new kitchen" in done.text
    assert done.findings["answers.standing"]["value"] == 1
    assert len(pd.read_csv(tmp_path / "out" / "tables" / "answers.csv")) == 20


def test_a_new_answer_makes_the_page_of_its_account_again(place, tmp_path):
    notebook = write_notebook(
        tmp_path / "account_plan.ipynb", GOOD, parameters=f'{PARAMETERS}\naccount_id: str = ""  # the account, account'
    )
    request = Request((str(notebook),), str(place), "2026-Q3", out=tmp_path / "out", parameters={"account_id": "0001"})
    made = [render(request).outcomes[0].status for _ in range(2)]
    _open(place).write("who", "Who decides?", "Mrs Lin")
    assert [*made, render(request).outcomes[0].status] == ["published", "kept", "published"]
    _open(place, account="0002").write("who", "Who decides?", "Mr Wu")
    assert render(request).outcomes[0].status == "kept"
