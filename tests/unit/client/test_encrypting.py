"""Which requests carry which headers of encryption."""

from __future__ import annotations

import base64

import pytest

from ingot.base.errors import UsageError
from ingot.client.encrypting import Encryption, parse_encryption
from ingot.s3client.caller import Call

KEY = base64.b64encode(bytes(range(32))).decode()
HEX = bytes(range(32)).hex()
SSE = "x-amz-server-side-encryption"
CUSTOMER = f"{SSE}-customer-key"


def headers(encryption: Encryption, call: Call, *, secure: bool = True) -> dict[str, str]:
    dress = encryption.dress("x", is_secure=secure)
    return {} if dress is None else dict(dress(call))


RULES = parse_encryption(
    s3=["x/b/"], kms=["x/b/kms=key-1,x/b/kms/deep=key-2"], customer=[f"x/c={KEY}"]
)
PUT = Call("PUT", "b", "k")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (PUT, {SSE: "AES256"}),
        (Call("POST", "b", "k", query=[("uploads", "")]), {SSE: "AES256"}),
        (Call("PUT", "b", "k", query=[("partNumber", "1"), ("uploadId", "u")]), {}),
        (Call("POST", "b", "k", query=[("uploadId", "u")]), {}),
        (Call("GET", "b", "k"), {}),
        (Call("PUT", "b", "k", query=[("tagging", "")]), {}),
        (Call("PUT", "b"), {}),
        (Call("PUT", "other", "k"), {}),
        (Call("PUT", "b", "kms"), {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": "key-1"}),
        (Call("PUT", "b", "kms/deeper"), {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": "key-2"}),
    ],
)
def test_only_what_begins_an_object_says_how_the_service_encrypts(
    call: Call, expected: dict[str, str]
) -> None:
    assert headers(RULES, call) == expected


@pytest.mark.parametrize(
    "call",
    [
        Call("PUT", "c", "k"),
        Call("GET", "c", "k", query=[("versionId", "v"), ("response-expires", "x")]),
        Call("HEAD", "c", "k"),
        Call("PUT", "c", "k", query=[("partNumber", "1"), ("uploadId", "u")]),
        Call("POST", "c", "k", query=[("select", ""), ("select-type", "2")]),
    ],
)
def test_a_key_of_ones_own_goes_with_all_that_is_about_the_bytes(call: Call) -> None:
    sent = headers(RULES, call)
    assert sent[CUSTOMER] == KEY
    assert sent[f"{SSE}-customer-algorithm"] == "AES256"
    assert sent[f"{SSE}-customer-key-md5"] == "tP/LI3N87DFaSk0aoqYgzg=="


def test_a_copy_tells_the_key_of_its_source() -> None:
    copied = Call("PUT", "b", "k", headers={"x-amz-copy-source": "/c/k%20k?versionId=v"})
    sent = headers(RULES, copied)
    assert sent[SSE] == "AES256"
    assert sent["x-amz-copy-source-server-side-encryption-customer-key"] == KEY
    assert CUSTOMER not in sent


def test_other_aliases_get_nothing() -> None:
    assert RULES.dress("xy", is_secure=True) is None
    assert Encryption().dress("x", is_secure=False) is None


def test_a_key_never_goes_in_the_clear() -> None:
    with pytest.raises(UsageError, match="in the clear"):
        RULES.dress("x", is_secure=False)


@pytest.mark.parametrize("key", [KEY, KEY.rstrip("="), HEX])
def test_a_key_is_written_in_several_ways(key: str) -> None:
    rules = parse_encryption(customer=[f"x/c={key}"])
    assert headers(rules, Call("GET", "c", "k"))[CUSTOMER] == KEY


@pytest.mark.parametrize("text", ["x/c", "x/c=", "=key", "x/c=short", f"x/c={KEY}AA"])
def test_what_is_no_key_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_encryption(customer=[text])
    assert "short" not in caught.value.message


def test_fingerprints_tell_keys_apart_and_do_not_show_them() -> None:
    one, other = (parse_encryption(kms=[f"x={name}"]).fingerprint() for name in ("a", "b"))
    assert one != other
    assert Encryption().fingerprint() == ""
    assert KEY not in RULES.fingerprint() + repr(RULES)
