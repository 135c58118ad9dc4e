"""URLs that servers name: of another place, or of a part of themselves."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from ingot.base.errors import NetworkError


def joined(base: str, named: str) -> str:
    """Return the whole of a URL that was named in an answer from `base`.

    Raises:
        NetworkError: it is none, or one of HTTP without a host.
    """
    try:
        url = urljoin(base, named)
        parts = urlsplit(url)
        if parts.port != 0 and (parts.hostname or parts.scheme not in {"http", "https"}):
            return url
    except ValueError:
        pass
    raise NetworkError(f"{base or 'a server'} names an address that is none: {named[:200]!r}")
