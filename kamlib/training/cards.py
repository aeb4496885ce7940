"""What a learner sees of an exercise before any widget: text, table and figure as markup, every value escaped."""

from __future__ import annotations

from html import escape

import pandas as pd

from kamlib.training import wording
from kamlib.training.exercises import Question
from kamlib.training.pictures import draw_months

# What kamlib.reports.publish calls NOTE: an output of ours that a page takes over as it is.
OURS = "application/vnd.kamlib.note+json"
STYLE = """<style>
.kam-exercise {font-size:15px; line-height:1.5; max-width:820px}
.kam-exercise h4 {margin:.2em 0 .4em; font-size:17px}
.kam-exercise p {margin:.3em 0 .6em}
.kam-exercise table {border-collapse:collapse; margin:.4em 0 .8em}
.kam-exercise th, .kam-exercise td {border-bottom:1px solid #9995; vertical-align:top}
.kam-exercise svg {max-width:100%; height:auto}
.kam-said {border-left:4px solid #8886; padding:.5em .9em; margin:.4em 0; background:#8881; max-width:800px}
.kam-said.right {border-color:#2e7d32} .kam-said.wrong {border-color:#b3541e}
.kam-box {border:1px solid #8886; border-radius:8px; padding:12px 16px; margin:6px 0 14px}
.kam-box .widget-radio-box label {height:auto; white-space:normal; line-height:1.45; margin-bottom:6px; font-size:15px;
  display:flex; flex-direction:row-reverse; justify-content:flex-end; align-items:flex-start}
.kam-box .widget-radio-box label input {margin:5px 8px 0 0; flex:none}
.kam-box .widget-radio, .kam-box .widget-radio-box {width:100%; max-width:820px; height:auto}
.kam-box .widget-html-content {font-size:15px; line-height:1.45; white-space:normal}
.kam-box .widget-label, .kam-box .widget-readout {font-size:15px}
</style>"""

_NUMBERS = {"share1", "money", "count", "share", "number"}


def card(question: Question) -> str:
    """Title, question, figure and table of an exercise."""
    parts = [f"<h4>{escape(question.title)}</h4>", f"<p>{escape(question.text)}</p>"]
    if question.series is not None:
        parts.append(draw_months(question.series))
    if question.rows is not None and question.kind in ("choice", "number"):
        parts.append(table(question.rows))
    return f'<div class="kam-exercise">{"".join(parts)}</div>'


def table(rows: pd.DataFrame) -> str:
    """A table with the course's headings."""
    heads = "".join(
        f"<th{_side(c).replace('nowrap', 'normal')}>{escape(wording.heading(c))}</th>" for c in rows.columns
    )
    body = "".join(f"<tr>{''.join(cells(row, rows.columns))}</tr>" for row in rows.itertuples(index=False))
    whole = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div style="overflow-x:auto" tabindex="0">{whole}</div>'


def cells(row, columns) -> list[str]:
    """The cells of one row."""
    pairs = zip(columns, row, strict=True)
    return [f"<td{_side(name)}>{escape(wording.cell(name, value))}</td>" for name, value in pairs]


def said(text: str, tone: str = "") -> str:
    """A reply to the learner."""
    return f'<div class="kam-said {tone}">{escape(text)}</div>' if text else ""


def leeway(question: Question) -> str:
    """How far off a number still counts as right, in whole steps of the slider."""
    step = question.span[2]
    off = (question.tolerance + 1e-9) // step * step
    return wording.say("leeway" if off else "leeway_none", off=off, unit=question.unit)


def answer_text(question: Question) -> str:
    """The right answer in words."""
    if question.kind == "choice":
        return question.options[question.answer]
    if question.kind == "number":
        return f"{question.answer:,.1f} {question.unit}".replace(".0 ", " ").replace("-", "−")
    labels = [row_label(question.rows, key) for key in question.rows.index]
    named = dict(zip(question.rows.index, labels, strict=True))
    if question.kind == "order":
        return " → ".join(named[key] for key in question.answer)
    return "; ".join(named[key] for key in question.rows.index if key in question.answer)


def misjudged(question: Question, given) -> str:
    """Which rows an answer has wrong: those marked and left out, or the first that is out of its place."""
    if question.kind == "order":
        wrong = [(key, place) for place, key in enumerate(given, start=1) if question.answer[place - 1] != key]
        placed = {key: place for place, key in enumerate(question.answer, start=1)}
        told = [("out_of_place", {"stands": place, "belongs": placed[key], "rows": [key]}) for key, place in wrong[:1]]
    elif question.kind == "marks":
        apart = (("marked_wrongly", given - question.answer), ("left_out", question.answer - given))
        told = [(kind, {"rows": [key for key in question.rows.index if key in keys]}) for kind, keys in apart if keys]
    else:
        told = []
    return " ".join(wording.say(kind, **values | {"rows": _labels(question, values["rows"])}) for kind, values in told)


def _labels(question: Question, keys: list) -> str:
    return "; ".join(row_label(question.rows, key) for key in keys)


def row_label(rows: pd.DataFrame, key) -> str:
    """What names a row: its first column."""
    return wording.cell(rows.columns[0], rows.loc[key].iloc[0])


def as_read(question: Question) -> dict:
    """The exercise to be read only, without its answer: for a rendered page."""
    parts = [card(question)]
    if question.kind == "choice":
        items = "".join(f"<li>{escape(text)}</li>" for text in question.options.values())
        parts.append(f"<p>{escape(wording.say('choose_from'))}</p><ul>{items}</ul>")
    elif question.kind == "number":
        lowest, highest, _ = question.span
        asked = wording.say("number_static", unit=question.unit, lowest=lowest, highest=highest)
        parts.append(said(f"{asked} {leeway(question)}"))
    else:
        parts.append(table(question.rows))
        parts.append(said(wording.say("mark_static" if question.kind == "marks" else "order_static")))
    text = f"{question.title}\n{question.text}"
    return {"text/html": "".join(parts), "text/plain": text, OURS: {"texts": [question.title, question.text]}}


def note(text: str) -> dict:
    """A sentence, as a rendered page and a notebook show it."""
    return {"text/html": f'<p class="kam-note">{escape(text)}</p>', "text/plain": text, OURS: {"texts": [text]}}


def is_number(column: str) -> bool:
    """Whether a column holds numbers, which stand to the right."""
    return wording.texts("columns").get(column, {}).get("kind") in _NUMBERS


def _side(column: str) -> str:
    """Spelt out in the cell, since a rendered page has its own style sheet."""
    kind = wording.texts("columns").get(column, {}).get("kind")
    wrap = "normal" if kind in (None, "text") else "nowrap"
    return f' style="text-align:{"right" if is_number(column) else "left"};padding:3px 18px 3px 0;white-space:{wrap}"'
