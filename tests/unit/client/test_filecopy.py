"""Copies of one file: bytes, holes, permissions, and what happens when something goes wrong."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from ingot.base.errors import ConflictError, Error, IntegrityError
from ingot.client import filecopy
from ingot.client.filecopy import Keeping, copy_file, move_file, same_bytes
from ingot.client.localnames import are_apart
from ingot.client.places import FilePlace
from ingot.s3client.body import SourceChangedError

KIB, MIB = 1 << 10, 1 << 20
PLAIN = Keeping()


def nothing(_: int) -> None:
    pass


def place(path: Path) -> FilePlace:
    return FilePlace(path.parent, path.name)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(os.urandom(3 * MIB + 17))
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "to"
    folder.mkdir()
    return folder / "target"


def lone(target: Path) -> bool:
    """Tell whether a folder has nothing beside this file: no temporary one is left."""
    return [path.name for path in target.parent.iterdir()] in ([], [target.name])


class TestCopy:
    @pytest.mark.parametrize("size", [0, 1, MIB, 3 * MIB + 17])
    def test_a_copy_has_the_bytes_and_all_are_counted(
        self, source: Path, target: Path, size: int
    ) -> None:
        source.write_bytes(os.urandom(size))
        counted: list[int] = []
        copy_file(place(source), target, PLAIN, counted.append)
        assert target.read_bytes() == source.read_bytes()
        assert sum(counted) == size
        assert lone(target)

    def test_what_was_there_is_replaced(self, source: Path, target: Path) -> None:
        target.write_bytes(b"older and other")
        copy_file(place(source), target, PLAIN, nothing)
        assert target.read_bytes() == source.read_bytes()

    @pytest.mark.parametrize("ends_with_hole", [False, True])
    def test_holes_stay_holes(self, source: Path, target: Path, *, ends_with_hole: bool) -> None:
        with source.open("wb") as file:
            file.write(b"x" * 4096)
            file.seek(64 * MIB)
            file.write(b"y" * 4096)
            file.truncate(128 * MIB if ends_with_hole else 64 * MIB + 4096)
        counted: list[int] = []
        copy_file(place(source), target, PLAIN, counted.append)
        assert same_bytes(source, target) is not None
        assert sum(counted) == target.stat().st_size == source.stat().st_size
        assert target.stat().st_blocks * 512 < MIB

    def test_a_file_system_that_shares_bytes_is_asked_first(
        self, source: Path, target: Path
    ) -> None:
        def cloned(goal: int, origin: int) -> bool:
            os.sendfile(goal, origin, 0, source.stat().st_size)
            return True

        counted: list[int] = []
        copy_file(place(source), target, PLAIN, counted.append, cloned=cloned)
        assert target.read_bytes() == source.read_bytes()
        assert counted == [source.stat().st_size]

    def test_a_real_file_system_shares_or_says_that_it_cannot(
        self, source: Path, target: Path
    ) -> None:
        with source.open("rb") as origin, target.open("wb") as goal:
            is_shared = filecopy.clone(goal.fileno(), origin.fileno())
        assert target.stat().st_size == (source.stat().st_size if is_shared else 0)

    @pytest.mark.parametrize(
        ("mode", "umask", "expected"),
        [
            (0o755, 0o022, 0o755),
            (0o644, 0o022, 0o644),
            (0o600, 0o022, 0o600),
            (0o777, 0o077, 0o700),
            (0o4755, 0o022, 0o755),
        ],
    )
    def test_permissions_stay_as_far_as_the_umask_lets_them(
        self, source: Path, target: Path, mode: int, umask: int, expected: int
    ) -> None:
        source.chmod(mode)
        before = os.umask(umask)
        try:
            copy_file(place(source), target, PLAIN, nothing)
        finally:
            os.umask(before)
        assert stat.S_IMODE(target.stat().st_mode) == expected

    def test_attributes_are_kept_when_asked_for(self, source: Path, target: Path) -> None:
        source.chmod(0o751)
        os.utime(source, ns=(1, 1_500_000_000_123_456_789))
        copy_file(place(source), target, Keeping(attributes=True), nothing)
        assert target.stat().st_mtime_ns == 1_500_000_000_123_456_789
        assert stat.S_IMODE(target.stat().st_mode) == 0o751

    def test_a_source_that_changes_meanwhile_makes_no_copy(
        self, source: Path, target: Path
    ) -> None:
        def change(_: int) -> None:
            with source.open("ab") as file:
                file.write(b"more")

        with pytest.raises(SourceChangedError, match="changed while"):
            copy_file(place(source), target, PLAIN, change)
        assert not target.exists()
        assert lone(target)

    def test_a_source_that_becomes_shorter_makes_no_copy(self, source: Path, target: Path) -> None:
        with pytest.raises(SourceChangedError):
            copy_file(place(source), target, PLAIN, lambda _: os.truncate(source, 10))
        assert lone(target)

    def test_a_source_that_hides_its_size_makes_no_copy(self, target: Path) -> None:
        with pytest.raises(SourceChangedError, match="more bytes than its size says"):
            copy_file(place(Path("/proc/self/status")), target, PLAIN, nothing)
        assert lone(target)

    def test_bytes_that_rot_on_the_way_make_no_copy(
        self, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written = os.pwrite
        monkeypatch.setattr(
            os, "pwrite", lambda file, data, at: written(file, bytes(len(data)), at)
        )
        with pytest.raises(IntegrityError, match="would not have the bytes"):
            copy_file(place(source), target, PLAIN, nothing)
        assert lone(target)

    def test_a_full_device_leaves_what_was_there(
        self, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        target.write_bytes(b"old")
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(Error, match="No space left"):
            copy_file(place(source), target, PLAIN, nothing)
        assert target.read_bytes() == b"old"
        assert lone(target)

    def test_a_file_is_not_copied_onto_itself_by_another_name(
        self, source: Path, target: Path
    ) -> None:
        os.link(source, target)
        with pytest.raises(ConflictError, match="the same file"):
            copy_file(place(source), target, PLAIN, nothing)

    def test_a_pipe_is_refused_at_once(self, tmp_path: Path, target: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(Error, match="named pipe"):
            copy_file(place(tmp_path / "pipe"), target, PLAIN, nothing)

    def test_a_source_that_is_gone_is_told_as_such(self, tmp_path: Path, target: Path) -> None:
        with pytest.raises(FileNotFoundError):
            copy_file(place(tmp_path / "gone"), target, PLAIN, nothing)


class TestMove:
    def test_a_file_gets_another_name_and_its_empty_folders_go(self, tmp_path: Path) -> None:
        (tmp_path / "from" / "deep").mkdir(parents=True)
        source = tmp_path / "from" / "deep" / "x"
        source.write_bytes(b"x")
        inode = source.stat().st_ino
        assert move_file(FilePlace(tmp_path / "from", "deep/x"), FilePlace(tmp_path / "to", "a/x"))
        assert (tmp_path / "to" / "a" / "x").stat().st_ino == inode
        assert list((tmp_path / "from").iterdir()) == []

    def test_a_link_is_no_file(self, tmp_path: Path, source: Path) -> None:
        (tmp_path / "link").symlink_to(source)
        assert not move_file(FilePlace(tmp_path, "link"), FilePlace(tmp_path, "moved"))

    def test_another_file_system_is_told(
        self, tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

        monkeypatch.setattr(os, "rename", refuse)
        assert not move_file(FilePlace(tmp_path, "source"), FilePlace(tmp_path, "moved"))
        assert source.exists()

    def test_a_second_name_of_the_target_stays(self, tmp_path: Path, source: Path) -> None:
        os.link(source, tmp_path / "second")
        with pytest.raises(ConflictError, match="the same file"):
            move_file(FilePlace(tmp_path, "source"), FilePlace(tmp_path, "second"))
        assert source.exists()


class TestComparing:
    def test_equal_bytes_have_a_digest(self, source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes())
        assert same_bytes(source, target) == same_bytes(target, source) is not None

    @pytest.mark.parametrize("place", [0, 2 * MIB, 3 * MIB + 16])
    def test_one_other_byte_is_found(self, source: Path, target: Path, place: int) -> None:
        data = bytearray(source.read_bytes())
        data[place] ^= 1
        target.write_bytes(data)
        assert same_bytes(source, target) is None


class TestApart:
    def test_folders_beside_each_other_are(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        assert are_apart(tmp_path / "a", tmp_path / "ab")
        assert are_apart(tmp_path / "a", tmp_path / "b" / "not" / "yet")

    @pytest.mark.parametrize("inner", ["a", "a/b", "a/not/yet", "link/b", "link/not/yet", "a/../a"])
    def test_one_in_the_other_is_not(self, tmp_path: Path, inner: str) -> None:
        (tmp_path / "a" / "b").mkdir(parents=True)
        (tmp_path / "link").symlink_to("a")
        assert not are_apart(tmp_path / "a", tmp_path / inner)
        assert not are_apart(tmp_path / inner, tmp_path / "a")

    def test_neither_are_two_that_are_not_there_yet(self, tmp_path: Path) -> None:
        assert not are_apart(tmp_path / "x", tmp_path / "x" / "y")
