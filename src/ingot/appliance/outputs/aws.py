"""The format `aws`: a disk that a BIOS boots, as Amazon EC2 imports it."""

from __future__ import annotations

import os

from ingot.appliance.disks import bios_disk
from ingot.appliance.loaders import BIOS_ARCHES, BIOS_LOADER
from ingot.appliance.outputs import OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.squashfs import TOOL


class Aws:
    """See the module."""

    name = "aws"
    suffixes = (".raw",)
    needs = (TOOL,)
    loaders = (BIOS_LOADER,)
    arches = BIOS_ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME.raw."""
        disk = bios_disk(plan, target)
        file_name = f"{target.name}{self.suffixes[0]}"
        os.link(disk.path, target.folder / file_name)
        return [OutputFile("disk", file_name, disk.firmware, disk.memory_mib)]


OUTPUT = Aws()
