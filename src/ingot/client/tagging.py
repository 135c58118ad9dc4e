"""Tags as people write them on a command line."""

from __future__ import annotations

from urllib.parse import parse_qsl

from ingot.base.errors import UsageError
from ingot.s3.errors import S3Error
from ingot.s3.tags import BUCKET_TAGS_MAX, check_tags


def parse_tags(text: str) -> dict[str, str]:
    """Read `name=value&name=value`, percent-encoded where need be.

    Raises:
        UsageError: it is none, or S3 has no such tags.
    """
    hint = "write them like 'name=value&other=value'"
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
        tags = check_tags(pairs, limit=BUCKET_TAGS_MAX)
    except S3Error as error:
        said = ", ".join([error.message.rstrip("."), *error.fields.values()])
        raise UsageError(f"{text!r} cannot be tags: {said}", hint=hint) from error
    except ValueError as error:
        raise UsageError(f"{text!r} cannot be tags: {error}", hint=hint) from error
    if not tags:
        raise UsageError("no tags were given", hint=hint)
    return tags
