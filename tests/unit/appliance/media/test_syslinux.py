"""Syslinux on a FAT file system: the same bytes as its own installer writes."""

import subprocess
from pathlib import Path

import pytest

from ingot.appliance.media.fat import FatVolume, make_fat
from ingot.appliance.media.pieces import SECTOR_BYTES, write_pieces
from ingot.appliance.media.syslinux import LOADER_FILE, Loader, find_loader, install
from ingot.base.errors import IntegrityError
from ingot.oci.tree import Content


@pytest.fixture(scope="module")
def loader() -> Loader:
    return find_loader(Path("/usr/bin/syslinux").read_bytes())


def volume(program: bytes, boot_sector: bytes = b"") -> FatVolume:
    files = {LOADER_FILE: Content.of(program)}
    return make_fat(files, label="TEST", serial=1, boot_sector=boot_sector)


def test_the_bytes_are_those_of_its_own_installer(tmp_path: Path, loader: Loader) -> None:
    empty = volume(bytes(loader.file_bytes))
    sector = empty.offsets[LOADER_FILE] // SECTOR_BYTES
    boot_sector, program = install(loader, sector)
    assert len(program) == loader.file_bytes
    ours = tmp_path / "ours"
    made = volume(program, boot_sector)
    assert made.offsets == empty.offsets
    write_pieces(ours, made.size_bytes, made.pieces)

    # The installer chooses where its file lies, so its bytes are compared with ours for there.
    theirs = tmp_path / "theirs"
    write_pieces(theirs, empty.size_bytes, make_fat({}, label="TEST", serial=1).pieces)
    subprocess.run(["syslinux", "--install", theirs], check=True)
    data, expected = ours.read_bytes(), theirs.read_bytes()
    at = expected.find(b"\r\nSYSLINUX ")
    theirs_boot, theirs_program = install(loader, at // SECTOR_BYTES)
    assert expected[at : at + len(theirs_program)] == theirs_program
    assert expected[90:510] == theirs_boot[90:510]
    assert data[90:510] == boot_sector[90:510]
    assert data[sector * SECTOR_BYTES :].startswith(program)


def test_another_program_is_refused(loader: Loader) -> None:
    for installer in (b"", b"\xeb\x58\x90SYSLINUX" + bytes(1000), loader.boot_sector + b"\x7fELF"):
        with pytest.raises(IntegrityError, match="no boot loader"):
            find_loader(installer)
    with pytest.raises(IntegrityError, match="no list of sectors"):
        install(Loader(loader.boot_sector, bytes(20_000)), 100)
