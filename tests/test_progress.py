"""A learner's progress is never lost silently, whoever writes at once and whatever is cut off."""

import json
from concurrent.futures import ProcessPoolExecutor
from datetime import date

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from kamlib.cli import main
from kamlib.errors import RequestError
from kamlib.training import exercises, progress, wording
from kamlib.training.progress import Progress, at_first_try, last_learner, lines, overview, solved
from kamlib.training.territory import take_over

MODULES = {"role": ["role.a", "role.b"], "basics": ["basics.a"]}


def _write_many(folder, exercise, times):
    for _ in range(times):
        Progress(folder, "Lin").record(exercise, True)


def test_an_answer_is_there_when_the_page_is_opened_again(tmp_path):
    Progress(tmp_path, "Lin").record("role.a", True, hints=2, on=date(2026, 9, 30))
    attempts, damage = Progress(tmp_path, "Lin").attempts()
    assert (attempts[0].exercise, attempts[0].hints, attempts[0].on) == ("role.a", 2, "2026-09-30")
    assert damage is None


def test_a_name_is_the_same_in_capitals_and_with_spaces_around(tmp_path):
    Progress(tmp_path, " Lin  Mei ").record("role.a", True)
    assert len(Progress(tmp_path, "lin mei").attempts()[0]) == 1


@pytest.mark.parametrize(("one", "other"), [("Lin", "Lim"), ("林", "陳"), ("a b", "a-b"), ("../Lin", "Lin")])
def test_two_learners_never_share_a_file(one, other):
    assert progress.file_name(one) != progress.file_name(other)


@given(st.text(min_size=1))
def test_no_name_leads_out_of_the_folder(name):
    assert "/" not in progress.file_name(name)
    assert not progress.file_name(name).startswith(".")


def test_a_learner_needs_a_name(tmp_path):
    with pytest.raises(RequestError, match="a learner needs a name; any name will do"):
        Progress(tmp_path, "  ")


def test_progress_stays_out_of_version_control(tmp_path):
    Progress(tmp_path / "progress", "Lin")
    assert (tmp_path / "progress" / ".gitignore").read_text() == "*\n"


def test_two_processes_that_write_at_once_lose_nothing(tmp_path):
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_write_many, [tmp_path] * 2, ["role.a", "role.b"], [40] * 2))
    attempts, damage = Progress(tmp_path, "Lin").attempts()
    assert sorted(a.exercise for a in attempts) == ["role.a"] * 40 + ["role.b"] * 40
    assert damage is None


def test_a_file_cut_off_in_a_line_keeps_the_others_and_sets_the_rest_aside(tmp_path):
    own = Progress(tmp_path, "Lin")
    for name in ("role.a", "role.b", "basics.a"):
        own.record(name, True)
    whole = own.file.read_bytes()
    own.file.write_bytes(whole[:-20])
    attempts, damage = own.attempts()
    assert [a.exercise for a in attempts] == ["role.a", "role.b"]
    assert (damage.lines, damage.kept) == (1, 2)
    assert damage.aside.read_bytes().strip() == whole[:-20].split(b"\n")[-1]
    assert own.attempts() == (attempts, None)


def test_an_answer_after_a_cut_off_line_is_not_drawn_into_it(tmp_path):
    own = Progress(tmp_path, "Lin")
    own.record("role.a", True)
    own.file.write_bytes(own.file.read_bytes()[:-9])
    own.record("role.b", True)
    attempts, damage = own.attempts()
    assert [a.exercise for a in attempts] == ["role.b"]
    assert damage.lines == 1


@settings(max_examples=40)
@given(junk=st.binary(max_size=200), at=st.integers(0, 3))
def test_whatever_gets_into_the_file_the_good_lines_stay(tmp_path_factory, junk, at):
    own = Progress(tmp_path_factory.mktemp("p"), "Lin")
    for _ in range(3):
        own.record("role.a", True)
    lines = own.file.read_bytes().splitlines(keepends=True)
    own.file.write_bytes(b"".join([*lines[:at], junk.replace(b"\n", b"") + b"\n", *lines[at:]]))
    assert len(own.attempts()[0]) == 3


@pytest.mark.parametrize(
    "entry",
    [
        {"learner": "Lin"},
        [],
        {"learner": "Lin", "exercise": "role.a", "is_right": 1, "hints": 0, "on": "2026-09-30", "is_shown": False},
        {"learner": "Lin", "exercise": "role.a", "is_right": True, "hints": 0, "on": "soon", "is_shown": False},
    ],
)
def test_a_line_that_is_no_attempt_is_set_aside(tmp_path, entry):
    own = Progress(tmp_path, "Lin")
    own.file.write_text(json.dumps(entry) + "\n")
    attempts, damage = own.attempts()
    assert attempts == []
    assert damage.lines == 1


def test_what_was_set_aside_before_is_not_overwritten(tmp_path):
    own = Progress(tmp_path, "Lin")
    asides = []
    for junk in ("one\n", "two\n"):
        own.file.write_text(junk)
        asides.append(own.attempts()[1].aside.read_text())
    assert asides == ["one\n", "two\n"]


