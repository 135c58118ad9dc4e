"""FAT32 file systems, read back by dosfstools and mtools."""

import subprocess
from pathlib import Path

import pytest

from ingot.appliance.media.fat import FatVolume, make_fat
from ingot.appliance.media.fatnames import short_names
from ingot.appliance.media.pieces import ALIGNMENT_BYTES, write_pieces
from ingot.oci.tree import Content

FILES = {
    "EFI/BOOT/BOOTX64.EFI": b"program" * 100_000,
    "ldlinux.c32": b"module",
    "empty": b"",
    "A long name of a file, with blanks.text": b"long",
    "A long name of a file, with blanks.text2": b"longer",
    **{f"many/file-number-{number:03d}.data": b"%d" % number for number in range(100)},
}


def volume(files: dict[str, bytes], **options: object) -> FatVolume:
    contents = {path: Content.of(data) for path, data in files.items()}
    return make_fat(contents, label="INGOT", serial=0x1234ABCD, **options)  # type: ignore[arg-type] # test options


def written(path: Path, made: FatVolume) -> Path:
    write_pieces(path, made.size_bytes, made.pieces)
    return path


def test_readers_find_every_file(tmp_path: Path) -> None:
    image = written(tmp_path / "fat.img", volume(FILES))
    checked = subprocess.run(
        ["/usr/sbin/fsck.vfat", "-n", "-V", "-v", image],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    assert "2 FATs, 32 bit entries" in checked.stdout
    copied = tmp_path / "copy"
    copied.mkdir()
    subprocess.run(["mcopy", "-s", "-i", image, "::*", copied], check=True)
    found = {str(p.relative_to(copied)): p.read_bytes() for p in copied.rglob("*") if p.is_file()}
    assert found == FILES


def test_files_lie_where_it_says(tmp_path: Path) -> None:
    made = volume(FILES)
    image = written(tmp_path / "fat.img", made).read_bytes()
    for path, data in FILES.items():
        if data:
            offset = made.offsets[path]
            assert image[offset : offset + len(data)] == data
            assert offset % ALIGNMENT_BYTES == 0


@pytest.mark.parametrize("size_mib", [40, 80])
def test_larger_volumes_have_larger_clusters(tmp_path: Path, size_mib: int) -> None:
    image = written(tmp_path / "fat.img", volume({"big": bytes(size_mib << 20), "b": b"after"}))
    subprocess.run(["/usr/sbin/fsck.vfat", "-n", image], check=True, stdout=subprocess.DEVNULL)
    shown = subprocess.run(["mtype", "-i", image, "::b"], capture_output=True, check=True)
    assert shown.stdout == b"after"


def test_order_does_not_matter() -> None:
    assert volume(dict(reversed(FILES.items()))) == volume(FILES)


def test_boot_code_is_kept_and_parameters_are_not() -> None:
    code = bytes([0xEB, 0x58, 0x90]) + b"SYSLINUX" + b"\xaa" * 499 + b"\x55\xaa"
    sector = volume(FILES, boot_sector=code, hidden_sectors=2048).pieces[0].content.read()[:512]
    assert sector[:11] == code[:11]
    assert sector[90:] == code[90:]
    assert sector[11:13] == (512).to_bytes(2, "little")
    assert int.from_bytes(sector[28:32], "little") == 2048


def test_short_names_are_distinct_capitals() -> None:
    names = short_names(["ldlinux.c32", "initrd.img", "longer-name.a", "longer-name.b", "LONGER-1"])
    assert names["ldlinux.c32"] == b"LDLINUX C32"
    assert len(set(names.values())) == 5
    assert all(len(short) == 11 and short == short.upper() for short in names.values())
