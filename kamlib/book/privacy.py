"""What a reader may not see: personal fields, and names where a book is read for others.

The render says so in the environment of the kernels it starts, so that no notebook can forget it:
``KAM_PERSONAL=hidden`` hides personal fields, ``KAM_NAMES=pseudonyms`` replaces the names of accounts and managers
by pseudonyms keyed with ``KAM_REDACT_KEY``, and leaves out free text and columns that nobody here understands.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import ibis

from kamlib.book.contract import Table
from kamlib.errors import RequestError

KEY = "KAM_REDACT_KEY"
_NAMED = {"accounts": ("account_id", "Account"), "managers": ("manager_id", "Manager")}
_FREE_TEXT = {
    "visits": ("purpose",),
    "surveys": ("main_competitor",),
    "opportunities": ("competitor",),
    "ratings": ("evidence",),
    "orders": ("buying_centre",),
}


@dataclass(frozen=True)
class Privacy:
    """What is hidden when a book is read."""

    hides_personal: bool = False
    hides_names: bool = False
    key: bytes = field(default=b"", repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Privacy:
        """What the environment asks for; RequestError when pseudonyms are asked for without a key."""
        given = os.environ if environment is None else environment
        hides_names = given.get("KAM_NAMES") == "pseudonyms"
        key = given.get(KEY, "")
        if hides_names and not key:
            raise RequestError(f"names cannot be replaced without a key; set the environment variable {KEY}")
        return cls(given.get("KAM_PERSONAL") == "hidden" or hides_names, hides_names, key.encode())

    @property
    def redaction(self) -> str:
        """Which pseudonyms names are replaced by, told from those of other keys; nothing where names are shown."""
        return hmac.new(self.key, b"redaction", hashlib.sha256).hexdigest()[:6] if self.hides_names else ""

    def applied(self, table: ibis.Table, spec: Table) -> ibis.Table:
        """The table with what is hidden missing, and names replaced."""
        if self.hides_personal:
            hidden = [name for name, column in spec.columns.items() if column.personal]
            table = table.mutate(**{name: ibis.null(table[name].type()) for name in hidden})
        if self.hides_names:
            table = table.select(*spec.columns, *(name for name in spec.own if name in table.columns))
            table = table.mutate(**{name: ibis.null("string") for name in _FREE_TEXT.get(spec.name, ())})
            table = self._renamed(table, spec) if spec.name in _NAMED else table
        return table

    def _renamed(self, table: ibis.Table, spec: Table) -> ibis.Table:
        identifier, word = _NAMED[spec.name]
        ids = table.select(identifier).distinct().to_pyarrow()[identifier].to_pylist()
        named = ibis.memtable({"renamed_id": ids, "renamed": self._pseudonyms(word, ids)})
        joined = table.left_join(named, table[identifier] == named.renamed_id)
        return joined.mutate(name=joined.renamed).select(*table.columns)

    def _pseudonyms(self, word: str, identifiers: list[str]) -> list[str]:
        """A pseudonym for each; of some thousands of accounts a few would share the short ones, and get longer ones."""
        short = [self.pseudonym(word, one) for one in identifiers]
        times = Counter(short)
        pairs = zip(identifiers, short, strict=True)
        return [name if times[name] == 1 else self.pseudonym(word, one, digits=12) for one, name in pairs]

    def pseudonym(self, word: str, identifier: str, digits: int = 6) -> str:
        """``Account 7F3A91``: the same for the same key and identifier, and not to be turned back without the key.

        Examples
        --------
        >>> Privacy(True, True, b"k").pseudonym("Account", "0007")
        'Account F78869'
        """
        digest = hmac.new(self.key, f"{word}:{identifier}".encode(), hashlib.sha256).hexdigest()
        return f"{word} {digest[:digits].upper()}"
