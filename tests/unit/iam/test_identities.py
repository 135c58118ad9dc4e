from ingot.base.secret import Secret
from ingot.iam.identities import Identities, Identity, root_identity


def test_find_returns_the_owner_of_an_access_key_and_none_for_strangers() -> None:
    root = root_identity("root-key", Secret("root-secret"))
    other = Identity("other-key", Secret("other-secret"), "other", is_root=False)
    identities = Identities([root, other])

    assert identities.find("root-key") is root
    assert identities.find("other-key") is other
    assert identities.find("nobody") is None


def test_only_root_may_do_anything_while_there_are_no_policies() -> None:
    root = root_identity("root-key", Secret("root-secret"))
    other = Identity("other-key", Secret("other-secret"), "other", is_root=False)

    assert root.may("s3:PutObject", "arn:aws:s3:::bucket/key")
    assert not other.may("s3:GetObject", "arn:aws:s3:::bucket/key")


def test_an_identity_never_shows_its_secret() -> None:
    assert "root-secret" not in repr(root_identity("root-key", Secret("root-secret")))
