"""What starts an appliance from a medium: the kernel as a UEFI program, and BIOS boot loaders."""

from __future__ import annotations

from dataclasses import dataclass

from ingot.appliance.bundle import COMPONENT_PREFIX
from ingot.appliance.initrd import BootParts
from ingot.appliance.media.pieces import write_pieces
from ingot.appliance.media.uki import STUBS, Uki, make_uki
from ingot.appliance.outputs import Target
from ingot.appliance.plan import Plan
from ingot.base.units import MIB
from ingot.oci.tree import Content

UEFI_LOADER = f"{COMPONENT_PREFIX}loader-uefi"
BIOS_LOADER = f"{COMPONENT_PREFIX}loader-bios"
# UEFI firmware and its buffers, which are there until the kernel runs. OVMF crashes with less.
FIRMWARE_BYTES = 64 * MIB
BIOS_ARCHES = ("amd64",)

GPT_BOOT_CODE = "usr/lib/syslinux/mbr/gptmbr.bin"
ISO_BOOT_CODE = "usr/lib/ISOLINUX/isohdpfx.bin"
ISO_LOADER = "usr/lib/ISOLINUX/isolinux.bin"
MODULE = "usr/lib/syslinux/modules/bios/ldlinux.c32"
MODULE_FILE = "ldlinux.c32"


@dataclass(frozen=True, slots=True)
class UefiProgram:
    """The unified kernel image in the build's work folder, and where its parts lie in it.

    Attributes:
        memory_mib: the RAM a machine needs to boot it, where all of the root is in it.
    """

    content: Content
    layout: Uki
    memory_mib: int


def uefi_program(
    plan: Plan, target: Target, parts: BootParts, *, name: str = "kernel"
) -> UefiProgram:
    """Return the kernel as one UEFI program with RAM disk and command line, made once a build.

    Args:
        plan: the appliance.
        target: brings systemd's stub.
        parts: what goes into it.
        name: of its file in the work folder; other parts have another.

    Raises:
        IntegrityError: systemd's stub is not as expected.
    """
    layout = make_uki(
        target.loader_file(UEFI_LOADER, STUBS[plan.arch]).read(),
        kernel=parts.kernel,
        initrd=parts.initrd,
        command_line=parts.cmdline,
        os_release=f'ID=ingot\nNAME="{plan.name}"\nPRETTY_NAME="{plan.name}"\n',
    )
    path = target.work / f"{name}.efi"
    if not path.exists():
        write_pieces(path, layout.size_bytes, layout.pieces)
    memory_mib = parts.memory_mib(layout.size_bytes + FIRMWARE_BYTES)
    return UefiProgram(Content(size_bytes=layout.size_bytes, path=str(path)), layout, memory_mib)


def bios_settings(parts: BootParts, kernel: str, initrd: str) -> Content:
    """Return syslinux's settings: no menu, no prompt, and no key that would open one.

    Args:
        parts: brings the command line.
        kernel: the kernel's path on the medium.
        initrd: the RAM disk's.
    """
    return Content.of(
        "DEFAULT ingot\nPROMPT 0\nNOESCAPE 1\n\nLABEL ingot\n"
        f"  LINUX {kernel}\n  INITRD {initrd}\n  APPEND {parts.cmdline}\n"
    )
