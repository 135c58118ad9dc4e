"""What a real kernel tells of a real folder."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ingot.client.inotify import EventsLostError, FolderEvents

DEADLINE_S = 30.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "a" / "b").mkdir(parents=True)
    return folder


@pytest.fixture
def events(root: Path) -> Iterator[FolderEvents]:
    with closing(FolderEvents(root)) as opened:
        yield opened


def told(events: FolderEvents, *wanted: str) -> set[str]:
    """Return what is told until all that is wanted was."""
    seen: set[str] = set()
    deadline = time.monotonic() + DEADLINE_S
    while not seen.issuperset(wanted):
        assert time.monotonic() < deadline, f"{seen} lacks some of {wanted}"
        seen |= events.take(0.1, step_s=0.01, burst_s=0.05)
    return seen


def test_files_are_told_by_name_at_any_depth(root: Path, events: FolderEvents) -> None:
    names = ["x", "a/x", "a/b/x", "a/two\nlines", "a/é"]
    for name in names:
        (root / name).write_bytes(b"1")
    assert set(names) == told(events, *names)
    (root / "a" / "x").write_bytes(b"2")
    assert {"a/x"} == told(events, "a/x")
    (root / "a" / "x").unlink()
    (root / "x").rename(root / "y")
    assert {"a/x", "x", "y"} == told(events, "a/x", "x", "y")
    assert set() == events.take(0, step_s=0, burst_s=0)


def test_folders_that_appear_are_watched_with_all_below(root: Path, events: FolderEvents) -> None:
    (root / "n" / "e").mkdir(parents=True)
    (root / "n" / "e" / "w").write_bytes(b"1")
    told(events, "n")
    (root / "n" / "e" / "later").write_bytes(b"1")
    told(events, "n/e/later")


def test_a_folder_that_moves_is_told_by_its_new_name(
    root: Path, events: FolderEvents, tmp_path: Path
) -> None:
    (root / "a").rename(root / "c")
    assert {"a", "c"} == told(events, "a", "c")
    (root / "c" / "b" / "x").write_bytes(b"1")
    assert {"c/b/x"} == told(events, "c/b/x")
    (root / "c" / "b").rename(tmp_path / "outside")
    assert {"c/b"} == told(events, "c/b")
    (tmp_path / "outside" / "x").write_bytes(b"2")
    (root / "c" / "y").write_bytes(b"2")
    assert {"c/y"} == told(events, "c/y")


def test_a_folder_that_takes_the_name_of_another_is_watched(
    root: Path, events: FolderEvents
) -> None:
    (root / "a" / "b").rmdir()
    (root / "a").rmdir()
    (root / "a" / "b").mkdir(parents=True)
    told(events, "a")
    (root / "a" / "b" / "x").write_bytes(b"1")
    told(events, "a/b/x")


def test_links_are_watched_only_on_demand_and_loops_are_cut(
    root: Path, events: FolderEvents, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (root / "link").symlink_to(outside)
    (outside / "loop").symlink_to(root)
    assert {"link"} == told(events, "link")
    with closing(FolderEvents(root, follow_links=True)) as following:
        (outside / "deep" / "x").write_bytes(b"1")
        (root / "a" / "other").symlink_to(outside)
        told(following, "link/deep/x", "a/other")
        (outside / "deep" / "y").write_bytes(b"1")
        told(following, "link/deep/y", "a/other/deep/y")
        (root / "link").unlink()
        told(following, "link")
        (outside / "deep" / "z").write_bytes(b"1")
        assert {"a/other/deep/z"} == told(following, "a/other/deep/z")
    assert {"a/other"} == told(events, "a/other") - {"link"}


def test_the_folder_itself_has_the_empty_name(root: Path, events: FolderEvents) -> None:
    root.rename(root.parent / "elsewhere")
    told(events, "")


def test_what_the_kernel_dropped_is_an_error(root: Path, events: FolderEvents) -> None:
    kept = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    (root / "x").write_bytes(b"1")
    (root / "y").write_bytes(b"1")
    for _ in range(kept // 2):
        os.utime(root / "x")
        os.utime(root / "y")
    with pytest.raises(EventsLostError):
        told(events, "never")


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FolderEvents(tmp_path / "nowhere")
