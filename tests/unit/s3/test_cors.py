import pytest

from ingot.s3.cors import CorsRequest, answer_headers, find_rule, parse_requested_headers
from ingot.s3.documents.cors import CorsRule

PAGE = "https://app.example.com"


@pytest.mark.parametrize(
    ("origins", "origin", "expected"),
    [
        (("*",), PAGE, True),
        ((PAGE,), PAGE, True),
        ((PAGE,), "https://APP.example.com", False),
        (("https://*.example.com",), PAGE, True),
        (("https://*.example.com",), "https://example.com", False),
        (("https://*.example.com",), "https://.example.com", True),
        (("http://a", "https://*"), PAGE, True),
        (("aba*ba",), "aba", False),
    ],
)
def test_origins_have_one_star_at_most(
    origins: tuple[str, ...], origin: str, expected: bool
) -> None:
    rule = CorsRule(origins, ("GET",))
    assert (rule if expected else None) == find_rule([rule], CorsRequest(origin, "GET"))


def test_the_first_rule_that_allows_all_of_it_counts() -> None:
    narrow = CorsRule((PAGE,), ("PUT",), headers=("x-amz-meta-*", "Content-Type"))
    wide = CorsRule(("*",), ("PUT", "GET"), headers=("*",))
    ask = CorsRequest(PAGE, "PUT", ("x-amz-meta-color", "content-type"))
    assert find_rule([narrow, wide], ask) is narrow
    assert find_rule([narrow, wide], ask._replace(headers=("x-other",))) is wide
    assert find_rule([narrow], ask._replace(headers=("x-other",))) is None
    assert find_rule([narrow, wide], ask._replace(method="DELETE")) is None


def test_credentials_are_for_pages_that_are_named() -> None:
    ask = CorsRequest(PAGE, "GET", ("range",))
    named = CorsRule((PAGE,), ("GET", "HEAD"), exposed=("ETag",), max_age_s=60)
    assert answer_headers(named, ask) == [
        ("access-control-allow-origin", PAGE),
        ("access-control-allow-methods", "GET, HEAD"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-headers", "range"),
        ("access-control-expose-headers", "ETag"),
        ("access-control-max-age", "60"),
        ("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"),
    ]
    anybody = dict(answer_headers(CorsRule(("*",), ("GET",)), ask))
    assert anybody["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in anybody


def test_requested_headers_are_names_in_lower_case() -> None:
    assert parse_requested_headers(" Range, X-Amz-Date ,") == ("range", "x-amz-date")
    assert parse_requested_headers("") == ()
