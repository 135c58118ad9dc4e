"""What is needed to tell whether a local file has an object's content: MD5s, part sizes, CRCs."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ingot.base.clock import Clock
from ingot.base.limits import PARTS_MAX, TRANSFER_CHUNK_BYTES
from ingot.base.units import MIB
from ingot.client.entries import Stamp

# 10⁵ entries are some 30 MB; a bigger tree hashes its oldest files again.
REMEMBERED_MAX = 100_000
# The coarsest clock of a file system in use is FAT's, two seconds.
_SETTLED_NS = 2_000_000_000
# Times of FAT and exFAT are multiples of this, and their inodes are made up anew at each mount: of
# two files that were written in one such moment each may look as the other did. Elsewhere one file
# in millions is not remembered for it.
_COARSE_NS = 10_000_000
# Stands in a memory's place for the number of parts: no ETag, but the SHA-256 of all bytes.
_WHOLE_CONTENT = -1
_MULTIPART_ETAG = re.compile(r"[0-9a-f]{32}-([1-9][0-9]{0,4})")

# Part sizes that clients use: 8 (aws cli, boto3), 16 (mc, ours), 5 (minimum, rclone, SDKs),
# 15 (s3cmd), 64 and 128 (mc for large objects), and powers of two between.
_PART_SIZES_MIB = (8, 16, 5, 15, 32, 64, 128, 10, 20, 25, 50, 100, 256, 512, 1024)


def multipart_count(etag: str) -> int | None:
    """Return how many parts an ETag of the form `MD5-N` speaks of, or None."""
    match = _MULTIPART_ETAG.fullmatch(etag)
    return int(match.group(1)) if match else None


def likely_part_sizes(size_bytes: int, part_count: int) -> list[int]:
    """Return the part sizes in bytes that clients use and that cut `size_bytes` into that many.

    The list is empty when no common size does; at most three are returned, the most common first.
    """
    if not 1 <= part_count <= PARTS_MAX:
        return []
    # mc rounds size / 10,000 up to 5 MiB steps for the largest objects; so do others.
    smallest = -(-size_bytes // part_count)
    candidates = [mib * MIB for mib in _PART_SIZES_MIB]
    candidates.append(-(-smallest // (5 * MIB)) * 5 * MIB)
    candidates.append(-(-smallest // MIB) * MIB)
    if part_count == 1:
        candidates = [max(size_bytes, 1)]
    fitting = [size for size in candidates if -(-size_bytes // size) == part_count]
    return list(dict.fromkeys(fitting))[:3]


class Memory(Protocol):
    """Remembers ETags of files, and digests of their contents, beyond the end of the process."""

    def etags(self, asked: Sequence[tuple[Stamp, int]]) -> list[str | None]:
        """Return the ETags of so many parts that were noted for files that look like these."""
        ...

    def note(self, stamp: Stamp, parts: int, etag: str) -> None:
        """Remember one."""
        ...


class ContentDigests:
    """Computes and remembers digests of local files.

    A digest is remembered for as long as device, inode, size, mtime and ctime stay: a file cannot
    be written without its ctime moving on. (Within one tick of the file system's clock it can, so
    a file changed just now is not remembered; git calls such a file racily clean.) That is the
    only use of times. Safe in several threads.

    Args:
        clock: tells how long ago a file was changed.
        memory: keeps ETags for later runs; None keeps nothing.
    """

    def __init__(self, clock: Clock, memory: Memory | None = None) -> None:
        self._clock = clock
        self._memory = memory
        self._remembered: OrderedDict[tuple[object, ...], str] = OrderedDict()
        self._lock = threading.Lock()

    def known_same(self, pairs: Sequence[tuple[Stamp, str | Stamp]]) -> list[bool]:
        """Tell of files that look like these whether they are known to be what stands beside them.

        That is an ETag, or another file. No file is read.
        """
        if self._memory is None:
            return [False] * len(pairs)
        asked = []
        for stamp, other in pairs:
            if isinstance(other, str):
                asked.append((stamp, multipart_count(other) or 0))
            else:
                asked += [(stamp, _WHOLE_CONTENT), (other, _WHOLE_CONTENT)]
        answers = iter(self._memory.etags(asked))
        known = ((next(answers), _or_next(other, answers)) for _, other in pairs)
        return [one is not None and one == other for one, other in known]

    def note(self, path: Path, stamp: Stamp, etag: str) -> None:
        """Remember that the file had this ETag when it looked like this, if it still does."""
        if etag:
            self._note(path, stamp, multipart_count(etag) or 0, etag)

    def note_content(self, path: Path, stamp: Stamp, digest: str) -> None:
        """Remember that the file had this SHA-256 when it looked like this, if it still does."""
        self._note(path, stamp, _WHOLE_CONTENT, digest)

    def _note(self, path: Path, stamp: Stamp, parts: int, digest: str) -> None:
        if self._memory is None or stamp.changed_ns % _COARSE_NS == 0:
            return
        if not self._is_long_ago(max(stamp.modified_ns, stamp.changed_ns)):
            return
        with contextlib.suppress(OSError):
            if Stamp.of(os.stat(path)) == stamp:
                self._memory.note(stamp, parts, digest)

    def etag_matches(self, path: Path, etag: str) -> bool | None:
        """Tell whether the file's bytes have this ETag; None if the ETag does not let itself check.

        Raises:
            OSError: the file cannot be read.
        """
        parts = multipart_count(etag)
        if parts is None:
            if re.fullmatch(r"[0-9a-f]{32}", etag) is None:
                return None
            return self._digest(path, "md5", _md5_of) == etag
        for size in likely_part_sizes(os.stat(path).st_size, parts):
            compute = functools.partial(_multipart_of, part_size_bytes=size)
            if self._digest(path, f"md5/{size}", compute) == etag:
                return True
        # Another part size may have been used, so inequality proves nothing.
        return None

    def checksum(self, path: Path, algorithm: str) -> str:
        """Return the base64 checksum of all bytes, as `x-amz-checksum-…` carries it.

        Raises:
            OSError: the file cannot be read.
        """
        from ingot.s3 import checksums

        def compute(path: Path) -> str:
            total = checksums.new(algorithm)
            _feed(path, total.update)
            return checksums.encode(total.digest())

        return self._digest(path, algorithm, compute)

    def _digest(self, path: Path, kind: str, compute: Callable[[Path], str]) -> str:
        before = _fingerprint(path, kind)
        with self._lock:
            known = self._remembered.get(before)
            if known is not None:
                self._remembered.move_to_end(before)
                return known
        value = compute(path)
        if _fingerprint(path, kind) == before and self._is_settled(path):
            with self._lock:
                self._remembered[before] = value
                while len(self._remembered) > REMEMBERED_MAX:
                    self._remembered.popitem(last=False)
        return value

    def _is_settled(self, path: Path) -> bool:
        status = os.stat(path)
        return self._is_long_ago(max(status.st_mtime_ns, status.st_ctime_ns))

    def _is_long_ago(self, changed_ns: int) -> bool:
        return self._clock.now_ns() - changed_ns > _SETTLED_NS


def _or_next(other: str | Stamp, answers: Iterator[str | None]) -> str | None:
    return other if isinstance(other, str) else next(answers)


def _fingerprint(path: Path, kind: str) -> tuple[object, ...]:
    status = os.stat(path)
    return (
        kind,
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _feed(path: Path, update: Callable[[memoryview], object]) -> None:
    buffer = memoryview(bytearray(TRANSFER_CHUNK_BYTES))
    # A pipe that took the file's place must not hold us up.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
    with open(os.open(path, flags), "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            update(buffer[:count])


def _md5_of(path: Path) -> str:
    total = hashlib.md5(usedforsecurity=False)
    _feed(path, total.update)
    return total.hexdigest()


def _multipart_of(path: Path, part_size_bytes: int) -> str:
    from ingot.s3.etags import multipart_etag

    digests: list[bytes] = []
    part = hashlib.md5(usedforsecurity=False)
    filled = 0

    def update(data: memoryview) -> None:
        nonlocal part, filled
        while data:
            piece = data[: part_size_bytes - filled]
            part.update(piece)
            filled += len(piece)
            data = data[len(piece) :]
            if filled == part_size_bytes:
                digests.append(part.digest())
                part = hashlib.md5(usedforsecurity=False)
                filled = 0

    _feed(path, update)
    if filled:
        digests.append(part.digest())
    return multipart_etag(digests)
