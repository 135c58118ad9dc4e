"""The format `iso-bios`: a CD that a BIOS and UEFI firmware boot, and a disk it is copied to."""

from __future__ import annotations

from ingot.appliance.cds import write_cd
from ingot.appliance.loaders import BIOS_ARCHES, BIOS_LOADER, UEFI_LOADER
from ingot.appliance.outputs import OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.squashfs import TOOL


class IsoBios:
    """See the module."""

    name = "iso-bios"
    suffixes = (".iso",)
    needs = (TOOL,)
    loaders = (UEFI_LOADER, BIOS_LOADER)
    arches = BIOS_ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME.iso."""
        file_name = f"{target.name}{self.suffixes[0]}"
        memory_mib = write_cd(plan, target, target.folder / file_name, bios=True)
        return [OutputFile("iso", file_name, ("bios", "uefi"), memory_mib)]


OUTPUT = IsoBios()
