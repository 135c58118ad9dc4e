"""The client against a real server: every operation, awkward keys, transfers large and small."""

from __future__ import annotations

import os
import secrets
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingot.base.errors import ConflictError, DeniedError, NotFoundError
from ingot.base.secret import Secret
from ingot.base.units import MIB
from ingot.s3.checksums import ChecksumValue, encode, new
from ingot.s3.documents.delete import ObjectIdentifier
from ingot.s3.ranges import ByteRange
from ingot.s3.sigv4 import Credentials
from ingot.s3client.body import BytesBody, FileSource, SourceChangedError
from ingot.s3client.client import S3Client
from ingot.s3client.endpoint import Endpoint
from ingot.s3client.parts import TransferOptions
from ingot.s3client.results import Attributes, WriteConditions
from ingot.s3client.transfer import Transfers
from ingot.transport.pool import Transport

AWKWARD_KEYS = [
    "a//b",
    "/leading",
    "../x/./..",
    ".",
    "a+b %2B&c=d",
    "ä/日本/🎉",
    "control \x01\n\r\t\x7f",
    " spaces ",
    "<a>&\"'",
    "//host:port/..",
    "trailing/",
    "?query#fragment",
    "k" * 1024,
    "\ufffe\uffff",
]


class StoppedByTestError(Exception):
    pass


@pytest.fixture
def client(server: Any) -> Iterator[S3Client]:
    credentials = Credentials(server.access_key, Secret(server.secret_key))
    with Transport() as transport:
        yield S3Client(Endpoint.parse(server.endpoint), credentials, transport=transport)


@pytest.fixture
def own_bucket(client: S3Client) -> str:
    name = f"client-{secrets.token_hex(6)}"
    client.create_bucket(name)
    return name


@pytest.fixture
def transfers(client: S3Client) -> Iterator[Transfers]:
    options = TransferOptions(part_bytes=5 * MIB, split_from_bytes=11 * MIB)
    with Transfers(client, options) as engine:
        yield engine


class TestBuckets:
    def test_a_bucket_comes_and_goes(self, client: S3Client) -> None:
        name = f"client-{secrets.token_hex(6)}"
        client.create_bucket(name)
        client.head_bucket(name)
        assert name in [bucket.name for bucket in client.list_buckets()]
        assert client.get_bucket_location(name) == "us-east-1"
        assert client.get_bucket_versioning(name) is None
        client.delete_bucket(name)
        with pytest.raises(NotFoundError):
            client.head_bucket(name)

    def test_what_a_service_refuses_is_an_error_to_act_on(
        self, client: S3Client, own_bucket: str
    ) -> None:
        client.put_object(own_bucket, "k", b"")
        with pytest.raises(ConflictError) as caught:
            client.delete_bucket(own_bucket)
        assert caught.value.code == "BucketNotEmpty"  # type: ignore[attr-defined]
        assert caught.value.hint is not None
        with pytest.raises(NotFoundError, match="NoSuchBucket"):
            client.put_object("no-such-bucket-here", "k", b"")

    def test_wrong_keys_are_denied(self, server: Any) -> None:
        endpoint = Endpoint.parse(server.endpoint)
        with Transport() as transport:
            for credentials, code in (
                (Credentials(server.access_key, Secret("wrong")), "SignatureDoesNotMatch"),
                (Credentials("nobody", Secret("wrong")), "InvalidAccessKeyId"),
                (None, "AccessDenied"),
            ):
                stranger = S3Client(endpoint, credentials, transport=transport)
                with pytest.raises(DeniedError, match=code):
                    stranger.list_buckets()


