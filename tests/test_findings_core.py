"""Findings, their verdicts, and the sentences they are said in."""

import ast
import datetime as dt
import json
import re
from pathlib import Path

import pytest

from kamlib.errors import RequestError
from kamlib.reports import sentences
from kamlib.reports.finding import Finding, Gate, Verdict, judge

PACKAGE = Path(sentences.__file__).resolve().parents[1]


def test_the_worst_gate_that_is_not_met_gives_the_verdict_and_all_reasons_are_kept():
    gates = [
        Gate(True, Verdict.NO_CONCLUSION, "A."),
        Gate(False, Verdict.CAUTION, "B."),
        Gate(False, Verdict.NO_CONCLUSION, "C."),
    ]
    assert judge(*gates) == (Verdict.NO_CONCLUSION, "B. C.")


def test_with_every_gate_met_a_finding_is_usable_and_needs_no_reason():
    assert judge(Gate(True, Verdict.CAUTION, "x")) == (Verdict.USABLE, "")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sentence": " "}, "finding 'a.b' has no sentence"),
        ({"verdict": Verdict.CAUTION}, "finding 'a.b' has the verdict caution without a reason"),
        ({"interval": (0, 1)}, "finding 'a.b' must give an interval together with its level"),
    ],
)
def test_a_finding_that_says_too_little_is_refused(given, message):
    with pytest.raises(RequestError, match=message):
        Finding(**{"id": "a.b", "sentence": "S.", **given})


def test_a_number_that_is_not_finite_is_missing_in_json():
    found = Finding("a.b", "S.", float("nan"), interval=(float("inf"), 1.0), level=0.9).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False))["value"] is None
    assert found["interval"] == [None, 1.0]


def test_a_sentence_is_filled_with_named_values():
    said = sentences.say("findings.too_few_accounts", n=12, needed=1200)
    assert said == "Only 12 accounts could be used and 1,200 are needed for this to say anything."


def test_a_missing_value_and_a_misspelt_key_are_errors():
    with pytest.raises(RequestError, match="the sentence 'findings.too_few_accounts' needs needed"):
        sentences.say("findings.too_few_accounts", n=1)
    with pytest.raises(RequestError, match=r"no sentence 'findings.too_few'; did you mean 'findings.too_few_events'\?"):
        sentences.say("findings.too_few", n=1)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0"), (12.5, "12.50"), (999, "999"), (12_345, "12,345"), (123_456, "123,500"), (8.9e6, "8.9 million"),
     (-2.5e9, "−2.5 billion"), (-0.001, "0.00"), (-0.0, "0")],
)  # fmt: skip
def test_amounts_are_short_enough_to_read(amount, text):
    assert sentences.money(amount) == text


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [
        (-0.0002, ".1%", "0.0%"),
        (-0.4, "signed", "0"),
        (-0.0, ".1f", "0.0"),
        (-3.04, ".1f", "−3.0"),
        (7, "signed", "+7"),
    ],
)
def test_nothing_is_written_as_minus_zero(value, spec, text):
    assert sentences._Formatter().format_field(value, spec) == text


def test_a_test_is_never_said_to_leave_no_chance_at_all():
    assert sentences.say("churn.moves_same", p=1.0).endswith("(p > 0.99).")
    assert "(p < 0.001)" in sentences.say("churn.moves_differ", p=0.0)


def test_days_are_written_out():
    assert sentences.say("page.day", when=dt.date(2026, 9, 3)) == "3 September 2026"


def test_a_name_with_braces_is_a_name():
    assert "{n}" in sentences.say("findings.empty", what="{n}")


def test_every_sentence_asked_for_in_the_code_is_in_the_catalogue():
    known = set(sentences.keys())
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "say":
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and re.fullmatch(r"[a-z_]+\.[a-z_0-9]+", str(first.value)):
                    assert first.value in known, f"{path.name} says {first.value!r}"


def test_no_key_stands_twice_in_a_file_of_sentences():
    for path in sorted(sentences.LANGUAGES.rglob("*.yml")):
        keys = re.findall(r"^\"?([\w.]+)\"?:", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert sorted(keys) == sorted(set(keys)), path.name


def test_every_sentence_can_be_said_and_leaves_no_brace():
    for key, text in sentences._catalogue("en").items():
        days = dict.fromkeys(re.findall(r"{(\w+):(?:day|%[^}]+)}", text), dt.date(2026, 9, 3))
        said = sentences.say(key, **dict.fromkeys(sentences.placeholders(key), 2) | days)
        assert said and not set(said) & set("{}"), f"{key}: {said!r}"


def test_a_sentence_chooses_its_form_by_number():
    forms = [sentences.say("dues.log_why", count=n, since=dt.date(2026, 9, 1)) for n in (1, 1200)]
    assert forms[0] == "One contact since 1 September 2026 has not been written down."
    assert forms[1] == "1,200 contacts since 1 September 2026 have not been written down."
    nearly = sentences.say("dues.log_why", count=1.2, since=dt.date(2026, 9, 1))
    assert nearly == forms[0], "the number as it is written decides"
    none = sentences.say("due_list.all_some", n=1, late=0, until=dt.date(2026, 10, 1), as_of=dt.date(2026, 9, 1))
    assert none.endswith("and none of these is overdue on 1 September 2026.")
