from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.base.errors import ConflictError, Error, NotFoundError, UsageError
from ingot.client.beneath import open_file
from ingot.client.entries import Entry, Obstacle, Selection, Stamp
from ingot.client.localtree import LocalTree
from ingot.client.places import FilePlace

SEGMENTS = st.sampled_from(["a", "a-b", "a.txt", "a!", "é", "\uffff", "\U00010000", "0", "a b"])


def fill(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def entries_of(*names: str) -> list[Entry]:
    return [Entry(name, 0) for name in names]


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
    real = os.open

    def refuse(path: Path | str, flags: int, **options: int) -> int:
        if path == "closed":
            raise PermissionError(13, "Permission denied")
        return real(path, flags, **options)

    monkeypatch.setattr(os, "open", refuse)
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

    def refuse(path: str, *, dir_fd: int) -> None:
        if path == "a":
            raise PermissionError(13, "Permission denied")
        real(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refuse)
    failed = LocalTree(tmp_path).remove(entries_of("a", "b"))
    assert [f"cannot delete {tmp_path}/a: Permission denied"] == [
        error.message for error in failed.values()
    ]
    assert os.listdir(tmp_path) == ["a"]


@pytest.fixture
def swapped(tmp_path: Path) -> tuple[Path, Path]:
    """A tree, and a folder outside of it with the same names and other contents."""
    fill(tmp_path / "root", "a/1", "a/2", "b/1", "b/2")
    fill(tmp_path / "outside", "1", "2", "3")
    return tmp_path / "root", tmp_path / "outside"


def swap(folder: Path, outside: Path) -> None:
    folder.rename(folder.with_name("was"))
    folder.symlink_to(outside)


class TestFoldersThatBecomeLinks:
    def test_a_walk_does_not_go_through_them(self, swapped: tuple[Path, Path]) -> None:
        root, outside = swapped
        entries = LocalTree(root).entries()
        first = next(entries)
        swap(root / "a", outside)
        second = next(entries)
        (root / "was").rename(root.parent / "was")
        swap(root / "b", outside)
        third = next(entries)
        found = [item.stamp for item in (first, second) if isinstance(item, Entry)]
        assert found == [Stamp.of(os.stat(root.parent / "was" / name)) for name in ("1", "2")]
        assert Obstacle("b/", "cannot be read: Not a directory", is_failure=True) == third
        assert list(entries) == []

    def test_nothing_is_read_through_them(self, swapped: tuple[Path, Path]) -> None:
        root, outside = swapped
        place = LocalTree(root).place("a/1")
        followed = LocalTree(root, follow_links=True).place("a/1")
        assert isinstance(place, FilePlace)
        assert isinstance(followed, FilePlace)
        swap(root / "a", outside)
        with pytest.raises(NotADirectoryError):
            open_file(place)
        os.close(open_file(followed))
        link = root / "b" / "1"
        link.unlink()
        link.symlink_to(outside / "1")
        with pytest.raises(OSError, match="symbolic links"):
            open_file(FilePlace(root, "b/1", follows_links=False))

    def test_nothing_is_deleted_through_them(self, swapped: tuple[Path, Path]) -> None:
        root, outside = swapped
        swap(root / "a", outside)
        failed = LocalTree(root).remove(entries_of("a/1", "a/3", "b/1"))
        assert failed.keys() == {"a/1", "a/3"}
        assert sorted(os.listdir(outside)) == ["1", "2", "3"]
        assert os.listdir(root / "b") == ["2"]

    def test_what_is_behind_them_is_not_known_to_be_missing(
        self, swapped: tuple[Path, Path]
    ) -> None:
        root, outside = swapped
        tree = LocalTree(root)
        assert tree.lacks("a/3")
        swap(root / "a", outside)
        assert not tree.lacks("a/9")
        assert tree.lacks("b/9")


def test_a_link_that_leads_in_circles_hides_nothing_else(tmp_path: Path) -> None:
    fill(tmp_path, "a", "d/x")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "d" / "through-a-file").symlink_to("../a/x")
    found = list(LocalTree(tmp_path, follow_links=True).entries())
    assert [item.name for item in found] == ["a", "circle", "d/through-a-file", "d/x"]
    assert [item.reason for item in found if isinstance(item, Obstacle)] == [
        "is a symbolic link",
        "is a symbolic link",
    ]


@pytest.mark.parametrize("name", ["../x", "/x", "a//b", "a/../../x", "", "n\0l", "k" * 300])
def test_names_that_lead_elsewhere_are_no_names_here(tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    fill(root, "a/b")
    fill(tmp_path, "x")
    tree = LocalTree(root)
    if name:
        assert names(tree, name) == []
        assert tree.lacks(name)
        assert tree.remove(entries_of(name)).keys() == {name}
    assert (tmp_path / "x").exists()


def test_a_folder_that_is_closed_meanwhile_is_a_failure_not_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "a/b")
    real = os.open

    def refuse(path: Path | str, flags: int, **options: int) -> int:
        if path == "a":
            raise PermissionError(13, "Permission denied")
        return real(path, flags, **options)

    monkeypatch.setattr(os, "open", refuse)
    tree = LocalTree(tmp_path)
    (item,) = tree.entries("a/b")
    assert Obstacle("a/b", "cannot be read: Permission denied", is_failure=True) == item
    (item,) = tree.entries("a")
    assert Obstacle("a/", "cannot be read: Permission denied", is_failure=True) == item
    with pytest.raises(Error, match="cannot look at"):
        tree.lacks("a/b")


@pytest.mark.parametrize("change", ["rewritten", "replaced", "relinked", "gone", "none"])
def test_only_what_was_listed_is_deleted(tmp_path: Path, change: str) -> None:
    fill(tmp_path, "a")
    os.link(tmp_path / "a", tmp_path / "link")
    tree = LocalTree(tmp_path)
    listed = [item for item in tree.entries("a") if isinstance(item, Entry)]
    path = tmp_path / "a"
    if change == "rewritten":
        path.write_text("other")
    elif change == "replaced":
        (tmp_path / "b").write_text("a")
        (tmp_path / "b").rename(path)
    elif change == "relinked":
        (tmp_path / "link").unlink()
    elif change == "gone":
        path.unlink()
    failed = tree.remove(listed)
    stays = change in {"rewritten", "replaced"}
    assert [type(error) for error in failed.values()] == ([ConflictError] if stays else [])
    assert path.exists() == stays


def test_a_target_that_another_folder_took_the_place_of_is_not_settled(tmp_path: Path) -> None:
    root = tmp_path / "root"
    fill(root, "a")
    tree = LocalTree(root, may_be_missing=True)
    tree.check()
    tree.settle()
    root.rename(tmp_path / "unmounted")
    with pytest.raises(Error, match="No such file"):
        tree.settle()
    root.mkdir()
    with pytest.raises(Error, match="took the place"):
        tree.settle()
