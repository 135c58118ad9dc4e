import subprocess
from pathlib import Path

import pytest

from ingot.vm.disks.config_drive import iso9660


@pytest.mark.parametrize("size_bytes", [0, 1, 2048, 2049, 1 << 20])
def test_another_program_reads_the_cd(tmp_path: Path, size_bytes: int) -> None:
    data = bytes(index % 251 for index in range(size_bytes))
    image = tmp_path / "config.iso"
    image.write_bytes(iso9660({"USER-DATA": data, "META-DATA": b"instance-id: x\n"}))
    command = ["xorriso", "-indev", image, "-osirrox", "on", "-extract", "/", tmp_path / "out"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Volume id    : 'cidata'" in result.stdout + result.stderr
    read = {path.name.lower(): path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert read == {"user-data": data, "meta-data": b"instance-id: x\n"}


def test_equal_data_makes_equal_cds() -> None:
    assert iso9660({"A": b"1", "B": b"2"}) == iso9660({"B": b"2", "A": b"1"})
