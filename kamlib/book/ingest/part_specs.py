"""The tables section of a mapping: which file feeds which contract table, and each column from what."""

from __future__ import annotations

from collections.abc import Mapping as Named
from types import MappingProxyType

from kamlib.book.contract import TABLES, Table
from kamlib.book.ingest.file_specs import FORMAT_KEYS, read_drop, read_file_spec, read_formats
from kamlib.book.ingest.grammar import is_expression, parse
from kamlib.book.ingest.sections import Section, near
from kamlib.book.ingest.specs import Changes, ColumnSpec, FileSpec, Formats, LookupSpec, OnePer, PartSpec
from kamlib.errors import RequestError

_PART_KEYS = (
    "from",
    "lookups",
    "add",
    "drop",
    "explode",
    "one_per",
    "changes",
    "columns",
    "also",
    *FORMAT_KEYS,
)
_COLUMN_KEYS = ("column", "expression", "value", "position_within")
_COLUMN_OPTIONS = ("alias", "values", "default", "unknown", *FORMAT_KEYS)


class TableReader:
    """Reads the parts of tables; knows the files and aliases they may name."""

    def __init__(self, files: dict[str, FileSpec], aliases: dict, formats: Formats):
        self.files, self.aliases, self.formats = files, aliases, formats

    def parts(self, table: str, given, where: str) -> tuple[PartSpec, ...]:
        listed = given if isinstance(given, list) else [given]
        if not listed:
            raise RequestError(f"{where} is empty; give it 'from' and 'columns'")
        places = [where] if len(listed) == 1 else [f"{where}[{i}]" for i in range(1, len(listed) + 1)]
        return tuple(self._part(table, Section(g, w, _PART_KEYS)) for g, w in zip(listed, places, strict=True))

    def _part(self, table: str, section: Section) -> PartSpec:
        spec, where = TABLES[table], section.where
        file = self._source(section.text("from"), f"{where}.from")
        own = {k: v for k, v in section.given.items() if k in FORMAT_KEYS}
        formats = read_formats(Section(own, where, None), self.files[file].formats)
        changes = self._changes(section, spec)
        columns = self._columns(section.section("columns", None), spec, formats)
        _refuse_lacking(columns, spec, f"{where}.columns", changes)
        explode = section.section("explode", ("times", "as"))
        return PartSpec(
            table,
            where,
            file,
            formats,
            MappingProxyType(columns),
            MappingProxyType(self._also(section.section("also", None), spec, formats)),
            self._lookups(section),
            _named_expressions(section.section("add", None)),
            {**self.files[file].drop, **read_drop(section.section("drop", None))},
            _checked_if_expression(explode.text("times"), f"{explode.where}.times") if explode.given else "",
            explode.text("as", "nth"),
            self._one_per(section, columns),
            changes,
        )

    def _source(self, name: str, where: str) -> str:
        """The name of a declared file; a path that is not declared becomes a file of its own."""
        if not name:
            raise RequestError(f"{where} is missing: name one of the files, or the path of one")
        if name not in self.files:
            if "." not in name:
                raise RequestError(f"{where}: no file {name!r} is declared{near(name, self.files)}")
            self.files[name] = read_file_spec(name, Section({"path": name}, where, None), self.formats)
        return name

    def _columns(self, section: Section, spec: Table, formats: Formats) -> dict[str, ColumnSpec]:
        for name in section.given:
            if name not in spec.columns:
                raise RequestError(
                    f"{section.where}: table {spec.name} has no column {name!r}{near(name, spec.columns)}; a column "
                    f"of your own goes under 'also'"
                )
        ordered = [name for name in spec.columns if name in section.given]
        columns = {n: self._column(n, section.given[n], f"{section.where}.{n}", formats) for n in ordered}
        for name, column in columns.items():
            if column.unknown == "missing" and not (spec.columns[name].optional and spec.columns[name].refers):
                raise RequestError(
                    f"{section.where}.{name}: 'unknown: missing' is for optional references; {name} is none"
                )
        return columns

    def _also(self, section: Section, spec: Table, formats: Formats) -> dict[str, ColumnSpec]:
        clash = [n for n in section.given if n.lower() in spec.columns or n.startswith("__") or not n.strip()]
        if clash:
            raise RequestError(f"{section.where}: {clash[0]!r} cannot name an extra column; the contract has it")
        if len({n.lower() for n in section.given}) < len(section.given):
            raise RequestError(f"{section.where}: two names differ only in case; databases take them for the same")
        return {n: self._column(n, v, f"{section.where}.{n}", formats) for n, v in section.given.items()}

    def _column(self, name: str, given, where: str, formats: Formats) -> ColumnSpec:
        if isinstance(given, str):
            kind = "expression" if is_expression(given) else "column"
            given = {kind: given}
        if not isinstance(given, Named):
            raise RequestError(f"{where} is {given!r}; write a source column, an expression, or {{value: …}}")
        section = Section(given, where, _COLUMN_KEYS + _COLUMN_OPTIONS)
        chosen = [key for key in _COLUMN_KEYS if key in given]
        if len(chosen) != 1:
            raise RequestError(f"{where} needs exactly one of {', '.join(_COLUMN_KEYS)}; it has {chosen or 'none'}")
        return ColumnSpec(
            name,
            section.text("column"),
            _checked(section.text("expression"), where) if "expression" in given else "",
            self._constant(given.get("value"), name, where),
            section.texts("position_within"),
            read_formats(Section({k: v for k, v in given.items() if k in FORMAT_KEYS}, where, None), formats),
            self._alias_name(section),
            _values(section.section("values", None)),
            self._constant(given.get("default"), name, where),
            section.choice("unknown", ("reject", "missing")),
        )

    def _constant(self, value, name: str, where: str):
        if name.endswith("_id") and value is not None and not isinstance(value, str):
            raise RequestError(f"{where}: an identifier is text; write {str(value)!r} in quotes")
        if isinstance(value, (Named, list)):
            raise RequestError(f"{where}: a constant is one value, not {value!r}")
        return value

    def _alias_name(self, section: Section) -> str:
        alias = section.text("alias")
        if alias and alias not in self.aliases:
            raise RequestError(f"{section.where}: there is no alias table {alias!r}{near(alias, self.aliases)}")
        return alias

    def _lookups(self, section: Section) -> tuple[LookupSpec, ...]:
        given = section.given.get("lookups") or []
        if not isinstance(given, list):
            raise RequestError(f"{section.where}.lookups must be a list of look-ups, not {given!r}")
        keys = ("file", "on", "take", "first_by", "last_by")
        sections = [Section(g, f"{section.where}.lookups[{i}]", keys) for i, g in enumerate(given, start=1)]
        return tuple(self._lookup(s) for s in sections)

    def _lookup(self, section: Section) -> LookupSpec:
        on = section.given.get("on")
        on = (
            {c: c for c in section.texts("on")}
            if not isinstance(on, Named)
            else dict(section.section("on", None).given)
        )
        take = section.section("take", None)
        if not on or not take.given:
            raise RequestError(f"{section.where} needs 'on' (our column: theirs) and 'take' (new name: their column)")
        first, last = section.texts("first_by"), section.texts("last_by")
        if first and last:
            raise RequestError(f"{section.where} has first_by and last_by; one of the two chooses the row")
        file = self._source(section.text("file"), f"{section.where}.file")
        return LookupSpec(file, on, _named_expressions(take), first, last)

    def _one_per(self, section: Section, columns: dict) -> OnePer | None:
        if "one_per" not in section.given:
            return None
        given = section.given["one_per"]
        where = f"{section.where}.one_per"
        inner = Section(
            given if isinstance(given, Named) else {"columns": given}, where, ("columns", "order_by", "keep")
        )
        names = inner.texts("columns")
        strange = [n for n in names if n not in columns]
        if strange or not names:
            raise RequestError(f"{where} names columns of the contract table that are mapped: {', '.join(columns)}")
        return OnePer(names, inner.texts("order_by"), inner.choice("keep", ("first", "last")))

    def _changes(self, section: Section, spec: Table) -> Changes | None:
        if "changes" not in section.given:
            return None
        inner = section.section("changes", ("of", "within", "at", "until"))
        made = Changes(inner.text("of"), inner.texts("within"), inner.text("at"), inner.text("until"))
        for name in (made.of, *made.within, made.at, *filter(None, [made.until])):
            if name not in spec.columns:
                raise RequestError(f"{inner.where}: table {spec.name} has no column {name!r}{near(name, spec.columns)}")
        if "one_per" in section.given:
            raise RequestError(f"{section.where} has one_per and changes; one of the two")
        return made


