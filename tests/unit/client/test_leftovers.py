"""Which hidden files are removed: real files, whose age a clock of the tests tells."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ingot.base.atomic import atomic_descriptor, is_temporary
from ingot.base.errors import UsageError
from ingot.client.leftovers import Leftovers
from ingot.client.localnames import tree_name_problem
from ingot.client.localtree import LocalTree

NAME = ".cat.jpg.0123456789ab.tmp"
HOUR_S = 3600.0


class LaterClock:
    """A clock that is ahead, as files cannot be made old."""

    def __init__(self, ahead_s: float) -> None:
        self._ahead_s = ahead_s

    def now_ns(self) -> int:
        return time.time_ns() + int(self._ahead_s * 1e9)

    def monotonic_s(self) -> float:
        return time.monotonic() + self._ahead_s


def swept(folder: Path, *, ahead_s: float = HOUR_S + 1) -> list[str]:
    Leftovers(LaterClock(ahead_s)).sweep_folder(folder)
    return sorted(os.listdir(folder))


def test_old_ones_that_nobody_has_open_go(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"half")
    (tmp_path / "cat.jpg").write_bytes(b"whole")
    assert swept(tmp_path) == ["cat.jpg"]


def test_one_that_changed_lately_stays(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"half")
    os.utime(tmp_path / NAME, (1, 1))
    assert swept(tmp_path, ahead_s=HOUR_S - 60) == [NAME]


def test_one_that_is_being_written_stays_however_old(tmp_path: Path) -> None:
    with atomic_descriptor(str(tmp_path / "cat.jpg"), mode=None, durable=False):
        assert is_temporary(os.listdir(tmp_path)[0])
        assert len(swept(tmp_path, ahead_s=30 * 24 * HOUR_S)) == 1
    assert swept(tmp_path) == ["cat.jpg"]


@pytest.mark.parametrize(
    "name",
    [
        "cat.jpg.0123456789ab.tmp",
        ".cat.jpg.0123456789a.tmp",
        ".cat.jpg.0123456789abc.tmp",
        ".cat.jpg.0123456789AB.tmp",
        ".cat.jpg.0123456789ab.tmp~",
        ".cat.jpg.0123456789ab.temp",
        "..0123456789ab.tmp",
        ".0123456789ab.tmp",
        ".cat.jpg.0123456789ab.tmp\n",
    ],
)
def test_other_names_are_files_of_somebody(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert [name] == swept(tmp_path)
    assert [name] == [item.name for item in LocalTree(tmp_path).entries()]
    assert tree_name_problem(name) is None


@pytest.mark.parametrize("name", [NAME, ".two\nlines.0123456789ab.tmp", ".\udcff.0123456789ab.tmp"])
def test_what_has_such_a_name_is_no_entry(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"half")
    assert list(LocalTree(tmp_path).entries()) == []
    assert [name] == os.listdir(tmp_path)
    assert tree_name_problem(f"folder/{name}") == "its name is that of an unfinished download"
    tree = LocalTree(tmp_path, leftovers=Leftovers(LaterClock(HOUR_S + 1)))
    assert list(tree.entries()) == []
    assert os.listdir(tmp_path) == []


def test_what_is_no_plain_file_stays(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / ".a.0123456789ab.tmp").mkdir(parents=True)
    (tmp_path / "outside").write_bytes(b"x")
    (folder / ".b.0123456789ab.tmp").symlink_to(tmp_path / "outside")
    os.mkfifo(folder / ".c.0123456789ab.tmp")
    assert len(swept(folder)) == 3
    assert (tmp_path / "outside").read_bytes() == b"x"


def test_folders_below_are_looked_through_but_not_links_to_others(tmp_path: Path) -> None:
    for folder in ("root/a/b", "outside"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / NAME).write_bytes(b"half")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    tree = LocalTree(tmp_path / "root", leftovers=Leftovers(LaterClock(HOUR_S + 1)))
    for below in ("", "a/", "a/b/", "link/", "../outside/", "nowhere/"):
        tree.tidied(below)
    assert os.listdir(tmp_path / "root" / "a" / "b") == []
    assert os.listdir(tmp_path / "outside") == [NAME]


def test_their_age_is_set_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / NAME).write_bytes(b"half")
    Leftovers.default().sweep_folder(tmp_path)
    assert os.listdir(tmp_path) == [NAME]
    monkeypatch.setenv("INGOT_LEFTOVER_AGE", "0s")
    Leftovers.default().sweep_folder(tmp_path)
    assert os.listdir(tmp_path) == []
    monkeypatch.setenv("INGOT_LEFTOVER_AGE", "soon")
    with pytest.raises(UsageError):
        Leftovers.default()
