"""The house: imports point down, studies draw no pictures, and no module is a drawer for odds and ends."""

import ast
import re
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "kamlib"
MODULES = sorted(PACKAGE.rglob("*.py"))
LAYERS = {"book": 0, "studies": 1, "training": 2, "reports": 2, "cli": 3}
DRAWING = {"matplotlib", "seaborn", "papermill", "IPython"}


@cache
def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _layer(dotted: str) -> str:
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 else ""


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


def test_imports_point_down():
    for path in MODULES:
        own = LAYERS.get(_layer(_dotted(path)))
        for name in _imports(path) if own is not None else ():
            other = LAYERS.get(_layer(name)) if name.startswith("kamlib.") else None
            same_house = _layer(name) == _layer(_dotted(path))
            assert other is None or other < own or same_house, f"{_dotted(path)} imports {name}, which lies above it"


def test_numbers_are_kept_apart_from_pictures():
    for path in (p for p in MODULES if p.relative_to(PACKAGE).parts[0] in {"studies", "book"}):
        drawing = {name.split(".")[0] for name in _imports(path)} & DRAWING
        assert not drawing, f"{_dotted(path)} imports {drawing}"


def test_no_module_is_a_drawer_for_odds_and_ends():
    odd = [path.name for path in MODULES if re.search(r"util|helper|common|misc", path.stem)]
    assert odd == []


def test_every_module_says_its_scope_in_its_first_line():
    without = [_dotted(p) for p in MODULES if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))]
    assert without == []


def _studies() -> list[str]:
    """A study is a module or package that measures; what stands beside it in the folder is a model."""
    measuring = [p for p in MODULES if "studies" in p.parts and re.search(r"^def measure\(", p.read_text(), re.M)]
    return [_dotted(path).removesuffix(".__init__") for path in measuring]


def test_no_study_imports_another_study():
    studies = _studies()
    assert studies
    for path in (p for p in MODULES if "studies" in p.parts):
        own = ".".join(_dotted(path).removesuffix(".__init__").split(".")[:3])
        for name in _imports(path):
            others = [s for s in studies if s != own and (name == s or name.startswith(f"{s}."))]
            assert not others, f"{_dotted(path)} imports {name}, which belongs to another study"
