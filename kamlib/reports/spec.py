"""What to render: a spec file of notebooks and parameters, or notebooks named one by one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from kamlib.errors import RequestError
from kamlib.reports.parameters import Parameter, fill, read_contract

EACH = {"account": "account_id", "manager": "manager_id", "region": "region", "industry": "industry"}
_REPORT_KEYS = {"notebook", "parameters", "each"}
_SPEC_KEYS = {"title", "description", "period", "reports"}


@dataclass(frozen=True)
class Report:
    """One notebook to render: its path, its name in the output, its contract and the values given."""

    path: Path
    name: str
    contract: Mapping[str, Parameter] = field(repr=False)
    given: Mapping = field(default_factory=dict)
    each: str = ""


def root() -> Path:
    """The project folder: the current one when it has notebooks, else the one this package was installed from."""
    here = Path.cwd()
    return here if (here / "notebooks").is_dir() else Path(__file__).resolve().parents[2]


def read_reports(asked: list[str], given: Mapping[str, str] | None = None, each: str = "") -> list[Report]:
    """The reports a request asks for.

    Parameters
    ----------
    asked
        Names of specs (``quarterly``), paths of spec files, or notebooks (``studies/churn`` or a path).
    given
        Parameters from the command line, as text; each must belong to at least one of the notebooks.
    each
        Fan out every report: ``account``, ``manager``, ``region`` or ``industry``. What a spec says of one goes first.

    Raises
    ------
    RequestError
        Naming every wrong entry at once; nothing has been started.
    """
    reports, wrong = [], []
    for name in asked:
        try:
            reports += _read(name, each)
        except RequestError as error:
            wrong.append(str(error))
    try:
        reports = _with_given(reports, given or {})
    except RequestError as error:
        wrong.append(str(error))
    if wrong:
        raise RequestError("\n".join(wrong))
    names = [report.name for report in reports]
    return [report for i, report in enumerate(reports) if report.name not in names[:i]]


def _read(name: str, each: str) -> list[Report]:
    spec = _spec_path(name)
    if spec:
        return [_entry(entry, spec, each) for entry in _entries(spec)]
    return [_report(_notebook_path(name), {}, each)]


def kind_of_period(asked: list[str]) -> str:
    """The kind of period (quarter, month …) that the specs asked for are made for; empty for notebooks alone."""
    paths = [path for name in asked if (path := _spec_path(name))]
    kinds = {(yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("period", "quarter") for path in paths}
    if len(kinds) > 1:
        raise RequestError(f"the specs asked for are made for different periods: {', '.join(sorted(kinds))}")
    return kinds.pop() if kinds else ""


def _spec_path(name: str) -> Path | None:
    for path in (Path(name), root() / "reports" / f"{name}.yml"):
        if path.suffix in {".yml", ".yaml"} and path.is_file():
            return path
    return None


def _entries(path: Path) -> list[dict]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise RequestError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("reports"), list) or not content["reports"]:
        raise RequestError(f"{path} must have a list 'reports' of notebooks to render")
    _refuse_unknown(content, _SPEC_KEYS, path)
    return [entry if isinstance(entry, dict) else {"notebook": entry} for entry in content["reports"]]


def _entry(entry: dict, spec: Path, each: str) -> Report:
    _refuse_unknown(entry, _REPORT_KEYS, spec)
    if "notebook" not in entry:
        raise RequestError(f"{spec}: an entry of 'reports' names no notebook: {entry}")
    return _report(_notebook_path(str(entry["notebook"])), entry.get("parameters") or {}, entry.get("each") or each)


def _refuse_unknown(entry: Mapping, known: set[str], where: Path) -> None:
    for key in entry:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; it may have {', '.join(sorted(known))}"
            raise RequestError(f"{where}: unknown entry {key!r}{hint}")


def _notebook_path(name: str) -> Path:
    folder = root() / "notebooks"
    for path in (Path(name), Path(f"{name}.ipynb"), folder / name, folder / f"{name}.ipynb"):
        if path.suffix == ".ipynb" and path.is_file():
            return path
    there = sorted(
        str(p.relative_to(folder).with_suffix("")) for p in folder.rglob("*.ipynb") if ".ipynb_" not in str(p)
    )
    specs = sorted(p.stem for p in (root() / "reports").glob("*.yml"))
    close = difflib.get_close_matches(name, there + specs, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise RequestError(
        f"there is no spec and no notebook {name!r}{hint}; specs are {', '.join(specs)}; notebooks are "
        f"{', '.join(there)}"
    )


def _report(path: Path, given: Mapping, each: str) -> Report:
    if each and each not in EACH:
        raise RequestError(f"cannot fan out by {each!r}; it may be {', '.join(EACH)}")
    contract = read_contract(path)
    if each and EACH[each] not in contract and "scope" not in contract:
        raise RequestError(f"{path} has neither a parameter {EACH[each]} nor scope, so it cannot be fanned out")
    fill(contract, given, str(path))
    return Report(path, name_of(path), contract, dict(given), each)


def name_of(path: Path) -> str:
    """The name of a notebook in the output: its file name, which is unique in the project."""
    return path.stem


def _with_given(reports: list[Report], given: Mapping[str, str]) -> list[Report]:
    taken: set[str] = set()
    filled = []
    for report in reports:
        mine = {name: value for name, value in given.items() if name in report.contract}
        typed = {name: report.contract[name].read(value) for name, value in mine.items()}
        taken |= set(mine)
        filled.append(Report(report.path, report.name, report.contract, {**report.given, **typed}, report.each))
    for name in given:
        if name not in taken and reports:
            known = sorted({parameter for report in reports for parameter in report.contract})
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"
            raise RequestError(f"no notebook asked for has a parameter {name!r}{hint}")
    return filled
