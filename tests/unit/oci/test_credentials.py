"""Logins come from the files and helpers of other tools, and never show themselves."""

import base64
import json
from pathlib import Path

import pytest

from ingot.base.errors import DeniedError, MissingToolError, UsageError
from ingot.oci.credentials import Login, find_login

HELPER = """#!/bin/sh
[ "$1" = get ] || exit 9
read -r key
case "$key" in
registry.example) echo '{"Username": "helper", "Secret": "s1"}' ;;
https://index.docker.io/v1/) echo '{"Username": "<token>", "Secret": "t1"}' ;;
broken.example) echo 'no json s3cret' ;;
locked.example) echo 'the safe is locked'; exit 1 ;;
*) echo 'credentials not found in native keychain'; exit 1 ;;
esac
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    program = tmp_path / "bin" / "docker-credential-safe"
    program.parent.mkdir()
    program.write_text(HELPER)
    program.chmod(0o755)
    return {"DOCKER_CONFIG": str(tmp_path), "PATH": f"{tmp_path}/bin:/usr/bin:/bin"}


def write(tmp_path: Path, document: object) -> None:
    (tmp_path / "config.json").write_text(json.dumps(document))


def shown(login: Login | None) -> tuple[str, str, bool] | None:
    return (login.user, login.password.reveal(), login.is_token) if login else None


AUTH = base64.b64encode(b"user:pa:ss").decode()


@pytest.mark.parametrize("key", ["registry.example", "https://registry.example/v2/"])
def test_logins_of_the_file(key: str, tmp_path: Path, environment: dict[str, str]) -> None:
    write(tmp_path, {"auths": {"other.example": {"auth": "x"}, key: {"auth": AUTH}}})
    found = find_login("registry.example", environment)
    assert shown(found) == ("user", "pa:ss", False)
    assert found is not None
    assert found.basic() == f"Basic {AUTH}"
    assert "pa:ss" not in repr(found)
    assert find_login("registry.example:5000", environment) is None


def test_docker_calls_its_own_registry_by_a_url(tmp_path: Path, environment) -> None:
    write(tmp_path, {"auths": {"https://index.docker.io/v1/": {"auth": AUTH}}})
    assert shown(find_login("docker.io", environment)) == ("user", "pa:ss", False)


def test_identity_tokens(tmp_path: Path, environment: dict[str, str]) -> None:
    write(tmp_path, {"auths": {"registry.example": {"auth": AUTH, "identitytoken": "t"}}})
    assert shown(find_login("registry.example", environment)) == ("<token>", "t", True)


def test_helpers(tmp_path: Path, environment: dict[str, str]) -> None:
    write(tmp_path, {"credHelpers": {"registry.example": "safe"}, "auths": {"x.example": {}}})
    assert shown(find_login("registry.example", environment)) == ("helper", "s1", False)
    assert find_login("x.example", environment) is None
    write(tmp_path, {"credsStore": "safe"})
    assert shown(find_login("docker.io", environment)) == ("<token>", "t1", True)
    assert find_login("unknown.example", environment) is None


@pytest.mark.parametrize("registry", ["broken.example", "locked.example"])
def test_helpers_that_fail(registry: str, tmp_path: Path, environment: dict[str, str]) -> None:
    write(tmp_path, {"credsStore": "safe"})
    with pytest.raises(DeniedError) as caught:
        find_login(registry, environment)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing", "../bin/docker-credential-safe"])
def test_helpers_that_are_not_there(name: str, tmp_path: Path, environment) -> None:
    write(tmp_path, {"credsStore": name})
    with pytest.raises(MissingToolError):
        find_login("registry.example", environment)


def test_the_order_of_files(tmp_path: Path, environment: dict[str, str]) -> None:
    write(tmp_path, {"auths": {"registry.example": {"auth": AUTH}}})
    podman = tmp_path / "containers" / "auth.json"
    podman.parent.mkdir()
    podman.write_text(
        json.dumps({"auths": {"registry.example": {"username": "p", "password": "q"}}})
    )
    environment["XDG_RUNTIME_DIR"] = str(tmp_path)
    assert shown(find_login("registry.example", environment)) == ("user", "pa:ss", False)
    environment["REGISTRY_AUTH_FILE"] = str(podman)
    assert shown(find_login("registry.example", environment)) == ("p", "q", False)


@pytest.mark.parametrize("text", ["{", '{"auths": 3}', '{"auths": {"r.example": {"auth": "%%"}}}'])
def test_malformed_files(text: str, tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UsageError):
        find_login("r.example", environment)


def test_no_files(tmp_path: Path) -> None:
    assert find_login("registry.example", {"HOME": str(tmp_path / "nobody")}) is None
