"""cp, mv and pipe: what objects are given beside their bytes, and which are old enough."""

from __future__ import annotations

import io
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest


def tags_of(remote: Any, key: str) -> dict[str, str]:
    answer = remote.s3.get_object_tagging(Bucket=remote.bucket, Key=key)
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an old file and a young one."""
    made = tmp_path / "folder"
    made.mkdir()
    (made / "old.txt").write_text("old")
    (made / "young.txt").write_text("young")
    day_ago_s = time.time() - 86_400
    os.utime(made / "old.txt", (day_ago_s, day_ago_s))
    return made


GIVEN = ("--attr", "Cache-Control=no-cache;Artist=me", "--tags", "kind=page")


class TestAttributes:
    def test_files_of_a_folder(self, cli: Any, remote: Any, folder: Path) -> None:
        done = cli(
            "cp",
            "-r",
            *GIVEN,
            "--storage-class",
            "STANDARD_IA",
            f"{folder}/",
            "s3/" + remote.bucket,
        )
        assert (done.code, sorted(remote.objects())) == (0, ["old.txt", "young.txt"])
        head = remote.head("old.txt")
        assert (head["CacheControl"], head["ContentType"]) == ("no-cache", "text/plain")
        assert (head["Metadata"], head["StorageClass"]) == ({"artist": "me"}, "STANDARD_IA")
        assert tags_of(remote, "young.txt") == {"kind": "page"}

    def test_an_object_keeps_what_is_not_replaced(self, cli: Any, remote: Any) -> None:
        remote.put(
            "k", b"1", ContentType="a/b", Metadata={"x": "1", "artist": "you"}, Tagging="t=1"
        )
        assert cli("cp", *GIVEN, f"{remote.address}/k", f"{remote.address}/l").code == 0
        head = remote.head("l")
        assert (head["ContentType"], head["CacheControl"]) == ("a/b", "no-cache")
        assert head["Metadata"] == {"x": "1", "artist": "me"}
        assert tags_of(remote, "l") == {"kind": "page"}
        copied = cli(
            "cp", "--storage-class", "STANDARD_IA", f"{remote.address}/k", f"{remote.address}/m"
        )
        assert copied.code == 0
        head = remote.head("m")
        assert cli("cp", "--tags", "", f"{remote.address}/k", f"{remote.address}/n").code == 0
        assert tags_of(remote, "n") == {}
        assert (head["StorageClass"], head["Metadata"]) == (
            "STANDARD_IA",
            {"x": "1", "artist": "you"},
        )
        assert tags_of(remote, "m") == {"t": "1"}

    def test_an_object_in_place(self, cli: Any, remote: Any) -> None:
        remote.put("k", b"1", Metadata={"x": "1"})
        address = f"{remote.address}/k"
        assert cli("cp", address, address).code == 2
        assert cli("cp", "--attr", "y=2", address, address).code == 0
        assert remote.head("k")["Metadata"] == {"x": "1", "y": "2"}
        assert cli("mv", "--attr", "y=2", address, address).code == 2
        assert remote.objects() == {"k": b"1"}

    def test_between_services(self, cli: Any, remote: Any, elsewhere: Any) -> None:
        remote.put("k", b"1", Metadata={"x": "1"}, Tagging="old=1", StorageClass="STANDARD_IA")
        copy = (f"{remote.address}/k", f"{elsewhere.address}/copy")
        assert cli("cp", *copy).code == 0
        assert tags_of(elsewhere, "copy") == {"old": "1"}
        assert cli("cp", "--attr", "y=2", *copy).code == 0
        assert elsewhere.head("copy")["Metadata"] == {"x": "1", "y": "2"}
        assert "StorageClass" not in elsewhere.head("copy")
        assert tags_of(elsewhere, "copy") == {"old": "1"}
        assert cli("cp", "--tags", "", *copy).code == 0
        assert tags_of(elsewhere, "copy") == {}
        assert cli("mv", *GIVEN, f"{remote.address}/k", f"{elsewhere.address}/k").code == 0
        assert elsewhere.head("k")["Metadata"] == {"x": "1", "artist": "me"}
        assert tags_of(elsewhere, "k") == {"kind": "page"}
        assert remote.objects() == {}

    @pytest.mark.parametrize("verb", [("pipe",), ("cp", "-")])
    def test_standard_input(
        self, cli: Any, remote: Any, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
    ) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"<p>")))
        assert cli(verb[0], *GIVEN, *verb[1:], f"{remote.address}/x.html").code == 0
        head = remote.head("x.html")
        assert (head["ContentType"], head["Metadata"]) == ("text/html", {"artist": "me"})
        assert tags_of(remote, "x.html") == {"kind": "page"}

    def test_nothing_is_copied_with_attributes_that_are_none(
        self, cli: Any, remote: Any, folder: Path
    ) -> None:
        for wrong in (("--attr", "nothing"), ("--tags", "a=1&a=2"), ("--attr", "bad name=1")):
            assert cli("cp", "-r", *wrong, folder, remote.address).code == 2
        assert remote.objects() == {}


class TestAges:
    def test_files_and_objects_of_an_age(
        self, cli: Any, remote: Any, folder: Path, tmp_path: Path
    ) -> None:
        cli("cp", "-r", "--older-than", "1h", f"{folder}/", f"{remote.address}/a/")
        assert remote.objects() == {"a/old.txt": b"old"}
        cli("cp", "--newer-than", "1h", folder / "old.txt", folder / "young.txt", remote.address)
        assert sorted(remote.objects()) == ["a/old.txt", "young.txt"]
        done = cli("cp", "-r", "--older-than", "1h", f"{remote.address}/", "down")
        assert (done.code, (tmp_path / "down").exists()) == (0, False)
        done = cli("mv", "-r", "--newer-than", "1h", f"{folder}/", f"{remote.address}/b/")
        assert sorted(path.name for path in folder.iterdir()) == ["old.txt"]
        assert remote.objects("b/") == {"young.txt": b"young"}
