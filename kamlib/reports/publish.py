"""What a notebook hands to its report: findings, tables, figures, predictions and whole sentences.

Each function shows its object in the notebook, so an analyst sees what a reader of the report will see. When
the notebook is rendered, the environment variable ``KAM_OUTPUT`` names the report folder being built, and
tables and predictions are written there as well. All text is escaped: names come from outside.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from functools import cache
from pathlib import Path

import jinja2
import pandas as pd
import yaml
from IPython.display import display

from kamlib.book.periods import day
from kamlib.errors import RequestError
from kamlib.reports import calendars, sentences
from kamlib.reports.finding import Finding, is_bare
from kamlib.reports.folder import safe_name

FINDING = "application/vnd.kamlib.finding+json"
TABLE = "application/vnd.kamlib.table+json"
FIGURE = "application/vnd.kamlib.figure+json"
NOTE = "application/vnd.kamlib.note+json"
STYLE = "application/vnd.kamlib.style+json"

TEMPLATES = Path(__file__).with_name("template")
FRAGMENTS = ("finding.html.j2", "note.html.j2", "figure.html.j2", "table.html.j2")
_FORMULA = re.compile(r"^[=+\-@\t\r]")


@cache
def templates() -> jinja2.Environment:
    """The page fragments, with every value escaped unless it is marked as markup by us."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["day"] = lambda value: sentences.say("page.day", when=value)
    return environment


def output_folder() -> Path | None:
    """The report folder being built, or ``None`` when the notebook is run by hand."""
    folder = os.environ.get("KAM_OUTPUT")
    return Path(folder) if folder else None


def begin() -> None:
    """Show our components in their own style when the notebook is read in JupyterLab."""
    css = (TEMPLATES / "components.css").read_text(encoding="utf-8")
    display({"text/html": f"<style>{css}</style>", "text/plain": "", STYLE: {}}, raw=True)


def finding(found: Finding) -> None:
    """Show a finding and hand it to the report."""
    display(finding_bundle(found), raw=True)


def finding_bundle(found: Finding) -> dict:
    """The representations of a finding that a notebook can show."""
    card = templates().get_template("finding.html.j2").render(finding=found, is_bare=is_bare(found.to_dict()))
    return {"text/html": card, "text/plain": f"{found.sentence} [{found.verdict}]", FINDING: found.to_dict()}


def sentence(key: str, **values) -> None:
    """Show one whole sentence from the catalogue, its values filled in."""
    note(sentences.say(key, **values))


def note(*texts: str) -> None:
    """Show sentences that are already whole, each as a paragraph; nothing where there are none."""
    if not texts:
        return
    markup = templates().get_template("note.html.j2").render(texts=texts)
    display({"text/html": markup, "text/plain": "\n".join(texts), NOTE: {"texts": list(texts)}}, raw=True)


def figure(axes, alt: str = "") -> None:
    """Show the figure of an Axes (or array of Axes, or Figure) as SVG with selectable text, and close it.

    Parameters
    ----------
    axes
        What a ``draw_*`` function returned.
    alt
        What the figure shows, for readers who cannot see it; the title of the figure where not given.
    """
    from matplotlib import pyplot

    drawn = getattr(axes, "figure", None) or getattr(next(iter(axes.flat)), "figure", None)
    title = alt or _title(drawn)
    svg = svg_of(drawn)
    pyplot.close(drawn)
    blank = drawn.get_gid() == "nothing-to-draw"
    markup = templates().get_template("figure.html.j2").render(svg=svg, title=title, is_bare=blank)
    display({"text/html": markup, "text/plain": title, FIGURE: {"title": title}}, raw=True)


def svg_of(drawn) -> str:
    """A figure as SVG markup: the same for the same figure, and safe to stand beside others in one page."""
    stream = io.StringIO()
    drawn.savefig(stream, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    svg = stream.getvalue()
    return _own_identifiers(re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL))


def _own_identifiers(svg: str) -> str:
    """Identifiers that no other figure of the page has: clip paths are looked up across the whole page."""
    prefix = "f" + hashlib.blake2b(svg.encode(), digest_size=4).hexdigest()
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", svg)
    return re.sub(r'xlink:href="#([^"]+)"', rf'xlink:href="#{prefix}-\1"', svg)


def _title(drawn) -> str:
    titles = [drawn.get_suptitle(), *(axes.get_title(loc) for axes in drawn.axes for loc in ("left", "center"))]
    return next((title for title in titles if title), "")


