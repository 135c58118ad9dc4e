"""Users, groups, policies and access keys by a client of MinIO's admin API that users have."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from minio import Minio, MinioAdmin
from minio.credentials import StaticProvider
from minio.error import MinioAdminException, S3Error

LOOK = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:ListBucket"],
            "Resource": ["arn:aws:s3:::*"],
        }
    ],
}
PUT = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": ["arn:aws:s3:::*"]}],
}


@pytest.fixture
def name() -> str:
    return f"u{secrets.token_hex(6)}"


@pytest.fixture
def admin_of(server: Any) -> Callable[[str, str], MinioAdmin]:
    return lambda access_key, secret_key: MinioAdmin(
        endpoint=f"127.0.0.1:{server.port}",
        credentials=StaticProvider(access_key, secret_key),
        secure=False,
    )


@pytest.fixture
def admin(server: Any, admin_of: Callable[[str, str], MinioAdmin]) -> MinioAdmin:
    return admin_of(server.access_key, server.secret_key)


@pytest.fixture
def may(server: Any, s3: Any, bucket: str) -> Callable[[str, str], set[str]]:
    """Return what a key pair is good for, on a bucket with one object."""
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")

    def tried(access_key: str, secret_key: str) -> set[str]:
        client = Minio(
            endpoint=f"127.0.0.1:{server.port}",
            access_key=access_key,
            secret_key=secret_key,
            secure=False,
            region="us-east-1",
        )
        found, codes = set(), set()
        body = io.BytesIO(b"x")
        attempts: dict[str, Callable[[], object]] = {
            "get": lambda: client.get_object(bucket_name=bucket, object_name="key").read(),
            "list": lambda: list(client.list_objects(bucket_name=bucket)),
            "put": lambda: client.put_object(
                bucket_name=bucket, object_name="other", data=body, length=1
            ),
        }
        for what, attempt in attempts.items():
            try:
                attempt()
            except S3Error as error:
                codes.add(error.code)
            else:
                found.add(what)
        assert codes <= {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
        return found

    return tried


@pytest.fixture
def policies(admin: MinioAdmin, tmp_path: Any, name: str) -> dict[str, str]:
    """Make policies with names of this test's own."""
    made = {}
    for kind, document in (("look", LOOK), ("put", PUT)):
        made[kind] = f"{kind}-{name}"
        path = tmp_path / f"{kind}.json"
        path.write_text(json.dumps(document))
        admin.policy_add(made[kind], str(path))
    return made


def test_a_user_may_what_policies_say(
    admin: MinioAdmin, may: Any, policies: dict[str, str], name: str
) -> None:
    admin.user_add(name, "first-secret")
    assert may(name, "first-secret") == set()
    admin.attach_policy([policies["look"]], user=name)
    assert may(name, "first-secret") == {"get", "list"}
    admin.policy_set([policies["put"], policies["look"]], user=name)
    assert may(name, "first-secret") == {"get", "list", "put"}
    admin.detach_policy([policies["look"]], user=name)
    assert may(name, "first-secret") == {"put"}
    told = json.loads(admin.user_info(name))
    assert (told["status"], told["policyName"]) == ("enabled", policies["put"])
    assert json.loads(admin.user_list())[name]["policyName"] == policies["put"]
    with pytest.raises(MinioAdminException, match="XMinioIAMPolicyInUse"):
        admin.policy_remove(policies["put"])
    admin.user_disable(name)
    assert may(name, "first-secret") == set()
    admin.user_enable(name)
    admin.user_add(name, "second-secret")
    assert may(name, "first-secret") == set()
    assert may(name, "second-secret") == {"put"}
    admin.user_remove(name)
    assert may(name, "second-secret") == set()
    admin.policy_remove(policies["put"])
    assert policies["put"] not in json.loads(admin.policy_list())
    with pytest.raises(MinioAdminException, match="XMinioAdminNoSuchUser"):
        admin.user_info(name)


