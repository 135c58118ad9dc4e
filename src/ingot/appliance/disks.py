"""Disks that boot an appliance: a partition table, a FAT partition with kernel and root.

Made once a build in its work folder; the formats for disks are this in different wrappings.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingot.appliance.initrd import boot_parts
from ingot.appliance.loaders import (
    BIOS_LOADER,
    FIRMWARE_BYTES,
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
    LINUX_DATA,
    TABLE_SECTORS,
    Partition,
    derived_id,
    table_pieces,
)
from ingot.appliance.media.pieces import SECTOR_BYTES, Piece, align, shifted, write_pieces
from ingot.appliance.media.syslinux import INSTALLER, LOADER_FILE, find_loader, install
from ingot.appliance.media.uki import BOOT_FILES
from ingot.appliance.outputs import Firmware, Target
from ingot.appliance.plan import Plan
from ingot.appliance.verified import FileSystem, VerifiedRoot, verified_root
from ingot.base.units import MIB
from ingot.oci.tree import Content

LABEL = "INGOT"


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
    disk = RawDisk(target.work / "efi.img", ("uefi",), program.memory_mib)
    if not disk.path.exists():
        volume = _make_volume({BOOT_FILES[plan.arch]: program.content}, plan.name)
        part = _Part(EFI_SYSTEM, "boot", volume)
        _write_disk(disk.path, plan.name, [part], size_bytes=target.disk_bytes)
    return disk


def verified_disk(plan: Plan, target: Target, filesystem: FileSystem = "squashfs") -> RawDisk:
    """Return a disk for UEFI whose root is a partition that the kernel verifies.

    Raises:
        UsageError, Error: see `verified_root`.
    """
    root = verified_root(plan, target, filesystem)
    program = uefi_program(plan, target, root.parts, name=f"verified-{filesystem}")
    disk = RawDisk(
        target.work / f"verified-{filesystem}.img",
        ("uefi",),
        root.memory_mib(program.content.size_bytes + FIRMWARE_BYTES),
    )
    if not disk.path.exists():
        volume = _make_volume({BOOT_FILES[plan.arch]: program.content}, plan.name)
        parts = [_Part(EFI_SYSTEM, "boot", volume), _Part(LINUX_DATA, "root", root)]
        _write_disk(disk.path, plan.name, parts, size_bytes=target.disk_bytes)
    return disk


def bios_disk(plan: Plan, target: Target, *, unit_bytes: int = MIB) -> RawDisk:
    """Return a disk whose partition holds syslinux, the kernel and its RAM disk.

    Args:
        plan: the appliance.
        target: brings syslinux.
        unit_bytes: the disk's size is a multiple of it.

    Raises:
        UsageError, Error: see `boot_parts`.
    """
    parts = boot_parts(plan, target)
    disk = RawDisk(target.work / f"bios-{unit_bytes}.img", ("bios",), parts.memory_mib())
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
        part = _Part(BASIC_DATA, "boot", volume, LEGACY_BIOS_BOOTABLE)
        sizes = {"size_bytes": target.disk_bytes, "unit_bytes": unit_bytes}
        _write_disk(disk.path, plan.name, [part], boot_code=code, **sizes)
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


@dataclass(frozen=True, slots=True)
class _Part:
    """A partition to be and what is in it."""

    kind: uuid.UUID
    name: str
    content: FatVolume | VerifiedRoot
    attributes: int = 0


def _write_disk(
    path: Path,
    name: str,
    parts: Sequence[_Part],
    *,
    size_bytes: int,
    boot_code: bytes = b"",
    # Clouds take only whole MiB.
    unit_bytes: int = MIB,
) -> None:
    end = FIRST_OFFSET
    partitions: list[Partition] = []
    pieces: list[Piece] = []
    for part in parts:
        offset, part_bytes = align(end, MIB), part.content.size_bytes
        partitions.append(Partition(part.kind, part.name, offset, part_bytes, part.attributes))
        pieces += shifted(part.content.pieces, offset)
        end = offset + part_bytes
    size_bytes = align(max(size_bytes, end + TABLE_SECTORS * SECTOR_BYTES), unit_bytes)
    table = table_pieces(partitions, disk=name, size_bytes=size_bytes, boot_code=boot_code)
    write_pieces(path, size_bytes, [*table, *pieces])
