"""Downloads with known digests into a content cache, many at a time; small files without one."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote, urlsplit

from ingot.base.atomic import atomic_writer
from ingot.base.errors import IntegrityError, NetworkError, NotFoundError
from ingot.base.progress import SILENT, Progress, Task
from ingot.base.units import MIB
from ingot.transport.options import TransportOptions
from ingot.transport.pool import Request, Response, Transport
from ingot.transport.together import each
from ingot.transport.urls import joined

DOWNLOADS_AT_ONCE = 8
REDIRECTIONS_MAX = 5
_CHUNK_BYTES = 256 * 1024
# From scheme and host to a proxy (see `AptSettings.proxy`).
ProxyRule = Callable[[str, str], str | None]


@dataclass(frozen=True, slots=True)
class Download:
    """A file to have, known by its digest.

    Attributes:
        urls: where it may be; tried in order.
        label: what people call it.
    """

    sha256: str
    size_bytes: int
    urls: tuple[str, ...]
    label: str


@dataclass(slots=True)
class Fetcher:
    """The way out for everything this room downloads.

    Attributes:
        cache_dir: the content cache is `sha256/` below it.
        offline: refuse every connection.
        proxy: the proxy rule of the host's apt; the environment's variables apply below it.
    """

    cache_dir: Path
    offline: bool = False
    proxy: ProxyRule = lambda _scheme, _host: None
    progress: Progress = SILENT
    _transports: dict[str | None, Transport] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def get(self, url: str, size_bytes_max: int = 16 * MIB) -> bytes:
        """Return a small file.

        Raises:
            NotFoundError: there is none.
            NetworkError: the server cannot be reached, answers with an error, or we are offline.
        """
        data = bytearray()
        with self._open(url) as pieces:
            for piece in pieces:
                data += piece
                if len(data) > size_bytes_max:
                    raise NetworkError(f"{url} is larger than {size_bytes_max} bytes")
        return bytes(data)

    def content_path(self, sha256: str) -> Path:
        """Return where the cache keeps the content with this digest, there or not."""
        return content_path(self.cache_dir, sha256)

    def fetch(self, downloads: Sequence[Download], *, title: str = "packages") -> None:
        """Have all of `downloads` in the cache, several at a time.

        Raises:
            IntegrityError: a server sends other bytes than the digest names.
            NotFoundError: no server has the file.
            NetworkError: a server cannot be reached, or we are offline.
        """
        missing = [item for item in dict.fromkeys(downloads) if not self._has(item)]
        if not missing:
            return
        total = sum(item.size_bytes for item in missing)
        label = f"downloading {len(missing)} {title}"
        with self.progress.task(label, total=total, unit="bytes") as task:
            each(partial(self._fetch_one, task=task), missing, at_once=DOWNLOADS_AT_ONCE)

    def _has(self, item: Download) -> bool:
        # The name was given only after the digest was checked; the size finds a file cut since.
        try:
            return self.content_path(item.sha256).stat().st_size == item.size_bytes
        except FileNotFoundError:
            return False

    def _fetch_one(self, item: Download, task: Task) -> None:
        absent: list[str] = []
        for url in item.urls:
            try:
                self._save(url, item, task)
            except NotFoundError:
                absent.append(url)
            else:
                return
        raise NotFoundError(
            f"{item.label} is not there any more: {', '.join(absent) or 'no address is known'}",
            hint="the archive has moved on; remove ingot.lock to take what it has now",
        )

    def _save(self, url: str, item: Download, task: Task) -> None:
        path = self.content_path(item.sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        received = 0
        with self._open(url) as pieces, atomic_writer(path) as file:
            for piece in pieces:
                received += len(piece)
                if received > item.size_bytes:
                    break
                digest.update(piece)
                file.write(piece)
                task.advance(len(piece))
            if received != item.size_bytes or digest.hexdigest() != item.sha256:
                raise IntegrityError(
                    f"{url} does not have the SHA-256 {item.sha256} it must have",
                    hint="a proxy or mirror may be damaged or half updated; try again",
                )

    @contextlib.contextmanager
    def _open(self, url: str) -> Iterator[Iterator[bytes]]:
        """Yield the pieces of a file's body."""
        if url.startswith("file:"):
            yield _local_pieces(url)
            return
        if self.offline:
            raise NetworkError(
                f"{url} is needed, and --offline forbids to fetch it",
                hint="build once without --offline to fill the cache",
            )
        with self._answer(url) as response:
            yield response.stream(_CHUNK_BYTES)

    def _answer(self, url: str) -> Response:
        """Return the answer with status 200, following redirections as mirrors use them."""
        place = url
        for _ in range(REDIRECTIONS_MAX + 1):
            response = self._send(place)
            if response.status == 200:
                return response
            response.close()
            location = response.headers.get("location", "")
            if response.status not in {301, 302, 303, 307, 308} or not location:
                _refuse(url, response.status)
            place = joined(place, location)
            if not place.startswith(("http://", "https://")):
                raise NetworkError(f"{url} is redirected to {place}, which is not followed")
        raise NetworkError(f"{url} is redirected more than {REDIRECTIONS_MAX} times")

    def _send(self, url: str) -> Response:
        parts = urlsplit(url)
        host = parts.hostname or ""
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        request = Request(
            method="GET",
            scheme=parts.scheme,
            host=host,
            port=parts.port or (443 if parts.scheme == "https" else 80),
            target=target,
            headers={"host": parts.netloc.rpartition("@")[2], "user-agent": "ingot"},
        )
        return self._transport(parts.scheme, host).send(request)

    def _transport(self, scheme: str, host: str) -> Transport:
        """Return the connections of the proxy this host is to be reached through."""
        proxy = self.proxy(scheme, host)
        with self._guard:
            transport = self._transports.get(proxy)
            if transport is None:
                environment: Mapping[str, str] = os.environ
                if proxy is not None:
                    environment = {f"{scheme}_proxy": proxy} if proxy else {}
                transport = Transport(TransportOptions(environment=environment))
                self._transports[proxy] = transport
        return transport


def _local_pieces(url: str) -> Iterator[bytes]:
    try:
        with open(unquote(urlsplit(url).path), "rb") as file:
            while piece := file.read(_CHUNK_BYTES):
                yield piece
    except FileNotFoundError:
        raise NotFoundError(f"{url} does not exist") from None


def _refuse(url: str, status: int) -> NoReturn:
    if status in {404, 410}:
        raise NotFoundError(f"{url} does not exist")
    raise NetworkError(f"{url} answers with HTTP status {status}")


def content_path(cache_dir: Path, sha256: str) -> Path:
    """Return where the cache keeps the content with this digest, there or not."""
    return cache_dir / "sha256" / sha256[:2] / sha256


def thread_count() -> int:
    """Return how many threads unpack at once: xz decompression leaves the interpreter lock."""
    return max(2, os.cpu_count() or 1)