def test_groups_give_their_members_policies(
    admin: MinioAdmin, may: Any, policies: dict[str, str], name: str
) -> None:
    admin.user_add(name, "user-secret")
    group = f"group-{name}"
    admin.group_add(group, [name])
    admin.policy_set(policies["look"], group=group)
    assert may(name, "user-secret") == {"get", "list"}
    told = json.loads(admin.group_info(group))
    assert (told["members"], told["policy"]) == ([name], policies["look"])
    assert json.loads(admin.user_info(name))["memberOf"] == [group]
    entities = json.loads(admin.get_policy_entities([], [group], []))
    assert entities["groupMappings"] == [{"group": group, "policies": [policies["look"]]}]
    admin.group_disable(group)
    assert may(name, "user-secret") == set()
    admin.group_enable(group)
    assert may(name, "user-secret") == {"get", "list"}
    with pytest.raises(MinioAdminException, match="XMinioAdminGroupNotEmpty"):
        admin.group_remove(group)
    admin.group_remove(group, [name])
    assert may(name, "user-secret") == set()
    admin.group_remove(group)
    assert group not in json.loads(admin.group_list())


def test_access_keys_are_bounded_by_their_policy_and_their_owner(
    server: Any, admin: MinioAdmin, may: Any, name: str, tmp_path: Any
) -> None:
    key, secret = f"K{name}".upper(), "key-secret-1"
    made = json.loads(admin.add_service_account(access_key=key, secret_key=secret, policy=LOOK))
    assert made["credentials"]["accessKey"] == key
    assert may(key, secret) == {"get", "list"}
    told = json.loads(admin.get_service_account(key))
    assert (told["parentUser"], told["impliedPolicy"]) == (server.access_key, False)
    assert json.loads(told["policy"]) == LOOK
    admin.update_service_account(access_key=key, secret_key="key-secret-2", policy=PUT)
    assert may(key, secret) == set()
    assert may(key, "key-secret-2") == {"put"}
    admin.update_service_account(access_key=key, status="off")
    assert may(key, "key-secret-2") == set()
    listed = json.loads(admin.list_service_account(server.access_key))["accounts"]
    assert {one["accessKey"]: one["accountStatus"] for one in listed}[key] == "disabled"
    admin.delete_service_account(key)
    assert may(key, "key-secret-2") == set()
    with pytest.raises(MinioAdminException, match="XMinioAdminNoSuchAccessKey"):
        admin.get_service_account(key)


def test_nobody_but_root_administers(
    admin: MinioAdmin, admin_of: Any, policies: dict[str, str], name: str
) -> None:
    admin.user_add(name, "user-secret")
    admin.policy_set("consoleAdmin", user=name)
    other = admin_of(name, "user-secret")
    assert json.loads(other.info())["mode"] == "online"
    for call in (
        other.user_list,
        lambda: other.user_add("another-one", "another-secret"),
        lambda: other.policy_set("readwrite", user=name),
        lambda: other.add_service_account(access_key="ANOTHERKEY", secret_key="another-secret"),
        lambda: other.user_remove(name),
    ):
        with pytest.raises(MinioAdminException, match="AccessDenied"):
            call()
    key = f"K{name}".upper()
    admin.add_service_account(access_key=key, secret_key="key-secret", policy=LOOK)
    bounded = admin_of(key, "key-secret")
    with pytest.raises(MinioAdminException, match="AccessDenied"):
        bounded.user_list()
    admin.delete_service_account(key)
    admin.add_service_account(access_key=key, secret_key="key-secret")
    whole = admin_of(key, "key-secret")
    assert name in json.loads(whole.user_list())
    whole.user_remove(name)
    admin.delete_service_account(key)


def test_another_worker_and_another_start_know_the_same(
    start_server: Any, new_client: Any, admin_of: Any, tmp_path: Any
) -> None:
    server = start_server(tmp_path / "data", workers=2)
    new_client(server).create_bucket(Bucket="bucket")

    def root(running: Any) -> MinioAdmin:
        return MinioAdmin(
            endpoint=f"127.0.0.1:{running.port}",
            credentials=StaticProvider(running.access_key, running.secret_key),
            secure=False,
        )

    root(server).user_add("ann", "ann-secret")
    root(server).policy_set("readwrite", user="ann")
    for _ in range(20):
        # Each over a connection of its own, which either worker may take.
        ann = Minio(
            endpoint=f"127.0.0.1:{server.port}",
            access_key="ann",
            secret_key="ann-secret",
            secure=False,
            region="us-east-1",
        )
        assert ann.bucket_exists(bucket_name="bucket")
    server.stop()
    again = start_server(tmp_path / "data", workers=2)
    assert json.loads(root(again).user_list()).keys() == {"ann"}
