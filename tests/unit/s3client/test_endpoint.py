"""Endpoints, and how buckets and keys become hosts and paths."""

from __future__ import annotations

import pytest

from ingot.base.errors import UsageError
from ingot.s3client.endpoint import Addressing, Endpoint


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9000", ("http", "127.0.0.1", 9000)),
        ("https://s3.example.com/", ("https", "s3.example.com", 443)),
        ("http://[::1]:9000", ("http", "::1", 9000)),
        ("HTTP://Host", ("http", "host", 80)),
        ("https://s3.bücher.example", ("https", "s3.xn--bcher-kva.example", 443)),
    ],
)
def test_urls(url: str, expected: tuple[str, str, int]) -> None:
    endpoint = Endpoint.parse(url)
    assert (endpoint.scheme, endpoint.host, endpoint.port) == expected
    assert Endpoint.parse(endpoint.url) == endpoint


@pytest.mark.parametrize(
    "url",
    [
        *("", "host:9000", "ftp://host", "http://", "http://h:port", "http://h:99999"),
        *("http://h:0", f"http://{'ü' * 80}.example"),
        *("http://h/path", "http://h?q", "http://user:secret@h", "http://h#f"),
    ],
)
def test_other_things(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Endpoint.parse(url)
    assert caught.value.hint
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "addressing", "bucket", "key", "expected"),
    [
        ("http://h:9000", "auto", "", "", ("h", "h:9000", "/")),
        ("http://h:9000", "auto", "b", "", ("h", "h:9000", "/b")),
        ("http://h:9000", "auto", "b", "a//b c", ("h", "h:9000", "/b/a//b%20c")),
        ("http://h", "path", "b", "/k", ("h", "h", "/b//k")),
        ("https://h", "virtual", "bkt", "k", ("bkt.h", "bkt.h", "/k")),
        ("http://h:1", "virtual", "bkt", "", ("bkt.h", "bkt.h:1", "/")),
        ("http://[::1]:9000", "auto", "b", "k", ("::1", "[::1]:9000", "/b/k")),
        ("http://[fe80::1%2]:90", "auto", "b", "k", ("fe80::1%2", "[fe80::1]:90", "/b/k")),
        (
            "https://s3.eu-x.amazonaws.com",
            "auto",
            "bkt",
            "k",
            ("bkt.s3.eu-x.amazonaws.com", "bkt.s3.eu-x.amazonaws.com", "/k"),
        ),
        # A wildcard certificate covers one label; an old bucket may have a name no host can.
        (
            "https://s3.amazonaws.com",
            "auto",
            "a.bkt",
            "k",
            ("s3.amazonaws.com", "s3.amazonaws.com", "/a.bkt/k"),
        ),
        (
            "https://s3.amazonaws.com",
            "auto",
            "Old_Bucket",
            "k",
            ("s3.amazonaws.com", "s3.amazonaws.com", "/Old_Bucket/k"),
        ),
        ("http://127.0.0.1", "auto", "bkt", "k", ("127.0.0.1", "127.0.0.1", "/bkt/k")),
        ("https://notamazonaws.com", "auto", "bkt", "k", ("notamazonaws.com",) * 2 + ("/bkt/k",)),
    ],
)
def test_places(
    *, url: str, addressing: Addressing, bucket: str, key: str, expected: tuple[str, str, str]
) -> None:
    assert Endpoint.parse(url).locate(addressing, bucket, key) == expected


@pytest.mark.parametrize(
    ("host", "region", "expected"),
    [
        ("s3.amazonaws.com", "eu-west-1", "s3.eu-west-1.amazonaws.com"),
        ("s3.us-east-1.amazonaws.com", "eu-west-1", "s3.eu-west-1.amazonaws.com"),
        ("s3-us-gov-west-1.amazonaws.com", "us-gov-east-1", "s3.us-gov-east-1.amazonaws.com"),
        ("s3.dualstack.eu-x-1.amazonaws.com", "ap-y-2", "s3.dualstack.ap-y-2.amazonaws.com"),
        ("s3.cn-north-1.amazonaws.com.cn", "cn-z-1", "s3.cn-z-1.amazonaws.com.cn"),
        ("s3-accelerate.amazonaws.com", "eu-west-1", "s3-accelerate.amazonaws.com"),
        ("s3.amazonaws.com", "evil.example/", "s3.amazonaws.com"),
        ("s3.amazonaws.com.evil.example", "eu-west-1", "s3.amazonaws.com.evil.example"),
        ("minio.example.com", "eu-west-1", "minio.example.com"),
    ],
)
def test_the_regions_of_amazon_have_hosts(host: str, region: str, expected: str) -> None:
    assert Endpoint("https", host, 443).in_region(region) == Endpoint("https", expected, 443)
