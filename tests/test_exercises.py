"""Exercises are drawn for each learner, computed from the sample company, and whole in their words."""

import json
import os
import string
import subprocess
import sys
from pathlib import Path

import pytest

from kamlib.book.sample import write_sample
from kamlib.errors import RequestError
from kamlib.training import cards, exercises, wording
from kamlib.training.company import open_company
from kamlib.training.exercises import Question, grade, seed_of

NAMES = exercises.names()
LEARNERS = [f"learner {i}" for i in range(4)]


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """The sample company as a learner has it."""
    place = tmp_path_factory.mktemp("course") / "sample"
    write_sample(place)
    return open_company(place)


@pytest.fixture(scope="module")
def asked(company) -> dict[str, list[Question]]:
    """Every exercise, as each of some learners gets it."""
    return {name: [exercises.ask(name, company, seed_of(who, name)) for who in LEARNERS] for name in NAMES}


def _wrong(question: Question):
    """An answer that is not right."""
    if question.kind == "choice":
        return next(key for key in question.options if key != question.answer)
    if question.kind == "number":
        return question.answer + question.tolerance + 1
    if question.kind == "marks":
        return question.answer ^ {question.rows.index[0]}
    return tuple(reversed(question.answer))


@pytest.mark.parametrize("topic", exercises.TOPICS)
def test_a_module_has_six_exercises_or_more(topic):
    assert len(exercises.names(topic)) >= 6


@pytest.mark.parametrize("name", NAMES)
def test_the_same_learner_gets_the_same_exercise_again(company, asked, name):
    again = exercises.ask(name, company, seed_of(LEARNERS[0].upper(), name))
    first = asked[name][0]
    assert (again.text, again.answer, list(again.options)) == (first.text, first.answer, list(first.options))


@pytest.mark.parametrize("name", NAMES)
def test_learners_get_different_cases(asked, name):
    shown = {(q.text, "" if q.rows is None else q.rows.to_csv(), str(q.series)) for q in asked[name]}
    assert len(shown) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_the_right_answer_is_right_and_another_is_not(asked, name):
    for question in asked[name]:
        assert grade(question, question.answer).is_right
        assert not grade(question, _wrong(question)).is_right


@pytest.mark.parametrize("name", NAMES)
def test_the_right_answer_can_be_given_by_mouse(asked, name):
    for q in asked[name]:
        if q.kind == "choice":
            assert q.answer in q.options
            assert len(set(q.options.values())) == len(q.options) >= 2
        elif q.kind == "number":
            lowest, highest, step = q.span
            nearest = lowest + round((q.answer - lowest) / step) * step
            assert lowest <= nearest <= highest
            assert grade(q, nearest).is_right
            assert q.unit
        else:
            assert set(q.answer) <= set(q.rows.index)
            assert q.rows.index.is_unique
            assert q.kind == "marks" or len(q.answer) == len(q.rows)


@pytest.mark.parametrize("name", NAMES)
def test_each_wrong_choice_has_its_reason_which_does_not_name_the_answer(asked, name):
    for q in asked[name]:
        if q.kind == "choice":
            assert set(q.wrong) == set(q.options) - {q.answer}
            for key, reason in q.wrong.items():
                assert grade(q, key).text == reason
                assert "{" not in reason
                assert "nan" not in reason.split()
                assert q.options[q.answer] not in reason.replace(q.options[key], "")


@pytest.mark.parametrize("name", NAMES)
def test_something_is_always_to_be_marked(asked, name):
    assert all(q.answer for q in asked[name] if q.kind == "marks")


@pytest.mark.parametrize("name", NAMES)
def test_rows_to_mark_or_to_put_in_order_have_names_of_their_own(asked, name):
    for q in asked[name]:
        if q.kind in {"marks", "order"}:
            labels = [cards.row_label(q.rows, key) for key in q.rows.index]
            assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_told_is_whole(asked, name):
    for q in asked[name]:
        assert 1 <= len(q.hints) <= exercises.MAX_HINTS
        for text in (q.title, q.text, q.explanation, *q.hints, *q.options.values()):
            assert text.strip()
            assert "{" not in text
            assert "nan" not in text.split()
        assert q.explanation not in q.text


@pytest.mark.parametrize("name", NAMES)
def test_every_column_shown_has_a_heading(asked, name):
    known = set(wording.texts("columns"))
    for q in asked[name]:
        assert q.rows is None or set(q.rows.columns) <= known


