"""The initial RAM disk, which carries the root file system, and what else boots an appliance.

The RAM disk is two archives, which the kernel unpacks one after the other: a compressed one with
what finds the root (busybox, a script, two modules) and a plain one with the squashfs image, whose
bytes are compressed already. Microcode, where the kernel's image brings it, comes before both.

An appliance with another init than ours (LinuxKit's) gets what that expects: the whole root as one
compressed archive.
"""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from ingot.appliance.archive import share_equal_files
from ingot.appliance.cpio import write_cpio, write_linked_cpio
from ingot.appliance.outputs import Target
from ingot.appliance.plan import Plan
from ingot.appliance.squashfs import LEVEL_DEFAULT, write_squashfs
from ingot.base.errors import UsageError
from ingot.base.units import MIB
from ingot.oci.tree import Content, Entry, Tree, directory

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_FIRST_PROGRAM = "init"
_BUSYBOX = "bin/busybox"
_ROOT_IMAGE = "root.squashfs"
_MEMORY_STEP_MIB = 64
# What only our init component has.
_OWN_BOOT = "usr/lib/ingot/boot"
# Of gzip, which every kernel unpacks.
_WHOLE_LEVEL = 6


@dataclass(frozen=True, slots=True)
class BootParts:
    """What every way to boot needs.

    Attributes:
        cmdline: the kernel's command line, without a line end.
    """

    kernel: Content
    initrd: Content
    cmdline: str

    def memory_mib(self, loader_bytes: int = 0) -> int:
        """Return the RAM a machine should have.

        The RAM disk is in memory twice while the kernel unpacks it; Python needs about three
        times the size of its compressed files. Measured: docs/explanation/boot.md.

        Args:
            loader_bytes: what the boot loader holds beside that.
        """
        wanted = 96 + (4 * self.initrd.size_bytes + loader_bytes) // MIB
        return -(-wanted // _MEMORY_STEP_MIB) * _MEMORY_STEP_MIB


def boot_parts(plan: Plan, target: Target) -> BootParts:
    """Return kernel, RAM disk and command line; the RAM disk is made once for all outputs.

    Raises:
        UsageError: the appliance lacks a kernel or what starts the root file system.
        Error: see `write_squashfs`.
    """
    kernel = kernel_of(plan)
    path = target.work / "initrd.img"
    if not path.exists():
        _write_initrd(plan, target, path)
    initrd = Content(size_bytes=path.stat().st_size, path=str(path))
    return BootParts(kernel, initrd, plan.cmdline.strip())


def kernel_of(plan: Plan) -> Content:
    """Return the appliance's kernel; raises UsageError if it has none."""
    if plan.kernel is None:
        raise UsageError(
            f"{plan.name} has no kernel, and nothing boots without one",
            hint="add `kernel:` with `image: component:kernel`",
        )
    return plan.kernel


def early_tree(plan: Plan, modules: Sequence[Entry], tools: Tree) -> Tree:
    """Return what the kernel unpacks to find the root image.

    Args:
        plan: brings the first program and busybox.
        modules: what that program inserts, in order.
        tools: other programs it needs.
    """
    tree = Tree()
    tree.merge(tools)
    for path in ("dev", "modules", "proc", "root", "sys"):
        tree.add(directory(path))
    for path, mode in ((_FIRST_PROGRAM, 0o755), (_BUSYBOX, 0o755)):
        entry = plan.root.resolve(path)
        if entry is None or entry.content is None:
            raise UsageError(
                f"{plan.name}: no init image has /{path}, which starts the root file system",
                hint="add component:init to `init:`",
            )
        tree.add(Entry(path, "file", mode, content=entry.content))
    if plan.root.resolve(_OWN_BOOT) is None:
        raise UsageError(
            f"{plan.name}: its init does not know how to find a root image",
            hint="take component:init, or a format whose RAM disk holds the root: kernel+initrd",
        )
    for index, module in enumerate(modules):
        name = module.path.rpartition("/")[2]
        tree.add(Entry(f"modules/{index:02d}-{name}", "file", 0o644, content=module.content))
    return tree


def root_without_kernel(plan: Plan) -> Tree:
    """Return the root file system without `boot/`, which whoever boots it has read already."""
    tree = Tree()
    tree.merge(plan.root)
    tree.remove("boot")
    return tree


def write_microcode(plan: Plan, sink: BinaryIO) -> None:
    """Write the processors' microcode, if there is any: the kernel wants it first and plain."""
    if plan.ucode is not None:
        sink.writelines(plan.ucode.chunks())
        # The kernel looks for the next archive at a multiple of four bytes.
        sink.write(bytes(-plan.ucode.size_bytes % 4))


def write_early(tree: Tree, sink: BinaryIO, *, level: int) -> None:
    """Write what the kernel unpacks first, compressed, so that another archive may follow."""
    early = io.BytesIO()
    write_cpio(tree, early)
    packed = zstd.compress(early.getvalue(), level)
    # The kernel looks for the next archive at a multiple of four bytes.
    sink.write(packed + bytes(-len(packed) % 4))


def _write_initrd(plan: Plan, target: Target, path: Path) -> None:
    if plan.root.resolve(_OWN_BOOT) is None:
        _write_whole(plan, path)
        return
    level = target.compress_level or LEVEL_DEFAULT
    root_image = target.work / _ROOT_IMAGE
    write_squashfs(root_without_kernel(plan), root_image, level=level)
    modules = [entry for path in plan.early_modules if (entry := plan.root.get(path)) is not None]
    content = Content(size_bytes=root_image.stat().st_size, path=str(root_image))
    with path.open("wb") as file:
        write_microcode(plan, file)
        write_early(early_tree(plan, modules, Tree()), file, level=level)
        write_cpio([Entry(_ROOT_IMAGE, "file", 0o400, content=content)], file)
    root_image.unlink()


def _write_whole(plan: Plan, path: Path) -> None:
    if plan.root.resolve(_FIRST_PROGRAM) is None:
        raise UsageError(
            f"{plan.name}: no init image has /{_FIRST_PROGRAM}, which a RAM disk is started by",
            hint="add component:init to `init:`",
        )
    with path.open("wb") as file:
        write_microcode(plan, file)
        # No name and no date go into the header.
        with gzip.GzipFile("", "wb", _WHOLE_LEVEL, file, mtime=0) as packed:
            entries = list(share_equal_files(root_without_kernel(plan)))
            write_linked_cpio(entries, cast("BinaryIO", packed))
