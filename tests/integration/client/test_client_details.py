"""find by tags and metadata, parts and versions of objects, aliases without keys."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import Any

import pytest


class TestFind:
    def test_tags_and_metadata(self, cli: Any, remote: Any) -> None:
        for index in range(50):
            kind = "cat" if index % 10 == 0 else "dog"
            remote.put(f"{index:02}", Tagging=f"kind={kind}", ContentType=f"image/{kind}")
        remote.put("both", Tagging="kind=cat", Metadata={"artist": "me"})
        found = cli("find", remote.address, "--tags", "kind=^cat$", "--print", "{base}").out.split()
        assert found == ["00", "10", "20", "30", "40", "both"]
        mine = ("--metadata", "X-Amz-Meta-Artist=^m", "--tags", "kind=cat")
        assert cli("find", remote.address, *mine).out == f"{remote.address}/both\n"
        typed = ("--metadata", "content-type=/cat", "--name", "[12]0")
        assert len(cli("find", remote.address, *typed).out.splitlines()) == 2
        assert cli("find", remote.address, "--tags", "other=.").out == ""
        assert cli("find", remote.address, "--tags", "kind").code == 2
        assert cli("find", remote.address, "--metadata", "a=(").code == 2

    def test_a_service_that_refuses_ends_it(self, cli: Any, remote: Any, wrong_keys: str) -> None:
        remote.put("k")
        assert cli("find", f"{wrong_keys}/{remote.bucket}", "--tags", "a=b").code == 4


class TestCat:
    def test_stretches(self, cli: Any, remote: Any) -> None:
        remote.put("k", b"0123456789")
        address = f"{remote.address}/k"
        assert cli("cat", "--offset", "7", address).out == "789"
        assert cli("cat", "--tail", "4", address).out == "6789"
        assert cli("cat", "--tail", "1K", address).out == "0123456789"
        assert cli("cat", "--offset", "1K", address).out == ""
        assert cli("cat", "--offset", "1", "--tail", "1", address).code == 2

    def test_a_stretch_over_a_bad_line(self, cli: Any, remote: Any, bad_line: Any) -> None:
        body = bytes(range(256)) * 4000
        remote.put("k", body)
        line = bad_line(cut_after_bytes=200_000)
        done = cli("cat", "--offset", "1000", f"bad-line/{remote.bucket}/k")
        assert (done.code, done.raw == body[1000:]) == (0, True)
        assert line.cuts > 1

    def test_versions(self, cli: Any, remote: Any) -> None:
        cli("version", "enable", remote.address)
        remote.put("k", b"old")
        old = remote.head("k")
        time.sleep(1.1)
        remote.put("k", b"new")
        address = f"{remote.address}/k"
        assert cli("cat", "--version-id", old["VersionId"], address).out == "old"
        moment = f"{old['LastModified']:%Y-%m-%dT%H:%M:%S}.999"
        assert cli("cat", "--rewind", moment, address).out == "old"
        assert cli("cat", "--rewind", "0s", address).out == "new"
        assert cli("cat", "--rewind", "1d", address).code == 5
        assert cli("head", "--version-id", old["VersionId"], address).out == "old"
        shown = cli("stat", "--version-id", old["VersionId"], "--json", address).documents()[0]
        assert (shown["size"], shown["versionID"]) == (3, old["VersionId"])
        assert cli("stat", "--version-id", "0" * 32, address).code != 0
        assert cli("cat", "--version-id", "x", address, address).code == 2


class TestStat:
    def test_what_is_set_for_a_bucket(self, cli: Any, remote: Any) -> None:
        plain = cli("stat", "--json", remote.address).documents()[0]
        assert plain.items() >= {"type": "folder", "location": "us-east-1"}.items()
        assert "Versioning" not in plain
        address = f"{remote.address}-full"
        assert cli("mb", "--with-lock", address).code == 0
        cli("tag", "set", address, "owner=me")
        cli("retention", "set", "--default", "governance", "3d", address)
        cli("ilm", "rule", "add", "--expire-days", "9", address)
        cli("anonymous", "set", "download", address)
        (document,) = cli("stat", "--json", address).documents()
        assert (
            document.items()
            >= {
                "Versioning": {"status": "Enabled"},
                "ObjectLock": {"enabled": "Enabled", "mode": "GOVERNANCE", "validity": "3DAYS"},
                "ilmRules": 1,
                "Policy": {"type": "download"},
                "tagset": {"owner": "me"},
            }.items()
        )
        text = cli("stat", address).out
        assert text.splitlines()[0].split() == ["name", address]
        assert "tag owner        me\n" in text

    def test_objects_below_a_folder_and_what_the_service_tells_of_them(
        self, cli: Any, remote: Any
    ) -> None:
        remote.put_all({"a/1": b"1", "a/2": b"22"})
        cli("tag", "set", f"{remote.address}/a/1", "x=1&y=2")
        found = cli("stat", "-r", "--json", f"{remote.address}/a/").documents()
        assert [(item["name"], item["size"]) for item in found] == [
            (f"{remote.address}/a/1", 1),
            (f"{remote.address}/a/2", 2),
        ]
        assert found[0]["metadata"]["X-Amz-Tagging-Count"] == "2"
        assert cli("stat", "-r", f"{remote.address}/nothing/").code == 5


class TestAlias:
    def test_one_without_keys(self, cli: Any, elsewhere: Any, other_service: str) -> None:
        cli("anonymous", "set", "download", elsewhere.address)
        elsewhere.put("k", b"open")
        made = cli("alias", "set", "open", other_service, "--anonymous", "--no-verify")
        assert made.code == 0
        assert cli("cat", f"open/{elsewhere.bucket}/k").out == "open"
        assert "(anonymous)" in cli("alias", "list", "open").out
        refused = cli("alias", "set", "open", other_service, "key", "secret", "--anonymous")
        assert refused.code == 2

    def test_temporary_keys(
        self, cli: Any, other_service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "token").write_text("the-token\n")
        arguments = ("alias", "set", "temporary", other_service, "key", "secret", "--no-verify")
        assert cli(*arguments, "--session-token-file", tmp_path / "token").code == 0
        config = (tmp_path / "home/config/config.json").read_text()
        assert '"sessionToken": "the-token"' in config
        assert "the-token" not in cli("alias", "list", "--json").out
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"two words")))
        assert cli(*arguments, "--session-token-file", "-").code == 2
        monkeypatch.setenv("INGOT_SESSION_TOKEN", "of-the-environment")
        assert cli(*arguments).code == 0
        assert "of-the-environment" in (tmp_path / "home/config/config.json").read_text()
