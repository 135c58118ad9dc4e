"""Kernel modules come in an order insmod can load."""

from pathlib import Path

import pytest

from ingot.base.errors import NotFoundError
from ingot.debian.modules import module_order, read_modules
from ingot.oci.tree import Tree, file
from ingot.testing.elfs import make_elf

FOLDER = "usr/lib/modules/6.1.0"


def kernel(**modinfo: str) -> Tree:
    """Make a tree with a module per argument; its value is its .modinfo, fields by semicolons."""
    tree = Tree()
    for name, fields in modinfo.items():
        section = "".join(f"{field}\0" for field in fields.split(";")).encode()
        path = f"{FOLDER}/kernel/{name.replace('__', '-')}.ko"
        tree.add(file(path, make_elf(sections={".modinfo": section})))
    tree.add(file(f"{FOLDER}/modules.builtin", "kernel/drivers/pci/virtio_builtin.ko\n"))
    return tree


def order(tree: Tree, tmp_path: Path, *names: str) -> list[str]:
    paths = module_order(tree, names, cache_dir=tmp_path)
    return [path.rpartition("/")[2].removesuffix(".ko") for path in paths]


def test_what_a_module_depends_on_comes_before_it_and_once(tmp_path: Path) -> None:
    tree = kernel(
        virtio_net="depends=net_failover,virtio",
        net_failover="depends=failover",
        failover="depends=",
        virtio="license=GPL",
        virtio_blk="depends=virtio",
    )
    found = order(tree, tmp_path, "virtio_net", "virtio-blk")
    assert found == ["failover", "net_failover", "virtio", "virtio_net", "virtio_blk"]


def test_dashes_in_file_names_are_underscores_in_names(tmp_path: Path) -> None:
    tree = kernel(dm__mod="depends=", dm_verity="depends=dm-mod")
    assert order(tree, tmp_path, "dm-verity") == ["dm-mod", "dm_verity"]


def test_soft_dependencies_load_first_where_they_exist(tmp_path: Path) -> None:
    tree = kernel(
        ext4="softdep=pre: crc32c gone post: later",
        crc32c_intel="alias=crc32c",
        crc32c_generic="alias=crypto-crc32c;alias=crc32c",
        later="depends=",
    )
    assert order(tree, tmp_path, "ext4") == ["crc32c_generic", "ext4"]


def test_a_generic_one_that_is_built_in_is_enough(tmp_path: Path) -> None:
    tree = kernel(erofs="softdep=pre: virtio", virtio_intel="alias=virtio")
    tree.add(file(f"{FOLDER}/modules.builtin", "kernel/crypto/virtio_generic.ko\n"))
    assert order(tree, tmp_path, "erofs") == ["erofs"]


def test_built_in_modules_are_not_loaded(tmp_path: Path) -> None:
    tree = kernel(a="depends=virtio_builtin")
    assert order(tree, tmp_path, "a", "virtio-builtin") == ["a"]


def test_cycles_of_soft_dependencies_end(tmp_path: Path) -> None:
    tree = kernel(a="softdep=pre: b", b="softdep=pre: a")
    assert order(tree, tmp_path, "a") == ["b", "a"]


def test_an_unknown_module_is_an_error_that_names_its_like(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no module virtio") as caught:
        order(kernel(virtio_net="depends="), tmp_path, "virtio")
    assert caught.value.hint is not None
    assert "virtio_net" in caught.value.hint
    with pytest.raises(NotFoundError, match="needed by a"):
        order(kernel(a="depends=b"), tmp_path, "a")


def test_the_answer_is_kept_until_a_module_changes(tmp_path: Path) -> None:
    read_modules(kernel(a="depends="), tmp_path)
    (kept,) = (tmp_path / "modules").iterdir()
    before = kept.stat().st_mtime_ns
    read_modules(kernel(a="depends="), tmp_path)
    assert kept.stat().st_mtime_ns == before
    assert read_modules(kernel(a="depends=b", b=""), tmp_path)["a"].depends == ("b",)