@pytest.mark.parametrize("name", NAMES)
def test_the_page_to_read_does_not_hold_the_answer(asked, name):
    for q in asked[name]:
        page = json.dumps(cards.as_read(q), ensure_ascii=False)
        assert q.explanation not in page
        assert not any(hint in page for hint in q.hints)


@pytest.mark.parametrize("topic", exercises.TOPICS)
def test_every_text_belongs_to_an_exercise_and_needs_only_named_values(topic):
    entries = wording.texts(topic)
    assert sorted(entries) == sorted(name.split(".")[1] for name in exercises.names(topic))
    for entry in entries.values():
        for text in _all_texts(entry):
            assert all(name is None or name for _, name, _, _ in string.Formatter().parse(text))


def _all_texts(entry):
    if isinstance(entry, str):
        yield entry
    else:
        for part in entry.values() if isinstance(entry, dict) else entry:
            yield from _all_texts(part)


@pytest.mark.parametrize("name", NAMES)
def test_no_answer_is_right_for_everybody(company, asked, name):
    first = asked[name][0].answer
    others = (exercises.ask(name, company, seed_of(f"another {i}", name)).answer for i in range(20))
    assert any(q.answer != first for q in asked[name]) or any(answer != first for answer in others)


MANY = range(12)


def test_the_score_that_knew_the_future_always_looks_best(company):
    for seed in MANY:
        q = exercises.ask("reading.leak", company, seed)
        lift = q.rows.set_index("made_of")["lift"]
        assert lift["leaky"] >= 1.1 * lift["honest"]


def test_two_managers_to_compare_never_have_the_same_mean_as_printed(company):
    for seed in MANY:
        means = exercises.ask("reading.ranking", company, seed).rows.filter(like="mean_").iloc[:, 0]
        assert f"{means[0]:.1f}" != f"{means[1]:.1f}"


def test_a_hint_speaks_of_deliveries_only_where_one_was_complained_of(company):
    for seed in MANY:
        q = exercises.ask("role.expert", company, seed)
        is_hinted = any("deliveries" in hint for hint in q.hints)
        assert is_hinted == q.rows["category"].isin(["late delivery", "short delivery", "damaged goods"]).any()


def test_a_misspelt_exercise_is_named_with_the_nearest(company):
    with pytest.raises(RequestError, match=r"there is no exercise 'role.gif'; did you mean 'role.gift'\?"):
        exercises.ask("role.gif", company, 1)


def test_a_text_says_which_value_it_lacks():
    with pytest.raises(RequestError, match="a text of the course needs n: 'about {n}'"):
        wording.fill("about {n}", {})


def test_another_language_is_missed_by_name():
    with pytest.raises(RequestError, match="the course has no texts for 'role' in language 'xx'"):
        wording.texts("role", "xx")


def test_a_book_without_truth_is_no_company(tmp_path):
    with pytest.raises(RequestError, match="it is not a sample book; make one with 'kam sample'"):
        open_company(tmp_path)


def test_a_day_too_early_is_refused_with_what_to_do(company):
    with pytest.raises(
        RequestError, match=r"the exercises need 24 months before 2024-12-31 .* 'kam sample --months 36'"
    ):
        open_company(company.book.place.path, "2024-12-31")


def test_a_company_too_small_for_an_exercise_says_so(tmp_path):
    write_sample(tmp_path / "small", accounts=3, months=30)
    with pytest.raises(RequestError, match="make (a company|one) of the usual size with 'kam sample'"):
        exercises.ask("role.first_call", open_company(tmp_path / "small"), 1)


RUN_MODULES = """
import json, sys
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for path in sorted(Path(sys.argv[1]).glob("0*.ipynb")):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            shell.run_cell("".join(cell["source"])).raise_error()
            if "parameters" in cell["metadata"].get("tags", ()):
                shell.user_ns |= {"place": sys.argv[2], "learner": "Lin 林"}
"""


@pytest.mark.slow
def test_no_cell_of_the_modules_writes_to_stderr(company, tmp_path):
    course = Path(__file__).resolve().parents[1] / "notebooks" / "training"
    command = [sys.executable, "-c", RUN_MODULES, str(course), str(company.book.place.path)]
    environment = os.environ | {"KAM_PROGRESS": str(tmp_path), "IPYTHONDIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
