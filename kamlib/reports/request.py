"""What an operator asks to be rendered, and what its readers may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """What is to be rendered.

    Parameters
    ----------
    reports
        Names of specs or notebooks.
    place
        The book: folder, ``.duckdb`` file or name.
    period
        ``2026-Q3`` and the like.
    as_of
        Day to read as of; the last day of the period where not given.
    parameters
        ``name: text`` from the command line.
    scope
        Account columns and their values.
    each
        Fan out the notebooks named: ``account``, ``manager``, ``region`` or ``industry``.
    out
        Where rendered books go.
    jobs
        How many reports are made side by side; where not given, as many as
        :func:`kamlib.reports.render.side_by_side` finds room for.
    force
        Make reports again whose inputs did not change.
    timeout_seconds
        How long a report may take.
    formats
        ``html`` always; ``pdf`` and ``xlsx`` beside it.
    redact
        Replace names by pseudonyms keyed with ``KAM_REDACT_KEY``, and mark the pages.
    with_personal
        Show personal fields: the pages are marked and lie in a folder of their own.
    """

    reports: tuple[str, ...]
    place: str
    period: str
    as_of: str | None = None
    parameters: Mapping[str, str] | None = None
    scope: Mapping[str, str] | None = None
    each: str = ""
    out: Path | None = None
    jobs: int | None = None
    force: bool = False
    timeout_seconds: int = 1800
    formats: tuple[str, ...] = ("html",)
    redact: bool = False
    with_personal: bool = False

    @property
    def privacy(self) -> dict[str, str]:
        """What the kernels are told about what readers may see."""
        names = {"KAM_NAMES": "pseudonyms"} if self.redact else {}
        return names if self.with_personal else {**names, "KAM_PERSONAL": "hidden"}

    @property
    def is_personal(self) -> bool:
        """Whether personal fields are shown; where names are replaced they never are."""
        return self.with_personal and not self.redact

    @property
    def marks(self) -> dict[str, bool]:
        """What every page and index says of itself to its readers."""
        return {"is_redacted": self.redact, "is_personal": self.is_personal}
