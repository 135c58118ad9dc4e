"""Disk formats of hypervisors: made by qemu-img, then freed of its random numbers and clock.

Sources: VMware "Virtual Disk Format 5.0"; Microsoft "Virtual Hard Disk Image Format
Specification" 1.0.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path

from ingot.appliance.media.gpt import derived_id
from ingot.appliance.qemuimg import convert
from ingot.base.errors import IntegrityError

_DESCRIPTOR_OFFSET = 512
_DESCRIPTOR_BYTES = 20 * 512
_CONTENT_ID = re.compile(rb"^CID=[0-9a-f]{1,8}$", re.MULTILINE)
_FOOTER_BYTES = 512
_FOOTER_MAGIC = b"conectix"
_TIME, _CHECKSUM, _IDENTIFIER = 24, 64, 68


def write_vmdk(raw: Path, target: Path, name: str) -> None:
    """Write a raw disk as a compressed VMDK (`streamOptimized`), which hypervisors import.

    Args:
        raw: the disk.
        target: a path that does not exist.
        name: what the disk's identifier is derived from.

    Raises:
        MissingToolError, Error: see `convert`.
        IntegrityError: qemu-img wrote something else than it does.
    """
    convert(raw, target, "vmdk", "subformat=streamOptimized")
    number = derived_id(name, "vmdk").int & 0xFFFF_FFFF
    with target.open("r+b") as file:
        file.seek(_DESCRIPTOR_OFFSET)
        descriptor = with_content_id(file.read(_DESCRIPTOR_BYTES), number)
        file.seek(_DESCRIPTOR_OFFSET)
        file.write(descriptor)


def with_content_id(descriptor: bytes, number: int) -> bytes:
    """Return a VMDK's descriptor, of the same length, with another content identifier.

    qemu-img draws the identifier, twice, and writes it without leading zeros: the text it writes
    second may end before the first one's end, of which a line feed then stays behind the NUL.

    Args:
        descriptor: a text and the zeros behind it.
        number: of 32 bits.

    Raises:
        IntegrityError: qemu-img wrote something else than it does.
    """
    text = descriptor.partition(b"\0")[0]
    fixed, count = _CONTENT_ID.subn(b"CID=%08x" % number, text)
    if count != 1:
        raise IntegrityError(f"the VMDK has {count} content identifiers, not one")
    return fixed.ljust(len(descriptor), b"\0")


def write_vhd(raw: Path, target: Path, name: str, *, dynamic: bool) -> None:
    """Write a raw disk as a VHD of exactly its size.

    Args:
        raw: the disk.
        target: a path that does not exist.
        name: what the disk's identifier is derived from.
        dynamic: leave out what is zero; otherwise the file is as large as the disk.

    Raises:
        MissingToolError, Error: see `convert`.
        IntegrityError: qemu-img wrote something else than it does.
    """
    kind = "dynamic" if dynamic else "fixed"
    # Otherwise the size is rounded up to whole cylinders, which clouds refuse.
    convert(raw, target, "vpc", f"subformat={kind},force_size=on")
    with target.open("r+b") as file:
        file.seek(-_FOOTER_BYTES, 2)
        footer = bytearray(file.read())
        if not footer.startswith(_FOOTER_MAGIC):
            raise IntegrityError(f"{target.name} does not end as a VHD does")
        struct.pack_into(">I", footer, _TIME, 0)
        footer[_IDENTIFIER : _IDENTIFIER + 16] = derived_id(name, "vhd").bytes
        struct.pack_into(">I", footer, _CHECKSUM, 0)
        struct.pack_into(">I", footer, _CHECKSUM, ~sum(footer) & 0xFFFF_FFFF)
        file.seek(-_FOOTER_BYTES, 2)
        file.write(footer)
        if dynamic:
            # It begins with a copy of its end.
            file.seek(0)
            file.write(footer)
