"""EROFS file systems, read back by erofs-utils."""

import os
import re
import stat
import struct
import subprocess
from pathlib import Path

import pytest

from ingot.appliance.archive import share_equal_files
from ingot.appliance.media.erofs import BLOCK_BYTES, lay_out
from ingot.appliance.media.pieces import write_pieces
from ingot.base.errors import Error
from ingot.oci.tree import Content, Entry, Tree, directory, file, symlink

IDENTIFIER = bytes(range(16))


def write(tree: Tree, path: Path) -> Path:
    image = lay_out(share_equal_files(tree), IDENTIFIER)
    write_pieces(path, image.size_bytes, image.pieces)
    return path


def extracted(image: Path, folder: Path) -> Path:
    command = ["fsck.erofs", f"--extract={folder}", "--preserve-perms", "--no-preserve-owner"]
    done = subprocess.run([*command, image], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def shown(image: Path, path: str) -> str:
    command = ["dump.erofs", f"--path=/{path}", image]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def device(image: Path, path: str) -> tuple[int, int]:
    """Return the numbers that the kernel decodes (`new_decode_dev`)."""
    found = re.search(r"NID: (\d+)", shown(image, path))
    assert found is not None
    (value,) = struct.unpack_from("<I", image.read_bytes(), int(found[1]) * 32 + 16)
    return (value & 0xFFF00) >> 8, value & 0xFF | value >> 12 & 0xFFF00


# Around what stands behind an inode, one block, several blocks.
SIZES = [0, 1, 2000, 2048, 4000, 4031, 4032, 4033, 4095, 4096, 4097, 8192, 12_345, 100_000]


@pytest.mark.parametrize("in_memory", [True, False])
def test_files_of_every_size_come_back(tmp_path: Path, in_memory: bool) -> None:
    tree = Tree()
    bodies = {f"d{index % 3}/f{index}": os.urandom(size) for index, size in enumerate(SIZES)}
    for path, data in bodies.items():
        content = Content.of(data)
        if not in_memory:
            source = tmp_path / path.replace("/", "-")
            source.write_bytes(b"before" + data + b"after")
            content = Content(len(data), path=str(source), offset=6)
        tree.add(Entry(path, "file", 0o644, content=content))
    folder = extracted(write(tree, tmp_path / "image"), tmp_path / "out")
    assert bodies == {path: (folder / path).read_bytes() for path in bodies}
    assert (tmp_path / "image").stat().st_size % BLOCK_BYTES == 0


def test_owners_modes_links_and_devices_are_kept(tmp_path: Path) -> None:
    tree = Tree()
    tree.add(directory("d", 0o1777, uid=5, gid=600_000))
    tree.add(file("d/f", "x", 0o4750, uid=70_000))
    tree.add(symlink("d/l", "a/long/way/" * 20))
    tree.add(Entry("d/null", "char", 0o666, device=(1, 3)))
    tree.add(Entry("d/disk", "block", 0o660, device=(259, 300)))
    tree.add(Entry("d/pipe", "fifo", 0o600))
    image = write(tree, tmp_path / "image")
    assert re.search(r"Uid: 5 +Gid: 600000 +Access: 0777", shown(image, "d"))
    assert re.search(r"Uid: 70000 +Gid: 0 +Access: 0750", shown(image, "d/f"))
    assert "Access: 0755" in shown(image, "")
    assert "regular file" in shown(image, "d/f")
    assert "symlink" in shown(image, "d/l")
    assert "char dev" in shown(image, "d/null")
    assert "block dev" in shown(image, "d/disk")
    assert (device(image, "d/null"), device(image, "d/disk")) == ((1, 3), (259, 300))
    assert "Timestamp: 1970-01-01" in shown(image, "d/f")
    tree.remove("d/null")
    tree.remove("d/disk")
    folder = extracted(write(tree, tmp_path / "less"), tmp_path / "out")
    assert (folder / "d/l").readlink() == Path("a/long/way/" * 20)
    assert stat.S_ISFIFO((folder / "d/pipe").stat().st_mode)
    assert stat.S_IMODE((folder / "d").stat().st_mode) == 0o1777


def test_equal_files_are_one_inode(tmp_path: Path) -> None:
    tree = Tree()
    for name in ("a", "b", "d/c"):
        tree.add(file(name, "same" * 2000))
    image = write(tree, tmp_path / "image")
    assert "Links: 3" in shown(image, "a")
    assert len({re.search(r"NID: (\d+)", shown(image, name))[1] for name in ("a", "d/c")}) == 1


def test_large_directories_are_spread_over_blocks(tmp_path: Path) -> None:
    tree = Tree()
    # Names on both sides of the dots, in the order of bytes.
    names = [f"+{index:03}-{'x' * (index % 200)}" for index in range(300)] + ["-", "zz", "é"]
    for name in names:
        tree.add(file(f"many/{name}", name))
    folder = extracted(write(tree, tmp_path / "image"), tmp_path / "out")
    assert sorted(os.listdir(folder / "many")) == sorted(names)
    assert all((folder / "many" / name).read_text() == name for name in names)


def test_extended_attributes_are_found_by_another_reader(tmp_path: Path) -> None:
    tree = Tree()
    values = (("security.capability", b"\1\0\0\2" * 5), ("user.note", b"odd"))
    tree.add(Entry("f", "file", 0o755, content=Content.of("x" * 5000), xattrs=values))
    image = write(tree, tmp_path / "image")
    assert "Xattr size: " in shown(image, "f")
    # Header; name's length, prefix and value's size; each padded to words.
    expected = bytes(12) + b"\x0a\x06\x14\x00capability" + b"\1\0\0\2" * 5 + b"\0\0"
    expected += b"\x04\x01\x03\x00noteodd\0"
    assert expected in image.read_bytes()
    assert f"Xattr size: {len(expected)}" in shown(image, "f")
    extracted(image, tmp_path / "out")


@pytest.mark.parametrize("attribute", [("odd.name", b""), ("user.large", b"x" * 4096)])
def test_attributes_that_do_not_fit_are_an_error(attribute: tuple[str, bytes]) -> None:
    tree = Tree()
    tree.add(Entry("f", "file", 0o755, content=Content.of("x"), xattrs=(attribute,)))
    with pytest.raises(Error, match="extended attribute"):
        lay_out(tree, IDENTIFIER)


def test_an_empty_tree_is_a_file_system(tmp_path: Path) -> None:
    folder = extracted(write(Tree(), tmp_path / "image"), tmp_path / "out")
    assert list(folder.iterdir()) == []
