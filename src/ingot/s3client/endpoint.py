"""Where an S3 service is, and how a bucket and key become a host and a path there."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from ingot.base.errors import UsageError
from ingot.s3.names import bucket_name_problem, encode_path

Addressing = Literal["auto", "path", "virtual"]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOSTS_CACHED = 64
# Services that want the bucket in the host name.
_VIRTUAL_SUFFIXES = (
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".aliyuncs.com",
    ".storage.googleapis.com",
)
# Amazon's hosts, with a region in their name or without: what is elsewhere they send there.
_REGIONAL = re.compile(
    r"(s3(?:-fips)?(?:\.dualstack)?)(?:[.-][a-z]{2}(?:-[a-z]+)+-\d)?(\.amazonaws\.com(?:\.cn)?)"
)
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")


class Location(NamedTuple):
    """Where one request goes: the host to connect to, the Host header, the encoded path."""

    host: str
    host_header: str
    path: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The root of an S3 service.

    Attributes:
        scheme: `http` or `https`.
        host: name or address, without brackets.
        port: the TCP port.
    """

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Read `http://host[:port]` or `https://host[:port]`.

        Raises:
            UsageError: it is another kind of URL, or has a path, query or user in it.
        """
        hint = "write it like http://127.0.0.1:9000 or https://s3.example.com"
        try:
            parts = urlsplit(url)
            port = parts.port
            host = parts.hostname or ""
            if not host.isascii():
                host = host.encode("idna").decode("ascii")  # as it goes on the wire
        except ValueError as error:
            raise UsageError(f"{url!r} is no endpoint: {error}", hint=hint) from error
        if parts.scheme not in _DEFAULT_PORTS or not host or port == 0:
            raise UsageError(f"{url!r} is no endpoint", hint=hint)
        if parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment:
            # Without what it has more: that may be a password.
            raise UsageError(
                f"'{parts.scheme}://{host} …' has more in it than scheme, host and port", hint=hint
            )
        return cls(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme])

    @property
    def url(self) -> str:
        """The endpoint as a URL without a slash at the end."""
        return f"{self.scheme}://{self._authority(self.host)}"

    def in_region(self, region: str) -> Endpoint:
        """Return where Amazon has what is in a region; every other service has one place."""
        match = _REGIONAL.fullmatch(self.host)
        # The service wrote the region: nothing but one may get into a host's name.
        if match is None or _REGION.fullmatch(region) is None:
            return self
        return replace(self, host=f"{match[1]}.{region}{match[2]}")

    def locate(self, addressing: Addressing, bucket: str = "", key: str = "") -> Location:
        """Return where a request about a bucket or object goes.

        Args:
            addressing: `path` puts the bucket into the path, `virtual` into the host name; `auto`
                does what the service wants, as far as its name tells.
            bucket: empty for the service itself.
            key: empty for the bucket itself.
        """
        if bucket and _is_virtual(self, addressing, bucket):
            host = f"{bucket}.{self.host}"
            return Location(host, self._authority(host), encode_path(f"/{key}"))
        path = f"/{bucket}/{key}" if key else f"/{bucket}"
        return Location(self.host, self._authority(self.host), encode_path(path))

    def _authority(self, host: str) -> str:
        # The zone of a link-local address is ours alone.
        name = f"[{host.partition('%')[0]}]" if ":" in host else host
        return name if self.port == _DEFAULT_PORTS[self.scheme] else f"{name}:{self.port}"


# Asked for every request, always about the same few.
@lru_cache(_HOSTS_CACHED)
def _is_virtual(endpoint: Endpoint, addressing: Addressing, bucket: str) -> bool:
    if addressing != "auto":
        return addressing == "virtual"
    if bucket_name_problem(bucket) or (endpoint.scheme == "https" and "." in bucket):
        # A wildcard certificate covers one label.
        return False
    host = endpoint.host
    return not _is_address(host) and f".{host}".endswith(_VIRTUAL_SUFFIXES)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
