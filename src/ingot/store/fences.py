"""The fence of a bucket: the catalog value that says by which rules its objects are written.

Every commit to a bucket demands the fence it was planned by, so that a change of the rules holds
for writes that began before it, too.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

import msgspec

from ingot.store.errors import RecordDamagedError
from ingot.store.locks import LockRule


class Versioning(enum.Enum):
    """How a bucket keeps versions; the value begins its fence."""

    OFF = b"open"
    ENABLED = b"enabled"
    SUSPENDED = b"suspended"


_LOCKED: Final = b"locked"
_QUOTA: Final = b"quota="
_encode_rule = msgspec.json.Encoder().encode
_decode_rule = msgspec.json.Decoder(LockRule).decode


class Quota(NamedTuple):
    """How much a bucket may hold.

    Attributes:
        size_bytes: the most.
        counting: names the count of what it holds already, until that is done; then empty. Until
            then nothing is refused.
    """

    size_bytes: int
    counting: str = ""


class Rules(NamedTuple):
    """By which rules a bucket's objects are written.

    Attributes:
        versioning: how versions are kept; `ENABLED` for ever where objects may be locked.
        lockable: object lock is on, which cannot be taken back.
        lock_rule: the retention of new versions that ask for none.
        quota: how much it may hold; every commit counts what it changes while there is one.
    """

    versioning: Versioning
    lockable: bool = False
    lock_rule: LockRule | None = None
    quota: Quota | None = None

    @property
    def versioned(self) -> bool:
        """Whether versions are kept, or were once."""
        return self.versioning is not Versioning.OFF


def encode_fence(rules: Rules) -> bytes:
    """Write a fence.

    It is `open`, `enabled`, `suspended`, `locked`, or `locked` and the rule as JSON. In front of
    it stands `quota=BYTES ` where there is one, or `quota=BYTES,MARK ` while that is being counted.
    """
    if rules.quota is None:
        return _encode_keeping(rules)
    size_bytes, counting = rules.quota
    mark = f",{counting}" if counting else ""
    return f"quota={size_bytes}{mark} ".encode() + _encode_keeping(rules)


def _encode_keeping(rules: Rules) -> bytes:
    if not rules.lockable:
        return rules.versioning.value
    assert rules.versioning is Versioning.ENABLED, "locked versions are kept"
    return _LOCKED if rules.lock_rule is None else _LOCKED + _encode_rule(rules.lock_rule)


def decode_fence(value: bytes) -> Rules:
    """Read a fence.

    Raises:
        RecordDamagedError: it is none.
    """
    try:
        quota, keeping = None, value
        if value.startswith(_QUOTA):
            limit, _, keeping = value.removeprefix(_QUOTA).partition(b" ")
            size_text, _, counting = limit.decode().partition(",")
            quota = Quota(int(size_text), counting)
        if not keeping.startswith(_LOCKED):
            return Rules(Versioning(keeping), quota=quota)
        rule = keeping.removeprefix(_LOCKED)
        lock_rule = _decode_rule(rule) if rule else None
    except (ValueError, msgspec.DecodeError) as error:
        raise RecordDamagedError("", f"the rules of a bucket cannot be read: {error}") from error
    return Rules(Versioning.ENABLED, lockable=True, lock_rule=lock_rule, quota=quota)
