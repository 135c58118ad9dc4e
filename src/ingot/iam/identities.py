"""Access keys and whom they belong to; policies come to the same lookup later."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ingot.base.secret import Secret


class Identity(NamedTuple):
    """Who signs with an access key.

    Attributes:
        access_key: the public half of the pair.
        secret_key: the half that signs.
        name: how logs and listings call the owner.
        is_root: whether every operation is allowed without asking a policy.
    """

    access_key: str
    secret_key: Secret
    name: str
    is_root: bool

    def may(self, action: str, resource: str) -> bool:
        """Return whether this identity may do `action` (`s3:PutObject`) to `resource` (an ARN).

        Everything is denied but to root: there are no policies yet.
        """
        return self.is_root


def root_identity(access_key: str, secret_key: Secret) -> Identity:
    """Return the identity of the root key pair."""
    return Identity(access_key, secret_key, "root", is_root=True)


class Identities:
    """The identities of one server, found by access key."""

    def __init__(self, identities: Iterable[Identity]) -> None:
        self._by_access_key = {identity.access_key: identity for identity in identities}

    def find(self, access_key: str) -> Identity | None:
        """Return the identity an access key belongs to, or None."""
        return self._by_access_key.get(access_key)