def test_solved_is_what_was_right_at_last_and_first_try_what_was_right_at_once(tmp_path):
    own = Progress(tmp_path, "Lin")
    for name, is_right in [("role.a", False), ("role.a", True), ("role.b", True), ("basics.a", False)]:
        own.record(name, is_right)
    attempts, _ = own.attempts()
    assert set(solved(attempts)) == {"role.a", "role.b"}
    assert at_first_try(attempts) == {"role.b"}


def test_an_answer_that_was_shown_first_is_not_a_first_try(tmp_path):
    own = Progress(tmp_path, "Lin")
    own.record("role.a", False, is_shown=True)
    own.record("role.a", True)
    assert at_first_try(own.attempts()[0]) == set()


def test_the_next_page_greets_who_was_here_last(tmp_path):
    assert last_learner(tmp_path) == ""
    Progress(tmp_path, "Lin").remember()
    Progress(tmp_path, "陳").remember()
    assert last_learner(tmp_path) == "陳"


def test_the_supervisor_sees_a_line_for_each_learner_and_module_begun_or_not(tmp_path):
    for name, exercise in [("Lin", "role.a"), ("Wu", "role.b"), ("Wu", "basics.a")]:
        Progress(tmp_path, name).record(exercise, True, hints=1, on=date(2026, 9, 30))
    frame, damages = overview(tmp_path, MODULES)
    assert frame[["learner", "module", "done", "of", "last_day"]].to_numpy().tolist() == [
        ["Lin", "role", 1, 2, "2026-09-30"],
        ["Lin", "basics", 0, 1, ""],
        ["Wu", "role", 1, 2, "2026-09-30"],
        ["Wu", "basics", 1, 1, "2026-09-30"],
    ]
    assert set(frame["first_try_share"].dropna()) == {1.0}
    assert damages == []


def test_a_hint_seen_at_two_answers_counts_once(tmp_path):
    own = Progress(tmp_path, "Lin")
    for hints in (1, 2, 2):
        own.record("role.a", False, hints=hints)
    own.record("role.b", True, hints=1)
    assert overview(tmp_path, MODULES)[0]["hints"].to_list() == [3, 0]


def test_the_command_prints_modules_by_number_and_name_with_their_total(tmp_path):
    own = Progress(tmp_path, "Lin")
    own.record("role.gift", False, hints=1, on=date(2026, 9, 29))
    own.record("role.gift", True, hints=2, on=date(2026, 9, 30))
    said = CliRunner().invoke(main, ["progress", str(own.file)])
    assert said.exit_code == 0, said.output
    head, first, second, *rest = said.output.splitlines()
    assert head.split()[:3] == ["learner", "module", "solved"]
    of, every = len(exercises.names("role")), len(exercises.names())
    told = f"Lin 1 The role of the account manager 1 of {of} 0% 2 0 2026-09-30"
    assert " ".join(first.split()) == told
    assert " ".join(second.split()) == f"Lin 2 What makes a key account 0 of {len(exercises.names('basics'))} – – – –"
    assert f"Lin all modules 1 of {every} 0% 2 0 2026-09-30" in " ".join(rest[7].split())
    assert "Hints: how many were seen, each counted once." in said.output


def test_every_module_has_its_title():
    assert tuple(wording.texts("page")["modules"]) == exercises.TOPICS


def test_the_quarters_of_a_kept_game_are_told(tmp_path):
    own = Progress(tmp_path, "Lin")
    own.record("role.a", True)
    take_over(1).play({}).play({}).save(tmp_path / own.file.name.replace(".progress.jsonl", ".territory.json"))
    assert " ".join(lines(overview(tmp_path, MODULES)[0])[-1].split()) == "Lin the territory 2 of 8 quarters"


def test_a_damaged_game_is_not_counted(tmp_path):
    own = Progress(tmp_path, "Lin")
    own.record("role.a", True)
    (tmp_path / own.file.name.replace(".progress.jsonl", ".territory.json")).write_text("{")
    assert overview(tmp_path, MODULES)[0]["quarters"].isna().all()


def test_the_command_says_what_was_damaged(tmp_path):
    own = Progress(tmp_path, "Lin")
    own.record("role.gift", True)
    with own.file.open("a") as out:
        out.write("{cut off")
    said = CliRunner().invoke(main, ["progress", str(tmp_path)])
    assert "1 damaged entry" in said.output
    assert f"{own.file.name}.damaged-1" in said.output


def test_the_command_says_that_nobody_has_begun_and_how_to_begin(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in ([], [str(tmp_path)]):
        said = CliRunner().invoke(main, ["progress", *place])
        assert said.exit_code == 0
        assert (
            "Nobody has begun the course yet" in said.output and "make lab" in said.output and "01_role" in said.output
        )


def test_the_command_refuses_a_place_that_is_not_there(tmp_path):
    said = CliRunner().invoke(main, ["progress", str(tmp_path / "elsewhere")])
    assert said.exit_code == 2
    assert "name the folder the course keeps progress in" in said.output
