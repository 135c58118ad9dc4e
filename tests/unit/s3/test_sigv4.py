"""Signatures against published examples and against botocore, and every way a claim can fail."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from ingot.base.limits import CLOCK_SKEW_S
from ingot.base.secret import Secret
from ingot.s3.claims import Claim, check_claim, parse_authorization, parse_presigned, verify
from ingot.s3.dates import NS_PER_S, parse_amz_date
from ingot.s3.errors import S3Error
from ingot.s3.sigv4 import (
    EMPTY_SHA256,
    QUERY_PARAMETERS_MAX,
    Credentials,
    canonical_path,
    canonical_query,
    canonical_query_in_order,
    canonical_request,
    parse_query,
    presign_query,
    sign_headers,
    signature,
    signing_key,
)

# Amazon S3 API reference, "Examples: signature calculations".
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
CREDENTIALS = Credentials(ACCESS_KEY, SECRET)
TIMESTAMP = "20130524T000000Z"
NOW_S = parse_amz_date(TIMESTAMP)
assert NOW_S is not None
NOW_NS = NOW_S * NS_PER_S
HOST = "examplebucket.s3.amazonaws.com"


def signed(method: str = "GET", path: str = "/", **options: object) -> dict[str, str]:
    arguments: dict[str, object] = {
        "query": [],
        "headers": {"host": HOST},
        "payload_hash": EMPTY_SHA256,
        "region": "us-east-1",
        "now_ns": NOW_NS,
        **options,
    }
    return sign_headers(CREDENTIALS, method=method, path=path, **arguments).headers  # type: ignore[arg-type]


def signature_of(headers: dict[str, str]) -> str:
    return headers["authorization"].rpartition("Signature=")[2]


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "payload_hash", "expected"),
    [
        (
            "GET",
            "/test.txt",
            [],
            {"range": "bytes=0-9"},
            EMPTY_SHA256,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test%24file.text",
            [],
            {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET",
            "/",
            [("lifecycle", "")],
            {},
            EMPTY_SHA256,
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET",
            "/",
            [("max-keys", "2"), ("prefix", "J")],
            {},
            EMPTY_SHA256,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_signs_as_amazons_examples(
    *,
    method: str,
    path: str,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    payload_hash: str,
    expected: str,
) -> None:
    made = signed(
        method, path, query=query, headers={"host": HOST, **headers}, payload_hash=payload_hash
    )
    assert expected == signature_of(made)


def test_presigns_as_amazons_example() -> None:
    query = presign_query(
        CREDENTIALS,
        method="GET",
        host=HOST,
        path="/test.txt",
        query=[],
        region="us-east-1",
        expires_s=86400,
        now_ns=NOW_NS,
    )
    expected = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    assert query.endswith(f"&X-Amz-Signature={expected}")


def test_presigns_as_botocore_with_a_session_token() -> None:
    token = "token/with+odd=characters"
    request = botocore.awsrequest.AWSRequest(
        method="GET", url="http://127.0.0.1:9000/bucket/a%20key", params={}
    )
    oracle = botocore.auth.S3SigV4QueryAuth(
        botocore.credentials.Credentials(ACCESS_KEY, SECRET.reveal(), token), "s3", "eu-x", 60
    )
    oracle.add_auth(request)
    theirs = dict(parse_qsl(urlsplit(request.url).query))
    at_s = parse_amz_date(theirs["X-Amz-Date"])
    assert at_s is not None
    ours = presign_query(
        CREDENTIALS._replace(session_token=token),
        method="GET",
        host="127.0.0.1:9000",
        path="/bucket/a%20key",
        query=[],
        region="eu-x",
        expires_s=60,
        now_ns=at_s * NS_PER_S,
    )
    assert theirs == dict(parse_qsl(ours))


def test_a_session_token_is_signed_and_claimed() -> None:
    signed_request = sign_headers(
        CREDENTIALS._replace(session_token="token"),
        method="GET",
        path="/",
        query=[],
        headers={"Host": HOST, "User-Agent": "changed by proxies"},
        payload_hash=EMPTY_SHA256,
        region="us-east-1",
        now_ns=NOW_NS,
    )
    claim = parse_authorization(signed_request.headers)
    assert claim.session_token == "token"
    assert claim.signed_headers == (
        "host",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-security-token",
    )
    assert (claim.scope, claim.signature) == (signed_request.scope, signed_request.signature)


class TestHeaderClaims:
    def claim(self, headers: dict[str, str]) -> Claim:
        claim = parse_authorization(headers)
        check_claim(claim, headers, region="us-east-1", now_ns=NOW_NS)
        verify(claim, SECRET, method="GET", path="/", query="", headers=headers)
        return claim

    def test_a_good_one_passes(self) -> None:
        claim = self.claim(signed())
        assert claim[:3] == (ACCESS_KEY, "20130524", "us-east-1")
        assert claim.expires_s is None

    def test_spaces_in_values_count_once(self) -> None:
        headers = signed(headers={"host": HOST, "x-amz-meta-note": "  a   b c "})
        headers["x-amz-meta-note"] = "a b c"
        self.claim(headers)

    def test_header_case_and_spacing_of_authorization(self) -> None:
        headers = signed()
        headers["authorization"] = headers["authorization"].replace(", ", ",")
        self.claim(headers)

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (lambda h: h.update(authorization="AWS key:signature"), "InvalidRequest"),
            (
                lambda h: h.update(authorization="AWS4-HMAC-SHA256 Credential=x"),
                "AuthorizationHeaderMalformed",
            ),
            (
                lambda h: h.update(authorization=h["authorization"].replace("/s3/", "/ec2/")),
                "AuthorizationHeaderMalformed",
            ),
            (
                lambda h: h.update(authorization=h["authorization"].replace(ACCESS_KEY + "/", "/")),
                "AuthorizationHeaderMalformed",
            ),
            (
                lambda h: h.update(authorization=h["authorization"][:-1] + "G"),
                "AuthorizationHeaderMalformed",
            ),
            (
                lambda h: h.update(authorization=h["authorization"].replace("us-east-1", "eu-a")),
                "AuthorizationHeaderMalformed",
            ),
            (
                lambda h: h.update(authorization=h["authorization"].replace("20130524/", "2013/")),
                "AuthorizationHeaderMalformed",
            ),
            (
                lambda h: h.update(authorization=_flip_last_digit(h["authorization"])),
                "SignatureDoesNotMatch",
            ),
            (lambda h: h.update(host="other"), "SignatureDoesNotMatch"),
            (lambda h: h.pop("host"), "SignatureDoesNotMatch"),
            (lambda h: h.pop("x-amz-content-sha256"), "InvalidRequest"),
            (lambda h: h.pop("x-amz-date"), "AccessDenied"),
            (lambda h: h.update({"x-amz-date": "yesterday"}), "AccessDenied"),
            (lambda h: h.update({"x-amz-date": "", "date": "yesterday"}), "AccessDenied"),
            (lambda h: h.update({"x-amz-date": "20130524T999999Z"}), "AccessDenied"),
            (lambda h: h.update({"x-amz-acl": "public-read"}), "AccessDenied"),
        ],
    )
    def test_a_bad_one_fails_with_its_code(
        self, change: Callable[[dict[str, str]], object], code: str
    ) -> None:
        headers = signed()
        change(headers)
        with pytest.raises(S3Error) as caught:
            self.claim(headers)
        assert code == caught.value.code

    def test_the_region_to_use_is_told(self) -> None:
        headers = signed(region="eu-north-1")
        claim = parse_authorization(headers)
        with pytest.raises(S3Error) as caught:
            check_claim(claim, headers, region="us-east-1", now_ns=NOW_NS)
        assert caught.value.fields == {"Region": "us-east-1"}

    def test_a_server_without_a_region_takes_any(self) -> None:
        headers = signed(region="eu-north-1")
        check_claim(parse_authorization(headers), headers, region="", now_ns=NOW_NS)

    @pytest.mark.parametrize("skew_s", [-CLOCK_SKEW_S, CLOCK_SKEW_S])
    def test_clocks_may_differ_a_little(self, skew_s: int) -> None:
        headers = signed()
        claim = parse_authorization(headers)
        now_ns = NOW_NS + skew_s * NS_PER_S
        check_claim(claim, headers, region="", now_ns=now_ns)
        beyond_ns = now_ns + (NS_PER_S if skew_s > 0 else -NS_PER_S)
        with pytest.raises(S3Error) as caught:
            check_claim(claim, headers, region="", now_ns=beyond_ns)
        assert caught.value.code == "RequestTimeTooSkewed"
        assert caught.value.fields["RequestTime"] == TIMESTAMP

    def test_host_must_be_signed(self) -> None:
        headers = signed()
        names = re.sub("SignedHeaders=[^,]*", "SignedHeaders=x-amz-date", headers["authorization"])
        headers["authorization"] = names
        with pytest.raises(S3Error, match="must be signed are missing: host"):
            self.claim(headers)

    @pytest.mark.parametrize("date", ["Fri, 24 May 2013 00:00:00 GMT", TIMESTAMP])
    def test_the_date_header_stands_in(self, date: str) -> None:
        headers = signed()
        del headers["x-amz-date"]
        assert parse_authorization(headers | {"date": date}).timestamp == TIMESTAMP

    def test_access_keys_may_hold_slashes(self) -> None:
        headers = signed()
        headers["authorization"] = headers["authorization"].replace(ACCESS_KEY, "a/b")
        assert parse_authorization(headers).access_key == "a/b"


def _flip_last_digit(authorization: str) -> str:
    return authorization[:-1] + ("0" if authorization[-1] != "0" else "1")


class TestPresignedClaims:
    def query(self, **options: object) -> list[tuple[str, str]]:
        arguments: dict[str, object] = {
            "method": "GET",
            "host": HOST,
            "path": "/k",
            "query": [("response-content-type", "text/plain")],
            "region": "us-east-1",
            "expires_s": 60,
            "now_ns": NOW_NS,
            **options,
        }
        raw = presign_query(CREDENTIALS, **arguments)  # type: ignore[arg-type]
        return parse_query(raw.encode())

    def check(
        self,
        query: list[tuple[str, str]],
        *,
        headers: dict[str, str] | None = None,
        now_ns: int = NOW_NS,
    ) -> Claim:
        sent = {"host": HOST, **(headers or {})}
        claim = parse_presigned(query, sent)
        check_claim(claim, sent, region="us-east-1", now_ns=now_ns)
        encoded = canonical_query(query)
        verify(claim, SECRET, method="GET", path="/k", query=encoded, headers=sent)
        return claim

    def test_a_good_one_passes(self) -> None:
        claim = self.check(self.query())
        assert (claim.expires_s, claim.payload_hash) == (60, "UNSIGNED-PAYLOAD")

    def test_it_is_good_until_it_expires(self) -> None:
        self.check(self.query(), now_ns=NOW_NS + 60 * NS_PER_S)
        with pytest.raises(S3Error) as caught:
            self.check(self.query(), now_ns=NOW_NS + 61 * NS_PER_S)
        assert (caught.value.code, caught.value.message) == ("AccessDenied", "Request has expired")
        assert caught.value.fields["Expires"] == "2013-05-24T00:01:00.000Z"

    def test_it_may_outlive_the_clock_skew(self) -> None:
        self.check(self.query(expires_s=7 * 86400), now_ns=NOW_NS + 6 * 86400 * NS_PER_S)

    def test_one_from_the_future_is_refused(self) -> None:
        with pytest.raises(S3Error, match="not valid yet"):
            self.check(self.query(), now_ns=NOW_NS - (CLOCK_SKEW_S + 1) * NS_PER_S)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA1"),
            ("X-Amz-Credential", "nobody"),
            ("X-Amz-Credential", f"{ACCESS_KEY}/20130525/us-east-1/s3/aws4_request"),
            ("X-Amz-Credential", f"{ACCESS_KEY}/20130524/eu-a/s3/aws4_request"),
            ("X-Amz-Signature", "0"),
            ("X-Amz-Date", "2013"),
            ("X-Amz-Expires", "0"),
            ("X-Amz-Expires", "604801"),
            ("X-Amz-Expires", "-1"),
            ("X-Amz-Expires", "1e3"),
            ("X-Amz-Expires", "٦٠"),
            ("X-Amz-SignedHeaders", None),
        ],
    )
    def test_bad_parameters_are_refused(self, name: str, value: str | None) -> None:
        query = [pair for pair in self.query() if pair[0] != name]
        if value is not None:
            query.append((name, value))
        with pytest.raises(S3Error) as caught:
            self.check(query)
        assert caught.value.code == "AuthorizationQueryParametersError"

    def test_a_parameter_given_twice_is_refused(self) -> None:
        query = [*self.query(), ("X-Amz-Expires", "600")]
        with pytest.raises(S3Error, match="given once"):
            self.check(query)

    def test_a_changed_parameter_breaks_the_signature(self) -> None:
        query = [(n, "text/html" if v == "text/plain" else v) for n, v in self.query()]
        with pytest.raises(S3Error) as caught:
            self.check(query)
        assert caught.value.code == "SignatureDoesNotMatch"

    def test_headers_with_meaning_must_be_signed(self) -> None:
        with pytest.raises(S3Error) as caught:
            self.check(self.query(), headers={"x-amz-acl": "public-read"})
        assert caught.value.fields == {"HeadersNotSigned": "x-amz-acl"}

    def test_a_payload_hash_in_a_header_may_stay_unsigned(self) -> None:
        self.check(self.query(), headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})

    def test_a_signed_payload_hash_is_taken(self) -> None:
        query = [
            (n, "host;x-amz-content-sha256" if n == "X-Amz-SignedHeaders" else v)
            for n, v in self.query()
        ]
        claim = parse_presigned(query, {"host": HOST, "x-amz-content-sha256": EMPTY_SHA256})
        assert claim.payload_hash == EMPTY_SHA256


class TestCanonicalForms:
    @pytest.mark.parametrize(
        ("sent", "signed_as"),
        [
            (b"/bucket/a-b_c.d~e", "/bucket/a-b_c.d~e"),
            (b"/b/a%20b", "/b/a%20b"),
            (b"/b/a%2fb", "/b/a/b"),
            (b"/b/%41", "/b/A"),
            (b"/b//a/../c/.", "/b//a/../c/."),
            (b"/b/a+b", "/b/a%2Bb"),
            (b"/b/a%2Bb", "/b/a%2Bb"),
            (b"/b/\xc3\xa4", "/b/%C3%A4"),
            (b"/b/%c3%a4", "/b/%C3%A4"),
            (b"/b/100%", "/b/100%25"),
            (b"/b/\n", "/b/%0A"),
        ],
    )
    def test_paths(self, sent: bytes, signed_as: str) -> None:
        assert signed_as == canonical_path(sent)

    def test_queries_are_decoded_in_order(self) -> None:
        pairs = parse_query(b"b=1&a=x+y%2B&&flag&a=&c=%C3%A4=")
        assert pairs == [("b", "1"), ("a", "x y+"), ("flag", ""), ("a", ""), ("c", "ä=")]

    def test_queries_are_sorted_encoded(self) -> None:
        assert (
            canonical_query(
                [("b", "1"), ("a", "~"), ("a", "x y+"), ("A", ""), ("X-Amz-Signature", "0")]
            )
            == "A=&a=x%20y%2B&a=~&b=1"
        )

    def test_queries_are_bounded(self) -> None:
        assert len(parse_query(b"&".join([b"a"] * QUERY_PARAMETERS_MAX))) == QUERY_PARAMETERS_MAX
        with pytest.raises(S3Error) as caught:
            parse_query(b"&".join([b"a"] * (QUERY_PARAMETERS_MAX + 1)))
        assert caught.value.code == "InvalidURI"

    def test_queries_are_utf8(self) -> None:
        with pytest.raises(S3Error) as caught:
            parse_query(b"prefix=%ff")
        assert caught.value.code == "InvalidURI"


class TestRepeatedNames:
    """Clients in Go (mc, minio-go) sign repeated names in their order, not sorted by value."""

    QUERY = (("events", "b"), ("prefix", ""), ("events", "a"))

    def test_there_is_another_form_only_where_names_repeat(self) -> None:
        assert canonical_query(self.QUERY) == "events=a&events=b&prefix="
        assert canonical_query_in_order(self.QUERY) == "events=b&events=a&prefix="
        assert canonical_query_in_order((("b", "1"), ("a", "2"))) is None

    @pytest.mark.parametrize("signed", ["events=a&events=b&prefix=", "events=b&events=a&prefix="])
    def test_both_forms_are_good_and_no_other(self, signed: str) -> None:
        request = signed_with_query(signed)
        check_with_query(request, self.QUERY)
        with pytest.raises(S3Error, match="does not match"):
            check_with_query(request, (*self.QUERY, ("events", "c")))


def signed_with_query(query: str) -> Claim:
    headers = {"host": HOST, "x-amz-date": "20130524T000000Z"}
    canonical = canonical_request(
        method="GET",
        path="/k",
        query=query,
        headers=headers,
        signed_headers=["host", "x-amz-date"],
        payload_hash="UNSIGNED-PAYLOAD",
    )
    key = signing_key(SECRET, "20130524", "us-east-1")
    scope = "20130524/us-east-1/s3/aws4_request"
    return Claim(
        "access",
        "20130524",
        "us-east-1",
        ("host", "x-amz-date"),
        signature(key, "20130524T000000Z", scope, canonical),
        "20130524T000000Z",
        "UNSIGNED-PAYLOAD",
    )


def check_with_query(claim: Claim, query: tuple[tuple[str, str], ...]) -> None:
    verify(
        claim,
        SECRET,
        method="GET",
        path="/k",
        query=canonical_query(query),
        other_query=canonical_query_in_order(query),
        headers={"host": HOST, "x-amz-date": "20130524T000000Z"},
    )


def test_credentials_do_not_show_what_is_secret() -> None:
    shown = repr(Credentials("key", Secret("hidden"), "hidden"))
    assert "key" in shown
    assert "hidden" not in shown
