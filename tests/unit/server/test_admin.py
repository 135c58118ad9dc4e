"""The admin API in one process: who may, what it answers, and that nothing missing says 200."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from ingot.base.secret import Secret
from ingot.iam.identities import Identities, Identity, root_identity
from ingot.iam.policies import parse_identity_policy
from ingot.server.service import Service

NOBODY = Identity("other-key", Secret("other-secret"), "other", is_root=False)
ADMIN = "/minio/admin/v3/"


async def ask(in_process: Any, method: str, path: str, body: Any = None, **options: Any) -> Any:
    """Send a signed request to the admin API; return its status and its JSON."""
    path, _, query = path.partition("?")
    data = b"" if body is None else json.dumps(body).encode()
    pairs = [tuple(pair.split("=")) for pair in query.split("&") if pair]
    answer = await in_process.request(method, f"{ADMIN}{path}", data, query=pairs, **options)
    if answer.body:
        assert answer.headers["content-type"] == "application/json"
    return answer.status, json.loads(answer.body or b"null")


def test_a_quota_is_set_shown_kept_to_and_cleared(
    in_process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await in_process.request("PUT", "/bucket")
        nothing = {"quota": 0, "size": 0, "rate": 0, "requests": 0, "quotatype": ""}
        where = "get-bucket-quota?bucket=bucket"
        assert await ask(in_process, "GET", where) == (200, nothing)
        for limit in ({"quota": 100}, {"size": 100}, {"quota": 100, "size": 100}):
            body = limit | {"quotatype": "hard"}
            done = await ask(in_process, "PUT", "set-bucket-quota?bucket=bucket", body)
            assert done == (200, None)
            shown = nothing | {"quota": 100, "size": 100, "quotatype": "hard"}
            assert await ask(in_process, "GET", where) == (200, shown)
        assert (await in_process.request("PUT", "/bucket/a", b"x" * 100)).status == 200
        with monkeypatch.context() as patched:
            patched.setattr(in_process.service.store.bodies, "writer", None)  # nothing is stored
            for size_bytes in (1, 100_000):
                refused = await in_process.request("PUT", "/bucket/b", b"x" * size_bytes)
                assert (refused.status, refused.code) == (400, "XMinioAdminBucketQuotaExceeded")
        assert (await in_process.request("GET", "/bucket/a")).status == 200
        done = await ask(in_process, "PUT", "set-bucket-quota?bucket=bucket", {"quota": 0})
        assert done == (200, None)
        assert await ask(in_process, "GET", where) == (200, nothing)
        assert (await in_process.request("PUT", "/bucket/b", b"x")).status == 200

    asyncio.run(scenario())


def test_copies_and_parts_keep_to_the_quota(in_process: Any) -> None:
    async def scenario() -> None:
        await in_process.request("PUT", "/bucket")
        await in_process.request("PUT", "/bucket/a", b"x" * 60)
        body = {"quota": 100, "quotatype": "hard"}
        await ask(in_process, "PUT", "set-bucket-quota?bucket=bucket", body)
        copy = {"x-amz-copy-source": "/bucket/a"}
        answers = [await in_process.request("PUT", "/bucket/b", headers=copy)]
        begun = await in_process.request("POST", "/bucket/c", query=[("uploads", "")])
        upload_id = begun.body.partition(b"<UploadId>")[2].partition(b"<")[0].decode()
        part = [("partNumber", "1"), ("uploadId", upload_id)]
        answers.append(await in_process.request("PUT", "/bucket/c", b"p" * 41, query=part))
        answers.append(await in_process.request("PUT", "/bucket/c", query=part, headers=copy))
        codes = {(answer.status, answer.code) for answer in answers}
        assert codes == {(400, "XMinioAdminBucketQuotaExceeded")}
        assert (await in_process.request("PUT", "/bucket/c", b"p" * 40, query=part)).status == 200

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], "XMinioAdminInvalidArgument"),
        ({"quota": "1"}, "XMinioAdminInvalidArgument"),
        ({"quota": 5}, "XMinioAdminInvalidArgument"),
        ({"quota": 5, "quotatype": "fifo"}, "XMinioAdminInvalidArgument"),
        ({"quota": 5, "size": 6, "quotatype": "hard"}, "XMinioAdminInvalidArgument"),
        ({"quota": -5, "quotatype": "hard"}, "XMinioAdminInvalidArgument"),
        ({"quota": 1 << 63, "quotatype": "hard"}, "XMinioAdminInvalidArgument"),
        ({"quota": 5, "rate": 1, "quotatype": "hard"}, "NotImplemented"),
    ],
)
def test_quotas_that_make_no_sense_are_refused(in_process: Any, body: Any, code: str) -> None:
    async def scenario() -> None:
        await in_process.request("PUT", "/bucket")
        status, told = await ask(in_process, "PUT", "set-bucket-quota?bucket=bucket", body)
        assert (status >= 400, told["Code"]) == (True, code)
        assert (await ask(in_process, "GET", "get-bucket-quota?bucket=bucket"))[1]["quota"] == 0

    asyncio.run(scenario())


def test_a_quota_needs_a_bucket(in_process: Any) -> None:
    async def scenario() -> None:
        body = {"quota": 5, "quotatype": "hard"}
        for method, path in (("GET", "get-bucket-quota"), ("PUT", "set-bucket-quota")):
            status, told = await ask(in_process, method, path, body)
            assert (status, told["Code"]) == (400, "InvalidArgument")
            status, told = await ask(in_process, method, f"{path}?bucket=none", body)
            assert (status, told["Code"], told["BucketName"]) == (404, "NoSuchBucket", "none")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "service?action=restart"),
        ("GET", "set-bucket-quota?bucket=bucket"),
        ("PUT", "add-user?accessKey=a"),
        ("GET", "list-users"),
        ("POST", "update"),
        ("GET", "../v2/info"),
        ("GET", ""),
    ],
)
def test_what_is_not_there_says_so(in_process: Any, method: str, path: str) -> None:
    status, told = asyncio.run(ask(in_process, method, path))
    assert (status, told["Code"]) == (501, "NotImplemented")
    assert path.partition("?")[0] in told["Message"]


def test_only_who_signs_and_may_is_answered(in_process: Any) -> None:
    async def scenario() -> None:
        for path in ("info", "datausageinfo", "get-bucket-quota?bucket=bucket"):
            status, told = await ask(in_process, "GET", path, identity=NOBODY)
            assert (status, told["Code"]) == (403, "AccessDenied")
        wrong = root_identity("root-key", Secret("wrong"))
        status, told = await ask(in_process, "GET", "info", identity=wrong)
        assert (status, told["Code"]) == (403, "SignatureDoesNotMatch")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "raw_path": b"/minio/admin/v3/info",
            "query_string": b"",
            "headers": [(b"host", b"store")],
            "client": None,
        }

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        answer = await in_process.send(scope, receive)
        assert (answer.status, json.loads(answer.body)["Code"]) == (403, "AccessDenied")

    asyncio.run(scenario())


def test_a_policy_may_give_administration_away(in_process: Any) -> None:
    text = (
        b'{"Version": "2012-10-17", "Statement":'
        b' [{"Effect": "Allow", "Action": "admin:ServerInfo", "Resource": "arn:aws:s3:::*"}]}'
    )
    operator = Identity("op", Secret("op-secret"), "op", is_root=False,
                        policies=(parse_identity_policy(text),))  # fmt: skip
    in_process.service.identities._by_access_key["op"] = operator

    async def scenario() -> None:
        assert (await ask(in_process, "GET", "info", identity=operator))[0] == 200
        assert (await ask(in_process, "GET", "datausageinfo", identity=operator))[0] == 403

    asyncio.run(scenario())


def test_what_is_held_is_told_as_it_is(in_process: Any) -> None:
    async def scenario() -> None:
        for bucket in ("one", "two"):
            await in_process.request("PUT", f"/{bucket}")
            await in_process.request("PUT", f"/{bucket}/key", b"x" * 10)
        body = {"quota": 100, "quotatype": "hard"}
        await ask(in_process, "PUT", "set-bucket-quota?bucket=two", body)
        _, before = await ask(in_process, "GET", "datausageinfo")
        assert before["bucketsSizes"] == {"one": 0, "two": 10}
        assert "lastUpdate" not in before
        await in_process.service.store.census.go_round()
        in_process.clock.advance(5)
        _, info = await ask(in_process, "GET", "info")
        assert (info["mode"], info["buckets"], info["objects"]) == (
            *("online", {"count": 2}),
            {"count": 2},
        )
        assert info["usage"] == {"size": 20}
        assert [server["state"] for server in info["servers"]] == ["online"]
        _, usage = await ask(in_process, "GET", "datausageinfo?capacity=true")
        assert usage["bucketsUsageInfo"]["one"] == {
            "size": 10,
            "objectsCount": 1,
            "versionsCount": 1,
            "deleteMarkersCount": 0,
        }
        assert usage["lastUpdate"]
        _, account = await ask(in_process, "GET", "accountinfo")
        assert account["AccountName"] == "root-key"
        shown = {bucket["name"]: bucket for bucket in account["Buckets"]}
        assert shown["two"]["details"]["quota"]["quota"] == 100
        assert shown["one"]["access"] == {"read": True, "write": True}
        _, account = await ask(in_process, "GET", "accountinfo", identity=NOBODY)
        assert account["Buckets"] == []

    asyncio.run(scenario())


def test_buckets_of_host_names_keep_their_keys(in_process: Any) -> None:
    service = in_process.service
    in_process.app._service = Service(
        store=service.store,
        identities=Identities([root_identity("root-key", Secret("root-secret"))]),
        region="",
        domains=("store",),
        clock=service.clock,
        access_log=None,
        host_id="host",
    )

    async def scenario() -> None:
        await in_process.request("PUT", "/", headers={"host": "bucket.store"})
        path, host = "/minio/admin/v3/info", {"host": "bucket.store"}
        assert (await in_process.request("PUT", path, b"mine", headers=host)).status == 200
        assert (await in_process.request("GET", path, headers=host)).body == b"mine"

    asyncio.run(scenario())
