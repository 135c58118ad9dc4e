"""The format `tar-kernel-initrd`: kernel, RAM disk and command line in one archive."""

from __future__ import annotations

from ingot.appliance.archive import write_tar
from ingot.appliance.initrd import boot_parts
from ingot.appliance.outputs import ARCHES, OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.squashfs import TOOL
from ingot.oci.tree import Content, Entry, Tree


class TarKernelInitrd:
    """See the module."""

    name = "tar-kernel-initrd"
    suffixes = ("-initrd.tar",)
    needs = (TOOL,)
    loaders = ()
    arches = ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME-initrd.tar; its members have LinuxKit's names."""
        parts = boot_parts(plan, target)
        members = {
            "kernel": parts.kernel,
            "initrd.img": parts.initrd,
            "cmdline": Content.of(plan.cmdline),
        }
        tree = Tree()
        for name, content in members.items():
            tree.add(Entry(name, "file", 0o644, content=content))
        file_name = f"{target.name}{self.suffixes[0]}"
        with (target.folder / file_name).open("wb") as file:
            write_tar(tree, file)
        return [OutputFile("tar", file_name)]


OUTPUT = TarKernelInitrd()
