"""The format `gcp`: a disk that a BIOS boots, packed as Google Compute Engine imports it."""

from __future__ import annotations

import gzip
from typing import BinaryIO, cast

from ingot.appliance.disks import bios_disk
from ingot.appliance.loaders import BIOS_ARCHES, BIOS_LOADER
from ingot.appliance.media.gpt import FIRST_OFFSET, used_extents
from ingot.appliance.media.sparsetar import write_sparse_tar
from ingot.appliance.outputs import OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.squashfs import TOOL
from ingot.base.units import GIB

# What is in it is compressed already; only the empty rest gains.
_LEVEL = 1
_MEMBER = "disk.raw"


class Gcp:
    """See the module."""

    name = "gcp"
    suffixes = (".img.tar.gz",)
    needs = (TOOL,)
    loaders = (BIOS_LOADER,)
    arches = BIOS_ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME.img.tar.gz; the disk in it has a whole number of GiB, as must be."""
        disk = bios_disk(plan, target, unit_bytes=GIB)
        with disk.path.open("rb") as raw:
            extents = used_extents(raw.read(FIRST_OFFSET), disk.path.stat().st_size)
        file_name = f"{target.name}{self.suffixes[0]}"
        with (
            (target.folder / file_name).open("wb") as file,
            gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed,
        ):
            write_sparse_tar(_MEMBER, disk.path, extents, cast("BinaryIO", packed))
        return [OutputFile("disk", file_name, disk.firmware, disk.memory_mib)]


OUTPUT = Gcp()
