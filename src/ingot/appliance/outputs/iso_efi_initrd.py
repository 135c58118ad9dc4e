"""The format `iso-efi-initrd`: `iso-efi` under the name that LinuxKit has for it."""

from __future__ import annotations

from ingot.appliance.outputs.iso_efi import IsoEfi


class IsoEfiInitrd(IsoEfi):
    """See the module."""

    name = "iso-efi-initrd"
    suffixes = ("-efi-initrd.iso",)


OUTPUT = IsoEfiInitrd()
