"""Users, groups, policies and access keys as one value, and who signs with which key. Pure.

A directory is read from documents (`user/ann`, `group/staff` …) and written back to them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from ingot.base.secret import Secret
from ingot.iam.identities import Identity
from ingot.iam.policies import Policy, parse_identity_policy

# What everything of the root keys' is called; no user may be.
ROOT_NAME: Final = "root"
_POLICIES_CACHED_MAX: Final = 1024


class User(msgspec.Struct, frozen=True):
    """Somebody whose name is an access key."""

    secret_key: str
    enabled: bool = True
    policies: tuple[str, ...] = ()
    changed_ns: int = 0


class Group(msgspec.Struct, frozen=True):
    """Users who have further policies together."""

    members: tuple[str, ...] = ()
    enabled: bool = True
    policies: tuple[str, ...] = ()
    changed_ns: int = 0


class AccessKey(msgspec.Struct, frozen=True):
    """A further key of a user's, or of root's.

    Attributes:
        owner: the user; `ROOT_NAME` for root.
        secret_key: the half that signs.
        enabled: whether it is good.
        policy: allows less than the owner may do; empty for all of that.
        name: for people.
        description: for people.
        expires_ns: when it ends; 0 for never.
    """

    owner: str
    secret_key: str
    enabled: bool = True
    policy: str = ""
    name: str = ""
    description: str = ""
    expires_ns: int = 0


class Canned(msgspec.Struct, frozen=True):
    """A policy that users and groups may have, as it was written."""

    text: str
    created_ns: int = 0
    changed_ns: int = 0


def _canned(*statements: dict[str, Any]) -> Canned:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return Canned(msgspec.json.encode(document).decode())


def _allow(*actions: str, resource: str | None = "arn:aws:s3:::*") -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions)}
    return statement if resource is None else statement | {"Resource": [resource]}


# Those that MinIO has from the beginning, too.
BUILT_IN: Final[Mapping[str, Canned]] = {
    "readonly": _canned(_allow("s3:GetBucketLocation", "s3:GetObject")),
    "readwrite": _canned(_allow("s3:*")),
    "writeonly": _canned(_allow("s3:PutObject")),
    "diagnostics": _canned(_allow("admin:ServerInfo", "admin:DataUsageInfo", resource=None)),
    "consoleAdmin": _canned(_allow("admin:*", resource=None), _allow("s3:*")),
}


class Directory:
    """Everybody, by name; change the mappings, not what is in them.

    Attributes:
        users: by access key.
        groups: by name.
        keys: further keys, by access key.
        policies: by name, without those that are built in.
    """

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.keys: dict[str, AccessKey] = {}
        self.policies: dict[str, Canned] = {}

    def policy(self, name: str) -> Canned | None:
        """Return a policy by its name."""
        return self.policies.get(name) or BUILT_IN.get(name)

    def groups_of(self, user: str) -> list[str]:
        """Return the names of the groups that somebody is in."""
        return sorted(name for name, group in self.groups.items() if user in group.members)

    def remove_user(self, name: str) -> None:
        """Remove a user with the keys and memberships that they have."""
        del self.users[name]
        self.keys = {key: one for key, one in self.keys.items() if one.owner != name}
        for group_name, group in self.groups.items():
            if name in group.members:
                members = tuple(member for member in group.members if member != name)
                self.groups[group_name] = msgspec.structs.replace(group, members=members)

    def identity(self, access_key: str) -> Identity | None:
        """Return whose key it is and what they may do; `None` if it is nobody's or not good."""
        if (user := self.users.get(access_key)) is not None:
            return self._of_user(access_key, user) if user.enabled else None
        key = self.keys.get(access_key)
        if key is None or not key.enabled:
            return None
        if key.owner == ROOT_NAME:
            owner = Identity("", Secret(""), ROOT_NAME, is_root=True)
        elif (user := self.users.get(key.owner)) is not None and user.enabled:
            owner = self._of_user(key.owner, user)
        else:
            return None
        boundary = parse(key.policy) if key.policy else None
        return owner._replace(
            access_key=access_key,
            secret_key=Secret(key.secret_key),
            is_root=owner.is_root and boundary is None,
            policies=(_ALL,) if owner.is_root else owner.policies,
            boundary=boundary,
        )

    def _of_user(self, name: str, user: User) -> Identity:
        names = [*user.policies]
        for group in self.groups.values():
            if group.enabled and name in group.members:
                names += group.policies
        found = [self.policy(one) for one in dict.fromkeys(names)]
        policies = tuple(parse(one.text) for one in found if one is not None)
        return Identity(name, Secret(user.secret_key), name, is_root=False, policies=policies)


_KINDS: Final[tuple[tuple[str, type], ...]] = (
    ("users", User),
    ("groups", Group),
    ("keys", AccessKey),
    ("policies", Canned),
)


def load(documents: Mapping[str, bytes]) -> Directory:
    """Read a directory.

    Raises:
        msgspec.DecodeError: a document is none of a directory.
    """
    directory = Directory()
    for kind, struct in _KINDS:
        prefix = f"{kind}/"
        decode: Callable[[bytes], Any] = msgspec.json.Decoder(struct).decode
        found = {
            name.removeprefix(prefix): decode(data)
            for name, data in documents.items()
            if name.startswith(prefix)
        }
        setattr(directory, kind, found)
    return directory


def dump(directory: Directory) -> dict[str, bytes]:
    """Write a directory."""
    encode = msgspec.json.encode
    return {
        f"{kind}/{name}": encode(one)
        for kind, _ in _KINDS
        for name, one in getattr(directory, kind).items()
    }


@functools.lru_cache(maxsize=_POLICIES_CACHED_MAX)
def parse(text: str) -> Policy:
    """Read the policy of somebody, which was good when it was kept.

    Raises:
        PolicyError: it is not.
    """
    return parse_identity_policy(text.encode())


_ALL: Final = parse(_canned(_allow("*", resource="*")).text)
