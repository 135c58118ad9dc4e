"""How objects are written: encrypted, summed up, locked; and which of them a mirror takes."""

from __future__ import annotations

import base64
import datetime as dt
import io
import os
import secrets
import sys
import time
from pathlib import Path
from typing import Any

import pytest

MIB = 1 << 20
KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    made.mkdir()
    (made / "x").write_text("x")
    return made


def sources(verb: str) -> str:
    return "folder" if verb == "mirror" else "folder/x"


class TestEncryption:
    @pytest.mark.parametrize("verb", ["cp", "put", "mv", "mirror"])
    def test_by_the_service(self, cli: Any, elsewhere: Any, folder: Path, verb: str) -> None:
        options = ("--enc-s3", elsewhere.address)
        assert cli(verb, *options, sources(verb), f"{elsewhere.address}/").code == 0
        assert elsewhere.head("x")["ServerSideEncryption"] == "AES256"

    def test_by_a_key_of_the_service_in_parts(
        self, cli: Any, elsewhere: Any, tmp_path: Path
    ) -> None:
        (tmp_path / "large").write_bytes(os.urandom(65 * MIB))
        options = ("--enc-kms", f"{elsewhere.address}/secret=my-key")
        address = f"{elsewhere.address}/secret/large"
        assert cli("cp", *options, "large", address).code == 0
        head = elsewhere.head("secret/large")
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "my-key")
        assert cli("cp", *options, "large", f"{elsewhere.address}/plain").code == 0
        assert "SSEKMSKeyId" not in elsewhere.head("plain")

    def test_variables_stand_for_the_options(
        self, cli: Any, elsewhere: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MC_ENC_S3", f"{elsewhere.address}/x,{elsewhere.address}/y")
        monkeypatch.setenv("INGOT_ENC_KMS", f"{elsewhere.address}/z=my-key")
        for name in "xyz":
            assert cli("cp", "folder/x", f"{elsewhere.address}/{name}").code == 0
        assert elsewhere.head("y")["ServerSideEncryption"] == "AES256"
        assert elsewhere.head("z")["SSEKMSKeyId"] == "my-key"

    def test_a_service_that_cannot_is_not_believed(
        self, cli: Any, remote: Any, folder: Path
    ) -> None:
        done = cli("--json", "cp", "--enc-s3", "s3", "folder/x", f"{remote.address}/")
        assert done.code == 1
        assert done.error()["slug"] == "unsupported"
        assert remote.objects() == {}

    @pytest.mark.parametrize("verb", ["cat", "head", "stat", "get"])
    def test_a_key_does_not_go_in_the_clear(self, cli: Any, remote: Any, verb: str) -> None:
        remote.put("x", b"x")
        extra = ["down"] if verb == "get" else []
        done = cli(verb, "--enc-c", f"s3={KEY}", f"{remote.address}/x", *extra)
        assert done.code == 2
        assert "in the clear" in done.err
        assert KEY not in done.err
        # It was said of one command line.
        assert cli("cat", f"{remote.address}/x").out == "x"


class TestChecksums:
    @pytest.mark.parametrize("algorithm", ["CRC32", "CRC64NVME", "SHA1", "SHA256", "CRC32C"])
    def test_the_service_keeps_the_one_that_was_asked_for(
        self, cli: Any, remote: Any, folder: Path, algorithm: str
    ) -> None:
        address = f"{remote.address}/x"
        assert cli("cp", "--checksum", algorithm, "folder/x", address).code == 0
        shown = cli("--json", "stat", address).documents()[0]["checksum"]
        assert list(shown) == [algorithm]
        assert cli("get", address, "down").code == 0

    @pytest.mark.parametrize("algorithm", ["CRC64NVME", "SHA256"])
    def test_in_parts_too(self, cli: Any, remote: Any, tmp_path: Path, algorithm: str) -> None:
        data = os.urandom(65 * MIB)
        (tmp_path / "large").write_bytes(data)
        address = f"{remote.address}/large"
        assert cli("cp", "--checksum", algorithm, "large", address).code == 0
        shown = cli("--json", "stat", address).documents()[0]["checksum"]
        assert list(shown) == [algorithm]
        assert cli("get", address, "down").code == 0
        assert (tmp_path / "down").read_bytes() == data
        assert cli("diff", ".", remote.address, "--exclude", "[!l]*").code == 0

    def test_another_name_is_a_usage_error(self, cli: Any, remote: Any, folder: Path) -> None:
        assert cli("cp", "--checksum", "md4", "folder/x", f"{remote.address}/").code == 2


class TestLocks:
    @pytest.fixture
    def ledger(self, cli: Any, remote: Any) -> Any:
        remote.bucket = f"locked-{secrets.token_hex(6)}"
        assert cli("mb", "--with-lock", remote.address).code == 0
        return remote

    @pytest.mark.parametrize("verb", ["cp", "put", "mirror"])
    def test_an_object_is_locked_from_its_start(
        self, cli: Any, ledger: Any, folder: Path, verb: str
    ) -> None:
        options = ("--retention-mode", "governance", "--retention-duration", "2d")
        target = f"{ledger.address}/"
        assert cli(verb, *options, "--legal-hold", "on", sources(verb), target).code == 0
        head = ledger.head("x")
        assert (head["ObjectLockMode"], head["ObjectLockLegalHoldStatus"]) == ("GOVERNANCE", "ON")
        left = head["ObjectLockRetainUntilDate"] - dt.datetime.now(dt.UTC)
        assert 1.9 < left.total_seconds() / 86_400 < 2.1

    def test_half_of_a_retention_is_refused(self, cli: Any, ledger: Any, folder: Path) -> None:
        address = f"{ledger.address}/"
        assert cli("cp", "--retention-mode", "governance", "folder/x", address).code == 2
        assert cli("cp", "--retention-duration", "1d", "folder/x", address).code == 2

    def test_a_bucket_without_lock_refuses(self, cli: Any, remote: Any, folder: Path) -> None:
        assert cli("cp", "--legal-hold", "on", "folder/x", f"{remote.address}/").code != 0
        assert remote.objects() == {}


class TestMirrorTakes:
    @pytest.fixture
    def aged(self, folder: Path) -> Path:
        (folder / "old").write_text("old")
        day_ago_s = time.time() - 86_400
        os.utime(folder / "old", (day_ago_s, day_ago_s))
        return folder

    @pytest.mark.parametrize(
        ("options", "expected"),
        [(["--older-than", "1h"], ["old"]), (["--newer-than", "1h"], ["x"]), ([], ["old", "x"])],
    )
    def test_what_is_of_an_age(
        self, cli: Any, remote: Any, aged: Path, options: list[str], expected: list[str]
    ) -> None:
        assert cli("mirror", *options, aged, remote.address).code == 0
        assert sorted(remote.objects()) == expected

    def test_what_is_left_out_by_age_is_not_removed_over_there(
        self, cli: Any, remote: Any, aged: Path
    ) -> None:
        remote.put_all({"old": b"other", "extra": b"1"})
        options = ("--newer-than", "1h", "--remove", "--overwrite")
        assert cli("mirror", *options, aged, remote.address).code == 0
        assert remote.objects() == {"old": b"other", "x": b"x"}

    def test_what_is_of_another_storage_class(self, cli: Any, remote: Any, tmp_path: Path) -> None:
        remote.put("cold", b"1", StorageClass="STANDARD_IA")
        remote.put("warm", b"1")
        options = ("--exclude-storageclass", "STANDARD_IA")
        assert cli("mirror", *options, remote.address, "down").code == 0
        assert os.listdir(tmp_path / "down") == ["warm"]

    def test_and_gives_objects_what_was_said(self, cli: Any, remote: Any, folder: Path) -> None:
        options = ("--attr", "Cache-Control=no-cache;a=b", "--storage-class", "STANDARD_IA")
        assert cli("mirror", *options, "--tags", "k=v", folder, remote.address).code == 0
        head = remote.head("x")
        assert (head["CacheControl"], head["Metadata"]) == ("no-cache", {"a": "b"})
        assert (head["StorageClass"], head["ContentType"]) == (
            "STANDARD_IA",
            "application/octet-stream",
        )
        assert cli("mirror", "--tags", "k=v", remote.address, "down").code == 2


@pytest.mark.parametrize("verb", ["cp", "put"])
def test_a_large_file_goes_in_one_request_on_demand(
    cli: Any, remote: Any, tmp_path: Path, verb: str
) -> None:
    (tmp_path / "large").write_bytes(bytes(65 * MIB))
    assert cli(verb, "large", f"{remote.address}/parts").code == 0
    assert "-" in remote.head("parts")["ETag"]
    assert cli(verb, "--disable-multipart", "large", f"{remote.address}/one").code == 0
    assert "-" not in remote.head("one")["ETag"]


@pytest.mark.parametrize("verb", [["cp", "-"], ["pipe"]])
def test_input_that_is_too_long_for_one_request_is_refused(
    cli: Any, remote: Any, monkeypatch: pytest.MonkeyPatch, verb: list[str]
) -> None:
    def send(size_bytes: int, *options: str) -> Any:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bytes(size_bytes))))
        return cli(*verb, "--disable-multipart", *options, f"{remote.address}/x")

    refused = send(17 * MIB)
    assert (refused.code, "16.0 MiB or more" in refused.err) == (2, True)
    assert remote.objects() == {}
    assert send(15 * MIB).code == 0
    assert "-" not in remote.head("x")["ETag"]
    if verb == ["pipe"]:
        assert send(17 * MIB, "--part-size", "20M").code == 0
        assert "-" not in remote.head("x")["ETag"]
