"""ls, rm, rb and undo where versions are kept: the past is shown, removed and brought back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

HOUR_S = 3600


@pytest.fixture(params=["remote", "elsewhere"])
def kept(cli: Any, request: pytest.FixtureRequest) -> Any:
    """A bucket that keeps versions, of our server and of another service."""
    remote = request.getfixturevalue(request.param)
    assert cli("version", "enable", remote.address).code == 0
    return remote


def history(remote: Any) -> list[tuple[str, bool, bool]]:
    """Return key, whether it is current, and whether it is a delete marker, of every version."""
    answer = remote.s3.list_object_versions(Bucket=remote.bucket)
    found = [(item["Key"], item["IsLatest"], False) for item in answer.get("Versions", [])]
    found += [(item["Key"], item["IsLatest"], True) for item in answer.get("DeleteMarkers", [])]
    return sorted(found)


class TestLs:
    def test_all_versions_are_shown_newest_first(self, cli: Any, kept: Any) -> None:
        kept.put("a/k", b"1")
        kept.put("a/k", b"22")
        kept.delete("a/k")
        kept.put("b", b"333")
        done = cli("ls", "--versions", "-r", "--json", kept.address)
        shown = [
            (item["key"], item["versionOrdinal"], item["isDeleteMarker"], item["size"])
            for item in done.documents()
        ]
        assert shown == [
            ("a/k", 3, True, 0),
            ("a/k", 2, False, 2),
            ("a/k", 1, False, 1),
            ("b", 1, False, 3),
        ]
        assert len({item["versionId"] for item in done.documents()}) == 4
        text = cli("ls", "--versions", f"{kept.address}/a/k").out.splitlines()
        assert [line.split()[-3:] for line in text] == [
            ["v3", "DEL", "k"],
            ["v2", "PUT", "k"],
            ["v1", "PUT", "k"],
        ]
        assert cli("ls", "--versions", kept.address).out.splitlines()[0].split()[-2:] == [
            "folder",
            "a/",
        ]

    def test_a_moment_of_the_past(self, cli: Any, remote: Any) -> None:
        cli("version", "enable", remote.address)
        remote.put_all({"a/deleted": b"1", "changed": b"1"})
        time.sleep(1.1)
        middle = remote.s3.head_object(Bucket=remote.bucket, Key="changed")["LastModified"]
        remote.delete("a/deleted")
        remote.put_all({"changed": b"22", "young": b""})
        moment = f"{middle:%Y-%m-%dT%H:%M:%S}.999"
        then = cli("ls", "-r", "--rewind", moment, remote.address, "--json").documents()
        assert [(item["key"], item["size"]) for item in then] == [("a/deleted", 1), ("changed", 1)]
        assert len(cli("ls", "--rewind", "1h", remote.address).out) == 0
        now = cli("ls", "-r", "--rewind", "0s", remote.address, "--json").documents()
        assert [(item["key"], item["size"]) for item in now] == [("changed", 2), ("young", 0)]
        folders = cli("ls", "--rewind", moment, remote.address, "--json").documents()
        assert [item["key"] for item in folders] == ["a/", "changed"]
        assert cli("ls", "--rewind", "yesterday", remote.address).code == 2
        assert cli("ls", "--rewind", "1d", "--incomplete", remote.address).code == 2

    def test_unfinished_uploads(self, cli: Any, remote: Any) -> None:
        name = {"Bucket": remote.bucket, "Key": "a/large"}
        upload_id = remote.s3.create_multipart_upload(**name)["UploadId"]
        remote.s3.upload_part(**name, UploadId=upload_id, PartNumber=1, Body=b"12345")
        (document,) = cli("ls", "-r", "--incomplete", "--json", remote.address).documents()
        assert (document["key"], document["size"], document["uploadId"]) == (
            *("a/large", 5),
            upload_id,
        )
        assert cli("ls", "-I", remote.address).out.split()[-1] == "a/"
        assert upload_id in cli("ls", "-I", f"{remote.address}/a/large").out
        assert cli("ls", "-I", f"{remote.address}/a/lar").out == ""

    def test_one_storage_class(self, cli: Any, remote: Any) -> None:
        remote.put("hot")
        remote.put("cold", StorageClass="STANDARD_IA")
        done = cli("ls", "--storage-class", "STANDARD_IA", "--summarize", "--json", remote.address)
        line, total = done.documents()
        assert (line["key"], total["totalObjects"]) == ("cold", 1)


class TestRm:
    def test_one_version_and_a_delete_marker(self, cli: Any, kept: Any) -> None:
        kept.put("k", b"1")
        kept.put("k", b"2")
        assert cli("rm", f"{kept.address}/k").code == 0
        assert history(kept) == [("k", False, False), ("k", False, False), ("k", True, True)]
        marker = cli("ls", "--versions", "--json", f"{kept.address}/k").documents()[0]
        done = cli("rm", "--version-id", marker["versionId"], f"{kept.address}/k", "--json")
        assert (done.code, done.documents()[0]["versionID"]) == (0, marker["versionId"])
        assert kept.objects() == {"k": b"2"}

    def test_all_versions_below_a_folder_go_and_nothing_beside_it(
        self, cli: Any, kept: Any
    ) -> None:
        for body in (b"1", b"2"):
            kept.put_all({"a": body, "a/k": body, "a-b": body})
        kept.delete("a/k")
        dry = cli("rm", "-r", "--versions", "--dry-run", f"{kept.address}/a")
        assert len(dry.out.splitlines()) == 5
        assert cli("rm", "-r", "--versions", f"{kept.address}/a").code == 2
        done = cli("rm", "-r", "--versions", "--force", f"{kept.address}/a")
        assert (done.code, len(done.out.splitlines())) == (0, 5)
        assert {key for key, _, _ in history(kept)} == {"a-b"}

    def test_older_versions_go_and_the_current_stays(self, cli: Any, kept: Any) -> None:
        for body in (b"1", b"2", b"3"):
            kept.put("k", body)
        done = cli("rm", "--non-current", f"{kept.address}/k")
        assert (done.code, len(done.out.splitlines())) == (0, 2)
        assert history(kept) == [("k", True, False)]
        assert kept.objects() == {"k": b"3"}

    def test_what_is_young_stays(self, cli: Any, remote: Any) -> None:
        remote.put_all({"a/1": b"", "a/2": b""})
        folder = f"{remote.address}/a/"
        assert cli("rm", "-r", "--force", "--older-than", "1h", folder).out == ""
        assert cli("rm", "--older-than", "1h", f"{folder}1").code == 0
        assert len(remote.objects()) == 2
        assert cli("rm", "-r", "--force", "--newer-than", "1h", folder).code == 0
        assert remote.objects() == {}

    def test_unfinished_uploads_are_given_up(self, cli: Any, remote: Any) -> None:
        for key in ("a/1", "a/2", "b"):
            remote.s3.create_multipart_upload(Bucket=remote.bucket, Key=key)
        keep = cli("rm", "-r", "-I", "--force", "--older-than", "1h", remote.address)
        assert (keep.code, len(remote.uploads())) == (0, 3)
        done = cli("rm", "-r", "--incomplete", "--force", f"{remote.address}/a/")
        assert (done.code, len(done.out.splitlines())) == (0, 2)
        assert [upload["Key"] for upload in remote.uploads()] == ["b"]
        assert cli("rm", "--incomplete", f"{remote.address}/b").code == 0
        assert remote.uploads() == []

    def test_a_retention_is_bypassed_only_on_demand(self, cli: Any, elsewhere: Any) -> None:
        address = f"{elsewhere.address}-locked"
        assert cli("mb", "--with-lock", address).code == 0
        elsewhere.bucket += "-locked"
        elsewhere.put("k", b"1")
        assert cli("retention", "set", "governance", "1d", f"{address}/k").code == 0
        version_id = elsewhere.head("k")["VersionId"]
        held = cli("rm", "--version-id", version_id, f"{address}/k")
        assert held.code == 4
        assert elsewhere.objects() == {"k": b"1"}
        bypassed = cli("rm", "--version-id", version_id, "--bypass", f"{address}/k")
        assert bypassed.code == 0
        assert elsewhere.objects() == {}


class TestRb:
    def test_force_removes_versions_and_markers_too(self, cli: Any, kept: Any) -> None:
        kept.put("a", b"1")
        kept.put("a", b"2")
        kept.delete("a")
        kept.s3.create_multipart_upload(Bucket=kept.bucket, Key="u")
        assert cli("rb", kept.address).code == 6
        done = cli("rb", "--force", kept.address)
        assert (done.code, done.err) == (0, "")
        assert cli("ls", kept.address).code == 5


class TestUndo:
    def test_an_upload_and_a_deletion(self, cli: Any, kept: Any) -> None:
        kept.put("k", b"1")
        kept.put("k", b"2")
        kept.delete("k")
        address = f"{kept.address}/k"
        dry = cli("undo", "--dry-run", address, "--json").documents()
        assert [(item["key"], item["isDeleteMarker"]) for item in dry] == [("k", True)]
        assert kept.objects() == {}
        done = cli("undo", address)
        assert (done.code, done.out.startswith(f"undid the deletion of {address} (")) == (0, True)
        assert kept.objects() == {"k": b"2"}
        assert cli("undo", "--action", "delete", address).code == 5
        assert cli("undo", "--action", "put", address).code == 0
        assert kept.objects() == {"k": b"1"}

    def test_several_changes_below_a_folder(self, cli: Any, kept: Any) -> None:
        for body in (b"1", b"2", b"3"):
            kept.put_all({"a/1": body, "a/2": body, "b": body})
        kept.delete("a/2")
        assert cli("undo", "-r", f"{kept.address}/a/").code == 2
        done = cli("undo", "-r", "--last", "2", "--force", f"{kept.address}/a/")
        assert (done.code, len(done.out.splitlines())) == (0, 4)
        assert kept.objects() == {"a/1": b"1", "a/2": b"2", "b": b"3"}

    def test_without_versions_nothing_can_be_undone(self, cli: Any, remote: Any) -> None:
        remote.put("k", b"1")
        done = cli("undo", f"{remote.address}/k")
        assert done.code == 1
        assert "hint: 'ingot version enable" in done.err
        assert remote.objects() == {"k": b"1"}
        assert cli("undo", remote.address).code == 2


class TestCp:
    @pytest.fixture
    def changed(self, cli: Any, remote: Any) -> str:
        """A moment, before everything below `a/` was changed or deleted."""
        cli("version", "enable", remote.address)
        remote.put("a/1", b"old", Metadata={"x": "1"}, Tagging="t=1")
        remote.put("a/b/2", b"gone")
        time.sleep(1.1)
        moment = f"{remote.head('a/1')['LastModified']:%Y-%m-%dT%H:%M:%S}.999"
        remote.put("a/1", b"newer")
        remote.delete("a/b/2")
        remote.put("a/3", b"young")
        return moment

    def test_a_folder_as_it_was(self, cli: Any, remote: Any, changed: str, tmp_path: Path) -> None:
        past = ("cp", "-r", "--rewind", changed, f"{remote.address}/a/")
        assert cli(*past, f"{remote.address}/restored/").code == 0
        assert remote.objects("restored/") == {"1": b"old", "b/2": b"gone"}
        assert remote.head("restored/1")["Metadata"] == {"x": "1"}
        assert cli(*past, "down").code == 0
        assert (tmp_path / "down/b/2").read_bytes() == b"gone"
        assert (tmp_path / "down/1").read_bytes() == b"old"
        dry = cli(*past, "--dry-run", "dry")
        assert (dry.code, len(dry.out.splitlines())) == (0, 2)
        assert not (tmp_path / "dry").exists()
        # In place, what was changed and deleted is back, and what came later stays.
        assert cli(*past, f"{remote.address}/a/").code == 0
        assert remote.objects("a/") == {"1": b"old", "b/2": b"gone", "3": b"young"}
        assert cli("cp", "-r", "--rewind", "1d", f"{remote.address}/a/", "none").code == 5

    def test_one_version_to_a_file_an_object_and_another_service(
        self, cli: Any, remote: Any, elsewhere: Any, changed: str, tmp_path: Path
    ) -> None:
        versions = remote.s3.list_object_versions(Bucket=remote.bucket, Prefix="a/1")["Versions"]
        old = ("cp", "--version-id", versions[1]["VersionId"], f"{remote.address}/a/1")
        done = cli(*old, "file")
        assert (done.code, (tmp_path / "file").read_bytes()) == (0, b"old")
        assert done.out.endswith(") -> file\n")
        assert cli(*old, f"{remote.address}/copy").code == 0
        assert remote.objects("copy") == {"": b"old"}
        assert cli(*old, elsewhere.address).code == 0
        assert elsewhere.objects() == {"1": b"old"}
        tags = elsewhere.s3.get_object_tagging(Bucket=elsewhere.bucket, Key="1")["TagSet"]
        assert tags == [{"Key": "t", "Value": "1"}]

    def test_names_that_cannot_be_files_fail_and_the_rest_comes(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        cli("version", "enable", remote.address)
        remote.put_all({"a/../evil": b"", "a//x": b"", "a/good": b"1"})
        done = cli("cp", "-r", "--rewind", "0s", f"{remote.address}/a/", "down")
        assert done.code == 3
        assert [path.name for path in (tmp_path / "down").rglob("*")] == ["good"]

    def test_what_does_not_go_together(self, cli: Any, remote: Any, tmp_path: Path) -> None:
        remote.put("k")
        address = f"{remote.address}/k"
        assert cli("cp", "--rewind", "1d", "--older-than", "1d", address, "k").code == 2
        assert cli("cp", "--version-id", "x", address, "-").code == 2
        assert cli("cp", "--version-id", "x", "-r", address, "k").code == 2
        (tmp_path / "file").touch()
        assert cli("cp", "--rewind", "1d", "file", address).code == 2
