"""What the client sends again, and what it makes of answers to what it sent before."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingot.base.clock import SystemClock
from ingot.base.errors import ConflictError, IntegrityError, NetworkError, NotFoundError
from ingot.base.secret import Secret
from ingot.base.units import MIB
from ingot.s3.checksums import encode, new
from ingot.s3.dates import NS_PER_S, format_http_date
from ingot.s3.etags import multipart_etag
from ingot.s3.ranges import ByteRange
from ingot.s3.sigv4 import Credentials
from ingot.s3client.body import SourceChangedError
from ingot.s3client.client import S3Client
from ingot.s3client.endpoint import Endpoint
from ingot.s3client.errors import ServiceDeniedError, ServiceError, ServiceNotFoundError
from ingot.s3client.parts import TransferOptions
from ingot.s3client.results import CopySource, PartResult, WriteConditions
from ingot.s3client.transfer import Transfers
from ingot.testing.clock import FakeClock
from ingot.transport.options import TransportOptions
from ingot.transport.pool import Transport

KEYS = Credentials("key", Secret("secret"))
COPIED = b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>"
COMPLETED = b"<CompleteMultipartUploadResult><ETag>e-1</ETag></CompleteMultipartUploadResult>"
MD5 = hashlib.md5(b"part").hexdigest()
PART = PartResult(1, MD5, 4)
WHOLE_ETAG = multipart_etag([bytes.fromhex(MD5)])


@pytest.fixture
def client(scripted: Any, transport: Transport) -> S3Client:
    return S3Client(Endpoint.parse(scripted.url), KEYS, transport=transport)


def lines(scripted: Any) -> list[str]:
    return [received.line.split(" HTTP")[0] for received in scripted.received]


class TestRefusalsThatPass:
    @pytest.mark.parametrize("code", ["InternalError", "SlowDown", "ServiceUnavailable"])
    def test_one_behind_a_good_status_is_asked_again(
        self, scripted: Any, client: S3Client, slept: list[float], code: str
    ) -> None:
        scripted.refuses(200, code)
        scripted.answers(200, COPIED)
        scripted.refuses(200, code)
        scripted.answers(200, COMPLETED)
        assert client.copy_object("b", "k", "b", "k2").etag == "e"
        assert client.complete_multipart_upload("b", "k", "u", [PART]).etag == "e-1"
        assert len(slept) == 2

    @pytest.mark.parametrize(
        ("status", "code"),
        [(400, "RequestTimeout"), (400, "BadDigest"), (409, "ConditionalRequestConflict")],
    )
    def test_one_with_a_bad_status_is_asked_again(
        self, scripted: Any, client: S3Client, slept: list[float], status: int, code: str
    ) -> None:
        scripted.refuses(status, code)
        scripted.answers(200, etag='"e"')
        assert client.put_object("b", "k", b"x").etag == "e"
        assert len(slept) == 1

    def test_one_that_does_not_pass_is_told(self, scripted: Any, client: S3Client) -> None:
        for _ in range(9):
            scripted.refuses(400, "BadDigest")
        with pytest.raises(ServiceError, match="BadDigest"):
            client.put_object("b", "k", b"x")
        assert len(scripted.received) == 3

    def test_a_document_that_breaks_off_is_asked_for_again(
        self, scripted: Any, client: S3Client
    ) -> None:
        entry = b"<Contents><Key>a</Key><Size>1</Size></Contents>"
        page = b"<ListBucketResult>" + entry + b"</ListBucketResult>"
        scripted.answers(200, page, cut=20)
        scripted.answers(200, page)
        assert [entry.key for entry in client.iterate_objects("bkt")] == ["a"]

    def test_a_document_that_always_breaks_off_is_told(
        self, scripted: Any, client: S3Client
    ) -> None:
        for _ in range(9):
            scripted.answers(200, COPIED, cut=20)
        with pytest.raises(NetworkError, match="broke"):
            client.copy_object("b", "k", "b", "k2")
        assert len(scripted.received) == 3

    def test_a_refusal_whose_document_breaks_off_is_one(
        self, scripted: Any, client: S3Client
    ) -> None:
        scripted.answers(403, b"<Error><Code>AccessDenied</Code></Error>", cut=20)
        with pytest.raises(ServiceDeniedError):
            client.list_buckets()


class TestLostAnswers:
    def test_a_bucket_that_was_made_is_made(self, scripted: Any, client: S3Client) -> None:
        scripted.breaks()
        scripted.refuses(409, "BucketAlreadyOwnedByYou")
        client.create_bucket("bkt")
        scripted.refuses(409, "BucketAlreadyOwnedByYou")
        with pytest.raises(ConflictError):
            client.create_bucket("bkt")

    def test_a_bucket_that_was_removed_is_removed(self, scripted: Any, client: S3Client) -> None:
        scripted.answers(500)
        scripted.refuses(404, "NoSuchBucket")
        client.delete_bucket("bkt")
        scripted.refuses(404, "NoSuchBucket")
        with pytest.raises(NotFoundError):
            client.delete_bucket("bkt")

    def test_an_upload_that_was_given_up_is_gone(self, scripted: Any, client: S3Client) -> None:
        scripted.breaks()
        scripted.refuses(404, "NoSuchUpload")
        client.abort_multipart_upload("b", "k", "u")

    @pytest.mark.parametrize(
        ("remove", "code"),
        [
            ("remove_user", "XMinioAdminNoSuchUser"),
            ("remove_canned_policy", "XMinioAdminNoSuchPolicy"),
            ("delete_service_account", "XMinioAdminNoSuchAccessKey"),
            ("delete_service_account", "XMinioInvalidIAMCredentials"),
        ],
    )
    def test_who_was_removed_is_gone(
        self, scripted: Any, client: S3Client, remove: str, code: str
    ) -> None:
        refusal = b'{"Code": "%s", "Message": "it is not there"}' % code.encode()
        scripted.breaks()
        scripted.answers(404, refusal)
        getattr(client, remove)("name")
        scripted.answers(404, refusal)
        with pytest.raises(NotFoundError):
            getattr(client, remove)("name")

    def test_a_group_that_was_removed_is_gone(self, scripted: Any, client: S3Client) -> None:
        refusal = b'{"Code": "XMinioAdminNoSuchGroup", "Message": "it is not there"}'
        scripted.breaks()
        scripted.answers(404, refusal)
        client.update_group_members("name", [], remove=True)
        for members in ([], ["ann"]):
            if members:
                scripted.breaks()
            scripted.answers(404, refusal)
            with pytest.raises(NotFoundError):
                client.update_group_members("name", members, remove=True)

    def test_a_service_that_was_too_busy_did_nothing(self, scripted: Any, client: S3Client) -> None:
        scripted.answers(429)
        scripted.refuses(404, "NoSuchBucket")
        with pytest.raises(NotFoundError):
            client.delete_bucket("bkt")

    @pytest.mark.parametrize("status", [404, 412])
    @pytest.mark.parametrize("first", ["breaks", "cut", "busy"])
    def test_an_object_that_was_completed_is_there(
        self, scripted: Any, client: S3Client, first: str, status: int
    ) -> None:
        if first == "breaks":
            scripted.breaks()
        elif first == "cut":
            scripted.answers(200, COMPLETED, cut=10)
        else:
            scripted.refuses(200, "InternalError")
        scripted.refuses(status, "NoSuchUpload" if status == 404 else "PreconditionFailed")
        scripted.answers(200, etag=f'"{WHOLE_ETAG}"')
        scripted.refuses(404, "NoSuchUpload")
        conditions = WriteConditions(if_absent=status == 412)
        made = client.complete_multipart_upload("b", "k", "u", [PART], conditions=conditions)
        assert made.etag == WHOLE_ETAG
        assert lines(scripted)[-2] == "HEAD /b/k"

    @pytest.mark.parametrize("found", ["none", "another", "unfinished"])
    def test_what_others_did_is_not_taken_for_ours(
        self, scripted: Any, client: S3Client, found: str
    ) -> None:
        scripted.breaks()
        scripted.refuses(412, "PreconditionFailed")
        if found == "none":
            scripted.answers(404)
        else:
            scripted.answers(200, etag=f'"{WHOLE_ETAG if found == "unfinished" else MD5}"')
        scripted.answers(200, b"<ListPartsResult></ListPartsResult>")
        with pytest.raises(ConflictError) as caught:
            client.complete_multipart_upload("b", "k", "u", [PART])
        assert "may have done it" in (caught.value.hint or "")

    def test_without_a_lost_answer_nothing_is_guessed(
        self, scripted: Any, client: S3Client
    ) -> None:
        scripted.refuses(404, "NoSuchUpload")
        with pytest.raises(ServiceNotFoundError) as caught:
            client.complete_multipart_upload("b", "k", "u", [PART])
        assert (len(scripted.received), caught.value.is_repeated) == (1, False)

    def test_a_conditional_write_says_that_it_may_be_its_own(
        self, scripted: Any, client: S3Client
    ) -> None:
        scripted.breaks()
        scripted.refuses(412, "PreconditionFailed")
        with pytest.raises(ServiceError) as caught:
            client.put_object("b", "k", b"x", conditions=WriteConditions(if_absent=True))
        assert caught.value.is_repeated
        assert "an attempt before" in (caught.value.hint or "")


class TestTime:
    def test_a_head_that_is_denied_for_its_time_is_made_anew(
        self, scripted: Any, client: S3Client
    ) -> None:
        server_ns = SystemClock().now_ns() + 3 * 3600 * NS_PER_S
        scripted.answers(403, date=format_http_date(server_ns))
        scripted.answers(200, etag='"e"')
        assert client.head_object("b", "k").etag == "e"

    def test_a_head_that_is_denied_in_time_is_denied(self, scripted: Any, client: S3Client) -> None:
        scripted.answers(403, date=format_http_date(SystemClock().now_ns()))
        with pytest.raises(ServiceDeniedError):
            client.head_object("b", "k")
        assert len(scripted.received) == 1

    def test_a_signature_that_grew_old_between_attempts_is_made_anew(self, scripted: Any) -> None:
        clock = FakeClock(start_s=1e9)
        with Transport(
            TransportOptions(environment={}), sleep=lambda _: clock.advance(1000)
        ) as transport:
            client = S3Client(Endpoint.parse(scripted.url), KEYS, transport=transport, clock=clock)
            scripted.breaks()
            late = format_http_date(int((1e9 + 1000) * NS_PER_S))
            scripted.refuses(403, "RequestTimeTooSkewed", date=late)
            scripted.answers(200, etag='"e"')
            assert client.put_object("b", "k", b"x").etag == "e"
        first, again, anew = (received.headers["x-amz-date"] for received in scripted.received)
        assert first == again < anew

    def test_a_clock_that_was_set_right_meanwhile_is_believed(self, scripted: Any) -> None:
        clock = FakeClock(start_s=1e9)
        with Transport(TransportOptions(environment={})) as transport:
            client = S3Client(Endpoint.parse(scripted.url), KEYS, transport=transport, clock=clock)
            for time_s in (1e9 + 7200, 1e9 + 7210):
                date = format_http_date(int(time_s * NS_PER_S))
                scripted.refuses(403, "RequestTimeTooSkewed", date=date)
                scripted.answers(204)
                client.delete_object("b", "k")
                clock.advance(7205)

    def test_time_and_region_may_both_be_wrong(self, scripted: Any, client: S3Client) -> None:
        server_ns = SystemClock().now_ns() - 3 * 3600 * NS_PER_S
        scripted.refuses(403, "RequestTimeTooSkewed", date=format_http_date(server_ns))
        scripted.refuses(400, "AuthorizationHeaderMalformed", "<Region>eu-x</Region>")
        scripted.answers(204)
        client.delete_object("b", "k")


class TestPlaces:
    @pytest.mark.parametrize("status", [301, 307, 400])
    def test_a_bucket_in_another_region_of_amazon_is_asked_there(
        self, scripted: Any, status: int
    ) -> None:
        hosts = ("bkt.s3.amazonaws.com", "bkt.s3.eu-west-1.amazonaws.com")
        resolve = {(host, None): "127.0.0.1" for host in hosts}
        with Transport(TransportOptions(environment={}, resolve=resolve)) as transport:
            endpoint = Endpoint("http", "s3.amazonaws.com", scripted.port)
            client = S3Client(endpoint, KEYS, transport=transport)
            scripted.answers(status, x_amz_bucket_region="eu-west-1")
            scripted.answers(200)
            scripted.answers(204)
            client.head_bucket("bkt")
            client.delete_object("bkt", "k")
            asked = [received.headers["host"].split(":")[0] for received in scripted.received]
            assert asked == [hosts[0], hosts[1], hosts[1]]
            assert "/eu-west-1/s3/" in scripted.received[2].headers["authorization"]
            assert hosts[1] in client.presigned_url("GET", "bkt", "k", expires_s=9)

    def test_where_else_a_bucket_is_said_to_be_is_told(
        self, scripted: Any, client: S3Client
    ) -> None:
        scripted.refuses(301, "PermanentRedirect", "<Endpoint>other.example.com</Endpoint>")
        with pytest.raises(ServiceError) as caught:
            client.delete_object("b", "k")
        assert "other.example.com" in (caught.value.hint or "")
        assert len(scripted.received) == 1


class Measured:
    """A body that says how many bytes it has, rightly or wrongly."""

    def __init__(self, data: bytes, *, says: int | None = None, block_bytes: int = 1000) -> None:
        self._data = data
        self.size_bytes = len(data) if says is None else says
        self._block_bytes = block_bytes

    def blocks(self) -> Iterator[bytes]:
        stream = io.BytesIO(self._data)
        return iter(lambda: stream.read(self._block_bytes), b"")


class TestBodies:
    @pytest.mark.parametrize("code", ["NotImplemented", "XAmzContentSHA256Mismatch"])
    def test_a_service_without_trailers_gets_the_checksum_in_front(
        self, scripted: Any, client: S3Client, tmp_path: Path, code: str
    ) -> None:
        data = bytes(2 * MIB) + b"x"
        total = new("CRC32C")
        total.update(data)
        path = tmp_path / "f"
        path.write_bytes(data)
        scripted.refuses(501 if code == "NotImplemented" else 400, code)
        scripted.answers(200)
        scripted.answers(200)
        moved: list[int] = []
        with Transfers(client) as transfers:
            for _ in range(2):
                transfers.upload_file(path, "b", "k", advance=moved.append)
        framed, *plain = scripted.received
        assert "x-amz-trailer" in framed.headers
        for received in plain:
            assert received.body == data
            assert received.headers["x-amz-checksum-crc32c"] == encode(total.digest())
            assert received.headers["x-amz-content-sha256"] == hashlib.sha256(data).hexdigest()
        assert sum(moved) == 2 * len(data)

    def test_what_is_refused_either_way_is_refused(self, scripted: Any, client: S3Client) -> None:
        for _ in range(2):
            scripted.refuses(403, "SignatureDoesNotMatch")
        scripted.answers(200)
        with pytest.raises(ServiceDeniedError):
            client.put_object("b", "k", Measured(b"data"))
        client.put_object("b", "k", Measured(b"data"))
        assert "x-amz-trailer" in scripted.received[2].headers

    def test_who_is_nobody_sends_checksums_too(self, scripted: Any, transport: Transport) -> None:
        client = S3Client(Endpoint.parse(scripted.url), None, transport=transport)
        scripted.answers(200)
        client.put_object("b", "k", Measured(b"data"))
        total = new("CRC32C")
        total.update(b"data")
        (received,) = scripted.received
        assert received.headers["x-amz-checksum-crc32c"] == encode(total.digest())
        assert received.body == b"data"

    def test_blocks_of_any_size_are_framed(self, scripted: Any, client: S3Client) -> None:
        scripted.answers(200)
        client.put_object("b", "k", Measured(bytes(3 * MIB), block_bytes=700_001))
        assert len(scripted.received[0].body) == int(scripted.received[0].headers["content-length"])

    @pytest.mark.parametrize("says", [2 * MIB - 1, 2 * MIB + 1])
    def test_a_body_of_another_size_than_it_says_is_not_sent(
        self, scripted: Any, client: S3Client, says: int
    ) -> None:
        with pytest.raises(SourceChangedError, match=str(says)):
            client.put_object("b", "k", Measured(bytes(2 * MIB), says=says))
        assert not scripted.received

    def test_a_framing_that_was_stored_is_found_out(self, scripted: Any, client: S3Client) -> None:
        scripted.answers(200, etag='"e"', x_amz_version_id="v")
        scripted.answers(200, etag='"e"', content_length=321)
        scripted.answers(200, etag='"e2"')
        scripted.answers(200, etag='"e3"')
        assert client.put_object("b", "k", Measured(b"data")).etag == "e2"
        client.put_object("b", "k", Measured(b"data"))
        framed, asked, *plain = scripted.received
        assert "x-amz-trailer" in framed.headers
        assert asked.line.startswith("HEAD /b/k?versionId=v ")
        assert [received.body for received in plain] == [b"data"] * 2

    def test_a_framing_that_was_stored_in_a_part_is_found_out(
        self, scripted: Any, client: S3Client
    ) -> None:
        listed = b"<ListPartsResult><Part><PartNumber>2</PartNumber><ETag>e</ETag>"
        listed += b"<Size>321</Size></Part></ListPartsResult>"
        scripted.answers(200, etag='"e"')
        scripted.answers(200, listed)
        scripted.answers(200, etag='"e2"')
        assert client.upload_part("b", "k", "u", 2, Measured(b"data")).etag == "e2"
        assert "part-number-marker=1" in scripted.received[1].line

    @pytest.mark.parametrize("found", ["same", "another", "denied", "told"])
    def test_a_service_is_asked_once_what_it_has(
        self, scripted: Any, client: S3Client, found: str
    ) -> None:
        if found == "told":
            scripted.answers(200, etag='"e"', x_amz_checksum_crc32c="AAAAAA==")
        else:
            scripted.answers(200, etag='"e"')
            if found == "denied":
                scripted.answers(403)
            else:
                etag, size = ("e", 4) if found == "same" else ("of another", 321)
                scripted.answers(200, etag=f'"{etag}"', content_length=size)
        scripted.answers(200, etag='"e"')
        for _ in range(2):
            client.put_object("b", "k", Measured(b"data"))
        methods = [received.line.split()[0] for received in scripted.received]
        assert methods == (["PUT", "PUT"] if found == "told" else ["PUT", "HEAD", "PUT"])
        assert "x-amz-trailer" in scripted.received[-1].headers

    def test_another_checksum_than_was_sent_is_told(self, scripted: Any, client: S3Client) -> None:
        scripted.answers(200, etag='"e"', x_amz_checksum_crc32c="AAAAAA==")
        with pytest.raises(IntegrityError, match="other bytes"):
            client.put_object("b", "k", b"data")

    def test_a_lost_completion_of_a_file_is_no_failure(
        self, scripted: Any, client: S3Client, tmp_path: Path
    ) -> None:
        path = tmp_path / "f"
        path.write_bytes(b"part")
        scripted.answers(
            200,
            b"<InitiateMultipartUploadResult><Key>k</Key><UploadId>u</UploadId>"
            b"</InitiateMultipartUploadResult>",
        )
        scripted.answers(200, etag=f'"{MD5}"', x_amz_checksum_crc32c="AAAAAA==")
        scripted.breaks()
        scripted.refuses(404, "NoSuchUpload")
        scripted.answers(200, etag=f'"{WHOLE_ETAG}"')
        scripted.refuses(404, "NoSuchUpload")
        with Transfers(client, TransferOptions(split_from_bytes=1)) as transfers:
            assert transfers.upload_file(path, "b", "k").etag == WHOLE_ETAG


def test_a_part_copy_that_failed_late_is_made_again(scripted: Any, client: S3Client) -> None:
    scripted.refuses(200, "InternalError")
    scripted.answers(200, b"<CopyPartResult><ETag>e</ETag></CopyPartResult>")
    source = CopySource("b", "k")
    made = client.upload_part_copy(source, "b", "k", "u", 1, part=ByteRange(0, 5))
    assert made.etag == "e"
