"""The format `vmdk`: a disk that a BIOS boots, without its zeros, for VMware and VirtualBox."""

from __future__ import annotations

from ingot.appliance.disks import bios_disk
from ingot.appliance.loaders import BIOS_ARCHES, BIOS_LOADER
from ingot.appliance.media.vmdk import disk_number, write_vmdk
from ingot.appliance.outputs import OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.squashfs import TOOL


class Vmdk:
    """See the module."""

    name = "vmdk"
    suffixes = (".vmdk",)
    needs = (TOOL,)
    loaders = (BIOS_LOADER,)
    arches = BIOS_ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME.vmdk."""
        disk = bios_disk(plan, target)
        file_name = f"{target.name}{self.suffixes[0]}"
        write_vmdk(disk.path, target.folder / file_name, disk_number(plan.name))
        return [OutputFile("disk", file_name, disk.firmware, disk.memory_mib)]


OUTPUT = Vmdk()
