"""The format `raw-efi`: a disk that UEFI firmware boots, as it lies on the disk."""

from __future__ import annotations

import os

from ingot.appliance.disks import efi_disk
from ingot.appliance.loaders import UEFI_LOADER
from ingot.appliance.outputs import ARCHES, OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.squashfs import TOOL


class RawEfi:
    """See the module."""

    name = "raw-efi"
    suffixes = ("-efi.img",)
    needs = (TOOL,)
    loaders = (UEFI_LOADER,)
    arches = ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME-efi.img."""
        disk = efi_disk(plan, target)
        file_name = f"{target.name}{self.suffixes[0]}"
        os.link(disk.path, target.folder / file_name)
        return [OutputFile("disk", file_name, disk.firmware, disk.memory_mib)]


OUTPUT = RawEfi()
