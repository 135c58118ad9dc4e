import os
from pathlib import Path

import pytest

from ingot.vm.disks.copies import copy_sparse

MIB = 1 << 20


@pytest.mark.parametrize(
    "written",
    [
        {},
        {0: b"start"},
        {3 * MIB: b"middle"},
        {8 * MIB - 3: b"end"},
        {0: b"a" * MIB, 2 * MIB: b"b" * MIB, 7 * MIB: b"c" * MIB},
    ],
)
def test_a_copy_has_the_bytes_and_the_holes(tmp_path: Path, written: dict[int, bytes]) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as file:
        file.truncate(8 * MIB)
        for offset, data in written.items():
            file.seek(offset)
            file.write(data)
    copy_sparse(source, target)
    assert target.read_bytes() == source.read_bytes()
    status = target.stat()
    assert status.st_blocks <= os.stat(source).st_blocks + 8
    assert status.st_mode & 0o777 == 0o600


def test_an_empty_file_is_copied(tmp_path: Path) -> None:
    (tmp_path / "source").touch()
    copy_sparse(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b""


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"new")
    (tmp_path / "target").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        copy_sparse(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"old"
