"""What people want objects to carry: attributes, tags and a storage class, as they write them."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from ingot.base.clock import SystemClock
from ingot.base.errors import UsageError
from ingot.client.tagging import parse_tags
from ingot.client.validity import parse_validity
from ingot.s3.dates import format_iso8601
from ingot.s3.headers import CONTENT_HEADERS, METADATA_PREFIX
from ingot.s3.lockheaders import HOLD_HEADER, MODE_HEADER, UNTIL_HEADER
from ingot.s3client.results import Attributes

_ENDINGS_CACHED = 256
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@dataclass(frozen=True, slots=True)
class Given:
    """What was said about the objects to write.

    Attributes:
        attributes: `Cache-Control=max-age=90;artist=me`: content headers, and metadata.
        tags: `name=value&name=value`; empty for none.
        storage_class: as the service calls it.
        content_type: else it is guessed from the name.
        retention_mode: `governance` or `compliance`.
        retention_duration: how long, as `30d`.
        legal_hold: `on` or `off`.
    """

    attributes: str | None = None
    tags: str | None = None
    storage_class: str | None = None
    content_type: str | None = None
    retention_mode: str | None = None
    retention_duration: str | None = None
    legal_hold: str | None = None

    def __bool__(self) -> bool:
        """Whether anything was said."""
        return self != Given()

    def for_name(self, name: str) -> Attributes:
        """Return the attributes of an object whose name ends like this.

        Raises:
            UsageError: what was said cannot be attributes or tags.
        """
        return self.over(Attributes(content_headers_of(name)))

    def over(self, base: Attributes) -> Attributes:
        """Return the attributes that an object gets which would else have `base`.

        Raises:
            UsageError: what was said cannot be attributes or tags.
        """
        if not self:
            return base
        headers, metadata = parse_attributes(self.attributes or "")
        if self.content_type is not None:
            headers["content-type"] = self.content_type
        return Attributes(
            {**base.content_headers, **headers},
            {**base.metadata, **metadata},
            self.storage_class or base.storage_class,
            self._tags(base),
            self._lock(),
        )

    def _lock(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        if (self.retention_mode is None) != (self.retention_duration is None):
            raise UsageError("--retention-mode and --retention-duration go together")
        if self.retention_mode is not None and self.retention_duration is not None:
            until_ns = parse_validity(self.retention_duration).until_ns(SystemClock().now_ns())
            headers |= {
                MODE_HEADER: self.retention_mode.upper(),
                UNTIL_HEADER: format_iso8601(until_ns),
            }
        if self.legal_hold is not None:
            headers[HOLD_HEADER] = self.legal_hold.upper()
        return headers

    def _tags(self, base: Attributes) -> Mapping[str, str] | None:
        if self.tags is None:
            return base.tags
        return parse_tags(self.tags) if self.tags else {}

    def check(self) -> None:
        """Make sure that what was said can be attributes and tags.

        Raises:
            UsageError: it cannot.
        """
        self.over(Attributes())


def parse_attributes(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """Read `name=value;name=value` as content headers and metadata, by lower-case names.

    Raises:
        UsageError: it is none.
    """
    headers: dict[str, str] = {}
    metadata: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(";"))):
        name, separator, value = pair.partition("=")
        name = name.strip().lower().removeprefix(METADATA_PREFIX)
        if not separator or not _NAME.fullmatch(name) or not value.isprintable():
            raise UsageError(
                f"{pair!r} is no attribute",
                hint="write them like 'Cache-Control=max-age=90;artist=me'",
            )
        (headers if name in CONTENT_HEADERS else metadata)[name] = value.strip()
    return headers, metadata


def content_headers_of(name: str) -> dict[str, str]:
    """Guess an object's `Content-Type`; its bytes are no encoding of others, so that is all."""
    # A dot in front is no ending's.
    _, dot, ending = name.rpartition("/")[2].lstrip(".").partition(".")
    return {"content-type": _content_type(dot + ending)}


# Asked of each file, and there are few endings.
@lru_cache(_ENDINGS_CACHED)
def _content_type(ending: str) -> str:
    kind, encoding = mimetypes.guess_type(f"name{ending}", strict=False)
    # `x.tar.gz` is a gzip file, not a tar to be unpacked on the way.
    if encoding is not None:
        kind = {"gzip": "application/gzip", "bzip2": "application/x-bzip2"}.get(encoding)
    return kind or "application/octet-stream"
