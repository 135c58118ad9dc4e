"""Disks that boot an appliance: a partition table and one FAT partition with all there is.

Made once a build in its work folder; the formats for disks are this in different wrappings.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ingot.appliance.initrd import boot_parts
from ingot.appliance.loaders import uefi_program
from ingot.appliance.media.fat import FatVolume, make_fat
from ingot.appliance.media.gpt import (
    EFI_SYSTEM,
    FIRST_OFFSET,
    TABLE_SECTORS,
    Partition,
    derived_id,
    table_pieces,
)
from ingot.appliance.media.pieces import SECTOR_BYTES, align, shifted, write_pieces
from ingot.appliance.media.uki import BOOT_FILES
from ingot.appliance.outputs import Firmware, Target
from ingot.appliance.plan import Plan
from ingot.base.units import MIB

_LABEL = "INGOT"
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
        volume = make_fat(
            {BOOT_FILES[plan.arch]: program.content},
            label=_LABEL,
            serial=volume_serial(plan.name),
            hidden_sectors=FIRST_OFFSET // SECTOR_BYTES,
        )
        _write_disk(disk.path, plan.name, volume)
    return disk


def volume_serial(*names: str) -> int:
    """Return the 32-bit number of the FAT file system that stands for these names."""
    return derived_id(*names, "fat").int & 0xFFFF_FFFF


def _write_disk(
    path: Path, name: str, volume: FatVolume, attributes: int = 0, boot_code: bytes = b""
) -> None:
    # Clouds take only whole MiB.
    size_bytes = align(FIRST_OFFSET + volume.size_bytes + TABLE_SECTORS * SECTOR_BYTES, MIB)
    partition = Partition(EFI_SYSTEM, _PARTITION, FIRST_OFFSET, volume.size_bytes, attributes)
    table = table_pieces([partition], disk=name, size_bytes=size_bytes, boot_code=boot_code)
    write_pieces(path, size_bytes, [*table, *shifted(volume.pieces, FIRST_OFFSET)])
