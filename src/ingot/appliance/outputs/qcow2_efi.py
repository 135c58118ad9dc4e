"""The format `qcow2-efi`: a disk that UEFI firmware boots, for QEMU."""

from __future__ import annotations

from ingot.appliance.disks import efi_disk
from ingot.appliance.loaders import UEFI_LOADER
from ingot.appliance.outputs import ARCHES, OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.qemuimg import TOOL, convert
from ingot.appliance.squashfs import TOOL as ROOT_TOOL


class Qcow2Efi:
    """See the module."""

    name = "qcow2-efi"
    suffixes = ("-efi.qcow2",)
    needs = (ROOT_TOOL, TOOL)
    loaders = (UEFI_LOADER,)
    arches = ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME-efi.qcow2."""
        disk = efi_disk(plan, target)
        file_name = f"{target.name}{self.suffixes[0]}"
        convert(disk.path, target.folder / file_name, "qcow2")
        return [OutputFile("disk", file_name, disk.firmware, disk.memory_mib)]


OUTPUT = Qcow2Efi()
