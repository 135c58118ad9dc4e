"""`mirror --versions` between buckets of one service and of two."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from ingot.base.errors import NetworkError
from ingot.base.secret import Secret
from ingot.client.aliases import Alias
from ingot.client.connections import Connections
from ingot.client.histories import HistoryMirror
from ingot.s3client.client import S3Client

MIB = 1 << 20


@pytest.fixture(params=["s3", "again"])
def target(request: Any, remote: Any, s3: Any, server: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket that keeps versions, reached by the same alias or as another service."""
    name = f"{remote.bucket}-target"
    s3.create_bucket(Bucket=name)
    for bucket in (name, remote.bucket):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    keys = f"{server.access_key}:{server.secret_key}"
    monkeypatch.setenv("MC_HOST_again", f"http://{keys}@127.0.0.1:{server.port}")
    return f"{request.param}/{name}"


History = dict[str, list[bytes | None]]


@pytest.fixture
def history(server: Any) -> Iterator[Callable[[str], History]]:
    """All versions of a bucket by key, oldest first; None is a deletion."""
    alias = Alias("s3", server.endpoint, server.access_key, Secret(server.secret_key))
    with Connections() as connections:
        client = connections.client(alias)

        def read(bucket: str) -> History:
            found: History = {}
            for entry in client.iterate_versions(bucket):
                body = None
                if not entry.is_delete_marker:
                    version_id = entry.version_id
                    with client.get_object(bucket, entry.key, version_id=version_id) as stream:
                        body = b"".join(stream)
                found.setdefault(entry.key, []).insert(0, body)
            return found

        yield read


def test_all_versions_come_in_order_and_only_once(
    cli: Any, remote: Any, s3: Any, target: str, history: Any
) -> None:
    bucket = target.partition("/")[2]
    for body in (b"1", b"2", b"3"):
        remote.put("a", body)
    remote.put("gone", b"x")
    remote.delete("gone")
    data = bytes(range(256)) * (20 * MIB // 256)
    remote.put_parts("parts", data, 8 * MIB, "CRC32C")
    first = cli("mirror", "--versions", remote.address, target)
    assert (first.code, len(first.out.splitlines())) == (0, 3)
    assert history(bucket) == history(remote.bucket)
    assert history(bucket)["gone"] == [b"x", None]

    again = cli("mirror", "--versions", remote.address, target)
    assert (again.code, again.out) == (0, "")
    assert "unchanged 3" in again.err

    remote.put("a", b"4")
    remote.put("gone", b"back")
    remote.put("new", b"1", Metadata={"kept": "yes"})
    assert cli("mirror", "--versions", remote.address, target).code == 0
    assert history(bucket) == history(remote.bucket)
    assert s3.head_object(Bucket=bucket, Key="new")["Metadata"] == {"kept": "yes"}


def test_what_the_source_never_had_is_removed_on_demand_with_a_marker(
    cli: Any, remote: Any, s3: Any, target: str, history: Any
) -> None:
    bucket = target.partition("/")[2]
    remote.put("a", b"1")
    s3.put_object(Bucket=bucket, Key="extra", Body=b"2")
    assert cli("mirror", "--versions", remote.address, target).code == 0
    assert history(bucket)["extra"] == [b"2"]
    for _ in range(2):
        assert cli("mirror", "--versions", "--remove", remote.address, target).code == 0
        assert history(bucket)["extra"] == [b"2", None]


def test_a_target_without_versions_and_other_misuse_is_refused(
    cli: Any, remote: Any, s3: Any
) -> None:
    remote.put("a", b"1")
    name = f"{remote.bucket}-plain"
    s3.create_bucket(Bucket=name)
    refused = cli("mirror", "--versions", remote.address, f"s3/{name}")
    assert (refused.code, "does not keep versions" in refused.err) == (2, True)
    assert cli("mirror", "--versions", remote.address, "dst").code == 2
    assert cli("mirror", "--versions", "--watch", remote.address, f"s3/{name}").code == 2
    for option in (
        ("--tags", "a=b"),
        ("--older-than", "1d"),
        ("--exclude-storageclass", "GLACIER"),
        ("--retention-duration", "30d"),
    ):
        refused = cli("mirror", "--versions", *option, remote.address, f"s3/{name}")
        assert (refused.code, "exclude each other" in refused.err) == (2, True)
    assert cli("mirror", "--versions", f"{remote.address}/none", f"s3/{name}").code == 5


def test_a_version_that_expires_meanwhile_keeps_none_back(
    cli: Any, remote: Any, target: str, history: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = target.partition("/")[2]
    for body in (b"1", b"2", b"3"):
        remote.put("a", body)
    remote.put("gone", b"x")
    listed = remote.s3.list_object_versions(Bucket=remote.bucket)["Versions"]
    oldest = [v["VersionId"] for v in listed if v["Key"] == "a"][-1]
    copy = HistoryMirror.copy

    def expire_and_copy(self: HistoryMirror, source: Any, *others: Any, **options: Any) -> None:
        for version in {"a": [oldest], "gone": [listed[-1]["VersionId"]]}[source.name]:
            remote.s3.delete_object(Bucket=remote.bucket, Key=source.name, VersionId=version)
        copy(self, source, *others, **options)

    monkeypatch.setattr(HistoryMirror, "copy", expire_and_copy)
    done = cli("mirror", "--versions", remote.address, target)
    assert done.code == 0, done.err
    assert history(bucket) == history(remote.bucket) == {"a": [b"2", b"3"]}
    assert "gone vanished before it was read; left out" in done.err


def test_an_attempt_that_fails_in_the_middle_is_gone_on_with(
    cli: Any, remote: Any, target: str, history: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for body in (b"1", b"2", b"3", None, b"4"):
        remote.put("a", body) if body else remote.delete("a")
    carry, calls = HistoryMirror._carry, iter(range(100))

    def fail_twice(self: HistoryMirror, *arguments: Any) -> None:
        if next(calls) in {2, 3}:
            raise NetworkError("the line broke")
        carry(self, *arguments)

    monkeypatch.setattr(HistoryMirror, "_carry", fail_twice)
    done = cli("mirror", "--versions", remote.address, target)
    assert done.code == 0, done.err
    assert history(target.partition("/")[2])["a"] == [b"1", b"2", b"3", None, b"4"]


def test_etags_that_are_no_md5_do_not_double_a_history(
    cli: Any, remote: Any, target: str, history: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for body in (b"1", b"2", b"1"):
        remote.put("a", body)
    versions, heads = S3Client.iterate_versions, S3Client.head_object

    # As of services that encrypt: each object has an ETag that only looks like an MD5.
    def iterate(self: S3Client, *arguments: Any, **options: Any) -> Any:
        for entry in versions(self, *arguments, **options):
            random = secrets.token_hex(16)
            yield entry if entry.is_delete_marker else entry._replace(etag=random)

    def head(self: S3Client, *arguments: Any, **options: Any) -> Any:
        return replace(heads(self, *arguments, **options), etag_is_md5=False)

    monkeypatch.setattr(S3Client, "iterate_versions", iterate)
    monkeypatch.setattr(S3Client, "head_object", head)
    for _ in range(2):
        assert cli("mirror", "--versions", remote.address, target).code == 0
    assert history(target.partition("/")[2]) == {"a": [b"1", b"2", b"1"]}
