"""The desk of the territory: what is planned is played, kept, and told; and a real JupyterLab plays it by mouse."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from payloads import PAYLOADS

from kamlib.training import desk, wording
from kamlib.training.desk import Desk
from kamlib.training.territory import HANDLINGS, Decision, pages, play_out, policies, resume, take_over
from kamlib.training.territory.debrief import KINDS

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "training" / "territory.ipynb"


@pytest.fixture
def game(tmp_path) -> Desk:
    return Desk(tmp_path / "game.json", 7, "Lin")


def _row(game: Desk, account: str) -> desk.Row:
    return next(row for row in game.rows if row.account == account)


def _plus(row: desk.Row, times: int, sign: str = "+") -> None:
    button = next(b for b in row.cells[3].children if getattr(b, "description", "") == sign)
    for _ in range(times):
        button.click()


def test_the_largest_account_stands_first(game):
    revenue = take_over(7).accounts.set_index("account_id")["revenue_year"]
    assert game.rows[0].account == revenue.idxmax()


def test_a_click_on_plus_plans_a_visit_and_its_hours(game):
    _plus(game.rows[0], 3)
    assert game.rows[0].decision == Decision(visits=3)
    assert "Hours: 7.2 of 240" in game.used.value


def test_visits_stop_at_nothing_and_at_the_most(game):
    _plus(game.rows[0], 2, "−")
    assert game.rows[0].visits == 0
    _plus(game.rows[0], 30)
    assert game.rows[0].visits == 24


def test_what_is_planned_is_played_and_kept(game):
    _plus(_row(game, "T03"), 2)
    _row(game, "T03").boxes["promotion"].value = True
    game.close.click()
    assert resume(game.file).decisions == ({"T03": Decision(visits=2, promotion=True)},)
    assert "2026-Q4 is closed and kept" in game.said.value
    assert "What 2026-Q4 brought" in game.report.value


def test_the_costs_on_the_desk_are_those_that_are_booked(game):
    planned = {"T01": Decision(3, True, True, "answer", True), "T02": Decision(0, False, False, "make_good", True)}
    start = game.territory
    rebates = start.rules.promotion_rebate
    booked = start.play(planned).last_quarter
    months = start.play(planned)._course.rebated
    assert months.sum() == pytest.approx(rebates)
    without = {name: Decision(d.visits, d.executive, False, d.complaints, d.reserve) for name, d in planned.items()}
    assert start.play(without).last_quarter["costs"].sum() == pytest.approx(start.costs(without), abs=2)
    assert start.costs(planned) - start.costs(without) == start.rules.promotion_cost
    assert booked["costs"].sum() > start.costs(planned)


def test_too_many_hours_are_told_at_once_and_refused(game):
    for row in game.rows:
        row.set(Decision(visits=8))
    _plus(game.rows[0], 1)
    assert "hours too many: take out about" in game.used.value
    game.close.click()
    assert "more than the 240 of a quarter" in game.said.value
    assert game.territory.decisions == ()


def test_the_quarter_cannot_be_closed_while_the_plan_is_too_much(game):
    row = game.rows[0]
    row.boxes["executive"].value = True
    name = game.territory.accounts.set_index("account_id").at[row.account, "name"]
    assert game.close.disabled
    assert f"plan one at {pages.escape(name)}, or leave the executive at home" in game.used.value
    _plus(row, 1)
    assert not game.close.disabled


def test_a_refusal_names_accounts_as_the_desk_does(game):
    name = game.territory.accounts.set_index("account_id").at["T03", "name"]
    assert game._by_name("take out 'T03': 0 visits") == f"Take out {name}: 0 visits"


def test_a_number_of_visits_can_be_typed(game):
    game.rows[0].count.value = 7
    assert game.rows[0].decision == Decision(visits=7)
    assert "Hours: 16.8 of 240" in game.used.value


def test_in_the_first_quarter_the_same_again_are_the_visits_of_the_predecessor_as_far_as_hours_allow(game):
    past = game.territory.last_quarter.set_index("account_id")["visits"]
    game.same.click()
    planned = game.decisions()
    assert 0 < sum(d.visits for d in planned.values()) <= past.sum()
    assert all(planned[account].visits <= past[account] for account in planned)
    assert not game.close.disabled
    assert "Your predecessor made" in game.said.value


def test_the_same_quarter_a_year_before_is_shown_once_there_is_one(game):
    assert "a year before" not in game.rows[0].past.value
    game.close.click()
    booked = game.territory.booked
    before = booked[booked["account_id"] == game.rows[0].account]["revenue"].iloc[-5]
    assert f"a year before {before:,.0f} TWD" in game.rows[0].past.value


def test_too_many_executives_are_told_at_once(game):
    for row in game.rows[:4]:
        row.boxes["executive"].value = True
    assert "Executives come along 3 times a quarter: take out 1." in game.used.value


def test_the_same_again_plans_what_was_played_last(game):
    _plus(game.rows[0], 4)
    game.close.click()
    assert game.rows[0].visits == 0
    game.same.click()
    assert game.rows[0].visits == 4


def test_complaints_can_be_handled_only_where_some_are_open(game):
    waits = game.territory.waiting.set_index("account_id")["open_complaints"]
    assert 0 < (waits > 0).sum() < len(waits)
    assert {row.account for row in game.rows if not row.handling.disabled} == set(waits.index[waits > 0])


def test_the_game_goes_on_where_it_stopped(game, tmp_path):
    _plus(game.rows[0], 4)
    game.close.click()
    again = Desk(tmp_path / "game.json", 99, "Lin")
    assert again.territory.seed == 7
    assert "Welcome back, Lin. 1 of 8 quarters are played" in again.said.value


def test_a_game_that_cannot_be_read_is_set_aside_and_said(tmp_path):
    (tmp_path / "game.json").write_text("{")
    begun = Desk(tmp_path / "game.json", 7, "Lin")
    assert "set aside as game.json.damaged" in begun.said.value
    assert (tmp_path / "game.json.damaged").read_text() == "{"


def test_two_pages_of_one_game_do_not_undo_each_other(game, tmp_path):
    other = Desk(tmp_path / "game.json", 7, "Lin")
    game.close.click()
    _plus(other.rows[0], 2)
    other.close.click()
    assert "Another page has played on meanwhile" in other.said.value
    assert len(resume(game.file).decisions) == 1


def test_beginning_anew_asks_first(game):
    game.close.click()
    game.anew.click()
    assert len(game.territory.decisions) == 1
    game.anew.click()
    assert game.territory.decisions == () and game.territory.seed == 8


def test_after_the_last_quarter_the_truth_is_told(game):
    for _ in range(8):
        game.close.click()
    assert game.table.layout.display == "none" and game.look_back.layout.display == ""
    game.look_back.click()
    assert "How you did, told from the truth" in game.end.value
    assert "Nobody left" in game.end.value or " left in " in game.end.value


def test_nothing_of_the_debrief_is_shown_before_the_end(game):
    game.close.click()
    assert game.end.value == "" and game.look_back.layout.display == "none"


# ---- pages


@pytest.mark.parametrize("name", [p for p in PAYLOADS if "<" in p][:25])
def test_a_hostile_name_is_shown_as_text(name):
    territory = take_over(7, names=[name] * 20).play({})
    shown = desk.first_day(territory) + pages.report(territory)
    assert name not in shown.replace(pages.escape(name), "")


def test_a_chinese_name_is_shown_as_it_is():
    assert "東方大飯店股份有限公司" in desk.first_day(take_over(7, names=["東方大飯店股份有限公司"] * 20))


def test_the_debrief_says_each_account_that_was_lost():
    played = play_out(2, policies.call_plan).debrief()
    told = pages.debrief(played)
    lost = played.accounts[played.accounts["left_on"].notna()]
    assert len(lost) and all(pages.escape(name) in told for name in lost["name"])
    assert "Care could have kept it" in told


def test_a_game_below_doing_nothing_is_said_to_have_cost_more_than_it_brought():
    smallest = take_over(7).accounts.set_index("account_id")["revenue_year"].idxmin()
    territory = take_over(7)
    while not territory.is_over:
        territory = territory.play({smallest: Decision(visits=24)})
    told = pages.debrief(territory.debrief())
    assert "So what was done cost more than it brought." in told
    assert "; the best plan has 0. Those beyond it, quarter by quarter, cost" in told


def test_every_kind_of_decision_and_handling_has_its_words():
    texts = wording.texts("territory")
    assert {f"kind_{kind}" for kind in KINDS} <= set(texts)
    assert {f"handling_{name}" for name in HANDLINGS} <= set(texts)


def test_no_text_is_given_twice():
    lines = (wording.LANGUAGES / "en" / "training" / "territory.yml").read_text(encoding="utf-8").splitlines()
    keys = [line.split(":")[0] for line in lines if line[:1].isalpha()]
    assert len(keys) == len(set(keys)) == len(yaml.safe_load("\n".join(lines)))


def test_a_rendered_page_shows_the_first_day_and_nothing_to_press(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("KAM_OUTPUT", str(tmp_path))
    shown = []
    monkeypatch.setattr(desk, "display", lambda data, raw: shown.append(data["text/html"]))
    assert desk.open_desk(tmp_path / "sample") is None
    assert "This is the first day of one territory, to read." in shown[0]


def test_a_learner_has_a_territory_and_a_file_of_their_own(monkeypatch, tmp_path):
    monkeypatch.setenv("KAM_PROGRESS", str(tmp_path))
    monkeypatch.setattr(desk, "display", lambda *_: None)
    first, second = desk.open_desk(learner="Lin 林"), desk.open_desk(learner="Chen")
    assert first.file != second.file and first.territory.seed != second.territory.seed
    assert json.loads(first.file.read_text())["seed"] == first.territory.seed


# ---- a real JupyterLab


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab on a folder with the notebook, and the folder its games are kept in."""
    home = tmp_path_factory.mktemp("lab")
    (home / "notebooks" / "training").mkdir(parents=True)
    shutil.copy(NOTEBOOK, home / "notebooks" / "training")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {name: str(home / name.lower()) for name in ("KAM_PROGRESS", "JUPYTER_CONFIG_DIR", "IPYTHONDIR")}
    own |= {f"JUPYTERLAB_{name}_DIR": str(home / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
    own["JUPYTER_PATH"] = str(ROOT / "kamlib" / "reports" / "jupyter")
    options = ["--no-browser", "--allow-root", f"--port={port}", f"--ServerApp.root_dir={home}", "--LabApp.news_url="]
    options += ["--IdentityProvider.token=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with (home / "log.txt").open("w") as log:
        command = [sys.executable, "-m", "jupyterlab", *options]
        server = subprocess.Popen(command, env=os.environ | own, cwd=ROOT, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/api/status")
        yield f"{address}/lab/tree/notebooks/training/territory.ipynb", home / "kam_progress"
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(address: str, seconds: float = 90) -> None:
    ends = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > ends:
                raise
            time.sleep(0.2)


@pytest.mark.browser
@pytest.mark.slow
def test_two_quarters_are_played_by_mouse_and_kept(browser, lab):
    address, folder = lab
    page = browser.new_page(viewport={"width": 1500, "height": 1100})
    page.set_default_timeout(60_000)
    page.goto(address)
    close = page.get_by_role("button", name="Close the quarter")
    close.wait_for(timeout=120_000)
    page.locator(".kam-territory button", has_text="+").first.click()
    page.get_by_text("Hours: 2.4 of 240").first.wait_for()
    close.click()
    page.get_by_text("2026-Q4 is closed and kept").first.wait_for()
    page.get_by_role("button", name="As in the last quarter").click()
    page.get_by_text("Hours: 2.4 of 240").first.wait_for()
    close.click()
    page.get_by_text("What 2027-Q1 brought").wait_for()
    page.close()
    kept = list(folder.glob("*.territory.json"))
    assert len(kept) == 1
    assert [list(quarter.values()) for quarter in resume(kept[0]).decisions] == [[Decision(visits=1)]] * 2
