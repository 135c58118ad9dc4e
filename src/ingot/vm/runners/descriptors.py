"""VMDK descriptors, by which VirtualBox and VMware use raw disks where they lie. Pure."""

from __future__ import annotations

import uuid
from pathlib import Path

from ingot.base.errors import UsageError

_SECTOR_BYTES = 512
_HEADS, _SECTORS_PER_TRACK = 16, 63
_CYLINDERS_MAX = 16383
_FORBIDDEN = '"\n\r'


def descriptor(path: Path, size_bytes: int, identity: str) -> str:
    """Return the text of a VMDK whose only extent is a raw file.

    Args:
        path: the raw file.
        size_bytes: its size, in whole sectors.
        identity: what this disk's identifiers are made of, so that they stay the same.

    Raises:
        UsageError: the path cannot be written in a descriptor.
    """
    if any(char in str(path) for char in _FORBIDDEN):
        raise UsageError(f"disk {str(path)!r} has a name that a VMDK descriptor cannot hold")
    own = uuid.uuid5(uuid.NAMESPACE_OID, f"{identity}/{path}")
    sectors = size_bytes // _SECTOR_BYTES
    cylinders = min(_CYLINDERS_MAX, max(1, sectors // (_HEADS * _SECTORS_PER_TRACK)))
    return (
        "# Disk DescriptorFile\n"
        "version=1\n"
        f"CID={own.hex[:8]}\n"
        "parentCID=ffffffff\n"
        'createType="monolithicFlat"\n'
        "\n"
        "# Extent description\n"
        f'RW {sectors} FLAT "{path}" 0\n'
        "\n"
        "# The Disk Data Base\n"
        "#DDB\n"
        'ddb.virtualHWVersion = "4"\n'
        'ddb.adapterType = "lsilogic"\n'
        f'ddb.geometry.cylinders = "{cylinders}"\n'
        f'ddb.geometry.heads = "{_HEADS}"\n'
        f'ddb.geometry.sectors = "{_SECTORS_PER_TRACK}"\n'
        f'ddb.uuid.image = "{own}"\n'
        f'ddb.uuid.modification = "{uuid.UUID(int=0)}"\n'
        f'ddb.uuid.parent = "{uuid.UUID(int=0)}"\n'
        f'ddb.uuid.parentmodification = "{uuid.UUID(int=0)}"\n'
    )
