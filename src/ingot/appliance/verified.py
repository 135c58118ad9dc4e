"""A root file system that stays on its disk, of which the kernel verifies every block (dm-verity).

The root's hash is on the kernel's command line: who trusts the kernel's image can trust the root.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from ingot.appliance.archive import share_equal_files
from ingot.appliance.bundle import COMPONENT_PREFIX
from ingot.appliance.hardware import FUNCTIONS, file_name, render_table
from ingot.appliance.initrd import (
    BootParts,
    early_tree,
    kernel_of,
    root_without_kernel,
    write_early,
    write_microcode,
)
from ingot.appliance.media.erofs import lay_out
from ingot.appliance.media.gpt import derived_id
from ingot.appliance.media.pieces import Piece, write_pieces
from ingot.appliance.media.verity import BLOCK_BYTES, make_tree
from ingot.appliance.modules import MODULE_LIST, ROOT_MODULES_LABEL, module_list
from ingot.appliance.outputs import Target
from ingot.appliance.plan import Plan
from ingot.appliance.squashfs import LEVEL_DEFAULT, write_squashfs
from ingot.base.errors import UsageError
from ingot.debian.modules import module_name
from ingot.oci.tree import Content, Entry, Tree, file

FileSystem: TypeAlias = Literal["squashfs", "erofs"]
VERITY_TOOLS = f"{COMPONENT_PREFIX}verity"


@dataclass(frozen=True, slots=True)
class VerifiedRoot:
    """A root image with its hash tree, and what boots it.

    Attributes:
        pieces: of the device: the image, then the tree.
        parts: its RAM disk only finds the device; its command line says what is right.
    """

    size_bytes: int
    pieces: tuple[Piece, ...]
    parts: BootParts

    def memory_mib(self, loader_bytes: int = 0) -> int:
        """Return the RAM a machine should have that boots from `parts`.

        The image itself stays on its disk; what its programs need is about three times its size.

        Args:
            loader_bytes: see `BootParts.memory_mib`.
        """
        return self.parts.memory_mib(loader_bytes + 3 * self.size_bytes)


def verified_root(plan: Plan, target: Target, filesystem: FileSystem = "squashfs") -> VerifiedRoot:
    """Return the root image and what boots it, made once a build in its work folder.

    Args:
        plan: the appliance.
        target: brings the tools that open the root.
        filesystem: of the image: squashfs is smaller, erofs is read with less work.

    Raises:
        UsageError: the appliance lacks a kernel, modules for disks, or what starts the root.
        Error: see `write_squashfs`.
    """
    kernel = kernel_of(plan)
    modules = _modules(plan, filesystem)
    image = target.work / f"verified.{filesystem}"
    initrd = target.work / f"verified-{filesystem}-initrd.img"
    identifier = derived_id(plan.name, "root").bytes
    if not image.exists():
        level = target.compress_level or LEVEL_DEFAULT
        root = _root(plan, modules)
        if filesystem == "squashfs":
            write_squashfs(root, image, level=level)
        else:
            layout = lay_out(share_equal_files(root), identifier)
            write_pieces(image, layout.size_bytes, layout.pieces)
        tools = Tree()
        tools.merge(target.loaders[VERITY_TOOLS])
        tools.remove("usr/share")
        _add_drivers(tools, plan)
        with initrd.open("wb") as file:
            write_microcode(plan, file)
            write_early(early_tree(plan, modules, tools), file, level=level)
    content = Content(image.stat().st_size, path=str(image))
    hashes = target.work / f"verified.{filesystem}.tree"
    hashes.unlink(missing_ok=True)
    tree = make_tree(content, identifier, hashes)
    first = hashlib.sha256(content.slice(0, BLOCK_BYTES).ljust(BLOCK_BYTES, b"\0")).hexdigest()
    setting = f"ingot.verity={first},{tree.data_blocks},{tree.root_hash},{filesystem}"
    parts = BootParts(
        kernel,
        Content(initrd.stat().st_size, path=str(initrd)),
        f"{plan.cmdline.strip()} {setting}".lstrip(),
    )
    data_bytes = tree.data_blocks * BLOCK_BYTES
    pieces = (Piece(0, content), Piece(data_bytes, tree.tree))
    return VerifiedRoot(data_bytes + tree.tree.size_bytes, pieces, parts)


def _add_drivers(tree: Tree, plan: Plan) -> None:
    """Add the drivers of disks, by which the RAM disk reaches the root on any of them."""
    functions = plan.root.resolve(FUNCTIONS)
    if not plan.disks or functions is None:
        return
    tree.add(file("drivers/table", render_table(plan.disks, "/drivers")))
    tree.add(Entry("drivers/functions", "file", 0o644, content=functions.content))
    for module in (module for driver in plan.disks for module in driver.modules):
        tree.add(Entry(f"drivers/{file_name(module)}", "file", 0o644, content=module.content))


def _modules(plan: Plan, filesystem: FileSystem) -> list[Entry]:
    """Return what is inserted to reach such an image, without what reads the other kind."""
    names = [module_name(module.path) for module in plan.root_modules]
    if filesystem not in names:
        raise UsageError(
            f"{plan.name}: the kernel's image does not say how to reach a verified {filesystem}",
            hint=f"its label {ROOT_MODULES_LABEL} names the modules; component:kernel has it",
        )
    others = {name for name in get_args(FileSystem) if name != filesystem}
    return [
        module for module, name in zip(plan.root_modules, names, strict=True) if name not in others
    ]


def _root(plan: Plan, modules: Sequence[Entry]) -> Tree:
    """Return the root without the modules that are inserted before it is there."""
    root = root_without_kernel(plan)
    listed = plan.root.get(MODULE_LIST)
    if listed is not None and listed.content is not None:
        inserted = {module.path for module in modules}
        lines = listed.content.read().decode().splitlines()
        kept = [line for line in lines if line.lstrip("-/") not in inserted]
        root.add(
            module_list(
                [line.lstrip("/") for line in kept if line.startswith("/")],
                [line.lstrip("-/") for line in kept if line.startswith("-")],
            )
        )
    return root
