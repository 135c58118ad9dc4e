"""A ledger of what a store acknowledged, and the comparison with what it holds after a crash."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Mapping


class LedgerError(AssertionError):
    """The store broke its promise: something acknowledged is lost, torn or back again."""


def digest(content: bytes) -> str:
    """Return what stands for a content in the ledger."""
    return hashlib.sha256(content).hexdigest()


class Ledger:
    """Per key what was acknowledged last, and what an unanswered operation may have left instead.

    One writer at a time works on a key; any number of writers share the ledger. A content is its
    digest, `None` stands for "no such object".

    Attributes:
        acknowledgements: how many operations were acknowledged.
        written: keys and contents that were acknowledged, also those that others replaced since.
        fates: how many operations of each kind that were never answered turned out to be done,
            and how many not.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._acknowledged: dict[str, str | None] = {}
        self._unanswered: dict[str, str | None] = {}
        self._kinds: dict[str, str] = {}
        self.acknowledgements = 0
        self.written: set[tuple[str, str]] = set()
        self.fates: Counter[tuple[str, str]] = Counter()

    def begin(self, key: str, wanted: str | None, kind: str = "put") -> None:
        """Note, before the request is sent, what a key is to hold, and by what operation."""
        with self._lock:
            assert key not in self._unanswered, "one operation at a time on a key"
            self._unanswered[key] = wanted
            overwrites = kind == "put" and self._acknowledged.get(key) is not None
            self._kinds[key] = "overwrite" if overwrites else kind

    def acknowledge(self, key: str) -> None:
        """Note that the store said the operation is done."""
        with self._lock:
            content = self._acknowledged[key] = self._unanswered.pop(key)
            self.acknowledgements += 1
            if content is not None:
                self.written.add((key, content))

    def held(self, prefix: str) -> dict[str, str]:
        """Return the keys with that prefix that certainly hold something, with their digests."""
        with self._lock:
            return {
                key: content
                for key, content in self._acknowledged.items()
                if content is not None and key.startswith(prefix) and key not in self._unanswered
            }

    def reconcile(self, found: Mapping[str, str]) -> None:
        """Compare with everything the store holds, which from now on counts as acknowledged.

        Args:
            found: key → digest of the whole body as it was read.

        Raises:
            LedgerError: a key holds neither what was acknowledged last nor, as a whole, what an
                unanswered operation wanted; the message names all such keys.
        """
        violations = []
        for key in sorted(self._acknowledged.keys() | self._unanswered.keys() | found.keys()):
            allowed = {self._acknowledged.get(key)}
            if key in self._unanswered:
                allowed.add(self._unanswered[key])
            if found.get(key) not in allowed:
                violations.append(f"{key}: {_verdict(found.get(key), self._acknowledged.get(key))}")
        if violations:
            raise LedgerError("; ".join(violations))
        for key, wanted in self._unanswered.items():
            if wanted != self._acknowledged.get(key):
                fate = "done" if found.get(key) == wanted else "not done"
                self.fates[self._kinds[key], fate] += 1
        self._acknowledged = dict(found)
        self._unanswered = {}


def _verdict(found: str | None, acknowledged: str | None) -> str:
    if found is None:
        return f"{acknowledged} was acknowledged and is lost"
    if acknowledged is None:
        return f"{found} is there, though its deletion was acknowledged or nobody wrote it"
    return f"{found} is there instead of {acknowledged}"
