"""The kernel's archive format, byte by byte and as the standard tool reads it."""

import io
import subprocess
from pathlib import Path

import pytest

from ingot.appliance.cpio import write_cpio, write_linked_cpio
from ingot.base.errors import Error
from ingot.oci.tree import Content, Entry, Tree, directory, file, symlink


def written(*entries: Entry) -> bytes:
    sink = io.BytesIO()
    write_cpio(entries, sink)
    return sink.getvalue()


GOLDEN = b"""
070701 00000001 000041ED 00000000 00000000 00000002 00000000
00000000 00000000 00000000 00000000 00000000 00000004 00000000 dev...
070701 00000002 000081A4 00000001 00000002 00000001 00000000
00000003 00000000 00000000 00000000 00000000 00000002 00000000 a.xyz.
070701 00000000 00000000 00000000 00000000 00000001 00000000
00000000 00000000 00000000 00000000 00000000 0000000B 00000000 TRAILER!!!....
"""


def test_an_archive_is_golden() -> None:
    # Blanks and line ends are for the reader; a dot stands for NUL.
    expected = b"".join(GOLDEN.split()).replace(b".", b"\0")
    assert written(directory("dev", 0o755), file("a", "xyz", 0o644, uid=1, gid=2)) == expected


def test_links_carry_their_target_and_devices_their_numbers() -> None:
    data = written(
        symlink("init", "/bin/busybox"),
        Entry("dev/console", "char", 0o600, device=(5, 1)),
        Entry("pipe", "fifo", 0o600),
    )
    assert b"0000A1FF" in data
    assert b"init\0\0/bin/busybox" in data
    assert b"00002180" in data
    assert b"0000000500000001" in data
    assert b"00001180" in data


@pytest.mark.parametrize("size", range(9))
def test_every_part_begins_at_a_multiple_of_four(size: int) -> None:
    data = written(file("f" * (size + 1), "x" * size), file("next", ""))
    offsets = [index for index in range(len(data)) if data.startswith(b"070701", index)]
    assert len(offsets) == 3
    assert all(offset % 4 == 0 for offset in offsets)
    assert len(data) % 4 == 0


def test_a_tree_is_written_with_parents_first(tmp_path: Path) -> None:
    tree = Tree()
    tree.add(file("usr/bin/busybox", "b" * 5000, 0o755))
    tree.add(symlink("bin", "usr/bin"))
    body = tmp_path / "body"
    body.write_bytes(b"0123456789")
    content = Content(size_bytes=4, path=str(body), offset=3)
    tree.add(Entry("part", "file", 0o600, content=content))
    sink = io.BytesIO()
    write_cpio(tree, sink)
    # The kernel's own documentation names this tool; bsdtar reads the format too.
    listing = subprocess.run(
        ["cpio", "--list", "--quiet"], input=sink.getvalue(), capture_output=True, check=True
    ).stdout
    assert listing.decode().split() == ["bin", "part", "usr", "usr/bin", "usr/bin/busybox"]
    subprocess.run(
        ["cpio", "--extract", "--quiet", "--no-absolute-filenames"],
        input=sink.getvalue(),
        cwd=tmp_path,
        check=True,
    )
    assert (tmp_path / "part").read_bytes() == b"3456"
    assert (tmp_path / "bin").is_symlink()


def test_a_file_beyond_the_format_is_an_error() -> None:
    huge = Content(size_bytes=2**32, path="/nowhere")
    with pytest.raises(Error, match="too large for an initial RAM disk"):
        written(Entry("huge", "file", 0o644, content=huge))


def test_a_hard_link_is_a_second_name_of_one_file(tmp_path: Path) -> None:
    first = file("a", "body", 0o640)
    sink = io.BytesIO()
    entries = [directory("d"), first, Entry("d/b", "hardlink", 0o640, link="a"), file("z", "other")]
    write_linked_cpio(entries, sink)
    assert sink.getvalue().count(b"body") == 1
    subprocess.run(["cpio", "-idm", "--quiet"], input=sink.getvalue(), cwd=tmp_path, check=True)
    assert (tmp_path / "d/b").read_text() == "body"
    assert (tmp_path / "a").samefile(tmp_path / "d/b")
    assert (tmp_path / "z").stat().st_nlink == 1
