"""The format `qcow2-bios`: a disk that a BIOS boots, for QEMU."""

from __future__ import annotations

from ingot.appliance.disks import bios_disk
from ingot.appliance.loaders import BIOS_ARCHES, BIOS_LOADER
from ingot.appliance.outputs import OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.qemuimg import TOOL, convert
from ingot.appliance.squashfs import TOOL as ROOT_TOOL


class Qcow2Bios:
    """See the module."""

    name = "qcow2-bios"
    suffixes = (".qcow2",)
    needs = (ROOT_TOOL, TOOL)
    loaders = (BIOS_LOADER,)
    arches = BIOS_ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME.qcow2."""
        disk = bios_disk(plan, target)
        file_name = f"{target.name}{self.suffixes[0]}"
        convert(disk.path, target.folder / file_name, "qcow2")
        return [OutputFile("disk", file_name, disk.firmware, disk.memory_mib)]


OUTPUT = Qcow2Bios()
