"""An executed notebook as one self-contained HTML page that opens offline and asks nothing of any host."""

from __future__ import annotations

import base64
import hashlib
import threading
from functools import cache

import nbformat
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter
from traitlets.config import Config

from kamlib.reports.finding import headlines_first
from kamlib.reports.publish import FIGURE, FINDING, NOTE, STYLE, TABLE, TEMPLATES, templates

HEADLINES = 6
OWN = {FINDING, TABLE, FIGURE, NOTE}
_ONE_AT_A_TIME = threading.Lock()


def build_page(notebook: nbformat.NotebookNode, context: dict) -> str:
    """The page of a report.

    Parameters
    ----------
    notebook
        The executed notebook.
    context
        ``title``, ``book``, ``period``, ``as_of``, ``scope``, ``findings``, ``made_on``, ``index`` (the way to
        the period's index) and ``previous`` (the period before, or empty).
    """
    body = BeautifulSoup(_body(notebook), "html.parser")
    title = body.find("h1")
    if title is not None:
        title.extract()
    contents = [
        {"level": int(head.name[1]), "text": head.get_text().rstrip("¶"), "id": head.get("id", "")}
        for head in body.find_all(["h2", "h3"])
    ]
    for anchor in body.find_all("a", class_="anchor-link"):
        anchor.extract()
    _fold_together(body)
    filled = {**context, "title": context.get("title") or (title.get_text().rstrip("¶") if title else "Report")}
    if context.get("key"):
        filled["title"] = f"{context['key']}: {filled['title']}"
    filled["findings"] = headlines_first(context["findings"])
    return frame("report.html.j2", body=str(body), contents=contents, shown=HEADLINES, **filled)


def _fold_together(body: BeautifulSoup) -> None:
    """Code cells that follow each other without output between them share one fold."""
    for fold in body.find_all("details", class_="code"):
        before = fold.find_previous_sibling()
        if before is not None and before.name == "details" and "code" in before.get("class", []):
            fold.summary.extract()
            for part in reversed(before.find_all(recursive=False)[1:]):
                fold.insert(0, part.extract())
            fold.insert(0, before.summary.extract())
            before.extract()


def frame(template: str, **values) -> str:
    """A page from a template, with our style, our script and the policy that lets nothing else in."""
    css = _text("components.css") + _text("page.css")
    page = templates().get_template(template)
    return page.render(css=css, script=_text("page.js"), policy=policy(), **values)


@cache
def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def policy() -> str:
    """The content security policy: our one script by its digest, inline style, images from the page itself."""
    digest = base64.b64encode(hashlib.sha256(_text("page.js").encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _exporter() -> HTMLExporter:
    exporter = HTMLExporter(
        config=Config({"HTMLExporter": {"exclude_input_prompt": True, "exclude_output_prompt": True}}),
        template_name="kam",
        extra_template_basedirs=[str(TEMPLATES)],
    )
    exporter.register_filter("is_ours", lambda output: bool(OWN & set(output.get("data", {}))))
    return exporter


def _body(notebook: nbformat.NotebookNode) -> str:
    shown = nbformat.from_dict(notebook)
    for cell in shown.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if STYLE not in output.get("data", {})]
    with _ONE_AT_A_TIME:  # an exporter keeps state while it works
        body, _ = _exporter().from_notebook_node(shown)
    return body
