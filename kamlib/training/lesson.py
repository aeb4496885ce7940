"""A module of the course at work: begin, ask, and say how far the learner is; each is one line in a notebook.

In JupyterLab exercises are widgets. When the notebook is rendered to a page (``KAM_OUTPUT`` is set) they are shown to
be read, without their answers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import ipywidgets as w
from IPython.display import display

from kamlib.book.places import connect
from kamlib.book.sample import TRUTH
from kamlib.errors import RequestError
from kamlib.training import cards, exercises, wording
from kamlib.training.company import Company, open_company
from kamlib.training.progress import Attempt, Progress, at_first_try, last_learner, solved
from kamlib.training.widgets import Exercise, NameBox

FOLDER = "KAM_PROGRESS"
READER = "reader"


def begin(place: str | os.PathLike, topic: str, as_of=None, scope: Mapping | None = None, learner: str = "") -> Lesson:
    """Begin a module: open the sample company and greet the learner.

    Parameters
    ----------
    place
        The sample book, which has its truth beside it.
    topic
        One of :data:`kamlib.training.exercises.TOPICS`.
    as_of
        Day the company is read as of.
    scope
        A part of the book; exercises need the whole, and the page says so.
    learner
        Who learns; asked on the page where not given.

    Examples
    --------
    >>> lesson = begin("../../data/sample", "role")  # doctest: +SKIP
    """
    company, why = _company(place, as_of, scope)
    lesson = Lesson(topic, company, Path(os.environ.get(FOLDER) or Path(place).resolve().parent / "progress"))
    display({"text/html": cards.STYLE, "text/plain": "", "application/vnd.kamlib.style+json": {}}, raw=True)
    if company is None:
        display(cards.note(why), raw=True)
    elif lesson.is_page:
        display(cards.note(wording.say("static")), raw=True)
    else:
        lesson.greet(learner)
    return lesson


def _company(place, as_of, scope) -> tuple[Company | None, str]:
    """The company, or why there is none to ask about."""
    try:
        book = connect(place)
        book.connection.disconnect()
    except RequestError as error:
        return None, wording.say("no_sample", why=error)
    if not (Path(place) / TRUTH / "process.yml").is_file():
        return None, wording.say("no_truth", book=book.settings.get("name") or book.name)
    if scope:
        return None, wording.say("scoped")
    try:
        return open_company(place, as_of), ""
    except RequestError as error:
        return None, wording.say("too_early", why=error)


@dataclass
class Lesson:
    """A module that has begun. What is asked is drawn anew as soon as another learner gives their name."""

    topic: str
    company: Company | None
    folder: Path
    progress: Progress | None = None
    _waiting: list[Callable[[], None]] = field(default_factory=list, repr=False)

    @property
    def is_page(self) -> bool:
        """Whether a page is being rendered, where nobody can answer."""
        return bool(os.environ.get("KAM_OUTPUT"))

    def greet(self, learner: str = "") -> None:
        """Ask for the name, or go on with the learner who was here last."""
        known = learner or last_learner(self.folder)
        box = NameBox(known, self.start)
        display(box.widget)
        if known:
            box.greeting.value = cards.said(self.start(known))

    def start(self, learner: str) -> str:
        """Go on as this learner; the greeting, with a word on a damaged file where there is one."""
        self.progress = Progress(self.folder, learner)
        self.progress.remember()
        _, damage = self.progress.attempts()
        for show in self._waiting:
            show()
        told = wording.say("welcome", learner=self.progress.learner, file=self.progress.file.name)
        return f"{told} {wording.damaged(damage)}".strip() if damage else told

    def ask(self, name: str) -> None:
        """Show an exercise."""
        if self.company is None:
            return
        if self.is_page:
            question = exercises.ask(name, self.company, exercises.seed_of(READER, name))
            display(cards.as_read(question), raw=True)
            return
        display(self.place_for(lambda: self._exercise(name)))

    def standing(self) -> None:
        """Say how far the learner is, and go on saying it as exercises are solved."""
        if self.company is not None and not self.is_page:
            display(self.place_for(self._standing))

    def place_for(self, make: Callable[[], w.Widget]) -> w.VBox:
        """A place that holds what *make* makes for the learner who works here; before, a request for the name."""
        place = w.VBox()

        def fill() -> None:
            place.children = [make() if self.progress else w.HTML(cards.said(wording.say("no_name")))]

        self._waiting.append(fill)
        fill()
        return place

    def _exercise(self, name: str) -> w.Widget:
        progress = self.progress
        try:
            question = exercises.ask(name, self.company, exercises.seed_of(progress.learner, name))
        except RequestError as error:  # raised where a button was pressed it would never be seen
            return w.HTML(cards.said(str(error), "wrong"))

        def record(is_right: bool, hints: int, is_shown: bool) -> None:
            progress.record(name, is_right, hints, is_shown=is_shown)
            if self._tally is not None:
                self._tally.value = cards.said(self.standing_of(progress.attempts()[0]))

        return Exercise(question, record, solved(self._attempts()).get(name, "")).widget

    _tally: w.HTML | None = None

    def _standing(self) -> w.Widget:
        self._tally = w.HTML(cards.said(self.standing_of(self._attempts())))
        return self._tally

    def _attempts(self) -> list[Attempt]:
        return self.progress.attempts()[0]

    def standing_of(self, attempts: list[Attempt]) -> str:
        """How far the learner is, in two sentences."""
        done, first = solved(attempts), at_first_try(attempts)
        own, every = exercises.names(self.topic), exercises.names()
        here = wording.say(
            "standing",
            learner=self.progress.learner,
            done=len(set(own) & set(done)),
            of=len(own),
            first_try=len(set(own) & first),
        )
        return f"{here} {wording.say('standing_all', done=len(set(every) & set(done)), of=len(every))}"
