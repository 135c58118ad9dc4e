"""The store's image from this host's own Debian archive and Python index: it works, twice the same.

Nothing is booted: the image's interpreter is started by the image's own dynamic linker.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import ingot.system
from ingot.debian.component import build_component
from ingot.debian.machine import host_machine
from ingot.debian.session import Session
from ingot.oci.image import Image
from ingot.oci.tree import Tree

pytestmark = pytest.mark.e2e

SITE = "usr/lib/python3/dist-packages"
PROGRAM = """
import asyncio, sqlite3, ssl
import awscrt.checksums, click, granian, msgspec, uvloop
from ingot.cli.main import main
print(awscrt.checksums.crc32c(b"123456789"))
"""
# The check value that the catalogue of CRCs gives for CRC-32C of "123456789".
CRC32C = 0xE3069283


def build(name: str, cache_dir: Path, lock_path: Path, *, offline: bool = False) -> Image:
    session = Session(cache_dir=cache_dir, lock_path=lock_path, offline=offline)
    folder = Path(next(iter(ingot.system.__path__))) / name
    image = build_component(folder, arch=host_machine().architecture, session=session)
    session.save_lock()
    return image


def write(tree: Tree, root: Path) -> None:
    """Extract what runs: files, and links made relative so that they stay below `root`."""
    for entry in tree:
        path = root / entry.path
        if entry.kind == "directory":
            path.mkdir(parents=True)
        elif entry.kind == "symlink":
            target = entry.link or ""
            up = "../" * entry.path.count("/")
            path.symlink_to(up + target.lstrip("/") if target.startswith("/") else target)
        else:
            assert entry.content is not None
            path.write_bytes(entry.content.read())
            path.chmod(entry.mode)


def python_files(tree: Tree, suffix: str) -> set[str]:
    """Return the modules of which the tree has a file with this suffix."""
    return {
        entry.path.replace("__pycache__/", "").replace(".cpython-311", "").removesuffix(suffix)
        for entry in tree
        if entry.path.endswith(suffix) and entry.kind == "file"
    }


def test_the_store_image_runs_and_is_reproducible(tmp_path: Path) -> None:
    lock = tmp_path / "ingot.lock"
    first = build("store", tmp_path / "one", lock)
    pins = lock.read_bytes()
    assert build("store", tmp_path / "two", lock).tree.digest() == first.tree.digest()
    assert build("store", tmp_path / "one", lock, offline=True).tree.digest() == first.tree.digest()
    assert lock.read_bytes() == pins

    assert python_files(first.tree, ".pyc") == python_files(first.tree, ".py")

    root = tmp_path / "root"
    root.mkdir()
    write(first.tree, root)
    libraries = root / "usr/lib" / host_machine().triplet
    python = [libraries / host_machine().linker, "--library-path", libraries]
    done = subprocess.run(
        [*map(str, python), str(root / "usr/bin/python3.11"), "-c", PROGRAM],
        env={"PYTHONPATH": str(root / SITE), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == CRC32C
