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


def make_syslinux() -> bytes:
    """Return a program that holds a boot sector and ldlinux.sys with the fields to fill in."""
    boot_sector = b"\xeb\x58\x90SYSLINUX".ljust(_SECTOR_BYTES - 2, b"\0") + b"\x55\xaa"
    # The places of: variables, folder, its size, two of a volume, list of sectors and its room,
    # both halves of the first sector's number.
    fields = struct.pack("<10H", 0x100, 0, 0, 0, 0, 0x120, 8, 0x60, 0x64, 0)
    head = b"\r\nSYSLINUX 6".ljust(24, b"\0")
    head += struct.pack("<IIHHIIHH", 0x3EB2_02FE, 1, 0, 0, 0, 0, 127, 0x80)
    program = (head.ljust(0x80, b"\0") + fields).ljust(20_000, b"\x90")
    return b"\x7fELF\x02" + boot_sector + program + b"\x7fELF\x01"


def make_loaders() -> dict[str, Tree]:
    """Return what the components of boot loaders bring, by their references."""
    uefi = Tree()
    for name in ("linuxx64", "linuxaa64"):
        uefi.add(file(f"usr/lib/systemd/boot/efi/{name}.efi.stub", make_stub()))
    bios = Tree()
    for path, data in {
        "usr/bin/syslinux": make_syslinux(),
        "usr/lib/ISOLINUX/isohdpfx.bin": b"\xfa" * 432,
        "usr/lib/ISOLINUX/isolinux.bin": b"\xfb" * 4000,
        "usr/lib/syslinux/mbr/gptmbr.bin": b"\xfc" * 440,
        "usr/lib/syslinux/modules/bios/ldlinux.c32": b"\xfd" * 5000,
    }.items():
        bios.add(file(path, data))
    verity = Tree()
    verity.add(file("usr/sbin/dmsetup", "dmsetup", 0o755))
    return {
        "component:loader-uefi": uefi,
        "component:loader-bios": bios,
        "component:verity": verity,
    }
