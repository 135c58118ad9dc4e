"""The package indexes of an archive: fetched, verified against the signature, parsed, kept."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ingot.base.atomic import write_atomically
from ingot.base.clock import Clock
from ingot.base.errors import IntegrityError, NetworkError, NotFoundError
from ingot.base.progress import Progress
from ingot.base.units import GIB
from ingot.debian.fetch import Download, Fetcher
from ingot.debian.index import (
    INDEX_SCHEMA,
    Package,
    PackageIndex,
    decode_index,
    encode_index,
)
from ingot.debian.release import Release, ReleaseError, parse_release, verify_inrelease
from ingot.debian.sources import Source

# An index fetched within this time is used as it is.
FRESH_S = 6 * 3600
INDEX_BYTES_MAX = 1 * GIB

_DECOMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    ".xz": lzma.decompress,
    ".gz": gzip.decompress,
    "": bytes,
}


@dataclass(frozen=True, slots=True)
class Archive:
    """Reads the indexes of a list of sources.

    Attributes:
        check_valid_until: refuse an index past its own Valid-Until.
    """

    sources: tuple[Source, ...]
    fetcher: Fetcher
    clock: Clock
    progress: Progress
    check_valid_until: bool = True

    def indexes(self, architecture: str) -> list[PackageIndex]:
        """Return the indexes of every source that is Debian's, newest state or a fresh cache.

        Raises:
            SignatureError: an index is not signed by its keyring.
            IntegrityError: a file does not have its digest.
            ReleaseError: an index is malformed or past its Valid-Until.
            NetworkError: a source cannot be reached and the cache has nothing.
        """
        found: list[PackageIndex] = []
        for source in self.sources:
            release = self._release(source)
            if release is None:
                continue
            for component in source.components:
                index = self._index(source, release, component, architecture)
                if index is not None:
                    found.append(index)
        if not found:
            names = ", ".join(f"{source.uri} {source.suite}" for source in self.sources)
            raise NotFoundError(
                f"no source has packages for {architecture}: {names}",
                hint="check --suite, or name a mirror with --mirror and its --keyring",
            )
        return found

    def download(self, package: Package) -> Download:
        """Return how to fetch a package: from the source of its suite, then from any other."""
        own = [source.uri for source in self.sources if source.suite == package.suite]
        others = [source.uri for source in self.sources if source.suite != package.suite]
        urls = tuple(f"{uri}/{package.path}" for uri in dict.fromkeys(own + others))
        label = f"{package.name} {package.version}"
        return Download(package.sha256, package.size_bytes, urls, label)

    def _release(self, source: Source) -> Release | None:
        """Return a source's verified Release; None where it is not an archive of Debian's."""
        keyrings = self._keyrings(source)
        path = self._cached(source, keyrings)
        where = f"{source.uri}/dists/{source.suite}/InRelease"
        data = self._fresh_bytes(path)
        if data is None:
            data = self._download_release(source, where, keyrings, path)
        if data is None:
            return None
        release = msgspec.msgpack.decode(data, type=Release)
        if source.only_debian and release.origin != "Debian":
            return None
        self._check_date(release, where)
        return release

    def _download_release(
        self, source: Source, where: str, keyrings: list[Path], path: Path
    ) -> bytes | None:
        try:
            signed = self.fetcher.get(where)
        except NotFoundError:
            # A third party's archive need not have our suite; the user's own choice must.
            if source.only_debian:
                self.progress.note(f"{where} does not exist; skipped")
                return None
            raise
        except NetworkError:
            # Without the archive, the last verified state is better than none: it is still signed
            # and still within its Valid-Until.
            if path.exists():
                self.progress.note(f"{where} cannot be reached; using the index of the last build")
                return path.read_bytes()
            raise
        release = parse_release(verify_inrelease(signed, keyrings, where), where)
        if source.suite not in {release.suite, release.codename} and "/" not in source.suite:
            # Signed, but for another release: a mirror must not swap them.
            raise ReleaseError(
                f"{where} is the index of {release.codename or release.suite}",
                hint="the mirror is damaged, or --suite names what it does not have",
            )
        self._check_date(release, where)
        data = msgspec.msgpack.encode(release)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
        now_ns = self.clock.now_ns()
        os.utime(path, ns=(now_ns, now_ns))
        return data

    def _index(
        self, source: Source, release: Release, component: str, architecture: str
    ) -> PackageIndex | None:
        base = f"{component}/binary-{architecture}"
        names = [f"{base}/Packages{suffix}" for suffix in _DECOMPRESSORS]
        name = next((name for name in names if name in release.files), None)
        if name is None:
            return None
        sha256, size_bytes = release.files[name]
        path = self.fetcher.cache_dir / "index" / f"{sha256}.{source.suite}.{INDEX_SCHEMA}.msgpack"
        if path.exists():
            index = decode_index(path.read_bytes())
            if index is not None:
                return index
        text = self._packages_text(source, release, name, Download(sha256, size_bytes, (), name))
        data = encode_index(text, source.suite)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
        return decode_index(data)

    def _packages_text(self, source: Source, release: Release, name: str, wanted: Download) -> str:
        if wanted.size_bytes > INDEX_BYTES_MAX:
            raise ReleaseError(f"{source.uri} {source.suite}: {name} is absurdly large")
        root = f"{source.uri}/dists/{source.suite}"
        folder, _, file = name.rpartition("/")
        urls = [f"{root}/{name}"]
        if release.by_hash:
            urls.insert(0, f"{root}/{folder}/by-hash/SHA256/{wanted.sha256}")
        label = f"{source.suite} {name}"
        item = Download(wanted.sha256, wanted.size_bytes, tuple(urls), label)
        self.fetcher.fetch([item], title="package indexes")
        path = self.fetcher.content_path(wanted.sha256)
        suffix = os.path.splitext(file)[1]
        # The file stays in the cache: another build may be about to read it.
        try:
            return _DECOMPRESSORS[suffix](path.read_bytes()).decode("utf-8")
        except (lzma.LZMAError, OSError, EOFError, ValueError) as error:
            raise IntegrityError(f"{label} cannot be decompressed: {error}") from error

    def _keyrings(self, source: Source) -> list[Path]:
        if not source.key_text:
            return list(source.keyrings)
        name = hashlib.sha256(source.key_text.encode()).hexdigest()
        path = self.fetcher.cache_dir / "index" / f"{name}.asc"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, source.key_text.encode())
        return [path]

    def _cached(self, source: Source, keyrings: list[Path]) -> Path:
        """Return the cache's file for a verified Release: another keyring, another verdict."""
        digest = hashlib.sha256(f"{source.uri} {source.suite}".encode())
        for keyring in keyrings:
            digest.update(keyring.read_bytes() if keyring.is_file() else b"")
        return self.fetcher.cache_dir / "index" / f"{digest.hexdigest()}.release.msgpack"

    def _fresh_bytes(self, path: Path) -> bytes | None:
        try:
            age_s = (self.clock.now_ns() - path.stat().st_mtime_ns) / 1e9
        except FileNotFoundError:
            return None
        if self.fetcher.offline or 0 <= age_s < FRESH_S:
            return path.read_bytes()
        return None

    def _check_date(self, release: Release, where: str) -> None:
        if not self.check_valid_until or release.valid_until_s is None:
            return
        if self.clock.now_ns() / 1e9 > release.valid_until_s:
            raise ReleaseError(
                f"{where} is out of date: it was valid until {_utc(release.valid_until_s)}",
                hint="the mirror has stopped updating, or this machine's clock is wrong",
            )


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
