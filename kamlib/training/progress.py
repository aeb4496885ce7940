"""A learner's progress: one small file of one line per answer, which a supervisor can read.

The file only grows, a whole line at a time and under a lock, so that several pages may write at once. A line that was
cut off or damaged is set aside in a file beside it and said; the good lines are kept. Stored are the name the learner
gave, and of each answer its exercise, whether it was right, the hints seen before it, and the day.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from kamlib.errors import RequestError
from kamlib.training import wording

DEFAULT = Path("data/progress")  # where the course keeps it; made when the first learner begins
SUFFIX = ".progress.jsonl"
GAME = ".territory.json"
_LAST = "last_learner.txt"


@dataclass(frozen=True)
class Attempt:
    """One answer: whose, to which exercise, whether it was right, hints taken before it, and the day.

    ``is_shown`` says that the learner asked to be shown the answer instead of giving one.
    """

    learner: str
    exercise: str
    is_right: bool
    hints: int
    on: str
    is_shown: bool = False

    @classmethod
    def from_line(cls, line: str) -> Attempt:
        """Read a line; ValueError when it does not hold an attempt."""
        entry = json.loads(line)
        types = {"learner": str, "exercise": str, "is_right": bool, "hints": int, "on": str, "is_shown": bool}
        if not isinstance(entry, dict) or set(entry) != set(types):
            raise ValueError("not an attempt")
        if not all(isinstance(entry[name], kind) for name, kind in types.items()):
            raise ValueError("an attempt with a value of the wrong kind")
        date.fromisoformat(entry["on"])
        return cls(**entry)


@dataclass(frozen=True)
class Damage:
    """What was found damaged in a progress file, and where it was set aside."""

    file: Path
    aside: Path
    lines: int
    kept: int


class Progress:
    """The progress of one learner, kept in a folder.

    Parameters
    ----------
    folder
        Where progress files lie; made when it is not there, with a note that keeps it out of version control.
    learner
        The name the learner gave.

    Examples
    --------
    >>> progress = Progress("data/progress", "Lin")  # doctest: +SKIP
    >>> progress.record("role.gift", is_right=True, hints=1)  # doctest: +SKIP
    """

    def __init__(self, folder: str | os.PathLike, learner: str) -> None:
        self.learner = " ".join(learner.split())
        if not self.learner:
            raise RequestError("a learner needs a name; any name will do")
        self.folder = Path(folder)
        self.file = self.folder / file_name(self.learner)
        self.folder.mkdir(parents=True, exist_ok=True)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")

    def record(self, exercise: str, is_right: bool, hints: int = 0, on: date | None = None, is_shown=False) -> Attempt:
        """Add an answer; it is on the disk when this returns."""
        day = (on or date.today()).isoformat()
        attempt = Attempt(self.learner, exercise, bool(is_right), int(hints), day, bool(is_shown))
        line = json.dumps(asdict(attempt), ensure_ascii=False) + "\n"
        with _locked(self.file):
            glue = b"" if _ends_whole(self.file) else b"\n"
            with self.file.open("ab") as out:
                out.write(glue + line.encode())
                out.flush()
                os.fsync(out.fileno())
        return attempt

    def attempts(self) -> tuple[list[Attempt], Damage | None]:
        """All answers so far, and what was damaged and has been set aside just now."""
        return read_file(self.file)

    def remember(self) -> None:
        """Make this learner the one whom the next page greets."""
        _replace(self.folder / _LAST, self.learner.encode())


def last_learner(folder: str | os.PathLike) -> str:
    """The learner who worked here last, or an empty name."""
    path = Path(folder) / _LAST
    return path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else ""


def file_name(learner: str) -> str:
    """The name of a learner's file: readable, and different for each learner whatever the script."""
    key = " ".join(learner.casefold().split())
    digest = hashlib.blake2b(key.encode(), digest_size=4).hexdigest()
    return f"{re.sub(r'[^a-z0-9]+', '-', key).strip('-') or 'learner'}-{digest}{SUFFIX}"


def read_file(file: Path) -> tuple[list[Attempt], Damage | None]:
    """Read a progress file; damaged lines are moved to a file beside it, and the good ones stay."""
    if not file.exists():
        return [], None
    with _locked(file):
        good, bad = _sorted_out(file.read_bytes())
        if not bad:
            return [attempt for _, attempt in good], None
        aside = _free_name(file)
        _replace(aside, b"\n".join(bad) + b"\n")
        _replace(file, b"".join(line + b"\n" for line, _ in good))
    return [attempt for _, attempt in good], Damage(file, aside, len(bad), len(good))


def overview(place: str | os.PathLike, modules: dict[str, list[str]]) -> tuple[pd.DataFrame, list[Damage]]:
    """How far learners are, one row per learner and module, those not begun too.

    Parameters
    ----------
    place
        A progress file, or a folder of them.
    modules
        Exercises by module, as :func:`kamlib.training.exercises.by_topic` gives them.

    Returns
    -------
    tuple
        A frame with columns learner, module, done, of, first_try_share, hints, shown, last_day, quarters; and what
        was damaged. Shares are of the exercises that were done; hints are the most seen at any one answer, summed
        over exercises; last_day is empty where a module is not begun; quarters are those played of the territory,
        missing where no game is kept.

    Raises
    ------
    RequestError
        When the place is neither a folder nor a progress file.
    """
    rows, damages = [], []
    for file in _files(Path(place)):
        attempts, damage = read_file(file)
        damages += [damage] if damage else []
        rows += [(*row, quarters_played(file)) for row in _rows(attempts, modules)]
    columns = ["learner", "module", "done", "of", "first_try_share", "hints", "shown", "last_day", "quarters"]
    return pd.DataFrame(rows, columns=columns), damages


