"""The format `kernel+initrd`: a kernel, an initial RAM disk that carries the root, a command line.

The RAM disk is two archives, which the kernel unpacks one after the other: a compressed one with
what finds the root (busybox, a script, two modules) and a plain one with the squashfs image, whose
bytes are compressed already.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

from ingot.appliance.cpio import write_cpio
from ingot.appliance.outputs import OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.squashfs import LEVEL_DEFAULT, TOOL, write_squashfs
from ingot.base.errors import UsageError
from ingot.oci.tree import Content, Entry, Tree, directory

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_FIRST_PROGRAM = "init"
_BUSYBOX = "bin/busybox"
_ROOT_IMAGE = "root.squashfs"


class KernelInitrd:
    """See the module."""

    name = "kernel+initrd"
    suffixes = ("-kernel", "-initrd.img", "-cmdline")
    needs = (TOOL,)

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME-kernel, NAME-initrd.img and NAME-cmdline."""
        if plan.kernel is None:
            raise UsageError(
                f"{plan.name} has no kernel, and {self.name} needs one",
                hint="add `kernel:` with `image: component:kernel`",
            )
        kernel, initrd, cmdline = (f"{target.name}{suffix}" for suffix in self.suffixes)
        with (target.folder / kernel).open("wb") as file:
            file.writelines(plan.kernel.chunks())
        (target.folder / cmdline).write_text(plan.cmdline, encoding="utf-8")
        self._write_initrd(plan, target, initrd)
        return [
            OutputFile("kernel", kernel),
            OutputFile("initrd", initrd),
            OutputFile("cmdline", cmdline),
        ]

    def _write_initrd(self, plan: Plan, target: Target, file_name: str) -> None:
        level = target.compress_level or LEVEL_DEFAULT
        root_image = target.folder / f"{target.name}.squashfs"
        write_squashfs(root_without_kernel(plan), root_image, level=level)
        early = io.BytesIO()
        write_cpio(early_tree(plan), early)
        content = Content(size_bytes=root_image.stat().st_size, path=str(root_image))
        with (target.folder / file_name).open("wb") as file:
            packed = zstd.compress(early.getvalue(), level)
            # The kernel looks for the next archive at a multiple of four bytes.
            file.write(packed + bytes(-len(packed) % 4))
            write_cpio([Entry(_ROOT_IMAGE, "file", 0o400, content=content)], file)
        root_image.unlink()


def early_tree(plan: Plan) -> Tree:
    """Return what the kernel unpacks to find the root image."""
    tree = Tree()
    for path in ("dev", "root", "modules"):
        tree.add(directory(path))
    for path, mode in ((_FIRST_PROGRAM, 0o755), (_BUSYBOX, 0o755)):
        entry = plan.root.resolve(path)
        if entry is None or entry.content is None:
            raise UsageError(
                f"{plan.name}: no init image has /{path}, which starts the root file system",
                hint="add component:init to `init:`",
            )
        tree.add(Entry(path, "file", mode, content=entry.content))
    for path, content in _numbered(plan):
        tree.add(Entry(path, "file", 0o644, content=content))
    return tree


def root_without_kernel(plan: Plan) -> Tree:
    """Return the root file system without `boot/`, which whoever boots it has read already."""
    tree = Tree()
    tree.merge(plan.root)
    tree.remove("boot")
    return tree


def _numbered(plan: Plan) -> Iterator[tuple[str, Content]]:
    for index, path in enumerate(plan.early_modules):
        entry = plan.root.get(path)
        assert entry is not None
        assert entry.content is not None
        yield f"modules/{index:02d}-{path.rpartition('/')[2]}", entry.content


OUTPUT = KernelInitrd()
