"""Tar streams: what Python's tarfile reads back, and that equal files are stored once."""

import io
import tarfile

from ingot.appliance.archive import share_equal_files, write_tar
from ingot.oci.tree import Entry, Tree, directory, file, symlink


def tree_of(*entries: Entry) -> Tree:
    tree = Tree()
    for entry in entries:
        tree.add(entry)
    return tree


def members(tree: Tree) -> dict[str, tarfile.TarInfo]:
    sink = io.BytesIO()
    write_tar(tree, sink)
    sink.seek(0)
    with tarfile.open(fileobj=sink) as archive:
        return {member.name: member for member in archive}


def test_every_kind_is_written() -> None:
    found = members(
        tree_of(
            directory("d", 0o700, uid=3, gid=4),
            file("d/f", "content", 0o4755, uid=70_000, gid=1),
            symlink("d/l", "f"),
            Entry("d/null", "char", 0o666, device=(1, 3)),
            Entry("d/sda", "block", 0o660, device=(8, 0)),
            Entry("d/p", "fifo", 0o600),
        )
    )
    assert found["d"].isdir()
    assert (found["d"].mode, found["d"].uid, found["d"].gid) == (0o700, 3, 4)
    assert (found["d/f"].size, found["d/f"].mode, found["d/f"].uid) == (7, 0o4755, 70_000)
    assert found["d/l"].linkname == "f"
    assert (found["d/null"].devmajor, found["d/null"].devminor) == (1, 3)
    assert found["d/sda"].isblk()
    assert found["d/p"].isfifo()
    assert {member.mtime for member in found.values()} == {0}


def test_long_names_and_attributes_survive() -> None:
    name = "/".join(["long-folder-name-" + "x" * 40] * 5)
    entry = Entry(name, "file", 0o755, content=file("x", "y").content, xattrs=(("user.a", b"b"),))
    found = members(tree_of(entry))
    assert found[name].pax_headers["SCHILY.xattr.user.a"] == "b"


def test_equal_files_are_stored_once() -> None:
    tree = tree_of(file("a/python", "same"), file("b/python", "same"), file("c/python", "other"))
    found = members(tree)
    assert found["b/python"].islnk()
    assert found["b/python"].linkname == "a/python"
    assert found["c/python"].isreg()


def test_files_that_differ_in_owner_mode_or_attributes_stay_apart() -> None:
    attributes = Entry(
        "e", "file", 0o644, content=file("x", "same").content, xattrs=(("user.a", b""),)
    )
    tree = tree_of(
        file("a", "same"), file("b", "same", 0o755), file("c", "same", uid=1), attributes
    )
    assert [entry.kind for entry in share_equal_files(tree)] == ["file"] * 4


def test_empty_files_stay_apart_because_mounts_go_there() -> None:
    tree = tree_of(file("a", ""), file("b", ""))
    assert [entry.kind for entry in share_equal_files(tree)] == ["file", "file"]
