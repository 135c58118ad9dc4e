"""For any request, our signature is botocore's, and our server's half accepts it.

Method: Hypothesis makes keys, queries and headers; botocore signs the same request.
"""

from __future__ import annotations

from urllib.parse import quote

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingot.base.secret import Secret
from ingot.s3.claims import Claim, check_claim, parse_authorization, parse_presigned, verify
from ingot.s3.dates import NS_PER_S, parse_amz_date
from ingot.s3.errors import S3Error
from ingot.s3.names import encode_path
from ingot.s3.sigv4 import (
    EMPTY_SHA256,
    Credentials,
    canonical_path,
    canonical_query,
    parse_query,
    presign_query,
    sign_headers,
)

HOST = "127.0.0.1:9000"
SECRET = Secret("secret/with+odd=characters")
CREDENTIALS = Credentials("access", SECRET)

keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
queries = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
        lambda name: not name.startswith("X-Amz-")
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    max_size=4,
)
header_names = st.from_regex(r"\Ax-amz-meta-[a-z0-9-]{1,20}\Z")
header_values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)


class _Signer(botocore.auth.S3SigV4Auth):
    """botocore without its own look at the body: the hash is the caller's."""

    def payload(self, request: botocore.awsrequest.AWSRequest) -> str:
        return EMPTY_SHA256


def oracle_headers(
    path: str, query: dict[str, str], headers: dict[str, str]
) -> botocore.awsrequest.AWSRequest:
    encoded = "&".join(f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in query.items())
    url = f"http://{HOST}{path}" + (f"?{encoded}" if encoded else "")
    request = botocore.awsrequest.AWSRequest(method="PUT", url=url, headers=headers)
    credentials = botocore.credentials.Credentials("access", SECRET.reveal())
    _Signer(credentials, "s3", "eu-x").add_auth(request)
    return request


@given(
    key=keys,
    query=queries,
    headers=st.dictionaries(header_names, header_values, max_size=4),
)
@example(key="a//b", query={}, headers={})
@example(key="../a/./..", query={}, headers={})
@example(key="a+b %2B", query={"prefix": "a+b &="}, headers={"x-amz-meta-a": "  a   b  "})
@example(key="ä/日本/🎉", query={"prefix": "日本", "b": "", "B": ""}, headers={})
@example(key="/", query={"~": "*'()"}, headers={})
def test_our_signature_is_botocores(
    key: str, query: dict[str, str], headers: dict[str, str]
) -> None:
    path = encode_path(f"/bucket/{key}")
    theirs = oracle_headers(path, query, headers).headers
    at_s = parse_amz_date(theirs["X-Amz-Date"])
    assert at_s is not None
    ours = sign_headers(
        CREDENTIALS,
        method="PUT",
        path=path,
        query=list(query.items()),
        headers={"host": HOST, **headers},
        payload_hash=EMPTY_SHA256,
        region="eu-x",
        now_ns=at_s * NS_PER_S,
    )
    assert theirs["Authorization"] == ours.headers["authorization"]

    claim = parse_authorization(ours.headers)
    check_claim(claim, ours.headers, region="eu-x", now_ns=at_s * NS_PER_S)
    raw_query = "&".join(f"{quote(n)}={quote(v)}" for n, v in query.items()).encode()
    verify(
        claim,
        SECRET,
        method="PUT",
        path=canonical_path(path.encode()),
        query=canonical_query(parse_query(raw_query)),
        headers=ours.headers,
    )


@given(key=keys, query=queries, expires_s=st.integers(1, 604800))
def test_our_presigned_url_is_botocores(key: str, query: dict[str, str], expires_s: int) -> None:
    path = encode_path(f"/bucket/{key}")
    encoded = "&".join(f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in query.items())
    request = botocore.awsrequest.AWSRequest(
        method="GET", url=f"http://{HOST}{path}" + (f"?{encoded}" if encoded else "")
    )
    credentials = botocore.credentials.Credentials("access", SECRET.reveal())
    botocore.auth.S3SigV4QueryAuth(credentials, "s3", "eu-x", expires_s).add_auth(request)
    theirs = parse_query(request.url.partition("?")[2].encode())
    at_s = parse_amz_date(dict(theirs)["X-Amz-Date"])
    assert at_s is not None
    ours = parse_query(
        presign_query(
            CREDENTIALS,
            method="GET",
            host=HOST,
            path=path,
            query=list(query.items()),
            region="eu-x",
            expires_s=expires_s,
            now_ns=at_s * NS_PER_S,
        ).encode()
    )
    assert sorted(theirs) == sorted(ours)

    claim = parse_presigned(theirs, {"host": HOST})
    check_claim(claim, {"host": HOST}, region="eu-x", now_ns=at_s * NS_PER_S)
    verify(
        claim,
        SECRET,
        method="GET",
        path=canonical_path(path.encode()),
        query=canonical_query(theirs),
        headers={"host": HOST},
    )


wire_text = st.text(st.characters(max_codepoint=0xFF), max_size=60)
credentials_text = st.sampled_from(
    [
        "access/20261124/r/s3/aws4_request",
        "a/b/20261124/r/s3/aws4_request",
        "access/20261124/r/s3",
        "/20261124/r/s3/aws4_request",
        "access/\xb2/r/s3/aws4_request",
    ]
)


@given(
    credential=credentials_text | wire_text,
    names=st.sampled_from(["host", "host;x-amz-date", "", ";", "\xfc"]) | wire_text,
    proof=st.sampled_from(["0" * 64, ""]) | wire_text,
    date=st.sampled_from(["20261124T020500Z", "20261124T0205", "\xb20261124T020500Z"]) | wire_text,
    payload=st.sampled_from([EMPTY_SHA256, "UNSIGNED-PAYLOAD"]) | st.text(max_size=20),
    expires=st.sampled_from(["60", "0", "\u0663"]) | wire_text,
)
def test_no_claim_crashes_the_server(
    *, credential: str, names: str, proof: str, date: str, payload: str, expires: str
) -> None:
    def check(claim: Claim, headers: dict[str, str], query: list[tuple[str, str]]) -> None:
        check_claim(claim, headers, region="", now_ns=1_795_485_900 * NS_PER_S)
        verify(
            claim,
            SECRET,
            method="GET",
            path="/",
            query=canonical_query(query),
            headers=headers,
        )

    headers = {
        "host": HOST,
        "x-amz-date": date,
        "x-amz-content-sha256": payload.encode("latin-1", "replace").decode("latin-1"),
        "authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names},"
        f" Signature={proof}",
    }
    # Nobody guesses a signature, so every claim is refused, and always by an S3Error.
    with pytest.raises(S3Error):
        check(parse_authorization(headers), headers, [])
    query = [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", credential),
        ("X-Amz-Date", date),
        ("X-Amz-Expires", expires),
        ("X-Amz-SignedHeaders", names),
        ("X-Amz-Signature", proof),
        ("X-Amz-Content-Sha256", payload),
    ]
    with pytest.raises(S3Error):
        check(parse_presigned(query, {"host": HOST}), {"host": HOST}, query)
