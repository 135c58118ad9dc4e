"""ISO 9660 images, read back by xorriso."""

import struct
import subprocess
from pathlib import Path

import pytest

from ingot.appliance.media.iso9660 import (
    FIRST_OFFSET,
    BootEntry,
    Extent,
    boot_information,
    hybrid_boot_sector,
    iso_pieces,
)
from ingot.appliance.media.pieces import Piece, write_pieces
from ingot.oci.tree import Content

SIZE_BYTES = 1 << 20
LOADER = bytes(range(256)) * 20
PLACES = {
    "LOADER.BIN": (FIRST_OFFSET, LOADER),
    "EFI.IMG": (FIRST_OFFSET + 8192, b"file system" * 1000),
    "EMPTY": (FIRST_OFFSET, b""),
}
EXTENTS = {name: Extent(offset, len(data)) for name, (offset, data) in PLACES.items()}
# A name for a part of another file's bytes.
INNER = Extent(FIRST_OFFSET + 8192 + 2048, 1100)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    boots = [
        BootEntry("bios", EXTENTS["LOADER.BIN"], 4),
        BootEntry("uefi", EXTENTS["EFI.IMG"], 1),
    ]
    sector = hybrid_boot_sector(
        b"\xfa" * 432,
        EXTENTS["LOADER.BIN"],
        size_bytes=SIZE_BYTES,
        serial=0x01020304,
        efi=EXTENTS["EFI.IMG"],
    )
    pieces = iso_pieces(
        {**EXTENTS, "INNER": INNER},
        boots,
        volume="TEST",
        size_bytes=SIZE_BYTES,
        boot_sector=sector,
    )
    loader = boot_information(LOADER, EXTENTS["LOADER.BIN"].offset)
    pieces += [Piece(offset, Content.of(data)) for offset, data in PLACES.values()]
    pieces.append(Piece(EXTENTS["LOADER.BIN"].offset, Content.of(loader)))
    path = tmp_path / "image.iso"
    write_pieces(path, SIZE_BYTES, pieces)
    return path


def xorriso(*words: object) -> str:
    command = ["xorriso", "-report_about", "WARNING", *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_xorriso_finds_every_file(image: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    xorriso("-osirrox", "on", "-indev", image, "-extract", "/", folder)
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(found) == {*PLACES, "INNER"}
    assert found["EFI.IMG"] == PLACES["EFI.IMG"][1]
    assert found["INNER"] == found["EFI.IMG"][2048 : 2048 + INNER.size_bytes]
    assert found["EMPTY"] == b""


def test_xorriso_finds_what_boots(image: Path) -> None:
    report = xorriso("-indev", image, "-report_el_torito", "plain")
    rows = [line.split(" : ")[1].split() for line in report.splitlines() if "boot img :" in line]
    assert [(row[1], row[-2]) for row in rows] == [("BIOS", "4"), ("UEFI", "1")]
    assert [int(row[-1]) for row in rows] == [
        EXTENTS["LOADER.BIN"].block,
        EXTENTS["EFI.IMG"].block,
    ]
    # xorriso computes the checksum of isolinux's table again.
    assert "boot-info-table" in report
    area = xorriso("-indev", image, "-report_system_area", "plain")
    rows = [line.split()[4:] for line in area.splitlines() if line.startswith("MBR partition   ")]
    efi = EXTENTS["EFI.IMG"]
    assert rows == [
        ["0x80", "0x17", "0", str(SIZE_BYTES // 512)],
        ["0x00", "0xef", str(efi.offset // 512), str(efi.size_bytes // 512)],
    ]


def test_a_catalogue_may_be_for_uefi_alone(tmp_path: Path) -> None:
    boots = [BootEntry("uefi", EXTENTS["EFI.IMG"], 1)]
    pieces = iso_pieces(EXTENTS, boots, volume="TEST", size_bytes=SIZE_BYTES)
    path = tmp_path / "image.iso"
    write_pieces(path, SIZE_BYTES, pieces)
    report = xorriso("-indev", path, "-report_el_torito", "plain")
    assert "UEFI" in report
    assert "BIOS" not in report


def test_the_loader_learns_where_it_lies() -> None:
    table = struct.unpack("<IIII", boot_information(LOADER, FIRST_OFFSET)[8:24])
    assert table[:3] == (16, FIRST_OFFSET // 2048, len(LOADER))
    assert table[3] == sum(struct.unpack(f"<{len(LOADER) // 4 - 16}I", LOADER[64:])) % 2**32
