"""What is remembered of files between runs, and that a broken memory is only an empty one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingot.client.digests import ContentDigests
from ingot.client.digeststore import DigestStore
from ingot.client.entries import Stamp
from ingot.testing.clock import FakeClock

STAMP = Stamp(1, 2, 3, 4, 5)
MD5 = "0" * 32


def test_an_etag_is_recalled_for_an_untouched_file_only(tmp_path: Path) -> None:
    high = Stamp(1, 2**64 - 1, 3, 4, 5)
    with DigestStore(tmp_path / "cache") as store:
        store.note(STAMP, 0, MD5)
        store.note(STAMP, 3, f"{MD5}-3")
        store.note(high, 0, "high inode")
    touched = [STAMP._replace(**{field: 9}) for field in STAMP._fields]
    asked = [(STAMP, 0), (STAMP, 3), (STAMP, 2), (high, 0), *((stamp, 0) for stamp in touched)]
    known = [MD5, f"{MD5}-3", None, "high inode", *(None for _ in touched)]
    with DigestStore(tmp_path / "cache") as store:
        assert store.etags(asked) == known
        assert store.etags(asked[::-1]) == known[::-1]
        assert store.etags([]) == []


def test_files_of_one_folder_are_recalled_together(tmp_path: Path) -> None:
    stamps = [Stamp(1 + number % 2, number // 2, number, 4, 5) for number in range(300)]
    with DigestStore(tmp_path) as store:
        for stamp in stamps[::3]:
            store.note(stamp, 0, str(stamp.size_bytes))
    with DigestStore(tmp_path) as store:
        assert store.etags([(stamp, 0) for stamp in stamps]) == [
            None if number % 3 else str(number) for number in range(300)
        ]


def test_the_last_note_counts(tmp_path: Path) -> None:
    with DigestStore(tmp_path) as store:
        for number in range(1001):
            store.note(STAMP._replace(size_bytes=number), 0, str(number))
    with DigestStore(tmp_path) as store:
        assert store.etags([(STAMP._replace(size_bytes=1000), 0)]) == ["1000"]


@pytest.mark.parametrize("damage", ["garbage", "folder"])
def test_a_store_that_cannot_be_read_is_empty(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "etags-1.sqlite"
    if damage == "garbage":
        path.write_bytes(b"no database" * 1000)
    else:
        path.mkdir()
    with DigestStore(tmp_path) as store:
        store.note(STAMP, 0, MD5)
        assert store.etags([(STAMP, 0)]) == [None]


class EarlyClock(FakeClock):
    def now_ns(self) -> int:
        return 0


class LateClock(FakeClock):
    def now_ns(self) -> int:
        return 2**62


def test_only_a_file_that_rests_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1")
    stamp = Stamp.of(os.stat(path))
    with DigestStore(tmp_path / "cache") as store:
        # By this clock the file was changed just now: within one tick it may change unseen.
        ContentDigests(EarlyClock(), store).note(path, stamp, MD5)
    with DigestStore(tmp_path / "cache") as store:
        late = ContentDigests(LateClock(), store)
        assert late.known_same([(stamp, MD5)]) == [False]
        late.note(path, stamp._replace(size_bytes=2), MD5)
        late.note(path, stamp, MD5)
        late.note(path, stamp, "")
    with DigestStore(tmp_path / "cache") as store:
        late = ContentDigests(LateClock(), store)
        other = stamp._replace(inode=stamp.inode + 1)
        asked = [(stamp, MD5), (stamp, "1" * 32), (stamp, other), (stamp, stamp), (other, MD5)]
        assert late.known_same(asked) == [True, False, False, False, False]
        assert ContentDigests(LateClock()).known_same(asked) == [False] * 5
        late.note_content(path, stamp, "digest")
    with DigestStore(tmp_path / "cache") as store:
        store.note(other, -1, "another")
        late = ContentDigests(LateClock(), store)
        assert late.known_same(asked) == [True, False, False, True, False]


def test_a_file_system_with_coarse_times_tells_too_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1")
    # As FAT has it: times of two seconds, and inodes that another file had before.
    coarse = Stamp.of(os.stat(path))._replace(changed_ns=1_500_000_002 * 10**9)
    monkeypatch.setattr(Stamp, "of", lambda _: coarse)
    with DigestStore(tmp_path / "cache") as store:
        ContentDigests(LateClock(), store).note(path, coarse, MD5)
    with DigestStore(tmp_path / "cache") as store:
        assert store.etags([(coarse, 0)]) == [None]


def test_times_of_other_ages_are_not_remembered_and_harm_nothing(tmp_path: Path) -> None:
    with DigestStore(tmp_path) as store:
        for time_ns in (-(10**20), 10**20):
            store.note(STAMP._replace(modified_ns=time_ns), 0, MD5)
        store.note(STAMP, 0, MD5)
    with DigestStore(tmp_path) as store:
        assert store.etags([(STAMP, 0)]) == [MD5]


def test_a_damaged_table_is_begun_anew(tmp_path: Path) -> None:
    with DigestStore(tmp_path) as store:
        store.note(STAMP, 0, MD5)
    (table,) = tmp_path.iterdir()
    table.write_bytes(b"damaged" * 1000)
    with DigestStore(tmp_path) as store:
        assert store.etags([(STAMP, 0)]) == [None]
        store.note(STAMP, 0, MD5)
    with DigestStore(tmp_path) as store:
        assert store.etags([(STAMP, 0)]) == [MD5]
