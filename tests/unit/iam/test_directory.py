"""Users, groups, policies and access keys: who may sign, and what they may do then."""

from __future__ import annotations

import json

import msgspec
import pytest

from ingot.iam.directory import (
    BUILT_IN,
    ROOT_NAME,
    AccessKey,
    Canned,
    Directory,
    Group,
    User,
    dump,
    load,
    parse,
)
from ingot.iam.identities import Identity

OBJECT = "arn:aws:s3:::bucket/key"


def policy(effect: str, *actions: str, resource: str = "arn:aws:s3:::*") -> str:
    statement = {"Effect": effect, "Action": list(actions), "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def directory() -> Directory:
    made = Directory()
    made.policies["get"] = Canned(policy("Allow", "s3:GetObject"))
    made.policies["never-delete"] = Canned(policy("Deny", "s3:DeleteObject"))
    made.users["ann"] = User("ann-secret", policies=("get",))
    made.users["bob"] = User("bob-secret", policies=("readwrite",))
    made.groups["careful"] = Group(("bob",), policies=("never-delete",))
    made.keys["ANNKEY"] = AccessKey("ann", "key-secret")
    made.keys["ROOTKEY"] = AccessKey(ROOT_NAME, "root-key-secret")
    return made


def may(directory: Directory, access_key: str) -> set[str]:
    """Return which of three actions a key is good for."""
    identity = directory.identity(access_key)
    assert isinstance(identity, Identity)
    names = ("GetObject", "PutObject", "DeleteObject")
    return {name for name in names if identity.may(f"s3:{name}", OBJECT, {})}


def test_users_have_their_own_policies_and_those_of_their_groups(directory: Directory) -> None:
    assert may(directory, "ann") == {"GetObject"}
    assert may(directory, "bob") == {"GetObject", "PutObject"}
    directory.groups["careful"] = Group(("bob",), enabled=False, policies=("never-delete",))
    assert may(directory, "bob") == {"GetObject", "PutObject", "DeleteObject"}
    directory.groups["writers"] = Group(("ann",), policies=("writeonly",))
    assert may(directory, "ann") == {"GetObject", "PutObject"}
    directory.users["ann"] = User("ann-secret", policies=("no-such-policy",))
    directory.groups.clear()
    assert may(directory, "ann") == set()


def test_a_key_may_what_its_owner_may_and_no_more(directory: Directory) -> None:
    identity = directory.identity("ANNKEY")
    assert identity is not None
    assert (identity.access_key, identity.name) == ("ANNKEY", "ann")
    assert identity.secret_key.reveal() == "key-secret"
    assert may(directory, "ANNKEY") == {"GetObject"}
    everything = policy("Allow", "s3:*")
    for text, allowed in (
        (everything, {"GetObject"}),
        (policy("Allow", "s3:PutObject"), set()),
        (policy("Deny", "s3:GetObject"), set()),
    ):
        directory.keys["ANNKEY"] = AccessKey("ann", "key-secret", policy=text)
        assert may(directory, "ANNKEY") == allowed


def test_a_key_of_root_is_root_unless_a_policy_bounds_it(directory: Directory) -> None:
    whole = directory.identity("ROOTKEY")
    assert whole is not None
    assert (whole.is_root, whole.name) == (True, "root")
    text = policy("Allow", "s3:PutObject", resource="arn:aws:s3:::bucket/*")
    directory.keys["ROOTKEY"] = AccessKey(ROOT_NAME, "s", policy=text)
    bounded = directory.identity("ROOTKEY")
    assert bounded is not None
    assert not bounded.is_root
    assert may(directory, "ROOTKEY") == {"PutObject"}
    assert not bounded.may("s3:PutObject", "arn:aws:s3:::other/key", {})
    assert not bounded.may("admin:ServerInfo", "arn:aws:s3:::*", {})


def test_the_policy_of_a_bucket_gives_no_key_more_than_its_own(directory: Directory) -> None:
    bucket_policy = parse(policy("Allow", "s3:PutObject"))
    whole = directory.identity("ANNKEY")
    assert whole is not None
    assert whole.may("s3:PutObject", OBJECT, {}, bucket_policy)
    directory.keys["ANNKEY"] = AccessKey("ann", "s", policy=policy("Allow", "s3:GetObject"))
    bounded = directory.identity("ANNKEY")
    assert bounded is not None
    assert not bounded.may("s3:PutObject", OBJECT, {}, bucket_policy)
    assert bounded.may("s3:GetObject", OBJECT, {}, bucket_policy)


def test_who_is_disabled_or_gone_signs_no_more_and_nor_do_their_keys(
    directory: Directory,
) -> None:
    assert directory.identity("nobody") is None
    directory.keys["ANNKEY"] = AccessKey("ann", "s", enabled=False)
    assert directory.identity("ANNKEY") is None
    directory.keys["ANNKEY"] = AccessKey("ann", "s")
    directory.users["ann"] = User("s", enabled=False, policies=("get",))
    assert directory.identity("ann") is directory.identity("ANNKEY") is None
    directory.users["ann"] = User("s")
    directory.groups["careful"] = Group(("ann", "bob"))
    directory.remove_user("ann")
    assert directory.identity("ann") is directory.identity("ANNKEY") is None
    assert "ANNKEY" not in directory.keys
    assert directory.groups["careful"].members == ("bob",)
    # Who comes later under the same name has none of it.
    directory.users["ann"] = User("another")
    assert directory.identity("ANNKEY") is None


def test_a_directory_comes_back_as_it_was(directory: Directory) -> None:
    documents = dump(directory)
    assert sorted(documents) == [
        *("groups/careful", "keys/ANNKEY", "keys/ROOTKEY", "policies/get"),
        *("policies/never-delete", "users/ann", "users/bob"),
    ]
    back = load(documents | {"another/thing": b"?"})
    assert vars(back) == vars(directory)
    with pytest.raises(msgspec.DecodeError):
        load({"users/ann": b"{}"})


def test_policies_that_are_built_in_can_be_read_and_replaced(directory: Directory) -> None:
    for canned in BUILT_IN.values():
        parse(canned.text)
    directory.policies["readwrite"] = Canned(policy("Allow", "s3:GetObject"))
    assert may(directory, "bob") == {"GetObject"}
