"""References are completed as Docker completes them, and nothing else passes for one."""

import pytest

from ingot.base.errors import UsageError
from ingot.oci.reference import Reference, parse_reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("alpine", "docker.io/library/alpine:latest"),
        ("alpine:3.20", "docker.io/library/alpine:3.20"),
        ("linuxkit/init:v1", "docker.io/linuxkit/init:v1"),
        ("a/b/c", "docker.io/a/b/c:latest"),
        ("index.docker.io/alpine", "docker.io/library/alpine:latest"),
        ("docker.io/alpine", "docker.io/library/alpine:latest"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/x:y", "localhost:5000/x:y"),
        ("registry.example/x", "registry.example/x:latest"),
        ("registry.example:5000/x", "registry.example:5000/x:latest"),
        ("Host/x", "Host/x:latest"),
        ("[::1]:5000/x", "[::1]:5000/x:latest"),
        (f"alpine@{DIGEST}", f"docker.io/library/alpine@{DIGEST}"),
        (f"alpine:3@{DIGEST}", f"docker.io/library/alpine:3@{DIGEST}"),
        ("a__b/c-d.e", "docker.io/a__b/c-d.e:latest"),
    ],
)
def test_names_are_completed(text: str, full: str) -> None:
    assert str(parse_reference(text)) == full
    assert parse_reference(full) == parse_reference(text)


def test_the_digest_decides() -> None:
    assert parse_reference(f"alpine:3@{DIGEST}").version == DIGEST
    assert parse_reference("alpine:3").version == "3"
    assert parse_reference("alpine").name == "docker.io/library/alpine"
    assert Reference("r", "x").version == "latest"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Alpine",
        "a/B",
        "alpine:",
        "alpine:-x",
        "alpine:" + "x" * 129,
        "alpine@sha256:abc",
        "alpine@md5:" + "a" * 32,
        f"@{DIGEST}",
        "a" * 64,
        "/alpine",
        "a//b",
        "../etc",
        "registry.example:port/x",
        "registry.example/",
        "-a.example/x",
        "a b",
        "x/" + "a" * 256,
    ],
)
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(UsageError):
        parse_reference(text)
