"""The format `kernel+initrd`: a kernel, the RAM disk that carries the root, a command line."""

from __future__ import annotations

import os

from ingot.appliance.initrd import boot_parts
from ingot.appliance.outputs import ARCHES, OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.squashfs import TOOL


class KernelInitrd:
    """See the module."""

    name = "kernel+initrd"
    suffixes = ("-kernel", "-initrd.img", "-cmdline")
    needs = (TOOL,)
    loaders = ()
    arches = ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME-kernel, NAME-initrd.img and NAME-cmdline."""
        parts = boot_parts(plan, target)
        kernel, initrd, cmdline = (f"{target.name}{suffix}" for suffix in self.suffixes)
        with (target.folder / kernel).open("wb") as file:
            file.writelines(parts.kernel.chunks())
        assert parts.initrd.path is not None
        os.link(parts.initrd.path, target.folder / initrd)
        (target.folder / cmdline).write_text(plan.cmdline, encoding="utf-8")
        return [
            OutputFile("kernel", kernel),
            OutputFile("initrd", initrd, memory_mib=parts.memory_mib()),
            OutputFile("cmdline", cmdline),
        ]


OUTPUT = KernelInitrd()
