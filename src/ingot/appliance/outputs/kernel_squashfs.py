"""The format `kernel+squashfs`: a kernel, a small RAM disk, and the root as a verified disk."""

from __future__ import annotations

from ingot.appliance.media.pieces import Piece, write_pieces
from ingot.appliance.outputs import ARCHES, OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.squashfs import TOOL
from ingot.appliance.verified import VERITY_TOOLS, verified_root
from ingot.oci.tree import Content


class KernelSquashfs:
    """See the module."""

    name = "kernel+squashfs"
    suffixes = ("-kernel", "-initrd.img", "-cmdline", "-squashfs.img")
    needs = (TOOL,)
    loaders = (VERITY_TOOLS,)
    arches = ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME-kernel, NAME-initrd.img, NAME-cmdline and NAME-squashfs.img."""
        root = verified_root(plan, target)
        kernel, initrd, cmdline, image = (f"{target.name}{suffix}" for suffix in self.suffixes)
        parts = root.parts
        for file_name, content in (
            (kernel, parts.kernel),
            (initrd, parts.initrd),
            (cmdline, Content.of(parts.cmdline)),
        ):
            write_pieces(target.folder / file_name, content.size_bytes, [Piece(0, content)])
        write_pieces(target.folder / image, root.size_bytes, root.pieces)
        return [
            OutputFile("kernel", kernel),
            OutputFile("initrd", initrd, memory_mib=root.memory_mib()),
            OutputFile("cmdline", cmdline),
            OutputFile("root", image),
        ]


OUTPUT = KernelSquashfs()
