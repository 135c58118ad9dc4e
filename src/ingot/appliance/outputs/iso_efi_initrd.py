"""The format `iso-efi-initrd`: `iso-efi` under the name that LinuxKit has for it."""

from __future__ import annotations

from ingot.appliance.cds import write_cd
from ingot.appliance.loaders import UEFI_LOADER
from ingot.appliance.outputs import ARCHES, OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.squashfs import TOOL


class IsoEfiInitrd:
    """See the module."""

    name = "iso-efi-initrd"
    suffixes = ("-efi-initrd.iso",)
    needs = (TOOL,)
    loaders = (UEFI_LOADER,)
    arches = ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME-efi-initrd.iso."""
        file_name = f"{target.name}{self.suffixes[0]}"
        memory_mib = write_cd(plan, target, target.folder / file_name, bios=False)
        return [OutputFile("iso", file_name, ("uefi",), memory_mib)]


OUTPUT = IsoEfiInitrd()
