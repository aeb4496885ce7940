"""Exercises as widgets: choose, set a number, mark rows or put them in order, by mouse alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from math import floor, log10

import ipywidgets as w

from kamlib.training import cards, wording
from kamlib.training.exercises import Question, Reply, grade

WIDE = w.Layout(width="100%", height="auto")
WRAPPED = w.Layout(flex_flow="row wrap", width="100%")


def _fitting() -> w.Layout:
    """As wide as its words, however narrow the window; each button its own, since one of them is hidden."""
    return w.Layout(width="auto", flex="none")


class Choice:
    """One of several texts."""

    untouched = "nothing_chosen"

    def __init__(self, question: Question) -> None:
        options = [(text, key) for key, text in question.options.items()]
        self.radio = w.RadioButtons(options=options, value=None, layout=WIDE)
        self.widget = self.radio

    def value(self):
        """The key chosen, or ``None``."""
        return self.radio.value


class Number:
    """A number, by slider or by buttons one step at a time."""

    untouched = "nothing_set"

    def __init__(self, question: Question) -> None:
        lowest, highest, step = question.span
        whole = all(float(x).is_integer() for x in question.span)
        make, kind = (w.IntSlider, int) if whole else (w.FloatSlider, float)
        layout = w.Layout(flex="1 1 220px", max_width="460px", min_width="180px")
        limits = {"min": kind(lowest), "max": kind(highest), "step": kind(step)}
        self.slider = make(value=kind(lowest), **limits, layout=layout)
        if not whole:
            self.slider.readout_format = f".{max(0, -floor(log10(step)))}f"
        self.is_touched = False
        self.slider.observe(self._touch, names="value")
        less, more = (w.Button(description=sign, layout=w.Layout(width="40px", flex="none")) for sign in ("−", "+"))
        less.on_click(lambda _: self._move(-step))
        more.on_click(lambda _: self._move(step))
        told = w.Label(wording.say("number"))
        row = w.HBox([told, less, self.slider, more, w.Label(question.unit)], layout=WRAPPED)
        self.widget = w.VBox([row, w.HTML(f"<small>{cards.escape(cards.leeway(question))}</small>")])

    def _touch(self, _change) -> None:
        self.is_touched = True

    def _move(self, by: float) -> None:
        self.is_touched = True
        self.slider.value = min(max(self.slider.value + by, self.slider.min), self.slider.max)

    def value(self):
        """The number on the slider, or ``None`` while nobody has moved it."""
        return self.slider.value if self.is_touched else None


class Marks:
    """Rows of a table, each with a box to tick."""

    untouched = "nothing_marked"

    def __init__(self, question: Question) -> None:
        rows = question.rows
        self.boxes = {key: w.Checkbox(False, indent=False, layout=w.Layout(width="28px")) for key in rows.index}
        self.widget = w.VBox([w.Label(wording.say("mark_rows")), _grid(rows, list(self.boxes.values()), "28px")])

    def value(self):
        """The labels of the rows that are ticked, or ``None`` where none is: an answer is never empty."""
        return frozenset(key for key, box in self.boxes.items() if box.value) or None


class Order:
    """Rows of a table, each with buttons that move it up and down."""

    untouched = "nothing_moved"

    def __init__(self, question: Question) -> None:
        self.rows = question.rows
        self.order = list(question.rows.index)
        self.is_touched = False
        self.place = w.VBox()
        self.widget = w.VBox([w.Label(wording.say("order_rows")), self.place])
        self._show()

    def _show(self) -> None:
        buttons = [w.HBox([self._button(i, -1), self._button(i, 1)]) for i in range(len(self.order))]
        self.place.children = [_grid(self.rows.loc[self.order], buttons, "88px")]

    def _button(self, index: int, by: int) -> w.Button:
        other = index + by
        made = w.Button(
            description=wording.say("earlier" if by < 0 else "later"),
            disabled=not 0 <= other < len(self.order),
            layout=w.Layout(width="36px"),
        )
        made.on_click(lambda _: self._swap(index, other))
        return made

    def _swap(self, index: int, other: int) -> None:
        self.is_touched = True
        self.order[index], self.order[other] = self.order[other], self.order[index]
        self._show()

    def value(self):
        """The labels of the rows from first to last, or ``None`` while nobody has moved one."""
        return tuple(self.order) if self.is_touched else None


def _grid(rows, controls: list[w.Widget], first: str) -> w.GridBox:
    """A table whose rows begin with a control."""
    children = [w.HTML(""), *(_cell(name, f"<b>{cards.escape(wording.heading(name))}</b>") for name in rows.columns)]
    for control, row in zip(controls, rows.itertuples(index=False), strict=True):
        pairs = zip(rows.columns, row, strict=True)
        children += [control, *(_cell(name, cards.escape(wording.cell(name, value))) for name, value in pairs)]
    number, text = "minmax(min-content, 150px)", "minmax(110px, max-content)"
    widths = " ".join(number if cards.is_number(name) else text for name in rows.columns)
    layout = w.Layout(grid_template_columns=f"{first} {widths}", grid_gap="2px 14px", overflow="auto hidden")
    return w.GridBox(children, layout=layout)


def _cell(column: str, markup: str) -> w.HTML:
    return w.HTML(f'<div style="text-align:{"right" if cards.is_number(column) else "left"}">{markup}</div>')


CONTROLS = {"choice": Choice, "number": Number, "marks": Marks, "order": Order}


class Exercise:
    """An exercise at work: its card, its control, and what is told.

    Parameters
    ----------
    question
        What is asked.
    record
        Called as ``record(is_right, hints, is_shown)`` at each answer.
    solved_on
        The day it was solved before, or an empty text.
    """

    def __init__(self, question: Question, record: Callable[[bool, int, bool], None], solved_on: str = "") -> None:
        self.question, self.record = question, record
        self.hints_taken = self.wrong = 0
        self.which = ""
        self.control = CONTROLS[question.kind](question)
        self.said, self.hints = w.HTML(), w.HTML()
        self.check = self._button("check", self._on_check, "primary")
        self.hint = self._button("hint", self._on_hint)
        self.reveal = self._button("reveal", self._on_reveal)
        self.hint.layout.display = "" if question.hints else "none"
        self.reveal.layout.display = "none"
        buttons = w.HBox([self.check, self.hint, self.reveal], layout=WRAPPED)
        before = w.HTML(_solved_before(solved_on))
        self.widget = w.VBox(
            [w.HTML(cards.card(question)), before, self.control.widget, buttons, self.hints, self.said]
        )
        self.widget.add_class("kam-box")

    def _button(self, key: str, act: Callable, style: str = "") -> w.Button:
        made = w.Button(description=wording.say(key), button_style=style, layout=_fitting())
        made.on_click(lambda _: act())
        return made

    def _on_check(self) -> None:
        given = self.control.value()
        if given is None:
            self.said.value = cards.said(wording.say(self.control.untouched))
            return
        reply = grade(self.question, given)
        self.record(reply.is_right, self.hints_taken, False)
        self._tell(reply, cards.misjudged(self.question, given))

    def _tell(self, reply: Reply, which: str) -> None:
        if reply.is_right:
            self.said.value = cards.said(f"✓ {reply.text} {self.question.explanation}", "right")
            return
        self.wrong += 1
        self.which = which
        self.said.value = cards.said(f"{reply.text} {which}" if self.wrong >= 2 else reply.text, "wrong")
        if self.wrong >= 2:
            self.reveal.layout.display = ""

    def _on_hint(self) -> None:
        hints = self.question.hints
        self.hints_taken = min(self.hints_taken + 1, len(hints))
        given = enumerate(hints[: self.hints_taken], start=1)
        told = [wording.say("hint_is", n=n, of=len(hints), hint=hint) for n, hint in given]
        self.hints.value = "".join(map(cards.said, told))
        self.hint.disabled = self.hints_taken == len(hints)

    def _on_reveal(self) -> None:
        self.record(False, self.hints_taken, True)
        answer = f"{wording.say('answer_is')} {cards.answer_text(self.question).rstrip('.')}."
        self.said.value = cards.said(" ".join(filter(None, (answer, self.which, self.question.explanation))))


def _solved_before(day: str) -> str:
    return cards.said("✓ " + wording.say("done_before", day=date.fromisoformat(day)), "right") if day else ""


class NameBox:
    """Asks the learner's name once, and greets.

    Parameters
    ----------
    known
        The name of who was here last, filled in.
    begin
        Called with the name; returns the greeting.
    """

    def __init__(self, known: str, begin: Callable[[str], str]) -> None:
        self.begin = begin
        layout = w.Layout(flex="0 1 340px", min_width="140px")
        self.name = w.Text(value=known, placeholder=wording.say("name_hint"), layout=layout)
        self.start = w.Button(description=wording.say("start"), button_style="primary", layout=_fitting())
        self.guest = w.Button(description=wording.say("guest"), layout=_fitting())
        self.greeting = w.HTML()
        self.start.on_click(lambda _: self._go(self.name.value))
        self.guest.on_click(lambda _: self._go(wording.say("guest_name")))
        asked = w.Label(wording.say("ask_name"), layout=_fitting())
        row = w.HBox([asked, self.name, self.start, self.guest], layout=WRAPPED)
        kept = w.HTML(f"<small>{cards.escape(wording.say('name_kept'))}</small>")
        self.widget = w.VBox([row, kept, self.greeting])
        self.widget.add_class("kam-box")

    def _go(self, name: str) -> None:
        if name.strip():
            self.greeting.value = cards.said(self.begin(name))
