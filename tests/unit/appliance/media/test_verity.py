"""Hash trees, checked by veritysetup."""

import subprocess
from pathlib import Path

import pytest

from ingot.appliance.media.verity import BLOCK_BYTES, make_tree
from ingot.oci.tree import Content

IDENTIFIER = bytes(range(16))


def content(path: Path, size_bytes: int) -> Content:
    path.write_bytes((bytes(range(251)) * (size_bytes // 251 + 1))[:size_bytes])
    return Content(size_bytes, path=str(path))


# One block, one block of hashes, just more than that, three levels' worth of a chunk's edge.
@pytest.mark.parametrize("blocks", [1, 2, 128, 129, 256, 257, 128 * 128 + 1])
def test_veritysetup_agrees(tmp_path: Path, blocks: int) -> None:
    data = content(tmp_path / "data", blocks * BLOCK_BYTES)
    made = make_tree(data, IDENTIFIER, tmp_path / "tree")
    assert made.data_blocks == blocks
    whole = tmp_path / "whole"
    whole.write_bytes(data.read() + made.tree.read())
    command = ["/usr/sbin/veritysetup", "verify", whole, whole, made.root_hash]
    subprocess.run([*command, f"--hash-offset={data.size_bytes}"], check=True)


def test_one_byte_changes_the_root(tmp_path: Path) -> None:
    data = content(tmp_path / "data", 300 * BLOCK_BYTES)
    before = make_tree(data, IDENTIFIER, tmp_path / "before")
    with (tmp_path / "data").open("r+b") as file:
        file.seek(200 * BLOCK_BYTES + 17)
        file.write(b"\xff")
    after = make_tree(data, IDENTIFIER, tmp_path / "after")
    assert after.root_hash != before.root_hash
    assert after.tree.size_bytes == before.tree.size_bytes


def test_the_last_block_is_filled_up(tmp_path: Path) -> None:
    short = make_tree(content(tmp_path / "short", BLOCK_BYTES + 5), IDENTIFIER, tmp_path / "one")
    padded = (tmp_path / "short").read_bytes().ljust(2 * BLOCK_BYTES, b"\0")
    whole = make_tree(Content.of(padded), IDENTIFIER, tmp_path / "two")
    assert short.root_hash == whole.root_hash
    assert short.tree.read() == whole.tree.read()
