import os
from pathlib import Path

import pytest

from ingot.base.errors import ConflictError, Error
from ingot.server.process.datadir import LOCK_FILE, lock, prepare


def test_prepare_makes_the_directory_for_the_owner_only(tmp_path: Path) -> None:
    prepare(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_prepare_leaves_an_existing_directory_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    prepare(tmp_path)

    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_prepare_refuses_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(Error, match="cannot use"):
        prepare(tmp_path / "file")


def test_a_second_lock_is_refused_and_names_the_owner(tmp_path: Path) -> None:
    descriptor = lock(tmp_path)
    try:
        with pytest.raises(ConflictError, match=f"process {os.getpid()}"):
            lock(tmp_path)
    finally:
        os.close(descriptor)


def test_the_lock_is_free_again_once_closed(tmp_path: Path) -> None:
    os.close(lock(tmp_path))

    os.close(lock(tmp_path))

    assert (tmp_path / LOCK_FILE).read_text() == f"{os.getpid()}\n"
