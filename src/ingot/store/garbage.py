"""The garbage queue: blobs that lost their last record wait there until their readers are done."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import chain

from ingot.base.clock import Clock
from ingot.store import keys
from ingot.store.catalog.contract import CommitConflictError, Put
from ingot.store.errors import RecordDamagedError
from ingot.store.records import SCHEMA, GarbageRecord, encode_summed
from ingot.store.seals import open_record

# Blobs of overwritten objects wait this long for readers that hold the old record.
GARBAGE_DELAY_S = 15 * 60.0
GARBAGE_BLOBS_MAX = 1000

_NS_PER_S = 10**9
_log = logging.getLogger(__name__)


class Garbage:
    """What is put into the queue, and when it is due.

    It is a `Displaced`: a commit that does not care for the object which it replaces or removes
    leaves it to the catalog to tell, and the blobs of a whole group go into the queue together.
    """

    def __init__(self, clock: Clock, delay_s: float) -> None:
        self._clock = clock
        self._delay_ns = int(delay_s * _NS_PER_S)

    def entries(self, blob_ids: Sequence[str]) -> list[Put]:
        """Return the entries of the queue for blobs that lose their record."""
        if not blob_ids:
            return []
        due_ns = self._clock.now_ns() + self._delay_ns
        return [
            Put(
                keys.garbage_key(due_ns),
                encode_summed(GarbageRecord(SCHEMA, tuple(blob_ids[at : at + GARBAGE_BLOBS_MAX]))),
            )
            for at in range(0, len(blob_ids), GARBAGE_BLOBS_MAX)
        ]

    def look(self, key: bytes, value: bytes) -> Sequence[str]:
        """Return the blobs of an object; a damaged record might name those of another.

        Raises:
            CommitConflictError: they are in the object's manifest, which must be read before.
        """
        try:
            record = open_record(keys.name_of(key), value)
        except RecordDamagedError as error:
            _log.error("store.damaged a record is replaced or removed: %s", error)
            return ()
        if record.layout == "manifest":
            raise CommitConflictError("the object's parts are to be read first")
        return () if record.blob is None else (record.blob.id,)

    def puts(self, looks: Sequence[Sequence[str]]) -> Sequence[Put]:
        """Return the entries for the blobs of some objects."""
        return self.entries([*chain.from_iterable(looks)])
