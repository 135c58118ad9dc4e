"""The format `kernel+squashfs`: a kernel, a small RAM disk, and the root as a verified disk."""

from __future__ import annotations

from ingot.appliance.outputs import ARCHES, OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.rootfiles import write_root_files
from ingot.appliance.squashfs import TOOL
from ingot.appliance.verified import VERITY_TOOLS, verified_root


class KernelSquashfs:
    """See the module."""

    name = "kernel+squashfs"
    suffixes = ("-kernel", "-initrd.img", "-cmdline", "-squashfs.img")
    needs = (TOOL,)
    loaders = (VERITY_TOOLS,)
    arches = ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME-kernel, NAME-initrd.img, NAME-cmdline and NAME-squashfs.img."""
        return write_root_files(verified_root(plan, target, "squashfs"), target, self.suffixes)


OUTPUT = KernelSquashfs()
