"""Tags of objects and buckets: their limits, and how a header writes them.

Source: Amazon S3 user guide, "Categorizing your objects using tags".
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl

from ingot.s3.errors import S3Error

TAGGING_HEADER = "x-amz-tagging"
TAG_COUNT_HEADER = "x-amz-tagging-count"
TAGGING_DIRECTIVE_HEADER = "x-amz-tagging-directive"

OBJECT_TAGS_MAX = 10
BUCKET_TAGS_MAX = 50
TAG_KEY_LENGTH_MAX = 128
TAG_VALUE_LENGTH_MAX = 256
_RESERVED_PREFIX = "aws:"


def check_tags(pairs: Iterable[tuple[str, str]], *, limit: int) -> dict[str, str]:
    """Return tags by key.

    Raises:
        S3Error: `InvalidTag` for a key or value that is too long, empty or reserved, and for a
            repeated key; `BadRequest` for more than `limit`.
    """
    tags: dict[str, str] = {}
    for key, value in pairs:
        if not 1 <= len(key) <= TAG_KEY_LENGTH_MAX or key.startswith(_RESERVED_PREFIX):
            raise S3Error("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if len(value) > TAG_VALUE_LENGTH_MAX:
            raise S3Error("InvalidTag", "The TagValue you have provided is invalid", TagKey=key)
        if key in tags:
            raise S3Error(
                "InvalidTag", "Cannot provide multiple Tags with the same key", TagKey=key
            )
        tags[key] = value
    if len(tags) > limit:
        raise S3Error("BadRequest", f"Tags cannot be greater than {limit}")
    return tags


def parse_tagging_header(value: str) -> dict[str, str]:
    """Read `x-amz-tagging`, which is written like a query string.

    Raises:
        S3Error: `InvalidArgument` when it is none, and as `check_tags`.
    """
    try:
        pairs = parse_qsl(
            value, keep_blank_values=True, errors="strict", max_num_fields=BUCKET_TAGS_MAX
        )
    except ValueError as error:
        raise S3Error(
            "InvalidArgument",
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query"
            " parameters without tag name duplicates.",
            ArgumentName=TAGGING_HEADER,
        ) from error
    return check_tags(pairs, limit=OBJECT_TAGS_MAX)
