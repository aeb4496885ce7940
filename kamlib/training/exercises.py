"""Exercises: declared by name in small modules by topic, drawn for a learner, and graded.

An exercise is a function that takes a :class:`Deal` (the company and the learner's own random numbers) and returns
a :class:`Draft`: data and the right answer, computed. Its words stand in ``language/<code>/training/<topic>.yml``
under the same name, so a copied or retyped cell keeps asking the same thing.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kamlib.errors import RequestError
from kamlib.training import wording
from kamlib.training.company import Company

TOPICS = (
    "role",
    "basics",
    "needs",
    "strategy",
    "visits",
    "recommendation",
    "objections",
    "closing",
    "reading",
)
MAX_HINTS = 3
_DRAWS = 2_000


@dataclass(frozen=True)
class Deal:
    """What an exercise is drawn from: the company, and random numbers that are the learner's own."""

    company: Company
    rng: np.random.Generator

    def pick(self, items: Iterable, n: int = 1) -> list:
        """*n* different items by lot; RequestError when there are fewer."""
        pool = list(items)
        if len(pool) < n:
            raise RequestError(
                f"an exercise needs {n} of the sample company's accounts or rows and finds {len(pool)}; make a "
                "company of the usual size with 'kam sample'"
            )
        return [pool[i] for i in self.rng.permutation(len(pool))[:n]]

    def one(self, items: Iterable):
        """One item by lot."""
        return self.pick(items)[0]

    def until(self, draw: Callable, is_fit: Callable[..., bool]):
        """Draw until the draw is fit to be asked; RequestError when none is found."""
        for _ in range(_DRAWS):
            drawn = draw()
            if is_fit(drawn):
                return drawn
        raise RequestError(
            "the sample company holds no case for this exercise; make one of the usual size with 'kam sample'"
        )

    def spread(self, values: pd.Series, n: int, apart: float, within: float = 1e9) -> pd.Series:
        """*n* positive values by lot in the order drawn, each at least *apart* times the next smaller.

        The largest is at most *within* times the smallest.
        """
        values = values[values > 0]
        draw = lambda: values.loc[self.pick(values.index, n)]  # noqa: E731
        return self.until(draw, lambda v: ratios(v).min() >= apart and v.max() <= within * v.min())

    def clear_best(self, values: pd.Series, n: int, apart: float) -> pd.Series:
        """*n* positive values by lot, the largest at least *apart* times the second."""
        values = values[values > 0]
        draw = lambda: values.loc[self.pick(values.index, n)]  # noqa: E731
        return self.until(draw, lambda v: ratios(v)[0] >= apart)

    def mixed(self, is_right: pd.Series, n: int, least: int = 2) -> list:
        """*n* labels by lot, at least *least* of them right and at least *least* not."""
        right = int(self.rng.integers(least, n - least + 1))
        right = max(min(right, int(is_right.sum())), n - int((~is_right).sum()))
        chosen = self.pick(is_right.index[is_right], right) + self.pick(is_right.index[~is_right], n - right)
        return self.pick(chosen, n)


def ratios(values: pd.Series) -> np.ndarray:
    """Each value over the next smaller, from the largest down."""
    falling = np.sort(values.to_numpy(dtype=float))[::-1]
    return falling[:-1] / np.maximum(falling[1:], 1e-12)


@dataclass(frozen=True)
class Draft:
    """Data and right answer of one drawn exercise.

    Attributes
    ----------
    answer
        A key of the options (choose one), a number, a frozenset of row labels (mark rows) or a tuple of row
        labels from first to last (put in order).
    values
        What the texts name.
    rows
        A table to look at; its index holds the labels of rows to mark or to put in order.
    series
        Amounts by month, drawn as a figure; its name is the title.
    options
        Labels by key, where the texts do not hold them.
    case
        Which explanation is right, and which hint fits, where the texts hold several.
    wrong
        By key of an option, what its reply names when it is wrongly chosen; ``reason`` says which reply, where it is
        not the option's own.
    tolerance, span
        How far a number may be off, and lowest, highest and step of the slider.
    """

    answer: str | float | frozenset | tuple
    values: Mapping = field(default_factory=dict)
    rows: pd.DataFrame | None = None
    series: pd.Series | None = None
    options: Mapping[str, str] | None = None
    case: str = ""
    wrong: Mapping[str, Mapping] = field(default_factory=dict)
    tolerance: float = 0.0
    span: tuple[float, float, float] = (0, 100, 1)


@dataclass(frozen=True)
class Question:
    """An exercise as one learner gets it: texts filled in, data, and the right answer."""

    name: str
    kind: str
    title: str
    text: str
    options: Mapping[str, str]
    rows: pd.DataFrame | None
    series: pd.Series | None
    unit: str
    span: tuple[float, float, float]
    tolerance: float
    hints: tuple[str, ...]
    explanation: str = field(repr=False)
    answer: str | float | frozenset | tuple = field(repr=False)
    wrong: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Reply:
    """What a learner is told about an answer."""

    is_right: bool
    text: str