class TestObjects:
    @pytest.mark.parametrize("key", AWKWARD_KEYS)
    def test_awkward_keys_come_back(self, client: S3Client, own_bucket: str, key: str) -> None:
        made = client.put_object(own_bucket, key, key.encode())
        with client.get_object(own_bucket, key) as stream:
            assert b"".join(stream) == key.encode()
        assert client.head_object(own_bucket, key).etag == made.etag
        assert [entry.key for entry in client.iterate_objects(own_bucket)] == [key]
        client.copy_object(own_bucket, key, own_bucket, "copy")
        failures = client.delete_objects(
            own_bucket, [ObjectIdentifier(key), ObjectIdentifier("copy")]
        )
        assert failures == []
        assert list(client.iterate_objects(own_bucket)) == []

    def test_an_object_keeps_what_it_was_given(self, client: S3Client, own_bucket: str) -> None:
        attributes = Attributes(
            {"content-type": "text/x", "content-encoding": "gzip", "cache-control": "no-store"},
            {"mode": "0644", "note": "two  spaces"},
        )
        made = client.put_object(own_bucket, "k", b"data", attributes=attributes)
        info = client.head_object(own_bucket, "k")
        assert info.content_headers == attributes.content_headers
        assert info.metadata == attributes.metadata
        assert (info.size_bytes, info.etag) == (4, made.etag)
        total = new("CRC32C")
        total.update(b"data")
        assert info.checksum == ChecksumValue("CRC32C", encode(total.digest()), "FULL_OBJECT")

    def test_ranges(self, client: S3Client, own_bucket: str) -> None:
        client.put_object(own_bucket, "k", b"0123456789")
        with client.get_object(own_bucket, "k", part=ByteRange(3, 4)) as stream:
            assert (b"".join(stream), stream.info.size_bytes) == (b"3456", 10)

    def test_conditions(self, client: S3Client, own_bucket: str) -> None:
        made = client.put_object(own_bucket, "k", b"1", conditions=WriteConditions(if_absent=True))
        with pytest.raises(ConflictError, match="PreconditionFailed"):
            client.put_object(own_bucket, "k", b"2", conditions=WriteConditions(if_absent=True))
        client.put_object(own_bucket, "k", b"3", conditions=WriteConditions(if_match=made.etag))
        with pytest.raises(ConflictError):
            client.get_object(own_bucket, "k", if_match=made.etag)
        with client.get_object(own_bucket, "k") as stream:
            assert b"".join(stream) == b"3"

    def test_a_copy_keeps_or_replaces_attributes(self, client: S3Client, own_bucket: str) -> None:
        client.put_object(own_bucket, "a", b"x", attributes=Attributes(metadata={"m": "1"}))
        client.copy_object(own_bucket, "a", own_bucket, "b")
        client.copy_object(
            own_bucket, "a", own_bucket, "c", attributes=Attributes(metadata={"m": "2"})
        )
        found = [client.head_object(own_bucket, key).metadata for key in "abc"]
        assert found == [{"m": "1"}, {"m": "1"}, {"m": "2"}]

    def test_a_presigned_url_is_good_for_its_method(
        self, client: S3Client, own_bucket: str
    ) -> None:
        client.put_object(own_bucket, "a b+c", b"data")
        url = client.presigned_url(
            "GET", own_bucket, "a b+c", expires_s=60, query=(("response-content-type", "x/y"),)
        )
        with urllib.request.urlopen(url) as answer:
            assert (answer.read(), answer.headers["content-type"]) == (b"data", "x/y")
        request = urllib.request.Request(url, method="DELETE")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        assert caught.value.code == 403
        caught.value.close()

    def test_deleting_many(self, client: S3Client, own_bucket: str) -> None:
        keys = [f"k{number:04}" for number in range(1100)]
        for key in keys[:3]:
            client.put_object(own_bucket, key, b"")
        assert client.delete_objects(own_bucket, [ObjectIdentifier(key) for key in keys]) == []
        assert list(client.iterate_objects(own_bucket)) == []


class TestListing:
    def test_pages_hold_every_key_once_in_order(self, client: S3Client, own_bucket: str) -> None:
        keys = sorted(f"{folder}/{number}" for folder in "ab" for number in range(7))
        for key in keys:
            client.put_object(own_bucket, key, b"")
        found: list[str] = []
        token = None
        while True:
            page = client.list_objects_v2(own_bucket, max_keys=3, continuation_token=token)
            found += [entry.key for entry in page.entries]
            token = page.next_continuation_token
            if token is None:
                break
        assert found == keys
        first = client.list_objects(own_bucket, max_keys=4)
        second = client.list_objects(own_bucket, marker=first.entries[-1].key)
        assert [entry.key for entry in [*first.entries, *second.entries]] == keys
        versions = list(client.iterate_versions(own_bucket))
        assert [(version.key, version.is_latest) for version in versions] == [
            (key, True) for key in keys
        ]

    def test_folders(self, client: S3Client, own_bucket: str) -> None:
        for key in ("a b/1", "a b/2", "a+b/1", "top"):
            client.put_object(own_bucket, key, b"")
        (page,) = client.iterate_pages(own_bucket, delimiter="/")
        assert list(page.common_prefixes) == ["a b/", "a+b/"]
        assert [entry.key for entry in page.entries] == ["top"]
        under = client.iterate_objects(own_bucket, prefix="a b/", start_after="a b/1")
        assert [entry.key for entry in under] == ["a b/2"]


