"""The client against services that lie, break off, move or tell another time."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from ingot.base.clock import SystemClock
from ingot.base.errors import IntegrityError, NetworkError
from ingot.base.secret import Secret
from ingot.base.units import MIB
from ingot.s3.checksums import encode, new
from ingot.s3.dates import NS_PER_S, format_http_date
from ingot.s3.documents.delete import ObjectIdentifier
from ingot.s3.ranges import ByteRange
from ingot.s3.sigv4 import Credentials
from ingot.s3client.body import SourceChangedError
from ingot.s3client.client import S3Client
from ingot.s3client.endpoint import Endpoint
from ingot.s3client.errors import ServiceDeniedError, ServiceUnavailableError
from ingot.s3client.parts import TransferOptions
from ingot.s3client.results import ObjectInfo
from ingot.s3client.transfer import Transfers
from ingot.transport.pool import Transport

DATA = b"0123456789"
CREATED = (
    b"<InitiateMultipartUploadResult><Key>a&#x1;</Key><UploadId>u</UploadId>"
    b"</InitiateMultipartUploadResult>"
)
MD5 = hashlib.md5(DATA).hexdigest()
MONDAY, TUESDAY = "Mon, 05 Jan 2026 00:00:00 GMT", "Tue, 06 Jan 2026 00:00:00 GMT"


@pytest.fixture
def client(scripted: Any, transport: Transport) -> S3Client:
    credentials = Credentials("key", Secret("secret"))
    return S3Client(Endpoint.parse(scripted.url), credentials, transport=transport)


def crc(data: bytes, algorithm: str = "CRC32C") -> str:
    total = new(algorithm)
    total.update(data)
    return encode(total.digest())


class DamagedError(Exception):
    """What a test raises in the middle."""


class TestDownloads:
    def download(self, client: S3Client, path: Path, **options: Any) -> None:
        # More than some of the objects have, less than others: it only decides about parts.
        with Transfers(client, TransferOptions(**options)) as transfers:
            transfers.download_file("b", "k", path, size_bytes=len(DATA))

    def test_a_broken_connection_is_picked_up_where_it_broke(
        self, scripted: Any, client: S3Client, tmp_path: Path
    ) -> None:
        scripted.answers(200, DATA, cut=6, etag=f'"{MD5}"')
        scripted.answers(206, DATA[4:], cut=2, etag=f'"{MD5}"', content_range="bytes 4-9/10")
        scripted.answers(206, DATA[8:], etag=f'"{MD5}"', content_range="bytes 8-9/10")
        self.download(client, tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == DATA
        asked = [(r.headers.get("range"), r.headers.get("if-match")) for r in scripted.received]
        assert asked == [(None, None), ("bytes=4-9", f'"{MD5}"'), ("bytes=8-9", f'"{MD5}"')]

    @pytest.mark.parametrize("split_from_bytes", [5, 100 * MIB])
    @pytest.mark.parametrize("summed_up_by", ["etag", "x_amz_checksum_crc32c"])
    def test_a_large_file_that_broke_within_a_buffer_is_whole(
        self,
        scripted: Any,
        client: S3Client,
        tmp_path: Path,
        summed_up_by: str,
        split_from_bytes: int,
    ) -> None:
        data = os.urandom(5 * MIB + 17)
        size_bytes, breaks_at = len(data), 2 * MIB + 4321
        headers = {"etag": f'"{hashlib.md5(data).hexdigest()}"'}
        if summed_up_by != "etag":
            headers = {"etag": '"x-2"', summed_up_by: crc(data)}
        if split_from_bytes < size_bytes:
            scripted.answers(200, data, cut=size_bytes, **headers)
        whole = f"bytes 0-{size_bytes - 1}/{size_bytes}"
        rest = f"bytes {breaks_at}-{size_bytes - 1}/{size_bytes}"
        scripted.answers(206, data, cut=size_bytes - breaks_at, content_range=whole, **headers)
        scripted.answers(206, data[breaks_at:], content_range=rest, **headers)
        self.download(client, tmp_path / "f", split_from_bytes=split_from_bytes)
        assert (tmp_path / "f").read_bytes() == data

    @pytest.mark.parametrize("split_from_bytes", [5, 100])
    def test_an_answer_that_ends_as_if_it_were_whole_is_gone_on_with(
        self, scripted: Any, client: S3Client, tmp_path: Path, split_from_bytes: int
    ) -> None:
        headers = {"etag": f'"{MD5}"', "content_range": "bytes 0-9/10", "content_length": 4}
        if split_from_bytes < len(DATA):
            scripted.answers(200, DATA, cut=len(DATA), etag=f'"{MD5}"')
        scripted.answers(206, DATA[:4], **headers)
        scripted.answers(206, DATA[4:], etag=f'"{MD5}"', content_range="bytes 4-9/10")
        self.download(client, tmp_path / "f", split_from_bytes=split_from_bytes)
        assert (tmp_path / "f").read_bytes() == DATA

    def test_an_object_that_changes_meanwhile_is_not_mixed(
        self, scripted: Any, client: S3Client, tmp_path: Path
    ) -> None:
        scripted.answers(200, DATA, cut=6, etag=f'"{MD5}"')
        scripted.refuses(412, "PreconditionFailed")
        # Which is tried again by whoever moves many.
        with pytest.raises(SourceChangedError, match="b/k changed while it was read"):
            self.download(client, tmp_path / "f")
        assert os.listdir(tmp_path) == []

    def test_a_service_that_breaks_every_time_is_given_up(
        self, scripted: Any, client: S3Client, tmp_path: Path
    ) -> None:
        for _ in range(9):
            scripted.answers(206, DATA, cut=10, etag='"x"', content_range="bytes 0-9/10")
        with pytest.raises(NetworkError):
            self.download(client, tmp_path / "f")
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(
        "headers",
        [
            {"etag": f'"{hashlib.md5(b"other").hexdigest()}"'},
            {"etag": f'"{MD5}"', "x_amz_checksum_crc32c": crc(b"other")},
            {"etag": '"x-2"', "x_amz_checksum_crc32c": crc(b"other")},
        ],
    )
    @pytest.mark.parametrize("split_from_bytes", [5, 100])
    def test_other_bytes_than_the_checksum_s_never_get_the_name(
        self,
        scripted: Any,
        client: S3Client,
        tmp_path: Path,
        headers: dict[str, str],
        split_from_bytes: int,
    ) -> None:
        if split_from_bytes < len(DATA):
            scripted.answers(200, DATA, cut=len(DATA), **headers)
            scripted.answers(206, DATA, content_range="bytes 0-9/10", **headers)
        else:
            scripted.answers(200, DATA, **headers)
        with pytest.raises(IntegrityError, match="b/k"):
            self.download(client, tmp_path / "f", split_from_bytes=split_from_bytes)
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(
        "headers",
        [
            {"etag": f'"{hashlib.md5(b"other").hexdigest()}"'},
            {"etag": '"x-2"', "x_amz_checksum_crc32c": crc(b"other")},
        ],
    )
    def test_what_is_read_from_an_open_object_is_verified(
        self, scripted: Any, client: S3Client, headers: dict[str, str]
    ) -> None:
        for _ in range(3):
            scripted.answers(200, DATA, **headers)
        scripted.answers(206, DATA[:2], content_range="bytes 0-1/10", **headers)
        with client.get_object("b", "k") as stream, pytest.raises(IntegrityError, match="b/k"):
            stream.read()
        with client.get_object("b", "k") as stream, pytest.raises(IntegrityError, match="b/k"):
            list(stream)
        # Who fills memory of their own verifies it, and a stretch has no checksum.
        with client.get_object("b", "k") as stream:
            assert stream.read_into(memoryview(bytearray(4))) == 4
            assert stream.read() == DATA[4:]
        with client.get_object("b", "k", part=ByteRange(0, 2)) as stream:
            assert stream.read() == DATA[:2]

    def test_an_open_object_may_be_read_in_two_goes(self, scripted: Any, client: S3Client) -> None:
        scripted.answers(200, DATA, etag=f'"{MD5}"')
        with client.get_object("b", "k") as stream:
            assert stream.read() == DATA
            assert stream.read() == b""

    def test_the_size_of_what_is_downloaded_is_asked_for(
        self, scripted: Any, client: S3Client, tmp_path: Path
    ) -> None:
        scripted.answers(200, DATA, cut=len(DATA), etag=f'"{MD5}"')
        scripted.answers(200, DATA, etag=f'"{MD5}"')
        with Transfers(client) as transfers:
            transfers.download_file("b", "k", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == DATA
        assert scripted.received[0].line.startswith("HEAD /b/k ")

    def test_a_composite_checksum_and_a_kms_etag_prove_nothing(
        self, scripted: Any, client: S3Client, tmp_path: Path
    ) -> None:
        scripted.answers(200, DATA, etag='"x-2"', x_amz_checksum_crc32c="AAAAAA==-2")
        scripted.answers(200, DATA, etag=f'"{"0" * 32}"', x_amz_server_side_encryption="aws:kms")
        for _ in range(2):
            self.download(client, tmp_path / "f")
            assert (tmp_path / "f").read_bytes() == DATA

    def test_a_file_that_cannot_be_finished_never_gets_the_name(
        self, scripted: Any, client: S3Client, tmp_path: Path
    ) -> None:
        def refuse(descriptor: int, info: ObjectInfo) -> None:
            assert (os.fstat(descriptor).st_size, info.etag) == (len(DATA), MD5)
            raise DamagedError("no attributes")

        scripted.answers(200, DATA, etag=f'"{MD5}"')
        with Transfers(client) as transfers, pytest.raises(DamagedError):
            transfers.download_file("b", "k", tmp_path / "f", size_bytes=len(DATA), finish=refuse)
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize("total", [9, 12])
    def test_a_size_that_parts_contradict_is_told(
        self, scripted: Any, client: S3Client, tmp_path: Path, total: int
    ) -> None:
        scripted.answers(200, DATA, cut=10, etag='"x-2"')
        scripted.answers(206, DATA, etag='"x-2"', content_range=f"bytes 0-9/{total}")
        with pytest.raises(NetworkError):
            self.download(client, tmp_path / "f", split_from_bytes=5)
        assert os.listdir(tmp_path) == []

    def test_a_size_that_the_rest_contradicts_is_told(
        self, scripted: Any, client: S3Client, tmp_path: Path
    ) -> None:
        scripted.answers(200, DATA, cut=6, etag='"x-2"')
        scripted.answers(206, DATA[4:], etag='"x-2"', content_range="bytes 4-9/12")
        with pytest.raises(NetworkError, match="says 12 bytes, after 10"):
            self.download(client, tmp_path / "f")
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(
        "said",
        [
            ({"last_modified": MONDAY}, {"last_modified": TUESDAY}),
            ({"x_amz_version_id": "1"}, {"x_amz_version_id": "2"}),
            ({"etag": '"x-1"'}, {"etag": '"x-2"'}),
        ],
    )
    @pytest.mark.parametrize("split_from_bytes", [5, 100])
    def test_another_object_is_told_by_whatever_a_service_says(
        self,
        scripted: Any,
        client: S3Client,
        tmp_path: Path,
        said: tuple[dict[str, str], dict[str, str]],
        split_from_bytes: int,
    ) -> None:
        before, now = said
        if split_from_bytes < len(DATA):
            scripted.answers(200, DATA, cut=len(DATA), **before)
        scripted.answers(206, DATA, cut=6, content_range="bytes 0-9/10", **before)
        scripted.answers(206, b"XXXXXX", content_range="bytes 4-9/10", **now)
        with pytest.raises(SourceChangedError, match="b/k changed while it was read"):
            self.download(client, tmp_path / "f", split_from_bytes=split_from_bytes)
        assert os.listdir(tmp_path) == []

    def test_what_is_the_same_is_gone_on_with_without_an_etag(
        self, scripted: Any, client: S3Client, tmp_path: Path
    ) -> None:
        scripted.answers(200, DATA, cut=6, last_modified=MONDAY)
        scripted.answers(206, DATA[4:], content_range="bytes 4-9/10", last_modified=MONDAY)
        self.download(client, tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == DATA

    @pytest.mark.parametrize("split_from_bytes", [5, 100])
    def test_an_object_that_nothing_tells_apart_is_never_joined(
        self, scripted: Any, client: S3Client, tmp_path: Path, split_from_bytes: int
    ) -> None:
        if split_from_bytes < len(DATA):
            scripted.answers(200, DATA, cut=len(DATA))
        scripted.answers(200, DATA, cut=6)
        scripted.answers(206, b"XXXXXX", content_range="bytes 4-9/10")
        with pytest.raises(NetworkError):
            self.download(client, tmp_path / "f", split_from_bytes=split_from_bytes)
        assert os.listdir(tmp_path) == []
        assert "range" not in scripted.received[-1].headers

    def test_a_part_is_not_taken_for_the_whole(self, scripted: Any, client: S3Client) -> None:
        scripted.answers(206, DATA[4:], content_range="bytes 4-9/10")
        scripted.answers(206, DATA[4:])
        for _ in range(2):
            with pytest.raises(NetworkError, match="another range"):
                client.get_object("b", "k")

    def test_another_range_than_asked_for_is_refused(self, scripted: Any, client: S3Client) -> None:
        scripted.answers(200, DATA)
        scripted.answers(206, DATA[:2], content_range="bytes 0-1/10")
        for _ in range(2):
            with pytest.raises(NetworkError, match="another range"):
                client.get_object("b", "k", part=ByteRange(2, 2))

    def test_an_object_without_a_size_is_refused(self, scripted: Any, client: S3Client) -> None:
        scripted.answers(206, DATA, content_range="bytes 0-9/*")
        with pytest.raises(NetworkError, match="size"):
            client.get_object("b", "k")


class TestUploads:
    def test_a_part_that_fails_aborts_the_upload(
        self, scripted: Any, client: S3Client, tmp_path: Path
    ) -> None:
        path = tmp_path / "f"
        path.write_bytes(DATA)
        scripted.answers(200, CREATED)
        scripted.refuses(403, "AccessDenied")
        scripted.answers(204)
        options = TransferOptions(part_bytes=10, split_from_bytes=1, parts_at_once=1)
        with Transfers(client, options) as transfers, pytest.raises(ServiceDeniedError):
            transfers.upload_file(path, "b", "k")
        lines = [received.line.split(" HTTP")[0] for received in scripted.received]
        assert lines == [
            "POST /b/k?uploads=",
            "PUT /b/k?partNumber=1&uploadId=u",
            "DELETE /b/k?uploadId=u",
        ]

    def test_a_file_that_changes_behind_its_last_part_makes_no_object(
        self, scripted: Any, client: S3Client, tmp_path: Path
    ) -> None:
        path = tmp_path / "f"
        path.write_bytes(DATA)
        moved = [0]

        def change_at_the_end(amount_bytes: int) -> None:
            moved[0] += amount_bytes
            if moved[0] == len(DATA):
                path.write_bytes(DATA * 2)

        scripted.answers(200, CREATED)
        for _ in range(2):
            scripted.answers(200, etag='"p"')
        scripted.answers(204)
        options = TransferOptions(part_bytes=5, split_from_bytes=5, parts_at_once=1)
        with Transfers(client, options) as transfers, pytest.raises(SourceChangedError):
            transfers.upload_file(path, "b", "k", advance=change_at_the_end)
        assert scripted.received[-1].line.startswith("DELETE /b/k?uploadId=u ")

    def test_a_service_that_sums_nothing_up_is_not_asked_to(
        self, scripted: Any, client: S3Client, tmp_path: Path
    ) -> None:
        path = tmp_path / "f"
        path.write_bytes(DATA)
        scripted.answers(200, CREATED)
        scripted.answers(200, etag='"part"')
        part = "<Part><PartNumber>1</PartNumber><ETag>part</ETag><Size>10</Size></Part>"
        scripted.answers(200, f"<ListPartsResult>{part}</ListPartsResult>".encode())
        root = "CompleteMultipartUploadResult"
        scripted.answers(200, f"\n <{root}><ETag>e-1</ETag></{root}>".encode())
        options = TransferOptions(part_bytes=10, split_from_bytes=1)
        with Transfers(client, options) as transfers:
            assert transfers.upload_file(path, "b", "k").etag == "e-1"
        completing = scripted.received[3]
        assert not [name for name in completing.headers if "checksum" in name]
        assert b"<PartNumber>1</PartNumber><ETag>&quot;part&quot;</ETag></Part>" in completing.body

    def test_a_failure_behind_a_good_status_is_a_failure(
        self, scripted: Any, client: S3Client
    ) -> None:
        for _ in range(3):
            scripted.refuses(200, "SlowDown")
        with pytest.raises(ServiceUnavailableError, match="SlowDown"):
            client.copy_object("b", "k", "b", "k2")


class TestHints:
    def test_another_region_is_learned(self, scripted: Any, client: S3Client) -> None:
        scripted.refuses(400, "AuthorizationHeaderMalformed", "<Region>eu-x</Region>")
        scripted.answers(200)
        scripted.answers(200)
        client.create_bucket("b")
        client.head_bucket("b")
        regions = [r.headers["authorization"].split("/")[2] for r in scripted.received]
        assert regions == ["us-east-1", "eu-x", "eu-x"]

    def test_a_region_told_to_a_head_is_learned(self, scripted: Any, client: S3Client) -> None:
        scripted.answers(301, x_amz_bucket_region="eu-x")
        scripted.answers(200)
        client.head_bucket("b")
        assert "/eu-x/" in scripted.received[1].headers["authorization"]

    def test_the_server_s_time_is_learned(self, scripted: Any, client: S3Client) -> None:
        server_ns = SystemClock().now_ns() + 3 * 3600 * NS_PER_S
        date = format_http_date(server_ns)
        scripted.refuses(403, "RequestTimeTooSkewed", date=date)
        scripted.answers(200)
        client.delete_object("b", "k")
        before, after = (r.headers["x-amz-date"] for r in scripted.received)
        assert before != after

    def test_a_time_that_does_not_help_is_not_tried(self, scripted: Any, client: S3Client) -> None:
        scripted.refuses(403, "RequestTimeTooSkewed", date="soon")
        with pytest.raises(ServiceDeniedError):
            client.delete_object("b", "k")
        assert len(scripted.received) == 1


def test_a_page_of_something_else_is_told(scripted: Any, client: S3Client) -> None:
    scripted.answers(200, b"<html>welcome</html>")
    with pytest.raises(NetworkError, match="cannot be read") as caught:
        client.list_buckets()
    assert caught.value.hint


def test_a_proxy_s_own_page_is_an_error_by_its_status(scripted: Any, client: S3Client) -> None:
    scripted.answers(403, b"<html>no</html>")
    with pytest.raises(ServiceDeniedError):
        client.list_buckets()


def test_control_characters_in_an_answer_do_not_hide_it(scripted: Any, client: S3Client) -> None:
    scripted.answers(200, CREATED)
    assert client.create_multipart_upload("b", "a\x01").upload_id == "u"


def test_lists_of_buckets_have_pages(scripted: Any, client: S3Client) -> None:
    for name, token in (("a", "<ContinuationToken>t</ContinuationToken>"), ("b", "")):
        bucket = f"<Buckets><Bucket><Name>{name}</Name></Bucket></Buckets>"
        root = "ListAllMyBucketsResult"
        scripted.answers(200, f"<{root}>{bucket}{token}</{root}>".encode())
    assert [bucket.name for bucket in client.list_buckets()] == ["a", "b"]
    assert scripted.received[1].line.startswith("GET /?continuation-token=t ")


def test_a_key_that_cannot_be_deleted_is_told(scripted: Any, client: S3Client) -> None:
    scripted.answers(
        200,
        b"<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code><Message>no</Message></Error>"
        b"</DeleteResult>",
    )
    scripted.refuses(403, "AccessDenied")
    objects = [ObjectIdentifier("a"), ObjectIdentifier("b\x01"), ObjectIdentifier("c")]
    failures = client.delete_objects("b", objects)
    assert [(failure.key, failure.code) for failure in failures] == [
        ("a", "AccessDenied"),
        ("b\x01", "AccessDenied"),
    ]
    assert b"<Key>a</Key>" in scripted.received[0].body
    assert scripted.received[1].line.startswith("DELETE /b/b%01 ")


def test_what_proxies_change_is_not_signed(scripted: Any, client: S3Client) -> None:
    scripted.answers(204)
    client.delete_object("b", "k")
    headers = scripted.received[0].headers
    assert headers["accept-encoding"] == "identity"
    assert "accept-encoding" not in headers["authorization"]


def test_a_bucket_elsewhere_is_asked_for(scripted: Any, client: S3Client) -> None:
    scripted.answers(200)
    client.create_bucket("bkt", region="eu-x")
    assert b"<LocationConstraint>eu-x</LocationConstraint>" in scripted.received[0].body


class TestEvents:
    RECORD = (
        b'{"Records":[{"eventName":"s3:ObjectCreated:Put","eventTime":"2026-01-01T00:00:00Z",'
        b'"s3":{"bucket":{"name":"b"},"object":{"key":"a+b%2Fc","size":3,"eTag":"e"}}}]}\n'
    )

    def test_a_stream_of_events_is_read_until_it_breaks(
        self, scripted: Any, client: S3Client
    ) -> None:
        scripted.answers(200, b" \n" + self.RECORD + b"\n" + self.RECORD[:20], cut=5)
        stream = client.listen_bucket_notification("bkt", prefix="a ")
        first, *others = (next(stream), next(stream))
        assert first == ()
        read = [(event.key, event.size_bytes, event.etag) for batch in others for event in batch]
        assert read == [("a b/c", 3, "e")]
        with pytest.raises(NetworkError, match="broke"):
            next(stream)
        assert "prefix=a%20&" in scripted.received[0].line
        assert "events=s3%3AObjectRemoved%3A%2A" in scripted.received[0].line

    @pytest.mark.parametrize("line", [b"[]\n", b"{\n", b'{"Records":[{}]}\n', b"\xff\n"])
    def test_what_is_no_event_ends_it(self, scripted: Any, client: S3Client, line: bytes) -> None:
        scripted.answers(200, line)
        with pytest.raises(NetworkError, match="cannot be read"):
            list(client.listen_bucket_notification("bkt"))

    def test_a_service_that_lists_instead_has_no_stream(
        self, scripted: Any, client: S3Client
    ) -> None:
        scripted.answers(200, b"<ListBucketResult/>", content_type="application/xml")
        with pytest.raises(NetworkError, match="no stream"):
            list(client.listen_bucket_notification("bkt"))


class TestAnonymous:
    @pytest.fixture
    def stranger(self, scripted: Any, transport: Transport) -> S3Client:
        return S3Client(Endpoint.parse(scripted.url), None, transport=transport)

    def test_nothing_is_signed(self, scripted: Any, stranger: S3Client, tmp_path: Path) -> None:
        path = tmp_path / "f"
        path.write_bytes(bytes(MIB + 1))
        scripted.answers(200)
        scripted.answers(200)
        with Transfers(stranger) as transfers:
            transfers.upload_file(path, "b", "k")
        stranger.put_object("b", "k", b"x")
        for received, body in zip(scripted.received, (bytes(MIB + 1), b"x"), strict=True):
            assert received.body == body
            assert "authorization" not in received.headers

    def test_a_url_is_just_a_url(self, scripted: Any, stranger: S3Client) -> None:
        url = stranger.presigned_url("GET", "b", "a b", expires_s=1, query=(("x", "y"),))
        assert url == f"{scripted.url}/b/a%20b?x=y"
        assert stranger.presigned_url("GET", "b", "k", expires_s=1) == f"{scripted.url}/b/k"


class TestBetweenServices:
    X = b"x" * 10

    @pytest.mark.parametrize(
        "known",
        [
            {"etag": '"e"', "x_amz_checksum_crc32c": crc(b"other")},
            {"etag": '"e"', "x_amz_checksum_crc64nvme": encode(new("CRC64NVME").digest())},
            {"etag": f'"{MD5}"'},
        ],
    )
    def test_other_bytes_than_the_source_has_are_never_stored(
        self, scripted: Any, client: S3Client, known: dict[str, str]
    ) -> None:
        scripted.answers(200, self.X, cut=10, **known)
        scripted.answers(206, self.X, content_range="bytes 0-9/10", **known)
        with Transfers(client) as transfers, pytest.raises(IntegrityError, match="b/k: the bytes"):
            transfers.upload_object(client, "b", "k", "b", "copy")
        assert [received.line.split()[0] for received in scripted.received] == ["HEAD", "GET"]

    def test_a_copy_with_another_checksum_is_told(self, scripted: Any, client: S3Client) -> None:
        scripted.answers(200, self.X, cut=10, etag='"e"', x_amz_checksum_crc32c=crc(self.X))
        scripted.answers(206, self.X, etag='"e"', content_range="bytes 0-9/10")
        scripted.answers(200, etag='"e"', x_amz_checksum_crc32c=crc(b"other"))
        with Transfers(client) as transfers, pytest.raises(IntegrityError, match="than were sent"):
            transfers.upload_object(client, "b", "k", "b", "copy")


def test_a_copy_that_is_another_is_told(scripted: Any, client: S3Client) -> None:
    full = {"x_amz_checksum_type": "FULL_OBJECT", "x_amz_checksum_crc32c": crc(b"other")}
    scripted.answers(200, DATA, cut=10, etag='"e"', **full)
    checksum = f"<ChecksumCRC32C>{crc(DATA)}</ChecksumCRC32C>"
    checksum += "<ChecksumType>FULL_OBJECT</ChecksumType>"
    copied = f"<CopyObjectResult><ETag>e</ETag>{checksum}</CopyObjectResult>"
    scripted.answers(200, copied.encode())
    with Transfers(client) as transfers, pytest.raises(IntegrityError, match="b/copy"):
        transfers.copy_object("b", "k", "b", "copy")
    assert scripted.received[1].headers["x-amz-copy-source-if-match"] == '"e"'
