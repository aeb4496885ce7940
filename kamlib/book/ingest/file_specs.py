"""The files section of a mapping: where each source lies, how it is written, and what to drop from it."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

from kamlib.book.ingest.formats import DateFormat, NumberFormat
from kamlib.book.ingest.grammar import parse
from kamlib.book.ingest.sections import Section
from kamlib.book.ingest.specs import FileSpec, Formats
from kamlib.errors import RequestError

FORMAT_KEYS = ("number", "date", "missing", "trim")


def read_formats(section: Section, base: Formats) -> Formats:
    given, where = section.given, section.where
    trim = given.get("trim", base.trim)
    if not isinstance(trim, bool):
        raise RequestError(f"{where}: trim is true or false, not {trim!r}")
    return Formats(
        NumberFormat.declared(given["number"], f"{where}.number") if "number" in given else base.number,
        DateFormat.declared(given["date"], f"{where}.date", base.date.timezone) if "date" in given else base.date,
        section.texts("missing") if "missing" in given else base.missing,
        trim,
    )


_FILE_TEXTS = ("path", "encoding", "delimiter", "sheet", "book", "table", "query")
_FILE_KEYS = (*_FILE_TEXTS, "quote", "header", "names", "short_rows", "drop", *FORMAT_KEYS)


def read_file_spec(name: str, section: Section, base: Formats) -> FileSpec:
    section = Section(section.given, section.where, _FILE_KEYS)
    header = section.given.get("header", 0)
    if not isinstance(header, int) or isinstance(header, bool) or header < 0:
        raise RequestError(f"{section.where}: header is the number of the row with column names, not {header!r}")
    texts = {key: section.text(key) for key in _FILE_TEXTS}
    _refuse_file(section.where, texts)
    return FileSpec(
        name,
        read_formats(Section({k: v for k, v in section.given.items() if k in FORMAT_KEYS}, section.where, None), base),
        quote=section.choice("quote", ('"', "'", "none")),
        header=header,
        names=section.texts("names"),
        short_rows=section.choice("short_rows", ("reject", "missing")),
        drop=read_drop(section.section("drop", None)),
        **texts,
    )


def _refuse_file(where: str, texts: dict) -> None:
    if bool(texts["path"]) == bool(texts["book"]):
        raise RequestError(f"{where} needs either a path below the source folder or the book of a database")
    if texts["book"] and bool(texts["table"]) == bool(texts["query"]):
        raise RequestError(f"{where}: a database is read by its table or by a query, one of the two")
    if any(ord(character) < 32 for character in texts["path"]):
        raise RequestError(f"{where}: the path {texts['path']!r} holds control characters")
    parts = PurePosixPath(texts["path"]).parts + PureWindowsPath(texts["path"]).parts
    if ".." in parts or PurePosixPath(texts["path"]).is_absolute() or PureWindowsPath(texts["path"]).drive:
        raise RequestError(f"{where}: the path {texts['path']!r} leaves the source folder; name files inside it")


def read_drop(section: Section) -> dict[str, str]:
    for name in section.given:
        rule = section.text(name)
        if rule not in ("blank", "header"):
            parse(rule, f"{section.where}.{name}")
    return dict(section.given)
