"""The format `iso-efi`: a CD that UEFI firmware boots."""

from __future__ import annotations

from ingot.appliance.cds import write_cd
from ingot.appliance.loaders import UEFI_LOADER
from ingot.appliance.outputs import ARCHES, OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.squashfs import TOOL


class IsoEfi:
    """See the module."""

    name = "iso-efi"
    suffixes = ("-efi.iso",)
    needs = (TOOL,)
    loaders = (UEFI_LOADER,)
    arches = ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write the CD."""
        file_name = f"{target.name}{self.suffixes[0]}"
        memory_mib = write_cd(plan, target, target.folder / file_name, bios=False)
        return [OutputFile("iso", file_name, ("uefi",), memory_mib)]


OUTPUT = IsoEfi()
