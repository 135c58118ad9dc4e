"""A registry's HTTP interface, as far as pulling needs it: manifests and blobs.

Protocol: OCI distribution-spec 1.1.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ingot.base.errors import DeniedError, IntegrityError, NetworkError, NotFoundError
from ingot.oci.channel import Ask, Channel, refuse
from ingot.oci.digest import check_digest, digest_of, verified
from ingot.oci.endpoints import Endpoint
from ingot.oci.manifest import (
    DOCKER_LIST_TYPE,
    DOCKER_MANIFEST_TYPE,
    DOCUMENT_BYTES_MAX,
    INDEX_TYPE,
    MANIFEST_TYPE,
    Descriptor,
)
from ingot.oci.reference import Reference
from ingot.transport.pool import Response

_ACCEPTED = f"{INDEX_TYPE}, {MANIFEST_TYPE}, {DOCKER_LIST_TYPE}, {DOCKER_MANIFEST_TYPE}"


class RegistryClient(Channel):
    """Reads from registries, their mirrors first; safe to share between threads."""

    def manifest(self, reference: Reference) -> tuple[Descriptor, bytes]:
        """Return a manifest or index, its digest verified where the reference has one.

        Raises:
            NotFoundError: the registry has no such image.
            DeniedError: the login is missing or not enough.
            NetworkError: no mirror and not the registry itself can be reached.
        """
        target = f"{reference.repository}/manifests/{reference.version}"
        with self._ask_all(reference, target, {"accept": _ACCEPTED}) as response:
            data = response.read(DOCUMENT_BYTES_MAX)
            media_type = response.headers.get("content-type", "").partition(";")[0].strip()
        digest = reference.digest or digest_of(data)
        what = f"the manifest of {reference}"
        return Descriptor(digest, sum(map(len, verified([data], digest, what))), media_type), data

    @contextlib.contextmanager
    def blob(
        self, reference: Reference, digest: str, offset: int = 0
    ) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Yield where the bytes that come begin, and the bytes themselves, not verified.

        They begin at `offset`, or at 0 where the registry knows no ranges. Raises as `manifest`.
        """
        target = f"{reference.repository}/blobs/{check_digest(digest)}"
        headers = {"range": f"bytes={offset}-"} if offset else {}
        with self._ask_all(reference, target, headers) as response:
            start = _range_start(response, offset) if response.status == 206 else 0
            yield start, response.stream()

    def _ask_all(self, reference: Reference, target: str, headers: dict[str, str]) -> Response:
        """Return the first good answer of the mirrors and the registry itself."""
        *mirrors, own = self.options.endpoints(reference.registry)
        ask = Ask(target, headers=headers)
        for mirror in mirrors:
            # A mirror that fails costs nothing: digests are checked whoever sends the bytes.
            with contextlib.suppress(NotFoundError, DeniedError, NetworkError):
                return self._ask(mirror, reference, ask)
        return self._ask(own, reference, ask)

    def _ask(self, endpoint: Endpoint, reference: Reference, ask: Ask) -> Response:
        response = self.send(endpoint, ask, f"repository:{reference.repository}:pull")
        if response.status not in {200, 206}:
            response.close()
            refuse(response.status, endpoint, reference)
        return response


def _range_start(response: Response, wanted: int) -> int:
    """Return where the sent part begins (RFC 9110, 14.4)."""
    start = response.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
    if start != str(wanted):
        raise IntegrityError(f"a registry sends bytes from {start or '?'} instead of {wanted} on")
    return wanted
