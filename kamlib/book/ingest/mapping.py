"""The mapping of an export onto the contract: a YAML file read into typed values, each misspelt key an error."""

from __future__ import annotations

import os
from collections.abc import Mapping as Named
from pathlib import Path
from types import MappingProxyType

from kamlib.book.contract import TABLES
from kamlib.book.ingest.file_specs import FORMAT_KEYS, read_file_spec, read_formats
from kamlib.book.ingest.formats import DateFormat
from kamlib.book.ingest.part_specs import TableReader
from kamlib.book.ingest.sections import Section, near, read_yaml
from kamlib.book.ingest.specs import Formats, Mapping
from kamlib.book.settings import Settings
from kamlib.book.tables import REQUIRED
from kamlib.errors import RequestError


def load_mapping(path: str | os.PathLike) -> Mapping:
    """Read and check a mapping file.

    Raises
    ------
    RequestError
        When the file is absent, is not YAML, has a key that is not known (with the nearest known one), lacks a
        required column, or holds an expression that is not allowed.

    Examples
    --------
    >>> sorted(load_mapping("data/mappings/online_retail.yml").tables)  # doctest: +SKIP
    ['accounts', 'orders', 'products']
    """
    path = Path(path)
    if not path.is_file():
        raise RequestError(f"there is no mapping file at {path}; see data/mappings/README.md for how to write one")
    return read_mapping(read_yaml(path), path.name)


def read_mapping(content, label: str = "the mapping") -> Mapping:
    """The mapping held in the content of a YAML file; RequestError as for :func:`load_mapping`."""
    top = Section(content, label, ("book", "formats", "files", "aliases", "tables"))
    book = top.section("book", None)
    settings = _settings(book.given, label)
    formats = read_formats(top.section("formats", FORMAT_KEYS), Formats(date=DateFormat(timezone=settings.timezone)))
    files = {n: read_file_spec(n, s, formats) for n, s in top.section("files", None).sections()}
    tables = top.section("tables", None)
    _refuse_tables(tables)
    aliases = {name: _alias(section) for name, section in top.section("aliases", None).sections()}
    reader = TableReader(files, aliases, formats)
    parts = {name: reader.parts(name, tables.given[name], f"{label}: tables.{name}") for name in tables.given}
    return Mapping(label, dict(book.given), settings, MappingProxyType(files), aliases, MappingProxyType(parts))


def _settings(book: Named, label: str) -> Settings:
    settings = Settings.from_mapping(book)
    if settings.unknown:
        known = [n for n in Settings.__dataclass_fields__ if n != "unknown"]
        raise RequestError(f"{label}: book has no setting {settings.unknown[0]!r}{near(settings.unknown[0], known)}")
    return settings


def _refuse_tables(tables: Section) -> None:
    for name in tables.given:
        if name not in TABLES:
            raise RequestError(f"{tables.where} has no table {name!r}{near(name, TABLES)}")
    absent = [name for name in REQUIRED if name not in tables.given]
    if absent:
        raise RequestError(f"{tables.where} lacks {' and '.join(absent)}: a book needs {' and '.join(REQUIRED)}")


def _alias(section: Section) -> dict[str, str]:
    """``{variant: name}`` from ``{name: [variants]}``, each name standing for itself too."""
    found = {}
    for name in section.given:
        for variant in (name, *section.texts(name)):
            if found.setdefault(variant, name) != name:
                raise RequestError(
                    f"{section.where}: {variant!r} stands for both {found[variant]!r} and {name!r}; it can for one"
                )
    return found
