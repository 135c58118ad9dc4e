"""Images of mksquashfs are the same bytes whoever makes them, and remain what they were."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingot.appliance.media.squashowner import give_to_root
from ingot.appliance.squashfs import write_squashfs
from ingot.base.errors import IntegrityError
from ingot.oci.tree import Content, Entry, Tree, directory, file

NOBODY = 65_534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user may write to; those of pytest are the user's own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o777)
        yield Path(name)


def make_tree(*, owner: int, files: int, xattrs: bool) -> Tree:
    tree = Tree()
    tree.add(directory("d", 0o700, uid=owner, gid=owner + 1))
    for index in range(files):
        tree.add(file(f"d/{index}", f"{index}", uid=owner, gid=0))
    if xattrs:
        values = (("user.note", b"kept"),)
        tree.add(Entry("x", "file", 0o644, owner, 0, content=Content.of("x"), xattrs=values))
    return tree


def write_as(user: int, tree: Tree, path: Path) -> bytes:
    """Write the image as another user, where the tests may become one."""
    child = os.fork()
    if not child:
        code = 1
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setresgid(user, user, user)
                os.setresuid(user, user, user)
            write_squashfs(tree, path)
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return path.read_bytes()


# Inodes of one block and of several; the builder owns nothing, something, or all of it.
@pytest.mark.parametrize("files", [3, 256, 257, 900])
@pytest.mark.parametrize("owner", [0, 1000, NOBODY])
@pytest.mark.parametrize("xattrs", [False, True])
def test_the_builder_leaves_no_trace(folder: Path, files: int, owner: int, xattrs: bool) -> None:
    tree = make_tree(owner=owner, files=files, xattrs=xattrs)
    image = folder / "image"
    write_squashfs(tree, image)
    assert write_as(NOBODY, tree, folder / "other") == image.read_bytes()
    command = ["unsquashfs", "-lln", "-d", "", image]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in shown.splitlines()]
    assert rows[0][:2] == ["drwxr-xr-x", "0/0"]
    owners = {row[5]: row[1] for row in rows[1:]}
    assert owners["/d"] == f"{owner}/{owner + 1}"
    assert {owners[f"/d/{index}"] for index in range(files)} == {f"{owner}/0"}


def test_attributes_are_still_found(folder: Path) -> None:
    image = folder / "image"
    write_as(NOBODY, make_tree(owner=7, files=300, xattrs=True), image)
    command = ["unsquashfs", "-quiet", "-no-progress", "-user-xattrs", "-d", folder / "out", image]
    subprocess.run([*command, "x", "d/299"], check=True)
    assert os.getxattr(folder / "out" / "x", "user.note") == b"kept"
    assert (folder / "out" / "d" / "299").read_text() == "299"


@pytest.mark.parametrize("owners", [{0, 1, 2}, {0, 9}])
def test_an_image_of_other_files_is_refused(folder: Path, owners: set[int]) -> None:
    write_squashfs(make_tree(owner=7, files=1, xattrs=False), folder / "image")
    with pytest.raises(IntegrityError, match="owners that its files do not have"):
        give_to_root(folder / "image", owners)


def test_what_is_no_image_is_refused(folder: Path) -> None:
    (folder / "image").write_bytes(bytes(4096))
    with pytest.raises(IntegrityError, match="not the image that mksquashfs makes"):
        give_to_root(folder / "image", {0})
