"""VHD disks: made by qemu-img, then freed of its random numbers and clock.

Source: Microsoft "Virtual Hard Disk Image Format Specification" 1.0.
"""

from __future__ import annotations

import struct
from pathlib import Path

from ingot.appliance.media.gpt import derived_id
from ingot.appliance.qemuimg import convert
from ingot.base.errors import IntegrityError

_FOOTER_BYTES = 512
_FOOTER_MAGIC = b"conectix"
_TIME, _CHECKSUM, _IDENTIFIER = 24, 64, 68


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
