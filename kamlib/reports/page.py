"""An executed notebook as one self-contained HTML page that opens offline and asks nothing of any host."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import threading
import uuid
from functools import cache, lru_cache
from typing import ClassVar

import nbformat
from bs4 import BeautifulSoup, Tag
from jinja2 import pass_context
from nbconvert import HTMLExporter
from nbconvert.filters import Highlight2HTML
from traitlets.config import Config

from kamlib.reports.finding import headlines_first, is_bare
from kamlib.reports.publish import FIGURE, FINDING, NOTE, STYLE, TABLE, TEMPLATES, templates
from kamlib.reports.sentences import say

HEADLINES = 6
OWN = {FINDING, TABLE, FIGURE, NOTE}
_SHOWN = ["kam-finding", "kam-table", "kam-figure", "kam-bare", "kam-checklist"]
_SECRET = uuid.uuid4().hex  # of this process: no notebook can guess a mark and so bring back what is not its own
_ONE_AT_A_TIME = threading.Lock()
_REMEMBERED = 512  # cells of which the exporter keeps what it made


def build_page(notebook: nbformat.NotebookNode, context: dict) -> str:
    """The page of a report.

    Parameters
    ----------
    notebook
        The executed notebook.
    context
        ``title``, ``about`` (whom the page is about, or empty), ``book``, ``period``, ``as_of``, ``scope``,
        ``findings``, ``made_on`` and ``index`` (the way to the period's index).
    """
    shown, fragments = _set_aside(notebook)
    body = BeautifulSoup(_body(shown, fragments), "html.parser")
    for image in body.find_all("img", alt=False):
        image["alt"] = ""
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
    if context.get("about"):
        filled["title"] = f"{context['about']}: {filled['title']}"
    found = filled["findings"] = headlines_first(context["findings"])
    open_ones = min(HEADLINES, max(1, sum(not is_bare(finding) for finding in found)))
    whole = _brought_back(str(body), fragments)
    return frame("report.html.j2", body=whole, contents=contents, shown=open_ones, **filled)


def _set_aside(notebook: nbformat.NotebookNode) -> tuple[nbformat.NotebookNode, dict[str, str]]:
    """The notebook with a mark in the place of each fragment that is ours, and the fragments by their marks.

    What we made is whole and escaped already: arranging the page need not read its tables and figures again, which
    are nearly all of it. A mark is of the class of what it stands for.
    """
    shown, fragments = nbformat.from_dict(notebook), {}
    for cell in shown.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs = [output for output in cell.outputs if STYLE not in output.get("data", {})]
        for output in cell.outputs:
            if OWN & set(output.get("data", {})):
                output.data["text/html"] = _marked(output.data["text/html"], fragments)
    return shown, fragments


def _marked(fragment: str, fragments: dict[str, str]) -> str:
    """The mark of a fragment that is set aside."""
    mark = f"{_SECRET}-{len(fragments)}"
    fragments[mark] = fragment
    kinds = re.search(r'class="([^"]*)"', fragment)
    return f'<div class="{kinds[1] if kinds else ""}" id="{mark}"></div>'


def _brought_back(page: str, fragments: dict[str, str]) -> str:
    """The page with each fragment in the place of its mark."""
    return re.sub(rf'<div class="[^"]*" id="({_SECRET}-\d+)"></div>', lambda found: fragments[found[1]], page)


def _set_bare_apart(body: BeautifulSoup) -> None:
    """Chapters the book has nothing for stand folded at the end; the first chapter with a finding stays and says so."""
    telling = [(chapter, kinds) for chapter in _chapters(body) if (kinds := _kinds_shown(chapter))]
    first = next((chapter for chapter, kinds in telling if any("kam-finding" in kind for kind in kinds)), None)
    bare = [chapter for chapter, kinds in telling if chapter is not first and all("kam-bare" in kind for kind in kinds)]
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


def _kinds_shown(chapter: list[Tag]) -> list[list[str]]:
    """The classes of each finding, table and figure of a chapter, and of what stands in the place of empty ones."""
    return [part["class"] for top in chapter for part in top.find_all(class_=_SHOWN)]


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


class _Exporter(HTMLExporter):
    """nbconvert's exporter to HTML, which remembers what it made of a cell and leaves the page to be read once.

    A thousand reports of one notebook differ in what their cells put out and hardly in the cells.
    """

    fragments: ClassVar[dict[str, str]] = {}  # of the page being made

    def default_filters(self):
        """Those of nbconvert, and ours."""
        yield from super().default_filters()
        yield "highlight_code", self.code
        yield "markdown2html", self.prose
        yield "is_ours", lambda output: bool(OWN & set(output.get("data", {})))

    def code(self, source: str) -> str:
        """The mark of a cell's code, coloured."""
        return _marked(self._coloured(source), self.fragments) + "\n"

    @lru_cache(_REMEMBERED)  # noqa: B019 (there is one exporter, and it stays)
    def _coloured(self, source: str) -> str:
        coloured = Highlight2HTML(pygments_lexer="ipython3", parent=self)(source)
        return str(BeautifulSoup(coloured, "html.parser")).rstrip("\n")

    @pass_context
    def prose(self, context, source: str) -> str:
        """Markdown as HTML."""
        has_pictures = bool(context.get("cell", {}).get("attachments"))
        return self.markdown2html(context, source) if has_pictures else self._plain_prose(source)

    @lru_cache(_REMEMBERED)  # noqa: B019 (there is one exporter, and it stays)
    def _plain_prose(self, source: str) -> str:
        return self.markdown2html({}, source)

    def from_notebook_node(self, nb, resources=None, **given):
        """Without what nbconvert adds for its own templates, for which it reads the whole page again."""
        return super(HTMLExporter, self).from_notebook_node(nb, resources, **given)


@cache
def _exporter() -> _Exporter:
    settings = {"exclude_input_prompt": True, "exclude_output_prompt": True, "optimistic_validation": True}
    return _Exporter(
        config=Config({"HTMLExporter": settings}),
        template_name="kam",
        extra_template_basedirs=[str(TEMPLATES)],
    )


def _body(notebook: nbformat.NotebookNode, fragments: dict[str, str]) -> str:
    with _ONE_AT_A_TIME:  # an exporter keeps state while it works
        _exporter().fragments = fragments
        body, _ = _exporter().from_notebook_node(notebook)
    return body
