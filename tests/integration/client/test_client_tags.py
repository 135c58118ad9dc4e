"""tag and version: one object, all below a folder, versions, buckets; and what is refused."""

from __future__ import annotations

from typing import Any

import pytest


def versions_of(remote: Any, key: str) -> list[str]:
    """Return an object's version ids, newest first."""
    answer = remote.s3.list_object_versions(Bucket=remote.bucket, Prefix=key)
    return [item["VersionId"] for item in answer["Versions"]]


def tags_of(remote: Any, key: str, **which: str) -> dict[str, str]:
    answer = remote.s3.get_object_tagging(Bucket=remote.bucket, Key=key, **which)
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


class TestTag:
    def test_an_object_is_tagged_shown_and_untagged(self, cli: Any, remote: Any) -> None:
        remote.put("cat.jpg")
        address = f"{remote.address}/cat.jpg"
        done = cli("tag", "set", address, "kind=cat&note=a%26b")
        assert (done.code, done.out) == (0, f"tagged {address}\n")
        assert tags_of(remote, "cat.jpg") == {"kind": "cat", "note": "a&b"}
        assert cli("tag", "list", address).out == f"{address}\n  kind  cat\n  note  a&b\n"
        (document,) = cli("tag", "list", "--json", address).documents()
        assert document == {
            "status": "success",
            "name": address,
            "url": address,
            "tagset": {"kind": "cat", "note": "a&b"},
        }
        assert cli("tag", "remove", address).code == 0
        assert cli("tag", "list", address).out == f"{address}\n"

    def test_a_bucket_is_tagged_shown_and_untagged(self, cli: Any, remote: Any) -> None:
        assert cli("tag", "list", remote.address).out == f"{remote.address}\n"
        assert cli("tag", "set", remote.address, "owner=me").code == 0
        assert cli("tag", "list", f"{remote.address}/").out.endswith("  owner  me\n")
        assert cli("tag", "remove", remote.address).code == 0
        assert cli("tag", "list", "--json", remote.address).documents()[0]["tagset"] == {}

    def test_everything_below_a_folder_is_tagged_and_nothing_beside_it(
        self, cli: Any, remote: Any
    ) -> None:
        remote.put_all({"a/1": b"", "a/2": b"", "a": b"", "a-b": b"", "b": b""})
        done = cli("tag", "set", "--recursive", f"{remote.address}/a", "x=y")
        assert done.code == 0
        assert [line.rpartition("/")[2] for line in done.out.splitlines()] == ["a", "1", "2"]
        assert tags_of(remote, "a/1") == tags_of(remote, "a") == {"x": "y"}
        assert tags_of(remote, "a-b") == tags_of(remote, "b") == {}

    def test_versions_are_tagged_each_by_itself(self, cli: Any, remote: Any) -> None:
        assert cli("version", "enable", remote.address).code == 0
        for body in (b"1", b"2"):
            remote.put("k", body)
        newer, older = versions_of(remote, "k")
        address = f"{remote.address}/k"
        assert cli("tag", "set", "--version-id", older, address, "age=old").code == 0
        assert tags_of(remote, "k", VersionId=older) == {"age": "old"}
        assert tags_of(remote, "k") == {}
        shown = cli("tag", "list", "--json", "--versions", address).documents()
        assert [(item["versionID"], item["tagset"]) for item in shown] == [
            (newer, {}),
            (older, {"age": "old"}),
        ]

    def test_what_is_not_there_and_what_is_no_tag(self, cli: Any, remote: Any) -> None:
        remote.put("k")
        missing = cli("tag", "set", f"{remote.address}/nothing", "a=b")
        assert (missing.code, missing.out) == (5, "")
        assert cli("tag", "list", "--recursive", f"{remote.address}/nothing/").code == 5
        wrong = cli("tag", "set", f"{remote.address}/k", "aws:x=y")
        assert wrong.code == 2
        assert "hint: write them like" in wrong.err
        assert cli("tag", "set", f"{remote.address}/k", "").code == 2
        assert cli("tag", "set", "-r", "--version-id", "x", f"{remote.address}/", "a=b").code == 2

    def test_against_another_service(self, cli: Any, elsewhere: Any) -> None:
        elsewhere.put("k")
        assert cli("tag", "set", f"{elsewhere.address}/k", "a=b").code == 0
        assert tags_of(elsewhere, "k") == {"a": "b"}
        assert cli("tag", "list", f"{elsewhere.address}/k").out.endswith("  a  b\n")


class TestVersion:
    @pytest.mark.parametrize("where", ["remote", "elsewhere"])
    def test_versions_are_turned_on_and_off(
        self, cli: Any, where: str, request: pytest.FixtureRequest
    ) -> None:
        address = request.getfixturevalue(where).address
        steps = [
            ("info", "un-versioned"),
            ("enable", "enabled"),
            ("info", "enabled"),
            ("suspend", "suspended"),
            ("info", "suspended"),
        ]
        for verb, word in steps:
            done = cli("version", verb, address)
            assert (done.code, done.out) == (0, f"{address} versioning is {word}\n")
        (document,) = cli("version", "info", "--json", address).documents()
        assert document == {
            "status": "success",
            "Op": "info",
            "url": address,
            "versioning": {"status": "Suspended"},
        }

    def test_a_bucket_that_is_not_there(self, cli: Any, remote: Any) -> None:
        assert cli("version", "info", "s3/no-such-bucket-here").code == 5
        assert cli("version", "enable", f"{remote.address}/key").code == 2
        several = cli("version", "info", "s3/no-such-bucket-here", remote.address)
        assert several.code == 3
        assert "1 of 2 targets failed" in several.err
