"""Policies of forms: what is written is read, and what they do not allow is refused."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.base.secret import Secret
from ingot.s3.errors import S3Error
from ingot.s3.postpolicy import (
    EQUAL,
    STARTS_WITH,
    Condition,
    PostPolicy,
    check,
    parse,
    render,
    signed_fields,
)
from ingot.s3.sigv4 import Credentials

KEYS = Credentials("AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
fields = st.text("abc-xyz", min_size=1, max_size=8)
policies = st.builds(
    lambda expires_ms, conditions, sizes: PostPolicy(
        expires_ms * 1_000_000, tuple(conditions), *(sorted(sizes) if sizes else (None, None))
    ),
    st.integers(0, 4_000_000_000_000),
    st.lists(
        st.builds(Condition, st.sampled_from([EQUAL, STARTS_WITH]), fields, st.text(max_size=9))
    ),
    st.none() | st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 40)),
)


@given(policies)
def test_what_is_written_is_read(policy: PostPolicy) -> None:
    assert parse(render(policy)) == policy


@given(st.text() | st.binary(max_size=60).map(lambda data: base64.b64encode(data).decode()))
def test_anything_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(S3Error):
        parse(text)


POLICY = PostPolicy(
    1_000_000_000,
    (
        Condition(EQUAL, "bucket", "b"),
        Condition(STARTS_WITH, "key", "in/"),
        Condition(STARTS_WITH, "content-type", ""),
    ),
)
FORM = {"bucket": "b", "key": "in/x", "policy": "…", "x-amz-signature": "…", "x-ignore-me": "1"}


def test_a_form_that_holds() -> None:
    check(POLICY, FORM, 0)
    check(POLICY, {**FORM, "content-type": "image/png"}, 0)


@pytest.mark.parametrize(
    ("changed", "now_ns", "reason"),
    [
        ({}, 1_000_000_000, "expired"),
        ({"key": "out/x"}, 0, "key"),
        ({"bucket": "c"}, 0, "bucket"),
        ({"acl": "public-read"}, 0, "Extra input fields: acl"),
    ],
)
def test_a_form_that_does_not(changed: dict[str, str], now_ns: int, reason: str) -> None:
    with pytest.raises(S3Error, match=reason) as caught:
        check(POLICY, {**FORM, **changed}, now_ns)
    assert caught.value.code == "AccessDenied"


def test_a_policy_as_browsers_send_it() -> None:
    document = {
        "expiration": "2015-12-30T12:00:00.000Z",
        "conditions": [
            {"bucket": "sigv4examplebucket", "acl": "public-read"},
            ["starts-with", "$Key", "user/user1/"],
            ["content-length-range", 1, 10],
        ],
    }
    policy = parse(base64.b64encode(json.dumps(document).encode()).decode())
    assert policy.conditions == (
        Condition(EQUAL, "bucket", "sigv4examplebucket"),
        Condition(EQUAL, "acl", "public-read"),
        Condition(STARTS_WITH, "key", "user/user1/"),
    )
    assert (policy.least_bytes, policy.most_bytes) == (1, 10)


def test_a_signed_form_holds_its_own_policy() -> None:
    signed = signed_fields(KEYS, POLICY, region="us-east-1", now_ns=0)
    assert signed["x-amz-credential"].endswith("/19700101/us-east-1/s3/aws4_request")
    check(parse(signed["policy"]), {**FORM, **signed}, 0)
    with_token = signed_fields(
        KEYS._replace(session_token="token"), POLICY, region="us-east-1", now_ns=0
    )
    assert with_token["x-amz-security-token"] == "token"
    check(parse(with_token["policy"]), {**FORM, **with_token}, 0)