class TestMultipart:
    def test_every_step(self, client: S3Client, own_bucket: str) -> None:
        key = "a b\x01"
        started = client.create_multipart_upload(own_bucket, key)
        parts = [
            client.upload_part(own_bucket, key, started.upload_id, 1, bytes(5 * MIB)),
            client.upload_part(own_bucket, key, started.upload_id, 2, BytesBody(b"end")),
        ]
        listed = list(client.iterate_parts(own_bucket, key, started.upload_id))
        assert [(part.number, part.etag, part.size_bytes) for part in listed] == [
            (part.number, part.etag, part.size_bytes) for part in parts
        ]
        uploads = list(client.iterate_uploads(own_bucket, prefix="a"))
        assert [(upload.key, upload.upload_id) for upload in uploads] == [(key, started.upload_id)]
        made = client.complete_multipart_upload(own_bucket, key, started.upload_id, parts)
        info = client.head_object(own_bucket, key)
        assert (info.etag, info.size_bytes) == (made.etag, 5 * MIB + 3)
        assert list(client.iterate_uploads(own_bucket)) == []

    def test_giving_up(self, client: S3Client, own_bucket: str) -> None:
        started = client.create_multipart_upload(own_bucket, "k")
        client.abort_multipart_upload(own_bucket, "k", started.upload_id)
        with pytest.raises(NotFoundError, match="NoSuchUpload"):
            client.list_parts(own_bucket, "k", started.upload_id)


