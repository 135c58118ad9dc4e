"""The format `raw-verity`: a disk for UEFI with a root partition that is verified."""

from __future__ import annotations

import os

from ingot.appliance.disks import verified_disk
from ingot.appliance.loaders import UEFI_LOADER
from ingot.appliance.outputs import ARCHES, OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.squashfs import TOOL
from ingot.appliance.verified import VERITY_TOOLS


class RawVerity:
    """See the module."""

    name = "raw-verity"
    suffixes = ("-verity.img",)
    needs = (TOOL,)
    loaders = (UEFI_LOADER, VERITY_TOOLS)
    arches = ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME-verity.img."""
        disk = verified_disk(plan, target)
        file_name = f"{target.name}{self.suffixes[0]}"
        os.link(disk.path, target.folder / file_name)
        return [OutputFile("disk", file_name, disk.firmware, disk.memory_mib)]


OUTPUT = RawVerity()
