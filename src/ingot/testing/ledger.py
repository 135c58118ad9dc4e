"""A ledger of what a store acknowledged, and the comparison with what it holds after a crash."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

# Stands for the content of a delete marker.
MARKER = "delete marker"
# The version of an object in a bucket without versions, and of whatever has none.
NULL = "null"


class LedgerError(AssertionError):
    """The store broke its promise: something acknowledged is lost, torn or back again."""


class Version(NamedTuple):
    """One version of an object, or what is set of a bucket, and all that was said of it.

    Attributes:
        content: the digest of the body, or `MARKER`.
        id: what the store calls it; `None` while it never told.
        tags: as a header has them.
        retention: the mode and until when; empty without.
        held: whether a legal hold is on it.
    """

    content: str
    id: str | None = None
    tags: str = ""
    retention: str = ""
    held: bool = False


# The versions of one name, the newest first; empty where there is nothing.
Stack = tuple[Version, ...]


def digest(content: bytes) -> str:
    """Return what stands for a content in the ledger."""
    return hashlib.sha256(content).hexdigest()


class Ledger:
    """Per name what was acknowledged last, and what an unanswered operation may have left instead.

    One writer at a time works on a name; any number of writers share the ledger.

    Args:
        lapsing: what names begin with whose objects a lifecycle rule may take at any time; in a
            bucket with versions it puts delete markers on top of them.
        versioned: whether the bucket keeps versions.

    Attributes:
        acknowledgements: how many operations were acknowledged.
        fates: how many operations of each kind that were never answered turned out to be done,
            and how many not.
        lapsed: how many objects a lifecycle rule took.
    """

    def __init__(self, *, lapsing: tuple[str, ...] = (), versioned: bool = False) -> None:
        self._lock = threading.Lock()
        self._acknowledged: dict[str, Stack] = {}
        self._unanswered: dict[str, Stack] = {}
        self._kinds: dict[str, str] = {}
        self._lapsing = lapsing
        self._versioned = versioned
        self.acknowledgements = 0
        self.fates: Counter[tuple[str, str]] = Counter()
        self.lapsed = 0

    def begin(self, name: str, wanted: Stack, kind: str) -> None:
        """Note, before the request is sent, what a name is to hold, and by what operation."""
        with self._lock:
            assert name not in self._unanswered, "one operation at a time on a name"
            self._unanswered[name] = wanted
            self._kinds[name] = kind

    def acknowledge(self, name: str, version_id: str | None = None) -> None:
        """Note that the store said the operation is done, and what it called a new version."""
        if version_id is None and not self._versioned:
            version_id = NULL
        with self._lock:
            stack = self._unanswered.pop(name)
            if stack and stack[0].id is None:
                stack = (stack[0]._replace(id=version_id), *stack[1:])
            self._acknowledged[name] = stack
            self.acknowledgements += 1

    def stack(self, name: str) -> Stack:
        """Return what a name certainly holds; nobody may be changing it."""
        with self._lock:
            assert name not in self._unanswered
            return self._acknowledged.get(name, ())

    def reconcile(self, found: Mapping[str, Stack]) -> None:
        """Compare with everything the store holds, which from now on counts as acknowledged.

        Args:
            found: name → all versions as they were read.

        Raises:
            LedgerError: a name holds neither what was acknowledged last nor, as a whole, what an
                unanswered operation wanted; the message names all such names.
        """
        violations = []
        for name in sorted(self._acknowledged.keys() | self._unanswered.keys() | found.keys()):
            before, holds = self._acknowledged.get(name, ()), found.get(name, ())
            allowed = (before, self._unanswered.get(name, before))
            if not any(self._agree(name, holds, stack) for stack in allowed):
                violations.append(f"{name}: {_verdict(holds, before)}")
        if violations:
            raise LedgerError("; ".join(violations))
        for name, wanted in self._unanswered.items():
            before, holds = self._acknowledged.get(name, ()), found.get(name, ())
            if not name.startswith(self._lapsing) and not _same(wanted, before):
                fate = "done" if _same(holds, wanted) else "not done"
                self.fates[self._kinds[name], fate] += 1
        self._acknowledged = {name: stack for name, stack in found.items() if stack}
        self._unanswered = {}

    def _agree(self, name: str, found: Stack, allowed: Stack) -> bool:
        if _same(found, allowed):
            return True
        if not name.startswith(self._lapsing):
            return False
        if self._versioned:
            taken = _same(_without_markers(found), _without_markers(allowed))
        else:
            taken = found == ()
        self.lapsed += taken
        return taken


def _same(found: Stack, wanted: Stack) -> bool:
    """Compare versions; one that was never called anything may be called anything."""
    return len(found) == len(wanted) and all(
        one == other or other == one._replace(id=None)
        for one, other in zip(found, wanted, strict=True)
    )


def _without_markers(stack: Stack) -> Stack:
    return tuple(version for version in stack if version.content != MARKER)


def _verdict(found: Stack, acknowledged: Stack) -> str:
    if not found:
        return f"{acknowledged} was acknowledged and is lost"
    if not acknowledged:
        return f"{found} is there, though its deletion was acknowledged or nobody wrote it"
    return f"{found} is there instead of {acknowledged}"
