"""Users, groups, policies and access keys of a service: what administering them takes together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingot.base.errors import UsageError
from ingot.base.units import parse_duration
from ingot.client.moments import parse_moment
from ingot.s3.dates import NS_PER_S, format_iso8601
from ingot.s3client.errors import ServiceDeniedError, ServiceError

if TYPE_CHECKING:
    from ingot.base.secret import Secret
    from ingot.client.policyfiles import WrittenPolicy
    from ingot.s3client.client import S3Client
    from ingot.s3client.identityresults import AccessKeys, UserInfo

_APPLIED_ALREADY = "XMinioAdminPolicyChangeAlreadyApplied"
# How the API says never: it has no word for no end.
NEVER = "1970-01-01T00:00:00Z"
KINDS = ("all", "users-only", "sts-only", "svcacc-only")


@dataclass(frozen=True, slots=True)
class Member:
    """A user, with what their groups give them.

    Attributes:
        name: their access key.
        enabled: whether they may sign.
        policies: their own, as the service writes them, separated by commas.
        groups: the policies of each group that they are in.
    """

    name: str
    enabled: bool
    policies: str
    groups: dict[str, list[str]]


class Members:
    """The users of a service; each group is asked about once."""

    def __init__(self, client: S3Client) -> None:
        self._client = client
        self._groups: dict[str, list[str]] = {}

    def all(self) -> Iterator[Member]:
        """Yield every user, in order of names."""
        for name, info in self._client.list_users().items():
            yield self._member(name, info)

    def get(self, name: str) -> Member:
        """Return one user."""
        return self._member(name, self._client.get_user_info(name))

    def _member(self, name: str, info: UserInfo) -> Member:
        groups = {group: self._policies(group) for group in info.groups}
        return Member(name, info.status == "enabled", info.policy_name, groups)

    def _policies(self, group: str) -> list[str]:
        if group not in self._groups:
            self._groups[group] = self._client.get_group(group).policies
        return self._groups[group]


def changed_policies(change: Callable[[], list[str]]) -> list[str]:
    """Attach or detach policies; return which ones that changed anything for.

    What is so already is no mistake, also when the first answer was lost on the way.
    """
    try:
        return change()
    except ServiceError as error:
        if error.code != _APPLIED_ALREADY:
            raise
        return []


def listed_keys(
    client: S3Client, users: Sequence[str], *, own: bool, everybody: bool, kind: str
) -> dict[str, AccessKeys]:
    """Return access keys: of the users who are named, of all, or our own.

    Without a choice they are those of all, or our own if more is denied.
    """
    if sum((bool(users), own, everybody)) > 1:
        raise UsageError("name users, or say --all or --self")
    if users or own:
        return client.list_access_keys_bulk(users, kind=kind)
    try:
        return client.list_access_keys_bulk(everybody=True, kind=kind)
    except ServiceDeniedError:
        if everybody:
            raise
        return client.list_access_keys_bulk(kind=kind)


@dataclass(frozen=True, slots=True)
class KeyWish:
    """What an access key is to be; None leaves it.

    Attributes:
        secret: what belongs to it.
        policy: allows less than the owner may do.
        name: for people.
        description: for people.
        expiration: when it ends, as the API writes it.
    """

    secret: Secret | None = None
    policy: WrittenPolicy | None = None
    name: str | None = None
    description: str | None = None
    expiration: str | None = None

    def make(self, client: S3Client, access_key: str, secret: Secret, owner: str) -> None:
        """Make the key.

        Raises:
            UsageError: the policy is wrong; with the place.
            ServiceError: the service refused.
        """
        fields = {
            "targetUser": owner,
            "policy": self.policy.document if self.policy else None,
            "name": self.name,
            "description": self.description,
            "expiration": self.expiration,
        }
        given = {field: value for field, value in fields.items() if value}
        self._ask(lambda: client.add_service_account(access_key, secret, **given))

    def change(self, client: S3Client, access_key: str) -> None:
        """Change the key.

        Raises:
            UsageError: nothing is to change, or the policy is wrong; with the place.
            ServiceError: the service refused.
        """
        fields: dict[str, Any] = {
            "newSecretKey": self.secret.reveal() if self.secret else None,
            "newPolicy": self.policy.document if self.policy else None,
            "newName": self.name,
            "newDescription": self.description,
            "newExpiration": self.expiration,
        }
        given = {field: value for field, value in fields.items() if value is not None}
        if not given:
            raise UsageError("nothing is to change", hint="see --help for what can")
        self._ask(lambda: update_key(client, access_key, **given))

    def _ask(self, ask: Callable[[], None]) -> None:
        try:
            ask()
        except ServiceError as error:
            if self.policy is None or (located := self.policy.located(error)) is error:
                raise
            raise located from error


def update_key(client: S3Client, access_key: str, **change: Any) -> None:
    """Change an access key, and leave it its policy.

    MinIO takes the policy away from a key that is changed without naming one, and so gives it all
    that its owner may do.
    """
    if "newPolicy" not in change:
        found = client.info_service_account(access_key)
        if not found.implied_policy and found.policy:
            change["newPolicy"] = json.loads(found.policy)
    client.update_service_account(access_key, **change)


def expiration_of(moment: str | None, duration: str | None, now_ns: int) -> str | None:
    """Return when something ends that is given as a moment, or as how long from now.

    Raises:
        UsageError: it is neither, both, or past.
    """
    if moment is not None and duration is not None:
        raise UsageError("say either when it expires, or in how long")
    if moment is None and duration is None:
        return None
    if moment is not None:
        expires_ns = parse_moment(moment, now_ns)
    else:
        expires_ns = now_ns + int(parse_duration(duration or "") * NS_PER_S)
    if expires_ns <= now_ns:
        raise UsageError(
            f"{moment or duration!r} is past",
            hint="write a day to come, 2027-01-31, or in how long: --expiry-duration 30d",
        )
    return format_iso8601(expires_ns)
