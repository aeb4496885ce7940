"""The 110 practices in our own words, with their Chinese terms and the numbers they state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

DATA = Path(__file__).with_name("practices.yml")


@dataclass(frozen=True)
class Practice:
    """One practice.

    Parameters
    ----------
    id
        ``K001`` to ``K110``.
    name, zh
        The English name and the Chinese term.
    group
        What it belongs to, such as ``Selection``.
    meaning
        One line.
    states
        The number it states, in words; empty where it states none.
    flagged
        Whether it carries a legal or ethical risk: shown for review, never automated.
    pending
        The study still to be made that it waits for; empty where it waits for none.
    """

    id: str
    name: str
    zh: str
    group: str
    meaning: str
    states: str = ""
    flagged: bool = False
    pending: str = ""


@cache
def practices() -> Mapping[str, Practice]:
    """All practices by identifier, in order.

    Examples
    --------
    >>> practices()["K014"].zh
    'ABC分類'
    """
    rows = yaml.safe_load(DATA.read_text(encoding="utf-8"))
    return {key: Practice(key, **row) for key, row in rows.items()}
