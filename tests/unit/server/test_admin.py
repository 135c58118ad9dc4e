"""The admin API in one process: who may, what it answers, and that nothing missing says 200."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pytest

from ingot.base.secret import Secret
from ingot.iam.directory import AccessKey, Directory, User
from ingot.iam.identities import Identity, root_identity
from ingot.iam.policies import parse_identity_policy
from ingot.s3.sealed import SEED_BYTES, seal
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
        ("GET", "add-user?accessKey=a"),
        ("GET", "temporary-account-info?accessKey=a"),
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
        identities=service.identities,
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


def test_a_directory_that_cannot_be_read_lets_nobody_in_but_root(in_process: Any) -> None:
    async def scenario() -> None:
        store, identities = in_process.service.store, in_process.service.identities

        def add(directory: Directory) -> None:
            directory.users["ann"] = User("ann-secret", policies=("readwrite",))

        await identities.change(add)
        ann = Identity("ann", Secret("ann-secret"), "ann", is_root=False)
        assert (await in_process.request("PUT", "/bucket", identity=ann)).status == 200
        await store.registry.change(lambda documents: {**documents, "users/bob": b"{}"})
        for _ in range(2):
            # The directory of before must not stay in force.
            answer = await in_process.request("GET", "/bucket", identity=ann)
            assert (answer.status, answer.code) == (500, "InternalError")
        assert (await in_process.request("GET", "/bucket")).status == 200
        await store.registry.change(
            lambda documents: {name: text for name, text in documents.items() if "bob" not in name}
        )
        assert (await in_process.request("GET", "/bucket", identity=ann)).status == 200

    asyncio.run(scenario())


def test_a_key_ends_when_its_time_has_come(in_process: Any) -> None:
    async def scenario() -> None:
        ends_ns = in_process.clock.now_ns() + 60 * 10**9

        def add(directory: Directory) -> None:
            directory.keys["BRIEF"] = AccessKey("root", "brief-secret", expires_ns=ends_ns)

        await in_process.service.identities.change(add)
        brief = root_identity("BRIEF", Secret("brief-secret"))
        assert (await in_process.request("PUT", "/bucket", identity=brief)).status == 200
        in_process.clock.advance(59)
        assert (await in_process.request("GET", "/bucket", identity=brief)).status == 200
        in_process.clock.advance(1)
        assert (await in_process.request("GET", "/bucket", identity=brief)).code == (
            "InvalidAccessKeyId"
        )

    asyncio.run(scenario())


async def seal_and_ask(in_process: Any, method: str, path: str, body: Any) -> tuple[int, str]:
    """Send a sealed body; return the status and the code of the error."""
    path, _, query = path.partition("?")
    pairs = [tuple(pair.split("=")) for pair in query.split("&") if pair]
    data = seal(Secret("root-secret"), json.dumps(body).encode(), os.urandom(SEED_BYTES))
    answer = await in_process.request(method, f"{ADMIN}{path}", data, query=pairs)
    is_json = answer.headers.get("content-type") == "application/json"
    return answer.status, json.loads(answer.body)["Code"] if is_json else ""


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("PUT", "add-user", {"secretKey": "long-enough"}, "InvalidArgument"),
        (
            "PUT",
            "add-user?accessKey=an",
            {"secretKey": "long-enough"},
            "XMinioAdminInvalidAccessKey",
        ),
        (
            "PUT",
            "add-user?accessKey=a/b",
            {"secretKey": "long-enough"},
            "XMinioAdminInvalidAccessKey",
        ),
        (
            "PUT",
            "add-user?accessKey=root",
            {"secretKey": "long-enough"},
            "XMinioInvalidIAMCredentials",
        ),
        (
            *("PUT", "add-user?accessKey=root-key"),
            {"secretKey": "long-enough"},
            "XMinioInvalidIAMCredentials",
        ),
        ("PUT", "add-user?accessKey=ann", {"secretKey": "short"}, "XMinioAdminInvalidSecretKey"),
        ("PUT", "add-user?accessKey=ann", ["no object"], "XMinioMalformedJSON"),
        (
            *("PUT", "add-user?accessKey=ann"),
            {"secretKey": "long-enough", "status": "odd"},
            "XMinioAdminInvalidArgument",
        ),
        (
            *("PUT", "add-user?accessKey=ann"),
            {"secretKey": "long-enough", "policy": "readwrite"},
            "NotImplemented",
        ),
        (
            "PUT",
            "add-user?accessKey=THEKEY",
            {"secretKey": "long-enough"},
            "XMinioAdminInvalidAccessKey",
        ),
        ("POST", "idp/builtin/policy/attach", {"policies": []}, "XMinioAdminInvalidArgument"),
        (
            *("POST", "idp/builtin/policy/attach"),
            {"policies": ["readwrite"], "user": "u", "group": "g"},
            "XMinioAdminInvalidArgument",
        ),
        (
            *("POST", "idp/builtin/policy/attach"),
            {"policies": ["readwrite"], "user": "nobody"},
            "XMinioAdminNoSuchUser",
        ),
        (
            *("POST", "idp/builtin/policy/attach"),
            {"policies": ["none"], "user": "bob"},
            "XMinioAdminNoSuchPolicy",
        ),
        (
            *("POST", "idp/builtin/policy/detach"),
            {"policies": ["readonly"], "group": "nobody"},
            "XMinioAdminNoSuchGroup",
        ),
        (
            *("POST", "idp/builtin/policy/detach"),
            {"policies": ["readonly"], "user": "bob"},
            "XMinioAdminPolicyChangeAlreadyApplied",
        ),
        ("PUT", "add-service-account", {"targetUser": "nobody"}, "XMinioAdminNoSuchUser"),
        ("PUT", "add-service-account", {"accessKey": "bob"}, "XMinioAdminInvalidAccessKey"),
        ("PUT", "add-service-account", {"accessKey": "THEKEY"}, "XMinioAdminInvalidAccessKey"),
        ("PUT", "add-service-account", {"accessKey": "root-key"}, "XMinioInvalidIAMCredentials"),
        ("PUT", "add-service-account", {"secretKey": "short"}, "XMinioAdminInvalidSecretKey"),
        ("PUT", "add-service-account", {"policy": {"Statement": []}}, "MalformedPolicy"),
        ("PUT", "add-service-account", {"expiration": "soon"}, "XMinioAdminInvalidArgument"),
        (
            *("PUT", "add-service-account"),
            {"expiration": "2001-01-01T00:00:00Z"},
            "XMinioAdminInvalidArgument",
        ),
        ("PUT", "add-service-account", {"name": "x" * 257}, "XMinioAdminInvalidArgument"),
        ("POST", "update-service-account?accessKey=NONE", {}, "XMinioAdminNoSuchAccessKey"),
        (
            *("POST", "update-service-account?accessKey=THEKEY"),
            {"newStatus": "odd"},
            "XMinioAdminInvalidArgument",
        ),
    ],
)
def test_identities_that_make_no_sense_are_refused_and_change_nothing(
    in_process: Any, method: str, path: str, body: Any, code: str
) -> None:
    async def scenario() -> None:
        def prepare(directory: Directory) -> None:
            directory.users["bob"] = User("bob-secret")
            directory.keys["THEKEY"] = AccessKey("bob", "key-secret")

        await in_process.service.identities.change(prepare)
        before = in_process.service.store.registry.read()
        status, found = await seal_and_ask(in_process, method, path, body)
        assert (status >= 400, found) == (True, code)
        assert in_process.service.store.registry.read() == before

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("PUT", "add-canned-policy?name=p", {"Statement": []}, "MalformedPolicy"),
        ("PUT", "add-canned-policy?name=p,q", {}, "XMinioAdminInvalidArgument"),
        ("DELETE", "remove-canned-policy?name=none", None, "XMinioAdminNoSuchPolicy"),
        ("DELETE", "remove-canned-policy?name=readonly", None, "XMinioAdminInvalidArgument"),
        ("GET", "info-canned-policy?name=none", None, "XMinioAdminNoSuchPolicy"),
        (
            *("PUT", "set-user-or-group-policy?policyName=none&userOrGroup=bob&isGroup=false"),
            None,
            "XMinioAdminNoSuchPolicy",
        ),
        ("PUT", "update-group-members", {"group": "g", "members": ["x"]}, "XMinioAdminNoSuchUser"),
        ("PUT", "update-group-members", {"group": "a/b", "members": []}, "XMinioInvalidGroupName"),
        (
            *("PUT", "update-group-members"),
            {"group": "g", "members": None, "isRemove": True},
            "XMinioAdminNoSuchGroup",
        ),
        ("PUT", "update-group-members", {"members": []}, "XMinioMalformedJSON"),
        ("PUT", "set-group-status?group=g&status=enabled", None, "XMinioAdminNoSuchGroup"),
        ("PUT", "set-user-status?accessKey=bob&status=odd", None, "XMinioAdminInvalidArgument"),
        ("PUT", "set-user-status?accessKey=nobody&status=enabled", None, "XMinioAdminNoSuchUser"),
        ("DELETE", "remove-user?accessKey=nobody", None, "XMinioAdminNoSuchUser"),
        ("DELETE", "delete-service-account?accessKey=NONE", None, "XMinioAdminNoSuchAccessKey"),
        ("GET", "list-access-keys-bulk?users=nobody", None, "XMinioAdminNoSuchUser"),
        (
            "PUT",
            "add-user?accessKey=ann",
            {"secretKey": "not-sealed"},
            "XMinioAdminInvalidArgument",
        ),
    ],
)
def test_requests_that_make_no_sense_are_refused_and_change_nothing(
    in_process: Any, method: str, path: str, body: Any, code: str
) -> None:
    async def scenario() -> None:
        def prepare(directory: Directory) -> None:
            directory.users["bob"] = User("bob-secret")

        await in_process.service.identities.change(prepare)
        before = in_process.service.store.registry.read()
        status, told = await ask(in_process, method, path, body)
        assert (status >= 400, told["Code"]) == (True, code)
        assert in_process.service.store.registry.read() == before
        status, told = await ask(in_process, method, path, body, identity=NOBODY)
        assert (status, told["Code"]) == (403, "AccessDenied")

    asyncio.run(scenario())
