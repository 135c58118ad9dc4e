"""The images this machine has: an OCI image layout in the cache folder, with names and collection.

Any OCI tool can read the folder. Blobs appear whole and verified; the index changes under a lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from ingot.base.atomic import atomic_writer, fsync_directory, write_atomically
from ingot.base.errors import NotFoundError
from ingot.oci.digest import HashedFile, check_digest, check_hash, hex_of, new_hash, verified
from ingot.oci.layers import LAYERS_FOLDER
from ingot.oci.layout import document, documents
from ingot.oci.manifest import (
    REF_NAME,
    ConfigDocument,
    Descriptor,
    Index,
    decode,
)
from ingot.oci.tree import Content

STORE_FOLDER = "images"
# What was used within this time is never collected: a build may be reading it.
GRACE_S = 3600
_CHUNK_BYTES = 1 << 20
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection removed."""

    files: int
    size_bytes: int


class ImageStore:
    """The layout `images/` in a cache folder; a `Layout` itself. Made when first written to."""

    def __init__(self, cache_dir: Path) -> None:
        self.cache_dir = cache_dir
        self.root = cache_dir / STORE_FOLDER

    def images(self) -> list[Descriptor]:
        """Return the named images, ordered by name."""
        path = self.root / "index.json"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return []
        return decode(data, Index, str(path)).manifests

    def find(self, name: str) -> Descriptor | None:
        """Return the image kept under a full name."""
        found = (image for image in self.images() if _name(image) == name)
        return next(found, None)

    def blob(self, descriptor: Descriptor) -> Content:
        """Return a blob; see `Layout`."""
        path = self._path(descriptor.digest)
        if not path.is_file():
            raise NotFoundError(
                f"the image store lacks the blob {descriptor.digest}",
                hint="fetch the image again: ingot cache pull NAME",
            )
        # Tells the collector that somebody reads it; a cache may belong to somebody else.
        with contextlib.suppress(PermissionError):
            os.utime(path)
        return Content(path.stat().st_size, path=str(path))

    def has(self, digest: str) -> bool:
        """Say whether a blob is here; its name was given only after it was verified."""
        return self._path(digest).is_file()

    def put(self, digest: str, pieces: Iterable[bytes]) -> None:
        """Keep a blob.

        Raises:
            DigestError: the bytes do not have the digest; nothing is kept.
        """
        path = self._path(digest)
        if path.is_file():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_writer(path) as file:
            file.writelines(verified(pieces, digest, "a blob"))

    def add(self, write: Callable[[BinaryIO], None]) -> tuple[str, int]:
        """Keep what `write` writes to the file it is given; return its SHA-256 and size."""
        folder = self.root / "blobs" / "sha256"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".blob.") as file:
            made = HashedFile(cast("BinaryIO", file), "sha256")
            write(cast("BinaryIO", made))
            file.flush()
            self.put(made.digest, Content(made.size_bytes, path=file.name).chunks())
        return made.digest, made.size_bytes

    @contextlib.contextmanager
    def partial(self, digest: str) -> Iterator[BinaryIO | None]:
        """Yield a file to complete a blob in, at its end; None when the blob is here already.

        What an earlier attempt wrote is still in the file. When the block ends, the file becomes
        the blob; when it raises, the file stays for the next attempt. Two processes that want the
        same blob wait for each other.

        Raises:
            DigestError: the file does not have the digest; it is removed.
        """
        path = self._path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        waiting = path.with_name(f"{path.name}.partial")
        with open(waiting, "a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if path.is_file():
                yield None
                waiting.unlink(missing_ok=True)
                return
            yield file
            file.flush()
            os.fsync(file.fileno())
            try:
                self._check(file, digest)
            except BaseException:
                waiting.unlink(missing_ok=True)
                raise
            os.replace(waiting, path)
        fsync_directory(path.parent)

    def set_name(self, name: str, image: Descriptor) -> None:
        """Keep an image, whose blobs are here, under a name; another one of that name loses it."""
        made = msgspec.structs.replace(image, annotations={REF_NAME: name}, platform=None)
        with self._locked():
            others = [other for other in self.images() if _name(other) != name]
            self._write_index(sorted([*others, made], key=_name))

    def remove_name(self, name: str) -> None:
        """Forget a name; `collect` frees what nothing else needs.

        Raises:
            NotFoundError: there is no such name.
        """
        with self._locked():
            images = self.images()
            left = [image for image in images if _name(image) != name]
            if len(left) == len(images):
                raise NotFoundError(
                    f"there is no image {name} in the cache", hint="list them: ingot cache ls"
                )
            self._write_index(left)

    def collect(self, *, grace_s: float = GRACE_S) -> Collected:
        """Remove the blobs and unpacked layers that no named image needs.

        Args:
            grace_s: what was written or used within this time stays.
        """
        with self._locked():
            blobs, layers = self._needed()
            oldest = time.time() - grace_s
            unpacked = self.cache_dir / LAYERS_FOLDER
            places = [(path, path.name in blobs) for path in (self.root / "blobs").glob("*/*")]
            places += [
                (path, path.name.partition(".")[0] in layers)
                for path in unpacked.rglob("*")
                if path.is_file()
            ]
            files = size_bytes = 0
            for path, is_needed in places:
                status = path.stat()
                if not is_needed and status.st_mtime < oldest:
                    path.unlink()
                    files += 1
                    size_bytes += status.st_size
        return Collected(files, size_bytes)

    def _needed(self) -> tuple[set[str], set[str]]:
        """Return the hex digests of blobs and of unpacked layers that named images use."""
        blobs: set[str] = set()
        layers: set[str] = set()
        for root in self.images():
            name = _name(root)
            for part, found in documents(self, root, name):
                blobs.add(hex_of(part.digest))
                if isinstance(found, Index):
                    continue
                blobs |= {hex_of(blob.digest) for blob in (found.config, *found.layers)}
                if self.has(found.config.digest):
                    data = document(self, found.config, name)
                    diff_ids = decode(data, ConfigDocument, name).rootfs.diff_ids
                    layers |= {hex_of(diff_id) for diff_id in diff_ids}
        return blobs, layers

    def _path(self, digest: str) -> Path:
        algorithm = check_digest(digest).partition(":")[0]
        return self.root / "blobs" / algorithm / hex_of(digest)

    def _check(self, file: BinaryIO, digest: str) -> None:
        running = new_hash(digest)
        file.seek(0)
        while piece := file.read(_CHUNK_BYTES):
            running.update(piece)
        check_hash(running, digest, "a blob")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with open(self.root / "lock", "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _write_index(self, images: list[Descriptor]) -> None:
        marker = self.root / "oci-layout"
        if not marker.exists():
            write_atomically(marker, _LAYOUT)
        data = msgspec.json.format(msgspec.json.encode(Index(images)), indent=1)
        write_atomically(self.root / "index.json", data + b"\n")


def _name(image: Descriptor) -> str:
    return (image.annotations or {}).get(REF_NAME, "")
