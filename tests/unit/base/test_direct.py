"""Large files are the same whether the file system takes direct writes, some of them, or none."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingot.base import direct
from ingot.base.direct import BLOCK_BYTES, BUFFER_BYTES, DirectWriter, aligned_buffer, reserve

CONTENT = random.Random(1).randbytes(3 * BUFFER_BYTES + 12_345)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def written(path: Path, content: bytes = CONTENT, start: int = 0) -> bytes:
    """Write the content by buffers, the last one first, and return what the file holds."""
    buffer = aligned_buffer()
    with opened(path) as descriptor:
        reserve(descriptor, start + len(content))
        with contextlib.closing(DirectWriter(descriptor)) as writer:
            for offset in reversed(range(0, len(content), BUFFER_BYTES)):
                piece = content[offset : offset + BUFFER_BYTES]
                buffer[: len(piece)] = piece
                writer.write(buffer[: len(piece)], start + offset)
    return path.read_bytes()[start:]


def refuse_direct(monkeypatch: pytest.MonkeyPatch, *, when_opened: bool) -> None:
    """Let the file system refuse direct writes, at the opening or at the first of them."""
    true_open, true_write = os.open, os.pwrite
    direct_ones: set[int] = set()

    def open_(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_DIRECT and when_opened:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        descriptor = true_open(path, flags, mode)
        if flags & os.O_DIRECT:
            direct_ones.add(descriptor)
        return descriptor

    def pwrite(descriptor: int, data: memoryview, offset: int) -> int:
        if descriptor in direct_ones:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return true_write(descriptor, data, offset)

    monkeypatch.setattr(os, "open", open_)
    monkeypatch.setattr(os, "pwrite", pwrite)


@pytest.mark.parametrize("size_bytes", [0, 1, BLOCK_BYTES, BLOCK_BYTES + 1, len(CONTENT)])
@pytest.mark.parametrize("start", [0, BLOCK_BYTES, 17])
def test_what_was_written_is_there(tmp_path: Path, size_bytes: int, start: int) -> None:
    if start + size_bytes:
        assert written(tmp_path / "file", CONTENT[:size_bytes], start) == CONTENT[:size_bytes]


@pytest.mark.parametrize("when_opened", [True, False])
def test_a_file_system_that_cannot_is_written_through_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, when_opened: bool
) -> None:
    refuse_direct(monkeypatch, when_opened=when_opened)
    assert written(tmp_path / "file") == CONTENT


def test_whole_blocks_go_past_the_cache_and_only_the_end_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    through_cache: list[int] = []
    write_all = direct.write_all

    def noted(descriptor: int, block: memoryview, offset: int) -> None:
        through_cache.append(len(block))
        write_all(descriptor, block, offset)

    monkeypatch.setattr(direct, "write_all", noted)
    assert written(tmp_path / "file") == CONTENT
    with opened(tmp_path / "probe") as descriptor:
        takes_direct = DirectWriter(descriptor).is_direct
    expected = len(CONTENT) % BLOCK_BYTES if takes_direct else len(CONTENT)
    assert sum(through_cache) == expected


def test_what_a_short_write_leaves_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_write = os.pwrite
    cuts = iter([2 * BLOCK_BYTES, 100])

    def write_less(descriptor: int, data: memoryview, offset: int) -> int:
        # What a device did of a write may end within a block; it is told so, not done so here.
        size_bytes = min(next(cuts, len(data)), len(data))
        whole = data if size_bytes % BLOCK_BYTES else data[:size_bytes]
        return min(true_write(descriptor, whole, offset), size_bytes)

    monkeypatch.setattr(os, "pwrite", write_less)
    assert written(tmp_path / "file") == CONTENT


def test_a_failing_device_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int, data: memoryview, offset: int) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pwrite", fail)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        written(tmp_path / "file")


@pytest.mark.parametrize(
    ("code", "is_told"),
    [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EOPNOTSUPP, False), (0, False)],
)
def test_only_a_lack_of_room_is_told_when_reserving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, *, is_told: bool
) -> None:
    monkeypatch.setattr(direct, "_fallocate", lambda descriptor, size_bytes: code)
    with opened(tmp_path / "file") as descriptor:
        if is_told:
            with pytest.raises(OSError, match=os.strerror(code)):
                reserve(descriptor, 4096)
        else:
            reserve(descriptor, 4096)


def test_a_file_system_that_would_write_zeros_is_not_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def kind(library: object, descriptor: int) -> int | None:
        asked.append(descriptor)
        return 0x4D44

    with opened(tmp_path / "file") as descriptor:
        monkeypatch.setattr(direct, "_kind_of_file_system", kind)
        reserve(descriptor, 8192)
        assert os.fstat(descriptor).st_size == 0
        assert asked == [descriptor]


def test_the_kind_of_a_file_system_is_what_the_system_says() -> None:
    with open("/proc/self/maps", "rb") as file:
        assert direct._kind_of_file_system(ctypes.CDLL(None), file.fileno()) == 0x9FA0


def test_more_than_the_device_has_is_refused_at_once(tmp_path: Path) -> None:
    with opened(tmp_path / "file") as descriptor:
        with pytest.raises(OSError, match=r"No space left|File too large"):
            reserve(descriptor, 1 << 60)
        assert os.fstat(descriptor).st_size == 0


def test_buffers_start_where_direct_writes_may_and_share_nothing() -> None:
    buffers = [aligned_buffer() for _ in range(5)]
    for mark, buffer in enumerate(buffers):
        buffer[:] = bytes([mark]) * BUFFER_BYTES

    for mark, buffer in enumerate(buffers):
        assert len(buffer) == BUFFER_BYTES
        assert ctypes.addressof(ctypes.c_char.from_buffer(buffer)) % BLOCK_BYTES == 0
        assert bytes(buffer) == bytes([mark]) * BUFFER_BYTES


def test_buffers_are_had_where_the_kernel_has_no_huge_pages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Mapping(direct.mmap.mmap):
        def madvise(self, *arguments: int) -> None:
            raise OSError(errno.EINVAL, "no such advice")

    monkeypatch.setattr(direct, "_spare", [])
    monkeypatch.setattr(direct.mmap, "mmap", Mapping)

    assert written(tmp_path / "file") == CONTENT