def table(name: str, frame: pd.DataFrame, columns: list[str] | None = None, rows: int = 15) -> None:
    """Show a table and write it to ``tables/<name>.parquet`` and ``.csv`` of the report.

    Parameters
    ----------
    name
        File name of the table, letters, digits, ``_`` and ``-``.
    frame
        The whole table; all its columns are written, those shown first.
    columns
        Those to show, in order; all where not given. Labels, units and number formats come from
        ``language/<code>/columns.yml``.
    rows
        How many rows are shown before the reader asks for the rest. By hand, where nothing is written and nobody
        can ask, the others are left out.
    """
    if not re.fullmatch(r"[a-z0-9_\-]+", name):
        raise RequestError(f"{name!r} cannot name a table; use small letters, digits, - and _")
    shown = frame if columns is None else frame[columns]
    rest = [column for column in frame.columns if column not in shown.columns]
    write_table(name, frame[[*shown.columns, *rest]] if columns else frame)
    heads = [column_style(column, shown[column]) for column in shown.columns]
    body = [
        [_cell(value, head["kind"]) for value, head in zip(row, heads, strict=True)]
        for row in (shown.head(rows) if output_folder() is None else shown).itertuples(index=False)
    ]
    told = {"n": len(shown), "empty": _nothing_in(name), "is_written": output_folder() is not None}
    markup = templates().get_template("table.html.j2").render(name=name, heads=heads, body=body, rows=rows, **told)
    display({"text/html": markup, "text/plain": shown.head(rows).to_string(), TABLE: {"name": name}}, raw=True)


def _nothing_in(name: str) -> str:
    """What stands in the place of a table without rows."""
    own, known = f"empty.{name}", set(sentences.keys())
    return sentences.say(own if own in known else "page.table_empty", name=name.replace("_", " "))


def predictions(frame: pd.DataFrame) -> None:
    """Write what the study predicts for the next report to grade.

    Parameters
    ----------
    frame
        Columns account_id, quantity, horizon_days, value, lower, upper.
    """
    wanted = ["account_id", "quantity", "horizon_days", "value", "lower", "upper"]
    lacking = [column for column in wanted if column not in frame.columns]
    if lacking:
        raise RequestError(f"predictions lack {len(lacking)} columns: {', '.join(lacking)}")
    if folder := output_folder():
        frame[wanted].to_parquet(folder / "predictions.parquet", index=False)


def write_table(name: str, frame: pd.DataFrame) -> None:
    """Write a table to the report folder as Parquet and as CSV that no spreadsheet takes for formulas."""
    folder = output_folder()
    if folder is None:
        return
    (folder / "tables").mkdir(exist_ok=True)
    flat = frame.reset_index(drop=frame.index.name is None)
    flat.to_parquet(folder / "tables" / f"{name}.parquet", index=False)
    harmless(flat).to_csv(folder / "tables" / f"{name}.csv", index=False, encoding="utf-8-sig")


def calendar(name: str, frame: pd.DataFrame, as_of, by: str = "") -> None:
    """Write due dates to ``calendars/<name>.ics`` of the report, and say so.

    Parameters
    ----------
    name
        File name, letters, digits, ``_`` and ``-``.
    frame
        Columns key, due_on, summary, description; see :func:`kamlib.reports.calendars.calendar`. Without rows
        nothing is written, since a calendar must hold something.
    as_of
        Day the dates were read as of.
    by
        A column, such as ``manager_id``, each value of which gets a file of its own: ``<name>-<value>.ics``.
    """
    if not re.fullmatch(r"[a-z0-9_\-]+", name):
        raise RequestError(f"{name!r} cannot name a calendar; use small letters, digits, - and _")
    parts = list(frame.dropna(subset=by).groupby(by)) if by else [("", frame)]
    parts = [(str(value), part) for value, part in parts if len(part)]
    files = {f"{name}-{safe_name(value)}" if value else name: (value, part) for value, part in parts}
    if folder := output_folder():
        (folder / "calendars").mkdir(exist_ok=True)
        for file, (value, part) in files.items():
            text = calendars.calendar(part, f"{name} {value}".strip(), day(as_of))
            (folder / "calendars" / f"{file}.ics").write_bytes(text.encode())
    branch = "calendar_none" if not files else "calendar" if len(files) == 1 else "calendars"
    sentence(f"page.{branch}", n=sum(len(part) for _, part in parts), files=len(files), first=next(iter(files), ""))


