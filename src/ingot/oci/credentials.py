"""Who we are to registries: Docker's and Podman's files of logins, and their credential helpers.

Format: docs.docker.com/reference/cli/docker/login; containers-auth.json(5).
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ingot.base.errors import DeniedError, MissingToolError, UsageError
from ingot.base.secret import Secret
from ingot.oci.reference import REGISTRY_DEFAULT

HELPER_TIMEOUT_S = 30
FILE_BYTES_MAX = 1 << 20
# What Docker calls its own registry in its files.
_DOCKER_KEY = "https://index.docker.io/v1/"
# A helper answers with this user name when its secret is an identity token.
_TOKEN_USER = "<token>"  # noqa: S105 # a marker, no secret
_NOT_FOUND = "credentials not found"
_HELPER_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Login:
    """How to sign in.

    Attributes:
        password: or an identity token when `is_token`, to be exchanged for access tokens.
    """

    user: str
    password: Secret
    is_token: bool = False

    def basic(self) -> str:
        """Return the value of an `Authorization` header (RFC 7617)."""
        pair = f"{self.user}:{self.password.reveal()}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


class _Auth(msgspec.Struct, rename="lower"):
    auth: str = ""
    username: str = ""
    password: str = ""
    identitytoken: str = ""


class _File(msgspec.Struct, rename="camel"):
    auths: dict[str, _Auth] = {}
    cred_helpers: dict[str, str] = {}
    creds_store: str = ""


class _Answer(msgspec.Struct, rename="pascal"):
    username: str
    secret: str


def find_login(registry: str, environment: Mapping[str, str]) -> Login | None:
    """Return the login for a registry; None when no file has one.

    Files, the first that has a login wins: `REGISTRY_AUTH_FILE`, config.json in `DOCKER_CONFIG` or
    ~/.docker, and `containers/auth.json` in `XDG_RUNTIME_DIR`.

    Raises:
        UsageError: a file is malformed.
        MissingToolError: a credential helper is not installed.
        DeniedError: a credential helper failed.
    """
    for path in _paths(environment):
        file = _read(path)
        if file is None:
            continue
        found = _from_helper(file, registry, environment) or _from_file(file, registry, path)
        if found is not None:
            return found
    return None


def _paths(environment: Mapping[str, str]) -> list[Path]:
    paths = []
    if own := environment.get("REGISTRY_AUTH_FILE"):
        paths.append(Path(own))
    docker = environment.get("DOCKER_CONFIG") or os.path.join(
        environment.get("HOME", ""), ".docker"
    )
    paths.append(Path(docker, "config.json"))
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        paths.append(Path(runtime, "containers", "auth.json"))
    return paths


def _read(path: Path) -> _File | None:
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(FILE_BYTES_MAX), type=_File)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as a file of logins: {error}") from error


def _host(key: str) -> str:
    """Return the registry a key is about; keys may be URLs or carry a namespace."""
    host = key.partition("://")[2] or key
    host = host.partition("/")[0]
    return REGISTRY_DEFAULT if host in {"index.docker.io", "registry-1.docker.io"} else host


def _from_file(file: _File, registry: str, path: Path) -> Login | None:
    for key, auth in file.auths.items():
        if _host(key) != registry:
            continue
        if auth.identitytoken:
            return Login(_TOKEN_USER, Secret(auth.identitytoken), is_token=True)
        if auth.username:
            return Login(auth.username, Secret(auth.password))
        if auth.auth:
            try:
                user, _, password = (
                    base64.b64decode(auth.auth, validate=True).decode().partition(":")
                )
            except (binascii.Error, UnicodeDecodeError) as error:
                raise UsageError(f"{path}: the login for {registry} is malformed") from error
            return Login(user, Secret(password.rstrip("\0")))
    return None


def _from_helper(file: _File, registry: str, environment: Mapping[str, str]) -> Login | None:
    named = (name for key, name in file.cred_helpers.items() if _host(key) == registry)
    helper = next(named, file.creds_store)
    if not helper:
        return None
    key = _DOCKER_KEY if registry == REGISTRY_DEFAULT else registry
    return _ask(helper, key, environment)


def _ask(helper: str, key: str, environment: Mapping[str, str]) -> Login | None:
    """Ask `docker-credential-NAME get`; the key goes in, and the secret comes out, by a pipe."""
    program = f"docker-credential-{helper}"
    path = environment.get("PATH")
    found = shutil.which(program, path=path) if _HELPER_NAME.fullmatch(helper) else None
    if found is None:
        raise MissingToolError(
            f"the login for {key} is kept by {program}, which is not installed",
            hint="install it, or remove it from Docker's config.json",
        )
    try:
        result = subprocess.run(
            [found, "get"],
            env=dict(environment),
            input=key.encode(),
            capture_output=True,
            timeout=HELPER_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeniedError(f"{program} did not answer: {type(error).__name__}") from error
    if result.returncode != 0:
        words = (result.stdout + result.stderr).decode("utf-8", "replace").strip()
        if _NOT_FOUND in words:
            return None
        raise DeniedError(f"{program} failed for {key}: {words[:200]}")
    try:
        answer = msgspec.json.decode(result.stdout, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # The answer may hold the secret: it is not shown.
        raise DeniedError(f"{program} gave an answer that is not understood") from error
    return Login(answer.username, Secret(answer.secret), is_token=answer.username == _TOKEN_USER)
