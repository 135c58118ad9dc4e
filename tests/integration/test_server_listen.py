"""Listening to events on a real server with two workers, as MinIO's clients do."""

from __future__ import annotations

import http.client
import json
import signal
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

TIMEOUT_S = 30
EVENTS = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectAccessed:*")


class Listener:
    """A connection that hears events."""

    def __init__(
        self, server: Any, path: str, events: tuple[str, ...] = EVENTS, **parameters: str
    ) -> None:
        query = urlencode([("events", name) for name in events] + [*parameters.items()])
        request = AWSRequest("GET", f"{server.endpoint}/{path}?{query}")
        keys = Credentials(server.access_key, server.secret_key)
        S3SigV4Auth(keys, "s3", "us-east-1").add_auth(request)
        self._connection = http.client.HTTPConnection(
            urlsplit(server.endpoint).netloc, timeout=TIMEOUT_S
        )
        self._connection.request("GET", f"/{path}?{query}", headers=dict(request.headers))
        self.answer = self._connection.getresponse()
        if self.answer.status != HTTPStatus.OK:
            self.refusal = self.answer.read()
            return
        # From the first pulse on it is heard.
        assert self.answer.readline() if "ping" in parameters else self.answer.read(1)

    def heard(self, count: int) -> list[tuple[str, str]]:
        """Return so many events: their names and keys."""
        found: list[tuple[str, str]] = []
        while len(found) < count:
            records = json.loads(self.answer.readline())["Records"] or ()
            found += [(one["eventName"], one["s3"]["object"]["key"]) for one in records]
        return found

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def listen(server: Any) -> Iterator[Callable[..., Listener]]:
    made: list[Listener] = []

    def begin(path: str, **parameters: str) -> Listener:
        made.append(Listener(server, path, **parameters))
        return made[-1]

    yield begin
    for listener in made:
        listener.close()


def test_what_happens_is_told_whichever_worker_did_it(
    s3: Any, bucket: str, listen: Callable[..., Listener]
) -> None:
    listener = listen(bucket)
    for number in range(20):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x")
    told = listener.heard(20)
    assert sorted(told) == sorted(("ObjectCreated:Put", f"k{n}") for n in range(20))


def test_each_kind_of_change_has_its_event(
    s3: Any, bucket: str, listen: Callable[..., Listener]
) -> None:
    listener = listen(bucket, ping="10")

    def told(name: str, key: str) -> None:
        assert listener.heard(1) == [(name, key)]

    s3.put_object(Bucket=bucket, Key="a b", Body=b"x")
    told("ObjectCreated:Put", "a+b")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/a b")
    told("ObjectCreated:Copy", "copy")
    s3.get_object(Bucket=bucket, Key="copy")["Body"].read()
    told("ObjectAccessed:Get", "copy")
    s3.head_object(Bucket=bucket, Key="copy")
    told("ObjectAccessed:Head", "copy")
    s3.put_object_tagging(
        Bucket=bucket, Key="copy", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
    )
    told("ObjectCreated:PutTagging", "copy")
    s3.delete_object(Bucket=bucket, Key="copy")
    told("ObjectRemoved:Delete", "copy")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a b"}]})
    told("ObjectRemoved:DeleteMarkerCreated", "a+b")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"p")
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key="parts",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    told("ObjectCreated:CompleteMultipartUpload", "parts")


def test_filters_and_all_buckets(s3: Any, bucket: str, listen: Callable[..., Listener]) -> None:
    narrow, wide = listen(bucket, prefix="in/", suffix=".txt"), listen("")
    for key in ("in/a.jpg", "out/a.txt", "in/a.txt"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert narrow.heard(1) == [("ObjectCreated:Put", "in/a.txt")]
    # Others of this run may use the server, too.
    deadline_s = time.monotonic() + TIMEOUT_S
    while ("ObjectCreated:Put", "in/a.jpg") not in wide.heard(1):
        assert time.monotonic() < deadline_s


def test_events_that_there_are_not_are_refused(
    bucket: str, listen: Callable[..., Listener]
) -> None:
    assert b"InvalidArgument" in listen(bucket, events=("s3:Nothing",)).refusal
    assert b"InvalidArgument" in listen(bucket, events=("",)).refusal
    assert b"NoSuchBucket" in listen("no-such-bucket").refusal


def test_a_server_that_stops_ends_the_streams(
    start_server: Callable[..., Any], new_client: Callable[..., Any], tmp_path: Path
) -> None:
    server = start_server(tmp_path / "data")
    new_client(server).create_bucket(Bucket="bucket")
    listener = Listener(server, "bucket")
    began_s = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    while listener.answer.read(1):
        pass
    assert server.process.wait(TIMEOUT_S) == 0
    assert time.monotonic() - began_s < TIMEOUT_S
    listener.close()
