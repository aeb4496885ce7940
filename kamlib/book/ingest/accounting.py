"""What became of each source row: accepted, rejected with a reason, or dropped by a rule, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


def counted(n: int, thing: str) -> str:
    """A count with its noun.

    Examples
    --------
    >>> counted(1, "row"), counted(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"


@dataclass(frozen=True)
class FileCount:
    """The rows of one source file as one table read them. A source row counts once, whatever it becomes.

    ``accepted`` source rows gave the table at least one row; ``rejected`` ones stand in ``rejects/`` with a reason;
    ``dropped`` ones went by a declared rule, by its name.
    """

    table: str
    file: str
    rows_in: int
    accepted: int
    rejected: int
    dropped: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_balanced(self) -> bool:
        """Whether rows in = accepted + rejected + dropped."""
        return self.rows_in == self.accepted + self.rejected + sum(self.dropped.values())

    def line(self) -> str:
        """The count as one sentence."""
        rules = ", ".join(f"{rule}: {n:,}" for rule, n in self.dropped.items() if n)
        return (
            f"{self.table} from {self.file}: {counted(self.rows_in, 'row')} in = {self.accepted:,} accepted + "
            f"{self.rejected:,} rejected + {sum(self.dropped.values()):,} dropped" + (f" ({rules})" if rules else "")
        )


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did.

    Attributes
    ----------
    out
        The folder of the book.
    files
        One :class:`FileCount` per contract table and source file.
    rows
        Rows of each table of the book.
    reasons
        For each table, how many source rows were rejected for which reason: ``{table: {(column, reason): n}}``.
    notes
        Sentences on what to look at: values not known with the nearest known one, names that look alike.
    """

    out: Path
    files: tuple[FileCount, ...]
    rows: Mapping[str, int]
    reasons: Mapping[str, Mapping[tuple[str, str], int]]
    notes: tuple[str, ...]

    @property
    def accepted(self) -> int:
        """Source rows accepted, over all tables and files."""
        return sum(f.accepted for f in self.files)

    @property
    def rejected(self) -> int:
        """Source rows rejected, over all tables and files."""
        return sum(f.rejected for f in self.files)

    def of(self, table: str) -> FileCount:
        """The counts of one table, its files added up."""
        files = [f for f in self.files if f.table == table]
        dropped: Counter = Counter()
        for file in files:
            dropped.update(file.dropped)
        sums = (sum(getattr(f, name) for f in files) for name in ("rows_in", "accepted", "rejected"))
        return FileCount(table, " + ".join(f.file for f in files), *sums, dict(dropped))

    def lines(self) -> list[str]:
        """The whole report in sentences, for a terminal."""
        said = [file.line() for file in self.files]
        for table, reasons in self.reasons.items():
            for (column, reason), n in reasons.items():
                said.append(f"rejected from {table}: {counted(n, 'row')}, {column}: {reason}")
        said += self.notes
        rows = ", ".join(f"{name} {n:,}" for name, n in self.rows.items())
        return [*said, f"book {self.out}: {rows}"]


class Ledger:
    """Counts kept while an ingest runs: a source row that leaves is entered once, with the rule or the reason.

    Rows are counted by table, part of the table (its number in the mapping) and source file (its number).
    """

    def __init__(self) -> None:
        self.rows_in: dict[tuple[str, int, int], int] = {}
        self.accepted: Counter = Counter()
        self.rejected: Counter = Counter()
        self.dropped: dict[tuple[str, int, int], Counter] = {}
        self.reasons: dict[str, dict[tuple[str, str], int]] = {}
        self.notes: list[str] = []

    def enter(self, table: str, part: int, counts: Mapping[int, int]) -> None:
        """Rows that came in, per source."""
        for source, n in counts.items():
            self.rows_in[(table, part, source)] = n
            self.dropped[(table, part, source)] = Counter()

    def drop(self, table: str, part: int, source: int, rule: str, n: int) -> None:
        """Rows that went by a rule."""
        if n:
            self.dropped[(table, part, source)][rule] += n

    def file_counts(self, labels: Mapping[int, str]) -> tuple[FileCount, ...]:
        """The counts per table and file; where parts of a table read the same file, the part is named."""
        readers = Counter((table, source) for table, _, source in self.rows_in)
        made = []
        for key, n in self.rows_in.items():
            table, part, source = key
            label = labels[source] + (f" (part {part + 1})" if readers[(table, source)] > 1 else "")
            made.append(FileCount(table, label, n, self.accepted[key], self.rejected[key], dict(self.dropped[key])))
        return tuple(made)
