"""The offline check of a store's directory: catalog, blobs and checksums against each other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ingot.store import keys
from ingot.store.blobs.contract import BlobRef
from ingot.store.blobs.files import FileBlobs
from ingot.store.catalog.sqlite import SqliteCatalog
from ingot.store.errors import CatalogDamagedError, DamagedError, StoreFailedError
from ingot.store.fences import decode_fence
from ingot.store.layout import require_store
from ingot.store.named import named_blobs, rows
from ingot.store.records import (
    decode_bucket,
    decode_manifest,
    decode_part,
)
from ingot.store.registry import decode_document
from ingot.store.seals import open_object
from ingot.store.usage import COUNTED_SPACES, NOTHING, decode_usage, total

PROBLEMS_MAX = 10_000
_MD5 = re.compile(r"[0-9a-f]{32}")


class Problem(NamedTuple):
    """Something that is not as it was written.

    Attributes:
        bucket: the bucket's name; empty if the catalog as a whole is concerned.
        key: the object's key, or the upload's id; empty if the bucket as a whole is concerned.
        message: what is wrong.
    """

    bucket: str
    key: str
    message: str


@dataclass
class Report:
    """What a check found.

    Attributes:
        buckets: how many there are.
        versions: of objects, current ones and delete markers included.
        parts: of unfinished uploads.
        blobs: files.
        verified_bytes: of bodies, read and compared with their checksums.
        unnamed_blobs: files that no record names; a server removes those of a crash by itself.
        problem_count: how many things are wrong.
        problems: the first `PROBLEMS_MAX` of them.
    """

    buckets: int = 0
    versions: int = 0
    parts: int = 0
    blobs: int = 0
    verified_bytes: int = 0
    unnamed_blobs: int = 0
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)


def check_directory(root: Path, advance: Callable[[int], None]) -> Report:
    """Read everything in a store's directory and compare it; no server may be using it.

    Args:
        root: the directory.
        advance: called with the number of bytes of bodies just verified.

    Raises:
        NotFoundError: there is no store.
        StoreFormatError: it is of a newer version, or its files are none of a store.
    """
    require_store(root)
    catalog = SqliteCatalog(root / "catalog")
    try:
        blobs = FileBlobs(root / "blobs")
        try:
            return _Check(catalog, blobs, advance).run()
        finally:
            blobs.close(settled=True)
    finally:
        catalog.close()


class _Check:
    def __init__(
        self, catalog: SqliteCatalog, blobs: FileBlobs, advance: Callable[[int], None]
    ) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._advance = advance
        self._report = Report()

    def run(self) -> Report:
        try:
            for text in self._catalog.problems():
                self._note("", "", f"the catalog's file is damaged: {text}")
            self._check_registry()
            self._check_buckets()
            self._compare_files()
        except (StoreFailedError, CatalogDamagedError) as error:
            self._note("", "", error.message)
        return self._report

    def _check_registry(self) -> None:
        for name, value in rows(self._catalog, keys.REGISTRY, keys.DOCUMENTS):
            try:
                decode_document(value)
            except DamagedError as error:
                self._note("", keys.name_of(name), error.message)

    def _check_buckets(self) -> None:
        for name, value in rows(self._catalog, keys.BUCKETS, b""):
            self._report.buckets += 1
            bucket = name.decode()
            try:
                partition = keys.bucket_partition(decode_bucket(value).bucket_id)
            except DamagedError as error:
                self._note(bucket, "", error.message)
            else:
                self._check_bucket(bucket, partition)

    def _check_bucket(self, bucket: str, partition: str) -> None:
        for space, verify in (
            (keys.OBJECTS, self._version),
            (keys.VERSIONS, self._version),
            (keys.PARTS, self._part),
        ):
            for name, value in rows(self._catalog, partition, space):
                title = keys.name_of(name)
                try:
                    for message in verify(partition, name, value):
                        self._note(bucket, title, message)
                except DamagedError as error:
                    self._note(bucket, title, error.message)

        self._check_usage(bucket, partition)

    def _check_usage(self, bucket: str, partition: str) -> None:
        """Compare what was counted for a quota with what is there."""
        try:
            quota = decode_fence(self._catalog.get(partition, keys.FENCE) or b"open").quota
            if quota is None or quota.counting:
                return
            counted = decode_usage(self._catalog.get(partition, keys.USAGE))
        except DamagedError as error:
            self._note(bucket, "", error.message)
            return
        held = NOTHING
        for space in COUNTED_SPACES:
            held = held.plus(total(rows(self._catalog, partition, space)))
        if counted != held:
            self._note(
                bucket,
                "",
                f"it holds {held.size_bytes} bytes in {held.versions} versions, but"
                f" {counted.size_bytes} in {counted.versions} were counted for its quota;"
                " clear the quota and set it again",
            )

    def _version(self, partition: str, name: bytes, value: bytes) -> Iterator[str]:
        """Yield what is wrong with a version of an object."""
        self._report.versions += 1
        stored = self._catalog.get_with_attachment(partition, name)
        attachment = None if stored is None else stored[1]
        record = open_object(keys.name_of(name), value, attachment)
        what = f"version {record.version_id}"
        if record.layout == "manifest":
            if attachment is None:
                yield f"{what}: the list of its parts is missing"
                return
            parts = decode_manifest(attachment)
            if sum(part.size_bytes for part in parts) != record.size_bytes:
                yield f"{what}: its parts do not add up to its size"
            for part in parts:
                yield from self._body(
                    f"{what}, part {part.number}", part.blob, None, part.size_bytes, part.etag
                )
        elif not record.delete_marker:
            yield from self._body(what, record.blob, attachment, record.size_bytes, record.etag)

    def _part(self, partition: str, name: bytes, value: bytes) -> Iterator[str]:
        """Yield what is wrong with a part of an unfinished upload."""
        self._report.parts += 1
        part = decode_part(value)
        what = f"part {part.number} of an unfinished upload"
        yield from self._body(what, part.blob, None, part.size_bytes, part.etag)

    def _body(
        self, what: str, blob: BlobRef | None, inline: bytes | None, size_bytes: int, etag: str
    ) -> Iterator[str]:
        """Read a body, wherever it is, and yield what is wrong with it."""
        md5 = hashlib.md5(usedforsecurity=False)
        found_bytes = 0
        try:
            for piece in self._blobs.read(blob) if blob is not None else [inline or b""]:
                md5.update(piece)
                found_bytes += len(piece)
                self._advance(len(piece))
        except DamagedError as error:
            yield f"{what}: {error.message}"
            return
        self._report.verified_bytes += found_bytes
        if found_bytes != size_bytes:
            yield f"{what}: it has {found_bytes} bytes instead of {size_bytes}"
        elif _MD5.fullmatch(etag) and md5.hexdigest() != etag:
            yield f"{what}: its MD5 is {md5.hexdigest()} instead of {etag}"

    def _compare_files(self) -> None:
        """Count the files of blobs, and those of them that no record names."""
        blobs, unnamed = self._blobs.census(lambda: named_blobs(self._catalog))
        self._report.blobs += blobs
        self._report.unnamed_blobs += unnamed

    def _note(self, bucket: str, key: str, message: str) -> None:
        self._report.problem_count += 1
        if len(self._report.problems) < PROBLEMS_MAX:
            self._report.problems.append(Problem(bucket, key, message))
