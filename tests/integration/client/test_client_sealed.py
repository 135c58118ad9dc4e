"""Keys of customers on uploads and downloads in parts; small objects are in the transcripts."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import pytest

from ingot.base.units import MIB

KEY = "00112233445566778899aabbccddeeff" * 2
OTHER = "ff112233445566778899aabbccddeeff" * 2


@pytest.fixture
def sealed(cli: Any, extended_service: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket of a service behind TLS that takes such keys."""
    monkeypatch.setenv("MC_HOST_tls", extended_service.replace("://", "://any:thing@"))
    monkeypatch.setenv("INGOT_INSECURE", "1")
    assert cli("mb", "--ignore-existing", "tls/sealed-parts").code == 0
    return "tls/sealed-parts"


def test_every_part_brings_the_key(
    cli: Any, sealed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = random.Random(1).randbytes(33 * MIB + 7)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert cli("pipe", "--enc-c", f"{sealed}={KEY}", f"{sealed}/piped").code == 0
    for refused in ((), ("--enc-c", f"{sealed}={OTHER}")):
        assert cli("get", *refused, f"{sealed}/piped", "refused").code in {1, 4}
    assert not (tmp_path / "refused").exists()
    assert cli("get", "--enc-c", f"{sealed}={KEY}", f"{sealed}/piped", "back").code == 0
    assert (tmp_path / "back").read_bytes() == data
    tail = cli("cat", "--tail", "9", "--enc-c", f"{sealed}={KEY}", f"{sealed}/piped")
    assert tail.raw == data[-9:]


def test_a_large_file_goes_and_comes_in_parts(cli: Any, sealed: str, tmp_path: Path) -> None:
    data = random.Random(2).randbytes(65 * MIB + 1)
    (tmp_path / "big").write_bytes(data)
    rules = ("--enc-c", f"{sealed}={KEY}", "--enc-c", f"{sealed}/copy={OTHER}")
    assert cli("cp", *rules, "big", f"{sealed}/big").code == 0
    assert cli("cp", *rules, f"{sealed}/big", f"{sealed}/copy").code == 0
    assert cli("cp", *rules, f"{sealed}/copy", "back").code == 0
    assert (tmp_path / "back").read_bytes() == data
