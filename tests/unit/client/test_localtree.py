from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.base.errors import Error, NotFoundError, UsageError
from ingot.client.entries import Entry, Obstacle, Selection, Stamp
from ingot.client.localtree import LocalTree

SEGMENTS = st.sampled_from(["a", "a-b", "a.txt", "a!", "é", "\uffff", "\U00010000", "0", "a b"])


def fill(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def names(tree: LocalTree, below: str = "") -> list[str]:
    return [item.name for item in tree.entries(below)]


@given(wanted=st.sets(st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join), max_size=12))
def test_names_come_in_the_utf8_byte_order_of_s3_listings(
    wanted: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for name in sorted(wanted):
        parts = name.split("/")
        if not any((root / "/".join(parts[:end])).is_file() for end in range(1, len(parts))):
            fill(root, name)
    found = names(LocalTree(root))
    files = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
    assert sorted(files, key=lambda name: name.encode()) == found


def test_a_folder_sorts_where_its_keys_stand(tmp_path: Path) -> None:
    fill(tmp_path, "a/b", "a.txt", "a-b", "a0")
    assert names(LocalTree(tmp_path)) == ["a-b", "a.txt", "a/b", "a0"]


def test_an_entry_has_size_and_time_and_no_etag(tmp_path: Path) -> None:
    fill(tmp_path, "x")
    os.utime(tmp_path / "x", ns=(1, 1_234_567_890))
    stamp = Stamp.of(os.stat(tmp_path / "x"))
    assert [Entry("x", 1, 1_234_567_890, None, stamp)] == list(LocalTree(tmp_path).entries())


def test_links_are_listed_as_what_they_are_and_not_followed(tmp_path: Path) -> None:
    fill(tmp_path / "outside", "secret")
    fill(tmp_path / "root", "x")
    (tmp_path / "root" / "file").symlink_to(tmp_path / "outside" / "secret")
    (tmp_path / "root" / "folder").symlink_to(tmp_path / "outside")
    stamp = Stamp.of(os.stat(tmp_path / "root" / "x"))
    assert [
        Obstacle("file", "is a symbolic link", is_failure=False),
        Obstacle("folder", "is a symbolic link", is_failure=False),
        Entry("x", 1, stamp.modified_ns, None, stamp),
    ] == list(LocalTree(tmp_path / "root").entries())


def test_links_are_followed_on_demand_and_loops_are_cut(tmp_path: Path) -> None:
    fill(tmp_path / "outside", "secret")
    fill(tmp_path / "root", "x/y")
    (tmp_path / "root" / "file").symlink_to(tmp_path / "outside" / "secret")
    (tmp_path / "root" / "folder").symlink_to(tmp_path / "outside")
    (tmp_path / "root" / "x" / "loop").symlink_to(tmp_path / "root")
    (tmp_path / "root" / "z").symlink_to("nowhere")
    found = list(LocalTree(tmp_path / "root", follow_links=True).entries())
    assert [item.name for item in found] == ["file", "folder/secret", "x/loop/", "x/y", "z"]
    assert [item.name for item in found if isinstance(item, Obstacle)] == ["x/loop/", "z"]


def test_sockets_and_pipes_are_left_out_with_a_reason(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        reasons = [i.reason for i in LocalTree(tmp_path).entries() if isinstance(i, Obstacle)]
    assert reasons == ["is a named pipe", "is a socket"]


def test_an_unreadable_folder_is_a_failure_that_covers_what_is_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "closed/x", "open/x")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    first, second = LocalTree(tmp_path).entries()
    assert Obstacle("closed/", "cannot be read: Permission denied", is_failure=True) == first
    assert second.name == "open/x"


def test_excluded_names_and_downloads_in_progress_are_not_there(tmp_path: Path) -> None:
    fill(tmp_path, "a.tmp", "keep", ".x.0123456789ab.tmp", ".x.tmp", "deep/node_modules/y/z")
    tree = LocalTree(tmp_path, Selection(("a.*", "node_modules")))
    assert names(tree) == [".x.tmp", "keep"]


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        ("a", ["a/b", "a/c/d"]),
        ("a/c", ["a/c/d"]),
        ("a/b", ["a/b"]),
        ("a-b", ["a-b"]),
        ("gone", []),
        ("a-b/x", []),
        ("x.skip", []),
        (".d.0123456789ab.tmp", []),
    ],
)
def test_below_a_name_are_that_file_or_that_folder(
    tmp_path: Path, below: str, expected: list[str]
) -> None:
    fill(tmp_path, "a/b", "a/c/d", "a-b", "x.skip", ".d.0123456789ab.tmp")
    assert expected == names(LocalTree(tmp_path, Selection(("*.skip",))), below)


def test_below_a_link_is_the_link_so_that_nothing_there_is_taken_for_missing(
    tmp_path: Path,
) -> None:
    fill(tmp_path / "outside", "x")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    found = list(LocalTree(tmp_path / "root").entries("link/x"))
    assert [Obstacle("link", "is a symbolic link", is_failure=False)] == found


def test_a_root_that_is_missing_or_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        list(LocalTree(tmp_path / "missing").entries())
    fill(tmp_path, "file")
    with pytest.raises(UsageError):
        list(LocalTree(tmp_path / "file").entries())


def test_a_deep_tree_is_walked_without_recursion(tmp_path: Path) -> None:
    deep = "/".join("d" * 1 for _ in range(400))
    fill(tmp_path, deep + "/x")
    assert [deep + "/x"] == names(LocalTree(tmp_path))


def test_another_folder_in_the_same_place_is_noticed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    fill(root, "a")
    tree = LocalTree(root)
    tree.check()
    assert tree.lacks("b")
    assert not tree.lacks("a")
    root.rename(tmp_path / "unmounted")
    root.mkdir()
    with pytest.raises(Error, match="took the place"):
        tree.lacks("a")


def test_a_target_that_does_not_exist_yet_is_empty(tmp_path: Path) -> None:
    tree = LocalTree(tmp_path / "new", may_be_missing=True)
    tree.check()
    assert names(tree) == []


def test_what_cannot_be_deleted_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a", "b")
    real = os.unlink

    def refuse(path: Path) -> None:
        if path.name == "a":
            raise PermissionError(13, "Permission denied")
        real(path)

    monkeypatch.setattr(os, "unlink", refuse)
    failed = LocalTree(tmp_path).remove(["a", "b"])
    assert [f"cannot delete {tmp_path}/a: Permission denied"] == [
        error.message for error in failed.values()
    ]
    assert os.listdir(tmp_path) == ["a"]
