"""Downloads with known digests into a content cache, many at a time; small files without one."""

from __future__ import annotations

import contextlib
import hashlib
import os
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import urllib3

from ingot.base.atomic import atomic_writer
from ingot.base.errors import IntegrityError, NetworkError, NotFoundError
from ingot.base.progress import SILENT, Progress, Task
from ingot.base.units import MIB

DOWNLOADS_AT_ONCE = 8
CONNECT_TIMEOUT_S = 15.0
READ_TIMEOUT_S = 60.0
_CHUNK_BYTES = 256 * 1024
_RETRIES = urllib3.Retry(
    total=4, backoff_factor=0.3, status_forcelist=(500, 502, 503, 504), raise_on_status=False
)
# An URL without a proxy setting of its own (see `AptSettings.proxy`).
ProxyRule = Callable[[str, str], str | None]


class _Body(Protocol):
    def read(self, amt: int) -> bytes: ...


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
    _pools: dict[str, urllib3.PoolManager] = field(default_factory=dict)

    def get(self, url: str, size_bytes_max: int = 16 * MIB) -> bytes:
        """Return a small file.

        Raises:
            NotFoundError: there is none.
            NetworkError: the server cannot be reached, answers with an error, or we are offline.
        """
        with self._open(url) as body:
            data = body.read(size_bytes_max + 1)
        if len(data) > size_bytes_max:
            raise NetworkError(f"{url} is larger than {size_bytes_max} bytes")
        return data

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
        with (
            self.progress.task(label, total=total, unit="bytes") as task,
            ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool,
        ):
            futures = [pool.submit(self._fetch_one, item, task) for item in missing]
            try:
                for future in futures:
                    future.result()
            finally:
                for future in futures:
                    future.cancel()

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
            hint="the archive has moved on; `ingot lock --update` takes what it has now",
        )

    def _save(self, url: str, item: Download, task: Task) -> None:
        path = self.content_path(item.sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        received = 0
        with self._open(url) as body, atomic_writer(path) as file:
            while chunk := body.read(_CHUNK_BYTES):
                received += len(chunk)
                if received > item.size_bytes:
                    break
                digest.update(chunk)
                file.write(chunk)
                task.advance(len(chunk))
            if received != item.size_bytes or digest.hexdigest() != item.sha256:
                raise IntegrityError(
                    f"{url} does not have the SHA-256 {item.sha256} it must have",
                    hint="a proxy or mirror may be damaged or half updated; try again",
                )

    @contextlib.contextmanager
    def _open(self, url: str) -> Iterator[_Body]:
        parts = urlsplit(url)
        if parts.scheme == "file":
            try:
                file = open(unquote(parts.path), "rb")  # noqa: SIM115 -- the with below owns it
            except FileNotFoundError:
                raise NotFoundError(f"{url} does not exist") from None
            with file:
                yield file
            return
        if self.offline:
            raise NetworkError(
                f"{url} is needed, and --offline forbids to fetch it",
                hint="build once without --offline to fill the cache",
            )
        try:
            pool = self._pool(parts.scheme, parts.hostname or "")
            response = pool.request("GET", url, preload_content=False)
            try:
                _check_status(url, response.status)
                yield response
            finally:
                response.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise NetworkError(f"{url}: {_reason(error)}") from error

    def _pool(self, scheme: str, host: str) -> urllib3.PoolManager:
        address = self.proxy(scheme, host)
        if address is None:
            bypassed = bool(urllib.request.proxy_bypass(host))
            address = "" if bypassed else urllib.request.getproxies().get(scheme, "")
        pool = self._pools.get(address)
        if pool is None:
            timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S)
            if address:
                pool = urllib3.ProxyManager(
                    address, maxsize=DOWNLOADS_AT_ONCE, retries=_RETRIES, timeout=timeout
                )
            else:
                pool = urllib3.PoolManager(
                    maxsize=DOWNLOADS_AT_ONCE, retries=_RETRIES, timeout=timeout
                )
            self._pools[address] = pool
        return pool


def content_path(cache_dir: Path, sha256: str) -> Path:
    """Return where the cache keeps the content with this digest, there or not."""
    return cache_dir / "sha256" / sha256[:2] / sha256


def _check_status(url: str, status: int) -> None:
    if status in {404, 410}:
        raise NotFoundError(f"{url} does not exist")
    if status != 200:
        raise NetworkError(f"{url} answers with HTTP status {status}")


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", None)
    return str(inner or error).rpartition(": ")[2] or type(error).__name__


def thread_count() -> int:
    """Return how many threads unpack at once: xz decompression leaves the interpreter lock."""
    return max(2, os.cpu_count() or 1)
