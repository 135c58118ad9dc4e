"""Certificates that Docker and Podman keep for single registries: whom to trust, and who we are.

Layout: docs.docker.com "Verify repository client with certificates"; containers-certs.d(5).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ingot.base.errors import UsageError
from ingot.transport.options import TlsOptions

FOLDER = "certs.d"
_SYSTEM = (Path("/etc/containers"), Path("/etc/docker"))


def find_certificates(authority: str, environment: Mapping[str, str]) -> TlsOptions | None:
    """Return what `certs.d/HOST[:PORT]` says, in the first folder that there is; else None.

    `*.crt` are certificates to trust; `NAME.cert` is ours, and `NAME.key` its key.

    Args:
        authority: host and port as references name them.
        environment: `XDG_CONFIG_HOME` or `HOME` say where the user's folders are.

    Raises:
        UsageError: a certificate of ours has no key.
    """
    for place in _places(environment):
        folder = place / FOLDER / authority
        if folder.is_dir():
            return _read(folder)
    return None


def _places(environment: Mapping[str, str]) -> list[Path]:
    home = environment.get("HOME")
    base = environment.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    own = [Path(base, name) for name in ("containers", "docker")] if base else []
    return [*own, *_SYSTEM]


def _read(folder: Path) -> TlsOptions:
    trusted = tuple(sorted(folder.glob("*.crt")))
    for certificate in sorted(folder.glob("*.cert")):
        key = certificate.with_suffix(".key")
        if not key.is_file():
            raise UsageError(
                f"{certificate} has no key: {key} does not exist",
                hint="certificates to trust end with .crt",
            )
        return TlsOptions(more_ca_files=trusted, identity=(certificate, key))
    return TlsOptions(more_ca_files=trusted)
