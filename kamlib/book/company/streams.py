"""Random streams of the sample company: one for each part of each block of accounts, all from one seed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

WHOLE_COMPANY = -1


@dataclass(frozen=True)
class Streams:
    """Independent generators by name; what one part draws never shifts what another draws.

    Examples
    --------
    >>> bool(Streams(7).of("visits").random() == Streams(7).of("visits").random())
    True
    """

    seed: int
    block: int = WHOLE_COMPANY

    def of(self, part: str) -> np.random.Generator:
        """The generator of a part of this block."""
        key = (self.block + 1, zlib.crc32(part.encode()))
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key)))
