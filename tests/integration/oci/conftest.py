"""Registries and images that tests of pulling share."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingot.testing.images import SmallImage, gzipped, member, tar_of
from ingot.testing.registries import HTPASSWD, RunningRegistry, registry, write_login

# Not compressible, so that a blob is long enough to be cut.
NOISE = random.Random(1).randbytes(400_000)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """A registry without logins."""
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="session")
def image() -> SmallImage:
    """Two layers, the upper one large."""
    base = tar_of(member("etc"), member("etc/name", b"base"))
    top = tar_of(member("etc/name", b"top"), member("noise", NOISE))
    return SmallImage([base, top], run={"Cmd": ["/bin/app"]}, compress=gzipped)


@pytest.fixture(scope="session")
def arm(image: SmallImage) -> SmallImage:
    """The same for another machine, with a layer of its own."""
    own = tar_of(member("etc"), member("etc/name", b"arm"))
    return SmallImage([image.layers[0], own], architecture="arm64")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Files of a certificate for 127.0.0.1 that signs itself, and of its RSA key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "server.pem", folder / "server.key"
    command = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=registry"]
    command += ["-newkey", "rsa:2048", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def login_registry(tmp_path: Path) -> Iterator[tuple[RunningRegistry, dict[str, str]]]:
    """A registry that asks for a login, and the environment in which there is one."""
    folder = tmp_path / "login"
    folder.mkdir()
    (folder / "htpasswd").write_text(HTPASSWD)
    auth = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    with registry(folder, auth=auth) as running:
        yield running, write_login(folder, running)
