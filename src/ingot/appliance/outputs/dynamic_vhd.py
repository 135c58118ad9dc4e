"""The format `dynamic-vhd`: a disk that a BIOS boots, without its zeros, for Hyper-V."""

from __future__ import annotations

from ingot.appliance.disks import bios_disk
from ingot.appliance.hypervisors import write_vhd
from ingot.appliance.loaders import BIOS_ARCHES, BIOS_LOADER
from ingot.appliance.outputs import OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.qemuimg import TOOL
from ingot.appliance.squashfs import TOOL as ROOT_TOOL


class DynamicVhd:
    """See the module."""

    name = "dynamic-vhd"
    suffixes = ("-dynamic.vhd",)
    needs = (ROOT_TOOL, TOOL)
    loaders = (BIOS_LOADER,)
    arches = BIOS_ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME-dynamic.vhd."""
        disk = bios_disk(plan, target)
        file_name = f"{target.name}{self.suffixes[0]}"
        write_vhd(disk.path, target.folder / file_name, plan.name, dynamic=True)
        return [OutputFile("disk", file_name, disk.firmware, disk.memory_mib)]


OUTPUT = DynamicVhd()
