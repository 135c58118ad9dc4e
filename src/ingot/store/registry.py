"""Small documents that the store keeps for others, who know what they mean: names and bytes.

They are read and changed together: whoever changes some has seen all of them as they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from ingot.s3.crc import crc32c
from ingot.store import keys
from ingot.store.catalog.contract import Catalog, Check, CommitConflictError, Put
from ingot.store.errors import RecordDamagedError, StoreBusyError

DOCUMENTS_MAX = 100_000
_ATTEMPTS_MAX = 100
_SUM_BYTES = 4
_REVISION_BYTES = 8

# All documents by name.
Documents = Mapping[str, bytes]


class Registry:
    """The documents of a store."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def revision(self) -> bytes:
        """Return what is another one after each change; empty before the first."""
        return self._catalog.get(keys.REGISTRY, keys.REVISION) or b""

    def read(self) -> tuple[bytes, Documents]:
        """Return the revision and all documents, from one moment.

        Raises:
            RecordDamagedError: a document is not what was written.
            StoreBusyError: they change all the time.
        """
        start, stop = keys.DOCUMENTS, keys.behind_prefix(keys.DOCUMENTS)
        for _ in range(_ATTEMPTS_MAX):
            revision = self.revision()
            rows = self._catalog.scan(keys.REGISTRY, start, stop, limit=DOCUMENTS_MAX)
            if revision == self.revision():
                return revision, {keys.name_of(key): decode_document(value) for key, value in rows}
        raise StoreBusyError("the registry changes all the time")

    async def change(self, edit: Callable[[Documents], Documents]) -> None:
        """Replace the documents by those that `edit` makes of them; it may be called again.

        Raises:
            RecordDamagedError: a document is not what was written.
            StoreBusyError: others were faster too often.
            Exception: what `edit` raised; nothing was changed.
        """
        for _ in range(_ATTEMPTS_MAX):
            revision, before = self.read()
            after = edit(before)
            changed = {name: text for name, text in after.items() if before.get(name) != text}
            gone = [name for name in before if name not in after]
            if not changed and not gone:
                return
            assert len(after) <= DOCUMENTS_MAX, "one reading finds all"
            number = int.from_bytes(revision, "big") + 1
            puts = [Put(_key(name), encode_document(text)) for name, text in changed.items()]
            puts.append(Put(keys.REVISION, number.to_bytes(_REVISION_BYTES, "big")))
            with contextlib.suppress(CommitConflictError):
                await self._catalog.commit(
                    keys.REGISTRY,
                    checks=[Check(keys.REVISION, revision or None)],
                    puts=puts,
                    deletes=[_key(name) for name in gone],
                )
                return
        raise StoreBusyError("the registry changes all the time")


def encode_document(data: bytes) -> bytes:
    """Return what the catalog keeps of a document: its CRC32C, and the document."""
    return crc32c(data).to_bytes(_SUM_BYTES, "little") + data


def decode_document(value: bytes) -> bytes:
    """Return a document.

    Raises:
        RecordDamagedError: it is not what was written.
    """
    data = value[_SUM_BYTES:]
    if crc32c(data).to_bytes(_SUM_BYTES, "little") != value[:_SUM_BYTES]:
        raise RecordDamagedError("", "a document of the registry has a wrong checksum")
    return data


def _key(name: str) -> bytes:
    return keys.DOCUMENTS + keys.escape(name)
