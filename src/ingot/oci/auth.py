"""Signing in to registries: challenges, basic authentication and bearer tokens.

Protocol: distribution "Token Authentication Specification" and its OAuth2 variant; RFC 7235.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import msgspec

from ingot.base.errors import DeniedError, NetworkError
from ingot.base.secret import Secret
from ingot.base.units import MIB
from ingot.oci.credentials import Login, find_login
from ingot.transport.pool import Request, Response
from ingot.transport.urls import joined

TOKEN_BYTES_MAX = 1 * MIB
_CLIENT = "ingot"
_PARAMETER = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')

Send = Callable[[Request], Response]


@dataclass(frozen=True, slots=True)
class Challenge:
    """A `WWW-Authenticate` header: `basic` or `bearer`, and its parameters."""

    scheme: str
    parameters: Mapping[str, str]


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


def parse_challenge(header: str) -> Challenge | None:
    """Read the first challenge that can be answered; None when there is none."""
    for match in re.finditer(r"(?i)\b(bearer|basic)\b(?=\s|$)", header):
        rest = header[match.end() :]
        found = {key.lower(): quoted or bare for key, quoted, bare in _PARAMETER.findall(rest)}
        return Challenge(match[1].lower(), found)
    return None


class Authenticator:
    """Knows the logins of all registries, and the tokens given for each of their repositories.

    Args:
        send: sends the requests for tokens.
        environment: where files of logins are looked up.
    """

    def __init__(self, send: Send, environment: Mapping[str, str]) -> None:
        self._send = send
        self._environment = environment
        self._lock = threading.Lock()
        self._headers: dict[tuple[str, str], Secret] = {}
        self._logins: dict[str, Login | None] = {}

    def header(self, registry: str, scope: str) -> str | None:
        """Return the `Authorization` that was good the last time."""
        with self._lock:
            known = self._headers.get((registry, scope))
        return known.reveal() if known is not None else None

    def answer(self, registry: str, scope: str, challenge: str, *, is_tls: bool) -> str:
        """Return the `Authorization` that answers a challenge.

        Args:
            registry: who asks.
            scope: `repository:NAME:pull`.
            challenge: the `WWW-Authenticate` header.
            is_tls: whether the registry itself is spoken to in TLS.

        Raises:
            DeniedError: the challenge cannot be answered, or the login is refused.
            NetworkError: the token service cannot be reached.
        """
        found = parse_challenge(challenge)
        login = self._login(registry)
        if found is None or (found.scheme == "basic" and login is None):
            raise DeniedError(f"{registry} asks for a login", hint=f"docker login {registry}")
        if found.scheme == "basic":
            assert login is not None
            header = login.basic()
        else:
            header = f"Bearer {self._token(registry, scope, found, login, is_tls=is_tls)}"
        with self._lock:
            self._headers[registry, scope] = Secret(header)
        return header

    def _login(self, registry: str) -> Login | None:
        with self._lock:
            if registry not in self._logins:
                self._logins[registry] = find_login(registry, self._environment)
            return self._logins[registry]

    def _token(
        self, registry: str, scope: str, challenge: Challenge, login: Login | None, *, is_tls: bool
    ) -> str:
        realm = urlsplit(joined("", challenge.parameters.get("realm", "")))
        if realm.scheme not in {"http", "https"} or realm.hostname is None:
            raise DeniedError(f"{registry} names no place to get a token from")
        if is_tls and realm.scheme != "https" and login is not None:
            raise DeniedError(f"{registry} wants the login sent without TLS to {realm.netloc}")
        fields = {"service": challenge.parameters.get("service", ""), "scope": scope}
        headers = {"host": realm.netloc.rpartition("@")[2], "user-agent": _CLIENT}
        query, body, method = realm.query, b"", "GET"
        if login is not None and login.is_token:
            method = "POST"
            headers["content-type"] = "application/x-www-form-urlencoded"
            grant = {
                "grant_type": "refresh_token",
                "refresh_token": login.password.reveal(),
                "client_id": _CLIENT,
            }
            body = urlencode({**fields, **grant}).encode()
        else:
            query = "&".join(part for part in (realm.query, urlencode(fields)) if part)
            if login is not None:
                headers["authorization"] = login.basic()
        request = Request(
            method=method,
            scheme=realm.scheme,
            host=realm.hostname,
            port=realm.port or (443 if realm.scheme == "https" else 80),
            target=f"{realm.path or '/'}?{query}" if query else realm.path or "/",
            headers=headers,
            body=body,
        )
        return self._read_token(registry, request)

    def _read_token(self, registry: str, request: Request) -> str:
        with self._send(request) as response:
            if response.status in {400, 401, 403}:
                raise DeniedError(
                    f"{request.host} gives no token for {registry}: HTTP status {response.status}",
                    hint=f"check the login: docker login {registry}",
                )
            if response.status != 200:
                raise NetworkError(
                    f"{request.host} answers with HTTP status {response.status} instead of a token"
                )
            data = response.read(TOKEN_BYTES_MAX)
        try:
            found = msgspec.json.decode(data, type=_Token)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NetworkError(f"{request.host} gives a malformed token") from error
        token = found.token or found.access_token
        if not token:
            raise NetworkError(f"{request.host} gives an empty token")
        return token