def _refuse_lacking(columns: dict, spec: Table, where: str, changes: Changes | None) -> None:
    lacking = [name for name in spec.required if name not in columns]
    if lacking:
        hint = "; line_no may be {position_within: <order column>}" if "line_no" in lacking else ""
        raise RequestError(f"{where} lacks {len(lacking)} required: {', '.join(lacking)}{hint}")
    if spec.name == "targets" and not {"account_id", "manager_id"} & set(columns):
        raise RequestError(f"{where} lacks account_id or manager_id: a target is somebody's")
    if changes and changes.until in columns:
        raise RequestError(f"{where}.{changes.until} is filled by 'changes'; leave it out")


def _named_expressions(section: Section) -> dict[str, str]:
    return {n: _checked_if_expression(section.text(n), f"{section.where}.{n}") for n in section.given}


def _checked_if_expression(text: str, where: str) -> str:
    if not text:
        raise RequestError(f"{where} is missing: name a source column or write an expression")
    return _checked(text, where) if is_expression(text) else text


def _checked(text: str, where: str) -> str:
    parse(text, where)
    return text


def _values(section: Section) -> dict:
    for name, value in section.given.items():
        if isinstance(value, (Named, list)):
            raise RequestError(f"{section.where}.{name} is one value, not {value!r}")
    return dict(section.given)
