"""Access keys and whom they belong to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from ingot.base.secret import Secret
from ingot.iam.evaluate import Decision, evaluate
from ingot.iam.policies import Policy
from ingot.iam.wildcards import Context


class Identity(NamedTuple):
    """Who signs with an access key.

    Attributes:
        access_key: the public half of the pair.
        secret_key: the half that signs.
        name: how logs, listings and policies call the owner; empty for who did not sign.
        is_root: whether every operation is allowed without asking a policy.
        policies: what the owner may do anywhere.
        boundary: what the access key allows of that; `None` for all of it.
    """

    access_key: str
    secret_key: Secret
    name: str
    is_root: bool
    policies: tuple[Policy, ...] = ()
    boundary: Policy | None = None

    def may(
        self, action: str, resource: str, context: Context, bucket_policy: Policy | None = None
    ) -> bool:
        """Return whether this identity may do `action` (`s3:PutObject`) to `resource` (an ARN).

        Args:
            action: the permission.
            resource: the bucket or object.
            context: what conditions ask about.
            bucket_policy: that of the resource's bucket, if it has one.
        """
        if self.is_root:
            return True
        policies = self.policies if bucket_policy is None else (*self.policies, bucket_policy)
        # The key and its owner must both be allowed.
        layers = [policies] if self.boundary is None else [policies, (self.boundary,)]
        return all(
            evaluate(
                layer,
                action=action,
                resource=resource,
                context=context,
                principal=self.name or None,
            )
            is Decision.ALLOW
            for layer in layers
        )


ANONYMOUS: Final = Identity("", Secret(""), "", is_root=False)


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
