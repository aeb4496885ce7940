"""A dated copy of a book, verified against it. The copy is itself a book: to restore it is to open or copy it."""

from __future__ import annotations

import math
import shutil
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml

from kamlib.book import places
from kamlib.errors import RequestError


@dataclass(frozen=True)
class Backup:
    """A verified copy: where it lies, what it holds, and the digest of its content."""

    path: Path
    rows: dict[str, int]
    fingerprint: str


def backup(place: str | Path, folder: str | Path, today: date | None = None) -> Backup:
    """Copy a book to ``<folder>/<book>-<date>``, as Parquet, and verify the copy.

    Files are copied to the byte and compared by their digest; tables of a database are read in one go each and
    compared by their rows and sums. The copy is built beside its place and moved there when it is verified, so
    that a copy which is there is whole.

    Raises
    ------
    RequestError
        When there is no such book, a copy of that day is there already, or the copy differs from the book.

    Examples
    --------
    >>> backup("data/sample", "backups").path  # doctest: +SKIP
    PosixPath('backups/sample-2026-09-30')
    """
    source = places.connect(place)
    target = Path(folder) / f"{source.name}-{today or date.today()}"
    if target.exists():
        raise RequestError(f"there is a backup of that day at {target} already; move it away to make another")
    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        is_folder = source.path is not None and source.path.is_dir()
        _copy_files(source, building) if is_folder else _export_tables(source, building)
        copy = places.connect(building)
        rows, fingerprint = _verify(source, copy, is_folder), places.fingerprint(copy)
        copy.connection.disconnect()
        building.chmod(0o755)
        building.rename(target)
    finally:
        shutil.rmtree(building, ignore_errors=True)
        source.connection.disconnect()
    return Backup(target, rows, fingerprint)


def _copy_files(source: places.Place, building: Path) -> None:
    for path in (file for files in source.files.values() for file in files):
        copied = building / path.relative_to(source.path)
        copied.parent.mkdir(exist_ok=True)
        shutil.copy2(path, copied)
    if (source.path / "book.yml").is_file():
        shutil.copy2(source.path / "book.yml", building / "book.yml")


def _export_tables(source: places.Place, building: Path) -> None:
    for name, table in source.sources.items():
        table.to_parquet(building / f"{name}.parquet")
    settings = {"name": source.name, **source.settings}
    (building / "book.yml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")


def _verify(source: places.Place, copy: places.Place, is_folder: bool) -> dict[str, int]:
    """The rows of each table; RequestError when the copy is not the book."""
    if is_folder and places.fingerprint(source) != places.fingerprint(copy):
        raise RequestError(f"the copy of {source.name!r} differs from it; was it written to meanwhile? Try again")
    rows = {}
    for name, table in source.sources.items():
        ours, theirs = places.tally(table), places.tally(copy.sources[name])
        different = [column for column, value in ours.items() if not _equal(value, theirs.get(column))]
        if different:
            raise RequestError(
                f"the copy of table {name!r} differs from it in {', '.join(different)}; was it written to meanwhile? "
                "Try again"
            )
        rows[name] = ours["row_count"]
    return rows


def _equal(one, other) -> bool:
    if isinstance(one, float) or isinstance(other, float):
        return math.isclose(float(one), float(other), rel_tol=1e-9, abs_tol=1e-6)
    return str(one) == str(other)
