"""What a report found: one sentence, its number, how sure it is, and whether it may be used."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from kamlib.errors import RequestError


class Verdict(StrEnum):
    """Whether a finding may be acted on."""

    USABLE = "usable"
    CAUTION = "caution"
    NO_CONCLUSION = "no conclusion"


_RANK = {Verdict.USABLE: 0, Verdict.CAUTION: 1, Verdict.NO_CONCLUSION: 2}


@dataclass(frozen=True)
class Gate:
    """A condition a finding must meet; where it is not met the verdict and its reason stand.

    Examples
    --------
    >>> judge(Gate(300 >= 200, Verdict.CAUTION, "Few accounts."))
    (<Verdict.USABLE: 'usable'>, '')
    """

    is_met: bool
    otherwise: Verdict
    reason: str


def judge(*gates: Gate) -> tuple[Verdict, str]:
    """The worst verdict of the gates that are not met, with the reasons that led to a verdict below usable."""
    failed = [gate for gate in gates if not gate.is_met]
    if not failed:
        return Verdict.USABLE, ""
    worst = max(failed, key=lambda gate: _RANK[gate.otherwise]).otherwise
    return worst, " ".join(dict.fromkeys(gate.reason for gate in failed))


@dataclass(frozen=True)
class Finding:
    """One thing a report found.

    Parameters
    ----------
    id
        Stable identifier, ``study.topic``; the next report looks a finding up by it.
    sentence
        The finding in one whole sentence, computed from the data.
    value, unit
        Its number, ``None`` when there is none.
    interval, level
        Lower and upper end and the probability they were made for; ``None`` without an interval.
    n
        How many accounts (or other units named in the sentence) it rests on.
    verdict, reason
        Whether it may be used, and if not fully, why.
    decision
        What to do about it, one sentence; empty when there is nothing to do.
    practices
        The practices it serves, ``K001`` to ``K110``.
    """

    id: str
    sentence: str
    value: float | None = None
    unit: str = ""
    interval: tuple[float, float] | None = None
    level: float | None = None
    n: int | None = None
    verdict: Verdict = Verdict.USABLE
    reason: str = ""
    decision: str = ""
    practices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.sentence.strip():
            raise RequestError(f"finding {self.id!r} has no sentence")
        if self.verdict is not Verdict.USABLE and not self.reason:
            raise RequestError(f"finding {self.id!r} has the verdict {self.verdict} without a reason")
        if (self.interval is None) != (self.level is None):
            raise RequestError(f"finding {self.id!r} must give an interval together with its level")

    def to_dict(self) -> dict:
        """Plain values for JSON; numbers that are not finite become ``None``."""
        return json.loads(json.dumps(_plain(asdict(self))))

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        from kamlib.reports import publish

        return publish.finding_bundle(self)


def headlines_first(found: list[dict]) -> list[dict]:
    """Findings as a busy reader wants them, each kind in the order of the report.

    Those that call for a decision come first, and those the book has nothing for come last.
    """
    return sorted(found, key=lambda finding: (is_bare(finding), not finding.get("decision")))


def is_bare(finding: Mapping) -> bool:
    """Whether the book has nothing at all to judge a finding by."""
    return finding["verdict"] == Verdict.NO_CONCLUSION and finding["n"] == 0


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
