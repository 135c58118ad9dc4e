"""The format `vhd`: a disk that a BIOS boots, of fixed size, for Azure and Hyper-V."""

from __future__ import annotations

from ingot.appliance.disks import bios_disk
from ingot.appliance.hypervisors import write_vhd
from ingot.appliance.loaders import BIOS_ARCHES, BIOS_LOADER
from ingot.appliance.outputs import OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.qemuimg import TOOL
from ingot.appliance.squashfs import TOOL as ROOT_TOOL


class Vhd:
    """See the module."""

    name = "vhd"
    suffixes = (".vhd",)
    needs = (ROOT_TOOL, TOOL)
    loaders = (BIOS_LOADER,)
    arches = BIOS_ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME.vhd."""
        disk = bios_disk(plan, target)
        file_name = f"{target.name}{self.suffixes[0]}"
        write_vhd(disk.path, target.folder / file_name, plan.name, dynamic=False)
        return [OutputFile("disk", file_name, disk.firmware, disk.memory_mib)]


OUTPUT = Vhd()