_EXERCISES: dict[str, Callable[[Deal], Draft]] = {}


def exercise(name: str) -> Callable:
    """Declare the function below as the exercise *name*, which reads ``topic.what``."""

    def declare(function: Callable[[Deal], Draft]) -> Callable[[Deal], Draft]:
        _EXERCISES[name] = function
        return function

    return declare


def names(topic: str = "") -> list[str]:
    """Names of all exercises, or of those of a topic, in the order they are declared."""
    for module in TOPICS:
        importlib.import_module(f"kamlib.training.topics.{module}")
    wanted = (topic,) if topic else TOPICS
    return [name for known in wanted for name in _EXERCISES if name.startswith(f"{known}.")]


def by_topic() -> dict[str, list[str]]:
    """The exercises of each topic."""
    return {topic: names(topic) for topic in TOPICS}


def seed_of(learner: str, name: str) -> int:
    """The seed of a learner's exercise: the same for the same name, however it is spelt in capitals and spaces."""
    key = f"{' '.join(learner.casefold().split())}|{name}"
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")


def ask(name: str, company: Company, seed: int) -> Question:
    """Draw an exercise.

    Parameters
    ----------
    name
        ``topic.what``, one of :func:`names`.
    company
        The sample company.
    seed
        Same seed and company, same question; see :func:`seed_of`.

    Raises
    ------
    RequestError
        When there is no such exercise, or the company is too small for it.

    Examples
    --------
    >>> ask("role.whose_account", company, seed_of("Lin", "role.whose_account"))  # doctest: +SKIP
    """
    known = names()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        raise RequestError(f"there is no exercise {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
    deal = Deal(company, np.random.default_rng(seed))
    return _worded(name, _EXERCISES[name](deal), deal)


def _worded(name: str, draft: Draft, deal: Deal) -> Question:
    topic, what = name.split(".")
    entry = wording.texts(topic)[what]
    values = dict(draft.values)
    told = lambda text: wording.fill(text, values)  # noqa: E731
    explanation = entry["explanation"]
    if isinstance(explanation, dict):
        explanation = explanation[draft.case or draft.answer]
    hints = (hint[draft.case] if isinstance(hint, dict) else hint for hint in entry.get("hints", ()))
    options = _options(draft, entry, told, deal)
    return Question(
        name,
        kind_of(draft.answer),
        told(entry["title"]),
        told(entry["question"]),
        options,
        draft.rows,
        draft.series,
        entry.get("unit", ""),
        draft.span,
        draft.tolerance,
        tuple(map(told, hints))[:MAX_HINTS],
        told(explanation),
        draft.answer,
        _reasons(draft, entry.get("wrong", {}), options),
    )


def _reasons(draft: Draft, texts: str | Mapping[str, str], options: Mapping[str, str]) -> dict[str, str]:
    """Why each wrong option is wrong, where the texts say so: one text for all, or one for each option or reason."""
    told = {}
    for key in options:
        own = draft.wrong.get(key, {})
        text = texts if isinstance(texts, str) else texts.get(own.get("reason", key))
        if key != draft.answer and text:
            told[key] = wording.fill(text, {**draft.values, **own, "chosen": options[key]})
    return told


def _options(draft: Draft, entry: Mapping, told: Callable, deal: Deal) -> dict[str, str]:
    """Options in an order of the learner's own, so that no place in the list means anything."""
    if draft.options is not None:
        return dict(draft.options)
    worded = entry.get("options", {})
    return {key: told(worded[key]) for key in deal.pick(worded, len(worded))}


def kind_of(answer) -> str:
    """How an answer is given: choice, number, marks or order."""
    kinds = {str: "choice", frozenset: "marks", tuple: "order"}
    return kinds.get(type(answer), "number")


def grade(question: Question, given) -> Reply:
    """Grade an answer: a key, a number, row labels that were marked, or row labels from first to last."""
    if question.kind == "number":
        return _grade_number(question, given)
    if question.kind == "marks":
        return _grade_marks(question, frozenset(given))
    if question.kind == "order":
        return _grade_order(question, tuple(given))
    if given in question.wrong:
        return Reply(False, question.wrong[given])
    return _reply(given == question.answer, "wrong_choice")


def _reply(is_right: bool, key: str, **values) -> Reply:
    return Reply(is_right, wording.say("right" if is_right else key, **values))


def _grade_number(question: Question, given) -> Reply:
    off = float(given) - question.answer
    return _reply(abs(off) <= question.tolerance + 1e-9, "too_high" if off > 0 else "too_low")


def _grade_marks(question: Question, given: frozenset) -> Reply:
    extra, missed = len(given - question.answer), len(question.answer - given)
    return _reply(not extra and not missed, "wrong_marks", extra=extra, missed=missed)


def _grade_order(question: Question, given: tuple) -> Reply:
    pairs = zip(given, question.answer, strict=False)
    return _reply(given == question.answer, "wrong_order", placed=sum(a == b for a, b in pairs))
