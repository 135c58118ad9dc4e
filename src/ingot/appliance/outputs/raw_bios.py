"""The format `raw-bios`: a disk that a BIOS boots, as it lies on the disk."""

from __future__ import annotations

import os

from ingot.appliance.disks import bios_disk
from ingot.appliance.loaders import BIOS_ARCHES, BIOS_LOADER
from ingot.appliance.outputs import OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.squashfs import TOOL


class RawBios:
    """See the module."""

    name = "raw-bios"
    suffixes = ("-bios.img",)
    needs = (TOOL,)
    loaders = (BIOS_LOADER,)
    arches = BIOS_ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME-bios.img."""
        disk = bios_disk(plan, target)
        file_name = f"{target.name}{self.suffixes[0]}"
        os.link(disk.path, target.folder / file_name)
        return [OutputFile("disk", file_name, disk.firmware, disk.memory_mib)]


OUTPUT = RawBios()
