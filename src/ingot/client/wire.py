"""How this run's connections differ from the usual: limits, resolved names, TLS, extra headers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ingot.base.errors import UsageError
from ingot.base.units import parse_size
from ingot.client.encrypting import Encryption
from ingot.transport.options import TlsOptions, TransportOptions

# Those that signing and framing write.
_OWN_HEADERS = frozenset(
    {
        *("authorization", "connection", "content-length", "content-md5", "expect", "host"),
        *("transfer-encoding", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"),
    }
)
_RESOLVED = re.compile(r"(?P<host>[^:=]+)(:(?P<port>\d{1,5}))?=(?P<address>.+)", re.ASCII)
_PORT_MAX = 65_535
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@dataclass(frozen=True, slots=True)
class Wire:
    """What was said about connections.

    Attributes:
        options: of the transport.
        headers: sent with every request, signed like the others, by lower-case name.
        encryption: of objects.
        checksum: which one uploads carry.
        split_from_bytes: files of this size and more move in parts; None for what is usual.
        is_traced: requests and answers are shown.
    """

    options: TransportOptions = field(default_factory=TransportOptions)
    headers: Mapping[str, str] = field(default_factory=dict)
    encryption: Encryption = field(default_factory=Encryption)
    checksum: str = "CRC32C"
    split_from_bytes: int | None = None
    is_traced: bool = False


class _Chosen:
    """The wire of this process; a command line has one."""

    wire = Wire()


def current() -> Wire:
    """Return what was said about connections."""
    return _Chosen.wire


def use(wire: Wire) -> None:
    """Let every connection that is opened from now on be made so."""
    _Chosen.wire = wire


def parse_wire(
    *,
    limit_upload: str | None = None,
    limit_download: str | None = None,
    resolve: Sequence[str] = (),
    insecure: bool = False,
    headers: Sequence[str] = (),
    debug: bool = False,
) -> Wire:
    """Read what was said about connections.

    Args:
        limit_upload: bytes a second, as `10M` or `10M/s`; 0 for any.
        limit_download: the same.
        resolve: `HOST[:PORT]=IP`, each.
        insecure: whether certificates are taken as they are.
        headers: `Name: value`, each.
        debug: whether requests and answers are shown.

    Raises:
        UsageError: one of them is not written like this.
    """
    options = TransportOptions(
        tls=TlsOptions(verify=not insecure),
        upload_bytes_per_s=_rate(limit_upload),
        download_bytes_per_s=_rate(limit_download),
        resolve=dict(_resolved(text) for text in resolve),
    )
    return Wire(options, dict(_header(text) for text in headers), is_traced=debug)


def _rate(text: str | None) -> int | None:
    if text is None:
        return None
    # As with mc, 0 is no limit.
    return parse_size(text.removesuffix("/s")) or None


def _resolved(text: str) -> tuple[tuple[str, int | None], str]:
    match = _RESOLVED.fullmatch(text)
    port = int(match["port"]) if match and match["port"] else None
    if match is None or not _is_address(match["address"]) or (port or 0) > _PORT_MAX:
        raise UsageError(
            f"{text!r} does not resolve a name", hint="write it like s3.example.com:443=10.0.0.5"
        )
    return (match["host"].lower(), port), match["address"]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _header(text: str) -> tuple[str, str]:
    name, colon, value = (part.strip() for part in text.partition(":"))
    if not colon or not _HEADER_NAME.fullmatch(name) or not value.isprintable():
        raise UsageError(f"{text!r} is no header", hint="write it like 'X-Trace-Id: 7'")
    if name.lower() in _OWN_HEADERS:
        raise UsageError(f"the header {name} is written by each request itself")
    return name.lower(), value