def lines(frame: pd.DataFrame) -> list[str]:
    """The overview as a table of text: its heading, each learner's modules, their total, and the territory."""
    titles = {name: f"{n} {title}" for n, (name, title) in enumerate(wording.texts("page")["modules"].items(), start=1)}
    body = []
    for learner, own in frame.groupby("learner", sort=False):
        body += [[learner, titles.get(r.module, r.module), *_cells(r)] for r in own.itertuples()]
        body.append([learner, wording.say("progress_all"), *_cells(_total(own))])
        if own["quarters"].notna().any():
            played = wording.say("progress_quarters", n=int(own["quarters"].iloc[0]))
            body.append([learner, wording.say("progress_territory"), played, "", "", "", ""])
    heads = [
        wording.say(f"progress_{head}") for head in ("learner", "module", "done", "first", "hints", "shown", "day")
    ]
    widths = [max(_width(row[i]) for row in [heads, *body]) for i in range(len(heads))]
    pad = lambda text, width: text + " " * (width - _width(text))  # noqa: E731
    return ["  ".join(map(pad, row, widths)).rstrip() for row in [heads, *body]]


def _cells(row) -> list[str]:
    """What a module's row tells, as text; only its first cell where the module is not begun."""
    done = f"{row.done} of {row.of}"
    if not row.last_day:
        return [done, "–", "–", "–", "–"]
    return [done, _percent(row.first_try_share), str(row.hints), str(row.shown), row.last_day]


def _total(own: pd.DataFrame) -> pd.Series:
    """The modules of one learner in one row."""
    sums = own[["done", "of", "hints", "shown"]].sum()
    first = (own["first_try_share"].fillna(0) * own["done"]).sum()
    share = first / sums["done"] if sums["done"] else float("nan")
    return pd.Series({**sums, "first_try_share": share, "last_day": own["last_day"].max()})


def quarters_played(file: Path) -> int | None:
    """Quarters of the territory that the learner of this progress file has played; None where no game is kept."""
    game = file.with_name(file.name.removesuffix(SUFFIX) + GAME)
    if not game.is_file():
        return None
    try:
        return len(json.loads(game.read_text(encoding="utf-8"))["quarters"])
    except (ValueError, KeyError, TypeError):
        return None  # a damaged game is set aside, and said, when it is next opened


def _percent(share: float) -> str:
    return "–" if share != share else f"{share:.0%}"


def _width(text: str) -> int:
    """Columns a text takes up on a terminal, where a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _rows(attempts: list[Attempt], modules: dict[str, list[str]]) -> Iterator[tuple]:
    for module, exercises in modules.items() if attempts else ():
        own = [a for a in attempts if a.exercise in exercises]
        done, first = solved(own), at_first_try(own)
        share = len(first & set(done)) / len(done) if done else float("nan")
        hints, shown = sum(_hints_seen(own).values()), len({a.exercise for a in own if a.is_shown})
        last = max((a.on for a in own), default="")
        yield (attempts[-1].learner, module, len(done), len(exercises), share, hints, shown, last)


def _hints_seen(attempts: Iterable[Attempt]) -> dict[str, int]:
    """The most hints seen at any answer, by exercise: each answer tells all that were seen before it."""
    most: dict[str, int] = {}
    for attempt in attempts:
        most[attempt.exercise] = max(most.get(attempt.exercise, 0), attempt.hints)
    return most


def solved(attempts: Iterable[Attempt]) -> dict[str, str]:
    """Exercises that were answered rightly, with the first day they were."""
    days: dict[str, str] = {}
    for attempt in attempts:
        if attempt.is_right:
            days.setdefault(attempt.exercise, attempt.on)
    return days


def at_first_try(attempts: Iterable[Attempt]) -> set[str]:
    """Exercises whose very first answer was right."""
    first: dict[str, Attempt] = {}
    for attempt in attempts:
        first.setdefault(attempt.exercise, attempt)
    return {name for name, attempt in first.items() if attempt.is_right}


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir() and place != DEFAULT:
        raise RequestError(f"there is no {place}; name the folder the course keeps progress in, or one *{SUFFIX}")
    return sorted(place.glob(f"*{SUFFIX}"))


def _sorted_out(content: bytes) -> tuple[list[tuple[bytes, Attempt]], list[bytes]]:
    good, bad = [], []
    for line in content.split(b"\n"):
        try:
            if line.strip():
                good.append((line, Attempt.from_line(line.decode("utf-8"))))
        except ValueError:  # of JSON, of UTF-8 and of dates alike: the line is kept aside, whatever ails it
            bad.append(line)
    return good, bad


def _ends_whole(file: Path) -> bool:
    if not file.exists() or not file.stat().st_size:
        return True
    with file.open("rb") as content:
        content.seek(-1, os.SEEK_END)
        return content.read(1) == b"\n"


def _free_name(file: Path) -> Path:
    number = 1
    while (name := file.with_name(f"{file.name}.damaged-{number}")).exists():
        number += 1
    return name


def _replace(file: Path, content: bytes) -> None:
    """Write a file so that it is there whole or as it was before."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".new")
    with os.fdopen(handle, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    Path(name).replace(file)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold the file against other writers, whichever process they are in; the lock ends with its holder."""
    with file.with_name(f".{file.name}.lock").open("a+b") as lock:
        _lock(lock.fileno())
        yield


if os.name == "nt":  # pragma: no cover
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
