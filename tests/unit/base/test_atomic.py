import contextlib
import ctypes
import os
import stat
from pathlib import Path

import pytest

from ingot.base.atomic import atomic_descriptor, atomic_writer, write_atomically


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


@pytest.mark.parametrize("has_call", [True, False])
def test_a_name_that_is_taken_is_not_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_call: bool
) -> None:
    if not has_call:
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    path = str(tmp_path / "f")
    for data in (b"first", b"second"):
        with contextlib.suppress(FileExistsError):
            with atomic_descriptor(path, mode=None, durable=False, replaces=False) as descriptor:
                os.write(descriptor, data)
            assert data == b"first"
    assert Path(path).read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["f"]