class TestTransfers:
    @pytest.mark.parametrize(
        "size_bytes", [0, 1, MIB, MIB + 1, 11 * MIB - 1, 11 * MIB, 15 * MIB, 17 * MIB + 3]
    )
    def test_files_go_up_and_come_down_the_same(
        self, transfers: Transfers, own_bucket: str, tmp_path: Path, size_bytes: int
    ) -> None:
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(os.urandom(size_bytes))
        moved = [0]

        def advance(amount_bytes: int) -> None:
            moved[0] += amount_bytes

        made = transfers.upload_file(source, own_bucket, "k", advance=advance)
        assert moved == [size_bytes]
        assert made.checksum is not None
        assert made.checksum.type == "FULL_OBJECT"
        info = transfers.download_file(
            own_bucket, "k", target, size_bytes=size_bytes, advance=advance
        )
        assert moved == [2 * size_bytes]
        assert target.read_bytes() == source.read_bytes()
        assert (info.etag, info.size_bytes, info.checksum) == (
            made.etag,
            size_bytes,
            made.checksum,
        )
        assert sorted(os.listdir(tmp_path)) == ["source", "target"]

    def test_objects_move_between_services(
        self, client: S3Client, transfers: Transfers, own_bucket: str, tmp_path: Path
    ) -> None:
        source = tmp_path / "source"
        source.write_bytes(os.urandom(12 * MIB + 1))
        attributes = Attributes({"content-type": "text/x"}, {"a": "b"})
        transfers.upload_file(source, own_bucket, "large", attributes=attributes)
        client.put_object(own_bucket, "empty", b"")
        for key in ("large", "empty"):
            transfers.upload_object(client, own_bucket, key, own_bucket, f"{key}-copy")
            before, after = (client.head_object(own_bucket, name) for name in (key, f"{key}-copy"))
            assert (before.checksum, before.metadata) == (after.checksum, after.metadata)
            assert before.content_headers == after.content_headers

    def test_large_objects_are_copied_in_parts(
        self, client: S3Client, own_bucket: str, tmp_path: Path
    ) -> None:
        source = tmp_path / "source"
        source.write_bytes(os.urandom(11 * MIB + 1))
        options = TransferOptions(part_bytes=5 * MIB, copy_from_bytes=6 * MIB)
        moved: list[int] = []
        with Transfers(client, options) as transfers:
            attributes = Attributes({"content-type": "text/x"}, {"a": "b"})
            transfers.upload_file(source, own_bucket, "large", attributes=attributes)
            client.put_object(own_bucket, "small", b"x" * 10)
            transfers.copy_object(own_bucket, "large", own_bucket, "copy", advance=moved.append)
            transfers.copy_object(own_bucket, "small", own_bucket, "copy2", advance=moved.append)
        assert sum(moved) == 11 * MIB + 11
        before, after = (client.head_object(own_bucket, key) for key in ("large", "copy"))
        assert after.etag.endswith("-3")
        assert (after.checksum, after.metadata) == (before.checksum, {"a": "b"})
        with client.get_object(own_bucket, "copy") as stream:
            assert b"".join(stream) == source.read_bytes()

    def test_a_wrong_guess_of_the_size_does_no_harm(
        self, client: S3Client, transfers: Transfers, own_bucket: str, tmp_path: Path
    ) -> None:
        client.put_object(own_bucket, "k", b"data")
        for guess in (0, 3, 100 * MIB):
            transfers.download_file(own_bucket, "k", tmp_path / "f", size_bytes=guess)
            assert (tmp_path / "f").read_bytes() == b"data"

    def test_a_file_that_changes_is_not_stored(
        self, client: S3Client, own_bucket: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "f"
        path.write_bytes(bytes(3 * MIB))

        def change(amount_bytes: int) -> None:
            with path.open("r+b") as file:
                file.write(b"x")

        with Transfers(client) as transfers, pytest.raises(SourceChangedError):
            transfers.upload_file(path, own_bucket, "k", advance=change)
        with pytest.raises(NotFoundError):
            client.head_object(own_bucket, "k")

    @pytest.mark.parametrize("size_bytes", [4 * MIB, 16 * MIB])
    def test_a_transfer_that_is_stopped_leaves_nothing(
        self,
        client: S3Client,
        transfers: Transfers,
        own_bucket: str,
        tmp_path: Path,
        size_bytes: int,
    ) -> None:
        source = tmp_path / "source"
        source.write_bytes(bytes(size_bytes))
        transfers.upload_file(source, own_bucket, "kept")

        def stop(amount_bytes: int) -> None:
            raise StoppedByTestError

        with pytest.raises(StoppedByTestError):
            transfers.upload_file(source, own_bucket, "k", advance=stop)
        with pytest.raises(StoppedByTestError):
            transfers.download_file(
                own_bucket, "kept", tmp_path / "f", size_bytes=size_bytes, advance=stop
            )
        assert [entry.key for entry in client.iterate_objects(own_bucket)] == ["kept"]
        assert list(client.iterate_uploads(own_bucket)) == []
        assert os.listdir(tmp_path) == ["source"]

    def test_what_was_stopped_while_it_waited_for_others_asks_for_nothing(
        self, transfers: Transfers, own_bucket: str, tmp_path: Path
    ) -> None:
        def stop(amount_bytes: int) -> None:
            raise StoppedByTestError

        with pytest.raises(StoppedByTestError):
            transfers.download_file(
                own_bucket, "missing", tmp_path / "f", size_bytes=8 * MIB, advance=stop
            )

    def test_files_that_are_not_there(
        self, transfers: Transfers, own_bucket: str, tmp_path: Path
    ) -> None:
        with pytest.raises(NotFoundError, match="missing does not exist"):
            transfers.upload_file(tmp_path / "missing", own_bucket, "k")
        with pytest.raises(NotFoundError, match="NoSuchKey"):
            transfers.download_file(own_bucket, "missing", tmp_path / "f", size_bytes=0)
        assert os.listdir(tmp_path) == []


def test_a_body_is_read_anew_for_a_retry(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(os.urandom(2 * MIB + 5))
    moved = [0]

    def advance(amount_bytes: int) -> None:
        moved[0] += amount_bytes

    with FileSource(path) as source:
        body = source.body(ByteRange(3, 2 * MIB), advance)
        next(iter(body.blocks()))
        assert b"".join(body.blocks()) == path.read_bytes()[3 : 2 * MIB + 3]
    assert moved == [2 * MIB]
