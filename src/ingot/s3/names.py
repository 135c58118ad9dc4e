"""What a bucket, a key and an upload may be called, and how a path carries them.

Source: Amazon S3 user guide, "General purpose bucket naming rules" and "Naming Amazon S3 objects".
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

from ingot.base.limits import BUCKET_NAME_LENGTH_MAX, BUCKET_NAME_LENGTH_MIN, KEY_BYTES_MAX
from ingot.s3.errors import S3Error

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]*[a-z0-9]", re.ASCII)
_IPV4 = re.compile(r"\d+\.\d+\.\d+\.\d+", re.ASCII)
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def bucket_name_problem(name: str) -> str | None:
    """Say what is wrong with a bucket's name, or return None when it is valid."""
    if not BUCKET_NAME_LENGTH_MIN <= len(name) <= BUCKET_NAME_LENGTH_MAX:
        return f"it must have {BUCKET_NAME_LENGTH_MIN} to {BUCKET_NAME_LENGTH_MAX} characters"
    if not _BUCKET.fullmatch(name):
        return (
            "it may hold lower-case letters, digits, dots and hyphens, and must begin and end"
            " with a letter or digit"
        )
    if ".." in name or ".-" in name or "-." in name:
        return "a dot must stand between letters or digits"
    if _IPV4.fullmatch(name):
        return "it must not look like an IP address"
    if name.startswith(_RESERVED_PREFIXES) or name.endswith(_RESERVED_SUFFIXES):
        return "its prefix or suffix is reserved"
    return None


def check_bucket_name(name: str) -> None:
    """Refuse a name that no bucket may have.

    Raises:
        S3Error: `InvalidBucketName`, with the rule that is broken.
    """
    if problem := bucket_name_problem(name):
        raise S3Error(
            "InvalidBucketName", f"The specified bucket is not valid: {problem}.", BucketName=name
        )


def check_key(key: str) -> None:
    """Refuse a key that no object may have.

    Raises:
        S3Error: `KeyTooLongError` over 1,024 bytes of UTF-8, `InvalidArgument` for a NUL (the
            catalog keeps keys free of it), `InvalidURI` for what is no Unicode text.
    """
    try:
        size_bytes = len(key) if key.isascii() else len(key.encode())
    except UnicodeEncodeError as error:
        raise S3Error("InvalidURI", "The key is not valid UTF-8.") from error
    if size_bytes > KEY_BYTES_MAX:
        raise S3Error("KeyTooLongError", Size=str(size_bytes), MaxSizeAllowed=str(KEY_BYTES_MAX))
    if not key:
        raise S3Error("InvalidArgument", "The key is empty.")
    if "\0" in key:
        raise S3Error("InvalidArgument", "A key must not contain a NUL character.")


def encode_path(text: str) -> str:
    """Percent-encode a path as SigV4 signs it: UTF-8, only unreserved characters and `/` stay."""
    return quote(text, safe="/")


def decode_path(raw_path: bytes) -> str:
    """Read a request's path as the client wrote it; dots and doubled slashes stay what they are.

    Raises:
        S3Error: `InvalidURI` when it is not UTF-8.
    """
    try:
        return (unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path).decode()
    except UnicodeDecodeError as error:
        raise S3Error("InvalidURI", "The path is not valid UTF-8.") from error


def split_path(path: str) -> tuple[str, str]:
    """Cut `/bucket/key` into bucket and key; either may be empty."""
    bucket, _, key = path[1:].partition("/")
    return bucket, key


def parse_copy_source(value: str) -> tuple[str, str, str | None]:
    """Read `x-amz-copy-source`: `[/]bucket/key[?versionId=…]`, percent-encoded.

    Returns:
        Bucket, key and version (None when not given).

    Raises:
        S3Error: `InvalidArgument` when it names no object.
    """
    encoded, _, query = value.partition("?")
    source = decode_path(encoded.encode("latin-1")).removeprefix("/")
    bucket, _, key = source.partition("/")
    name, _, version = query.partition("=")
    if not bucket or not key or (query and (name != "versionId" or not version)):
        raise S3Error(
            "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey.",
            ArgumentName="x-amz-copy-source",
            ArgumentValue=value,
        )
    check_key(key)
    return bucket, key, version or None
