"""The folder of one report: names that are safe, content that is whole, and a manifest that says what is in it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path

from kamlib.errors import RequestError

MANIFEST = "manifest.json"
FAILED = "failed"
_BUILDING, _REPLACED, _WRITING = ".building-", ".replaced-", ".writing-"
SHELF = f"{_BUILDING}shelf"  # the book laid out for one run; cleared by the next if that run is killed


def safe_name(text: str) -> str:
    """A folder name from outside text: letters and digits of any script, ``-`` and ``_``.

    Where something had to be replaced a digest of the whole text follows, so two texts never share a folder.

    Examples
    --------
    >>> safe_name("0007"), safe_name("大客戶"), safe_name("../etc")
    ('0007', '大客戶', 'etc-09fd18')
    """
    plain = unicodedata.normalize("NFC", text)
    cleaned = re.sub(r"[^\w\-]+", "-", plain).strip("-")[:80]
    if cleaned and cleaned == text:
        return cleaned
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=3).hexdigest()
    return f"{cleaned}-{digest}" if cleaned else digest


def book_folder(name: str, redaction: str = "", is_personal: bool = False) -> str:
    """The folder of a book's reports; those whose names are replaced, and those that show personal fields, lie apart,
    so that no index and no earlier period mixes them with the others.

    Examples
    --------
    >>> book_folder("sample"), book_folder("sample", "7f3a91"), book_folder("sample", is_personal=True)
    ('sample', 'sample-redacted-7f3a91', 'sample-with-personal')
    """
    apart = f"-redacted-{redaction}" if redaction else "-with-personal" if is_personal else ""
    return f"{safe_name(name)}{apart}"


def digest_file(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_json(value) -> str:
    """A digest of plain values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


@cache
def code_digest() -> str:
    """A digest of this package: its modules, sentences and templates."""
    package = Path(__file__).resolve().parents[1]
    files = sorted(p for p in package.rglob("*") if p.suffix in {".py", ".yml", ".j2", ".css", ".js"})
    return digest_json([(str(path.relative_to(package)), digest_file(path)) for path in files])


def write_json(path: Path, value) -> None:
    """Write JSON so that the file is either the old one or the new one, never half of one."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1, default=str))


def write_text(path: Path, text: str) -> None:
    """Write text so that the file is either the old one or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_WRITING)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read_manifest(folder: Path) -> dict | None:
    """The manifest of a published report, or ``None`` where there is none."""
    path = folder / MANIFEST
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def is_whole(folder: Path) -> bool:
    """Whether every file of a report is there with the content its manifest names."""
    manifest = read_manifest(folder)
    if manifest is None:
        return False
    return all(
        (folder / name).is_file() and digest_file(folder / name) == digest for name, digest in manifest["files"].items()
    )


def new_building(target: Path) -> Path:
    """An empty folder beside the target, to build the report in."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_BUILDING}{target.name}-", dir=target.parent))
    folder.chmod(0o755)
    return folder


def publish(building: Path, target: Path, manifest: dict) -> None:
    """Write the manifest and move the whole folder into place, in the stead of an earlier one."""
    files = sorted(path for path in building.rglob("*") if path.is_file())
    named = {str(path.relative_to(building)): digest_file(path) for path in files}
    write_json(building / MANIFEST, {**manifest, "files": named})
    replaced = target.with_name(f"{_REPLACED}{target.name}")
    if replaced.exists():
        shutil.rmtree(replaced)
    if target.exists():
        target.rename(replaced)
    try:
        building.rename(target)
    except OSError:
        if replaced.exists():
            replaced.rename(target)
        raise
    if replaced.exists():
        _retire(replaced, target)


def _retire(replaced: Path, target: Path) -> None:
    """Remove a replaced report, but not the pages of single accounts or managers that lie in its folder."""
    for manifest in replaced.glob(f"*/{MANIFEST}"):
        if not (target / manifest.parent.name).exists():
            manifest.parent.rename(target / manifest.parent.name)
    shutil.rmtree(replaced)


def tidy(period_folder: Path) -> None:
    """Clear what a killed run left: half-built folders go, a replaced report without successor comes back."""
    for left in period_folder.rglob(f"{_BUILDING}*"):
        shutil.rmtree(left, ignore_errors=True)
    for replaced in period_folder.rglob(f"{_REPLACED}*"):
        target = replaced.with_name(replaced.name.removeprefix(_REPLACED))
        if target.exists():
            _retire(replaced, target)
        else:
            replaced.rename(target)
    for temporary in period_folder.rglob(f"{_WRITING}*"):
        temporary.unlink()


def published(period_folder: Path) -> list[Path]:
    """The folders of all reports published for a period, sorted by name."""
    manifests = period_folder.rglob(MANIFEST)
    hidden = (_BUILDING, _REPLACED)
    found = [m.parent for m in manifests if not any(p.startswith(hidden) for p in m.relative_to(period_folder).parts)]
    return sorted(folder for folder in found if FAILED not in folder.relative_to(period_folder).parts)


@contextmanager
def held(period_folder: Path) -> Iterator[None]:
    """Hold a period's folder for one run; RequestError naming the holder when another run has it."""
    try:
        period_folder.mkdir(parents=True, exist_ok=True)
        lock = (period_folder / ".lock").open("a+")
    except OSError as error:
        raise RequestError(f"{period_folder} cannot be written to ({error.strerror}); choose another --out") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            raise RequestError(
                f"{period_folder} is held by {holder}; wait for that run to end, or choose another --out"
            ) from None
        _sign(lock)
        yield


def _sign(lock) -> None:
    """Write who holds the folder; the lock itself holds without it, on a full disk too."""
    holder = f"process {os.getpid()} on {socket.gethostname()} since {datetime.now():%Y-%m-%d %H:%M:%S}"
    with contextlib.suppress(OSError):
        os.ftruncate(lock.fileno(), 0)
        os.write(lock.fileno(), holder.encode())
