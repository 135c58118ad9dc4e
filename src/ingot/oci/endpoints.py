"""Where registries answer: mirrors first, then the registry itself; which hosts may be insecure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from ingot.base.errors import UsageError
from ingot.oci.reference import REGISTRY_DEFAULT

MIRRORS_VARIABLE = "INGOT_REGISTRY_MIRRORS"
INSECURE_VARIABLE = "INGOT_REGISTRY_INSECURE"
CA_VARIABLE = "INGOT_REGISTRY_CA"
# The name people use for Docker's registry is not the host that answers.
_HOSTS = {REGISTRY_DEFAULT: "registry-1.docker.io"}
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A place that answers for a registry.

    Attributes:
        registry: whose login counts here.
        scheme: None when it may be plain HTTP and has to be tried.
        prefix: path before `/v2/`.
        is_insecure: certificates are not checked.
    """

    registry: str
    host: str
    port: int | None
    scheme: str | None
    prefix: str = ""
    is_insecure: bool = False

    def port_for(self, scheme: str) -> int:
        """Return the TCP port."""
        return self.port or _PORTS[scheme]

    @property
    def authority(self) -> str:
        """The `Host` header."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{name}:{self.port}" if self.port else name


@dataclass(frozen=True, slots=True)
class RegistryOptions:
    """How registries are reached.

    Attributes:
        mirrors: pairs of a registry's name and a mirror's URL, asked in this order before it.
        ca_file: certificates (PEM) to trust beside the system's.
        insecure: registries (`host[:port]`) whose certificates are not checked, and that may
            speak plain HTTP; loopback addresses may always do that.
        environment: where proxies and files of logins are looked up.
    """

    mirrors: tuple[tuple[str, str], ...] = ()
    ca_file: Path | None = None
    insecure: frozenset[str] = frozenset()
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def endpoints(self, registry: str) -> list[Endpoint]:
        """Return where to ask for a registry's images, in order."""
        mirrors = [url for name, url in self.mirrors if name == registry]
        own = _HOSTS.get(registry, registry)
        return [*(self._mirror(url) for url in mirrors), self._endpoint(registry, own)]

    def _mirror(self, url: str) -> Endpoint:
        parts = urlsplit(url)
        made = self._endpoint(parts.netloc, parts.netloc)
        # A mirror given as http:// is meant so.
        return replace(made, scheme=parts.scheme, prefix=parts.path.rstrip("/"))

    def _endpoint(self, registry: str, authority: str) -> Endpoint:
        parts = urlsplit(f"//{authority}")
        host = parts.hostname or ""
        insecure = registry in self.insecure
        scheme = None if insecure or is_loopback(host) else "https"
        return Endpoint(registry, host, parts.port, scheme, is_insecure=insecure)


def read_options(
    environment: Mapping[str, str],
    *,
    mirrors: tuple[str, ...] = (),
    ca_file: Path | None = None,
    insecure: tuple[str, ...] = (),
) -> RegistryOptions:
    """Return options from a command line; what it leaves out comes from the environment.

    Args:
        environment: `INGOT_REGISTRY_MIRRORS` and `INGOT_REGISTRY_INSECURE` are lists by commas,
            `INGOT_REGISTRY_CA` is a path.
        mirrors: `REGISTRY=URL`.
        ca_file: see `RegistryOptions`.
        insecure: see `RegistryOptions`.

    Raises:
        UsageError: a mirror is malformed.
    """
    named = mirrors or _words(environment, MIRRORS_VARIABLE)
    trusted = ca_file or (Path(path) if (path := environment.get(CA_VARIABLE)) else None)
    return RegistryOptions(
        mirrors=tuple(_parse_mirror(text) for text in named),
        ca_file=trusted,
        insecure=frozenset(insecure or _words(environment, INSECURE_VARIABLE)),
        environment=environment,
    )


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, where nobody listens on the way."""
    return host in {"localhost", "::1"} or host.startswith("127.")


def _words(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in environment.get(name, "").split(",") if word.strip())


def _parse_mirror(text: str) -> tuple[str, str]:
    registry, equals, url = text.partition("=")
    if not equals:
        registry, url = REGISTRY_DEFAULT, text
    if "://" not in url:
        url = f"https://{url}"
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.query:
        raise UsageError(
            f"{text!r} is no mirror of a registry",
            hint="write REGISTRY=URL, such as docker.io=https://mirror.example",
        )
    return registry, url
