"""An executed notebook as one self-contained HTML page that opens offline and asks nothing of any host."""

from __future__ import annotations

import base64
import hashlib
import itertools
import threading
from collections.abc import Set
from functools import cache

import nbformat
from bs4 import BeautifulSoup, Tag
from nbconvert import HTMLExporter
from traitlets.config import Config

from kamlib.reports.finding import headlines_first, is_bare
from kamlib.reports.publish import FIGURE, FINDING, NOTE, STYLE, TABLE, TEMPLATES, templates
from kamlib.reports.sentences import say

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
    for link in body.find_all("a", href=lambda href: href and href.endswith(".ipynb")):
        link.unwrap()  # the notebooks do not lie beside the page
    _set_bare_apart(body)
    contents = [
        {"level": int(head.name[1]), "text": head.get_text().rstrip("¶"), "id": head.get("id", "")}
        for head in body.find_all(["h2", "h3"])
        if not head.find_parent("details")
    ]
    for anchor in body.find_all("a", class_="anchor-link"):
        anchor.extract()
    _fold_together(body)
    filled = {**context, "title": context.get("title") or (title.get_text().rstrip("¶") if title else "Report")}
    if context.get("key"):
        filled["title"] = f"{context['key']}: {filled['title']}"
    found = filled["findings"] = headlines_first(context["findings"])
    shown = min(HEADLINES, max(1, sum(not is_bare(finding) for finding in found)))
    return frame("report.html.j2", body=str(body), contents=contents, shown=shown, **filled)


def _set_bare_apart(body: BeautifulSoup) -> None:
    """Chapters the book has nothing for stand folded at the end; the first chapter with a finding stays and says so."""
    telling = [chapter for chapter in _chapters(body) if _shown(chapter)]
    bare = [chapter for chapter in telling if all("kam-bare" in part["class"] for part in _shown(chapter))]
    first = next((chapter for chapter in telling if _shown(chapter, {"kam-finding"})), None)
    bare = [chapter for chapter in bare if chapter is not first]
    if not bare:
        return
    titles = " · ".join(chapter[0].find("h2").get_text().rstrip("¶") for chapter in bare)
    summary = body.new_tag("summary")
    summary.string = say("page.bare_one" if len(bare) == 1 else "page.bare", n=len(bare), titles=titles)
    fold = body.new_tag("details", attrs={"class": "bare"})
    fold.extend([summary, *itertools.chain.from_iterable(bare)])
    body.append(fold)


def _chapters(body: BeautifulSoup) -> list[list[Tag]]:
    """The parts of the page from one heading of the second level to the next."""
    chapters: list[list[Tag]] = []
    for part in body.find_all(recursive=False):
        if part.find("h2"):
            chapters.append([part])
        elif chapters:
            chapters[-1].append(part)
    return chapters


def _shown(chapter: list[Tag], kinds: Set[str] = frozenset({"kam-finding", "kam-table", "kam-figure", "kam-bare"})):
    """The findings, tables and figures of a chapter, and what stands in the place of empty ones."""
    return [part for top in chapter for part in top.find_all(class_=list(kinds))]


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
