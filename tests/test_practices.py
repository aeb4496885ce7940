"""Every practice has its entry, and what is said of where it is treated is true."""

import nbformat
import pytest
from click.testing import CliRunner

from kamlib.cli import main
from kamlib.reports.practices import coverage, practices
from kamlib.reports.practices.coverage import declared, lines, notebooks, tags
from kamlib.reports.practices.naming import naming_tests
from kamlib.reports.practices.pages import COMMAND, contents, glossary, spans
from kamlib.reports.spec import root

NOTEBOOKS = notebooks()
FLAGGED = ["K036", "K049", "K058", "K078", "K098"]


def _notebook(tmp_path, *tags: str):
    code = nbformat.v4.new_code_cell("publish.finding(findings.contact_rhythm(result))", metadata={"tags": list(tags)})
    heading = nbformat.v4.new_markdown_cell("## Is contact kept?")
    (tmp_path / "studies").mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[heading, code]), tmp_path / "studies" / "toy.ipynb")
    return tmp_path


def _of(found, key: str):
    return next(one for one in found if one.practice.id == key)


def test_there_are_110_practices_in_order():
    assert list(practices()) == [f"K{i:03d}" for i in range(1, 111)]


@pytest.mark.parametrize("practice", practices().values(), ids=lambda p: p.id)
def test_each_has_both_names_a_group_and_a_line_of_meaning(practice):
    assert practice.name and practice.group
    assert any("\u4e00" <= sign <= "\u9fff" for sign in practice.zh)
    assert practice.meaning.endswith(".") and "|" not in practice.meaning + practice.zh + practice.name


def test_the_risky_ones_are_flagged():
    assert [p.id for p in practices().values() if p.flagged] == FLAGGED


def test_a_tagged_cell_treats_a_practice_and_names_chapter_page_and_test(tmp_path):
    one = _of(coverage(_notebook(tmp_path, "K077")), "K077")
    assert one.status == "served"
    (cell,) = one.treatments
    assert (cell.notebook, cell.cell, cell.chapter) == ("studies/toy", 1, "Is contact kept?")
    assert cell.page == "toy/report.html#Is-contact-kept?"
    assert "test_cadence.py" in cell.tests or "test_visit_findings.py" in cell.tests


def test_a_risky_practice_that_is_treated_is_flagged_and_not_served(tmp_path):
    assert _of(coverage(_notebook(tmp_path, "K036")), "K036").status == "flagged"


def test_what_no_cell_treats_is_not_yet_with_its_reason(tmp_path):
    found = coverage(_notebook(tmp_path))
    assert (_of(found, "K029").status, _of(found, "K029").reason) == (
        "not yet",
        "waits for the study of account economics",
    )
    assert _of(found, "K014").reason == "no notebook treats it"


def test_the_lines_end_with_the_counts(tmp_path):
    assert lines(coverage(_notebook(tmp_path, "K036", "K077")))[-1] == "1 served, 1 flagged, 108 not yet"


def test_the_command_prints_every_practice():
    printed = CliRunner().invoke(main, ["practices"])
    assert printed.exit_code == 0
    assert all(f"{key} " in printed.output for key in practices())


@pytest.mark.parametrize("text", ["contact_rhythm(result)", "[findings.contact_rhythm]"])
def test_a_test_names_a_function_where_it_calls_it_or_writes_it_dotted(text):
    assert naming_tests("findings.contact_rhythm(result)", "studies/toy", {"test_x.py": text}) == ("test_x.py",)


@pytest.mark.parametrize("text", ["the contact_rhythm of", "def contact_rhythm(result):", 'frame["contact_rhythm"]'])
def test_a_word_that_merely_occurs_names_nothing(text):
    assert naming_tests("findings.contact_rhythm(result)", "studies/toy", {"test_x.py": text}) == ()


def test_the_words_of_a_playbook_are_named_only_by_a_test_that_imports_it():
    texts = {
        "test_a.py": "from kamlib.reports.playbooks import toy as words\nwords.needs(result)",
        "test_b.py": "from kamlib.reports.playbooks import other as words\nwords.needs(result)",
    }
    assert naming_tests("words.needs(result)", "playbooks/toy", texts) == ("test_a.py",)


def test_an_exercise_is_named_by_its_quoted_name_or_by_a_test_of_all_exercises():
    texts = {"test_a.py": '"role.news"', "test_b.py": "exercises.names()", "test_c.py": "ask for the news of the role"}
    assert naming_tests('course.ask("role.news")', "training/01_role", texts) == ("test_a.py", "test_b.py")


def test_a_cell_that_calls_nothing_is_tested_by_what_goes_over_its_folder():
    texts = {"test_a.py": '(ROOT / "notebooks" / "training").glob("0*.ipynb")', "test_b.py": "the training of the role"}
    assert naming_tests("", "training/01_role", texts) == ("test_a.py",)


def test_neighbouring_practices_are_drawn_together():
    assert spans(["K003", "K001", "K002", "K007"]) == "K001–K003, K007"


@pytest.mark.parametrize(("name", "made"), [("README.md", contents), ("training/glossary.md", glossary)])
def test_the_generated_pages_are_current(name, made):
    current = (root() / "notebooks" / name).read_text(encoding="utf-8")
    assert current == made(), f"notebooks/{name} is not what the notebooks say; run: {COMMAND}"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_what_a_notebook_declares_is_treated_by_a_cell_and_nothing_else_is(name):
    notebook = NOTEBOOKS[name]
    tagged = {tag for cell in notebook.cells for tag in tags(cell)}
    assert tagged <= set(practices())
    assert sorted(tagged) == sorted(declared(notebook))
