"""The PostResponse document: what a form that asks for status 201 is answered."""

from __future__ import annotations

from typing import NamedTuple

from ingot.s3 import xml
from ingot.s3.etags import quote_etag


class Posted(NamedTuple):
    """The object that a form made, and its address."""

    location: str
    bucket: str
    key: str
    etag: str


def render(posted: Posted) -> bytes:
    """Write PostResponse; like errors it has no namespace."""
    content = xml.node(
        "PostResponse",
        xml.leaf("Location", posted.location),
        xml.leaf("Bucket", posted.bucket),
        xml.leaf("Key", posted.key),
        xml.leaf("ETag", quote_etag(posted.etag)),
    )
    return (xml.DECLARATION + content).encode()
