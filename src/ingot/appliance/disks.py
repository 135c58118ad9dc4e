"""Disks that boot an appliance: a partition table and one FAT partition with all there is.

Made once a build in its work folder; the formats for disks are this in different wrappings.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ingot.appliance.initrd import boot_parts
from ingot.appliance.loaders import (
    BIOS_LOADER,
    GPT_BOOT_CODE,
    MODULE,
    MODULE_FILE,
    bios_settings,
    uefi_program,
)
from ingot.appliance.media.fat import FatVolume, make_fat
from ingot.appliance.media.gpt import (
    BASIC_DATA,
    EFI_SYSTEM,
    FIRST_OFFSET,
    LEGACY_BIOS_BOOTABLE,
    TABLE_SECTORS,
    Partition,
    derived_id,
    table_pieces,
)
from ingot.appliance.media.pieces import SECTOR_BYTES, align, shifted, write_pieces
from ingot.appliance.media.syslinux import INSTALLER, LOADER_FILE, find_loader, install
from ingot.appliance.media.uki import BOOT_FILES
from ingot.appliance.outputs import Firmware, Target
from ingot.appliance.plan import Plan
from ingot.base.units import MIB
from ingot.oci.tree import Content

LABEL = "INGOT"
_PARTITION = "boot"


@dataclass(frozen=True, slots=True)
class RawDisk:
    """A raw disk image in the build's work folder."""

    path: Path
    firmware: tuple[Firmware, ...]
    memory_mib: int


def efi_disk(plan: Plan, target: Target) -> RawDisk:
    """Return a disk whose EFI system partition holds the kernel as a UEFI program.

    Raises:
        UsageError, Error: see `boot_parts`.
    """
    parts = boot_parts(plan, target)
    program = uefi_program(plan, target, parts)
    disk = RawDisk(target.work / "efi.img", ("uefi",), parts.memory_mib(program.content.size_bytes))
    if not disk.path.exists():
        volume = _make_volume({BOOT_FILES[plan.arch]: program.content}, plan.name)
        _write_disk(disk.path, plan.name, volume, kind=EFI_SYSTEM)
    return disk


def bios_disk(plan: Plan, target: Target) -> RawDisk:
    """Return a disk whose partition holds syslinux, the kernel and its RAM disk.

    Raises:
        UsageError, Error: see `boot_parts`.
    """
    parts = boot_parts(plan, target)
    disk = RawDisk(target.work / "bios.img", ("bios",), parts.memory_mib())
    if not disk.path.exists():
        loader = find_loader(target.loader_file(BIOS_LOADER, INSTALLER).read())
        files = {
            LOADER_FILE: Content.of(bytes(loader.file_bytes)),
            MODULE_FILE: target.loader_file(BIOS_LOADER, MODULE),
            "syslinux.cfg": bios_settings(parts, "/kernel", "/initrd.img"),
            "kernel": parts.kernel,
            "initrd.img": parts.initrd,
        }
        # Laid out twice: the loader holds the numbers of its own sectors.
        place = _make_volume(files, plan.name).offsets[LOADER_FILE]
        boot_sector, program = install(loader, place // SECTOR_BYTES)
        volume = _make_volume(
            files | {LOADER_FILE: Content.of(program)}, plan.name, boot_sector=boot_sector
        )
        code = target.loader_file(BIOS_LOADER, GPT_BOOT_CODE).read()
        _write_disk(
            disk.path,
            plan.name,
            volume,
            kind=BASIC_DATA,
            attributes=LEGACY_BIOS_BOOTABLE,
            boot_code=code,
        )
    return disk


def volume_serial(*names: str) -> int:
    """Return the 32-bit number of the FAT file system that stands for these names."""
    return derived_id(*names, "fat").int & 0xFFFF_FFFF


def _make_volume(files: Mapping[str, Content], name: str, boot_sector: bytes = b"") -> FatVolume:
    return make_fat(
        files,
        label=LABEL,
        serial=volume_serial(name),
        hidden_sectors=FIRST_OFFSET // SECTOR_BYTES,
        boot_sector=boot_sector,
    )


def _write_disk(
    path: Path,
    name: str,
    volume: FatVolume,
    *,
    kind: uuid.UUID,
    attributes: int = 0,
    boot_code: bytes = b"",
) -> None:
    # Clouds take only whole MiB.
    size_bytes = align(FIRST_OFFSET + volume.size_bytes + TABLE_SECTORS * SECTOR_BYTES, MIB)
    partition = Partition(kind, _PARTITION, FIRST_OFFSET, volume.size_bytes, attributes)
    table = table_pieces([partition], disk=name, size_bytes=size_bytes, boot_code=boot_code)
    write_pieces(path, size_bytes, [*table, *shifted(volume.pieces, FIRST_OFFSET)])
