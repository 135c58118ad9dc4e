"""Where registries answer, and what may be spoken to them."""

from pathlib import Path

import pytest

from ingot.base.errors import UsageError
from ingot.oci.auth import parse_challenge
from ingot.oci.endpoints import read_options


def places(registry: str, environment: dict[str, str], **given) -> list[tuple[object, ...]]:
    options = read_options(environment, **given)
    return [
        (place.scheme, place.authority, place.prefix, place.is_insecure)
        for place in options.endpoints(registry)
    ]


def test_a_registry_is_spoken_to_in_tls() -> None:
    assert places("registry.example", {}) == [("https", "registry.example", "", False)]
    assert places("docker.io", {})[0][:2] == ("https", "registry-1.docker.io")


@pytest.mark.parametrize("name", ["localhost:5000", "127.0.0.1:5000", "[::1]:5000"])
def test_loopback_may_be_plain(name: str) -> None:
    assert places(name, {}) == [(None, name, "", False)]


def test_insecure_registries() -> None:
    assert places("a:5000", {"INGOT_REGISTRY_INSECURE": "b, a:5000"}) == [
        (None, "a:5000", "", True)
    ]
    assert places("a:5000", {}, insecure=("a:5001",)) == [("https", "a:5000", "", False)]


def test_mirrors_come_first() -> None:
    environment = {"INGOT_REGISTRY_MIRRORS": "r.example=http://m:8/prefix/, n.example"}
    assert places("r.example", environment) == [
        ("http", "m:8", "/prefix", False),
        ("https", "r.example", "", False),
    ]
    assert places("docker.io", environment)[0][1] == "n.example"
    assert len(places("other.example", environment)) == 1
    # The command line replaces the environment.
    assert len(places("r.example", environment, mirrors=("other.example=m",))) == 1


def test_trusted_certificates(tmp_path: Path) -> None:
    assert read_options({"INGOT_REGISTRY_CA": "/a"}).ca_file == Path("/a")
    assert read_options({"INGOT_REGISTRY_CA": "/a"}, ca_file=tmp_path).ca_file == tmp_path


@pytest.mark.parametrize("text", ["r.example=ftp://m", "r.example=", "r.example=http://m?x=1"])
def test_malformed_mirrors(text: str) -> None:
    with pytest.raises(UsageError):
        read_options({}, mirrors=(text,))


@pytest.mark.parametrize(
    ("header", "scheme", "parameters"),
    [
        ('Basic realm="r"', "basic", {"realm": "r"}),
        (
            'Bearer realm="https://a/t",service="s",scope="repository:x:pull,push"',
            "bearer",
            {"realm": "https://a/t", "service": "s", "scope": "repository:x:pull,push"},
        ),
        ("bearer Realm=x", "bearer", {"realm": "x"}),
        ('Negotiate, Basic realm="r"', "basic", {"realm": "r"}),
    ],
)
def test_challenges(header: str, scheme: str, parameters: dict[str, str]) -> None:
    found = parse_challenge(header)
    assert found is not None
    assert (found.scheme, found.parameters) == (scheme, parameters)


@pytest.mark.parametrize("header", ["", "Negotiate", "Digest realm=x"])
def test_challenges_that_cannot_be_answered(header: str) -> None:
    assert parse_challenge(header) is None
