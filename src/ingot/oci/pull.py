"""From a registry into the image store: manifests, then every blob that is missing, at once."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO

from ingot.base.errors import IntegrityError, NetworkError
from ingot.base.progress import Progress, Task
from ingot.base.retry import Backoff
from ingot.base.units import GIB
from ingot.oci.digest import check_digest
from ingot.oci.manifest import (
    INDEX_DEPTH_MAX,
    Descriptor,
    Index,
    Manifest,
    ManifestError,
    Platform,
    decode_manifest,
    select,
)
from ingot.oci.reference import Reference
from ingot.oci.registry import RegistryClient
from ingot.oci.store import ImageStore
from ingot.transport.cord import pause
from ingot.transport.together import each

DOWNLOADS_AT_ONCE = 4
BLOB_BYTES_MAX = 32 * GIB
_RETRIES = Backoff(attempts=5)


def pull(
    reference: Reference,
    platform: Platform | None,
    *,
    client: RegistryClient,
    store: ImageStore,
    progress: Progress,
) -> Descriptor:
    """Have an image in the store, under its full name; return its root (manifest or index).

    Args:
        reference: what to fetch; a digest in it decides, whatever the tag says.
        platform: of an index, only this one's image is fetched; None fetches all.
        client: asks the registry.
        store: takes manifests and blobs.
        progress: counts bytes.

    Raises:
        NotFoundError: there is no such image, or none for the platform.
        DeniedError: the login is missing or not enough.
        NetworkError: the registry cannot be reached, or breaks off too often.
        IntegrityError: what comes does not have its digest, or is malformed.
    """
    root, data = client.manifest(reference)
    store.put(root.digest, [data])
    job = _Pull(reference, platform, client, store)
    wanted = dict.fromkeys(job.blobs(decode_manifest(data, str(reference))))
    missing = [blob for blob in wanted if not store.has(blob.digest)]
    if missing:
        total = sum(blob.size_bytes for blob in missing)
        with progress.task(f"pulling {reference}", total=total, unit="bytes") as task:
            each(partial(job.fetch, task=task), missing, at_once=DOWNLOADS_AT_ONCE)
    store.set_name(str(reference), root)
    return root


@dataclass(frozen=True, slots=True)
class _Pull:
    """One pull: from where, what of it, to where."""

    reference: Reference
    platform: Platform | None
    client: RegistryClient
    store: ImageStore

    def blobs(self, found: Manifest | Index, depth: int = INDEX_DEPTH_MAX) -> Iterator[Descriptor]:
        """Yield every blob of the images wanted, storing manifests on the way."""
        if isinstance(found, Manifest):
            yield from (found.config, *found.layers)
            return
        if depth == 0:
            raise ManifestError(f"{self.reference} nests indexes too deeply")
        chosen = found.manifests
        if self.platform is not None:
            chosen = [select(chosen, self.platform, str(self.reference))]
        for child in chosen:
            own = replace(self.reference, tag=None, digest=check_digest(child.digest))
            _, data = self.client.manifest(own)
            self.store.put(child.digest, [data])
            yield from self.blobs(decode_manifest(data, str(own)), depth - 1)

    def fetch(self, blob: Descriptor, task: Task) -> None:
        """Have one blob; a transfer that breaks goes on where it stopped."""
        if blob.size_bytes > BLOB_BYTES_MAX:
            raise ManifestError(f"{self.reference}: a blob is larger than {BLOB_BYTES_MAX} bytes")
        delays_s = _RETRIES.delays_s(random.Random())  # noqa: S311 # jitter, not a secret
        with self.store.partial(blob.digest) as file:
            while file is not None:
                try:
                    self._append(file, blob, task)
                except NetworkError:
                    delay_s = next(delays_s, None)
                    if delay_s is None:
                        raise
                    pause(delay_s)
                else:
                    return

    def _append(self, file: BinaryIO, blob: Descriptor, task: Task) -> None:
        what = f"{self.reference}: the blob {blob.digest}"
        offset = file.seek(0, os.SEEK_END)
        if offset >= blob.size_bytes:
            # Whole already, or longer than it must be: its digest will tell.
            return
        with self.client.blob(self.reference, blob.digest, offset) as (start, pieces):
            if start != offset:
                file.truncate(start)
            left = blob.size_bytes - start
            for piece in pieces:
                left -= len(piece)
                if left < 0:
                    raise IntegrityError(f"{what} is longer than its manifest says")
                file.write(piece)
                task.advance(len(piece))
        if left:
            raise NetworkError(f"{what} ends {left} bytes early")