def checklist(frame: pd.DataFrame, rows: int = 15) -> None:
    """Show things to do as a list to tick off, each with owner, day, reason and what will show that it worked.

    Parameters
    ----------
    frame
        Columns what and, where there are any, why, owner, due_on, measure and practice.
    rows
        How many stand in the open; the rest is folded away.
    """
    shown = frame.reindex(columns=["what", "why", "owner", "due_on", "measure", "practice"])
    items = shown.astype(object).where(shown.notna(), "").to_dict("records")
    markup = templates().get_template("checklist.html.j2").render(items=items, rows=rows)
    plain = "\n".join(f"[ ] {item['what']}" for item in items)
    display({"text/html": markup, "text/plain": plain, NOTE: {"texts": [item["what"] for item in items]}}, raw=True)


def actions(frame: pd.DataFrame, as_of) -> None:
    """Show the actions of a playbook as a checklist, and write them to ``tables/actions`` and to calendars.

    Parameters
    ----------
    frame
        As :func:`kamlib.reports.actions.in_words` returns it. The next report of this kind looks in the book for
        what became of each (:func:`kamlib.studies.follow_up.follow_up`).
    as_of
        Day the book was read as of.

    Raises
    ------
    RequestError
        When a column is lacking or an action is there twice.
    """
    wanted = ["action_id", "account_id", "manager_id", "owner", "what", "why", "due_on", "measure", "practice"]
    wanted += ["kind", "asked_on", "detail"]
    if lacking := [column for column in wanted if column not in frame]:
        raise RequestError(f"actions lack {len(lacking)} columns: {', '.join(lacking)}")
    if doubled := int(frame["action_id"].duplicated().sum()):
        raise RequestError(f"{doubled} actions have the identifier of another one; gather them first")
    for_machines = [column for column in frame if column not in {*wanted, "key", "summary", "description", "calendar"}]
    write_table("actions", frame[[*wanted, *for_machines]])
    if frame.empty:
        sentence("actions.none")
        return
    checklist(frame, rows=30)
    # Named by its playbook, since calendar programs show files of several playbooks side by side.
    name = re.sub(r"[^a-z0-9_\-]+", "-", os.environ.get("KAM_REPORT", "actions").lower())
    calendar(name, frame, as_of, by="calendar")


def harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with an apostrophe before each text that a spreadsheet would run as a formula."""
    guarded = frame.copy()
    for column in guarded.columns:
        if not pd.api.types.is_numeric_dtype(guarded[column]) and not _is_date(guarded[column]):
            guarded[column] = guarded[column].map(_guard)
    return guarded


def _guard(value):
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def _is_date(column: pd.Series) -> bool:
    return pd.api.types.is_datetime64_any_dtype(column)


@cache
def column_catalogue(language: str) -> dict:
    """Label, unit and kind of the columns that tables show."""
    path = sentences.LANGUAGES / language / "columns" / "columns.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def column_style(name: str, column: pd.Series) -> dict:
    """Label, unit and kind of a column, from the catalogue or by its type."""
    entry = column_catalogue(sentences.DEFAULT_LANGUAGE).get(name, {})
    label = entry.get("label", str(name).replace("_", " ").capitalize())
    return {"label": label, "unit": entry.get("unit", ""), "kind": entry.get("kind") or _kind(column)}


def _kind(column: pd.Series) -> str:
    if _is_date(column):
        return "date"
    if pd.api.types.is_bool_dtype(column):
        return "flag"
    if pd.api.types.is_integer_dtype(column):
        return "integer"
    return "number" if pd.api.types.is_numeric_dtype(column) else "text"


_FORMS = {
    "money": "{:,.0f}",
    "integer": "{:,.0f}",
    "number": "{:,.2f}",
    "coefficient": "{:,.3f}",
    "percent": "{:.1%}",
    "days": "{:,.0f}",
}


def _cell(value, kind: str) -> dict:
    """What a cell shows, and what it is sorted by; a missing value is a dash and sorts last."""
    if value is None or value is pd.NaT or (not isinstance(value, (str, list, tuple)) and pd.isna(value)):
        return {"text": "–", "sort": "", "kind": kind}
    if kind == "date":
        return {"text": f"{value:%Y-%m-%d}", "sort": f"{value:%Y-%m-%d}", "kind": kind}
    if kind == "flag":
        text = sentences.say("page.yes" if value else "page.no")
        return {"text": text, "sort": int(bool(value)), "kind": kind}
    if kind in _FORMS:
        return {"text": _FORMS[kind].format(value).replace("-", "−"), "sort": float(value), "kind": kind}
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return {"text": text, "sort": text, "kind": "text"}
