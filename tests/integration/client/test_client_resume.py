"""Uploads in parts that are cut off: what a killed command began, the next one ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ingot.base.errors import NetworkError
from ingot.s3client.client import S3Client
from ingot.s3client.results import PartResult

MIB = 1 << 20
_PARTS = 5


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A folder with one file of five parts, each with bytes of its own."""
    folder = tmp_path / "src"
    folder.mkdir()
    with (folder / "big").open("wb") as file:
        for number in range(_PARTS):
            file.write(bytes([number]) * 16 * MIB)
    return folder


@pytest.fixture
def state(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INGOT_STATE_DIR", str(home / "state"))
    return home / "state"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the parts that this process sends; 0 among them makes the next one fail."""
    numbers: list[int] = []
    real = S3Client.upload_part

    def watched(client: S3Client, *arguments: Any) -> PartResult:
        if 0 in numbers:
            raise NetworkError("the line is cut")
        made = real(client, *arguments)
        numbers.append(made.number)
        return made

    monkeypatch.setattr(S3Client, "upload_part", watched)
    return numbers


def stored(remote: Any) -> list[int]:
    """The parts that the service has of the one upload."""
    (upload,) = remote.uploads()
    name = {"Bucket": remote.bucket, "Key": "big", "UploadId": upload["UploadId"]}
    return [part["PartNumber"] for part in remote.s3.list_parts(**name).get("Parts", [])]


@pytest.fixture
def kept(start: Any, remote: Any, big: Path, state: Path) -> list[int]:
    """Kill a slow mirror once two parts are there; return those that are."""
    run = start("--limit-upload", "40M", "mirror", big, remote.address, INGOT_STATE_DIR=str(state))
    run.wait_for(lambda: remote.uploads() and len(stored(remote)) >= 2, "two parts are stored")
    assert run.stop(signal.SIGKILL) == -signal.SIGKILL
    kept = stored(remote)
    assert 2 <= len(kept) < _PARTS
    return kept


def test_a_killed_mirror_is_gone_on_with(
    cli: Any, remote: Any, big: Path, kept: list[int], sent: list[int]
) -> None:
    assert cli("mirror", big, remote.address).code == 0
    assert sorted([*kept, *sent]) == [1, 2, 3, 4, 5]
    assert remote.objects()["big"] == (big / "big").read_bytes()
    assert remote.uploads() == []


@pytest.mark.usefixtures("kept")
def test_a_file_that_changed_is_begun_anew(
    cli: Any, remote: Any, big: Path, sent: list[int]
) -> None:
    with (big / "big").open("r+b") as file:
        file.write(b"changed")
    assert cli("mirror", big, remote.address).code == 0
    assert sorted(sent) == [1, 2, 3, 4, 5]
    assert remote.objects()["big"] == (big / "big").read_bytes()


@pytest.mark.usefixtures("kept")
def test_an_upload_that_is_gone_is_begun_anew(
    cli: Any, remote: Any, big: Path, sent: list[int]
) -> None:
    (upload,) = remote.uploads()
    remote.s3.abort_multipart_upload(Bucket=remote.bucket, Key="big", UploadId=upload["UploadId"])
    assert cli("mirror", big, remote.address).code == 0
    assert sorted(sent) == [1, 2, 3, 4, 5]


def test_parts_that_somebody_replaced_are_sent_again(
    cli: Any, remote: Any, big: Path, kept: list[int], sent: list[int]
) -> None:
    (upload,) = remote.uploads()
    remote.s3.upload_part(
        Bucket=remote.bucket,
        Key="big",
        UploadId=upload["UploadId"],
        PartNumber=kept[0],
        Body=b"x" * 16 * MIB,
        ChecksumAlgorithm="CRC32C",
    )
    assert cli("mirror", big, remote.address).code == 0
    assert kept[0] in sent
    assert remote.objects()["big"] == (big / "big").read_bytes()


def test_an_outage_keeps_what_was_stored_until_it_is_over(
    cli: Any, remote: Any, big: Path, state: Path, sent: list[int]
) -> None:
    sent.append(0)
    failed = cli("mirror", "--retry", "1", big, remote.address)
    assert (failed.code, len(remote.uploads())) == (7, 1)
    assert len(os.listdir(state / "uploads")) == 1
    sent.clear()
    assert cli("mirror", big, remote.address).code == 0
    assert remote.uploads() == []
    assert os.listdir(state / "uploads") == []


def test_a_state_that_cannot_be_written_stops_nothing(
    cli: Any, remote: Any, big: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("INGOT_STATE_DIR", str(home / "file"))
    assert cli("mirror", big, remote.address).code == 0
