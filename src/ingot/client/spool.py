"""Where entries wait whose turn comes at a run's end; beyond a few megabytes on the disk."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from itertools import islice

import msgspec

from ingot.base.errors import Error
from ingot.base.units import MIB
from ingot.client.entries import Entry, Stamp

_MEMORY_BYTES_MAX = 8 * MIB


class EntrySpool:
    """Entries in the order they came in; they are added in any thread, and read when all are."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 # it lives as long as this
            _MEMORY_BYTES_MAX, "w+", encoding="ascii"
        )
        self._lock = threading.Lock()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, entry: Entry) -> None:
        """Note one.

        Raises:
            Error: there is no room for it.
        """
        # Escaped, since a file's name may be no UTF-8.
        line = json.dumps(msgspec.structs.astuple(entry)[: len(Entry.__struct_fields__)]) + "\n"
        try:
            with self._lock:
                self._file.write(line)
                self._count += 1
        except OSError as error:
            raise Error(
                f"cannot note {entry.name!r} in {tempfile.gettempdir()}: {error.strerror}"
            ) from error

    def __iter__(self) -> Iterator[Entry]:
        self._file.seek(0)
        for line in self._file:
            name, size_bytes, modified_ns, etag, stamp, storage_class = json.loads(line)
            looks = None if stamp is None else Stamp(*stamp)
            yield Entry(name, size_bytes, modified_ns, etag, looks, storage_class)

    def batches(self, size: int) -> Iterator[list[Entry]]:
        """Yield all of them in order, so many at a time."""
        entries = iter(self)
        while batch := list(islice(entries, size)):
            yield batch

    def close(self) -> None:
        """Forget them."""
        self._file.close()
