"""What services with MinIO's admin API tell of users, groups, policies and access keys."""

from __future__ import annotations

from typing import Any, Final

import msgspec

# Some services say the one, some the other.
_GOOD: Final = frozenset({"enabled", "on"})
# How services write that something never ends: the beginning of all time, or of Unix's.
_NEVER: Final = ("0001-01-01T", "1970-01-01T")


class UserInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A user.

    Attributes:
        status: `enabled` or `disabled`.
        policy_name: their own policies, separated by commas.
        member_of: the names of their groups.
    """

    status: str = ""
    policy_name: str = ""
    member_of: list[str] | None = None

    @property
    def groups(self) -> list[str]:
        """The names of their groups, in order."""
        return sorted(self.member_of or ())


class GroupInfo(msgspec.Struct, frozen=True):
    """A group; `policy` has its policies, separated by commas."""

    name: str = ""
    status: str = ""
    members: list[str] | None = None
    policy: str = ""

    @property
    def policies(self) -> list[str]:
        """The names of its policies."""
        return [name for name in self.policy.split(",") if name]


class PolicyInfo(msgspec.Struct, frozen=True, rename="pascal"):
    """A policy that has a name."""

    policy_name: str = ""
    policy: dict[str, Any] | None = None
    create_date: str = ""
    update_date: str = ""


class PolicyHolders(msgspec.Struct, frozen=True):
    """Who has a policy."""

    policy: str = ""
    users: list[str] | None = None
    groups: list[str] | None = None


class GroupPolicies(msgspec.Struct, frozen=True):
    """What policies a group has."""

    group: str = ""
    policies: list[str] | None = None


class UserPolicies(msgspec.Struct, frozen=True, rename="camel"):
    """What policies a user has, and by which groups they have more."""

    user: str = ""
    policies: list[str] | None = None
    member_of_mappings: list[GroupPolicies] | None = None


class PolicyEntities(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Who has which policies, by what was asked for."""

    timestamp: str = ""
    user_mappings: list[UserPolicies] | None = None
    group_mappings: list[GroupPolicies] | None = None
    policy_mappings: list[PolicyHolders] | None = None


class Association(msgspec.Struct, frozen=True, rename="camel"):
    """Which policies were given to somebody, or taken away."""

    policies_attached: list[str] | None = None
    policies_detached: list[str] | None = None

    @property
    def policies(self) -> list[str]:
        """Their names."""
        return self.policies_attached or self.policies_detached or []


class AccessKeyInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A further access key of somebody's, without its secret.

    Attributes:
        access_key: itself; answers about one key do not repeat it.
        parent_user: whose it is.
        account_status: `enabled` or `disabled`, or `on` or `off`.
        implied_policy: whether it has no policy of its own.
        policy: JSON, which is none if it is implied.
        name: for people.
        description: for people.
        expiration: when it ends, as the service writes it.
    """

    access_key: str = ""
    parent_user: str = ""
    account_status: str = ""
    implied_policy: bool = False
    policy: str | None = None
    name: str = ""
    description: str = ""
    expiration: str | None = None

    @property
    def enabled(self) -> bool | None:
        """Whether it is good; None where lists do not tell."""
        return self.account_status in _GOOD if self.account_status else None

    @property
    def ends(self) -> str:
        """When it ends; empty for never."""
        text = self.expiration or ""
        return "" if text.startswith(_NEVER) else text


class AccessKeys(msgspec.Struct, frozen=True, rename="camel"):
    """The access keys of one user: those made for them, and temporary ones."""

    service_accounts: list[AccessKeyInfo] | None = None
    sts_keys: list[AccessKeyInfo] | None = None
