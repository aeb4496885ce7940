"""The generated pages: the table of notebooks and the glossary; run ``python -m kamlib.reports.practices``."""

from __future__ import annotations

from pathlib import Path

from nbformat import NotebookNode

from kamlib.reports.parameters import read_contract
from kamlib.reports.practices.catalogue import practices
from kamlib.reports.practices.coverage import Coverage, coverage, declared, notebooks
from kamlib.reports.spec import root

COMMAND = "python -m kamlib.reports.practices"
WINGS = {
    "studies": "Questions, rendered on a schedule.",
    "accounts": "One page for each account.",
    "playbooks": "How we work: guides filled with your own accounts, with checklists and calendars.",
    "training": "The course for new account managers.",
}
STANDARD = {"place", "as_of", "period", "scope", "previous", "tables"}


def contents() -> str:
    """``notebooks/README.md``: notebook, question, reader, parameters and practices."""
    head = f"""# Notebooks

*Generated from the notebooks by `{COMMAND}`; change them, not this page.*

Every notebook also has the standard parameters `place`, `as_of`, `period`, `scope` and `previous` where it reads a
book. `kam parameters NOTEBOOK` tells what each parameter means; `kam practices` tells which cell treats which
practice. The words are in the [glossary](training/glossary.md).
"""
    found = notebooks()
    parts = [_wing(wing, line, found) for wing, line in WINGS.items()]
    return "\n".join([head, *(part for part in parts if part)])


def glossary() -> str:
    """``notebooks/training/glossary.md``: every practice in English and Chinese, and where it is treated."""
    head = f"""# Glossary

*Generated from `kamlib/reports/practices/practices.yml` and the tags of the notebooks by `{COMMAND}`; change them,
not this page.*

The practices of key account management (大客戶管理) in English and Chinese, what each means in one line, and where
it is treated. ⚑ marks those with a legal or ethical risk: they are shown for a person's review, and never automated.
"""
    groups: dict[str, list[Coverage]] = {}
    for one in coverage():
        groups.setdefault(one.practice.group, []).append(one)
    return "\n".join([head, *(_group(name, rows) for name, rows in groups.items())])


def write_pages() -> list[Path]:
    """Write both pages into the project."""
    folder = root() / "notebooks"
    pages = {folder / "README.md": contents(), folder / "training" / "glossary.md": glossary()}
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
    return list(pages)


def _wing(wing: str, line: str, found: dict[str, NotebookNode]) -> str:
    rows = [_row(name, notebook) for name, notebook in found.items() if name.startswith(f"{wing}/")]
    if not rows:
        return ""
    head = ["| Notebook | Question | Reader | Parameters | Practices |", "|---|---|---|---|---|"]
    return "\n".join([f"## {wing.capitalize()}", "", line, "", *head, *rows, ""])


def _row(name: str, notebook: NotebookNode) -> str:
    about = notebook.metadata.get("kam", {})
    own = _own_parameters(name, notebook)
    cells = [
        f"[{name}]({name}.ipynb)",
        about.get("question", ""),
        about.get("reader", ""),
        ", ".join(f"`{parameter}`" for parameter in own),
        spans(declared(notebook)),
    ]
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _own_parameters(name: str, notebook: NotebookNode) -> list[str]:
    if not any("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells):
        return []
    contract = read_contract(root() / "notebooks" / f"{name}.ipynb")
    return [parameter for parameter in contract if parameter not in STANDARD]


def spans(keys: list[str]) -> str:
    """Practices with neighbours drawn together.

    Examples
    --------
    >>> spans(["K001", "K002", "K003", "K007"])
    'K001–K003, K007'
    """
    order = list(practices())
    places = sorted(order.index(key) for key in keys)
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return ", ".join(order[r[0]] if len(r) == 1 else f"{order[r[0]]}–{order[r[-1]]}" for r in runs)


def _group(name: str, rows: list[Coverage]) -> str:
    head = ["| | English | 中文 | Meaning | Treated in |", "|---|---|---|---|---|"]
    return "\n".join([f"## {name}", "", *head, *(_entry(row) for row in rows), ""])


def _entry(one: Coverage) -> str:
    practice = one.practice
    names = dict.fromkeys(cell.notebook for cell in one.treatments)
    where = ", ".join(f"[{name}](../{name}.ipynb)" for name in names) or f"*not yet: {one.reason}*"
    meaning = f"{practice.meaning} *({practice.states})*" if practice.states else practice.meaning
    sign = " ⚑" if practice.flagged else ""
    return f"| {practice.id}{sign} | {practice.name} | {practice.zh} | {meaning} | {where} |"
