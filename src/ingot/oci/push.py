"""From the image store into a registry: the blobs it lacks, then manifests from the leaves up.

Protocol: OCI distribution-spec 1.1, "Pushing".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from ingot.base.errors import NetworkError, NotFoundError, UsageError
from ingot.base.progress import Progress, Task
from ingot.oci.channel import Ask, Channel, refuse
from ingot.oci.endpoints import Endpoint
from ingot.oci.layout import document, documents
from ingot.oci.manifest import INDEX_TYPE, MANIFEST_TYPE, Descriptor, Index
from ingot.oci.reference import Reference
from ingot.oci.store import ImageStore
from ingot.transport.pool import Response
from ingot.transport.together import each

UPLOADS_AT_ONCE = 4
_DEFAULT_TYPES = {True: INDEX_TYPE, False: MANIFEST_TYPE}


def push(
    name: str, target: Reference, *, channel: Channel, store: ImageStore, progress: Progress
) -> Descriptor:
    """Put an image of the store into a registry; return its root.

    Args:
        name: the image's full name in the store.
        target: where it goes, with a tag.
        channel: sends the requests; mirrors are left out.
        store: has the image.
        progress: counts bytes.

    Raises:
        NotFoundError: the store has no such image, or not all platforms of it.
        UsageError: the target has a digest, which only the image decides.
        DeniedError: the login is missing or not enough.
        NetworkError: the registry cannot be reached, or refuses what it is sent.
    """
    if target.digest is not None:
        raise UsageError(f"{target}: an image is pushed to a tag", hint="leave the digest out")
    root = store.find(name)
    if root is None:
        raise NotFoundError(f"there is no image {name} in the cache", hint="list: ingot cache ls")
    listed = list(documents(store, root, name))
    blobs: dict[str, Descriptor] = {}
    present = {part.digest for part, _ in listed}
    for _, found in listed:
        if isinstance(found, Index):
            if not present.issuperset(child.digest for child in found.manifests):
                raise NotFoundError(
                    f"{name} is here for some platforms only",
                    hint=f"fetch the others: ingot cache pull --all {name}",
                )
        else:
            blobs |= {part.digest: part for part in (found.config, *found.layers)}
    job = _Push(target, channel, store, channel.options.endpoints(target.registry)[-1])
    total = sum(blob.size_bytes for blob in blobs.values())
    with progress.task(f"pushing {target}", total=total, unit="bytes") as task:
        each(partial(job.blob, task=task), blobs.values(), at_once=UPLOADS_AT_ONCE)
    # A registry takes an index only when it has what the index names.
    for part, found in reversed(listed):
        media_type = part.media_type or _DEFAULT_TYPES[isinstance(found, Index)]
        version = target.version if part is listed[0][0] else part.digest
        job.manifest(version, media_type, document(store, part, name))
    return root


@dataclass(frozen=True, slots=True)
class _Push:
    """One push: what, by whom, from where, to where."""

    target: Reference
    channel: Channel
    store: ImageStore
    endpoint: Endpoint

    def blob(self, blob: Descriptor, task: Task) -> None:
        """Upload a blob unless the registry has it."""
        base = f"{self.target.repository}/blobs"
        with self._send(Ask(f"{base}/{blob.digest}", "HEAD"), {200, 404}) as response:
            has = response.status == 200
        if has:
            task.advance(blob.size_bytes)
            return
        with self._send(Ask(f"{base}/uploads/", "POST", {"content-length": "0"}), {202}) as begun:
            place = begun.headers.get("location", "")
        if not place:
            raise NetworkError(f"{self.endpoint.authority} names no place for an upload")
        separator = "&" if "?" in place else "?"
        content = self.store.blob(blob)
        headers = {
            "content-length": str(content.size_bytes),
            "content-type": "application/octet-stream",
        }

        def body() -> Iterable[bytes]:
            return _counted(content.chunks(), task)

        ask = Ask(f"{place}{separator}digest={blob.digest}", "PUT", headers, body)
        self._send(ask, {201}).close()

    def manifest(self, version: str, media_type: str, data: bytes) -> None:
        """Put a manifest or index under a tag or its digest."""
        headers = {"content-type": media_type, "content-length": str(len(data))}
        target = f"{self.target.repository}/manifests/{version}"
        self._send(Ask(target, "PUT", headers, data), {201}).close()

    def _send(self, ask: Ask, good: set[int]) -> Response:
        scope = f"repository:{self.target.repository}:pull,push"
        response = self.channel.send(self.endpoint, ask, scope)
        if response.status not in good:
            response.close()
            refuse(response.status, self.endpoint, self.target)
        return response


def _counted(pieces: Iterable[bytes], task: Task) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        task.advance(len(piece))
