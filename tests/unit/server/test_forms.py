"""Uploads by forms in one process: who may, with which fields, and what is answered."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
from typing import Any

import pytest

from ingot.base.secret import Secret
from ingot.base.units import MIB
from ingot.s3.postpolicy import EQUAL, STARTS_WITH, Condition, PostPolicy, signed_fields
from ingot.s3.sigv4 import Credentials
from ingot.server.handlers import forms

ROOT = Credentials("root-key", Secret("root-secret"))
NS = 10**9
PUBLIC = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::bucket/in/*",
        }
    ],
}


def encode(fields: dict[str, str], content: bytes | None, filename: str = "cat.jpg") -> bytes:
    """Write a form whose boundary is `b`."""
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    if content is not None:
        head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'
        parts += [head.encode(), content, b"\r\n"]
    return b"".join([*parts, b"--b--\r\n"])


def sign(
    in_process: Any,
    fields: dict[str, str],
    *,
    credentials: Credentials = ROOT,
    region: str = "us-east-1",
    expires_s: int = 60,
    loose: tuple[str, ...] = (),
    least: int | None = None,
    most: int | None = None,
) -> dict[str, str]:
    """Return fields and the policy that allows just them; `loose` ones may be anything."""
    now_ns = in_process.clock.now_ns()
    conditions = [Condition(EQUAL, "bucket", "bucket")]
    for name, value in fields.items():
        free = name.lower() in loose
        conditions.append(
            Condition(STARTS_WITH if free else EQUAL, name.lower(), "" if free else value)
        )
    policy = PostPolicy(now_ns + expires_s * NS, tuple(conditions), least, most)
    return fields | signed_fields(credentials, policy, region=region, now_ns=now_ns)


async def post(
    in_process: Any,
    body: bytes,
    *,
    path: bytes = b"/bucket",
    content_type: str = "multipart/form-data; boundary=b",
    headers: dict[str, str] | None = None,
    step: int = 1000,
) -> Any:
    """Send a form as browsers do: not signed by any header."""
    waiting = [body[at : at + step] for at in range(0, len(body), step)]
    named = {"host": "store", "content-type": content_type, "content-length": str(len(body))}

    async def receive() -> dict[str, Any]:
        piece = waiting.pop(0) if waiting else b""
        return {"type": "http.request", "body": piece, "more_body": bool(waiting)}

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "raw_path": path,
        "query_string": b"",
        "headers": [(n.encode(), v.encode()) for n, v in (named | (headers or {})).items()],
        "client": ("192.0.2.7", 4242),
    }
    return await in_process.send(scope, receive)


def run(in_process: Any, scenario: Any) -> None:
    async def body() -> None:
        await in_process.request("PUT", "/bucket")
        await scenario()

    asyncio.run(body())


async def refusal(in_process: Any, body: bytes, **options: Any) -> tuple[int, str, str]:
    answer = await post(in_process, body, **options)
    message = re.search(rb"<Message>(.*)</Message>", answer.body, re.DOTALL)
    return answer.status, answer.code, message[1].decode() if message else ""


def test_a_signed_form_becomes_an_object(in_process: Any) -> None:
    async def scenario() -> None:
        content = bytes(range(256)) * 400
        fields = {
            "key": "in/${filename}",
            "Content-Type": "image/jpeg",
            "Cache-Control": "no-store",
            "x-amz-meta-Owner": "Zoë",
            "x-amz-storage-class": "STANDARD_IA",
            "tagging": "<Tagging><TagSet><Tag><Key>kind</Key><Value>a cat</Value></Tag></TagSet>"
            "</Tagging>",
            "x-ignore-this": "whatever",
        }
        signed = sign(in_process, fields, loose=("key",))
        answer = await post(in_process, encode(signed, content))
        assert (answer.status, answer.body) == (204, b"")
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        assert answer.headers["etag"] == f'"{md5}"'
        assert answer.headers["location"] == "http://store/bucket/in/cat.jpg"
        found = await in_process.request("GET", "/bucket/in/cat.jpg")
        assert found.body == content
        assert found.headers["content-type"] == "image/jpeg"
        assert found.headers["cache-control"] == "no-store"
        assert found.headers["x-amz-meta-owner"].encode("latin-1").decode() == "Zoë"
        assert found.headers["x-amz-storage-class"] == "STANDARD_IA"
        assert "x-amz-meta-owner" in found.headers
        tags = await in_process.request("GET", "/bucket/in/cat.jpg", query=[("tagging", "")])
        assert b"<Key>kind</Key><Value>a cat</Value>" in tags.body
        (entry,) = [entry for entry in in_process.log if entry.operation == "PostObject"]
        assert (entry.access_key, entry.status) == ("root-key", 204)

    run(in_process, scenario)


def test_what_is_answered_is_what_the_form_asks_for(in_process: Any) -> None:
    async def scenario() -> None:
        async def answer(**fields: str) -> Any:
            signed = sign(in_process, {"key": "a b/ä"} | fields)
            return await post(in_process, encode(signed, b"x"))

        etag = hashlib.md5(b"x", usedforsecurity=False).hexdigest()
        location = "http://store/bucket/a%20b/%C3%A4"
        for status in ("200", "204"):
            assert (await answer(success_action_status=status)).status == int(status)
        for status in ("404", "abc", ""):
            assert (await answer(success_action_status=status)).status == 204
        created = await answer(success_action_status="201")
        assert created.status == 201
        for text in (f"<Location>{location}<", "<Bucket>bucket<", "<Key>a b/ä<", f'"{etag}"'):
            assert text.replace('"', "&quot;").encode() in created.body.replace(b'"', b"&quot;")
        for name in ("success_action_redirect", "redirect"):
            told = await answer(**{name: "https://shop.example/done?a=1"})
            assert told.status == 303
            assert told.headers["location"] == (
                f"https://shop.example/done?a=1&bucket=bucket&key=a+b%2F%C3%A4&etag=%22{etag}%22"
            )
        told = await answer(success_action_redirect="http://shop.example")
        assert told.headers["location"].startswith("http://shop.example?bucket=")
        for nowhere in ("/done", "javascript:alert(1)", "http://a\tb", "http://[", "ftp://x/"):
            assert (await answer(success_action_redirect=nowhere)).status == 204

    run(in_process, scenario)


def test_the_policy_decides_what_the_form_may_say(in_process: Any) -> None:
    async def scenario() -> None:
        good = sign(in_process, {"key": "in/x", "acl": "private"})
        denied = "Invalid according to Policy: "
        for change, message in (
            ({"key": "out/x"}, f'{denied}Policy Condition failed: ["eq", "$key", "in/x"]'),
            ({"acl": "bucket-owner-read"}, f'{denied}Policy Condition failed: ["eq", "$acl",'),
            ({"x-amz-meta-more": "1"}, f"{denied}Extra input fields: x-amz-meta-more"),
            ({"success_action_status": "200"}, f"{denied}Extra input fields: success_action_"),
        ):
            status, code, said = await refusal(in_process, encode(good | change, b"x"))
            assert (status, code) == (403, "AccessDenied")
            assert said.replace("&quot;", '"').startswith(message)
        late = sign(in_process, {"key": "in/x"}, expires_s=0)
        assert (await refusal(in_process, encode(late, b"x")))[1:] == (
            *("AccessDenied", f"{denied}Policy expired."),
        )
        elsewhere = sign(in_process, {"key": "in/x"})
        await in_process.request("PUT", "/other")
        said = await refusal(in_process, encode(elsewhere, b"x"), path=b"/other")
        assert said[1] == "AccessDenied"
        assert (await in_process.request("GET", "/bucket/in/x")).status == 404
        assert (await post(in_process, encode(good, b"x"))).status == 204

    run(in_process, scenario)


def test_sizes_are_kept_to_and_nothing_is_left(in_process: Any) -> None:
    async def scenario() -> None:
        signed = sign(in_process, {"key": "k"}, least=3, most=100_000)
        for size_bytes, code in ((2, "EntityTooSmall"), (100_001, "EntityTooLarge")):
            answer = await post(in_process, encode(signed, b"x" * size_bytes))
            assert (answer.status, answer.code) == (400, code)
        assert (await in_process.request("GET", "/bucket/k")).status == 404
        assert in_process.service.store.bodies.in_hand == 0
        for size_bytes in (3, 100_000):
            assert (await post(in_process, encode(signed, b"x" * size_bytes))).status == 204
        larger = encode(signed, b"x" * 9_000_000)
        assert (await post(in_process, larger, step=MIB)).code == "EntityTooLarge"

    run(in_process, scenario)


def test_signatures_are_verified(in_process: Any) -> None:
    async def scenario() -> None:
        good = sign(in_process, {"key": "k"})
        wrong = sign(in_process, {"key": "k"}, credentials=Credentials("root-key", Secret("no")))
        unknown = sign(in_process, {"key": "k"}, credentials=Credentials("who", Secret("no")))
        token = sign(
            in_process, {"key": "k"}, credentials=Credentials("root-key", ROOT.secret_key, "token")
        )
        without = {name: value for name, value in good.items() if name != "x-amz-signature"}
        for fields, code in (
            (wrong, "SignatureDoesNotMatch"),
            (unknown, "InvalidAccessKeyId"),
            (token, "InvalidToken"),
            (without, "InvalidArgument"),
            (good | {"policy": good["policy"][:-4] + "AAAA"}, "SignatureDoesNotMatch"),
            (good | {"x-amz-algorithm": "AWS4-HMAC-SHA1"}, "InvalidArgument"),
            (good | {"x-amz-credential": "root-key"}, "InvalidArgument"),
            (good | {"x-amz-date": "yesterday"}, "InvalidArgument"),
            (good | {"x-amz-date": "20200101T000000Z"}, "InvalidArgument"),
            ({"key": "k", "policy": good["policy"]}, "InvalidArgument"),
            ({"key": "k"}, "AccessDenied"),
        ):
            assert (await refusal(in_process, encode(fields, b"x")))[1] == code, fields
        nobody = Credentials("other-key", Secret("other-secret"))
        status, code, _ = await refusal(
            in_process, encode(sign(in_process, {"key": "k"}, credentials=nobody), b"x")
        )
        assert (status, code) == (403, "AccessDenied")
        signed_twice = await in_process.request(
            "POST", "/bucket", encode(good, b"x"),
            headers={"content-type": "multipart/form-data; boundary=b"},
        )  # fmt: skip
        assert signed_twice.code == "InvalidArgument"
        assert (await in_process.request("GET", "/bucket/k")).status == 404

    run(in_process, scenario)


def test_version_2_of_signatures_is_known(in_process: Any) -> None:
    async def scenario() -> None:
        document = {
            "expiration": "2100-01-01T00:00:00Z",
            "conditions": [{"bucket": "bucket"}, ["starts-with", "$key", ""]],
        }
        policy = base64.b64encode(json.dumps(document).encode()).decode()
        digest = hmac.digest(b"root-secret", policy.encode(), "sha1")
        fields = {
            "key": "k",
            "AWSAccessKeyId": "root-key",
            "policy": policy,
            "signature": base64.b64encode(digest).decode(),
        }
        assert (await post(in_process, encode(fields, b"x"))).status == 204
        wrong = fields | {"signature": base64.b64encode(digest[::-1]).decode()}
        assert (await post(in_process, encode(wrong, b"x"))).code == "SignatureDoesNotMatch"

    run(in_process, scenario)


@pytest.mark.parametrize(
    ("policy", "code"),
    [("{}", "InvalidPolicyDocument"), ("[1", "InvalidPolicyDocument")],
)
def test_policies_that_are_none_are_refused(in_process: Any, policy: str, code: str) -> None:
    async def scenario() -> None:
        text = base64.b64encode(policy.encode()).decode()
        digest = hmac.digest(b"root-secret", text.encode(), "sha1")
        signature = base64.b64encode(digest).decode()
        fields = {"key": "k", "AWSAccessKeyId": "root-key", "policy": text, "signature": signature}
        assert (await refusal(in_process, encode(fields, b"x")))[:2] == (400, code)

    run(in_process, scenario)


def test_the_anonymous_need_a_bucket_policy(in_process: Any) -> None:
    async def scenario() -> None:
        policy = json.dumps(PUBLIC).encode()
        assert (
            await in_process.request("PUT", "/bucket", policy, query=[("policy", "")])
        ).status == 204
        assert (await post(in_process, encode({"key": "in/x"}, b"mine"))).status == 204
        assert (await in_process.request("GET", "/bucket/in/x")).body == b"mine"
        assert (await post(in_process, encode({"key": "out/x"}, b"x"))).code == "AccessDenied"
        tagged = {"key": "in/y", "tagging": "<Tagging><TagSet></TagSet></Tagging>"}
        assert (await post(in_process, encode(tagged, b"x"))).code == "AccessDenied"

    run(in_process, scenario)


def test_forms_that_make_no_sense_are_refused(in_process: Any) -> None:
    async def scenario() -> None:
        good = sign(in_process, {"key": "k"})
        for body, code in (
            (encode(good, None), "IncorrectNumberOfFilesInPostRequest"),
            (encode(good, b"x")[:-8], "MalformedPOSTRequest"),
            (encode({"key": "", "policy": "x"}, b"x"), "InvalidArgument"),
            (encode(sign(in_process, {"x": "y"}), b"x"), "InvalidArgument"),
            (encode({"key": "k" * 1025}, b"x"), "KeyTooLongError"),
            (encode(good | {"bucket": "another"}, b"x"), "InvalidArgument"),
            (encode(good | {"Key": "k2"}, b"x"), "InvalidArgument"),
            (
                encode({"key": "k", "more": "x" * 200_000}, b"x"),
                "MaxPostPreDataLengthExceededError",
            ),
            (encode(sign(in_process, {"key": "k", "tagging": "no"}), b"x"), "MalformedXML"),
            (encode(sign(in_process, {"key": "k", "acl": "public-read"}), b"x"), "NotImplemented"),
        ):
            assert (await post(in_process, body)).code == code, body[:200]
        plain = await post(in_process, encode(good, b"x"), content_type="text/plain")
        assert (plain.status, plain.code) == (412, "PreconditionFailed")
        gone = await post(in_process, encode(good, b"x"), path=b"/none")
        assert (gone.status, gone.code) == (404, "NoSuchBucket")
        assert (await in_process.request("GET", "/bucket/k")).status == 404
        assert in_process.service.store.bodies.in_hand == 0

    run(in_process, scenario)


def test_checksums_of_fields_are_verified(in_process: Any) -> None:
    async def scenario() -> None:
        right = base64.b64encode(hashlib.sha256(b"content").digest()).decode()
        fields = {"key": "k", "x-amz-checksum-sha256": right}
        signed = sign(in_process, fields)
        assert (await post(in_process, encode(signed, b"Content"))).code == "BadDigest"
        assert (await in_process.request("GET", "/bucket/k")).status == 404
        assert (await post(in_process, encode(signed, b"content"))).status == 204
        head = await in_process.request(
            "HEAD", "/bucket/k", headers={"x-amz-checksum-mode": "ENABLED"}
        )
        assert head.headers["x-amz-checksum-sha256"] == right
        both = {"x-amz-checksum-crc32": "AAAAAA=="}
        several = sign(in_process, fields | both)
        assert (await post(in_process, encode(several, b"x"))).code == "InvalidRequest"

    run(in_process, scenario)


def test_a_form_keeps_to_the_quota(in_process: Any) -> None:
    async def scenario() -> None:
        await in_process.service.store.quotas.set("bucket", 50_000)
        signed = sign(in_process, {"key": "k"})
        answer = await post(in_process, encode(signed, b"x" * 50_001))
        assert (answer.status, answer.code) == (400, "XMinioAdminBucketQuotaExceeded")
        assert in_process.service.store.bodies.in_hand == 0
        assert (await post(in_process, encode(signed, b"x" * 50_000))).status == 204

    run(in_process, scenario)


def test_a_client_that_leaves_leaves_nothing(in_process: Any, body_of: Any) -> None:
    async def scenario() -> None:
        body = encode(sign(in_process, {"key": "k"}), b"x" * 300_000)
        headers = [
            (b"host", b"store"),
            (b"content-type", b"multipart/form-data; boundary=b"),
            (b"content-length", str(len(body)).encode()),
        ]
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "raw_path": b"/bucket",
            "query_string": b"",
            "headers": headers,
            "client": None,
        }
        gone = body_of(body[:200_000], then="http.disconnect")
        assert (await in_process.send(scope, gone)).status == 0
        assert in_process.service.store.bodies.in_hand == 0
        assert (await in_process.request("GET", "/bucket/k")).status == 404

    run(in_process, scenario)


def test_a_page_of_another_origin_may_read_the_answer(in_process: Any) -> None:
    async def scenario() -> None:
        rules = (
            b"<CORSConfiguration><CORSRule><AllowedOrigin>https://shop.example</AllowedOrigin>"
            b"<AllowedMethod>POST</AllowedMethod><ExposeHeader>ETag</ExposeHeader></CORSRule>"
            b"</CORSConfiguration>"
        )
        md5 = base64.b64encode(hashlib.md5(rules, usedforsecurity=False).digest()).decode()
        put = await in_process.request(
            "PUT", "/bucket", rules, query=[("cors", "")], headers={"content-md5": md5}
        )
        assert put.status == 200
        signed = sign(in_process, {"key": "k"})
        for body, status in ((encode(signed, b"x"), 204), (encode({"key": "k"}, b"x"), 403)):
            answer = await post(in_process, body, headers={"origin": "https://shop.example"})
            assert answer.status == status
            assert answer.headers["access-control-allow-origin"] == "https://shop.example"
            assert answer.headers["access-control-expose-headers"] == "ETag"

    run(in_process, scenario)


def test_forms_have_a_size_too(in_process: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "PUT_BYTES_MAX", 1000)

    async def scenario() -> None:
        signed = sign(in_process, {"key": "k"}, most=5000)
        assert (await post(in_process, encode(signed, b"x" * 1001))).code == "EntityTooLarge"
        monkeypatch.setattr(forms, "_FORM_BYTES_MAX", 500)
        assert (await post(in_process, encode(signed, b"x"))).code == "EntityTooLarge"

    run(in_process, scenario)
