"""The course as a learner meets it: modules, widgets, pages to read, and a module in a real browser by mouse alone."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from kamlib.book.sample import write_sample
from kamlib.cli import main
from kamlib.reports import publish
from kamlib.reports.parameters import read_contract
from kamlib.reports.render import Request, render
from kamlib.training import cards, exercises, lesson, wording
from kamlib.training.company import open_company
from kamlib.training.progress import Progress
from kamlib.training.widgets import CONTROLS, Exercise

from books import small_frames, write_folder

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "notebooks" / "training").glob("0*.ipynb"))
FEW = ("role.whose_account", "role.overdue", "basics.pareto", "needs.unmet")  # one of each kind


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """The folder of a sample book."""
    home = tmp_path_factory.mktemp("course") / "data" / "sample"
    write_sample(home)
    return home


@pytest.fixture(scope="module")
def questions(place) -> dict[str, exercises.Question]:
    """One exercise of each kind."""
    company = open_company(place)
    asked = [exercises.ask(name, company, 7) for name in FEW]
    assert {q.kind for q in asked} == set(CONTROLS)
    return {q.kind: q for q in asked}


def _cells(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def _asked(path: Path) -> list[str]:
    code = ["".join(cell["source"]) for cell in _cells(path) if cell["cell_type"] == "code"]
    return [name for text in code for name in re.findall(r'course\.ask\("([a-z_.]+)"\)', text)]


def test_there_is_a_module_for_each_topic_in_the_order_of_the_handbook():
    assert [path.stem.split("_", 1)[1] for path in MODULES] == list(exercises.TOPICS)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_a_module_asks_each_exercise_of_its_topic_once(path):
    assert sorted(_asked(path)) == sorted(exercises.names(path.stem.split("_", 1)[1]))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_a_module_has_the_standard_parameters(path):
    assert {"place", "as_of", "period", "scope", "previous", "learner"} <= set(read_contract(path))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_the_learner_sees_no_code_and_the_analyst_does(path):
    code = [cell for cell in _cells(path) if cell["cell_type"] == "code"]
    open_cells = [cell for cell in code if not cell["metadata"].get("jupyter", {}).get("source_hidden")]
    assert 1 <= len(open_cells) <= 4
    assert not any("course." in "".join(cell["source"]) for cell in open_cells)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_each_exercise_names_the_practice_it_treats(path):
    for cell in _cells(path):
        if "course.ask" in "".join(cell["source"]):
            assert [tag for tag in cell["metadata"]["tags"] if re.fullmatch(r"K\d{3}", tag)]


def _answer(widget: Exercise, given) -> None:
    """Do what a hand would do to give an answer, and press the button."""
    control = widget.control
    if widget.question.kind == "choice":
        control.radio.value = given
    elif widget.question.kind == "number":
        control.slider.value = given
    elif widget.question.kind == "marks":
        for key, box in control.boxes.items():
            box.value = key in given
    else:
        while control.order != list(given):
            wrong = next(i for i, (a, b) in enumerate(zip(control.order, given, strict=True)) if a != b)
            at = control.order.index(given[wrong])
            control._button(at, -1).click()
    widget.check.click()


@pytest.mark.parametrize("kind", CONTROLS)
def test_a_right_answer_is_told_with_its_explanation_and_recorded(questions, kind):
    said = []
    widget = Exercise(questions[kind], lambda *entry: said.append(entry))
    step = questions[kind].span[2]
    answer = questions[kind].answer
    _answer(widget, round(answer / step) * step if kind == "number" else answer)
    assert said == [(True, 0, False)]
    assert cards.escape(questions[kind].explanation) in widget.said.value


@pytest.mark.parametrize("kind", CONTROLS)
def test_nothing_of_the_explanation_is_on_the_page_before_the_answer(questions, kind):
    widget = Exercise(questions[kind], lambda *entry: None)
    shown = [w.value for w in _all(widget.widget) if isinstance(getattr(w, "value", None), str)]
    assert not any(cards.escape(questions[kind].explanation) in text for text in shown)


def _all(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _all(child)


def test_each_button_has_a_layout_of_its_own(questions):
    widget = Exercise(questions["choice"], lambda *entry: None)
    assert [b.layout.display for b in (widget.check, widget.hint, widget.reveal)] == [None, "", "none"]


def test_hints_are_counted_and_given_one_by_one(questions):
    said = []
    widget = Exercise(questions["choice"], lambda *entry: said.append(entry))
    widget.hint.click()
    widget.hint.click()
    _answer(widget, questions["choice"].answer)
    assert said == [(True, 2, False)]
    assert widget.hints.value.count("kam-said") == 2


def test_the_answer_is_shown_on_request_after_two_wrong_ones(questions):
    said, question = [], questions["choice"]
    widget = Exercise(question, lambda *entry: said.append(entry))
    wrong = next(key for key in question.options if key != question.answer)
    _answer(widget, wrong)
    assert widget.reveal.layout.display == "none"
    _answer(widget, wrong)
    assert widget.reveal.layout.display == ""
    widget.reveal.click()
    assert cards.escape(question.options[question.answer]) in widget.said.value
    assert said == [(False, 0, False), (False, 0, False), (False, 0, True)]


@pytest.mark.parametrize("kind", ["marks", "order"])
def test_from_the_second_wrong_answer_on_the_rows_that_are_wrong_are_named(questions, kind):
    question = questions[kind]
    widget = Exercise(question, lambda *entry: None)
    wrong = frozenset(question.rows.index) if kind == "marks" else (*question.answer[1:], question.answer[0])
    row = next(key for key in question.rows.index if key not in question.answer) if kind == "marks" else wrong[0]
    named = cards.escape(cards.row_label(question.rows, row))
    _answer(widget, wrong)
    assert named not in widget.said.value
    _answer(widget, wrong)
    assert named in widget.said.value


def test_how_far_a_number_may_be_off_is_told_before_the_answer(questions):
    widget = Exercise(questions["number"], lambda *entry: None)
    assert any(
        cards.leeway(questions["number"]) in str(getattr(part, "value", "")) for part in _all(widget.control.widget)
    )


def test_checking_without_a_choice_asks_for_one_and_records_nothing(questions):
    said = []
    widget = Exercise(questions["choice"], lambda *entry: said.append(entry))
    widget.check.click()
    assert said == []
    assert wording.say("nothing_chosen") in widget.said.value


@pytest.mark.parametrize("kind", CONTROLS)
def test_checking_before_anything_was_touched_is_refused_and_is_no_try(questions, kind):
    said = []
    widget = Exercise(questions[kind], lambda *entry: said.append(entry))
    widget.check.click()
    assert said == []
    assert cards.escape(wording.say(widget.control.untouched)) in widget.said.value


def test_an_order_that_is_right_as_it_stands_can_be_given(questions):
    said, question = [], questions["order"]
    drawn = replace(question, rows=question.rows.loc[list(question.answer)])
    widget = Exercise(drawn, lambda *entry: said.append(entry))
    for _ in range(2):
        widget.control._button(0, 1).click()
    widget.check.click()
    assert said == [(True, 0, False)]


def test_names_from_outside_are_text(questions):
    rows = questions["choice"].rows.assign(manager="<script>alert(1)</script>")
    assert "<script>" not in cards.table(rows)


@pytest.fixture
def shown(monkeypatch) -> list[str]:
    """What a lesson displays, as plain text where it has one."""
    told: list[str] = []
    plain = lambda given: given.get("text/plain", "") if isinstance(given, dict) else repr(given)  # noqa: E731
    monkeypatch.setattr(lesson, "display", lambda given, **options: told.append(plain(given)))
    return told


def test_without_the_sample_company_the_page_says_what_to_do(tmp_path, shown):
    begun = lesson.begin(tmp_path / "data" / "sample", "role")
    assert 'run "make lab"' in shown[-1]
    begun.ask("role.gift")
    assert len(shown) == 2, "nothing is asked where there is no company"


def test_a_book_without_truth_is_named_with_the_reason(tmp_path, shown):
    lesson.begin(write_folder(small_frames(), tmp_path / "book", {"name": "Other firm"}), "role")
    assert "Other firm has no known truth" in shown[-1]


def test_a_page_of_a_part_of_the_book_has_no_exercises(place, shown):
    lesson.begin(place, "role", scope={"manager_id": "M01"})
    assert "limited to a part of it" in shown[-1]


def test_a_day_too_early_has_no_exercises(place, shown):
    lesson.begin(place, "role", as_of="2024-06-30")
    assert "the exercises need 24 months before 2024-06-30" in shown[-1]


def test_before_a_name_is_given_nothing_is_asked(place, shown, monkeypatch, tmp_path):
    monkeypatch.setenv(lesson.FOLDER, str(tmp_path))
    begun = lesson.begin(place, "role")
    box = begun.place_for(lambda: pytest.fail("drawn without a learner"))
    assert [w.value for w in _all(box) if hasattr(w, "value")] == [cards.said(wording.say("no_name"))]


def test_the_exercises_are_drawn_again_when_another_learner_begins(place, shown, monkeypatch, tmp_path):
    monkeypatch.setenv(lesson.FOLDER, str(tmp_path))
    begun = lesson.begin(place, "role", learner="Lin")
    box = begun.place_for(lambda: begun._exercise("role.whose_account"))
    first = [w.value for w in _all(box) if hasattr(w, "value")]
    begun.start("Wu")
    assert [w.value for w in _all(box) if hasattr(w, "value")] != first


def test_an_exercise_that_cannot_be_drawn_says_why_in_its_place(place, shown, monkeypatch, tmp_path):
    monkeypatch.setenv(lesson.FOLDER, str(tmp_path))
    begun = lesson.begin(place, "role", learner="Lin")
    assert "there is no exercise &#x27;role.gif&#x27;" in begun._exercise("role.gif").value


def test_the_standing_moves_on_when_an_exercise_is_solved(place, shown, monkeypatch, tmp_path):
    monkeypatch.setenv(lesson.FOLDER, str(tmp_path))
    begun = lesson.begin(place, "role", learner="Lin")
    begun.standing()
    assert "Lin has solved 0 of the" in begun.standing_of([])
    begun.progress.record("role.gift", True)
    assert "Lin has solved 1 of the" in begun.standing_of(begun.progress.attempts()[0])


def test_a_damaged_progress_file_is_said_when_the_learner_begins(place, shown, monkeypatch, tmp_path):
    monkeypatch.setenv(lesson.FOLDER, str(tmp_path))
    Progress(tmp_path, "Lin").file.write_text("{broken\n")
    begun = lesson.begin(place, "role")
    assert "held 1 damaged entry" in begun.start("Lin")


def test_the_pages_know_our_outputs():
    assert cards.OURS == publish.NOTE


@pytest.fixture(scope="module")
def page(place, tmp_path_factory) -> Path:
    """The first module, rendered."""
    request = Request((str(MODULES[0]),), str(place), "2026-Q3", out=tmp_path_factory.mktemp("out"))
    summary = render(request)
    assert not summary.failed, summary.failed
    return summary.folder / "01_role"


def test_a_rendered_module_shows_its_exercises_and_no_answer(page, place):
    text = (page / "report.html").read_text(encoding="utf-8") + (page / "notebook.ipynb").read_text(encoding="utf-8")
    company = open_company(place)
    for name in exercises.names("role"):
        question = exercises.ask(name, company, exercises.seed_of(lesson.READER, name))
        assert cards.escape(question.title) in text
        assert question.explanation not in text
        assert cards.escape(question.explanation) not in text


def test_the_lab_is_started_for_root_with_a_word_and_hands_on_its_arguments(monkeypatch):
    called = []
    monkeypatch.setattr(subprocess, "call", lambda command, env: called.append(command) or 0)
    monkeypatch.setattr("kamlib.book.sample.write_sample", lambda place: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    said = CliRunner().invoke(main, ["lab", "--no-browser"])
    assert "it is started with --allow-root" in said.output
    assert called[0][-2:] == ["--allow-root", "--no-browser"]


@pytest.fixture(scope="module")
def lab(place):
    """A JupyterLab server as `kam lab` starts it, on a copy of the course."""
    home = place.parents[1]
    shutil.copytree(ROOT / "notebooks" / "training", home / "notebooks" / "training")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {
        name: str(home / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    }
    kernels = ROOT / "kamlib" / "reports" / "jupyter"
    environment = {**os.environ, **own, "JUPYTER_PATH": str(kernels), "OMP_NUM_THREADS": "1"}
    environment.pop(lesson.FOLDER, None)
    flags = ["--no-browser", "--allow-root", f"--port={port}", "--IdentityProvider.token=", f"--notebook-dir={home}"]
    server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *flags], env=environment, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    _await(f"{url}/api/status", server)
    yield url
    server.terminate()
    server.wait(20)


def _await(url: str, server: subprocess.Popen, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            assert server.poll() is None, "the JupyterLab server ended"
            assert time.monotonic() < until, "the JupyterLab server did not answer"
            time.sleep(0.2)


def _scroll_to(page, text: str) -> None:
    page.mouse.move(700, 500)
    for _ in range(300):
        if page.get_by_text(text).is_visible():
            return
        page.mouse.wheel(0, 2000)
        page.wait_for_timeout(100)
    pytest.fail(f"{text!r} is nowhere on the page")


@pytest.mark.browser
@pytest.mark.slow
def test_a_learner_answers_by_mouse_alone_and_progress_outlives_the_kernel(browser, lab, place):
    from playwright.sync_api import expect

    name = "role.whose_account"
    guest = wording.say("guest_name")
    question = exercises.ask(name, open_company(place), exercises.seed_of(guest, name))
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(90_000)
    page.goto(f"{lab}/lab/tree/notebooks/training/01_role.ipynb")
    page.get_by_role("button", name=wording.say("guest")).click()  # the page has run by itself
    _scroll_to(page, "cells hidden")  # the code for analysts is folded
    page.mouse.wheel(0, -100_000)
    box = page.locator(".kam-box").filter(has_text=question.title)
    box.get_by_text(question.options[question.answer], exact=True).last.click()
    box.get_by_role("button", name=wording.say("check")).click()
    expect(box).to_contain_text(wording.say("right"), timeout=90_000)
    page.get_by_text("Kernel", exact=True).first.click()
    page.get_by_text("Restart Kernel and Run All Cells…").click()
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    expect(page.locator(".kam-box").filter(has_text=question.title)).to_contain_text(
        "solved this one already", timeout=90_000
    )
    page.close()
    attempts, damage = Progress(place.parent / "progress", guest).attempts()
    assert [(a.exercise, a.is_right) for a in attempts] == [(name, True)]
    assert damage is None
