"""Runs a playbook's cells in this process on a small book, and keeps what it hands to its report."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from kamlib.reports import publish
from kamlib.reports.parameters import read_contract

from books import small_frames, write_folder

FOLDER = Path(__file__).resolve().parents[1] / "notebooks" / "playbooks"
PLAYBOOKS = sorted(path for path in FOLDER.glob("*.ipynb"))
REQUIRED = ("accounts", "orders")


@dataclass
class Run:
    """What a playbook handed over: findings by identifier, notes, plain text, and the folder with its tables."""

    folder: Path
    findings: dict[str, dict] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)
    names: dict = field(default_factory=dict)

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "tables" / f"{name}.parquet")

    @property
    def text(self) -> str:
        return "\n".join(self.shown)


def book_of(folder: Path, tables=None, seed: int = 0, accounts: int = 8) -> Path:
    """A small book, with all tables of the contract or only those named."""
    frames = small_frames(seed, accounts)
    return write_folder({name: frame for name, frame in frames.items() if not tables or name in tables}, folder)


def run(path: Path, book: Path, folder: Path, monkeypatch, **given) -> Run:
    """Run every code cell of a playbook with its parameters, those given in the place of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    done = Run(folder)

    def keep(bundle, raw):
        if publish.FINDING in bundle:
            done.findings[bundle[publish.FINDING]["id"]] = bundle[publish.FINDING]
        done.shown.append(bundle["text/plain"])

    monkeypatch.setattr(publish, "display", keep)
    monkeypatch.setenv("KAM_OUTPUT", str(folder))
    values = {name: parameter.default for name, parameter in read_contract(path).items()}
    values |= {"place": str(book), "as_of": "2026-09-30", "period": "2026-Q3"} | given
    if "account_id" in values and "account_id" not in given:
        values["account_id"] = "0001"
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        if "parameters" in cell["metadata"].get("tags", []):
            done.names.update(values)
        else:
            exec("".join(cell["source"]), done.names)
    return done
