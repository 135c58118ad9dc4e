import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.iam.evaluate import Decision, evaluate
from ingot.iam.policies import (
    POLICY_BYTES_MAX,
    PolicyError,
    parse_bucket_policy,
    parse_identity_policy,
)

ARN = "arn:aws:s3:::bucket"


def statement(**fields: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"{ARN}/*",
    }
    whole |= fields
    return {name: value for name, value in whole.items() if value is not None}


def policy(*statements: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)} | fields).encode()


def decide(
    data: bytes,
    action: str = "s3:GetObject",
    resource: str = f"{ARN}/key",
    principal: str | None = None,
    **context: list[str],
) -> Decision:
    parsed = parse_bucket_policy(data, "bucket")
    values = {name.replace("__", ":"): value for name, value in context.items()}
    return evaluate([parsed], action=action, resource=resource, context=values, principal=principal)


def test_what_nobody_allows_is_not_allowed() -> None:
    data = policy(statement())
    assert Decision.ALLOW is decide(data)
    assert Decision.SILENT is decide(data, action="s3:PutObject")
    assert Decision.SILENT is decide(data, resource=ARN)


def test_a_deny_wins_wherever_it_stands() -> None:
    deny = statement(Effect="Deny", Resource=f"{ARN}/secret/*")
    for statements in ([statement(), deny], [deny, statement()]):
        data = policy(*statements)
        assert Decision.DENY is decide(data, resource=f"{ARN}/secret/key")
        assert Decision.ALLOW is decide(data, resource=f"{ARN}/public/key")


def test_actions_are_patterns_in_any_case() -> None:
    data = policy(statement(Action=["S3:Get*", "s3:List?ucket"]))
    for action in ("s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"):
        assert Decision.ALLOW is decide(data, action=action)
    assert Decision.SILENT is decide(data, action="s3:ListBuckets")


def test_not_means_everything_else() -> None:
    data = policy(
        statement(Action=None, NotAction="s3:Put*", Resource=None, NotResource=f"{ARN}/private/*")
    )
    assert Decision.ALLOW is decide(data)
    assert Decision.SILENT is decide(data, action="s3:PutObject")
    assert Decision.SILENT is decide(data, resource=f"{ARN}/private/x")


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ({"Principal": "*"}, {None, "ann", "bob"}),
        ({"Principal": {"AWS": ["*"]}}, {None, "ann", "bob"}),
        ({"Principal": {"AWS": "arn:aws:iam:::user/ann"}}, {"ann"}),
        ({"Principal": {"AWS": ["ann", "arn:aws:iam::0123:user/bob"]}}, {"ann", "bob"}),
        ({"Principal": None, "NotPrincipal": {"AWS": "ann"}}, {None, "bob"}),
    ],
)
def test_principals(principal: dict[str, Any], expected: set[str | None]) -> None:
    data = policy(statement(**principal))
    allowed = {
        name for name in (None, "ann", "bob") if decide(data, principal=name) is Decision.ALLOW
    }
    assert expected == allowed


def test_all_conditions_must_hold() -> None:
    condition = {
        "IpAddress": {"aws:SourceIp": "192.0.2.0/24"},
        "StringLike": {"s3:prefix": ["a*", "b*"]},
        "NumericLessThanEquals": {"s3:max-keys": 10},
        "Bool": {"aws:SecureTransport": True},
    }
    data = policy(statement(Condition=condition))
    request = {
        "aws__sourceip": ["192.0.2.1"],
        "s3__prefix": ["bc"],
        "s3__max-keys": ["10"],
        "aws__securetransport": ["true"],
    }
    assert Decision.ALLOW is decide(data, **request)
    for name in request:
        assert Decision.SILENT is decide(data, **(request | {name: ["11"]}))


def test_variables_are_those_of_the_request_and_only_of_2012() -> None:
    own = statement(Resource=f"{ARN}/of/${{aws:username}}/*")
    request = {"resource": f"{ARN}/of/ann/x", "aws__username": ["ann"]}
    assert Decision.ALLOW is decide(policy(own), **request)
    assert Decision.SILENT is decide(policy(own, Version="2008-10-17"), **request)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "line 1, column 2"),
        (b"[]", "no JSON object"),
        (b"\xff", "no JSON text"),
        (b"[" * 100_000, "bytes"),
        (b"[" * 10_000, "no JSON text"),
        (b'{"Version":"2012-10-17","Version":"2012-10-17"}', "'Version' is there twice"),
        (policy(), "Statement: there is none"),
        (policy(statement(), Version="2012"), "Version: '2012' is not known"),
        (policy(statement(), Statements=[]), "Statements: not known here"),
        (policy(statement(Effects="Allow")), r"Statement\[0\].Effects: not known here"),
        (policy(statement(), statement(Effect="allow")), r"Statement\[1\].Effect"),
        (policy(statement(Principal=None)), "either Principal or NotPrincipal"),
        (policy(statement(Principal={"Federated": "x"})), r"Statement\[0\].Principal"),
        (policy(statement(Principal={"AWS": "arn:aws:iam::1:role/x"})), "is no user"),
        (policy(statement(NotAction="s3:*")), "either Action or NotAction"),
        (policy(statement(Action="GetObject")), "'GetObject' is no action"),
        (policy(statement(Action=[])), "takes 1 to"),
        (policy(statement(Action=7)), "7 is no text"),
        (policy(statement(Resource="arn:aws:s3:::other/*")), "is not in the bucket"),
        (policy(statement(Resource="*")), "is not in the bucket"),
        (policy(statement(Resource=f"{ARN}/${{}}")), "has no name"),
        (policy(statement(Condition=[])), "Condition: must be an object"),
        (policy(statement(Condition={"Bool": "x"})), "Condition.Bool: must be an object"),
        (
            policy(statement(Condition={"Bool": {"aws:SecureTransport": "maybe"}})),
            r"Statement\[0\].Condition.Bool.aws:SecureTransport: 'maybe' is neither",
        ),
        (policy(*[statement()] * 101), "more than 100"),
    ],
)
def test_mistakes_are_named_with_their_place(data: bytes, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        parse_bucket_policy(data, "bucket")


def test_a_policy_has_a_size_limit() -> None:
    with pytest.raises(PolicyError, match="bytes"):
        parse_bucket_policy(b" " * (POLICY_BYTES_MAX + 1), "bucket")


def test_the_policy_of_an_identity_names_no_principal() -> None:
    parsed = parse_identity_policy(policy(statement(Principal=None, Resource="*")))
    found = evaluate([parsed], action="s3:GetObject", resource=f"{ARN}/key", context={})
    assert Decision.ALLOW is found
    with pytest.raises(PolicyError, match="names principals"):
        parse_identity_policy(policy(statement()))


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["Version", "Statement", "Effect", "Action", "Principal", "Resource", "Condition"]
            ),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=20,
)


@given(_JSON)
def test_no_document_is_read_but_well_formed_ones(document: Any) -> None:
    with contextlib.suppress(PolicyError):
        parse_bucket_policy(json.dumps(document).encode(), "bucket")
