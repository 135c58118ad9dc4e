"""Which proxy a host is reached through."""

from __future__ import annotations

import pytest

from ingot.base.errors import UsageError
from ingot.transport.options import proxy_for

PROXIES = {"http_proxy": "http://p:1", "HTTPS_PROXY": "p:2", "no_proxy": "x.org, .y.org,10.0.0.1"}


@pytest.mark.parametrize(
    ("scheme", "host", "expected"),
    [
        ("http", "a.org", "http://p:1"),
        ("https", "a.org", "http://p:2"),
        ("https", "x.org", None),
        ("https", "sub.x.org", None),
        ("https", "notx.org", "http://p:2"),
        ("https", "a.Y.org", None),
        ("http", "10.0.0.1", None),
        ("http", "localhost", None),
        ("http", "127.0.0.9", None),
        ("http", "::1", None),
    ],
)
def test_hosts(scheme: str, host: str, expected: str | None) -> None:
    assert proxy_for(scheme, host, PROXIES) == expected


def test_none_all_and_everything_excepted() -> None:
    assert proxy_for("http", "a.org", {}) is None
    assert proxy_for("http", "a.org", {"ALL_PROXY": "http://p:3"}) == "http://p:3"
    assert proxy_for("http", "a.org", {"ALL_PROXY": "http://p:3", "NO_PROXY": "*"}) is None


def test_a_request_header_cannot_choose_the_proxy() -> None:
    environment = {"REQUEST_METHOD": "GET", "HTTP_PROXY": "http://evil:1"}
    assert proxy_for("http", "a.org", environment) is None


def test_unsupported_proxies_are_told() -> None:
    with pytest.raises(UsageError, match="socks5"):
        proxy_for("http", "a.org", {"all_proxy": "socks5://p:1"})
