import os
import stat
from pathlib import Path

import pytest

from ingot.base.atomic import atomic_writer, write_atomically


def test_a_file_appears_whole_with_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "keys"
    old = os.umask(0)
    try:
        write_atomically(target, b"secret", mode=0o600)
    finally:
        os.umask(old)
    assert target.read_bytes() == b"secret"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["keys"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "config"
    target.write_bytes(b"old")

    def write_half() -> None:
        with atomic_writer(target) as file:
            file.write(b"half of the new")
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        write_half()
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["config"]
