"""Boot loaders that boot nothing but look like the real ones: for tests that make media."""

from __future__ import annotations

import struct

from ingot.oci.tree import Tree, file

_SECTOR_BYTES = 512
_PE_OFFSET = 0x40


def make_stub(*, headers_bytes: int = 1024) -> bytes:
    """Return a PE32+ program with one section of code, as small as binutils accept."""
    dos = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", _PE_OFFSET)
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, 1, 0, 0, 0, 240, 0x22E)
    optional = struct.pack("<HBBIIIII", 0x20B, 2, 40, _SECTOR_BYTES, 0, 0, 0x1000, 0x1000)
    optional += struct.pack("<QII", 0, 0x1000, _SECTOR_BYTES) + struct.pack("<HHHHHHI", *([0] * 7))
    optional += struct.pack("<IIIHHQQQQII", 0x2000, headers_bytes, 77, 10, 0, *([0] * 5), 16)
    section = struct.pack(
        "<8sIIIIIIHHI", b".text", 512, 0x1000, 512, headers_bytes, 0, 0, 0, 0, 0x60000020
    )
    header = dos + coff + optional.ljust(240, b"\0") + section
    return header.ljust(headers_bytes, b"\0") + b"\xc3" * _SECTOR_BYTES


def make_loaders() -> dict[str, Tree]:
    """Return what the components of boot loaders bring, by their references."""
    uefi = Tree()
    for name in ("linuxx64", "linuxaa64"):
        uefi.add(file(f"usr/lib/systemd/boot/efi/{name}.efi.stub", make_stub()))
    return {"component:loader-uefi": uefi}
