"""CDs that boot an appliance; kernel and RAM disk are on them once, whoever reads them.

UEFI firmware reads a FAT file system that is a file of the CD and holds the kernel as a UEFI
program. A BIOS starts isolinux, which finds kernel and RAM disk by names of the CD's own file
system that point at those same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ingot.appliance.disks import LABEL, volume_serial
from ingot.appliance.initrd import boot_parts
from ingot.appliance.loaders import (
    BIOS_LOADER,
    ISO_BOOT_CODE,
    ISO_LOADER,
    MODULE,
    MODULE_FILE,
    UefiProgram,
    bios_settings,
    uefi_program,
)
from ingot.appliance.media.fat import FatVolume, make_fat
from ingot.appliance.media.iso9660 import (
    FIRST_OFFSET,
    BootEntry,
    Extent,
    boot_information,
    hybrid_boot_sector,
    iso_pieces,
)
from ingot.appliance.media.pieces import SECTOR_BYTES, Piece, align, shifted, write_pieces
from ingot.appliance.media.uki import BOOT_FILES
from ingot.appliance.outputs import Target
from ingot.appliance.plan import Plan
from ingot.base.units import KIB, MIB
from ingot.oci.tree import Content

# Drives read ahead, past the end of the image if nothing follows.
_TAIL_BYTES = 300 * KIB
# A BIOS loads so many sectors of isolinux, which loads the rest.
_LOADER_SECTORS = 4
_LOADER_FILE = "ISOLINUX.BIN"
_FAT_FILE = "EFI.IMG"


def write_cd(plan: Plan, target: Target, path: Path, *, bios: bool) -> int:
    """Write a CD's image; return the RAM in MiB a machine needs to boot it.

    Args:
        plan: the appliance.
        target: brings the boot loaders.
        path: a path that does not exist.
        bios: whether a BIOS shall boot it too; UEFI firmware always does.

    Raises:
        UsageError, Error: see `boot_parts`.
    """
    parts = boot_parts(plan, target)
    program = uefi_program(plan, target, parts)
    boot_file = BOOT_FILES[plan.arch]
    volume = make_fat({boot_file: program.content}, label=LABEL, serial=volume_serial(plan.name))
    small: dict[str, Content] = {}
    if bios:
        small = {
            _LOADER_FILE: target.loader_file(BIOS_LOADER, ISO_LOADER),
            MODULE_FILE.upper(): target.loader_file(BIOS_LOADER, MODULE),
            "ISOLINUX.CFG": bios_settings(parts, "/KERNEL", "/INITRD.IMG"),
        }
    extents = _arrange(small, volume, program, boot_file)
    fat = extents[_FAT_FILE]
    size_bytes = align(fat.offset + fat.size_bytes + _TAIL_BYTES, MIB)
    boots = [BootEntry("uefi", fat, 1)]
    boot_sector = b""
    if bios:
        loader = extents[_LOADER_FILE]
        small[_LOADER_FILE] = Content.of(
            boot_information(small[_LOADER_FILE].read(), loader.offset)
        )
        boots.insert(0, BootEntry("bios", loader, _LOADER_SECTORS))
        boot_sector = hybrid_boot_sector(
            target.loader_file(BIOS_LOADER, ISO_BOOT_CODE).read(),
            loader,
            size_bytes=size_bytes,
            serial=volume_serial(plan.name, "cd"),
            efi=fat,
        )
    pieces = iso_pieces(
        extents, boots, volume=LABEL, size_bytes=size_bytes, boot_sector=boot_sector
    )
    pieces += [Piece(extents[name].offset, content) for name, content in small.items()]
    write_pieces(path, size_bytes, [*pieces, *shifted(volume.pieces, fat.offset)])
    return program.memory_mib


def _arrange(
    small: Mapping[str, Content], volume: FatVolume, program: UefiProgram, boot_file: str
) -> dict[str, Extent]:
    """Return where everything lies, the FAT file system last."""
    extents: dict[str, Extent] = {}
    offset = FIRST_OFFSET
    for name, content in small.items():
        extents[name] = Extent(offset, content.size_bytes)
        offset = align(offset + content.size_bytes)
    assert volume.size_bytes % SECTOR_BYTES == 0
    extents[_FAT_FILE] = Extent(offset, volume.size_bytes)
    inside = offset + volume.offsets[boot_file]
    for name, section in (("KERNEL", ".linux"), ("INITRD.IMG", ".initrd")):
        piece = program.layout.parts[section]
        extents[name] = Extent(inside + piece.offset, piece.content.size_bytes)
    return extents
