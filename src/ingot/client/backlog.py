"""Which versions of a bucket are not replicated: each is asked for by itself, several at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from ingot.base.errors import NotFoundError, UsageError
from ingot.client.addresses import RemoteAddress
from ingot.client.connections import Connections
from ingot.client.versions import history
from ingot.s3.documents.listing import VersionEntry
from ingot.transport.cord import branch

_WORKERS = 8
_BATCH = 256
# What a service calls versions that nobody needs to worry about.
_DONE = frozenset({"COMPLETED", "COMPLETE", "REPLICA"})


class Replicated(NamedTuple):
    """A version, and how far its replication is: `PENDING`, `FAILED`, `COMPLETED` or `REPLICA`."""

    key: str
    version_id: str
    status: str
    modified_ns: int
    size_bytes: int


class Backlog:
    """The versions below an address.

    Args:
        connections: to the service.
        address: a bucket, a folder or an object.

    Raises:
        UsageError: it names no bucket.
    """

    def __init__(self, connections: Connections, address: RemoteAddress) -> None:
        if not address.bucket:
            raise UsageError(f"{address} names no bucket", hint="write it like ALIAS/BUCKET")
        self._client = connections.client(address.alias)
        self._address = address

    def versions(self, *, replicated: bool) -> Iterator[Replicated]:
        """Yield versions that a rule is about, by name; with `replicated` also those that are done.

        Raises:
            NotFoundError: the bucket has no rules, or is not there.
            DeniedError, NetworkError: the service refused or is away.
        """
        self._client.get_bucket_replication(self._address.bucket)
        entries = history(self._client, self._address, recursive=True)
        waiting = (entry for entry in entries if not entry.is_delete_marker)
        with (
            ThreadPoolExecutor(_WORKERS, thread_name_prefix="backlog") as threads,
            branch() as cord,
        ):
            while batch := list(islice(waiting, _BATCH)):
                states = threads.map(lambda entry: cord.run(self._status, entry), batch)
                for entry, status in zip(batch, states, strict=True):
                    if status and (replicated or status not in _DONE):
                        yield Replicated(
                            entry.key,
                            entry.version_id,
                            status,
                            entry.modified_ns,
                            entry.size_bytes,
                        )

    def _status(self, entry: VersionEntry) -> str:
        try:
            info = self._client.head_object(
                self._address.bucket, entry.key, version_id=entry.version_id
            )
        except NotFoundError:
            return ""  # it is gone meanwhile
        return info.service_headers.get("x-amz-replication-status", "").upper()
