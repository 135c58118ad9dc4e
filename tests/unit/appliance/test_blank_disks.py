"""What counts as a blank disk: the shell functions that `format` and `dm-crypt` share."""

import subprocess
from pathlib import Path

import pytest

import ingot.system

FUNCTIONS = Path(next(iter(ingot.system.__path__))) / "format/disks"
MIB = 1 << 20
SECTOR_BYTES = 512


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return tmp_path / "disk"


def is_blank(disk: Path) -> bool:
    """Ask the functions about a file, whose size is not to be found in /sys."""
    script = f'. {FUNCTIONS}; sectors() {{ echo $(($(stat -c %s "$1") / 512)); }}; blank "$1"'
    return subprocess.run(["sh", "-c", script, "sh", disk], check=False, timeout=60).returncode == 0


def make(disk: Path, size_bytes: int, *marks: tuple[int, bytes]) -> Path:
    with disk.open("wb") as file:
        file.truncate(size_bytes)
        for place, mark in marks:
            file.seek(place)
            file.write(mark)
    return disk


@pytest.mark.parametrize(
    "size_bytes", [SECTOR_BYTES, 1500 << 10, MIB + SECTOR_BYTES, 16 * MIB, 40 * MIB + 512]
)
def test_zeros_are_blank(disk: Path, size_bytes: int) -> None:
    assert is_blank(make(disk, size_bytes))


@pytest.mark.parametrize(
    ("size_bytes", "place"),
    [
        (SECTOR_BYTES, 0),
        (SECTOR_BYTES, SECTOR_BYTES - 1),
        (40 * MIB, 16 * MIB - 1),
        (40 * MIB + 512, 39 * MIB + 512),
        (40 * MIB + 512, 40 * MIB + 511),
    ],
)
def test_one_byte_makes_a_disk_foreign(disk: Path, size_bytes: int, place: int) -> None:
    assert not is_blank(make(disk, size_bytes, (place, b"\x01")))


def test_the_middle_is_not_looked_at(disk: Path) -> None:
    assert is_blank(make(disk, 40 * MIB, (20 * MIB, b"\x01")))


def test_a_disk_full_of_data_is_foreign(disk: Path) -> None:
    assert not is_blank(make(disk, 40 * MIB, (0, b"\xff" * (16 * MIB))))


def test_a_disk_that_cannot_be_read_is_not_blank(tmp_path: Path) -> None:
    assert not is_blank(tmp_path)
