"""Which test files name what a cell of a notebook calls: a call, a dotted name, an exercise, or the notebook."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_CALL = re.compile(r"\b(findings|figures|words|plan|follow_up|dossier|segmentation|desk)\.([a-z]\w+)\(")
_EXERCISE = re.compile(r"\bcourse\.ask\(\"([a-z_]+\.[a-z_]+)\"\)")
_OF_THE_NOTEBOOK = {"words", "plan"}  # aliases that mean another module in each notebook
_EVERY_EXERCISE = ("exercises.names(", r"\bexercises\.names\(")


def sources(folder: Path) -> dict[str, str]:
    """The text of every test file by its name, without the tests of this, whose examples test no notebook."""
    paths = [path for path in sorted(folder.glob("test_*.py")) if path.name != "test_practices.py"]
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def naming_tests(source: str, notebook: str, texts: Mapping[str, str]) -> tuple[str, ...]:
    """The test files that name what a cell calls; where none does, those that name its notebook.

    A word that merely occurs is no name: a function counts where it is called, ``contact_rhythm(...)``, or dotted,
    ``findings.contact_rhythm``; the words and numbers of a playbook only in a test that imports that playbook. An
    exercise counts where it is quoted, and in the tests that go over all exercises.

    Parameters
    ----------
    source : the text of the cell. notebook : its name, as ``studies/churn``. texts : :func:`sources`.

    Examples
    --------
    >>> naming_tests("findings.rows_read(book)", "studies/churn", {"test_a.py": "rows_read(book)", "test_b.py": "rows"})
    ('test_a.py',)
    """
    wanted = [*_of_calls(source, notebook), *_of_exercises(source)]
    naming = [name for name, text in texts.items() if any(_holds(text, *one) for one in wanted)]
    return tuple(naming or [name for name, text in texts.items() if _names(name, text, notebook)])


def _holds(text: str, word: str, *patterns: str) -> bool:
    """Whether a text holds all patterns; the word each match holds is looked for first, which is much quicker."""
    return word in text and all(re.search(pattern, text) for pattern in patterns)


def _of_calls(source: str, notebook: str) -> list[tuple[str, ...]]:
    """For each call of a cell, its word and the patterns that a test must all hold."""
    found = []
    for alias, function in _CALL.findall(source):
        if function == "measure":  # every study has one, so the name tells nothing
            continue
        used = rf"\b{alias}\.{function}\b|(?<!def )\b{function}\("
        found.append((function, used, *([_imported(notebook)] if alias in _OF_THE_NOTEBOOK else [])))
    return found


def _of_exercises(source: str) -> list[tuple[str, ...]]:
    quoted = [(name, rf"[\"']{re.escape(name)}[\"']") for name in _EXERCISE.findall(source)]
    return [*quoted, *([_EVERY_EXERCISE] if quoted else [])]


def _imported(notebook: str) -> str:
    return rf"\b(?:playbooks|plans|studies)(?: import |\.){re.escape(notebook.split('/')[-1])}\b"


def _names(test: str, text: str, notebook: str) -> bool:
    """Whether a test imports the notebook's module, names the notebook, or goes over all of its folder."""
    wing, _, stem = notebook.partition("/")
    named = rf"{_imported(notebook)}|\b{re.escape(notebook)}\b|\b{re.escape(stem)}\.ipynb"
    return (
        test in {f"test_{stem}.py", f"test_playbook_{stem}.py"}
        or f'"notebooks" / "{wing}").glob' in text
        or _holds(text, stem, named)
    )
