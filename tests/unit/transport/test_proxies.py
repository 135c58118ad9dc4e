"""Which proxy a host is reached through."""

from __future__ import annotations

import pytest

from ingot.base.errors import UsageError
from ingot.transport.options import TransportOptions
from ingot.transport.proxies import Proxy, proxy_for

NO_PROXY = (
    "x.org, .y.org,10.0.0.1,*.z.org,10.1.0.0/16,fd00::/8,p.org:9000,10.2.0.1:9000,[fe80::1]:9000,"
)
PROXIES = {"http_proxy": "http://p:1", "HTTPS_PROXY": "p:2", "no_proxy": NO_PROXY}


@pytest.mark.parametrize(
    ("scheme", "host", "expected"),
    [
        ("http", "a.org", 1),
        ("https", "a.org", 2),
        ("https", "x.org", None),
        ("https", "x.org.", None),
        ("https", "sub.x.org", None),
        ("https", "notx.org", 2),
        ("https", "a.Y.org", None),
        ("https", "a.z.org", None),
        ("http", "10.0.0.1", None),
        ("http", "10.1.2.3", None),
        ("http", "10.3.2.3", 1),
        ("http", "fd00::1", None),
        ("http", "2001:db8::1", 1),
        ("http", "p.org", None),
        ("http", "10.2.0.1", None),
        ("http", "fe80::1", None),
        ("http", "localhost", None),
        ("http", "127.0.0.9", None),
        ("http", "::1", None),
    ],
)
def test_hosts(scheme: str, host: str, expected: int | None) -> None:
    proxy = proxy_for(scheme, host, 9000, PROXIES)
    assert proxy == (None if expected is None else Proxy("http", "p", expected))


@pytest.mark.parametrize("host", ["p.org", "10.2.0.1", "fe80::1"])
def test_an_exception_of_one_port_is_of_that_one(host: str) -> None:
    assert proxy_for("http", host, 9001, PROXIES) is not None


def test_none_all_and_everything_excepted() -> None:
    assert proxy_for("http", "a.org", 80, {}) is None
    assert proxy_for("http", "a.org", 80, {"ALL_PROXY": "http://p:3"}) == Proxy("http", "p", 3)
    assert proxy_for("http", "a.org", 80, {"ALL_PROXY": "http://p:3", "NO_PROXY": "*"}) is None


def test_a_request_header_cannot_choose_the_proxy() -> None:
    environment = {"REQUEST_METHOD": "GET", "HTTP_PROXY": "http://evil:1"}
    assert proxy_for("http", "a.org", 80, environment) is None


@pytest.mark.parametrize("url", ["socks5://me:hidden@p:1", "http://me:hidden@p:none", "http://"])
def test_unsupported_proxies_are_told_without_their_passwords(url: str) -> None:
    with pytest.raises(UsageError, match="proxy") as caught:
        proxy_for("http", "a.org", 80, {"all_proxy": url})
    assert "hidden" not in str(caught.value)


def test_who_uses_a_proxy_is_told_to_it() -> None:
    proxy = proxy_for("http", "a.org", 80, {"http_proxy": "http://us%40er:pass@p"})
    assert proxy == Proxy("http", "p", 80, "Basic dXNAZXI6cGFzcw==")


def test_no_time_at_all_is_no_time_out() -> None:
    for options in ({"read_timeout_s": 0}, {"connect_timeout_s": -1}):
        with pytest.raises(UsageError):
            TransportOptions(**options)
    assert "PATH" not in repr(TransportOptions())
