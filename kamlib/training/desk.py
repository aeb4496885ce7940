"""The desk of the territory: twenty accounts as rows of buttons and boxes, to be played by mouse alone.

The game is kept in a small file after each quarter, so a kernel that stops or a page that is closed loses nothing but
what was planned for the quarter at hand.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path

import ipywidgets as w
import numpy as np
import pandas as pd
from IPython.display import display

from kamlib.errors import RequestError
from kamlib.training import cards
from kamlib.training.desk_row import Row
from kamlib.training.exercises import seed_of
from kamlib.training.lesson import FOLDER
from kamlib.training.progress import GAME, SUFFIX, Progress, last_learner
from kamlib.training.territory import (
    Decision,
    Rules,
    Territory,
    pages,
    play_out,
    policies,
    resume,
    take_over,
)
from kamlib.training.territory.pages import tell

GUEST = "guest"
SEEDS = 1_000_000
COLUMNS = ("account", "past", "waiting", "visits", "also")
WIDTHS = "minmax(150px, 3fr) minmax(152px, 2fr) minmax(130px, 2fr) 142px 170px"
ROWS_PER_REMINDER = 5


def open_desk(place: str | os.PathLike = "../../data/sample", learner: str = "", seed: int | None = None):
    """Show the desk, where the learner stopped; on a rendered page, its first day to read.

    Parameters
    ----------
    place
        The sample book; the game is kept in the folder ``progress`` beside it, or where ``KAM_PROGRESS`` says.
    learner
        Who plays; the learner who worked on the course last where not given.
    seed
        Which territory; the learner's own where not given.

    Examples
    --------
    >>> open_desk("../../data/sample")  # doctest: +SKIP
    """
    if os.environ.get("KAM_OUTPUT"):
        _display(first_day(take_over(1 if seed is None else seed)), "static")
        return None
    folder = Path(os.environ.get(FOLDER) or Path(place).resolve().parent / "progress")
    name = learner or last_learner(folder) or GUEST
    kept = Progress(folder, name).file
    own = seed_of(name, "territory") % SEEDS if seed is None else seed
    desk = Desk(kept.with_name(kept.name.removesuffix(SUFFIX) + GAME), own, name)
    display(desk.widget)
    return desk


def first_day(territory: Territory) -> str:
    """The first day of a territory, to read."""
    booked, rows = territory.booked, []
    waits = territory.waiting.set_index("account_id")
    for card in _largest_first(territory).itertuples():
        own = booked[booked["account_id"] == card.account_id]
        cells = [pages.about(card), pages.past(own), pages.flags(waits.loc[card.account_id], own.iloc[-1])]
        rows.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    heads = "".join(f"<th>{escape(tell(c))}</th>" for c in COLUMNS[:3])
    return pages.block(pages.paragraph("static"), f"<table><thead><tr>{heads}</tr></thead>{''.join(rows)}</table>")


def show_rules() -> None:
    """Show what each decision costs, takes and does."""
    _display(pages.rules(Rules()), "rules_decision")


def show_policies(seed: int) -> None:
    """Show what simple policies and the call plan earn on one territory: at a click, since it takes seconds."""
    if os.environ.get("KAM_OUTPUT"):
        _display(_contest(seed), "policy")
        return
    button, told = w.Button(description=tell("let_play"), layout=w.Layout(width="auto")), w.HTML()
    button.on_click(lambda _: setattr(told, "value", pages.STYLE + _contest(seed)))
    display(w.VBox([button, told]))


def _contest(seed: int) -> str:
    tried = (policies.do_nothing, *policies.NAIVE.values(), policies.call_plan)
    return pages.contest({policy.__name__: play_out(seed, policy) for policy in tried})


def _display(markup: str, key: str) -> None:
    display({"text/html": pages.STYLE + markup, "text/plain": "", cards.OURS: {"texts": [tell(key)]}}, raw=True)


class Desk:
    """The desk at work on one kept game.

    Parameters
    ----------
    file
        Where the game is kept; begun there when it is not.
    seed
        Of a new game.
    learner
        Greeted by name.
    """

    def __init__(self, file: str | os.PathLike, seed: int, learner: str = GUEST) -> None:
        self.file, self.seed, self.learner = Path(file), seed, learner
        self.head, self.said, self.used, self.report, self.end = (w.HTML() for _ in range(5))
        self.close = self._button("close", self._on_close, "primary")
        self.same = self._button("same", self._on_same)
        self.clear = self._button("clear", self._on_clear)
        self.anew = self._button("anew", self._on_anew)
        self.look_back = self._button("look_back", self._on_look_back, "primary")
        self._is_planning = False
        self.table = w.VBox(layout=w.Layout(width="100%"))
        self.buttons = w.HBox([self.close, self.same, self.clear, self.anew])
        # Hours and replies stand above the table and below it, where the buttons are; so nobody has to look for them.
        above = [self.head, self.said, self.used, self.table]
        below = [self.used, self.look_back, self.buttons, self.said, self.end, self.report]
        parts = [*above, *below]
        self.widget = w.VBox([w.HTML(pages.STYLE), *parts])
        self.widget.add_class("kam-territory")
        self.territory, greeting = self._opened()
        self._lay_out()
        self._say(greeting)

    # ---- the game

    def _opened(self) -> tuple[Territory, str]:
        """The kept game, or a new one; a file that cannot be read is set aside and said."""
        if not self.file.is_file():
            return self._begun()
        try:
            territory = resume(self.file)
        except RequestError as why:
            aside = self.file.with_name(f"{self.file.name}.damaged")
            self.file.replace(aside)
            return self._begun()[0], tell("damaged", aside=aside.name, why=str(why))
        done, of = len(territory.decisions), len(territory.periods)
        return territory, tell("resumed", learner=self.learner, done=done, of=of)

    def _begun(self) -> tuple[Territory, str]:
        territory = take_over(self.seed)
        territory.save(self.file)
        first, last = territory.periods[0], territory.periods[-1]
        hours = {"past": float(territory.last_quarter["hours"].sum()), "there": territory.rules.hours_per_quarter}
        return territory, tell("begun", learner=self.learner, first=first, last=last, **hours)

    def decisions(self) -> dict[str, Decision]:
        """What is planned for the quarter."""
        return {row.account: row.decision for row in self.rows}

    def _on_close(self) -> None:
        if self._is_behind():
            self.territory = resume(self.file)
            self._lay_out()
            self._say(tell("another"))
            return
        try:
            played = self.territory.play(self.decisions())
        except RequestError as refusal:
            self._say(self._by_name(str(refusal)), "wrong")
            return
        played.save(self.file)
        self.territory = played
        self._show_quarter()
        closed = played.periods[len(played.decisions) - 1]
        self._say(tell("saved_last") if played.is_over else tell("saved", period=closed))

    def _by_name(self, refusal: str) -> str:
        """A refusal as a sentence, with the names of its accounts."""
        names = self.territory.accounts.set_index("account_id")["name"]
        named = re.sub(r"'?\b(T\d\d)\b'?", lambda found: names.get(found[1], found[0]), refusal)
        return named[:1].upper() + named[1:]

    def _is_behind(self) -> bool:
        """Whether another page has played this game meanwhile."""
        try:
            kept = resume(self.file)
        except RequestError:
            return False  # the file is gone or damaged: the game of this page is the one there is, and is kept again
        return kept.seed != self.territory.seed or kept.decisions != self.territory.decisions

    def _on_same(self) -> None:
        if self.territory.decisions:
            self._plan(self.territory.decisions[-1])
            return
        rules, past = self.territory.rules, self.territory.last_quarter.set_index("account_id")
        part = min(1.0, rules.hours_per_quarter / max(past["hours"].sum(), 1e-9))
        visits = np.minimum(np.floor(part * past["visits"]), rules.most_visits).astype(int)
        self._plan({account: Decision(visits=int(n)) for account, n in visits.items()})
        made, hours = int(past["visits"].sum()), float(past["hours"].sum())
        there, filled = rules.hours_per_quarter, int(visits.sum())
        self._say(tell("same_predecessor", visits=made, past=hours, there=there, filled=filled))

    def _on_clear(self) -> None:
        self._plan({})

    def _plan(self, decisions: Mapping[str, Decision]) -> None:
        """Put these decisions on the desk, and nothing for the others."""
        self._is_planning = True
        for row in self.rows:
            row.set(decisions.get(row.account, Decision()))
        self._is_planning = False
        self._on_change()

    def _on_anew(self) -> None:
        """Begin anew at the second click: the first one asks."""
        if self.anew.description != tell("anew_sure"):
            self.anew.description, self.anew.button_style = tell("anew_sure"), "danger"
            return
        self.seed = self.territory.seed + 1
        self.territory, greeting = self._begun()
        self._lay_out()
        self._say(greeting)

    def _on_look_back(self) -> None:
        self.look_back.disabled = True
        self.end.value = pages.debrief(self.territory.debrief())
        self.look_back.disabled = False

    # ---- what is shown

    def _button(self, key: str, act: Callable[[], None], style: str = "") -> w.Button:
        made = w.Button(
            description=tell(key), button_style=style, layout=w.Layout(width="auto", align_self="flex-start")
        )
        made.on_click(lambda _: act())
        return made

    def _lay_out(self) -> None:
        """Rows for the accounts of the territory, as on the first day of its quarter."""
        self.rows = [Row(card, self.territory, self._on_change) for card in _largest_first(self.territory).itertuples()]
        heads = [w.HTML(pages.block(f"<b>{escape(tell(column))}</b>")) for column in COLUMNS]
        parts = []
        for first in range(0, len(self.rows), ROWS_PER_REMINDER):
            cells = [cell for row in self.rows[first : first + ROWS_PER_REMINDER] for cell in row.cells]
            parts += [self.used, _grid([*heads, *cells])] if first else [_grid([*heads, *cells])]
        self.table.children = parts  # headings and what the plan takes are in view wherever one plans
        self._show_quarter()

    def _show_quarter(self) -> None:
        territory = self.territory
        booked, waits = territory.booked, territory.waiting.set_index("account_id")
        for row in self.rows:
            row.show(booked[booked["account_id"] == row.account], waits.loc[row.account])
        n, of = len(territory.decisions) + 1, len(territory.periods)
        where = tell("finished", of=of) if territory.is_over else tell("quarter", period=territory.period, n=n, of=of)
        self.head.value = pages.block(f"<h4>{escape(where)}</h4>", pages.study(territory))
        self.report.value = pages.report(territory) if territory.decisions else ""
        self.anew.description, self.anew.button_style, self.end.value = tell("anew"), "", ""
        for part in (self.table, self.used, self.close, self.same, self.clear):
            part.layout.display = "none" if territory.is_over else ""
        self.look_back.layout.display = "" if territory.is_over else "none"
        self._plan({})

    def _on_change(self) -> None:
        """Hours, executives and money of what is planned, and what is too much."""
        if self._is_planning or self.territory.is_over:
            return
        planned, rules = self.decisions(), self.territory.rules
        hours, guests = self.territory.hours(planned), sum(d.executive for d in planned.values())
        used = [tell("hours", used=hours, there=rules.hours_per_quarter)]
        used.append(tell("executives", used=guests, there=rules.executives_per_quarter))
        costs = "costs_promoted" if any(d.promotion for d in planned.values()) else "costs"
        used.append(tell(costs, costs=self.territory.costs(planned), rebate=rules.promotion_rebate))
        over = []
        if hours > rules.hours_per_quarter + 1e-9:
            excess = hours - rules.hours_per_quarter
            over.append(tell("too_many_hours", excess=excess, visits=int(np.ceil(excess / rules.visit_hours))))
        if guests > rules.executives_per_quarter:
            excess = guests - rules.executives_per_quarter
            over.append(tell("too_many_executives", there=rules.executives_per_quarter, excess=excess))
        names = self.territory.accounts.set_index("account_id")["name"]
        if alone := [names[account] for account, d in planned.items() if d.executive and not d.visits]:
            over.append(tell("executive_alone", names=", ".join(alone)))
        self.close.disabled = bool(over)
        told = "".join(f'<p class="kam-over">{escape(text)}</p>' for text in over)
        self.used.value = pages.block(f"<p><b>{escape(' · '.join(used))}</b></p>", told)

    def _say(self, text: str, tone: str = "") -> None:
        self.said.value = cards.STYLE + cards.said(text, tone)


def _largest_first(territory: Territory) -> pd.DataFrame:
    return territory.accounts.sort_values("revenue_year", ascending=False, kind="stable")


def _grid(cells: list[w.Widget]) -> w.GridBox:
    """Rows of the desk, in columns that are as wide in each grid."""
    return w.GridBox(cells, layout=w.Layout(grid_template_columns=WIDTHS, grid_gap="6px 10px", width="100%"))
