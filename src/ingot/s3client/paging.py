"""Where the next page of a listing begins, and whether a page is of the listing that was asked for.

A listing that ends early looks like one whose other names are gone, and who deletes what is gone
would delete them. So what a service does not say is never taken for the end.
"""

from __future__ import annotations

from typing import TypeVar

from ingot.base.errors import NetworkError

_Marker = TypeVar("_Marker", str, int, tuple[str, str])


def following(subject: str, marker: _Marker | None, before: _Marker | None) -> _Marker:
    """Return where the page after one that is not the last begins.

    Args:
        subject: what is listed.
        marker: what the page says.
        before: where the page itself began; None if at the beginning.

    Raises:
        NetworkError: it says nothing, or the same again, which would go on for ever.
    """
    if not marker or marker == before:
        raise NetworkError(
            f"{subject}: the service says that its list goes on, but not where",
            hint="check that the endpoint is an S3 service with ListObjectsV2",
        )
    return marker


def check_prefix(subject: str, ends: tuple[str, str], prefix: str) -> None:
    """Make sure that a page has keys that were asked for; its first and last tell of all.

    Raises:
        NetworkError: the service does not know prefixes.
    """
    for key in ends:
        if not key.startswith(prefix):
            raise NetworkError(
                f"{subject}: the service lists {key!r}, which does not begin with {prefix!r}",
                hint="check that the endpoint is an S3 service",
            )
