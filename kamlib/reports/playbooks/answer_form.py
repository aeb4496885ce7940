"""The questions of a playbook as boxes to write in, each saved as soon as the writer leaves it."""

from __future__ import annotations

from html import escape

import ipywidgets as w
import pandas as pd

from kamlib.reports.playbooks.answers import Answers
from kamlib.reports.sentences import say

WIDE = w.Layout(width="100%", max_width="46rem")


def form(answers: Answers, questions: pd.DataFrame) -> w.VBox:
    """A box for each question, filled with its last answer.

    Parameters
    ----------
    answers : where they are kept.
    questions : columns question (its key), what, why.
    """
    given = answers.current()["answer"]
    rows = questions.to_dict("records")
    return w.VBox([_box(answers, row, given.get(row["question"], "")) for row in rows])


def _box(answers: Answers, row: dict, answer: str) -> w.VBox:
    asked = w.HTML(f"<b>{escape(row['what'])}</b><br><small>{escape(row['why'])}</small>", layout=WIDE)
    if answers.is_hidden:
        return w.VBox([asked, w.HTML(escape(say("answers.hidden")))])
    text = w.Textarea(answer, placeholder=say("answers.write_here"), continuous_update=False, rows=3, layout=WIDE)
    told = w.HTML()

    def save(_) -> None:
        try:
            answers.write(row["question"], row["what"], text.value)
            told.value = f"<small>✓ {escape(say('answers.saved', day=answers.as_of))}</small>"
        except (OSError, ValueError) as error:  # raised in a callback it would never be seen
            told.value = f"<b>{escape(say('answers.not_saved', why=error))}</b>"

    text.observe(save, names="value")
    button = w.Button(description=say("answers.save"), layout=w.Layout(width="auto"))
    button.on_click(save)
    return w.VBox([asked, text, w.HBox([button, told])])
