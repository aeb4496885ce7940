"""YAML read section by section: each section knows where it stands, so that every error says where."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping as Named
from pathlib import Path
from typing import ClassVar

import yaml

from kamlib.errors import RequestError

MAX_BYTES = 1_000_000


def read_yaml(path: Path):
    """The content of a YAML file; RequestError when it is too large or not YAML in UTF-8."""
    if path.stat().st_size > MAX_BYTES:
        raise RequestError(f"{path} has more than {MAX_BYTES:,} bytes: that is not a mapping")
    try:
        return yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"{path} is not valid YAML in UTF-8: {' '.join(str(error).split())}") from None


class _Loader(yaml.SafeLoader):
    """Safe; ``on``, ``no``, ``0007`` and ``2026-09-30`` are text, and a key written twice is an error."""

    yaml_implicit_resolvers: ClassVar[dict] = {}

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in seen and key != "<<":
                line = key_node.start_mark.line + 1
                raise yaml.YAMLError(f"the key {key!r} is written twice, again on line {line}")
            seen.add(key)
        return super().construct_mapping(node, deep)


for _tag, _form, _first in (
    ("bool", r"^(?:true|false|True|False)$", "tfTF"),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", "-0123456789"),
    ("float", r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$", "-0123456789"),
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("merge", r"^<<$", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_form), list(_first))


class Section:
    """A part of the mapping with its path, so that each error says where."""

    def __init__(self, given, where: str, known: tuple[str, ...] | None):
        if given is None:
            given = {}
        if not isinstance(given, Named):
            raise RequestError(f"{where} must hold named entries, not {given!r}")
        self.given, self.where = given, where
        for name in given:
            if not isinstance(name, str):
                raise RequestError(f"{where}: the name {name!r} is not text; write it in quotes")
            if known is not None and name not in known:
                raise RequestError(f"{where} has no key {name!r}{near(name, known)}")

    def section(self, name: str, known: tuple[str, ...] | None) -> Section:
        return Section(self.given.get(name), f"{self.where}: {name}", known)

    def sections(self):
        return [(name, Section(value, f"{self.where}.{name}", None)) for name, value in self.given.items()]

    def text(self, name: str, default: str = "") -> str:
        value = self.given.get(name, default)
        if not isinstance(value, str):
            raise RequestError(f"{self.where}: {name} must be text, not {value!r}; write it in quotes")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.given.get(name) or ()
        items = (value,) if isinstance(value, str) else value
        if not isinstance(items, (list, tuple)) or not all(isinstance(v, str) for v in items):
            raise RequestError(f"{self.where}: {name} must be text or a list of texts, not {value!r}")
        return tuple(items)

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.given.get(name, choices[0])
        if value not in choices:
            raise RequestError(f"{self.where}: {name} is one of {', '.join(choices)}, not {value!r}")
        return value


def near(name: str, known) -> str:
    """The end of an error message: the nearest known name, or all of them."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known) or 'none'}"
