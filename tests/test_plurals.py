"""Counts in the sentences of playbooks, studies and course agree with what is counted, also where there is one."""

import re
import string
from datetime import date
from pathlib import Path

import pytest

import kamlib
from kamlib.reports import sentences
from kamlib.training import wording

PACKAGE = Path(kamlib.__file__).parent
PLAYBOOKS = sorted(path.stem for path in (PACKAGE / "studies" / "plans").glob("[a-z]*.py"))
DESK = (
    "churn",
    "findings",
    "segmentation",
    "visits",
    "visit_brief",
    "due_list",
    "dues",
    "weekly",
    "dossier",
    "page",
    "empty",
)
COURSE = sorted(path.stem for path in (PACKAGE / "reports" / "language" / "en" / "training").glob("*.yml"))
MANY = re.findall(
    r"\w+",
    "accounts actions answers benefits categories complaints contacts customers days deals entries "
    "exercises facts fields gaps guests hours industries kinds levels lines links managers measures "
    "meetings months others owners people products promotions prospects purchases quarters questions "
    "rebates references signs tables topics visits weeks ",
)
ONE = [re.sub("ie$", "y", noun.removesuffix("s")) for noun in MANY if noun != "people"]
BETWEEN = r"(?:(?!(?:of|in|and|to|at|by|with|from|that|or|as|for|over|than|about|what)\b)[a-z]+ ){0,1}?"
FAULTS = re.compile(
    rf"\b1 {BETWEEN}(?:{'|'.join(MANY)})\b|\b1 {BETWEEN}(?:{'|'.join(ONE)}) (?:are|have|were|wait|lose|stand|say)\b"
)


class _WithOnes(string.Formatter):
    """Fills a text in with one for every count, and a word, a half or a day for everything else."""

    def get_value(self, key, args, kwargs):
        return 1

    def format_field(self, value, spec: str) -> str:
        if "|" in spec or spec in ("", ",", ",.0f", ".0f", "g"):
            return sentences._Formatter().format_field(value, spec)
        return f"{date(2026, 9, 30):%d %B}" if spec == "day" or "%" in spec[:3] else "half"


def _faults(texts: dict[str, str]) -> dict[str, list[str]]:
    told = {key: _WithOnes().vformat(" ".join(text.split()), (), {}) for key, text in texts.items()}
    return {key: FAULTS.findall(text) for key, text in told.items() if FAULTS.search(text)}


def _leaves(entry, path: str):
    if isinstance(entry, str):
        yield path, entry
    else:
        for key, part in entry.items() if isinstance(entry, dict) else enumerate(entry):
            yield from _leaves(part, f"{path}.{key}")


def test_a_bare_count_before_a_plural_noun_is_found():
    assert _faults({"x": "{n:,} key accounts wait."}) == {"x": ["1 key accounts"]}
    assert _faults({"x": "{n:# account|# accounts} have."}) == {"x": ["1 account have"]}
    assert not _faults({"x": "{n:# account has|# accounts have} one of {share:.0%} of the accounts."})


@pytest.mark.parametrize("topic", [*PLAYBOOKS, *DESK, "actions", "answers", "flags"])
def test_the_sentences_of_a_topic_agree_with_a_count_of_one(topic):
    catalogue = sentences._catalogue(sentences.DEFAULT_LANGUAGE)
    assert _faults({key: text for key, text in catalogue.items() if key.split(".")[0] == topic}) == {}


@pytest.mark.parametrize("topic", [topic for topic in COURSE if topic != "columns"])
def test_the_texts_of_the_course_agree_with_a_count_of_one(topic):
    assert _faults(dict(_leaves(wording.texts(topic), topic))) == {}


def test_the_course_and_the_reports_choose_the_same_form_by_number():
    text = "{n:no visit is|one visit is|# visits are} planned"
    for n in (0, 1, 2, 1_234):
        assert wording.fill(text, {"n": n}) == sentences._Formatter().vformat(text, (), {"n": n})
