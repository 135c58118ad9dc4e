import json

from ingot.base.secret import Secret
from ingot.iam.identities import ANONYMOUS, Identities, Identity, root_identity
from ingot.iam.policies import parse_bucket_policy, parse_identity_policy


def test_find_returns_the_owner_of_an_access_key_and_none_for_strangers() -> None:
    root = root_identity("root-key", Secret("root-secret"))
    other = Identity("other-key", Secret("other-secret"), "other", is_root=False)
    identities = Identities([root, other])

    assert identities.find("root-key") is root
    assert identities.find("other-key") is other
    assert identities.find("nobody") is None


def policy(effect: str, principal: str | None = None) -> bytes:
    statement = {"Effect": effect, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"}
    if principal is not None:
        statement["Principal"] = principal
    return json.dumps({"Version": "2012-10-17", "Statement": statement}).encode()


def test_root_needs_no_policy_and_everybody_else_one() -> None:
    root = root_identity("root-key", Secret("root-secret"))
    other = Identity("other-key", Secret("other-secret"), "other", is_root=False)
    allowed = other._replace(policies=(parse_identity_policy(policy("Allow")),))
    opened = parse_bucket_policy(policy("Allow", "*"), "bucket")
    closed = parse_bucket_policy(policy("Deny", "*"), "bucket")
    request = ("s3:GetObject", "arn:aws:s3:::bucket/key", {})

    assert root.may(*request, closed)
    assert not other.may(*request)
    assert other.may(*request, opened)
    assert allowed.may(*request)
    assert not allowed.may(*request, closed)
    assert not ANONYMOUS.may(*request)
    assert ANONYMOUS.may(*request, opened)


def test_an_identity_never_shows_its_secret() -> None:
    assert "root-secret" not in repr(root_identity("root-key", Secret("root-secret")))
