from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ingot.base.units import MIB
from ingot.client import digests
from ingot.client.digests import ContentDigests, likely_part_sizes, multipart_count


class LateClock:
    """Hours after any file of the test was written."""

    def now_ns(self) -> int:
        return 1 << 62

    def monotonic_s(self) -> float:
        return 0.0


class EarlyClock(LateClock):
    """Before any file of the test was written."""

    def now_ns(self) -> int:
        return 0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * (11 * MIB // 256) + b"tail")
    return path


def multipart_etag(data: bytes, part_bytes: int) -> str:
    parts = [data[i : i + part_bytes] for i in range(0, len(data), part_bytes)]
    joined = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts))
    return f"{joined.hexdigest()}-{len(parts)}"


def test_a_plain_etag_is_compared_with_the_md5(file: Path) -> None:
    known = ContentDigests(LateClock())
    assert known.etag_matches(file, hashlib.md5(file.read_bytes()).hexdigest()) is True
    assert known.etag_matches(file, "0" * 32) is False


@pytest.mark.parametrize("part_mib", [5, 8, 16])
def test_a_multipart_etag_is_recomputed_for_the_part_sizes_that_clients_use(
    file: Path, part_mib: int
) -> None:
    etag = multipart_etag(file.read_bytes(), part_mib * MIB)
    assert ContentDigests(LateClock()).etag_matches(file, etag) is True


@pytest.mark.parametrize("etag", ["", "x", "W/abc", "0" * 32 + "-3", "0" * 32 + "-99999"])
def test_an_etag_that_does_not_let_itself_check_proves_nothing(file: Path, etag: str) -> None:
    assert ContentDigests(LateClock()).etag_matches(file, etag) is None


def test_checksums_are_those_that_headers_carry(tmp_path: Path) -> None:
    # The check value of CRC-64/NVME for "123456789" is ae8b14860a799888.
    path = tmp_path / "check"
    path.write_bytes(b"123456789")
    assert ContentDigests(LateClock()).checksum(path, "CRC64NVME") == "rosUhgp5mIg="


def test_a_digest_is_remembered_until_the_file_changes(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = []
    real = digests._md5_of

    def counted(path: Path) -> str:
        computed.append(path)
        return real(path)

    monkeypatch.setattr(digests, "_md5_of", counted)
    known = ContentDigests(LateClock())
    etag = hashlib.md5(file.read_bytes()).hexdigest()
    assert known.etag_matches(file, etag) is True
    assert known.etag_matches(file, etag) is True
    assert len(computed) == 1
    before = file.stat()
    with file.open("r+b") as opened:
        opened.write(b"changed")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert known.etag_matches(file, etag) is False
    assert len(computed) == 2


def test_a_file_that_was_changed_just_now_is_not_remembered(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = []
    monkeypatch.setattr(digests, "_md5_of", lambda path: computed.append(path) or "0" * 32)
    known = ContentDigests(EarlyClock())
    known.etag_matches(file, "0" * 32)
    known.etag_matches(file, "0" * 32)
    assert len(computed) == 2


def test_what_is_remembered_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "REMEMBERED_MAX", 3)
    known = ContentDigests(LateClock())
    for index in range(5):
        path = tmp_path / str(index)
        path.write_text(str(index))
        known.checksum(path, "CRC32")
    assert len(known._remembered) == 3


@pytest.mark.parametrize(
    ("size_bytes", "count", "expected"),
    [
        (20 * MIB, 3, [8 * MIB, 7 * MIB]),
        (100 * MIB, 7, [16 * MIB, 15 * MIB]),
        (100, 1, [100]),
        (5, 0, []),
        (5, 10_001, []),
        (16, 5, []),
    ],
)
def test_part_sizes_are_those_that_cut_the_size_into_that_many(
    size_bytes: int, count: int, expected: list[int]
) -> None:
    found = likely_part_sizes(size_bytes, count)
    assert all(-(-size_bytes // size) == count for size in found)
    assert len(found) <= 3
    assert set(found) == set(expected)


def test_the_count_of_parts_is_read_from_the_etag() -> None:
    assert multipart_count("0" * 32 + "-17") == 17
    assert multipart_count("0" * 32) is None
    assert multipart_count("0" * 32 + "-0") is None
