"""The format `raw-erofs`: `raw-verity` with erofs in its root partition."""

from __future__ import annotations

import os

from ingot.appliance.disks import verified_disk
from ingot.appliance.loaders import UEFI_LOADER
from ingot.appliance.outputs import ARCHES, OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.verified import VERITY_TOOLS


class RawErofs:
    """See the module."""

    name = "raw-erofs"
    suffixes = ("-erofs-verity.img",)
    needs = ()
    loaders = (UEFI_LOADER, VERITY_TOOLS)
    arches = ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME-erofs-verity.img."""
        disk = verified_disk(plan, target, "erofs")
        file_name = f"{target.name}{self.suffixes[0]}"
        os.link(disk.path, target.folder / file_name)
        return [OutputFile("disk", file_name, disk.firmware, disk.memory_mib)]


OUTPUT = RawErofs()
