"""Forms made by boto3 and sent as browsers do, to a real server."""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import urllib3

CONTENT = secrets.token_bytes(3_000_000)


def send(
    form: dict[str, Any],
    content: bytes,
    *,
    filename: str = "cat.jpg",
    headers: dict[str, str] | None = None,
) -> urllib3.BaseHTTPResponse:
    fields: list[Any] = [*form["fields"].items(), ("file", (filename, content, "image/jpeg"))]
    return urllib3.request(
        "POST", form["url"], fields=fields, headers=headers, redirect=False, retries=False
    )


def test_a_form_of_boto3_uploads(s3: Any, bucket: str) -> None:
    form = s3.generate_presigned_post(
        bucket,
        "in/${filename}",
        Fields={"Content-Type": "image/jpeg", "success_action_status": "201", "x-amz-meta-a": "b"},
        Conditions=[
            {"Content-Type": "image/jpeg"},
            {"success_action_status": "201"},
            {"x-amz-meta-a": "b"},
            ["content-length-range", 1, 4_000_000],
        ],
    )
    answer = send(form, CONTENT, filename="größe.jpg")
    assert answer.status == 201
    assert "<Key>in/größe.jpg</Key>".encode() in answer.data
    found = s3.get_object(Bucket=bucket, Key="in/größe.jpg")
    assert found["Body"].read() == CONTENT
    assert (found["ContentType"], found["Metadata"]) == ("image/jpeg", {"a": "b"})
    assert answer.headers["etag"] == found["ETag"]
    assert send(form, CONTENT + CONTENT).status == 400
    assert b"EntityTooLarge" in send(form, CONTENT + CONTENT).data
    assert b"EntityTooSmall" in send(form, b"").data
    form["fields"]["x-amz-meta-a"] = "c"
    assert send(form, CONTENT).status == 403


def test_versions_are_told(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    form = s3.generate_presigned_post(bucket, "key")
    for content in (b"old", b"new"):
        answer = send(form, content)
        version_id = answer.headers["x-amz-version-id"]
        found = s3.get_object(Bucket=bucket, Key="key", VersionId=version_id)
        assert found["Body"].read() == content


def test_the_address_may_be_a_host_name(server: Any, s3: Any, bucket: str) -> None:
    form = s3.generate_presigned_post(bucket, "key")
    form["url"] = server.endpoint + "/"
    answer = send(form, b"content", headers={"host": f"{bucket}.s3.test"})
    assert answer.status == 204
    assert answer.headers["location"] == f"http://{bucket}.s3.test/key"
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"content"


def test_anybody_may_where_the_bucket_says_so(server: Any, s3: Any, bucket: str) -> None:
    form = {"url": f"{server.endpoint}/{bucket}", "fields": {"key": "in/x"}}
    assert send(form, b"content").status == 403
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{bucket}/in/*",
            }
        ],
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert send(form, b"content").status == 204
    assert s3.get_object(Bucket=bucket, Key="in/x")["Body"].read() == b"content"


def test_a_large_form_is_not_held_in_memory(
    start_server: Any, new_client: Any, tmp_path: Path
) -> None:
    server = start_server(tmp_path / "data", workers=1)
    client = new_client(server)
    client.create_bucket(Bucket="bucket")
    form = client.generate_presigned_post("bucket", "key")
    send(form, CONTENT)
    status = Path(f"/proc/{server.process.pid}/status")

    def peak_kib() -> int:
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0])

    before_kib = peak_kib()
    content = CONTENT * 50
    assert send(form, content).status == 204
    assert peak_kib() - before_kib < len(content) // 3 // 1024
    assert client.head_object(Bucket="bucket", Key="key")["ContentLength"] == len(content)


def test_what_is_no_form_is_refused(server: Any, bucket: str) -> None:
    request = urllib.request.Request(f"{server.endpoint}/{bucket}", data=b"a=b", method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)
    assert caught.value.code == 412
    assert b"<Code>PreconditionFailed</Code>" in caught.value.read()
